// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Loops, one class of headers at a time: a packet never changes its class. The classes are shared
//! out among the threads of the current rayon pool.

use super::loops::{loops_at_once, Cycle, Limits, Loops};
use crate::model::PortId;
use crate::space::{Set, Space};
use crate::transfer::{Classes, Plane};
use rayon::prelude::*;
use std::collections::BTreeMap;

/// Finds all loops of a plane with these classes. The answer does not depend on the number of
/// threads: where the search for cycles would be cut, one thread does it alone.
pub(super) fn loops_by_class(plane: &mut Plane, classes: &Classes) -> Loops {
    let threads = rayon::current_num_threads().min(classes.len());
    if threads > 1 {
        if let Some(found) = on_threads(plane, classes, threads) {
            return found;
        }
    }
    let mut limits = Limits::default();
    every_nth(plane, classes, 0, 1, &mut limits)
}

/// `None` if the search met its limit.
fn on_threads(plane: &mut Plane, classes: &Classes, threads: usize) -> Option<Loops> {
    let shared = plane.space.mark();
    let whole: &Plane = plane;
    let parts = (0..threads).into_par_iter().map(|first| {
        let mut plane = whole.clone();
        let mut limits = Limits::default();
        let found = every_nth(&mut plane, classes, first, threads, &mut limits);
        (plane.space, found, limits)
    });
    let parts: Vec<(Space, Loops, Limits)> = parts.collect();
    let mut limits = Limits::default();
    if parts
        .iter()
        .any(|(_, part, used)| part.more || !limits.take_off(*used))
    {
        return None;
    }
    let mut all = Gathered::default();
    for (space, part, _) in parts {
        let sets = part.cycles.iter().flat_map(|c| &c.starts);
        let sets = sets.flat_map(|s| [s.once, s.forever]);
        let sets: Vec<Set> = sets.chain(part.forever.values().copied()).collect();
        let mut copies = plane.space.import(&space, &sets, shared).into_iter();
        let mut next = || copies.next().unwrap_or(Set::EMPTY);
        let mut part = part;
        for start in part.cycles.iter_mut().flat_map(|c| &mut c.starts) {
            (start.once, start.forever) = (next(), next());
        }
        for set in part.forever.values_mut() {
            *set = next();
        }
        all.add(part);
    }
    Some(all.join(plane))
}

/// The classes `first`, `first + step`, ...
fn every_nth(
    plane: &mut Plane,
    classes: &Classes,
    first: usize,
    step: usize,
    limits: &mut Limits,
) -> Loops {
    let mut all = Gathered::default();
    for class in (first..classes.len()).step_by(step) {
        plane.narrow(Some((classes, class)));
        let mut part = loops_at_once(plane, limits);
        plane.narrow(None);
        let headers = classes.headers(class);
        for set in part.forever.values_mut() {
            *set = plane.space.and(headers, *set);
        }
        for start in part.cycles.iter_mut().flat_map(|c| &mut c.starts) {
            start.once = plane.space.and(headers, start.once);
            start.forever = plane.space.and(headers, start.forever);
        }
        all.add(part);
    }
    all.join(plane)
}

/// Answers for several classes.
#[derive(Default)]
struct Gathered {
    forever: BTreeMap<PortId, Vec<Set>>,
    cycles: BTreeMap<Vec<PortId>, Vec<Cycle>>,
    more: bool,
}

impl Gathered {
    fn add(&mut self, part: Loops) {
        self.more |= part.more;
        for (port, set) in part.forever {
            self.forever.entry(port).or_default().push(set);
        }
        for cycle in part.cycles {
            self.cycles.entry(cycle.ports()).or_default().push(cycle);
        }
    }

    fn join(self, plane: &mut Plane) -> Loops {
        let space = &mut plane.space;
        let forever = self.forever.into_iter();
        let forever = forever.map(|(p, sets)| (p, space.or_all(sets))).collect();
        let cycles = self.cycles.into_values();
        let cycles = cycles.map(|parts| join_cycle(space, &parts)).collect();
        Loops {
            forever,
            cycles,
            more: self.more,
        }
    }
}

/// The same cycle as found for several classes of headers.
fn join_cycle(space: &mut Space, parts: &[Cycle]) -> Cycle {
    let mut whole = parts[0].clone();
    for (i, start) in whole.starts.iter_mut().enumerate() {
        start.once = space.or_all(parts.iter().map(|c| c.starts[i].once).collect());
        start.forever = space.or_all(parts.iter().map(|c| c.starts[i].forever).collect());
    }
    whole
}
