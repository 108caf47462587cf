// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The part of a network that loops can use: from input ports behind a link to output ports with
//! a link. What happens at the edge is cut away, which leaves far fewer distinctions to make.

use super::compile::{CompiledTable, Copy, Plane};
use crate::model::{DeviceId, Next, PortId};
use crate::space::Decision;
use rustc_hash::FxHashMap;

/// Reduced decisions by box, table and place.
type Reduced = FxHashMap<(DeviceId, u32, PortId), Decision>;

impl Plane {
    /// Runs `question` on the plane with everything cut away that neither comes from a link nor
    /// leads to one. Answers about links and sets of headers are the same.
    pub fn on_backbone<R>(&mut self, question: impl FnOnce(&mut Plane) -> R) -> R {
        let reduced = self.backbone();
        let whole = std::mem::replace(&mut self.tables, reduced);
        let answer = question(self);
        self.tables = whole;
        answer
    }

    fn backbone(&mut self) -> Vec<Vec<CompiledTable>> {
        let network = self.network.clone();
        let mut reduced = Reduced::default();
        for ingress in network.physical_ports() {
            let device = self.device_of(ingress);
            if !self.senders(ingress).is_empty() && !network.device(device).tables.is_empty() {
                self.reduce(device, 0, ingress, &mut reduced);
            }
        }
        let empty = |table: &CompiledTable| CompiledTable {
            named: FxHashMap::with_capacity_and_hasher(table.named.len(), Default::default()),
            elsewhere: Decision::NOTHING,
        };
        let tables = self.tables.iter();
        let mut tables: Vec<Vec<CompiledTable>> = tables
            .map(|list| list.iter().map(empty).collect())
            .collect();
        for ((device, table, place), decision) in reduced {
            let table = &mut tables[device.0 as usize][table as usize];
            table.named.insert(place, decision);
        }
        tables
    }

    fn reduce(
        &mut self,
        device: DeviceId,
        table: u32,
        place: PortId,
        reduced: &mut Reduced,
    ) -> Decision {
        if let Some(&decision) = reduced.get(&(device, table, place)) {
            return decision;
        }
        let decision = self.decision(device, table as usize, place);
        let mut changed = FxHashMap::default();
        for effect in self.space.leaves(decision) {
            let mut copies: Vec<Copy> = Vec::new();
            for &copy in self.effects[effect as usize].clone().iter() {
                let useful = match copy.next {
                    Next::Leave(port) => !self.receivers(port).is_empty(),
                    Next::LeaveIngress => true,
                    Next::Table { table, port } => {
                        let at = port.unwrap_or(place);
                        self.reduce(device, table, at, reduced) != Decision::NOTHING
                    }
                };
                if useful {
                    copies.push(copy);
                }
            }
            changed.insert(effect, self.effect_of(copies));
        }
        let decision = self.space.relabel(decision, &changed);
        reduced.insert((device, table, place), decision);
        decision
    }
}
