// SPDX-License-Identifier: Apache-2.0 OR MIT
//! One concrete packet on its way, hop by hop, with the rule of every lookup. Works on the rules
//! themselves and knows nothing of sets, so that it can bear witness against them.

use crate::header::Bits;
use crate::model::{Effect, Network, Next, PortId, RuleRef, Spread};
use crate::space::edit_header;
use serde::Serialize;
use std::collections::{BTreeSet, HashMap, VecDeque};

/// A table lookup inside a box.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Lookup {
    /// Index of the table.
    pub table: u32,
    /// Where the packet was.
    pub place: PortId,
    /// The header that was looked up.
    pub header: Bits,
    /// The rule that matched first; `None` when no rule did.
    pub rule: Option<RuleRef>,
    /// What came of it.
    pub outcome: Outcome,
}

/// What a lookup did to the packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// No rule matched.
    NoRule,
    /// A rule discarded it.
    Dropped,
    /// It was for the box itself.
    Delivered,
    /// It went on, in this many copies.
    Copied(u32),
    /// It went on as one of this many alternatives (load balancing); all are followed.
    OneOf(u32),
}

/// A copy that left a box.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Exit {
    /// The output port.
    pub port: PortId,
    /// The header on leaving.
    pub header: Bits,
    /// Visits that this copy leads to, as indices of [`Trace::visits`]; none at the edge.
    pub leads_to: Vec<usize>,
}

/// The packet at one box.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Visit {
    /// The port it came in by.
    pub ingress: PortId,
    /// The header on entering.
    pub header: Bits,
    /// The visit it came from; `None` for the injected packet.
    pub from: Option<usize>,
    /// The lookups, in order.
    pub lookups: Vec<Lookup>,
    /// The copies that left.
    pub exits: Vec<Exit>,
    /// Copies discarded because they would have left by the port they came in on.
    pub sent_back: u32,
    /// Copies discarded because their time to live ran out.
    pub expired: u32,
}

/// Everywhere a packet gets to. Every (port, header) pair is visited once, so a loop shows as an
/// exit that leads to an earlier visit.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Trace {
    /// The visits in the order of distance; the first is the injection.
    pub visits: Vec<Visit>,
}

impl Trace {
    /// Every (output port, header) that left some box, ascending, without repetition.
    pub fn outputs(&self) -> BTreeSet<(PortId, Bits)> {
        let exits = self.visits.iter().flat_map(|v| &v.exits);
        exits.map(|e| (e.port, e.header.clone())).collect()
    }

    /// The visits from the injection to this one.
    pub fn route_to(&self, visit: usize) -> Vec<usize> {
        let mut route = vec![visit];
        while let Some(from) = self.visits[route[route.len() - 1]].from {
            route.push(from);
        }
        route.reverse();
        route
    }
}

/// Sends a packet into a port. The header must have the length of the network's headers.
pub fn trace(network: &Network, port: PortId, header: &Bits) -> Trace {
    let mut links: HashMap<PortId, Vec<PortId>> = HashMap::new();
    for link in &network.links {
        links.entry(link.from).or_default().push(link.to);
    }
    let mut trace = Trace::default();
    let mut seen = HashMap::new();
    let mut queue = VecDeque::from([(port, header.clone(), None::<(usize, usize)>)]);
    while let Some((ingress, header, from)) = queue.pop_front() {
        let key = (ingress, header);
        if let Some(&visit) = seen.get(&key) {
            lead(&mut trace, from, visit);
            continue;
        }
        let visit = visit_box(network, key.0, &key.1, from.map(|f| f.0));
        let index = trace.visits.len();
        for (k, exit) in visit.exits.iter().enumerate() {
            for &to in links.get(&exit.port).into_iter().flatten() {
                queue.push_back((to, exit.header.clone(), Some((index, k))));
            }
        }
        seen.insert(key, index);
        trace.visits.push(visit);
        lead(&mut trace, from, index);
    }
    trace
}

fn lead(trace: &mut Trace, from: Option<(usize, usize)>, to: usize) {
    if let Some((visit, exit)) = from {
        trace.visits[visit].exits[exit].leads_to.push(to);
    }
}

fn visit_box(network: &Network, ingress: PortId, header: &Bits, from: Option<usize>) -> Visit {
    let device = network.port(ingress).device;
    let mut visit = Visit {
        ingress,
        header: header.clone(),
        from,
        lookups: Vec::new(),
        exits: Vec::new(),
        sent_back: 0,
        expired: 0,
    };
    let mut pending = VecDeque::new();
    if !network.device(device).tables.is_empty() {
        pending.push_back((0u32, ingress, header.clone()));
    }
    while let Some((table, place, header)) = pending.pop_front() {
        let rules = &network.device(device).tables[table as usize].rules;
        let hit = rules
            .iter()
            .position(|r| r.accepts(&network.layout, place, &header));
        let effect = hit.map(|i| &rules[i].effect);
        if let Some(Effect::Forward { outputs, .. }) = effect {
            for output in outputs {
                let Some(edited) = edit_header(&network.layout, &output.edits, &header) else {
                    visit.expired += 1;
                    continue;
                };
                match output.next {
                    Next::Table { table, port } => {
                        pending.push_back((table, port.unwrap_or(place), edited));
                    }
                    Next::Leave(out) if out == ingress && !network.device(device).send_back => {
                        visit.sent_back += 1;
                    }
                    Next::Leave(out) => leave(&mut visit, out, edited),
                    Next::LeaveIngress => leave(&mut visit, ingress, edited),
                }
            }
        }
        visit.lookups.push(Lookup {
            table,
            place,
            header,
            rule: hit.map(|i| RuleRef {
                device: device.0,
                table,
                rule: i as u32,
            }),
            outcome: outcome(effect),
        });
    }
    visit
}

fn leave(visit: &mut Visit, port: PortId, header: Bits) {
    let twin = visit
        .exits
        .iter()
        .any(|e| e.port == port && e.header == header);
    if !twin {
        visit.exits.push(Exit {
            port,
            header,
            leads_to: Vec::new(),
        });
    }
}

fn outcome(effect: Option<&Effect>) -> Outcome {
    match effect {
        None => Outcome::NoRule,
        Some(Effect::Drop) => Outcome::Dropped,
        Some(Effect::Deliver) => Outcome::Delivered,
        Some(Effect::Forward { outputs, .. }) if outputs.is_empty() => Outcome::Dropped,
        Some(Effect::Forward { outputs, spread }) => match spread {
            Spread::All => Outcome::Copied(outputs.len() as u32),
            Spread::OneOf => Outcome::OneOf(outputs.len() as u32),
        },
    }
}
