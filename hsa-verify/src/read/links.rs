// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Cables: a list of links, or links that addresses imply.
//!
//! One link a line, `boxA portA boxB portB` or `boxA:portA -- boxB:portB`; `->` instead of `--`
//! is a link in one direction. `#` starts a comment.

use super::ios::names::canonical;
use super::source::{Line, SourceText};
use super::ReadError;
use crate::model::{Network, Origin, PortId};
use std::collections::{BTreeMap, BTreeSet};

/// One end of a link as written.
pub type End = (String, String);

/// A link as written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WrittenLink {
    /// Sender.
    pub from: End,
    /// Receiver.
    pub to: End,
    /// Whether the link also goes the other way.
    pub both_ways: bool,
    /// Line in the file.
    pub line: usize,
}

/// Reads a list of links.
///
/// # Errors
/// A line that has neither form.
pub fn read_links(source: &SourceText) -> Result<Vec<WrittenLink>, ReadError> {
    let mut links = Vec::new();
    for line in source.lines() {
        let text = line.text.split('#').next().unwrap_or("");
        if text.trim().is_empty() {
            continue;
        }
        links.push(link(text, line).ok_or_else(|| {
            source.error(
                line.number,
                "expected `boxA portA boxB portB` or `boxA:portA -- boxB:portB`",
            )
        })?);
    }
    Ok(links)
}

fn link(text: &str, line: Line<'_>) -> Option<WrittenLink> {
    let words: Vec<&str> = text.split_whitespace().collect();
    let end = |t: &str| {
        let (name, port) = t.split_once(':')?;
        (!name.is_empty() && !port.is_empty()).then(|| (name.to_owned(), port.to_owned()))
    };
    let both_ways = !words.contains(&"->");
    let (from, to) = match words.as_slice() {
        [a, "--" | "<->" | "->", b] => (end(a)?, end(b)?),
        [a, p, b, q] => (
            ((*a).to_owned(), (*p).to_owned()),
            ((*b).to_owned(), (*q).to_owned()),
        ),
        _ => return None,
    };
    Some(WrittenLink {
        from,
        to,
        both_ways,
        line: line.number,
    })
}

/// Finds ports by box and name, in the spelling of the file or ours.
pub struct PortIndex {
    ports: BTreeMap<(String, String), PortId>,
    boxes: BTreeSet<String>,
}

impl PortIndex {
    /// Indexes the physical ports of a network.
    pub fn new(network: &Network) -> Self {
        let ports = network.physical_ports().map(|id| {
            let port = network.port(id);
            (
                (network.device(port.device).name.clone(), port.name.clone()),
                id,
            )
        });
        Self {
            ports: ports.collect(),
            boxes: network.devices.iter().map(|d| d.name.clone()).collect(),
        }
    }

    /// # Errors
    /// The box or the port does not exist.
    pub fn find(&self, end: &End) -> Result<PortId, String> {
        let get = |port: String| self.ports.get(&(end.0.clone(), port)).copied();
        get(end.1.clone())
            .or_else(|| get(canonical(&end.1)))
            .ok_or_else(|| {
                if self.boxes.contains(&end.0) {
                    format!("box {} has no port {}", end.0, end.1)
                } else {
                    format!("there is no box {}", end.0)
                }
            })
    }
}

/// Adds a list of links to the network.
///
/// # Errors
/// A line that does not parse, an end that does not exist, a link that is listed twice.
pub fn add_links(network: &mut Network, source: &SourceText) -> Result<usize, ReadError> {
    let index = PortIndex::new(network);
    let file = network.add_file(&source.name);
    let mut seen: BTreeMap<(PortId, PortId), usize> = BTreeMap::new();
    for link in read_links(source)? {
        let find = |end: &End| index.find(end).map_err(|e| source.error(link.line, e));
        let (from, to) = (find(&link.from)?, find(&link.to)?);
        if from == to {
            return Err(source.error(link.line, "a link from a port to itself"));
        }
        let origin = Some(Origin {
            file,
            line: link.line as u32,
        });
        let directions = if link.both_ways {
            vec![(from, to), (to, from)]
        } else {
            vec![(from, to)]
        };
        for (from, to) in directions {
            if let Some(first) = seen.insert((from, to), link.line) {
                return Err(source.error(
                    link.line,
                    format!(
                        "link {} -> {} is already in line {first}",
                        network.port_name(from),
                        network.port_name(to)
                    ),
                ));
            }
            network.add_link(from, to, origin);
        }
    }
    Ok(network.links.len())
}

/// An address of a routed port, for inference.
#[derive(Debug, Clone)]
pub struct Attachment {
    /// Box and port.
    pub end: End,
    /// Network address and prefix length.
    pub subnet: (u32, u8),
    /// Own address.
    pub addr: u32,
}

/// Links every two ports of different boxes that share a subnet. Returns how many subnets did.
///
/// # Errors
/// Two ports with one address: which of them is meant cannot be told.
pub fn infer_links(network: &mut Network, attachments: &[Attachment]) -> Result<usize, ReadError> {
    let index = PortIndex::new(network);
    let mut by_subnet: BTreeMap<(u32, u8), Vec<&Attachment>> = BTreeMap::new();
    for a in attachments.iter().filter(|a| a.subnet.1 < 32) {
        by_subnet.entry(a.subnet).or_default().push(a);
    }
    let mut subnets = 0;
    let mut linked = BTreeSet::new();
    for group in by_subnet.values() {
        let mut used = false;
        for (i, a) in group.iter().enumerate() {
            for b in group[i + 1..].iter().filter(|b| b.end.0 != a.end.0) {
                if a.addr == b.addr {
                    return Err(ReadError::of_port(
                        &b.end.0,
                        &b.end.1,
                        format!(
                            "has the address {} of box {}, port {}: links cannot be inferred, list them",
                            std::net::Ipv4Addr::from(a.addr),
                            a.end.0,
                            a.end.1
                        ),
                    ));
                }
                let (Ok(from), Ok(to)) = (index.find(&a.end), index.find(&b.end)) else {
                    continue;
                };
                used = true;
                for (from, to) in [(from, to), (to, from)] {
                    if linked.insert((from, to)) {
                        network.add_link(from, to, None);
                    }
                }
            }
        }
        subnets += usize::from(used);
    }
    Ok(subnets)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_forms_of_a_line() {
        let text = "# cables\na te1/1 b te2/1\na:te1/2 -- b:te2/2 # second\n\na:1 -> b:2\n";
        let links = read_links(&SourceText::from_bytes("l", text.as_bytes()).unwrap()).unwrap();
        assert_eq!(links.len(), 3);
        assert_eq!(links[1].to, ("b".to_owned(), "te2/2".to_owned()));
        assert!(links[1].both_ways && !links[2].both_ways);
        let bad = SourceText::from_bytes("l", b"a b c\n").unwrap();
        assert!(read_links(&bad)
            .unwrap_err()
            .to_string()
            .starts_with("l:1: expected"));
    }
}
