// SPDX-License-Identifier: GPL-2.0-only
//! The real eccp-tool, called as a user calls it.

use std::process::{Command, Output};

use anyhow::{bail, Context, Result};

/// Where the image has it.
pub const PATH: &str = "/bin/eccp-tool";

/// Runs the tool and returns what it printed.
///
/// # Errors
/// When it exits with anything but success; its own words are the message.
pub fn run(arguments: &[&str]) -> Result<String> {
    let output = output(arguments)?;
    if !output.status.success() {
        bail!(
            "eccp-tool {}: {} ({})",
            arguments.join(" "),
            String::from_utf8_lossy(&output.stderr).trim_end(),
            output.status
        );
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// Runs the tool whatever comes of it.
///
/// # Errors
/// When it cannot be started.
pub fn output(arguments: &[&str]) -> Result<Output> {
    Command::new(PATH)
        .args(arguments)
        .output()
        .context("starting eccp-tool")
}
