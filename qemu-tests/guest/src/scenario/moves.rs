// SPDX-License-Identifier: GPL-2.0-only
//! Moves on command: the stream goes on at another address of either host.
//!
//! ```text
//!            ┌─wifi── ap ───┐        ┌──eth0─┐
//!     client ┤              ├─ core ─┤       ├ server
//!            └─lte─── cell ─┘        └──eth1─┘
//! ```
//! 10 ms of round-trip time over wifi, 20 ms over lte.

use std::net::IpAddr;
use std::time::Duration;

use anyhow::{ensure, Context, Result};
use eccp_netlink::stats::Counter;

use super::roaming::Roaming;
use crate::conversation::Load;
use crate::netem::Netem;
use crate::roster::{Needs, Scenario};
use crate::stage::Stage;
use crate::stream::info;
use crate::topology::{Access, Family};

/// Longest pause in delivery that a planned move may cause on a quiet machine:
/// the old path works until the new one is proven. Far more than a round trip,
/// because emulated CPUs stall by themselves.
const PLANNED_GAP: Duration = Duration::from_millis(600);

pub(super) const TABLE: &[Scenario] = &[
    scenario("planned_move", 40, true, planned_move),
    scenario("server_moves", 40, false, server_moves),
    scenario("move_v4_to_v6_and_back", 40, true, v4_to_v6),
    scenario("ten_moves_under_loss", 120, false, ten_moves),
    scenario("move_while_both_send", 40, false, both_send),
    scenario("both_ends_move_at_once", 40, false, both_move),
    scenario("half_close_then_move", 40, false, half_close),
];

const fn scenario(
    name: &'static str,
    seconds: u64,
    smoke: bool,
    run: fn(&Stage) -> Result<()>,
) -> Scenario {
    Scenario {
        name,
        about: "a stream breaks, stalls or changes when an end moves on command",
        seconds,
        needs: Needs::Module,
        smoke,
        run,
    }
}

fn planned_move(stage: &Stage) -> Result<()> {
    let load = Load::over(8, 3);
    let mut roaming = Roaming::recorded(stage, Some(load), None)?;
    let before = roaming.counters()?;
    let lte = Access::LTE.address(Family::V4);
    let wifi = Access::WIFI.address(Family::V4);
    let begin = roaming.talk.wait_for_down(load.bytes / 4)?;
    roaming.client_moves(lte)?;
    roaming.talk.wait_for_down(load.bytes / 2)?;
    roaming.client_moves(wifi)?;
    let end = roaming.talk.wait_for_down(load.bytes * 3 / 4)?;
    roaming.expect_moves(2)?;
    let (client, server) = roaming.growth(&before)?;
    ensure!(
        client.get(Counter::MovesCompleted) == 2,
        "client counts: {client}"
    );
    ensure!(
        client.get(Counter::MovesFailed) == 0,
        "client counts: {client}"
    );
    ensure!(
        server.get(Counter::PeerMoves) == 2,
        "server counts: {server}"
    );
    let outcome = roaming.finish()?;
    let received = outcome.down.context("the client received nothing")?;
    let gap = received.longest_gap(begin, end);
    stage.measure("longest_gap_ms", gap.as_millis() as u64);
    let limit = stage.patience(PLANNED_GAP);
    ensure!(
        gap < limit,
        "nothing was delivered for {gap:?}, more than {limit:?}"
    );
    Ok(())
}

fn server_moves(stage: &Stage) -> Result<()> {
    let load = Load::over(8, 3);
    let mut roaming = Roaming::recorded(stage, Some(load), None)?;
    roaming.talk.wait_for_down(load.bytes / 4)?;
    roaming.server_moves(Access::SECOND.address(Family::V4))?;
    roaming.talk.wait_for_down(load.bytes / 2)?;
    roaming.server_moves(Access::FIRST.address(Family::V4))?;
    roaming.expect_moves(2)?;
    roaming.finish()?;
    Ok(())
}

fn v4_to_v6(stage: &Stage) -> Result<()> {
    let load = Load::over(8, 3);
    let mut roaming = Roaming::recorded(stage, Some(load), Some(load))?;
    roaming.talk.wait_for_down(load.bytes / 4)?;
    roaming.client_moves(Access::LTE.address(Family::V6))?;
    let path = info(&roaming.talk.pair.client)?;
    ensure!(path.remote.is_ipv6(), "a path from IPv6 to {}", path.remote);
    roaming.talk.wait_for_down(load.bytes / 2)?;
    roaming.client_moves(Access::WIFI.address(Family::V4))?;
    let path = info(&roaming.talk.pair.client)?;
    ensure!(path.remote.is_ipv4(), "a path from IPv4 to {}", path.remote);
    roaming.finish()?;
    Ok(())
}

fn ten_moves(stage: &Stage) -> Result<()> {
    let load = Load::over(6, 6);
    let mut roaming = Roaming::recorded(stage, Some(load), None)?;
    for (access, delay) in [(Access::WIFI, 5), (Access::LTE, 10)] {
        let netem = Netem {
            delay: Duration::from_millis(delay),
            jitter: Duration::from_millis(2),
            loss: 0.05,
            duplicate: 0.05,
            reorder: 0.1,
            marks: false,
            rate: 0,
        };
        roaming.campus.shape(access, netem)?;
    }
    for number in 1..=10 {
        let access = if number % 2 == 1 {
            Access::LTE
        } else {
            Access::WIFI
        };
        roaming.talk.wait_for_down(load.bytes * number / 12)?;
        roaming
            .client_moves(access.address(Family::V4))
            .with_context(|| format!("move {number} of 10"))?;
    }
    roaming.expect_moves(10)?;
    roaming.finish()?;
    Ok(())
}

fn both_send(stage: &Stage) -> Result<()> {
    let load = Load::over(8, 3);
    let mut roaming = Roaming::recorded(stage, Some(load), Some(load))?;
    for (part, access) in [(1, Access::LTE), (2, Access::WIFI), (3, Access::LTE)] {
        roaming.talk.wait_for_up(load.bytes * part / 4)?;
        roaming.client_moves(access.address(Family::V4))?;
    }
    roaming.expect_moves(3)?;
    roaming.finish()?;
    Ok(())
}

/// Both RSYNs cross on the way. Either host keeps its old address until its
/// move is proven, so each hears the other.
fn both_move(stage: &Stage) -> Result<()> {
    let load = Load::over(8, 3);
    let mut roaming = Roaming::recorded(stage, Some(load), Some(load))?;
    for (part, ours, theirs) in [
        (1, Access::LTE, Access::SECOND),
        (2, Access::WIFI, Access::FIRST),
    ] {
        roaming.talk.wait_for_down(load.bytes * part / 3)?;
        let (ours, theirs) = (ours.address(Family::V4), theirs.address(Family::V4));
        roaming.order_client(ours)?;
        roaming.order_server(theirs)?;
        roaming.expect_path(ours, theirs)?;
    }
    roaming.finish()?;
    Ok(())
}

fn half_close(stage: &Stage) -> Result<()> {
    let small = Load::over(1, 1);
    let long = Load::over(8, 4);
    let lte: IpAddr = Access::LTE.address(Family::V4);
    for (down, up) in [(long, small), (small, long)] {
        let mut roaming = Roaming::start(stage, Some(down), Some(up))?;
        // The short direction is closed by then, the long one is half-way.
        if down.bytes > up.bytes {
            roaming.talk.wait_for_up(small.bytes)?;
            roaming.talk.wait_for_down(long.bytes / 2)?;
        } else {
            roaming.talk.wait_for_down(small.bytes)?;
            roaming.talk.wait_for_up(long.bytes / 2)?;
        }
        roaming.client_moves(lte)?;
        roaming.talk.finish()?;
    }
    Ok(())
}
