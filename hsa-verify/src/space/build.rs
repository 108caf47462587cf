// SPDX-License-Identifier: Apache-2.0 OR MIT
//! From what people and rules write to sets.

use super::arena::{Set, Space};
use super::decision::{Condition, Cube};
use crate::header::{Bits, Field, Layout, Wildcard, WildcardUnion};
use crate::model::{Match, Test};

impl Space {
    /// The headers of a wildcard expression. Panics when its length is not that of the space.
    pub fn wildcard(&mut self, wildcard: &Wildcard) -> Set {
        assert_eq!(
            wildcard.len(),
            self.length(),
            "a wildcard of another length"
        );
        let tests: Vec<(usize, bool)> = wildcard.fixed().collect();
        self.fixed(&tests)
    }

    /// The headers of a union.
    pub fn union(&mut self, union: &WildcardUnion) -> Set {
        let sets = union.0.iter().map(|w| self.wildcard(w)).collect();
        self.or_all(sets)
    }

    /// Just one header.
    pub fn point(&mut self, header: &Bits) -> Set {
        self.wildcard(&Wildcard::point(header))
    }

    /// The headers that have these values in these bits.
    pub(super) fn fixed(&mut self, tests: &[(usize, bool)]) -> Set {
        let mut levels: Vec<(u32, bool)> = tests
            .iter()
            .map(|&(bit, value)| (self.level_of_bit[bit], value))
            .collect();
        levels.sort_unstable_by_key(|&(level, _)| std::cmp::Reverse(level));
        let mut root = 1;
        for (level, value) in levels {
            root = match value {
                true => self.node(level, 0, root),
                false => self.node(level, root, 0),
            };
        }
        Set(root)
    }

    /// The headers a rule's match accepts. The match must belong to `layout`, whose length is
    /// that of the space.
    pub fn matching(&mut self, layout: &Layout, matching: &Match) -> Set {
        let mut set = match &matching.raw {
            Some(raw) => self.wildcard(raw),
            None => Set::ALL,
        };
        for m in &matching.fields {
            let part = self.test(layout.field(m.field), &m.test);
            set = self.and(set, part);
        }
        set
    }

    /// The condition of a rule for [`Space::first_match`]: fixed bits where the match is no more
    /// than that, a set otherwise.
    pub fn condition(&mut self, layout: &Layout, matching: &Match) -> Condition {
        match self.cube(layout, matching) {
            Some(cube) => Condition::Cube(cube),
            None => Condition::Set(self.matching(layout, matching)),
        }
    }

    fn cube(&self, layout: &Layout, matching: &Match) -> Option<Cube> {
        if self.length() > 128 {
            return None;
        }
        let mut cube = Cube::default();
        if let Some(raw) = &matching.raw {
            for (bit, value) in raw.fixed() {
                self.fix(&mut cube, bit, value)?;
            }
        }
        for m in &matching.fields {
            let f = layout.field(m.field);
            let (value, mask) = match m.test {
                Test::Exact(value) => (value, f.max()),
                Test::Masked { value, mask } => (value, mask),
                Test::Prefix { value, len } => (value, prefix_mask(f.width, u32::from(len))),
                Test::Range { .. } | Test::OneOf(_) | Test::Not(_) => return None,
            };
            for k in (0..f.width).filter(|k| mask >> (f.width - 1 - k) & 1 == 1) {
                let bit = value >> (f.width - 1 - k) & 1 == 1;
                self.fix(&mut cube, (f.offset + k) as usize, bit)?;
            }
        }
        Some(cube)
    }

    /// Fixes one more bit; `None` when it is fixed to the opposite already.
    fn fix(&self, cube: &mut Cube, bit: usize, value: bool) -> Option<()> {
        let one = 1u128 << (127 - self.level_of_bit[bit]);
        if cube.care & one != 0 && (cube.value & one != 0) != value {
            return None;
        }
        cube.care |= one;
        cube.value |= if value { one } else { 0 };
        Some(())
    }

    /// The headers whose field passes the test.
    pub fn test(&mut self, field: &Field, test: &Test) -> Set {
        match test {
            Test::Exact(value) => self.masked(field, *value, field.max()),
            Test::Masked { value, mask } => self.masked(field, *value, *mask),
            Test::Prefix { value, len } => {
                self.masked(field, *value, prefix_mask(field.width, u32::from(*len)))
            }
            Test::Range { lo, hi } => {
                let least = self.bound(field, *lo, true);
                let most = self.bound(field, *hi, false);
                self.and(least, most)
            }
            Test::OneOf(tests) => {
                let sets = tests.iter().map(|t| self.test(field, t)).collect();
                self.or_all(sets)
            }
            Test::Not(test) => {
                let inner = self.test(field, test);
                self.not(inner)
            }
        }
    }

    fn masked(&mut self, field: &Field, value: u128, mask: u128) -> Set {
        let tests: Vec<(usize, bool)> = (0..field.width)
            .filter(|k| mask >> (field.width - 1 - k) & 1 == 1)
            .map(|k| {
                let value = value >> (field.width - 1 - k) & 1 == 1;
                ((field.offset + k) as usize, value)
            })
            .collect();
        self.fixed(&tests)
    }

    /// Headers whose field is at least (or, with `least` false, at most) `bound`.
    fn bound(&mut self, field: &Field, bound: u128, least: bool) -> Set {
        let mut set = Set::ALL;
        for k in (0..field.width).rev() {
            let bit = self.fixed(&[((field.offset + k) as usize, true)]).0;
            let one = bound >> (field.width - 1 - k) & 1 == 1;
            set = Set(match (least, one) {
                (true, true) => self.and_node(bit, set.0),
                (true, false) => self.or_node(bit, set.0),
                (false, true) => self.choose(bit, set.0, 1),
                (false, false) => self.diff_node(set.0, bit),
            });
        }
        set
    }
}

/// `len` ones at the left of a `width`-bit value.
pub(crate) fn prefix_mask(width: u32, len: u32) -> u128 {
    let all = u128::MAX >> (128 - width);
    if len >= width {
        all
    } else {
        all & !(all >> len)
    }
}
