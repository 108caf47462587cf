// SPDX-License-Identifier: GPL-2.0-only
//! Reads a machine's report while it is being written.

use std::fs::{self, File};
use std::io::Read;
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{bail, Context, Result};
use qemu_guest::report::Event;

use crate::machine::Machine;

/// How often the report is looked at.
const INTERVAL: Duration = Duration::from_millis(50);
/// Lines of the console that explain a machine's death.
const LAST_WORDS: usize = 25;

/// Follows `machine` until its report ends, handing every event to `observe`.
///
/// # Errors
/// When the machine stops before the end of its report or says nothing for
/// `patience`; the last lines of the console are part of the message.
pub fn follow(
    machine: &mut Machine,
    patience: Duration,
    mut observe: impl FnMut(Event) -> Result<()>,
) -> Result<()> {
    let mut lines = Lines::open(&machine.directory().join("results.jsonl"))?;
    let mut heard = Instant::now();
    loop {
        let stopped = machine.status()?;
        for line in lines.complete()? {
            heard = Instant::now();
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
        if heard.elapsed() > patience {
            let last = last_words(machine.directory());
            bail!(
                "the machine said nothing for {} s\n{last}",
                patience.as_secs()
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

    use super::*;

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
}
