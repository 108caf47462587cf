// SPDX-License-Identifier: GPL-2.0-only
//! Dead paths: what is doubted, asked, left and taken back, in virtual time.

use eccp_core::address::{IpAddr128, LocalAddress, ADDRESS_BACKUP};
use eccp_core::event::{Command, Event};
use eccp_core::settings::{Encapsulation, Policy, Settings};
use eccp_core::sim::{Faults, Node, Rng, World, FLOW};
use eccp_core::time::{Duration, Instant};

const CLIENT: usize = 0;
const SERVER: usize = 1;
/// Round-trip time of the simulated network.
const RTT: Duration = Duration::from_millis(20);

fn addr(host: usize, n: u8) -> LocalAddress {
    LocalAddress {
        addr: IpAddr128::from_v4([10, host as u8 + 1, n, 1]),
        ifindex: u32::from(n),
        flags: if n == 1 { 0 } else { ADDRESS_BACKUP },
        priority: 0,
    }
}

fn addresses(host: usize, count: u8) -> Vec<LocalAddress> {
    (1..=count).map(|n| addr(host, n)).collect()
}

fn settings(policy: Policy) -> Settings {
    Settings {
        encapsulation: Encapsulation::Native,
        policy,
        ..Settings::DEFAULT
    }
}

/// An established connection of hosts with so many addresses each.
fn world(settings: Settings, client: u8, server: u8) -> World {
    let nodes = [
        Node::new(1, settings, addresses(CLIENT, client)),
        Node::new(2, settings, addresses(SERVER, server)),
    ];
    let mut world = World::new(3, nodes, Faults::NONE);
    world.connect();
    run(&mut world, 1_000);
    world
}

fn run(world: &mut World, millis: u64) {
    world
        .run_for(Duration::from_millis(millis))
        .expect("no broken invariant");
}

/// Everything between two addresses vanishes, both ways.
fn cut(world: &mut World, a: LocalAddress, b: LocalAddress) {
    world.dead.push((a.addr, b.addr));
    world.dead.push((b.addr, a.addr));
}

fn trouble(world: &mut World, host: usize) {
    let now = world.now;
    let node = &mut world.nodes[host];
    node.host.now = now;
    node.conn.handle_path_trouble(&node.host, FLOW, RTT);
    world.flush();
}

fn path(world: &World, host: usize) -> (IpAddr128, IpAddr128) {
    let path = world.nodes[host]
        .conn
        .data_path(FLOW)
        .expect("a path for data");
    (path.local, path.remote)
}

fn uses(world: &World, client: u8, server: u8) -> bool {
    let (c, s) = (addr(CLIENT, client).addr, addr(SERVER, server).addr);
    path(world, CLIENT) == (c, s) && path(world, SERVER) == (s, c)
}

/// Virtual milliseconds until both ends use the given addresses.
fn until(world: &mut World, client: u8, server: u8, limit: u64) -> u64 {
    let begin = world.now;
    while !uses(world, client, server) {
        run(world, 5);
        let took = world.now.since(begin).as_millis();
        assert!(
            took <= limit,
            "still at {:?} after {took} ms, events {:?} {:?}",
            (path(world, CLIENT), path(world, SERVER)),
            world.nodes[CLIENT].events,
            world.nodes[SERVER].events
        );
    }
    world.now.since(begin).as_millis()
}

fn has(world: &World, host: usize, wanted: impl Fn(&Event) -> bool) -> bool {
    world.event_at(host, wanted).is_some()
}

/// Acknowledgements are late; they are missed when `left` has passed.
fn suspicion(world: &mut World, host: usize, left: Duration) {
    let now = world.now;
    let node = &mut world.nodes[host];
    node.host.now = now;
    node.conn.handle_path_suspicion(&node.host, FLOW, RTT, left);
    world.flush();
}

/// What is to be known when acknowledgements are missed is known then: the move needs one round
/// trip from there, and nothing is judged before.
#[test]
fn a_suspected_path_is_left_as_soon_as_patience_ends() {
    const LEFT: Duration = Duration::from_millis(125);
    let mut world = world(settings(Policy::FailOver), 2, 1);
    cut(&mut world, addr(CLIENT, 1), addr(SERVER, 1));
    suspicion(&mut world, CLIENT, LEFT);
    run(&mut world, LEFT.as_millis() - 5);
    assert!(!has(&world, CLIENT, |e| matches!(
        e,
        Event::PathTrouble { .. } | Event::Moving { .. }
    )));
    let took = until(&mut world, 2, 1, 2 * RTT.as_millis());
    assert!(took > 0, "moved before acknowledgements were missed");
}

/// The first question goes along the path in use only: an acknowledgement that was merely late
/// costs one ping and its answer.
#[test]
fn a_suspicion_that_is_unfounded_costs_one_ping() {
    let mut world = world(settings(Policy::FailOver), 4, 4);
    let probes = |world: &World| [CLIENT, SERVER].map(|h| world.nodes[h].conn.counters().probes);
    let before = probes(&world);
    suspicion(&mut world, CLIENT, Duration::from_millis(125));
    run(&mut world, 5_000);
    let after = probes(&world);
    assert_eq!(after[CLIENT] - before[CLIENT], 1);
    assert_eq!(after[SERVER], before[SERVER]);
    assert!(uses(&world, 1, 1));
}

#[test]
fn a_suspicion_is_handled_by_hand_when_the_policy_says_so() {
    let mut world = world(settings(Policy::Manual), 2, 1);
    cut(&mut world, addr(CLIENT, 1), addr(SERVER, 1));
    suspicion(&mut world, CLIENT, Duration::from_millis(125));
    run(&mut world, 5_000);
    assert!(uses(&world, 1, 1));
    assert!(has(&world, CLIENT, |e| matches!(
        e,
        Event::PathTrouble { .. }
    )));
}

/// Both addresses of the client are gone for a while. The server is told that its path is good
/// again, though it is the one that it was, so that its transport goes on at once.
#[test]
fn a_peer_that_comes_back_to_where_it_was_is_noticed() {
    let mut world = world(settings(Policy::FailOver), 1, 1);
    world.set_addresses(CLIENT, vec![]);
    trouble(&mut world, SERVER);
    run(&mut world, 3_000);
    assert!(has(&world, SERVER, |e| matches!(
        e,
        Event::PathTrouble { .. }
    )));
    world.set_addresses(CLIENT, addresses(CLIENT, 1));
    run(&mut world, 2 * RTT.as_millis());
    assert!(has(&world, SERVER, |e| matches!(
        e,
        Event::PathAnswers { .. }
    )));
}

#[test]
fn a_path_that_answers_is_kept() {
    let mut world = world(settings(Policy::FailOver), 2, 2);
    trouble(&mut world, CLIENT);
    run(&mut world, 5_000);
    assert!(uses(&world, 1, 1));
    assert!(!has(&world, CLIENT, |e| matches!(
        e,
        Event::PathTrouble { .. } | Event::Moving { .. }
    )));
}

#[test]
fn a_path_that_loses_one_ping_is_kept() {
    let mut world = world(settings(Policy::FailOver), 2, 1);
    cut(&mut world, addr(CLIENT, 1), addr(SERVER, 1));
    trouble(&mut world, CLIENT);
    run(&mut world, 20);
    world.dead.clear();
    run(&mut world, 5_000);
    assert!(uses(&world, 1, 1));
}

#[test]
fn a_client_leaves_a_path_that_is_dead_both_ways() {
    let mut world = world(settings(Policy::FailOver), 2, 1);
    cut(&mut world, addr(CLIENT, 1), addr(SERVER, 1));
    trouble(&mut world, CLIENT);
    let took = until(&mut world, 2, 1, 250);
    assert!(took >= 60, "too soon to know: {took} ms");
    assert!(has(&world, CLIENT, |e| matches!(e, Event::PathDead { .. })));
}

/// Only the sender of the data notices, and only the receiver can move.
#[test]
fn a_server_in_trouble_makes_its_client_move() {
    for one_way in [[true, false], [false, true], [true, true]] {
        let mut world = world(settings(Policy::FailOver), 2, 1);
        let (c, s) = (addr(CLIENT, 1).addr, addr(SERVER, 1).addr);
        for (way, dead) in [(c, s), (s, c)].into_iter().zip(one_way) {
            if dead {
                world.dead.push(way);
            }
        }
        trouble(&mut world, SERVER);
        until(&mut world, 2, 1, 400);
    }
}

#[test]
fn a_client_in_trouble_makes_its_server_move() {
    for one_way in [[true, false], [false, true], [true, true]] {
        let mut world = world(settings(Policy::FailOver), 1, 2);
        let (c, s) = (addr(CLIENT, 1).addr, addr(SERVER, 1).addr);
        for (way, dead) in [(c, s), (s, c)].into_iter().zip(one_way) {
            if dead {
                world.dead.push(way);
            }
        }
        trouble(&mut world, CLIENT);
        until(&mut world, 1, 2, 500);
    }
}

/// Either end could leave the path; they must not both.
#[test]
fn of_two_ends_that_could_move_one_does() {
    for host in [CLIENT, SERVER] {
        let mut world = world(settings(Policy::FailOver), 2, 2);
        cut(&mut world, addr(CLIENT, 1), addr(SERVER, 1));
        trouble(&mut world, host);
        until(&mut world, 2, 1, 500);
        run(&mut world, 5_000);
        assert!(uses(&world, 2, 1));
    }
}

/// Two networks that know nothing of each other: both ends have to change.
#[test]
fn both_ends_leave_for_a_disjoint_network() {
    for host in [CLIENT, SERVER] {
        let mut world = world(settings(Policy::FailOver), 2, 2);
        cut(&mut world, addr(CLIENT, 1), addr(SERVER, 1));
        cut(&mut world, addr(CLIENT, 1), addr(SERVER, 2));
        cut(&mut world, addr(CLIENT, 2), addr(SERVER, 1));
        trouble(&mut world, host);
        for _ in 0..20 {
            run(&mut world, 250);
            // Transports go on missing acknowledgements.
            trouble(&mut world, CLIENT);
            trouble(&mut world, SERVER);
        }
        assert!(
            uses(&world, 2, 2),
            "{:?}",
            (path(&world, CLIENT), path(&world, SERVER))
        );
    }
}

#[test]
fn all_paths_dead_and_one_back() {
    let mut world = world(settings(Policy::FailOver), 2, 1);
    cut(&mut world, addr(CLIENT, 1), addr(SERVER, 1));
    cut(&mut world, addr(CLIENT, 2), addr(SERVER, 1));
    trouble(&mut world, CLIENT);
    run(&mut world, 60_000);
    assert!(uses(&world, 1, 1));
    world.dead.truncate(2);
    // The longest time between two pings, and a move.
    until(&mut world, 2, 1, 2_200);
}

#[test]
fn the_only_path_is_noticed_when_it_is_back() {
    let mut world = world(settings(Policy::FailOver), 1, 1);
    cut(&mut world, addr(CLIENT, 1), addr(SERVER, 1));
    trouble(&mut world, CLIENT);
    run(&mut world, 30_000);
    assert!(world.nodes[CLIENT].conn.path_in_trouble(FLOW));
    world.dead.clear();
    run(&mut world, 2_100);
    assert!(has(&world, CLIENT, |e| matches!(
        e,
        Event::PathAnswers { .. }
    )));
    assert!(!world.nodes[CLIENT].conn.path_in_trouble(FLOW));
}

#[test]
fn a_preferred_path_is_taken_back_when_it_has_been_good_for_a_while() {
    let mut world = world(settings(Policy::Prefer), 2, 1);
    cut(&mut world, addr(CLIENT, 1), addr(SERVER, 1));
    trouble(&mut world, CLIENT);
    until(&mut world, 2, 1, 250);
    run(&mut world, 40_000);
    assert!(uses(&world, 2, 1), "went back to a dead path");
    world.dead.clear();
    // It flaps: good for two seconds, dead for two.
    for _ in 0..5 {
        run(&mut world, 2_000);
        cut(&mut world, addr(CLIENT, 1), addr(SERVER, 1));
        run(&mut world, 2_000);
        assert!(uses(&world, 2, 1), "trusted a path that flaps");
        world.dead.clear();
    }
    let took = until(&mut world, 1, 1, 40_000);
    assert!(took >= 5_000, "no hysteresis: {took} ms");
    assert!(has(&world, CLIENT, |e| matches!(e, Event::PathBack { .. })));
}

#[test]
fn without_preference_the_flow_stays_where_it_is() {
    let mut world = world(settings(Policy::FailOver), 2, 1);
    cut(&mut world, addr(CLIENT, 1), addr(SERVER, 1));
    trouble(&mut world, CLIENT);
    until(&mut world, 2, 1, 250);
    world.dead.clear();
    let sent = world.nodes[CLIENT].conn.counters().sent;
    run(&mut world, 60_000);
    assert!(uses(&world, 2, 1));
    assert_eq!(
        world.nodes[CLIENT].conn.counters().sent,
        sent,
        "pings for nothing"
    );
}

#[test]
fn the_manual_policy_moves_nothing_by_itself() {
    let mut world = world(settings(Policy::Manual), 2, 2);
    cut(&mut world, addr(CLIENT, 1), addr(SERVER, 1));
    trouble(&mut world, CLIENT);
    trouble(&mut world, SERVER);
    run(&mut world, 20_000);
    assert!(uses(&world, 1, 1));
    assert!(has(&world, CLIENT, |e| matches!(
        e,
        Event::PathTrouble { .. }
    )));
    let node = &mut world.nodes[CLIENT];
    let to = addr(CLIENT, 2);
    node.conn
        .handle_command(&mut node.host, Command::Move { flow: FLOW, to })
        .unwrap();
    world.flush();
    until(&mut world, 2, 1, 100);
}

#[test]
fn an_idle_connection_notices_when_it_is_to_keep_itself_alive() {
    let settings = Settings {
        keepalive: Some(Duration::from_secs(10)),
        ..settings(Policy::FailOver)
    };
    let mut world = world(settings, 2, 1);
    run(&mut world, 35_000);
    let answered = world.nodes[CLIENT].conn.counters().probes;
    assert!((3..=4).contains(&answered), "{answered} keepalives in 36 s");
    cut(&mut world, addr(CLIENT, 1), addr(SERVER, 1));
    until(&mut world, 2, 1, 11_000);
}

/// A planned move to a network that turns out dead, while the old one dies, too.
#[test]
fn a_move_that_leads_nowhere_is_replaced_by_one_that_answers() {
    let mut world = world(settings(Policy::FailOver), 3, 1);
    cut(&mut world, addr(CLIENT, 1), addr(SERVER, 1));
    cut(&mut world, addr(CLIENT, 2), addr(SERVER, 1));
    let now = world.now;
    let node = &mut world.nodes[CLIENT];
    node.host.now = now;
    let to = addr(CLIENT, 2);
    node.conn
        .handle_command(&mut node.host, Command::Move { flow: FLOW, to })
        .unwrap();
    world.flush();
    trouble(&mut world, CLIENT);
    until(&mut world, 3, 1, 1_500);
}

/// What one genuine ping can cause, however often it is repeated by somebody else.
#[test]
fn a_repeated_cry_for_help_is_heard_once() {
    let mut world = world(settings(Policy::FailOver), 2, 2);
    world.captured = Some(Vec::new());
    trouble(&mut world, CLIENT);
    run(&mut world, 2_000);
    let pings: Vec<_> = world.captured.take().unwrap();
    let ping = pings
        .iter()
        .find(|p| p.path.local == addr(CLIENT, 1).addr)
        .unwrap()
        .clone();
    let doubts = world.nodes[SERVER].conn.counters().doubts;
    let probes = world.nodes[SERVER].conn.counters().probes;
    assert_eq!(doubts, 1);
    for _ in 0..100 {
        world.inject(ping.path.local, ping.path.remote, &ping.bytes);
        run(&mut world, 10);
    }
    assert_eq!(world.nodes[SERVER].conn.counters().doubts, doubts);
    assert_eq!(world.nodes[SERVER].conn.counters().probes, probes);
}

/// Neither end stirs up the other again and again.
#[test]
fn doubt_of_both_ends_comes_to_rest() {
    let mut world = world(settings(Policy::FailOver), 2, 2);
    trouble(&mut world, CLIENT);
    trouble(&mut world, SERVER);
    run(&mut world, 1_000);
    let sent = |world: &World| {
        world
            .nodes
            .iter()
            .map(|n| n.conn.counters().sent)
            .sum::<u64>()
    };
    let before = sent(&world);
    assert!(before < 60, "{before} packets for nothing");
    run(&mut world, 60_000);
    assert_eq!(sent(&world), before);
}

/// No list of addresses makes a burst longer than its bound, and in time all are asked.
#[test]
fn bursts_are_bounded_and_reach_every_pair() {
    let mut world = world(settings(Policy::FailOver), 8, 8);
    for c in 1..=8 {
        for s in 1..=8 {
            if (c, s) != (8, 1) {
                cut(&mut world, addr(CLIENT, c), addr(SERVER, s));
            }
        }
    }
    let before = world.nodes[CLIENT].conn.counters().probes;
    trouble(&mut world, CLIENT);
    assert!(world.nodes[CLIENT].conn.counters().probes - before <= 16);
    until(&mut world, 8, 1, 10_000);
}

/// Ways die and recover at random; in the end a pair of addresses works, and both ends find it.
#[test]
fn random_outages_end_on_a_path_that_works() {
    let seeds = match std::env::var("ECCP_SIM_SEED") {
        Ok(seed) => {
            let seed = seed.parse().expect("ECCP_SIM_SEED is a number");
            seed..seed + 1
        }
        Err(_) => 0..150,
    };
    for seed in seeds {
        let mut rng = Rng::new(seed);
        let policy = if rng.chance(500) {
            Policy::Prefer
        } else {
            Policy::FailOver
        };
        let mut world = world(settings(policy), 2, 2);
        world.faults.loss = rng.below(100);
        world.faults.jitter = Duration(rng.below(30_000));
        let steps = 3 + rng.below(6);
        for step in 0..=steps {
            world.dead.clear();
            let (keep_c, keep_s) = (rng.below(2) as u8 + 1, rng.below(2) as u8 + 1);
            for (c, s) in [(1, 1), (1, 2), (2, 1), (2, 2)] {
                let (a, b) = (addr(CLIENT, c).addr, addr(SERVER, s).addr);
                let last_hope = step == steps && (c, s) == (keep_c, keep_s);
                for way in [(a, b), (b, a)] {
                    if !last_hope && rng.chance(600) {
                        world.dead.push(way);
                    }
                }
            }
            let rounds = if step == steps { 480 } else { rng.below(20) };
            for _ in 0..rounds {
                world
                    .run_for(Duration::from_millis(250))
                    .unwrap_or_else(|why| panic!("ECCP_SIM_SEED={seed}: {why}"));
                if works(&world) {
                    continue;
                }
                trouble(&mut world, CLIENT);
                trouble(&mut world, SERVER);
            }
        }
        assert!(
            works(&world),
            "ECCP_SIM_SEED={seed}: {:?} {:?} dead {:?}\n{:?}\n{:?}",
            path(&world, CLIENT),
            path(&world, SERVER),
            world.dead,
            world.nodes[CLIENT].conn.flow(FLOW),
            world.nodes[SERVER].conn.flow(FLOW),
        );
    }
}

/// Data of both ends arrives.
fn works(world: &World) -> bool {
    [(CLIENT, SERVER), (SERVER, CLIENT)]
        .into_iter()
        .all(|(host, peer)| {
            let Some(path) = world.nodes[host].conn.data_path(FLOW) else {
                return false;
            };
            let way = (path.local, path.remote);
            let back = world.nodes[peer].conn.data_path(FLOW);
            !world.dead.contains(&way)
                && back.is_some_and(|back| !world.dead.contains(&(back.local, back.remote)))
        })
}

#[test]
fn patience_is_three_round_trips_and_a_least_time() {
    let world = world(settings(Policy::FailOver), 1, 1);
    let conn = &world.nodes[CLIENT].conn;
    assert_eq!(
        conn.path_patience(Duration::from_millis(10)),
        Some(Duration::from_millis(250))
    );
    assert_eq!(
        conn.path_patience(Duration::from_millis(300)),
        Some(Duration::from_millis(900))
    );
    assert_eq!(
        conn.path_suspicion(Duration::from_millis(300)),
        Some(Duration::from_millis(450))
    );
    assert!(Instant(0) < world.now);
}
