// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Looking at one class of headers at a time. The field that most rules match, unless some rule
//! changes it, divides all headers into classes within which no table looks at that field any
//! more: destinations that the whole network treats alike.

use super::compile::Plane;
use crate::space::{Class, Decision, Set};
use rustc_hash::FxHashMap;
use std::sync::Arc;

/// The classes of a plane.
#[derive(Clone, Debug)]
pub struct Classes {
    list: Vec<Class>,
    at: Arc<FxHashMap<Decision, usize>>,
}

/// A plane's tables as one class of headers sees them.
#[derive(Clone, Debug)]
pub struct Narrowed {
    pub(super) at: Arc<FxHashMap<Decision, usize>>,
    pub(super) rest: Vec<Decision>,
}

impl Classes {
    /// Number of classes.
    pub fn len(&self) -> usize {
        self.list.len()
    }

    /// Whether there is no class, as in a network without tables.
    pub fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    /// The headers of a class.
    pub fn headers(&self, class: usize) -> Set {
        self.list[class].headers
    }
}

impl Plane {
    /// Number of diagram nodes in all tables, counted once for every table that uses them.
    pub fn table_nodes(&self) -> usize {
        let mut total = 0;
        for table in self.tables.iter().flatten() {
            let mut decisions: Vec<Decision> = table.named.values().copied().collect();
            decisions.push(table.elsewhere);
            total += self.space.size(&decisions);
        }
        total
    }

    /// The classes of the first field; `None` when there are more than `limit`, in which case
    /// looking at them one by one does not pay.
    pub fn classes(&mut self, limit: usize) -> Option<Classes> {
        let mut decisions = Vec::new();
        let mut at = FxHashMap::default();
        for table in self.tables.iter().flatten() {
            let named = table.named.values().copied();
            for decision in named.chain([table.elsewhere]) {
                at.entry(decision).or_insert_with(|| {
                    decisions.push(decision);
                    decisions.len() - 1
                });
            }
        }
        let levels = self.first_field.min(self.space.changed_from());
        let list = self.space.classes(&decisions, levels, limit)?;
        Some(Classes {
            list,
            at: Arc::new(at),
        })
    }

    /// Makes the plane see only the headers of one class, or all headers again. While narrowed,
    /// sets speak of the other bits; intersect them with [`Classes::headers`] to get the headers
    /// meant.
    pub fn narrow(&mut self, to: Option<(&Classes, usize)>) {
        self.narrowed = to.map(|(classes, class)| Narrowed {
            at: classes.at.clone(),
            rest: classes.list[class].rest.clone(),
        });
    }
}
