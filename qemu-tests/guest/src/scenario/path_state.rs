// SPDX-License-Identifier: GPL-2.0-only
//! What TCP learns of a path stays with the path: packet size and congestion window.
//!
//! ```text
//!            ┌─wifi── ap ◄─1280─┐        ┌──eth0─┐
//!     client ┤                  ├─ core ─┤       ├ server
//!            └─lte─── cell ─────┘        └──eth1─┘
//! ```

use std::thread;
use std::time::{Duration, Instant};

use anyhow::{ensure, Context, Result};
use eccp_netlink::flow::Flow;
use eccp_netlink::settings::SettingsAttribute;
use eccp_netlink::stats::Counter;

use super::roaming::Roaming;
use crate::conversation::Load;
use crate::link;
use crate::nat;
use crate::roster::{Needs, Scenario};
use crate::stage::Stage;
use crate::topology::{Access, Family};

/// IP protocol of ICMP.
const ICMP: u8 = 1;
/// What passes in the middle of the network once it has shrunk.
const SMALL: u32 = 1280;
/// Longest pause in delivery when large packets pass no more, on a quiet machine.
const GAP: Duration = Duration::from_millis(1500);
/// The same, if nobody says so.
const SILENT_GAP: Duration = Duration::from_millis(4500);
/// Slow-start threshold of a path of which nothing is known.
const UNKNOWN: u32 = i32::MAX as u32;

pub(super) const TABLE: &[Scenario] = &[
    scenario("mtu_shrinks", false, mtu_shrinks),
    scenario("mtu_shrinks_and_nobody_says_so", true, mtu_shrinks_silently),
    scenario("mtu_grows_again", false, mtu_grows),
    scenario("window_of_a_path_is_kept", false, window_is_kept),
];

const fn scenario(name: &'static str, smoke: bool, run: fn(&Stage) -> Result<()>) -> Scenario {
    Scenario {
        name,
        about: "what was learnt of one path is used on another",
        seconds: 60,
        needs: Needs::Module,
        smoke,
        run,
    }
}

fn mtu_shrinks(stage: &Stage) -> Result<()> {
    shrink(stage, false)
}

fn mtu_shrinks_silently(stage: &Stage) -> Result<()> {
    shrink(stage, true)
}

/// The server's flow as netlink shows it.
fn sender(roaming: &mut Roaming) -> Result<Flow> {
    let flows = roaming.server.flows()?;
    flows.into_iter().next().context("the server has no flow")
}

fn shrink(stage: &Stage, silent: bool) -> Result<()> {
    let load = Load::over(8, 8);
    let mut roaming = Roaming::start(stage, Some(load), None)?;
    let before = roaming.counters()?;
    let begin = roaming.talk.wait_for_down(load.bytes / 8)?;
    roaming.campus.core.run(|| {
        if silent {
            nat::silence(ICMP)?;
        }
        link::set_mtu("ap", SMALL)
    })?;
    let end = roaming.talk.wait_for_down(load.bytes / 2)?;
    let small = sender(&mut roaming)?.mtu;
    ensure!(
        small.is_some_and(|mtu| mtu <= SMALL),
        "the server sends packets of {small:?} bytes"
    );
    let (_, server) = roaming.growth(&before)?;
    let holes = server.get(Counter::MtuBlackHoles);
    ensure!((holes > 0) == silent, "the server counts {server}");
    // The other path is as wide as ever.
    roaming.client_moves(Access::LTE.address(Family::V4))?;
    roaming.talk.wait_for_down(load.bytes * 3 / 4)?;
    let large = sender(&mut roaming)?.mtu;
    ensure!(
        large == Some(1500),
        "after the move the server sends packets of {large:?} bytes"
    );
    let outcome = roaming.talk.finish()?;
    let gap = outcome
        .down
        .context("the client received nothing")?
        .longest_gap(begin, end);
    stage.measure("gap_to_client_ms", gap.as_millis() as u64);
    let limit = stage.patience(if silent { SILENT_GAP } else { GAP });
    ensure!(gap < limit, "nothing was delivered for {gap:?}");
    Ok(())
}

/// Large packets vanish for a while, and nobody says so. Later they pass again: packets grow, on
/// the same path and without a stop.
fn mtu_grows(stage: &Stage) -> Result<()> {
    // More than the waits need; it is broken off.
    let load = Load::over(180, 60);
    let mut roaming = Roaming::start(stage, Some(load), None)?;
    roaming.talk.wait_for_down(1 << 20)?;
    roaming.campus.core.run(|| {
        nat::silence(ICMP)?;
        link::set_mtu("ap", SMALL)
    })?;
    let limit = stage.patience(SILENT_GAP);
    wait_mtu(&mut roaming, "small", limit, |mtu| mtu <= SMALL)?;
    roaming.campus.core.run(|| link::set_mtu("ap", 1500))?;
    roaming
        .server
        .set(vec![SettingsAttribute::MtuRaiseMs(100)])?;
    wait_mtu(&mut roaming, "large", limit, |mtu| mtu > 1400)?;
    roaming.talk.abandon();
    Ok(())
}

/// Waits until the server's packets are as `wanted`.
fn wait_mtu(
    roaming: &mut Roaming,
    what: &str,
    limit: Duration,
    wanted: impl Fn(u32) -> bool,
) -> Result<()> {
    let begin = Instant::now();
    loop {
        let mtu = sender(roaming)?.mtu;
        if mtu.is_some_and(&wanted) {
            return Ok(());
        }
        ensure!(
            begin.elapsed() < limit,
            "packets of {mtu:?} bytes are not {what} after {limit:?}"
        );
        thread::sleep(Duration::from_millis(5));
    }
}

fn window_is_kept(stage: &Stage) -> Result<()> {
    let load = Load::over(24, 6);
    let mut roaming = Roaming::start(stage, Some(load), None)?;
    roaming.talk.wait_for_down(load.bytes / 4)?;
    let first = sender(&mut roaming)?;
    let learnt = first.cwnd.context("a flow without a window")?;
    stage.measure("cwnd_before", learnt);
    ensure!(learnt > 10, "the window never grew: {learnt}");
    roaming.client_moves(Access::LTE.address(Family::V4))?;
    let fresh = sender(&mut roaming)?;
    ensure!(
        fresh.ssthresh == Some(UNKNOWN),
        "a new path has the threshold {:?}",
        fresh.ssthresh
    );
    roaming.talk.wait_for_down(load.bytes / 2)?;
    roaming.client_moves(Access::WIFI.address(Family::V4))?;
    let back = sender(&mut roaming)?;
    let (cwnd, ssthresh) = (back.cwnd.unwrap_or(0), back.ssthresh.unwrap_or(0));
    stage.measure("cwnd_after", cwnd);
    stage.measure("ssthresh_after", ssthresh);
    ensure!(
        cwnd >= learnt / 2 || (learnt / 2..UNKNOWN).contains(&ssthresh),
        "back on the first path the window is {cwnd}, the threshold {ssthresh}, after {learnt}"
    );
    roaming.talk.finish()?;
    Ok(())
}
