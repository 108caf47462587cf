// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Which ports of a box carry which VLAN, tagged or untagged.

use super::interface::{Interface, PortMode};
use super::names::{is_virtual, split_unit, vlan_of};
use super::quirks::{Quirk, Quirks};
use super::tables::SpanningTree;
use super::{IosBox, NoteKind};
use std::collections::{BTreeMap, BTreeSet};

/// A port that carries a VLAN.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Member {
    /// Canonical name of the port.
    pub port: String,
    /// Whether its frames of this VLAN have no tag.
    pub untagged: bool,
    /// Whether flooding reaches the port.
    pub floods: bool,
}

/// VLANs of a box with their forwarding ports.
#[derive(Debug, Clone, Default)]
pub struct Switching {
    /// Forwarding ports by VLAN.
    pub members: BTreeMap<u16, Vec<Member>>,
    /// Ports that spanning tree keeps from forwarding, by VLAN.
    pub blocked: BTreeMap<u16, BTreeSet<String>>,
    /// VLAN of untagged frames by port, where there is one.
    pub untagged: BTreeMap<String, u16>,
}

impl Switching {
    /// The port carries the VLAN.
    pub fn member(&self, vlan: u16, port: &str) -> Option<&Member> {
        self.members.get(&vlan)?.iter().find(|m| m.port == port)
    }

    /// Whether the port carries any VLAN.
    pub fn is_switched(&self, port: &str) -> bool {
        self.members.values().flatten().any(|m| m.port == port)
    }
}

/// Ports by VLAN of a box: what spanning tree says where it is known, the configuration where
/// not.
pub fn switching(ios: &mut IosBox, quirks: &Quirks) -> Switching {
    let mut result = match ios.spanning_tree.take() {
        Some(tree) => {
            let result = from_spanning_tree(ios, &tree, quirks);
            ios.spanning_tree = Some(tree);
            result
        }
        None => from_config(ios),
    };
    if quirks.has(Quirk::FlatVlans) {
        join_by_number(ios, &mut result);
    }
    if quirks.has(Quirk::ConfiguredVlansOnly) {
        keep_configured(ios, &mut result);
    }
    result
}

/// Sub-interfaces and access ports join the VLAN of their number, whatever spanning tree says.
fn join_by_number(ios: &IosBox, result: &mut Switching) {
    for interface in &ios.config.interfaces {
        let (port, unit) = split_unit(&interface.name);
        let access = interface.access_vlan.map(|(vlan, _)| vlan);
        let access = access.filter(|_| interface.mode == Some(PortMode::Access));
        let unit = unit.and_then(|u| u16::try_from(u).ok());
        let Some(vlan) = unit.or(access) else {
            continue;
        };
        let exists = unit.is_some() || result.members.contains_key(&vlan);
        if exists && result.member(vlan, port).is_none() {
            let member = Member {
                port: port.to_owned(),
                untagged: unit.is_none(),
                floods: unit.is_some(),
            };
            result.members.entry(vlan).or_default().push(member);
            if unit.is_none() {
                result.untagged.insert(port.to_owned(), vlan);
            }
        }
    }
}

/// Drops VLANs that only spanning tree knows, and those whose router interface is shut down.
fn keep_configured(ios: &IosBox, result: &mut Switching) {
    let interfaces = &ios.config.interfaces;
    let shut: BTreeSet<u16> = interfaces
        .iter()
        .filter(|i| i.shutdown.is_some())
        .filter_map(|i| vlan_of(&i.name))
        .collect();
    let units = interfaces.iter().filter_map(|i| split_unit(&i.name).1);
    let known: BTreeSet<u16> = interfaces
        .iter()
        .filter_map(|i| vlan_of(&i.name))
        .chain(units.filter_map(|u| u16::try_from(u).ok()))
        .chain(ios.config.single_vlans.iter().copied())
        .filter(|v| !shut.contains(v))
        .collect();
    result.members.retain(|vlan, _| known.contains(vlan));
    result.untagged.retain(|_, vlan| known.contains(vlan));
}

/// The VLAN in which the port's frames have no tag.
fn untagged_vlan(interface: &Interface, quirks: &Quirks) -> Option<u16> {
    if quirks.has(Quirk::LenientTags) {
        let access = interface.mode == Some(PortMode::Access);
        return access.then(|| interface.access_vlan.map_or(1, |(v, _)| v));
    }
    match interface.port_mode() {
        PortMode::Access => Some(interface.access_vlan.map_or(1, |(v, _)| v)),
        PortMode::Trunk => Some(interface.native_vlan.unwrap_or(1)),
    }
}

fn from_spanning_tree(ios: &mut IosBox, tree: &SpanningTree, quirks: &Quirks) -> Switching {
    let mut result = Switching::default();
    let untagged: BTreeMap<String, u16> = ios
        .config
        .interfaces
        .iter()
        .filter(|i| i.is_switched() || i.mode.is_some())
        .filter_map(|i| Some((i.name.clone(), untagged_vlan(i, quirks)?)))
        .collect();
    for (vlan, section) in &tree.vlans {
        // The overlooked heading leaves its ports in the last VLAN that had a line of its own.
        let mut into = *vlan;
        while let (true, Some(above)) = (
            quirks.has(Quirk::LostLineEndings),
            tree.vlans.get(&into).and_then(|s| s.joined_to),
        ) {
            into = above;
        }
        for (port, _) in &section.forwarding {
            if ios.port_is_down(port) && !quirks.has(Quirk::PortsNeverDown) {
                ios.note(
                    NoteKind::Assumed,
                    "a port that is shut down forwards in spanning tree: down",
                );
                continue;
            }
            let access_mode = quirks.has(Quirk::LenientTags) && untagged.contains_key(port);
            let untagged = access_mode || untagged.get(port) == Some(&into);
            let member = Member {
                port: port.clone(),
                untagged,
                floods: true,
            };
            result.members.entry(into).or_default().push(member);
        }
        result.members.entry(into).or_default();
        let blocked = section.blocked.iter().map(|(p, _)| p.clone()).collect();
        result.blocked.insert(*vlan, blocked);
    }
    for (vlan, members) in &result.members {
        for m in members.iter().filter(|m| m.untagged) {
            result.untagged.insert(m.port.clone(), *vlan);
        }
    }
    result
}

fn from_config(ios: &IosBox) -> Switching {
    let mut result = Switching::default();
    let config = &ios.config;
    let existing: BTreeSet<u16> = config
        .vlans
        .iter()
        .flat_map(|set| set.iter())
        .chain(config.interfaces.iter().filter_map(|i| vlan_of(&i.name)))
        .chain(
            config
                .interfaces
                .iter()
                .filter_map(|i| i.access_vlan.map(|(v, _)| v)),
        )
        .chain(config.interfaces.iter().filter_map(|i| i.native_vlan))
        .chain([1])
        .collect();
    for interface in &config.interfaces {
        // Members of a port channel carry what the channel carries.
        if !interface.is_switched()
            || is_virtual(&interface.name)
            || interface.channel_group.is_some()
            || ios.port_is_down(&interface.name)
        {
            continue;
        }
        let port = &interface.name;
        let mut add = |vlan: u16, untagged: bool| {
            let members = result.members.entry(vlan).or_default();
            members.push(Member {
                port: port.clone(),
                untagged,
                floods: true,
            });
        };
        match interface.port_mode() {
            PortMode::Access => {
                let vlan = interface.access_vlan.map_or(1, |(v, _)| v);
                add(vlan, true);
                result.untagged.insert(port.clone(), vlan);
            }
            PortMode::Trunk => {
                let native = interface.native_vlan.unwrap_or(1);
                for vlan in &existing {
                    if interface
                        .allowed
                        .as_ref()
                        .is_none_or(|set| set.contains(*vlan))
                    {
                        add(*vlan, *vlan == native);
                        if *vlan == native {
                            result.untagged.insert(port.clone(), native);
                        }
                    }
                }
            }
        }
    }
    result
}
