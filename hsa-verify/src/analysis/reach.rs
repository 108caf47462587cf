// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Reachability forward and backward: one set of headers per port, never one per path.

use crate::model::{DeviceId, PortId};
use crate::space::Set;
use crate::transfer::Plane;
use std::collections::{BTreeMap, BTreeSet, VecDeque};

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
    reach_avoiding(plane, sources, &BTreeSet::new())
}

/// Like [`reach`], for packets that never enter one of the avoided boxes.
pub fn reach_avoiding(
    plane: &mut Plane,
    sources: &[(PortId, Set)],
    avoided: &BTreeSet<DeviceId>,
) -> Reach {
    let mut spread = Spread {
        reach: Reach::default(),
        fresh: BTreeMap::new(),
        queue: VecDeque::new(),
        avoided,
    };
    for &(port, headers) in sources {
        spread.arrive(plane, port, headers);
    }
    while let Some(port) = spread.queue.pop_front() {
        let headers = spread.fresh.remove(&port).unwrap_or(Set::EMPTY);
        for (out, set) in plane.transfer(port, headers) {
            let total = spread.reach.leaving.entry(out).or_insert(Set::EMPTY);
            let joined = plane.space.or(*total, set);
            if joined == *total {
                continue;
            }
            *total = joined;
            for k in 0..plane.receivers(out).len() {
                let to = plane.receivers(out)[k];
                spread.arrive(plane, to, set);
            }
        }
    }
    spread.reach
}

struct Spread<'a> {
    reach: Reach,
    /// Headers at input ports that have not been passed on yet.
    fresh: BTreeMap<PortId, Set>,
    queue: VecDeque<PortId>,
    avoided: &'a BTreeSet<DeviceId>,
}

impl Spread<'_> {
    /// Adds headers to an input port and queues what is new there.
    fn arrive(&mut self, plane: &mut Plane, port: PortId, headers: Set) {
        if self.avoided.contains(&plane.device_of(port)) {
            return;
        }
        let seen = self.reach.entering.entry(port).or_insert(Set::EMPTY);
        let new = plane.space.diff(headers, *seen);
        if new.is_empty() {
            return;
        }
        *seen = plane.space.or(*seen, new);
        match self.fresh.get_mut(&port) {
            Some(waiting) => *waiting = plane.space.or(*waiting, new),
            None => {
                self.fresh.insert(port, new);
                self.queue.push_back(port);
            }
        }
    }
}

/// Which headers, entering at which port, have a copy that leaves through a target port with a
/// header of that target: the least fixpoint of T⁻¹. Ports without an answer are absent.
pub fn inverse(plane: &mut Plane, targets: &[(PortId, Set)]) -> BTreeMap<PortId, Set> {
    inverse_avoiding(plane, targets, &BTreeSet::new())
}

/// Like [`inverse`], for packets that never enter one of the avoided boxes.
pub fn inverse_avoiding(
    plane: &mut Plane,
    targets: &[(PortId, Set)],
    avoided: &BTreeSet<DeviceId>,
) -> BTreeMap<PortId, Set> {
    let mut wanted: BTreeMap<PortId, Set> = BTreeMap::new();
    for &(port, headers) in targets {
        let total = wanted.entry(port).or_insert(Set::EMPTY);
        *total = plane.space.or(*total, headers);
    }
    let mut answer: BTreeMap<PortId, Set> = BTreeMap::new();
    let boxes: BTreeSet<DeviceId> = wanted.keys().map(|&p| plane.device_of(p)).collect();
    let mut queue: VecDeque<DeviceId> = boxes.into_iter().collect();
    while let Some(device) = queue.pop_front() {
        if avoided.contains(&device) {
            continue;
        }
        for port in plane.ports_of(device).to_vec() {
            let set = plane.inverse(port, &|q| wanted.get(&q).copied().unwrap_or(Set::EMPTY));
            if answer.get(&port).copied().unwrap_or(Set::EMPTY) == set {
                continue;
            }
            answer.insert(port, set);
            for sender in plane.senders(port).to_vec() {
                let total = wanted.entry(sender).or_insert(Set::EMPTY);
                *total = plane.space.or(*total, set);
                let upstream = plane.device_of(sender);
                if !queue.contains(&upstream) {
                    queue.push_back(upstream);
                }
            }
        }
    }
    answer
}
