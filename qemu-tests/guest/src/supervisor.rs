// SPDX-License-Identifier: GPL-2.0-only
//! PID 1's work: load, run every scenario in a child of its own, watch the
//! kernel log and the module's reference count, unload, report.

use std::fs::{self, File};
use std::io::{BufRead, BufReader};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{channel, Receiver, RecvTimeoutError};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{anyhow, bail, ensure, Context, Result};
use rustix::process::{kill_process_group, Pid, Signal};

use crate::kernel_log::{self, KernelLog};
use crate::plan::{self, Plan, Task, Transport};
use crate::report::{Event, Reporter, ARTIFACTS_PORT, RESULTS_PORT};
use crate::roster::{self, Needs, Scenario};
use crate::{boot, link, module, port};

/// Files in here are sent to the host when a scenario ends.
pub const ARTIFACTS: &str = "/tmp/artifacts";
/// Environment variable that tells a scenario how slow the machine is.
pub const SLOWNESS: &str = "ECCP_SLOWNESS";
/// The module under test, as the kernel names it.
pub const MODULE: &str = "eccp";
/// How long a machine may need until the last user of the module is gone.
const SETTLE: Duration = Duration::from_secs(10);

/// Reads the plan and carries it out; the machine is switched off afterwards.
///
/// # Errors
/// When the machine itself cannot be prepared. A scenario that fails is not
/// an error but a line of the report.
pub fn run() -> Result<()> {
    boot::prepare()?;
    let plan: Plan = serde_json::from_slice(&fs::read(plan::PATH).context(plan::PATH)?)?;
    for path in &plan.modules {
        module::load(path)?;
    }
    if plan.task == Task::Shell {
        if let Some(path) = &plan.eccp_module {
            module::load(path)?;
        }
        return boot::shell();
    }
    link::set_up("lo")?;
    let _encapsulation = boot::hold_encapsulation()?;
    Supervisor::new(plan)?.carry_out()
}

/// Why a scenario failed.
struct Fault {
    error: anyhow::Error,
    /// By what the kernel shows, not by what the scenario says.
    kernel: bool,
}

struct Supervisor {
    plan: Plan,
    report: Reporter<File>,
    artifacts: File,
    log: KernelLog,
    slowness: f64,
}

impl Supervisor {
    fn new(plan: Plan) -> Result<Self> {
        let mut report = Reporter::new(port::open(RESULTS_PORT)?);
        report.send(&Event::Boot {
            kernel: boot::kernel_release(),
            uptime: boot::uptime(),
        })?;
        Ok(Supervisor {
            plan,
            report,
            artifacts: port::open(ARTIFACTS_PORT)?,
            log: KernelLog::open()?,
            slowness: boot::slowness(),
        })
    }

    fn carry_out(mut self) -> Result<()> {
        let (mut passed, mut failed) = (0, 0);
        for scenario in self.chosen()? {
            let begin = Instant::now();
            let name = scenario.name.to_owned();
            self.report.send(&Event::Start { name: name.clone() })?;
            let verdict = self.judge(scenario);
            let seconds = begin.elapsed().as_secs_f64();
            let event = match verdict {
                Ok(()) => {
                    passed += 1;
                    Event::Pass { name, seconds }
                }
                Err(fault) => {
                    failed += 1;
                    let message = format!("{:#}", fault.error);
                    Event::Fail {
                        name,
                        seconds,
                        message,
                        kernel: fault.kernel,
                    }
                }
            };
            self.send_artifacts()?;
            self.report.send(&event)?;
        }
        self.report.send(&Event::End { passed, failed })?;
        Ok(())
    }

    /// The planned scenarios, and the unloading of the module behind them.
    fn chosen(&self) -> Result<Vec<&'static Scenario>> {
        let names: Vec<&str> = match &self.plan.task {
            Task::Scenarios(names) => names.iter().map(String::as_str).collect(),
            Task::Demo { .. } => vec![roster::DEMO],
            Task::Bench { .. } => vec![roster::BENCH],
            Task::Budgets { .. } => vec![roster::BUDGETS],
            Task::Shell => vec![],
        };
        names
            .into_iter()
            .map(|name| roster::find(name).ok_or_else(|| anyhow!("no scenario is called {name}")))
            .collect()
    }

    fn judge(&mut self, scenario: &Scenario) -> Result<(), Fault> {
        let verdict = self.log.mark(&format!("begin {}", scenario.name));
        let verdict = verdict.and_then(|()| self.execute(scenario));
        let own = verdict.as_ref().err().map(|error| format!("{error:#}"));
        match (self.inspect(scenario, verdict.is_err()), own) {
            (Err(error), None) => Err(Fault {
                error,
                kernel: true,
            }),
            (Err(error), Some(own)) => Err(Fault {
                error: error.context(own),
                kernel: true,
            }),
            (Ok(()), _) => verdict.map_err(|error| Fault {
                error,
                kernel: false,
            }),
        }
    }

    /// Looks at what a scenario leaves behind in the kernel.
    fn inspect(&mut self, scenario: &Scenario, failed: bool) -> Result<()> {
        let settled = self.settle(scenario.needs);
        // A warning that a dying namespace's worker is about to print belongs to this scenario.
        thread::sleep(Duration::from_millis(20));
        let lines = self.log.read()?;
        let offences = kernel_log::offences(&lines);
        let offence = offences.first().map(|line| (*line).clone());
        if failed || settled.is_err() || offence.is_some() {
            self.keep(scenario.name, "kernel.log", &lines.join("\n"))?;
        }
        settled?;
        match offence {
            Some(line) => bail!("the kernel complained: {line}"),
            None => Ok(()),
        }
    }

    fn execute(&mut self, scenario: &Scenario) -> Result<()> {
        self.arrange(scenario.needs)?;
        let limit = Duration::from_secs(scenario.seconds).mul_f64(self.slowness);
        let mut child = Command::new("/proc/self/exe")
            .args(["scenario", scenario.name])
            .env(SLOWNESS, self.slowness.to_string())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .process_group(0)
            .spawn()
            .context("starting the scenario")?;
        let events = follow(&mut child)?;
        let outcome = self.relay(&events, limit);
        let group = Pid::from_child(&child);
        if outcome.is_err() {
            self.describe_stall(scenario.name, &child)?;
        }
        let _ = kill_process_group(group, Signal::KILL);
        let status = child.wait()?;
        reap();
        outcome?.map_or_else(|| explain(status), |message| bail!(message))
    }

    /// Hands the child's lines on until it closes its end; its own failure
    /// message is the answer.
    fn relay(&mut self, events: &Receiver<String>, limit: Duration) -> Result<Option<String>> {
        let deadline = Instant::now() + limit;
        let mut failure = None;
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            match events.recv_timeout(left) {
                Ok(line) => match serde_json::from_str(&line) {
                    Ok(Event::Fail { message, .. }) => failure = Some(message),
                    Ok(event) => self.report.send(&event)?,
                    Err(_) => eprintln!("{line}"),
                },
                Err(RecvTimeoutError::Disconnected) => return Ok(failure),
                Err(RecvTimeoutError::Timeout) => {
                    bail!("not done after {:.0} s", limit.as_secs_f64())
                }
            }
        }
    }

    /// Where each thread of a scenario that does not end is in the kernel.
    fn describe_stall(&self, name: &str, child: &Child) -> Result<()> {
        let mut text = String::new();
        let tasks = format!("/proc/{}/task", child.id());
        for task in fs::read_dir(&tasks).into_iter().flatten().flatten() {
            for file in ["comm", "stack"] {
                let content = fs::read_to_string(task.path().join(file)).unwrap_or_default();
                text.push_str(&content);
            }
            text.push('\n');
        }
        self.keep(name, "stacks.txt", &text)
    }

    /// Brings the module into the state that the scenario starts from.
    fn arrange(&self, needs: Needs) -> Result<()> {
        let loaded = module::reference_count(MODULE).is_some();
        match (needs, &self.plan.eccp_module) {
            (Needs::Nothing, _) => Ok(()),
            (Needs::Module, Some(path)) => {
                if loaded {
                    Ok(())
                } else {
                    module::load(path)
                }
            }
            (Needs::NoModule, Some(_)) if loaded => {
                module::remove(MODULE).context("unloading the module before the scenario")
            }
            (Needs::NoModule, Some(_)) => Ok(()),
            (_, None) if self.plan.transport == Transport::Tcp => Ok(()),
            (_, None) => bail!("the image carries no eccp module"),
        }
    }

    /// Waits until nothing that the scenario left behind holds the module.
    fn settle(&self, needs: Needs) -> Result<()> {
        if needs == Needs::Nothing {
            return Ok(());
        }
        let deadline = Instant::now() + SETTLE.mul_f64(self.slowness);
        loop {
            match module::reference_count(MODULE) {
                None | Some(0) => return Ok(()),
                Some(count) => ensure!(
                    Instant::now() < deadline,
                    "the module's reference count stays at {count} after the scenario"
                ),
            }
            thread::sleep(Duration::from_millis(50));
        }
    }

    fn keep(&self, scenario: &str, file: &str, text: &str) -> Result<()> {
        let directory = Path::new(ARTIFACTS).join(scenario);
        fs::create_dir_all(&directory)?;
        fs::write(directory.join(file), text)?;
        Ok(())
    }

    fn send_artifacts(&mut self) -> Result<()> {
        for directory in fs::read_dir(ARTIFACTS).into_iter().flatten() {
            let directory = directory?;
            for entry in fs::read_dir(directory.path())? {
                let path = entry?.path();
                let name = path.strip_prefix(ARTIFACTS)?.display().to_string();
                let file = File::open(&path)?;
                let length = file.metadata()?.len();
                port::send_file(&mut self.artifacts, &name, length, file)?;
            }
            fs::remove_dir_all(directory.path())?;
        }
        Ok(())
    }
}

/// The child's standard output, line by line, readable with a time limit.
fn follow(child: &mut Child) -> Result<Receiver<String>> {
    let output = child.stdout.take().context("the scenario has no output")?;
    let (sender, receiver) = channel();
    thread::spawn(move || {
        for line in BufReader::new(output).lines().map_while(Result::ok) {
            if sender.send(line).is_err() {
                break;
            }
        }
    });
    Ok(receiver)
}

fn explain(status: ExitStatus) -> Result<()> {
    ensure!(
        status.success(),
        "the scenario's process ended with {status}"
    );
    Ok(())
}

/// Collects whatever was orphaned to PID 1.
fn reap() {
    while let Ok(Some(_)) = rustix::process::wait(rustix::process::WaitOptions::NOHANG) {}
}
