// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The arena of hash-consed nodes that all sets of one [`Space`] share.

use num_bigint::BigUint;
use rustc_hash::FxHashMap;

use super::image::Programs;

/// A handle of a set of headers in one [`Space`]. Equal handles are equal sets and the reverse.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Set(pub(super) u32);

impl Set {
    /// No header.
    pub const EMPTY: Set = Set(0);
    /// Every header.
    pub const ALL: Set = Set(1);

    /// Whether no header is in the set. This is a decision, not an approximation.
    pub fn is_empty(self) -> bool {
        self == Set::EMPTY
    }
}

/// A point in the life of a [`Space`] to which [`Space::rewind`] can return.
#[derive(Clone, Copy, Debug)]
pub struct Mark(u32);

/// The level of the two constants and of decision leaves: below every bit.
pub(super) const LEAF: u32 = u32::MAX;

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct Node {
    pub level: u32,
    pub lo: u32,
    pub hi: u32,
}

#[derive(Clone, Copy)]
struct CacheEntry {
    key: u64,
    op: u32,
    result: u32,
}

const VACANT: CacheEntry = CacheEntry {
    key: 0,
    op: u32::MAX,
    result: 0,
};

const LARGEST_CACHE: usize = 1 << 18;

/// The universe {0,1}^L and every set of headers made in it.
///
/// A node tests one bit; bits are tested in an order chosen at creation (`level` counts in that
/// order). Nodes are unique, so a set is its root. The arena only grows until it is rewound.
#[derive(Clone)]
pub struct Space {
    pub(super) nodes: Vec<Node>,
    unique: Vec<u32>,
    cache: Vec<CacheEntry>,
    pub(super) level_of_bit: Vec<u32>,
    pub(super) bit_of_level: Vec<u32>,
    pub(super) counts: FxHashMap<u32, u128>,
    pub(super) big_counts: FxHashMap<u32, BigUint>,
    pub(super) programs: Programs,
}

impl Space {
    /// A universe of `length`-bit headers whose diagrams test bits from left to right.
    pub fn new(length: usize) -> Self {
        Space::with_order((0..length as u32).collect())
    }

    /// A universe whose diagrams test the bits in this order. `order` must hold every bit once.
    pub fn with_order(order: Vec<u32>) -> Self {
        let mut level_of_bit = vec![LEAF; order.len()];
        for (level, &bit) in order.iter().enumerate() {
            assert_eq!(
                level_of_bit[bit as usize], LEAF,
                "bit {bit} is listed twice"
            );
            level_of_bit[bit as usize] = level as u32;
        }
        let constant = |value| Node {
            level: LEAF,
            lo: value,
            hi: 0,
        };
        Space {
            nodes: vec![constant(0), constant(1)],
            unique: vec![0; 1 << 14],
            cache: vec![VACANT; 1 << 12],
            level_of_bit,
            bit_of_level: order,
            counts: FxHashMap::default(),
            big_counts: FxHashMap::default(),
            programs: Programs::default(),
        }
    }

    /// Length L of the headers in bits.
    pub fn length(&self) -> usize {
        self.bit_of_level.len()
    }

    /// Number of diagram nodes held, a measure of memory (12 bytes each and the tables).
    pub fn node_count(&self) -> usize {
        self.nodes.len()
    }

    pub(super) fn level(&self, node: u32) -> u32 {
        self.nodes[node as usize].level
    }

    /// The two halves of `node` with respect to `level`, which is at most the node's own level.
    pub(super) fn halves(&self, node: u32, level: u32) -> (u32, u32) {
        let n = self.nodes[node as usize];
        if n.level == level {
            (n.lo, n.hi)
        } else {
            (node, node)
        }
    }

    /// The unique node that tests `level`; a test without consequence is left out.
    pub(super) fn node(&mut self, level: u32, lo: u32, hi: u32) -> u32 {
        if lo == hi {
            return lo;
        }
        self.intern(Node { level, lo, hi })
    }

    /// The leaf of a decision diagram that carries `value`; distinct from both constants.
    pub(super) fn leaf(&mut self, value: u32) -> u32 {
        self.intern(Node {
            level: LEAF,
            lo: value,
            hi: 1,
        })
    }

    fn intern(&mut self, node: Node) -> u32 {
        let mask = self.unique.len() - 1;
        let mut at = hash(node) & mask;
        loop {
            let found = self.unique[at];
            if found == 0 {
                break;
            }
            if self.nodes[found as usize] == node {
                return found;
            }
            at = (at + 1) & mask;
        }
        let id = self.nodes.len() as u32;
        assert!(id < u32::MAX, "more than four thousand million nodes");
        self.nodes.push(node);
        self.unique[at] = id;
        if self.nodes.len() * 2 > self.unique.len() {
            self.rehash(self.unique.len() * 2);
            let wanted = (self.unique.len() / 4).min(LARGEST_CACHE);
            if wanted > self.cache.len() {
                self.cache = vec![VACANT; wanted];
            }
        }
        id
    }

    fn rehash(&mut self, size: usize) {
        self.unique.clear();
        self.unique.resize(size, 0);
        for (id, &node) in self.nodes.iter().enumerate().skip(2) {
            let mut at = hash(node) & (size - 1);
            while self.unique[at] != 0 {
                at = (at + 1) & (size - 1);
            }
            self.unique[at] = id as u32;
        }
    }

    pub(super) fn cached(&self, op: u32, a: u32, b: u32) -> Option<u32> {
        let key = u64::from(a) << 32 | u64::from(b);
        let entry = &self.cache[slot(op, key) & (self.cache.len() - 1)];
        (entry.key == key && entry.op == op).then_some(entry.result)
    }

    pub(super) fn remember(&mut self, op: u32, a: u32, b: u32, result: u32) {
        let key = u64::from(a) << 32 | u64::from(b);
        let at = slot(op, key) & (self.cache.len() - 1);
        self.cache[at] = CacheEntry { key, op, result };
    }

    /// Notes how much the arena holds now.
    pub fn mark(&self) -> Mark {
        Mark(self.nodes.len() as u32)
    }

    /// Brings sets here from `other`, a copy of this space that was made at `shared` and has grown
    /// since. This space must not have been rewound beyond that point.
    pub fn import(&mut self, other: &Space, sets: &[Set], shared: Mark) -> Vec<Set> {
        let mut done = FxHashMap::default();
        let bring = |set: &Set| Set(self.import_node(other, set.0, shared.0, &mut done));
        sets.iter().map(bring).collect()
    }

    fn import_node(
        &mut self,
        other: &Space,
        node: u32,
        shared: u32,
        done: &mut FxHashMap<u32, u32>,
    ) -> u32 {
        if node < shared {
            return node;
        }
        if let Some(&found) = done.get(&node) {
            return found;
        }
        let n = other.nodes[node as usize];
        let lo = self.import_node(other, n.lo, shared, done);
        let hi = self.import_node(other, n.hi, shared, done);
        let found = self.node(n.level, lo, hi);
        done.insert(node, found);
        found
    }

    /// Forgets every set made since `mark`. Handles made since then must not be used again.
    pub fn rewind(&mut self, mark: Mark) {
        if self.nodes.len() as u32 == mark.0 {
            return;
        }
        self.nodes.truncate(mark.0 as usize);
        self.cache.fill(VACANT);
        self.counts.retain(|&node, _| node < mark.0);
        self.big_counts.retain(|&node, _| node < mark.0);
        self.rehash(self.unique.len());
    }
}

fn hash(node: Node) -> usize {
    let a = u64::from(node.lo).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let b = u64::from(node.hi).wrapping_mul(0xc2b2_ae3d_27d4_eb4f);
    let c = u64::from(node.level).wrapping_mul(0x1656_67b1_9e37_79f9);
    let mixed = a ^ b.rotate_left(23) ^ c.rotate_left(47);
    (mixed.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 32) as usize
}

fn slot(op: u32, key: u64) -> usize {
    let mixed = (key ^ u64::from(op) << 59 ^ u64::from(op)).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    ((mixed ^ mixed >> 29).wrapping_mul(0xbf58_476d_1ce4_e5b9) >> 36) as usize
}
