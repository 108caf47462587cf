// SPDX-License-Identifier: Apache-2.0 OR MIT
//! NetPlumber's JSON: a file a table, and a topology.
//!
//! Every table becomes a box. NetPlumber's loader puts each rule in front of those before it, so
//! the last rule of a file has the highest priority; [`Order`] says which way to read.

use super::ternary::{edits, matching};
use super::{ReadError, SourceText};
use crate::header::{Layout, Wildcard};
use crate::model::{
    Effect, FileId, Network, Next, Note, NoteKind, Origin, Output, PortId, PortKind, PortMatch,
    Rule, Spread, Table,
};
use serde::Deserialize;
use std::collections::{BTreeMap, BTreeSet};

/// Which rule of a file has the highest priority.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Order {
    /// The last one, as NetPlumber's loader has it.
    #[default]
    LastWins,
    /// The first one, for files that were written for another loader.
    FirstWins,
}

#[derive(Deserialize)]
struct RawTable {
    id: u64,
    #[serde(default)]
    ports: Vec<u64>,
    rules: Vec<RawRule>,
}

#[derive(Deserialize)]
struct RawRule {
    action: String,
    in_ports: Option<Vec<u64>>,
    out_ports: Option<Vec<u64>>,
    #[serde(rename = "match")]
    matching: String,
    mask: Option<String>,
    rewrite: Option<String>,
}

#[derive(Deserialize)]
struct RawTopology {
    topology: Vec<RawLink>,
}

#[derive(Deserialize)]
struct RawLink {
    src: u64,
    dst: u64,
}

/// Reads tables and topologies into a network.
///
/// # Errors
/// Malformed JSON, headers of unequal length, a table number that is given twice, a link to a
/// port that no table has.
pub fn read(
    tables: &[(String, &SourceText)],
    topologies: &[&SourceText],
    order: Order,
) -> Result<Network, ReadError> {
    let mut network: Option<Network> = None;
    let mut ports = Ports::default();
    let mut ids: BTreeMap<u64, &str> = BTreeMap::new();
    for (name, source) in tables {
        let raw: RawTable = serde_json::from_str(&source.text)
            .map_err(|e| source.error(e.line(), format!("no table of NetPlumber: {e}")))?;
        if let Some(first) = ids.insert(raw.id, &source.name) {
            let what = format!("table {} is already in {first}", raw.id);
            return Err(ReadError::file(&source.name, what));
        }
        add_table(&mut network, &mut ports, name, source, &raw, order)?;
    }
    let mut network =
        network.ok_or_else(|| ReadError::file("NetPlumber files", "there is no rule in them"))?;
    for source in topologies {
        let raw: RawTopology = serde_json::from_str(&source.text)
            .map_err(|e| source.error(e.line(), format!("no topology of NetPlumber: {e}")))?;
        let file = network.add_file(&source.name);
        let lines = lines_of(&source.text, "\"src\"");
        let mut seen = BTreeSet::new();
        let mut idle = 0;
        for (i, link) in raw.topology.iter().enumerate() {
            let line = lines.get(i).copied().unwrap_or(1);
            let from = ports.sends.get(&link.src).copied();
            let to = ports.receives.get(&link.dst).copied();
            let (from, to) = match (from, to) {
                (Some(from), Some(to)) => (from, to),
                (None, None) => {
                    let what = format!("no table has port {} or port {}", link.src, link.dst);
                    return Err(source.error(line, what));
                }
                // Nothing is ever sent over the link, or what is sent meets no rule.
                _ => {
                    idle += 1;
                    continue;
                }
            };
            if seen.insert((from, to)) {
                network.add_link(
                    from,
                    to,
                    Some(Origin {
                        file,
                        line: line as u32,
                    }),
                );
            }
        }
        if idle > 0 {
            network.notes.push(Note {
                kind: NoteKind::Ignored,
                origin: None,
                text: format!("{idle} x no effect: link with an end that no rule uses"),
            });
        }
    }
    Ok(network)
}

/// Who owns a port number, as output and as input.
#[derive(Default)]
struct Ports {
    sends: BTreeMap<u64, PortId>,
    receives: BTreeMap<u64, PortId>,
}

/// Lines on which a key stands, in order.
fn lines_of(text: &str, key: &str) -> Vec<usize> {
    let mut lines = Vec::new();
    for (i, line) in text.split('\n').enumerate() {
        lines.extend(std::iter::repeat_n(i + 1, line.matches(key).count()));
    }
    lines
}

fn layout_for(length: usize) -> Layout {
    match length {
        128 => Layout::stanford(),
        48 => Layout::internet2(),
        n => Layout::new(n as u32, Vec::new()).expect("a header without fields is sound"),
    }
}

fn add_table(
    network: &mut Option<Network>,
    ports: &mut Ports,
    name: &str,
    source: &SourceText,
    raw: &RawTable,
    order: Order,
) -> Result<(), ReadError> {
    let lines = lines_of(&source.text, "\"match\"");
    let mut used: BTreeSet<u64> = raw.ports.iter().copied().collect();
    for rule in &raw.rules {
        used.extend(rule.in_ports.iter().flatten());
        used.extend(rule.out_ports.iter().flatten());
    }
    let mut rules = Vec::with_capacity(raw.rules.len());
    let mut parsed = Vec::with_capacity(raw.rules.len());
    for (i, rule) in raw.rules.iter().enumerate() {
        let line = lines.get(i).copied().unwrap_or(1);
        let wildcard: Wildcard = rule
            .matching
            .parse()
            .map_err(|e| source.error(line, format!("match: {e}")))?;
        let network = network.get_or_insert_with(|| Network::new(layout_for(wildcard.len())));
        let expected = network.layout.length as usize;
        if wildcard.len() != expected {
            let what = format!("{} bits where other rules have {expected}", wildcard.len());
            return Err(source.error(line, what));
        }
        parsed.push((rule, wildcard, line));
    }
    let Some(network) = network.as_mut() else {
        return Ok(());
    };
    let device = network.add_device(name);
    network.devices[device.0 as usize].send_back = true;
    let file = network.add_file(&source.name);
    let mut own = BTreeMap::new();
    for number in used {
        let id = network.add_port(device, number.to_string(), PortKind::Physical, Some(number));
        own.insert(number, id);
    }
    for (rule, wildcard, line) in parsed {
        for port in rule.in_ports.iter().flatten() {
            claim(&mut ports.receives, *port, own[port], source, line, network)?;
        }
        for port in rule.out_ports.iter().flatten() {
            claim(&mut ports.sends, *port, own[port], source, line, network)?;
        }
        rules.push(build(
            rule,
            &wildcard,
            &own,
            &network.layout,
            source,
            (file, line),
        )?);
    }
    for number in &raw.ports {
        ports.receives.entry(*number).or_insert(own[number]);
        ports.sends.entry(*number).or_insert(own[number]);
    }
    if order == Order::LastWins {
        rules.reverse();
    }
    network.devices[device.0 as usize].tables = vec![Table {
        name: "rules".to_owned(),
        rules,
    }];
    Ok(())
}

fn claim(
    map: &mut BTreeMap<u64, PortId>,
    number: u64,
    port: PortId,
    source: &SourceText,
    line: usize,
    network: &Network,
) -> Result<(), ReadError> {
    let first = *map.entry(number).or_insert(port);
    if network.port(first).device == network.port(port).device {
        return Ok(());
    }
    let other = &network.device(network.port(first).device).name;
    Err(source.error(
        line,
        format!("port {number} is already used that way by box {other}"),
    ))
}

fn build(
    raw: &RawRule,
    wildcard: &Wildcard,
    own: &BTreeMap<u64, PortId>,
    layout: &Layout,
    source: &SourceText,
    (file, line): (FileId, usize),
) -> Result<Rule, ReadError> {
    let bad = |what: String| source.error(line, what);
    let rewrite = match raw.action.as_str() {
        "fwd" | "link" => Vec::new(),
        "rw" => {
            let part = |text: &Option<String>, name: &str| {
                let text = text
                    .as_ref()
                    .ok_or_else(|| bad(format!("rw without {name}")))?;
                let bits: Wildcard = text.parse().map_err(|e| bad(format!("{name}: {e}")))?;
                if bits.len() != wildcard.len() || bits.free_bits() > 0 {
                    return Err(bad(format!(
                        "{name} needs {} bits of 0 and 1",
                        wildcard.len()
                    )));
                }
                Ok(bits)
            };
            edits(
                layout,
                &part(&raw.mask, "mask")?,
                &part(&raw.rewrite, "rewrite")?,
            )
        }
        other => return Err(bad(format!("action {other:?} is none of fwd, rw, link"))),
    };
    let outputs: Vec<Output> = raw
        .out_ports
        .iter()
        .flatten()
        .map(|p| Output {
            edits: rewrite.clone(),
            next: Next::Leave(own[p]),
        })
        .collect();
    let effect = if outputs.is_empty() {
        Effect::Drop
    } else {
        Effect::Forward {
            outputs,
            spread: Spread::All,
        }
    };
    let ports = match &raw.in_ports {
        None => PortMatch::Any,
        Some(list) => PortMatch::In(list.iter().map(|p| own[p]).collect()),
    };
    Ok(Rule {
        ports,
        matching: matching(layout, wildcard),
        effect,
        origins: vec![Origin {
            file,
            line: line as u32,
        }],
        label: None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table(id: u64, rules: &str) -> SourceText {
        let text = format!("{{\"id\":{id},\"ports\":[1,2],\n\"rules\":[\n{rules}]}}");
        SourceText::from_bytes(format!("t{id}.json"), text.as_bytes()).unwrap()
    }

    const A: &str = "{\"action\":\"fwd\",\"in_ports\":[1],\"out_ports\":[2],\"match\":\"xxxx\",\"mask\":null,\"rewrite\":null}";
    const B: &str = "{\"action\":\"rw\",\"in_ports\":[1],\"out_ports\":[],\"match\":\"1xxx\",\"mask\":\"0111\",\"rewrite\":\"0000\"}";

    #[test]
    fn the_last_rule_wins_unless_told_otherwise() {
        let source = table(1, &format!("{A},\n{B}\n"));
        let tables = [("t1".to_owned(), &source)];
        let last = read(&tables, &[], Order::LastWins).unwrap();
        assert_eq!(last.devices[0].tables[0].rules[0].origins[0].line, 4);
        let first = read(&tables, &[], Order::FirstWins).unwrap();
        assert_eq!(first.devices[0].tables[0].rules[0].origins[0].line, 3);
    }

    #[test]
    fn unequal_headers_and_cut_files_name_their_line() {
        let source = table(1, &format!("{A},\n{}\n", B.replace("1xxx", "1xxxx")));
        let e = read(&[("t".into(), &source)], &[], Order::LastWins).unwrap_err();
        assert_eq!(e.to_string(), "t1.json:4: 5 bits where other rules have 4");
        let cut = SourceText::from_bytes("c.json", &source.text.as_bytes()[..60]).unwrap();
        let e = read(&[("t".into(), &cut)], &[], Order::LastWins).unwrap_err();
        assert!(e.to_string().starts_with("c.json:"), "{e}");
        let twice = [("a".to_owned(), &source), ("b".to_owned(), &source)];
        assert!(read(&twice, &[], Order::LastWins).is_err());
    }
}
