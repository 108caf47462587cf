// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Sets, packets, rules and traces in words.

use crate::analysis::{Outcome, Trace, Visit};
use crate::header::{Bits, Field, FieldKind, Layout, Wildcard};
use crate::model::{Effect, Network, RuleRef};
use crate::space::{Set, Space};
use num_bigint::BigUint;
use serde_json::{json, Map, Value};

/// A number of headers: in full up to seven digits, then rounded with the power of two below it.
pub fn count_text(count: &BigUint) -> String {
    let digits = count.to_string();
    if digits.len() <= 7 {
        return digits;
    }
    let exponent = digits.len() - 1;
    format!("{}.{}e{exponent}", &digits[..1], &digits[1..3])
}

/// A cube by field names; fields that may have any value are left out.
pub fn cube_text(layout: &Layout, cube: &Wildcard) -> String {
    let mut parts: Vec<String> = Vec::new();
    let mut named = vec![false; cube.len()];
    for field in &layout.fields {
        let (from, to) = (field.offset as usize, (field.offset + field.width) as usize);
        named[from..to].iter_mut().for_each(|b| *b = true);
        if let Some(text) = field_text(field, cube) {
            parts.push(format!("{}={text}", field.name));
        }
    }
    for (i, bit) in cube.fixed().filter(|(i, _)| !named[*i]) {
        parts.push(format!("bit{i}={}", u8::from(bit)));
    }
    if parts.is_empty() {
        return "any".to_owned();
    }
    parts.join(" ")
}

/// The value of a field in a cube, `None` if any.
fn field_text(field: &Field, cube: &Wildcard) -> Option<String> {
    let (mut value, mut mask) = (0u128, 0u128);
    for i in 0..field.width as usize {
        let bit = cube.get(field.offset as usize + i);
        value = value << 1 | u128::from(bit == Some(true));
        mask = mask << 1 | u128::from(bit.is_some());
    }
    if mask == 0 {
        return None;
    }
    if mask == field.max() {
        return Some(field.format(value));
    }
    let free = field.max() & !mask;
    // A run of free bits at the right end is a prefix, or a range of numbers.
    if free & (free + 1) == 0 {
        let len = field.width - free.count_ones();
        return Some(match field.kind {
            FieldKind::Ipv4 | FieldKind::Ipv6 => format!("{}/{len}", field.format(value)),
            _ => format!("{}..{}", field.format(value), field.format(value | free)),
        });
    }
    Some(format!("{}&{mask:#x}", field.format(value)))
}

/// A packet by field names, fields that are zero included.
pub fn packet_text(layout: &Layout, packet: &Bits) -> String {
    let field = |f: &Field| {
        format!(
            "{}={}",
            f.name,
            f.format(packet.read(f.offset as usize, f.width as usize))
        )
    };
    if layout.fields.is_empty() {
        return packet.to_string();
    }
    layout
        .fields
        .iter()
        .map(field)
        .collect::<Vec<_>>()
        .join(" ")
}

/// A packet as JSON: field names to values, and all its bits.
pub fn packet_fields(layout: &Layout, packet: &Bits) -> Value {
    let mut map = Map::new();
    for f in &layout.fields {
        let value = f.format(packet.read(f.offset as usize, f.width as usize));
        map.insert(f.name.clone(), Value::String(value));
    }
    map.insert("bits".to_owned(), Value::String(packet.to_hex()));
    Value::Object(map)
}

/// A set as JSON: exact count, up to `limit` disjoint cubes, whether there are more, a packet.
pub fn set_json(space: &mut Space, layout: &Layout, set: Set, limit: usize) -> Value {
    let count = space.count(set).to_string();
    let mut cubes = space.cubes(set);
    let shown: Vec<String> = cubes
        .by_ref()
        .take(limit)
        .map(|c| cube_text(layout, &c))
        .collect();
    let more = cubes.next().is_some();
    let packet = space.sample(set).map(|p| packet_fields(layout, &p));
    json!({ "count": count, "cubes": shown, "more": more, "packet": packet })
}

/// A set in lines: up to `limit` disjoint cubes and how many headers there are.
pub fn set_lines(space: &mut Space, layout: &Layout, set: Set, limit: usize) -> Vec<String> {
    let mut cubes = space.cubes(set);
    let mut lines: Vec<String> = cubes
        .by_ref()
        .take(limit)
        .map(|c| cube_text(layout, &c))
        .collect();
    if cubes.next().is_some() {
        lines.push("...".to_owned());
    }
    let count = space.count(set);
    lines.push(format!("{count} headers"));
    lines
}

/// A rule in one line: box, table, number, text, and where it was read.
pub fn rule_text(network: &Network, at: RuleRef) -> String {
    let device = &network.devices[at.device as usize];
    let table = &device.tables[at.table as usize];
    let rule = &table.rules[at.rule as usize];
    let label = rule.label.as_deref().unwrap_or(match rule.effect {
        Effect::Drop => "drop",
        Effect::Deliver => "deliver",
        Effect::Forward { .. } => "forward",
    });
    let mut text = format!("{}/{}/{} {label}", device.name, table.name, at.rule);
    if let Some(origin) = rule.origins.first() {
        text.push_str(&format!(" [{}]", network.origin_name(*origin)));
    }
    text
}

/// What differs between two headers, as `vlan 10 -> 20`; empty if nothing.
pub fn change_text(layout: &Layout, before: &Bits, after: &Bits) -> String {
    let read = |bits: &Bits, f: &Field| bits.read(f.offset as usize, f.width as usize);
    let changed = layout
        .fields
        .iter()
        .filter(|f| read(before, f) != read(after, f));
    let parts: Vec<String> = changed
        .map(|f| {
            format!(
                "{} {} -> {}",
                f.name,
                f.format(read(before, f)),
                f.format(read(after, f))
            )
        })
        .collect();
    parts.join(", ")
}

/// The visits of a route, hop by hop, with the rule of every lookup.
pub fn trace_lines(network: &Network, trace: &Trace, route: &[usize]) -> Vec<String> {
    let mut lines = Vec::new();
    for (i, &visit) in route.iter().enumerate() {
        let next = route.get(i + 1).copied();
        visit_lines(network, &trace.visits[visit], i + 1, next, &mut lines);
    }
    lines
}

fn visit_lines(
    network: &Network,
    visit: &Visit,
    number: usize,
    next: Option<usize>,
    lines: &mut Vec<String>,
) {
    let layout = &network.layout;
    lines.push(format!(
        "{number:>2} in  {}",
        network.port_name(visit.ingress)
    ));
    for lookup in &visit.lookups {
        let text = match lookup.rule {
            Some(rule) => rule_text(network, rule),
            None => {
                let device = network.port(visit.ingress).device;
                let table = &network.device(device).tables[lookup.table as usize];
                format!(
                    "{}/{} no rule matches",
                    network.device(device).name,
                    table.name
                )
            }
        };
        let outcome = match lookup.outcome {
            Outcome::NoRule | Outcome::Dropped => ": dropped".to_owned(),
            Outcome::Delivered => ": delivered to the box".to_owned(),
            Outcome::Copied(n) if n > 1 => format!(": {n} copies"),
            Outcome::OneOf(n) if n > 1 => format!(": one of {n}"),
            Outcome::Copied(_) | Outcome::OneOf(_) => String::new(),
        };
        lines.push(format!("       {text}{outcome}"));
    }
    for exit in &visit.exits {
        let on_route = next.is_some_and(|n| exit.leads_to.contains(&n));
        if next.is_some() && !on_route {
            continue;
        }
        let change = change_text(layout, &visit.header, &exit.header);
        let change = if change.is_empty() {
            change
        } else {
            format!("   ({change})")
        };
        lines.push(format!("   out {}{change}", network.port_name(exit.port)));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cubes_are_written_by_field() {
        let layout = Layout::internet2();
        let mut cube = Wildcard::all(48);
        assert_eq!(cube_text(&layout, &cube), "any");
        cube.fix(0, 16, 7);
        cube.fix(16, 8, 10);
        assert_eq!(cube_text(&layout, &cube), "vlan=7 ip_dst=10.0.0.0/8");
        cube.set(15, None);
        assert_eq!(cube_text(&layout, &cube), "vlan=6..7 ip_dst=10.0.0.0/8");
        cube.set(3, None);
        assert_eq!(cube_text(&layout, &cube), "vlan=6&0xeffe ip_dst=10.0.0.0/8");
    }

    #[test]
    fn large_counts_are_rounded() {
        assert_eq!(count_text(&BigUint::from(1_234_567u32)), "1234567");
        assert_eq!(count_text(&BigUint::from(12_345_678u32)), "1.23e7");
    }
}
