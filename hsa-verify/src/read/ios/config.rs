// SPDX-License-Identifier: Apache-2.0 OR MIT
//! `show running-config` of Cisco IOS and IOS-XE as typed statements.

use super::acl::{kind_of_number, parse_entry, Acl, AclKind};
use super::effects::{top_level_effect, Effect};
use super::interface::{read_interface_line, Interface};
use super::names::canonical;
use super::object_groups::ObjectGroups;
use super::vlans::VlanSet;
use crate::read::notes::{NoteKind, Notes};
use crate::read::source::{Line, SourceText};
use crate::read::ReadError;
use std::collections::{BTreeMap, BTreeSet};
use std::net::Ipv4Addr;

/// `ip route` of the configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StaticRoute {
    /// VRF, `None` for the global table.
    pub vrf: Option<String>,
    /// Network address in host order.
    pub prefix: u32,
    /// Prefix length.
    pub len: u8,
    /// Interface, canonical, if given.
    pub interface: Option<String>,
    /// Next hop, if given.
    pub next_hop: Option<u32>,
    /// Administrative distance.
    pub distance: u8,
    /// Line in the file.
    pub line: usize,
}

/// What a configuration says about forwarding.
#[derive(Debug, Clone, Default)]
pub struct Config {
    /// File it came from.
    pub file: String,
    /// `hostname`, if present.
    pub hostname: Option<String>,
    /// Interfaces in the order of the file.
    pub interfaces: Vec<Interface>,
    /// Access lists by number or name.
    pub acls: BTreeMap<String, Acl>,
    /// VLANs that exist, if the file lists any.
    pub vlans: Option<VlanSet>,
    /// VLANs of `vlan N` and `vlan N-M` lines, without those of lists with commas.
    pub single_vlans: BTreeSet<u16>,
    /// Instance of MST by VLAN; the others are in instance 0.
    pub mst: BTreeMap<u16, u16>,
    /// VLANs that `show vlan` lists as active, if it was given.
    pub active_vlans: Option<BTreeSet<u16>>,
    /// Static routes.
    pub static_routes: Vec<StaticRoute>,
}

/// What indented lines belong to.
enum Context {
    None,
    Interface(usize),
    Acl(String, AclKind),
    /// Lines that were read before: groups of addresses and services.
    Group,
    /// `spanning-tree mst configuration`.
    Mst,
    /// Lines of a part that has no effect (routing protocols, line vty, names of VLANs).
    Skip(NoteKind),
}

struct ConfigReader<'a> {
    source: &'a SourceText,
    notes: &'a mut Notes,
    config: Config,
    context: Context,
    groups: ObjectGroups,
}

/// Reads a configuration.
///
/// # Errors
/// A line of an interface, VLAN or route that does not parse. Access-list lines that do not parse
/// are kept in [`Acl::unusable`]: they matter only if the list is applied.
pub fn read_config(source: &SourceText, notes: &mut Notes) -> Result<Config, ReadError> {
    let config = Config {
        file: source.name.clone(),
        ..Config::default()
    };
    let mut reader = ConfigReader {
        source,
        notes,
        config,
        context: Context::None,
        groups: ObjectGroups::read(source),
    };
    let mut banner: Option<String> = None;
    let mut ended = false;
    let mut whole = None;
    for line in source.lines() {
        if let Some(end) = &banner {
            if line.text.contains(end.as_str()) {
                banner = None;
            }
            continue;
        }
        let text = line.text.trim();
        if text.is_empty() || text.starts_with('!') {
            continue;
        }
        if text.starts_with("Current configuration") {
            whole = Some(line.number);
        }
        banner = banner_delimiter(line.text);
        if banner.is_some() {
            continue;
        }
        if line.indent() == 0 && text == "end" {
            ended = true;
            continue;
        }
        reader.line(line)?;
    }
    if let Some(delimiter) = banner {
        return Err(ReadError::file(
            &source.name,
            format!("ends inside a banner that {delimiter:?} should close: the file is cut short"),
        ));
    }
    if let Some(line) = whole.filter(|_| !ended) {
        let what = "this output never comes to its `end`: the file is cut short";
        return Err(source.error(line, what));
    }
    if !ended && source.ends_mid_line() {
        reader.notes.of_box(
            NoteKind::Assumed,
            "configuration without a final `end`: taken as complete",
            &source.name,
        );
    }
    Ok(reader.config)
}

/// `banner motd ^C` starts text that ends with the same delimiter. A banner closed on its own line
/// opens nothing.
fn banner_delimiter(text: &str) -> Option<String> {
    let rest = text.strip_prefix("banner ")?;
    let (_, after) = rest.trim_start().split_once(' ')?;
    let after = after.trim_start();
    let delimiter = if after.starts_with("^C") {
        "^C".to_owned()
    } else {
        after.chars().next()?.to_string()
    };
    if after[delimiter.len()..].contains(&delimiter) {
        return None;
    }
    Some(delimiter)
}

impl ConfigReader<'_> {
    fn line(&mut self, line: Line<'_>) -> Result<(), ReadError> {
        // Entries of access lists may stand below their header without indentation.
        let entry = matches!(self.context, Context::Acl(..)) && is_entry(&line.words());
        if entry || line.indent() > 0 && !matches!(self.context, Context::None) {
            return self.inside(line);
        }
        self.context = Context::None;
        let words = line.words();
        match words.as_slice() {
            ["hostname", name, ..] => {
                self.config.hostname = Some(name.trim_matches('"').to_owned())
            }
            ["interface", name @ ..] if !name.is_empty() => {
                self.open_interface(&name.concat(), line)?
            }
            ["access-list", number, rest @ ..] => self.numbered_entry(number, rest, line),
            ["ip", "access-list", kind @ ("standard" | "extended"), name, ..] => {
                let kind = if *kind == "standard" {
                    AclKind::Standard
                } else {
                    AclKind::Extended
                };
                self.config.acls.entry((*name).to_owned()).or_default();
                self.context = Context::Acl((*name).to_owned(), kind);
            }
            // NX-OS names no kind; its lists are extended.
            ["ip", "access-list", name] => {
                self.config.acls.entry((*name).to_owned()).or_default();
                self.context = Context::Acl((*name).to_owned(), AclKind::Extended);
            }
            ["object-group", "network" | "service", _, ..]
            | ["object-group", "ip", "address", _] => {
                self.context = Context::Group;
            }
            ["vlan", list, ..] if list.starts_with(|c: char| c.is_ascii_digit()) => {
                let list = words[1..].concat();
                let set = VlanSet::parse(&list).map_err(|e| self.source.error(line.number, e))?;
                if !list.contains(',') {
                    self.config.single_vlans.extend(set.iter());
                }
                self.config
                    .vlans
                    .get_or_insert_with(VlanSet::none)
                    .add(&set);
                self.context = Context::Skip(NoteKind::NoEffect);
            }
            // A gateway that DHCP gives is in no file.
            ["ip", "route", .., "dhcp"] => self.note(NoteKind::NotModelled, line),
            ["ip", "route", "static" | "profile", ..] => self.note(NoteKind::NoEffect, line),
            ["ip", "route", rest @ ..] => self.static_route(rest, line)?,
            ["spanning-tree", "mst", "configuration"] => self.context = Context::Mst,
            _ => self.other(line),
        }
        Ok(())
    }

    fn inside(&mut self, line: Line<'_>) -> Result<(), ReadError> {
        match &self.context {
            Context::Interface(index) => {
                let interface = &mut self.config.interfaces[*index];
                read_interface_line(interface, self.source, line, self.notes)
            }
            Context::Acl(name, kind) => {
                let (name, kind) = (name.clone(), *kind);
                let words = line.words();
                let words = match words.first() {
                    Some(w) if w.parse::<u32>().is_ok() => &words[1..],
                    _ => &words[..],
                };
                self.entry(&name, kind, words, line.number);
                Ok(())
            }
            Context::Skip(kind) => {
                self.notes
                    .command(*kind, line.text.trim(), &self.source.name, line.number);
                Ok(())
            }
            Context::Mst => {
                let words = line.words();
                if let ["instance", number, "vlan", list @ ..] = words.as_slice() {
                    let bad = || self.source.error(line.number, "no instance number");
                    let instance: u16 = number.parse().map_err(|_| bad())?;
                    let set = VlanSet::parse(&list.concat());
                    let set = set.map_err(|e| self.source.error(line.number, e))?;
                    self.config.mst.extend(set.iter().map(|v| (v, instance)));
                }
                Ok(())
            }
            Context::Group | Context::None => Ok(()),
        }
    }

    fn open_interface(&mut self, name: &str, line: Line<'_>) -> Result<(), ReadError> {
        let name = canonical(name);
        if let Some(first) = self.config.interfaces.iter().find(|i| i.name == name) {
            return Err(self.source.error(
                line.number,
                format!(
                    "interface {name} is configured twice, first in line {}",
                    first.line
                ),
            ));
        }
        self.config
            .interfaces
            .push(Interface::new(name, line.number));
        self.context = Context::Interface(self.config.interfaces.len() - 1);
        Ok(())
    }

    fn numbered_entry(&mut self, number: &str, rest: &[&str], line: Line<'_>) {
        let kind = match number.parse::<u32>() {
            Ok(n) => kind_of_number(n),
            // ASA style: `access-list NAME extended permit ...`.
            Err(_) => match rest.first() {
                Some(&"standard") => Some(AclKind::Standard),
                Some(&"extended") => Some(AclKind::Extended),
                _ => None,
            },
        };
        let Some(kind) = kind else {
            self.note(NoteKind::NotModelled, line);
            return;
        };
        let words = match rest.first() {
            Some(&("standard" | "extended")) => &rest[1..],
            _ => rest,
        };
        self.config.acls.entry(number.to_owned()).or_default();
        self.entry(number, kind, words, line.number);
    }

    fn entry(&mut self, name: &str, kind: AclKind, words: &[&str], line: usize) {
        let Some(acl) = self.config.acls.get_mut(name) else {
            return;
        };
        if words.first() == Some(&"remark") {
            self.notes.command(
                NoteKind::NoEffect,
                "access-list remark",
                &self.source.name,
                line,
            );
            return;
        }
        // Packets of the model are whole; only a later fragment meets such an entry.
        if words.last() == Some(&"fragments") {
            let what = "access-list entry about fragments: packets are taken as whole";
            self.notes
                .line(NoteKind::NotModelled, what, &self.source.name, line);
            return;
        }
        match parse_entry(kind, words, line, &self.groups) {
            Ok(entries) => acl.entries.extend(entries),
            Err(why) => acl.unusable.push((line, why)),
        }
    }

    /// `ip route [vrf V] NETWORK MASK [INTERFACE] [NEXT-HOP] [DISTANCE] [name ..] [track ..]`
    fn static_route(&mut self, words: &[&str], line: Line<'_>) -> Result<(), ReadError> {
        let bad = |what: &str| self.source.error(line.number, format!("ip route: {what}"));
        let (vrf, words) = match words {
            ["vrf", name, rest @ ..] => (Some((*name).to_owned()), rest),
            rest => (None, rest),
        };
        let [network, mask, rest @ ..] = words else {
            return Err(bad("network and mask are missing"));
        };
        let prefix = ipv4(network).ok_or_else(|| bad("the network is no IPv4 address"))?;
        let len = ipv4(mask)
            .and_then(mask_len)
            .ok_or_else(|| bad("the mask is no mask"))?;
        let mut route = StaticRoute {
            vrf,
            prefix: prefix & len_mask(len),
            len,
            interface: None,
            next_hop: None,
            distance: 1,
            line: line.number,
        };
        if rest.contains(&"global") {
            self.notes.line(
                NoteKind::NotModelled,
                "static route with its next hop in the global table: looked up in its own",
                &self.source.name,
                line.number,
            );
        }
        for word in rest {
            if let Some(hop) = ipv4(word) {
                route.next_hop = Some(hop);
            } else if let Ok(distance) = word.parse() {
                route.distance = distance;
            } else if matches!(
                *word,
                "name" | "tag" | "permanent" | "track" | "global" | "multicast"
            ) {
                break;
            } else {
                route.interface = Some(canonical(word));
            }
        }
        if route.interface.is_none() && route.next_hop.is_none() {
            return Err(bad("neither an interface nor a next hop"));
        }
        self.config.static_routes.push(route);
        Ok(())
    }

    fn other(&mut self, line: Line<'_>) {
        let kind = match top_level_effect(line.text.trim()) {
            Effect::None => NoteKind::NoEffect,
            Effect::NotModelled => NoteKind::NotModelled,
            Effect::Unknown => NoteKind::NotUnderstood,
        };
        self.note(kind, line);
        self.context = Context::Skip(kind);
    }

    fn note(&mut self, kind: NoteKind, line: Line<'_>) {
        self.notes
            .command(kind, line.text.trim(), &self.source.name, line.number);
    }
}

/// `permit ...`, `20 deny ...`, `remark ...`.
fn is_entry(words: &[&str]) -> bool {
    let words = match words {
        [number, rest @ ..] if number.parse::<u32>().is_ok() => rest,
        all => all,
    };
    matches!(words.first(), Some(&("permit" | "deny" | "remark")))
}

/// A dotted address in host order.
pub fn ipv4(text: &str) -> Option<u32> {
    text.parse::<Ipv4Addr>().ok().map(u32::from)
}

/// Length of a contiguous network mask.
pub fn mask_len(mask: u32) -> Option<u8> {
    (mask.leading_ones() + mask.trailing_zeros() == 32 || mask == u32::MAX)
        .then(|| mask.leading_ones() as u8)
}

/// Network mask of a prefix length.
pub fn len_mask(len: u8) -> u32 {
    u32::MAX.checked_shl(32 - u32::from(len)).unwrap_or(0)
}
