// SPDX-License-Identifier: GPL-2.0-only
//! The part of a page that is measured, and the picture beside it.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use anyhow::{Context, Result};
use qemu_guest::budget::{Measure, Row, Way};

use super::picture;
use super::statistics::{title, Table};

/// Lines between which everything is replaced.
const BEGIN: &str = "<!-- measured by `make budgets`: begin -->";
const END: &str = "<!-- measured by `make budgets`: end -->";

/// Puts the table into the page at `path`.
///
/// # Errors
/// When the page has not both marks, or cannot be written.
pub(super) fn update(path: &Path, table: &Table) -> Result<()> {
    let text = fs::read_to_string(path).with_context(|| path.display().to_string())?;
    let page = replaced(&text, &measured(table))
        .with_context(|| format!("{} has not the marks of a measured part", path.display()))?;
    fs::write(path, page).with_context(|| path.display().to_string())?;
    let beside = path.with_extension("svg");
    fs::write(&beside, picture::draw(table)).with_context(|| beside.display().to_string())
}

fn replaced(text: &str, part: &str) -> Option<String> {
    let (before, rest) = text.split_once(BEGIN)?;
    let (_, after) = rest.split_once(END)?;
    Some(format!("{before}{BEGIN}\n{part}{END}{after}"))
}

fn measured(table: &Table) -> String {
    let mut text = format!(
        "Linux {}, seed {}; median / worst.\n\n| change | RTT | times |",
        table.kernel, table.seed
    );
    for way in Way::ALL {
        let _ = write!(text, " {} |", title(way));
    }
    text.push_str(" ECCP is |\n|---|--:|--:|");
    text.push_str(&"--:|".repeat(Way::ALL.len()));
    text.push_str("---|\n");
    for line in &table.rows {
        let _ = write!(
            text,
            "| {} | {} ms | {} |",
            label(line.row),
            line.rtt_ms,
            line.repetitions
        );
        for cell in &line.ways {
            let _ = write!(text, " {} |", cell.text());
        }
        let _ = writeln!(text, " {} |", line.verdict.text());
    }
    text
}

/// A row's name for people, with a mark where the value is not a gap.
pub(super) fn label(row: Row) -> String {
    let name = match row {
        Row::AddressChange => "address change",
        Row::LinkDown => "link down",
        Row::BlackHole => "silent black hole",
        Row::RouteChange => "route change",
        Row::NatRebinding => "NAT rebinding",
        Row::SimultaneousMove => "simultaneous move",
        Row::FlapBack => "flap back",
        Row::PeerReboot => "peer reboot",
        Row::AllPathsGone => "all paths gone and back",
    };
    let mark = match row.measure() {
        Measure::LongestGap => "",
        Measure::Return => " ¹",
        Measure::Notice => " ²",
    };
    format!("{name}{mark}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_between_the_marks_is_replaced() {
        let page = format!("a\n{BEGIN}\nold\n{END}\nb\n");
        let page = replaced(&page, "new\n").unwrap();
        assert_eq!(page, format!("a\n{BEGIN}\nnew\n{END}\nb\n"));
        assert_eq!(replaced("no marks", "new"), None);
    }
}
