// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Networks from files, with the options of the command line.

use super::arguments::{Arguments, Common};
use anyhow::{bail, Context};
use hsa_verify::model::{Network, NoteKind};
use hsa_verify::read::ios::quirks::Quirks;
use hsa_verify::read::netplumber::Order;
use hsa_verify::read::snapshot::{self, Options};
use std::path::{Path, PathBuf};

/// Options of the readers.
pub fn options(common: &Common) -> anyhow::Result<Options> {
    let mut quirks: Quirks = common.quirks.parse().map_err(anyhow::Error::msg)?;
    for text in &common.replace_vlan {
        quirks.replace_vlan(text).map_err(anyhow::Error::msg)?;
    }
    Ok(Options {
        quirks,
        links: common.links.clone(),
        honour_fwd_masks: common.fwd_masks,
        netplumber_order: if common.first_rule_wins {
            Order::FirstWins
        } else {
            Order::LastWins
        },
    })
}

/// Reads a network.
pub fn network(arguments: &Arguments, path: &Path) -> anyhow::Result<Network> {
    network_with(arguments, path, options(&arguments.common)?)
}

/// Reads a network. A file `links.txt` in its folder is used when no links are given.
pub fn network_with(
    arguments: &Arguments,
    path: &Path,
    mut options: Options,
) -> anyhow::Result<Network> {
    let own: PathBuf = path.join("links.txt");
    if options.links.is_empty() && own.is_file() {
        options.links.push(own);
    }
    let network = snapshot::read(path, &options)?;
    let grave = |kind| network.notes.iter().filter(|n| n.kind == kind).count();
    let (unknown, warnings) = (grave(NoteKind::Unknown), grave(NoteKind::Warning));
    if arguments.common.strict && unknown + warnings > 0 {
        let first = network.notes.iter().find(|n| n.kind != NoteKind::Ignored);
        bail!(
            "{}: {} kinds of lines not understood, {} not modelled or assumed; the first: {}",
            path.display(),
            unknown,
            warnings,
            first.map_or("", |n| n.text.as_str())
        );
    }
    if !arguments.common.quiet && unknown + warnings > 0 {
        eprintln!(
            "hsa-verify: {}: {unknown} kinds of lines not understood, {warnings} not modelled or assumed \
             (`hsa-verify show {} notes` lists them)",
            path.display(),
            path.display()
        );
    }
    Ok(network)
}

/// Writes a file of output.
pub fn write(path: &Path, text: &str) -> anyhow::Result<()> {
    std::fs::write(path, text).with_context(|| format!("writing {}", path.display()))
}
