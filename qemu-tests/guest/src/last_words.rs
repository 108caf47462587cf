// SPDX-License-Identifier: GPL-2.0-only
//! What the module knew about each namespace when the scenario let go of it:
//! the first thing to read after a failure.

use std::fmt::Write;
use std::fs::{self, File};
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::{Mutex, PoisonError};

use anyhow::Result;

use crate::control::Control;
use crate::namespace::{in_namespace, DIRECTORY};

static TEXT: Mutex<String> = Mutex::new(String::new());

/// Writes down counters and flows of a namespace that is about to go. One
/// without the module has none.
pub(crate) fn remember(name: &str, namespace: BorrowedFd<'_>) {
    if let Ok(text) = describe(name, namespace) {
        TEXT.lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push_str(&text);
    }
}

/// Writes down the same of every namespace that has a name at this moment.
pub(crate) fn remember_all() {
    for entry in fs::read_dir(DIRECTORY).into_iter().flatten().flatten() {
        if let Ok(file) = File::open(entry.path()) {
            remember(&entry.file_name().to_string_lossy(), file.as_fd());
        }
    }
}

/// Everything that was written down.
pub(crate) fn all() -> String {
    TEXT.lock().unwrap_or_else(PoisonError::into_inner).clone()
}

fn describe(name: &str, namespace: BorrowedFd<'_>) -> Result<String> {
    let mut control = Control::open_in(namespace)?;
    let mut text = format!("{name}: {}\n", control.counters()?);
    for flow in control.flows()? {
        writeln!(text, "  {flow:?}")?;
    }
    for line in in_namespace(namespace, stack_lines)? {
        writeln!(text, "  {line}")?;
    }
    Ok(text)
}

/// What the rest of the network stack says: TCP sockets with queues, timers and
/// windows, interfaces, and every counter that is not zero.
fn stack_lines() -> Result<Vec<String>> {
    let read = |file: &str| fs::read_to_string(format!("/proc/thread-self/net/{file}"));
    let mut lines: Vec<String> = Vec::new();
    for file in ["tcp", "dev"] {
        lines.extend(read(file)?.lines().map(str::to_owned));
    }
    for file in ["snmp", "netstat"] {
        let text = read(file)?;
        let rows: Vec<&str> = text.lines().collect();
        for pair in rows.chunks_exact(2) {
            lines.push(nonzero(pair[0], pair[1]));
        }
    }
    Ok(lines)
}

/// A row of names and a row of values, without what is zero.
fn nonzero(names: &str, values: &str) -> String {
    names
        .split_whitespace()
        .zip(values.split_whitespace())
        .filter(|(_, value)| *value != "0")
        .map(|(name, value)| {
            if name == value {
                name.to_owned()
            } else {
                format!("{name}={value}")
            }
        })
        .collect::<Vec<_>>()
        .join(" ")
}
