// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Access-list entries as match conditions.

use super::acl::{AclEntry, WildAddr};
use super::quirks::{Quirk, Quirks};
use crate::header::{FieldId, Layout};
use crate::model::{Match, Test};

/// The fields that IOS rules speak about, by index.
#[derive(Debug, Clone, Copy)]
pub struct Fields {
    /// VLAN; 0 is untagged.
    pub vlan: FieldId,
    /// IPv4 source.
    pub ip_src: FieldId,
    /// IPv4 destination.
    pub ip_dst: FieldId,
    /// IP protocol.
    pub ip_proto: FieldId,
    /// Source port; ICMP type.
    pub tp_src: FieldId,
    /// Destination port; ICMP code.
    pub tp_dst: FieldId,
    /// TCP flags.
    pub tcp_flags: FieldId,
}

impl Fields {
    /// Looks the fields up in a layout that has them all.
    pub fn of(layout: &Layout) -> Option<Self> {
        Some(Self {
            vlan: layout.find("vlan")?,
            ip_src: layout.find("ip_src")?,
            ip_dst: layout.find("ip_dst")?,
            ip_proto: layout.find("ip_proto")?,
            tp_src: layout.find("tp_src")?,
            tp_dst: layout.find("tp_dst")?,
            tcp_flags: layout.find("tcp_flags")?,
        })
    }
}

/// Names that the generator's list lacks. An entry with one of them has no port condition there.
const NAMES_UNKNOWN_TO_GENERATOR: &[&str] = &[
    "cmd",
    "drip",
    "exec",
    "ident",
    "login",
    "msrpc",
    "pim-auto-rp",
    "ssh",
    "tacacs",
    "https",
    "isakmp",
    "netbios-ss",
    "non500-isakmp",
    "ripv6",
];

/// The condition of an entry. `None` if it can match nothing (`lt 0`).
pub fn entry_match(entry: &AclEntry, fields: &Fields, quirks: &Quirks) -> Option<Match> {
    let mut matching = Match::any();
    if let Some(proto) = entry.proto {
        matching = matching.and(fields.ip_proto, Test::Exact(u128::from(proto)));
    }
    for (field, list) in [(fields.ip_src, &entry.src), (fields.ip_dst, &entry.dst)] {
        let tests: Option<Vec<Test>> = list.iter().map(|a| address_test(*a, quirks)).collect();
        // Without a test, one of the addresses is `any`.
        match tests.as_deref() {
            None => {}
            Some([]) => return None,
            Some([test]) => matching = matching.and(field, test.clone()),
            Some(several) => matching = matching.and(field, Test::OneOf(several.to_vec())),
        }
    }
    for (field, ranges) in [
        (fields.tp_src, &entry.src_ports),
        (fields.tp_dst, &entry.dst_ports),
    ] {
        if let Some(ranges) = ranges {
            if let Some(test) = port_test(entry, ranges, quirks)? {
                matching = matching.and(field, test);
            }
        }
    }
    if let Some((kind, code)) = entry.icmp {
        matching = matching.and(fields.tp_src, Test::Exact(u128::from(kind)));
        if let Some(code) = code {
            matching = matching.and(fields.tp_dst, Test::Exact(u128::from(code)));
        }
    }
    if let Some(test) = flags_test(entry, quirks) {
        matching = matching.and(fields.tcp_flags, test);
    }
    Some(matching)
}

fn address_test(addr: WildAddr, quirks: &Quirks) -> Option<Test> {
    let wild = if quirks.has(Quirk::ContiguousWildcards) {
        1u64.checked_shl(addr.wild.trailing_ones())
            .map_or(u32::MAX, |v| (v - 1) as u32)
    } else {
        addr.wild
    };
    match wild {
        u32::MAX => None,
        0 => Some(Test::Exact(u128::from(addr.addr))),
        wild if wild.leading_zeros() + wild.trailing_ones() == 32 => Some(Test::Prefix {
            value: u128::from(addr.addr & !wild),
            len: wild.leading_zeros() as u8,
        }),
        wild => Some(Test::Masked {
            value: u128::from(addr.addr & !wild),
            mask: u128::from(!wild),
        }),
    }
}

/// `None`: the entry can match nothing. `Some(None)`: any port.
fn port_test(entry: &AclEntry, ranges: &[(u16, u16)], quirks: &Quirks) -> Option<Option<Test>> {
    let mut ranges = ranges.to_vec();
    if let Some(name) = entry
        .named_port
        .as_deref()
        .filter(|_| quirks.has(Quirk::GeneratorPortNames))
    {
        if NAMES_UNKNOWN_TO_GENERATOR.contains(&name) {
            return Some(None);
        }
        if let Some(port) = generator_port(entry.proto, name) {
            ranges = vec![(port, port)];
        }
    }
    let tests: Vec<Test> = ranges
        .iter()
        .map(|&(low, high)| {
            if low == high {
                Test::Exact(u128::from(low))
            } else {
                Test::Range {
                    lo: u128::from(low),
                    hi: u128::from(high),
                }
            }
        })
        .collect();
    match tests.len() {
        0 => None,
        1 => Some(tests.into_iter().next()),
        _ => Some(Some(Test::OneOf(tests))),
    }
}

/// Names with another number in the generator's list.
fn generator_port(proto: Option<u8>, name: &str) -> Option<u16> {
    match (proto, name) {
        (Some(17), "bootps") => Some(69),
        (Some(17), "dnsix") => Some(90),
        (Some(17), "netbios-dgm") => Some(137),
        (Some(17), "netbios-ns") => Some(138),
        (Some(6), "tacacs-ds") => Some(65),
        _ => None,
    }
}

fn flags_test(entry: &AclEntry, quirks: &Quirks) -> Option<Test> {
    if entry.established && quirks.has(Quirk::EstablishedHighBit) {
        return Some(Test::Masked {
            value: 0x80,
            mask: 0x80,
        });
    }
    let alternatives = entry.flags.as_ref()?;
    let tests: Vec<Test> = alternatives
        .iter()
        .map(|f| Test::Masked {
            value: u128::from(f.set),
            mask: u128::from(f.set | f.clear),
        })
        .collect();
    Some(Test::OneOf(tests))
}
