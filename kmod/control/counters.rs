// SPDX-License-Identifier: GPL-2.0
//! One counter for each thing that happens, and for each reason that it does not.

use crate::{kernel_objects::sys, proto::event::Discard};
use kernel::sync::atomic::{Atomic, Relaxed};

/// Number of counters, and one more than the largest attribute number.
pub(crate) const COUNTERS: usize = sys::__ECCP_A_STATS_MAX as usize;

/// A counter, by the number of its netlink attribute.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct Count(pub(crate) u32);

macro_rules! counters {
    ($($name:ident = $attribute:ident;)*) => {
        #[allow(missing_docs, reason = "described in the netlink specification")]
        impl Count {
            $(pub(crate) const $name: Self = Self(sys::$attribute);)*
        }
    };
}

counters! {
    CONNECTS = ECCP_A_STATS_CONNECTS;
    ACCEPTS = ECCP_A_STATS_ACCEPTS;
    CONNECT_FAILURES = ECCP_A_STATS_CONNECT_FAILURES;
    FLOWS_OPENED = ECCP_A_STATS_FLOWS_OPENED;
    FLOWS_CLOSED = ECCP_A_STATS_FLOWS_CLOSED;
    MOVES_STARTED = ECCP_A_STATS_MOVES_STARTED;
    MOVES_COMPLETED = ECCP_A_STATS_MOVES_COMPLETED;
    MOVES_FAILED = ECCP_A_STATS_MOVES_FAILED;
    PEER_MOVES = ECCP_A_STATS_PEER_MOVES;
    FAILOVERS = ECCP_A_STATS_FAILOVERS;
    ADDRESSES_GONE = ECCP_A_STATS_ADDRESSES_GONE;
    SUSPENSIONS = ECCP_A_STATS_SUSPENSIONS;
    RX_CONTROL = ECCP_A_STATS_RX_CONTROL;
    TX_CONTROL = ECCP_A_STATS_TX_CONTROL;
    RESETS_RECEIVED = ECCP_A_STATS_RESETS_RECEIVED;
    DRAINING_ANSWERS = ECCP_A_STATS_DRAINING_ANSWERS;
    VERSION_ANSWERS = ECCP_A_STATS_VERSION_ANSWERS;
    DROP_BACKLOG = ECCP_A_STATS_DROP_BACKLOG;
    DROP_HALF_OPEN = ECCP_A_STATS_DROP_HALF_OPEN;
    DROP_EARLY_DATA = ECCP_A_STATS_DROP_EARLY_DATA;
    DROP_NO_MEMORY = ECCP_A_STATS_DROP_NO_MEMORY;
    DROP_NO_PATH = ECCP_A_STATS_DROP_NO_PATH;
    DROP_NO_ROUTE = ECCP_A_STATS_DROP_NO_ROUTE;
    DROP_CLOSED = ECCP_A_STATS_DROP_CLOSED;
    REFUSED_MOVES = ECCP_A_STATS_REFUSED_MOVES;
    EVENTS_LOST = ECCP_A_STATS_EVENTS_LOST;
    PATH_TROUBLES = ECCP_A_STATS_PATH_TROUBLES;
    PATH_RECOVERIES = ECCP_A_STATS_PATH_RECOVERIES;
    PATH_FAILOVERS = ECCP_A_STATS_PATH_FAILOVERS;
    PATH_RETURNS = ECCP_A_STATS_PATH_RETURNS;
    MTU_BLACK_HOLES = ECCP_A_STATS_MTU_BLACK_HOLES;
    REBINDINGS = ECCP_A_STATS_REBINDINGS;
    REBINDINGS_REFUSED = ECCP_A_STATS_REBINDINGS_REFUSED;
    FLOWS_ADDED = ECCP_A_STATS_FLOWS_ADDED;
    FLOWS_REFUSED = ECCP_A_STATS_FLOWS_REFUSED;
    REFUSED_FLOWS = ECCP_A_STATS_REFUSED_FLOWS;
    CARRIER_CHANGES = ECCP_A_STATS_CARRIER_CHANGES;
    DATAGRAM_IDLE = ECCP_A_STATS_DATAGRAM_IDLE;
    DROP_DATAGRAM_HEADER = ECCP_A_STATS_DROP_DATAGRAM_HEADER;
    DROP_DATAGRAM_CHECKSUM = ECCP_A_STATS_DROP_DATAGRAM_CHECKSUM;
    DROP_DATAGRAM_BUFFER = ECCP_A_STATS_DROP_DATAGRAM_BUFFER;
    DROP_DATAGRAM_WAITING = ECCP_A_STATS_DROP_DATAGRAM_WAITING;
    DROP_DATAGRAM_SIZE = ECCP_A_STATS_DROP_DATAGRAM_SIZE;
    DROP_DATAGRAM_DEVICE = ECCP_A_STATS_DROP_DATAGRAM_DEVICE;
    DROP_DATAGRAM_PEERS = ECCP_A_STATS_DROP_DATAGRAM_PEERS;
    DROP_TRUNCATED = ECCP_A_STATS_DROP_TRUNCATED;
    DROP_HEADER_LENGTH = ECCP_A_STATS_DROP_HEADER_LENGTH;
    DROP_UNKNOWN_TYPE = ECCP_A_STATS_DROP_UNKNOWN_TYPE;
    DROP_UNKNOWN_FLOW = ECCP_A_STATS_DROP_UNKNOWN_FLOW;
    DROP_OTHER_HOST = ECCP_A_STATS_DROP_OTHER_HOST;
    DROP_STRANGER_RATE = ECCP_A_STATS_DROP_STRANGER_RATE;
    DROP_NO_LISTENER = ECCP_A_STATS_DROP_NO_LISTENER;
    DROP_MAX_CONNECTIONS = ECCP_A_STATS_DROP_MAX_CONNECTIONS;
    DROP_MAX_ADDRESSES = ECCP_A_STATS_DROP_MAX_ADDRESSES;
    DROP_CONTROL_QUEUE = ECCP_A_STATS_DROP_CONTROL_QUEUE;
    COOKIES_SENT = ECCP_A_STATS_COOKIES_SENT;
    COOKIES_ACCEPTED = ECCP_A_STATS_COOKIES_ACCEPTED;
    DROP_BAD_COOKIE = ECCP_A_STATS_DROP_BAD_COOKIE;
    RESETS_SENT = ECCP_A_STATS_RESETS_SENT;
    RESETS_WITHHELD = ECCP_A_STATS_RESETS_WITHHELD;
    FLOWS_LOST = ECCP_A_STATS_FLOWS_LOST;
}

/// The counters of the core's reasons lie together, in the core's order.
impl From<Discard> for Count {
    fn from(reason: Discard) -> Self {
        Self(sys::ECCP_A_STATS_DROP_TRUNCATED + reason.index() as u32)
    }
}

const _: () = assert!(
    sys::ECCP_A_STATS_DROP_UNSUPPORTED as usize + 1
        == sys::ECCP_A_STATS_DROP_TRUNCATED as usize + Discard::COUNT
);

/// The counters of a namespace.
pub(crate) struct Counters([Atomic<u64>; COUNTERS]);

impl Counters {
    pub(crate) fn new() -> Self {
        Self([const { Atomic::new(0) }; COUNTERS])
    }

    /// Counts one.
    pub(crate) fn add(&self, what: impl Into<Count>) {
        if let Some(counter) = self.0.get(what.into().0 as usize) {
            counter.add(1u64, Relaxed);
        }
    }

    /// The value of the counter with an attribute number.
    pub(crate) fn get(&self, what: Count) -> u64 {
        self.0.get(what.0 as usize).map_or(0, |c| c.load(Relaxed))
    }
}
