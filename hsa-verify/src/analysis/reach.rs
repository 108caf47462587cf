// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Forward reachability: one set of headers per port, never one per path.

use crate::model::PortId;
use crate::space::Set;
use crate::transfer::Plane;
use std::collections::{BTreeMap, VecDeque};

/// Where injected headers get to. Ports without an entry see nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Reach {
    /// Headers that enter a box, by input port, including the injected ones.
    pub entering: BTreeMap<PortId, Set>,
    /// Headers that leave a box, by output port, as they look on leaving.
    pub leaving: BTreeMap<PortId, Set>,
}

/// Where the headers of each source end up when they are injected at its port: the least fixpoint
/// of all transfer functions (revisits allowed, every copy of a multicast followed).
pub fn reach(plane: &mut Plane, sources: &[(PortId, Set)]) -> Reach {
    let mut reach = Reach::default();
    let mut fresh: BTreeMap<PortId, Set> = BTreeMap::new();
    let mut queue = VecDeque::new();
    for &(port, headers) in sources {
        arrive(plane, &mut reach, &mut fresh, &mut queue, port, headers);
    }
    while let Some(port) = queue.pop_front() {
        let headers = fresh.remove(&port).unwrap_or(Set::EMPTY);
        for (out, set) in plane.transfer(port, headers) {
            let total = reach.leaving.entry(out).or_insert(Set::EMPTY);
            let joined = plane.space.or(*total, set);
            if joined == *total {
                continue;
            }
            *total = joined;
            for k in 0..plane.receivers(out).len() {
                let to = plane.receivers(out)[k];
                arrive(plane, &mut reach, &mut fresh, &mut queue, to, set);
            }
        }
    }
    reach
}

/// Adds headers to an input port and queues what is new there.
fn arrive(
    plane: &mut Plane,
    reach: &mut Reach,
    fresh: &mut BTreeMap<PortId, Set>,
    queue: &mut VecDeque<PortId>,
    port: PortId,
    headers: Set,
) {
    let seen = reach.entering.entry(port).or_insert(Set::EMPTY);
    let new = plane.space.diff(headers, *seen);
    if new.is_empty() {
        return;
    }
    *seen = plane.space.or(*seen, new);
    match fresh.get_mut(&port) {
        Some(waiting) => *waiting = plane.space.or(*waiting, new),
        None => {
            fresh.insert(port, new);
            queue.push_back(port);
        }
    }
}
