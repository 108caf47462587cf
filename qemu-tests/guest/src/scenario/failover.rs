// SPDX-License-Identifier: GPL-2.0-only
//! Moves that nobody ordered: an address or a link goes away under a stream.
//!
//! ```text
//!            ┌─wifi── ap ───┐        ┌──eth0─┐
//!     client ┤   ✗          ├─ core ─┤       ├ server
//!            └─lte─── cell ─┘        └──eth1─┘
//! ```

use std::net::IpAddr;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{ensure, Context, Result};
use eccp_netlink::stats::Counter;
use eccp_netlink::FlowState;

use super::roaming::Roaming;
use crate::control::wait_until;
use crate::conversation::Load;
use crate::link;
use crate::roster::{Needs, Scenario};
use crate::stage::Stage;
use crate::stream::info;
use crate::topology::{Access, Family};

/// Longest pause in delivery when the path in use vanishes, on a quiet machine.
const FAILOVER_GAP: Duration = Duration::from_millis(1500);
/// How long the client is without any address.
const TUNNEL: Duration = Duration::from_millis(1500);

pub(super) const TABLE: &[Scenario] = &[
    scenario("address_removed", true, address_removed),
    scenario("link_down", true, link_down),
    scenario("server_address_removed", false, server_address_removed),
    scenario("no_address_for_a_while", false, no_address),
];

const fn scenario(name: &'static str, smoke: bool, run: fn(&Stage) -> Result<()>) -> Scenario {
    Scenario {
        name,
        about: "a stream does not survive the loss of its address",
        seconds: 60,
        needs: Needs::Module,
        smoke,
        run,
    }
}

fn is_lte(address: IpAddr) -> bool {
    Family::BOTH
        .map(|family| Access::LTE.address(family))
        .contains(&address)
}

fn address_removed(stage: &Stage) -> Result<()> {
    lose_wifi(stage, |roaming| {
        roaming.campus.client.run(|| {
            Access::WIFI.leave(Family::V6)?;
            Access::WIFI.leave(Family::V4)
        })
    })
}

/// The far end of the client's link goes down, so the client loses its carrier
/// and keeps its address.
fn link_down(stage: &Stage) -> Result<()> {
    lose_wifi(stage, |roaming| {
        roaming
            .campus
            .ap
            .run(|| link::set_down(Access::WIFI.interface))
    })
}

fn lose_wifi(stage: &Stage, lose: impl Fn(&Roaming) -> Result<()>) -> Result<()> {
    let load = Load::over(8, 3);
    let mut roaming = Roaming::recorded(stage, Some(load), Some(load))?;
    let before = roaming.counters()?;
    let begin = roaming.talk.wait_for_down(load.bytes / 3)?;
    lose(&roaming)?;
    let limit = stage.patience(Duration::from_secs(10));
    let path = wait_until(
        &roaming.talk.pair.client,
        "established over lte",
        limit,
        |info| is_lte(info.local) && info.state == FlowState::Established,
    )?;
    roaming.client_arrives(path.local)?;
    let end = roaming.talk.wait_for_down(load.bytes * 2 / 3)?;
    let (client, server) = roaming.growth(&before)?;
    ensure!(
        client.get(Counter::AddressesGone) >= 1,
        "client counts: {client}"
    );
    // The address list changes twice, so the flow may be sent on once more.
    let moves = client.get(Counter::MovesCompleted);
    ensure!((1..=2).contains(&moves), "client counts: {client}");
    ensure!(
        server.get(Counter::PeerMoves) == moves,
        "the client counts {client}, the server {server}"
    );
    let received = roaming
        .finish()?
        .down
        .context("the client received nothing")?;
    let gap = received.longest_gap(begin, end);
    stage.measure("longest_gap_ms", gap.as_millis() as u64);
    let limit = stage.patience(FAILOVER_GAP);
    ensure!(
        gap < limit,
        "nothing was delivered for {gap:?}, more than {limit:?}"
    );
    Ok(())
}

fn server_address_removed(stage: &Stage) -> Result<()> {
    let load = Load::over(8, 3);
    let roaming = Roaming::start(stage, Some(load), Some(load))?;
    roaming.talk.wait_for_down(load.bytes / 3)?;
    roaming.campus.server.run(|| {
        Access::FIRST.leave(Family::V6)?;
        Access::FIRST.leave(Family::V4)
    })?;
    let gone = Access::FIRST.address(Family::V4);
    let limit = stage.patience(Duration::from_secs(10));
    wait_until(
        &roaming.talk.pair.client,
        "away from the lost address",
        limit,
        |info| info.remote != gone && info.state == FlowState::Established,
    )?;
    roaming.talk.finish()?;
    Ok(())
}

/// All addresses vanish, the flow waits, one comes back, the stream goes on.
fn no_address(stage: &Stage) -> Result<()> {
    let load = Load::over(4, 3);
    let mut roaming = Roaming::start(stage, Some(load), None)?;
    let before = roaming.counters()?;
    roaming.talk.wait_for_down(load.bytes / 3)?;
    roaming.campus.client.run(|| {
        for access in [Access::LTE, Access::WIFI] {
            for family in Family::BOTH {
                access.leave(family)?;
            }
        }
        Ok(())
    })?;
    let limit = stage.patience(Duration::from_secs(5));
    wait_until(
        &roaming.talk.pair.client,
        "without an address",
        limit,
        |info| info.state == FlowState::NoAddress,
    )?;
    let silence = Instant::now();
    thread::sleep(TUNNEL);
    let state = info(&roaming.talk.pair.client)?.state;
    ensure!(
        state == FlowState::NoAddress,
        "the flow is {state:?} without any address"
    );
    roaming
        .campus
        .client
        .run(|| Access::LTE.arrive(Family::V4))?;
    roaming.client_arrives(Access::LTE.address(Family::V4))?;
    let (client, _) = roaming.growth(&before)?;
    ensure!(
        client.get(Counter::Suspensions) >= 1,
        "client counts: {client}"
    );
    let received = roaming
        .talk
        .finish()?
        .down
        .context("the client received nothing")?;
    let gap = received.longest_gap(silence, silence + TUNNEL);
    ensure!(
        gap >= TUNNEL / 2,
        "bytes came while the client had no address: {gap:?}"
    );
    Ok(())
}
