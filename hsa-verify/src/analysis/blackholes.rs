// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Where packets end without leaving the network, and which rule, or lack of one, ends them.

use super::reach::Reach;
use crate::model::{DeviceId, Effect, PortId, RuleRef};
use crate::space::Set;
use crate::transfer::{Event, Plane};
use std::collections::BTreeMap;

/// Why a packet goes no further.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Reason {
    /// A rule discards it: an access list, a null route.
    Dropped(RuleRef),
    /// A rule keeps it for the box itself.
    Delivered(RuleRef),
    /// No rule of this table matches.
    NoRule {
        /// Index of the table.
        table: u32,
    },
    /// A copy would leave by the port it came in on, and the box does not send back.
    SentBack,
    /// The time to live ran out at this rule's table.
    Expired {
        /// Index of the table.
        table: u32,
    },
}

/// Headers that end in a box for one reason.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Blackhole {
    /// The box.
    pub device: DeviceId,
    /// Why.
    pub reason: Reason,
    /// The headers, as they look at the lookup that ends them.
    pub headers: Set,
}

/// All spaces that end inside boxes, given which headers enter at which ports. Ascending by box
/// and reason.
pub fn blackholes(plane: &mut Plane, reached: &Reach) -> Vec<Blackhole> {
    let mut ends: BTreeMap<(DeviceId, Reason), Set> = BTreeMap::new();
    // Headers without a copy, by lookup; attributed to rules once per place.
    let mut lost: BTreeMap<(DeviceId, u32, PortId), Set> = BTreeMap::new();
    for (&ingress, &headers) in &reached.entering {
        let device = plane.device_of(ingress);
        for event in plane.events(ingress, headers) {
            let (into, set) = match event {
                Event::Lost {
                    table,
                    place,
                    headers,
                } => (lost.entry((device, table, place)), headers),
                Event::SentBack { headers } => {
                    add(plane, &mut ends, (device, Reason::SentBack), headers);
                    continue;
                }
                Event::Expired { table, headers } => {
                    add(
                        plane,
                        &mut ends,
                        (device, Reason::Expired { table }),
                        headers,
                    );
                    continue;
                }
            };
            let total = into.or_insert(Set::EMPTY);
            *total = plane.space.or(*total, set);
        }
    }
    for ((device, table, place), headers) in lost {
        attribute(plane, &mut ends, device, table, place, headers);
    }
    let holes = ends
        .into_iter()
        .map(|((device, reason), headers)| Blackhole {
            device,
            reason,
            headers,
        });
    holes.collect()
}

type Ends = BTreeMap<(DeviceId, Reason), Set>;

fn add(plane: &mut Plane, ends: &mut Ends, key: (DeviceId, Reason), headers: Set) {
    let total = ends.entry(key).or_insert(Set::EMPTY);
    *total = plane.space.or(*total, headers);
}

/// Finds the rules that ended these headers: the first match decides.
fn attribute(
    plane: &mut Plane,
    ends: &mut Ends,
    device: DeviceId,
    table: u32,
    place: PortId,
    headers: Set,
) {
    let network = plane.network().clone();
    let mut rest = headers;
    let tables = &network.device(device).tables;
    let rules = tables.get(table as usize).map_or(&[][..], |t| &t.rules);
    for (i, rule) in rules.iter().enumerate() {
        if !rule.effect.outputs().is_empty() || !rule.ports.contains(place) {
            continue;
        }
        let condition = plane.space.matching(&network.layout, &rule.matching);
        let hit = plane.space.and(rest, condition);
        if hit.is_empty() {
            continue;
        }
        rest = plane.space.diff(rest, hit);
        let at = RuleRef {
            device: device.0,
            table,
            rule: i as u32,
        };
        let reason = match rule.effect {
            Effect::Deliver => Reason::Delivered(at),
            Effect::Drop | Effect::Forward { .. } => Reason::Dropped(at),
        };
        add(plane, ends, (device, reason), hit);
        if rest.is_empty() {
            return;
        }
    }
    add(plane, ends, (device, Reason::NoRule { table }), rest);
}
