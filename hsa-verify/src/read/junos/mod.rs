// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Junos: forwarding tables, interfaces, routes and configuration, box by box.
//!
//! [`forwarding`] reads `show route forwarding-table`, [`routes`] reads `show route | display
//! json`, [`interfaces`] reads `show interfaces` as XML or JSON, [`config`] reads configurations
//! as `set` lines or in braces, and [`pipeline`] turns a box into tables of rules.

pub mod config;
pub mod firewall;
pub mod forwarding;
pub mod interfaces;
pub mod pipeline;
pub mod routes;
mod statements;
mod terms;

use super::notes::Notes;
use firewall::Filter;
use std::collections::BTreeMap;

/// A logical interface.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Unit {
    /// `xe-0/0/0.110`.
    pub name: String,
    /// VLAN of its frames; 0 is untagged.
    pub vlan: u16,
    /// Whether IPv4 is configured.
    pub inet: bool,
    /// IPv4 addresses with prefix lengths.
    pub addresses: Vec<(u32, u8)>,
    /// Aggregate (`ae8.10`) that it is a member of.
    pub bundle: Option<String>,
    /// Routing instance; `None` is the master instance.
    pub instance: Option<String>,
    /// Input filters, one after the other.
    pub filter_in: Vec<String>,
    /// Output filters.
    pub filter_out: Vec<String>,
    /// Whether it is down.
    pub down: bool,
    /// File and line where it was read.
    pub origin: (String, usize),
}

impl Unit {
    /// The physical interface: `xe-0/0/0` of `xe-0/0/0.110`.
    pub fn port(&self) -> &str {
        self.name
            .rsplit_once('.')
            .map_or(&self.name, |(port, _)| port)
    }
}

/// Where a route leads.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Hop {
    /// To the box itself.
    Deliver,
    /// Nowhere.
    Drop,
    /// Out of a logical interface.
    Unit(String),
    /// To a next hop that another route must resolve.
    Via(u32),
    /// Looked up again in the table of an instance; `None` is the master instance.
    Instance(Option<String>),
}

/// A prefix with its next hops; one of them is taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Route {
    /// Network address in host order.
    pub prefix: u32,
    /// Prefix length.
    pub len: u8,
    /// Next hops.
    pub hops: Vec<Hop>,
    /// Line in the file; 0 where the format has no lines to speak of.
    pub line: usize,
    /// Routing instance; `None` is the master instance.
    pub instance: Option<String>,
}

/// Everything that was read about one box.
#[derive(Debug, Default)]
pub struct JunosBox {
    /// Name in the model.
    pub name: String,
    /// Logical interfaces.
    pub units: BTreeMap<String, Unit>,
    /// Routes with the name of their file.
    pub routes: Vec<(String, Vec<Route>)>,
    /// Static routes of the configuration, used where no table is shown.
    pub static_routes: (String, Vec<Route>),
    /// Member ports by aggregate (`ae0`), as configured.
    pub aggregates: BTreeMap<String, Vec<String>>,
    /// Filters with the file they are in.
    pub filters: (String, BTreeMap<String, Filter>),
    /// What did not become part of the model.
    pub notes: Notes,
}

impl JunosBox {
    /// The unit of that name, made if it is not there yet.
    pub fn unit(&mut self, name: &str, file: &str, line: usize) -> &mut Unit {
        self.units.entry(name.to_owned()).or_insert_with(|| Unit {
            name: name.to_owned(),
            origin: (file.to_owned(), line),
            ..Unit::default()
        })
    }

    /// Gives each member port of a configured aggregate the aggregate's units, as `show
    /// interfaces` lists them.
    fn join_aggregates(&mut self) {
        let mut new = Vec::new();
        for (aggregate, ports) in &self.aggregates {
            let own = format!("{aggregate}.");
            for unit in self.units.values().filter(|u| u.name.starts_with(&own)) {
                for port in ports {
                    let number = &unit.name[own.len()..];
                    let name = format!("{port}.{number}");
                    new.push((name, unit.name.clone(), unit.vlan, unit.origin.clone()));
                }
            }
        }
        for (name, bundle, vlan, (file, line)) in new {
            let unit = self.unit(&name, &file, line);
            if unit.bundle.is_none() {
                unit.bundle = Some(bundle);
                unit.vlan = vlan;
            }
        }
    }
}

/// `A.B.C.D/LEN` with host bits kept; an address alone is a host.
pub fn address(text: &str) -> Option<(u32, u8)> {
    let (addr, len) = text.split_once('/').unwrap_or((text, "32"));
    let len = len.parse().ok().filter(|l| *l <= 32)?;
    // Junos leaves out trailing zero bytes: 10/8.
    let parts: Vec<u32> = addr
        .split('.')
        .map(|p| p.parse().ok().filter(|v| *v < 256))
        .collect::<Option<_>>()?;
    if parts.is_empty() || parts.len() > 4 {
        return None;
    }
    let value = (0..4).fold(0, |acc, i| acc << 8 | parts.get(i).copied().unwrap_or(0));
    Some((value, len))
}
