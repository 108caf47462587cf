// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Measures the questions that other tools were measured on. Every measurement is a process of
//! its own; each row is the median of five, first on one processor, then on all.
//!
//! Results go to `hsa.json` and `hsa-scaling.svg` in the directory named by `HSA_BENCH_OUT`
//! (`target/bench` by default). `HSA_DATA` names the folder of real networks.

mod chart;
mod work;

use serde_json::{json, Value};
use std::path::{Path, PathBuf};
use std::process::Command;
use work::{Work, ROWS};

const REPEATS: usize = 5;
const ARITIES: [u32; 7] = [8, 12, 16, 20, 24, 28, 32];

fn main() {
    let args: Vec<String> = std::env::args().collect();
    if let Some(at) = args.iter().position(|a| a == "--row") {
        println!("{}", work::measure(&args[at + 1], &data()));
        return;
    }
    let out = std::env::var_os("HSA_BENCH_OUT").map_or("target/bench".into(), PathBuf::from);
    std::fs::create_dir_all(&out).expect("the result directory can be made");
    let rows: Vec<Value> = ROWS.iter().filter_map(row).collect();
    let peak = stanford_peak(&rows);
    println!(
        "{:<52} {peak:.0} MiB (must 100 MiB, aim 60 MiB)",
        "Stanford, peak memory"
    );
    let scaling: Vec<Value> = ARITIES.iter().map(|k| arity(*k)).collect();
    let results = json!({
        "processors": std::thread::available_parallelism().map_or(1, usize::from),
        "repeats": REPEATS,
        "rows": rows,
        "stanford_peak_mib": peak,
        "fat_trees": scaling,
    });
    let text = serde_json::to_string_pretty(&results).expect("results are plain values");
    write(&out.join("hsa.json"), &text);
    write(&out.join("hsa-scaling.svg"), &chart::scaling(&scaling));
    let exponent = chart::exponent(&scaling);
    println!("\nfat trees: cost grows like rules^{exponent:.2}");
    println!("results in {}", out.display());
}

/// The largest peak of the Stanford questions; 0 when none was measured.
fn stanford_peak(rows: &[Value]) -> f64 {
    let asked = rows.iter().filter(|r| {
        let name = r["name"].as_str().unwrap_or_default();
        name == "stanford_loops" || name.starts_with("stanford_reach")
    });
    asked
        .filter_map(|r| r["peak_mib"].as_f64())
        .fold(0.0, f64::max)
}

fn write(path: &Path, text: &str) {
    if let Err(e) = std::fs::write(path, text) {
        eprintln!("{}: {e}", path.display());
        std::process::exit(2);
    }
}

/// The folder of real networks.
fn data() -> PathBuf {
    let checkout = Path::new(env!("CARGO_MANIFEST_DIR")).parent();
    let default = checkout
        .and_then(Path::parent)
        .map(|p| p.join("shared/data"));
    std::env::var_os("HSA_DATA")
        .map(PathBuf::from)
        .or(default)
        .unwrap_or_default()
}

/// Measures one row, or says that its data is missing.
fn row(work: &Work) -> Option<Value> {
    let needed = data().join(work.folder);
    if !needed.is_dir() {
        eprintln!(
            "*** NOT MEASURED: {}: no folder {} ***",
            work.title,
            needed.display()
        );
        return None;
    }
    let one = runs(work.name, 1, REPEATS);
    let all = runs(work.name, 0, REPEATS);
    let cpu = median(&one, "cpu_s");
    let (wall, peak) = (median(&all, "wall_s"), median(&one, "peak_mib"));
    let verdict = if cpu <= work.must { "ok" } else { "TOO SLOW" };
    println!(
        "{:<52} cpu {cpu:>7.3} s (must {:>4} s, aim {:>4} s) {verdict:<8} wall on all {wall:>7.3} s  peak {peak:>5.0} MiB  {}",
        work.title, work.must, work.aim, one[0]["answer"].as_str().unwrap_or_default()
    );
    Some(json!({
        "name": work.name,
        "work": work.title,
        "cpu_s_one_core": cpu,
        "wall_s_all_cores": wall,
        "peak_mib": peak,
        "must_s": work.must,
        "aim_s": work.aim,
        "answer": one[0]["answer"],
        "cpu_s_each": one.iter().map(|r| r["cpu_s"].clone()).collect::<Vec<_>>(),
    }))
}

fn arity(k: u32) -> Value {
    let run = runs(&format!("fat_tree_{k}"), 1, 1).remove(0);
    println!(
        "fat tree k={k:<2} {:>7} rules  cpu {:>7.3} s  peak {:>5.0} MiB  {}",
        run["rules"],
        run["cpu_s"].as_f64().unwrap_or_default(),
        run["peak_mib"].as_f64().unwrap_or_default(),
        run["answer"].as_str().unwrap_or_default(),
    );
    json!({ "k": k, "rules": run["rules"], "cpu_s": run["cpu_s"], "peak_mib": run["peak_mib"] })
}

/// Runs a measurement in processes of its own; 0 threads means all processors.
fn runs(name: &str, threads: usize, times: usize) -> Vec<Value> {
    let program = std::env::current_exe().expect("the path of this program");
    let once = |_| {
        let output = Command::new(&program)
            .args(["--row", name])
            .env("RAYON_NUM_THREADS", threads.to_string())
            .output()
            .expect("this program can be started");
        if !output.status.success() {
            eprintln!("{name}: {}", String::from_utf8_lossy(&output.stderr));
            std::process::exit(1);
        }
        serde_json::from_slice(&output.stdout).expect("a measurement is one JSON object")
    };
    (0..times).map(once).collect()
}

fn median(runs: &[Value], key: &str) -> f64 {
    let mut values: Vec<f64> = runs.iter().filter_map(|r| r[key].as_f64()).collect();
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}
