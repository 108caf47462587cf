// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Frames into and out of a box: tags, VLANs, what is bridged rather than routed.

use super::config::len_mask;
use super::forwarding::Resolver;
use super::interface::Interface;
use super::names::{split_unit, vlan_of};
use super::pipeline::{is_routed, Builder, ACL_IN, BRIDGE, PORT};
use super::quirks::Quirk;
use crate::model::{
    Effect, L2Mode, L2Port, Match, Next, Origin, Output, PortId, PortMatch, Rule, Spread, Test,
};
use crate::read::ReadError;
use std::collections::{BTreeMap, BTreeSet};

impl Builder<'_> {
    /// Admission: VLANs a port carries, the VLAN of untagged frames, routed ports.
    ///
    /// # Errors
    /// An access list on a switched port that cannot be read.
    pub(super) fn port_table(&mut self) -> Result<(), ReadError> {
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
            let label = "tagged frames of its VLANs";
            self.admit(port, matching, Output::new(go), label)?;
        }
        for (port, vlan) in &switching.untagged {
            let mut output = Output::new(go);
            if !self.quirk(Quirk::UntaggedKept) {
                output = output.edit(self.set_vlan(*vlan));
            }
            let label = format!("untagged frames are VLAN {vlan}");
            self.admit(self.ports[port], self.vlan_is(0), output, &label)?;
        }
        self.routed_ports(go);
        Ok(())
    }

    /// Frames that a switched port takes, through the access list on the port if there is one: it
    /// filters what is bridged, too.
    fn admit(
        &mut self,
        port: PortId,
        matching: Match,
        output: Output,
        label: &str,
    ) -> Result<(), ReadError> {
        let ios = self.ios;
        let name = self.network.port(port).name.clone();
        let list = ios.interface(&name).filter(|_| self.filters_bridged());
        let list = list.and_then(|i| i.acl_in.as_ref());
        let list = list.map(|(name, line)| self.list(name, *line));
        let Some(entries) = list.transpose()?.flatten() else {
            let rule = Rule {
                ports: PortMatch::In(vec![port]),
                matching,
                effect: Effect::to(output),
                origins: self.port_origin(port),
                label: Some(label.to_owned()),
            };
            self.rule(PORT, rule);
            return Ok(());
        };
        for entry in entries {
            let effect = match entry.permit {
                true => Effect::to(output.clone()),
                false => Effect::Drop,
            };
            let mut both = matching.clone();
            both.fields.extend(entry.matching.fields);
            let rule = Rule {
                ports: PortMatch::In(vec![port]),
                matching: both,
                effect,
                origins: entry.origins,
                label: Some(entry.label),
            };
            self.rule(PORT, rule);
        }
        Ok(())
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

    pub(super) fn interface_vlan(&self, interface: &Interface) -> u16 {
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
    pub(super) fn bridge_table(&mut self) {
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
        if bridges {
            self.neighbours_on_the_wire();
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

    /// A router sends a packet for a connected network to the Ethernet address of its destination.
    /// If it arrives at another router of the same wire, it was not meant for that one.
    fn neighbours_on_the_wire(&mut self) {
        let ios = self.ios;
        for interface in ios.config.interfaces.iter().filter(|i| is_routed(i)) {
            let (port, _) = split_unit(&interface.name);
            let Some(id) = self.ports.get(port).copied() else {
                continue;
            };
            if ios.port_is_down(&interface.name) {
                continue;
            }
            let tagged = self.vlan_is(self.interface_vlan(interface));
            for a in interface.addresses.iter().filter(|a| a.len < 32) {
                let own = Test::Exact(u128::from(a.addr));
                let value = u128::from(a.addr & len_mask(a.len));
                let wire = Test::Prefix { value, len: a.len };
                let field = self.fields.ip_dst;
                let matching = tagged.clone().and(field, wire);
                let rule = Rule {
                    ports: PortMatch::In(vec![id]),
                    matching: matching.and(field, Test::Not(Box::new(own))),
                    effect: Effect::Drop,
                    origins: self.origin(&ios.config.file, a.line),
                    label: Some(format!("for a neighbour on the wire of {}", interface.name)),
                };
                self.rule(BRIDGE, rule);
            }
        }
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

    /// The tag comes off where the VLAN is untagged; VLANs that a port does not carry stop here.
    pub(super) fn egress_table(&mut self) {
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
            origins: self.port_origin(port),
            label: Some(label.to_owned()),
        };
        self.rule(table, rule);
    }

    /// Where a port is configured, or else shown in spanning tree.
    fn port_origin(&mut self, port: PortId) -> Vec<Origin> {
        let ios = self.ios;
        let name = self.network.port(port).name.clone();
        let line = ios.interface(&name).map_or(0, |i| i.line);
        if line > 0 {
            return self.origin(&ios.config.file, line);
        }
        let Some((file, tree)) = &ios.spanning_tree else {
            return Vec::new();
        };
        let mut lines = tree.vlans.values().flat_map(|v| &v.forwarding);
        let line = lines.find(|(p, _)| *p == name).map_or(0, |(_, line)| *line);
        self.origin(file, line)
    }

    /// Frames of VLANs that a port does not carry are dropped on purpose, not for lack of a rule.
    pub(super) fn other_frames(&mut self) {
        for table in [PORT, self.acl_out() + 1] {
            let rule = Rule {
                ports: PortMatch::Any,
                matching: Match::any(),
                effect: Effect::Drop,
                origins: Vec::new(),
                label: Some("a VLAN that the port does not carry".to_owned()),
            };
            self.rule(table, rule);
        }
    }

    pub(super) fn l2_facts(&mut self) {
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
