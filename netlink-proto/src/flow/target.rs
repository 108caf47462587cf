// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Where a flow is to move to.

use std::net::IpAddr;

use super::MoveAttribute;

/// The goal of a move: exactly one of the three attributes that flow-move takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Target {
    /// This address of this host.
    Address(IpAddr),
    /// An address that the kernel selects on the interface with this index.
    Interface(u32),
}

impl From<Target> for MoveAttribute {
    fn from(target: Target) -> Self {
        match target {
            Target::Address(IpAddr::V4(address)) => MoveAttribute::ToIpv4(address),
            Target::Address(IpAddr::V6(address)) => MoveAttribute::ToIpv6(address),
            Target::Interface(index) => MoveAttribute::ToIfindex(index),
        }
    }
}
