// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Which ports of a box carry which VLAN, tagged or untagged.

use super::config::Config;
use super::interface::{Interface, PortMode};
use super::names::{is_virtual, split_unit, vlan_of};
use super::quirks::{Quirk, Quirks};
use super::tables::SpanningTree;
use super::{IosBox, NoteKind};
use std::collections::{BTreeMap, BTreeSet};

/// A list of allowed VLANs longer than this says what is forbidden rather than what there is.
const MOST_NAMED: usize = 1024;

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
        Some((file, tree)) => {
            let mut result = if tree.vlans.is_empty() {
                from_config(ios)
            } else {
                from_spanning_tree(ios, &tree, quirks)
            };
            if !tree.shared.is_empty() {
                keep_forwarding(ios, &tree, &mut result);
            }
            ios.spanning_tree = Some((file, tree));
            result
        }
        None => {
            let trunks = ios.config.interfaces.iter().any(|i| {
                i.is_switched() && i.port_mode() == PortMode::Trunk && i.allowed.is_none()
            });
            if trunks && ios.config.vlans.is_none() && ios.config.active_vlans.is_none() {
                let what = "the VLANs of the box are not listed: trunks carry those that it names";
                ios.note(NoteKind::Assumed, what);
            }
            from_config(ios)
        }
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

/// MST: a VLAN is carried by the ports that forward in its instance.
fn keep_forwarding(ios: &IosBox, tree: &SpanningTree, result: &mut Switching) {
    for (vlan, members) in &mut result.members {
        let instance = ios.config.mst.get(vlan).copied().unwrap_or(0);
        let Some(section) = tree.shared.get(&instance) else {
            continue;
        };
        let forwards = |port: &str| section.forwarding.iter().any(|(p, _)| p == port);
        let (keep, stop): (Vec<Member>, Vec<Member>) =
            members.drain(..).partition(|m| forwards(&m.port));
        *members = keep;
        let ports = stop.iter().map(|m| m.port.clone());
        result.blocked.entry(*vlan).or_default().extend(ports);
        for m in stop.iter().filter(|m| m.untagged) {
            result.untagged.remove(&m.port);
        }
    }
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

/// VLANs that the box has: those that `show vlan` lists; else those that its configuration
/// names, in lists of allowed VLANs only where it lists none.
fn existing_vlans(config: &Config) -> BTreeSet<u16> {
    if let Some(active) = &config.active_vlans {
        return active.clone();
    }
    let interfaces = config.interfaces.iter();
    let named = interfaces.flat_map(|i| {
        let access = i.access_vlan.map(|(v, _)| v);
        let own = vlan_of(&i.name);
        [own, access, i.native_vlan, i.voice_vlan]
    });
    let mut existing: BTreeSet<u16> = named.flatten().chain([1]).collect();
    match &config.vlans {
        Some(set) => existing.extend(set.iter()),
        None => {
            let lists = config.interfaces.iter().filter_map(|i| i.allowed.as_ref());
            let lists = lists.filter(|set| set.iter().count() <= MOST_NAMED);
            existing.extend(lists.flat_map(|set| set.iter()));
        }
    }
    existing
}

fn from_config(ios: &IosBox) -> Switching {
    let mut result = Switching::default();
    let config = &ios.config;
    let existing = existing_vlans(config);
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
            if !existing.contains(&vlan) {
                return;
            }
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
                if existing.contains(&vlan) {
                    result.untagged.insert(port.clone(), vlan);
                }
                if let Some(voice) = interface.voice_vlan.filter(|v| *v != vlan) {
                    add(voice, false);
                }
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
