// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Classes of headers that a group of decisions treats alike (Yang and Lam's atomic predicates,
//! ICNP 2013), over the topmost bits only.

use super::arena::{Set, Space};
use super::decision::Decision;
use rustc_hash::FxHashMap;

/// One class of headers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Class {
    /// The headers.
    pub headers: Set,
    /// What is left of each decision for these headers: it tests lower bits only.
    pub rest: Vec<Decision>,
}

/// Classes of a group of decisions while they are joined: a diagram whose leaves are rows.
struct Partition {
    root: u32,
    rows: Vec<Vec<u32>>,
}

impl Space {
    /// Divides all headers by their `levels` topmost bits, so that within a class no decision
    /// depends on these bits. `None` when there would be more than `limit` classes.
    pub fn classes(
        &mut self,
        decisions: &[Decision],
        levels: u32,
        limit: usize,
    ) -> Option<Vec<Class>> {
        let mut parts: Vec<Partition> = decisions.iter().map(|d| self.tops(d.0, levels)).collect();
        while parts.len() > 1 {
            let mut next = Vec::with_capacity(parts.len().div_ceil(2));
            let mut pairs = parts.into_iter();
            while let Some(a) = pairs.next() {
                next.push(match pairs.next() {
                    Some(b) => self.join(&a, &b, limit)?,
                    None => a,
                });
            }
            parts = next;
        }
        let Some(partition) = parts.pop() else {
            return Some(Vec::new());
        };
        let divided = self.divide(Set::ALL, Decision(partition.root));
        let classes = divided.into_iter().map(|(row, headers)| Class {
            headers,
            rest: partition.rows[row as usize]
                .iter()
                .map(|&d| Decision(d))
                .collect(),
        });
        Some(classes.collect())
    }

    /// One decision: a row for each sub-diagram below the topmost bits.
    fn tops(&mut self, root: u32, levels: u32) -> Partition {
        let mut rows = Vec::new();
        let root = self.cut(root, levels, &mut rows, &mut FxHashMap::default());
        Partition { root, rows }
    }

    fn cut(
        &mut self,
        node: u32,
        levels: u32,
        rows: &mut Vec<Vec<u32>>,
        done: &mut FxHashMap<u32, u32>,
    ) -> u32 {
        if let Some(&result) = done.get(&node) {
            return result;
        }
        let n = self.nodes[node as usize];
        let result = if n.level < levels {
            let lo = self.cut(n.lo, levels, rows, done);
            let hi = self.cut(n.hi, levels, rows, done);
            self.node(n.level, lo, hi)
        } else {
            rows.push(vec![node]);
            self.leaf(rows.len() as u32 - 1)
        };
        done.insert(node, result);
        result
    }

    fn join(&mut self, a: &Partition, b: &Partition, limit: usize) -> Option<Partition> {
        let mut join = Join {
            limit,
            pairs: FxHashMap::default(),
            rows: Vec::new(),
            done: FxHashMap::default(),
            a,
            b,
        };
        let root = self.join_nodes(&mut join, a.root, b.root)?;
        let rows = join.rows;
        Some(Partition { root, rows })
    }

    fn join_nodes(&mut self, join: &mut Join<'_>, a: u32, b: u32) -> Option<u32> {
        if let Some(&result) = join.done.get(&(a, b)) {
            return Some(result);
        }
        let level = self.level(a).min(self.level(b));
        let result = if level == super::arena::LEAF {
            let pair = (self.nodes[a as usize].lo, self.nodes[b as usize].lo);
            let row = join.row(pair)?;
            self.leaf(row)
        } else {
            let (a0, a1) = self.halves(a, level);
            let (b0, b1) = self.halves(b, level);
            let lo = self.join_nodes(join, a0, b0)?;
            let hi = self.join_nodes(join, a1, b1)?;
            self.node(level, lo, hi)
        };
        join.done.insert((a, b), result);
        Some(result)
    }
}

struct Join<'a> {
    limit: usize,
    pairs: FxHashMap<(u32, u32), u32>,
    rows: Vec<Vec<u32>>,
    done: FxHashMap<(u32, u32), u32>,
    a: &'a Partition,
    b: &'a Partition,
}

impl Join<'_> {
    fn row(&mut self, pair: (u32, u32)) -> Option<u32> {
        if let Some(&row) = self.pairs.get(&pair) {
            return Some(row);
        }
        if self.rows.len() == self.limit {
            return None;
        }
        let mut row = self.a.rows[pair.0 as usize].clone();
        row.extend(&self.b.rows[pair.1 as usize]);
        self.rows.push(row);
        let id = self.rows.len() as u32 - 1;
        self.pairs.insert(pair, id);
        Some(id)
    }
}
