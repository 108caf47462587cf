// SPDX-License-Identifier: GPL-2.0-only
//! The parts that one end of a flow can play.

/// Which end of the handshake the probe is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Role {
    /// It connects.
    Client,
    /// It listens.
    Server,
    /// It adds the flow to a connection.
    Caller,
    /// It is asked for the flow, in a connection.
    Called,
    /// It is asked at an address where it does not want the flow: it prefers L1.
    Unwilling,
}

impl Role {
    /// The flow is added to a connection.
    pub fn is_later(self) -> bool {
        !matches!(self, Self::Client | Self::Server)
    }

    /// The peer has asked for the flow.
    pub fn is_asked(self) -> bool {
        !matches!(self, Self::Client | Self::Caller)
    }
}
