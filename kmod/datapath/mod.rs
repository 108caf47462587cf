// SPDX-License-Identifier: GPL-2.0
//! The way of packets: from the network to their flow, from TCP to the network.

pub(crate) mod control;
pub(crate) mod datagram;
pub(crate) mod router;
pub(crate) mod rx;
pub(crate) mod strangers;
pub(crate) mod tx;

use crate::{
    kernel_objects::{
        endpoint::rx_info,
        skb::{Kind, Skb},
    },
    proto::address::RxInfo,
};

/// Where a packet came from and where it arrived.
fn origin(skb: &Skb, kind: Kind) -> RxInfo {
    rx_info(&skb.origin(kind))
}
