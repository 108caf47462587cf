// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Isolation of slices (NSDI 2012, section 5.3) and waypoints.

use super::reach::{inverse_avoiding, reach, reach_avoiding};
use crate::model::{DeviceId, PortId};
use crate::space::Set;
use crate::transfer::Plane;
use std::collections::{BTreeMap, BTreeSet};

/// A slice: headers, at some ports or at all.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Slice {
    /// The name.
    pub name: String,
    /// Its ports; an empty list means every port.
    pub ports: BTreeSet<PortId>,
    /// Its headers at those ports.
    pub headers: Set,
}

impl Slice {
    /// The slice's headers at a port.
    fn at(&self, port: PortId) -> Set {
        match self.ports.is_empty() || self.ports.contains(&port) {
            true => self.headers,
            false => Set::EMPTY,
        }
    }
}

/// Two slices claim the same headers at the same ports.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Overlap {
    /// Index of one slice.
    pub first: usize,
    /// Index of the other.
    pub second: usize,
    /// The ports where both claim them; empty means every port.
    pub ports: BTreeSet<PortId>,
    /// The headers.
    pub headers: Set,
}

/// Packets of one slice turn into packets of another.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Leak {
    /// Index of the slice they start in.
    pub from: usize,
    /// Index of the slice they end in.
    pub into: usize,
    /// The output port where they show up.
    pub port: PortId,
    /// The headers there.
    pub headers: Set,
}

/// The verdict on a list of slices: isolated when both lists are empty.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Isolation {
    /// Definitions that overlap.
    pub overlaps: Vec<Overlap>,
    /// Packets that cross from one slice into another.
    pub leaks: Vec<Leak>,
}

/// Whether the slices are disjoint, and stay so wherever the network takes their packets. A
/// packet counts as leaked when it starts in one slice (and not in the other) and leaves some box
/// with a header and port of the other slice alone.
pub fn isolation(plane: &mut Plane, slices: &[Slice]) -> Isolation {
    let mut verdict = Isolation::default();
    for i in 0..slices.len() {
        for j in i + 1..slices.len() {
            overlap(plane, slices, i, j, &mut verdict.overlaps);
        }
    }
    let ports: Vec<PortId> = plane.network().physical_ports().collect();
    for (i, slice) in slices.iter().enumerate() {
        let sources: Vec<(PortId, Set)> = ports
            .iter()
            .map(|&p| (p, slice.at(p)))
            .filter(|(_, headers)| !headers.is_empty())
            .collect();
        let reached = reach(plane, &sources);
        for (j, other) in slices.iter().enumerate().filter(|&(j, _)| j != i) {
            for (&port, &set) in &reached.leaving {
                let foreign = plane.space.diff(other.at(port), slice.at(port));
                let headers = plane.space.and(set, foreign);
                if !headers.is_empty() {
                    verdict.leaks.push(Leak {
                        from: i,
                        into: j,
                        port,
                        headers,
                    });
                }
            }
        }
    }
    verdict
}

fn overlap(plane: &mut Plane, slices: &[Slice], i: usize, j: usize, found: &mut Vec<Overlap>) {
    let (a, b) = (&slices[i], &slices[j]);
    let headers = plane.space.and(a.headers, b.headers);
    let ports = match (a.ports.is_empty(), b.ports.is_empty()) {
        (true, _) => b.ports.clone(),
        (_, true) => a.ports.clone(),
        _ => a.ports.intersection(&b.ports).copied().collect(),
    };
    let everywhere = a.ports.is_empty() && b.ports.is_empty();
    if !headers.is_empty() && (everywhere || !ports.is_empty()) {
        found.push(Overlap {
            first: i,
            second: j,
            ports,
            headers,
        });
    }
}

/// Packets that get from a source to a target without passing a waypoint.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Bypass {
    /// The headers at the source ports whose copies bypass the waypoints.
    pub start: BTreeMap<PortId, Set>,
    /// The headers at the target ports that came by another way.
    pub end: BTreeMap<PortId, Set>,
}

impl Bypass {
    /// Whether every packet passes a waypoint.
    pub fn is_empty(&self) -> bool {
        self.end.is_empty()
    }
}

/// Must everything that gets from the sources to leaving through a target pass one of the
/// waypoint boxes? The answer is what does not.
pub fn waypoint(
    plane: &mut Plane,
    sources: &[(PortId, Set)],
    targets: &[PortId],
    waypoints: &BTreeSet<DeviceId>,
) -> Bypass {
    let reached = reach_avoiding(plane, sources, waypoints);
    let mut bypass = Bypass::default();
    for &target in targets {
        if let Some(&set) = reached.leaving.get(&target) {
            bypass.end.insert(target, set);
        }
    }
    if bypass.end.is_empty() {
        return bypass;
    }
    let ends: Vec<(PortId, Set)> = bypass.end.iter().map(|(&p, &s)| (p, s)).collect();
    let origins = inverse_avoiding(plane, &ends, waypoints);
    for &(port, headers) in sources {
        let able = origins.get(&port).copied().unwrap_or(Set::EMPTY);
        let start = plane.space.and(headers, able);
        if !start.is_empty() {
            let total = bypass.start.entry(port).or_insert(Set::EMPTY);
            *total = plane.space.or(*total, start);
        }
    }
    bypass
}
