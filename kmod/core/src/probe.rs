// SPDX-License-Identifier: GPL-2.0-only
//! Dead paths (protocol.md §7.6): pings along the path in use when it is in doubt, and along
//! others, and the return to a path that was left for dead.
//!
//! A doubt begins when the transport misses acknowledgements, when a keepalive or a silent stream
//! asks, or when the peer says that it is in trouble. A ping that comes back along the path in
//! use ends it. If none does until the verdict, the flow moves to an address from which another
//! path has answered. The peer does the same at its end, because each end can only move itself.

mod burst;

use super::address::{IpAddr128, Path, RxInfo};
use super::auth::{probe_token, Role};
use super::connection::Connection;
use super::event::{Event, FlowIndex};
use super::flow::{Flow, LocalHalf, Phase};
use super::host::Host;
use super::settings::Policy;
use super::shared::{rank, Shared};
use super::time::{earliest, Duration, Instant};
use super::timer::Retry;
use super::wire::{Message, TOKEN_LEN};

/// How long a flow that would have to move together with its peer waits for the peer alone.
const PEER_FIRST: Duration = Duration::from_secs(1);
/// Repetitions of RSYN after which a move that a doubt began may be replaced by a better one.
const MOVE_TRIES: u8 = 3;
/// Repetitions of RSYN-ACK after which a peer that is moving may be in trouble itself.
const ANSWER_TRIES: u8 = 4;
/// First and longest time between two pings along a path that was left for dead.
const FIRST_LOOK_BACK: Duration = Duration::from_secs(1);
const LONGEST_LOOK_BACK: Duration = Duration::from_secs(30);
/// How often a path is pinged that answers again, until it is trusted.
const TRUST_STEP: Duration = Duration::from_millis(500);

/// A path that a move of ours can lead to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Alternative {
    /// Our address on it.
    local: IpAddr128,
    /// The peer has to move, too.
    with_peer: bool,
}

/// Why and how far the path in use is in doubt.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Doubt {
    pub(super) since: Instant,
    serial: u32,
    /// When it was last confirmed by whoever began it.
    reported: Instant,
    /// When the path in use counts as dead if nothing has come back along it.
    verdict: Instant,
    /// The verdict has been spoken.
    pub(super) judged: bool,
    /// Other paths are asked, too.
    wide: bool,
    /// It is ours and not the peer's: the peer is told.
    own: bool,
    /// Other paths are asked from the second question on.
    grows: bool,
    /// A path from another address, or by the other encapsulation, that has answered.
    answered: Option<Alternative>,
    /// A path has answered that the peer alone can change to.
    peer_can: bool,
}

/// A path of ours that was left for dead and may be taken back.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Left {
    pub(super) addr: IpAddr128,
    ifindex: u32,
    serial: u32,
    /// When it is pinged next.
    next: Instant,
    gap: Duration,
    /// A ping is unanswered.
    waiting: bool,
    /// Since when every ping was answered.
    good_since: Option<Instant>,
}

/// What a flow knows of the paths that it probes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Probe {
    pub(super) doubt: Option<Doubt>,
    retry: Retry,
    /// Numbers doubts and pings along paths left: a PONG counts for its own number only.
    serial: u32,
    /// Newest number of a doubt that the peer has told of.
    heard: u32,
    /// Next position of the burst that is being sent.
    burst: Option<u16>,
    /// Where the next burst goes on, if this one had more targets than it may have.
    resume: u16,
    /// Pings of this burst so far.
    pings: u8,
    pub(super) left: Option<Left>,
    /// When the latest keepalive was sent; zero before the first.
    pub(super) kept_alive: Instant,
    /// When a ping last came back along the path in use; zero if none has.
    answered_at: Instant,
}

impl Probe {
    pub(super) const IDLE: Self = Self {
        doubt: None,
        retry: Retry::IDLE,
        serial: 0,
        heard: 0,
        burst: None,
        resume: 1,
        pings: 0,
        left: None,
        kept_alive: Instant(0),
        answered_at: Instant(0),
    };

    pub(super) fn next_serial(&mut self) -> u32 {
        self.serial = self.serial.wrapping_add(1);
        self.serial
    }

    /// The path in use is as good as it ever was, or is another one now.
    pub(super) fn stop(&mut self) {
        self.doubt = None;
        self.retry.stop();
        self.burst = None;
    }
}

impl Connection {
    /// How long data may stay unacknowledged, or a stream silent, before the host reports it:
    /// three round trips of `rtt`, and at least the setting. `None`: the setting forbids it.
    #[must_use]
    pub fn path_patience(&self, rtt: Duration) -> Option<Duration> {
        let least = self.shared.settings.path_timeout?;
        Some(least.max(Duration(rtt.0.saturating_mul(3))))
    }

    /// How long acknowledgements may be late before the host reports that they are: half of
    /// [`Connection::path_patience`], so that what is to be known when that ends is known then.
    #[must_use]
    pub fn path_suspicion(&self, rtt: Duration) -> Option<Duration> {
        Some(Duration(self.path_patience(rtt)?.0 >> 1))
    }

    /// Acknowledgements are late by [`Connection::path_suspicion`], and are missed in `left`. The
    /// path in use is asked at once, others with the next question; nothing is judged before.
    pub fn handle_path_suspicion(
        &mut self,
        host: &dyn Host,
        flow: FlowIndex,
        rtt: Duration,
        left: Duration,
    ) {
        let now = host.now();
        let Some(flow) = self.flows.get_mut(usize::from(flow.0)) else {
            return;
        };
        let known = flow.probe.doubt.is_some();
        flow.begin_doubt(&mut self.shared, now, true, false, rtt);
        if let Some(doubt) = flow.probe.doubt.as_mut().filter(|_| !known) {
            doubt.grows = self.shared.settings.policy != Policy::Manual;
            doubt.verdict = doubt.verdict.max(now.after(left));
        }
    }

    /// The transport has missed acknowledgements for [`Connection::path_patience`]; `rtt` is its
    /// round-trip time. May be repeated for as long as that lasts.
    pub fn handle_path_trouble(&mut self, host: &dyn Host, flow: FlowIndex, rtt: Duration) {
        if let Some(flow) = self.flows.get_mut(usize::from(flow.0)) {
            flow.begin_doubt(&mut self.shared, host.now(), true, true, rtt);
        }
    }

    /// A stream to us has stopped without an end: the path in use is asked first.
    pub fn handle_path_silence(&mut self, host: &dyn Host, flow: FlowIndex, rtt: Duration) {
        if let Some(flow) = self.flows.get_mut(usize::from(flow.0)) {
            flow.begin_doubt(&mut self.shared, host.now(), true, false, rtt);
        }
    }

    /// Data of the transport was acknowledged after all.
    pub fn handle_path_progress(&mut self, flow: FlowIndex) {
        let Some(flow) = self.flows.get_mut(usize::from(flow.0)) else {
            return;
        };
        if flow.probe.doubt.is_some_and(|doubt| !doubt.judged) {
            flow.probe.stop();
        }
    }

    /// True if a ping has come back along the path in use of a flow within `span` before `now`:
    /// what is lost meanwhile is not lost because of the path alone.
    #[must_use]
    pub fn path_answered(&self, flow: FlowIndex, now: Instant, span: Duration) -> bool {
        let answered = self.flow(flow).map(|flow| flow.probe.answered_at);
        answered.is_some_and(|at| at != Instant(0) && now.since(at) <= span)
    }

    /// True while the path in use of a flow has not answered in time.
    #[must_use]
    pub fn path_in_trouble(&self, flow: FlowIndex) -> bool {
        let doubt = self.flow(flow).and_then(|flow| flow.probe.doubt);
        doubt.is_some_and(|doubt| doubt.judged)
    }
}

impl Flow {
    /// Begins to doubt the path in use, or confirms a doubt. `wide` asks other paths at once.
    fn begin_doubt(
        &mut self,
        shared: &mut Shared,
        now: Instant,
        own: bool,
        wide: bool,
        rtt: Duration,
    ) {
        let peer_settled = !self.peer_is_moving() || self.answer.tries >= ANSWER_TRIES;
        if self.data_path().is_none() || !peer_settled {
            return;
        }
        let wide = wide && shared.settings.policy != Policy::Manual;
        let gap = self.rtt.retry().max(rtt);
        match &mut self.probe.doubt {
            Some(doubt) => {
                doubt.reported = now;
                doubt.own |= own;
                if wide && !doubt.wide {
                    doubt.wide = true;
                    self.probe.retry = Retry::starting(now);
                }
            }
            none => {
                self.probe.serial = self.probe.serial.wrapping_add(1);
                *none = Some(Doubt {
                    since: now,
                    serial: self.probe.serial,
                    reported: now,
                    verdict: now.after(Duration(gap.0.saturating_mul(2))),
                    judged: false,
                    wide,
                    own,
                    grows: false,
                    answered: None,
                    peer_can: false,
                });
                self.probe.retry = Retry::starting(now);
                shared.counters.doubts = shared.counters.doubts.saturating_add(1);
            }
        }
    }

    /// A ping of the peer says that it is in trouble: perhaps only we can leave the dead path.
    pub(super) fn hear_trouble(&mut self, shared: &mut Shared, now: Instant, message: &Message) {
        let Some(mark) = message.probe.filter(|mark| mark.trouble) else {
            return;
        };
        // An old ping that somebody repeats tells nothing about now.
        let newer =
            mark.serial.wrapping_sub(self.probe.heard) < 1 << 31 && mark.serial != self.probe.heard;
        if newer && message.version == self.newest && shared.settings.policy != Policy::Manual {
            self.probe.heard = mark.serial;
            self.begin_doubt(shared, now, false, true, Duration(0));
        }
    }

    /// A PONG that answers a ping of ours along the path that it came by. False if it does not.
    pub(super) fn handle_probe_pong(
        &mut self,
        shared: &mut Shared,
        host: &dyn Host,
        rx: &RxInfo,
        token: &[u8; TOKEN_LEN],
    ) -> bool {
        let path = rx.reply_path();
        let (id, now) = (self.local_id, host.now());
        let secret = shared.token_secret;
        let answers = |serial| host.mac_eq(token, &probe_token(host, &secret, id, serial, &path));
        if let Some(left) = self.probe.left.filter(|left| left.waiting) {
            if left.addr == path.local && answers(left.serial) {
                self.left_answers(shared, now, left);
                return true;
            }
        }
        if self.handle_stray_pong(shared, now, &path, answers) {
            return true;
        }
        let Some(doubt) = self.probe.doubt else {
            return false;
        };
        if !answers(doubt.serial) {
            return false;
        }
        if self.is_in_use(&path) {
            let rtt = self.probe.retry.measured(now);
            self.note_rtt(shared, rtt);
            self.probe.answered_at = now;
            self.probe.stop();
            if doubt.judged {
                shared.emit(Event::PathAnswers {
                    flow: self.index,
                    after: now.since(doubt.since),
                });
            }
        } else {
            self.alternative_answers(shared, now, doubt, path);
        }
        true
    }

    fn is_in_use(&self, path: &Path) -> bool {
        self.path.local == path.local && self.path.same_remote(path)
    }

    fn alternative_answers(
        &mut self,
        shared: &mut Shared,
        now: Instant,
        mut doubt: Doubt,
        path: Path,
    ) {
        let alone = path.local == self.path.local && path.remote != self.path.remote;
        doubt.peer_can |= alone;
        let found = Alternative {
            local: path.local,
            with_peer: path.remote != self.path.remote,
        };
        let better = doubt
            .answered
            .is_none_or(|old| self.effort(shared, &found) < self.effort(shared, &old));
        if !alone && better {
            doubt.answered = Some(found);
        }
        self.probe.doubt = Some(doubt);
        self.judge(shared, now);
    }

    /// What a change to a path takes: the less the better.
    fn effort(&self, shared: &Shared, path: &Alternative) -> (bool, bool, (bool, bool, u8)) {
        let address = shared.addresses.find(&path.local, 0);
        (
            path.with_peer,
            path.local != self.path.local,
            address.map_or((true, true, u8::MAX), rank),
        )
    }

    /// Speaks the verdict when it is time, and moves if a path is known that answers.
    fn judge(&mut self, shared: &mut Shared, now: Instant) {
        let Some(mut doubt) = self.probe.doubt else {
            return;
        };
        if now < doubt.verdict {
            return;
        }
        if !doubt.judged {
            doubt.judged = true;
            shared.emit(Event::PathTrouble { flow: self.index });
            if !doubt.wide && shared.settings.policy != Policy::Manual {
                doubt.wide = true;
                self.probe.retry = Retry::starting(now);
            }
            self.probe.doubt = Some(doubt);
        }
        let Some(path) = doubt
            .answered
            .filter(|_| self.move_at(shared, &doubt) <= Some(now))
        else {
            return;
        };
        let Some(to) = shared.addresses.find(&path.local, 0).copied() else {
            return;
        };
        let free = match &self.local {
            LocalHalf::Settled => true,
            LocalHalf::Absent(_) => false,
            LocalHalf::Moving(moving) if moving.renames => true,
            LocalHalf::Moving(moving) => {
                moving.kept && moving.retry.tries >= MOVE_TRIES && moving.to.addr != to.addr
            }
        };
        let others = shared.others.use_address(self.index, &to);
        if free && shared.may_use(&to) && !others {
            // Answers that come from now on count if this move comes to nothing.
            doubt.answered = None;
            self.probe.doubt = Some(doubt);
            shared.emit(Event::PathDead { flow: self.index });
            self.begin_move(shared, now, to);
        }
    }

    /// When a flow that knows another path moves to it. If either end can leave the dead path,
    /// the client does; and who would have to move together with its peer lets the peer try
    /// alone.
    fn move_at(&self, shared: &Shared, doubt: &Doubt) -> Option<Instant> {
        let path = doubt.answered?;
        let mut at = doubt.verdict;
        if shared.role == Role::Server {
            at = at.after(self.rtt.retry());
        }
        if path.with_peer && doubt.peer_can {
            at = at.after(PEER_FIRST);
        }
        Some(at)
    }

    /// A move is done, ours or the peer's: what was doubted is not in use any more. `old` is the
    /// path before it.
    pub(super) fn settle_doubt(&mut self, shared: &mut Shared, now: Instant, old: Option<Path>) {
        let doubt = self.probe.doubt.filter(|doubt| doubt.judged);
        self.probe.stop();
        self.probe.answered_at = Instant(0);
        if let Some(doubt) = doubt.filter(|_| old.is_some() && old == self.data_path()) {
            // The peer was away and has come back to where it was.
            shared.emit(Event::PathAnswers {
                flow: self.index,
                after: now.since(doubt.since),
            });
        }
        self.settle_strays(shared, now);
        if self
            .probe
            .left
            .is_some_and(|left| left.addr == self.path.local)
        {
            self.probe.left = None;
        }
        let moved = old.filter(|old| doubt.is_some() && old.local != self.path.local);
        let address = |addr: &IpAddr128| shared.addresses.find(addr, 0).map(rank);
        let (Some(old), Policy::Prefer) = (moved, shared.settings.policy) else {
            return;
        };
        let known = self.probe.left.and_then(|left| address(&left.addr));
        let rank_of_old = address(&old.local);
        let worth = rank_of_old.is_some_and(|old| {
            address(&self.path.local).is_none_or(|new| old <= new)
                && known.is_none_or(|known| old < known)
        });
        if worth {
            self.probe.left = Some(Left {
                addr: old.local,
                ifindex: old.ifindex,
                serial: 0,
                next: now.after(FIRST_LOOK_BACK),
                gap: FIRST_LOOK_BACK,
                waiting: false,
                good_since: None,
            });
        }
    }

    fn left_answers(&mut self, shared: &mut Shared, now: Instant, mut left: Left) {
        let since = *left.good_since.get_or_insert(now);
        left.waiting = false;
        left.gap = TRUST_STEP;
        left.next = now.after(TRUST_STEP);
        self.probe.left = Some(left);
        let trusted = since != now && now.since(since) >= shared.settings.prefer_delay;
        let back = shared.addresses.find(&left.addr, 0).copied();
        if let (true, true, Some(to)) = (trusted, self.is_settled(), back) {
            self.probe.left = None;
            self.probe.stop();
            shared.emit(Event::PathBack { flow: self.index });
            self.begin_move(shared, now, to);
        }
    }

    pub(super) fn expire_probes(&mut self, shared: &mut Shared, now: Instant) {
        if self.data_path().is_none() {
            return self.probe.stop();
        }
        self.expire_stray(shared, now);
        if let Some(doubt) = self.probe.doubt {
            if now >= doubt.reported.after(shared.settings.give_up) {
                self.probe.stop();
            }
            self.judge(shared, now);
        }
        if self.keepalive_at(shared).is_some_and(|at| at <= now) {
            let first = self.probe.kept_alive == Instant(0);
            self.probe.kept_alive = now;
            if !first && self.probe.doubt.is_none() {
                self.begin_doubt(shared, now, true, false, Duration(0));
            }
        }
        let Some(mut left) = self.probe.left else {
            return;
        };
        let kept = shared.settings.policy == Policy::Prefer
            && self.phase == Phase::Open
            && shared.addresses.find(&left.addr, 0).is_some();
        if !kept {
            self.probe.left = None;
        } else if left.next <= now && left.waiting {
            // It was not answered; the ping that is due now counts for itself.
            left.waiting = false;
            left.good_since = None;
            left.gap =
                Duration(left.gap.0.saturating_mul(2)).clamp(FIRST_LOOK_BACK, LONGEST_LOOK_BACK);
            self.probe.left = Some(left);
        }
    }

    /// When the next keepalive is due.
    fn keepalive_at(&self, shared: &Shared) -> Option<Instant> {
        let nat = shared
            .settings
            .nat_keepalive
            .filter(|_| self.nat.observed.is_some());
        let span = match (shared.settings.keepalive, nat) {
            (Some(wanted), Some(needed)) => wanted.min(needed),
            (wanted, needed) => wanted.or(needed)?,
        };
        if self.phase != Phase::Open {
            return None;
        }
        Some(match self.probe.kept_alive {
            Instant(0) => Instant(0),
            last => last.after(span),
        })
    }

    /// The next time at which a probe is sent or judged.
    pub(super) fn probe_timeout(&self, shared: &Shared) -> Option<Instant> {
        self.data_path()?;
        let doubt = self.probe.doubt.and_then(|doubt| {
            let verdict = Some(doubt.verdict).filter(|_| !doubt.judged);
            let stop = doubt.reported.after(shared.settings.give_up);
            let moving = self.move_at(shared, &doubt).filter(|_| self.is_settled());
            earliest(
                earliest(verdict, Some(stop)),
                earliest(moving, self.probe.retry.next),
            )
        });
        let left = self.probe.left.map(|left| left.next);
        let first = earliest(earliest(doubt, left), self.keepalive_at(shared));
        earliest(first, self.stray_timeout(shared))
    }
}
