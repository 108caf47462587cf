// SPDX-License-Identifier: GPL-2.0-only
//! The kernel's log since a mark, and the lines in it that fail a scenario.

use std::fs::{File, OpenOptions};
use std::io::{ErrorKind, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::OpenOptionsExt;

use anyhow::{Context, Result};

/// What no scenario may provoke. Compared with the text of each record.
const FORBIDDEN: [&str; 22] = [
    "WARNING:",
    "BUG:",
    "BUG at",
    "kernel BUG",
    "Oops",
    "panic",
    "refcount_t",
    "corruption",
    "suspicious RCU",
    "general protection",
    "hung task",
    "blocked for more than",
    "soft lockup",
    "hard LOCKUP",
    "rcu: INFO",
    "self-detected stall",
    "use-after-free",
    "out-of-bounds",
    "unregister_netdevice: waiting",
    "Objects remaining",
    "scheduling while atomic",
    "Call Trace:",
];

/// A reader of `/dev/kmsg` that remembers where it was.
#[derive(Debug)]
pub struct KernelLog {
    device: File,
}

impl KernelLog {
    /// Opens the log; the first [`KernelLog::read`] returns everything since boot.
    ///
    /// # Errors
    /// When `/dev/kmsg` cannot be opened.
    pub fn open() -> Result<Self> {
        let device = OpenOptions::new()
            .read(true)
            .write(true)
            .custom_flags(libc::O_NONBLOCK)
            .open("/dev/kmsg")
            .context("/dev/kmsg")?;
        Ok(KernelLog { device })
    }

    /// Writes a line into the log and skips everything before it.
    ///
    /// # Errors
    /// When the log cannot be written.
    pub fn mark(&mut self, text: &str) -> Result<()> {
        self.device.seek(SeekFrom::End(0))?;
        // One write is one record.
        self.device
            .write_all(format!("<6>eccp-test: {text}\n").as_bytes())?;
        Ok(())
    }

    /// The text of every record since the last mark or read. Records that the
    /// ring buffer has dropped are reported as a line of their own.
    ///
    /// # Errors
    /// When the log cannot be read.
    pub fn read(&mut self) -> Result<Vec<String>> {
        let mut lines = Vec::new();
        let mut record = [0u8; 8192];
        loop {
            match self.device.read(&mut record) {
                Ok(length) => lines.push(message(&String::from_utf8_lossy(&record[..length]))),
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(lines),
                Err(error) if error.raw_os_error() == Some(libc::EPIPE) => {
                    lines.push("(records lost: the kernel log ran over)".to_owned());
                }
                Err(error) => return Err(error).context("reading /dev/kmsg"),
            }
        }
    }
}

/// A record is `priority,sequence,time,flags;text` and continuation lines.
fn message(record: &str) -> String {
    let first = record.lines().next().unwrap_or_default();
    let (header, text) = first.split_once(';').unwrap_or(("", first));
    let micros: u64 = header
        .split(',')
        .nth(2)
        .and_then(|field| field.parse().ok())
        .unwrap_or(0);
    format!("[{:.6}] {text}", micros as f64 / 1e6)
}

/// The lines that fail a scenario.
pub fn offences(lines: &[String]) -> Vec<&String> {
    lines
        .iter()
        .filter(|line| FORBIDDEN.iter().any(|word| line.contains(word)))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_becomes_time_and_text() {
        let record = "6,339,5140900,-;NET: Registered PF_ASH\n SUBSYSTEM=x\n";
        assert_eq!(message(record), "[5.140900] NET: Registered PF_ASH");
    }

    #[test]
    fn trouble_is_found_and_ordinary_lines_are_not() {
        let lines: Vec<String> = [
            "[1.0] eccp: loaded",
            "[1.1] WARNING: CPU: 0 PID: 1 at net/core/dst.c:1",
            "[1.2] refcount_t: underflow; use-after-free.",
            "[1.3] eccp: module verification failed: signature and/or required key missing",
        ]
        .map(String::from)
        .to_vec();
        assert_eq!(offences(&lines), vec![&lines[1], &lines[2]]);
    }
}
