// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Command line: arguments, loading, questions, output.

mod arguments;
mod examples;
mod exit;
mod load;
mod manual;
mod policy;
mod ports;
mod questions;
mod session;

pub use arguments::Arguments;
pub use exit::Exit;

use arguments::Question;
use clap::CommandFactory;
use std::io::{self, Write};

/// Answers the question and says how it went. Errors are printed here and nowhere else.
pub fn run(arguments: &Arguments) -> Exit {
    match answer(arguments) {
        Ok(exit) => exit,
        Err(error) if is_broken_pipe(&error) => Exit::Holds,
        Err(error) => {
            eprintln!("hsa-verify: {error:#}");
            Exit::BadInput
        }
    }
}

/// Whoever reads our output may stop reading: that is no failure.
fn is_broken_pipe(error: &anyhow::Error) -> bool {
    error
        .chain()
        .filter_map(|e| e.downcast_ref::<io::Error>())
        .any(|e| e.kind() == io::ErrorKind::BrokenPipe)
}

fn answer(arguments: &Arguments) -> anyhow::Result<Exit> {
    match &arguments.question {
        Question::Completions { shell } => {
            let mut command = Arguments::command();
            let mut text = Vec::new();
            clap_complete::generate(*shell, &mut command, "hsa-verify", &mut text);
            io::stdout().write_all(&text)?;
            Ok(Exit::Holds)
        }
        Question::Man => {
            io::stdout().write_all(&manual::page()?)?;
            Ok(Exit::Holds)
        }
        Question::Generate { what } => questions::generate(what),
        Question::Export {
            network,
            output,
            schema,
        } => questions::export(arguments, network.as_deref(), output.as_deref(), *schema),
        Question::Check { policy } => policy::check(arguments, policy),
        question => questions::ask(arguments, question),
    }
}
