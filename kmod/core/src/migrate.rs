// SPDX-License-Identifier: GPL-2.0-only
//! Moves: RSYN, RSYN-ACK and ACK with the rules of protocol.md §8.

use core::cmp::Ordering;

use super::address::{LocalAddress, Path, RxInfo};
use super::auth::{challenge, token, Role};
use super::event::{CloseReason, Discard, Event, MoveFailure, PathChange, Refused};
use super::flow::{Flow, LocalHalf, Move, Phase};
use super::host::Host;
use super::shared::{Reply, Shared};
use super::time::{Duration, Instant};
use super::timer::Retry;
use super::wire::{Message, PacketType};

impl Flow {
    /// [`Command::Move`](super::event::Command::Move).
    pub(super) fn command_move(
        &mut self,
        shared: &mut Shared,
        host: &dyn Host,
        to: &LocalAddress,
    ) -> Result<(), Refused> {
        match self.phase {
            Phase::Open | Phase::Draining => {}
            Phase::SynSent | Phase::SynRcvd => return Err(Refused::NotEstablished),
            Phase::Free | Phase::Aborted | Phase::Closed => return Err(Refused::Closing),
        }
        let to = shared
            .addresses
            .find(&to.addr, to.ifindex)
            .filter(|address| shared.may_use(address));
        let to = *to.ok_or(Refused::NoSuchAddress)?;
        let there = match &self.local {
            LocalHalf::Settled => self.path.local == to.addr && self.path.ifindex == to.ifindex,
            LocalHalf::Absent(_) => false,
            LocalHalf::Moving(moving) => moving.to == to,
        };
        if there {
            return Err(Refused::AlreadyThere);
        }
        if !self.peer_reachable_from(shared, to.addr.family()) {
            return Err(Refused::NoPeerAddress);
        }
        if self.version == u64::MAX {
            return Err(Refused::VersionsExhausted);
        }
        self.begin_move(shared, host.now(), to);
        Ok(())
    }

    /// Begins a move with a new version. The old address is kept for data if it still works
    /// (R11). Every attempt has its own version; repetitions of it do not (R14).
    pub(super) fn begin_move(&mut self, shared: &mut Shared, now: Instant, to: LocalAddress) {
        let Some(version) = self.version.checked_add(1) else {
            return self.finish(shared, CloseReason::VersionsExhausted);
        };
        let (kept, began, trying) = match &self.local {
            LocalHalf::Settled => (self.holds_address(shared), now, now),
            LocalHalf::Absent(since) => (false, *since, now),
            LocalHalf::Moving(old) if old.kept => (true, now, now),
            LocalHalf::Moving(old) => (false, old.began, old.trying),
        };
        if let LocalHalf::Moving(old) = self.local {
            self.fail_move(shared, &old, MoveFailure::Replaced);
        }
        self.version = version;
        self.burst.rsyn = None;
        self.burst.punch = None;
        self.prefer_at = None;
        self.local = LocalHalf::Moving(Move {
            to,
            kept,
            renames: false,
            began,
            trying,
            retry: Retry::starting(now),
            ilist: 0,
        });
        shared.counters.moves = shared.counters.moves.saturating_add(1);
        shared.emit(Event::Moving {
            flow: self.index,
            to: to.addr,
            version,
            planned: kept,
        });
    }

    /// Reports that a move came to nothing. The caller sets what follows.
    pub(super) fn fail_move(&self, shared: &mut Shared, moving: &Move, why: MoveFailure) {
        if moving.renames {
            return;
        }
        shared.counters.moves_failed = shared.counters.moves_failed.saturating_add(1);
        shared.emit(Event::MoveFailed {
            flow: self.index,
            to: moving.to.addr,
            why,
        });
    }

    /// RSYN: the peer is moving. It is recorded and answered; data follows only its ACK.
    pub(super) fn handle_rsyn(
        &mut self,
        shared: &mut Shared,
        host: &mut dyn Host,
        rx: &RxInfo,
        message: &Message,
        len: usize,
    ) -> Result<(), Discard> {
        let now = host.now();
        let newer = match message.version.cmp(&self.newest) {
            Ordering::Less => return Err(Discard::StaleVersion), // R1
            // Version 0 is announced by SYN and SYN-ACK, never by RSYN.
            Ordering::Equal if message.version == 0 => return Err(Discard::StaleVersion),
            Ordering::Equal => false,
            Ordering::Greater => true,
        };
        let path = rx.reply_path();
        // R6: the answer goes to the source. R13: also if this version is proven already.
        let mut reply = self.reply_rsyn_ack(message.version, path);
        reply.echo = message.token;
        shared.answer(now, reply)?;
        if newer {
            // R1: the newest version is the candidate, however many were skipped.
            self.newest = message.version;
            self.setup.stop();
            self.hear_new_id(message);
            self.candidates = super::candidate::Candidates::NONE;
            self.burst.answer = None;
            // R4: the answer is repeated until its ACK comes.
            self.answer = Retry::started(now, self.rtt.retry(), host);
        }
        if self.peer_is_moving() {
            self.candidates.add(path, len);
            if path.remote.family() != self.path.local.family() {
                // A mover to the other family waits for its challenge, so repetitions return it.
                self.candidates.remember(&path, message.token);
            }
        }
        if self.phase == Phase::SynRcvd {
            // R8: the client has our SYN-ACK, and its ACK was lost.
            self.take_remote(shared, &path, message, false);
            self.open(shared, None);
        }
        Ok(())
    }

    /// RSYN-ACK: the peer has recorded our move.
    pub(super) fn handle_rsyn_ack(
        &mut self,
        shared: &mut Shared,
        host: &dyn Host,
        rx: &RxInfo,
        message: &Message,
    ) -> Result<(), Discard> {
        let now = host.now();
        let Some(token) = message.token else {
            return Err(Discard::WrongState);
        };
        match message.version.cmp(&self.version) {
            Ordering::Less => return Err(Discard::StaleVersion), // R2
            Ordering::Greater => return Err(Discard::FutureVersion),
            Ordering::Equal => {}
        }
        self.check_answered_path(shared, rx, now)?;
        self.note_observed(shared, rx, message);
        let done = match self.local {
            LocalHalf::Moving(moving) => {
                // An acknowledged version stands for the address that it was acknowledged from
                // (R10b), so an answer that opens no path from there is not acknowledged.
                let path = self.answered_path(shared, host, rx, message, &moving);
                Some((moving, path.ok_or(Discard::OtherPath)?))
            }
            LocalHalf::Settled | LocalHalf::Absent(_) => None,
        };
        // R3: every one is acknowledged, also when the move is long done; R6: to its source.
        shared.answer(now, self.reply_ack(message.version, token, rx.reply_path()))?;
        if let Some((moving, path)) = done {
            self.complete_move(shared, now, &moving, path);
        }
        Ok(())
    }

    /// The path that an answer to our RSYN has opened; `None` if it has opened none.
    ///
    /// It shows by which encapsulation the peer's address works now. Which address that is, only
    /// the peer's own versions change, but for one case: after a move to the other family it is
    /// the one that has returned the challenge sent there.
    fn answered_path(
        &self,
        shared: &Shared,
        host: &dyn Host,
        rx: &RxInfo,
        message: &Message,
        moving: &Move,
    ) -> Option<Path> {
        // A move after a loss announces every family from an address of that family, and a peer
        // without the family of a planned move answers by the other: where the answer arrives is
        // where it works.
        let elsewhere = !moving.kept || rx.local.family() != moving.to.addr.family();
        let local = match shared.addresses.find(&rx.local, 0) {
            Some(arrived) if elsewhere && shared.may_use(arrived) => *arrived,
            _ => moving.to,
        };
        let answered = Path {
            local: local.addr,
            ifindex: local.ifindex,
            ..rx.reply_path()
        };
        let recorded = Path {
            local: local.addr,
            ifindex: local.ifindex,
            ..self.path
        };
        if rx.remote == self.path.remote {
            return Some(answered);
        }
        if recorded.is_sound() {
            return Some(recorded);
        }
        let (secret, sent_to) = (&shared.token_secret, rx.reply_path());
        let expected = challenge(host, secret, self.local_id, self.version, &sent_to);
        let returned = message
            .echo
            .is_some_and(|echo| host.mac_eq(&echo, &expected));
        Some(answered).filter(|path| returned && path.is_sound())
    }

    fn complete_move(&mut self, shared: &mut Shared, now: Instant, moving: &Move, path: Path) {
        if moving.renames {
            return self.complete_renaming(shared, now, moving);
        }
        let old = self.data_path();
        self.local = LocalHalf::Settled;
        self.settled_at = now;
        self.announced = path.local;
        self.burst.rsyn = None;
        self.burst.punch = None;
        self.path = path;
        shared.ilist_known = shared.ilist_known.max(moving.ilist);
        self.confirm(shared);
        shared.counters.moves_done = shared.counters.moves_done.saturating_add(1);
        self.rtt = super::timer::Rtt::UNKNOWN; // It is the path's (protocol.md §7.12).
        self.note_rtt(shared, moving.retry.measured(now));
        self.settle_doubt(shared, now, old);
        self.note_path(shared, old, PathChange::LocalMoved);
        shared.emit(Event::Moved {
            flow: self.index,
            version: self.version,
            took: now.since(moving.began),
        });
    }

    /// ACK: the peer has proven an address for its newest version.
    pub(super) fn handle_ack(
        &mut self,
        shared: &mut Shared,
        host: &dyn Host,
        rx: &RxInfo,
        message: &Message,
    ) -> Result<(), Discard> {
        let version = message.version;
        match version.cmp(&self.newest) {
            Ordering::Less => return Err(Discard::StaleVersion), // R5
            Ordering::Greater => return Err(Discard::FutureVersion),
            Ordering::Equal => {}
        }
        if !self.peer_is_moving() {
            return Err(Discard::AlreadyValidated); // R10b
        }
        let proven = self.proven_path(shared, host, rx, message)?;
        let now = host.now();
        let old = self.data_path();
        let timer = match version {
            0 => &self.setup,
            _ => &self.answer,
        };
        let rtt = timer.measured(now);
        let agreed = self.validated.is_some() || self.version > 0;
        self.setup.stop();
        self.answer.stop();
        self.burst.answer = None;
        self.validated = Some(version);
        self.candidates = super::candidate::Candidates::NONE;
        let renamed = self.take_new_id(shared);
        let moved = !proven.same_remote(&self.path);
        let renaming = self.set_renaming_aside();
        let announce = self.take_remote(shared, &proven, message, agreed);
        // A version that was announced elsewhere stands for that.
        let elsewhere = renaming.is_some_and(|moving| moving.to.addr != self.path.local);
        let announce = announce || elsewhere;
        self.resume_renaming(shared, renaming);
        if version > 0 {
            shared.counters.peer_moves = shared.counters.peer_moves.saturating_add(1);
        }
        if self.phase == Phase::SynRcvd {
            self.open(shared, rtt);
        } else {
            self.rtt = super::timer::Rtt::UNKNOWN;
            self.note_rtt(shared, rtt);
            self.settle_doubt(shared, now, old);
            self.note_path(shared, old, PathChange::PeerMoved);
        }
        if announce {
            self.announce_address(shared, now);
        } else if renamed && moved && agreed {
            self.rename(shared, now);
        }
        Ok(())
    }

    /// R10: which address the token of an ACK was made for. The source of the ACK comes first;
    /// behind a NAT that has changed meanwhile it can be one of the other candidates.
    fn proven_path(
        &self,
        shared: &Shared,
        host: &dyn Host,
        rx: &RxInfo,
        message: &Message,
    ) -> Result<Path, Discard> {
        let received = message.token.as_ref().ok_or(Discard::BadToken)?;
        let source = rx.reply_path();
        core::iter::once(&source)
            .chain(self.candidates.iter().map(|candidate| &candidate.path))
            .find(|path| {
                let expected = token(
                    host,
                    &shared.token_secret,
                    self.local_id,
                    message.version,
                    path,
                );
                host.mac_eq(&expected, received)
            })
            .copied()
            .ok_or(Discard::BadToken)
    }

    /// Makes the far end of `path` the peer's address. Our own address stays, unless it was not
    /// `agreed` on yet or is of the other family: then it is the one that the peer has on record,
    /// or else the one that it reached. Returns true if the peer must be told which it is.
    pub(super) fn take_remote(
        &mut self,
        shared: &Shared,
        path: &Path,
        message: &Message,
        agreed: bool,
    ) -> bool {
        let family = path.remote.family();
        let fits = self.path.local.family() == family;
        let record = message.record.filter(|r| r.addr.family() == family);
        let own = record.and_then(|record| shared.addresses.find(&record.addr, 0));
        let (local, ifindex) = match (agreed && fits, own) {
            (true, _) => (self.path.local, self.path.ifindex),
            (false, Some(own)) if own.addr != path.local => (own.addr, own.ifindex),
            (false, _) => (path.local, path.ifindex),
        };
        self.path = Path {
            local,
            ifindex,
            ..*path
        };
        // The peer relies on an address that is gone, or was reached at an unlisted one.
        let lost = record.is_some_and(|record| !self.holds(shared, &record.addr));
        let unheld = !(agreed && fits) && lost;
        // If both ends moved to different families at once, each would follow the other. One
        // end announces where it followed to, so that they meet.
        let followed = agreed && !fits && shared.role == Role::Server;
        if !agreed {
            self.announced = local;
        }
        unheld || followed || !self.holds(shared, &self.announced)
    }

    /// Announces the address in use with a version of its own. A move of ours that is under way
    /// goes on, unless it leads to the family that the peer has just left.
    pub(super) fn announce_address(&mut self, shared: &mut Shared, now: Instant) {
        let family = self.path.local.family();
        let stays = match &self.local {
            LocalHalf::Settled => true,
            LocalHalf::Absent(_) => false,
            LocalHalf::Moving(moving) if moving.renames => true,
            LocalHalf::Moving(moving) => moving.kept && moving.to.addr.family() != family,
        };
        if !stays {
            return;
        }
        match self.current_address(shared) {
            Some(address) => self.begin_move(shared, now, address),
            None => self.lose_address(shared, now),
        }
    }

    /// Reports a new path for data, if it is new.
    pub(super) fn note_path(&self, shared: &mut Shared, old: Option<Path>, why: PathChange) {
        if let Some(path) = self.data_path().filter(|path| Some(*path) != old) {
            shared.emit(Event::PathChanged {
                flow: self.index,
                path,
                why,
            });
        }
    }

    pub(super) fn note_rtt(&mut self, shared: &mut Shared, rtt: Option<Duration>) {
        if let Some(rtt) = rtt {
            self.rtt.sample(rtt);
            shared.emit(Event::RttSample {
                flow: self.index,
                rtt,
            });
        }
    }

    fn reply_rsyn_ack(&self, version: u64, path: Path) -> Reply {
        Reply::new(self.index, PacketType::RsynAck, version, path)
    }
}
