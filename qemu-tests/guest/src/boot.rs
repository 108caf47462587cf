// SPDX-License-Identifier: GPL-2.0-only
//! What PID 1 does before anything can be tested.

use std::ffi::CString;
use std::fs;
use std::io;
use std::net::UdpSocket;
use std::os::fd::AsRawFd;
use std::process::Command;

use anyhow::{Context, Result};
use rustix::mount::{mount, MountFlags};
use rustix::system::{reboot, sethostname, uname, RebootCommand};

/// Source, target and type of every file system the scenarios rely on. Source
/// of a tmpfs is its size; the demonstration needs most of the memory in `/tmp`.
const MOUNTS: [(&str, &str, &str); 7] = [
    ("proc", "/proc", "proc"),
    ("sysfs", "/sys", "sysfs"),
    ("devtmpfs", "/dev", "devtmpfs"),
    ("size=10%", "/run", "tmpfs"),
    ("size=90%", "/tmp", "tmpfs"),
    ("debugfs", "/sys/kernel/debug", "debugfs"),
    ("tracefs", "/sys/kernel/tracing", "tracefs"),
];

/// Mounts the usual file systems and names the machine.
///
/// # Errors
/// When one of the mounts fails.
pub fn prepare() -> Result<()> {
    for (source, target, kind) in MOUNTS {
        fs::create_dir_all(target).with_context(|| target.to_owned())?;
        let options = (kind == "tmpfs")
            .then(|| CString::new(source))
            .transpose()?;
        match mount(
            source,
            target,
            kind,
            MountFlags::empty(),
            options.as_deref(),
        ) {
            // The kernel mounts devtmpfs by itself when it is configured to.
            Ok(()) | Err(rustix::io::Errno::BUSY) => {}
            Err(error) => return Err(error).with_context(|| format!("mount {kind} on {target}")),
        }
    }
    fs::create_dir_all("/dev/pts")?;
    mount("devpts", "/dev/pts", "devpts", MountFlags::empty(), None).context("mount devpts")?;
    sethostname(b"eccp-guest")?;
    Ok(())
}

/// Sockets that keep the kernel's code for UDP encapsulation patched in.
///
/// The first and the last such socket of a machine rewrite kernel code while
/// the other CPU may run it. QEMU's emulation of two CPUs can execute the
/// breakpoint of that rewriting after it is over, which the kernel takes for a
/// bug; every scenario would be a chance for it.
///
/// # Errors
/// When the kernel refuses the sockets or the option.
pub fn hold_encapsulation() -> Result<[UdpSocket; 2]> {
    /// UDP_ENCAP and UDP_ENCAP_L2TPINUDP of include/uapi/linux/udp.h.
    const ENCAP: i32 = 100;
    static L2TP: i32 = 3;
    let sockets = [UdpSocket::bind("127.0.0.1:0")?, UdpSocket::bind("[::1]:0")?];
    for socket in &sockets {
        // SAFETY: the pointer and the length are those of a live integer.
        let result = unsafe {
            libc::setsockopt(
                socket.as_raw_fd(),
                libc::SOL_UDP,
                ENCAP,
                (&raw const L2TP).cast(),
                size_of_val(&L2TP) as u32,
            )
        };
        if result != 0 {
            return Err(io::Error::last_os_error()).context("UDP_ENCAP");
        }
    }
    Ok(sockets)
}

/// The release of the running kernel.
pub fn kernel_release() -> String {
    uname().release().to_string_lossy().into_owned()
}

/// Seconds since power-on.
pub fn uptime() -> f64 {
    fs::read_to_string("/proc/uptime")
        .ok()
        .and_then(|text| text.split_whitespace().next()?.parse().ok())
        .unwrap_or(0.0)
}

/// How much slower than a quiet machine this one is, at least 1. Every
/// time-out of a scenario is multiplied with it.
pub fn slowness() -> f64 {
    /// Seconds from power-on to PID 1 on a quiet machine with emulated CPUs.
    const QUIET: f64 = 4.0;
    (uptime() / QUIET).max(1.0)
}

/// Gives the console to a person until they leave the shell.
///
/// # Errors
/// When the image has no busybox.
pub fn shell() -> Result<()> {
    Command::new("/bin/busybox")
        .args(["--install", "-s", "/bin"])
        .status()
        .context("/bin/busybox")?;
    Command::new("/bin/setsid")
        .args(["-c", "/bin/sh", "-l"])
        .env("PATH", "/bin")
        .env("HOME", "/")
        .env("PS1", "guest# ")
        .status()
        .context("/bin/sh")?;
    Ok(())
}

/// Switches the machine off; returns only when the kernel refuses.
pub fn power_off() {
    rustix::fs::sync();
    let _ = reboot(RebootCommand::PowerOff);
    let _ = reboot(RebootCommand::Restart);
}
