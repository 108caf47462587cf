// SPDX-License-Identifier: GPL-2.0-only
//! How many answers packets get that belong to no connection: stateless resets, refusals of first
//! SYNs, and VERSION.

use std::net::SocketAddr;
use std::ops::Range;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{ensure, Result};
use eccp_netlink::settings::SettingsAttribute;
use eccp_netlink::stats::Counter;
use eccp_netlink::Encap;

use crate::capture::{Frame, Tap};
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
/// The sender's flow ID in a control packet.
const SENDER: Range<usize> = 12..20;
/// How long they may take to be counted on a quiet machine.
const COUNTED: Duration = Duration::from_secs(5);

pub(super) const TABLE: &[Scenario] = &[
    scenario("strangers_get_as_many_resets_as_set", |stage| {
        limited(stage, &RESETS)
    }),
    scenario("strangers_get_as_many_refusals_as_set", |stage| {
        limited(stage, &REFUSALS)
    }),
    scenario("strangers_get_as_many_versions_as_set", |stage| {
        limited(stage, &VERSIONS)
    }),
];

const fn scenario(name: &'static str, run: fn(&Stage) -> Result<()>) -> Scenario {
    Scenario {
        name,
        about: "the setting stranger-rate does not limit what strangers get for an answer",
        seconds: 20,
        needs: Needs::Module,
        smoke: false,
        run,
    }
}

/// One sort of answers.
struct Sort {
    /// A packet that asks for one, made from the SYN of a real client and a flow ID.
    question: fn(&Frame, u64) -> Frame,
    answered: Counter,
    withheld: Counter,
}

const RESETS: Sort = Sort {
    question: |syn, flow| {
        let mut packet = vec![0; LENGTH];
        packet[..8].copy_from_slice(&flow.to_be_bytes());
        // Data of a flow that carries TCP; the header has three words.
        packet[8..11].copy_from_slice(&[1 << 4, 3, 6]);
        syn.with_eccp(&packet)
    },
    answered: Counter::ResetsSent,
    withheld: Counter::ResetsWithheld,
};

const REFUSALS: Sort = Sort {
    question: |syn, flow| {
        let mut packet = syn.eccp().to_vec();
        packet[SENDER].copy_from_slice(&flow.to_be_bytes());
        syn.with_eccp(&packet)
    },
    answered: Counter::DropNoListener,
    withheld: Counter::DropStrangerRate,
};

const VERSIONS: Sort = Sort {
    question: |syn, flow| {
        let mut packet = syn.eccp().to_vec();
        packet[SENDER].copy_from_slice(&flow.to_be_bytes());
        packet[8] ^= 0xf0;
        syn.with_eccp(&packet)
    },
    answered: Counter::VersionAnswers,
    withheld: Counter::DropStrangerRate,
};

fn limited(stage: &Stage, sort: &Sort) -> Result<()> {
    let wire = Wire::build()?;
    let mut server = Control::open(&wire.server)?;
    Control::open(&wire.client)?.set(vec![SettingsAttribute::Encap(Encap::Native)])?;
    let sight = Tap::open(&wire.server, "eth0")?;
    let address = SocketAddr::new(wire.server_address(Family::V4), PORT);
    let pair = Pair::connect(stage.plan.transport, &wire.client, &wire.server, address)?;
    let syn = sight.first_from(&wire.client_addresses(&[]))?;
    // Its listener is gone with the pair.
    drop(pair);
    let frames: Vec<_> = (1..=PACKETS)
        .map(|flow| (sort.question)(&syn, flow << 32).bytes().to_vec())
        .collect();
    let tap = Tap::open(&wire.client, "eth0")?;
    server.set(vec![SettingsAttribute::StrangerRate(1)])?;
    let few = answers(stage, sort, &mut server, &tap, &frames)?;
    ensure!(
        few.get(sort.answered) < PACKETS / 2,
        "at one a second the server counts {few}"
    );
    server.set(vec![SettingsAttribute::StrangerRate(0)])?;
    let all = answers(stage, sort, &mut server, &tap, &frames)?;
    ensure!(
        all.get(sort.answered) == PACKETS,
        "without limit the server counts {all}"
    );
    Ok(())
}

/// What the server counts of the packets once it has seen them all.
fn answers(
    stage: &Stage,
    sort: &Sort,
    server: &mut Control,
    tap: &Tap,
    frames: &[Vec<u8>],
) -> Result<Counters> {
    let before = server.counters()?;
    tap.send_all(frames)?;
    let begin = Instant::now();
    let limit = stage.patience(COUNTED);
    loop {
        let seen = server.counters()?.since(&before);
        if seen.get(sort.answered) + seen.get(sort.withheld) >= PACKETS {
            return Ok(seen);
        }
        ensure!(begin.elapsed() < limit, "after {limit:?} there is {seen}");
        thread::sleep(Duration::from_millis(5));
    }
}
