// SPDX-License-Identifier: GPL-2.0-only
//! Runs the ECCP scenarios, the demonstration and the benchmark in machines
//! that boot a stock kernel.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context, Result};
use clap::{Args, Parser, Subcommand};
use libtest_mimic::Arguments;
use qemu_guest::budget::Row;
use qemu_guest::plan::Task;
use qemu_tests::bench::Bench;
use qemu_tests::budgets::{self, Budgets};
use qemu_tests::demo::Demo;
use qemu_tests::image::{self, Ingredients};
use qemu_tests::kernel::Kernel;
use qemu_tests::machine::{Clock, Console, Machine, Shape};
use qemu_tests::suite::{fresh_directory, Suite};

/// Boot a stock kernel in QEMU and see ECCP at work in it.
#[derive(Debug, Parser)]
#[command(version)]
struct CommandLine {
    #[command(subcommand)]
    command: Command,
    #[command(flatten)]
    parts: Parts,
}

#[derive(Debug, Args)]
struct Parts {
    /// Prepared kernel to boot
    #[arg(long, default_value = "trixie", global = true)]
    kernel: String,
    /// Directory with the prepared kernels
    #[arg(long, env = "ECCP_CACHE", global = true)]
    cache: Option<PathBuf>,
    /// Static init for the machine
    #[arg(long, global = true)]
    init: Option<PathBuf>,
    /// Module under test, built for the kernel
    #[arg(long, global = true)]
    module: Option<PathBuf>,
    /// Static eccp-tool for the machine
    #[arg(long, global = true)]
    tool: Option<PathBuf>,
    /// Send everything over plain TCP instead of AF_ECCP
    #[arg(long, global = true)]
    tcp: bool,
    /// Directory for console, results and kept files, emptied first
    #[arg(long, default_value = "target/qemu", global = true)]
    output: PathBuf,
    /// Seed of all random choices
    #[arg(long, env = "ECCP_SEED", default_value_t = 1, global = true)]
    seed: u64,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run the scenarios as tests; what follows `--` is for the test harness
    Test {
        /// Only the scenarios that every kernel has to pass
        #[arg(long)]
        smoke: bool,
        /// Filters and options as `cargo test -- --help` lists them. A filter stands for whole words
        /// of a name ("nat" selects no "native") or, if no name has those, for any part of one
        #[arg(last = true)]
        harness: Vec<String>,
    },
    /// Carry a file over AF_ECCP and over TCP while the client moves
    Demo {
        /// Length of the file in MiB
        #[arg(long, default_value_t = 256, value_parser = clap::value_parser!(u64).range(16..=4096))]
        mebibytes: u64,
    },
    /// Count the instructions that a byte costs over AF_ECCP and over TCP
    Bench {
        /// Length of each measured transfer in MiB
        #[arg(long, default_value_t = 192, value_parser = clap::value_parser!(u64).range(16..=4096))]
        mebibytes: u64,
    },
    /// Measure how long delivery pauses when the network changes
    Budgets {
        /// Only this change; may be repeated
        #[arg(long, value_name = "ROW", value_parser = budgets::parse_row)]
        only: Vec<Row>,
        /// Result of an earlier run, whose rows are taken over and not measured again; not below
        /// --output, which is emptied
        #[arg(long, value_name = "RESULT.JSON")]
        with: Vec<PathBuf>,
        /// How often each change is made
        #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..=1000))]
        repeat: u32,
        /// Page that gets the new table, and the picture of the same name beside it
        #[arg(long)]
        page: Option<PathBuf>,
    },
    /// Open a shell on the machine's console
    Shell,
}

fn main() -> ExitCode {
    match run(CommandLine::parse()) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("qemu-tests: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(line: CommandLine) -> Result<ExitCode> {
    let kernel = line.parts.kernel()?;
    let directory = fresh_directory(&line.parts.output)?;
    let mut ingredients = line.parts.ingredients()?;
    match line.command {
        Command::Test { smoke, harness } => {
            let mut words = vec!["qemu-tests".to_owned()];
            words.extend(harness);
            let suite = Suite {
                kernel,
                ingredients,
                smoke,
                seed: line.parts.seed,
                directory,
            };
            Ok(suite.run(Arguments::from_iter(words)))
        }
        Command::Demo { mebibytes } => {
            let demo = Demo {
                kernel,
                ingredients,
                bytes: mebibytes << 20,
                seed: line.parts.seed,
                directory,
            };
            demo.run()?;
            Ok(ExitCode::SUCCESS)
        }
        Command::Bench { mebibytes } => {
            let bench = Bench {
                kernel,
                ingredients,
                bytes: mebibytes << 20,
                directory,
            };
            bench.run()?;
            Ok(ExitCode::SUCCESS)
        }
        Command::Budgets {
            only,
            with,
            repeat,
            page,
        } => {
            let rows = if only.is_empty() {
                Row::ALL.to_vec()
            } else {
                only
            };
            let budgets = Budgets {
                kernel,
                ingredients,
                rows,
                earlier: with,
                repetitions: repeat,
                seed: line.parts.seed,
                page,
                directory,
            };
            budgets.run()?;
            Ok(ExitCode::SUCCESS)
        }
        Command::Shell => {
            ingredients.busybox = Some("/bin/busybox".into());
            let image = image::build(&kernel, &ingredients, Task::Shell, line.parts.seed)?;
            let shape = Shape {
                memory: 1024,
                clock: Clock::Real,
                console: Console::Terminal,
            };
            Machine::start(&kernel, &image, &directory, shape)?.wait()?;
            Ok(ExitCode::SUCCESS)
        }
    }
}

impl Parts {
    fn kernel(&self) -> Result<Kernel> {
        let cache = self.cache.as_ref().context(
            "neither --cache nor ECCP_CACHE names the directory with the prepared kernels",
        )?;
        Kernel::find(cache, &self.kernel)
    }

    fn ingredients(&self) -> Result<Ingredients> {
        let init = self.init.clone().context("--init names no static init")?;
        let (eccp_module, eccp_tool) = if self.tcp {
            (None, None)
        } else {
            let module = self.module.clone();
            let tool = self.tool.clone();
            (
                Some(module.context("--module names no eccp.ko (or use --tcp)")?),
                Some(tool.context("--tool names no eccp-tool (or use --tcp)")?),
            )
        };
        Ok(Ingredients {
            init,
            eccp_module,
            eccp_tool,
            busybox: None,
        })
    }
}
