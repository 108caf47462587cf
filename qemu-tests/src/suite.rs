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

/// When more scenarios fail than this, something is broken, and nothing is repeated.
const MOST_REPEATED: usize = 4;

type Verdict = Result<(), String>;

/// How a scenario failed.
struct Fault {
    message: String,
    /// The kernel complained, or something was left behind in it.
    kernel: bool,
}

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

    /// Runs the machine to its end, and what failed there once more; the number of failures is
    /// the answer.
    fn watch(&self, names: Vec<String>, verdicts: &Sender<(String, Verdict)>) -> Result<usize> {
        let mut failures = 0;
        let mut doubtful = Vec::new();
        self.run_in(&self.directory, names, |name, verdict| {
            match verdict {
                Err(fault) if !fault.kernel => doubtful.push((name, fault.message)),
                other => {
                    failures += usize::from(other.is_err());
                    verdicts.send((name, other.map_err(|fault| fault.message)))?;
                }
            }
            Ok(())
        })?;
        for (name, verdict) in self.repeat(doubtful)? {
            failures += usize::from(verdict.is_err());
            verdicts.send((name, verdict))?;
        }
        Ok(failures)
    }

    /// Runs each scenario that failed twice in a machine of its own. An emulated machine stands
    /// still for seconds when its host is busy, and what a scenario says then is about the host;
    /// what the kernel says never is.
    fn repeat(&self, doubtful: Vec<(String, String)>) -> Result<Vec<(String, Verdict)>> {
        if doubtful.is_empty() || doubtful.len() > MOST_REPEATED {
            let failed = |(name, message)| (name, Err(message));
            return Ok(doubtful.into_iter().map(failed).collect());
        }
        let directory = fresh_directory(&self.directory.join("repeated"))?;
        let twice = doubtful.iter().flat_map(|(name, _)| [name; 2]);
        let mut again: HashMap<String, Vec<Verdict>> = HashMap::new();
        self.run_in(&directory, twice.cloned().collect(), |name, verdict| {
            let verdict = verdict.map_err(|fault| fault.message);
            again.entry(name).or_default().push(verdict);
            Ok(())
        })?;
        artifacts::unpack(&directory)?;
        let judged = doubtful.into_iter().map(|(name, message)| {
            let verdict = weigh(&message, again.remove(&name).unwrap_or_default());
            if verdict.is_ok() {
                eprintln!("\nUNSTEADY: {name} failed once, passed when repeated: {message}");
            }
            (name, verdict)
        });
        Ok(judged.collect())
    }

    /// Runs scenarios in one machine, each verdict going to `judge`.
    fn run_in(
        &self,
        directory: &Path,
        names: Vec<String>,
        mut judge: impl FnMut(String, Result<(), Fault>) -> Result<()>,
    ) -> Result<()> {
        let task = Task::Scenarios(names);
        let image = image::build(&self.kernel, &self.ingredients, task, self.seed)?;
        let observe = |event| match event {
            Event::Pass { name, .. } => judge(name, Ok(())),
            Event::Fail {
                name,
                message,
                kernel,
                ..
            } => judge(name, Err(Fault { message, kernel })),
            Event::Note { name, text } => {
                eprintln!("{name}: {text}");
                Ok(())
            }
            Event::End { .. }
            | Event::Boot { .. }
            | Event::Start { .. }
            | Event::Measure { .. } => Ok(()),
        };
        results::boot(&self.kernel, &image, directory, SHAPE, PATIENCE, observe)?.wait()?;
        Ok(())
    }
}

/// The verdict on a scenario that failed with `message` and was then run twice.
fn weigh(message: &str, again: Vec<Verdict>) -> Verdict {
    let runs = again.len();
    match again.into_iter().find_map(Result::err) {
        Some(fault) => Err(format!("{message}\nwhen it was repeated: {fault}")),
        None if runs == 2 => Ok(()),
        None => Err(format!("{message}\nit was repeated {runs} times of 2")),
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
    let matches = |pattern: &String| match arguments.exact {
        true => name == pattern,
        false => stands_for(pattern, name),
    };
    arguments.filter.as_ref().is_none_or(matches) && !arguments.skip.iter().any(matches)
}

/// Whether a pattern selects a name: by whole words or, if no name of the roster has those, by any
/// part of it.
fn stands_for(pattern: &str, name: &str) -> bool {
    let is_a_word_anywhere = || roster::all().any(|scenario| has_words(scenario.name, pattern));
    has_words(name, pattern) || (name.contains(pattern) && !is_a_word_anywhere())
}

/// Whether `words` begins and ends in `name` where a word does.
fn has_words(name: &str, words: &str) -> bool {
    format!("_{name}_").contains(&format!("_{words}_"))
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
    fn what_failed_passes_only_if_it_passes_twice() {
        let fault = || Err("late".to_owned());
        assert_eq!(weigh("slow", vec![Ok(()), Ok(())]), Ok(()));
        for again in [vec![], vec![Ok(())], vec![Ok(()), fault()]] {
            assert!(weigh("slow", again).unwrap_err().starts_with("slow"));
        }
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

    #[test]
    fn a_filter_stands_for_whole_words_if_it_can() {
        assert!(stands_for("nat", "nat_and_a_move"));
        assert!(!stands_for("nat", "transfer_v4_native"));
        assert!(stands_for("transfer_v4", "transfer_v4_native"));
        assert!(stands_for("plann", "planned_move"));
        assert!(!stands_for("plann", "nat_and_a_move"));
    }
}
