// SPDX-License-Identifier: GPL-2.0-only
//! How many answers packets get that belong to no connection.

use std::net::SocketAddr;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{ensure, Result};
use eccp_netlink::settings::SettingsAttribute;
use eccp_netlink::stats::Counter;
use eccp_netlink::Encap;

use crate::capture::Tap;
use crate::control::{Control, Counters};
use crate::roster::{Needs, Scenario};
use crate::stage::Stage;
use crate::stream::Pair;
use crate::topology::{Family, Wire};

const PORT: u16 = 7000;
/// Packets for flows that nobody has.
const PACKETS: u64 = 60;
/// Bytes of one: long enough for an answer that is no longer than three times that.
const LENGTH: usize = 120;
/// How long they may take to be counted on a quiet machine.
const COUNTED: Duration = Duration::from_secs(5);

pub(super) const TABLE: &[Scenario] = &[Scenario {
    name: "strangers_get_as_many_answers_as_set",
    about: "the setting stranger-rate does not limit stateless resets",
    seconds: 20,
    needs: Needs::Module,
    smoke: false,
    run,
}];

fn run(stage: &Stage) -> Result<()> {
    let wire = Wire::build()?;
    let mut server = Control::open(&wire.server)?;
    Control::open(&wire.client)?.set(vec![SettingsAttribute::Encap(Encap::Native)])?;
    let sight = Tap::open(&wire.server, "eth0")?;
    let address = SocketAddr::new(wire.server_address(Family::V4), PORT);
    let _pair = Pair::connect(stage.plan.transport, &wire.client, &wire.server, address)?;
    let model = sight.first_from(&wire.client_addresses(&[]))?;
    let frames: Vec<_> = (1..=PACKETS)
        .map(|flow| {
            let mut packet = vec![0; LENGTH];
            packet[..8].copy_from_slice(&(flow << 32).to_be_bytes());
            // Data of a flow that carries TCP; the header has three words.
            packet[8..11].copy_from_slice(&[1 << 4, 3, 6]);
            model.with_eccp(&packet).bytes().to_vec()
        })
        .collect();
    let tap = Tap::open(&wire.client, "eth0")?;
    server.set(vec![SettingsAttribute::StrangerRate(1)])?;
    let few = answers(stage, &mut server, &tap, &frames)?;
    ensure!(
        few.get(Counter::ResetsSent) < PACKETS / 2,
        "at one a second the server counts {few}"
    );
    server.set(vec![SettingsAttribute::StrangerRate(0)])?;
    let all = answers(stage, &mut server, &tap, &frames)?;
    ensure!(
        all.get(Counter::ResetsSent) == PACKETS,
        "without limit the server counts {all}"
    );
    Ok(())
}

/// What the server counts of the packets once it has seen them all.
fn answers(stage: &Stage, server: &mut Control, tap: &Tap, frames: &[Vec<u8>]) -> Result<Counters> {
    let before = server.counters()?;
    tap.send_all(frames)?;
    let begin = Instant::now();
    let limit = stage.patience(COUNTED);
    loop {
        let seen = server.counters()?.since(&before);
        if seen.get(Counter::ResetsSent) + seen.get(Counter::ResetsWithheld) >= PACKETS {
            return Ok(seen);
        }
        ensure!(begin.elapsed() < limit, "after {limit:?} there is {seen}");
        thread::sleep(Duration::from_millis(5));
    }
}
