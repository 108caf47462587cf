// SPDX-License-Identifier: GPL-2.0-only
//! Both ends lose the address that the other knows, at the same time.
//!
//! ```text
//!            ┌─wifi── ap ───┐        ┌──eth0─┐
//!     client ┤   ✗          ├─ core ─┤  ✗    ├ server
//!            └─lte─── cell ─┘        └──eth1─┘
//! ```

use std::io::{ErrorKind, Read};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use anyhow::{bail, ensure, Context, Result};
use rustix::net::sockopt;

use super::roaming::Roaming;
use crate::conversation::Load;
use crate::roster::{Needs, Scenario};
use crate::stage::Stage;
use crate::stream::Pair;
use crate::topology::{Access, Campus, Family};

const PORT: u16 = 7000;
/// How long the users wait for an answer.
const USER_TIMEOUT: Duration = Duration::from_secs(3);

pub(super) const TABLE: &[Scenario] = &[
    scenario("both_lose_their_address_and_have_another", alternatives),
    scenario("both_lose_each_other", nothing),
];

const fn scenario(name: &'static str, run: fn(&Stage) -> Result<()>) -> Scenario {
    Scenario {
        name,
        about:
            "two hosts that move at once do not find each other, or wait longer than they should",
        seconds: 60,
        needs: Needs::Module,
        smoke: false,
        run,
    }
}

/// Takes all addresses of an access network away.
pub(super) fn leave(access: Access) -> Result<()> {
    Family::BOTH
        .into_iter()
        .try_for_each(|family| access.leave(family))
}

/// Each knows another address of the other from its list.
fn alternatives(stage: &Stage) -> Result<()> {
    let load = Load::over(6, 3);
    let roaming = Roaming::start(stage, Some(load), Some(load))?;
    roaming.talk.wait_for_down(load.bytes / 3)?;
    roaming.campus.client.run(|| leave(Access::WIFI))?;
    roaming.campus.server.run(|| leave(Access::FIRST))?;
    roaming.talk.finish()?;
    Ok(())
}

/// Neither knows any address that the other has. No data waits either: only the users' patience
/// can end the connection.
fn nothing(stage: &Stage) -> Result<()> {
    let campus = Campus::build()?;
    campus.client.run(|| leave(Access::LTE))?;
    campus.server.run(|| leave(Access::SECOND))?;
    let address = SocketAddr::new(Access::FIRST.address(Family::V4), PORT);
    let transport = stage.plan.transport;
    let pair = Pair::connect(transport, &campus.client, &campus.server, address)?;
    let patience = USER_TIMEOUT.as_millis() as u32;
    for end in [&pair.client, &pair.server] {
        sockopt::set_tcp_user_timeout(end, patience)?;
    }
    campus.client.run(|| leave(Access::WIFI))?;
    campus.server.run(|| leave(Access::FIRST))?;
    campus.client.run(|| Access::LTE.arrive(Family::V4))?;
    campus.server.run(|| Access::SECOND.arrive(Family::V4))?;
    let begin = Instant::now();
    let limit = stage.patience(3 * USER_TIMEOUT);
    for (name, end) in [("client", &pair.client), ("server", &pair.server)] {
        let error = waits(end, limit)?;
        let took = begin.elapsed();
        ensure!(
            error == libc::ETIMEDOUT && took > USER_TIMEOUT / 2,
            "the {name} sees errno {error} after {took:?}"
        );
        stage.measure(&format!("{name}_gave_up_ms"), took.as_millis() as u64);
    }
    Ok(())
}

/// Waits for data that never comes; the errno that ends it.
pub(super) fn waits(mut socket: &TcpStream, limit: Duration) -> Result<i32> {
    socket.set_read_timeout(Some(limit))?;
    match socket.read(&mut [0]) {
        Ok(count) => bail!("{count} bytes came from a host that is gone"),
        Err(error) if error.kind() == ErrorKind::WouldBlock => {
            bail!("the connection still stands after {limit:?}")
        }
        Err(error) => error.raw_os_error().context("no errno"),
    }
}
