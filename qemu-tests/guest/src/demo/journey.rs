// SPDX-License-Identifier: GPL-2.0-only
//! What happens to the client's network while the file comes, and how the
//! transfer took it.

use std::net::IpAddr;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{bail, ensure, Context, Result};
use eccp_netlink::socket::SocketInfo;
use eccp_netlink::FlowState;
use serde_json::json;

use super::download::Download;
use crate::link::{self, Prefix};
use crate::plan::Transport;
use crate::stage::Stage;
use crate::stream;
use crate::tool;
use crate::topology::{Access, Campus, Family};
use crate::traffic::Received;

/// How long a move may take until the socket says that it is done.
const LIMIT: Duration = Duration::from_secs(10);
/// Time after a move that belongs to it.
const AFTERMATH: Duration = Duration::from_secs(2);
/// Host number of the client on its return to wifi: a new lease, a new address.
const NEW_HOST: u8 = 20;

/// One thing that happened to the client.
#[derive(Debug, Clone)]
pub(super) struct Step {
    kind: &'static str,
    from: String,
    to: String,
    at: Instant,
    rtt: Option<Duration>,
}

impl Step {
    /// The step as the result file shows it.
    pub fn report(&self, received: &Received, begin: Instant) -> serde_json::Value {
        let gap = received.longest_gap(self.at, self.at + AFTERMATH);
        json!({
            "kind": self.kind,
            "from": self.from,
            "to": self.to,
            "at_ms": (self.at - begin).as_millis() as u64,
            "gap_ms": round(gap),
            "rtt_ms": self.rtt.map(round),
        })
    }
}

fn round(duration: Duration) -> f64 {
    (duration.as_secs_f64() * 1e4).round() / 10.0
}

/// Takes the client through its day; each step begins when a given part of the
/// file has come.
///
/// # Errors
/// When a step does not lead where it should, or the transfer ends too early.
pub(super) fn travel(
    stage: &Stage,
    campus: &Campus,
    download: &Download,
    bytes: u64,
) -> Result<Vec<Step>> {
    let traveller = Traveller {
        stage,
        campus,
        download,
    };
    let wifi = Access::WIFI;
    let lte = Access::LTE;
    let new_lease = Prefix::usual(Family::V4.host(wifi.network, NEW_HOST));
    let mut steps = Vec::new();

    traveller.wait_for(bytes / 6)?;
    steps.push(traveller.command("planned move", lte.address(Family::V4))?);

    traveller.wait_for(bytes * 2 / 6)?;
    steps.push(traveller.command("planned move", wifi.address(Family::V4))?);

    traveller.wait_for(bytes * 3 / 6)?;
    steps.push(traveller.lose_wifi()?);

    traveller.wait_for(bytes * 4 / 6)?;
    campus.client.run(|| {
        link::add_address(wifi.interface, new_lease)?;
        wifi.add_routes_for(Family::V4, new_lease.address)
    })?;
    steps.push(traveller.command("back on wifi", new_lease.address)?);

    traveller.wait_for(bytes * 5 / 6)?;
    steps.push(traveller.command("IPv4 to IPv6", lte.address(Family::V6))?);
    Ok(steps)
}

struct Traveller<'a> {
    stage: &'a Stage,
    campus: &'a Campus,
    download: &'a Download,
}

impl Traveller<'_> {
    fn wait_for(&self, bytes: u64) -> Result<()> {
        while self.download.progress() < bytes {
            ensure!(
                !self.download.is_over(),
                "the transfer ended after {} bytes, before the next move at {bytes}",
                self.download.progress()
            );
            thread::sleep(Duration::from_millis(10));
        }
        Ok(())
    }

    /// A move on the word of a person at the command line.
    fn command(&self, kind: &'static str, to: IpAddr) -> Result<Step> {
        if self.stage.plan.transport == Transport::Tcp {
            return Ok(self.step(kind, "-".to_owned(), to, Instant::now(), None));
        }
        let before = stream::info(&self.download.socket)?;
        let flow = format!("{:#x}", before.local_flow_id);
        let at = Instant::now();
        let to_text = to.to_string();
        tool::run(&["-n", "client", "flow", "move", &flow, "--to", &to_text])?;
        let after = self.arrive(at, |info| info.local == to)?;
        Ok(self.step(kind, before.local.to_string(), to, at, Some(after)))
    }

    /// The client's wifi address vanishes; nobody tells ECCP where to go.
    fn lose_wifi(&self) -> Result<Step> {
        let wifi = Access::WIFI;
        let at = Instant::now();
        self.campus.client.run(|| {
            wifi.leave(Family::V6)?;
            wifi.leave(Family::V4)
        })?;
        let from = wifi.address(Family::V4);
        let kind = "address lost";
        if self.stage.plan.transport == Transport::Tcp {
            return Ok(self.step(kind, from.to_string(), from, at, None));
        }
        let after = self.arrive(at, |info| info.local != from)?;
        Ok(self.step(kind, from.to_string(), after.local, at, Some(after)))
    }

    /// Waits until the socket says that it has moved, and for a fresh
    /// measurement of the round-trip time there.
    fn arrive(&self, since: Instant, there: impl Fn(&SocketInfo) -> bool) -> Result<SocketInfo> {
        let limit = self.stage.patience(LIMIT);
        loop {
            let info = stream::info(&self.download.socket).context("asking the socket")?;
            if there(&info) && info.state == FlowState::Established {
                break;
            }
            if since.elapsed() > limit {
                bail!(
                    "the flow is still {:?} at {} after {limit:?}",
                    info.state,
                    info.local
                );
            }
            thread::sleep(Duration::from_millis(5));
        }
        thread::sleep(AFTERMATH / 2);
        stream::info(&self.download.socket)
    }

    fn step(
        &self,
        kind: &'static str,
        from: String,
        to: IpAddr,
        at: Instant,
        info: Option<SocketInfo>,
    ) -> Step {
        let rtt = info.map(|info| Duration::from_micros(info.rtt_us.into()));
        self.stage.note(format!("{kind}: {from} to {to}"));
        Step {
            kind,
            from,
            to: to.to_string(),
            at,
            rtt,
        }
    }
}
