// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Exact number of headers in a set.

use super::arena::{Set, Space, LEAF};
use num_bigint::BigUint;

impl Space {
    /// The number of headers in the set.
    pub fn count(&mut self, set: Set) -> BigUint {
        let length = self.length() as u32;
        match set {
            Set::EMPTY => BigUint::ZERO,
            Set::ALL => BigUint::from(1u8) << length,
            // Only the full set of a 128-bit space exceeds 128 bits.
            Set(root) if length <= 128 => {
                let below = self.count_small(root);
                BigUint::from(below << self.level(root))
            }
            Set(root) => {
                let level = self.level(root);
                self.count_big(root) << level
            }
        }
    }

    /// Points over the bits from the node's own level on; `node` is no constant.
    fn count_small(&mut self, node: u32) -> u128 {
        if let Some(&n) = self.counts.get(&node) {
            return n;
        }
        let n = self.nodes[node as usize];
        let mut total = 0;
        for child in [n.lo, n.hi] {
            let next = self.depth(child);
            let below = match child {
                0 => 0,
                1 => 1,
                _ => self.count_small(child),
            };
            total += below << (next - n.level - 1);
        }
        self.counts.insert(node, total);
        total
    }

    fn count_big(&mut self, node: u32) -> BigUint {
        if let Some(n) = self.big_counts.get(&node) {
            return n.clone();
        }
        let n = self.nodes[node as usize];
        let mut total = BigUint::ZERO;
        for child in [n.lo, n.hi] {
            let next = self.depth(child);
            let below = match child {
                0 => BigUint::ZERO,
                1 => BigUint::from(1u8),
                _ => self.count_big(child),
            };
            total += below << (next - n.level - 1);
        }
        self.big_counts.insert(node, total.clone());
        total
    }

    /// The level of a node, with constants at level L.
    fn depth(&self, node: u32) -> u32 {
        match self.level(node) {
            LEAF => self.length() as u32,
            level => level,
        }
    }
}
