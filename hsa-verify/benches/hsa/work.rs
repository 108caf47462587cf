// SPDX-License-Identifier: Apache-2.0 OR MIT
//! What is measured, and the answers that must come out for a measurement to count.

use hsa_verify::analysis::{loops, reach, reach_each};
use hsa_verify::generate::fat_tree;
use hsa_verify::model::{Network, PortId};
use hsa_verify::read::ios::quirks::Quirks;
use hsa_verify::read::{hassel, snapshot};
use hsa_verify::space::Set;
use hsa_verify::transfer::Plane;
use num_bigint::BigUint;
use rustix::time::{clock_gettime, ClockId};
use serde_json::{json, Value};
use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

/// A row of the table of results.
pub struct Work {
    /// Short name.
    pub name: &'static str,
    /// What it is.
    pub title: &'static str,
    /// Data it needs, below the folder of real networks.
    pub folder: &'static str,
    /// CPU seconds on one core that must not be exceeded.
    pub must: f64,
    /// CPU seconds on one core to strive for.
    pub aim: f64,
}

/// The rows.
pub const ROWS: [Work; 6] = [
    Work {
        name: "stanford_loops",
        title: "Stanford, loops with verdict and header sets",
        folder: "stanford/tf",
        must: 0.5,
        aim: 0.1,
    },
    Work {
        name: "stanford_reach_30",
        title: "Stanford, reachability of 30 sources x 681 ports",
        folder: "stanford/tf",
        must: 1.4,
        aim: 0.3,
    },
    Work {
        name: "stanford_reach_681",
        title: "Stanford, reachability of all 681 sources",
        folder: "stanford/tf",
        must: 10.0,
        aim: 2.0,
    },
    Work {
        name: "stanford_raw",
        title: "Stanford, raw output to model",
        folder: "stanford/raw",
        must: 2.0,
        aim: 0.5,
    },
    Work {
        name: "internet2_loops",
        title: "Internet2, loops from parsed rules",
        folder: "internet2/tf",
        must: 2.0,
        aim: 0.3,
    },
    Work {
        name: "internet2_reach_55",
        title: "Internet2, reachability of 55 sources",
        folder: "internet2/tf",
        must: 5.0,
        aim: 1.0,
    },
];

/// CPU and wall clock of the measured part.
struct Clock {
    cpu: f64,
    wall: Instant,
}

impl Clock {
    fn start() -> Self {
        Clock {
            cpu: cpu_seconds(),
            wall: Instant::now(),
        }
    }

    fn stop(self, answer: String, rules: usize) -> Value {
        json!({
            "cpu_s": cpu_seconds() - self.cpu,
            "wall_s": self.wall.elapsed().as_secs_f64(),
            "peak_mib": peak_mib(),
            "answer": answer,
            "rules": rules,
        })
    }
}

fn cpu_seconds() -> f64 {
    let t = clock_gettime(ClockId::ProcessCPUTime);
    t.tv_sec as f64 + t.tv_nsec as f64 / 1e9
}

/// The largest resident size so far.
fn peak_mib() -> f64 {
    let status = std::fs::read_to_string("/proc/self/status").expect("a Linux system");
    let line = status.lines().find_map(|l| l.strip_prefix("VmHWM:"));
    let kib = line.and_then(|l| l.trim().trim_end_matches(" kB").parse::<f64>().ok());
    kib.expect("the kernel tells the peak") / 1024.0
}

/// Makes one measurement and checks its answer.
pub fn measure(name: &str, data: &Path) -> Value {
    let stanford = || read_tf(&data.join("stanford/tf"));
    let internet2 = || read_tf(&data.join("internet2/tf"));
    match name {
        "stanford_loops" => measure_loops(stanford(), "20 cycles, 14 infinite, 54 ports"),
        "stanford_reach_30" => {
            let net = stanford();
            let sources = published_sources(&net, data);
            measure_reach(net, &sources, "4341 non-empty pairs")
        }
        "stanford_reach_681" => {
            let net = stanford();
            let sources: Vec<PortId> = net.physical_ports().collect();
            measure_reach(net, &sources, "37055 non-empty pairs")
        }
        "stanford_raw" => measure_raw(data),
        "internet2_loops" => measure_loops(internet2(), "2 cycles, 1 infinite, 15 ports"),
        "internet2_reach_55" => {
            let net = internet2();
            let linked = |p: &PortId| net.links.iter().any(|l| l.to == *p);
            let sources: Vec<PortId> = net.physical_ports().filter(linked).collect();
            measure_reach(net, &sources, "5246 non-empty pairs")
        }
        _ => match name.strip_prefix("fat_tree_").and_then(|k| k.parse().ok()) {
            Some(k) => measure_fat_tree(k),
            None => panic!("no measurement is called {name}"),
        },
    }
}

fn read_tf(dir: &Path) -> Arc<Network> {
    let options = hassel::Options::default();
    match hassel::read_dir(dir, &options) {
        Ok(net) => Arc::new(net),
        Err(e) => panic!("{e}"),
    }
}

/// The 30 ports of the published loop measurement.
fn published_sources(net: &Network, data: &Path) -> Vec<PortId> {
    let text = std::fs::read_to_string(data.join("stanford/oracle/loops.json"));
    let oracle: Value = text
        .map(|t| serde_json::from_str(&t).expect("JSON"))
        .expect("the oracle");
    let by_number: HashMap<u64, PortId> = net
        .physical_ports()
        .filter_map(|p| Some((net.port(p).number?, p)))
        .collect();
    let ports = oracle["hassel_c_per_port"]
        .as_array()
        .expect("a list")
        .iter();
    ports
        .map(|p| by_number[&p["port"].as_u64().expect("a number")])
        .collect()
}

fn compile(net: &Arc<Network>) -> Plane {
    Plane::compile(net.clone()).expect("the network is sound")
}

fn measure_loops(net: Arc<Network>, expected: &str) -> Value {
    let clock = Clock::start();
    let mut plane = compile(&net);
    let found = loops(&mut plane);
    let sets = found
        .cycles
        .iter()
        .flat_map(|c| &c.starts)
        .flat_map(|s| [s.once, s.forever]);
    let sets: Vec<Set> = sets.chain(found.forever.values().copied()).collect();
    let headers: BigUint = sets.into_iter().map(|set| plane.space.count(set)).sum();
    assert!(headers > BigUint::ZERO);
    let infinite = found.cycles.iter().filter(|c| c.is_infinite()).count();
    let (cycles, ports) = (found.cycles.len(), found.forever.len());
    let answer = format!("{cycles} cycles, {infinite} infinite, {ports} ports");
    assert_eq!(answer, expected);
    clock.stop(answer, net.rule_count())
}

fn measure_reach(net: Arc<Network>, sources: &[PortId], expected: &str) -> Value {
    let clock = Clock::start();
    let plane = compile(&net);
    let pairs = reach_each(&plane, sources, Set::ALL, |plane, _, reached| {
        let sets: Vec<Set> = reached.leaving.values().copied().collect();
        let counts = sets.iter().map(|&set| plane.space.count(set));
        counts.filter(|n| *n > BigUint::ZERO).count()
    });
    let answer = format!("{} non-empty pairs", pairs.iter().sum::<usize>());
    assert_eq!(answer, expected);
    clock.stop(answer, net.rule_count())
}

/// Reads the output of the routers with the readings of the program that made the transfer
/// functions, so that the model is the one of the other rows. Cables are in no raw file.
fn measure_raw(data: &Path) -> Value {
    let stanford = data.join("stanford");
    let links = tempfile::NamedTempFile::new().expect("a temporary file");
    std::fs::write(links.path(), cables(&stanford)).expect("it can be written");
    let paths = ["raw", "fib_reconstructed"].map(|p| stanford.join(p));
    let options = snapshot::Options {
        quirks: Quirks::hassel(),
        links: vec![links.path().to_owned()],
        ..snapshot::Options::default()
    };
    let clock = Clock::start();
    let net = match snapshot::read_all(&paths, &options) {
        Ok(net) => net,
        Err(e) => panic!("{e}"),
    };
    assert_eq!((net.devices.len(), net.links.len()), (16, 74));
    let answer = format!("{} boxes, {} rules", net.devices.len(), net.rule_count());
    clock.stop(answer, net.rule_count())
}

/// Each cable as a line `router port router port`.
fn cables(stanford: &Path) -> String {
    let net = read_tf(&stanford.join("tf"));
    let end = |p: PortId| {
        let port = net.port(p);
        format!("{} {}", net.device(port.device).name, port.name)
    };
    let once = net.links.iter().filter(|l| l.from < l.to);
    once.map(|l| format!("{} {}\n", end(l.from), end(l.to)))
        .collect()
}

fn measure_fat_tree(k: u32) -> Value {
    let net = Arc::new(fat_tree(k));
    let clock = Clock::start();
    let mut plane = compile(&net);
    assert!(loops(&mut plane).cycles.is_empty());
    let source = net
        .find_port("edge0.0:hosts")
        .expect("every fat tree has it");
    let reached = reach(&mut plane, &[(source, Set::ALL)]);
    let hosts = reached
        .leaving
        .keys()
        .filter(|&&p| net.port(p).name == "hosts")
        .count();
    assert_eq!(hosts as u32, k * k / 2 - 1);
    clock.stop(
        format!("{hosts} subnets reached, no loop"),
        net.rule_count(),
    )
}
