// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Cisco IOS and IOS-XE: a configuration and the output of show commands, box by box.
//!
//! The parts: [`config`] and [`interface`] read the configuration, [`acl`] its access lists;
//! [`cef`], [`route`], [`tables`] and [`states`] read show output; [`switching`] works out VLAN
//! membership; [`pipeline`] turns a box into tables of rules. [`quirks`] names deviations.

pub mod acl;
mod acl_rules;
mod admission;
pub mod cef;
pub mod config;
mod effects;
mod forwarding;
pub mod interface;
mod lists;
pub mod names;
pub mod neighbours;
mod numbers;
mod object_groups;
pub mod pipeline;
pub mod quirks;
pub mod route;
pub mod shown_lists;
pub mod shown_vlans;
pub mod states;
pub mod switching;
pub mod tables;
pub mod vlans;

pub use acl_rules::Fields as IpFields;

use crate::read::notes::{NoteKind, Notes};
use config::Config;
use route::Route;
use rustc_hash::FxHashMap;
use shown_vlans::ShownVlans;
use states::InterfaceState;
use std::collections::BTreeMap;
use tables::{ArpTable, MacTable, SpanningTree};

/// Everything that was read about one box.
#[derive(Debug, Default)]
pub struct IosBox {
    /// Name in the model.
    pub name: String,
    /// Configuration; empty if there is none.
    pub config: Config,
    /// Routes with the name of their file.
    pub routes: Vec<(String, Vec<Route>)>,
    /// Neighbours by VRF.
    pub arp: BTreeMap<Option<String>, ArpTable>,
    /// Learned addresses.
    pub mac_table: MacTable,
    /// Spanning tree with the name of its file.
    pub spanning_tree: Option<(String, SpanningTree)>,
    /// Interface states with the name of their file.
    pub states: Option<(String, Vec<InterfaceState>)>,
    /// VLANs as shown, with the name of their file.
    pub shown_vlans: Option<(String, ShownVlans)>,
    /// What did not become part of the model.
    pub notes: Notes,
    /// Ports that are down, once [`IosBox::settle`] has run.
    down: FxHashMap<String, bool>,
}

impl IosBox {
    /// An empty box.
    pub fn new(name: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            ..Self::default()
        }
    }

    /// Works out which interfaces are down and takes addresses from `show interfaces` where the
    /// configuration lacks them (DHCP, or no configuration at all).
    pub fn settle(&mut self) {
        self.settle_states();
        self.settle_shown_vlans();
        self.settle_default_ports();
    }

    fn settle_states(&mut self) {
        for interface in &self.config.interfaces {
            self.down
                .insert(interface.name.clone(), interface.shutdown.is_some());
        }
        let Some((_, states)) = &self.states else {
            return;
        };
        for state in states {
            if !state.up {
                self.down.insert(state.name.clone(), true);
            }
            let known = self
                .config
                .interfaces
                .iter_mut()
                .find(|i| i.name == state.name);
            let interface = match known {
                Some(interface) => interface,
                None => {
                    let new = interface::Interface::new(state.name.clone(), state.line);
                    self.config.interfaces.push(new);
                    self.config
                        .interfaces
                        .last_mut()
                        .expect("an element was pushed")
                }
            };
            if interface.addresses.is_empty() {
                interface.addresses.clone_from(&state.addresses);
            }
        }
    }

    /// Access ports that only `show vlan` tells of.
    fn settle_shown_vlans(&mut self) {
        let Some((_, shown)) = self.shown_vlans.take() else {
            return;
        };
        let mut contradictions = 0;
        for (vlan, ports) in &shown {
            for (port, _) in ports {
                let known = self.config.interfaces.iter().position(|i| i.name == *port);
                let at = known.unwrap_or_else(|| {
                    let new = interface::Interface::new(port.clone(), 0);
                    self.config.interfaces.push(new);
                    self.config.interfaces.len() - 1
                });
                let interface = &mut self.config.interfaces[at];
                if interface.switchport.is_none() && interface.addresses.is_empty() {
                    interface.switchport = Some(true);
                    interface.access_vlan = Some((*vlan, 0));
                }
                let configured = interface.access_vlan.map_or(1, |(v, _)| v);
                let access = interface.port_mode() == interface::PortMode::Access;
                contradictions += usize::from(access && configured != *vlan);
            }
        }
        for _ in 0..contradictions {
            let what =
                "`show vlan` has a port in another VLAN than its configuration: the latter is used";
            self.note(NoteKind::Assumed, what);
        }
        self.config.active_vlans = Some(shown.keys().copied().collect());
    }

    /// A stanza that says nothing about layers, on a box that has switched ports: a switch lists
    /// routed ports with an address or `no ip address`, so this one is an access port of VLAN 1.
    fn settle_default_ports(&mut self) {
        let interfaces = &self.config.interfaces;
        if !interfaces.iter().any(|i| i.switchport == Some(true)) {
            return;
        }
        let silent = |i: &interface::Interface| {
            let unit = format!("{}.", i.name);
            i.switchport.is_none()
                && i.addresses.is_empty()
                && i.no_address.is_none()
                && i.channel_group.is_none()
                && i.shutdown.is_none()
                && i.vrf.is_none()
                && i.line > 0
                && names::is_ethernet(&i.name)
                && !interfaces.iter().any(|o| o.name.starts_with(&unit))
        };
        let found: Vec<usize> = (0..interfaces.len())
            .filter(|i| silent(&interfaces[*i]))
            .collect();
        for at in found {
            self.config.interfaces[at].switchport = Some(true);
            let what = "port without settings on a switch: access port of VLAN 1";
            self.note(NoteKind::Assumed, what);
        }
    }

    /// Members of port channels with the name of their channel, where that is configured.
    pub fn channel_members(&self) -> Vec<(&str, String)> {
        let members = self.config.interfaces.iter().filter_map(|i| {
            let channel = format!("po{}", i.channel_group?);
            self.interface(&channel)?;
            Some((i.name.as_str(), channel))
        });
        members.collect()
    }

    /// Whether an interface was shut down or has no line. Interfaces that no file mentions are
    /// up; a sub-interface is down with its port.
    pub fn port_is_down(&self, name: &str) -> bool {
        let down = |n: &str| self.down.get(n).copied().unwrap_or(false);
        down(name) || down(names::split_unit(name).0)
    }

    /// Counts a finding about this box.
    pub fn note(&mut self, kind: NoteKind, what: impl Into<String>) {
        let name = self.name.clone();
        self.notes.of_box(kind, what, &name);
    }

    /// Interface of the configuration by canonical name.
    pub fn interface(&self, name: &str) -> Option<&interface::Interface> {
        self.config.interfaces.iter().find(|i| i.name == name)
    }
}

/// Number of an IP protocol by name or number, for other readers.
pub(super) fn protocol(name: &str) -> Option<u8> {
    numbers::protocol_number(name)
}

/// Number of a TCP or UDP port by name, for other readers.
pub(super) fn port(name: &str) -> Option<u16> {
    numbers::port_number(None, name)
}

/// ICMP type by name, for other readers.
pub(super) fn icmp_type(name: &str) -> Option<u8> {
    numbers::icmp_type_number(name).map(|(kind, _)| kind)
}
