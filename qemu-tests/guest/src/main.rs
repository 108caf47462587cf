// SPDX-License-Identifier: GPL-2.0-only
//! PID 1 of a test machine, and every process it starts.

use std::process::ExitCode;

use qemu_guest::{boot, stage, supervisor};

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().collect();
    let outcome = match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        [_, "scenario", name] => stage::perform(name),
        _ if std::process::id() == 1 => {
            let outcome = supervisor::run();
            if let Err(error) = &outcome {
                eprintln!("init: {error:#}");
            }
            boot::power_off();
            outcome
        }
        _ => {
            eprintln!("this program is PID 1 of a test machine; see docs/testing.md");
            return ExitCode::from(2);
        }
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error:#}");
            ExitCode::FAILURE
        }
    }
}
