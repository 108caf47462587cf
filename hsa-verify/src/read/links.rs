// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Cables: a list of links, or links that addresses imply.
//!
//! One link a line, `boxA portA boxB portB` or `boxA:portA -- boxB:portB`; `->` instead of `--`
//! is a link in one direction. `#` starts a comment.

use super::ios::names::canonical;
use super::source::{Line, SourceText};
use super::ReadError;
use crate::model::{Network, Note, NoteKind, Origin, PortId};
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
    members: BTreeMap<(String, String), PortId>,
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
        let members = network.physical_ports().flat_map(|id| {
            let port = network.port(id);
            let device = network.device(port.device).name.clone();
            let members = port.members.iter();
            members.map(move |m| ((device.clone(), m.clone()), id))
        });
        Self {
            ports: ports.collect(),
            members: members.collect(),
            boxes: network.devices.iter().map(|d| d.name.clone()).collect(),
        }
    }

    /// Whether the end is a port that is bundled in another.
    fn is_member(&self, end: &End) -> bool {
        let is = |port: String| self.members.contains_key(&(end.0.clone(), port));
        is(end.1.clone()) || is(canonical(&end.1))
    }

    /// # Errors
    /// The box or the port does not exist.
    pub fn find(&self, end: &End) -> Result<PortId, String> {
        let get = |port: String| {
            let end = (end.0.clone(), port);
            self.ports
                .get(&end)
                .or_else(|| self.members.get(&end))
                .copied()
        };
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
    let mut cables: BTreeMap<PortId, Vec<(PortId, usize)>> = BTreeMap::new();
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
        // The cables of one bundle are one link.
        let bundled = index.is_member(&link.from) || index.is_member(&link.to);
        let directions = if link.both_ways {
            cables.entry(from).or_default().push((to, link.line));
            cables.entry(to).or_default().push((from, link.line));
            vec![(from, to), (to, from)]
        } else {
            vec![(from, to)]
        };
        for (from, to) in directions {
            match seen.get(&(from, to)) {
                Some(_) if bundled => {}
                Some(first) => {
                    let what = format!(
                        "link {} -> {} is already in line {first}",
                        network.port_name(from),
                        network.port_name(to)
                    );
                    return Err(source.error(link.line, what));
                }
                None => {
                    seen.insert((from, to), link.line);
                    network.add_link(from, to, origin);
                }
            }
        }
    }
    let star = |others: &Vec<(PortId, usize)>| {
        others.iter().enumerate().any(|(i, (a, _))| {
            let mut later = others[i + 1..].iter();
            later.any(|(b, _)| a != b && !seen.contains_key(&(*a, *b)))
        })
    };
    let stars: Vec<(PortId, usize)> = cables
        .iter()
        .filter(|(_, others)| star(others))
        .map(|(port, others)| (*port, others[0].1))
        .collect();
    if let Some((port, line)) = stars.first() {
        let text = format!(
            "{} x assumed: port linked to several that are not linked to each other: what it sends is copied to all (first: {}, {}:{line})",
            stars.len(),
            network.port_name(*port),
            source.name
        );
        network.notes.push(Note {
            kind: NoteKind::Warning,
            origin: None,
            text,
        });
    }
    Ok(network.links.len())
}

/// Two ends of a cable as one of the boxes names them, and where it does.
#[derive(Debug, Clone)]
pub struct Neighbour {
    /// The box that tells, and its port.
    pub from: End,
    /// The other one. Boxes call each other by host name, some with a domain.
    pub to: End,
    /// File and line.
    pub place: (String, usize),
}

impl Neighbour {
    /// Both ports, if they are in the network.
    fn ends(&self, index: &PortIndex) -> Option<(PortId, PortId)> {
        let short = self.to.0.split(['.', '(']).next().unwrap_or_default();
        let mut names = [self.to.0.as_str(), short].into_iter();
        let to = names.find_map(|name| index.find(&(name.to_owned(), self.to.1.clone())).ok());
        Some((index.find(&self.from).ok()?, to?))
    }

    fn contradicts(&self, network: &Network, port: PortId, other: &str) -> ReadError {
        let (file, line) = &self.place;
        let name = network.port_name(port);
        let what = format!("{name} is named as a neighbour here, and {other}");
        ReadError::line(file, *line, what)
    }
}

/// Adds the links that boxes tell of their neighbours (CDP, LLDP), both ways. Returns how many
/// cables there are, and how many neighbours are no boxes of the network.
///
/// # Errors
/// A box names a neighbour that names other ones at that port.
pub fn add_neighbours(
    network: &mut Network,
    neighbours: &[Neighbour],
) -> Result<(usize, usize), ReadError> {
    let index = PortIndex::new(network);
    let ends: Vec<Option<(PortId, PortId)>> = neighbours.iter().map(|n| n.ends(&index)).collect();
    let mut told: BTreeMap<PortId, BTreeSet<PortId>> = BTreeMap::new();
    for (from, to) in ends.iter().flatten() {
        told.entry(*from).or_default().insert(*to);
    }
    let mut files = BTreeMap::new();
    let mut linked = BTreeSet::new();
    for (n, ends) in neighbours.iter().zip(&ends) {
        let Some((from, to)) = *ends else { continue };
        if let Some(others) = told.get(&to).filter(|o| !o.contains(&from)) {
            let others: Vec<String> = others.iter().map(|p| network.port_name(*p)).collect();
            let what = format!("says that its own are {}", others.join(", "));
            return Err(n.contradicts(network, to, &what));
        }
        if linked.insert((from.min(to), from.max(to))) {
            let (file, line) = &n.place;
            let file = *files
                .entry(file.clone())
                .or_insert_with(|| network.add_file(file));
            let line = *line as u32;
            let origin = Some(Origin { file, line });
            network.add_link(from, to, origin);
            network.add_link(to, from, origin);
        }
    }
    let strangers = ends.iter().filter(|e| e.is_none()).count();
    Ok((linked.len(), strangers))
}

/// Compares the links of a network with what boxes tell of their neighbours. Returns how many
/// neighbours are no boxes of the network or have no link listed.
///
/// # Errors
/// A port that is linked, but not to the neighbour that its box names.
pub fn check_neighbours(network: &Network, neighbours: &[Neighbour]) -> Result<usize, ReadError> {
    let index = PortIndex::new(network);
    let mut strangers = 0;
    for n in neighbours {
        let linked = |from: PortId| network.links.iter().filter(move |l| l.from == from);
        match n.ends(&index) {
            Some((from, to)) if linked(from).any(|l| l.to == to) => {}
            Some((from, to)) => match linked(from).next() {
                Some(link) => {
                    let place = link
                        .origin
                        .map_or(String::new(), |o| network.origin_name(o));
                    let what = format!(
                        "{place} links {} to {}",
                        network.port_name(from),
                        network.port_name(link.to)
                    );
                    return Err(n.contradicts(network, to, &what));
                }
                None => strangers += 1,
            },
            None => strangers += 1,
        }
    }
    Ok(strangers)
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

/// Links every two ports of different boxes that share a subnet and have no link yet. Returns how
/// many subnets did.
///
/// # Errors
/// Two ports with one address: which of them is meant cannot be told.
pub fn infer_links(network: &mut Network, attachments: &[Attachment]) -> Result<usize, ReadError> {
    let index = PortIndex::new(network);
    let known: BTreeSet<PortId> = network.links.iter().flat_map(|l| [l.from, l.to]).collect();
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
                if known.contains(&from) || known.contains(&to) {
                    continue;
                }
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
    use crate::header::Layout;
    use crate::model::PortKind;

    fn three_boxes() -> Network {
        let mut network = Network::new(Layout::internet2());
        for name in ["a", "b", "c"] {
            let device = network.add_device(name);
            for port in ["gi1", "po1"] {
                network.add_port(device, port, PortKind::Physical, None);
            }
        }
        network.ports[1].members = vec!["gi2".into(), "gi3".into()];
        network
    }

    fn add(network: &mut Network, text: &str) -> Result<usize, String> {
        let source = SourceText::from_bytes("l", text.as_bytes()).unwrap();
        add_links(network, &source).map_err(|e| e.to_string())
    }

    #[test]
    fn stars_are_remarked_on_and_bundles_are_one_link() {
        let mut network = three_boxes();
        let segment = "a gi1 b gi1\na gi1 c gi1\nb gi1 c gi1\n";
        assert_eq!(add(&mut network, segment), Ok(6));
        assert!(network.notes.is_empty());
        let mut network = three_boxes();
        assert_eq!(add(&mut network, "a gi1 b gi1\n\na gi1 c gi1\n"), Ok(4));
        assert!(network.notes[0].text.contains("a:gi1, l:1"));
        // Two cables of one bundle.
        assert_eq!(add(&mut three_boxes(), "a gi2 b gi1\na Gi3 b gi1\n"), Ok(2));
        assert!(add(&mut three_boxes(), "a gi1 b gi1\nb gi1 a gi1\n").is_err());
    }

    #[test]
    fn neighbours_agree_or_are_refused() {
        let n = |from: &str, to: &str| {
            let end = |t: &str| {
                let (name, port) = t.split_once(':').unwrap();
                (name.to_owned(), port.to_owned())
            };
            Neighbour {
                from: end(from),
                to: end(to),
                place: ("f".to_owned(), 1),
            }
        };
        let told = [
            n("a:GigabitEthernet1", "b.example.com:Gi1"),
            n("b:gi1", "a:gi1"),
            n("a:gi2", "c:po1"),
            n("c:gi1", "phone:eth0"),
        ];
        let mut network = three_boxes();
        assert_eq!(add_neighbours(&mut network, &told).unwrap(), (2, 1));
        assert_eq!(network.links.len(), 4);
        // Two boxes behind a hub, and a box that knows better.
        let told = [n("a:gi1", "b:gi1"), n("c:gi1", "b:gi1")];
        assert_eq!(add_neighbours(&mut three_boxes(), &told).unwrap(), (2, 0));
        let told = [n("a:gi1", "b:gi1"), n("b:gi1", "c:gi1")];
        let e = add_neighbours(&mut three_boxes(), &told).unwrap_err();
        assert!(e.to_string().starts_with("f:1: b:gi1 is named"), "{e}");
        let mut network = three_boxes();
        add(&mut network, "a gi1 c gi1\n").unwrap();
        let e = check_neighbours(&network, &told[..1]).unwrap_err();
        assert!(e.to_string().contains("l:1 links a:gi1 to c:gi1"), "{e}");
        assert_eq!(
            check_neighbours(&network, &[n("b:gi1", "a:gi2")]).unwrap(),
            1
        );
    }

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
