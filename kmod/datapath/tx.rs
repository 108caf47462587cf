// SPDX-License-Identifier: GPL-2.0
//! From TCP to the network.

use crate::kernel_objects::errno::EHOSTUNREACH;
use crate::{
    control::counters::Count,
    flow::Flow,
    kernel_objects::endpoint::Outgoing,
    proto::wire::{Header, INNER_TCP},
};

/// Sends one segment, or one super-packet, along the flow's path. What fails here TCP sends
/// again: it takes the error for congestion of this host, not of the network.
pub(crate) fn transmit(flow: &Flow, mut packet: Outgoing) -> i32 {
    let counters = &flow.connection.net.counters;
    if !packet.has_path() {
        counters.add(Count::DROP_NO_PATH);
        return EHOSTUNREACH.to_errno();
    }
    if packet.route().is_err() {
        counters.add(Count::DROP_NO_ROUTE);
        return EHOSTUNREACH.to_errno();
    }
    packet.push(&Header::data(packet.receiver(), INNER_TCP));
    packet.send()
}
