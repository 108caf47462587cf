// SPDX-License-Identifier: GPL-2.0-only
//! A virtual machine as a child process that cannot outlive its owner.

use std::fs;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};

use anyhow::{bail, Context, Result};
use qemu_guest::report::{ARTIFACTS_PORT, RESULTS_PORT};
use rustix::process::{set_parent_process_death_signal, Signal};

use crate::kernel::Kernel;

/// Environment variable that chooses QEMU's accelerator. Emulation is the
/// default because a `/dev/kvm` that opens may still hang on the first guest
/// instruction, and QEMU's own list of accelerators does not notice.
const ACCELERATOR: &str = "ECCP_QEMU_ACCEL";

/// The shape of a machine.
#[derive(Debug, Clone, Copy)]
pub struct Shape {
    /// Memory in MiB.
    pub memory: u32,
    /// How the guest's time passes.
    pub clock: Clock,
    /// Where its console goes.
    pub console: Console,
}

/// How the guest's time passes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Clock {
    /// With the host's, on two CPUs.
    Real,
    /// One nanosecond per instruction times two to the power of this, on one
    /// CPU: the same program takes the same time on any host.
    Instructions(u8),
}

/// Where a machine's console goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Console {
    /// Into `console.log` in the machine's directory.
    File,
    /// To the terminal of the user.
    Terminal,
}

/// A running machine.
#[derive(Debug)]
pub struct Machine {
    child: Child,
    directory: PathBuf,
}

impl Machine {
    /// Starts `kernel` on the root file system `image`; console, results and
    /// artifacts are files in `directory`.
    ///
    /// # Errors
    /// When QEMU cannot be started or the files cannot be written.
    pub fn start(kernel: &Kernel, image: &[u8], directory: &Path, shape: Shape) -> Result<Self> {
        fs::create_dir_all(directory).with_context(|| directory.display().to_string())?;
        let initrd = directory.join("image.cpio");
        fs::write(&initrd, image).with_context(|| initrd.display().to_string())?;
        let machine = Machine {
            child: Machine::command(kernel, &initrd, directory, shape)?
                .spawn()
                .with_context(|| kernel.emulator.display().to_string())?,
            directory: directory.to_owned(),
        };
        Ok(machine)
    }

    fn command(kernel: &Kernel, initrd: &Path, directory: &Path, shape: Shape) -> Result<Command> {
        let mut command = Command::new(&kernel.emulator);
        let (accelerator, cpus) = match shape.clock {
            Clock::Real => (accelerator()?, "2"),
            Clock::Instructions(_) => ("tcg,thread=single", "1"),
        };
        command.args([
            "-accel",
            accelerator,
            "-machine",
            "q35",
            "-cpu",
            "max",
            "-smp",
            cpus,
        ]);
        if let Clock::Instructions(shift) = shape.clock {
            command.args(["-icount", &format!("shift={shift},sleep=off")]);
        }
        command.args(["-nodefaults", "-display", "none", "-no-reboot", "-m"]);
        command.arg(shape.memory.to_string());
        command
            .arg("-kernel")
            .arg(&kernel.image)
            .arg("-initrd")
            .arg(initrd);
        command.args(["-append", &kernel_arguments(shape.console)]);
        match shape.console {
            Console::Terminal => command.args(["-serial", "mon:stdio"]),
            Console::File => command
                .args(["-monitor", "none", "-serial"])
                .arg(format!("file:{}", directory.join("console.log").display()))
                .stdin(Stdio::null()),
        };
        command.args(["-device", "virtio-serial-pci", "-device", "virtio-rng-pci"]);
        for (id, name, path) in [
            ("results", RESULTS_PORT, directory.join("results.jsonl")),
            ("artifacts", ARTIFACTS_PORT, directory.join("artifacts.bin")),
        ] {
            command
                .arg("-chardev")
                .arg(format!("file,id={id},path={}", path.display()));
            command.args([
                "-device",
                &format!("virtserialport,chardev={id},name={name}"),
            ]);
        }
        // SAFETY: the closure makes one system call and touches no memory of the parent.
        unsafe {
            command.pre_exec(|| Ok(set_parent_process_death_signal(Some(Signal::KILL))?));
        }
        Ok(command)
    }

    /// Where console, results and artifacts are.
    pub fn directory(&self) -> &Path {
        &self.directory
    }

    /// The exit status once the machine is off.
    ///
    /// # Errors
    /// When the process cannot be waited for.
    pub fn status(&mut self) -> Result<Option<ExitStatus>> {
        Ok(self.child.try_wait()?)
    }

    /// Waits until the machine is off.
    ///
    /// # Errors
    /// When the process cannot be waited for.
    pub fn wait(&mut self) -> Result<ExitStatus> {
        Ok(self.child.wait()?)
    }
}

impl Drop for Machine {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn kernel_arguments(console: Console) -> String {
    let level = match console {
        Console::File => 6,
        Console::Terminal => 4,
    };
    format!(
        "console=ttyS0 loglevel={level} rdinit=/init panic=-1 oops=panic softlockup_panic=1 \
         net.ifnames=0 random.trust_cpu=on"
    )
}

fn accelerator() -> Result<&'static str> {
    match std::env::var(ACCELERATOR).as_deref() {
        Err(_) | Ok("" | "tcg") => Ok("tcg,thread=multi"),
        Ok("kvm") => Ok("kvm"),
        Ok(other) => bail!("{ACCELERATOR}={other}: only tcg and kvm are known"),
    }
}
