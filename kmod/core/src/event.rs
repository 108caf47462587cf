// SPDX-License-Identifier: GPL-2.0-only
//! What the core reports, what it is told to do, and why it refuses.

use super::address::{IpAddr128, LocalAddress, Path};
use super::time::Duration;
use super::wire::{Malformed, ParseError, Reason};

/// Position of a flow in its connection, below [`MAX_FLOWS`](super::settings::MAX_FLOWS).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct FlowIndex(pub u8);

/// Why a flow's path changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum PathChange {
    /// Our own move is done.
    LocalMoved,
    /// The peer moved and has proven its new address.
    PeerMoved,
    /// A NAT has given the peer another address or port, and the peer has answered there (R22).
    PeerRebound,
    /// The address that the peer had before that has answered after all, and is in use again.
    PeerReverted,
}

/// Why data goes along another flow.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum CarrierChange {
    /// The flow that carried data has no path any more.
    PathLost,
    /// The host asked for it.
    Command,
    /// The peer asked for it.
    Peer,
    /// The policy prefers the flow.
    Preferred,
}

/// Why a planned or forced move ended without success.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum MoveFailure {
    /// No answer came from any of the peer's addresses.
    NoAnswer,
    /// The address that the flow was moving to went away.
    AddressGone,
    /// A newer move took its place.
    Replaced,
}

/// Why a flow ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum CloseReason {
    /// The transport closed it and the draining time is over.
    Drained,
    /// We reset it and the draining time is over.
    Aborted,
    /// The peer refused the connection.
    Refused(Reason),
    /// The peer reset the flow.
    Reset(Reason),
    /// A handshake was not answered in time.
    TimedOut,
    /// The peer answered in time, but only with versions of ECCP that are not spoken here.
    VersionMismatch,
    /// No usable address appeared in time.
    NoAddress,
    /// 2^64 moves were made.
    VersionsExhausted,
    /// The peer has proven that it knows the flow no more (protocol.md §7.10).
    Lost,
}

/// What happened on a connection. The host drains events after every call that takes `host`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Event {
    /// The flow can carry data, once [`data_path`] says where to. If the client moved before its
    /// ACK came, its address is not proven yet and that is `None` until `PathChanged`.
    ///
    /// [`data_path`]: super::connection::Connection::data_path
    Established {
        /// The flow.
        flow: FlowIndex,
        /// Our flow ID.
        local_id: u64,
        /// The peer's flow ID, to be put into DATA headers.
        remote_id: u64,
    },
    /// Data goes along a new path from now on.
    PathChanged {
        /// The flow.
        flow: FlowIndex,
        /// The new path.
        path: Path,
        /// Who moved.
        why: PathChange,
    },
    /// The address of the flow's path is gone.
    AddressGone {
        /// The flow.
        flow: FlowIndex,
        /// The lost address.
        address: IpAddr128,
    },
    /// The flow lost its address and there is no other: it waits for one.
    Suspended {
        /// The flow.
        flow: FlowIndex,
    },
    /// A move of ours began: RSYN is being sent.
    Moving {
        /// The flow.
        flow: FlowIndex,
        /// The new address.
        to: IpAddr128,
        /// Flow version of the move.
        version: u64,
        /// Make before break: data still goes along the old path.
        planned: bool,
    },
    /// Our move is done: the peer has answered the RSYN.
    Moved {
        /// The flow.
        flow: FlowIndex,
        /// Flow version of the move.
        version: u64,
        /// From the command or the loss of the address to the RSYN-ACK.
        took: Duration,
    },
    /// Our move came to nothing.
    MoveFailed {
        /// The flow.
        flow: FlowIndex,
        /// The address that was to be reached.
        to: IpAddr128,
        /// Why.
        why: MoveFailure,
    },
    /// A round trip of the control channel was measured.
    RttSample {
        /// The flow.
        flow: FlowIndex,
        /// The round-trip time.
        rtt: Duration,
    },
    /// A ping commanded by the host was answered.
    Pong {
        /// The flow.
        flow: FlowIndex,
    },
    /// The path in use did not answer in time; others are asked if the policy lets them.
    PathTrouble {
        /// The flow.
        flow: FlowIndex,
    },
    /// The path in use answers again: what the transport holds back for it may go now.
    PathAnswers {
        /// The flow.
        flow: FlowIndex,
        /// Since the doubt began.
        after: Duration,
    },
    /// Packets of the peer have come from elsewhere, but the address on record answers (R22):
    /// nothing has changed.
    RebindingRefused {
        /// The flow.
        flow: FlowIndex,
    },
    /// A move of ours is not answered: the peer was asked, along another way, to open its NAT
    /// (paper §VIII).
    Punching {
        /// The flow.
        flow: FlowIndex,
        /// It is the first time for this move.
        first: bool,
    },
    /// A HOLE-PUNCH of the peer was answered, to the address that it names.
    Punched {
        /// The flow.
        flow: FlowIndex,
    },
    /// A HOLE-PUNCH of the peer was not answered: there were too many, or it names an address that
    /// nothing may be sent to.
    PunchRefused {
        /// The flow.
        flow: FlowIndex,
    },
    /// The path in use is given up for another that answers; `Moving` follows.
    PathDead {
        /// The flow.
        flow: FlowIndex,
    },
    /// A path that was given up has answered long enough to be taken back; `Moving` follows.
    PathBack {
        /// The flow.
        flow: FlowIndex,
    },
    /// The peer ended the flow with an authenticated RST; `Closed` follows.
    PeerReset {
        /// The flow.
        flow: FlowIndex,
        /// The reason that the peer gave.
        reason: Reason,
    },
    /// A flow that was added to the connection can carry data, once its data path says where to.
    FlowAdded {
        /// The flow.
        flow: FlowIndex,
        /// True if this end asked for it.
        by_us: bool,
        /// The peer's flow ID, to be put into DATA headers.
        remote_id: u64,
    },
    /// The peer asked for another flow and was refused.
    FlowRefused {
        /// Why, as the peer was told; `None` if it was told another address.
        reason: Option<Reason>,
    },
    /// Data goes along another flow from now on: see [`carrier`].
    ///
    /// [`carrier`]: super::connection::Connection::carrier
    CarrierChanged {
        /// The flow that carries data now.
        flow: FlowIndex,
        /// Why.
        why: CarrierChange,
    },
    /// A router on the way has given a ticket for the address in use.
    Ticket {
        /// The flow.
        flow: FlowIndex,
    },
    /// The router of an address that is gone sends RSYNs on to us.
    Redirected {
        /// The flow.
        flow: FlowIndex,
    },
    /// The peer calls the flow by the new ID of ours. The old one is answered to a little longer:
    /// see [`own_ids`].
    ///
    /// [`own_ids`]: super::flow::Flow::own_ids
    Renamed {
        /// The flow.
        flow: FlowIndex,
        /// Our flow ID before.
        old: u64,
        /// Our flow ID now.
        new: u64,
    },
    /// The peer has another flow ID, to be put into DATA headers from now on.
    PeerRenamed {
        /// The flow.
        flow: FlowIndex,
        /// The peer's flow ID before.
        old: u64,
        /// The peer's flow ID now.
        new: u64,
    },
    /// The flow is gone: its flow ID may be removed from the table.
    Closed {
        /// The flow.
        flow: FlowIndex,
        /// Why.
        reason: CloseReason,
    },
}

/// What the host wants done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Command {
    /// Move a flow to another local address; make before break if its present one still works.
    Move {
        /// The flow.
        flow: FlowIndex,
        /// One of the current local addresses; priority and flags are ignored, interface zero
        /// takes the first address that matches.
        to: LocalAddress,
    },
    /// The transport is done in both directions: drain the flow.
    Close {
        /// The flow.
        flow: FlowIndex,
    },
    /// End the flow at once with an RST, and answer late packets with RSTs.
    Abort {
        /// The flow.
        flow: FlowIndex,
        /// What to tell the peer.
        reason: Reason,
    },
    /// End one flow of several: the peer is told until it has answered. The last flow that is
    /// open cannot be removed.
    Remove {
        /// The flow.
        flow: FlowIndex,
    },
    /// Send data along this flow from now on, and ask the peer for the same, until it loses its
    /// path.
    Prefer {
        /// The flow.
        flow: FlowIndex,
    },
    /// Ping the peer: [`Event::Pong`] and [`Event::RttSample`] follow if it answers.
    Ping {
        /// The flow.
        flow: FlowIndex,
    },
}

/// Why a command was refused. Nothing has changed then.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Refused {
    /// There is no such flow, or it is closed.
    NoSuchFlow,
    /// The flow is not established yet.
    NotEstablished,
    /// The address is not among the usable local addresses.
    NoSuchAddress,
    /// The flow is already at that address.
    AlreadyThere,
    /// The peer has no address of that family.
    NoPeerAddress,
    /// The flow is closed or being reset.
    Closing,
    /// 2^64 moves were made.
    VersionsExhausted,
    /// The connection has as many flows as the settings allow.
    TooManyFlows,
    /// No other flow is open.
    LastFlow,
    /// The flow has no path for data now.
    NoPath,
}

/// Why a received packet had no effect. One counter each: see [`Discard::index`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Discard {
    /// Not an ECCP packet of this version.
    Malformed(Malformed),
    /// Another version of ECCP; answer it with [`version_answer`].
    ///
    /// [`version_answer`]: super::respond::version_answer
    UnknownVersion,
    /// The flow ID belongs to no live flow of the connection.
    UnknownFlow,
    /// The sender's flow ID is not the one of the peer.
    WrongSender,
    /// The MAC does not verify.
    BadMac,
    /// The public key is of low order, or a key exchange failed.
    BadKey,
    /// A version older than one seen before (R1, R2, R5).
    StaleVersion,
    /// A version that we have not sent or seen yet.
    FutureVersion,
    /// The ACK proves an address for a version that already has a proven one (R10b).
    AlreadyValidated,
    /// The token was not made here for this version and address (R10, R18).
    BadToken,
    /// A SYN-ACK or refusal from an address that no SYN was sent to (R12).
    UnexpectedSource,
    /// An answer by another encapsulation or address family than the one that answered first.
    OtherPath,
    /// The type has no meaning in the flow's state.
    WrongState,
    /// A PONG that answers no ping.
    UnexpectedPong,
    /// A SYN for a half-open flow that differs from the one that opened it.
    DifferentSyn,
    /// More control packets than the settings allow to answer.
    RateLimited,
    /// More answers are waiting than the core can hold.
    QueueFull,
    /// A DATA packet was handed in as a control packet.
    NotControl,
    /// The type is known but this host does not take part in it.
    Unsupported,
}

impl Discard {
    /// Number of different reasons; [`Discard::index`] is below it.
    pub const COUNT: usize = 29;

    /// Names of the reasons for counters, in the order of [`Discard::index`].
    pub const NAMES: [&'static str; Self::COUNT] = [
        "truncated",
        "header-length",
        "trailing-bytes",
        "unknown-type",
        "option-length",
        "option-value",
        "padding",
        "option-order",
        "unknown-option",
        "missing-option",
        "flow-id",
        "unknown-version",
        "unknown-flow",
        "wrong-sender",
        "bad-mac",
        "bad-key",
        "stale-version",
        "future-version",
        "already-validated",
        "bad-token",
        "unexpected-source",
        "other-path",
        "wrong-state",
        "unexpected-pong",
        "different-syn",
        "rate-limited",
        "queue-full",
        "not-control",
        "unsupported",
    ];

    /// Position of the reason's counter.
    #[must_use]
    pub const fn index(self) -> usize {
        match self {
            Self::Malformed(reason) => reason as usize,
            Self::UnknownVersion => 11,
            Self::UnknownFlow => 12,
            Self::WrongSender => 13,
            Self::BadMac => 14,
            Self::BadKey => 15,
            Self::StaleVersion => 16,
            Self::FutureVersion => 17,
            Self::AlreadyValidated => 18,
            Self::BadToken => 19,
            Self::UnexpectedSource => 20,
            Self::OtherPath => 21,
            Self::WrongState => 22,
            Self::UnexpectedPong => 23,
            Self::DifferentSyn => 24,
            Self::RateLimited => 25,
            Self::QueueFull => 26,
            Self::NotControl => 27,
            Self::Unsupported => 28,
        }
    }
}

impl From<ParseError> for Discard {
    fn from(error: ParseError) -> Self {
        match error {
            ParseError::Version(_) => Self::UnknownVersion,
            ParseError::Malformed(reason) => Self::Malformed(reason),
        }
    }
}
