// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The manual page: one page with a section for every question.

use super::Arguments;
use clap::CommandFactory;
use clap_mangen::Man;
use std::io::{self, Write};

/// The page in roff.
///
/// # Errors
/// None that a buffer in memory can give.
pub fn page() -> io::Result<Vec<u8>> {
    let mut command = Arguments::command();
    command.build();
    let mut text = Vec::new();
    let whole = Man::new(command.clone());
    whole.render_title(&mut text)?;
    whole.render_name_section(&mut text)?;
    whole.render_synopsis_section(&mut text)?;
    whole.render_description_section(&mut text)?;
    for sub in command.get_subcommands().filter(|s| s.get_name() != "help") {
        // Options of every question stand once, at the end.
        let own = sub.clone().mut_args(|a| {
            let hide = a.is_global_set() || matches!(a.get_id().as_str(), "help" | "version");
            a.hide(hide)
        });
        let man = Man::new(own);
        let mut part = Vec::new();
        man.render_description_section(&mut part)?;
        man.render_options_section(&mut part)?;
        man.render_extra_section(&mut part)?;
        writeln!(text, ".SH \"{}\"", sub.get_name().to_uppercase())?;
        text.extend(lower_headings(&part));
    }
    whole.render_options_section(&mut text)?;
    whole.render_extra_section(&mut text)?;
    Ok(text)
}

/// The sections of a question become paragraphs and subsections of its own section.
fn lower_headings(part: &[u8]) -> Vec<u8> {
    let text = String::from_utf8_lossy(part);
    let lines = text.lines().filter(|l| *l != ".SH DESCRIPTION");
    let lines = lines.map(|l| match l {
        ".SH OPTIONS" => ".SS Options".to_owned(),
        ".SH EXTRA" => ".SS Examples".to_owned(),
        other => other.to_owned(),
    });
    let mut text = lines.collect::<Vec<String>>().join("\n");
    text.push('\n');
    text.into_bytes()
}
