// SPDX-License-Identifier: GPL-2.0-only
//! First SYNs from invented addresses, as fast as the machine can send them.
//!
//! ```text
//!   client ──eth0──────────eth0── server ── everything else is behind the client
//!     .2          ↑                 .1
//!            the attacker
//! ```

use std::net::SocketAddr;
use std::os::fd::AsFd;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{ensure, Context, Result};
use eccp_core::wire::PacketType;
use eccp_netlink::settings::SettingsAttribute;
use eccp_netlink::stats::Counter;

use crate::capture::{Frame, Tap};
use crate::control::Control;
use crate::link::{self, Route};
use crate::random::Random;
use crate::roster::{Needs, Scenario};
use crate::stage::Stage;
use crate::stream::{connect, Listener};
use crate::topology::{Family, Wire};

const PORT: u16 = 7000;
/// Different SYNs; each is sent many times.
const KINDS: usize = 4096;
/// How long connections are counted.
const ROUND: Duration = Duration::from_secs(3);
/// Where the client's flow ID stands in a SYN.
const FLOW_ID: std::ops::Range<usize> = 12..20;

pub(super) const TABLE: &[Scenario] = &[Scenario {
    name: "clients_connect_through_a_syn_flood",
    about: "spoofed SYNs keep real clients out, or make the server keep something",
    seconds: 60,
    needs: Needs::Module,
    smoke: false,
    run: flood,
}];

fn flood(stage: &Stage) -> Result<()> {
    let wire = Wire::build()?;
    let gateway = wire.client_address(Family::V4);
    wire.server.run(|| {
        link::add_route(Route {
            destination: None,
            gateway,
            metric: 0,
            table: None,
        })
    })?;
    // What is counted are connections, not those that drain.
    for host in [&wire.client, &wire.server] {
        Control::open(host)?.set(vec![SettingsAttribute::DrainingMs(1000)])?;
    }
    let address = SocketAddr::new(wire.server_address(Family::V4), PORT);
    let listener = wire
        .server
        .run(|| Listener::bind(stage.plan.transport, address))?;
    let over = Arc::new(AtomicBool::new(false));
    let server = {
        let over = Arc::clone(&over);
        let listener = listener.as_fd().try_clone_to_owned()?;
        wire.server.spawn(move || {
            while !over.load(Ordering::Relaxed) {
                rustix::net::accept(&listener).context("accept")?;
            }
            Ok(())
        })?
    };
    let sight = Tap::open(&wire.server, "eth0")?;
    let count = |limit| connections(stage, &wire, address, limit);
    count(Duration::from_millis(200))?;
    let model = sight
        .collect(1, Duration::from_secs(5), |frame| {
            frame.kind() == PacketType::Syn as u8
        })?
        .pop()
        .context("the attacker saw no SYN")?;
    drop(sight);
    let quiet = count(ROUND)?;

    let mut control = Control::open(&wire.server)?;
    let before = control.counters()?;
    let attack = Attack::begin(stage, &wire, &model)?;
    // The attack has its effect before anything is counted.
    thread::sleep(Duration::from_millis(500));
    let (begin, sent) = (Instant::now(), attack.sent());
    let loud = count(ROUND)?;
    let speed = (attack.sent() - sent) as f64 / begin.elapsed().as_secs_f64();
    attack.end()?;
    let growth = control.counters()?.since(&before);
    over.store(true, Ordering::Relaxed);
    count(Duration::ZERO)?;
    server.join()?;

    stage.note(format!("the server counts {growth}"));
    stage.measure("connections_per_second", quiet.round());
    stage.measure("connections_per_second_in_the_flood", loud.round());
    stage.measure("spoofed_syns_per_second", speed.round());
    let answered = growth.get(Counter::CookiesSent);
    ensure!(
        answered > 1000,
        "{answered} SYNs were answered with cookies"
    );
    ensure!(
        growth.get(Counter::CookiesAccepted) as f64 >= loud * ROUND.as_secs_f64() / 2.0,
        "few connections came by a cookie: {growth}"
    );
    ensure!(
        growth.get(Counter::DropHalfOpen) == 0,
        "the half-open table is full: {growth}"
    );
    ensure!(
        2.0 * loud >= quiet,
        "{loud:.0} connections a second in the flood, {quiet:.0} without"
    );
    Ok(())
}

/// Connections a second, one after the other; at least one.
fn connections(stage: &Stage, wire: &Wire, address: SocketAddr, limit: Duration) -> Result<f64> {
    wire.client.run(|| {
        let begin = Instant::now();
        let mut count = 0;
        loop {
            connect(stage.plan.transport, address)?;
            count += 1;
            if begin.elapsed() >= limit {
                return Ok(f64::from(count) / begin.elapsed().as_secs_f64());
            }
        }
    })
}

/// A thread that sends spoofed SYNs until it is told to stop.
struct Attack {
    over: Arc<AtomicBool>,
    sent: Arc<AtomicU64>,
    thread: thread::JoinHandle<Result<()>>,
}

impl Attack {
    fn begin(stage: &Stage, wire: &Wire, model: &Frame) -> Result<Self> {
        let mut random = stage.random();
        let frames: Vec<_> = (0..KINDS).map(|_| spoof(&mut random, model)).collect();
        let tap = Tap::open(&wire.client, "eth0")?;
        let over = Arc::new(AtomicBool::new(false));
        let sent = Arc::new(AtomicU64::new(0));
        let (stop, count) = (Arc::clone(&over), Arc::clone(&sent));
        let thread = thread::spawn(move || {
            while !stop.load(Ordering::Relaxed) {
                for chunk in frames.chunks(256) {
                    tap.send_all(chunk)?;
                    count.fetch_add(chunk.len() as u64, Ordering::Relaxed);
                }
            }
            Ok(())
        });
        Ok(Attack { over, sent, thread })
    }

    fn sent(&self) -> u64 {
        self.sent.load(Ordering::Relaxed)
    }

    fn end(self) -> Result<()> {
        self.over.store(true, Ordering::Relaxed);
        let ended = self.thread.join();
        ended.map_err(|_| anyhow::anyhow!("the attacker panicked"))?
    }
}

/// The SYN of a client that does not exist.
fn spoof(random: &mut Random, model: &Frame) -> Vec<u8> {
    let mut packet = model.eccp().to_vec();
    random.fill(&mut packet[FLOW_ID]);
    let source = [
        172,
        16 + random.below(16) as u8,
        random.below(256) as u8,
        1 + random.below(254) as u8,
    ];
    model
        .with_eccp(&packet)
        .from_source(source)
        .bytes()
        .to_vec()
}
