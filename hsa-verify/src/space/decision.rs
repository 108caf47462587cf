// SPDX-License-Identifier: Apache-2.0 OR MIT
//! First-match tables as diagrams: every header leads to the leaf of the rule that decides it.

use super::arena::{Set, Space, LEAF};
use rustc_hash::FxHashMap;

/// A function from headers to numbers, or to nothing: a rule table after shadowing has been
/// resolved. Numbers are below `u32::MAX`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Decision(pub(super) u32);

impl Decision {
    /// No header is decided.
    pub const NOTHING: Decision = Decision(0);
}

/// A list of rules up to this length is folded rule by rule instead of being split further.
const SHORT: usize = 4;

/// Parts of a set by the number they lead to, ascending.
type Parts = Vec<(u32, u32)>;

/// A rule while a table is built: what is left of its condition, and its number, 0 for none.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
struct Line {
    condition: u32,
    leaf: u32,
}

impl Space {
    /// The decision of an ordered list of (condition, number): the first condition that holds
    /// gives the number, `None` decides for nothing (and shadows what follows).
    pub fn first_match(&mut self, rules: &[(Set, Option<u32>)]) -> Decision {
        let mut lines = Vec::with_capacity(rules.len());
        for &(condition, number) in rules {
            if !condition.is_empty() {
                let leaf = number.map_or(0, |n| self.leaf(n));
                lines.push(Line {
                    condition: condition.0,
                    leaf,
                });
            }
        }
        Decision(self.split_lines(lines, &mut FxHashMap::default()))
    }

    /// Splits the list at its topmost bit, so that prefix tables cost one visit per prefix bit.
    /// Lists with many free bits are memoised and folded once splitting no longer shortens them.
    fn split_lines(&mut self, mut lines: Vec<Line>, done: &mut FxHashMap<Vec<Line>, u32>) -> u32 {
        if let Some(end) = lines.iter().position(|l| l.condition == 1) {
            lines.truncate(end + 1);
        }
        match lines[..] {
            [] => return 0,
            [Line { condition: 1, leaf }] => return leaf,
            _ => {}
        }
        let level = lines.iter().map(|l| self.level(l.condition)).min();
        let level = level.expect("the list is not empty");
        let part = |space: &Space, high: bool| -> Vec<Line> {
            let halves = lines.iter().map(|l| {
                let (lo, hi) = space.halves(l.condition, level);
                Line {
                    condition: if high { hi } else { lo },
                    leaf: l.leaf,
                }
            });
            halves.filter(|l| l.condition != 0).collect()
        };
        let (low, high) = (part(self, false), part(self, true));
        if lines.len() <= SHORT || low.len() + high.len() > lines.len() + lines.len() / 2 {
            return self.fold_lines(&lines);
        }
        if let Some(&result) = done.get(&lines) {
            return result;
        }
        let lo = self.split_lines(low, done);
        let hi = self.split_lines(high, done);
        let result = self.node(level, lo, hi);
        done.insert(lines, result);
        result
    }

    fn fold_lines(&mut self, lines: &[Line]) -> u32 {
        lines
            .iter()
            .rev()
            .fold(0, |rest, l| self.overlay(l.condition, l.leaf, rest))
    }

    /// `leaf` where `condition` holds, `rest` elsewhere.
    fn overlay(&mut self, condition: u32, leaf: u32, rest: u32) -> u32 {
        match condition {
            0 => return rest,
            1 => return leaf,
            _ if rest == leaf => return rest,
            _ => {}
        }
        let op = super::algebra::OVERLAY + leaf;
        if let Some(result) = self.cached(op, condition, rest) {
            return result;
        }
        let level = self.level(condition).min(self.level(rest));
        let (c0, c1) = self.halves(condition, level);
        let (r0, r1) = self.halves(rest, level);
        let lo = self.overlay(c0, leaf, r0);
        let hi = self.overlay(c1, leaf, r1);
        let result = self.node(level, lo, hi);
        self.remember(op, condition, rest, result);
        result
    }

    /// Divides `set` by the number its headers lead to; headers that lead to nothing are left
    /// out. Ascending by number, no part is empty.
    pub fn divide(&mut self, set: Set, by: Decision) -> Vec<(u32, Set)> {
        let mut done = FxHashMap::default();
        let parts = self.divide_nodes(set.0, by.0, &mut done);
        parts.iter().map(|&(n, part)| (n, Set(part))).collect()
    }

    fn divide_nodes(
        &mut self,
        set: u32,
        by: u32,
        done: &mut FxHashMap<(u32, u32), std::rc::Rc<Parts>>,
    ) -> std::rc::Rc<Parts> {
        if set == 0 || by == 0 {
            return std::rc::Rc::default();
        }
        let (s, d) = (self.nodes[set as usize], self.nodes[by as usize]);
        if d.level == LEAF {
            return std::rc::Rc::new(vec![(d.lo, set)]);
        }
        if let Some(parts) = done.get(&(set, by)) {
            return parts.clone();
        }
        let level = s.level.min(d.level);
        let (s0, s1) = self.halves(set, level);
        let (d0, d1) = self.halves(by, level);
        let lo = self.divide_nodes(s0, d0, done);
        let hi = self.divide_nodes(s1, d1, done);
        let parts = std::rc::Rc::new(self.merge_parts(level, &lo, &hi));
        done.insert((set, by), parts.clone());
        parts
    }

    fn merge_parts(&mut self, level: u32, lo: &Parts, hi: &Parts) -> Parts {
        let mut parts = Vec::with_capacity(lo.len().max(hi.len()));
        let (mut i, mut j) = (0, 0);
        while i < lo.len() || j < hi.len() {
            let a = lo.get(i).map_or(u32::MAX, |p| p.0);
            let b = hi.get(j).map_or(u32::MAX, |p| p.0);
            let number = a.min(b);
            let (mut low, mut high) = (0, 0);
            if a == number {
                low = lo[i].1;
                i += 1;
            }
            if b == number {
                high = hi[j].1;
                j += 1;
            }
            parts.push((number, self.node(level, low, high)));
        }
        parts
    }

    /// The numbers a decision leads to, ascending.
    pub fn leaves(&self, decision: Decision) -> Vec<u32> {
        let mut seen = rustc_hash::FxHashSet::default();
        let mut pending = vec![decision.0];
        let mut numbers = std::collections::BTreeSet::new();
        while let Some(at) = pending.pop() {
            if at == 0 || !seen.insert(at) {
                continue;
            }
            let node = self.nodes[at as usize];
            if node.level == LEAF {
                numbers.insert(node.lo);
            } else {
                pending.extend([node.lo, node.hi]);
            }
        }
        numbers.into_iter().collect()
    }

    /// The decision with every number exchanged; `None` decides for nothing. Panics when a number
    /// is missing.
    pub fn relabel(&mut self, decision: Decision, to: &FxHashMap<u32, Option<u32>>) -> Decision {
        Decision(self.relabel_node(decision.0, to, &mut FxHashMap::default()))
    }

    fn relabel_node(
        &mut self,
        node: u32,
        to: &FxHashMap<u32, Option<u32>>,
        done: &mut FxHashMap<u32, u32>,
    ) -> u32 {
        if node == 0 {
            return 0;
        }
        if let Some(&result) = done.get(&node) {
            return result;
        }
        let n = self.nodes[node as usize];
        let result = if n.level == LEAF {
            to[&n.lo].map_or(0, |number| self.leaf(number))
        } else {
            let lo = self.relabel_node(n.lo, to, done);
            let hi = self.relabel_node(n.hi, to, done);
            self.node(n.level, lo, hi)
        };
        done.insert(node, result);
        result
    }

    /// Where the decision leads one header.
    pub fn decide(&self, by: Decision, header: &crate::header::Bits) -> Option<u32> {
        let mut at = by.0;
        loop {
            let node = self.nodes[at as usize];
            if node.level == LEAF {
                return (at != 0).then_some(node.lo);
            }
            let bit = self.bit_of_level[node.level as usize] as usize;
            at = if header.get(bit) { node.hi } else { node.lo };
        }
    }
}
