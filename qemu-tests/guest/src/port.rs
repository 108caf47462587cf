// SPDX-License-Identifier: GPL-2.0-only
//! The named virtio-serial ports between guest and host.

use std::fs::{self, File, OpenOptions};
use std::io::{Read, Write};
use std::path::{Path, PathBuf};

use anyhow::{bail, Context, Result};

/// Opens the port that the host called `name`.
///
/// # Errors
/// When no port has this name, or it is open already.
pub fn open(name: &str) -> Result<File> {
    let device = find(Path::new("/sys/class/virtio-ports"), name)?;
    OpenOptions::new()
        .write(true)
        .open(&device)
        .with_context(|| format!("port {name} at {}", device.display()))
}

fn find(class: &Path, name: &str) -> Result<PathBuf> {
    for entry in fs::read_dir(class).with_context(|| class.display().to_string())? {
        let entry = entry?;
        let label = fs::read_to_string(entry.path().join("name")).unwrap_or_default();
        if label.trim_end() == name {
            return Ok(Path::new("/dev").join(entry.file_name()));
        }
    }
    bail!("the machine has no virtio-serial port named {name}")
}

/// Sends a file to the host: a JSON line with its name and length, then its bytes.
///
/// # Errors
/// When the content ends before `length` bytes or the port fails.
pub fn send_file(port: &mut File, name: &str, length: u64, content: impl Read) -> Result<()> {
    let header = serde_json::json!({ "name": name, "length": length });
    writeln!(port, "{header}")?;
    let sent = std::io::copy(&mut content.take(length), port)?;
    if sent != length {
        bail!("{name} ended after {sent} of {length} bytes");
    }
    port.flush()?;
    Ok(())
}
