// SPDX-License-Identifier: GPL-2.0
//! From the network to the flow. Runs in softirq: nothing here sleeps or allocates.

use super::datagram;
use crate::{
    control::counters::Count,
    flow::{Flow, Stage},
    kernel_objects::{
        net::NetRef,
        skb::{Kind, Skb, HEADER_LEN},
    },
    netns::Net,
    proto::wire::{PacketType, CONTROL_LEN, DATA_LEN, INNER_TCP, VERSION},
};
use kernel::sync::rcu;

/// Most data packets that wait for the end of a handshake.
const MAX_HELD: u32 = 64;
/// Most control packets of known flows that wait for process context, for each namespace.
const MAX_CONTROL: u32 = 4096;
/// Most first SYNs that wait for process context, for each namespace.
const MAX_SYNS: u32 = 1024;

/// What the first 12 bytes say.
struct Start {
    receiver: u64,
    version: u8,
    kind: Option<PacketType>,
    header_len: usize,
    inner: u8,
}

impl Start {
    fn read(bytes: &[u8; HEADER_LEN]) -> Self {
        let [id @ .., version_type, words, inner, _flags] = *bytes;
        Self {
            receiver: u64::from_be_bytes(id),
            version: version_type >> 4,
            kind: PacketType::from_number(version_type & 0x0f),
            header_len: usize::from(words) * 4,
            inner,
        }
    }
}

/// Takes one packet from the network. The result is for the caller in the kernel, which ignores it.
pub(crate) fn receive(skb: Skb, kind: Kind) -> i32 {
    let net = skb.net();
    net.with_state(|state| match dispatch(net, state, skb, kind) {
        Ok(ret) => ret,
        Err(reason) => {
            state.counters.add(reason);
            0
        }
    })
    .unwrap_or(0)
}

fn dispatch(
    net: NetRef,
    state: &Net,
    mut skb: Skb,
    kind: Kind,
) -> core::result::Result<i32, Count> {
    if !skb.is_for_host() {
        return Err(Count::DROP_PEER);
    }
    let header = skb.header().ok_or(Count::DROP_SHORT)?;
    let start = Start::read(&header);
    if start.version != VERSION {
        return queue(net, skb, kind, true);
    }
    if start.kind == Some(PacketType::Data) {
        return data(net, &start, skb, kind);
    }
    let packet_type = start.kind.ok_or(Count::DROP_TYPE)?;
    if start.header_len < CONTROL_LEN || start.header_len != skb.len() {
        return Err(Count::DROP_LENGTH);
    }
    state.counters.add(Count::RX_CONTROL);
    if start.receiver == 0 {
        return match packet_type {
            PacketType::Syn => queue(net, skb, kind, true),
            _ => Err(Count::DROP_FLOW),
        };
    }
    let guard = rcu::read_lock();
    let known = crate::flows()
        .get(&guard, start.receiver)
        .is_some_and(|flow| flow.connection.net.raw == net);
    drop(guard);
    if !known {
        return Err(Count::DROP_FLOW);
    }
    queue(net, skb, kind, false)
}

/// Control packets, and whatever else needs thought, go to process context.
fn queue(net: NetRef, skb: Skb, kind: Kind, opening: bool) -> core::result::Result<i32, Count> {
    let limit = if opening { MAX_SYNS } else { MAX_CONTROL };
    if net.queue_control(skb, kind, opening, limit) {
        Ok(0)
    } else {
        Err(Count::DROP_QUEUE)
    }
}

fn data(net: NetRef, start: &Start, skb: Skb, kind: Kind) -> core::result::Result<i32, Count> {
    if start.header_len != DATA_LEN {
        return Err(Count::DROP_LENGTH);
    }
    let guard = rcu::read_lock();
    let flow = crate::flows()
        .get(&guard, start.receiver)
        .filter(|flow| flow.connection.net.raw == net)
        .ok_or(Count::DROP_FLOW)?;
    if start.inner != flow.connection.inner {
        return Err(Count::DROP_TYPE);
    }
    match flow.stage() {
        Stage::Open => {
            flow.count_received(skb.segments(), skb.len().saturating_sub(DATA_LEN));
            if flow.endpoint().is_datagram() {
                return datagram::deliver(flow, skb, kind);
            }
            Ok(flow.endpoint().deliver(skb, kind))
        }
        Stage::Opening => hold(flow, skb, kind),
        Stage::Draining => {
            if net.queue_control(skb, kind, false, MAX_CONTROL) {
                Ok(0)
            } else {
                Err(Count::DROP_QUEUE)
            }
        }
    }
}

/// Data that overtook the end of the handshake waits for it.
fn hold(flow: &Flow, skb: Skb, kind: Kind) -> core::result::Result<i32, Count> {
    if flow.endpoint().hold(skb, kind, MAX_HELD) {
        // The connection looks at what is held when it opens; it may just have done so.
        if flow.stage() == Stage::Open {
            flow.connection.kick();
        }
        Ok(0)
    } else {
        Err(Count::DROP_EARLY_DATA)
    }
}

/// The sum of the TCP pseudo header of a data packet, without its length; `None` unless the
/// packet is data of an open flow.
pub(crate) fn pseudo_sum(header: &[u8]) -> Option<u32> {
    let start = Start::read(header.first_chunk()?);
    let is_data = start.version == VERSION
        && start.kind == Some(PacketType::Data)
        && start.header_len == DATA_LEN
        && start.inner == INNER_TCP;
    if !is_data {
        return None;
    }
    let guard = rcu::read_lock();
    let flow = crate::flows().get(&guard, start.receiver)?;
    (flow.stage() == Stage::Open).then(|| flow.endpoint().pseudo())
}

/// Whether an ICMP error quotes a packet of a live flow of the namespace: `quoted` starts with
/// the ID of the flow at its receiver.
pub(crate) fn quotes_a_flow(net: NetRef, quoted: &[u8]) -> bool {
    let Some(id) = quoted.first_chunk().copied().map(u64::from_be_bytes) else {
        return false;
    };
    net.with_state(|state| state.has_remote(id))
        .unwrap_or(false)
}
