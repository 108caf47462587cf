// SPDX-License-Identifier: GPL-2.0-only
//! Many connections, and connections that outlive their owners.
//!
//! ```text
//!   client ──eth0──────────eth0── server
//! ```

use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{anyhow, ensure, Context, Result};
use eccp_netlink::stats::Counter;

use crate::control::Control;
use crate::plan::Transport;
use crate::roster::{Needs, Scenario};
use crate::stage::Stage;
use crate::stream::{connect, Listener, Pair};
use crate::topology::{Family, Wire};

const SHORT_CONNECTIONS: usize = 3000;
const WORKERS: usize = 4;
const LIVE_FLOWS: usize = 20;
const PORT: u16 = 7000;

pub(super) const TABLE: &[Scenario] = &[
    Scenario {
        name: "thousands_of_short_connections",
        about: "a connection of thousands fails, or leaves something behind",
        seconds: 120,
        needs: Needs::Module,
        smoke: false,
        run: short_connections,
    },
    Scenario {
        name: "namespace_deleted_with_live_flows",
        about: "flows keep a deleted namespace, or the module, alive or crash",
        seconds: 40,
        needs: Needs::Module,
        smoke: true,
        run: namespace_deleted,
    },
];

fn short_connections(stage: &Stage) -> Result<()> {
    let wire = Wire::build()?;
    let transport = stage.plan.transport;
    let address = SocketAddr::new(wire.server_address(Family::V4), PORT);
    let listener = wire.server.run(|| Listener::bind(transport, address))?;
    let mut control = (transport == Transport::Eccp)
        .then(|| Control::open(&wire.server))
        .transpose()?;
    let server = wire.server.spawn(move || {
        for _ in 0..SHORT_CONNECTIONS {
            let stream = listener.accept().context("accept")?;
            thread::spawn(move || echo(&stream));
        }
        Ok(())
    })?;
    let begin = Instant::now();
    let number = Arc::new(AtomicUsize::new(0));
    let workers = (0..WORKERS)
        .map(|_| {
            let number = Arc::clone(&number);
            wire.client.spawn(move || loop {
                let mine = number.fetch_add(1, Ordering::Relaxed);
                if mine >= SHORT_CONNECTIONS {
                    return Ok(());
                }
                ask(&connect(transport, address)?, mine as u64)
                    .with_context(|| format!("connection {mine} of {SHORT_CONNECTIONS}"))?;
            })
        })
        .collect::<Result<Vec<_>>>()?;
    for worker in workers {
        worker.join()?;
    }
    server.join()?;
    let rate = SHORT_CONNECTIONS as f64 / begin.elapsed().as_secs_f64();
    stage.measure("connections_per_second", rate.round());
    if let Some(control) = &mut control {
        let counters = control.counters()?;
        let accepts = counters.get(Counter::Accepts);
        ensure!(
            accepts == SHORT_CONNECTIONS as u64,
            "{accepts} connections were accepted: {counters}"
        );
    }
    Ok(())
}

/// Sends a number and expects it back, then the end of the stream.
fn ask(mut stream: &TcpStream, number: u64) -> Result<()> {
    stream.set_read_timeout(Some(Duration::from_secs(60)))?;
    stream.write_all(&number.to_be_bytes())?;
    stream.shutdown(Shutdown::Write)?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer)?;
    ensure!(
        answer == number.to_be_bytes(),
        "{number} came back as {answer:?}"
    );
    Ok(())
}

fn echo(mut stream: &TcpStream) -> Result<()> {
    let mut question = Vec::new();
    stream.read_to_end(&mut question)?;
    stream.write_all(&question)?;
    Ok(())
}

/// Both namespaces go while data is on its way in both directions: first the
/// client's, whose sockets were closed just before, then the server's.
fn namespace_deleted(stage: &Stage) -> Result<()> {
    let wire = Wire::build()?;
    let address = SocketAddr::new(wire.server_address(Family::V4), PORT);
    let pairs = (0..LIVE_FLOWS)
        .map(|_| Pair::connect(stage.plan.transport, &wire.client, &wire.server, address))
        .collect::<Result<Vec<_>>>()?;
    let (clients, servers): (Vec<_>, Vec<_>) = pairs
        .into_iter()
        .map(|pair| (pair.client, pair.server))
        .unzip();
    for stream in clients.iter().chain(&servers) {
        fill(stream)?;
    }
    let Wire { client, server } = wire;
    drop(clients);
    client.delete();
    let waiting: Vec<_> = servers
        .into_iter()
        .map(|stream| thread::spawn(move || drain_a_little(&stream)))
        .collect();
    for thread in waiting {
        thread.join().map_err(|_| anyhow!("a reader panicked"))?;
    }
    server.delete();
    Ok(())
}

/// Writes until the socket's buffer is full.
fn fill(mut stream: &TcpStream) -> Result<()> {
    stream.set_nonblocking(true)?;
    let block = [0x5a; 4096];
    let mut total = 0;
    while let Ok(length) = stream.write(&block) {
        total += length;
        // Buffers grow while the peer's have room; this much is enough to be under way.
        if total > 1 << 20 {
            break;
        }
    }
    ensure!(total > 0, "nothing could be sent on a new connection");
    stream.set_nonblocking(false)?;
    Ok(())
}

/// The peer's namespace is gone: whatever was received is still readable, and
/// nothing hangs for longer than the time-out.
fn drain_a_little(mut stream: &TcpStream) {
    let _ = stream.set_read_timeout(Some(Duration::from_millis(500)));
    let mut buffer = vec![0; 1 << 16];
    while matches!(stream.read(&mut buffer), Ok(length) if length > 0) {}
}
