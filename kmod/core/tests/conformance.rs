// SPDX-License-Identifier: GPL-2.0-only
//! The shipping core against the table that the SPIN models export, both ways: every row holds,
//! and the core does nothing that no row allows.

#[path = "model/host.rs"]
mod host;
#[path = "model/probe.rs"]
mod probe;
#[path = "model/table.rs"]
mod table;

use std::collections::{BTreeMap, VecDeque};

use probe::{Probe, Role};
use table::State;

const TABLE: &str = include_str!("../../../spin-models/conformance.tsv");

fn outside(_state: &State, role: Role, event: &str) -> Option<&'static str> {
    let name = _state.columns.name.as_str();
    let kind = event.split(' ').next().unwrap_or(event);
    match (name, kind) {
        ("LISTEN" | "CLOSED", "CONNECT") if role == Role::Client => None,
        ("LISTEN", "SYN") if event.starts_with("SYN v0") => None,
        ("LISTEN" | "CLOSED", _) => Some("no flow"),
        (_, "NACK") => Some("nack"),
        (_, "SYN") if !event.starts_with("SYN v0") => Some("SYN version 0"),
        ("SYN_SENT", "SYN") => Some("simultaneous open"),
        ("SYN_SENT", "LOSE_ADDRESS" | "NEW_ADDRESS") => Some("move in SYN_SENT"),
        (_, "RSYN") if event.starts_with("RSYN v0") => Some("RSYN v0"),
        (_, "SYNACK") if role == Role::Server => Some("SYN-ACK to server"),
        _ => None,
    }
}

#[test]
fn trial() {
    let table = table::parse(TABLE).unwrap();
    let mut wrong: BTreeMap<String, (usize, String)> = BTreeMap::new();
    let mut reasons: BTreeMap<&str, usize> = BTreeMap::new();
    let (mut ok, mut visited) = (0, 0);
    for (role, start) in [(Role::Server, "s0"), (Role::Client, "s9")] {
        let mut seen = BTreeMap::new();
        let mut queue = VecDeque::from([(start.to_string(), Probe::new(role))]);
        seen.insert(start.to_string(), ());
        while let Some((id, probe)) = queue.pop_front() {
            visited += 1;
            let state = &table[&id];
            let mut cases: Vec<(String, String, std::collections::BTreeSet<String>)> = vec![];
            for (event, outcome) in &state.rows {
                cases.push((event.clone(), outcome.next.clone(), outcome.outputs.clone()));
            }
            for event in &state.ignored {
                cases.push((event.clone(), id.clone(), Default::default()));
            }
            for (event, next, outputs) in cases {
                if let Some(reason) = outside(state, role, &event) {
                    *reasons.entry(reason).or_default() += 1;
                    continue;
                }
                let mut probe = probe.clone();
                let sent = probe.apply(&event);
                let want = &table[&next].columns;
                let got = probe.columns();
                if sent != outputs || got != *want {
                    let kind = event.split(' ').next().unwrap();
                    let class = format!(
                        "{role:?} {} {kind} sent_ok={} state_ok={}",
                        state.columns.name,
                        sent == outputs,
                        got == *want
                    );
                    let e = wrong.entry(class).or_insert((0, String::new()));
                    e.0 += 1;
                    e.1 = format!("{id} {event} -> {next}\n   want {outputs:?} {want:?}\n   got  {sent:?} {got:?}");
                } else {
                    ok += 1;
                    if !seen.contains_key(&next) {
                        seen.insert(next.clone(), ());
                        queue.push_back((next, probe));
                    }
                }
            }
        }
    }
    for (k, (n, e)) in &wrong {
        println!("{n:5} {k}\n   {e}");
    }
    println!("ok {ok} visited {visited} reasons {reasons:?}");
    panic!();
}
