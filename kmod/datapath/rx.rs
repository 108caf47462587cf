// SPDX-License-Identifier: GPL-2.0
//! From the network to the flow. Runs in softirq: nothing here sleeps or allocates.

use super::datagram;
use crate::{
    control::counters::Count,
    flow::{Flow, Stage},
    kernel_objects::{
        net::{NetRef, Queue},
        skb::{Kind, Skb, HEADER_LEN},
    },
    netns::Net,
    proto::reset::lost_flow,
    proto::wire::{PacketType, CONTROL_LEN, DATA_LEN, INNER_TCP, VERSION},
};
use super::strangers;
use kernel::sync::rcu;

/// Most data packets that wait for the end of a handshake.
const MAX_HELD: u32 = 64;
/// Most control packets of known flows that wait for process context, for each namespace.
const MAX_CONTROL: u32 = 4096;
/// Most first SYNs that wait for process context, for each namespace, of those that have proven
/// their source and of the others.
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
        return Err(Count::DROP_OTHER_HOST);
    }
    let header = skb.header().ok_or(Count::DROP_TRUNCATED)?;
    let start = Start::read(&header);
    if start.version != VERSION {
        return queue(net, skb, kind, Queue::Opening);
    }
    if start.kind == Some(PacketType::Data) {
        return data(net, state, &start, skb, kind);
    }
    let packet_type = start.kind.ok_or(Count::DROP_UNKNOWN_TYPE)?;
    if start.header_len < CONTROL_LEN || start.header_len != skb.len() {
        return Err(Count::DROP_HEADER_LENGTH);
    }
    state.counters.add(Count::RX_CONTROL);
    if start.receiver == 0 {
        return match packet_type {
            PacketType::Syn => match strangers::admit_syn(net, state, &skb, kind)? {
                Some(place) => queue(net, skb, kind, place),
                None => Ok(0),
            },
            PacketType::Reset if names_a_flow(state, &skb) => queue(net, skb, kind, Queue::Known),
            _ => Err(Count::DROP_UNKNOWN_FLOW),
        };
    }
    let guard = rcu::read_lock();
    let known = crate::flows()
        .get(&guard, start.receiver)
        .is_some_and(|flow| flow.connection.net.raw == net);
    drop(guard);
    if !known {
        strangers::reset(net, state, &skb, kind);
        return Err(Count::DROP_UNKNOWN_FLOW);
    }
    queue(net, skb, kind, Queue::Known)
}

/// Whether the sender of a RESET is the peer of a live flow.
fn names_a_flow(state: &Net, skb: &Skb) -> bool {
    let mut buf = [0; CONTROL_LEN];
    lost_flow(skb.copy_start(&mut buf)).is_some_and(|lost| state.has_remote(lost))
}

/// Control packets, and whatever else needs thought, go to process context.
fn queue(net: NetRef, skb: Skb, kind: Kind, place: Queue) -> core::result::Result<i32, Count> {
    let limit = match place {
        Queue::Known => MAX_CONTROL,
        Queue::Proven | Queue::Opening => MAX_SYNS,
    };
    if net.queue_control(skb, kind, place, limit) {
        Ok(0)
    } else {
        Err(Count::DROP_CONTROL_QUEUE)
    }
}

fn data(
    net: NetRef,
    state: &Net,
    start: &Start,
    skb: Skb,
    kind: Kind,
) -> core::result::Result<i32, Count> {
    if start.header_len != DATA_LEN {
        return Err(Count::DROP_HEADER_LENGTH);
    }
    let guard = rcu::read_lock();
    let flow = crate::flows()
        .get(&guard, start.receiver)
        .filter(|flow| flow.connection.net.raw == net);
    let Some(flow) = flow else {
        strangers::reset(net, state, &skb, kind);
        return Err(Count::DROP_UNKNOWN_FLOW);
    };
    if start.inner != flow.connection.inner {
        return Err(Count::DROP_UNKNOWN_TYPE);
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
        Stage::Draining => queue(net, skb, kind, Queue::Known),
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
