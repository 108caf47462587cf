// SPDX-License-Identifier: GPL-2.0-only
//! Exhaustive exploration of the shipping core: every interleaving of moves, timers, losses,
//! repetitions and reorderings, with the properties of the SPIN models.
//!
//! `cargo test -p eccp-core --test explore` is the short tier, `-- --ignored` the long one.

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

fn bounded(client: u8, server: u8) -> Limits {
    Limits {
        moves: [Some(client), Some(server)],
        no_overlap: true,
        pings: false,
        established: false,
        capacity: usize::MAX,
    }
}

/// Explores everything; prints the size of it, and names of the properties that do not hold.
fn explore(name: &str, limits: Limits) -> (usize, Vec<String>) {
    let began = Instant::now();
    let checker = Pair::new(limits).checker().threads(1).spawn_bfs().join();
    let states = checker.unique_state_count();
    let (ends, packets, steps) = checker.model().size();
    let mut broken = Vec::new();
    for (property, path) in checker.discoveries() {
        if !property.starts_with("both have moved") {
            let actions: Vec<_> = path.into_actions();
            broken.push(format!("{property}: {actions:?}"));
        }
    }
    println!(
        "{name}: {states} states, {} steps; of the core {ends} ends, {packets} packets, \
         {steps} steps; {:.1} s",
        checker.state_count(),
        began.elapsed().as_secs_f64()
    );
    (states, broken)
}

#[test]
fn one_and_one() {
    let (_, broken) = explore("1+1", bounded(1, 1));
    assert!(broken.is_empty(), "{broken:#?}");
}

#[test]
#[ignore = "trial"]
fn trial() {
    for established in [true, false] {
        for (c, s) in [
            (1, 0),
            (0, 1),
            (1, 1),
            (2, 1),
            (1, 2),
            (2, 2),
            (3, 3),
            (4, 0),
            (4, 4),
        ] {
            let limits = Limits {
                established,
                ..bounded(c, s)
            };
            let (_, broken) = explore(&format!("{c}+{s} {established}"), limits);
            assert!(broken.is_empty(), "{broken:#?}");
        }
    }
}

#[test]
#[ignore = "trial"]
fn unbounded() {
    for capacity in 1..6 {
        for moves in [[None, Some(0)], [Some(0), None], [None, None]] {
            let limits = Limits {
                moves,
                capacity,
                established: true,
                ..bounded(0, 0)
            };
            let (_, broken) = explore(&format!("{moves:?} cap {capacity}"), limits);
            assert!(broken.is_empty(), "{broken:#?}");
        }
    }
}
