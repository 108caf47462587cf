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

/// The condition of a rule in a table that is being built.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Condition {
    /// Any set.
    Set(Set),
    /// Fixed bits, as most rules have them; spares the diagram of each single rule.
    Cube(Cube),
}

/// Headers of at most 128 bits with some bits fixed; the bit of level 0 is the topmost.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Cube {
    /// 1 where the bit is fixed.
    pub(super) care: u128,
    /// The fixed bits, 0 elsewhere.
    pub(super) value: u128,
}

impl From<Set> for Condition {
    fn from(set: Set) -> Self {
        Condition::Set(set)
    }
}

/// Lists up to this length are not worth remembering.
const SHORT: usize = 2;

/// Parts of a set by the number they lead to, ascending.
type Parts = Vec<(u32, u32)>;

/// A rule while a table is built: what is left of its condition, and its number, 0 for none.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
struct Line {
    condition: Condition,
    leaf: u32,
}

/// What is left of a condition in the two halves of the universe; `None` where it cannot hold.
type Halves = (Option<Condition>, Option<Condition>);

impl Condition {
    fn always(self) -> bool {
        match self {
            Condition::Set(set) => set == Set::ALL,
            Condition::Cube(cube) => cube.care == 0,
        }
    }

    fn level(self, space: &Space) -> u32 {
        match self {
            Condition::Set(set) => space.level(set.0),
            Condition::Cube(cube) => match cube.care {
                0 => LEAF,
                care => care.leading_zeros(),
            },
        }
    }

    fn halves(self, space: &Space, level: u32) -> Halves {
        match self {
            Condition::Set(set) => {
                let (lo, hi) = space.halves(set.0, level);
                let part = |node| (node != 0).then_some(Condition::Set(Set(node)));
                (part(lo), part(hi))
            }
            Condition::Cube(cube) => {
                let bit = 1u128 << (127 - level);
                if cube.care & bit == 0 {
                    return (Some(self), Some(self));
                }
                let rest = Some(Condition::Cube(Cube {
                    care: cube.care & !bit,
                    value: cube.value & !bit,
                }));
                match cube.value & bit {
                    0 => (rest, None),
                    _ => (None, rest),
                }
            }
        }
    }
}

impl Space {
    /// The decision of an ordered list of (condition, number): the first condition that holds
    /// gives the number, `None` decides for nothing (and shadows what follows).
    pub fn first_match(&mut self, rules: &[(Condition, Option<u32>)]) -> Decision {
        let mut lines = Vec::with_capacity(rules.len());
        for &(condition, number) in rules {
            if condition != Condition::Set(Set::EMPTY) {
                let leaf = number.map_or(0, |n| self.leaf(n));
                lines.push(Line { condition, leaf });
            }
        }
        Decision(self.split_lines(lines, &mut FxHashMap::default()))
    }

    /// Splits the list at its topmost bit, so that prefix tables cost one visit per prefix bit.
    /// Lists with many free bits are memoised and folded once splitting no longer shortens them.
    fn split_lines(&mut self, mut lines: Vec<Line>, done: &mut FxHashMap<Vec<Line>, u32>) -> u32 {
        if let Some(end) = lines.iter().position(|l| l.condition.always()) {
            lines.truncate(end + 1);
        }
        match lines[..] {
            [] => return 0,
            [line] if line.condition.always() => return line.leaf,
            [line] => return self.overlay_line(line, 0),
            _ => {}
        }
        let level = lines.iter().map(|l| l.condition.level(self)).min();
        let level = level.expect("the list is not empty");
        let mut low = Vec::with_capacity(lines.len());
        let mut high = Vec::with_capacity(lines.len());
        for line in &lines {
            let leaf = line.leaf;
            let (lo, hi) = line.condition.halves(self, level);
            low.extend(lo.map(|condition| Line { condition, leaf }));
            high.extend(hi.map(|condition| Line { condition, leaf }));
        }
        if low.len() + high.len() > lines.len() + lines.len() / 2 {
            return lines
                .iter()
                .rev()
                .fold(0, |rest, &line| self.overlay_line(line, rest));
        }
        if lines.len() > SHORT {
            if let Some(&result) = done.get(&lines) {
                return result;
            }
        }
        let lo = self.split_lines(low, done);
        let hi = self.split_lines(high, done);
        let result = self.node(level, lo, hi);
        if lines.len() > SHORT {
            done.insert(lines, result);
        }
        result
    }

    /// The line's leaf where its condition holds, `rest` elsewhere.
    fn overlay_line(&mut self, line: Line, rest: u32) -> u32 {
        match line.condition {
            Condition::Set(set) => self.overlay(set.0, line.leaf, rest),
            Condition::Cube(cube) if rest == 0 => self.chain(cube, line.leaf),
            Condition::Cube(cube) => {
                let condition = self.chain(cube, 1);
                self.overlay(condition, line.leaf, rest)
            }
        }
    }

    /// The diagram that leads to `end` where the cube holds, and to nothing elsewhere.
    pub(super) fn chain(&mut self, cube: Cube, end: u32) -> u32 {
        let mut root = end;
        let mut care = cube.care;
        while care != 0 {
            let level = 127 - care.trailing_zeros();
            care &= care - 1;
            root = match cube.value >> (127 - level) & 1 {
                1 => self.node(level, 0, root),
                _ => self.node(level, root, 0),
            };
        }
        root
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
        let below = self.below(&[decision]).into_iter();
        let leaves = below
            .map(|at| self.nodes[at as usize])
            .filter(|n| n.level == LEAF);
        let mut numbers: Vec<u32> = leaves.map(|n| n.lo).collect();
        numbers.sort_unstable();
        numbers
    }

    /// Number of nodes of the decisions together.
    pub fn size(&self, decisions: &[Decision]) -> usize {
        self.below(decisions).len()
    }

    /// Every node of the decisions but the one that decides for nothing.
    fn below(&self, decisions: &[Decision]) -> rustc_hash::FxHashSet<u32> {
        let mut seen = rustc_hash::FxHashSet::default();
        let mut pending: Vec<u32> = decisions.iter().map(|d| d.0).collect();
        while let Some(at) = pending.pop() {
            if at == 0 || !seen.insert(at) {
                continue;
            }
            let node = self.nodes[at as usize];
            if node.level != LEAF {
                pending.extend([node.lo, node.hi]);
            }
        }
        seen
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
