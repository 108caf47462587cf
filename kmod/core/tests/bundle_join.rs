// SPDX-License-Identifier: GPL-2.0-only
//! Joining a bundle: only who has the secret of the first member may.

mod pair;

use eccp_core::address::RemoteAddr;
use eccp_core::bundle::join::JoinKey;
use eccp_core::connection::{Connect, Connection};
use eccp_core::service::{Service, TransportParams};
use eccp_core::wire::{Join, Packet, INNER_TCP, MAX_CONTROL};
use pair::{addr6, settings, Pair, CLIENT, SERVER};

fn key(pair: &Pair, host: usize) -> JoinKey {
    let node = &pair.nodes[host];
    node.conn.join_key(&node.host).expect("keys")
}

/// The longest SYN that joins, from the client of `pair`.
fn syn(pair: &mut Pair, key: &JoinKey) -> Vec<u8> {
    let mut connection = Connection::EMPTY;
    let host = &mut pair.nodes[CLIENT].host;
    let secret = key.member_secret(host);
    let local: Vec<_> = (1..=8).map(|n| addr6(CLIENT, n)).collect();
    let remotes = [RemoteAddr {
        addr: addr6(SERVER, 1).addr,
        port: 0,
    }];
    let request = Connect {
        service: Service::Id([9; 32]),
        inner: INNER_TCP,
        remotes: &remotes,
        local: &local,
        bound: Default::default(),
        transport: TransportParams::new(&[1; 16]).expect("short"),
        psk: Some(&secret),
    };
    connection.connect_member(host, &settings(), &request, Some(key));
    let mut buf = [0; MAX_CONTROL];
    let sent = connection.poll_transmit(host, &mut buf).expect("a SYN");
    buf[..sent.len].to_vec()
}

#[test]
fn both_ends_have_the_same_key_and_no_other_connection_has_it() {
    let pair = Pair::established();
    let (client, server) = (key(&pair, CLIENT), key(&pair, SERVER));
    assert!(client == server);
    let host = &pair.nodes[SERVER].host;
    let mut other = Pair::new();
    other.nodes[CLIENT].psk = Some([1; 32]);
    other.nodes[SERVER].psk = Some([1; 32]);
    other.connect();
    other.settle();
    assert!(key(&other, CLIENT) == key(&other, SERVER));
    assert!(key(&other, CLIENT).id(host) != client.id(host));
    assert!(key(&other, CLIENT).member_secret(host) != client.member_secret(host));
    assert_eq!(Pair::new().conn(CLIENT).join_key(host), None);
}

#[test]
fn every_part_of_a_syn_that_joins_is_proven() {
    let mut pair = Pair::established();
    let (client, server) = (key(&pair, CLIENT), key(&pair, SERVER));
    let syn = syn(&mut pair, &client);
    assert_eq!(syn.len(), 336);
    let host = &pair.nodes[SERVER].host;
    let admits = |key: &JoinKey, bytes: &[u8]| match Packet::parse(bytes) {
        Ok(packet) => key.admits(host, &packet),
        Err(_) => false,
    };
    assert!(admits(&server, &syn));
    let other = Pair::established();
    let mut stranger = key(&other, SERVER);
    if stranger == server {
        let mut other = Pair::new();
        other.nodes[CLIENT].psk = Some([7; 32]);
        other.nodes[SERVER].psk = Some([7; 32]);
        other.connect();
        other.settle();
        stranger = key(&other, SERVER);
    }
    assert!(!admits(&stranger, &syn));
    let message = *Packet::parse(&syn).expect("valid").message();
    let join = message.join.expect("it joins");
    for changed in [
        Join {
            bundle: join.bundle ^ 1,
            ..join
        },
        Join {
            proof: join.proof.map(|byte| !byte),
            ..join
        },
    ] {
        let mut forged = message;
        forged.join = Some(changed);
        refused(&forged, &admits, &server);
    }
    for bit in [1u8, 0x40] {
        let mut forged = message;
        forged.sender ^= u64::from(bit);
        refused(&forged, &admits, &server);
        let mut forged = message;
        forged.key = forged.key.map(|mut key| {
            key[31] ^= bit;
            key
        });
        refused(&forged, &admits, &server);
    }
    let mut without = message;
    without.join = None;
    refused(&without, &admits, &server);
}

fn refused(
    message: &eccp_core::wire::Message,
    admits: &impl Fn(&JoinKey, &[u8]) -> bool,
    key: &JoinKey,
) {
    let mut buf = [0; MAX_CONTROL];
    let len = message.emit(&mut buf, false).expect("room").len;
    assert!(Packet::parse(&buf[..len]).is_ok(), "well-formed");
    assert!(!admits(key, &buf[..len]), "{message:?}");
}
