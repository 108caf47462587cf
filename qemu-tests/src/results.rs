// SPDX-License-Identifier: GPL-2.0-only
//! Reads a machine's report while it is being written.

use std::fs::{self, File};
use std::io::Read;
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{bail, Context, Result};
use qemu_guest::report::Event;

use crate::kernel::Kernel;
use crate::machine::{Machine, Shape};

/// How often the report is looked at.
const INTERVAL: Duration = Duration::from_millis(50);
/// Lines of the console that explain a machine's death.
const LAST_WORDS: usize = 25;
/// How often a machine is started that does not come up.
const BOOTS: u32 = 4;
/// A machine whose report has not begun by then does not come up: it takes seconds, on a busy host
/// a minute.
const BOOT_PATIENCE: Duration = Duration::from_secs(240);

/// Boots `kernel` on `image` and follows the machine until its report ends, handing every event
/// to `observe`; it may still run afterwards.
///
/// Nothing of ECCP runs before the report begins: a machine that stops earlier, as emulated ones
/// do now and then, is started again, and its last words are printed.
///
/// # Errors
/// As [`Machine::start`] and [`follow`].
pub fn boot(
    kernel: &Kernel,
    image: &[u8],
    directory: &Path,
    shape: Shape,
    patience: Duration,
    mut observe: impl FnMut(Event) -> Result<()>,
) -> Result<Machine> {
    let mut boots = 1;
    loop {
        let mut machine = Machine::start(kernel, image, directory, shape)?;
        let mut silent = true;
        let outcome = follow(&mut machine, patience, |event| {
            silent = false;
            observe(event)
        });
        match outcome {
            Err(error) if silent && boots < BOOTS => {
                eprintln!("boot {boots} of {BOOTS} failed before the report began: {error:#}");
                boots += 1;
            }
            other => return other.map(|()| machine),
        }
    }
}

/// As [`boot`], for a task that is one scenario: its failure is the error, and the machine is off
/// afterwards.
///
/// # Errors
/// As [`boot`], and when the scenario failed.
pub fn run(
    kernel: &Kernel,
    image: &[u8],
    directory: &Path,
    shape: Shape,
    patience: Duration,
    mut observe: impl FnMut(Event) -> Result<()>,
) -> Result<()> {
    let mut failure = None;
    let heed = |event| match event {
        Event::Fail { message, .. } => {
            failure = Some(message);
            Ok(())
        }
        other => observe(other),
    };
    boot(kernel, image, directory, shape, patience, heed)?.wait()?;
    match failure {
        Some(message) => bail!("{message}\nconsole and kept files: {}", directory.display()),
        None => Ok(()),
    }
}

/// Follows `machine` until its report ends, handing every event to `observe`.
///
/// # Errors
/// When the machine stops before the end of its report, says nothing for
/// `patience`, or does not come up; the last lines of the console are part of the message.
fn follow(
    machine: &mut Machine,
    patience: Duration,
    mut observe: impl FnMut(Event) -> Result<()>,
) -> Result<()> {
    let mut lines = Lines::open(&machine.directory().join("results.jsonl"))?;
    let mut heard = Instant::now();
    let mut patience_now = patience.min(BOOT_PATIENCE);
    loop {
        let stopped = machine.status()?;
        for line in lines.complete()? {
            (heard, patience_now) = (Instant::now(), patience);
            let event: Event = serde_json::from_str(&line)
                .with_context(|| format!("the machine reported {line:?}"))?;
            let end = matches!(event, Event::End { .. });
            observe(event)?;
            if end {
                return Ok(());
            }
        }
        if let Some(status) = stopped {
            let last = last_words(machine.directory());
            bail!("the machine stopped ({status}) before its report was complete\n{last}");
        }
        if heard.elapsed() > patience_now {
            let last = last_words(machine.directory());
            bail!(
                "the machine said nothing for {} s\n{last}",
                patience_now.as_secs()
            );
        }
        thread::sleep(INTERVAL);
    }
}

/// The end of the console, for a person.
pub fn last_words(directory: &Path) -> String {
    let console = fs::read(directory.join("console.log")).unwrap_or_default();
    let console = String::from_utf8_lossy(&console);
    let lines: Vec<&str> = console.lines().collect();
    let from = lines.len().saturating_sub(LAST_WORDS);
    lines[from..].join("\n")
}

/// A file that grows by whole lines.
#[derive(Debug)]
struct Lines {
    file: File,
    partial: Vec<u8>,
}

impl Lines {
    fn open(path: &Path) -> Result<Self> {
        let file = File::options()
            .read(true)
            .append(true)
            .create(true)
            .open(path)
            .with_context(|| path.display().to_string())?;
        let partial = Vec::new();
        Ok(Lines { file, partial })
    }

    /// The lines that have become complete since the last call.
    fn complete(&mut self) -> Result<Vec<String>> {
        self.file.read_to_end(&mut self.partial)?;
        let end = self.partial.iter().rposition(|byte| *byte == b'\n');
        let rest = self.partial.split_off(end.map_or(0, |end| end + 1));
        let whole = std::mem::replace(&mut self.partial, rest);
        Ok(String::from_utf8_lossy(&whole)
            .lines()
            .map(str::to_owned)
            .collect())
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::os::unix::fs::PermissionsExt;

    use super::*;
    use crate::machine::{Clock, Console};

    #[test]
    fn a_line_counts_when_it_is_complete() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("results");
        let mut lines = Lines::open(&path).unwrap();
        let mut writer = File::options().append(true).open(&path).unwrap();
        assert!(lines.complete().unwrap().is_empty());
        writer.write_all(b"one\ntw").unwrap();
        assert_eq!(lines.complete().unwrap(), ["one"]);
        writer.write_all(b"o\n").unwrap();
        assert_eq!(lines.complete().unwrap(), ["two"]);
    }

    /// An emulator that comes up at its `boots`-th start only.
    fn late_starter(directory: &Path, boots: u32) -> Kernel {
        let emulator = directory.join("emulator");
        let here = directory.display();
        let script = format!(
            "#!/bin/sh\necho x >>{here}/starts\n\
             [ $(wc -l <{here}/starts) -ge {boots} ] || exit 1\n\
             echo '{{\"event\":\"end\",\"passed\":1,\"failed\":0}}' >{here}/results.jsonl\n"
        );
        fs::write(&emulator, script).unwrap();
        fs::set_permissions(&emulator, fs::Permissions::from_mode(0o755)).unwrap();
        Kernel::unprepared(emulator)
    }

    fn boot_with(boots: u32) -> (Result<Machine>, usize) {
        let directory = tempfile::tempdir().unwrap();
        let kernel = late_starter(directory.path(), boots);
        let shape = Shape {
            memory: 1,
            clock: Clock::Real,
            console: Console::File,
        };
        let patience = Duration::from_secs(60);
        let outcome = boot(&kernel, &[], directory.path(), shape, patience, |_| Ok(()));
        let starts = fs::read_to_string(directory.path().join("starts")).unwrap();
        (outcome, starts.lines().count())
    }

    #[test]
    fn a_machine_that_does_not_come_up_is_started_again_a_few_times() {
        let (outcome, starts) = boot_with(2);
        outcome.unwrap();
        assert_eq!(starts, 2);
        let (outcome, starts) = boot_with(BOOTS + 1);
        assert!(outcome.unwrap_err().to_string().contains("stopped"));
        assert_eq!(starts, BOOTS as usize);
    }
}
