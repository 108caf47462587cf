// SPDX-License-Identifier: GPL-2.0-only
//! NATs: a client behind one that forgets its bindings, and somebody who only looks like one (R22).

mod pair;

use eccp_core::address::{Encap, IpAddr128, LocalAddress};
use eccp_core::event::{Event, PathChange};
use eccp_core::settings::{Encapsulation, Settings};
use eccp_core::sim::{Faults, Nat, Node, Rng, World, FLOW};
use eccp_core::time::{Duration, Instant};
use eccp_core::wire::{Header, PacketType};
use pair::{addr, CLIENT, SERVER};

const OUTSIDE: IpAddr128 = IpAddr128::from_v4([203, 0, 113, 1]);

fn settings() -> Settings {
    Settings {
        encapsulation: Encapsulation::Auto,
        ..Settings::DEFAULT
    }
}

/// A client behind a NAT, which lets only UDP pass, and a server with a public address.
fn world(settings: Settings) -> World {
    world_with(settings, 20)
}

/// The same at a round trip of so many milliseconds.
fn world_with(settings: Settings, round_trip: u64) -> World {
    let nodes = [
        Node::new(1, settings, vec![addr(CLIENT, 1)]),
        Node::new(2, settings, vec![addr(SERVER, 1)]),
    ];
    let faults = Faults {
        blocks_native: true,
        delay: Duration::from_millis(round_trip / 2),
        ..Faults::NONE
    };
    let mut world = World::new(3, nodes, faults);
    world.nat = Some(Nat::new(OUTSIDE, vec![addr(CLIENT, 1).addr]));
    world.connect();
    run(&mut world, 2_000);
    world
}

/// A connection without NATs.
fn plain_world() -> World {
    let settings = Settings {
        encapsulation: Encapsulation::Native,
        ..Settings::DEFAULT
    };
    let nodes = [
        Node::new(1, settings, vec![addr(CLIENT, 1)]),
        Node::new(2, settings, vec![addr(SERVER, 1)]),
    ];
    let mut world = World::new(3, nodes, Faults::NONE);
    world.connect();
    run(&mut world, 2_000);
    world
}

fn run(world: &mut World, millis: u64) {
    world
        .run_for(Duration::from_millis(millis))
        .expect("no broken invariant");
}

fn port_at_server(world: &World) -> u16 {
    let path = world.nodes[SERVER].conn.data_path(FLOW).expect("a path");
    path.remote_port
}

fn rebindings(world: &World) -> u64 {
    world.nodes[SERVER].conn.counters().rebindings
}

/// Whether data of both hosts arrives within a while.
fn flows(world: &mut World, millis: u64) -> bool {
    world.data_every = Some(Duration::from_millis(50));
    run(world, millis);
    let before = [CLIENT, SERVER].map(|host| world.nodes[host].data_received);
    run(world, 500);
    let after = [CLIENT, SERVER].map(|host| world.nodes[host].data_received);
    world.data_every = None;
    before
        .iter()
        .zip(after)
        .all(|(before, after)| after > *before)
}

#[test]
fn a_path_through_a_nat_is_found_and_both_ends_know() {
    let mut world = world(settings());
    let path = world.nodes[SERVER].conn.data_path(FLOW).unwrap();
    assert_eq!((path.encap, path.remote), (Encap::Udp, OUTSIDE));
    let observed = world.nodes[CLIENT].conn.flow(FLOW).unwrap().observed();
    assert_eq!(observed.map(|seen| seen.addr), Some(OUTSIDE));
    assert_eq!(
        world.nodes[SERVER].conn.flow(FLOW).unwrap().observed(),
        None
    );
    assert!(flows(&mut world, 0));
}

#[test]
fn without_a_nat_none_is_seen_and_nothing_is_kept_alive() {
    let mut world = plain_world();
    let client = &world.nodes[CLIENT].conn;
    assert_eq!(client.flow(FLOW).unwrap().observed(), None);
    let sent = client.counters().sent;
    run(&mut world, 300_000);
    assert_eq!(world.nodes[CLIENT].conn.counters().sent, sent);
}

#[test]
fn a_nat_is_kept_alive_by_who_is_behind_it() {
    let mut world = world(settings());
    let before = [CLIENT, SERVER].map(|host| world.nodes[host].conn.counters().probes);
    run(&mut world, 101_000);
    let after = [CLIENT, SERVER].map(|host| world.nodes[host].conn.counters().probes);
    assert!((4..=5).contains(&(after[CLIENT] - before[CLIENT])));
    assert_eq!(after[SERVER], before[SERVER]);
}

#[test]
fn a_new_binding_is_proven_and_followed() {
    let mut world = world(settings());
    let old = port_at_server(&world);
    world.nat.as_mut().unwrap().flush();
    assert!(flows(&mut world, 500));
    assert_ne!(port_at_server(&world), old);
    assert_eq!(rebindings(&world), 1);
    let seen = world.event_at(SERVER, |event| {
        matches!(
            event,
            Event::PathChanged {
                why: PathChange::PeerRebound,
                ..
            }
        )
    });
    assert!(seen.is_some());
}

/// The versions of both ends stay: it is the same address, seen from elsewhere.
#[test]
fn a_rebinding_has_no_version() {
    let mut world = world(settings());
    world.nat.as_mut().unwrap().flush();
    assert!(flows(&mut world, 500));
    for node in &world.nodes {
        let flow = node.conn.flow(FLOW).unwrap();
        assert_eq!(
            (flow.version(), flow.newest(), flow.validated()),
            (0, 0, Some(0))
        );
    }
}

/// Nobody sends anything but the keepalives of the client.
#[test]
fn an_idle_connection_is_found_by_its_keepalive() {
    let mut world = world(settings());
    let old = port_at_server(&world);
    world.nat.as_mut().unwrap().flush();
    run(&mut world, 26_000);
    assert_ne!(port_at_server(&world), old);
}

/// The client moves through the same NAT, which then forgets the new path, too.
#[test]
fn a_move_and_a_rebinding_after_it() {
    let mut world = world(settings());
    let second = addr(CLIENT, 2);
    world.nat.as_mut().unwrap().inside.push(second.addr);
    world.set_addresses(CLIENT, vec![second]);
    assert!(flows(&mut world, 1_000));
    let old = port_at_server(&world);
    world.nat.as_mut().unwrap().flush();
    assert!(flows(&mut world, 1_000));
    assert_ne!(port_at_server(&world), old);
    assert_eq!(rebindings(&world), 1);
}

/// Somebody on the way copies data under an address of its own and forwards both ways: it does
/// return the challenge, and so does the address on record.
#[test]
fn who_forwards_packets_does_not_become_the_peer() {
    let mut world = plain_world();
    world.relay = Some(IpAddr128::from_v4([198, 51, 100, 66]));
    for _ in 0..10 {
        assert!(flows(&mut world, 1_000));
        let path = world.nodes[SERVER].conn.data_path(FLOW).unwrap();
        assert_eq!(path.remote, addr(CLIENT, 1).addr);
    }
    let counters = world.nodes[SERVER].conn.counters();
    assert_eq!(counters.rebindings, 0);
    assert!(counters.rebindings_refused >= 5, "{counters:?}");
}

/// What a silent rebinding costs from the packet that shows it to the decision.
fn cost(mut world: World, round_trip: u64) -> u64 {
    world.faults.delay = Duration::from_millis(round_trip / 2);
    world.nat.as_mut().unwrap().flush();
    world.data_every = Some(Duration::from_millis(1));
    let flushed = world.now;
    run(&mut world, 3_000);
    let rebound = |event: &Event| {
        matches!(
            event,
            Event::PathChanged {
                why: PathChange::PeerRebound,
                ..
            }
        )
    };
    let at = world.event_at(SERVER, rebound).expect("followed");
    let counters = world.nodes[SERVER].conn.counters();
    assert_eq!((counters.rebindings, counters.rebindings_reverted), (1, 0));
    let shown = flushed.after(Duration::from_millis(round_trip / 2));
    at.since(shown).as_millis()
}

#[test]
fn a_new_binding_costs_less_than_two_round_trips() {
    for round_trip in [2, 20, 200, 1_000] {
        let took = cost(world_with(settings(), round_trip), round_trip);
        let most = (2 * round_trip).max(round_trip + 16);
        assert!(
            (round_trip..=most).contains(&took),
            "{took} ms at a round trip of {round_trip} ms"
        );
    }
}

/// The network is ten times as slow as when the connection was set up, or a tenth.
#[test]
fn a_new_binding_is_followed_whatever_is_known_of_the_round_trip() {
    for (known, round_trip) in [(20, 200), (20, 1_000), (200, 20)] {
        let took = cost(world_with(settings(), known), round_trip);
        let longer = known.max(round_trip);
        assert!(
            (longer..=2 * longer).contains(&took),
            "{took} ms at a round trip of {round_trip} ms and not {known} ms"
        );
    }
}

/// The first challenge to the address on record is lost while somebody forwards the other.
#[test]
fn one_lost_challenge_is_not_silence() {
    let mut world = plain_world();
    let (client, server) = (addr(CLIENT, 1).addr, addr(SERVER, 1).addr);
    world.relay = Some(IpAddr128::from_v4([198, 51, 100, 66]));
    world.dead = vec![(server, client)];
    world.data_every = Some(Duration::from_millis(5));
    while world.nodes[SERVER].conn.counters().probes == 0 {
        run(&mut world, 1);
    }
    world.dead.clear();
    run(&mut world, 500);
    let counters = world.nodes[SERVER].conn.counters();
    assert_eq!(
        (counters.rebindings, counters.rebindings_refused),
        (0, 1),
        "{counters:?}"
    );
}

/// Everything that the address on record says is lost while a source is asked that only forwards:
/// it is believed, until the true address answers.
#[test]
fn an_address_on_record_that_was_only_unlucky_is_taken_back() {
    let mut world = plain_world();
    let (client, server) = (addr(CLIENT, 1).addr, addr(SERVER, 1).addr);
    let relay = IpAddr128::from_v4([198, 51, 100, 66]);
    world.relay = Some(relay);
    world.dead = vec![(server, client)];
    world.data_every = Some(Duration::from_millis(5));
    let remote = |world: &World| world.nodes[SERVER].conn.data_path(FLOW).unwrap().remote;
    while remote(&world) == client {
        run(&mut world, 1);
        assert!(world.now < Instant(10_000_000), "never believed");
    }
    assert_eq!(remote(&world), relay);
    world.dead.clear();
    run(&mut world, 1_000);
    assert_eq!(remote(&world), client);
    run(&mut world, 10_000);
    assert_eq!(remote(&world), client);
    let counters = world.nodes[SERVER].conn.counters();
    assert_eq!(
        (counters.rebindings, counters.rebindings_reverted),
        (1, 1),
        "{counters:?}"
    );
}

/// Somebody lets only copies of the peer's packets pass, and the answers of the true address later.
#[test]
fn an_answer_that_was_kept_back_counts_for_two_seconds() {
    for (kept_back, taken_back) in [(1_000, true), (3_000, false)] {
        let mut world = plain_world();
        let (client, server) = (addr(CLIENT, 1).addr, addr(SERVER, 1).addr);
        let relay = IpAddr128::from_v4([198, 51, 100, 66]);
        world.relay = Some(relay);
        world.dead = vec![(client, server)];
        world.captured = Some(Vec::new());
        world.data_every = Some(Duration::from_millis(100));
        let remote = |world: &World| world.nodes[SERVER].conn.data_path(FLOW).unwrap().remote;
        while remote(&world) == client {
            run(&mut world, 1);
            assert!(world.now < Instant(10_000_000), "never believed");
        }
        world.data_every = None;
        run(&mut world, kept_back);
        let answers: Vec<_> = world.captured.take().unwrap();
        world.dead.clear();
        for packet in answers {
            let kind = Header::parse(&packet.bytes).map(|header| header.kind);
            if kind == Ok(PacketType::Pong) && packet.path.local == client {
                world.inject(client, server, &packet.bytes);
            }
        }
        run(&mut world, 100);
        assert_eq!(remote(&world) == client, taken_back, "after {kept_back} ms");
    }
}

/// Data alone, without the peer behind it, makes no more of us than its own share.
#[test]
fn a_spoofed_source_gets_three_times_what_came_from_it() {
    let mut world = plain_world();
    world.data_every = Some(Duration::from_millis(100));
    world.captured = Some(Vec::new());
    run(&mut world, 200);
    let captured = world.captured.take().unwrap();
    let data = captured
        .iter()
        .find(|p| p.path.local == addr(CLIENT, 1).addr)
        .unwrap()
        .clone();
    world.data_every = None;
    let segment = [data.bytes.as_slice(), &[0; 32]].concat();
    let victim = IpAddr128::from_v4([198, 51, 100, 66]);
    world.captured = Some(Vec::new());
    let (mut to, mut from) = (0, 0);
    // At first the true source is silent, so that it does not end the questions.
    let (client, server) = (data.path.local, data.path.remote);
    world.dead = vec![(client, server), (server, client)];
    for pause in core::iter::once(3000).chain([20; 200]) {
        world.inject(victim, data.path.remote, &segment);
        run(&mut world, pause);
        let captured = world.captured.replace(Vec::new()).unwrap();
        for packet in captured {
            match (packet.path.local == victim, packet.path.remote == victim) {
                (true, _) => from += packet.bytes.len(),
                (_, true) => to += packet.bytes.len(),
                _ => {}
            }
        }
        assert!(to <= 3 * from, "{to} for {from}");
        world.dead.clear();
    }
    assert!(to > 0);
    assert_eq!(rebindings(&world), 0);
}

#[test]
fn data_that_a_move_left_behind_means_nothing() {
    let mut world = plain_world();
    world.nodes[CLIENT].addresses.push(addr(CLIENT, 2));
    world.data_every = Some(Duration::from_millis(10));
    world.faults.jitter = Duration::from_millis(30);
    for n in [2, 1, 2, 1] {
        let set = vec![addr(CLIENT, n), addr(CLIENT, 3 - n)];
        world.set_addresses(CLIENT, set);
        let now = world.now;
        let node = &mut world.nodes[CLIENT];
        node.host.now = now;
        let to = addr(CLIENT, n);
        let command = eccp_core::event::Command::Move { flow: FLOW, to };
        let _there_already = node.conn.handle_command(&mut node.host, command);
        world.flush();
        run(&mut world, 2_000);
        let path = world.nodes[SERVER].conn.data_path(FLOW).unwrap();
        assert_eq!(path.remote, addr(CLIENT, n).addr);
    }
    assert_eq!(world.nodes[SERVER].conn.counters().strays, 0);
}

/// A NAT that forgets at random moments under loss, both ends sending.
#[test]
fn a_forgetful_nat_under_loss() {
    let seeds = match std::env::var("ECCP_SIM_SEED") {
        Ok(seed) => {
            let seed = seed.parse().expect("ECCP_SIM_SEED is a number");
            seed..seed + 1
        }
        Err(_) => 0..100,
    };
    for seed in seeds {
        let mut rng = Rng::new(seed);
        let mut world = world(settings());
        world.faults.loss = rng.below(200);
        world.faults.jitter = Duration(rng.below(40_000));
        world.data_every = Some(Duration::from_millis(100));
        for _ in 0..3 + rng.below(5) {
            let pause = rng.below(3_000);
            world
                .run_for(Duration::from_millis(pause))
                .unwrap_or_else(|why| panic!("ECCP_SIM_SEED={seed}: {why}"));
            world.nat.as_mut().unwrap().flush();
        }
        world.faults.loss = 0;
        assert!(
            flows(&mut world, 5_000),
            "ECCP_SIM_SEED={seed}: {:?}",
            world.nodes[SERVER].conn.flow(FLOW)
        );
    }
}

#[test]
fn a_client_that_asks_from_two_addresses_sees_no_nat() {
    for seed in 0..300 {
        let second = |host: u8| LocalAddress {
            addr: IpAddr128([0x20, 1, 0xd, 0xb8, 0, 0, 0, host, 0, 0, 0, 0, 0, 0, 0, 1]),
            ifindex: 2,
            ..LocalAddress::NONE
        };
        let nodes = [
            Node::new(seed, settings(), vec![addr(CLIENT, 1), second(1)]),
            Node::new(seed + 1, settings(), vec![addr(SERVER, 1), second(2)]),
        ];
        let faults = Faults {
            loss: 300,
            delay: Duration::from_millis(20),
            jitter: Duration::from_millis(200),
            ..Faults::NONE
        };
        let mut world = World::new(seed, nodes, faults);
        world.connect();
        run(&mut world, 5_000);
        let flow = world.nodes[CLIENT].conn.flow(FLOW).expect("a flow");
        assert_eq!(flow.observed(), None, "seed {seed}");
    }
}
