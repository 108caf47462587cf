// SPDX-License-Identifier: Apache-2.0 OR MIT
//! A folder or file of any kind to a network.

use super::ios::quirks::Quirks;
use super::kind::{box_name, sniff, FileKind};
use super::links::{add_links, infer_links, Attachment};
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
    let mut notes = Notes::default();
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
        return finish(&mut network, options, &[], notes).map(|()| network);
    }
    let mut items: Vec<(FileKind, Item)> = Vec::new();
    for path in files {
        if options.links.contains(&path) {
            continue;
        }
        let source = SourceText::open(&path)?;
        if source.padding > 0 {
            let what = "NUL bytes before the text: passed over";
            notes.of_box(NoteKind::Assumed, what, &source.name);
        }
        for (box_name, source) in sections(&path, source) {
            match sniff(&source.name, &source.text) {
                Some(FileKind::Other) => {
                    notes.of_box(
                        NoteKind::NoEffect,
                        "file without forwarding facts",
                        &source.name,
                    );
                }
                Some(kind) => {
                    items.push((
                        kind,
                        Item {
                            path: path.clone(),
                            source,
                            box_name,
                        },
                    ));
                }
                None => {
                    notes.of_box(
                        NoteKind::NotUnderstood,
                        "file of no known kind",
                        &source.name,
                    );
                }
            }
        }
    }
    let (mut network, attachments) = read_items(items, options, &mut notes, paths)?;
    finish(&mut network, options, &attachments, notes)?;
    Ok(network)
}

fn read_items(
    items: Vec<(FileKind, Item)>,
    options: &Options,
    notes: &mut Notes,
    paths: &[PathBuf],
) -> Result<(Network, Vec<Attachment>), ReadError> {
    let family = |kind: FileKind| match kind {
        FileKind::IosConfig
        | FileKind::IosCef
        | FileKind::IosRoute
        | FileKind::IosArp
        | FileKind::IosMac
        | FileKind::IosSpanningTree
        | FileKind::IosInterfaces
        | FileKind::IosCdp => "Cisco IOS",
        FileKind::JunosForwarding
        | FileKind::JunosInterfaces
        | FileKind::JunosConfig
        | FileKind::JunosRouteJson
        | FileKind::JunosInterfacesJson => "Junos",
        FileKind::OpenFlow => "OpenFlow",
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
            let attachments = ios_snapshot::read(&mut network, items, &options.quirks, notes)?;
            Ok((network, attachments))
        }
        ["Junos"] => {
            let mut network = Network::new(Layout::stanford());
            let attachments = junos_snapshot::read(&mut network, &items, &options.quirks, notes)?;
            Ok((network, attachments))
        }
        ["OpenFlow"] => {
            let mut network = Network::new(openflow::layout());
            for (_, item) in &items {
                openflow::add_switch(&mut network, &item.box_name, &item.source, notes)?;
            }
            Ok((network, Vec::new()))
        }
        ["NetPlumber"] => Ok((
            netplumber_network(&items, options.netplumber_order)?,
            Vec::new(),
        )),
        ["hsa-verify JSON"] => match items.as_slice() {
            [(_, item)] => Ok((native::read(&item.source)?, Vec::new())),
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
    attachments: &[Attachment],
    mut notes: Notes,
) -> Result<(), ReadError> {
    for path in &options.links {
        add_links(network, &SourceText::open(path)?)?;
    }
    if network.links.is_empty() && !attachments.is_empty() {
        let subnets = infer_links(network, attachments)?;
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
fn sections(path: &Path, source: SourceText) -> Vec<(String, SourceText)> {
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
        return vec![(box_name(path), source)];
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
            parts.push((name.clone(), part));
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
        assert_eq!(parts[1].1.first_line, 5);
        assert_eq!(sniff("log.txt", &parts[1].1.text), Some(FileKind::IosArp));
    }
}
