// SPDX-License-Identifier: GPL-2.0-only
//! What a scenario is given: its plan, its seed, and a way to speak.

use std::env;
use std::fs;
use std::io::{stdout, Write};
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result};
use rustix::mount::{mount, mount_change, MountFlags, MountPropagationFlags};
use rustix::thread::{unshare_unsafe, UnshareFlags};

use crate::last_words;
use crate::plan::{self, Plan};
use crate::random::Random;
use crate::report::{Event, Reporter};
use crate::roster;
use crate::supervisor::{ARTIFACTS, SLOWNESS};

/// The running scenario's surroundings.
#[derive(Debug)]
pub struct Stage {
    /// Name of the scenario.
    pub name: &'static str,
    /// The host's wishes.
    pub plan: Plan,
    slowness: f64,
}

impl Stage {
    /// Makes random choices; the same plan gives the same choices.
    pub fn random(&self) -> Random {
        Random::new(self.plan.seed).fork(self.name)
    }

    /// `limit` on a quiet machine, stretched for this one.
    pub fn patience(&self, limit: Duration) -> Duration {
        limit.mul_f64(self.slowness)
    }

    /// Puts one line into the report.
    pub fn note(&self, text: impl Into<String>) {
        self.send(&Event::Note {
            name: self.name.to_owned(),
            text: text.into(),
        });
    }

    /// Puts a measured value into the report.
    pub fn measure(&self, key: &str, value: impl Into<serde_json::Value>) {
        self.send(&Event::Measure {
            name: self.name.to_owned(),
            key: key.to_owned(),
            value: value.into(),
        });
    }

    /// A path whose file is sent to the host when the scenario ends.
    ///
    /// # Errors
    /// When the directory cannot be made.
    pub fn artifact(&self, file: &str) -> Result<PathBuf> {
        let directory = Path::new(ARTIFACTS).join(self.name);
        fs::create_dir_all(&directory)?;
        Ok(directory.join(file))
    }

    fn send(&self, event: &Event) {
        let mut out = stdout().lock();
        // Without a reader there is nobody to tell; PID 1 sees the process end.
        let _ = Reporter::new(&mut out).send(event);
        let _ = out.flush();
    }
}

/// Entry of a scenario's own process: fresh mounts, the scenario, its verdict
/// as the last line.
///
/// # Errors
/// When the process cannot be set up; the scenario's own failure is reported
/// as an event and is an error, too.
pub fn perform(name: &str) -> Result<()> {
    let scenario = roster::find(name).with_context(|| format!("no scenario is called {name}"))?;
    let plan: Plan = serde_json::from_slice(&fs::read(plan::PATH)?)?;
    isolate()?;
    let stage = Stage {
        name: scenario.name,
        slowness: slowness_from_environment(),
        plan,
    };
    let record = stage.artifact("counters.txt")?;
    watch_the_clock(
        stage.patience(Duration::from_secs(scenario.seconds)),
        record.clone(),
    );
    let verdict = (scenario.run)(&stage);
    if let Err(error) = &verdict {
        fs::write(record, last_words::all())?;
        stage.send(&Event::Fail {
            name: name.to_owned(),
            seconds: 0.0,
            message: format!("{error:#}"),
            kernel: false,
        });
    }
    verdict
}

/// Keeps the state of all namespaces shortly before PID 1 ends the scenario
/// for taking too long.
fn watch_the_clock(limit: Duration, record: PathBuf) {
    thread::spawn(move || {
        thread::sleep(limit.mul_f64(0.9));
        last_words::remember_all();
        // PID 1 reports that the scenario was too slow whether or not this works.
        let _ = fs::write(record, last_words::all());
    });
}

/// PID 1 has measured the machine before it started the scenario.
fn slowness_from_environment() -> f64 {
    env::var(SLOWNESS)
        .ok()
        .and_then(|text| text.parse().ok())
        .unwrap_or(1.0)
}

/// A mount namespace with an empty `/run`, so that names of network namespaces
/// are the scenario's own and vanish with it.
fn isolate() -> Result<()> {
    // SAFETY: only the mount namespace changes; file descriptors stay shared.
    unsafe { unshare_unsafe(UnshareFlags::NEWNS) }.context("unshare(CLONE_NEWNS)")?;
    let private = MountPropagationFlags::PRIVATE | MountPropagationFlags::REC;
    mount_change("/", private).context("private mounts")?;
    mount("tmpfs", "/run", "tmpfs", MountFlags::empty(), None).context("/run")?;
    Ok(())
}
