// SPDX-License-Identifier: GPL-2.0
//! The way of packets: from the network to their flow, from TCP to the network.

pub(crate) mod control;
pub(crate) mod datagram;
pub(crate) mod rx;
pub(crate) mod strangers;
pub(crate) mod tx;

use crate::{
    kernel_objects::skb::{Kind, Skb},
    proto::address::{Encap, IpAddr128, RxInfo},
};

/// Where a packet came from and where it arrived.
fn origin(skb: &Skb, kind: Kind) -> RxInfo {
    let raw = skb.origin(kind);
    RxInfo {
        local: IpAddr128(raw.local),
        remote: IpAddr128(raw.remote),
        encap: if raw.udp != 0 {
            Encap::Udp
        } else {
            Encap::Native
        },
        local_port: raw.local_port,
        remote_port: raw.remote_port,
        ifindex: raw.ifindex,
    }
}
