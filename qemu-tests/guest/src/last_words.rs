// SPDX-License-Identifier: GPL-2.0-only
//! What the module knew about each namespace when the scenario let go of it:
//! the first thing to read after a failure.

use std::fmt::Write;
use std::sync::{Mutex, PoisonError};

use anyhow::Result;

use crate::control::Control;
use crate::namespace::Namespace;

static TEXT: Mutex<String> = Mutex::new(String::new());

/// Writes down counters and flows of a namespace that is about to go. One
/// without the module has none.
pub(crate) fn remember(namespace: &Namespace) {
    if let Ok(text) = describe(namespace) {
        TEXT.lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push_str(&text);
    }
}

/// Everything that was written down.
pub(crate) fn all() -> String {
    TEXT.lock().unwrap_or_else(PoisonError::into_inner).clone()
}

fn describe(namespace: &Namespace) -> Result<String> {
    let mut control = Control::open(namespace)?;
    let mut text = format!("{}: {}\n", namespace.name(), control.counters()?);
    for flow in control.flows()? {
        writeln!(text, "  {flow:?}")?;
    }
    Ok(text)
}
