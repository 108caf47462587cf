// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Command line: arguments, loading, questions, output.

mod arguments;
mod exit;
mod load;
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
            let mut text = Vec::new();
            clap_mangen::Man::new(Arguments::command()).render(&mut text)?;
            for sub in Arguments::command()
                .get_subcommands()
                .filter(|s| s.get_name() != "help")
            {
                let title = format!("hsa-verify-{}", sub.get_name());
                let sub = sub.clone().display_name(title.clone());
                clap_mangen::Man::new(sub).title(title).render(&mut text)?;
            }
            io::stdout().write_all(&text)?;
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
