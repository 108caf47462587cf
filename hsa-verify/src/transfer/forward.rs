// SPDX-License-Identifier: Apache-2.0 OR MIT
//! T: from a set of headers at an input port to sets of headers at output ports.

use super::compile::{Plane, Steps};
use crate::model::{Next, PortId};
use crate::space::{Decision, Set};
use std::collections::BTreeMap;

impl Plane {
    /// T(h, p): what a box makes of `headers` that enter at `ingress`, by the port they leave
    /// through, ascending. A copy for the ingress port itself is discarded unless the box sends
    /// back.
    pub fn transfer(&mut self, ingress: PortId, headers: Set) -> Vec<(PortId, Set)> {
        let device = self.device_of(ingress);
        let send_back = self.network.device(device).send_back;
        let mut leaving: BTreeMap<PortId, Set> = BTreeMap::new();
        let mut pending: BTreeMap<(u32, PortId), Set> = BTreeMap::new();
        if !self.network.device(device).tables.is_empty() {
            pending.insert((0, ingress), headers);
        }
        while let Some(((table, place), set)) = pending.pop_first() {
            let decision = self.decision(device, table as usize, place);
            for &(next, part) in self.step(decision, set).iter() {
                let into = match next {
                    Next::Leave(port) if port == ingress && !send_back => continue,
                    Next::Leave(port) => leaving.entry(port),
                    Next::LeaveIngress => leaving.entry(ingress),
                    Next::Table { table, port } => {
                        let into = pending.entry((table, port.unwrap_or(place)));
                        let total = into.or_insert(Set::EMPTY);
                        *total = self.space.or(*total, part);
                        continue;
                    }
                };
                let total = into.or_insert(Set::EMPTY);
                *total = self.space.or(*total, part);
            }
        }
        leaving.into_iter().collect()
    }

    /// One table: the set divided by effect, every copy edited, joined by where it goes.
    fn step(&mut self, decision: Decision, set: Set) -> Steps {
        if let Some(steps) = self.forward_memo.get(&(decision, set)) {
            return steps.clone();
        }
        let mut by_next: BTreeMap<Next, Vec<Set>> = BTreeMap::new();
        for (effect, part) in self.space.divide(set, decision) {
            let copies = self.effects[effect as usize].clone();
            for copy in copies.iter() {
                let image = self.space.image(part, copy.edits);
                if !image.is_empty() {
                    by_next.entry(copy.next).or_default().push(image);
                }
            }
        }
        let steps: Steps = by_next
            .into_iter()
            .map(|(next, sets)| (next, self.space.or_all(sets)))
            .collect();
        self.forward_memo.insert((decision, set), steps.clone());
        steps
    }
}
