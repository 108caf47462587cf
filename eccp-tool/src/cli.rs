// SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0
//! The command line: the one definition from which help, manual and
//! completions are made.

use clap::{Parser, Subcommand};

use crate::check::CheckCommand;
use crate::completion::CompletionCommand;
use crate::connection::ConnectionCommand;
use crate::failure::Failure;
use crate::flow::FlowCommand;
use crate::monitor::MonitorCommand;
use crate::output::Output;
use crate::redirect::RedirectCommand;
use crate::rule::RuleCommand;
use crate::settings::SettingsCommand;
use crate::stats::StatsCommand;
use crate::{
    check, completion, connection, flow, info, monitor, netns, redirect, rule, settings, stats,
    status,
};

const EXAMPLES: &str = "\
Examples:
  eccp-tool                                   # what is going on
  eccp-tool flow show                         # every flow, its path and its traffic
  eccp-tool flow move 7d1f --to 192.0.2.7     # move one; digits of its ID suffice
  eccp-tool flow add 7d1f --dev wwan0 --backup  # a second path that stands by
  eccp-tool monitor                           # watch moves as they happen
  eccp-tool -n phone -j flow show             # JSON, from the namespace \"phone\"
  eccp-tool check                             # why does it not work?

Commands may be shortened as long as they are unique: \"eccp-tool f s\" shows flows.
Exit status: 0 success, 1 usage, 2 the kernel refused, 3 the module is not loaded,
4 system error, 5 the move failed, 6 check found a problem.";

/// Shows and moves ECCP flows, and tells what the kernel module does
#[derive(Debug, Parser)]
#[command(
    name = "eccp-tool",
    version,
    infer_subcommands = true,
    after_help = EXAMPLES,
    disable_help_subcommand = true
)]
pub struct Cli {
    /// Print JSON: an array, an object, or with monitor one object a line
    #[arg(long, short, global = true)]
    json: bool,
    /// Work in this network namespace: a name of "ip netns", or a path
    #[arg(long, short = 'n', global = true, value_name = "NAME")]
    netns: Option<String>,
    #[command(subcommand)]
    object: Option<Object>,
}

/// What the command is about.
#[derive(Debug, Subcommand)]
enum Object {
    /// Show connections and the addresses of both sides
    #[command(infer_subcommands = true)]
    Connection {
        #[command(subcommand)]
        command: Option<ConnectionCommand>,
    },
    /// Show flows, move, add and remove them
    #[command(infer_subcommands = true)]
    Flow {
        #[command(subcommand)]
        command: Option<FlowCommand>,
    },
    /// Show and change the rules for local addresses
    #[command(infer_subcommands = true)]
    Rule {
        #[command(subcommand)]
        command: Option<RuleCommand>,
    },
    /// Show and change where this router sends on the RSYNs of movers
    #[command(infer_subcommands = true)]
    Redirect {
        #[command(subcommand)]
        command: Option<RedirectCommand>,
    },
    /// Print events as they happen
    Monitor(MonitorCommand),
    /// Show the counters: what happened, and why packets were dropped
    Stats(StatsCommand),
    /// Show and change the settings of the namespace
    #[command(infer_subcommands = true)]
    Settings {
        #[command(subcommand)]
        command: Option<SettingsCommand>,
    },
    /// Show the module's version, numbers and limits
    Info,
    /// Find out why ECCP does not work here
    Check(CheckCommand),
    /// Print completions for a shell
    #[command(hide = true)]
    Completions(CompletionCommand),
    /// Print the manual page
    #[command(hide = true)]
    Manual,
}

impl Cli {
    /// Runs the command.
    pub fn run(self) -> Result<(), Failure> {
        if let Some(name) = &self.netns {
            netns::enter(name)?;
        }
        let output = &mut Output::stdout(self.json);
        match self.object {
            None => status::run(output),
            Some(Object::Connection { command }) => {
                let show = ConnectionCommand::Show { id: None };
                connection::run(&command.unwrap_or(show), output)
            }
            Some(Object::Flow { command: None }) => flow::show_all(output),
            Some(Object::Flow {
                command: Some(command),
            }) => flow::run(&command, output),
            Some(Object::Rule { command }) => {
                rule::run(&command.unwrap_or(RuleCommand::Show), output)
            }
            Some(Object::Redirect { command }) => {
                redirect::run(&command.unwrap_or(RedirectCommand::Show), output)
            }
            Some(Object::Monitor(command)) => monitor::run(&command, output),
            Some(Object::Stats(command)) => stats::run(&command, output),
            Some(Object::Settings { command }) => {
                let show = SettingsCommand::Show { names: Vec::new() };
                settings::run(&command.unwrap_or(show), output)
            }
            Some(Object::Info) => info::run(output),
            Some(Object::Check(command)) => check::run(&command, output),
            Some(Object::Completions(command)) => completion::run(&command),
            Some(Object::Manual) => crate::manual::run(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_definition_is_sound() {
        Cli::command().debug_assert();
    }

    #[test]
    fn unique_prefixes_are_commands() {
        let cli = Cli::try_parse_from(["eccp-tool", "f", "s", "-j"]).unwrap();
        assert!(cli.json);
        assert!(matches!(
            cli.object,
            Some(Object::Flow {
                command: Some(FlowCommand::Show { id: None })
            })
        ));
    }

    #[test]
    fn a_move_needs_exactly_one_goal() {
        let parse = |words: &[&str]| {
            let all = ["eccp-tool", "flow", "move", "a1"].iter().chain(words);
            Cli::try_parse_from(all).is_ok()
        };
        assert!(parse(&["--to", "192.0.2.7"]));
        assert!(parse(&["--to", "2001:db8::7"]));
        assert!(parse(&["--dev", "wlan0"]));
        assert!(!parse(&[]));
        assert!(!parse(&["--to", "192.0.2.7", "--dev", "wlan0"]));
        assert!(!parse(&["--to", "wlan0"]));
    }
}
