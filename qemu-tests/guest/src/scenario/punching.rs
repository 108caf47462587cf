// SPDX-License-Identifier: GPL-2.0-only
//! A server moves on command while its client is behind a NAT that lets in only what was asked
//! for: nftables of the stock kernel.
//!
//! ```text
//!   client ──eth0─────────lan── gate ──wan────────west── core ──east────────eth0── server
//!     .2     10.20.0.0/24   .1  NAT  .1  10.30.0.0/24 .2       .1 10.40.0.0/24 .2, then .3
//! ```

use std::net::{IpAddr, SocketAddr};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{ensure, Context, Result};
use eccp_netlink::settings::SettingsAttribute;
use eccp_netlink::stats::Counter;
use eccp_netlink::Encap;

use crate::control::{wait_local, wait_remote, Control};
use crate::conversation::{Conversation, Load};
use crate::link::{self, Prefix, Route};
use crate::namespace::Namespace;
use crate::nat;
use crate::netem::Netem;
use crate::roster::{Needs, Scenario};
use crate::stage::Stage;
use crate::stream::{info, Pair};
use crate::topology::Family;

const PORT: u16 = 7000;
/// The IP protocol of native encapsulation.
const ECCP_PROTOCOL: u8 = 253;
const HOLE_PUNCH: u8 = 10;
const HOLE_PUNCH_ACK: u8 = 11;
/// How long a planned move is tried that nothing helps, in milliseconds.
const IN_VAIN: u32 = 1500;
/// How long one is tried that must succeed, on whatever machine.
const AT_LEISURE: u32 = 60_000;

pub(super) const TABLE: &[Scenario] = &[
    scenario("punching_for_a_server_that_moves", true, server_moves),
    scenario("punching_is_what_it_takes", false, nobody_punches),
    scenario("punching_while_the_nat_forgets", false, nat_forgets),
];

const fn scenario(name: &'static str, smoke: bool, run: fn(&Stage) -> Result<()>) -> Scenario {
    Scenario {
        name,
        about: "a host cannot move because its peer is behind a NAT",
        seconds: 60,
        needs: Needs::Module,
        smoke,
        run,
    }
}

struct Street {
    client: Namespace,
    gate: Namespace,
    core: Namespace,
    server: Namespace,
}

impl Street {
    fn build(keeps_ports: bool) -> Result<Self> {
        let street = Street {
            client: Namespace::create("client")?,
            gate: Namespace::create("gate")?,
            core: Namespace::create("core")?,
            server: Namespace::create("server")?,
        };
        lay(&street.client, "eth0", &street.gate, "lan", 20)?;
        lay(&street.core, "west", &street.gate, "wan", 30)?;
        lay(&street.server, "eth0", &street.core, "east", 40)?;
        street.client.run(|| default_route(20, 1))?;
        street.gate.run(|| {
            link::forward()?;
            default_route(30, 2)?;
            nat::guard(ECCP_PROTOCOL, keeps_ports)
        })?;
        street.core.run(link::forward)?;
        street.server.run(|| default_route(40, 1))?;
        Ok(street)
    }

    /// A connection from behind the NAT. Neither end ever doubts its path, so that nothing else
    /// than HOLE-PUNCH makes the client send to an address that it has not heard from.
    fn connect(&self, stage: &Stage, planned_move: u32) -> Result<Pair> {
        for host in [&self.client, &self.server] {
            Control::open(host)?.set(vec![
                SettingsAttribute::PathTimeoutMs(0),
                SettingsAttribute::PlannedMoveMs(planned_move),
            ])?;
        }
        let address = SocketAddr::new(home(), PORT);
        let pair = Pair::connect(stage.plan.transport, &self.client, &self.server, address)?;
        let seen = info(&pair.server)?;
        ensure!(
            seen.remote == outside() && seen.encap == Encap::Udp,
            "the server sees {} by {}",
            seen.remote,
            seen.encap
        );
        Ok(pair)
    }

    /// Gives the server its second address and begins to move its flow there.
    fn begin_move(&self) -> Result<()> {
        self.server
            .run(|| link::add_address("eth0", Prefix::usual(elsewhere())))?;
        let mut control = Control::open(&self.server)?;
        let flow = control.flows()?.first().and_then(|flow| flow.local_id);
        control.move_flow(flow.context("the server has no flow")?, elsewhere())?;
        Ok(())
    }
}

/// Host 1 or 2 of a network at each end of a cable, 3 ms long.
fn lay(here: &Namespace, name: &str, there: &Namespace, other: &str, network: u8) -> Result<()> {
    link::add_veth((here, name), (there, other))?;
    for (host, name, number) in [(here, name, 2), (there, other, 1)] {
        host.run(|| {
            link::add_address(name, Prefix::usual(Family::V4.host(network, number)))?;
            link::set_up(name)?;
            link::shape(name, &Netem::delay(Duration::from_millis(3)))
        })?;
    }
    Ok(())
}

fn default_route(network: u8, router: u8) -> Result<()> {
    link::add_route(Route {
        destination: None,
        gateway: Family::V4.host(network, router),
        metric: 0,
        table: None,
    })
}

/// The client's address as others see it.
fn outside() -> IpAddr {
    Family::V4.host(30, 1)
}

fn home() -> IpAddr {
    Family::V4.host(40, 2)
}

fn elsewhere() -> IpAddr {
    Family::V4.host(40, 3)
}

/// Waits until a counter of a host has come to `least`.
fn wait_counter(host: &Namespace, counter: Counter, least: u64, limit: Duration) -> Result<()> {
    let mut control = Control::open(host)?;
    let begin = Instant::now();
    loop {
        let counted = control.counters()?;
        if counted.get(counter) >= least {
            return Ok(());
        }
        ensure!(begin.elapsed() < limit, "{counter} is missing in {counted}");
        thread::sleep(Duration::from_millis(5));
    }
}

/// A NAT that gives every destination a port of its own.
fn server_moves(stage: &Stage) -> Result<()> {
    let street = Street::build(false)?;
    let pair = street.connect(stage, AT_LEISURE)?;
    let load = Load::over(6, 3);
    let patience = stage.patience(Duration::from_secs(15));
    let talk = Conversation::start(pair, &stage.random(), Some(load), Some(load), patience)?;
    talk.wait_for_down(load.bytes / 4)?;
    let begin = Instant::now();
    street.begin_move()?;
    wait_local(&talk.pair.server, elsewhere(), patience)?;
    stage.measure("moved_ms", begin.elapsed().as_millis() as u64);
    wait_remote(&talk.pair.client, elsewhere(), patience)?;
    talk.finish()?;
    let server = Control::open(&street.server)?.counters()?;
    let client = Control::open(&street.client)?.counters()?;
    ensure!(
        server.get(Counter::PunchesSent) >= 1 && server.get(Counter::MovesCompleted) == 1,
        "the server counts {server}"
    );
    ensure!(
        client.get(Counter::PunchesAnswered) >= 1 && client.get(Counter::PunchesRefused) == 0,
        "the client counts {client}"
    );
    Ok(())
}

/// The same where nobody can ask: the move is given up, the stream goes on along the old path.
fn nobody_punches(stage: &Stage) -> Result<()> {
    let street = Street::build(true)?;
    street.core.run(|| nat::censor(HOLE_PUNCH))?;
    let pair = street.connect(stage, IN_VAIN)?;
    let load = Load::over(6, 3);
    let patience = stage.patience(Duration::from_secs(15));
    let talk = Conversation::start(pair, &stage.random(), Some(load), Some(load), patience)?;
    talk.wait_for_down(load.bytes / 4)?;
    street.begin_move()?;
    wait_counter(&street.server, Counter::MovesFailed, 1, patience)?;
    wait_local(&talk.pair.server, home(), patience)?;
    talk.finish()?;
    let server = Control::open(&street.server)?.counters()?;
    let client = Control::open(&street.client)?.counters()?;
    ensure!(
        server.get(Counter::PunchesSent) >= 1 && client.get(Counter::PunchesAnswered) == 0,
        "the server counts {server}, the client {client}"
    );
    Ok(())
}

/// The NAT forgets everything after it was opened and before an RSYN has come through, and gives
/// other ports from then on: the server follows its client, and asks again.
fn nat_forgets(stage: &Stage) -> Result<()> {
    let street = Street::build(false)?;
    let pair = street.connect(stage, AT_LEISURE)?;
    let load = Load::over(8, 4);
    let patience = stage.patience(Duration::from_secs(15));
    let talk = Conversation::start(pair, &stage.random(), Some(load), Some(load), patience)?;
    talk.wait_for_down(load.bytes / 4)?;
    // Without it the server does not learn the port that was opened.
    street.server.run(|| nat::censor(HOLE_PUNCH_ACK))?;
    street.begin_move()?;
    wait_counter(&street.client, Counter::PunchesAnswered, 1, patience)?;
    street.gate.run(nat::flush)?;
    wait_counter(&street.server, Counter::Rebindings, 1, patience)?;
    let middle = info(&talk.pair.server)?;
    ensure!(middle.local == home(), "the server has moved already");
    street.server.run(nat::uncensor)?;
    wait_local(&talk.pair.server, elsewhere(), patience)?;
    wait_remote(&talk.pair.client, elsewhere(), patience)?;
    talk.finish()?;
    let server = Control::open(&street.server)?.counters()?;
    ensure!(
        server.get(Counter::MovesCompleted) == 1 && server.get(Counter::MovesFailed) == 0,
        "the server counts {server}"
    );
    Ok(())
}
