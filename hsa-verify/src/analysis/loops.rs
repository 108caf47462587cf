// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Loops: which headers can travel for ever, and which cycles of ports a packet can go round,
//! once or for ever.
//!
//! Let N_k(p) be the headers that, entering at p, can make k more hops over links: N_0 is
//! everything and N_{k+1}(p) = T⁻¹ of N_k at the far ends. The sequence falls to the greatest
//! fixpoint, the headers with an infinite walk. A packet that goes round a cycle of n ports must
//! be in N_n where it starts and in N_{n-i} after i hops, which leaves next to nothing to search.

use super::loops_by_class::loops_by_class;
use crate::model::PortId;
use crate::space::Set;
use crate::transfer::Plane;
use std::collections::{BTreeMap, BTreeSet};

/// Headers seen from one port of a cycle.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CycleStart {
    /// The input port.
    pub port: PortId,
    /// Headers that, entering here, come back here after one round.
    pub once: Set,
    /// Headers that, entering here, go round this cycle for ever.
    pub forever: Set,
}

/// A cycle of input ports that some packet goes round at least once. It starts at its least port.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cycle {
    /// The same cycle seen from each of its ports, in the order of travel.
    pub starts: Vec<CycleStart>,
}

impl Cycle {
    /// The input ports in the order of travel.
    pub fn ports(&self) -> Vec<PortId> {
        self.starts.iter().map(|s| s.port).collect()
    }

    /// Whether some packet never leaves the cycle; otherwise it comes back a limited number of
    /// times.
    pub fn is_infinite(&self) -> bool {
        self.starts.iter().any(|s| !s.forever.is_empty())
    }
}

/// Everything there is to know about loops.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Loops {
    /// The cycles, by their ports.
    pub cycles: Vec<Cycle>,
    /// Headers from which an infinite walk exists, by input port behind a link; ports without any
    /// are absent. Always complete.
    pub forever: BTreeMap<PortId, Set>,
    /// Whether there may be more cycles than are listed, because the search met its limit.
    pub more: bool,
}

/// The search for cycles gives up after this many hops, which only a network that floods in
/// circles needs: there the number of cycles is exponential.
const MOST_HOPS: u32 = 200_000;
/// More cycles than this are not listed.
const MOST_CYCLES: usize = 1_000;

/// Finds all loops of the network, from any port and for any header.
pub fn loops(plane: &mut Plane) -> Loops {
    plane.on_backbone(|plane| {
        // One by one costs a visit to every port for every class; at once costs visits to the
        // nodes of every table, each some four times as dear.
        let ports = linked_inputs(plane).len().max(1);
        match plane.classes(4 * plane.table_nodes() / ports) {
            Some(classes) => loops_by_class(plane, &classes),
            None => loops_at_once(plane, &mut Limits::default()),
        }
    })
}

/// What is left of the search for cycles.
#[derive(Clone, Copy)]
pub(super) struct Limits {
    hops: u32,
    cycles: usize,
}

impl Limits {
    /// Takes off what another search has used. `false` if that is more than there was.
    pub(super) fn take_off(&mut self, other: Limits) -> bool {
        let whole = Limits::default();
        let hops = self.hops.checked_sub(whole.hops - other.hops);
        let cycles = self.cycles.checked_sub(whole.cycles - other.cycles);
        match (hops, cycles) {
            (Some(hops), Some(cycles)) => {
                *self = Limits { hops, cycles };
                true
            }
            _ => false,
        }
    }
}

impl Default for Limits {
    fn default() -> Self {
        Limits {
            hops: MOST_HOPS,
            cycles: MOST_CYCLES,
        }
    }
}

pub(super) fn loops_at_once(plane: &mut Plane, limits: &mut Limits) -> Loops {
    let ports = linked_inputs(plane);
    let rounds = walks(plane, &ports);
    let last = rounds.last().expect("there is a round 0");
    let forever = ports.iter().map(|&p| (p, last[p.0 as usize]));
    let forever = forever.filter(|(_, set)| !set.is_empty()).collect();
    let mut cycles = BTreeSet::new();
    let mut more = false;
    // A longer cycle exists only when some packet travels that far without meeting a port twice.
    let mut length = 1;
    loop {
        let mut search = Search {
            rounds: &rounds,
            length,
            deepest: false,
            found: &mut cycles,
            limits,
            more: false,
        };
        for &start in &ports {
            search.start(plane, start);
        }
        more |= search.more;
        if more || !search.deepest {
            break;
        }
        length += 1;
    }
    let cycles = cycles.into_iter().map(|ports| examine(plane, &ports));
    Loops {
        cycles: cycles.collect(),
        forever,
        more,
    }
}

/// Input ports that a link leads to.
fn linked_inputs(plane: &Plane) -> Vec<PortId> {
    let inputs = plane.network().physical_ports();
    inputs.filter(|&p| !plane.senders(p).is_empty()).collect()
}

/// N_k by port number; empty where no link leads to.
type Round = Vec<Set>;

/// N_0, N_1, ... up to the fixpoint, which is the last element.
fn walks(plane: &mut Plane, ports: &[PortId]) -> Vec<Round> {
    let network = plane.network().clone();
    let mut first = vec![Set::EMPTY; network.ports.len()];
    for port in ports {
        first[port.0 as usize] = Set::ALL;
    }
    let mut rounds = vec![first];
    let mut affected = vec![true; network.devices.len()];
    loop {
        let last = rounds.last().expect("there is a round 0");
        let mut wanted = vec![Set::EMPTY; network.ports.len()];
        for link in &network.links {
            let total = &mut wanted[link.from.0 as usize];
            *total = plane.space.or(*total, last[link.to.0 as usize]);
        }
        let mut next = last.clone();
        let mut affects = vec![false; network.devices.len()];
        let mut changed = false;
        for &port in ports {
            if !affected[plane.device_of(port).0 as usize] || last[port.0 as usize].is_empty() {
                continue;
            }
            let set = plane.inverse(port, &|out| wanted[out.0 as usize]);
            if set != last[port.0 as usize] {
                next[port.0 as usize] = set;
                changed = true;
                for &sender in plane.senders(port) {
                    affects[plane.device_of(sender).0 as usize] = true;
                }
            }
        }
        if !changed {
            return rounds;
        }
        rounds.push(next);
        affected = affects;
    }
}

struct Search<'a> {
    rounds: &'a [Round],
    length: usize,
    /// Whether some packet made `length` hops without meeting a port twice.
    deepest: bool,
    found: &'a mut BTreeSet<Vec<PortId>>,
    limits: &'a mut Limits,
    more: bool,
}

impl Search<'_> {
    fn start(&mut self, plane: &mut Plane, start: PortId) {
        let set = self.able(start, self.length);
        if !set.is_empty() {
            self.walk(plane, &mut vec![start], set);
        }
    }

    /// Headers at `port` that can make `hops` more hops.
    fn able(&self, port: PortId, hops: usize) -> Set {
        self.rounds[hops.min(self.rounds.len() - 1)][port.0 as usize]
    }

    fn walk(&mut self, plane: &mut Plane, path: &mut Vec<PortId>, set: Set) {
        let here = *path.last().expect("a path has a start");
        let left = self.length - path.len();
        if self.limits.hops == 0 || self.limits.cycles == 0 {
            self.more = true;
            return;
        }
        self.limits.hops -= 1;
        for (out, leaving) in plane.transfer(here, set) {
            for k in 0..plane.receivers(out).len() {
                let to = plane.receivers(out)[k];
                let able = self.able(to, left);
                let arriving = plane.space.and(leaving, able);
                if arriving.is_empty() {
                    continue;
                }
                if left == 0 && to == path[0] {
                    let new = self.found.insert(least_first(path));
                    self.limits.cycles -= usize::from(new && self.limits.cycles > 0);
                } else if !path.contains(&to) {
                    self.deepest |= left == 0;
                    if left > 0 {
                        path.push(to);
                        self.walk(plane, path, arriving);
                        path.pop();
                    }
                }
            }
        }
    }
}

fn least_first(path: &[PortId]) -> Vec<PortId> {
    let least = (0..path.len()).min_by_key(|&i| path[i]).unwrap_or(0);
    let mut cycle = path.to_vec();
    cycle.rotate_left(least);
    cycle
}

fn examine(plane: &mut Plane, ports: &[PortId]) -> Cycle {
    let starts = (0..ports.len()).map(|i| {
        let mut cycle = ports.to_vec();
        cycle.rotate_left(i);
        let once = before_round(plane, &cycle, Set::ALL);
        let mut forever = once;
        loop {
            let next = before_round(plane, &cycle, forever);
            if next == forever {
                break;
            }
            forever = next;
        }
        CycleStart {
            port: cycle[0],
            once,
            forever,
        }
    });
    Cycle {
        starts: starts.collect(),
    }
}

/// Headers at the first port of the cycle that come back to it within `after`.
fn before_round(plane: &mut Plane, cycle: &[PortId], after: Set) -> Set {
    let mut set = after;
    for i in (0..cycle.len()).rev() {
        let to = cycle[(i + 1) % cycle.len()];
        let senders: Vec<PortId> = plane.senders(to).to_vec();
        let wanted = set;
        let exit = |out: PortId| {
            if senders.contains(&out) {
                wanted
            } else {
                Set::EMPTY
            }
        };
        set = plane.inverse(cycle[i], &exit);
    }
    set
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::header::Layout;
    use crate::model::{
        Effect, Match, Network, Next, Output, PortKind, PortMatch, Rule, Spread, Table,
    };
    use std::sync::Arc;

    /// Switches that flood, every one linked to every other: no spanning tree.
    fn flooding_mesh(switches: u32) -> Network {
        let mut net = Network::new(Layout::internet2());
        for s in 0..switches {
            let device = net.add_device(format!("s{s}"));
            let ports: Vec<PortId> = (0..switches)
                .map(|t| net.add_port(device, format!("to{t}"), PortKind::Physical, None))
                .collect();
            let outputs = ports.iter().map(|&p| Output::new(Next::Leave(p)));
            let flood = Rule {
                ports: PortMatch::Any,
                matching: Match::any(),
                effect: Effect::Forward {
                    outputs: outputs.collect(),
                    spread: Spread::All,
                },
                origins: Vec::new(),
                label: None,
            };
            net.devices[device.0 as usize].tables.push(Table {
                name: "flood".into(),
                rules: vec![flood],
            });
        }
        for (s, t) in (0..switches).flat_map(|s| (0..switches).map(move |t| (s, t))) {
            if s != t {
                net.add_link(PortId(s * switches + t), PortId(t * switches + s), None);
            }
        }
        net
    }

    #[test]
    fn too_many_cycles_are_cut_and_said_to_be() {
        let net = Arc::new(flooding_mesh(7));
        let mut plane = Plane::compile(net).expect("a sound network");
        let found = loops(&mut plane);
        assert!(found.more);
        assert_eq!(found.cycles.len(), MOST_CYCLES);
        assert_eq!(found.forever.len(), 42);
        assert!(found.forever.values().all(|&set| set == Set::ALL));
    }

    #[test]
    fn every_cycle_of_a_small_mesh_is_found() {
        let net = Arc::new(flooding_mesh(4));
        let mut plane = Plane::compile(net).expect("a sound network");
        let found = loops(&mut plane);
        assert!(!found.more);
        // Eight triangles and six squares; a packet is never sent back, so none of two boxes.
        // Longer ones meet a box twice by different ports.
        let by_length = |n| found.cycles.iter().filter(|c| c.starts.len() == n).count();
        assert_eq!((by_length(2), by_length(3), by_length(4)), (0, 8, 6));
        assert!(found.cycles.iter().all(Cycle::is_infinite));
    }
}
