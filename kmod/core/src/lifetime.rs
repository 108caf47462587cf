// SPDX-License-Identifier: GPL-2.0-only
//! The ends of flows: closing, draining, resets, and everything that is given up in time.

use super::address::Path;
use super::event::{CloseReason, MoveFailure, Refused};
use super::flow::{Flow, LocalHalf, Move, Phase};
use super::host::Host;
use super::shared::Shared;
use super::time::{earliest, Instant};
use super::timer::Retry;
use super::wire::Reason;

/// RSTs that a flow which is reset in the middle of a move sends without being asked.
const MAX_RSTS: u8 = 4;

impl Flow {
    /// The transport is done. What nobody can have used yet is given up at once; a flow that was
    /// added drains as soon as the peer may have our SYN-ACK and use it (R20).
    pub(super) fn close(
        &mut self,
        shared: &mut Shared,
        host: &mut dyn Host,
    ) -> Result<(), Refused> {
        match self.phase {
            Phase::SynRcvd if self.added.is_none() => self.abort(shared, host, Reason::Aborted),
            Phase::Open | Phase::SynRcvd => {
                self.phase = Phase::Draining;
                self.drain_until = Some(host.now().after(shared.settings.draining));
                self.prefer_at = None;
                self.ping.retry.stop();
                Ok(())
            }
            Phase::SynSent => self.abort(shared, host, Reason::Aborted),
            Phase::Draining | Phase::Aborted => Err(Refused::Closing),
            Phase::Free | Phase::Closed => Err(Refused::NoSuchFlow),
        }
    }

    /// Resets the flow.
    pub(super) fn abort(
        &mut self,
        shared: &mut Shared,
        host: &mut dyn Host,
        reason: Reason,
    ) -> Result<(), Refused> {
        match self.phase {
            Phase::SynSent => {
                // There are no keys yet, so the peer cannot be told; it gives up by itself.
                self.finish(shared, CloseReason::Aborted);
            }
            Phase::SynRcvd => {
                self.send_rst(shared, reason);
                self.finish(shared, CloseReason::Aborted);
            }
            Phase::Open | Phase::Draining => {
                self.send_rst(shared, reason);
                self.answer = match self.local {
                    // Nothing of the peer's comes to where we are going, to be answered there.
                    LocalHalf::Moving(_) => Retry::started(host.now(), self.rtt.retry(), host),
                    LocalHalf::Settled | LocalHalf::Absent(_) => Retry::IDLE,
                };
                self.phase = Phase::Aborted;
                self.drain_until = Some(host.now().after(shared.settings.draining));
                self.prefer_at = None;
                self.ping.retry.stop();
            }
            Phase::Aborted => return Err(Refused::Closing),
            Phase::Free | Phase::Closed => return Err(Refused::NoSuchFlow),
        }
        Ok(())
    }

    /// Where an RST reaches the peer. A flow that moves after a loss has no path for data, but the
    /// peer believes an RST from any address.
    fn rst_path(&self) -> Option<Path> {
        let candidate = || self.candidates.iter().last().map(|c| c.path);
        match (self.validated, &self.local) {
            (None, _) => candidate(),
            (Some(_), LocalHalf::Moving(moving)) if !moving.kept => Some(Path {
                local: moving.to.addr,
                ifindex: moving.to.ifindex,
                ..self.path
            })
            .filter(Path::is_sound),
            (Some(_), LocalHalf::Absent(_)) => None,
            (Some(_), _) => Some(self.path).filter(Path::is_sound),
        }
    }

    /// Queues an RST to where the peer is known to be. If there is no room or no address, later
    /// packets of the peer are answered with another one.
    fn send_rst(&self, shared: &mut Shared, reason: Reason) {
        let path = self.rst_path();
        if let Some(path) = path {
            shared.replies.push(self.rst(reason, path));
        }
    }

    /// The address of a flow that was reset is gone: the peer is told from another one.
    pub(super) fn reset_from_elsewhere(&mut self, shared: &Shared, now: Instant) {
        let family = self.path.remote.family();
        let removed = self.setup.next.is_some();
        if removed || self.holds_address(shared) {
            return;
        }
        self.local = LocalHalf::Absent(now);
        if let Some(address) = shared.best_of(family, None) {
            self.local = LocalHalf::Settled;
            self.path.local = address.addr;
            self.path.ifindex = address.ifindex;
            self.answer = Retry::starting(now);
        }
    }

    pub(super) fn handle_timeout(&mut self, shared: &mut Shared, host: &mut dyn Host) {
        let now = host.now();
        match self.phase {
            Phase::Free | Phase::Closed => return,
            Phase::SynSent if self.added.is_some() => {
                if now >= self.setup.since.after(shared.settings.half_open) {
                    self.finish(shared, CloseReason::TimedOut);
                }
                return;
            }
            Phase::SynSent => {
                if now >= self.setup.since.after(shared.give_up()) {
                    let reason = match shared.version_refused {
                        true => CloseReason::VersionMismatch,
                        false => CloseReason::TimedOut,
                    };
                    self.finish(shared, reason);
                }
                return;
            }
            Phase::SynRcvd if now >= self.setup.since.after(shared.settings.half_open) => {
                self.send_rst(shared, Reason::TimedOut);
                return self.finish(shared, CloseReason::TimedOut);
            }
            _ => {}
        }
        if self.drain_until.is_some_and(|until| until <= now) {
            let reason = match self.phase {
                Phase::Aborted => CloseReason::Aborted,
                _ => CloseReason::Drained,
            };
            return self.finish(shared, reason);
        }
        if self.phase != Phase::Aborted {
            self.expire_handshakes(shared, now);
        } else if self.answer.is_due(now) {
            self.answer.tried(now, self.rtt.retry(), host);
            self.send_rst(shared, Reason::Aborted);
            if self.answer.tries >= MAX_RSTS {
                self.answer.stop();
            }
        }
    }

    fn expire_handshakes(&mut self, shared: &mut Shared, now: Instant) {
        let give_up = shared.give_up();
        if self.setup.next.is_some() && now >= self.setup.since.after(give_up) {
            self.send_rst(shared, Reason::TimedOut);
            return self.finish(shared, CloseReason::TimedOut);
        }
        if self.answer.next.is_some() && now >= self.answer.since.after(give_up) {
            // The peer's move came to nothing; a repetition of its RSYN is still answered.
            self.answer.stop();
        }
        if self.ping.retry.next.is_some() && now >= self.ping.retry.since.after(give_up) {
            self.ping.retry.stop();
            self.ping.commanded = false;
        }
        self.expire_probes(shared, now);
        self.expire_id(now);
        if self.prefer_at.is_some_and(|at| at <= now) {
            self.prefer(shared, now);
        }
        match self.local {
            LocalHalf::Settled => {}
            LocalHalf::Absent(_) => {
                if self.move_deadline(shared).is_some_and(|at| at <= now) {
                    self.finish(shared, CloseReason::NoAddress);
                }
            }
            LocalHalf::Moving(moving) => self.expire_move(shared, now, &moving),
        }
    }

    fn expire_move(&mut self, shared: &mut Shared, now: Instant, moving: &Move) {
        if self.move_deadline(shared).is_none_or(|at| now < at) {
            if moving.retry.is_due(now) {
                self.rotate_address(shared, now, moving);
            }
        } else if moving.renames {
            // The peer knows our address. The next version carries the ID.
            self.set_renaming_aside();
        } else if self.moves_away(moving) {
            self.abandon_move(shared, now, moving, MoveFailure::NoAnswer);
        } else {
            self.fail_move(shared, moving, MoveFailure::NoAnswer);
            self.finish(shared, CloseReason::TimedOut);
        }
    }

    /// A planned move that can be called off; staying put after one was called off cannot.
    fn moves_away(&self, moving: &Move) -> bool {
        moving.kept && moving.to.addr != self.path.local
    }

    fn move_deadline(&self, shared: &Shared) -> Option<Instant> {
        match &self.local {
            LocalHalf::Settled => None,
            LocalHalf::Absent(since) => shared.settings.no_address.map(|span| since.after(span)),
            LocalHalf::Moving(moving) if self.moves_away(moving) => {
                Some(moving.began.after(shared.settings.planned_move))
            }
            LocalHalf::Moving(moving) => Some(moving.trying.after(shared.give_up())),
        }
    }

    /// The next time at which something is to be sent or given up.
    pub(super) fn poll_timeout(&self, shared: &Shared) -> Option<Instant> {
        let give_up = shared.give_up();
        let setup_limit = match self.phase {
            Phase::Free | Phase::Closed => return None,
            Phase::Aborted => {
                let rst = earliest(self.setup.next, self.answer.next);
                return earliest(self.drain_until, rst);
            }
            Phase::SynSent if self.added.is_some() => {
                Some(self.setup.since.after(shared.settings.half_open))
            }
            Phase::SynSent => Some(self.setup.since.after(give_up)),
            Phase::SynRcvd => Some(self.setup.since.after(shared.settings.half_open)),
            Phase::Open | Phase::Draining => {
                self.setup.next.map(|_| self.setup.since.after(give_up))
            }
        };
        let moving = match &self.local {
            LocalHalf::Moving(moving) => moving.retry.next,
            LocalHalf::Settled | LocalHalf::Absent(_) => None,
        };
        // A ping waits for a path to send it along; its own limit does not.
        let ping = self.ping.retry.next.and_then(|next| {
            let limit = self.ping.retry.since.after(give_up);
            earliest(self.data_path().map(|_| next), Some(limit))
        });
        let answer = self.answer.next.filter(|_| self.has_address());
        let answer_limit = self.answer.next.map(|_| self.answer.since.after(give_up));
        [
            setup_limit,
            self.setup.next.filter(|_| self.has_address()),
            moving,
            self.move_deadline(shared),
            ping,
            answer,
            answer_limit,
            self.prefer_at,
            self.drain_until,
            self.probe_timeout(shared),
            self.redirect_timeout(shared),
            self.id_timeout(),
        ]
        .into_iter()
        .fold(None, earliest)
    }

    /// False while we have no address to send from.
    pub(super) fn has_address(&self) -> bool {
        !matches!(self.local, LocalHalf::Absent(_))
    }
}
