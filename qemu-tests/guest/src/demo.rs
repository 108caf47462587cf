// SPDX-License-Identifier: GPL-2.0-only
//! The demonstration: a file comes over AF_ECCP and over TCP at the same time,
//! while the client changes its network as a person with a telephone does.
//!
//! The network is [`Campus`]: 20 ms of round-trip time over wifi, 50 ms over lte.

mod download;
mod journey;

use std::fs::File;
use std::io::{BufWriter, Write};
use std::net::SocketAddr;
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{bail, ensure, Context, Result};
use serde_json::json;
use sha2::{Digest, Sha256};

use self::download::Download;
use crate::boot;
use crate::netem::Netem;
use crate::plan::{Task, Transport};
use crate::roster::{self, Needs, Scenario};
use crate::stage::Stage;
use crate::topology::{Access, Campus, Family};
use crate::traffic::{hex, Pattern};

/// One-way delays of the access networks.
const WIFI_DELAY: Duration = Duration::from_millis(10);
const LTE_DELAY: Duration = Duration::from_millis(25);
/// Bytes per second that each server sends: a good wireless link, and slow
/// enough for an emulated CPU to carry both transfers.
const RATE: u64 = 12 << 20;
/// Width of the steps of the throughput curves.
const STEP: Duration = Duration::from_millis(200);
const FILE: &str = "/tmp/file";
const COPY: &str = "/tmp/copy";

pub(crate) const SCENARIO: Scenario = Scenario {
    name: roster::DEMO,
    about: "the file does not arrive, or TCP survives what only ECCP should",
    seconds: 300,
    needs: Needs::Module,
    smoke: false,
    run,
};

fn run(stage: &Stage) -> Result<()> {
    let Task::Demo { bytes } = stage.plan.task else {
        bail!("the plan asks for no demonstration");
    };
    let digest = write_file(Path::new(FILE), Pattern::new(stage.random(), bytes))?;
    stage.note(format!(
        "the server has a file of {} MiB, SHA-256 {}…",
        bytes >> 20,
        &digest[..16]
    ));
    let campus = Campus::build()?;
    campus.shape(Access::WIFI, Netem::delay(WIFI_DELAY))?;
    campus.shape(Access::LTE, Netem::delay(LTE_DELAY))?;

    let server = Access::FIRST.address(Family::V4);
    let start = |transport, port| {
        let address = SocketAddr::new(server, port);
        let copy = format!("{COPY}-{port}");
        Download::start(&campus, transport, address, Path::new(FILE), RATE, copy)
    };
    let begin = Instant::now();
    let eccp = start(stage.plan.transport, 7000)?;
    let tcp = start(Transport::Tcp, 7001)?;
    let moves = journey::travel(stage, &campus, &eccp, bytes)?;
    let eccp = eccp.finish().context("the transfer over AF_ECCP")?;
    let end = Instant::now();
    let tcp = tcp.give_up()?;

    let copy = digest_of(&eccp.copy)?;
    let result = json!({
        "kernel": boot::kernel_release(),
        "sha256_ok": copy == digest,
        "sha256_sent": digest,
        "sha256_received": copy,
        "bytes": eccp.received.bytes,
        "seconds": (end - begin).as_secs_f64(),
        "moves": moves
            .iter()
            .map(|step| step.report(&eccp.received, begin))
            .collect::<Vec<_>>(),
        "tcp_survived": tcp.received.bytes == bytes && digest_of(&tcp.copy)? == digest,
        "tcp_bytes": tcp.received.bytes,
        "tcp_end": tcp.end,
        "curve_step_ms": STEP.as_millis() as u64,
        "eccp_curve": eccp.received.curve(begin, end, STEP),
        "tcp_curve": tcp.received.curve(begin, end, STEP),
    });
    serde_json::to_writer(File::create(stage.artifact("result.json")?)?, &result)?;
    ensure!(copy == digest, "the copy's SHA-256 is {copy}");
    Ok(())
}

fn write_file(path: &Path, mut pattern: Pattern) -> Result<String> {
    let mut file = BufWriter::new(File::create(path)?);
    let mut hash = Sha256::new();
    while let Some(block) = pattern.next_block() {
        file.write_all(block)?;
        hash.update(block);
    }
    file.flush()?;
    Ok(hex(&hash.finalize()))
}

fn digest_of(path: &Path) -> Result<String> {
    let mut hash = Sha256::new();
    std::io::copy(&mut File::open(path)?, &mut hash)?;
    Ok(hex(&hash.finalize()))
}
