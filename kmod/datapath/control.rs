// SPDX-License-Identifier: GPL-2.0
//! Packets that need thought, in process context.

use crate::{
    connection::Connection,
    control::counters::Count,
    flow::Stage,
    kernel_objects::{
        endpoint::send_control,
        net::ControlQueue,
        skb::{Kind, Skb},
    },
    netns::Net,
    proto::{
        address::RxInfo,
        connection::SynKey,
        event::Discard,
        reset::lost_flow,
        respond,
        wire::{Header, Packet, PacketType, ParseError, Reason, MAX_CONTROL},
    },
};
use kernel::sync::Arc;

/// Works off a namespace's control packets.
pub(crate) fn process(net: &Arc<Net>, queue: ControlQueue) {
    for (skb, kind) in queue {
        let done = match kind.passed_through() {
            true => super::router::take(net, &skb, kind),
            false => one(net, &skb, kind),
        };
        if let Err(reason) = done {
            net.counters.add(reason);
        }
    }
}

fn one(net: &Arc<Net>, skb: &Skb, kind: Kind) -> core::result::Result<(), Count> {
    let rx = super::origin(skb, kind);
    let mut buf = [0; MAX_CONTROL];
    let packet = skb.copy_start(&mut buf);
    let header = match Header::parse(packet) {
        Err(ParseError::Version(_)) => return answer_version(net, &rx, packet),
        other => other.map_err(Discard::from)?,
    };
    let receiver = match (header.receiver, lost_flow(packet)) {
        (0, Some(lost)) => net.flow_to(lost).ok_or(Count::DROP_UNKNOWN_FLOW)?,
        (0, None) => return first_syn(net, &rx, packet),
        (id, _) => id,
    };
    let flow = crate::flows()
        .find(receiver)
        .filter(|flow| flow.connection.net.raw == net.raw)
        .ok_or(Count::DROP_UNKNOWN_FLOW)?;
    if header.kind != PacketType::Data {
        return flow.connection.control(&rx, packet);
    }
    match flow.stage() {
        Stage::Draining => flow.connection.late_data(&flow, &rx, skb),
        // Softirq saw a flow that was draining; draining never ends in another stage.
        Stage::Opening | Stage::Open => Err(Count::DROP_CLOSED),
    }
}

fn first_syn(net: &Arc<Net>, rx: &RxInfo, bytes: &[u8]) -> core::result::Result<(), Count> {
    let packet = Packet::parse(bytes).map_err(Discard::from)?;
    let key = SynKey::of(&packet).ok_or(Discard::WrongState)?;
    let service = packet.message().service.ok_or(Discard::WrongState)?;
    if let Some(join) = packet.message().join {
        return join_bundle(net, rx, &packet, bytes, join.bundle);
    }
    let inner = packet.message().inner;
    let Some(listener) = net.listener(&service, inner).filter(|l| l.is_listening()) else {
        if !net.may_answer_stranger() {
            return Err(Count::DROP_STRANGER_RATE);
        }
        refuse(net, rx, &packet);
        return Err(Count::DROP_NO_LISTENER);
    };
    if let Some(connection) = listener.opening(&key) {
        return connection.control(rx, bytes);
    }
    Connection::accept(net, &listener, &packet, rx)
}

fn join_bundle(
    net: &Arc<Net>,
    rx: &RxInfo,
    packet: &Packet<'_>,
    bytes: &[u8],
    bundle: u64,
) -> core::result::Result<(), Count> {
    let Some(bundle) = net.bundle(bundle) else {
        if !net.may_answer_stranger() {
            return Err(Count::DROP_STRANGER_RATE);
        }
        refuse(net, rx, packet);
        return Err(Count::DROP_JOIN);
    };
    match Connection::accept_member(net, &bundle, packet, rx)? {
        Some(connection) => connection.control(rx, bytes),
        None => Ok(()),
    }
}

fn refuse(net: &Net, rx: &RxInfo, packet: &Packet<'_>) {
    let mut out = [0; MAX_CONTROL];
    let host = crate::kernel_objects::crypto::KernelHost::new();
    if let Some(len) = respond::refuse(&host, packet, Reason::NoService, &mut out) {
        send(net, rx, out.get(..len).unwrap_or(&[]));
    }
}

fn answer_version(net: &Net, rx: &RxInfo, packet: &[u8]) -> core::result::Result<(), Count> {
    if !net.may_answer_stranger() {
        return Err(Count::DROP_STRANGER_RATE);
    }
    let mut out = [0; MAX_CONTROL];
    if let Some(len) = respond::version_answer(packet, &mut out) {
        send(net, rx, out.get(..len).unwrap_or(&[]));
        net.counters.add(Count::VERSION_ANSWERS);
    }
    Err(Discard::UnknownVersion.into())
}

/// Sends an answer to where a packet came from.
fn send(net: &Net, rx: &RxInfo, packet: &[u8]) {
    match send_control(net.raw, &rx.reply_path(), packet) {
        Ok(()) => net.counters.add(Count::TX_CONTROL),
        Err(_) => net.counters.add(Count::DROP_NO_ROUTE),
    }
}
