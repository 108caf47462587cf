// SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0
//! The manual page eccp-tool(8), made from the definition of the command line.

use std::io::{self, Write};

use clap::{Arg, Command, CommandFactory};
use clap_mangen::roff::{bold, italic, roman, Inline, Roff};

use crate::cli::Cli;
use crate::exit::Exit;
use crate::failure::Failure;

/// Runs `manual`.
pub fn run() -> Result<(), Failure> {
    Ok(io::stdout().lock().write_all(page().as_bytes())?)
}

/// The page.
pub fn page() -> String {
    let mut command = Cli::command();
    command.build();
    let mut roff = Roff::new();
    roff.control("TH", ["ECCP-TOOL", "8", "", "eccp", "System management"]);
    roff.control("SH", ["NAME"]);
    roff.text([roman(format!(
        "eccp-tool - {}",
        about(&command).to_lowercase()
    ))]);
    roff.control("SH", ["SYNOPSIS"]);
    roff.text(synopsis("eccp-tool", &command));
    roff.control("SH", ["DESCRIPTION"]);
    roff.text([roman(
        "eccp-tool talks to the kernel module eccp over generic netlink. It shows \
         connections and flows, moves flows between addresses of this host, prints \
         events as they happen, reads counters and changes settings. Without a \
         command it prints the state of the network namespace.",
    )]);
    roff.control("SH", ["OPTIONS"]);
    options(&mut roff, &command);
    roff.control("SH", ["COMMANDS"]);
    subcommands(&mut roff, "", &command);
    roff.control("SH", ["EXIT STATUS"]);
    for (exit, meaning) in Exit::TABLE {
        roff.control("TP", []);
        roff.text([bold((exit as u8).to_string())]);
        roff.text([roman(format!("{meaning}."))]);
    }
    roff.control("SH", ["EXAMPLES"]);
    verbatim(&mut roff, &after(&command));
    roff.control("SH", ["SEE ALSO"]);
    roff.text([bold("eccp"), roman("(7), "), bold("ip-netns"), roman("(8)")]);
    let licence = ".\\\" SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0\n";
    format!("{licence}{}", roff.to_roff())
}

fn about(command: &Command) -> String {
    command
        .get_about()
        .map(ToString::to_string)
        .unwrap_or_default()
}

fn after(command: &Command) -> String {
    command
        .get_after_help()
        .map(ToString::to_string)
        .unwrap_or_default()
}

/// Name, arguments and a place for subcommands.
fn synopsis(name: &str, command: &Command) -> Vec<Inline> {
    let mut line = vec![bold(name)];
    let choices: Vec<_> = command
        .get_groups()
        .filter(|group| group.is_required_set())
        .collect();
    let is_choice = |arg: &Arg| {
        let mut members = choices.iter().flat_map(|group| group.get_args());
        members.any(|id| id == arg.get_id())
    };
    for arg in command
        .get_arguments()
        .filter(|arg| is_shown(arg) && !is_choice(arg))
    {
        let text = match (arg.is_required_set(), arg.is_positional()) {
            (true, true) => value(arg),
            (true, false) => flag(arg),
            (false, true) => format!("[{}]", value(arg)),
            (false, false) => format!("[{}]", flag(arg)),
        };
        line.push(roman(format!(" {text}")));
    }
    for group in &choices {
        let members = command
            .get_arguments()
            .filter(|arg| group.get_args().any(|id| id == arg.get_id()));
        let members: Vec<_> = members.map(flag).collect();
        line.push(roman(format!(" {{{}}}", members.join(" | "))));
    }
    if command.has_subcommands() {
        line.push(roman(" ["));
        line.push(italic("COMMAND"));
        line.push(roman("]"));
    }
    line
}

fn is_shown(arg: &Arg) -> bool {
    !arg.is_hide_set() && !["help", "version"].contains(&arg.get_id().as_str())
}

fn value(arg: &Arg) -> String {
    let names = arg.get_value_names().unwrap_or_default();
    let names: Vec<_> = names.iter().map(ToString::to_string).collect();
    let several = arg
        .get_num_args()
        .is_some_and(|range| range.max_values() > 2);
    format!("{}{}", names.join(" "), if several { "..." } else { "" })
}

fn flag(arg: &Arg) -> String {
    let short = arg.get_short().map(|short| format!("-{short}"));
    let long = arg.get_long().map(|long| format!("--{long}"));
    let mut text: String = [short, long]
        .into_iter()
        .flatten()
        .collect::<Vec<_>>()
        .join(", ");
    if arg.get_action().takes_values() {
        text = format!("{text} {}", value(arg));
    }
    text
}

fn options(roff: &mut Roff, command: &Command) {
    for arg in command.get_arguments().filter(|arg| is_shown(arg)) {
        if arg.is_global_set() && command.get_name() != "eccp-tool" {
            continue;
        }
        let name = if arg.is_positional() {
            value(arg)
        } else {
            flag(arg)
        };
        roff.control("TP", []);
        roff.text([bold(name)]);
        let help = arg.get_help().map(ToString::to_string).unwrap_or_default();
        roff.text([roman(format!("{help}."))]);
    }
}

fn subcommands(roff: &mut Roff, prefix: &str, command: &Command) {
    for sub in command.get_subcommands().filter(|sub| !sub.is_hide_set()) {
        let name = format!("{prefix}{}", sub.get_name());
        if sub.has_subcommands() {
            subcommands(roff, &format!("{name} "), sub);
            continue;
        }
        roff.control("SS", [name.as_str()]);
        let local = sub.clone().mut_args(|arg| {
            let global = arg.is_global_set();
            arg.hide(global)
        });
        roff.text(synopsis(&name, &local));
        roff.control("PP", []);
        roff.text([roman(format!("{}.", about(sub)))]);
        options(roff, sub);
        let after = after(sub);
        if !after.is_empty() {
            roff.control("PP", []);
            verbatim(roff, &after);
        }
    }
}

fn verbatim(roff: &mut Roff, text: &str) {
    roff.control("nf", []);
    for line in text.lines() {
        // An empty line of input would end the paragraph in some readers.
        roff.text([roman(if line.is_empty() { " " } else { line })]);
    }
    roff.control("fi", []);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_committed_page_is_that_of_the_definition() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/man/eccp-tool.8");
        let committed = std::fs::read_to_string(path).unwrap_or_default();
        assert!(
            committed == page(),
            "man/eccp-tool.8 is stale: run \"make man\""
        );
    }

    #[test]
    fn every_visible_command_has_its_section() {
        let page = page();
        for name in [
            "connection show",
            "flow show",
            "flow move",
            "monitor",
            "stats",
            "settings set",
            "check",
        ] {
            assert!(
                page.contains(&format!(".SS \"{name}\"")) || page.contains(&format!(".SS {name}")),
                "{name}"
            );
        }
        assert!(!page.contains("completions"));
    }
}
