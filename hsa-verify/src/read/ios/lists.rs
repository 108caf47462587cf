// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Access lists where interfaces apply them, and the way from there into the table of a VRF.

use super::acl_rules::entry_match;
use super::interface::Interface;
use super::names::{split_unit, vlan_of};
use super::pipeline::{is_routed, Builder, ACL_IN, FIB};
use super::quirks::Quirk;
use crate::model::{Effect, Match, Next, Origin, Output, PortId, PortMatch, Rule, Test};
use crate::read::ReadError;

/// An access list on an interface: where packets are when it applies.
struct Binding<'a> {
    name: &'a str,
    line: usize,
    /// Ports and the VLAN of the packets there.
    places: Vec<(Vec<PortId>, u16)>,
}

/// An entry of a list, the deny at its end included.
pub(super) struct ListRule {
    pub(super) permit: bool,
    pub(super) matching: Match,
    pub(super) origins: Vec<Origin>,
    pub(super) label: String,
}

impl Builder<'_> {
    /// The entries of a list that is applied in a line of the configuration. `None`: everything
    /// passes, as IOS has it for a list that does not exist or is empty.
    ///
    /// # Errors
    /// The list has lines that cannot be read.
    pub(super) fn list(
        &mut self,
        name: &str,
        line: usize,
    ) -> Result<Option<Vec<ListRule>>, ReadError> {
        let ios = self.ios;
        let found = ios.config.acls.get(name);
        let used = found.filter(|a| !a.entries.is_empty() || !a.unusable.is_empty());
        let Some(acl) = used else {
            let how = if found.is_some() {
                "is empty"
            } else {
                "does not exist"
            };
            let what = format!("access list {name} is applied and {how}: all passes");
            *self.lost.entry(what).or_default() += 1;
            return Ok(None);
        };
        let file = acl.file.as_ref().unwrap_or(&ios.config.file).clone();
        if let Some((at, why)) = acl.unusable.first() {
            let what = format!("access list {name} (applied in line {line}): {why}");
            return Err(ReadError::line(&file, *at, what));
        }
        let mut rules = Vec::new();
        for entry in &acl.entries {
            let Some(matching) = entry_match(entry, &self.fields, self.quirks) else {
                continue;
            };
            let mut origins = self.origin(&file, entry.line);
            origins.extend(self.origin(&ios.config.file, line));
            let verb = if entry.permit { "permit" } else { "deny" };
            rules.push(ListRule {
                permit: entry.permit,
                matching,
                origins,
                label: format!("access list {name} {verb}"),
            });
        }
        if !self.quirk(Quirk::ImplicitPermit) {
            rules.push(ListRule {
                permit: false,
                matching: Match::any(),
                origins: self.origin(&ios.config.file, line),
                label: format!("access list {name} implicit deny"),
            });
        }
        Ok(Some(rules))
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
        if inbound && self.filters_bridged() {
            // Applied where the port takes its frames.
            return Vec::new();
        }
        // A list on a switched port concerns all its VLANs.
        let vlans = self.switching.members.iter();
        let vlans = vlans.filter(|(_, m)| m.iter().any(|m| m.port == interface.name));
        vlans.map(|(vlan, _)| (ports.clone(), *vlan)).collect()
    }

    pub(super) fn acl_tables(&mut self) -> Result<(), ReadError> {
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
                self.apply(&binding, inbound)?;
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

    /// Whether lists on switched ports filter frames that are bridged, as they do on switches.
    pub(super) fn filters_bridged(&self) -> bool {
        !self.quirk(Quirk::FlatVlans)
    }

    fn apply(&mut self, binding: &Binding<'_>, inbound: bool) -> Result<(), ReadError> {
        let Some(list) = self.list(binding.name, binding.line)? else {
            return Ok(());
        };
        let table = if inbound { ACL_IN } else { self.acl_out() };
        let onward = if inbound {
            self.vrf_of_binding(binding)
        } else {
            self.acl_out() + 1
        };
        for entry in &list {
            for (ports, vlan) in &binding.places {
                let vlan_test = Test::Exact(u128::from(*vlan));
                let matching = entry.matching.clone().and(self.fields.vlan, vlan_test);
                for (ports, effect) in self.verdict(entry.permit, ports, inbound, onward) {
                    let rule = Rule {
                        ports: PortMatch::In(ports),
                        matching: matching.clone(),
                        effect,
                        origins: entry.origins.clone(),
                        label: Some(entry.label.clone()),
                    };
                    self.rule(table, rule);
                }
            }
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
}
