// SPDX-License-Identifier: Apache-2.0 OR MIT
//! From routes to places: next hops resolved to ports, and routes grouped by VRF.

use super::config::{len_mask, Config, StaticRoute};
use super::names::{is_virtual, split_unit, vlan_of};
use super::quirks::{Quirk, Quirks};
use super::route::{Hop, Route};
use super::switching::Switching;
use super::{IosBox, NoteKind};
use rustc_hash::FxHashMap;
use std::collections::{BTreeMap, BTreeSet};

/// A port with the VLAN that a packet has there before the port takes the tag off.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Exit {
    /// Canonical name of the port.
    pub port: String,
    /// VLAN, 0 on routed ports.
    pub vlan: u16,
}

/// Where a next hop leads.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Target {
    /// To the box.
    Deliver,
    /// Nowhere, by configuration.
    Drop,
    /// To all of these ports: one, unless the neighbour's port is unknown.
    Ports(Vec<Exit>),
    /// Nowhere, because of what is missing.
    Lost(String),
}

/// Longest-prefix-match view of one VRF.
pub struct Fib<'a> {
    routes: FxHashMap<(u32, u8), &'a Route>,
}

impl<'a> Fib<'a> {
    /// The first route of a prefix counts, as the dump lists the best first.
    pub fn new(routes: impl Iterator<Item = &'a Route>) -> Self {
        let mut map = FxHashMap::default();
        for route in routes {
            map.entry((route.prefix, route.len)).or_insert(route);
        }
        Self { routes: map }
    }

    fn lookup(&self, addr: u32) -> Option<&'a Route> {
        (0..=32u8)
            .rev()
            .find_map(|len| self.routes.get(&(addr & len_mask(len), len)).copied())
    }
}

/// How many further next hops one may be resolved through.
const MAX_RECURSION: usize = 256;

/// Resolves hops of one box.
pub struct Resolver<'a> {
    /// The box.
    pub ios: &'a IosBox,
    /// VLAN membership.
    pub switching: &'a Switching,
    /// Deviations.
    pub quirks: &'a Quirks,
    /// Longest-prefix match by VRF.
    pub fibs: &'a BTreeMap<Option<String>, Fib<'a>>,
}

impl Resolver<'_> {
    /// Where a hop of a route in `vrf` leads: to several places if the route to the next hop has
    /// several hops.
    pub fn resolve(&self, hop: &Hop, vrf: Option<&str>) -> Vec<Target> {
        let mut targets = Vec::new();
        self.resolve_at(hop, vrf, None, &mut BTreeSet::new(), &mut targets);
        if targets.is_empty() {
            targets.push(Target::Lost("next hop resolves through itself".to_owned()));
        }
        targets
    }

    fn resolve_at(
        &self,
        hop: &Hop,
        vrf: Option<&str>,
        toward: Option<u32>,
        seen: &mut BTreeSet<(Option<String>, u32)>,
        targets: &mut Vec<Target>,
    ) {
        let target = match hop {
            Hop::Receive(Some(interface)) if self.quirks.has(Quirk::ReceiveForwards) => {
                self.exit(interface, None)
            }
            Hop::Receive(_) => Target::Deliver,
            Hop::Drop => Target::Drop,
            Hop::Interface { interface, via } => self.exit(interface, via.or(toward)),
            Hop::Via { via, vrf: other } => {
                let vrf = other.as_deref().or(vrf);
                let table = vrf.map(str::to_owned);
                let fib = self.fibs.get(&table);
                // What an address leads to is worked out once.
                if !seen.insert((table, *via)) {
                    return;
                }
                match fib.and_then(|f| f.lookup(*via)) {
                    _ if seen.len() > MAX_RECURSION => {
                        let why = "next hop resolves through too many routes";
                        Target::Lost(why.to_owned())
                    }
                    Some(route) => {
                        let first = self.quirks.has(Quirk::FirstNextHop);
                        let used = if first { 1 } else { route.hops.len() };
                        for hop in &route.hops[..used] {
                            // The next hop's address stays the one to look up as a neighbour.
                            self.resolve_at(hop, vrf, Some(*via), seen, targets);
                        }
                        return;
                    }
                    None => Target::Lost("no route to the next hop".to_owned()),
                }
            }
        };
        if !targets.contains(&target) {
            targets.push(target);
        }
    }

    fn exit(&self, interface: &str, via: Option<u32>) -> Target {
        if interface.starts_with("null") {
            return Target::Drop;
        }
        if interface.starts_with("loopback") {
            return Target::Deliver;
        }
        let down = self.ios.port_is_down(interface);
        if let Some(vlan) = vlan_of(interface) {
            return self.vlan_exit(vlan, via, down);
        }
        if down && !self.quirks.has(Quirk::PortsNeverDown) {
            return Target::Lost("route over an interface that is down".to_owned());
        }
        let (port, unit) = split_unit(interface);
        let vlan = match unit {
            None => 0,
            Some(unit) => self.unit_vlan(interface, unit),
        };
        Target::Ports(vec![Exit {
            port: port.to_owned(),
            vlan,
        }])
    }

    /// VLAN of a sub-interface: its encapsulation, or its number where no configuration tells.
    pub fn unit_vlan(&self, interface: &str, unit: u32) -> u16 {
        let number = u16::try_from(unit).unwrap_or(0);
        let tag = self.ios.interface(interface).and_then(|i| i.tag);
        match tag {
            _ if self.quirks.has(Quirk::FlatVlans) => self.quirks.vlan(&self.ios.name, number),
            Some(tag) if tag.native => 0,
            Some(tag) => self.quirks.vlan(&self.ios.name, tag.vlan),
            None => self.quirks.vlan(&self.ios.name, number),
        }
    }

    /// Neighbour to Ethernet address to port; if any step fails, the VLAN is flooded.
    fn vlan_exit(&self, vlan: u16, via: Option<u32>, down: bool) -> Target {
        let interface = self.ios.interface(&format!("vlan{vlan}"));
        let table = interface.and_then(|i| i.vrf.clone());
        let table = self.ios.arp.get(&table).or_else(|| self.ios.arp.get(&None));
        let neighbour = via.and_then(|addr| table?.get(&addr));
        if let Some((mac, interface)) = neighbour {
            match vlan_of(interface) {
                Some(vlan) => {
                    let ports = self.ios.mac_table.get(&(vlan, *mac));
                    if let Some(port) = ports.and_then(|p| p.first()) {
                        return Target::Ports(vec![Exit {
                            port: port.clone(),
                            vlan,
                        }]);
                    }
                }
                None => return self.exit(interface, None),
            }
        }
        match self.switching.members.get(&vlan) {
            Some(members) if members.iter().any(|m| m.floods) => Target::Ports(
                members
                    .iter()
                    .filter(|m| m.floods)
                    .map(|m| Exit {
                        port: m.port.clone(),
                        vlan,
                    })
                    .collect(),
            ),
            _ if down => Target::Lost("route over an interface that is down".to_owned()),
            _ => Target::Lost("route into a VLAN without forwarding port".to_owned()),
        }
    }
}

/// All routes of a box by VRF, shown ones first. A VRF without shown routes gets those that its
/// configuration implies; own addresses that no route names are added.
pub fn routes_by_vrf(
    ios: &mut IosBox,
    quirks: &Quirks,
) -> BTreeMap<Option<String>, Vec<(String, Route)>> {
    let mut result: BTreeMap<Option<String>, Vec<(String, Route)>> = BTreeMap::new();
    for (file, routes) in &ios.routes {
        for route in routes {
            result
                .entry(route.vrf.clone())
                .or_default()
                .push((file.clone(), route.clone()));
        }
    }
    let mut vrfs: Vec<Option<String>> = ios
        .config
        .interfaces
        .iter()
        .map(|i| i.vrf.clone())
        .chain([None])
        .collect();
    vrfs.sort();
    vrfs.dedup();
    for vrf in vrfs {
        if result.get(&vrf).is_none_or(Vec::is_empty) {
            let implied = implied_routes(&ios.config, vrf.as_deref(), |i| ios.port_is_down(i));
            if !implied.is_empty() {
                ios.note(
                    NoteKind::Assumed,
                    "no route table shown: connected and static routes of the configuration",
                );
            }
            let file = ios.config.file.clone();
            result.insert(
                vrf,
                implied.into_iter().map(|r| (file.clone(), r)).collect(),
            );
        }
    }
    if !quirks.has(Quirk::ReceiveForwards) {
        add_own_addresses(ios, &mut result);
    }
    result
}

fn add_own_addresses(ios: &IosBox, result: &mut BTreeMap<Option<String>, Vec<(String, Route)>>) {
    let mut own: BTreeMap<&Option<String>, Vec<Route>> = BTreeMap::new();
    for interface in &ios.config.interfaces {
        if ios.port_is_down(&interface.name) {
            continue;
        }
        for a in &interface.addresses {
            own.entry(&interface.vrf).or_default().push(Route {
                prefix: a.addr,
                len: 32,
                hops: vec![Hop::Receive(None)],
                line: a.line,
                vrf: interface.vrf.clone(),
            });
        }
    }
    for (vrf, routes) in own {
        let table = result.entry(vrf.clone()).or_default();
        let known: FxHashMap<u32, ()> = table
            .iter()
            .filter(|(_, r)| r.len == 32)
            .map(|(_, r)| (r.prefix, ()))
            .collect();
        let file = &ios.config.file;
        let new = routes
            .into_iter()
            .filter(|r| !known.contains_key(&r.prefix));
        table.extend(new.map(|r| (file.clone(), r)));
    }
}

/// Connected networks and static routes.
fn implied_routes(config: &Config, vrf: Option<&str>, down: impl Fn(&str) -> bool) -> Vec<Route> {
    let mut routes = Vec::new();
    for interface in &config.interfaces {
        if interface.vrf.as_deref() != vrf || down(&interface.name) {
            continue;
        }
        for a in &interface.addresses {
            let interface = interface.name.clone();
            routes.push(Route {
                prefix: a.addr & len_mask(a.len),
                len: a.len,
                hops: vec![Hop::Interface {
                    interface,
                    via: None,
                }],
                line: a.line,
                vrf: vrf.map(str::to_owned),
            });
        }
    }
    let mut statics: Vec<_> = config
        .static_routes
        .iter()
        .filter(|r| r.vrf.as_deref() == vrf)
        .collect();
    let reachable = reachable_statics(config, &routes, &statics, &down);
    statics = reachable;
    statics.sort_by_key(|r| (r.prefix, r.len, r.distance));
    for group in
        statics.chunk_by(|a, b| (a.prefix, a.len, a.distance) == (b.prefix, b.len, b.distance))
    {
        let hop = |r: &&StaticRoute| match (&r.interface, r.next_hop) {
            (Some(i), _) if is_null(i) => Hop::Drop,
            (Some(i), via) => Hop::Interface {
                interface: i.clone(),
                via,
            },
            (None, via) => Hop::Via {
                via: via.unwrap_or(0),
                vrf: None,
            },
        };
        routes.push(Route {
            prefix: group[0].prefix,
            len: group[0].len,
            hops: group.iter().map(hop).collect(),
            line: group[0].line,
            vrf: vrf.map(str::to_owned),
        });
    }
    routes
}

/// Static routes that a router would install: their interface is up, and their next hop lies in a
/// connected network or behind another such route.
fn reachable_statics<'c>(
    config: &Config,
    connected: &[Route],
    statics: &[&'c StaticRoute],
    down: &impl Fn(&str) -> bool,
) -> Vec<&'c StaticRoute> {
    let exists = |name: &str| is_null(name) || config.interfaces.iter().any(|i| i.name == name);
    let inside = |addr: u32, prefix: u32, len: u8| addr & len_mask(len) == prefix;
    let mut good: Vec<&StaticRoute> = Vec::new();
    let mut left: Vec<&StaticRoute> = statics.to_vec();
    loop {
        let (new, rest): (Vec<_>, Vec<_>) =
            left.into_iter()
                .partition(|r| match (&r.interface, r.next_hop) {
                    (Some(i), _) => exists(i) && !down(i),
                    (None, Some(via)) => {
                        connected.iter().any(|c| inside(via, c.prefix, c.len))
                            || good.iter().any(|g| inside(via, g.prefix, g.len))
                    }
                    (None, None) => false,
                });
        left = rest;
        if new.is_empty() {
            return good;
        }
        good.extend(new);
    }
}

fn is_null(interface: &str) -> bool {
    is_virtual(interface) && interface.starts_with("null")
}

/// Text of a route for a rule's label.
pub fn label(route: &Route) -> String {
    let prefix = std::net::Ipv4Addr::from(route.prefix);
    let hop = match &route.hops[0] {
        Hop::Receive(_) => "receive".to_owned(),
        Hop::Drop => "drop".to_owned(),
        Hop::Interface {
            interface,
            via: None,
        } => format!("attached {interface}"),
        Hop::Interface {
            interface,
            via: Some(via),
        } => {
            format!("via {} {interface}", std::net::Ipv4Addr::from(*via))
        }
        Hop::Via { via, .. } => format!("via {}", std::net::Ipv4Addr::from(*via)),
    };
    let more = match route.hops.len() {
        1 => String::new(),
        n => format!(" and {} more", n - 1),
    };
    format!("{prefix}/{} {hop}{more}", route.len)
}
