// SPDX-License-Identifier: GPL-2.0-only
//! The connection that a later flow of the conformance table is added to. Its first flow uses the
//! other address family, so that what it knows is of no use to the second.

use eccp_core::address::{IpAddr128, LocalAddress, Path, RemoteAddr, RxInfo, ADDRESS_BACKUP};
use eccp_core::auth::token;
use eccp_core::connection::{Accept, Connect, Connection};
use eccp_core::event::FlowIndex;
use eccp_core::flow::FlowState;
use eccp_core::service::{Service, TransportParams};
use eccp_core::settings::Settings;
use eccp_core::wire::{
    FlowFlags, Message, Packet, PacketType, INNER_TCP, MAC_LEN, MAX_CONTROL, TOKEN_LEN,
};

use crate::host::{digest, ModelHost};

const FIRST: FlowIndex = FlowIndex(0);
/// The peer's ID of the first flow.
pub const PEER_ID: u64 = 0x7777_0000_0000_0100;

const fn outer(last: u8) -> IpAddr128 {
    IpAddr128([0x20, 1, 0xd, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, last])
}

/// Our address of the first flow, on an interface of its own.
pub const HOME: LocalAddress = LocalAddress {
    addr: outer(1),
    ifindex: 9,
    ..LocalAddress::NONE
};

fn arrival() -> RxInfo {
    RxInfo {
        local: HOME.addr,
        remote: outer(2),
        ifindex: HOME.ifindex,
        ..RxInfo::default()
    }
}

/// The same address, kept as a backup: flows that are none are wanted elsewhere.
pub fn as_backup(address: LocalAddress) -> LocalAddress {
    LocalAddress {
        flags: ADDRESS_BACKUP,
        ..address
    }
}

/// A packet of the peer's, with its MAC.
pub fn signed(message: &Message) -> Vec<u8> {
    let mut bytes = vec![0; MAX_CONTROL];
    let with_mac = message.kind != PacketType::Syn || message.receiver != 0;
    let emitted = message.emit(&mut bytes, with_mac).expect("it fits");
    bytes.truncate(emitted.len);
    if let Some(at) = emitted.mac_at {
        let mac = digest(&[&bytes[..at]]);
        bytes[at..at + MAC_LEN].copy_from_slice(&mac[..MAC_LEN]);
    }
    bytes
}

/// What the peer's SYN of a later flow says besides its IDs and token.
pub fn ask(syn: &mut Message) {
    syn.existing_flow = Some(PEER_ID);
    syn.flow_flags = Some(FlowFlags {
        flags: 0,
        number: 1,
    });
}

fn message(kind: PacketType, receiver: u64) -> Message {
    let mut message = Message::new(kind, receiver, PEER_ID, 0);
    message.inner = INNER_TCP;
    message
}

fn take(conn: &mut Connection, host: &mut ModelHost, message: &Message) {
    let bytes = signed(message);
    let taken = conn.handle_packet(host, &arrival(), &bytes);
    taken.expect("the first flow is set up");
}

/// Connects with the first flow, as the client.
pub fn connect(
    conn: &mut Connection,
    host: &mut ModelHost,
    settings: &Settings,
    local: &[LocalAddress],
    service: Service,
) {
    let request = Connect {
        service,
        inner: INNER_TCP,
        remotes: &[RemoteAddr {
            addr: outer(2),
            port: 0,
        }],
        local,
        bound: Default::default(),
        transport: TransportParams::EMPTY,
        psk: None,
    };
    conn.connect(host, settings, &request);
    settle(conn, host);
    let mut answer = message(PacketType::SynAck, local_id(conn));
    answer.key = Some([9; 32]);
    answer.token = Some([5; TOKEN_LEN]);
    take(conn, host, &answer);
    // Data of the peer shows that our ACK has arrived.
    let told = conn.handle_data(host, FIRST, &arrival(), 100);
    told.expect("the first flow is live");
    settle(conn, host);
}

/// Accepts a connection with the first flow, as the server.
pub fn accept(
    conn: &mut Connection,
    host: &mut ModelHost,
    settings: &Settings,
    local: &[LocalAddress],
    service: Service,
) {
    let mut syn = message(PacketType::Syn, 0);
    syn.service = Some(service);
    syn.key = Some([9; 32]);
    let bytes = signed(&syn);
    let packet = Packet::parse(&bytes).expect("the test makes well-formed packets");
    let request = Accept {
        local,
        transport: TransportParams::EMPTY,
        psk: None,
    };
    let accepted = conn.accept(host, settings, &packet, &arrival(), &request);
    accepted.expect("the first flow is accepted");
    settle(conn, host);
    let path = Path {
        remote: outer(2),
        ..Path::NONE
    };
    let mut ack = message(PacketType::Ack, local_id(conn));
    ack.token = Some(token(host, &[0; 32], local_id(conn), 0, &path));
    take(conn, host, &ack);
    settle(conn, host);
}

/// Our ID of the first flow.
pub fn local_id(conn: &Connection) -> u64 {
    conn.flow(FIRST).map_or(0, |flow| flow.local_id())
}

/// True while the first flow is what it was when the second joined it.
pub fn is_undisturbed(conn: &Connection) -> bool {
    conn.flow(FIRST).is_some_and(|flow| {
        let version = (flow.version(), flow.newest(), flow.validated());
        flow.state() == FlowState::Established
            && version == (0, 0, Some(0))
            && (flow.path().local, flow.path().remote) == (HOME.addr, outer(2))
    })
}

fn settle(conn: &mut Connection, host: &mut ModelHost) {
    let mut buf = [0; MAX_CONTROL];
    while conn.poll_transmit(host, &mut buf).is_some() {}
    while conn.poll_event().is_some() {}
}
