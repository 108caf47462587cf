// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Questions about real networks on the command line.

mod cli;

use clap::Parser;
use std::process::ExitCode;

fn main() -> ExitCode {
    let arguments = cli::Arguments::parse();
    cli::run(&arguments).into()
}
