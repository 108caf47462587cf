// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Layer-2 tables: `show arp`, `show mac-address-table`, `show spanning-tree`.

use super::config::ipv4;
use super::names::{canonical, is_port_name};
use crate::read::notes::{NoteKind, Notes};
use crate::read::source::SourceText;
use crate::read::ReadError;
use rustc_hash::FxHashMap;
use std::collections::BTreeMap;

/// Ethernet address.
pub type Mac = u64;

/// Neighbours by IPv4 address: Ethernet address and canonical interface.
pub type ArpTable = FxHashMap<u32, (Mac, String)>;

/// Canonical ports by VLAN and Ethernet address.
pub type MacTable = FxHashMap<(u16, Mac), Vec<String>>;

/// Reads `hhhh.hhhh.hhhh` or `hh:hh:hh:hh:hh:hh`.
pub fn parse_mac(text: &str) -> Option<Mac> {
    let bytes = text.as_bytes();
    let cisco = bytes.len() == 14 && bytes[4] == b'.' && bytes[9] == b'.';
    let colons = bytes.len() == 17 && bytes.iter().skip(2).step_by(3).all(|b| *b == b':');
    if !cisco && !colons {
        return None;
    }
    let mut value = 0u64;
    for b in bytes.iter().filter(|b| !matches!(b, b'.' | b':')) {
        value = value << 4 | u64::from((*b as char).to_digit(16)?);
    }
    Some(value)
}

/// Reads `show arp`. Incomplete entries are counted and left out.
///
/// # Errors
/// A missing heading, or a line of the table that does not parse.
pub fn read_arp(source: &SourceText, notes: &mut Notes) -> Result<ArpTable, ReadError> {
    let mut table = ArpTable::default();
    let mut heading = false;
    for line in source.lines() {
        let words = line.words();
        match words.as_slice() {
            [] => {}
            ["Protocol", "Address", ..] => heading = true,
            ["Internet", _, _, "Incomplete", ..] => notes.line(
                NoteKind::NoEffect,
                "incomplete ARP entry",
                &source.name,
                line.number,
            ),
            ["Internet", addr, _, mac, _, interface, ..] => {
                let addr = ipv4(addr).ok_or_else(|| {
                    source.error(line.number, format!("{addr:?} is no IPv4 address"))
                })?;
                let mac = parse_mac(mac).ok_or_else(|| {
                    source.error(line.number, format!("{mac:?} is no Ethernet address"))
                })?;
                table.insert(addr, (mac, canonical(interface)));
            }
            // Aliases of the box itself have no interface.
            ["Internet", _, _, mac, "ARPA"]
                if parse_mac(mac).is_some() && line.number < source.last_line() =>
            {
                let what = "ARP entry without interface";
                notes.line(NoteKind::NoEffect, what, &source.name, line.number);
            }
            ["Internet", ..] => {
                return Err(source.error(line.number, "the ARP entry is cut short"));
            }
            _ => notes.command(
                NoteKind::NotUnderstood,
                line.text.trim(),
                &source.name,
                line.number,
            ),
        }
    }
    if !heading {
        return Err(ReadError::file(
            &source.name,
            "no line `Protocol  Address`: this is no output of `show arp`",
        ));
    }
    Ok(table)
}

/// Reads `show mac-address-table` (Catalyst 6500) and `show mac address-table` (other switches).
/// The VLAN stands before the address and the ports at the end of the line; lines that only hold
/// ports belong to the entry before.
///
/// # Errors
/// No entry and no heading at all, or ports without an entry.
pub fn read_mac_table(source: &SourceText, notes: &mut Notes) -> Result<MacTable, ReadError> {
    let mut table = MacTable::default();
    let mut current: Option<(u16, Mac)> = None;
    let mut heading = false;
    for line in source.lines() {
        let text = line.text.trim();
        if text.is_empty() || text.starts_with('-') {
            continue;
        }
        let mut words: [&str; 8] = [""; 8];
        let mut count = 0;
        for word in text.split_whitespace() {
            if count < words.len() {
                words[count] = word;
                count += 1;
            }
        }
        let words = &words[..count];
        let address = words.iter().take(3).position(|w| parse_mac(w).is_some());
        if let Some(at) = address {
            let mac = parse_mac(words[at]).unwrap_or_default();
            let vlan = at.checked_sub(1).and_then(|i| words[i].parse::<u16>().ok());
            current = vlan.map(|vlan| (vlan, mac));
            if let Some(key) = current {
                // What follows the type, learning and age columns are ports.
                let mut ports = words[at + 1..].iter().skip(1).filter(|w| is_port_list(w));
                let ports = ports.next_back().into_iter().flat_map(|w| port_list(w));
                table.entry(key).or_default().extend(ports);
            }
        } else if is_port_list(text) && heading {
            if let Some(key) = current {
                table.entry(key).or_default().extend(port_list(text));
            }
        } else if is_mac_heading(text) {
            heading = true;
        } else {
            notes.command(NoteKind::NotUnderstood, text, &source.name, line.number);
        }
    }
    if !heading {
        return Err(ReadError::file(
            &source.name,
            "no heading `vlan mac address`: this is no output of `show mac address-table`",
        ));
    }
    Ok(table)
}

/// Whether a line is the heading of a MAC table.
pub fn is_mac_heading(text: &str) -> bool {
    let lower = text.to_ascii_lowercase();
    lower.contains("mac address") && (lower.contains("vlan") || lower.contains("table"))
        || lower.starts_with("total mac")
        || lower.starts_with("legend:")
}

fn is_port_list(text: &str) -> bool {
    text.trim_end_matches(',').split(',').all(|p| {
        is_port_name(p) || matches!(p, "Router" | "Switch" | "CPU" | "Stby-Switch" | "Drop")
    })
}

fn port_list(text: &str) -> impl Iterator<Item = String> + '_ {
    text.split(',').filter(|p| is_port_name(p)).map(canonical)
}

/// Ports by VLAN as spanning tree sees them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SpanningTree {
    /// VLANs that have an instance of their own (PVST).
    pub vlans: BTreeMap<u16, StpVlan>,
    /// Instances that VLANs share (MST), by number.
    pub shared: BTreeMap<u16, StpVlan>,
}

/// One VLAN of the spanning tree.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct StpVlan {
    /// Ports that forward, with their lines.
    pub forwarding: Vec<(String, usize)>,
    /// Ports that are blocked, listening or learning, with their lines.
    pub blocked: Vec<(String, usize)>,
    /// VLAN whose last port line also held this VLAN's heading: a dump whose line ending was lost.
    pub joined_to: Option<u16>,
}

/// A section of the dump.
#[derive(Clone, Copy)]
enum Section {
    Vlan(u16),
    Shared(u16),
}

impl SpanningTree {
    fn section(&mut self, section: Section) -> &mut StpVlan {
        match section {
            Section::Vlan(vlan) => self.vlans.entry(vlan).or_default(),
            Section::Shared(instance) => self.shared.entry(instance).or_default(),
        }
    }
}

/// Reads `show spanning-tree`, one section a VLAN or an instance of MST.
///
/// # Errors
/// No section at all, one twice, a port before the first, an unknown port state.
pub fn read_spanning_tree(
    source: &SourceText,
    notes: &mut Notes,
) -> Result<SpanningTree, ReadError> {
    let mut tree = SpanningTree::default();
    let mut current: Option<Section> = None;
    for line in source.lines() {
        let words = line.words();
        let Some(first) = words.first() else { continue };
        if let Some(vlan) = vlan_heading(first).filter(|_| words.len() == 1) {
            open(&mut tree, vlan, None, source, line.number)?;
            current = Some(Section::Vlan(vlan));
            continue;
        }
        let instance = first.trim_start_matches('#').trim_start();
        let instance = instance.strip_prefix("MST").filter(|_| words.len() == 1);
        if let Some(instance) = instance.and_then(|n| n.parse().ok()) {
            if tree.shared.insert(instance, StpVlan::default()).is_some() {
                let what = format!("MST instance {instance} is listed twice");
                return Err(source.error(line.number, what));
            }
            current = Some(Section::Shared(instance));
            continue;
        }
        // Role and state are the second and third column: `Te1/1 Desg FWD 2 128.1 P2p`.
        if words.len() >= 5 && is_port_name(first) && words[4].contains('.') {
            let section = current.ok_or_else(|| {
                source.error(line.number, "a port before the first line `VLANnnnn`")
            })?;
            let entry = tree.section(section);
            let port = (canonical(first), line.number);
            match words[2].trim_end_matches('*') {
                "FWD" | "fwd" => entry.forwarding.push(port),
                "BLK" | "LIS" | "LRN" | "BKN" | "DIS" | "LBK" | "blk" | "lis" | "lrn" => {
                    entry.blocked.push(port);
                }
                other => {
                    return Err(source.error(
                        line.number,
                        format!("{other:?} is no state of spanning tree"),
                    ));
                }
            }
            let next = words.last().and_then(|w| vlan_heading(w));
            if let (Some(next), Section::Vlan(vlan)) = (next, section) {
                notes.line(
                    NoteKind::Assumed,
                    "heading of a VLAN at the end of a port line: a line ending was lost",
                    &source.name,
                    line.number,
                );
                open(&mut tree, next, Some(vlan), source, line.number)?;
                current = Some(Section::Vlan(next));
            }
        }
    }
    if tree.vlans.is_empty() && tree.shared.is_empty() {
        return Err(ReadError::file(
            &source.name,
            "no line `VLANnnnn` or `MSTn`: this is no output of `show spanning-tree`",
        ));
    }
    Ok(tree)
}

fn vlan_heading(word: &str) -> Option<u16> {
    let digits = word.strip_prefix("VLAN")?;
    (digits.len() >= 4)
        .then(|| digits.parse().ok())?
        .filter(|v| *v <= super::vlans::MAX_VLAN)
}

fn open(
    tree: &mut SpanningTree,
    vlan: u16,
    joined_to: Option<u16>,
    source: &SourceText,
    line: usize,
) -> Result<(), ReadError> {
    let section = StpVlan {
        joined_to,
        ..StpVlan::default()
    };
    match tree.vlans.insert(vlan, section) {
        None => Ok(()),
        Some(_) => Err(source.error(line, format!("VLAN {vlan} is listed twice"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn source(text: &str) -> SourceText {
        SourceText::from_bytes("t", text.as_bytes()).unwrap()
    }

    #[test]
    fn mac_tables_of_two_families() {
        let old = "  vlan   mac address     type    learn     age    ports\n------+----\n\
                   *  322  3333.0000.000d    static  Yes          -   Te1/1,Te1/2\n   Gi4/1,Router,Switch\n\
                   *  590  3333.0000.0001    static  Yes          -   Switch\n\
                   *  11  0011.21b3.cb00   dynamic  Yes         15   Po40\n";
        let t = read_mac_table(&source(old), &mut Notes::default()).unwrap();
        assert_eq!(t[&(322, 0x3333_0000_000d)], ["te1/1", "te1/2", "gi4/1"]);
        assert_eq!(t[&(590, 0x3333_0000_0001)], Vec::<String>::new());
        assert_eq!(t[&(11, 0x0011_21b3_cb00)], ["po40"]);
        let new = "          Mac Address Table\n-------\n\nVlan    Mac Address       Type        Ports\n\
                   ----    -----------       --------    -----\n All    0100.0ccc.cccc    STATIC      CPU\n\
                   \x20  1    0012.aabb.ccdd    DYNAMIC     Gi0/1\nTotal Mac Addresses for this criterion: 2\n";
        let mut notes = Notes::default();
        let t = read_mac_table(&source(new), &mut notes).unwrap();
        assert_eq!(t[&(1, 0x0012_aabb_ccdd)], ["gi0/1"]);
        assert_eq!(t.len(), 1);
        assert_eq!(notes.list(), []);
    }

    #[test]
    fn spanning_tree_separates_forwarding_from_blocked() {
        let text = "VLAN0002\n  Spanning tree enabled protocol ieee\nInterface Role Sts Cost Prio.Nbr Type\n\
                    Te1/1 Desg FWD 2 128.1 P2p \nTe1/2 Altn BLK 2 128.2 P2p VLAN0003\nGi4/1 Root FWD 4 128.9 P2p Edge\n";
        let mut notes = Notes::default();
        let tree = read_spanning_tree(&source(text), &mut notes).unwrap();
        assert_eq!(tree.vlans[&2].forwarding, [("te1/1".to_owned(), 4)]);
        assert_eq!(tree.vlans[&2].blocked, [("te1/2".to_owned(), 5)]);
        assert_eq!(tree.vlans[&3].forwarding, [("gi4/1".to_owned(), 6)]);
        assert_eq!(tree.vlans[&3].joined_to, Some(2));
        assert_eq!(notes.count(NoteKind::Assumed), 1);
    }

    #[test]
    fn instances_of_mst_are_kept_apart_from_vlans() {
        let text = "MST0\n  Spanning tree enabled protocol mstp\nGi1/1 Desg FWD 4 128.1 P2p\nMST1\nGi1/1 Altn BLK 4 128.1 P2p\n";
        let tree = read_spanning_tree(&source(text), &mut Notes::default()).unwrap();
        assert!(tree.vlans.is_empty());
        assert_eq!(tree.shared[&0].forwarding, [("gi1/1".to_owned(), 3)]);
        assert_eq!(tree.shared[&1].blocked, [("gi1/1".to_owned(), 5)]);
        assert!(read_spanning_tree(&source("MST0\nMST0\n"), &mut Notes::default()).is_err());
    }

    #[test]
    fn incomplete_neighbours_are_counted() {
        let text = "Protocol  Address  Age (min)  Hardware Addr   Type   Interface\n\
                    Internet  10.0.0.1   228   0014.c240.a576  ARPA   Vlan249\n\
                    Internet  10.0.0.2   0     Incomplete      ARPA\n";
        let mut notes = Notes::default();
        let arp = read_arp(&source(text), &mut notes).unwrap();
        assert_eq!(arp[&0x0a00_0001], (0x0014_c240_a576, "vlan249".to_owned()));
        assert_eq!(notes.count(NoteKind::NoEffect), 1);
        let cut = "Protocol  Address\nInternet  10.0.0.1   22";
        let e = read_arp(&source(cut), &mut notes).unwrap_err();
        assert_eq!(e.to_string(), "t:2: the ARP entry is cut short");
    }
}
