// SPDX-License-Identifier: GPL-2.0-only
//! Cookies: nothing is kept of a client that has not proven its address, and only the proof for
//! that address, that SYN and that time is believed.

mod pair;

use eccp_core::address::{Encap, IpAddr128, RxInfo};
use eccp_core::cookie::{Cookies, SLOT};
use eccp_core::event::Event;
use eccp_core::flow::FlowState;
use eccp_core::settings::{Encapsulation, Settings};
use eccp_core::sim::{Faults, Node, Rng, SimHost, World, FLOW as SIM_FLOW};
use eccp_core::time::{Duration, Instant};
use eccp_core::wire::{Message, Packet, PacketType, OPT_COOKIE};
use pair::{addr, settings, Pair, Sent, CLIENT, SERVER};

/// A pair whose server is under load, the client's SYN, and the NACK that answers it.
fn challenged() -> (Pair, Sent, Sent) {
    let mut pair = Pair::new();
    pair.nodes[SERVER].under_load = true;
    pair.connect();
    let syn = pair.only(CLIENT, PacketType::Syn);
    let rx = pair.rx(SERVER, &syn);
    let bytes = pair.nodes[SERVER].receive(&rx, &syn.bytes).expect("a NACK");
    let nack = Sent {
        path: rx.reply_path(),
        bytes,
    };
    assert_eq!(nack.kind(), PacketType::Nack);
    (pair, syn, nack)
}

/// Whether the server answers a SYN with state.
fn accepts(pair: &mut Pair, syn: &Sent, rx: &RxInfo) -> bool {
    let answer = pair.nodes[SERVER].receive(rx, &syn.bytes);
    let kept = pair.conn(SERVER).flows().count() > 0;
    assert_ne!(kept, answer.is_some(), "either state or a cookie");
    kept
}

#[test]
fn a_client_under_load_is_connected_after_one_more_round_trip() {
    let (mut pair, syn, nack) = challenged();
    assert_eq!(pair.conn(SERVER).flows().count(), 0);
    assert!(nack.bytes.len() <= syn.bytes.len());
    pair.give(CLIENT, &nack).unwrap();
    let proof = pair.only(CLIENT, PacketType::Syn);
    assert_eq!(proof.message().cookie, nack.message().cookie);
    let rx = pair.rx(SERVER, &proof);
    assert!(accepts(&mut pair, &proof, &rx));
    pair.settle();
    assert_eq!(pair.state(CLIENT), FlowState::Established);
    assert_eq!(pair.state(SERVER), FlowState::Established);
}

#[test]
fn the_timer_repeats_the_syn_with_its_cookie() {
    let (mut pair, _, nack) = challenged();
    pair.give(CLIENT, &nack).unwrap();
    let first = pair.only(CLIENT, PacketType::Syn);
    pair.advance(Duration::from_secs(1));
    let second = pair.only(CLIENT, PacketType::Syn);
    assert_eq!(first.bytes, second.bytes);
}

#[test]
fn a_server_that_is_no_longer_under_load_takes_either_syn_for_the_same() {
    let (mut pair, syn, nack) = challenged();
    pair.give(CLIENT, &nack).unwrap();
    let proof = pair.only(CLIENT, PacketType::Syn);
    pair.nodes[SERVER].under_load = false;
    pair.give(SERVER, &syn).unwrap();
    let answer = pair.only(SERVER, PacketType::SynAck);
    pair.give(SERVER, &proof).unwrap();
    assert_eq!(pair.only(SERVER, PacketType::SynAck).bytes, answer.bytes);
    pair.give(CLIENT, &answer).unwrap();
    pair.settle();
    assert_eq!(pair.state(SERVER), FlowState::Established);
}

#[test]
fn a_cookie_counts_from_its_own_source_only() {
    let (mut pair, _, nack) = challenged();
    pair.give(CLIENT, &nack).unwrap();
    let proof = pair.only(CLIENT, PacketType::Syn);
    let rx = pair.rx(SERVER, &proof);
    let elsewhere = [
        RxInfo {
            remote: addr(CLIENT, 2).addr,
            ..rx
        },
        RxInfo {
            remote_port: 4433,
            ..rx
        },
        RxInfo {
            encap: Encap::Udp,
            ..rx
        },
    ];
    for other in &elsewhere {
        assert!(!accepts(&mut pair, &proof, other), "{other:?}");
    }
    assert!(accepts(&mut pair, &proof, &rx));
}

#[test]
fn no_changed_bit_of_a_syn_or_its_cookie_is_believed() {
    let (mut pair, _, nack) = challenged();
    pair.give(CLIENT, &nack).unwrap();
    let proof = pair.only(CLIENT, PacketType::Syn);
    let rx = pair.rx(SERVER, &proof);
    for at in 0..proof.bytes.len() {
        for bit in 0..8 {
            let mut forged = proof.clone();
            forged.bytes[at] ^= 1 << bit;
            pair.nodes[SERVER].receive(&rx, &forged.bytes);
            assert_eq!(pair.conn(SERVER).flows().count(), 0, "byte {at} bit {bit}");
        }
    }
    assert!(accepts(&mut pair, &proof, &rx));
}

#[test]
fn a_cookie_outlives_one_change_of_the_secret_and_no_second() {
    for (age, valid) in [(SLOT.0 - 1, true), (SLOT.0, true), (2 * SLOT.0, false)] {
        let (mut pair, _, nack) = challenged();
        pair.give(CLIENT, &nack).unwrap();
        let proof = pair.only(CLIENT, PacketType::Syn);
        let rx = pair.rx(SERVER, &proof);
        pair.nodes[SERVER].host.now = pair.now.after(Duration(age));
        assert_eq!(accepts(&mut pair, &proof, &rx), valid, "after {age} us");
    }
}

#[test]
fn an_idle_namespace_forgets_its_old_secrets() {
    let mut host = SimHost::new(1, Instant(0));
    let (_, syn, _) = challenged();
    let packet = Packet::parse(&syn.bytes).unwrap();
    let rx = RxInfo::default();
    let mut cookies = Cookies::NEW;
    let mut out = [0; 128];
    let old = cookies.keys(&mut host);
    let len = old.answer(&host, &packet, &rx, &mut out).unwrap();
    let cookie = Packet::parse(&out[..len]).unwrap().message().cookie;
    let mut proof = syn.bytes.clone();
    proof.extend([OPT_COOKIE, 16]);
    proof.extend(cookie.unwrap());
    proof.extend([0, 0]);
    proof[9] += 5;
    let packet = Packet::parse(&proof).unwrap();
    assert!(old.proves(&host, &packet, &rx));
    // 256 slots later the mark is the same, and the secret is not.
    host.now = Instant(256 * SLOT.0);
    assert!(!cookies.keys(&mut host).proves(&host, &packet, &rx));
}

#[test]
fn a_client_believes_only_who_has_seen_its_syn() {
    let (mut pair, _, nack) = challenged();
    for at in 0..nack.bytes.len() {
        let mut forged = nack.clone();
        forged.bytes[at] ^= 1;
        let rx = pair.rx(CLIENT, &forged);
        let node = &mut pair.nodes[CLIENT];
        let result = node.conn.handle_packet(&mut node.host, &rx, &forged.bytes);
        assert!(result.is_err(), "byte {at}");
    }
    let elsewhere = RxInfo {
        remote: addr(SERVER, 2).addr,
        ..pair.rx(CLIENT, &nack)
    };
    assert!(pair.give_from(CLIENT, &nack, &elsewhere).is_err());
    assert!(pair.sent(CLIENT).is_empty());
}

#[test]
fn a_server_that_never_has_enough_cookies_is_not_asked_for_ever() {
    let (mut pair, _, nack) = challenged();
    let mut prompt = 0;
    for _ in 0..100 {
        let _limited = pair.give(CLIENT, &nack);
        prompt += pair.sent(CLIENT).len();
    }
    assert_eq!(prompt, 8);
    pair.advance(Duration::from_secs(1));
    assert_eq!(pair.sent(CLIENT).len(), 1);
}

#[test]
fn a_cookie_stands_behind_all_but_the_mac() {
    let (_, syn, nack) = challenged();
    let mut message: Message = nack.message();
    message.token = Some([7; 16]);
    let mut buf = [0; 256];
    let len = message.emit(&mut buf, true).unwrap().len;
    assert_eq!(Packet::parse(&buf[..len]).unwrap().message(), &message);
    // A reason behind the cookie of a SYN.
    let mut late = syn.bytes;
    late.extend([OPT_COOKIE, 16]);
    late.extend([0; 18]);
    late.extend([9, 1, 1, 0]);
    late[9] += 6;
    assert!(Packet::parse(&late).is_err());
}

/// SYNs of random clients from random addresses, as many as there are packets.
fn flood(world: &mut World, rng: &mut Rng, model: &[u8], count: u64) {
    for _ in 0..count {
        let mut syn = model.to_vec();
        rng.fill(&mut syn[12..20]);
        let from = IpAddr128::from_v4([
            172,
            16 + rng.below(16) as u8,
            rng.below(256) as u8,
            1 + rng.below(254) as u8,
        ]);
        world.inject(from, addr(SERVER, 1).addr, &syn);
    }
}

#[test]
fn clients_connect_through_a_flood() {
    for seed in 0..16u64 {
        let settings = Settings {
            encapsulation: if seed % 2 == 0 {
                Encapsulation::Auto
            } else {
                Encapsulation::Native
            },
            ..settings()
        };
        let client = Node::new(2 * seed + 1, settings, vec![addr(CLIENT, 1)]);
        let mut server = Node::new(2 * seed + 2, settings, vec![addr(SERVER, 1)]);
        server.under_load = true;
        let faults = Faults {
            loss: 100,
            duplication: 50,
            jitter: Duration::from_millis(10),
            ..Faults::NONE
        };
        let mut world = World::new(seed, [client, server], faults);
        world.captured = Some(Vec::new());
        world.connect();
        let syn = world.captured.take().unwrap()[0].bytes.clone();
        let mut rng = Rng::new(seed);
        for _ in 0..200 {
            flood(&mut world, &mut rng, &syn, 15);
            world.run_for(Duration::from_millis(50)).unwrap();
        }
        let [client, server] = &world.nodes;
        assert!(
            server.cookies_sent > 1500,
            "seed {seed}: {} cookies",
            server.cookies_sent
        );
        for (host, node) in [client, server].into_iter().enumerate() {
            let state = node.conn.flow(SIM_FLOW).map(|flow| flow.state());
            assert_eq!(
                state,
                Some(FlowState::Established),
                "seed {seed}: host {host}"
            );
        }
        let opened = world.event_at(SERVER, |e| matches!(e, Event::Established { .. }));
        assert!(
            opened < Some(Instant(8_000_000)),
            "seed {seed}: open at {opened:?}"
        );
        assert_eq!(server.conn.flows().count(), 1, "seed {seed}");
    }
}
