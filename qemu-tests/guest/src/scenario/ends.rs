// SPDX-License-Identifier: GPL-2.0-only
//! Connections that end: in the middle of moves, with a reset, and because the peer has
//! forgotten them.
//!
//! ```text
//!            ┌─wifi── ap ───┐        ┌──eth0─┐
//!     client ┤              ├─ core ─┤       ├ server
//!            └─lte─── cell ─┘        └──eth1─┘
//! ```

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{bail, ensure, Context, Result};
use eccp_netlink::flow::{Addition, Target};
use eccp_netlink::settings::SettingsAttribute;
use eccp_netlink::stats::Counter;
use rustix::net::sockopt;

use super::roaming::Roaming;
use crate::control::Control;
use crate::conversation::Load;
use crate::link;
use crate::namespace::Namespace;
use crate::roster::{Needs, Scenario};
use crate::stage::Stage;
use crate::stream::{info, Pair};
use crate::topology::{Access, Campus, Family};

const PORT: u16 = 7000;
/// What a host keeps that forgets everything else.
const KEY: [u8; 32] = [0x5c; 32];
/// How long the user waits for a peer that cannot prove anything.
const USER_TIMEOUT: Duration = Duration::from_secs(4);
/// How long a reset may take to be noticed on a quiet machine.
const NOTICE: Duration = Duration::from_secs(3);

pub(super) const TABLE: &[Scenario] = &[
    scenario("close_crosses_a_move", false, close_crosses),
    scenario("half_close_then_both_move", false, half_close),
    scenario("reset_in_a_move", false, reset_in_move),
    scenario("peer_restarts_with_its_key", true, restart_with_key),
    scenario(
        "peer_restarts_under_two_flows",
        false,
        restart_under_two_flows,
    ),
    scenario("peer_restarts_without_a_key", false, restart_without),
];

const fn scenario(name: &'static str, smoke: bool, run: fn(&Stage) -> Result<()>) -> Scenario {
    Scenario {
        name,
        about: "a connection does not end as it should, or its user is told something else",
        seconds: 60,
        needs: Needs::Module,
        smoke,
        run,
    }
}

/// Both ends have nothing more to say while one of them is on its way.
fn close_crosses(stage: &Stage) -> Result<()> {
    let load = Load::over(1, 1);
    let (lte, second) = (
        Access::LTE.address(Family::V4),
        Access::SECOND.address(Family::V4),
    );
    for client_moves in [true, false] {
        let mut roaming = Roaming::start(stage, Some(load), Some(load))?;
        roaming.talk.wait_for_down(load.bytes - (32 << 10))?;
        if client_moves {
            roaming.order_client(lte)?;
        } else {
            roaming.order_server(second)?;
        }
        let Roaming {
            campus: _campus,
            talk,
            mut client,
            mut server,
            ..
        } = roaming;
        talk.finish()?;
        let limit = stage.patience(Duration::from_secs(5));
        let (mover, to) = match client_moves {
            true => (&mut client, lte),
            false => (&mut server, second),
        };
        wait_drained(mover, limit, |flow| flow.local.address == Some(to))?;
        let peer = match client_moves {
            true => &mut server,
            false => &mut client,
        };
        wait_drained(peer, limit, |flow| flow.remote.address == Some(to))?;
    }
    Ok(())
}

/// Waits until the only flow of a namespace drains and is as `wanted`.
fn wait_drained(
    control: &mut Control,
    limit: Duration,
    wanted: impl Fn(&eccp_netlink::flow::Flow) -> bool,
) -> Result<()> {
    let begin = Instant::now();
    loop {
        let flows = control.flows()?;
        if matches!(&flows[..], [flow] if flow.draining && wanted(flow)) {
            return Ok(());
        }
        ensure!(
            begin.elapsed() < limit,
            "after {limit:?} the flows are {flows:?}"
        );
        thread::sleep(Duration::from_millis(5));
    }
}

/// One direction is closed, then both ends move at once.
fn half_close(stage: &Stage) -> Result<()> {
    let (small, long) = (Load::over(1, 1), Load::over(6, 3));
    let mut roaming = Roaming::start(stage, Some(long), Some(small))?;
    roaming.talk.wait_for_up(small.bytes)?;
    roaming.talk.wait_for_down(long.bytes / 2)?;
    let (ours, theirs) = (
        Access::LTE.address(Family::V4),
        Access::SECOND.address(Family::V4),
    );
    roaming.order_client(ours)?;
    roaming.order_server(theirs)?;
    roaming.expect_path(ours, theirs)?;
    roaming.talk.finish()?;
    Ok(())
}

/// A reset by the end that has just lost its address, and by the other end.
fn reset_in_move(stage: &Stage) -> Result<()> {
    for client_resets in [true, false] {
        let campus = Campus::build()?;
        let pair = connect(stage, &campus)?;
        // Only the address is gone, and another one is there.
        campus.client.run(|| {
            Access::WIFI.leave(Family::V6)?;
            Access::WIFI.leave(Family::V4)
        })?;
        let (resets, other) = match client_resets {
            true => (pair.client, pair.server),
            false => (pair.server, pair.client),
        };
        sockopt::set_socket_linger(&resets, Some(Duration::ZERO))?;
        drop(resets);
        let (error, took) = fails(&other, stage.patience(NOTICE))?;
        ensure!(
            error == libc::ECONNRESET,
            "the peer of a reset connection sees errno {error} after {took:?}"
        );
    }
    Ok(())
}

fn restart_with_key(stage: &Stage) -> Result<()> {
    let key = || vec![SettingsAttribute::ResetKey(KEY)];
    let keep = |host: &Namespace| Control::open(host)?.set(key());
    let mut campus = Campus::build()?;
    keep(&campus.server)?;
    let pair = connect(stage, &campus)?;
    let mut control = Control::open(&campus.client)?;
    lose_server(&mut campus, pair.server, keep)?;
    let (error, took) = fails(&pair.client, stage.patience(NOTICE))?;
    stage.measure("noticed_ms", took.as_millis() as u64);
    let counters = control.counters()?;
    ensure!(
        error == libc::ECONNRESET && counters.get(Counter::FlowsLost) == 1,
        "errno {error} after {took:?}: {counters}"
    );
    Ok(())
}

/// The same with a backup flow: neither flow outlives the other.
fn restart_under_two_flows(stage: &Stage) -> Result<()> {
    let key = || vec![SettingsAttribute::ResetKey(KEY)];
    let keep = |host: &Namespace| Control::open(host)?.set(key());
    let mut campus = Campus::build()?;
    keep(&campus.server)?;
    let pair = connect(stage, &campus)?;
    let mut control = Control::open(&campus.client)?;
    let first = info(&pair.client)?.local_flow_id;
    let addition = Addition {
        from: Target::Address(Access::LTE.address(Family::V4)),
        remote: None,
        backup: true,
    };
    control.client().add_flow(first, &addition)?;
    let mut server = Control::open(&campus.server)?;
    let begin = Instant::now();
    let limit = stage.patience(NOTICE);
    while server.flows()?.len() < 2 {
        ensure!(begin.elapsed() < limit, "no second flow after {limit:?}");
        thread::sleep(Duration::from_millis(5));
    }
    drop(server);
    lose_server(&mut campus, pair.server, keep)?;
    let (error, took) = fails(&pair.client, stage.patience(NOTICE))?;
    stage.measure("noticed_ms", took.as_millis() as u64);
    ensure!(
        error == libc::ECONNRESET,
        "errno {error} after {took:?}: {}",
        control.counters()?
    );
    Ok(())
}

/// Another key proves nothing: the user's own patience decides.
fn restart_without(stage: &Stage) -> Result<()> {
    let mut campus = Campus::build()?;
    let pair = connect(stage, &campus)?;
    let patience = USER_TIMEOUT.as_millis() as u32;
    sockopt::set_tcp_user_timeout(&pair.client, patience)?;
    let mut control = Control::open(&campus.client)?;
    lose_server(&mut campus, pair.server, |_| Ok(()))?;
    let limit = stage.patience(4 * USER_TIMEOUT);
    let (error, took) = fails(&pair.client, limit)?;
    let counters = control.counters()?;
    ensure!(
        error == libc::ETIMEDOUT && counters.get(Counter::DropBadToken) > 0,
        "errno {error} after {took:?}: {counters}"
    );
    ensure!(
        took > USER_TIMEOUT / 2,
        "given up after {took:?}, though {USER_TIMEOUT:?} were granted"
    );
    Ok(())
}

fn connect(stage: &Stage, campus: &Campus) -> Result<Pair> {
    let address = SocketAddr::new(Access::FIRST.address(Family::V4), PORT);
    let pair = Pair::connect(
        stage.plan.transport,
        &campus.client,
        &campus.server,
        address,
    )?;
    let mut greeting = [0; 5];
    (&pair.client).write_all(b"hello")?;
    (&pair.server).read_exact(&mut greeting)?;
    Ok(pair)
}

/// The server is switched off without a word and starts again.
fn lose_server(
    campus: &mut Campus,
    socket: TcpStream,
    prepare: impl FnOnce(&Namespace) -> Result<()>,
) -> Result<()> {
    campus.server.run(|| {
        link::set_down(Access::FIRST.interface)?;
        link::set_down(Access::SECOND.interface)
    })?;
    drop(socket);
    campus.replace_server(prepare)
}

/// Writes until that fails; the errno, and when.
fn fails(mut socket: &TcpStream, limit: Duration) -> Result<(i32, Duration)> {
    socket.set_write_timeout(Some(limit))?;
    let begin = Instant::now();
    while begin.elapsed() < limit {
        if let Err(error) = socket.write_all(b"anybody there?") {
            let number = match socket.take_error()? {
                Some(first) => first.raw_os_error(),
                None => error.raw_os_error(),
            };
            return Ok((number.context("no errno")?, begin.elapsed()));
        }
        thread::sleep(Duration::from_millis(10));
    }
    bail!("the connection still stands after {limit:?}")
}
