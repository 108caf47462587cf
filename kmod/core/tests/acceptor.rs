// SPDX-License-Identifier: GPL-2.0-only
//! Random lives in the simulator, read by the acceptor: an independent judge that knows the rules
//! and nothing of the core. And the judge judged: traces with one thing wrong must be refused.

#[path = "model/acceptor.rs"]
mod acceptor;
#[path = "model/forgery.rs"]
mod forgery;
#[path = "model/pcap.rs"]
mod pcap;
#[path = "model/simulated.rs"]
mod simulated;
#[path = "model/trace.rs"]
mod trace;

use std::collections::HashSet;

use acceptor::{Acceptor, Patience, Violation};
use eccp_core::sim::Mobility;
use forgery::FORGERIES;
use trace::{Event, Place, Record, Side, Sorter};

/// In the simulator nothing lies between the capture and the host.
const STRICT: Patience = Patience {
    lag: 0,
    answer: 2_000_000,
};

/// An emulated machine is slow, and its captures are taken below the module.
const KERNEL: Patience = Patience {
    lag: 250_000,
    answer: 3_000_000,
};

fn number(name: &str) -> Option<u64> {
    let text = std::env::var(name).ok()?;
    Some(
        text.parse()
            .unwrap_or_else(|_| panic!("{name} must be a number, not {text:?}")),
    )
}

fn judge_with(patience: Patience, records: &[Record], converged: bool) -> Vec<Violation> {
    let mut acceptor = Acceptor::new(patience);
    records.iter().for_each(|record| acceptor.read(record));
    acceptor.finish(converged)
}

fn judge(records: &[Record], converged: bool) -> Vec<Violation> {
    judge_with(STRICT, records, converged)
}

/// Lives through many seeds; every trace must be accepted.
fn accepted(mobility: Mobility, dual_stack: bool) {
    let runs = number("ECCP_SIM_RUNS").unwrap_or(40);
    let seeds = match number("ECCP_SIM_SEED") {
        Some(seed) => seed..seed + 1,
        None => 0..runs,
    };
    let mut total = 0;
    for seed in seeds {
        let (life, records) = simulated::live(seed, mobility, dual_stack);
        let name = format!("ECCP_SIM_SEED={seed} {mobility:?} dual_stack={dual_stack}");
        life.unwrap_or_else(|why| panic!("{name}: {why}"));
        let violations = judge(&records, mobility != Mobility::BothHard);
        if let Some(first) = violations.first() {
            let until = (first.at + 1).min(records.len());
            let control = records[..until]
                .iter()
                .filter(|record| record.kind != "DATA");
            let control: Vec<Record> = control.cloned().collect();
            let from = control.len().saturating_sub(16);
            panic!(
                "{name}: {} violations, first {first:#?}\n{}",
                violations.len(),
                trace::write(&control[from..])
            );
        }
        total += records.len();
    }
    println!("{mobility:?} dual_stack={dual_stack}: {total} records accepted");
    assert!(total > 0);
}

#[test]
fn a_moving_client_follows_the_rules() {
    accepted(Mobility::Client, false);
    accepted(Mobility::Client, true);
}

#[test]
fn a_moving_server_follows_the_rules() {
    accepted(Mobility::Server, false);
    accepted(Mobility::Server, true);
}

#[test]
fn two_moving_hosts_follow_the_rules() {
    accepted(Mobility::BothStableAlternative, false);
    accepted(Mobility::BothPlanned, false);
    accepted(Mobility::BothPlanned, true);
}

#[test]
fn two_hosts_that_lose_each_other_follow_the_rules() {
    accepted(Mobility::BothHard, false);
    accepted(Mobility::BothHard, true);
}

#[test]
fn several_flows_follow_the_rules() {
    let runs = number("ECCP_SIM_RUNS").unwrap_or(40);
    let seeds = match number("ECCP_SIM_SEED") {
        Some(seed) => seed..seed + 1,
        None => 0..runs,
    };
    let alone = seeds.clone().count() == 1;
    let (mut added, mut refused, mut moved) = (HashSet::new(), 0, 0);
    for seed in seeds {
        let name = format!("ECCP_SIM_SEED={seed} several flows");
        let records = simulated::several_flows(seed).unwrap_or_else(|why| panic!("{name}: {why}"));
        let violations = judge(&records, true);
        assert!(violations.is_empty(), "{name}: {violations:#?}");
        let first = records[0].flow.clone();
        for record in records.iter().filter(|record| record.flow != first) {
            let heard = record.event == Event::Received;
            match record.kind.as_str() {
                "SYN-ACK" if heard => _ = added.insert((record.host, record.flow.clone())),
                "NACK" if heard => refused += 1,
                "RSYN-ACK" if heard => moved += 1,
                _ => {}
            }
        }
    }
    let sides: HashSet<Side> = added.iter().map(|(side, _)| *side).collect();
    println!(
        "{} flows added, {refused} NACK, {moved} RSYN-ACK on them",
        added.len()
    );
    assert!(alone || (sides.len() == 2 && refused > 0 && moved > 0));
}

/// R18: who acts on a SYN-ACK that returns another token than that of its source is found out.
#[test]
fn an_answer_to_a_forged_syn_ack_is_refused() {
    let forged = |record: &Record| record.kind == "SYN-ACK" && record.event == Event::Received;
    let mut tried = 0;
    for seed in 0..12 {
        let records = simulated::several_flows(seed).unwrap_or_else(|why| panic!("{why}"));
        let answers = records.iter().filter(|r| forged(r) && r.echo.is_some());
        let Some(flow) = answers.map(|record| record.flow.clone()).next() else {
            continue;
        };
        tried += 1;
        let mut records = records;
        for record in records.iter_mut().filter(|r| forged(r) && r.flow == flow) {
            record.echo = Some("00".repeat(16));
        }
        let violations = judge(&records, false);
        let found = violations.iter().any(|violation| violation.rule == "R18");
        assert!(found, "seed {seed}: {violations:#?}");
    }
    assert!(tried > 5, "{tried} traces have an added flow");
}

/// Traces of the kernel module, recorded in QEMU (docs/trace.md).
#[test]
fn traces_of_the_kernel_module_follow_the_rules() {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/traces");
    let mut moves = 0;
    for entry in std::fs::read_dir(&folder).expect("tests/traces") {
        let path = entry.expect("an entry").path();
        let name = path.display();
        let text = std::fs::read_to_string(&path).unwrap_or_else(|why| panic!("{name}: {why}"));
        let records = trace::read(&text).unwrap_or_else(|why| panic!("{name}: {why}"));
        let violations = judge_with(KERNEL, &records, true);
        assert!(violations.is_empty(), "{name}: {violations:#?}");
        let rsyns = records
            .iter()
            .filter(|r| r.kind == "RSYN" && r.event == Event::Received);
        moves += rsyns.count();
    }
    assert!(moves >= 4, "the traces show {moves} RSYN");
}

#[test]
fn a_trace_with_one_thing_wrong_is_refused() {
    for forgery in FORGERIES {
        let mut tried = 0;
        for seed in 0..12 {
            let (life, mut records) = simulated::live(seed, Mobility::Client, false);
            life.unwrap_or_else(|why| panic!("seed {seed}: {why}"));
            if !(forgery.forge)(&mut records) {
                continue;
            }
            tried += 1;
            let patiently = forgery.timeless.then_some(KERNEL);
            for patience in [STRICT].into_iter().chain(patiently) {
                let violations = judge_with(patience, &records, false);
                assert!(
                    violations
                        .iter()
                        .any(|violation| violation.rule == forgery.rule),
                    "seed {seed}: {} must break {}, but: {violations:#?}",
                    forgery.what,
                    forgery.rule
                );
            }
        }
        assert!(tried > 0, "no trace to forge: {}", forgery.what);
    }
}

#[test]
fn a_trace_survives_writing_and_reading() {
    let (_, records) = simulated::live(1, Mobility::BothPlanned, true);
    assert_eq!(trace::read(&trace::write(&records)).as_ref(), Ok(&records));
    let broken = trace::read("{\"time\": 1}\n").expect_err("fields are missing");
    assert!(broken.starts_with("line 1:"), "{broken}");
}

fn sorted(file: &[u8], place: Place) -> Vec<Record> {
    let (packets, others) = pcap::packets(file).unwrap_or_else(|why| panic!("{why}"));
    assert_eq!(others, 0, "only ECCP packets are in the file");
    let mut sorter = Sorter::default();
    let records = packets
        .iter()
        .flat_map(|packet| sorter.sort(place, packet))
        .collect();
    assert_eq!((sorter.unknown, sorter.malformed), (0, 0));
    records
}

#[test]
fn a_capture_at_the_client_is_the_trace_of_the_client() {
    for seed in 0..8 {
        let records = sorted(&simulated::capture(seed), Place::At(Side::Client));
        assert!(records.len() > 50, "seed {seed}: {} records", records.len());
        let violations = judge(&records, false);
        assert!(violations.is_empty(), "seed {seed}: {violations:#?}");
    }
}

#[test]
fn a_capture_in_between_tells_what_both_do() {
    let file = simulated::capture(3);
    let (at_client, between) = (
        sorted(&file, Place::At(Side::Client)),
        sorted(&file, Place::Wire),
    );
    assert_eq!(between.len(), 2 * at_client.len());
    for (one, two) in at_client.iter().zip(between.chunks(2)) {
        assert_eq!((two[0].event, two[1].event), (Event::Sent, Event::Received));
        assert_ne!(two[0].host, two[1].host);
        assert!(two.contains(one), "{one:?}");
    }
}

#[test]
fn a_broken_capture_file_is_named() {
    let file = simulated::capture(3);
    let error = |file: &[u8]| pcap::packets(file).map(|_| ()).expect_err("it is broken");
    assert_eq!(error(&file[..20]), "shorter than the header of a pcap file");
    assert_eq!(error(&[7; 40]), "not a pcap file");
    assert!(error(&file[..file.len() - 1]).ends_with("is cut off"));
    let mut link = file.clone();
    link[20] = 99;
    assert_eq!(error(&link), "link type 99 is not known here");
}
