// SPDX-License-Identifier: Apache-2.0 OR MIT
//! A folder or file of any kind to a network.

use super::ios::quirks::Quirks;
use super::kind::{box_name, sniff, vrf_of_command, vrf_of_file, FileKind};
use super::links::{
    add_links, add_neighbours, check_neighbours, infer_links, Attachment, Neighbour,
};
use super::notes::{NoteKind, Notes};
use super::source::SourceText;
use super::{hassel, ios_snapshot, junos_snapshot, native, netplumber, openflow, ReadError};
use crate::header::Layout;
use crate::model::{Network, Note};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// How a snapshot is read.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// Deviations of the IOS reader.
    pub quirks: Quirks,
    /// Files with links.
    pub links: Vec<PathBuf>,
    /// Transfer functions of Hassel: apply the masks of `fwd` rules.
    pub honour_fwd_masks: bool,
    /// Which rule of a NetPlumber file wins.
    pub netplumber_order: netplumber::Order,
}

/// Most files in one snapshot.
const MAX_FILES: usize = 200_000;

/// A file of a snapshot with its kind and box.
pub struct Item {
    /// Path.
    pub path: PathBuf,
    /// Checked content.
    pub source: SourceText,
    /// Box it is about, judged by its name.
    pub box_name: String,
    /// VRF that the command or the name of the file speaks of.
    pub vrf: Option<String>,
}

/// What tells of cables.
#[derive(Debug, Default)]
pub struct Wiring {
    /// Addresses of routed ports.
    pub attachments: Vec<Attachment>,
    /// What boxes say about their neighbours.
    pub neighbours: Vec<Neighbour>,
}

/// Reads a network from a file or a folder (with its subfolders).
///
/// # Errors
/// What the readers refuse, a folder in which nothing is known, readers that do not fit together,
/// and a network that contradicts itself.
pub fn read(path: &Path, options: &Options) -> Result<Network, ReadError> {
    read_all(&[path.to_owned()], options)
}

/// Reads a network from several files and folders together.
///
/// # Errors
/// As [`read`].
pub fn read_all(paths: &[PathBuf], options: &Options) -> Result<Network, ReadError> {
    let mut files = Vec::new();
    for path in paths {
        collect(path, &mut files)?;
    }
    files.sort();
    files.dedup();
    let hassel_dir = files
        .iter()
        .find(|f| f.extension().is_some_and(|e| e == "tf"));
    if let Some(dir) = hassel_dir.and_then(|f| f.parent()) {
        let hassel = hassel::Options {
            honour_fwd_masks: options.honour_fwd_masks,
            ..hassel::Options::default()
        };
        let mut network = hassel::read_dir(dir, &hassel)?;
        return finish(&mut network, options, &Wiring::default(), Notes::default())
            .map(|()| network);
    }
    let files = files.into_iter().filter(|p| !options.links.contains(p));
    let sources = files.map(|path| Ok((SourceText::open(&path)?, path)));
    let sources: Vec<(SourceText, PathBuf)> = sources.collect::<Result<_, ReadError>>()?;
    read_sources(sources, options, paths)
}

/// Reads a network from texts that are already in memory; the paths stand for kinds and boxes.
/// Hassel's transfer functions are read from their folder only.
///
/// # Errors
/// As [`read`].
pub fn read_sources(
    sources: Vec<(SourceText, PathBuf)>,
    options: &Options,
    paths: &[PathBuf],
) -> Result<Network, ReadError> {
    let mut notes = Notes::default();
    let mut items: Vec<(FileKind, Item)> = Vec::new();
    for (source, path) in sources {
        if source.padding > 0 {
            let what = "NUL bytes before the text: passed over";
            notes.of_box(NoteKind::Assumed, what, &source.name);
        }
        for (box_name, vrf, source) in sections(&path, source) {
            match sniff(&source.name, &source.text) {
                Some(FileKind::Other) => {
                    let what = "file without forwarding facts";
                    notes.of_box(NoteKind::NoEffect, what, &source.name);
                }
                Some(kind) => {
                    let item = Item {
                        path: path.clone(),
                        source,
                        box_name,
                        vrf,
                    };
                    items.push((kind, item));
                }
                None => {
                    let what = "file of no known kind";
                    notes.of_box(NoteKind::NotUnderstood, what, &source.name);
                }
            }
        }
    }
    let (mut network, wiring) = read_items(items, options, &mut notes, paths)?;
    finish(&mut network, options, &wiring, notes)?;
    Ok(network)
}

fn read_items(
    items: Vec<(FileKind, Item)>,
    options: &Options,
    notes: &mut Notes,
    paths: &[PathBuf],
) -> Result<(Network, Wiring), ReadError> {
    let family = |kind: FileKind| match kind {
        FileKind::IosConfig
        | FileKind::IosCef
        | FileKind::IosRoute
        | FileKind::IosArp
        | FileKind::IosMac
        | FileKind::IosSpanningTree
        | FileKind::IosInterfaces
        | FileKind::IosAccessLists
        | FileKind::IosVlans
        | FileKind::IosNeighbours => "Cisco IOS",
        FileKind::JunosForwarding
        | FileKind::JunosInterfaces
        | FileKind::JunosConfig
        | FileKind::JunosRouteJson
        | FileKind::JunosInterfacesJson => "Junos",
        FileKind::OpenFlow | FileKind::OpenFlowGroups => "OpenFlow",
        FileKind::NetPlumberTable | FileKind::NetPlumberTopology => "NetPlumber",
        FileKind::Native => "hsa-verify JSON",
        FileKind::Hassel | FileKind::Other => "other",
    };
    let mut families: Vec<&str> = items.iter().map(|(k, _)| family(*k)).collect();
    families.sort_unstable();
    families.dedup();
    match families.as_slice() {
        [] => {
            let shown: Vec<String> = paths.iter().map(|p| p.display().to_string()).collect();
            Err(ReadError::file(
                &shown.join(", "),
                "no file of a known kind here; see `hsa-verify help` for what can be read",
            ))
        }
        ["Cisco IOS"] => {
            let mut network = Network::new(Layout::stanford());
            let wiring = ios_snapshot::read(&mut network, items, &options.quirks, notes)?;
            Ok((network, wiring))
        }
        ["Junos"] => {
            let mut network = Network::new(Layout::stanford());
            let attachments = junos_snapshot::read(&mut network, &items, &options.quirks, notes)?;
            let wiring = Wiring {
                attachments,
                neighbours: Vec::new(),
            };
            Ok((network, wiring))
        }
        ["OpenFlow"] => {
            let mut network = Network::new(openflow::layout());
            openflow_switches(&mut network, &items, notes)?;
            Ok((network, Wiring::default()))
        }
        ["NetPlumber"] => Ok((
            netplumber_network(&items, options.netplumber_order)?,
            Wiring::default(),
        )),
        ["hsa-verify JSON"] => match items.as_slice() {
            [(_, item)] => Ok((native::read(&item.source)?, Wiring::default())),
            _ => Err(ReadError::file(
                &items[1].1.source.name,
                "a second network; give one file at a time",
            )),
        },
        several => Err(ReadError::file(
            &paths[0].display().to_string(),
            format!(
                "files of several kinds of networks: {}",
                several.join(" and ")
            ),
        )),
    }
}

/// A switch for each dump of flows, with the groups of the same name.
fn openflow_switches(
    network: &mut Network,
    items: &[(FileKind, Item)],
    notes: &mut Notes,
) -> Result<(), ReadError> {
    let of_kind = |kind: FileKind| items.iter().filter(move |(k, _)| *k == kind);
    for (_, item) in of_kind(FileKind::OpenFlowGroups) {
        let own = |kind| of_kind(kind).filter(|(_, i)| i.box_name == item.box_name);
        if own(FileKind::OpenFlowGroups).count() > 1 {
            return Err(ReadError::of_box(&item.box_name, "two dumps of groups"));
        }
        if own(FileKind::OpenFlow).count() == 0 {
            let what = format!("groups in {} and no flows", item.source.name);
            return Err(ReadError::of_box(&item.box_name, what));
        }
    }
    for (_, item) in of_kind(FileKind::OpenFlow) {
        let groups = of_kind(FileKind::OpenFlowGroups).find(|(_, i)| i.box_name == item.box_name);
        let groups = groups.map(|(_, i)| &i.source);
        openflow::add_switch(network, &item.box_name, &item.source, groups, notes)?;
    }
    Ok(())
}

fn netplumber_network(
    items: &[(FileKind, Item)],
    order: netplumber::Order,
) -> Result<Network, ReadError> {
    let tables: Vec<(String, &SourceText)> = items
        .iter()
        .filter(|(k, _)| *k == FileKind::NetPlumberTable)
        .map(|(_, i)| (table_name(&i.path), &i.source))
        .collect();
    let topologies: Vec<&SourceText> = items
        .iter()
        .filter(|(k, _)| *k == FileKind::NetPlumberTopology)
        .map(|(_, i)| &i.source)
        .collect();
    netplumber::read(&tables, &topologies, order)
}

/// `bbra_rtr.in` of `bbra_rtr.in.rules.json`.
fn table_name(path: &Path) -> String {
    let name = path.file_name().and_then(|n| n.to_str()).unwrap_or("table");
    let name = name.strip_suffix(".json").unwrap_or(name);
    name.strip_suffix(".rules").unwrap_or(name).to_owned()
}

/// Links, notes and the final check.
fn finish(
    network: &mut Network,
    options: &Options,
    wiring: &Wiring,
    mut notes: Notes,
) -> Result<(), ReadError> {
    for path in &options.links {
        add_links(network, &SourceText::open(path)?)?;
    }
    if network.links.is_empty() && !wiring.neighbours.is_empty() {
        let (cables, strangers) = add_neighbours(network, &wiring.neighbours)?;
        let what = format!("no links given: {cables} taken from what neighbours say");
        notes.of_box(NoteKind::Assumed, what, "links");
        for _ in 0..strangers {
            let what = "neighbour (CDP, LLDP) that is no box or port of the network";
            notes.of_box(NoteKind::NoEffect, what, "links");
        }
    } else {
        for _ in 0..check_neighbours(network, &wiring.neighbours)? {
            let what = "neighbour (CDP, LLDP) that the list of links does not have";
            notes.of_box(NoteKind::Assumed, what, "links");
        }
    }
    if options.links.is_empty() && !wiring.attachments.is_empty() {
        let subnets = infer_links(network, &wiring.attachments)?;
        if subnets > 0 {
            let what = format!("no links given: inferred from {subnets} shared subnets");
            notes.of_box(NoteKind::Assumed, what, "links");
        }
    }
    for note in notes.list() {
        network.notes.push(Note {
            kind: model_kind(note.kind),
            origin: None,
            text: format!(
                "{} x {}: {} (first: {})",
                note.count,
                note.kind.label(),
                note.what,
                note.first
            ),
        });
    }
    network
        .validate()
        .map_err(|e| ReadError::file("network", e.to_string()))
}

fn model_kind(kind: NoteKind) -> crate::model::NoteKind {
    match kind {
        NoteKind::NotUnderstood => crate::model::NoteKind::Unknown,
        NoteKind::NotModelled | NoteKind::Assumed => crate::model::NoteKind::Warning,
        NoteKind::NoEffect => crate::model::NoteKind::Ignored,
    }
}

fn collect(path: &Path, files: &mut Vec<PathBuf>) -> Result<(), ReadError> {
    let meta = std::fs::metadata(path).map_err(|e| ReadError::io(path, e))?;
    if !meta.is_dir() {
        files.push(path.to_owned());
        return Ok(());
    }
    for entry in std::fs::read_dir(path).map_err(|e| ReadError::io(path, e))? {
        let entry = entry.map_err(|e| ReadError::io(path, e))?;
        if entry.file_name().to_string_lossy().starts_with('.') {
            continue;
        }
        collect(&entry.path(), files)?;
        if files.len() > MAX_FILES {
            let what = format!("more than {MAX_FILES} files");
            return Err(ReadError::file(&path.display().to_string(), what));
        }
    }
    Ok(())
}

/// Parts of a terminal log: `router#show ip cef` starts the output of a command. A file without
/// such lines is one part.
fn sections(path: &Path, source: SourceText) -> Vec<(String, Option<String>, SourceText)> {
    let mut prompts: Vec<(usize, String, bool)> = source
        .lines()
        .filter_map(|l| Some((l.number, prompt(l.text)?, true)))
        .collect();
    // Other commands at the same prompt end an output and start one of no use.
    let names: BTreeSet<String> = prompts.iter().map(|(_, name, _)| name.clone()).collect();
    for line in source.lines().filter(|l| prompt(l.text).is_none()) {
        let at = line.text.find(['#', '>']).unwrap_or(0);
        if let Some(name) = names.get(&line.text[..at]) {
            prompts.push((line.number, name.clone(), false));
        }
    }
    prompts.sort();
    if prompts.is_empty() {
        return vec![(box_name(path), vrf_of_file(path), source)];
    }
    let lines: Vec<&str> = source.text.split_inclusive('\n').collect();
    let mut parts = Vec::new();
    for (i, (number, name, shows)) in prompts.iter().enumerate() {
        let end = prompts.get(i + 1).map_or(lines.len(), |(n, _, _)| n - 1);
        let text: String = lines[*number..end].concat();
        if *shows && !text.trim().is_empty() {
            let part = SourceText {
                name: source.name.clone(),
                text,
                first_line: number + 1,
                padding: 0,
            };
            let vrf = vrf_of_command(lines[number - 1]);
            parts.push((name.clone(), vrf, part));
        }
    }
    parts
}

/// Box of a prompt with a show command.
fn prompt(text: &str) -> Option<String> {
    let at = text.find(['#', '>'])?;
    let (name, rest) = text.split_at(at);
    let command = rest[1..].trim_start();
    let good = !name.is_empty()
        && name
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || "-_.".contains(c))
        && (command.starts_with("sh ") || command.starts_with("show "));
    good.then(|| name.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_terminal_log_is_cut_at_its_prompts() {
        let log = "sw1#show ip cef\nPrefix Next Hop Interface\n10.0.0.0/8 drop\nsw1#sh arp\nProtocol Address\nsw1#exit\n";
        let source = SourceText::from_bytes("log.txt", log.as_bytes()).unwrap();
        let parts = sections(Path::new("log.txt"), source);
        assert_eq!(parts.len(), 2);
        assert_eq!(parts[0].0, "sw1");
        assert_eq!(parts[1].2.first_line, 5);
        assert_eq!(sniff("log.txt", &parts[1].2.text), Some(FileKind::IosArp));
    }
}
