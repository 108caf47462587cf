// SPDX-License-Identifier: GPL-2.0
//! Events for those who watch.

use crate::{
    connection::{Connection, State, Why},
    kernel_objects::sys,
    proto::event::{CloseReason, MoveFailure},
};

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
}

/// The numbers of `enum eccp_reason`.
pub(crate) mod reason {
    use super::{sys, CloseReason, MoveFailure, Why};

    pub(crate) const COMMAND: Why = sys::eccp_reason_ECCP_REASON_COMMAND;
    pub(crate) const OWNER: Why = sys::eccp_reason_ECCP_REASON_OWNER;
    pub(crate) const ADDRESS_LOST: Why = sys::eccp_reason_ECCP_REASON_ADDRESS_LOST;
    pub(crate) const PEER: Why = sys::eccp_reason_ECCP_REASON_PEER;
    pub(crate) const NAMESPACE: Why = sys::eccp_reason_ECCP_REASON_NAMESPACE;

    pub(crate) fn of_failure(failure: MoveFailure) -> Why {
        match failure {
            MoveFailure::NoAnswer => sys::eccp_reason_ECCP_REASON_NO_ANSWER,
            MoveFailure::AddressGone => ADDRESS_LOST,
            MoveFailure::Replaced => sys::eccp_reason_ECCP_REASON_SUPERSEDED,
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
            CloseReason::VersionsExhausted => sys::eccp_reason_ECCP_REASON_VERSIONS_EXHAUSTED,
        }
    }
}

/// Tells the watchers of the connection's namespace.
pub(crate) fn report(_connection: &Connection, _state: &State, _what: Report) {}
