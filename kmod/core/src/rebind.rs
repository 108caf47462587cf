// SPDX-License-Identifier: GPL-2.0-only
//! NATs (protocol.md §7.4, §7.9): a peer whose NAT has given it another address or port without
//! anybody's announcing it, and our own address as the peer sees it.
//!
//! R22: an unannounced source becomes the peer's address, for the version that is proven already,
//! if it has returned a challenge that was sent there and the address on record has not returned
//! the one that was sent to it at the same time, nor the second one. So who only copies or
//! forwards packets gains nothing as long as the address on record works; and if it answers after
//! all, it is the peer's address again.

use super::address::{Encap, Path, RemoteAddr, RxInfo};
use super::connection::{Connection, Transmit};
use super::event::{Event, FlowIndex, PathChange};
use super::flow::{Flow, LocalHalf};
use super::host::Host;
use super::settings::{AMPLIFICATION, FIRST_RETRY, MAX_RETRY};
use super::shared::Shared;
use super::time::{earliest, Duration, Instant};
use super::timer::{Retry, Rtt};
use super::wire::{Message, ProbeMark};

/// Challenges to one source before it is given up.
const TRIES: u8 = 4;
/// Challenges that the address on record has had when it is given up, at least.
const LEAST_TRIES: u8 = 2;
/// How long a source may take to answer, or to send enough to be asked: the round trip may be much
/// longer than the one that is known.
const PATIENCE: Duration = Duration::from_secs(2);
/// How long no other source is looked at after one was given up.
const PAUSE: Duration = Duration::from_secs(1);
/// Shortest time between two challenges, and by how much an answer may at least be later than
/// the round trips that are known.
const LEAST_GAP: Duration = Duration::from_millis(5);
/// How long the address on record before a verdict can take it back.
const APPEAL: Duration = Duration::from_secs(2);

/// How far the question is where the peer is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Stage {
    /// The source has not answered.
    Asked,
    /// Nor has enough come from it to be asked again.
    Starved,
    /// It has, and becomes the peer's address then, unless the address on record answers.
    Proven,
    /// It has become the peer's address; the source is now the one that was on record before, and
    /// is asked a few times more.
    Decided,
}

/// A source of the peer's packets that nobody has announced. A connection looks at one at a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Stray {
    flow: FlowIndex,
    /// The path back to it.
    path: Path,
    serial: u32,
    retry: Retry,
    stage: Stage,
    /// Of a source that is proven: when it becomes the peer's address.
    verdict: Instant,
    /// The challenge of this try is still to be sent along the path in use.
    ask_old: bool,
    /// Bytes received from it and sent to it.
    received: u32,
    sent: u32,
}

/// What a flow knows of NATs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Nat {
    /// Before this no stray source is looked at.
    not_before: Instant,
    /// Our address as the peer sees it, if a NAT has changed it.
    pub(super) observed: Option<RemoteAddr>,
}

impl Nat {
    pub(super) const NONE: Self = Self {
        not_before: Instant(0),
        observed: None,
    };
}

impl Connection {
    /// Data of a flow has come from elsewhere than the address on record: `rx` says from where,
    /// `len` is the length of the ECCP packet. It need not be called for every packet.
    pub fn handle_stray(&mut self, host: &dyn Host, flow: FlowIndex, rx: &RxInfo, len: usize) {
        if let Some(flow) = self.flows.get_mut(usize::from(flow.0)) {
            flow.suspect_rebinding(&mut self.shared, host.now(), rx, len);
        }
    }
}

impl Flow {
    /// Our address as the peer sees it, if a NAT has changed it.
    #[must_use]
    pub const fn observed(&self) -> Option<&RemoteAddr> {
        self.nat.observed.as_ref()
    }

    /// Takes in what the peer says of the source of a packet of ours that it answers.
    /// A SYN-ACK is repeated to the byte: it may name another of our addresses that a SYN came from,
    /// and then it says nothing of this path.
    pub(super) fn note_observed(&mut self, shared: &Shared, rx: &RxInfo, message: &Message) {
        let Some(seen) = message.observed else {
            return;
        };
        if seen.addr != rx.local && shared.addresses.find(&seen.addr, 0).is_some() {
            return;
        }
        let by_udp = rx.encap == Encap::Udp && seen.port != 0;
        let changed = seen.addr != rx.local || (by_udp && seen.port != rx.local_port);
        self.nat.observed = Some(seen).filter(|_| changed);
    }

    /// A ping along what its sender takes for the path in use.
    pub(super) fn hear_ping(
        &mut self,
        shared: &mut Shared,
        now: Instant,
        rx: &RxInfo,
        message: &Message,
        len: usize,
    ) {
        // One of an older version says nothing about where the peer is now.
        let in_use = message.probe.is_some_and(|mark| !mark.other);
        if in_use && message.version == self.newest {
            self.suspect_rebinding(shared, now, rx, len);
        }
    }

    fn suspect_rebinding(&mut self, shared: &mut Shared, now: Instant, rx: &RxInfo, len: usize) {
        let path = rx.reply_path();
        let like_ours = path.local == self.path.local && path.encap == self.path.encap;
        if !like_ours || !self.stays() || self.data_path().is_none() || path.same_remote(&self.path)
        {
            return;
        }
        let bytes = u32::try_from(len).unwrap_or(u32::MAX);
        if let Some(stray) = &mut shared.stray {
            let same = stray.flow == self.index && stray.path.same_remote(&path);
            if same {
                stray.received = stray.received.saturating_add(bytes);
            }
            if same && stray.stage == Stage::Starved {
                stray.stage = Stage::Asked;
                stray.retry.next = Some(now);
            }
            let asked_all = stray.retry.tries >= TRIES && stray.retry.is_due(now);
            let makes_room = match stray.stage {
                Stage::Asked | Stage::Starved => asked_all && !same,
                Stage::Proven => false,
                Stage::Decided => true,
            };
            if !makes_room {
                return;
            }
        }
        if now < self.nat.not_before {
            return;
        }
        shared.stray = Some(Stray {
            flow: self.index,
            path,
            serial: self.probe.next_serial(),
            retry: Retry::starting(now),
            stage: Stage::Asked,
            verdict: Instant(0),
            ask_old: false,
            received: bytes,
            sent: 0,
        });
        shared.counters.strays = shared.counters.strays.saturating_add(1);
    }

    /// A PONG to challenge number `serial`, by `path`. False if there is no such challenge.
    pub(super) fn handle_stray_pong(
        &mut self,
        shared: &mut Shared,
        now: Instant,
        path: &Path,
        answers: impl Fn(u32) -> bool,
    ) -> bool {
        let Some(mut stray) = self.stray(shared).filter(|stray| answers(stray.serial)) else {
            return false;
        };
        let from_source = stray.path.same_remote(path) && stray.path.local == path.local;
        if stray.stage == Stage::Decided {
            // What the address in use answers to challenges of before the verdict says no more.
            if from_source && now < stray.retry.since.after(APPEAL) {
                self.revert(shared, now, &stray.path);
            }
            return true;
        }
        if self.path.same_remote(path) && self.path.local == path.local {
            // R22: the address on record works.
            shared.counters.rebindings_refused =
                shared.counters.rebindings_refused.saturating_add(1);
            shared.emit(Event::RebindingRefused { flow: self.index });
            self.forget_stray(shared, now);
        } else if from_source && matches!(stray.stage, Stage::Asked | Stage::Starved) {
            stray.stage = Stage::Proven;
            stray.verdict = self.verdict(&mut stray.retry, now);
            shared.stray = Some(stray);
            self.expire_stray(shared, now);
        }
        true
    }

    /// When a source is believed that answers now: the address on record has been silent for the
    /// longer of the two round trips since its latest challenge, of which it has had two. One that
    /// is late has a quarter of that to spare.
    fn verdict(&self, retry: &mut Retry, now: Instant) -> Instant {
        let measured = now.since(retry.since);
        let longer = self
            .rtt
            .smoothed()
            .map_or(measured, |rtt| rtt.max(measured));
        let asked = match retry.tries >= LEAST_TRIES {
            true => retry.last,
            false => {
                retry.next = Some(now);
                now
            }
        };
        let spare = Duration(longer.0 >> 2).max(LEAST_GAP);
        asked.after(longer).after(spare).max(now)
    }

    /// Time from the first challenge to the second, which is doubled from then on.
    fn question_gap(&self) -> Duration {
        let known = self.rtt.smoothed();
        known.map_or(FIRST_RETRY, |Duration(rtt)| {
            Duration(rtt >> 1).clamp(LEAST_GAP, MAX_RETRY)
        })
    }

    /// True while the path in use is not about to change without an announcement: HOLE-PUNCHes of
    /// a move of ours need it, and have to follow the peer's NAT.
    fn stays(&self) -> bool {
        let kept = match &self.local {
            LocalHalf::Settled => true,
            LocalHalf::Absent(_) => false,
            LocalHalf::Moving(moving) => moving.kept,
        };
        kept && !self.peer_is_moving()
    }

    fn stray(&self, shared: &Shared) -> Option<Stray> {
        shared.stray.filter(|stray| stray.flow == self.index)
    }

    fn forget_stray(&mut self, shared: &mut Shared, now: Instant) {
        shared.stray = None;
        self.nat.not_before = now.after(PAUSE);
    }

    /// A move of either end is done. Packets that were on their way along the old path do not
    /// mean anything.
    pub(super) fn settle_strays(&mut self, shared: &mut Shared, now: Instant) {
        if self.stray(shared).is_some() {
            shared.stray = None;
        }
        let gap = self.rtt.retry().0.saturating_mul(4);
        self.nat.not_before = now.after(Duration(gap));
    }

    pub(super) fn expire_stray(&mut self, shared: &mut Shared, now: Instant) {
        let Some(stray) = self.stray(shared) else {
            return;
        };
        if !self.stays() {
            shared.stray = None;
            return;
        }
        match stray.stage {
            Stage::Proven if stray.verdict <= now => self.rebind(shared, now, stray),
            Stage::Asked | Stage::Starved if now >= stray.retry.since.after(PATIENCE) => {
                self.forget_stray(shared, now);
            }
            _ => {}
        }
    }

    /// R22: the peer is at the far end of `stray`'s path now. The address that it was at may still
    /// answer, because both challenges were lost or are late, and is asked a few times more.
    fn rebind(&mut self, shared: &mut Shared, now: Instant, stray: Stray) {
        let before = self.path;
        shared.counters.rebindings = shared.counters.rebindings.saturating_add(1);
        self.follow(shared, now, &stray.path, PathChange::PeerRebound);
        shared.stray = Some(Stray {
            path: before,
            stage: Stage::Decided,
            retry: Retry {
                tries: 1,
                ..Retry::starting(now)
            },
            ask_old: false,
            // It was proven, so nothing limits what it gets.
            received: u32::MAX,
            ..stray
        });
    }

    /// The address that was on record before the latest verdict answers.
    fn revert(&mut self, shared: &mut Shared, now: Instant, to: &Path) {
        let counter = &mut shared.counters.rebindings_reverted;
        *counter = counter.saturating_add(1);
        self.follow(shared, now, to, PathChange::PeerReverted);
        self.forget_stray(shared, now);
    }

    fn follow(&mut self, shared: &mut Shared, now: Instant, to: &Path, why: PathChange) {
        let old = self.data_path();
        let same_host = self.path.remote == to.remote;
        self.path = Path {
            remote: to.remote,
            remote_port: to.remote_port,
            ..self.path
        };
        if !same_host {
            self.rtt = Rtt::UNKNOWN;
        }
        self.settle_doubt(shared, now, old);
        self.note_path(shared, old, why);
    }

    pub(super) fn stray_timeout(&self, shared: &Shared) -> Option<Instant> {
        let stray = self.stray(shared)?;
        let again = stray.retry.next.filter(|_| stray.retry.tries < TRIES);
        match stray.stage {
            Stage::Asked | Stage::Starved => {
                earliest(again, Some(stray.retry.since.after(PATIENCE)))
            }
            Stage::Proven => earliest(Some(stray.verdict), again),
            Stage::Decided => again,
        }
    }

    /// The challenges, to the source until it has answered and along the path in use.
    pub(super) fn poll_stray(
        &mut self,
        shared: &mut Shared,
        host: &mut dyn Host,
        now: Instant,
        buf: &mut [u8],
    ) -> Option<Transmit> {
        let mut stray = self.stray(shared)?;
        let mark = ProbeMark {
            trouble: false,
            other: true,
            serial: stray.serial,
        };
        if stray.ask_old {
            stray.ask_old = false;
            shared.stray = Some(stray);
            let path = self.data_path()?;
            return self.send_probe(shared, host, mark, &path, buf);
        }
        if !stray.retry.is_due(now) || stray.retry.tries >= TRIES {
            return None;
        }
        let before = stray.retry;
        stray.retry.tried(now, self.question_gap(), host);
        stray.ask_old = stray.stage != Stage::Decided;
        if stray.stage == Stage::Proven {
            shared.stray = Some(stray);
            return self.poll_stray(shared, host, now, buf);
        }
        let sent = self.send_probe(shared, host, mark, &stray.path, buf);
        let len = sent.map_or(0, |sent| u32::try_from(sent.len).unwrap_or(u32::MAX));
        let total = stray.sent.saturating_add(len);
        if total > stray.received.saturating_mul(AMPLIFICATION) {
            let limited = &mut shared.counters.amplification_limited;
            *limited = limited.saturating_add(1);
            stray.retry = Retry {
                next: None,
                ..before
            };
            stray.stage = Stage::Starved;
            stray.ask_old = false;
            shared.stray = Some(stray);
            return None;
        }
        stray.sent = total;
        shared.stray = Some(stray);
        sent
    }
}
