// SPDX-License-Identifier: Apache-2.0 OR MIT
//! One line of `dump-flows`: its table, priority, match and actions.

use crate::header::{Field, FieldId, Layout};
use crate::model::{Match, Test};
use std::net::Ipv6Addr;

/// A flow.
#[derive(Debug, Clone)]
pub struct Flow {
    /// Table number.
    pub table: u32,
    /// Priority; the highest wins.
    pub priority: u32,
    /// Input port, if the flow matches on it.
    pub in_port: Option<String>,
    /// The rest of the match.
    pub matching: Match,
    /// Actions in order, as written.
    pub actions: Vec<String>,
    /// Actions inside `write_actions`, done when the tables are through.
    pub written: Vec<String>,
    /// Line in the file.
    pub line: usize,
}

/// Keys without influence on forwarding.
const STATISTICS: &[&str] = &[
    "cookie",
    "duration",
    "n_packets",
    "n_bytes",
    "idle_age",
    "hard_age",
    "idle_timeout",
    "hard_timeout",
    "importance",
    "send_flow_rem",
    "reset_counts",
    "check_overlap",
    "no_packet_counts",
    "no_byte_counts",
    "offloaded",
    "dp",
];

/// Ethernet type and IP protocol that a protocol name stands for.
const PROTOCOLS: &[(&str, u128, Option<u128>)] = &[
    ("ip", 0x0800, None),
    ("icmp", 0x0800, Some(1)),
    ("tcp", 0x0800, Some(6)),
    ("udp", 0x0800, Some(17)),
    ("sctp", 0x0800, Some(132)),
    ("arp", 0x0806, None),
    ("rarp", 0x8035, None),
    ("ipv6", 0x86dd, None),
    ("icmp6", 0x86dd, Some(58)),
    ("tcp6", 0x86dd, Some(6)),
    ("udp6", 0x86dd, Some(17)),
    ("mpls", 0x8847, None),
];

/// Names of match fields and the field of our header.
const FIELDS: &[(&str, &str)] = &[
    ("dl_src", "eth_src"),
    ("eth_src", "eth_src"),
    ("dl_dst", "eth_dst"),
    ("eth_dst", "eth_dst"),
    ("dl_type", "eth_type"),
    ("eth_type", "eth_type"),
    ("nw_src", "ip_src"),
    ("ip_src", "ip_src"),
    ("arp_spa", "ip_src"),
    ("nw_dst", "ip_dst"),
    ("ip_dst", "ip_dst"),
    ("arp_tpa", "ip_dst"),
    ("nw_proto", "ip_proto"),
    ("ip_proto", "ip_proto"),
    ("arp_op", "ip_proto"),
    ("tp_src", "tp_src"),
    ("tcp_src", "tp_src"),
    ("udp_src", "tp_src"),
    ("sctp_src", "tp_src"),
    ("icmp_type", "tp_src"),
    ("icmpv6_type", "tp_src"),
    ("tp_dst", "tp_dst"),
    ("tcp_dst", "tp_dst"),
    ("udp_dst", "tp_dst"),
    ("sctp_dst", "tp_dst"),
    ("icmp_code", "tp_dst"),
    ("icmpv6_code", "tp_dst"),
    ("ipv6_src", "ipv6_src"),
    ("ipv6_dst", "ipv6_dst"),
    ("dl_vlan", "vlan"),
    ("vlan_vid", "vlan"),
    ("vlan_tci", "vlan"),
    ("tcp_flags", "tcp_flags"),
];

/// TCP flags by name with their bits (RFC 9293, section 3.1).
const FLAGS: &[(&str, u128)] = &[
    ("fin", 1),
    ("syn", 2),
    ("rst", 4),
    ("psh", 8),
    ("ack", 16),
    ("urg", 32),
    ("ece", 64),
    ("cwr", 128),
];

/// Field of our header by the name of an OpenFlow field.
pub fn field(layout: &Layout, name: &str) -> Option<FieldId> {
    let ours = FIELDS.iter().find(|(theirs, _)| *theirs == name)?.1;
    layout.find(ours)
}

/// Reads a line.
///
/// # Errors
/// A sentence about what does not fit.
pub fn parse(text: &str, line: usize, layout: &Layout) -> Result<Flow, String> {
    let (left, actions) = text
        .split_once("actions=")
        .ok_or("no actions: the line is cut short or is no flow")?;
    let mut flow = Flow {
        table: 0,
        priority: 32768,
        in_port: None,
        matching: Match::any(),
        actions: Vec::new(),
        written: Vec::new(),
        line,
    };
    for action in split_actions(actions.trim())? {
        let inner = action.strip_prefix("write_actions(");
        match inner.and_then(|a| a.strip_suffix(')')) {
            Some(inner) => flow.written.extend(split_actions(inner)?),
            None => flow.actions.push(action),
        }
    }
    for token in left
        .split([',', ' '])
        .map(str::trim)
        .filter(|t| !t.is_empty())
    {
        let (key, value) = match token.split_once('=') {
            Some((key, value)) => (key, Some(value)),
            None => (token, None),
        };
        if STATISTICS.contains(&key) {
            continue;
        }
        flow.token(key, value, layout)?;
    }
    Ok(flow)
}

/// Splits at commas outside parentheses.
pub fn split_actions(text: &str) -> Result<Vec<String>, String> {
    let mut result = Vec::new();
    let (mut depth, mut start) = (0i32, 0);
    for (i, c) in text.char_indices() {
        match c {
            '(' => depth += 1,
            ')' => depth -= 1,
            ',' if depth == 0 => {
                result.push(text[start..i].trim().to_owned());
                start = i + 1;
            }
            _ => {}
        }
    }
    if depth != 0 {
        return Err("parentheses of the actions do not match: the line is cut short".to_owned());
    }
    result.push(text[start..].trim().to_owned());
    result.retain(|a| !a.is_empty());
    if result.is_empty() {
        return Err("the actions are missing: the line is cut short".to_owned());
    }
    Ok(result)
}

impl Flow {
    fn token(&mut self, key: &str, value: Option<&str>, layout: &Layout) -> Result<(), String> {
        let number = |v: Option<&str>| {
            v.and_then(|v| v.parse::<u32>().ok())
                .ok_or_else(|| format!("{key} needs a number"))
        };
        match (key, value) {
            ("table", v) => self.table = number(v)?,
            ("priority", v) => self.priority = number(v)?,
            ("in_port", Some(port)) => self.in_port = Some(port.trim_matches('"').to_owned()),
            (name, None) => {
                let (_, ethernet, proto) = PROTOCOLS
                    .iter()
                    .find(|(n, _, _)| *n == name)
                    .ok_or_else(|| format!("{name:?} is no protocol or flag that is known"))?;
                self.and(layout, "eth_type", Test::Exact(*ethernet))?;
                if let Some(proto) = proto {
                    self.and(layout, "ip_proto", Test::Exact(*proto))?;
                }
            }
            ("dl_vlan" | "vlan_vid" | "vlan_tci", Some(v)) => {
                let test = vlan_test(key, v)?;
                self.and(layout, "vlan", test)?;
            }
            ("tcp_flags", Some(v)) => self.and(layout, "tcp_flags", flags_test(v)?)?,
            (name, Some(v)) => {
                let id = field(layout, name)
                    .ok_or_else(|| format!("match on {name:?} is not supported"))?;
                let test = value_test(layout.field(id), v)?;
                self.matching
                    .fields
                    .push(crate::model::FieldMatch { field: id, test });
            }
        }
        Ok(())
    }

    fn and(&mut self, layout: &Layout, name: &str, test: Test) -> Result<(), String> {
        let field = layout
            .find(name)
            .ok_or_else(|| format!("the header has no field {name}"))?;
        self.matching
            .fields
            .push(crate::model::FieldMatch { field, test });
        Ok(())
    }

    /// Ports that the flow names.
    pub fn ports(&self) -> Vec<String> {
        let special = |p: &String| !super::actions::is_reserved(p);
        let actions = self.actions.iter().chain(&self.written);
        let outputs = actions.filter_map(|a| super::actions::output_port(a));
        self.in_port
            .clone()
            .into_iter()
            .chain(outputs)
            .filter(special)
            .collect()
    }
}

fn vlan_test(key: &str, text: &str) -> Result<Test, String> {
    let bad = || format!("{key}={text} is no VLAN");
    let number = |t: &str| {
        t.strip_prefix("0x")
            .map_or_else(|| t.parse().ok(), |h| u128::from_str_radix(h, 16).ok())
    };
    // Bit 12 says that there is a tag.
    let (value, mask) = match text.split_once('/') {
        Some((v, m)) => (number(v).ok_or_else(bad)?, number(m).ok_or_else(bad)?),
        None => (number(text).ok_or_else(bad)?, 0x1fff),
    };
    match (key, value, mask) {
        ("dl_vlan", 0xffff, _) => Ok(Test::Exact(0)),
        ("dl_vlan", v, 0x1fff) if v < 4096 => Ok(Test::Exact(v)),
        (_, 0x1000, 0x1000) => Ok(Test::Not(Box::new(Test::Exact(0)))),
        (_, 0, _) => Ok(Test::Exact(0)),
        (_, v, 0x1fff | 0xffff) if v & 0x1000 != 0 && v & 0xe000 == 0 => Ok(Test::Exact(v & 0xfff)),
        _ => Err(bad()),
    }
}

/// `+syn-ack`, or a number with a mask.
fn flags_test(text: &str) -> Result<Test, String> {
    let bad = || format!("tcp_flags={text} cannot be read");
    if !text.starts_with(['+', '-']) {
        let number = |t: &str| {
            t.strip_prefix("0x")
                .map_or_else(|| t.parse().ok(), |h| u128::from_str_radix(h, 16).ok())
        };
        let (value, mask) = text.split_once('/').unwrap_or((text, "0xff"));
        let (value, mask) = (
            number(value).ok_or_else(bad)?,
            number(mask).ok_or_else(bad)?,
        );
        return if value > 255 {
            Err(bad())
        } else {
            Ok(Test::Masked {
                value,
                mask: mask & 0xff,
            })
        };
    }
    let (mut value, mut mask) = (0, 0);
    let mut rest = text;
    while let Some(sign) = rest.chars().next() {
        let end = rest[1..].find(['+', '-']).map_or(rest.len(), |i| i + 1);
        let bit = FLAGS
            .iter()
            .find(|(n, _)| *n == &rest[1..end])
            .ok_or_else(bad)?
            .1;
        mask |= bit;
        value |= if sign == '+' { bit } else { 0 };
        rest = &rest[end..];
    }
    Ok(Test::Masked { value, mask })
}

/// `VALUE`, `VALUE/LEN` for addresses, `VALUE/MASK`.
pub fn value_test(field: &Field, text: &str) -> Result<Test, String> {
    let Some((value, mask)) = text.split_once('/') else {
        return field
            .parse(text)
            .map(Test::Exact)
            .map_err(|e| e.to_string());
    };
    let value = field.parse(value).map_err(|e| e.to_string())?;
    let is_address = matches!(field.width, 32 | 128);
    if let Ok(len) = mask.parse::<u8>() {
        if is_address {
            return if u32::from(len) <= field.width {
                Ok(Test::Prefix { value, len })
            } else {
                Err(format!("/{len} is longer than {}", field.name))
            };
        }
    }
    let mask = match mask.parse::<Ipv6Addr>() {
        Ok(mask) if field.width == 128 => u128::from(mask),
        _ => field.parse(mask).map_err(|e| e.to_string())?,
    };
    Ok(Test::Masked {
        value: value & mask,
        mask,
    })
}
