// SPDX-License-Identifier: GPL-2.0-only
//! The scenarios, one file per subject.

use crate::roster::Scenario;

mod additions;
mod aggregation;
mod applications;
mod attack;
mod both;
mod congestion;
mod connections;
mod datagram_calls;
mod datagram_moves;
mod datagrams;
mod ends;
mod failover;
mod flood;
mod flow_ids;
mod flows;
mod lifecycle;
mod moves;
mod nat;
mod netlink;
mod outages;
mod path_state;
mod permission;
mod punching;
mod redirection;
mod redirection_entries;
mod roaming;
mod sockets;
mod strangers;
mod transfer;

pub use applications::{PYTHON_NAME, PYTHON_SCENARIO, PYTHON_SCRIPT};

/// The tables of all files, in the order in which they are run.
pub(crate) const TABLES: &[&[Scenario]] = &[
    transfer::TABLE,
    sockets::TABLE,
    moves::TABLE,
    failover::TABLE,
    outages::TABLE,
    flows::TABLE,
    additions::TABLE,
    nat::TABLE,
    path_state::TABLE,
    connections::TABLE,
    permission::TABLE,
    netlink::TABLE,
    attack::TABLE,
    datagrams::TABLE,
    datagram_calls::TABLE,
    datagram_moves::TABLE,
    applications::TABLE,
    flood::TABLE,
    ends::TABLE,
    both::TABLE,
    redirection::TABLE,
    redirection_entries::TABLE,
    lifecycle::TABLE,
    congestion::TABLE,
    strangers::TABLE,
    aggregation::TABLE,
    flow_ids::TABLE,
    punching::TABLE,
];
