// SPDX-License-Identifier: GPL-2.0-only
//! Paths that are up and dead: every address and every link stays, and packets vanish in the
//! middle of the network.
//!
//! ```text
//!            ┌─wifi── ap ──✗─┐        ┌──eth0─┐
//!     client ┤               ├─ core ─┤       ├ server
//!            └─lte─── cell ──┘        └──eth1─┘
//! ```

use std::net::{IpAddr, TcpStream};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{ensure, Context, Result};
use eccp_netlink::settings::SettingsAttribute;
use eccp_netlink::stats::Counter;
use eccp_netlink::{FlowState, Policy};
use rustix::net::sockopt;

use super::roaming::Roaming;
use crate::control::wait_until;
use crate::conversation::{Conversation, Load};
use crate::link;
use crate::netem::Netem;
use crate::roster::{Needs, Scenario};
use crate::stage::Stage;
use crate::stream::info;
use crate::topology::{Access, Campus, Family};

/// Longest pause in delivery when the path in use dies, on a quiet machine.
const GAP: Duration = Duration::from_millis(1500);
/// How long everything is dead.
const BLACKOUT: Duration = Duration::from_secs(4);
/// Longest pause after one path of several dead ones is back: it is asked every two seconds.
const REVIVAL: Duration = Duration::from_millis(3500);

pub(super) const TABLE: &[Scenario] = &[
    scenario("black_hole", true, black_hole),
    scenario("black_hole_to_server", false, black_hole_to_server),
    scenario("black_hole_to_client", false, black_hole_to_client),
    scenario("black_hole_at_the_server", false, black_hole_at_the_server),
    scenario("black_hole_and_back", false, black_hole_and_back),
    scenario("black_hole_while_idle", false, black_hole_while_idle),
    scenario(
        "black_hole_seen_by_tcp_keepalive",
        false,
        black_hole_seen_by_tcp_keepalive,
    ),
    scenario(
        "all_paths_dead_and_one_back",
        false,
        all_paths_dead_and_one_back,
    ),
];

const fn scenario(name: &'static str, smoke: bool, run: fn(&Stage) -> Result<()>) -> Scenario {
    Scenario {
        name,
        about: "a stream stays on a path on which packets vanish",
        seconds: 60,
        needs: Needs::Module,
        smoke,
        run,
    }
}

/// Which way packets vanish.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Way {
    ToServer,
    ToClient,
    Both,
}

/// Makes all packets between a client's access network and the core vanish, or pass again.
pub(super) fn cut(campus: &Campus, access: Access, way: Way, dead: bool) -> Result<()> {
    let netem = Netem {
        loss: if dead { 1.0 } else { 0.0 },
        ..Netem::default()
    };
    let (router, name) = match access {
        Access::WIFI => (&campus.ap, "ap"),
        _ => (&campus.cell, "cell"),
    };
    if way != Way::ToClient {
        router.run(|| link::shape("core", &netem))?;
    }
    if way != Way::ToServer {
        campus.core.run(|| link::shape(name, &netem))?;
    }
    Ok(())
}

fn is_lte(address: IpAddr) -> bool {
    Family::BOTH
        .map(|family| Access::LTE.address(family))
        .contains(&address)
}

fn wait_for_lte(stage: &Stage, socket: &TcpStream) -> Result<()> {
    let limit = stage.patience(Duration::from_secs(10));
    wait_until(socket, "established over lte", limit, |info| {
        is_lte(info.local) && info.state == FlowState::Established
    })?;
    Ok(())
}

/// The longest pauses to the client and to the server.
fn gaps(talk: Conversation, begin: Instant, end: Instant) -> Result<[Option<Duration>; 2]> {
    let outcome = talk.finish()?;
    Ok([outcome.down, outcome.up].map(|way| way.map(|received| received.longest_gap(begin, end))))
}

fn expect_gap(stage: &Stage, name: &str, gap: Option<Duration>, limit: Duration) -> Result<()> {
    let gap = gap.context("nothing was received")?;
    stage.measure(name, gap.as_millis() as u64);
    let limit = stage.patience(limit);
    ensure!(
        gap < limit,
        "nothing was delivered for {gap:?}, more than {limit:?}"
    );
    Ok(())
}

fn black_hole(stage: &Stage) -> Result<()> {
    lose_wifi(stage, Way::Both, true, true)
}

/// Only the client's acknowledgements vanish, or only its data.
fn black_hole_to_server(stage: &Stage) -> Result<()> {
    lose_wifi(stage, Way::ToServer, true, false)?;
    lose_wifi(stage, Way::ToServer, false, true)
}

/// Only the server's data vanishes, or only its acknowledgements.
fn black_hole_to_client(stage: &Stage) -> Result<()> {
    lose_wifi(stage, Way::ToClient, true, false)?;
    lose_wifi(stage, Way::ToClient, false, true)
}

fn lose_wifi(stage: &Stage, way: Way, down: bool, up: bool) -> Result<()> {
    let load = Load::over(6, 3);
    let mut roaming = Roaming::start(stage, down.then_some(load), up.then_some(load))?;
    let before = roaming.counters()?;
    let talk = &roaming.talk;
    let begin = match down {
        true => talk.wait_for_down(load.bytes / 3)?,
        false => talk.wait_for_up(load.bytes / 3)?,
    };
    let rtt = info(&talk.pair.client)?.rtt_us / 1000;
    stage.measure("rtt_ms", rtt);
    cut(&roaming.campus, Access::WIFI, way, true)?;
    wait_for_lte(stage, &talk.pair.client)?;
    let end = match down {
        true => talk.wait_for_down(load.bytes * 2 / 3)?,
        false => talk.wait_for_up(load.bytes * 2 / 3)?,
    };
    let (client, _) = roaming.growth(&before)?;
    ensure!(
        client.get(Counter::PathFailovers) == 1 && client.get(Counter::AddressesGone) == 0,
        "client counts: {client}"
    );
    let [to_client, to_server] = gaps(roaming.talk, begin, end)?;
    if down {
        expect_gap(stage, "gap_to_client_ms", to_client, GAP)?;
    }
    if up {
        expect_gap(stage, "gap_to_server_ms", to_server, GAP)?;
    }
    Ok(())
}

/// The server's uplink dies beyond its own interface: the server has to move.
fn black_hole_at_the_server(stage: &Stage) -> Result<()> {
    let load = Load::over(6, 3);
    let roaming = Roaming::start(stage, Some(load), None)?;
    let begin = roaming.talk.wait_for_down(load.bytes / 3)?;
    let dead = Netem {
        loss: 1.0,
        ..Netem::default()
    };
    roaming.campus.shape(Access::FIRST, dead)?;
    let limit = stage.patience(Duration::from_secs(10));
    let second = Family::BOTH.map(|family| Access::SECOND.address(family));
    wait_until(
        &roaming.talk.pair.client,
        "connected to the second uplink",
        limit,
        |info| second.contains(&info.remote) && info.state == FlowState::Established,
    )?;
    let end = roaming.talk.wait_for_down(load.bytes * 2 / 3)?;
    let [to_client, _] = gaps(roaming.talk, begin, end)?;
    expect_gap(stage, "gap_to_client_ms", to_client, GAP)
}

/// The policy prefers the path that died: it is taken back when it has been good for a while.
fn black_hole_and_back(stage: &Stage) -> Result<()> {
    let load = Load::over(10, 10);
    let mut roaming = Roaming::start(stage, Some(load), None)?;
    let trust = Duration::from_millis(1500);
    roaming.client.set(vec![
        SettingsAttribute::Policy(Policy::Prefer),
        SettingsAttribute::PreferDelayMs(trust.as_millis() as u32),
    ])?;
    let before = roaming.counters()?;
    roaming.talk.wait_for_down(load.bytes / 10)?;
    cut(&roaming.campus, Access::WIFI, Way::Both, true)?;
    wait_for_lte(stage, &roaming.talk.pair.client)?;
    thread::sleep(Duration::from_secs(1));
    ensure!(
        is_lte(info(&roaming.talk.pair.client)?.local),
        "the flow went back to a dead path"
    );
    cut(&roaming.campus, Access::WIFI, Way::Both, false)?;
    let back = Instant::now();
    let begin = back;
    roaming.client_arrives(Access::WIFI.address(Family::V4))?;
    let took = back.elapsed();
    stage.measure("return_ms", took.as_millis() as u64);
    ensure!(took >= trust, "back after {took:?}, sooner than {trust:?}");
    let (client, _) = roaming.growth(&before)?;
    ensure!(
        client.get(Counter::PathReturns) == 1,
        "client counts: {client}"
    );
    let end = roaming.talk.wait_for_down(load.bytes * 9 / 10)?;
    let [to_client, _] = gaps(roaming.talk, begin, end)?;
    expect_gap(
        stage,
        "gap_of_return_ms",
        to_client,
        Duration::from_millis(500),
    )
}

/// Nothing is sent, and the connection is asked to keep itself alive.
fn black_hole_while_idle(stage: &Stage) -> Result<()> {
    let mut roaming = Roaming::start(stage, None, None)?;
    roaming
        .client
        .set(vec![SettingsAttribute::KeepaliveMs(1000)])?;
    go_idle(stage, &roaming)
}

/// The same with the socket option that every program knows.
fn black_hole_seen_by_tcp_keepalive(stage: &Stage) -> Result<()> {
    let roaming = Roaming::start(stage, None, None)?;
    let socket = &roaming.talk.pair.client;
    sockopt::set_socket_keepalive(socket, true)?;
    sockopt::set_tcp_keepidle(socket, Duration::from_secs(1))?;
    go_idle(stage, &roaming)
}

fn go_idle(stage: &Stage, roaming: &Roaming) -> Result<()> {
    thread::sleep(Duration::from_millis(500));
    cut(&roaming.campus, Access::WIFI, Way::Both, true)?;
    let begin = Instant::now();
    wait_for_lte(stage, &roaming.talk.pair.client)?;
    let took = begin.elapsed();
    stage.measure("noticed_ms", took.as_millis() as u64);
    let limit = stage.patience(Duration::from_secs(3));
    ensure!(took < limit, "the idle connection noticed after {took:?}");
    Ok(())
}

fn all_paths_dead_and_one_back(stage: &Stage) -> Result<()> {
    let load = Load::over(6, 3);
    let mut roaming = Roaming::start(stage, Some(load), Some(load))?;
    let before = roaming.counters()?;
    roaming.talk.wait_for_down(load.bytes / 3)?;
    let dead = Instant::now();
    for access in [Access::WIFI, Access::LTE] {
        cut(&roaming.campus, access, Way::Both, true)?;
    }
    thread::sleep(BLACKOUT);
    let (client, server) = roaming.growth(&before)?;
    ensure!(
        client.get(Counter::PathTroubles) == 1 && client.get(Counter::MovesStarted) == 0,
        "client counts: {client}, server: {server}"
    );
    cut(&roaming.campus, Access::LTE, Way::Both, false)?;
    let begin = Instant::now();
    let blackout = begin - dead;
    wait_for_lte(stage, &roaming.talk.pair.client)?;
    let end = roaming.talk.wait_for_down(load.bytes * 2 / 3)?;
    // The pause began with the blackout, which is not counted.
    let [to_client, to_server] =
        gaps(roaming.talk, begin, end)?.map(|gap| gap.map(|gap| gap.saturating_sub(blackout)));
    expect_gap(stage, "gap_to_client_ms", to_client, REVIVAL)?;
    expect_gap(stage, "gap_to_server_ms", to_server, REVIVAL)
}
