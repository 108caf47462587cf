// SPDX-License-Identifier: GPL-2.0-only
//! Every scenario of the guest as one test of this program.
//!
//! One machine is booted for all chosen scenarios; each test waits for the
//! verdict on its scenario, so the usual filters and output work.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::mpsc::{channel, Receiver, Sender};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use anyhow::Result;
use libtest_mimic::{Arguments, Failed, Trial};
use qemu_guest::plan::Task;
use qemu_guest::report::Event;
use qemu_guest::roster;

use crate::artifacts;
use crate::image::{self, Ingredients};
use crate::kernel::Kernel;
use crate::machine::{Clock, Console, Shape};
use crate::results;

/// A machine that says nothing for this long is stuck; longer than any scenario may take.
const PATIENCE: Duration = Duration::from_secs(600);
const SHAPE: Shape = Shape {
    memory: 1024,
    clock: Clock::Real,
    console: Console::File,
};

/// Where and how the scenarios are run.
#[derive(Debug)]
pub struct Suite {
    /// The kernel under the module.
    pub kernel: Kernel,
    /// What goes into the image.
    pub ingredients: Ingredients,
    /// Only scenarios that every kernel has to pass.
    pub smoke: bool,
    /// Seed of all random choices.
    pub seed: u64,
    /// Where console, results and artifacts of the machine stay.
    pub directory: PathBuf,
}

type Verdict = Result<(), String>;

impl Suite {
    /// Runs the scenarios that `arguments` select and prints the outcome.
    pub fn run(self, mut arguments: Arguments) -> ExitCode {
        // All verdicts come from one machine, in its order.
        arguments.test_threads = Some(1);
        let names = self.select(&arguments);
        let (sender, receiver) = channel();
        let verdicts = Arc::new(Mutex::new(Verdicts::new(receiver)));
        let label = self.kernel.release.clone();
        let trials = names
            .iter()
            .map(|name| trial(name, &label, Arc::clone(&verdicts)))
            .collect();
        if arguments.list || names.is_empty() {
            return libtest_mimic::run(&arguments, trials).exit_code();
        }
        let owned = names.iter().map(|name| (*name).to_owned()).collect();
        let machine = thread::spawn(move || self.boot(owned, &sender));
        let conclusion = libtest_mimic::run(&arguments, trials);
        // A panic in the thread has closed the channel, which every test has reported.
        let _ = machine.join();
        conclusion.exit_code()
    }

    fn select(&self, arguments: &Arguments) -> Vec<&'static str> {
        roster::all()
            .filter(|scenario| scenario.smoke || !self.smoke)
            .map(|scenario| scenario.name)
            .filter(|name| is_selected(arguments, name))
            .collect()
    }

    fn boot(self, names: Vec<String>, verdicts: &Sender<(String, Verdict)>) {
        let outcome = self.watch(names, verdicts);
        let unpacked = artifacts::unpack(&self.directory);
        let mut message = match (outcome, unpacked) {
            (Ok(0), Ok(_)) => return,
            (Ok(_), Ok(_)) => String::new(),
            (Err(error), _) | (_, Err(error)) => format!("{error:#}\n"),
        };
        message += &format!(
            "console, results and kept files: {}\nto repeat: ECCP_SEED={}",
            self.directory.display(),
            self.seed
        );
        eprintln!("\n{message}");
    }

    /// Runs the machine to its end; the number of failures is the answer.
    fn watch(&self, names: Vec<String>, verdicts: &Sender<(String, Verdict)>) -> Result<usize> {
        let image = image::build(
            &self.kernel,
            &self.ingredients,
            Task::Scenarios(names),
            self.seed,
        )?;
        let mut failures = 0;
        let observe = |event| {
            match event {
                Event::Pass { name, .. } => verdicts.send((name, Ok(())))?,
                Event::Fail { name, message, .. } => verdicts.send((name, Err(message)))?,
                Event::Note { name, text } => eprintln!("{name}: {text}"),
                Event::End { failed, .. } => failures = failed,
                Event::Boot { .. } | Event::Start { .. } | Event::Measure { .. } => {}
            }
            Ok(())
        };
        let directory = &self.directory;
        results::boot(&self.kernel, &image, directory, SHAPE, PATIENCE, observe)?.wait()?;
        Ok(failures)
    }
}

fn trial(name: &'static str, kernel: &str, verdicts: Arc<Mutex<Verdicts>>) -> Trial {
    let label = format!("{kernel}::{name}");
    Trial::test(label, move || {
        let mut verdicts = verdicts
            .lock()
            .map_err(|_| Failed::from("another test panicked"))?;
        verdicts.wait_for(name).map_err(Failed::from)
    })
}

/// The harness's own filter, applied before the boot so that only chosen
/// scenarios are sent into the machine.
fn is_selected(arguments: &Arguments, name: &str) -> bool {
    let matches = |pattern: &String| {
        if arguments.exact {
            name == pattern
        } else {
            name.contains(pattern.as_str())
        }
    };
    arguments.filter.as_ref().is_none_or(matches) && !arguments.skip.iter().any(matches)
}

/// Verdicts as they come, kept until somebody asks for them.
#[derive(Debug)]
struct Verdicts {
    receiver: Receiver<(String, Verdict)>,
    known: HashMap<String, Verdict>,
}

impl Verdicts {
    fn new(receiver: Receiver<(String, Verdict)>) -> Self {
        Verdicts {
            receiver,
            known: HashMap::new(),
        }
    }

    fn wait_for(&mut self, name: &str) -> Verdict {
        loop {
            if let Some(verdict) = self.known.remove(name) {
                return verdict;
            }
            match self.receiver.recv() {
                Ok((name, verdict)) => self.known.insert(name, verdict),
                Err(_) => return Err("the machine ended without a verdict on this".to_owned()),
            };
        }
    }
}

/// A directory for one machine, emptied of an earlier run's files.
///
/// # Errors
/// When it cannot be emptied or made.
pub fn fresh_directory(path: &Path) -> Result<PathBuf> {
    if path.exists() {
        std::fs::remove_dir_all(path)?;
    }
    std::fs::create_dir_all(path)?;
    Ok(path.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_verdict_waits_for_its_test_and_a_dead_machine_fails_the_rest() {
        let (sender, receiver) = channel();
        let mut verdicts = Verdicts::new(receiver);
        sender
            .send(("b".to_owned(), Err("broken".to_owned())))
            .unwrap();
        sender.send(("a".to_owned(), Ok(()))).unwrap();
        drop(sender);
        assert_eq!(verdicts.wait_for("a"), Ok(()));
        assert_eq!(verdicts.wait_for("b"), Err("broken".to_owned()));
        assert!(verdicts.wait_for("c").is_err());
    }

    #[test]
    fn filters_work_as_in_cargo_test() {
        let arguments = Arguments {
            filter: Some("move".to_owned()),
            skip: vec!["ten".to_owned()],
            ..Arguments::default()
        };
        assert!(is_selected(&arguments, "planned_move"));
        assert!(!is_selected(&arguments, "ten_moves"));
        assert!(!is_selected(&arguments, "transfer"));
    }
}
