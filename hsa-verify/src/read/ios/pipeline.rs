// SPDX-License-Identifier: Apache-2.0 OR MIT
//! A box as tables of rules.
//!
//! ```text
//! port ──► bridge ──► acl-in ──► fib [vrf] ──► acl-out ──► egress ──►
//!   tag      └─────────────────────────────────────────────┘ untag
//! ```
//!
//! `port` admits frames and puts untagged ones into their VLAN. `bridge` floods what stays inside
//! a VLAN: everything in VLANs where the router has no address, and what is addressed to the
//! VLAN's own subnet elsewhere (the header has no Ethernet address; the router is taken for the
//! gateway of its VLANs). The rest is routed.

use super::acl::Acl;
use super::acl_rules::{entry_match, Fields};
use super::config::len_mask;
use super::forwarding::{label, routes_by_vrf, Exit, Fib, Resolver, Target};
use super::interface::Interface;
use super::names::{is_virtual, split_unit, vlan_of};
use super::quirks::{Quirk, Quirks};
use super::switching::{switching, Switching};
use super::{IosBox, NoteKind};
use crate::model::{
    DeviceId, Edit, Effect, FileId, L2Mode, L2Port, Match, Network, Next, Origin, Output, PortId,
    PortKind, PortMatch, Rule, Spread, Table, Test,
};
use crate::read::ReadError;
use rustc_hash::FxHashMap;
use std::collections::{BTreeMap, BTreeSet};

const PORT: usize = 0;
const BRIDGE: usize = 1;
const ACL_IN: usize = 2;
const FIB: usize = 3;

/// An access list on an interface: where packets are when it applies.
struct Binding<'a> {
    name: &'a str,
    line: usize,
    /// Ports and the VLAN of the packets there.
    places: Vec<(Vec<PortId>, u16)>,
}

struct Builder<'a> {
    network: &'a mut Network,
    ios: &'a IosBox,
    switching: &'a Switching,
    quirks: &'a Quirks,
    fields: Fields,
    device: DeviceId,
    ports: BTreeMap<String, PortId>,
    files: FxHashMap<String, FileId>,
    vrfs: Vec<Option<String>>,
    lost: BTreeMap<String, usize>,
}

/// Adds a box to the network.
///
/// # Errors
/// An access list on an interface that has lines we cannot read.
pub fn add_box(
    network: &mut Network,
    mut ios: IosBox,
    quirks: &Quirks,
) -> Result<super::Notes, ReadError> {
    ios.settle();
    let switching = switching(&mut ios, quirks);
    let routes = routes_by_vrf(&mut ios, quirks);
    let fields = Fields::of(&network.layout)
        .ok_or_else(|| ReadError::of_box(&ios.name, "the header has no IPv4 fields"))?;
    let device = network.add_device(&ios.name);
    network.devices[device.0 as usize].send_back = !quirks.has(Quirk::NeverBack);
    let fibs = routes
        .iter()
        .map(|(vrf, r)| (vrf.clone(), Fib::new(r.iter().map(|(_, r)| r))));
    let fibs: BTreeMap<Option<String>, Fib<'_>> = fibs.collect();
    let resolver = Resolver {
        ios: &ios,
        switching: &switching,
        quirks,
        fibs: &fibs,
    };
    let mut resolved: Vec<Vec<(FileOf<'_>, Vec<Target>)>> = Vec::new();
    for (vrf, table) in &routes {
        let mut seen = FxHashMap::default();
        let mut list = Vec::with_capacity(table.len());
        for (file, route) in table {
            if seen.insert((route.prefix, route.len), ()).is_some() {
                continue;
            }
            let hops = if quirks.has(Quirk::FirstNextHop) {
                1
            } else {
                route.hops.len()
            };
            let targets = route.hops[..hops]
                .iter()
                .map(|h| resolver.resolve(h, vrf.as_deref()))
                .collect();
            list.push((FileOf { file, route }, targets));
        }
        list.sort_by_key(|(f, _)| std::cmp::Reverse(f.route.len));
        resolved.push(list);
    }
    let mut builder = Builder {
        network,
        ios: &ios,
        switching: &switching,
        quirks,
        fields,
        device,
        ports: BTreeMap::new(),
        files: FxHashMap::default(),
        vrfs: routes.keys().cloned().collect(),
        lost: BTreeMap::new(),
    };
    builder.add_ports(&resolved);
    builder.add_tables();
    builder.port_table();
    builder.bridge_table();
    builder.acl_tables()?;
    for (index, list) in resolved.iter().enumerate() {
        builder.fib_table(index, list);
    }
    builder.egress_table();
    builder.l2_facts();
    let lost = std::mem::take(&mut builder.lost);
    for (what, count) in lost {
        for _ in 0..count {
            ios.note(NoteKind::Assumed, format!("{what}: dropped"));
        }
    }
    Ok(ios.notes)
}

/// A route with the file it came from.
struct FileOf<'a> {
    file: &'a str,
    route: &'a super::route::Route,
}

impl Builder<'_> {
    fn quirk(&self, quirk: Quirk) -> bool {
        self.quirks.has(quirk)
    }

    fn acl_out(&self) -> usize {
        FIB + self.vrfs.len()
    }

    fn origin(&mut self, file: &str, line: usize) -> Vec<Origin> {
        if file.is_empty() || line == 0 {
            return Vec::new();
        }
        let network = &mut *self.network;
        let file = match self.files.get(file) {
            Some(id) => *id,
            None => {
                let id = network.add_file(file);
                self.files.insert(file.to_owned(), id);
                id
            }
        };
        vec![Origin {
            file,
            line: line as u32,
        }]
    }

    /// Every port that the configuration, a table or a route names.
    fn add_ports(&mut self, resolved: &[Vec<(FileOf<'_>, Vec<Target>)>]) {
        let mut names: BTreeSet<String> = BTreeSet::new();
        for interface in &self.ios.config.interfaces {
            let port = split_unit(&interface.name).0;
            if !is_virtual(port) || port.starts_with("tunnel") {
                names.insert(port.to_owned());
            }
        }
        names.extend(
            self.switching
                .members
                .values()
                .flatten()
                .map(|m| m.port.clone()),
        );
        names.extend(self.switching.blocked.values().flatten().cloned());
        for target in resolved.iter().flatten().flat_map(|(_, t)| t) {
            if let Target::Ports(exits) = target {
                names.extend(exits.iter().map(|e| e.port.clone()));
            }
        }
        for name in names {
            let id = self
                .network
                .add_port(self.device, &name, PortKind::Physical, None);
            self.ports.insert(name, id);
        }
    }

    fn add_tables(&mut self) {
        let mut names = vec!["port".to_owned(), "bridge".to_owned(), "acl-in".to_owned()];
        for vrf in &self.vrfs {
            names.push(
                vrf.as_ref()
                    .map_or("fib".to_owned(), |v| format!("fib {v}")),
            );
        }
        names.extend(["acl-out".to_owned(), "egress".to_owned()]);
        let tables = names
            .into_iter()
            .map(|name| Table {
                name,
                rules: Vec::new(),
            })
            .collect();
        self.network.devices[self.device.0 as usize].tables = tables;
    }

    fn rule(&mut self, table: usize, rule: Rule) {
        self.network.devices[self.device.0 as usize].tables[table]
            .rules
            .push(rule);
    }

    fn vlan_is(&self, vlan: u16) -> Match {
        Match::any().and(self.fields.vlan, Test::Exact(u128::from(vlan)))
    }

    fn set_vlan(&self, vlan: u16) -> Edit {
        Edit::Set {
            field: self.fields.vlan,
            value: u128::from(vlan),
        }
    }

    fn ids<'m>(&self, ports: impl Iterator<Item = &'m str>) -> Vec<PortId> {
        ports.filter_map(|p| self.ports.get(p).copied()).collect()
    }

    fn members(&self, vlan: u16) -> &[super::switching::Member] {
        self.switching.members.get(&vlan).map_or(&[], Vec::as_slice)
    }

    /// Admission: VLANs a port carries, the VLAN of untagged frames, routed ports.
    fn port_table(&mut self) {
        let switching = self.switching;
        let go = Next::Table {
            table: BRIDGE as u32,
            port: None,
        };
        let mut tagged: BTreeMap<PortId, Vec<u16>> = BTreeMap::new();
        for (vlan, members) in &switching.members {
            for m in members {
                if !m.untagged {
                    tagged.entry(self.ports[&m.port]).or_default().push(*vlan);
                }
            }
        }
        for (port, vlans) in tagged {
            let tests = vlans.iter().map(|v| Test::Exact(u128::from(*v))).collect();
            let matching = Match::any().and(self.fields.vlan, Test::OneOf(tests));
            self.admit(
                vec![port],
                matching,
                Output::new(go),
                "tagged frames of its VLANs",
            );
        }
        for (port, vlan) in &switching.untagged {
            let mut output = Output::new(go);
            if !self.quirk(Quirk::UntaggedKept) {
                output = output.edit(self.set_vlan(*vlan));
            }
            let label = format!("untagged frames are VLAN {vlan}");
            self.admit(vec![self.ports[port]], self.vlan_is(0), output, &label);
        }
        self.routed_ports(go);
    }

    fn admit(&mut self, ports: Vec<PortId>, matching: Match, output: Output, label: &str) {
        let rule = Rule {
            ports: PortMatch::In(ports),
            matching,
            effect: Effect::to(output),
            origins: Vec::new(),
            label: Some(label.to_owned()),
        };
        self.rule(PORT, rule);
    }

    fn routed_ports(&mut self, go: Next) {
        let ios = self.ios;
        for interface in ios.config.interfaces.iter().filter(|i| is_routed(i)) {
            if ios.port_is_down(&interface.name) || self.quirk(Quirk::FlatVlans) {
                continue;
            }
            let (port, _) = split_unit(&interface.name);
            let Some(id) = self.ports.get(port).copied() else {
                continue;
            };
            let vlan = self.interface_vlan(interface);
            let rule = Rule {
                ports: PortMatch::In(vec![id]),
                matching: self.vlan_is(vlan),
                effect: Effect::to(Output::new(go)),
                origins: self.origin(&ios.config.file, interface.line),
                label: Some(format!("interface {}", interface.name)),
            };
            self.rule(PORT, rule);
        }
    }

    fn interface_vlan(&self, interface: &Interface) -> u16 {
        let unit = split_unit(&interface.name).1;
        let fibs = BTreeMap::new();
        let resolver = Resolver {
            ios: self.ios,
            switching: self.switching,
            quirks: self.quirks,
            fibs: &fibs,
        };
        unit.map_or(0, |u| resolver.unit_vlan(&interface.name, u))
    }

    /// What stays inside a VLAN.
    fn bridge_table(&mut self) {
        let ios = self.ios;
        let mut routed: BTreeSet<u16> = BTreeSet::new();
        let bridges = !self.quirk(Quirk::NothingBridged);
        for interface in ios.config.interfaces.iter().filter(|_| bridges) {
            let Some(vlan) = vlan_of(&interface.name) else {
                continue;
            };
            if interface.addresses.is_empty() || ios.port_is_down(&interface.name) {
                continue;
            }
            routed.insert(vlan);
            self.own_addresses(interface, vlan);
            for a in &interface.addresses {
                let net = (a.addr & len_mask(a.len), a.len);
                self.flood(vlan, Some(net), a.line);
            }
        }
        let vlans = self.switching.members.keys();
        for vlan in vlans.filter(|v| bridges && !routed.contains(*v)) {
            self.flood(*vlan, None, 0);
        }
        let rest = Output::new(Next::Table {
            table: ACL_IN as u32,
            port: None,
        });
        self.always(BRIDGE, rest, "routed");
    }

    fn always(&mut self, table: usize, output: Output, label: &str) {
        let rule = Rule {
            ports: PortMatch::Any,
            matching: Match::any(),
            effect: Effect::to(output),
            origins: Vec::new(),
            label: Some(label.to_owned()),
        };
        self.rule(table, rule);
    }

    /// Packets to the router's own addresses are not flooded.
    fn own_addresses(&mut self, interface: &Interface, vlan: u16) {
        let ports = self.ids(self.members(vlan).iter().map(|m| m.port.as_str()));
        for a in &interface.addresses {
            let rule = Rule {
                ports: PortMatch::In(ports.clone()),
                matching: self
                    .vlan_is(vlan)
                    .and(self.fields.ip_dst, Test::Exact(u128::from(a.addr))),
                effect: Effect::to(Output::new(Next::Table {
                    table: ACL_IN as u32,
                    port: None,
                })),
                origins: self.origin(&self.ios.config.file, a.line),
                label: Some(format!("own address of {}", interface.name)),
            };
            self.rule(BRIDGE, rule);
        }
    }

    /// Flooding inside a VLAN, to one subnet or to any address.
    fn flood(&mut self, vlan: u16, net: Option<(u32, u8)>, line: usize) {
        let mut matching = self.vlan_is(vlan);
        let mut what = format!("inside VLAN {vlan}");
        if let Some((prefix, len)) = net {
            let value = u128::from(prefix);
            matching = matching.and(self.fields.ip_dst, Test::Prefix { value, len });
            what = format!("{what} to {}/{len}", std::net::Ipv4Addr::from(prefix));
        }
        let origins = self.origin(&self.ios.config.file, line);
        let egress = self.acl_out() as u32 + 1;
        let ids = self.ids(self.members(vlan).iter().map(|m| m.port.as_str()));
        for &from in &ids {
            let others = ids.iter().filter(|to| **to != from);
            let to = |to: &PortId| {
                Output::new(Next::Table {
                    table: egress,
                    port: Some(*to),
                })
            };
            let effect = Effect::Forward {
                outputs: others.map(to).collect(),
                spread: Spread::All,
            };
            let rule = Rule {
                ports: PortMatch::In(vec![from]),
                matching: matching.clone(),
                effect,
                origins: origins.clone(),
                label: Some(what.clone()),
            };
            self.rule(BRIDGE, rule);
        }
    }

    /// Ports and VLANs where packets of an interface are, on their way in or out.
    fn places(&self, interface: &Interface, inbound: bool) -> Vec<(Vec<PortId>, u16)> {
        let members = |vlan: u16| self.members(vlan).iter();
        if let Some(vlan) = vlan_of(&interface.name) {
            let mut places = vec![(self.ids(members(vlan).map(|m| m.port.as_str())), vlan)];
            if inbound && self.quirk(Quirk::UntaggedKept) {
                let access = members(vlan)
                    .filter(|m| m.untagged)
                    .map(|m| m.port.as_str());
                places.push((self.ids(access), 0));
            }
            return places;
        }
        let (port, _) = split_unit(&interface.name);
        let ports = self.ids([port].into_iter());
        if is_routed(interface) || self.quirk(Quirk::FlatVlans) {
            return vec![(ports, self.interface_vlan(interface))];
        }
        // A list on a switched port concerns all its VLANs.
        let vlans = self.switching.members.iter();
        let vlans = vlans.filter(|(_, m)| m.iter().any(|m| m.port == interface.name));
        vlans.map(|(vlan, _)| (ports.clone(), *vlan)).collect()
    }

    fn acl_tables(&mut self) -> Result<(), ReadError> {
        let ios = self.ios;
        for inbound in [true, false] {
            for interface in &ios.config.interfaces {
                let group = if inbound {
                    &interface.acl_in
                } else {
                    &interface.acl_out
                };
                let Some((name, line)) = group else { continue };
                let down = ios.port_is_down(&interface.name) && !self.quirk(Quirk::FlatVlans);
                let named = name.parse::<u32>().is_err();
                if down || (named && self.quirk(Quirk::NumberedListsOnly)) {
                    continue;
                }
                let places = self.places(interface, inbound);
                let binding = Binding {
                    name,
                    line: *line,
                    places,
                };
                // IOS lets everything pass through a list that does not exist.
                let Some(acl) = ios.config.acls.get(name) else {
                    *self
                        .lost
                        .entry(format!(
                            "access list {name} is applied and does not exist, all passes, nothing"
                        ))
                        .or_default() += 1;
                    continue;
                };
                self.apply(acl, &binding, inbound)?;
            }
        }
        let vrfs = self.vrfs.clone();
        for (index, vrf) in vrfs.iter().enumerate().filter(|(_, v)| v.is_some()) {
            self.enter_vrf(vrf.as_deref(), index);
        }
        let global = vrfs.iter().position(Option::is_none).unwrap_or(0);
        self.enter_fib(PortMatch::Any, Match::any(), global);
        let egress = self.acl_out() as u32 + 1;
        self.always(
            self.acl_out(),
            Output::new(Next::Table {
                table: egress,
                port: None,
            }),
            "no list",
        );
        Ok(())
    }

    fn enter_fib(&mut self, ports: PortMatch, matching: Match, index: usize) {
        let rule = Rule {
            ports,
            matching,
            effect: Effect::to(Output::new(Next::Table {
                table: (FIB + index) as u32,
                port: None,
            })),
            origins: Vec::new(),
            label: None,
        };
        self.rule(ACL_IN, rule);
    }

    fn enter_vrf(&mut self, vrf: Option<&str>, index: usize) {
        let ios = self.ios;
        for interface in ios
            .config
            .interfaces
            .iter()
            .filter(|i| i.vrf.as_deref() == vrf)
        {
            for (ports, vlan) in self.places(interface, true) {
                let matching = self.vlan_is(vlan);
                self.enter_fib(PortMatch::In(ports), matching, index);
            }
        }
    }

    fn apply(&mut self, acl: &Acl, binding: &Binding<'_>, inbound: bool) -> Result<(), ReadError> {
        if let Some((line, why)) = acl.unusable.first() {
            return Err(ReadError::line(
                &self.ios.config.file,
                *line,
                format!(
                    "access list {} (applied in line {}): {why}",
                    binding.name, binding.line
                ),
            ));
        }
        let table = if inbound { ACL_IN } else { self.acl_out() };
        let onward = if inbound {
            self.vrf_of_binding(binding)
        } else {
            self.acl_out() + 1
        };
        let file = self.ios.config.file.clone();
        for entry in &acl.entries {
            let Some(matching) = entry_match(entry, &self.fields, self.quirks) else {
                continue;
            };
            let mut origins = self.origin(&file, entry.line);
            origins.extend(self.origin(&file, binding.line));
            let verb = if entry.permit { "permit" } else { "deny" };
            let label = format!("access list {} {verb}", binding.name);
            for (ports, vlan) in &binding.places {
                let vlan_test = Test::Exact(u128::from(*vlan));
                let matching = matching.clone().and(self.fields.vlan, vlan_test);
                for (ports, effect) in self.verdict(entry.permit, ports, inbound, onward) {
                    let (origins, label) = (origins.clone(), Some(label.clone()));
                    let matching = matching.clone();
                    let ports = PortMatch::In(ports);
                    self.rule(
                        table,
                        Rule {
                            ports,
                            matching,
                            effect,
                            origins,
                            label,
                        },
                    );
                }
            }
        }
        if self.quirk(Quirk::ImplicitPermit) {
            return Ok(());
        }
        for (ports, vlan) in &binding.places {
            let rule = Rule {
                ports: PortMatch::In(ports.clone()),
                matching: self.vlan_is(*vlan),
                effect: Effect::Drop,
                origins: self.origin(&file, binding.line),
                label: Some(format!("access list {} implicit deny", binding.name)),
            };
            self.rule(table, rule);
        }
        Ok(())
    }

    /// Table that a permitted inbound packet goes to: that of its VRF.
    fn vrf_of_binding(&self, binding: &Binding<'_>) -> usize {
        let at_line = |i: &&Interface| {
            [&i.acl_in, &i.acl_out]
                .into_iter()
                .flatten()
                .any(|(_, line)| *line == binding.line)
        };
        let vrf = self
            .ios
            .config
            .interfaces
            .iter()
            .find(at_line)
            .and_then(|i| i.vrf.clone());
        FIB + self.vrfs.iter().position(|v| *v == vrf).unwrap_or(0)
    }

    fn verdict(
        &self,
        permit: bool,
        ports: &[PortId],
        inbound: bool,
        onward: usize,
    ) -> Vec<(Vec<PortId>, Effect)> {
        if !permit {
            return vec![(ports.to_vec(), Effect::Drop)];
        }
        if !inbound && self.quirk(Quirk::UntaggedKept) {
            let leave = |p: &PortId| (vec![*p], Effect::leave(*p));
            return ports.iter().map(leave).collect();
        }
        let next = Next::Table {
            table: onward as u32,
            port: None,
        };
        vec![(ports.to_vec(), Effect::to(Output::new(next)))]
    }

    fn fib_table(&mut self, index: usize, routes: &[(FileOf<'_>, Vec<Target>)]) {
        for (file_of, targets) in routes {
            let route = file_of.route;
            let effect = self.effect(targets);
            let mut matching = Match::any();
            if route.len > 0 {
                let test = Test::Prefix {
                    value: u128::from(route.prefix),
                    len: route.len,
                };
                matching = matching.and(self.fields.ip_dst, test);
            }
            let rule = Rule {
                ports: PortMatch::Any,
                matching,
                effect,
                origins: self.origin(file_of.file, route.line),
                label: Some(label(route)),
            };
            self.rule(FIB + index, rule);
        }
    }

    fn effect(&mut self, targets: &[Target]) -> Effect {
        let to = self.acl_out() as u32;
        let mut outputs = Vec::new();
        let mut flooded = false;
        let mut delivered = false;
        for target in targets {
            match target {
                Target::Deliver => delivered = true,
                Target::Drop => {}
                Target::Lost(why) => *self.lost.entry(why.clone()).or_default() += 1,
                Target::Ports(exits) => {
                    flooded |= exits.len() > 1;
                    for Exit { port, vlan } in exits {
                        let output = Output::new(Next::Table {
                            table: to,
                            port: Some(self.ports[port]),
                        });
                        let output = output.edit(self.set_vlan(*vlan));
                        if !outputs.contains(&output) {
                            outputs.push(output);
                        }
                    }
                }
            }
        }
        match (outputs.is_empty(), delivered) {
            (true, true) if !self.quirk(Quirk::ReceiveForwards) => Effect::Deliver,
            (true, _) => Effect::Drop,
            (false, _) => Effect::Forward {
                outputs,
                spread: if flooded { Spread::All } else { Spread::OneOf },
            },
        }
    }

    /// The tag comes off where the VLAN is untagged; VLANs that a port does not carry stop here.
    fn egress_table(&mut self) {
        let table = self.acl_out() + 1;
        let switching = self.switching;
        let lenient = self.quirk(Quirk::LenientTags);
        let mut tagged: BTreeMap<&str, Vec<u16>> = BTreeMap::new();
        for (vlan, members) in &switching.members {
            for m in members {
                if m.untagged {
                    let id = self.ports[&m.port];
                    let output = Output::new(Next::Leave(id)).edit(self.set_vlan(0));
                    self.leave(table, id, self.vlan_is(*vlan), output, "untagged");
                } else {
                    tagged.entry(&m.port).or_default().push(*vlan);
                }
            }
        }
        for (port, vlans) in &tagged {
            let id = self.ports[*port];
            let tests = vlans.iter().map(|v| Test::Exact(u128::from(*v))).collect();
            let matching = Match::any().and(self.fields.vlan, Test::OneOf(tests));
            self.leave(table, id, matching, Output::new(Next::Leave(id)), "tagged");
        }
        let ports = self.ports.clone();
        for (name, id) in &ports {
            let switched = switching.is_switched(name);
            // A port carries its sub-interfaces and, untagged, itself.
            if lenient || (!switched && !self.ios.port_is_down(name)) {
                self.leave(
                    table,
                    *id,
                    Match::any(),
                    Output::new(Next::Leave(*id)),
                    "routed port",
                );
            }
        }
    }

    fn leave(&mut self, table: usize, port: PortId, matching: Match, output: Output, label: &str) {
        let rule = Rule {
            ports: PortMatch::In(vec![port]),
            matching,
            effect: Effect::to(output),
            origins: Vec::new(),
            label: Some(label.to_owned()),
        };
        self.rule(table, rule);
    }

    fn l2_facts(&mut self) {
        let mut ports: BTreeMap<&str, BTreeSet<u16>> = BTreeMap::new();
        for (vlan, members) in &self.switching.members {
            for m in members {
                ports.entry(&m.port).or_default().insert(*vlan);
            }
        }
        let mut blocked: BTreeMap<&str, BTreeSet<u16>> = BTreeMap::new();
        for (vlan, names) in &self.switching.blocked {
            for port in names {
                blocked.entry(port).or_default().insert(*vlan);
                ports.entry(port).or_default().insert(*vlan);
            }
        }
        for (port, allowed) in ports {
            let native = self.switching.untagged.get(port).copied();
            let access = native.filter(|n| allowed.len() == 1 && allowed.contains(n));
            let interface = self.ios.interface(port);
            let origin = interface.map(|i| i.line);
            let origin =
                origin.and_then(|l| self.origin(&self.ios.config.file, l).first().copied());
            self.network.l2.push(L2Port {
                port: self.ports[port],
                mode: match access {
                    Some(vlan) => L2Mode::Access(vlan),
                    None => L2Mode::Trunk { allowed, native },
                },
                blocked: blocked.remove(port).unwrap_or_default(),
                origin,
            });
        }
    }
}

/// A routed interface: it has an address, or a tag of its own.
fn is_routed(interface: &Interface) -> bool {
    !is_virtual(&interface.name)
        && !interface.is_switched()
        && (!interface.addresses.is_empty() || interface.tag.is_some())
}
