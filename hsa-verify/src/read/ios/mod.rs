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
mod numbers;
pub mod pipeline;
pub mod quirks;
pub mod route;
pub mod states;
pub mod switching;
pub mod tables;
pub mod vlans;

pub use acl_rules::Fields as IpFields;

use crate::read::notes::{NoteKind, Notes};
use config::Config;
use route::Route;
use rustc_hash::FxHashMap;
use states::InterfaceState;
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
    /// Neighbours.
    pub arp: ArpTable,
    /// Learned addresses.
    pub mac_table: MacTable,
    /// Spanning tree.
    pub spanning_tree: Option<SpanningTree>,
    /// Interface states with the name of their file.
    pub states: Option<(String, Vec<InterfaceState>)>,
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
