// SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0
//! The program eccp-tool: one module per object that it knows.

mod amount;
mod check;
pub mod cli;
mod completion;
mod connection;
mod exit;
mod failure;
mod flow;
mod info;
mod interface;
pub mod manual;
mod modinfo;
mod monitor;
mod netns;
mod output;
mod redirect;
mod rule;
mod settings;
mod stats;
mod status;

use std::process::ExitCode;

use clap::Parser;

pub use exit::Exit;
pub use failure::Failure;

/// Runs the program with the arguments of the process.
pub fn main() -> ExitCode {
    let cli = match cli::Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => {
            // Help and version are asked for; everything else is a mistake.
            let exit = if error.use_stderr() {
                Exit::Usage
            } else {
                Exit::Success
            };
            // There is nobody left to tell if printing fails.
            let _ = error.print();
            return exit.into();
        }
    };
    match cli.run() {
        Ok(()) => Exit::Success.into(),
        Err(failure) => failure.report().into(),
    }
}
