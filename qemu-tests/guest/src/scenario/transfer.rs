// SPDX-License-Identifier: GPL-2.0-only
//! A stream arrives as it was sent, in both directions at once, by every
//! encapsulation over every Internet Protocol.
//!
//! ```text
//!   client ──eth0──────────eth0── server        8 MiB ⇄ 8 MiB
//! ```

use std::net::SocketAddr;
use std::time::Duration;

use anyhow::{ensure, Result};
use eccp_netlink::settings::SettingsAttribute;
use eccp_netlink::Encap;

use crate::control::Control;
use crate::conversation::{Conversation, Load};
use crate::plan::Transport;
use crate::roster::{Needs, Scenario};
use crate::stage::Stage;
use crate::stream::{info, Pair};
use crate::topology::{Family, Wire};

const LOAD: Load = Load {
    bytes: 8 << 20,
    rate: 1 << 40,
};
const PORT: u16 = 7000;

pub(super) const TABLE: &[Scenario] = &[
    scenario("transfer_v4_native", |stage| {
        transfer(stage, Family::V4, Encap::Native)
    }),
    scenario("transfer_v6_native", |stage| {
        transfer(stage, Family::V6, Encap::Native)
    }),
    scenario("transfer_v4_udp", |stage| {
        transfer(stage, Family::V4, Encap::Udp)
    }),
    scenario("transfer_v6_udp", |stage| {
        transfer(stage, Family::V6, Encap::Udp)
    }),
];

const fn scenario(name: &'static str, run: fn(&Stage) -> Result<()>) -> Scenario {
    Scenario {
        name,
        about: "a stream arrives changed, or not at all, or by another encapsulation",
        seconds: 40,
        needs: Needs::Module,
        smoke: true,
        run,
    }
}

fn transfer(stage: &Stage, family: Family, encap: Encap) -> Result<()> {
    let wire = Wire::build()?;
    let transport = stage.plan.transport;
    if transport == Transport::Eccp {
        for host in [&wire.client, &wire.server] {
            Control::open(host)?.set(vec![SettingsAttribute::Encap(encap)])?;
        }
    }
    let address = SocketAddr::new(wire.server_address(family), PORT);
    let pair = Pair::connect(transport, &wire.client, &wire.server, address)?;
    if transport == Transport::Eccp {
        let path = info(&pair.client)?;
        ensure!(
            path.encap == encap,
            "the path is {:?}, not {encap:?}",
            path.encap
        );
        ensure!(
            path.remote == address.ip() && path.local == wire.client_address(family),
            "the path leads from {} to {}",
            path.local,
            path.remote
        );
    }
    let patience = stage.patience(Duration::from_secs(15));
    let load = Some(LOAD);
    Conversation::start(pair, &stage.random(), load, load, patience)?.finish()?;
    Ok(())
}
