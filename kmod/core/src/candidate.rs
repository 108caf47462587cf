// SPDX-License-Identifier: GPL-2.0-only
//! Addresses from which the newest version of a peer's address was announced, none of them
//! proven yet, and how much may be sent there meanwhile (protocol.md §7.4).

use super::address::Path;
use super::settings::{AMPLIFICATION, MAX_CANDIDATES};
use super::time::{Duration, Instant};
use super::wire::TOKEN_LEN;

/// When the budget of an address is used up, repetitions of an authenticated handshake go on
/// with at most one packet of each type in this time: R4 and R7 demand that they never stop.
const TRICKLE: Duration = Duration::from_secs(1);

/// Type of a packet that is charged to a budget.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Charge {
    /// SYN-ACK: strictly within the budget, because the SYN proved nothing.
    SynAck,
    /// RSYN-ACK.
    RsynAck,
    /// RSYN of our own.
    Rsyn,
}

/// One unproven address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Candidate {
    /// The path back to it.
    pub path: Path,
    /// Bytes received from it, without IP and UDP headers.
    pub received: u32,
    /// Bytes sent to it, without IP and UDP headers.
    pub sent: u32,
    /// The token in its latest SYN or RSYN, if repeated answers have to return it.
    pub(super) challenge: Option<[u8; TOKEN_LEN]>,
    /// From when on another one may be sent, whatever the budget.
    next_answer: Instant,
    next_rsyn: Instant,
}

impl Candidate {
    /// Charges a packet of `len` bytes; false if it must not be sent.
    fn charge(&mut self, len: u32, what: Charge, now: Instant) -> bool {
        let sent = self.sent.saturating_add(len);
        let next = match what {
            Charge::SynAck | Charge::RsynAck => &mut self.next_answer,
            Charge::Rsyn => &mut self.next_rsyn,
        };
        let within = sent <= self.received.saturating_mul(AMPLIFICATION);
        let trickles = what != Charge::SynAck && now >= *next;
        if within || trickles {
            *next = now.after(TRICKLE);
            self.sent = sent;
        }
        within || trickles
    }
}

/// The unproven addresses of one version; the newest last.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Candidates {
    list: [Option<Candidate>; MAX_CANDIDATES],
}

impl Candidates {
    /// No candidates.
    pub const NONE: Self = Self {
        list: [None; MAX_CANDIDATES],
    };

    /// The candidates, oldest first.
    pub fn iter(&self) -> impl Iterator<Item = &Candidate> {
        self.list.iter().flatten()
    }

    /// The candidate at `index`.
    #[must_use]
    pub fn get(&self, index: usize) -> Option<&Candidate> {
        self.list.get(index)?.as_ref()
    }

    /// Notes that `len` bytes announced the version from the far end of `path`. When the list is
    /// full, the oldest candidate makes room.
    pub(super) fn add(&mut self, path: Path, len: usize) {
        if self.credit(&path, len) {
            return;
        }
        if self.list.iter().all(Option::is_some) {
            self.list.rotate_left(1);
            if let Some(last) = self.list.last_mut() {
                *last = None;
            }
        }
        if let Some(slot) = self.list.iter_mut().find(|slot| slot.is_none()) {
            *slot = Some(Candidate {
                path,
                received: clamp(len),
                sent: 0,
                challenge: None,
                next_answer: Instant(0),
                next_rsyn: Instant(0),
            });
        }
    }

    /// Keeps the token of a SYN or RSYN from the far end of `path`, to be returned there.
    pub(super) fn remember(&mut self, path: &Path, challenge: Option<[u8; TOKEN_LEN]>) {
        if let Some(candidate) = self.find(path) {
            candidate.challenge = challenge;
        }
    }

    /// Credits `len` received bytes to the candidate at the far end of `path`, if it is one.
    pub(super) fn credit(&mut self, path: &Path, len: usize) -> bool {
        match self.find(path) {
            Some(candidate) => {
                candidate.path = *path;
                candidate.received = candidate.received.saturating_add(clamp(len));
                true
            }
            None => false,
        }
    }

    /// True if a packet of `len` bytes may go along `path`. What leads to no candidate is not
    /// limited here: answers to it are never longer than what they answer times three.
    pub(super) fn may_send(&mut self, path: &Path, len: usize, what: Charge, now: Instant) -> bool {
        self.find(path)
            .is_none_or(|candidate| candidate.charge(clamp(len), what, now))
    }

    fn find(&mut self, path: &Path) -> Option<&mut Candidate> {
        self.list
            .iter_mut()
            .flatten()
            .find(|candidate| candidate.path.same_remote(path))
    }
}

fn clamp(len: usize) -> u32 {
    u32::try_from(len).unwrap_or(u32::MAX)
}
