// SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0
//! Completions for shells, for packagers: `eccp-tool completions SHELL`.

use std::io::{self, Write};

use clap::{Args, CommandFactory};
use clap_complete::{generate, Shell};

use crate::cli::Cli;
use crate::failure::Failure;

/// Arguments of `completions`.
#[derive(Debug, Args)]
pub struct CompletionCommand {
    /// The shell
    shell: Shell,
}

/// Runs the command.
pub fn run(command: &CompletionCommand) -> Result<(), Failure> {
    // The generator panics when it cannot write, so it writes to memory.
    let mut script = Vec::new();
    generate(command.shell, &mut Cli::command(), "eccp-tool", &mut script);
    Ok(io::stdout().lock().write_all(&script)?)
}
