// SPDX-License-Identifier: GPL-2.0-only
//! A server moves while its client is behind a NAT that lets nobody in whom the client has not
//! sent to: HOLE-PUNCH and HOLE-PUNCH-ACK (R17, R23).

mod pair;

use eccp_core::address::{Encap, IpAddr128, LocalAddress, RemoteAddr};
use eccp_core::connection::AddFlow;
use eccp_core::event::{Command, Discard, Event, FlowIndex, MoveFailure};
use eccp_core::settings::Settings;
use eccp_core::sim::{Captured, Faults, Mapping, Nat, Node, World, FLOW};
use eccp_core::time::Duration;
use eccp_core::wire::{Message, Packet, PacketType};
use pair::{addr, addr6, CLIENT, SERVER};

const OUTSIDE: IpAddr128 = IpAddr128::from_v4([203, 0, 113, 1]);
const SECOND: FlowIndex = FlowIndex(1);
const MAPPINGS: [Mapping; 3] = [
    Mapping::PerDestination,
    Mapping::PerSource,
    Mapping::Preserving,
];

fn seeds(count: u64) -> std::ops::Range<u64> {
    match std::env::var("ECCP_SIM_SEED") {
        Ok(seed) => {
            let seed = seed.parse().expect("ECCP_SIM_SEED is a number");
            seed..seed + 1
        }
        Err(_) => 0..count,
    }
}

/// A client behind a NAT and a server with two addresses; both have said what they had to say.
fn world(seed: u64, mapping: Mapping) -> World {
    let settings = Settings::DEFAULT;
    let nodes = [
        Node::new(1, settings, vec![addr(CLIENT, 1)]),
        Node::new(2, settings, vec![addr(SERVER, 1)]),
    ];
    let faults = Faults {
        blocks_native: true,
        ..Faults::NONE
    };
    let mut world = World::new(seed, nodes, faults);
    let nat = Nat::new(OUTSIDE, vec![addr(CLIENT, 1).addr]);
    world.nat = Some(nat.with(mapping));
    world.connect();
    run(&mut world, 3_000);
    // The client has never sent anything to the second address.
    world.set_addresses(SERVER, vec![addr(SERVER, 1), addr(SERVER, 2)]);
    run(&mut world, 1_000);
    world.captured = Some(Vec::new());
    world
}

fn run(world: &mut World, millis: u64) {
    let ran = world.run_for(Duration::from_millis(millis));
    ran.unwrap_or_else(|broken| panic!("{broken}"));
}

fn move_server(world: &mut World, to: LocalAddress) {
    let now = world.now;
    let (_, server) = world.pair();
    server.host.now = now;
    let command = Command::Move { flow: FLOW, to };
    let done = server.conn.handle_command(&mut server.host, command);
    assert_eq!(done, Ok(()));
    world.flush();
}

fn message(packet: &Captured) -> Message {
    let parsed = Packet::parse(&packet.bytes).expect("a control packet");
    *parsed.message()
}

fn sent(world: &World, kind: PacketType) -> Vec<Captured> {
    let of_kind = |packet: &&Captured| {
        let parsed = Packet::parse(&packet.bytes);
        parsed.is_ok_and(|parsed| parsed.message().kind == kind)
    };
    let captured = world.captured.as_ref().expect("recorded");
    captured.iter().filter(of_kind).cloned().collect()
}

/// Whether the flow leads from there to the client and back.
fn is_at(world: &World, flow: FlowIndex, to: IpAddr128) -> bool {
    let server = world.nodes[SERVER].conn.data_path(flow);
    let client = world.nodes[CLIENT].conn.data_path(flow);
    server.is_some_and(|path| path.local == to) && client.is_some_and(|path| path.remote == to)
}

/// Whether data of both hosts arrives.
fn flows(world: &mut World) -> bool {
    world.data_every = Some(Duration::from_millis(50));
    run(world, 1_000);
    let before = [CLIENT, SERVER].map(|host| world.nodes[host].data_received);
    run(world, 500);
    let after = [CLIENT, SERVER].map(|host| world.nodes[host].data_received);
    world.data_every = None;
    (0..2).all(|host| after[host] > before[host])
}

fn failed(world: &World) -> bool {
    let failure = |event: &Event| {
        let why = MoveFailure::NoAnswer;
        matches!(event, Event::MoveFailed { why: is, .. } if *is == why)
    };
    world.event_at(SERVER, failure).is_some()
}

#[test]
fn a_planned_move_punches_its_hole_along_the_old_path() {
    for mapping in MAPPINGS {
        let mut world = world(1, mapping);
        move_server(&mut world, addr(SERVER, 2));
        run(&mut world, 1_000);
        assert!(is_at(&world, FLOW, addr(SERVER, 2).addr), "{mapping:?}");
        assert!(flows(&mut world), "{mapping:?}");
        let punches = sent(&world, PacketType::HolePunch);
        let acks = sent(&world, PacketType::HolePunchAck);
        // By UDP and natively: what passes here is not known beforehand.
        assert_eq!((punches.len(), acks.len()), (2, 2), "{mapping:?}");
        for punch in &punches {
            assert_eq!(punch.path.local, addr(SERVER, 1).addr);
            assert_eq!(punch.path.remote, OUTSIDE);
            let named = message(punch).preferred.expect("an address");
            assert_eq!(named.addr, addr(SERVER, 2).addr);
        }
        for ack in &acks {
            assert_eq!(ack.path.local, OUTSIDE);
            assert_eq!(ack.path.remote, addr(SERVER, 2).addr);
            assert!(ack.bytes.len() <= punches[0].bytes.len());
        }
        let counters = world.nodes[CLIENT].conn.counters();
        assert_eq!(
            (counters.punches_answered, counters.punches_refused),
            (2, 0)
        );
        assert_eq!(world.nodes[SERVER].conn.counters().punches, 2);
    }
}

/// With flow IDs that change: HOLE-PUNCH is no handshake with a candidate, and names the old ones.
#[test]
fn a_flow_that_gets_another_id_is_let_in() {
    let mut world = world(14, Mapping::PerDestination);
    for node in &mut world.nodes {
        node.conn.set_settings(&Settings {
            renew_flow_ids: true,
            ..Settings::DEFAULT
        });
    }
    let ids = |world: &World| world.nodes[SERVER].conn.flow(FLOW).map(|f| f.local_id());
    let before = ids(&world);
    move_server(&mut world, addr(SERVER, 2));
    run(&mut world, 3_000);
    assert!(is_at(&world, FLOW, addr(SERVER, 2).addr));
    assert!(flows(&mut world));
    assert_ne!(ids(&world), before);
    assert!(!sent(&world, PacketType::HolePunch).is_empty());
}

/// What HOLE-PUNCH is for: without it, or without its answer, the move comes to nothing and the
/// flow stays where it was.
#[test]
fn without_it_the_move_fails_and_the_old_path_stays() {
    for kind in [PacketType::HolePunch, PacketType::HolePunchAck] {
        let mut world = world(2, Mapping::Preserving);
        world.censored = Some(kind);
        move_server(&mut world, addr(SERVER, 2));
        run(&mut world, 12_000);
        // The NAT has been opened by an answer that was lost behind it, if there was one.
        assert_eq!(failed(&world), kind == PacketType::HolePunch);
        let n = if kind == PacketType::HolePunch { 1 } else { 2 };
        assert!(is_at(&world, FLOW, addr(SERVER, n).addr), "{kind:?}");
        assert!(flows(&mut world), "{kind:?}");
    }
}

#[test]
fn a_lost_flow_asks_along_another() {
    let mut world = world(3, Mapping::PerDestination);
    let (client, _) = world.pair();
    let request = AddFlow {
        from: addr(CLIENT, 1),
        to: Some(RemoteAddr {
            addr: addr(SERVER, 2).addr,
            port: 0,
        }),
        backup: true,
    };
    let added = client.conn.add_flow(&mut client.host, &request);
    assert_eq!(added, Ok(SECOND));
    world.flush();
    run(&mut world, 3_000);
    assert!(is_at(&world, SECOND, addr(SERVER, 2).addr));
    world.set_addresses(SERVER, vec![addr(SERVER, 2), addr(SERVER, 3)]);
    run(&mut world, 3_000);
    assert!(is_at(&world, FLOW, addr(SERVER, 3).addr));
    assert!(is_at(&world, SECOND, addr(SERVER, 2).addr));
    let punches = sent(&world, PacketType::HolePunch);
    assert!(!punches.is_empty());
    for punch in punches {
        assert_eq!(punch.path.local, addr(SERVER, 2).addr);
    }
}

/// Nobody is asked when no way is left, and that is all.
#[test]
fn a_lost_flow_without_another_asks_nobody() {
    let mut world = world(4, Mapping::PerDestination);
    world.set_addresses(SERVER, vec![addr(SERVER, 3)]);
    run(&mut world, 20_000);
    assert!(sent(&world, PacketType::HolePunch).is_empty());
    assert!(world.nodes[SERVER].conn.data_path(FLOW).is_none());
}

/// The NAT forgets what the HOLE-PUNCH-ACK has opened before an RSYN has come through.
#[test]
fn r17_asks_until_the_rsyn_ack() {
    let mut world = world(5, Mapping::Preserving);
    world.data_every = Some(Duration::from_millis(20));
    run(&mut world, 500);
    move_server(&mut world, addr(SERVER, 2));
    let mut forgotten = 0;
    for _ in 0..1_500 {
        run(&mut world, 1);
        let opened = sent(&world, PacketType::HolePunchAck).len();
        if opened > forgotten && forgotten < 4 {
            forgotten = opened;
            world.nat.as_mut().expect("a NAT").flush();
        }
    }
    assert!(forgotten >= 4, "{forgotten}");
    run(&mut world, 6_000);
    assert!(sent(&world, PacketType::HolePunch).len() > 4);
    assert!(!failed(&world));
    assert!(is_at(&world, FLOW, addr(SERVER, 2).addr));
    assert!(flows(&mut world));
}

/// The NAT forgets everything while the move goes on, and gives other ports afterwards: the way
/// that HOLE-PUNCH takes has to be found anew.
#[test]
fn a_nat_that_forgets_in_mid_move_is_followed() {
    for mapping in MAPPINGS {
        let mut world = world(12, mapping);
        world.data_every = Some(Duration::from_millis(20));
        run(&mut world, 500);
        move_server(&mut world, addr(SERVER, 2));
        run(&mut world, 5);
        world.nat.as_mut().expect("a NAT").flush();
        run(&mut world, 4_000);
        assert!(is_at(&world, FLOW, addr(SERVER, 2).addr), "{mapping:?}");
        assert!(!failed(&world), "{mapping:?}");
        let rebound = world.nodes[SERVER].conn.counters().rebindings;
        let expected = u64::from(mapping != Mapping::Preserving);
        assert_eq!(rebound, expected, "{mapping:?}");
    }
}

/// The client has a better address than that of the flow by now, behind another NAT.
#[test]
fn r23_the_answer_leaves_from_the_address_of_the_flow() {
    let mut world = world(13, Mapping::PerSource);
    let other = IpAddr128::from_v4([203, 0, 113, 9]);
    world.other_nats = vec![Nat::new(other, vec![addr(CLIENT, 9).addr])];
    let flow = LocalAddress {
        priority: 9,
        ..addr(CLIENT, 1)
    };
    world.set_addresses(CLIENT, vec![flow, addr(CLIENT, 9)]);
    run(&mut world, 1_000);
    move_server(&mut world, addr(SERVER, 2));
    run(&mut world, 1_000);
    assert!(is_at(&world, FLOW, addr(SERVER, 2).addr));
    let acks = sent(&world, PacketType::HolePunchAck);
    assert!(!acks.is_empty());
    assert!(acks.iter().all(|ack| ack.path.local == OUTSIDE));
}

/// The filter of an IPv6 network, and a move from IPv4 to it: the answer comes from the address
/// that the list names.
#[test]
fn a_move_to_the_other_family_punches_there() {
    let settings = Settings::DEFAULT;
    let both = |host, n| vec![addr(host, 1), addr6(host, n)];
    let nodes = [
        Node::new(1, settings, both(CLIENT, 1)),
        Node::new(2, settings, vec![addr(SERVER, 1)]),
    ];
    let mut world = World::new(6, nodes, Faults::NONE);
    let filter = addr6(CLIENT, 1).addr;
    let nat = Nat::new(filter, vec![filter]);
    world.nat = Some(nat.with(Mapping::Preserving));
    world.connect();
    run(&mut world, 3_000);
    world.captured = Some(Vec::new());
    world.set_addresses(SERVER, both(SERVER, 1));
    run(&mut world, 1_000);
    move_server(&mut world, addr6(SERVER, 1));
    run(&mut world, 2_000);
    assert!(is_at(&world, FLOW, addr6(SERVER, 1).addr));
    assert!(flows(&mut world));
    let acks = sent(&world, PacketType::HolePunchAck);
    assert!(!acks.is_empty());
    assert!(acks.iter().all(|ack| ack.path.local == filter));
}

#[test]
fn holes_are_punched_through_bad_networks() {
    for seed in seeds(60) {
        let mapping = MAPPINGS[seed as usize % 3];
        let mut world = world(seed, mapping);
        world.faults.loss = 10 * (seed % 20);
        world.faults.jitter = Duration::from_millis(seed % 40);
        world.faults.duplication = 100;
        world.data_every = Some(Duration::from_millis(100));
        run(&mut world, 500);
        for n in [2, 1, 2] {
            move_server(&mut world, addr(SERVER, n));
            run(&mut world, 3 + seed % 700);
            world.nat.as_mut().expect("a NAT").flush();
            run(&mut world, 15_000);
            // With four of five round trips lost, ten seconds can be too short for a move.
            let there = is_at(&world, FLOW, addr(SERVER, n).addr);
            assert!(there || failed(&world), "ECCP_SIM_SEED={seed}, to {n}");
            if !there {
                break;
            }
        }
        world.faults.loss = 0;
        run(&mut world, 15_000);
        assert!(flows(&mut world), "ECCP_SIM_SEED={seed}");
    }
}

#[test]
fn nobody_punches_who_is_answered_at_once() {
    let settings = Settings::DEFAULT;
    let nodes = [
        Node::new(1, settings, vec![addr(CLIENT, 1)]),
        Node::new(2, settings, vec![addr(SERVER, 1), addr(SERVER, 2)]),
    ];
    let mut world = World::new(7, nodes, Faults::NONE);
    world.captured = Some(Vec::new());
    world.connect();
    run(&mut world, 3_000);
    for n in [2, 1, 2, 1] {
        move_server(&mut world, addr(SERVER, n));
        run(&mut world, 3_000);
        assert!(is_at(&world, FLOW, addr(SERVER, n).addr));
    }
    assert!(sent(&world, PacketType::HolePunch).is_empty());
}

/// A HOLE-PUNCH of the server's, as it would be if `named` were its new address.
fn punch(world: &World, named: RemoteAddr, version: u64) -> Vec<u8> {
    let server = &world.nodes[SERVER];
    let flow = server.conn.flow(FLOW).expect("a flow");
    let kind = PacketType::HolePunch;
    let mut punch = Message::new(kind, flow.remote_id(), flow.local_id(), version);
    punch.preferred = Some(named);
    server.write_signed(&punch).expect("keys")
}

fn give(world: &mut World, host: usize, bytes: &[u8]) -> Result<(), Discard> {
    let now = world.now;
    let node = &mut world.nodes[host];
    node.host.now = now;
    let path = *node.conn.flow(FLOW).expect("a flow").path();
    let ports = (path.local_port, path.remote_port);
    let rx = node.rx_info(path.local, path.remote, path.encap, ports);
    let done = node.conn.handle_packet(&mut node.host, &rx, bytes);
    world.flush();
    done
}

fn place(addr: [u8; 4]) -> RemoteAddr {
    RemoteAddr {
        addr: IpAddr128::from_v4(addr),
        port: 4433,
    }
}

#[test]
fn nothing_is_sent_to_places_that_are_none() {
    let mut world = world(8, Mapping::Preserving);
    let own = addr(CLIENT, 1).addr.as_v4().expect("IPv4");
    let mut places = vec![
        place([224, 0, 0, 1]),
        place([255, 255, 255, 255]),
        place([127, 0, 0, 1]),
        place([0, 0, 0, 0]),
        place(own),
    ];
    // The client has no address of that family.
    places.push(RemoteAddr {
        addr: addr6(SERVER, 1).addr,
        port: 4433,
    });
    let count = places.len() as u64;
    for named in places {
        let bytes = punch(&world, named, 1);
        assert_eq!(
            give(&mut world, CLIENT, &bytes),
            Err(Discard::OtherPath),
            "{named:?}"
        );
    }
    assert!(sent(&world, PacketType::HolePunchAck).is_empty());
    let client = &world.nodes[CLIENT].conn;
    assert_eq!(client.counters().punches_refused, count);
    let told = |event: &Event| matches!(event, Event::PunchRefused { .. });
    assert!(world.event_at(CLIENT, told).is_some());
}

/// A peer that names strangers: what they get is bounded, and less than it sends.
#[test]
fn a_malicious_peer_gains_nothing_by_naming_strangers() {
    let mut world = world(9, Mapping::Preserving);
    let before = world.nodes[CLIENT].conn.flow(FLOW).cloned();
    let (mut to_client, mut limited) = (0, 0);
    for at in 0..2_000u32 {
        let [_, _, high, low] = at.to_be_bytes();
        let named = place([198, 51, high, low]);
        let bytes = punch(&world, named, u64::from(at) + 1);
        to_client += bytes.len();
        match give(&mut world, CLIENT, &bytes) {
            Ok(()) => {}
            Err(Discard::RateLimited) => limited += 1,
            Err(other) => panic!("{other:?}"),
        }
        run(&mut world, 1);
    }
    let answers = sent(&world, PacketType::HolePunchAck);
    assert!((32..=48).contains(&answers.len()), "{}", answers.len());
    assert_eq!(answers.len() + limited, 2_000);
    let to_strangers: usize = answers.iter().map(|ack| ack.bytes.len()).sum();
    assert!(to_strangers < to_client);
    // No record has changed.
    let after = world.nodes[CLIENT].conn.flow(FLOW);
    let kept = |flow: &eccp_core::flow::Flow| (*flow.path(), flow.newest(), flow.validated());
    assert_eq!(after.map(kept), before.as_ref().map(kept));
    assert!(flows(&mut world));
}

#[test]
fn old_versions_and_repetitions_do_nothing() {
    let mut world = world(10, Mapping::Preserving);
    move_server(&mut world, addr(SERVER, 2));
    run(&mut world, 1_000);
    assert!(is_at(&world, FLOW, addr(SERVER, 2).addr));
    let old: Vec<Captured> = [PacketType::HolePunch, PacketType::HolePunchAck]
        .into_iter()
        .flat_map(|kind| sent(&world, kind))
        .collect();
    assert_eq!(old.len(), 4);
    world.captured = Some(Vec::new());
    for packet in &old {
        let host = match message(packet).kind {
            PacketType::HolePunch => CLIENT,
            _ => SERVER,
        };
        let done = give(&mut world, host, &packet.bytes);
        let wanted = match host {
            CLIENT => Discard::StaleVersion,
            _ => Discard::WrongState,
        };
        assert_eq!(done, Err(wanted));
    }
    for version in [0, 1] {
        let bytes = punch(&world, place([198, 51, 100, 1]), version);
        assert_eq!(give(&mut world, CLIENT, &bytes), Err(Discard::StaleVersion));
    }
    assert!(world.captured.as_ref().is_some_and(Vec::is_empty));
}

/// A HOLE-PUNCH-ACK that somebody sends on from elsewhere, or to another address of the mover.
#[test]
fn an_answer_counts_only_where_it_can_help() {
    let mut world = world(11, Mapping::Preserving);
    // What answers is lost behind the NAT, so the move goes on.
    world.dead = vec![(OUTSIDE, addr(SERVER, 2).addr)];
    move_server(&mut world, addr(SERVER, 2));
    run(&mut world, 1_000);
    let ack = sent(&world, PacketType::HolePunchAck).remove(0);
    world.captured = Some(Vec::new());
    let server = &mut world.nodes[SERVER];
    let stranger = IpAddr128::from_v4([198, 51, 100, 66]);
    let try_it = |server: &mut Node, to: IpAddr128, from: IpAddr128, port: u16| {
        let rx = server.rx_info(to, from, Encap::Udp, (4433, port));
        server.conn.handle_packet(&mut server.host, &rx, &ack.bytes)
    };
    let (new, old) = (addr(SERVER, 2).addr, addr(SERVER, 1).addr);
    assert_eq!(
        try_it(server, new, stranger, 4433),
        Err(Discard::UnexpectedSource)
    );
    assert_eq!(try_it(server, old, OUTSIDE, 4433), Err(Discard::OtherPath));
    assert_eq!(try_it(server, new, OUTSIDE, 777), Ok(()));
    world.flush();
    let rsyns = sent(&world, PacketType::Rsyn);
    assert_eq!(rsyns.len(), 1);
    assert_eq!(
        (rsyns[0].path.remote, rsyns[0].path.remote_port),
        (OUTSIDE, 777)
    );
    // Repetitions are bounded, too.
    let server = &mut world.nodes[SERVER];
    let done: Vec<_> = (0..100)
        .map(|_| try_it(server, new, OUTSIDE, 777))
        .collect();
    assert!(done.contains(&Err(Discard::RateLimited)) || done.contains(&Err(Discard::QueueFull)));
    world.flush();
    assert!(sent(&world, PacketType::Rsyn).len() <= 17);
}
