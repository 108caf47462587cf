// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The ways packets take from one port to another, as sequences of ports with their header sets.

use super::reach::inverse;
use crate::model::PortId;
use crate::space::Set;
use crate::transfer::Plane;
use std::collections::BTreeMap;

/// One box on a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PathHop {
    /// The port the packet enters by.
    pub ingress: PortId,
    /// The port it leaves by.
    pub egress: PortId,
}

/// A path that some packet takes; no input port is met twice.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Path {
    /// The boxes in order.
    pub hops: Vec<PathHop>,
    /// The headers at the first port that take this path.
    pub start: Set,
    /// The headers as they leave the last port.
    pub end: Set,
}

/// The paths of one question, and whether there are more than were asked for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Paths {
    /// The paths, in the order of the search.
    pub paths: Vec<Path>,
    /// Whether the search stopped at the limit.
    pub more: bool,
}

/// Up to `limit` paths that `headers` take from the input port `from` to leaving through `to`.
/// Only branches that do arrive are followed.
pub fn paths(plane: &mut Plane, from: PortId, headers: Set, to: PortId, limit: usize) -> Paths {
    let useful = inverse(plane, &[(to, Set::ALL)]);
    let mut search = Search {
        useful,
        to,
        limit,
        hops: Vec::new(),
        found: Paths::default(),
    };
    search.walk(plane, from, headers);
    search.found
}

/// The composition of the transfer functions along a path: what becomes of `headers` that enter
/// at its first port and take exactly these hops. The first hop must not be missing a link to the
/// second, and so on; otherwise nothing arrives.
pub fn along(plane: &mut Plane, hops: &[PathHop], headers: Set) -> Set {
    let mut set = headers;
    for (i, hop) in hops.iter().enumerate() {
        let linked = i == 0 || plane.receivers(hops[i - 1].egress).contains(&hop.ingress);
        let leaving = plane.transfer(hop.ingress, set);
        let through = leaving.iter().find(|(port, _)| *port == hop.egress);
        set = match through {
            Some(&(_, set)) if linked => set,
            _ => return Set::EMPTY,
        };
    }
    set
}

/// The inverse of [`along`]: the headers at the first port that take exactly these hops and
/// leave the last within `wanted`.
pub fn back_along(plane: &mut Plane, hops: &[PathHop], wanted: Set) -> Set {
    let mut set = wanted;
    for hop in hops.iter().rev() {
        let after = set;
        let egress = hop.egress;
        let exit = |out: PortId| if out == egress { after } else { Set::EMPTY };
        set = plane.inverse(hop.ingress, &exit);
    }
    set
}

struct Search {
    /// Headers at input ports that get to the target.
    useful: BTreeMap<PortId, Set>,
    to: PortId,
    limit: usize,
    hops: Vec<PathHop>,
    found: Paths,
}

impl Search {
    fn walk(&mut self, plane: &mut Plane, ingress: PortId, headers: Set) {
        let useful = self.useful.get(&ingress).copied().unwrap_or(Set::EMPTY);
        let headers = plane.space.and(headers, useful);
        if headers.is_empty() || self.hops.iter().any(|h| h.ingress == ingress) {
            return;
        }
        for (egress, set) in plane.transfer(ingress, headers) {
            self.hops.push(PathHop { ingress, egress });
            if egress == self.to {
                self.record(plane, set);
            }
            for k in 0..plane.receivers(egress).len() {
                if self.found.more {
                    break;
                }
                let next = plane.receivers(egress)[k];
                self.walk(plane, next, set);
            }
            self.hops.pop();
        }
    }

    fn record(&mut self, plane: &mut Plane, end: Set) {
        if self.found.paths.len() == self.limit {
            self.found.more = true;
            return;
        }
        let start = back_along(plane, &self.hops, end);
        self.found.paths.push(Path {
            hops: self.hops.clone(),
            start,
            end,
        });
    }
}
