// SPDX-License-Identifier: GPL-2.0-only
//! A flow: one path of a connection, which moves by itself.
//!
//! The states of paper Fig. 3 are the product of two halves that never touch each other: our own
//! address (settled, absent, moving) and the peer's (proven, or announced and not yet proven).
//! [`Flow::state`] names the product.

use super::address::{IpAddr128, LocalAddress, Path, RemoteAddr};
use super::candidate::Candidates;
use super::event::FlowIndex;
use super::naming::Names;
use super::probe::Probe;
use super::rebind::Nat;
use super::time::Instant;
use super::timer::{Retry, Rtt};
use super::wire::TOKEN_LEN;

/// The states of protocol.md §5.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum FlowState {
    /// No flow, or one that is over.
    Closed,
    /// SYN sent.
    SynSent,
    /// SYN received, SYN-ACK sent.
    SynRcvd,
    /// Both addresses are proven.
    Established,
    /// We have no address.
    NoAddress,
    /// We announced a new address.
    RsynSent,
    /// The peer announced a new address.
    RsynRcvd,
    /// Both did.
    RsynSentRcvd,
    /// The peer did, and we have no address.
    NoAddressRsynRcvd,
}

/// How far the life of a flow has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Phase {
    /// The slot holds no flow.
    Free,
    /// We asked for the flow.
    SynSent,
    /// The peer asked for the flow and has not proven its address.
    SynRcvd,
    /// The flow carries data.
    Open,
    /// The transport is done; late packets are answered and moves are obeyed.
    Draining,
    /// We reset the flow; late packets are answered with RST.
    Aborted,
    /// The flow is over.
    Closed,
}

/// A move of ours that the peer has not answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Move {
    /// The new address.
    pub to: LocalAddress,
    /// True while the old address still works (make before break, R11): data keeps using it.
    pub kept: bool,
    /// True if it changes our flow ID only, and the address stays.
    pub renames: bool,
    /// When the move was commanded or the address was lost.
    pub began: Instant,
    /// Since when RSYNs have been sent without an answer, over all versions tried.
    pub trying: Instant,
    /// Repetition of RSYN.
    pub retry: Retry,
    /// Connection version of the IList in the first RSYN of this version.
    pub ilist: u64,
}

/// Our own half of the flow.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum LocalHalf {
    /// The peer has answered at our current address.
    Settled,
    /// We have had no address since then.
    Absent(Instant),
    /// RSYN was sent.
    Moving(Move),
}

/// A ping under way: one at a time serves all purposes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Ping {
    pub(super) retry: Retry,
    pub(super) token: [u8; TOKEN_LEN],
    /// The host asked for it.
    pub(super) commanded: bool,
    /// Number of the request that data take this flow; zero if there is none.
    pub(super) request: u64,
    /// Connection version of the IList that the ping carries; zero if none.
    pub(super) ilist: u64,
}

/// One flow of a connection.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Flow {
    pub(super) index: FlowIndex,
    pub(super) phase: Phase,
    /// The first ID of ours: what tokens are bound to. Others may take its place in packets.
    pub(super) local_id: u64,
    /// The ID of the peer's proven version.
    pub(super) remote_id: u64,
    /// Version of our address: R14 says that it is only compared and incremented.
    pub(super) version: u64,
    /// Newest version of the peer's address that was announced to us.
    pub(super) newest: u64,
    /// Newest version of the peer's address that was proven; at most `newest`.
    pub(super) validated: Option<u64>,
    pub(super) path: Path,
    pub(super) local: LocalHalf,
    pub(super) candidates: Candidates,
    /// Repetition of SYN or SYN-ACK.
    pub(super) setup: Retry,
    /// Repetition of RSYN-ACK (R4); of a flow that was reset, that of an RST which may not have
    /// reached the peer.
    pub(super) answer: Retry,
    pub(super) ping: Ping,
    /// Next target of a SYN, RSYN or repeated answer that goes to several addresses.
    pub(super) burst: Burst,
    /// When the latest answer to a SYN or RSYN of ours settled the path.
    pub(super) settled_at: Instant,
    /// The address of ours that the current version stands for. It is that of the path, unless
    /// the peer has moved to the other family since and we have followed it there.
    pub(super) announced: IpAddr128,
    pub(super) prefer_at: Option<Instant>,
    pub(super) drain_until: Option<Instant>,
    pub(super) rtt: Rtt,
    /// The peer has sent no data yet, so it may still wait for our ACK.
    pub(super) unconfirmed: bool,
    pub(super) probe: Probe,
    pub(super) nat: Nat,
    /// How it joined the connection; `None` for the flow that opened it.
    pub(super) added: Option<Added>,
    /// This end wants it to carry data only when no other flow can.
    pub(super) backup: bool,
    /// The peer wants that.
    pub(super) peer_backup: bool,
    /// The peer's commitment to the proof that it has lost the flow.
    pub(super) reset_proof: Option<[u8; TOKEN_LEN]>,
    pub(super) names: Names,
}

/// A flow that was added to a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Added {
    /// This end asked for it.
    pub(super) by_us: bool,
    /// Number of the SYN among the requests of its sender.
    pub(super) number: u64,
    /// Address of the peer that is asked first: the host's choice, or what a NACK preferred.
    pub(super) target: Option<RemoteAddr>,
    /// NACKs that were obeyed.
    pub(super) refusals: u8,
}

/// Positions in the lists of addresses that a repeated message goes to, or names; `None` if that
/// message is not being sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
pub(super) struct Burst {
    pub(super) syn: Option<u8>,
    pub(super) rsyn: Option<u8>,
    pub(super) answer: Option<u8>,
    pub(super) punch: Option<u8>,
}

impl Flow {
    pub(super) const FREE: Self = Self {
        index: FlowIndex(0),
        phase: Phase::Free,
        local_id: 0,
        remote_id: 0,
        version: 0,
        newest: 0,
        validated: None,
        path: Path::NONE,
        local: LocalHalf::Settled,
        candidates: Candidates::NONE,
        setup: Retry::IDLE,
        answer: Retry::IDLE,
        ping: Ping {
            retry: Retry::IDLE,
            token: [0; TOKEN_LEN],
            commanded: false,
            request: 0,
            ilist: 0,
        },
        burst: Burst {
            syn: None,
            rsyn: None,
            answer: None,
            punch: None,
        },
        settled_at: Instant(0),
        announced: IpAddr128::UNSPECIFIED,
        prefer_at: None,
        drain_until: None,
        rtt: Rtt::UNKNOWN,
        unconfirmed: false,
        probe: Probe::IDLE,
        added: None,
        backup: false,
        peer_backup: false,
        reset_proof: None,
        nat: Nat::NONE,
        names: Names::FIRST,
    };

    /// The state of protocol.md §5. A draining flow keeps its state: see [`Flow::phase`].
    #[must_use]
    pub fn state(&self) -> FlowState {
        match self.phase {
            Phase::Free | Phase::Aborted | Phase::Closed => FlowState::Closed,
            Phase::SynSent => FlowState::SynSent,
            Phase::SynRcvd => FlowState::SynRcvd,
            Phase::Open | Phase::Draining => match (&self.local, self.peer_is_moving()) {
                (LocalHalf::Settled, false) => FlowState::Established,
                (LocalHalf::Absent(_), false) => FlowState::NoAddress,
                (LocalHalf::Moving(_), false) => FlowState::RsynSent,
                (LocalHalf::Settled, true) => FlowState::RsynRcvd,
                (LocalHalf::Absent(_), true) => FlowState::NoAddressRsynRcvd,
                (LocalHalf::Moving(_), true) => FlowState::RsynSentRcvd,
            },
        }
    }

    /// How far the life of the flow has come.
    #[must_use]
    pub const fn phase(&self) -> Phase {
        self.phase
    }

    /// The peer's flow ID; zero before it is known.
    #[must_use]
    pub const fn remote_id(&self) -> u64 {
        self.remote_id
    }

    /// Version of our address.
    #[must_use]
    pub const fn version(&self) -> u64 {
        self.version
    }

    /// Newest version of the peer's address that it announced.
    #[must_use]
    pub const fn newest(&self) -> u64 {
        self.newest
    }

    /// Newest version of the peer's address that was proven; `None` before the handshake is done.
    #[must_use]
    pub const fn validated(&self) -> Option<u64> {
        self.validated
    }

    /// The path in use, or the last one that was.
    #[must_use]
    pub const fn path(&self) -> &Path {
        &self.path
    }

    /// Our half of the flow: settled, without address, or moving.
    #[must_use]
    pub const fn local_half(&self) -> &LocalHalf {
        &self.local
    }

    /// Where the peer says it is moving to; none if its newest address is proven.
    #[must_use]
    pub const fn candidates(&self) -> &Candidates {
        &self.candidates
    }

    /// True if one of the ends wants the flow to carry data only when no other can.
    #[must_use]
    pub const fn is_backup(&self) -> bool {
        self.backup || self.peer_backup
    }

    /// True if the flow was added to a connection that existed.
    #[must_use]
    pub const fn is_added(&self) -> bool {
        self.added.is_some()
    }

    /// Round-trip times of the control channel.
    #[must_use]
    pub const fn rtt(&self) -> &Rtt {
        &self.rtt
    }

    /// True if the peer has announced an address that is not proven yet.
    #[must_use]
    pub fn peer_is_moving(&self) -> bool {
        self.validated.is_none_or(|proven| proven < self.newest)
    }

    /// The path for data; `None` while there is none: before the peer's address is proven, while
    /// we have no address, and after a loss until the peer has answered at the new address.
    #[must_use]
    pub fn data_path(&self) -> Option<Path> {
        let carries = matches!(self.phase, Phase::Open | Phase::Draining);
        let has_address = match &self.local {
            LocalHalf::Settled => true,
            LocalHalf::Absent(_) => false,
            LocalHalf::Moving(moving) => moving.kept,
        };
        let usable = carries && has_address && self.validated.is_some();
        Some(self.path).filter(|path| usable && path.is_sound())
    }

    /// True at a server while its SYN-ACK is what it repeats: the client has neither acknowledged
    /// it nor moved.
    pub(super) fn awaits_first_ack(&self) -> bool {
        let set_up = matches!(self.phase, Phase::SynRcvd | Phase::Open | Phase::Draining);
        set_up && self.validated.is_none() && self.newest == 0
    }

    /// True if the flow still takes part in the protocol.
    pub(super) const fn is_live(&self) -> bool {
        !matches!(self.phase, Phase::Free | Phase::Closed)
    }

    /// True if the flow may move: also while it is closing (protocol.md §7.10).
    pub(super) const fn may_move(&self) -> bool {
        matches!(self.phase, Phase::SynRcvd | Phase::Open | Phase::Draining)
    }
}
