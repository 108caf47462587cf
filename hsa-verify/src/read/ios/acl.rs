// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Access lists: standard and extended, numbered and named.
//!
//! Grammar as in the Cisco IOS Security Configuration Guide, "Access Control Lists". What narrows
//! an entry and has no field in our header (DSCP, fragments, time ranges) makes the entry
//! unusable, not wider.

use super::numbers::{icmp_type_number, port_number, protocol_number};
use super::object_groups::ObjectGroups;
use std::net::Ipv4Addr;

/// An address with a wildcard mask: a bit of `wild` that is 1 matches anything.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WildAddr {
    /// Address, in host order.
    pub addr: u32,
    /// Wildcard mask; need not be contiguous.
    pub wild: u32,
}

impl WildAddr {
    /// `any`.
    pub const ANY: Self = Self {
        addr: 0,
        wild: u32::MAX,
    };
}

/// Bits of the TCP flags byte that an entry asks for: all of `set` are 1 and all of `clear` are 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FlagMatch {
    /// Bits that must be 1.
    pub set: u8,
    /// Bits that must be 0.
    pub clear: u8,
}

/// One `permit` or `deny`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AclEntry {
    /// `permit`.
    pub permit: bool,
    /// IP protocol number; `None` is `ip`.
    pub proto: Option<u8>,
    /// Source: one of these.
    pub src: Vec<WildAddr>,
    /// Destination: one of these; `ANY` in standard lists.
    pub dst: Vec<WildAddr>,
    /// Source ports, as inclusive ranges; `None` is any.
    pub src_ports: Option<Vec<(u16, u16)>>,
    /// Destination ports, as inclusive ranges; `None` is any.
    pub dst_ports: Option<Vec<(u16, u16)>>,
    /// ICMP type and code.
    pub icmp: Option<(u8, Option<u8>)>,
    /// TCP flags: the entry matches if one of the alternatives does. `None` is any.
    pub flags: Option<Vec<FlagMatch>>,
    /// Whether the flags came from the word `established`.
    pub established: bool,
    /// Whether a port was given by a name (`netbios-ss`) rather than a number.
    pub named_port: Option<String>,
    /// Line in the file.
    pub line: usize,
}

/// A list, or what is left of it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Acl {
    /// File that shows the list; `None` is the configuration.
    pub file: Option<String>,
    /// Entries in order of evaluation.
    pub entries: Vec<AclEntry>,
    /// Lines that could not be turned into an entry, and why. A list with such lines may not be
    /// applied to an interface.
    pub unusable: Vec<(usize, String)>,
}

/// Which grammar the entries follow.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AclKind {
    /// Source address only.
    Standard,
    /// Protocol, source, destination, ports, flags.
    Extended,
}

/// Kind of a numbered list; `None` for the ranges of other protocols (MAC, IPX, ...).
pub fn kind_of_number(number: u32) -> Option<AclKind> {
    match number {
        1..=99 | 1300..=1999 => Some(AclKind::Standard),
        100..=199 | 2000..=2699 => Some(AclKind::Extended),
        _ => None,
    }
}

/// FIN, SYN, RST, PSH, ACK and URG with their bits in the TCP flags byte (RFC 9293, section 3.1).
const FLAGS: [(&str, u8); 6] = [
    ("fin", 1),
    ("syn", 2),
    ("rst", 4),
    ("psh", 8),
    ("ack", 16),
    ("urg", 32),
];

/// A service of a group: a protocol with its ports.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Service {
    proto: Option<u8>,
    src_ports: Option<Vec<(u16, u16)>>,
    dst_ports: Option<Vec<(u16, u16)>>,
    icmp: Option<(u8, Option<u8>)>,
    named_port: Option<String>,
}

/// Words of one entry, read from the left.
struct Words<'a> {
    rest: &'a [&'a str],
}

impl<'a> Words<'a> {
    fn next(&mut self) -> Option<&'a str> {
        let (first, rest) = self.rest.split_first()?;
        self.rest = rest;
        Some(first)
    }

    fn peek(&self) -> Option<&'a str> {
        self.rest.first().copied()
    }

    fn need(&mut self, what: &str) -> Result<&'a str, String> {
        self.next()
            .ok_or_else(|| format!("{what} is missing at the end of the line"))
    }
}

fn blank(permit: bool, line: usize) -> AclEntry {
    AclEntry {
        permit,
        proto: None,
        src: vec![WildAddr::ANY],
        dst: vec![WildAddr::ANY],
        src_ports: None,
        dst_ports: None,
        icmp: None,
        flags: None,
        established: false,
        named_port: None,
        line,
    }
}

/// Reads one entry; `words` starts with `permit` or `deny`. An entry about a group of services is
/// as many entries as the group has members.
///
/// # Errors
/// A sentence about the word that does not fit.
pub fn parse_entry(
    kind: AclKind,
    words: &[&str],
    line: usize,
    groups: &ObjectGroups,
) -> Result<Vec<AclEntry>, String> {
    let mut words = Words { rest: words };
    let permit = match words.need("permit or deny")? {
        "permit" => true,
        "deny" => false,
        other => return Err(format!("expected permit or deny, found {other:?}")),
    };
    let mut entry = blank(permit, line);
    let mut services = None;
    match kind {
        AclKind::Standard => {
            entry.src = address(&mut words, true, groups)?;
        }
        AclKind::Extended => services = extended(&mut entry, &mut words, groups)?,
    }
    options(&mut entry, &mut words)?;
    let Some(services) = services else {
        return Ok(vec![entry]);
    };
    let one = |service: Service| AclEntry {
        proto: service.proto,
        src_ports: service.src_ports,
        dst_ports: service.dst_ports,
        icmp: service.icmp,
        named_port: service.named_port,
        ..entry.clone()
    };
    Ok(services.into_iter().map(one).collect())
}

/// Reads what follows the protocol, and the services if a group of them stands in its place.
fn extended(
    entry: &mut AclEntry,
    words: &mut Words<'_>,
    groups: &ObjectGroups,
) -> Result<Option<Vec<Service>>, String> {
    let proto = words.need("the protocol")?;
    if proto == "object-group" {
        let services = groups.services(words.need("the name of the group")?)?;
        entry.src = address(words, false, groups)?;
        entry.dst = address(words, false, groups)?;
        return Ok(Some(services));
    }
    entry.proto = protocol(proto)?;
    entry.src = address(words, false, groups)?;
    entry.src_ports = ports(entry, words)?;
    entry.dst = address(words, false, groups)?;
    entry.dst_ports = ports(entry, words)?;
    if entry.proto == Some(1) {
        entry.icmp = icmp(words)?;
    }
    Ok(None)
}

fn protocol(name: &str) -> Result<Option<u8>, String> {
    match name {
        "ip" | "ipv4" => Ok(None),
        name => protocol_number(name)
            .map(Some)
            .ok_or_else(|| format!("{name:?} is no protocol that is known")),
    }
}

/// Reads a member of a service group: `tcp source range 1 9 eq 80`, `udp 53`, `icmp echo`, `ip`.
///
/// # Errors
/// A sentence about the word that does not fit.
pub fn parse_service(words: &[&str]) -> Result<Service, String> {
    let mut words = Words { rest: words };
    let mut entry = blank(true, 0);
    let proto = words.need("the protocol")?;
    entry.proto = protocol(proto)?;
    if words.peek() == Some("source") {
        words.next();
        entry.src_ports = group_ports(&mut entry, &mut words)?;
    }
    match entry.proto {
        Some(1) => entry.icmp = icmp(&mut words)?,
        _ => entry.dst_ports = group_ports(&mut entry, &mut words)?,
    }
    match words.next() {
        Some(word) => Err(format!("{word:?} in a service group is not supported")),
        None => Ok(Service {
            proto: entry.proto,
            src_ports: entry.src_ports,
            dst_ports: entry.dst_ports,
            icmp: entry.icmp,
            named_port: entry.named_port,
        }),
    }
}

/// As [`ports`], and a port alone is `eq`.
fn group_ports(
    entry: &mut AclEntry,
    words: &mut Words<'_>,
) -> Result<Option<Vec<(u16, u16)>>, String> {
    match words.peek() {
        None => Ok(None),
        Some("eq" | "neq" | "lt" | "gt" | "range") => ports(entry, words),
        Some(word) => {
            let number = port(entry, word)?;
            words.next();
            Ok(Some(vec![(number, number)]))
        }
    }
}

fn icmp(words: &mut Words<'_>) -> Result<Option<(u8, Option<u8>)>, String> {
    let Some(word) = words.peek() else {
        return Ok(None);
    };
    if let Ok(number) = word.parse::<u8>() {
        words.next();
        let code = words.peek().and_then(|w| w.parse::<u8>().ok());
        if code.is_some() {
            words.next();
        }
        return Ok(Some((number, code)));
    }
    let found = icmp_type_number(word);
    if found.is_some() {
        words.next();
    }
    Ok(found)
}

/// `any`, `host A`, `A WILDCARD`, `A/LEN`, a group, and in standard lists `A` alone.
fn address(
    words: &mut Words<'_>,
    standard: bool,
    groups: &ObjectGroups,
) -> Result<Vec<WildAddr>, String> {
    if matches!(words.peek(), Some("object-group" | "addrgroup")) {
        words.next();
        return groups.addresses(words.need("the name of the group")?);
    }
    one_address(words, standard).map(|a| vec![a])
}

fn one_address(words: &mut Words<'_>, standard: bool) -> Result<WildAddr, String> {
    let word = words.need("an address")?;
    let dotted = |w: &str| w.parse::<Ipv4Addr>().map(u32::from).ok();
    match word {
        "any" | "any4" => return Ok(WildAddr::ANY),
        "host" => {
            let host = words.need("the address after host")?;
            let addr = dotted(host).ok_or_else(|| format!("{host:?} is no IPv4 address"))?;
            return Ok(WildAddr { addr, wild: 0 });
        }
        _ => {}
    }
    if let Some((addr, len)) = word.split_once('/') {
        let len: u32 = len
            .parse()
            .ok()
            .filter(|l| *l <= 32)
            .ok_or("bad prefix length")?;
        let addr = dotted(addr).ok_or_else(|| format!("{word:?} is no IPv4 prefix"))?;
        let wild = if len == 0 {
            u32::MAX
        } else {
            (1u64 << (32 - len)) as u32 - 1
        };
        return Ok(WildAddr {
            addr: addr & !wild,
            wild,
        });
    }
    // `show access-lists`: `10.0.0.0, wildcard bits 0.0.0.255`.
    let shown = word.strip_suffix(',');
    let addr = dotted(shown.unwrap_or(word));
    let addr = addr.ok_or_else(|| format!("{word:?} is no IPv4 address"))?;
    if shown.is_some() && words.rest.starts_with(&["wildcard", "bits"]) {
        words.rest = &words.rest[2..];
    }
    match words.peek().and_then(dotted) {
        Some(wild) => {
            words.next();
            Ok(WildAddr {
                addr: addr & !wild,
                wild,
            })
        }
        None if standard => Ok(WildAddr { addr, wild: 0 }),
        None => Err(format!("the wildcard mask after {word} is missing")),
    }
}

fn port(entry: &mut AclEntry, word: &str) -> Result<u16, String> {
    if let Ok(number) = word.parse() {
        return Ok(number);
    }
    let number = port_number(entry.proto, word)
        .ok_or_else(|| format!("{word:?} is no port number or name"))?;
    entry.named_port.get_or_insert_with(|| word.to_owned());
    Ok(number)
}

/// `eq P...`, `neq P...`, `lt P`, `gt P`, `range P Q`.
fn ports(entry: &mut AclEntry, words: &mut Words<'_>) -> Result<Option<Vec<(u16, u16)>>, String> {
    let operator = match words.peek() {
        Some(w @ ("eq" | "neq" | "lt" | "gt" | "range")) => w,
        _ => return Ok(None),
    };
    words.next();
    let first = words.need("a port")?;
    let first = port(entry, first)?;
    let ranges = match operator {
        "lt" => first
            .checked_sub(1)
            .map(|high| (0, high))
            .into_iter()
            .collect(),
        "gt" => first
            .checked_add(1)
            .map(|low| (low, u16::MAX))
            .into_iter()
            .collect(),
        "range" => {
            let second = words.need("the second port of the range")?;
            let second = port(entry, second)?;
            vec![(first.min(second), first.max(second))]
        }
        _ => {
            let mut ports = vec![first];
            // IOS takes up to ten ports after eq and neq.
            while let Some(next) = words.peek() {
                let Ok(number) = port(entry, next) else { break };
                words.next();
                ports.push(number);
            }
            ports.sort_unstable();
            ports.dedup();
            if operator == "eq" {
                ports.iter().map(|p| (*p, *p)).collect()
            } else {
                gaps(&ports)
            }
        }
    };
    Ok(Some(ranges))
}

/// Ranges between sorted ports: the complement.
fn gaps(ports: &[u16]) -> Vec<(u16, u16)> {
    let mut ranges = Vec::new();
    let mut low = 0u32;
    for &p in ports {
        if u32::from(p) > low {
            ranges.push((low as u16, p - 1));
        }
        low = u32::from(p) + 1;
    }
    if low <= u32::from(u16::MAX) {
        ranges.push((low as u16, u16::MAX));
    }
    ranges
}

fn options(entry: &mut AclEntry, words: &mut Words<'_>) -> Result<(), String> {
    while let Some(word) = words.next() {
        match word {
            "log" | "log-input" => {
                // A cookie may follow; it only labels the log line.
                while words.peek().is_some() {
                    words.next();
                }
            }
            "established" => {
                entry.established = true;
                entry.flags = Some(vec![
                    FlagMatch { set: 16, clear: 0 },
                    FlagMatch { set: 4, clear: 0 },
                ]);
            }
            "match-any" | "match-all" => flag_expression(entry, words, word == "match-all")?,
            flag if entry.proto == Some(6) && flag_bit(flag).is_some() => {
                let bit = flag_bit(flag).unwrap_or_default();
                entry
                    .flags
                    .get_or_insert_with(Vec::new)
                    .push(FlagMatch { set: bit, clear: 0 });
            }
            other => return Err(format!("{other:?} in an access list is not supported")),
        }
    }
    Ok(())
}

fn flag_bit(name: &str) -> Option<u8> {
    FLAGS.iter().find(|(n, _)| *n == name).map(|(_, bit)| *bit)
}

/// `match-any +ack -syn`: one alternative a flag; `match-all`: one alternative with them all.
fn flag_expression(entry: &mut AclEntry, words: &mut Words<'_>, all: bool) -> Result<(), String> {
    let mut alternatives = Vec::new();
    while let Some(word) = words.peek() {
        let Some(sign @ ('+' | '-')) = word.chars().next() else {
            break;
        };
        let bit = flag_bit(&word[1..]).ok_or_else(|| format!("{word:?} is no TCP flag"))?;
        words.next();
        alternatives.push(if sign == '+' {
            FlagMatch { set: bit, clear: 0 }
        } else {
            FlagMatch { set: 0, clear: bit }
        });
    }
    if alternatives.is_empty() {
        return Err("flags are missing".to_owned());
    }
    entry.flags = Some(if all {
        let join = |a: FlagMatch, b: &FlagMatch| FlagMatch {
            set: a.set | b.set,
            clear: a.clear | b.clear,
        };
        vec![alternatives
            .iter()
            .fold(FlagMatch { set: 0, clear: 0 }, join)]
    } else {
        alternatives
    });
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(text: &str) -> Result<AclEntry, String> {
        let words: Vec<&str> = text.split_whitespace().collect();
        let entries = parse_entry(AclKind::Extended, &words, 1, &ObjectGroups::default())?;
        Ok(entries[0].clone())
    }

    #[test]
    fn ports_by_every_operator() {
        let dst = |t: &str| {
            entry(&format!("permit tcp any any {t}"))
                .unwrap()
                .dst_ports
                .unwrap()
        };
        assert_eq!(dst("eq 80 443"), [(80, 80), (443, 443)]);
        assert_eq!(dst("neq www"), [(0, 79), (81, 65535)]);
        assert_eq!(dst("lt 1024"), [(0, 1023)]);
        assert_eq!(dst("gt 1023"), [(1024, 65535)]);
        assert_eq!(dst("range 139 135"), [(135, 139)]);
        assert_eq!(dst("lt 0"), []);
        assert_eq!(dst("gt 65535"), []);
        assert_eq!(dst("neq 0 65535"), [(1, 65534)]);
    }

    #[test]
    fn established_means_ack_or_rst() {
        let e = entry("permit tcp any host 10.0.0.1 established log").unwrap();
        assert!(e.established);
        assert_eq!(
            e.flags.unwrap(),
            [
                FlagMatch { set: 16, clear: 0 },
                FlagMatch { set: 4, clear: 0 }
            ]
        );
        let e = entry("permit tcp any any match-all +ack -syn").unwrap();
        assert_eq!(e.flags.unwrap(), [FlagMatch { set: 16, clear: 2 }]);
    }

    #[test]
    fn wildcard_masks_need_not_be_contiguous() {
        let e = entry("deny ip 10.0.1.7 0.255.0.255 any").unwrap();
        assert_eq!(
            e.src,
            [WildAddr {
                addr: 0x0a00_0100,
                wild: 0x00ff_00ff
            }]
        );
    }

    #[test]
    fn icmp_by_name_and_number() {
        assert_eq!(
            entry("permit icmp any any echo-reply").unwrap().icmp,
            Some((0, None))
        );
        assert_eq!(
            entry("permit icmp any any 3 4").unwrap().icmp,
            Some((3, Some(4)))
        );
        assert_eq!(entry("permit icmp any any").unwrap().icmp, None);
    }

    #[test]
    fn what_would_narrow_the_entry_is_refused() {
        for text in [
            "permit ip any any dscp ef",
            "permit ip any any fragments",
            "permit ip object-group A any",
            "permit tcp any any eq frobnicate",
            "permit tcp any",
            "permit tcp any any range 3",
            "permit",
        ] {
            assert!(entry(text).is_err(), "{text}");
        }
    }

    #[test]
    fn standard_lists_name_a_source_only() {
        let parse = |t: &str| {
            let words: Vec<&str> = t.split_whitespace().collect();
            let entries = parse_entry(AclKind::Standard, &words, 1, &ObjectGroups::default());
            entries.map(|e| e[0].clone())
        };
        assert_eq!(
            parse("permit 10.0.0.1").unwrap().src,
            [WildAddr {
                addr: 0x0a00_0001,
                wild: 0
            }]
        );
        assert_eq!(parse("deny any").unwrap().src, [WildAddr::ANY]);
        assert_eq!(kind_of_number(1411), Some(AclKind::Standard));
        assert_eq!(kind_of_number(700), None);
    }
}
