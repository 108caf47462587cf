// SPDX-License-Identifier: GPL-2.0-only
//! Runs the demonstration and shows what came of it: a table, a picture, a
//! result file.

use std::fmt::Write as _;
use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{bail, Context, Result};
use qemu_guest::plan::Task;
use qemu_guest::report::Event;
use serde::{Deserialize, Serialize};

use crate::artifacts;
use crate::chart::{Chart, Curve, Mark};
use crate::image::{self, Ingredients};
use crate::kernel::Kernel;
use crate::machine::{Clock, Console, Shape};
use crate::results;

/// A machine that says nothing for this long is stuck.
const PATIENCE: Duration = Duration::from_secs(180);
/// Memory for the file, its two copies and the system, in MiB.
const SYSTEM_MEMORY: u32 = 768;
const MEBIBYTE: f64 = (1u32 << 20) as f64;

/// The demonstration and where its results go.
#[derive(Debug)]
pub struct Demo {
    /// The kernel under the module.
    pub kernel: Kernel,
    /// What goes into the image.
    pub ingredients: Ingredients,
    /// Length of the file.
    pub bytes: u64,
    /// Seed of the file's content.
    pub seed: u64,
    /// Where console, results and picture stay.
    pub directory: PathBuf,
}

/// What the guest measured.
#[derive(Debug, Deserialize)]
struct Measured {
    #[serde(flatten)]
    outcome: Outcome,
    curve_step_ms: f64,
    eccp_curve: Vec<u64>,
    tcp_curve: Vec<u64>,
}

/// What `result.json` says.
#[derive(Debug, Serialize, Deserialize)]
pub struct Outcome {
    kernel: String,
    sha256_ok: bool,
    sha256_sent: String,
    sha256_received: String,
    bytes: u64,
    seconds: f64,
    moves: Vec<Move>,
    tcp_survived: bool,
    tcp_bytes: u64,
    tcp_end: Option<String>,
}

#[derive(Debug, Serialize, Deserialize)]
struct Move {
    kind: String,
    from: String,
    to: String,
    at_ms: f64,
    gap_ms: f64,
    rtt_ms: Option<f64>,
}

impl Demo {
    /// Runs the demonstration.
    ///
    /// # Errors
    /// When the file did not arrive intact over AF_ECCP.
    pub fn run(&self) -> Result<()> {
        println!(
            "Booting the stock kernel {} under emulation (about 10 s) …",
            self.kernel.release
        );
        self.watch()?;
        artifacts::unpack(&self.directory)?;
        let path = self.directory.join("demo/result.json");
        let measured: Measured =
            serde_json::from_slice(&fs::read(&path).with_context(|| path.display().to_string())?)?;
        let picture = self.directory.join("throughput.svg");
        let result = self.directory.join("result.json");
        fs::write(&picture, measured.chart().draw())?;
        fs::write(&result, serde_json::to_vec_pretty(&measured.outcome)?)?;
        println!("{}", measured.outcome.table());
        println!("throughput over time: {}", picture.display());
        println!("result:               {}", result.display());
        measured.outcome.judge(self.bytes)
    }

    fn watch(&self) -> Result<()> {
        let bytes = self.bytes;
        let task = Task::Demo { bytes };
        let image = image::build(&self.kernel, &self.ingredients, task, self.seed)?;
        let shape = Shape {
            memory: SYSTEM_MEMORY + 3 * u32::try_from(bytes >> 20)?,
            clock: Clock::Real,
            console: Console::File,
        };
        let observe = |event| {
            match event {
                Event::Boot { uptime, .. } => println!("  up after {uptime:.1} s"),
                Event::Note { text, .. } => println!("  {text}"),
                _ => {}
            }
            Ok(())
        };
        let directory = &self.directory;
        results::run(&self.kernel, &image, directory, shape, PATIENCE, observe)
    }
}

impl Measured {
    fn chart(&self) -> Chart {
        let outcome = &self.outcome;
        let step = self.curve_step_ms / 1000.0;
        let per_second = |curve: &[u64]| -> Vec<f64> {
            curve
                .iter()
                .map(|bytes| *bytes as f64 / MEBIBYTE / step)
                .collect()
        };
        Chart {
            title: "One file over AF_ECCP and over TCP while the client moves".to_owned(),
            subtitle: format!(
                "{} MiB, Linux {}, emulated CPU; delivered bytes per {:.0} ms",
                outcome.bytes >> 20,
                outcome.kernel,
                self.curve_step_ms
            ),
            vertical: "delivered in MiB/s".to_owned(),
            step,
            curves: vec![
                Curve {
                    label: "AF_ECCP".to_owned(),
                    colour: "#0969da",
                    values: per_second(&self.eccp_curve),
                },
                Curve {
                    label: "TCP".to_owned(),
                    colour: "#d1622b",
                    values: per_second(&self.tcp_curve),
                },
            ],
            marks: outcome.moves.iter().map(Move::mark).collect(),
        }
    }
}

impl Move {
    fn mark(&self) -> Mark {
        Mark {
            at: self.at_ms / 1000.0,
            text: format!(
                "{}: {} → {}, longest gap {:.0} ms{}",
                self.kind,
                self.from,
                self.to,
                self.gap_ms,
                self.rtt_ms
                    .map_or_else(String::new, |rtt| format!(" (RTT {rtt:.0} ms)"))
            ),
        }
    }
}

impl Outcome {
    fn table(&self) -> String {
        let mut table = format!(
            "\n{:<14} {:<22} {:<22} {:>8} {:>8}\n",
            "move", "from", "to", "gap", "RTT"
        );
        for step in &self.moves {
            let rtt = step.rtt_ms.map_or_else(|| "-".to_owned(), milliseconds);
            let gap = milliseconds(step.gap_ms);
            // Writing into a String cannot fail.
            let _ = writeln!(
                table,
                "{:<14} {:<22} {:<22} {gap:>8} {rtt:>8}",
                step.kind, step.from, step.to
            );
        }
        let verdict = if self.sha256_ok {
            "identical"
        } else {
            "DIFFERENT"
        };
        let tcp = if self.tcp_survived {
            "survived"
        } else {
            "broke"
        };
        let _ = write!(
            table,
            "\nAF_ECCP: {} bytes in {:.1} s\n  SHA-256 sent     {}\n  SHA-256 received {}  {verdict}\n\
             TCP:     {tcp} after {} bytes\n",
            self.bytes, self.seconds, self.sha256_sent, self.sha256_received, self.tcp_bytes
        );
        table
    }

    fn judge(&self, bytes: u64) -> Result<()> {
        if self.bytes != bytes || !self.sha256_ok {
            bail!("the file did not arrive intact over AF_ECCP");
        }
        if self.tcp_survived {
            bail!("TCP survived, so the moves were none; the demonstration shows nothing");
        }
        Ok(())
    }
}

fn milliseconds(value: f64) -> String {
    format!("{value:.0} ms")
}
