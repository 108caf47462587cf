// SPDX-License-Identifier: GPL-2.0-only
//! Samples as a table: median, worst, and whether ECCP holds its own.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use anyhow::{ensure, Result};
use qemu_guest::budget::{Outcome, Row, Sample, Way, INTERVAL, LIMIT};
use serde::{Deserialize, Serialize};

/// Two values are equal when they differ by no more than this part, or by two
/// messages' time.
const EQUAL_PART: f64 = 0.1;

/// What `result.json` says.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Table {
    pub kernel: String,
    pub seed: u64,
    /// Time from message to message.
    pub interval_ms: f64,
    /// A way that needs longer does not recover.
    pub limit_ms: f64,
    pub rows: Vec<Line>,
}

/// One change of the network.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Line {
    pub row: Row,
    /// Round-trip time of the best path after the change.
    pub rtt_ms: u32,
    /// How often the change was made.
    pub repetitions: u32,
    pub ways: Vec<Cell>,
    pub verdict: Verdict,
}

/// How one way took one change.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Cell {
    pub way: Way,
    /// None when half of the repetitions or more did not recover.
    pub median_ms: Option<f64>,
    /// None when any repetition did not recover.
    pub worst_ms: Option<f64>,
    /// All repetitions that recovered, in their order.
    pub values_ms: Vec<f64>,
    /// Repetitions in which nothing came within the limit.
    pub nothing: usize,
    /// Repetitions in which the application was told that the connection is over.
    pub broke: usize,
    /// What it was told.
    pub errors: Vec<String>,
}

/// ECCP's median and worst value beside the best of the other ways.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Verdict {
    /// Smaller than every other.
    Best,
    /// As small as the best other.
    Equal,
    /// The median holds, the worst value does not.
    WorstBehind,
    /// Another way has a smaller median.
    Behind,
}

/// The name of a row or way on the command line and in files.
pub(super) fn name<T: Serialize>(value: &T) -> String {
    match serde_json::to_value(value) {
        Ok(serde_json::Value::String(name)) => name,
        _ => String::new(),
    }
}

impl Table {
    /// Sorts the samples into the table.
    ///
    /// # Errors
    /// When a row has not as many samples of a way as there were repetitions.
    pub fn new(kernel: &str, seed: u64, repetitions: u32, samples: &[Sample]) -> Result<Self> {
        let mut sorted: BTreeMap<(Row, Way), Vec<&Sample>> = BTreeMap::new();
        for sample in samples {
            let key = (sample.row, sample.way);
            sorted.entry(key).or_default().push(sample);
        }
        let mut rows = Vec::new();
        for row in Row::ALL {
            if !sorted.contains_key(&(row, Way::Eccp)) {
                continue;
            }
            let mut ways = Vec::new();
            for way in Way::ALL {
                let samples = sorted.remove(&(row, way)).unwrap_or_default();
                ensure!(
                    samples.len() == repetitions as usize,
                    "{row:?} over {way:?} has {} samples",
                    samples.len()
                );
                ways.push(Cell::new(way, &samples));
            }
            rows.push(Line {
                row,
                rtt_ms: row.rtt(),
                repetitions,
                verdict: verdict(&ways),
                ways,
            });
        }
        Ok(Table {
            kernel: kernel.to_owned(),
            seed,
            interval_ms: INTERVAL.as_secs_f64() * 1000.0,
            limit_ms: LIMIT.as_secs_f64() * 1000.0,
            rows,
        })
    }

    /// Whether a row stands in the table.
    pub fn has(&self, row: Row) -> bool {
        self.rows.iter().any(|line| line.row == row)
    }

    /// Takes over the rows of another table that this one has not.
    ///
    /// # Errors
    /// When the other was measured on another kernel, or with another seed.
    pub fn join(&mut self, other: Table) -> Result<()> {
        ensure!(
            (&other.kernel, other.seed) == (&self.kernel, self.seed),
            "what was measured with seed {} on {} does not belong to seed {} on {}",
            other.seed,
            other.kernel,
            self.seed,
            self.kernel
        );
        for line in other.rows {
            if !self.has(line.row) {
                self.rows.push(line);
            }
        }
        self.rows.sort_by_key(|line| line.row);
        Ok(())
    }

    /// The table for a terminal.
    pub fn plain(&self) -> String {
        let mut text = format!("{:<18} {:>4}", "change", "RTT");
        for way in Way::ALL {
            let _ = write!(text, " {:>20}", title(way));
        }
        text.push('\n');
        for line in &self.rows {
            let _ = write!(text, "{:<18} {:>4}", name(&line.row), line.rtt_ms);
            for cell in &line.ways {
                let _ = write!(text, " {:>20}", cell.text());
            }
            let _ = writeln!(text, "  {}", line.verdict.text());
        }
        text
    }
}

/// A way's name for people.
pub(super) fn title(way: Way) -> &'static str {
    match way {
        Way::Eccp => "ECCP",
        Way::Tcp => "TCP",
        Way::Mptcp => "MPTCP",
        Way::WireGuard => "WireGuard",
    }
}

impl Cell {
    fn new(way: Way, samples: &[&Sample]) -> Self {
        let mut values = Vec::new();
        let (mut nothing, mut errors) = (0, Vec::new());
        for sample in samples {
            match &sample.outcome {
                Outcome::Took(ms) => values.push(*ms),
                Outcome::Nothing => nothing += 1,
                Outcome::Broke(why) => errors.push(why.clone()),
            }
        }
        let broke = errors.len();
        errors.sort();
        errors.dedup();
        let mut sorted = values.clone();
        sorted.sort_by(f64::total_cmp);
        // What did not recover stands behind everything that did.
        let median = sorted.get(samples.len() / 2).copied();
        let worst = sorted.last().copied().filter(|_| nothing + broke == 0);
        Cell {
            way,
            median_ms: median,
            worst_ms: worst,
            values_ms: values,
            nothing,
            broke,
            errors,
        }
    }

    /// Median and worst, as people read them.
    pub fn text(&self) -> String {
        let failed = if self.broke >= self.nothing {
            "broken".to_owned()
        } else {
            format!(">{:.0} s", LIMIT.as_secs_f64())
        };
        match (self.median_ms, self.worst_ms) {
            (Some(median), Some(worst)) => format!("{median:.0} / {worst:.0} ms"),
            (Some(median), None) => {
                let count = self.nothing + self.broke;
                format!("{median:.0} ms / {failed} ({count}×)")
            }
            (None, _) => failed,
        }
    }
}

fn verdict(cells: &[Cell]) -> Verdict {
    let Some(own) = cells.iter().find(|cell| cell.way == Way::Eccp) else {
        return Verdict::Behind;
    };
    let others = || cells.iter().filter(|cell| cell.way != Way::Eccp);
    let best = |value: fn(&Cell) -> Option<f64>| {
        others()
            .map(|cell| value(cell).unwrap_or(f64::INFINITY))
            .fold(f64::INFINITY, f64::min)
    };
    let own_median = own.median_ms.unwrap_or(f64::INFINITY);
    let own_worst = own.worst_ms.unwrap_or(f64::INFINITY);
    let (median, worst) = (best(|cell| cell.median_ms), best(|cell| cell.worst_ms));
    if !holds(own_median, median) {
        Verdict::Behind
    } else if !holds(own_worst, worst) {
        Verdict::WorstBehind
    } else if own_median < median && !holds(median, own_median) {
        Verdict::Best
    } else {
        Verdict::Equal
    }
}

/// Whether `value` is as small as `other`, within what counts as equal.
fn holds(value: f64, other: f64) -> bool {
    let slack = (other * EQUAL_PART).max(2.0 * INTERVAL.as_secs_f64() * 1000.0);
    value <= other || value - other <= slack
}

impl Verdict {
    /// What the table says of ECCP.
    pub fn text(self) -> &'static str {
        match self {
            Verdict::Best => "best",
            Verdict::Equal => "equal",
            Verdict::WorstBehind => "median equal or best, worst case behind",
            Verdict::Behind => "behind",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn samples(way: Way, outcomes: &[Outcome]) -> Vec<Sample> {
        outcomes
            .iter()
            .enumerate()
            .map(|(repetition, outcome)| Sample {
                row: Row::LinkDown,
                way,
                repetition: repetition as u32,
                outcome: outcome.clone(),
            })
            .collect()
    }

    fn table(eccp: &[Outcome], others: &[Outcome]) -> Table {
        let mut all = samples(Way::Eccp, eccp);
        for way in [Way::Tcp, Way::Mptcp, Way::WireGuard] {
            all.extend(samples(way, others));
        }
        Table::new("7", 1, eccp.len() as u32, &all).unwrap()
    }

    fn took(values: &[f64]) -> Vec<Outcome> {
        values.iter().map(|value| Outcome::Took(*value)).collect()
    }

    #[test]
    fn the_median_counts_what_did_not_recover_as_the_longest() {
        let mut outcomes = took(&[30.0, 10.0]);
        outcomes.push(Outcome::Nothing);
        let table = table(&outcomes, &took(&[200.0, 300.0, 400.0]));
        let cell = &table.rows[0].ways[0];
        assert_eq!(cell.median_ms, Some(30.0));
        assert_eq!(cell.text(), "30 ms / >15 s (1×)");
        assert_eq!(table.rows[0].verdict, Verdict::WorstBehind);
    }

    #[test]
    fn a_way_that_mostly_breaks_has_no_median() {
        let broke = Outcome::Broke("reset".to_owned());
        let outcomes = vec![broke.clone(), broke, Outcome::Took(5.0)];
        let table = table(&outcomes, &took(&[1.0, 1.0, 1.0]));
        assert_eq!(table.rows[0].ways[0].text(), "broken");
        assert_eq!(table.rows[0].verdict, Verdict::Behind);
    }

    #[test]
    fn verdicts_are_about_more_than_the_grain_of_the_measurement() {
        let verdict =
            |eccp: f64, other: f64| table(&took(&[eccp]), &took(&[other])).rows[0].verdict;
        assert_eq!(verdict(50.0, 400.0), Verdict::Best);
        assert_eq!(verdict(58.0, 50.0), Verdict::Equal);
        assert_eq!(verdict(70.0, 50.0), Verdict::Behind);
        assert_eq!(verdict(1050.0, 1000.0), Verdict::Equal);
    }

    #[test]
    fn tables_of_other_rows_are_joined() {
        let one = table(&took(&[1.0]), &took(&[9.0]));
        let other = |row, value| {
            let mut other = table(&took(&[value]), &took(&[9.0]));
            other.rows[0].row = row;
            other
        };
        let mut joined = one.clone();
        for added in [
            other(Row::PeerReboot, 3.0),
            other(Row::AddressChange, 2.0),
            other(Row::LinkDown, 4.0),
        ] {
            let text = serde_json::to_string(&added).unwrap();
            joined.join(serde_json::from_str(&text).unwrap()).unwrap();
        }
        let seen: Vec<_> = joined
            .rows
            .iter()
            .map(|line| (line.row, line.ways[0].median_ms))
            .collect();
        assert_eq!(
            seen,
            [
                (Row::AddressChange, Some(2.0)),
                (Row::LinkDown, Some(1.0)),
                (Row::PeerReboot, Some(3.0))
            ]
        );
        let elsewhere = Table {
            kernel: "8".to_owned(),
            ..one
        };
        assert!(joined.join(elsewhere).is_err());
    }

    #[test]
    fn a_missing_sample_is_an_error() {
        let samples = samples(Way::Eccp, &took(&[1.0]));
        assert!(Table::new("7", 1, 1, &samples).is_err());
    }

    #[test]
    fn rows_have_names() {
        assert_eq!(name(&Row::NatRebinding), "nat-rebinding");
        assert_eq!(super::super::parse_row("black-hole"), Ok(Row::BlackHole));
        assert!(super::super::parse_row("hole").is_err());
    }
}
