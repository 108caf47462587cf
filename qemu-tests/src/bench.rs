// SPDX-License-Identifier: GPL-2.0-only
//! Runs the benchmark and compares AF_ECCP with TCP, instruction by instruction.

use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{bail, Context, Result};
use qemu_guest::bench::{Sample, Way};
use qemu_guest::plan::Task;
use qemu_guest::report::Event;
use serde::Serialize;

use crate::image::{self, Ingredients};
use crate::kernel::Kernel;
use crate::machine::{Clock, Console, Shape};
use crate::results;

/// An instruction takes two nanoseconds of the guest's time.
const SHIFT: u8 = 1;
/// A machine that says nothing for this long is stuck.
const PATIENCE: Duration = Duration::from_secs(300);
/// The least that AF_ECCP may do for the instructions that TCP needs.
const LEAST_NATIVE: f64 = 0.95;
const LEAST_UDP: f64 = 0.87;

/// The benchmark and where its result goes.
#[derive(Debug)]
pub struct Bench {
    /// The kernel under the module.
    pub kernel: Kernel,
    /// What goes into the image.
    pub ingredients: Ingredients,
    /// Bytes in each measured transfer.
    pub bytes: u64,
    /// Where console and results stay.
    pub directory: PathBuf,
}

/// What `stream.json` says.
#[derive(Debug, Serialize)]
struct Comparison {
    kernel: String,
    bytes_per_sample: u64,
    results: Vec<Cost>,
}

/// The cost of one way over one version of IP.
#[derive(Debug, Serialize)]
struct Cost {
    way: Way,
    ip: u8,
    /// The median of the samples.
    instructions_per_byte: f64,
    /// Largest deviation of a sample from the median, as a part of it.
    spread: f64,
    /// Bytes that it moves with the instructions that TCP needs for one.
    ratio_to_tcp: f64,
}

impl Bench {
    /// Runs the benchmark.
    ///
    /// # Errors
    /// When a way could not be measured, or costs more than it may.
    pub fn run(&self) -> Result<()> {
        println!(
            "Counting instructions on {}; the machine has one emulated CPU (2 to 5 minutes) …",
            self.kernel.release
        );
        let samples = self.watch()?;
        let comparison = Comparison {
            kernel: self.kernel.release.clone(),
            bytes_per_sample: self.bytes,
            results: compare(&samples)?,
        };
        let path = self.directory.join("stream.json");
        fs::write(&path, serde_json::to_vec_pretty(&comparison)?)
            .with_context(|| path.display().to_string())?;
        println!("\n{}", comparison.table());
        println!("result: {}", path.display());
        comparison.judge()
    }

    fn watch(&self) -> Result<Vec<Sample>> {
        let task = Task::Bench { bytes: self.bytes };
        // Nothing in the benchmark is random.
        let image = image::build(&self.kernel, &self.ingredients, task, 0)?;
        let shape = Shape {
            memory: 1024,
            clock: Clock::Instructions(SHIFT),
            console: Console::File,
        };
        let mut samples = Vec::new();
        let observe = |event| {
            if let Event::Measure { value, .. } = event {
                let sample: Sample = serde_json::from_value(value)?;
                println!(
                    "  {:<12} IPv{}  {:.3} instructions per byte",
                    label(sample.way),
                    sample.ip,
                    instructions_per_byte(&sample)
                );
                samples.push(sample);
            }
            Ok(())
        };
        let directory = &self.directory;
        results::run(&self.kernel, &image, directory, shape, PATIENCE, observe)?;
        Ok(samples)
    }
}

fn label(way: Way) -> &'static str {
    match way {
        Way::Tcp => "TCP",
        Way::EccpNative => "ECCP native",
        Way::EccpUdp => "ECCP in UDP",
    }
}

fn instructions_per_byte(sample: &Sample) -> f64 {
    sample.nanoseconds as f64 / f64::from(1u32 << SHIFT) / sample.bytes as f64
}

/// The cost of every way over each version of IP, beside TCP's over the same.
fn compare(samples: &[Sample]) -> Result<Vec<Cost>> {
    let mut costs = Vec::new();
    for ip in [4, 6] {
        let (tcp, _) = median(samples, Way::Tcp, ip)?;
        for way in [Way::Tcp, Way::EccpNative, Way::EccpUdp] {
            let (cost, spread) = median(samples, way, ip)?;
            costs.push(Cost {
                way,
                ip,
                instructions_per_byte: cost,
                spread,
                ratio_to_tcp: tcp / cost,
            });
        }
    }
    Ok(costs)
}

fn median(samples: &[Sample], way: Way, ip: u8) -> Result<(f64, f64)> {
    let mut costs: Vec<f64> = samples
        .iter()
        .filter(|sample| sample.way == way && sample.ip == ip)
        .map(instructions_per_byte)
        .collect();
    costs.sort_by(f64::total_cmp);
    let median = *costs
        .get(costs.len() / 2)
        .with_context(|| format!("there is no sample of {} over IPv{ip}", label(way)))?;
    let spread = costs
        .iter()
        .map(|cost| (cost - median).abs() / median)
        .fold(0.0, f64::max);
    Ok((median, spread))
}

impl Comparison {
    fn table(&self) -> String {
        let mut table = format!(
            "{:<12} {:<5} {:>18} {:>8} {:>12}\n",
            "way", "IP", "instructions/byte", "spread", "part of TCP"
        );
        for cost in &self.results {
            table += &format!(
                "{:<12} IPv{:<2} {:>18.3} {:>7.1}% {:>12.3}\n",
                label(cost.way),
                cost.ip,
                cost.instructions_per_byte,
                100.0 * cost.spread,
                cost.ratio_to_tcp
            );
        }
        table
    }

    fn judge(&self) -> Result<()> {
        for cost in &self.results {
            let least = match cost.way {
                Way::Tcp => continue,
                Way::EccpNative => LEAST_NATIVE,
                Way::EccpUdp => LEAST_UDP,
            };
            if cost.ratio_to_tcp < least {
                bail!(
                    "{} over IPv{} reaches {:.3} of TCP, less than {least}",
                    label(cost.way),
                    cost.ip,
                    cost.ratio_to_tcp
                );
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample(way: Way, ip: u8, nanoseconds: u64) -> Sample {
        Sample {
            way,
            ip,
            bytes: 1000,
            nanoseconds,
        }
    }

    fn all(native: u64) -> Vec<Sample> {
        [4, 6]
            .into_iter()
            .flat_map(|ip| {
                [
                    sample(Way::Tcp, ip, 2000),
                    sample(Way::EccpNative, ip, native),
                    sample(Way::EccpUdp, ip, 2200),
                ]
            })
            .collect()
    }

    fn comparison(samples: &[Sample]) -> Comparison {
        Comparison {
            kernel: String::new(),
            bytes_per_sample: 1000,
            results: compare(samples).unwrap(),
        }
    }

    #[test]
    fn a_ratio_is_what_tcp_needs_over_what_eccp_needs() {
        let comparison = comparison(&all(2050));
        assert_eq!(comparison.results[0].instructions_per_byte, 1.0);
        assert_eq!(comparison.results[0].ratio_to_tcp, 1.0);
        assert!((comparison.results[1].ratio_to_tcp - 2000.0 / 2050.0).abs() < 1e-9);
        assert!(comparison.judge().is_ok());
    }

    #[test]
    fn a_way_that_costs_too_much_fails() {
        let error = comparison(&all(2500)).judge().unwrap_err().to_string();
        assert!(error.contains("ECCP native over IPv4"), "{error}");
    }

    #[test]
    fn a_missing_way_is_an_error() {
        assert!(compare(&all(2000)[..2]).is_err());
    }
}
