// SPDX-License-Identifier: Apache-2.0 OR MIT
//! A Junos box as tables of rules: `port` (units and input filters), `fib` for each routing
//! instance, `egress` (output filters).

use super::firewall::{Term, Verdict};
use super::terms::term_matches;
use super::{Hop, JunosBox, Route, Unit};
use crate::model::{
    DeviceId, Edit, Effect, FileId, Match, Network, Next, Origin, Output, PortId, PortKind,
    PortMatch, Rule, Spread, Table, Test,
};
use crate::read::ios::config::len_mask;
use crate::read::ios::quirks::{Quirk, Quirks};
use crate::read::ios::IpFields as Fields;
use crate::read::{Notes, ReadError, ReadNoteKind as NoteKind};
use rustc_hash::FxHashMap;
use std::collections::{BTreeMap, BTreeSet};

const PORT: usize = 0;
const FIB: usize = 1;
/// How many further next hops one may be resolved through.
const MAX_RECURSION: usize = 256;

struct Builder<'a> {
    network: &'a mut Network,
    junos: &'a JunosBox,
    quirks: &'a Quirks,
    fields: Fields,
    device: DeviceId,
    ports: BTreeMap<String, PortId>,
    bundles: BTreeMap<&'a str, Vec<&'a Unit>>,
    files: FxHashMap<String, FileId>,
    instances: Vec<Option<String>>,
    notes: Notes,
}

/// Adds a box to the network.
///
/// # Errors
/// A filter on an interface with statements that we cannot read, or that does not exist.
pub fn add_box(
    network: &mut Network,
    junos: &JunosBox,
    quirks: &Quirks,
) -> Result<Notes, ReadError> {
    let fields = Fields::of(&network.layout)
        .ok_or_else(|| ReadError::of_box(&junos.name, "the header has no IPv4 fields"))?;
    let device = network.add_device(&junos.name);
    network.devices[device.0 as usize].send_back = !quirks.has(Quirk::NeverBack);
    let mut bundles: BTreeMap<&str, Vec<&Unit>> = BTreeMap::new();
    for unit in junos.units.values().filter(|u| !u.down) {
        if let Some(bundle) = &unit.bundle {
            bundles.entry(bundle).or_default().push(unit);
        }
    }
    let shown = junos
        .routes
        .iter()
        .flat_map(|(_, r)| r)
        .map(|r| r.instance.clone());
    let units = junos.units.values().map(|u| u.instance.clone());
    let instances: BTreeSet<Option<String>> = shown.chain(units).chain([None]).collect();
    let instances = before_their_targets(junos, instances);
    let mut builder = Builder {
        network,
        junos,
        quirks,
        fields,
        device,
        ports: BTreeMap::new(),
        bundles,
        files: FxHashMap::default(),
        instances,
        notes: Notes::default(),
    };
    builder.add_ports();
    builder.port_table()?;
    builder.fib_tables();
    builder.egress_table()?;
    Ok(builder.notes)
}

impl<'a> Builder<'a> {
    fn rule(&mut self, table: usize, rule: Rule) {
        self.network.devices[self.device.0 as usize].tables[table]
            .rules
            .push(rule);
    }

    fn egress(&self) -> usize {
        FIB + self.instances.len()
    }

    fn origin(&mut self, file: &str, line: usize) -> Vec<Origin> {
        if file.is_empty() {
            return Vec::new();
        }
        let network = &mut *self.network;
        let file = *self
            .files
            .entry(file.to_owned())
            .or_insert_with(|| network.add_file(file));
        vec![Origin {
            file,
            line: line.max(1) as u32,
        }]
    }

    fn add_ports(&mut self) {
        let names: BTreeSet<&str> = self
            .junos
            .units
            .values()
            .filter(|u| (u.inet || u.bundle.is_some()) && !is_internal(u.port()))
            .map(Unit::port)
            .filter(|p| !p.starts_with("ae"))
            .collect();
        for name in names {
            let id = self
                .network
                .add_port(self.device, name, PortKind::Physical, None);
            self.ports.insert(name.to_owned(), id);
        }
        let mut tables = vec!["port".to_owned()];
        for instance in &self.instances {
            tables.push(
                instance
                    .as_ref()
                    .map_or("fib".to_owned(), |i| format!("fib {i}")),
            );
        }
        tables.push("egress".to_owned());
        let tables = tables.into_iter().map(|name| Table {
            name,
            rules: Vec::new(),
        });
        self.network.devices[self.device.0 as usize].tables = tables.collect();
    }

    /// Ports and tags by which packets of a unit enter and leave: its own, or those of the
    /// members of the aggregate.
    fn exits(&self, unit: &str) -> Vec<(PortId, u16)> {
        if let Some(members) = self.bundles.get(unit) {
            let members: Vec<&&Unit> = if self.quirks.has(Quirk::OneBundleMember) {
                members.iter().rev().take(1).collect()
            } else {
                members.iter().collect()
            };
            let exit = |m: &&&Unit| self.ports.get(m.port()).map(|p| (*p, m.vlan));
            return members.iter().filter_map(exit).collect();
        }
        match self.junos.units.get(unit) {
            Some(u) if u.down => Vec::new(),
            Some(u) => self
                .ports
                .get(u.port())
                .map(|p| (*p, u.vlan))
                .into_iter()
                .collect(),
            None => Vec::new(),
        }
    }

    fn vlan_is(&self, vlan: u16) -> Match {
        Match::any().and(self.fields.vlan, Test::Exact(u128::from(vlan)))
    }

    fn port_table(&mut self) -> Result<(), ReadError> {
        let junos = self.junos;
        for unit in junos.units.values().filter(|u| u.inet && !u.down) {
            let places = self.exits(&unit.name);
            if places.is_empty() {
                continue;
            }
            let instance = self.instance(unit.instance.as_ref()).unwrap_or(0);
            if !unit.filter_in.is_empty() {
                let onward = (FIB + instance) as u32;
                self.filter(PORT, &unit.filter_in, unit, &places, onward)?;
                continue;
            }
            for (port, vlan) in places {
                let next = Next::Table {
                    table: (FIB + instance) as u32,
                    port: None,
                };
                let rule = Rule {
                    ports: PortMatch::In(vec![port]),
                    matching: self.vlan_is(vlan),
                    effect: Effect::to(Output::new(next)),
                    origins: self.origin(&unit.origin.0, unit.origin.1),
                    label: Some(format!("interface {}", unit.name)),
                };
                self.rule(PORT, rule);
            }
        }
        Ok(())
    }

    fn egress_table(&mut self) -> Result<(), ReadError> {
        let junos = self.junos;
        let table = self.egress();
        for unit in junos.units.values().filter(|u| u.inet && !u.down) {
            if !unit.filter_out.is_empty() {
                let places = self.exits(&unit.name);
                self.filter(table, &unit.filter_out, unit, &places, u32::MAX)?;
            }
        }
        let ports: Vec<PortId> = self.ports.values().copied().collect();
        for port in ports {
            let rule = Rule {
                ports: PortMatch::In(vec![port]),
                matching: Match::any(),
                effect: Effect::leave(port),
                origins: Vec::new(),
                label: None,
            };
            self.rule(table, rule);
        }
        Ok(())
    }

    /// The terms of the filters in turn; `onward` is the table after them, or `u32::MAX` to leave
    /// the box.
    fn filter(
        &mut self,
        table: usize,
        names: &[String],
        unit: &Unit,
        places: &[(PortId, u16)],
        onward: u32,
    ) -> Result<(), ReadError> {
        let junos = self.junos;
        let (file, filters) = &junos.filters;
        let mut terms: Vec<(&str, &Term)> = Vec::new();
        for name in names {
            let filter = filters.get(name).ok_or_else(|| {
                let what = format!("filter {name} is applied and does not exist");
                ReadError::of_port(&junos.name, &unit.name, what)
            })?;
            terms.extend(filter.terms.iter().map(|t| (name.as_str(), t)));
        }
        for &(port, vlan) in places {
            for (name, term) in &terms {
                let refuse = |line: usize, what: &str| {
                    let what = format!("filter {name} on {}: {what}", unit.name);
                    ReadError::line(file, line, what)
                };
                if let Some((line, what)) = &term.unusable {
                    return Err(refuse(*line, what));
                }
                let base = self.vlan_is(vlan);
                let matches = term_matches(term, &self.fields, &base);
                let matches = matches.map_err(|what| refuse(term.line, &what))?;
                let leave = onward == u32::MAX;
                let to = |table: u32| Next::Table { table, port: None };
                let effect = match &term.verdict {
                    Verdict::Accept if leave => Effect::leave(port),
                    Verdict::Accept => Effect::to(Output::new(to(onward))),
                    Verdict::Discard => Effect::Drop,
                    Verdict::NextTerm => continue,
                    Verdict::Instance(instance) => {
                        let found = self.instance(Some(instance)).filter(|_| !leave);
                        let what = "there is no such routing-instance, or the filter is for output";
                        let at = found.ok_or_else(|| refuse(term.line, what))?;
                        Effect::to(Output::new(to((FIB + at) as u32)))
                    }
                };
                for matching in matches {
                    let rule = Rule {
                        ports: PortMatch::In(vec![port]),
                        matching,
                        effect: effect.clone(),
                        origins: self.origin(file, term.line),
                        label: Some(format!("filter {name} term {}", term.name)),
                    };
                    self.rule(table, rule);
                }
            }
            let rule = Rule {
                ports: PortMatch::In(vec![port]),
                matching: self.vlan_is(vlan),
                effect: Effect::Drop,
                origins: self.origin(&unit.origin.0, unit.origin.1),
                label: Some(format!("filter {} implicit discard", names.join(" "))),
            };
            self.rule(table, rule);
        }
        Ok(())
    }

    fn instance(&self, name: Option<&String>) -> Option<usize> {
        self.instances.iter().position(|i| i.as_ref() == name)
    }

    fn fib_tables(&mut self) {
        let junos = self.junos;
        for (index, instance) in self.instances.clone().iter().enumerate() {
            let mut routes: Vec<(&str, Route)> = Vec::new();
            for (file, list) in &junos.routes {
                let own = list.iter().filter(|r| r.instance == *instance);
                routes.extend(own.map(|r| (file.as_str(), r.clone())));
            }
            if routes.is_empty() {
                routes = self.implied_routes(instance.as_ref());
            }
            let mut seen = FxHashMap::default();
            routes.retain(|(_, r)| seen.insert((r.prefix, r.len), ()).is_none());
            routes.sort_by_key(|(_, r)| std::cmp::Reverse(r.len));
            let lookup: FxHashMap<(u32, u8), Vec<Hop>> = routes
                .iter()
                .map(|(_, r)| ((r.prefix, r.len), r.hops.clone()))
                .collect();
            for (file, route) in &routes {
                let effect = self.effect(&route.hops, &lookup, index);
                let mut matching = Match::any();
                if route.len > 0 {
                    let value = u128::from(route.prefix);
                    let test = Test::Prefix {
                        value,
                        len: route.len,
                    };
                    matching = matching.and(self.fields.ip_dst, test);
                }
                let prefix = std::net::Ipv4Addr::from(route.prefix);
                let rule = Rule {
                    ports: PortMatch::Any,
                    matching,
                    effect,
                    origins: self.origin(file, route.line),
                    label: Some(format!("route {prefix}/{}", route.len)),
                };
                self.rule(FIB + index, rule);
            }
        }
    }

    /// Connected networks, own addresses and static routes, where no table is shown.
    fn implied_routes(&mut self, instance: Option<&String>) -> Vec<(&'a str, Route)> {
        let junos = self.junos;
        let mut routes = Vec::new();
        for unit in junos
            .units
            .values()
            .filter(|u| u.instance.as_ref() == instance && !u.down)
        {
            for &(addr, len) in &unit.addresses {
                let (name, instance) = (unit.name.clone(), instance.cloned());
                let (file, line) = (unit.origin.0.as_str(), unit.origin.1);
                let own = Route {
                    prefix: addr,
                    len: 32,
                    hops: vec![Hop::Deliver],
                    line,
                    instance: instance.clone(),
                };
                routes.push((file, own));
                let prefix = addr & len_mask(len);
                routes.push((
                    file,
                    Route {
                        prefix,
                        len,
                        hops: vec![Hop::Unit(name)],
                        line,
                        instance,
                    },
                ));
            }
        }
        let (file, statics) = &junos.static_routes;
        routes.extend(
            statics
                .iter()
                .filter(|r| r.instance.as_ref() == instance)
                .cloned()
                .map(|r| (file.as_str(), r)),
        );
        if !routes.is_empty() {
            let what = "no route table shown: connected and static routes of the configuration";
            self.notes.of_box(NoteKind::Assumed, what, &self.junos.name);
        }
        routes
    }

    fn effect(
        &mut self,
        hops: &[Hop],
        lookup: &FxHashMap<(u32, u8), Vec<Hop>>,
        index: usize,
    ) -> Effect {
        let mut outputs = Vec::new();
        let mut delivered = false;
        let mut pending: Vec<Hop> = hops.to_vec();
        // What an address leads to is worked out once.
        let mut seen: BTreeSet<u32> = BTreeSet::new();
        let table = self.egress() as u32;
        while let Some(hop) = pending.pop() {
            match hop {
                Hop::Via(addr) if !seen.insert(addr) => {}
                Hop::Deliver => delivered = true,
                Hop::Drop => {}
                Hop::Unit(unit) => {
                    let exits = self.exits(&unit);
                    if exits.is_empty() && !is_internal(&unit) {
                        let what = "route over an interface that is down or unknown: dropped";
                        self.notes.of_box(NoteKind::Assumed, what, &self.junos.name);
                    }
                    for (port, vlan) in exits {
                        let set = Edit::Set {
                            field: self.fields.vlan,
                            value: u128::from(vlan),
                        };
                        let output = Output::new(Next::Table {
                            table,
                            port: Some(port),
                        })
                        .edit(set);
                        if !outputs.contains(&output) {
                            outputs.push(output);
                        }
                    }
                }
                Hop::Instance(name) => {
                    match self.instance(name.as_ref()).filter(|at| *at > index) {
                        Some(at) => {
                            let table = (FIB + at) as u32;
                            outputs.push(Output::new(Next::Table { table, port: None }));
                        }
                        None => {
                            let what = "next-table that leads nowhere or back: dropped";
                            let kind = NoteKind::NotModelled;
                            self.notes.of_box(kind, what, &self.junos.name);
                        }
                    }
                }
                Hop::Via(addr) => {
                    let found = (0..=32u8)
                        .rev()
                        .find_map(|len| lookup.get(&(addr & len_mask(len), len)));
                    match found.filter(|_| seen.len() <= MAX_RECURSION) {
                        Some(hops) => pending.extend(hops.iter().cloned()),
                        None => {
                            let what = "no route to a next hop: dropped";
                            self.notes.of_box(NoteKind::Assumed, what, &self.junos.name);
                        }
                    }
                }
            }
        }
        match (outputs.is_empty(), delivered) {
            (true, true) => Effect::Deliver,
            (true, false) => Effect::Drop,
            (false, _) => Effect::Forward {
                outputs,
                spread: Spread::OneOf,
            },
        }
    }
}

/// The instances in an order in which a route into another instance's table leads onward.
fn before_their_targets(
    junos: &JunosBox,
    mut left: BTreeSet<Option<String>>,
) -> Vec<Option<String>> {
    let shown = junos.routes.iter().flat_map(|(_, r)| r);
    let routes: Vec<&Route> = shown.chain(&junos.static_routes.1).collect();
    let leads = |from: &Option<String>, to: &Option<String>| {
        let own = routes.iter().filter(|r| r.instance == *from);
        let mut hops = own.flat_map(|r| &r.hops);
        from != to && hops.any(|h| matches!(h, Hop::Instance(i) if i == to))
    };
    let mut order = Vec::new();
    while let Some(first) = left.first().cloned() {
        // In a circle of instances some route has to lead back.
        let next = left.iter().find(|i| !left.iter().any(|o| leads(o, i)));
        let next = next.cloned().unwrap_or(first);
        left.remove(&next);
        order.push(next);
    }
    order
}

/// Interfaces without a cable.
pub(in crate::read) fn is_internal(name: &str) -> bool {
    [
        "lo0", "irb", "bcm", "gr-", "lc-", "pfe-", "pfh-", "em", "fxp", "jsrv", "bme", "mt-",
        "vt-", "sp-", "ip-",
    ]
    .iter()
    .any(|p| name.starts_with(p))
}
