// SPDX-License-Identifier: GPL-2.0-only
//! What a byte costs. On one CPU whose time is its count of instructions, the
//! time that a saturated transfer takes is its cost, whatever the host does.
//!
//! ```text
//!   client ──eth0──────────eth0── server        one stream, upwards
//! ```

use std::fs;
use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{anyhow, bail, ensure, Context, Result};
use eccp_netlink::settings::SettingsAttribute;
use eccp_netlink::Encap;
use serde::{Deserialize, Serialize};

use crate::control::Control;
use crate::plan::{Task, Transport};
use crate::roster::{self, Needs, Scenario};
use crate::stage::Stage;
use crate::stream::Pair;
use crate::topology::{Family, Wire};
use crate::traffic::BLOCK;

/// Bytes before the measurement begins: slow start and the growth of buffers.
const WARM_UP: u64 = 48 << 20;
/// How often each way is measured; the ways take turns.
const ROUNDS: usize = 3;
/// A transfer during which the CPU was idle for more than this part of the
/// time was waiting, so its time is no cost.
const MOST_IDLE: f64 = 0.02;

pub(crate) const SCENARIO: Scenario = Scenario {
    name: roster::BENCH,
    about: "the cost of a byte could not be measured",
    seconds: 3600,
    needs: Needs::Module,
    smoke: false,
    run,
};

/// One way to send bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Way {
    /// The kernel's own TCP: the yardstick.
    Tcp,
    /// AF_ECCP in IP.
    EccpNative,
    /// AF_ECCP in UDP.
    EccpUdp,
}

/// One measured transfer.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Sample {
    /// How the bytes went.
    pub way: Way,
    /// Version of the Internet Protocol: 4 or 6.
    pub ip: u8,
    /// Bytes that were measured.
    pub bytes: u64,
    /// Time that they took, in nanoseconds of the guest's clock.
    pub nanoseconds: u64,
}

fn run(stage: &Stage) -> Result<()> {
    let Task::Bench { bytes } = stage.plan.task else {
        bail!("the plan asks for no benchmark");
    };
    // The first transfer pays for the page cache and for what the boot left to do.
    measure(Way::Tcp, Family::V4, bytes).context("the transfer that is not counted")?;
    for _ in 0..ROUNDS {
        for family in Family::BOTH {
            for way in [Way::Tcp, Way::EccpNative, Way::EccpUdp] {
                let sample = measure(way, family, bytes)
                    .with_context(|| format!("{way:?} over IP{family:?}"))?;
                stage.measure("sample", serde_json::to_value(sample)?);
            }
        }
    }
    Ok(())
}

fn measure(way: Way, family: Family, bytes: u64) -> Result<Sample> {
    let wire = Wire::build()?;
    let (transport, encap) = match way {
        Way::Tcp => (Transport::Tcp, None),
        Way::EccpNative => (Transport::Eccp, Some(Encap::Native)),
        Way::EccpUdp => (Transport::Eccp, Some(Encap::Udp)),
    };
    if let Some(encap) = encap {
        for host in [&wire.client, &wire.server] {
            Control::open(host)?.set(vec![SettingsAttribute::Encap(encap)])?;
        }
    }
    let address = SocketAddr::new(wire.server_address(family), 7000);
    let Pair { client, server } = Pair::connect(transport, &wire.client, &wire.server, address)?;
    let sender = thread::spawn(move || flood(&client, WARM_UP + bytes));
    let (elapsed, idle) = absorb(&server, bytes)?;
    sender
        .join()
        .map_err(|_| anyhow!("the sender panicked"))??;
    ensure!(
        idle.as_secs_f64() <= elapsed.as_secs_f64() * MOST_IDLE,
        "the CPU was idle for {idle:?} of {elapsed:?}"
    );
    Ok(Sample {
        way,
        ip: if family == Family::V4 { 4 } else { 6 },
        bytes,
        nanoseconds: elapsed.as_nanos() as u64,
    })
}

fn flood(mut stream: &TcpStream, mut bytes: u64) -> Result<()> {
    let block = vec![0x5a; BLOCK];
    while bytes > 0 {
        let length = bytes.min(BLOCK as u64) as usize;
        stream.write_all(&block[..length])?;
        bytes -= length as u64;
    }
    stream.shutdown(Shutdown::Write)?;
    Ok(())
}

/// Reads everything; the time that the part after the warm-up took, and how
/// long the CPU was idle meanwhile.
fn absorb(mut stream: &TcpStream, bytes: u64) -> Result<(Duration, Duration)> {
    let mut buffer = vec![0; BLOCK];
    let mut total = 0;
    let mut begin = None;
    loop {
        let length = stream.read(&mut buffer)?;
        if length == 0 {
            break;
        }
        total += length as u64;
        if begin.is_none() && total >= WARM_UP {
            begin = Some((Instant::now(), idle_time()?));
        }
    }
    ensure!(
        total == WARM_UP + bytes,
        "{total} bytes came of {}",
        WARM_UP + bytes
    );
    let (instant, idle) = begin.context("the transfer ended in its warm-up")?;
    Ok((instant.elapsed(), idle_time()?.saturating_sub(idle)))
}

/// How long the CPUs have been idle since power-on.
fn idle_time() -> Result<Duration> {
    let text = fs::read_to_string("/proc/uptime")?;
    let idle = text.split_whitespace().nth(1).context("/proc/uptime")?;
    Ok(Duration::from_secs_f64(idle.parse()?))
}
