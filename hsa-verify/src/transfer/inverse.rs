// SPDX-License-Identifier: Apache-2.0 OR MIT
//! T⁻¹: from sets of headers wanted at output ports to the headers at an input port that become
//! at least one of them.

use super::compile::Plane;
use crate::model::{Next, PortId};
use crate::space::{Decision, Set};
use rustc_hash::FxHashMap;
use std::sync::Arc;

/// The places of one box where part of the answer is already known.
type Known = FxHashMap<(u32, PortId), Set>;

impl Plane {
    /// T⁻¹: the headers that, entering at `ingress`, have at least one copy that leaves through
    /// some port with a header in `wanted(port)`.
    pub fn inverse(&mut self, ingress: PortId, wanted: &dyn Fn(PortId) -> Set) -> Set {
        let device = self.device_of(ingress);
        if self.network.device(device).tables.is_empty() {
            return Set::EMPTY;
        }
        self.inverse_at(ingress, 0, ingress, wanted, &mut Known::default())
    }

    fn inverse_at(
        &mut self,
        ingress: PortId,
        table: u32,
        place: PortId,
        wanted: &dyn Fn(PortId) -> Set,
        known: &mut Known,
    ) -> Set {
        if let Some(&set) = known.get(&(table, place)) {
            return set;
        }
        let device = self.device_of(ingress);
        let send_back = self.network.device(device).send_back;
        let decision = self.decision(device, table as usize, place);
        let mut sets = Vec::new();
        for &(effect, part) in self.parts(decision).iter() {
            let copies = self.effects[effect as usize].clone();
            for copy in copies.iter() {
                let target = match copy.next {
                    Next::Leave(port) if port == ingress && !send_back => Set::EMPTY,
                    Next::Leave(port) => wanted(port),
                    Next::LeaveIngress => wanted(ingress),
                    Next::Table { table, port } => {
                        self.inverse_at(ingress, table, port.unwrap_or(place), wanted, known)
                    }
                };
                if target.is_empty() {
                    continue;
                }
                let before = self.space.preimage(target, copy.edits);
                sets.push(self.space.and(part, before));
            }
        }
        let set = self.space.or_all(sets);
        known.insert((table, place), set);
        set
    }

    /// The headers that each effect of a decision applies to.
    fn parts(&mut self, decision: Decision) -> Arc<[(u32, Set)]> {
        if let Some(parts) = self.inverse_parts.get(&decision) {
            return parts.clone();
        }
        let parts: Arc<[(u32, Set)]> = self.space.divide(Set::ALL, decision).into();
        self.inverse_parts.insert(decision, parts.clone());
        parts
    }
}
