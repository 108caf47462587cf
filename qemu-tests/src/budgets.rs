// SPDX-License-Identifier: GPL-2.0-only
//! Runs the budgets and shows what came of them: a table, a page, a picture, a
//! result file.

mod page;
mod picture;
mod statistics;

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result};
use qemu_guest::budget::{Row, Sample, Way};
use qemu_guest::plan::Task;
use qemu_guest::report::Event;

use self::statistics::Table;
use crate::image::{self, Ingredients};
use crate::kernel::Kernel;
use crate::machine::{Clock, Console, Shape};
use crate::results;

/// An instruction takes two nanoseconds of the guest's time.
const SHIFT: u8 = 1;
/// A machine that says nothing for this long is stuck.
const PATIENCE: Duration = Duration::from_secs(600);

/// The measurement and where its results go.
#[derive(Debug)]
pub struct Budgets {
    /// The kernel under the module.
    pub kernel: Kernel,
    /// What goes into the image.
    pub ingredients: Ingredients,
    /// The changes to make.
    pub rows: Vec<Row>,
    /// Results whose rows stand in the table, too, and are not measured again.
    pub earlier: Vec<PathBuf>,
    /// How often each is made.
    pub repetitions: u32,
    /// Seed of the moments at which they happen.
    pub seed: u64,
    /// The page whose table is replaced, if one is.
    pub page: Option<PathBuf>,
    /// Where console, samples and result stay.
    pub directory: PathBuf,
}

/// Reads the name of a row as the command line has it.
///
/// # Errors
/// Lists the names.
pub fn parse_row(name: &str) -> Result<Row, String> {
    serde_json::from_value(name.into()).map_err(|_| {
        let names: Vec<String> = Row::ALL.iter().map(statistics::name).collect();
        format!("the rows are {}", names.join(", "))
    })
}

fn read(path: &Path) -> Result<Table> {
    let bytes = fs::read(path).with_context(|| path.display().to_string())?;
    serde_json::from_slice(&bytes).with_context(|| path.display().to_string())
}

impl Budgets {
    /// Runs the measurement.
    ///
    /// # Errors
    /// When the machine, a network or a connection could not be set up.
    pub fn run(mut self) -> Result<()> {
        let earlier = self.earlier.iter().map(|path| read(path));
        let earlier = earlier.collect::<Result<Vec<_>>>()?;
        self.rows
            .retain(|row| !earlier.iter().any(|table| table.has(*row)));
        let samples = match self.rows.is_empty() {
            true => Vec::new(),
            false => self.watch()?,
        };
        let mut table = Table::new(&self.kernel.release, self.seed, self.repetitions, &samples)?;
        for (other, path) in earlier.into_iter().zip(&self.earlier) {
            table
                .join(other)
                .with_context(|| path.display().to_string())?;
        }
        let result = self.directory.join("result.json");
        fs::write(&result, serde_json::to_vec_pretty(&table)?)
            .with_context(|| result.display().to_string())?;
        println!("\n{}", table.plain());
        println!("result: {}", result.display());
        if let Some(path) = &self.page {
            page::update(path, &table)?;
            println!("page:   {}", path.display());
        }
        Ok(())
    }

    fn watch(&self) -> Result<Vec<Sample>> {
        println!(
            "Changing the network {} times in {} ways on {}; seed {} …",
            self.repetitions,
            self.rows.len(),
            self.kernel.release,
            self.seed
        );
        let task = Task::Budgets {
            rows: self.rows.clone(),
            repetitions: self.repetitions,
        };
        let image = image::build(&self.kernel, &self.ingredients, task, self.seed)?;
        let shape = Shape {
            memory: 1024,
            clock: Clock::Instructions(SHIFT),
            console: Console::File,
        };
        let mut samples = Vec::new();
        let observe = |event| {
            if let Event::Measure { value, .. } = event {
                let sample: Sample = serde_json::from_value(value)?;
                if sample.way == Way::WireGuard {
                    println!(
                        "  {:<18} {:>3}",
                        statistics::name(&sample.row),
                        sample.repetition + 1
                    );
                }
                samples.push(sample);
            }
            Ok(())
        };
        let directory = &self.directory;
        results::run(&self.kernel, &image, directory, shape, PATIENCE, observe)?;
        Ok(samples)
    }
}
