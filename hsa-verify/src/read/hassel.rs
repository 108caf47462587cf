// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Hassel's transfer-function files: one `.tf` a box, `topology.tf`, `port_map.json` (or `.txt`)
//! and `stages`, the number of times a box applies its list of rules.
//!
//! Ports are numbers: the input of port k of box i is `i*100000+k`, its output 20000 more, and
//! other numbers are places inside the box. Rules are tried in file order; dependencies between
//! rules are not read, because shadowing is decided exactly.

use super::error::ReadError;
use super::source::{Line, SourceText};
use super::ternary::{edits, matching};
use crate::header::{Layout, Wildcard};
use crate::model::{
    DeviceId, Effect, Network, Next, Note, NoteKind, Origin, Output, PortId, PortKind, PortMatch,
    Rule, Spread, Table,
};
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::Path;

/// An output port has the number of the input port plus this.
const OUTPUT: u64 = 20_000;
/// Numbers of one box.
const BOX: u64 = 100_000;
/// Input ports have the numbers 1 to this one, less one, within their box.
const INPUTS: u64 = 10_000;

/// How to read transfer functions.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// The header; by default the two layouts of Hassel's own data sets are recognised by their
    /// length, and any other header is left without field names.
    pub layout: Option<Layout>,
    /// Apply the mask of `fwd` rules. Hassel ignores it: its generator wrote 42 Stanford rules
    /// for untagged packets as `fwd` although they carry a rewrite.
    pub honour_fwd_masks: bool,
}

/// A line of a `.tf` file.
struct RawRule {
    rewrites: bool,
    in_ports: Vec<u64>,
    matching: Wildcard,
    mask: Option<Wildcard>,
    rewrite: Option<Wildcard>,
    out_ports: Vec<u64>,
    origins: Vec<Origin>,
    label: String,
}

/// Reads a directory of transfer functions.
///
/// # Errors
/// A missing file, a line that is not a rule, headers of unequal length, or links to ports that
/// no box has; the message names file and line.
pub fn read_dir(dir: &Path, options: &Options) -> Result<Network, ReadError> {
    let mut names: Vec<String> = std::fs::read_dir(dir)
        .map_err(|e| ReadError::io(dir, e))?
        .filter_map(|entry| entry.ok()?.file_name().into_string().ok())
        .filter(|name| name.ends_with(".tf") && name != "topology.tf")
        .collect();
    names.sort();
    if names.is_empty() {
        return Err(ReadError::file(
            &dir.display().to_string(),
            "no transfer function (*.tf) in this directory",
        ));
    }
    let mut reader = Reader {
        options,
        network: None,
        ports: HashMap::new(),
        file_ids: HashMap::new(),
        stages: read_stages(&dir.join("stages"))?,
    };
    let map = read_port_map(dir)?;
    let links = SourceText::open(&dir.join("topology.tf"))?;
    let linked = link_ends(&links)?;
    for name in &names {
        let text = SourceText::open(&dir.join(name))?;
        reader.read_box(name.trim_end_matches(".tf"), &text, &map, &linked)?;
    }
    reader.links(&links)
}

fn read_stages(path: &Path) -> Result<usize, ReadError> {
    let text = SourceText::open(path)?;
    let stages = text
        .text
        .trim()
        .parse()
        .ok()
        .filter(|n| (1..=16).contains(n));
    stages.ok_or_else(|| ReadError::line(&text.name, 1, "expected a number of stages, 1 to 16"))
}

/// Port numbers and names by box.
type PortMap = HashMap<String, BTreeMap<u64, String>>;

fn read_port_map(dir: &Path) -> Result<PortMap, ReadError> {
    let json = dir.join("port_map.json");
    if json.exists() {
        let text = SourceText::open(&json)?;
        let map: HashMap<String, HashMap<String, u64>> = serde_json::from_str(&text.text)
            .map_err(|e| ReadError::line(&text.name, e.line(), e.to_string()))?;
        let turn = |ports: HashMap<String, u64>| ports.into_iter().map(|(n, id)| (id, n)).collect();
        return Ok(map
            .into_iter()
            .map(|(name, ports)| (name, turn(ports)))
            .collect());
    }
    let text = SourceText::open(&dir.join("port_map.txt"))?;
    let mut map = PortMap::new();
    let mut current = None;
    for line in text.lines() {
        if let Some(name) = line.text.strip_prefix('$') {
            current = Some(name.to_string());
            map.entry(name.to_string()).or_default();
        } else if !line.text.trim().is_empty() {
            let bad = || ReadError::line(&text.name, line.number, "expected `port:number`");
            let (port, id) = line.text.rsplit_once(':').ok_or_else(bad)?;
            let id = id.parse().map_err(|_| bad())?;
            let ports = current.as_ref().and_then(|c| map.get_mut(c));
            let ports = ports.ok_or_else(|| {
                ReadError::line(
                    &text.name,
                    line.number,
                    "a port before the first `$box` line",
                )
            })?;
            ports.insert(id, port.to_string());
        }
    }
    Ok(map)
}

/// The two ends of a link rule: output numbers, input numbers, line.
type LinkRule = (Vec<u64>, Vec<u64>, usize);

fn link_rules(text: &SourceText) -> Result<Vec<LinkRule>, ReadError> {
    let mut rules = Vec::new();
    for line in text.lines().skip(2).filter(|l| !l.text.is_empty()) {
        let fields: Vec<&str> = line.text.split('$').collect();
        if fields.first() != Some(&"link") || fields.len() < 8 {
            let what = "expected a `link` rule of at least 8 `$`-separated fields";
            return Err(ReadError::line(&text.name, line.number, what));
        }
        let ends = (
            ports(text, &line, fields[1])?,
            ports(text, &line, fields[7])?,
        );
        rules.push((ends.0, ends.1, line.number));
    }
    Ok(rules)
}

/// Input numbers of every port that some link touches.
fn link_ends(text: &SourceText) -> Result<BTreeSet<u64>, ReadError> {
    let mut ends = BTreeSet::new();
    for (from, to, line) in link_rules(text)? {
        for id in from {
            let input = id.checked_sub(OUTPUT).ok_or_else(|| {
                ReadError::line(&text.name, line, format!("{id} is not an output port"))
            })?;
            ends.insert(input);
        }
        ends.extend(to);
    }
    Ok(ends)
}

fn ports(text: &SourceText, line: &Line<'_>, field: &str) -> Result<Vec<u64>, ReadError> {
    let inner = field.strip_prefix('[').and_then(|f| f.strip_suffix(']'));
    let bad = || {
        let what = format!("expected a list of port numbers, found {field:?}");
        ReadError::line(&text.name, line.number, what)
    };
    let inner = inner.ok_or_else(bad)?;
    if inner.trim().is_empty() {
        return Ok(Vec::new());
    }
    let numbers = inner
        .split(',')
        .map(|n| n.trim().parse().map_err(|_| bad()));
    numbers.collect()
}

struct Reader<'a> {
    options: &'a Options,
    network: Option<Network>,
    /// Ports by box and number.
    ports: HashMap<(DeviceId, u64), PortId>,
    file_ids: HashMap<String, crate::model::FileId>,
    stages: usize,
}

impl Reader<'_> {
    fn read_box(
        &mut self,
        name: &str,
        text: &SourceText,
        map: &PortMap,
        linked: &BTreeSet<u64>,
    ) -> Result<(), ReadError> {
        let length = self.header_length(text)?;
        let file = self.file(&text.name);
        let mut rules = Vec::new();
        for line in text.lines().skip(2).filter(|l| !l.text.is_empty()) {
            rules.push(self.rule(text, &line, length, file)?);
        }
        let declared = text
            .text
            .split('$')
            .nth(2)
            .and_then(|n| n.parse::<usize>().ok());
        if declared.is_some_and(|n| n != rules.len()) {
            let what = format!("the first line promises {declared:?} rules, the file has {}; it is cut short or edited", rules.len());
            return Err(ReadError::line(&text.name, 1, what));
        }
        let device = self.network().add_device(name);
        let empty = BTreeMap::new();
        let names = map.get(name).unwrap_or(&empty);
        let entry = self.physical_ports(device, names, &rules, linked);
        self.tables(device, rules, entry);
        Ok(())
    }

    fn network(&mut self) -> &mut Network {
        self.network.as_mut().expect("set by the first header line")
    }

    fn file(&mut self, name: &str) -> crate::model::FileId {
        if let Some(&id) = self.file_ids.get(name) {
            return id;
        }
        let id = self.network().add_file(name);
        self.file_ids.insert(name.to_string(), id);
        id
    }

    /// The first line is `2*bytes$prefix$rules$lazy$send-back$`.
    fn header_length(&mut self, text: &SourceText) -> Result<usize, ReadError> {
        let first = text.text.split('$').next().unwrap_or_default();
        let nibbles: u32 = first
            .parse()
            .ok()
            .filter(|n| (1..=4096).contains(n))
            .ok_or_else(|| {
                ReadError::line(&text.name, 1, "expected `header nibbles$prefix$rules$...`")
            })?;
        let length = nibbles * 4;
        let network = self.network.get_or_insert_with(|| {
            Network::new(
                self.options
                    .layout
                    .clone()
                    .unwrap_or_else(|| default_layout(length)),
            )
        });
        if network.layout.length != length {
            let what = format!(
                "headers of {length} bits among ones of {}",
                network.layout.length
            );
            return Err(ReadError::line(&text.name, 1, what));
        }
        Ok(length as usize)
    }

    fn rule(
        &mut self,
        text: &SourceText,
        line: &Line<'_>,
        length: usize,
        file: crate::model::FileId,
    ) -> Result<RawRule, ReadError> {
        let fields: Vec<&str> = line.text.split('$').collect();
        let bad = |what: String| ReadError::line(&text.name, line.number, what);
        if fields.len() < 13 {
            return Err(bad(format!(
                "a rule has 13 `$`-separated fields, here are {}",
                fields.len()
            )));
        }
        let rewrites = match fields[0] {
            "rw" => true,
            "fwd" => false,
            other => return Err(bad(format!("unknown action {other:?}, expected fwd or rw"))),
        };
        let wildcard = |field: &str| -> Result<Option<Wildcard>, ReadError> {
            if field == "None" {
                return Ok(None);
            }
            let w: Wildcard = field.parse().map_err(|e| bad(format!("{e}")))?;
            if w.len() != length {
                return Err(bad(format!(
                    "a wildcard of {} bits, headers have {length}",
                    w.len()
                )));
            }
            Ok(Some(w))
        };
        let (mask, rewrite) = (wildcard(fields[3])?, wildcard(fields[4])?);
        if rewrites && (mask.is_none() || rewrite.is_none()) {
            return Err(bad("a rw rule without mask or rewrite".to_string()));
        }
        let own = Origin {
            file,
            line: line.number as u32,
        };
        let mut origins = Vec::new();
        if !fields[10].is_empty() {
            let source = self.file(fields[10]);
            for number in fields[11].split(',').filter(|n| !n.is_empty()) {
                let line = number
                    .parse()
                    .map_err(|_| bad(format!("source line {number:?}")))?;
                origins.push(Origin { file: source, line });
            }
        }
        origins.push(own);
        Ok(RawRule {
            rewrites: rewrites || self.options.honour_fwd_masks && mask.is_some(),
            in_ports: ports(text, line, fields[1])?,
            matching: wildcard(fields[2])?.unwrap_or_else(|| Wildcard::all(length)),
            mask,
            rewrite,
            out_ports: ports(text, line, fields[7])?,
            origins,
            label: fields[12].to_string(),
        })
    }

    /// Creates the ports through which packets enter: those of the port map, those that links
    /// touch, and input numbers that rules take packets from.
    fn physical_ports(
        &mut self,
        device: DeviceId,
        names: &BTreeMap<u64, String>,
        rules: &[RawRule],
        linked: &BTreeSet<u64>,
    ) -> BTreeSet<u64> {
        let used = rules.iter().flat_map(|r| r.in_ports.iter().copied());
        let mut entry: BTreeSet<u64> = used
            .filter(|id| (1..INPUTS).contains(&(id % BOX)))
            .collect();
        entry.extend(names.keys());
        let base = entry.first().map_or(0, |id| id / BOX * BOX);
        entry.extend(linked.range(base..base + BOX));
        for &id in &entry {
            let name = names.get(&id).cloned().unwrap_or_else(|| format!("#{id}"));
            self.port(device, id, name, PortKind::Physical);
        }
        entry
    }

    fn port(&mut self, device: DeviceId, id: u64, name: String, kind: PortKind) -> PortId {
        if let Some(&port) = self.ports.get(&(device, id)) {
            return port;
        }
        let port = self.network().add_port(device, name, kind, Some(id));
        self.ports.insert((device, id), port);
        port
    }

    fn place(&mut self, device: DeviceId, id: u64) -> PortId {
        self.port(device, id, format!("@{id}"), PortKind::Internal)
    }

    /// Table t holds the rules that a packet can meet when the list is applied for the t-th time.
    fn tables(&mut self, device: DeviceId, rules: Vec<RawRule>, entry: BTreeSet<u64>) {
        let mut reached = entry;
        let mut used = vec![false; rules.len()];
        for stage in 0..self.stages {
            let last = stage + 1 == self.stages;
            let mut table = Table {
                name: format!("stage{}", stage + 1),
                rules: Vec::new(),
            };
            let mut next = BTreeSet::new();
            for (raw, used) in rules.iter().zip(&mut used) {
                let here = raw.in_ports.iter().copied();
                let here: Vec<u64> = here.filter(|id| reached.contains(id)).collect();
                if here.is_empty() {
                    continue;
                }
                *used = true;
                next.extend(&raw.out_ports);
                // A rule never sends a packet back to the number it is at.
                if here.iter().any(|id| raw.out_ports.contains(id)) {
                    for id in here {
                        table
                            .rules
                            .push(self.model_rule(device, raw, &[id], stage, last));
                    }
                } else {
                    table
                        .rules
                        .push(self.model_rule(device, raw, &here, stage, last));
                }
            }
            self.network().devices[device.0 as usize].tables.push(table);
            reached = next;
        }
        for (raw, _) in rules.iter().zip(&used).filter(|(_, &used)| !used) {
            let note = Note {
                kind: NoteKind::Warning,
                origin: raw.origins.last().copied(),
                text: format!(
                    "rule {} can never apply: no packet reaches its ports",
                    raw.label
                ),
            };
            self.network().notes.push(note);
        }
    }

    fn model_rule(
        &mut self,
        device: DeviceId,
        raw: &RawRule,
        here: &[u64],
        stage: usize,
        last: bool,
    ) -> Rule {
        let in_ports = here.iter().map(|&id| self.place(device, id)).collect();
        let edits = match (&raw.mask, &raw.rewrite) {
            (Some(mask), Some(rewrite)) if raw.rewrites => {
                edits(&self.network().layout, mask, rewrite)
            }
            _ => Vec::new(),
        };
        let mut outputs = Vec::new();
        for &id in raw.out_ports.iter().filter(|id| !here.contains(id)) {
            let next = if last {
                let input = id.saturating_sub(OUTPUT);
                let name = format!("#{input}");
                Next::Leave(self.port(device, input, name, PortKind::Physical))
            } else {
                Next::Table {
                    table: stage as u32 + 1,
                    port: Some(self.place(device, id)),
                }
            };
            outputs.push(Output {
                edits: edits.clone(),
                next,
            });
        }
        let effect = match outputs.is_empty() {
            true => Effect::Drop,
            false => Effect::Forward {
                outputs,
                spread: Spread::All,
            },
        };
        Rule {
            ports: PortMatch::In(in_ports),
            matching: matching(&self.network().layout, &raw.matching),
            effect,
            origins: raw.origins.clone(),
            label: Some(raw.label.clone()),
        }
    }

    fn links(mut self, text: &SourceText) -> Result<Network, ReadError> {
        let file = self.file(&text.name);
        let by_number: HashMap<u64, PortId> = self
            .ports
            .iter()
            .filter(|(_, &p)| {
                self.network
                    .as_ref()
                    .is_some_and(|n| n.port(p).kind == PortKind::Physical)
            })
            .map(|(&(_, id), &p)| (id, p))
            .collect();
        for (from, to, line) in link_rules(text)? {
            let find = |id: u64| {
                by_number.get(&id).copied().ok_or_else(|| {
                    ReadError::line(&text.name, line, format!("no box has port {id}"))
                })
            };
            let origin = Origin {
                file,
                line: line as u32,
            };
            for &a in &from {
                for &b in &to {
                    let (from, to) = (find(a - OUTPUT)?, find(b)?);
                    self.network().add_link(from, to, Some(origin));
                }
            }
        }
        Ok(self.network.expect("at least one box was read"))
    }
}

fn default_layout(length: u32) -> Layout {
    match length {
        128 => Layout::stanford(),
        48 => Layout::internet2(),
        _ => Layout::new(length, Vec::new()).expect("a layout without fields"),
    }
}
