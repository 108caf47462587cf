// SPDX-License-Identifier: GPL-2.0-only
//! How long delivery pauses when the network changes, for ECCP and for what
//! people use instead.
//!
//! Every repetition builds the network anew, lets each way carry a message
//! every 5 ms in both directions, makes the change happen at a random moment
//! and waits until all ways carry messages again, or 15 seconds.

mod eccp;
mod gauge;
mod mptcp;
mod row;
mod scene;
mod wireguard;

use std::thread;
use std::time::{Duration, Instant};

use anyhow::{bail, Context, Result};
use serde::{Deserialize, Serialize};

use self::gauge::Gauge;
pub use self::gauge::INTERVAL;
use self::row::Event;
pub use self::row::{Measure, Row};
use self::scene::Scene;
use crate::plan::Task;
use crate::random::Random;
use crate::roster::{self, Needs, Scenario};
use crate::stage::Stage;

/// A way that does not carry messages again in this time does not recover.
pub const LIMIT: Duration = Duration::from_secs(15);
/// The change happens within this time, so that it meets timers at any phase.
const PHASE: Duration = Duration::from_millis(300);

pub(crate) const SCENARIO: Scenario = Scenario {
    name: roster::BUDGETS,
    about: "the pauses in delivery could not be measured",
    seconds: 40_000,
    needs: Needs::Module,
    smoke: false,
    run,
};

/// One way to carry a stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Way {
    /// A stream socket of AF_ECCP.
    Eccp,
    /// Plain TCP.
    Tcp,
    /// Multipath TCP with the kernel's path manager.
    Mptcp,
    /// TCP in a tunnel of WireGuard.
    WireGuard,
}

impl Way {
    /// All ways in the order of the table.
    pub const ALL: [Way; 4] = [Way::Eccp, Way::Tcp, Way::Mptcp, Way::WireGuard];

    /// Ways that share a network. The tunnel has one of its own, because its
    /// interface would be one more path for the others.
    const CASTS: [&'static [Way]; 2] = [&[Way::Eccp, Way::Tcp, Way::Mptcp], &[Way::WireGuard]];
}

/// What one repetition of a row showed of one way.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Sample {
    /// What happened.
    pub row: Row,
    /// Who had to cope with it.
    pub way: Way,
    /// Which time, from 0.
    pub repetition: u32,
    /// How it went.
    pub outcome: Outcome,
}

/// How a way took a change.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Outcome {
    /// The value of the row in milliseconds.
    Took(f64),
    /// Nothing for [`LIMIT`].
    Nothing,
    /// The application was told that the connection is over.
    Broke(String),
}

fn run(stage: &Stage) -> Result<()> {
    let Task::Budgets { rows, repetitions } = &stage.plan.task else {
        bail!("the plan asks for no budgets");
    };
    for row in rows {
        for repetition in 0..*repetitions {
            let random = stage.random().fork(&format!("{row:?}/{repetition}"));
            for cast in Way::CASTS {
                let samples = repeat(*row, repetition, cast, random.fork(&format!("{cast:?}")))
                    .with_context(|| format!("{row:?}, repetition {repetition}, {cast:?}"))?;
                for sample in samples {
                    stage.measure("sample", serde_json::to_value(sample)?);
                }
            }
        }
    }
    Ok(())
}

fn repeat(row: Row, repetition: u32, cast: &[Way], mut random: Random) -> Result<Vec<Sample>> {
    let mut scene = Scene::build(row, cast, &mut random)?;
    for (way, gauge) in &scene.gauges {
        if gauge.is_over() {
            bail!("{way:?} broke before the change: {:?}", gauge.records());
        }
    }
    thread::sleep(Duration::from_micros(
        random.below(PHASE.as_micros() as u64),
    ));
    let event = row.happen(&mut scene)?;
    wait(&scene, event);
    let now = Instant::now();
    let samples = scene
        .gauges
        .iter()
        .map(|(way, gauge)| Sample {
            row,
            way: *way,
            repetition,
            outcome: judge(row.measure(), gauge, event, now),
        })
        .collect();
    scene.end();
    Ok(samples)
}

/// Waits until every way is done, or the limit is reached.
fn wait(scene: &Scene, event: Event) {
    let settled = event.counted_from + event.aftermath;
    let limit = event.counted_from + LIMIT;
    while Instant::now() < limit {
        let done =
            |gauge: &Gauge| gauge.is_over() || gauge.both(|record| record.carried_since(settled));
        if scene.gauges.iter().all(|(_, gauge)| done(gauge)) {
            break;
        }
        thread::sleep(Duration::from_millis(20));
    }
}

fn judge(measure: Measure, gauge: &Gauge, event: Event, now: Instant) -> Outcome {
    let records = gauge.records();
    let end = records.iter().filter_map(|record| record.end.clone()).min();
    match (measure, end) {
        (Measure::Notice, Some((at, _))) => Outcome::Took(milliseconds(
            at.saturating_duration_since(event.counted_from),
        )),
        (Measure::Notice, None) => Outcome::Nothing,
        (_, Some((_, why))) => Outcome::Broke(why),
        (Measure::LongestGap, None) => {
            let gaps = records
                .iter()
                .map(|record| record.longest_gap(event.begin, now));
            let since = event.counted_from + event.aftermath;
            if records.iter().all(|record| record.carried_since(since)) {
                Outcome::Took(milliseconds(gaps.max().unwrap_or_default()))
            } else {
                Outcome::Nothing
            }
        }
        (Measure::Return, None) => {
            let first = records
                .iter()
                .map(|record| record.first_after(event.counted_from))
                .max_by_key(|first| first.unwrap_or(now + LIMIT))
                .flatten();
            first.map_or(Outcome::Nothing, |at| {
                Outcome::Took(milliseconds(at - event.counted_from))
            })
        }
    }
}

fn milliseconds(duration: Duration) -> f64 {
    (duration.as_secs_f64() * 1e4).round() / 10.0
}
