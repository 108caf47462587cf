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

use super::acl_rules::Fields;
use super::forwarding::{label, routes_by_vrf, Exit, Fib, Resolver, Target};
use super::interface::Interface;
use super::names::{is_virtual, split_unit};
use super::quirks::{Quirk, Quirks};
use super::switching::{switching, Switching};
use super::{IosBox, NoteKind};
use crate::model::{
    DeviceId, Edit, Effect, FileId, Match, Network, Next, Origin, Output, PortId, PortKind,
    PortMatch, Rule, Spread, Table, Test,
};
use crate::read::ReadError;
use rustc_hash::FxHashMap;
use std::collections::{BTreeMap, BTreeSet};

pub(super) const PORT: usize = 0;
pub(super) const BRIDGE: usize = 1;
pub(super) const ACL_IN: usize = 2;
pub(super) const FIB: usize = 3;

pub(super) struct Builder<'a> {
    pub(super) network: &'a mut Network,
    pub(super) ios: &'a IosBox,
    pub(super) switching: &'a Switching,
    pub(super) quirks: &'a Quirks,
    pub(super) fields: Fields,
    pub(super) device: DeviceId,
    pub(super) ports: BTreeMap<String, PortId>,
    pub(super) files: FxHashMap<String, FileId>,
    pub(super) vrfs: Vec<Option<String>>,
    pub(super) lost: BTreeMap<String, usize>,
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
                .flat_map(|h| resolver.resolve(h, vrf.as_deref()))
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
    builder.port_table()?;
    builder.bridge_table();
    builder.acl_tables()?;
    for (index, list) in resolved.iter().enumerate() {
        builder.fib_table(index, list);
    }
    builder.egress_table();
    builder.other_frames();
    builder.l2_facts();
    let lost = std::mem::take(&mut builder.lost);
    for (what, count) in lost {
        for _ in 0..count {
            ios.note(NoteKind::Assumed, what.clone());
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
    pub(super) fn quirk(&self, quirk: Quirk) -> bool {
        self.quirks.has(quirk)
    }

    pub(super) fn acl_out(&self) -> usize {
        FIB + self.vrfs.len()
    }

    pub(super) fn origin(&mut self, file: &str, line: usize) -> Vec<Origin> {
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
        let bundled = if self.quirk(Quirk::FlatVlans) {
            Vec::new()
        } else {
            self.ios.channel_members()
        };
        for interface in &self.ios.config.interfaces {
            let port = split_unit(&interface.name).0;
            let member = bundled.iter().any(|(m, _)| *m == port);
            if (!is_virtual(port) || port.starts_with("tunnel")) && !member {
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
            let members = bundled.iter().filter(|(_, channel)| *channel == name);
            let members = members.map(|(member, _)| (*member).to_owned());
            self.network.ports[id.0 as usize].members = members.collect();
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

    pub(super) fn rule(&mut self, table: usize, rule: Rule) {
        self.network.devices[self.device.0 as usize].tables[table]
            .rules
            .push(rule);
    }

    pub(super) fn vlan_is(&self, vlan: u16) -> Match {
        Match::any().and(self.fields.vlan, Test::Exact(u128::from(vlan)))
    }

    pub(super) fn set_vlan(&self, vlan: u16) -> Edit {
        Edit::Set {
            field: self.fields.vlan,
            value: u128::from(vlan),
        }
    }

    pub(super) fn ids<'m>(&self, ports: impl Iterator<Item = &'m str>) -> Vec<PortId> {
        ports.filter_map(|p| self.ports.get(p).copied()).collect()
    }

    pub(super) fn members(&self, vlan: u16) -> &[super::switching::Member] {
        self.switching.members.get(&vlan).map_or(&[], Vec::as_slice)
    }

    pub(super) fn always(&mut self, table: usize, output: Output, label: &str) {
        let rule = Rule {
            ports: PortMatch::Any,
            matching: Match::any(),
            effect: Effect::to(output),
            origins: Vec::new(),
            label: Some(label.to_owned()),
        };
        self.rule(table, rule);
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
                Target::Lost(why) => {
                    *self.lost.entry(format!("{why}: dropped")).or_default() += 1;
                }
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
}

/// A routed interface: it has an address, or a tag of its own.
pub(super) fn is_routed(interface: &Interface) -> bool {
    !is_virtual(&interface.name)
        && !interface.is_switched()
        && (!interface.addresses.is_empty() || interface.tag.is_some())
}
