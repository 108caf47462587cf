// SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0
//! `stats`: the counters of the namespace, or how they grow.

use std::thread::sleep;
use std::time::Duration;

use clap::Args;
use eccp_netlink::stats::{Counter, StatsAttribute};
use eccp_netlink::Client;
use serde_json::Value;

use crate::exit::Exit;
use crate::failure::Failure;
use crate::output::{Ordered, Output, Show};

/// Arguments of `stats`.
#[derive(Debug, Args)]
pub struct StatsCommand {
    /// Show only the counters that are not zero
    #[arg(long, short = 'z')]
    nonzero: bool,
    /// Show what was added during this many seconds
    #[arg(long, value_name = "SECONDS")]
    diff: Option<f64>,
    /// Say what each counter counts
    #[arg(long, short = 'e')]
    explain: bool,
}

/// A counter and its value.
type Reading = (Counter, u64);

/// Counters as they are shown: a JSON object, or a line each.
#[derive(serde::Serialize)]
#[serde(transparent)]
struct StatsView {
    values: Ordered,
    #[serde(skip)]
    explain: bool,
}

impl StatsView {
    fn new(readings: &[Reading], command: &StatsCommand) -> Self {
        let shown = readings
            .iter()
            .filter(|(_, value)| !command.nonzero || *value != 0);
        StatsView {
            values: Ordered(
                shown
                    .map(|(counter, value)| (counter.to_string(), Value::from(*value)))
                    .collect(),
            ),
            explain: command.explain,
        }
    }
}

impl Show for StatsView {
    fn text(&self) -> String {
        let line = |(name, value): &(String, Value)| {
            let line = format!("{name:28} {value}");
            match meaning(name).filter(|_| self.explain) {
                Some(meaning) => format!("{line:40} {meaning}"),
                None => line,
            }
        };
        if self.values.0.is_empty() {
            return "every counter is zero".into();
        }
        self.values
            .0
            .iter()
            .map(line)
            .collect::<Vec<_>>()
            .join("\n")
    }
}

fn meaning(name: &str) -> Option<&'static str> {
    let known = Counter::TABLE.iter().find(|(_, known, _)| *known == name);
    known.map(|(_, _, meaning)| *meaning)
}

/// Runs the command.
pub fn run(command: &StatsCommand, output: &mut Output) -> Result<(), Failure> {
    let time = command.diff.map(seconds).transpose()?;
    let mut client = Client::open()?;
    let mut readings = read(&mut client)?;
    if let Some(time) = time {
        sleep(time);
        readings = difference(&readings, &read(&mut client)?);
    }
    Ok(output.one(&StatsView::new(&readings, command))?)
}

fn seconds(value: f64) -> Result<Duration, Failure> {
    Duration::try_from_secs_f64(value)
        .map_err(|error| Failure::new(Exit::Usage, format!("--diff {value}: {error}")))
}

fn read(client: &mut Client) -> Result<Vec<Reading>, Failure> {
    let attributes = client.stats()?.into_iter();
    Ok(attributes
        .filter_map(|attribute| match attribute {
            StatsAttribute::Counter(counter, value) => Some((counter, value)),
            _ => None,
        })
        .collect())
}

fn difference(before: &[Reading], after: &[Reading]) -> Vec<Reading> {
    let old = |counter: Counter| {
        let reading = before.iter().find(|(known, _)| *known == counter);
        reading.map_or(0, |(_, value)| *value)
    };
    after
        .iter()
        .map(|(counter, value)| (*counter, value.wrapping_sub(old(*counter))))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn command(nonzero: bool, explain: bool) -> StatsCommand {
        StatsCommand {
            nonzero,
            diff: None,
            explain,
        }
    }

    const READINGS: [Reading; 3] = [
        (Counter::Connects, 3),
        (Counter::Accepts, 0),
        (Counter::DropBadMac, 12),
    ];

    #[test]
    fn counters_are_shown_a_line_each() {
        insta::assert_snapshot!(StatsView::new(&READINGS, &command(false, false)).text(), @r"
        connects                     3
        accepts                      0
        drop-bad-mac                 12
        ");
    }

    #[test]
    fn zeros_are_left_out_and_meanings_added_when_asked() {
        insta::assert_snapshot!(StatsView::new(&READINGS, &command(true, true)).text(), @r"
        connects                     3           Connections opened from this side.
        drop-bad-mac                 12          Control packets whose MAC does not verify.
        ");
    }

    #[test]
    fn a_difference_is_what_was_added_and_survives_a_wrap() {
        let before = [(Counter::Connects, u64::MAX), (Counter::Accepts, 5)];
        let after = [
            (Counter::Connects, 1),
            (Counter::Accepts, 5),
            (Counter::DropBadMac, 7),
        ];
        let difference = difference(&before, &after);
        assert_eq!(
            difference,
            [
                (Counter::Connects, 2),
                (Counter::Accepts, 0),
                (Counter::DropBadMac, 7)
            ]
        );
    }

    #[test]
    fn json_is_one_object_of_numbers() {
        let json =
            serde_json::to_string(&StatsView::new(&READINGS, &command(true, false))).unwrap();
        assert_eq!(json, r#"{"connects":3,"drop-bad-mac":12}"#);
    }
}
