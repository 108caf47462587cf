// SPDX-License-Identifier: Apache-2.0 OR MIT
//! From the tables of a network to diagrams that decide what happens to every header.

use super::classes::Narrowed;
use super::order::bit_order;
use crate::model::{DeviceId, Effect, ModelError, Network, Next, PortId, PortMatch, Rule, Table};
use crate::space::{Condition, Decision, EditId, Set, Space};
use rustc_hash::FxHashMap;
use std::sync::Arc;

/// One copy a rule makes of a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Copy {
    pub edits: EditId,
    pub next: Next,
}

/// A table ready for use: the decision at the places that rules name, and at all other places.
#[derive(Clone, Debug)]
pub(super) struct CompiledTable {
    pub named: FxHashMap<PortId, Decision>,
    pub elsewhere: Decision,
}

/// What leaves a table: sets by where they go.
pub(super) type Steps = Arc<[(Next, Set)]>;

/// A network compiled to transfer functions, with the space all its sets live in. Cloning gives
/// an independent copy for another thread; sets made before the clone are valid in both.
#[derive(Clone)]
pub struct Plane {
    /// The universe of headers; every set in questions and answers belongs to it.
    pub space: Space,
    /// Bits of the field that diagrams test first.
    pub(super) first_field: u32,
    pub(super) network: Arc<Network>,
    pub(super) tables: Vec<Vec<CompiledTable>>,
    pub(super) effects: Vec<Arc<[Copy]>>,
    effect_ids: FxHashMap<Vec<Copy>, u32>,
    links: Vec<Vec<PortId>>,
    links_back: Vec<Vec<PortId>>,
    ports_of: Vec<Vec<PortId>>,
    pub(super) narrowed: Option<Narrowed>,
    pub(super) forward_memo: FxHashMap<(Decision, Set), Steps>,
    pub(super) inverse_parts: FxHashMap<Decision, Arc<[(u32, Set)]>>,
}

impl Plane {
    /// Validates and compiles the network.
    ///
    /// # Errors
    /// The network contradicts itself, see [`Network::validate`].
    pub fn compile(network: Arc<Network>) -> Result<Plane, ModelError> {
        network.validate()?;
        let (order, first_field) = bit_order(&network);
        Ok(Plane::build(
            Space::with_order(order),
            first_field,
            network,
            None,
        ))
    }

    /// Compiles another network with the same header in the same space: sets made so far stay
    /// valid, and tables that did not change are not compiled again. Panics when the headers have
    /// another length.
    ///
    /// # Errors
    /// The network contradicts itself, see [`Network::validate`].
    pub fn recompile(self, network: Arc<Network>) -> Result<Plane, ModelError> {
        network.validate()?;
        assert_eq!(
            self.network.layout.length, network.layout.length,
            "headers of unequal length"
        );
        let space = self.space.clone();
        Ok(Plane::build(space, self.first_field, network, Some(self)))
    }

    fn build(space: Space, first_field: u32, network: Arc<Network>, old: Option<Plane>) -> Plane {
        let mut links = vec![Vec::new(); network.ports.len()];
        let mut links_back = vec![Vec::new(); network.ports.len()];
        for link in &network.links {
            links[link.from.0 as usize].push(link.to);
            links_back[link.to.0 as usize].push(link.from);
        }
        let mut ports_of = vec![Vec::new(); network.devices.len()];
        for port in network.physical_ports() {
            ports_of[network.port(port).device.0 as usize].push(port);
        }
        let mut plane = Plane {
            space,
            first_field,
            network: network.clone(),
            tables: Vec::new(),
            effects: Vec::new(),
            effect_ids: FxHashMap::default(),
            links,
            links_back,
            ports_of,
            narrowed: None,
            forward_memo: FxHashMap::default(),
            inverse_parts: FxHashMap::default(),
        };
        if let Some(old) = &old {
            plane.effects = old.effects.clone();
            plane.effect_ids = old.effect_ids.clone();
        }
        for (d, device) in network.devices.iter().enumerate() {
            let compiled = device.tables.iter().enumerate().map(|(t, table)| {
                let kept = old
                    .as_ref()
                    .and_then(|old| old.compiled(d, t, table, &network));
                kept.unwrap_or_else(|| plane.table(table))
            });
            let compiled = compiled.collect();
            plane.tables.push(compiled);
        }
        plane
    }

    /// The compiled form of a table, if this plane has the same table at the same place and port
    /// numbers mean the same in both networks.
    fn compiled(
        &self,
        device: usize,
        table: usize,
        like: &Table,
        network: &Network,
    ) -> Option<CompiledTable> {
        let own = self.network.devices.get(device)?.tables.get(table)?;
        let same = own == like && self.network.ports == network.ports;
        same.then(|| self.tables[device][table].clone())
    }

    /// The network this plane was compiled from.
    pub fn network(&self) -> &Arc<Network> {
        &self.network
    }

    /// The ports that receive what leaves through `port`; none at the edge of the network.
    pub fn receivers(&self, port: PortId) -> &[PortId] {
        &self.links[port.0 as usize]
    }

    /// The ports whose output arrives at `port`.
    pub fn senders(&self, port: PortId) -> &[PortId] {
        &self.links_back[port.0 as usize]
    }

    /// The physical ports of a box.
    pub fn ports_of(&self, device: DeviceId) -> &[PortId] {
        &self.ports_of[device.0 as usize]
    }

    /// The box of a port.
    pub fn device_of(&self, port: PortId) -> DeviceId {
        self.network.port(port).device
    }

    pub(super) fn decision(&self, device: DeviceId, table: usize, place: PortId) -> Decision {
        let table = &self.tables[device.0 as usize][table];
        let decision = *table.named.get(&place).unwrap_or(&table.elsewhere);
        match &self.narrowed {
            None => decision,
            Some(narrowed) => narrowed.rest[narrowed.at[&decision]],
        }
    }

    fn table(&mut self, table: &Table) -> CompiledTable {
        let lines: Vec<(Condition, Option<u32>)> = table
            .rules
            .iter()
            .map(|rule| {
                let condition = self.space.condition(&self.network.layout, &rule.matching);
                (condition, self.effect(&rule.effect))
            })
            .collect();
        let mut decide = |numbers: &[u32]| {
            let list: Vec<_> = numbers.iter().map(|&i| lines[i as usize]).collect();
            self.space.first_match(&list)
        };
        let places = places(&table.rules);
        let mut known: FxHashMap<&[u32], Decision> = FxHashMap::default();
        let mut named = FxHashMap::default();
        for (place, numbers) in &places.named {
            let decision = match known.get(numbers.as_slice()) {
                Some(&decision) => decision,
                None => decide(numbers),
            };
            known.insert(numbers, decision);
            named.insert(*place, decision);
        }
        let elsewhere = decide(&places.elsewhere);
        CompiledTable { named, elsewhere }
    }

    /// The number of an effect; effects that discard the packet have none.
    fn effect(&mut self, effect: &Effect) -> Option<u32> {
        let copies = effect.outputs().iter().map(|o| Copy {
            edits: self.space.edits(&self.network.layout, &o.edits),
            next: o.next,
        });
        let copies = copies.collect();
        self.effect_of(copies)
    }

    pub(super) fn effect_of(&mut self, copies: Vec<Copy>) -> Option<u32> {
        if copies.is_empty() {
            return None;
        }
        if let Some(&id) = self.effect_ids.get(&copies) {
            return Some(id);
        }
        let id = self.effects.len() as u32;
        self.effects.push(copies.as_slice().into());
        self.effect_ids.insert(copies, id);
        Some(id)
    }
}

/// Which rules of a table apply where, by rule number in order.
pub(crate) struct Places {
    pub named: Vec<(PortId, Vec<u32>)>,
    pub elsewhere: Vec<u32>,
}

pub(crate) fn places(rules: &[Rule]) -> Places {
    let mut at: FxHashMap<PortId, usize> = FxHashMap::default();
    let mut named: Vec<(PortId, Vec<u32>)> = Vec::new();
    let mut elsewhere = Vec::new();
    for (i, rule) in rules.iter().enumerate() {
        let i = i as u32;
        match &rule.ports {
            PortMatch::Any => {
                elsewhere.push(i);
                named.iter_mut().for_each(|(_, list)| list.push(i));
            }
            PortMatch::In(ports) => {
                for &port in ports {
                    let slot = *at.entry(port).or_insert_with(|| {
                        named.push((port, elsewhere.clone()));
                        named.len() - 1
                    });
                    if named[slot].1.last() != Some(&i) {
                        named[slot].1.push(i);
                    }
                }
            }
        }
    }
    Places { named, elsewhere }
}
