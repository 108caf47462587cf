// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Configurations: `set` lines (`show configuration | display set`) or the same in braces.

use super::firewall::Filter;
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
    for (line, words) in statements(source)? {
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        let handled = statement(&words, line, source, target, &mut filters.1)?;
        if !handled {
            let first = words.first().copied().unwrap_or("");
            let kind = if NO_EFFECT.contains(&first) {
                NoteKind::NoEffect
            } else {
                NoteKind::NotUnderstood
            };
            notes.command(kind, &words.join(" "), &source.name, line);
        }
    }
    target.filters = filters;
    target.notes.merge(notes);
    Ok(())
}

/// The statements with their lines: `set a b c` as it stands, braces unfolded.
fn statements(source: &SourceText) -> Result<Vec<(usize, Vec<String>)>, ReadError> {
    let mut result = Vec::new();
    let mut path: Vec<(usize, Vec<String>)> = Vec::new();
    for line in source.lines() {
        let text = line.text.trim();
        if text.is_empty() || text.starts_with('#') || text.starts_with("/*") {
            continue;
        }
        if let Some(rest) = text.strip_prefix("set ") {
            result.push((line.number, words(rest)));
        } else if text.starts_with("deactivate ") || text.starts_with("delete ") {
            return Err(source.error(
                line.number,
                format!("{text:?}: only set lines are supported"),
            ));
        } else if let Some(open) = text.strip_suffix('{') {
            path.push((line.number, words(open)));
        } else if text == "}" {
            if path.pop().is_none() {
                return Err(source.error(line.number, "a closing brace too many"));
            }
        } else if let Some((statement, _)) = text.split_once(';') {
            let mut full: Vec<String> = path.iter().flat_map(|(_, w)| w.clone()).collect();
            let rest = words(statement);
            // `[ a b ]` is a list: one statement a member.
            match rest.iter().position(|w| w == "[") {
                Some(at) => {
                    full.extend_from_slice(&rest[..at]);
                    for member in rest[at + 1..].iter().filter(|w| *w != "]") {
                        let mut one = full.clone();
                        one.push(member.clone());
                        result.push((line.number, one));
                    }
                }
                None => {
                    full.extend(rest);
                    result.push((line.number, full));
                }
            }
        } else {
            return Err(source.error(line.number, format!("{text:?} is no statement")));
        }
    }
    match path.last() {
        Some((line, _)) => {
            Err(source.error(*line, "this brace is never closed: the file is cut short"))
        }
        None => Ok(result),
    }
}

/// Words between blanks; a quoted text is one word.
fn words(text: &str) -> Vec<String> {
    let mut result = Vec::new();
    let mut rest = text.trim();
    while !rest.is_empty() {
        let (word, after) = match rest.strip_prefix('"') {
            Some(quoted) => quoted.split_once('"').unwrap_or((quoted, "")),
            None => rest.split_once(char::is_whitespace).unwrap_or((rest, "")),
        };
        result.push(word.to_owned());
        rest = after.trim_start();
    }
    result
}

fn statement(
    words: &[&str],
    line: usize,
    source: &SourceText,
    target: &mut JunosBox,
    filters: &mut std::collections::BTreeMap<String, Filter>,
) -> Result<bool, ReadError> {
    match words {
        ["interfaces", port, "unit", unit, rest @ ..] => {
            interface(&format!("{port}.{unit}"), rest, line, source, target)
        }
        ["interfaces", port, "disable"] => {
            let down = format!("{port}.");
            for unit in target
                .units
                .values_mut()
                .filter(|u| u.name.starts_with(&down))
            {
                unit.down = true;
            }
            Ok(true)
        }
        ["interfaces", _, "gigether-options" | "ether-options", "802.3ad", ..] => {
            target
                .notes
                .command(NoteKind::NotModelled, &words.join(" "), &source.name, line);
            Ok(true)
        }
        ["interfaces", _, "description" | "mtu" | "vlan-tagging" | "speed" | "flexible-vlan-tagging", ..] => {
            Ok(true)
        }
        ["firewall", "family", "inet", "filter", name, "term", term, rest @ ..]
        | ["firewall", "filter", name, "term", term, rest @ ..] => {
            filters
                .entry((*name).to_owned())
                .or_default()
                .statement(term, rest, line);
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
        ["family", "inet", "filter", "input", name] => unit.filter_in = Some((*name).to_owned()),
        ["family", "inet", "filter", "output", name] => unit.filter_out = Some((*name).to_owned()),
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
        ["next-hop" | "qualified-next-hop", hop] => match address(hop) {
            Some((addr, _)) => Hop::Via(addr),
            None => Hop::Unit((*hop).to_owned()),
        },
        _ => return Ok(true),
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
