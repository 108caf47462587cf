// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Whether one concrete header satisfies a match, decided bit by bit without any set.

use super::network::{Network, PortId};
use super::rule::{Match, PortMatch, Rule, Test};
use crate::header::{Bits, Field, Layout};
use serde::{Deserialize, Serialize};

/// The place of a rule in a network.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct RuleRef {
    /// Index of the box.
    pub device: u32,
    /// Index of the table in the box.
    pub table: u32,
    /// Index of the rule in the table.
    pub rule: u32,
}

impl Network {
    /// The rule at this place. Panics when there is none.
    pub fn rule(&self, at: RuleRef) -> &Rule {
        &self.devices[at.device as usize].tables[at.table as usize].rules[at.rule as usize]
    }
}

impl Rule {
    /// Whether the rule applies to a packet with this header at this place.
    pub fn accepts(&self, layout: &Layout, place: PortId, header: &Bits) -> bool {
        self.ports.contains(place) && self.matching.accepts(layout, header)
    }
}

impl PortMatch {
    /// Whether the place is among those of the rule.
    pub fn contains(&self, place: PortId) -> bool {
        match self {
            PortMatch::Any => true,
            PortMatch::In(ports) => ports.contains(&place),
        }
    }
}

impl Match {
    /// Whether the header satisfies all conditions.
    pub fn accepts(&self, layout: &Layout, header: &Bits) -> bool {
        self.raw.as_ref().is_none_or(|raw| raw.contains(header))
            && self.fields.iter().all(|m| {
                let f = layout.field(m.field);
                let value = header.read(f.offset as usize, f.width as usize);
                m.test.accepts(f, value)
            })
    }
}

impl Test {
    /// Whether a value of the field passes.
    pub fn accepts(&self, field: &Field, found: u128) -> bool {
        match self {
            Test::Exact(value) => found == *value,
            Test::Masked { value, mask } => (found ^ value) & mask == 0,
            Test::Prefix { value, len } => {
                let free = field.width - u32::from(*len).min(field.width);
                free == 128 || found >> free == value >> free
            }
            Test::Range { lo, hi } => (*lo..=*hi).contains(&found),
            Test::OneOf(tests) => tests.iter().any(|t| t.accepts(field, found)),
            Test::Not(test) => !test.accepts(field, found),
        }
    }
}
