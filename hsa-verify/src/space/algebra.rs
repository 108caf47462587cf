// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Boolean algebra of sets: every operation is one memoised walk over its operands.

use super::arena::{Set, Space, LEAF};
use crate::header::Bits;

const AND: u32 = 1;
const OR: u32 = 2;
const DIFF: u32 = 3;
const XOR: u32 = 4;
/// Operations above this number belong to header edits, one number for each.
pub(super) const FIRST_EDIT: u32 = 16;
/// Operations from here on overlay a decision with a leaf, one number for each leaf node.
pub(super) const OVERLAY: u32 = 1 << 31;

impl Space {
    /// The headers in both.
    pub fn and(&mut self, a: Set, b: Set) -> Set {
        Set(self.and_node(a.0, b.0))
    }

    /// The headers in at least one.
    pub fn or(&mut self, a: Set, b: Set) -> Set {
        Set(self.or_node(a.0, b.0))
    }

    /// The headers of `a` that are not in `b`.
    pub fn diff(&mut self, a: Set, b: Set) -> Set {
        Set(self.diff_node(a.0, b.0))
    }

    /// The headers in exactly one of the two.
    pub fn xor(&mut self, a: Set, b: Set) -> Set {
        Set(self.xor_node(a.0, b.0))
    }

    /// The headers outside `a`.
    pub fn not(&mut self, a: Set) -> Set {
        self.diff(Set::ALL, a)
    }

    /// The headers in at least one of many, joined in balanced pairs.
    pub fn or_all(&mut self, mut sets: Vec<Set>) -> Set {
        while sets.len() > 1 {
            let mut next = Vec::with_capacity(sets.len().div_ceil(2));
            for pair in sets.chunks(2) {
                next.push(match *pair {
                    [a, b] => self.or(a, b),
                    _ => pair[0],
                });
            }
            sets = next;
        }
        sets.pop().unwrap_or(Set::EMPTY)
    }

    /// Whether every header of `a` is in `b`.
    pub fn is_subset(&mut self, a: Set, b: Set) -> bool {
        self.diff(a, b).is_empty()
    }

    /// Whether the header is in the set. Panics when its length is not that of the space.
    pub fn contains(&self, set: Set, header: &Bits) -> bool {
        assert_eq!(header.len(), self.length(), "a header of another length");
        let mut at = set.0;
        loop {
            let node = self.nodes[at as usize];
            if node.level == LEAF {
                return at == 1;
            }
            let bit = self.bit_of_level[node.level as usize] as usize;
            at = if header.get(bit) { node.hi } else { node.lo };
        }
    }

    pub(super) fn and_node(&mut self, a: u32, b: u32) -> u32 {
        match (a, b) {
            (0, _) | (_, 0) => return 0,
            (1, x) | (x, 1) => return x,
            _ if a == b => return a,
            _ => {}
        }
        let (a, b) = if a < b { (a, b) } else { (b, a) };
        self.apply(AND, a, b, Space::and_node)
    }

    pub(super) fn or_node(&mut self, a: u32, b: u32) -> u32 {
        match (a, b) {
            (1, _) | (_, 1) => return 1,
            (0, x) | (x, 0) => return x,
            _ if a == b => return a,
            _ => {}
        }
        let (a, b) = if a < b { (a, b) } else { (b, a) };
        self.apply(OR, a, b, Space::or_node)
    }

    pub(super) fn diff_node(&mut self, a: u32, b: u32) -> u32 {
        match (a, b) {
            (0, _) | (_, 1) => return 0,
            (_, 0) => return a,
            _ if a == b => return 0,
            _ => {}
        }
        self.apply(DIFF, a, b, Space::diff_node)
    }

    fn xor_node(&mut self, a: u32, b: u32) -> u32 {
        match (a, b) {
            (0, x) | (x, 0) => return x,
            _ if a == b => return 0,
            (1, x) | (x, 1) if x > 1 => return self.diff_node(1, x),
            (1, _) | (_, 1) => return u32::from(a != b),
            _ => {}
        }
        let (a, b) = if a < b { (a, b) } else { (b, a) };
        self.apply(XOR, a, b, Space::xor_node)
    }

    fn apply(&mut self, op: u32, a: u32, b: u32, recurse: fn(&mut Space, u32, u32) -> u32) -> u32 {
        if let Some(result) = self.cached(op, a, b) {
            return result;
        }
        let level = self.level(a).min(self.level(b));
        let (a0, a1) = self.halves(a, level);
        let (b0, b1) = self.halves(b, level);
        let lo = recurse(self, a0, b0);
        let hi = recurse(self, a1, b1);
        let result = self.node(level, lo, hi);
        self.remember(op, a, b, result);
        result
    }

    /// `f` where `condition` holds, `g` elsewhere.
    pub(super) fn choose(&mut self, condition: u32, f: u32, g: u32) -> u32 {
        let yes = self.and_node(condition, f);
        let no = self.diff_node(g, condition);
        self.or_node(yes, no)
    }
}
