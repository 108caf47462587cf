// SPDX-License-Identifier: GPL-2.0
//! Events for those who watch.

use super::{
    counters::Count,
    describe, redirects,
    snapshot::{ConnectionSnapshot, FlowSnapshot},
};
use crate::{
    connection::{Connection, State, Why},
    kernel_objects::{
        genl::{self, Writer},
        sys,
    },
    netns::Net,
    proto::{
        event::{CarrierChange, CloseReason, FlowIndex, MoveFailure},
        router::Redirect,
    },
};
use kernel::prelude::*;

/// What happened.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Report {
    ConnectionUp,
    FlowUp,
    FlowMoving,
    FlowMoved,
    FlowMoveFailed,
    FlowClosed,
    ConnectionClosed,
    AddressGone,
    PathTrouble,
    PathRecovered,
    FlowActive,
    FlowPunching,
}

/// The numbers of `enum eccp_reason`.
pub(crate) mod reason {
    use super::{sys, CarrierChange, CloseReason, MoveFailure, Why};

    pub(crate) const COMMAND: Why = sys::eccp_reason_ECCP_REASON_COMMAND;
    pub(crate) const OWNER: Why = sys::eccp_reason_ECCP_REASON_OWNER;
    pub(crate) const ADDRESS_LOST: Why = sys::eccp_reason_ECCP_REASON_ADDRESS_LOST;
    pub(crate) const PEER: Why = sys::eccp_reason_ECCP_REASON_PEER;
    pub(crate) const NAMESPACE: Why = sys::eccp_reason_ECCP_REASON_NAMESPACE;
    pub(crate) const BETTER_ADDRESS: Why = sys::eccp_reason_ECCP_REASON_BETTER_ADDRESS;

    pub(crate) const PATH_DEAD: Why = sys::eccp_reason_ECCP_REASON_PATH_DEAD;
    pub(crate) const NAT: Why = sys::eccp_reason_ECCP_REASON_NAT;
    pub(crate) const PATH_BACK: Why = sys::eccp_reason_ECCP_REASON_PATH_BACK;
    pub(crate) const EXPIRED: Why = sys::eccp_reason_ECCP_REASON_EXPIRED;
    pub(crate) const RETURNED: Why = sys::eccp_reason_ECCP_REASON_RETURNED;

    pub(crate) fn of_failure(failure: MoveFailure) -> Why {
        match failure {
            MoveFailure::NoAnswer => sys::eccp_reason_ECCP_REASON_NO_ANSWER,
            MoveFailure::AddressGone => ADDRESS_LOST,
            MoveFailure::Replaced => sys::eccp_reason_ECCP_REASON_SUPERSEDED,
        }
    }

    pub(crate) fn of_carrier(change: CarrierChange) -> Why {
        match change {
            CarrierChange::PathLost => sys::eccp_reason_ECCP_REASON_PATH_LOST,
            CarrierChange::Command => COMMAND,
            CarrierChange::Peer => PEER,
            CarrierChange::Preferred => sys::eccp_reason_ECCP_REASON_BETTER_FLOW,
        }
    }

    pub(crate) fn of_close(reason: CloseReason) -> Why {
        match reason {
            CloseReason::Drained => sys::eccp_reason_ECCP_REASON_FINISHED,
            CloseReason::Aborted => sys::eccp_reason_ECCP_REASON_RESET,
            CloseReason::Refused(_) => sys::eccp_reason_ECCP_REASON_REFUSED,
            CloseReason::Reset(_) => sys::eccp_reason_ECCP_REASON_PEER_RESET,
            CloseReason::TimedOut => sys::eccp_reason_ECCP_REASON_NO_ANSWER,
            CloseReason::VersionMismatch => sys::eccp_reason_ECCP_REASON_VERSION_MISMATCH,
            CloseReason::NoAddress => sys::eccp_reason_ECCP_REASON_NO_ADDRESS,
            CloseReason::Lost => sys::eccp_reason_ECCP_REASON_PEER_LOST,
            CloseReason::VersionsExhausted => sys::eccp_reason_ECCP_REASON_VERSIONS_EXHAUSTED,
        }
    }
}

impl Report {
    fn command(self) -> u32 {
        match self {
            Self::ConnectionUp => sys::ECCP_CMD_CONNECTION_UP,
            Self::FlowUp => sys::ECCP_CMD_FLOW_UP,
            Self::FlowMoving => sys::ECCP_CMD_FLOW_MOVING,
            Self::FlowMoved => sys::ECCP_CMD_FLOW_MOVED,
            Self::FlowMoveFailed => sys::ECCP_CMD_FLOW_MOVE_FAILED,
            Self::FlowClosed => sys::ECCP_CMD_FLOW_CLOSED,
            Self::ConnectionClosed => sys::ECCP_CMD_CONNECTION_CLOSED,
            Self::AddressGone => sys::ECCP_CMD_ADDRESS_GONE,
            Self::PathTrouble => sys::ECCP_CMD_PATH_TROUBLE,
            Self::PathRecovered => sys::ECCP_CMD_PATH_RECOVERED,
            Self::FlowActive => sys::ECCP_CMD_FLOW_ACTIVE,
            Self::FlowPunching => sys::ECCP_CMD_FLOW_PUNCHING,
        }
    }
}

/// Tells the watchers of the connection's namespace what happened to it or to one of its flows.
pub(crate) fn report(connection: &Connection, state: &State, what: Report, flow: FlowIndex) {
    let net = &connection.net;
    if !genl::event_wanted(net.raw) {
        return;
    }
    let command = what.command();
    let sent = match what {
        Report::ConnectionUp | Report::ConnectionClosed => {
            let snapshot = ConnectionSnapshot::take(connection, state);
            genl::send_event(net.raw, command, |to| describe::connection(to, &snapshot))
        }
        _ => match FlowSnapshot::take(connection, state, flow) {
            Some(flow) if what == Report::AddressGone => {
                genl::send_event(net.raw, command, |to| address_gone(to, &flow))
            }
            Some(flow) => genl::send_event(net.raw, command, |to| describe::flow(to, &flow)),
            None => Err(ENOENT),
        },
    };
    count_lost(net, sent);
}

/// Tells the watchers that a flow has another ID. The old local ID is shown with it for as long as
/// it is answered to; `old_remote` is the peer's, if it is that one.
pub(crate) fn renamed(
    connection: &Connection,
    state: &State,
    flow: FlowIndex,
    old_remote: Option<u64>,
) {
    let net = &connection.net;
    if !genl::event_wanted(net.raw) {
        return;
    }
    let snapshot = FlowSnapshot::take(connection, state, flow);
    let written = snapshot.ok_or(ENOENT).and_then(|mut flow| {
        flow.old_remote_id = old_remote.unwrap_or(0);
        let command = sys::ECCP_CMD_FLOW_RENAMED;
        genl::send_event(net.raw, command, |to| describe::flow(to, &flow))
    });
    if written.is_err() {
        net.counters.add(Count::EVENTS_LOST);
    }
}

/// Tells the watchers of a namespace that its router sends on the RSYNs of a flow.
pub(crate) fn redirect_added(net: &Net, entry: &Redirect) {
    let command = sys::ECCP_CMD_REDIRECT_ADDED;
    let written = |to: &mut Writer| {
        redirects::describe(to, entry)?;
        redirects::time_left(to, entry)
    };
    if genl::event_wanted(net.raw) {
        count_lost(net, genl::send_event(net.raw, command, written));
    }
}

/// Tells them that it does not any more.
pub(crate) fn redirect_removed(net: &Net, entry: &Redirect, why: Why) {
    if genl::event_wanted(net.raw) {
        let command = sys::ECCP_CMD_REDIRECT_REMOVED;
        let sent = genl::send_event(net.raw, command, |to| removed(to, entry, why));
        count_lost(net, sent);
    }
}

/// Tells them that the host of a flow is at its old address again. Does not sleep.
pub(crate) fn redirect_returned(net: &Net, entry: &Redirect) {
    if genl::event_wanted(net.raw) {
        let command = sys::ECCP_CMD_REDIRECT_REMOVED;
        let written = |to: &mut Writer| removed(to, entry, reason::RETURNED);
        count_lost(net, genl::send_event_atomic(net.raw, command, written));
    }
}

fn removed(to: &mut Writer, entry: &Redirect, why: Why) -> Result {
    redirects::describe(to, entry)?;
    redirects::hits(to, entry)?;
    describe::reason(to, sys::ECCP_A_REDIRECT_REASON, why)
}

fn count_lost(net: &Net, sent: Result) {
    if sent.is_err() {
        net.counters.add(Count::EVENTS_LOST);
    }
}

/// The address that the flow used.
fn address_gone(to: &mut Writer, flow: &FlowSnapshot) -> Result {
    describe::address(
        to,
        sys::ECCP_A_ADDRESS_GONE_IPV4,
        sys::ECCP_A_ADDRESS_GONE_IPV6,
        &flow.path.local,
    )?;
    if flow.path.ifindex != 0 {
        to.u32(sys::ECCP_A_ADDRESS_GONE_IFINDEX, flow.path.ifindex)?;
    }
    describe::reason(to, sys::ECCP_A_ADDRESS_GONE_REASON, flow.reason)?;
    to.uint(sys::ECCP_A_ADDRESS_GONE_FLOW_ID, flow.local_id)
}
