// SPDX-License-Identifier: GPL-2.0-only
//! Explicit congestion notification: a router marks packets instead of dropping them, and the
//! sender slows down without having to send anything again.
//!
//! ```text
//!     client <──marks── server
//! ```

use std::fs;
use std::net::SocketAddr;
use std::time::Duration;

use anyhow::{ensure, Context, Result};
use eccp_netlink::settings::SettingsAttribute;
use eccp_netlink::Encap;

use crate::control::Control;
use crate::conversation::{Conversation, Load};
use crate::link;
use crate::namespace::Namespace;
use crate::netem::Netem;
use crate::roster::{Needs, Scenario};
use crate::stage::Stage;
use crate::stream::Pair;
use crate::topology::{Family, Wire};

/// Part of the packets that are marked, or dropped if they cannot be.
const MARKED: f64 = 0.1;
/// How long a stream may stand still on a quiet machine.
const STALL: Duration = Duration::from_secs(12);

pub(super) const TABLE: &[Scenario] = &[
    scenario("congestion_is_marked", true, marked),
    scenario("congestion_is_not_marked_unasked", false, not_asked),
];

const fn scenario(name: &'static str, smoke: bool, run: fn(&Stage) -> Result<()>) -> Scenario {
    Scenario {
        name,
        about: "marks of routers do not reach the sender, or packets are marked that must not be",
        seconds: 40,
        needs: Needs::Module,
        smoke,
        run,
    }
}

/// What the sender's TCP counts.
#[derive(Debug)]
struct Seen {
    /// Packets whose marks the receiver reported.
    marks: u64,
    /// Segments sent again.
    repeated: u64,
}

fn marked(stage: &Stage) -> Result<()> {
    for (family, encap) in [
        (Family::V4, Encap::Native),
        (Family::V4, Encap::Udp),
        (Family::V6, Encap::Native),
    ] {
        let seen = download(stage, family, encap, "1")?;
        stage.measure(&format!("marks {family:?} {encap}"), seen.marks);
        ensure!(
            seen.marks >= 10 && seen.repeated * 4 < seen.marks,
            "{family:?} by {encap}: {seen:?}"
        );
    }
    Ok(())
}

/// The sysctl as it is by default: a connection is not made with ECN, though the peer would take it.
fn not_asked(stage: &Stage) -> Result<()> {
    let seen = download(stage, Family::V4, Encap::Native, "2")?;
    ensure!(seen.marks == 0 && seen.repeated > 0, "{seen:?}");
    Ok(())
}

/// Sends to a client with the sysctl `tcp_ecn` at `asks` through a router that marks.
fn download(stage: &Stage, family: Family, encap: Encap, asks: &str) -> Result<Seen> {
    let wire = Wire::build()?;
    wire.client.run(|| link::sysctl("ipv4/tcp_ecn", asks))?;
    for host in [&wire.client, &wire.server] {
        Control::open(host)?.set(vec![SettingsAttribute::Encap(encap)])?;
    }
    let address = SocketAddr::new(wire.server_address(family), 7000);
    let pair = Pair::connect(stage.plan.transport, &wire.client, &wire.server, address)?;
    let netem = Netem {
        loss: MARKED,
        marks: true,
        ..Netem::delay(Duration::from_millis(1))
    };
    wire.server.run(|| link::shape("eth0", &netem))?;
    let load = Load::over(2, 1);
    let patience = stage.patience(STALL);
    Conversation::start(pair, &stage.random(), Some(load), None, patience)?.finish()?;
    Ok(Seen {
        marks: counter(&wire.server, "netstat", "TcpExt:", "TCPDeliveredCE")?,
        repeated: counter(&wire.server, "snmp", "Tcp:", "RetransSegs")?,
    })
}

/// A counter of a namespace's TCP: a line of names, and one of values.
fn counter(host: &Namespace, file: &str, group: &str, name: &str) -> Result<u64> {
    let text = host.run(|| Ok(fs::read_to_string(format!("/proc/thread-self/net/{file}"))?))?;
    let mut lines = text.lines().filter(|line| line.starts_with(group));
    let (names, values) = lines.next().zip(lines.next()).context("no such group")?;
    let mut pairs = names.split_whitespace().zip(values.split_whitespace());
    let (_, value) = pairs
        .find(|(known, _)| *known == name)
        .with_context(|| format!("no counter {name}"))?;
    Ok(value.parse()?)
}
