// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Configurations: `set` lines (`show configuration | display set`) or the same in braces.

use super::firewall::{Filter, PrefixLists};
use super::statements::{statements, Statement};
use super::{address, Hop, JunosBox, Route};
use crate::read::ios::config::len_mask;
use crate::read::{Notes, ReadError, ReadNoteKind as NoteKind, SourceText};

/// Statements without effect on forwarding, given the tables.
const NO_EFFECT: &[&str] = &[
    "version",
    "system",
    "chassis",
    "snmp",
    "policy-options",
    "event-options",
    "applications",
    "access",
    "forwarding-options",
    "class-of-service",
    "protocols",
    "services",
    "groups",
    "apply-groups",
];

/// Reads a configuration into a box.
///
/// # Errors
/// An address or VLAN that does not parse, braces that do not match, a last line that is cut.
pub fn read_config(source: &SourceText, target: &mut JunosBox) -> Result<(), ReadError> {
    let mut notes = Notes::default();
    let mut filters = std::mem::take(&mut target.filters);
    filters.0.clone_from(&source.name);
    target.static_routes.0.clone_from(&source.name);
    let mut disabled: Vec<String> = Vec::new();
    let all = statements(source)?;
    let lists = prefix_lists(&all).map_err(|(line, what)| source.error(line, what))?;
    for (line, words) in all {
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        if let ["interfaces", port, "disable"] = words.as_slice() {
            disabled.push(format!("{port}."));
            continue;
        }
        let handled = statement(&words, line, source, target, &mut filters.1, &lists)?;
        if !handled {
            notes.command(effect(&words), &words.join(" "), &source.name, line);
        }
    }
    for unit in target.units.values_mut() {
        unit.down |= disabled.iter().any(|port| unit.name.starts_with(port));
    }
    target.join_aggregates();
    target.filters = filters;
    target.notes.merge(notes);
    Ok(())
}

/// What a statement that we do not read does to forwarding.
fn effect(words: &[&str]) -> NoteKind {
    match words {
        // What a group holds is inherited where it is applied.
        ["groups", _, "interfaces" | "firewall" | "routing-options" | "routing-instances", ..] => {
            NoteKind::NotModelled
        }
        ["interfaces", _, "apply-groups", ..] => NoteKind::NotModelled,
        ["interfaces", "interface-range", ..] => NoteKind::NotModelled,
        ["vlans" | "bridge-domains", ..] => NoteKind::NotModelled,
        ["security", ..] => NoteKind::NotModelled,
        [first, ..] if NO_EFFECT.contains(first) => NoteKind::NoEffect,
        _ => NoteKind::NotUnderstood,
    }
}

/// Prefixes by the name of their list in `policy-options`.
fn prefix_lists(statements: &[Statement]) -> Result<PrefixLists, (usize, String)> {
    let mut lists = PrefixLists::new();
    for (line, words) in statements {
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        match words.as_slice() {
            ["policy-options", "prefix-list", name] => {
                lists.entry((*name).to_owned()).or_default();
            }
            ["policy-options", "prefix-list", name, prefix] => {
                let list = lists.entry((*name).to_owned()).or_default();
                if prefix.contains(':') {
                    continue;
                }
                match address(prefix) {
                    Some(found) => list.push(found),
                    None => return Err((*line, format!("{prefix:?} is no prefix"))),
                }
            }
            // What `apply-path` gathers is not worked out: no filter may use such a list.
            ["policy-options", "prefix-list", name, "apply-path", ..] => {
                lists.remove(*name);
            }
            _ => {}
        }
    }
    Ok(lists)
}

fn statement(
    words: &[&str],
    line: usize,
    source: &SourceText,
    target: &mut JunosBox,
    filters: &mut std::collections::BTreeMap<String, Filter>,
    lists: &PrefixLists,
) -> Result<bool, ReadError> {
    match words {
        ["interfaces", port, "unit", unit, rest @ ..] => {
            interface(&format!("{port}.{unit}"), rest, line, source, target)
        }
        ["interfaces", port, "gigether-options" | "ether-options", "802.3ad", aggregate, ..]
            if aggregate.starts_with("ae") =>
        {
            let members = target
                .aggregates
                .entry((*aggregate).to_owned())
                .or_default();
            members.push((*port).to_owned());
            Ok(true)
        }
        ["interfaces", _, "description" | "mtu" | "vlan-tagging" | "speed" | "flexible-vlan-tagging", ..] => {
            Ok(true)
        }
        ["firewall", "family", "inet6" | "mpls" | "any" | "vpls" | "ccc" | "ethernet-switching", ..] =>
        {
            let kind = NoteKind::NotModelled;
            let text = words.join(" ");
            target.notes.command(kind, &text, &source.name, line);
            Ok(true)
        }
        ["firewall", "policer" | "three-color-policer", ..] => Ok(true),
        ["policy-options", "prefix-list", ..] => Ok(true),
        ["firewall", "family", "inet", "filter", name, "term", term, rest @ ..]
        | ["firewall", "filter", name, "term", term, rest @ ..] => {
            filters
                .entry((*name).to_owned())
                .or_default()
                .statement(term, rest, line, lists);
            Ok(true)
        }
        ["routing-options", rest @ ..] => routing(None, rest, line, source, target),
        ["routing-instances", instance, "routing-options", rest @ ..] => {
            routing(Some(instance), rest, line, source, target)
        }
        ["routing-instances", instance, "interface", unit] => {
            target.unit(unit, &source.name, line).instance = Some((*instance).to_owned());
            Ok(true)
        }
        ["routing-instances", ..] => {
            let kind = NoteKind::NoEffect;
            target
                .notes
                .command(kind, &words.join(" "), &source.name, line);
            Ok(true)
        }
        _ => Ok(false),
    }
}

fn interface(
    name: &str,
    words: &[&str],
    line: usize,
    source: &SourceText,
    target: &mut JunosBox,
) -> Result<bool, ReadError> {
    let unit = target.unit(name, &source.name, line);
    match words {
        ["vlan-id", vlan] => {
            let number = vlan.parse().ok().filter(|v| (1..=4094).contains(v));
            unit.vlan =
                number.ok_or_else(|| source.error(line, format!("{vlan:?} is no VLAN number")))?;
        }
        ["disable"] => unit.down = true,
        ["family", "inet"] => unit.inet = true,
        ["family", "inet", "address", text, ..] => {
            unit.inet = true;
            let found = address(text)
                .ok_or_else(|| source.error(line, format!("{text:?} is no address")))?;
            if !unit.addresses.contains(&found) {
                unit.addresses.push(found);
            }
        }
        ["family", "inet", "filter", "input" | "input-list", name] => {
            unit.filter_in.push((*name).to_owned());
        }
        ["family", "inet", "filter", "output" | "output-list", name] => {
            unit.filter_out.push((*name).to_owned());
        }
        ["family", "inet", "filter", ..] => {
            let what = format!("{:?} cannot be read", words.join(" "));
            return Err(source.error(line, what));
        }
        ["description", ..] | ["family", "inet", "mtu", ..] => {}
        ["family", "inet6" | "mpls" | "iso", ..] => {
            let text = format!("interfaces {}", words.join(" "));
            target
                .notes
                .command(NoteKind::NotModelled, &text, &source.name, line);
        }
        _ => return Ok(false),
    }
    Ok(true)
}

fn routing(
    instance: Option<&str>,
    words: &[&str],
    line: usize,
    source: &SourceText,
    target: &mut JunosBox,
) -> Result<bool, ReadError> {
    let ["static", "route", text, rest @ ..] = words else {
        let kind = if words.first() == Some(&"rib") {
            NoteKind::NotModelled
        } else {
            NoteKind::NoEffect
        };
        let text = format!("routing-options {}", words.join(" "));
        target.notes.command(kind, &text, &source.name, line);
        return Ok(true);
    };
    let (prefix, len) =
        address(text).ok_or_else(|| source.error(line, format!("{text:?} is no IPv4 prefix")))?;
    let hop = match rest {
        ["discard" | "reject"] => Hop::Drop,
        ["receive"] => Hop::Deliver,
        ["next-hop", hop] => match address(hop) {
            Some((addr, _)) => Hop::Via(addr),
            None => Hop::Unit((*hop).to_owned()),
        },
        ["next-table", table] => match table.strip_suffix("inet.0") {
            Some(name) => {
                Hop::Instance(Some(name.trim_end_matches('.').to_owned()).filter(|n| !n.is_empty()))
            }
            None => return Err(source.error(line, format!("{table:?} is no IPv4 table"))),
        },
        // A second choice, used when the first next hop fails.
        ["qualified-next-hop", ..] => {
            let what =
                "routing-options static qualified-next-hop: the next hops before it are used";
            let kind = NoteKind::NotModelled;
            target.notes.line(kind, what, &source.name, line);
            return Ok(true);
        }
        _ => {
            let text = format!("routing-options static {}", rest.join(" "));
            let kind = NoteKind::NoEffect;
            target.notes.command(kind, &text, &source.name, line);
            return Ok(true);
        }
    };
    let prefix = prefix & len_mask(len);
    let instance = instance.map(str::to_owned);
    let routes = &mut target.static_routes.1;
    let known = routes
        .iter_mut()
        .find(|r| r.prefix == prefix && r.len == len && r.instance == instance);
    match known {
        Some(route) => route.hops.push(hop),
        None => routes.push(Route {
            prefix,
            len,
            hops: vec![hop],
            line,
            instance,
        }),
    }
    Ok(true)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<JunosBox, ReadError> {
        let mut target = JunosBox::default();
        read_config(
            &SourceText::from_bytes("c", text.as_bytes()).unwrap(),
            &mut target,
        )?;
        Ok(target)
    }

    #[test]
    fn set_lines_and_braces_say_the_same() {
        let set = "set interfaces ge-0/0/0 unit 5 vlan-id 5\nset interfaces ge-0/0/0 unit 5 family inet address 10.0.0.1/24\n\
                   set routing-options static route 0.0.0.0/0 next-hop 10.0.0.2\n";
        let braces = "interfaces {\n  ge-0/0/0 {\n    unit 5 {\n      vlan-id 5;\n      family inet {\n        address 10.0.0.1/24;\n      }\n    }\n  }\n}\n\
                      routing-options {\n static {\n route 0.0.0.0/0 next-hop 10.0.0.2;\n }\n}\n";
        let (a, b) = (read(set).unwrap(), read(braces).unwrap());
        assert_eq!(a.units["ge-0/0/0.5"].addresses, [(0x0a00_0001, 24)]);
        assert_eq!(
            a.units["ge-0/0/0.5"].addresses,
            b.units["ge-0/0/0.5"].addresses
        );
        assert_eq!(a.static_routes.1[0].hops, b.static_routes.1[0].hops);
    }

    #[test]
    fn disabled_ports_and_aggregates_do_not_depend_on_the_order() {
        let text = "set interfaces ge-0/0/0 disable\nset interfaces ge-0/0/0 unit 0 family inet address 10.0.0.1/24\n\
                    set interfaces ge-0/0/1 gigether-options 802.3ad ae0\nset interfaces ge-0/0/2 ether-options 802.3ad ae0\n\
                    set interfaces ae0 unit 5 vlan-id 5\nset interfaces ae0 unit 5 family inet address 10.0.5.1/24\n";
        let junos = read(text).unwrap();
        assert!(junos.units["ge-0/0/0.0"].down);
        let member = &junos.units["ge-0/0/2.5"];
        assert_eq!((member.vlan, member.bundle.as_deref()), (5, Some("ae0.5")));
    }

    #[test]
    fn routes_into_another_table() {
        let junos =
            read("set routing-options static route 10.9.0.0/16 next-table RED.inet.0\n").unwrap();
        assert_eq!(
            junos.static_routes.1[0].hops,
            [Hop::Instance(Some("RED".into()))]
        );
    }

    #[test]
    fn unbalanced_braces_and_bad_addresses_are_refused() {
        assert_eq!(
            read("interfaces {\n").err().unwrap().to_string(),
            "c:1: this brace is never closed: the file is cut short"
        );
        assert!(read("}\n").is_err());
        assert!(
            read("set interfaces ge-0/0/0 unit 0 family inet address 10.0.0.300/24\n").is_err()
        );
    }
}
