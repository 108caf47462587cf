// SPDX-License-Identifier: Apache-2.0 OR MIT
//! What happens to headers that do not leave a box.

use super::compile::Plane;
use crate::model::{Next, PortId};
use crate::space::Set;
use std::collections::BTreeMap;

/// Headers that end inside a box.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event {
    /// A lookup gives no copy: a rule without outputs, or no rule.
    Lost {
        /// Index of the table.
        table: u32,
        /// The place of the lookup.
        place: PortId,
        /// The headers.
        headers: Set,
    },
    /// A copy is discarded because it would leave by the port it came in on.
    SentBack {
        /// The headers of the copy.
        headers: Set,
    },
    /// The time to live runs out.
    Expired {
        /// Index of the table.
        table: u32,
        /// The headers before the edit.
        headers: Set,
    },
}

impl Plane {
    /// Follows `headers` through the box of `ingress` and reports everything that ends there.
    pub fn events(&mut self, ingress: PortId, headers: Set) -> Vec<Event> {
        let device = self.device_of(ingress);
        let network = self.network.clone();
        let send_back = network.device(device).send_back;
        let mut events = Vec::new();
        let mut pending: BTreeMap<(u32, PortId), Set> = BTreeMap::new();
        pending.insert((0, ingress), headers);
        while let Some(((table, place), set)) = pending.pop_first() {
            if network.device(device).tables.is_empty() {
                events.push(Event::Lost {
                    table,
                    place,
                    headers: set,
                });
                break;
            }
            let decision = self.decision(device, table as usize, place);
            let mut lost = set;
            for (effect, part) in self.space.divide(set, decision) {
                lost = self.space.diff(lost, part);
                let copies = self.effects[effect as usize].clone();
                for copy in copies.iter() {
                    let image = self.space.image(part, copy.edits);
                    let alive = self.space.preimage(Set::ALL, copy.edits);
                    let expired = self.space.diff(part, alive);
                    if !expired.is_empty() {
                        events.push(Event::Expired {
                            table,
                            headers: expired,
                        });
                    }
                    match copy.next {
                        Next::Leave(port) if port == ingress && !send_back => {
                            events.push(Event::SentBack { headers: image });
                        }
                        Next::Leave(_) | Next::LeaveIngress => {}
                        Next::Table { table, port } => {
                            let into = pending.entry((table, port.unwrap_or(place)));
                            let total = into.or_insert(Set::EMPTY);
                            *total = self.space.or(*total, image);
                        }
                    }
                }
            }
            if !lost.is_empty() {
                events.push(Event::Lost {
                    table,
                    place,
                    headers: lost,
                });
            }
        }
        events
    }
}
