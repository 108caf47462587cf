// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Header edits on sets: the image (what comes out) and the inverse image (what could have gone
//! in) of a rewrite, a shift or a decrement, both exact.

use super::algebra::FIRST_EDIT;
use super::arena::{Set, Space, LEAF};
use crate::header::{Bits, Layout};
use crate::model::Edit;
use rustc_hash::FxHashMap;

/// A list of edits known to a [`Space`], reduced to as few steps as possible.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct EditId(u32);

impl EditId {
    /// No change at all.
    pub const NONE: EditId = EditId(0);
}

/// One new bit of a shift: a constant or an old bit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Source {
    Constant(bool),
    Old(u32),
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Step {
    /// Some bits become constants, given as ascending levels; the others stay.
    Rewrite(Vec<(u32, bool)>),
    /// Every new bit has a source; used when bits move.
    Assign(Vec<Source>),
    /// The field in these bits, most significant first, becomes one less; 0 and 1 are dropped.
    Decrement(Vec<u32>),
}

/// A list of edits composed into steps (NSDI 2012, section 3: transfer functions compose).
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
struct Program(Vec<Step>);

/// The programs of a space.
#[derive(Clone, Debug)]
pub(super) struct Programs {
    list: Vec<Vec<u32>>,
    steps: Vec<Step>,
    ids: FxHashMap<Program, EditId>,
}

impl Default for Programs {
    fn default() -> Self {
        Programs {
            list: vec![Vec::new()],
            steps: Vec::new(),
            ids: FxHashMap::from_iter([(Program::default(), EditId::NONE)]),
        }
    }
}

impl Space {
    /// Registers a list of edits. Equal effects on bits give equal identifiers.
    pub fn edits(&mut self, layout: &Layout, edits: &[Edit]) -> EditId {
        let program = self.compose(layout, edits);
        if let Some(&id) = self.programs.ids.get(&program) {
            return id;
        }
        let id = EditId(self.programs.list.len() as u32);
        let first = self.programs.steps.len() as u32;
        let steps = first..first + program.0.len() as u32;
        self.programs.steps.extend(program.0.iter().cloned());
        self.programs.list.push(steps.collect());
        self.programs.ids.insert(program, id);
        id
    }

    /// What the headers of `set` become.
    pub fn image(&mut self, set: Set, edits: EditId) -> Set {
        let mut root = set.0;
        for k in 0..self.programs.list[edits.0 as usize].len() {
            let id = self.programs.list[edits.0 as usize][k];
            root = match self.programs.steps[id as usize].clone() {
                Step::Rewrite(constants) => self.rewrite(id, &constants, root, 0),
                Step::Assign(sources) => self.assign(&sources, root),
                Step::Decrement(bits) => {
                    let alive = self.at_least_two(&bits);
                    let alive = self.and_node(root, alive);
                    let plus_one = self.plus_or_minus_one(&bits, true);
                    self.substitute(alive, &plus_one, &mut FxHashMap::default())
                }
            };
        }
        Set(root)
    }

    /// The headers that become a header of `set`.
    pub fn preimage(&mut self, set: Set, edits: EditId) -> Set {
        let mut root = set.0;
        for k in (0..self.programs.list[edits.0 as usize].len()).rev() {
            let id = self.programs.list[edits.0 as usize][k];
            root = match self.programs.steps[id as usize].clone() {
                Step::Rewrite(constants) => self.cofactor(id, &constants, root, 0),
                Step::Assign(sources) => self.unassign(&sources, root),
                Step::Decrement(bits) => {
                    let minus_one = self.plus_or_minus_one(&bits, false);
                    let before = self.substitute(root, &minus_one, &mut FxHashMap::default());
                    let alive = self.at_least_two(&bits);
                    self.and_node(before, alive)
                }
            };
        }
        Set(root)
    }

    /// The topmost level that any registered edit can change; levels above it keep their value
    /// on every way through the network.
    pub fn changed_from(&self) -> u32 {
        let touched = self.programs.steps.iter().flat_map(|step| match step {
            Step::Rewrite(constants) => constants.iter().map(|c| c.0).collect::<Vec<u32>>(),
            Step::Decrement(bits) => {
                let levels = bits.iter().map(|&b| self.level_of_bit[b as usize]);
                levels.collect()
            }
            Step::Assign(sources) => {
                let moved = sources.iter().enumerate();
                let moved = moved.filter(|&(i, s)| *s != Source::Old(i as u32));
                moved.map(|(i, _)| self.level_of_bit[i]).collect()
            }
        });
        touched.min().unwrap_or(self.length() as u32)
    }

    /// Forgets these bits: the headers that agree with some header of `set` everywhere else.
    pub fn project(&mut self, set: Set, forgotten: &[usize]) -> Set {
        let mut levels: Vec<u32> = forgotten.iter().map(|&b| self.level_of_bit[b]).collect();
        levels.sort_unstable();
        levels.dedup();
        Set(self.exists(&levels, set.0, &mut FxHashMap::default()))
    }

    fn compose(&self, layout: &Layout, edits: &[Edit]) -> Program {
        let length = self.length();
        let identity: Vec<Source> = (0..length as u32).map(Source::Old).collect();
        let mut steps = Vec::new();
        let mut bits = identity.clone();
        let flush = |bits: &mut Vec<Source>, steps: &mut Vec<Step>| {
            if *bits != identity {
                steps.push(self.simplify(std::mem::replace(bits, identity.clone())));
            }
        };
        for edit in edits {
            match edit {
                Edit::Set { field, value } => {
                    let f = layout.field(*field);
                    for k in 0..f.width {
                        let bit = value >> (f.width - 1 - k) & 1 == 1;
                        bits[(f.offset + k) as usize] = Source::Constant(bit);
                    }
                }
                Edit::Rewrite { keep, value } => {
                    for (i, bit) in bits.iter_mut().enumerate() {
                        if value.get(i) || !keep.get(i) {
                            *bit = Source::Constant(value.get(i));
                        }
                    }
                }
                Edit::Push { bits: front } => {
                    let front = (0..front.len()).map(|i| Source::Constant(front.get(i)));
                    bits = front.chain(bits.iter().copied()).take(length).collect();
                }
                Edit::Pop { count } => {
                    bits.drain(..*count as usize);
                    bits.resize(length, Source::Constant(false));
                }
                Edit::DecTtl { field } => {
                    flush(&mut bits, &mut steps);
                    let f = layout.field(*field);
                    steps.push(Step::Decrement((f.offset..f.offset + f.width).collect()));
                }
            }
        }
        flush(&mut bits, &mut steps);
        Program(steps)
    }

    fn simplify(&self, sources: Vec<Source>) -> Step {
        let mut constants = Vec::new();
        for (i, source) in sources.iter().enumerate() {
            match *source {
                Source::Constant(value) => constants.push((self.level_of_bit[i], value)),
                Source::Old(j) if j as usize == i => {}
                Source::Old(_) => return Step::Assign(sources),
            }
        }
        constants.sort_unstable();
        Step::Rewrite(constants)
    }

    fn rewrite(&mut self, id: u32, constants: &[(u32, bool)], node: u32, next: usize) -> u32 {
        let Some(&(level, value)) = constants.get(next).filter(|_| node != 0) else {
            return node;
        };
        let n = self.nodes[node as usize];
        let op = FIRST_EDIT + 2 * id;
        if node > 1 {
            if let Some(result) = self.cached(op, node, next as u32) {
                return result;
            }
        }
        let result = if n.level < level {
            let lo = self.rewrite(id, constants, n.lo, next);
            let hi = self.rewrite(id, constants, n.hi, next);
            self.node(n.level, lo, hi)
        } else {
            let below = if n.level == level {
                let lo = self.rewrite(id, constants, n.lo, next + 1);
                let hi = self.rewrite(id, constants, n.hi, next + 1);
                self.or_node(lo, hi)
            } else {
                self.rewrite(id, constants, node, next + 1)
            };
            match value {
                true => self.node(level, 0, below),
                false => self.node(level, below, 0),
            }
        };
        self.remember(op, node, next as u32, result);
        result
    }

    fn cofactor(&mut self, id: u32, constants: &[(u32, bool)], node: u32, next: usize) -> u32 {
        let n = self.nodes[node as usize];
        let mut next = next;
        while next < constants.len() && constants[next].0 < n.level {
            next += 1;
        }
        let Some(&(level, value)) = constants.get(next) else {
            return node;
        };
        if n.level == level {
            let child = if value { n.hi } else { n.lo };
            return self.cofactor(id, constants, child, next + 1);
        }
        let op = FIRST_EDIT + 2 * id + 1;
        if let Some(result) = self.cached(op, node, 0) {
            return result;
        }
        let lo = self.cofactor(id, constants, n.lo, next);
        let hi = self.cofactor(id, constants, n.hi, next);
        let result = self.node(n.level, lo, hi);
        self.remember(op, node, 0, result);
        result
    }

    fn assign(&mut self, sources: &[Source], root: u32) -> u32 {
        let mut lost: Vec<bool> = vec![true; sources.len()];
        let mut functions: Vec<u32> = vec![0; sources.len()];
        let mut constants = Vec::new();
        for (i, source) in sources.iter().enumerate() {
            match *source {
                Source::Constant(value) => constants.push((i, value)),
                Source::Old(j) => {
                    lost[j as usize] = false;
                    let level = self.level_of_bit[j as usize] as usize;
                    functions[level] = self.fixed(&[(i, true)]).0;
                }
            }
        }
        let mut levels: Vec<u32> = (0..lost.len())
            .filter(|&j| lost[j])
            .map(|j| self.level_of_bit[j])
            .collect();
        levels.sort_unstable();
        let kept = self.exists(&levels, root, &mut FxHashMap::default());
        let moved = self.substitute(kept, &functions, &mut FxHashMap::default());
        let front = self.fixed(&constants).0;
        self.and_node(moved, front)
    }

    fn unassign(&mut self, sources: &[Source], root: u32) -> u32 {
        let mut functions = vec![0; sources.len()];
        for (i, source) in sources.iter().enumerate() {
            functions[self.level_of_bit[i] as usize] = match *source {
                Source::Constant(value) => u32::from(value),
                Source::Old(j) => self.fixed(&[(j as usize, true)]).0,
            };
        }
        self.substitute(root, &functions, &mut FxHashMap::default())
    }

    /// Replaces the bit of every level by a function of the header.
    fn substitute(&mut self, node: u32, functions: &[u32], done: &mut FxHashMap<u32, u32>) -> u32 {
        let n = self.nodes[node as usize];
        if n.level == LEAF {
            return node;
        }
        if let Some(&result) = done.get(&node) {
            return result;
        }
        let lo = self.substitute(n.lo, functions, done);
        let hi = self.substitute(n.hi, functions, done);
        let result = self.choose(functions[n.level as usize], hi, lo);
        done.insert(node, result);
        result
    }

    fn exists(&mut self, levels: &[u32], node: u32, done: &mut FxHashMap<u32, u32>) -> u32 {
        let n = self.nodes[node as usize];
        if n.level == LEAF || levels.last().is_none_or(|&last| last < n.level) {
            return node;
        }
        if let Some(&result) = done.get(&node) {
            return result;
        }
        let lo = self.exists(levels, n.lo, done);
        let hi = self.exists(levels, n.hi, done);
        let result = match levels.binary_search(&n.level) {
            Ok(_) => self.or_node(lo, hi),
            Err(_) => self.node(n.level, lo, hi),
        };
        done.insert(node, result);
        result
    }

    fn at_least_two(&mut self, bits: &[u32]) -> u32 {
        let high = bits.len().saturating_sub(1);
        bits[..high].iter().fold(0, |any, &bit| {
            let one = self.fixed(&[(bit as usize, true)]).0;
            self.or_node(any, one)
        })
    }

    /// For every level the function that computes the bit of the field plus one (or minus one):
    /// a bit flips when all bits below it are one (or zero).
    fn plus_or_minus_one(&mut self, bits: &[u32], plus: bool) -> Vec<u32> {
        let levels = 0..self.length() as u32;
        let mut functions: Vec<u32> = levels.map(|level| self.node(level, 0, 1)).collect();
        let mut flips = 1;
        for &bit in bits.iter().rev() {
            let level = self.level_of_bit[bit as usize] as usize;
            let here = functions[level];
            functions[level] = self.xor(Set(here), Set(flips)).0;
            flips = match plus {
                true => self.and_node(flips, here),
                false => self.diff_node(flips, here),
            };
        }
        functions
    }
}

/// What a list of edits makes of one header; `None` when the time to live has run out.
pub fn edit_header(layout: &Layout, edits: &[Edit], header: &Bits) -> Option<Bits> {
    let mut h = header.clone();
    for edit in edits {
        match edit {
            Edit::Set { field, value } => {
                let f = layout.field(*field);
                h.write(f.offset as usize, f.width as usize, *value);
            }
            Edit::Rewrite { keep, value } => {
                for i in 0..h.len() {
                    h.set(i, h.get(i) && keep.get(i) || value.get(i));
                }
            }
            Edit::Push { bits } => {
                let old = h.clone();
                for i in 0..h.len() {
                    let from_front = i < bits.len();
                    h.set(
                        i,
                        if from_front {
                            bits.get(i)
                        } else {
                            old.get(i - bits.len())
                        },
                    );
                }
            }
            Edit::Pop { count } => {
                let old = h.clone();
                for i in 0..h.len() {
                    let from = i + *count as usize;
                    h.set(i, from < old.len() && old.get(from));
                }
            }
            Edit::DecTtl { field } => {
                let f = layout.field(*field);
                let ttl = h.read(f.offset as usize, f.width as usize);
                if ttl < 2 {
                    return None;
                }
                h.write(f.offset as usize, f.width as usize, ttl - 1);
            }
        }
    }
    Some(h)
}
