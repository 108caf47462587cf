// SPDX-License-Identifier: GPL-2.0-only
//! How many packets and lives a second the simulator runs, with real cryptography.
//! `cargo run --release --example sim_throughput -- [LIVES] [FIRST_SEED]`

use std::process::ExitCode;
use std::time::Instant;

use eccp_core::sim::{run, Mobility, Scenario};

const KINDS: [(Mobility, bool); 7] = [
    (Mobility::Client, false),
    (Mobility::Client, true),
    (Mobility::Server, false),
    (Mobility::Server, true),
    (Mobility::BothStableAlternative, false),
    (Mobility::BothPlanned, true),
    (Mobility::BothHard, true),
];

fn main() -> ExitCode {
    let mut arguments = std::env::args().skip(1).map(|text| text.parse::<u64>());
    let (lives, first) = match (arguments.next(), arguments.next()) {
        (None, _) => (1000, 0),
        (Some(Ok(lives)), None) => (lives, 0),
        (Some(Ok(lives)), Some(Ok(first))) => (lives, first),
        _ => {
            eprintln!("usage: sim_throughput [LIVES] [FIRST_SEED]");
            return ExitCode::from(2);
        }
    };
    let (mut packets, mut moves, mut virtual_seconds) = (0, 0, 0);
    let mut slowest = (0, 0);
    let start = Instant::now();
    for (mobility, dual_stack) in KINDS {
        for seed in first..first.saturating_add(lives) {
            let scenario = Scenario {
                seed,
                mobility,
                changes: 3 + seed % 13,
                dual_stack,
                renew_flow_ids: seed % 2 == 1,
            };
            match run(&scenario) {
                Ok(report) => {
                    packets += report.packets;
                    moves += report.moves;
                    virtual_seconds += report.virtual_time.as_millis() / 1000;
                    slowest = slowest.max((report.converged.as_millis(), seed));
                }
                Err(why) => {
                    eprintln!("ECCP_SIM_SEED={seed} {mobility:?} dual_stack={dual_stack}: {why}");
                    return ExitCode::FAILURE;
                }
            }
        }
    }
    let seconds = start.elapsed().as_secs_f64();
    let total = lives * KINDS.len() as u64;
    println!("{total} lives, {moves} moves, {packets} packets, {virtual_seconds} virtual seconds");
    println!(
        "{seconds:.1} s: {:.0} packets/s, {:.0} lives/s, {:.0} x real time",
        packets as f64 / seconds,
        total as f64 / seconds,
        virtual_seconds as f64 / seconds
    );
    println!(
        "slowest convergence after the last change: {} ms (seed {})",
        slowest.0, slowest.1
    );
    ExitCode::SUCCESS
}
