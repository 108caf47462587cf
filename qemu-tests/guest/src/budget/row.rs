// SPDX-License-Identifier: GPL-2.0-only
//! The rows of the table: what happens to the network, and what is counted.

use std::thread;
use std::time::{Duration, Instant};

use anyhow::Result;
use serde::{Deserialize, Serialize};

use super::scene::{Scene, WIFI_ENDPOINT};
use crate::topology::{Access, Family};

/// How long wifi is away before it flaps back.
const FLAP: Duration = Duration::from_millis(500);
/// How long the server is off, or everything is away.
const OUTAGE: Duration = Duration::from_secs(3);
/// Time after a change that belongs to it.
const AFTERMATH: Duration = Duration::from_secs(1);
/// The same when a way may return to the path it prefers.
const RETURN: Duration = Duration::from_secs(7);

/// One change of the network.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Row {
    /// The client has another address on the same link.
    AddressChange,
    /// The client's link loses its carrier.
    LinkDown,
    /// The client's link stays up, and everything on it vanishes.
    BlackHole,
    /// Routers in the network take another line.
    RouteChange,
    /// A masquerading router forgets its state.
    NatRebinding,
    /// Both ends lose the addresses they talk with at once.
    SimultaneousMove,
    /// The client's link goes and comes back half a second later.
    FlapBack,
    /// The server loses power and boots.
    PeerReboot,
    /// All links of the client go and come back.
    AllPathsGone,
}

impl Row {
    /// All rows in the order of the table.
    pub const ALL: [Row; 9] = [
        Row::AddressChange,
        Row::LinkDown,
        Row::BlackHole,
        Row::RouteChange,
        Row::NatRebinding,
        Row::SimultaneousMove,
        Row::FlapBack,
        Row::PeerReboot,
        Row::AllPathsGone,
    ];

    /// Round-trip time in milliseconds of the best path after the change.
    pub fn rtt(self) -> u32 {
        match self {
            Row::AddressChange | Row::NatRebinding | Row::PeerReboot | Row::AllPathsGone => 20,
            Row::LinkDown
            | Row::BlackHole
            | Row::RouteChange
            | Row::SimultaneousMove
            | Row::FlapBack => 50,
        }
    }

    /// What a value of the row is.
    pub fn measure(self) -> Measure {
        match self {
            Row::PeerReboot => Measure::Notice,
            Row::AllPathsGone => Measure::Return,
            _ => Measure::LongestGap,
        }
    }

    /// Makes the change happen.
    pub(super) fn happen(self, scene: &mut Scene) -> Result<Event> {
        let begin = Instant::now();
        let mut event = Event {
            begin,
            counted_from: begin,
            aftermath: AFTERMATH,
        };
        match self {
            Row::AddressChange => scene.renumber()?,
            Row::LinkDown => {
                scene.cut(Access::WIFI)?;
                scene.forget_endpoint(WIFI_ENDPOINT)?;
            }
            Row::BlackHole => scene.swallow(Access::WIFI)?,
            Row::RouteChange => scene.reroute()?,
            Row::NatRebinding => scene.rebind()?,
            Row::SimultaneousMove => scene.both_leave()?,
            Row::FlapBack => {
                scene.cut(Access::WIFI)?;
                scene.forget_endpoint(WIFI_ENDPOINT)?;
                sleep_until(begin + FLAP);
                scene.mend(Access::WIFI)?;
                scene.offer_endpoint(WIFI_ENDPOINT, Access::WIFI.address(Family::V4))?;
                event.aftermath = RETURN;
            }
            Row::PeerReboot => {
                scene.kill_server()?;
                sleep_until(begin + OUTAGE);
                event.counted_from = Instant::now();
                scene.boot_server()?;
            }
            Row::AllPathsGone => {
                scene.cut(Access::WIFI)?;
                scene.cut(Access::LTE)?;
                sleep_until(begin + OUTAGE);
                event.counted_from = Instant::now();
                scene.mend(Access::WIFI)?;
                scene.mend(Access::LTE)?;
            }
        }
        Ok(event)
    }
}

/// What the value of a row is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Measure {
    /// The longest time without a delivery, in either direction.
    LongestGap,
    /// From the return of the paths until both directions have delivered.
    Return,
    /// From the server's return until the client's application has an error.
    Notice,
}

/// A change that has happened.
#[derive(Debug, Clone, Copy)]
pub(super) struct Event {
    /// When it began.
    pub begin: Instant,
    /// When a recovery was possible first.
    pub counted_from: Instant,
    /// How long what follows belongs to it.
    pub aftermath: Duration,
}

fn sleep_until(moment: Instant) {
    thread::sleep(moment.saturating_duration_since(Instant::now()));
}
