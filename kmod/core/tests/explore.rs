// SPDX-License-Identifier: GPL-2.0-only
//! Exhaustive exploration of the shipping core: every interleaving of moves, timers, losses,
//! repetitions and reorderings, with the properties of the SPIN models.
//!
//! The ignored tests are the long tier: `make explore-deep`.

#[path = "model/canonical.rs"]
mod canonical;
#[path = "model/endpoint.rs"]
mod endpoint;
#[path = "model/host.rs"]
mod host;
#[path = "model/pair.rs"]
mod pair;

use std::time::Instant;

use pair::{Limits, Pair};
use stateright::{Checker, Model};

/// From the SYN on, so many moves of the client and of the server.
const fn from_syn(client: u8, server: u8) -> Limits {
    Limits {
        moves: [Some(client), Some(server)],
        no_overlap: true,
        pings: false,
        established: false,
        capacity: usize::MAX,
    }
}

/// The same with an established connection.
const fn established(client: u8, server: u8) -> Limits {
    Limits {
        established: true,
        ..from_syn(client, server)
    }
}

/// Any number of moves of the hosts named, with at most `capacity` packets in flight at a time.
fn unbounded(hosts: &[usize], capacity: usize) -> Limits {
    let mut limits = established(0, 0);
    for host in hosts {
        limits.moves[*host] = None;
    }
    Limits { capacity, ..limits }
}

/// Explores everything within `limits` and returns the properties that do not hold, each with
/// the shortest sequence of actions that leads there.
fn broken(limits: Limits) -> Vec<String> {
    let began = Instant::now();
    let checker = Pair::new(limits).checker().threads(1).spawn_bfs().join();
    let compared = checker
        .model()
        .check_abstraction()
        .unwrap_or_else(|why| panic!("{why}"));
    let (ends, packets, steps) = checker.model().size();
    println!(
        "{limits:?}:\n  {} states, {} transitions; of the core {ends} ends, {packets} packets, \
         {steps} steps; {compared} steps repeated with equal views; {:.1} s",
        checker.unique_state_count(),
        checker.state_count(),
        began.elapsed().as_secs_f64()
    );
    let discoveries = checker.discoveries();
    let found = |name: &str| discoveries.keys().any(|property| *property == name);
    let mut broken: Vec<String> = discoveries
        .iter()
        .filter(|(property, _)| **property != pair::WITNESS)
        .map(|(property, path)| format!("{property}: {:?}", path.clone().into_actions()))
        .collect();
    // Without bounds, a state after moves is the same as one before them.
    if limits.moves.iter().all(Option::is_some) && !found(pair::WITNESS) {
        broken.push(format!("never: {}", pair::WITNESS));
    }
    broken
}

fn holds(limits: Limits) {
    let broken = broken(limits);
    assert!(broken.is_empty(), "{limits:?}: {broken:#?}");
}

#[test]
fn the_client_moves_twice_from_the_syn_on() {
    holds(from_syn(2, 0));
}

#[test]
fn the_server_moves_twice_from_the_syn_on() {
    holds(from_syn(0, 2));
}

/// Late copies of SYNs push the client's address off the list; its ping brings it back.
#[test]
fn the_client_moves_more_often_than_sources_are_remembered() {
    holds(Limits {
        pings: true,
        ..from_syn(4, 0)
    });
}

#[test]
fn both_move_once_from_the_syn_on() {
    holds(from_syn(1, 1));
}

#[test]
fn both_move_twice() {
    holds(established(2, 2));
}

#[test]
fn both_move_once_and_ping() {
    holds(Limits {
        pings: true,
        ..established(1, 1)
    });
}

#[test]
fn one_host_moves_any_number_of_times() {
    for capacity in 1..=5 {
        holds(unbounded(&[0], capacity));
        holds(unbounded(&[1], capacity));
    }
}

#[test]
fn both_hosts_move_any_number_of_times() {
    for capacity in 1..=2 {
        holds(unbounded(&[0, 1], capacity));
    }
}

/// Both hosts move at the same time and nothing helps them: no protocol can do better, and an
/// exploration that does not find this has not looked.
#[test]
fn crossing_moves_without_help_lose_each_other() {
    let limits = Limits {
        no_overlap: false,
        ..established(1, 1)
    };
    let broken = broken(limits);
    let [lost] = &broken[..] else {
        panic!("one property must fail: {broken:#?}")
    };
    assert!(lost.starts_with("quiet means converged"), "{lost}");
}

#[test]
#[ignore = "long: make explore-deep"]
fn deep_both_move_four_times() {
    holds(established(4, 4));
}

#[test]
#[ignore = "long: make explore-deep"]
fn deep_both_move_twice_from_the_syn_on() {
    holds(from_syn(2, 2));
    holds(from_syn(3, 2));
}

#[test]
#[ignore = "long: make explore-deep"]
fn deep_both_move_twice_and_ping() {
    holds(Limits {
        pings: true,
        ..established(2, 1)
    });
}

#[test]
#[ignore = "long: make explore-deep"]
fn deep_both_hosts_move_any_number_of_times() {
    for capacity in 3..=4 {
        holds(unbounded(&[0, 1], capacity));
    }
}
