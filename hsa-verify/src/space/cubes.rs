// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Showing sets: one header, or the disjoint wildcard expressions that make the set up.

use super::arena::{Set, Space, LEAF};
use crate::header::{Bits, Wildcard, WildcardUnion};

/// The disjoint wildcard expressions of a set, in the order of the diagram.
pub struct Cubes<'a> {
    space: &'a Space,
    /// Nodes still to visit, with the tests on the way to each.
    pending: Vec<(u32, Vec<(u32, bool)>)>,
}

impl Iterator for Cubes<'_> {
    type Item = Wildcard;

    fn next(&mut self) -> Option<Wildcard> {
        while let Some((at, tests)) = self.pending.pop() {
            if at == 0 {
                continue;
            }
            let node = self.space.nodes[at as usize];
            if node.level == LEAF {
                let mut cube = Wildcard::all(self.space.length());
                for (level, value) in tests {
                    cube.set(
                        self.space.bit_of_level[level as usize] as usize,
                        Some(value),
                    );
                }
                return Some(cube);
            }
            let mut high = tests.clone();
            high.push((node.level, true));
            self.pending.push((node.hi, high));
            let mut low = tests;
            low.push((node.level, false));
            self.pending.push((node.lo, low));
        }
        None
    }
}

impl Space {
    /// The disjoint wildcard expressions whose union is the set. There may be very many; take as
    /// many as are to be shown.
    pub fn cubes(&self, set: Set) -> Cubes<'_> {
        Cubes {
            space: self,
            pending: vec![(set.0, Vec::new())],
        }
    }

    /// The set as a union of disjoint wildcard expressions.
    pub fn to_union(&self, set: Set) -> WildcardUnion {
        WildcardUnion(self.cubes(set).collect())
    }

    /// One header of the set: the one with zeros wherever the choice is free. `None` for the
    /// empty set.
    pub fn sample(&self, set: Set) -> Option<Bits> {
        if set.is_empty() {
            return None;
        }
        let mut header = Bits::zeros(self.length());
        let mut at = set.0;
        loop {
            let node = self.nodes[at as usize];
            if node.level == LEAF {
                return Some(header);
            }
            at = node.lo;
            if node.lo == 0 {
                header.set(self.bit_of_level[node.level as usize] as usize, true);
                at = node.hi;
            }
        }
    }
}
