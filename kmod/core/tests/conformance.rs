// SPDX-License-Identifier: GPL-2.0-only
//! The shipping core against the table that the SPIN models export (spin-models/conformance.tsv),
//! both ways: whatever a row says happens, and what no row says does not. See docs/conformance.md.

#[path = "model/added.rs"]
mod added;
#[path = "model/host.rs"]
mod host;
#[path = "model/probe.rs"]
mod probe;
#[path = "model/role.rs"]
mod role;
#[path = "model/table.rs"]
mod table;

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use probe::Probe;
use role::Role;
use table::{Columns, State};

const TABLE: &str = include_str!("../../../spin-models/conformance.tsv");

/// Fewer comparisons than this mean that the table or the replay has lost something.
const LEAST_COMPARED: usize = 37_000;
/// Fewer states of the table than this in all roles together mean the same.
const LEAST_STATES: usize = 460;
/// What a later flow must be compared in, whatever else.
const LATER: [(Role, &str); 5] = [
    (Role::Caller, "NACK"),
    (Role::Caller, "SYNACK"),
    (Role::Called, "SYN"),
    (Role::Called, "ACK"),
    (Role::Unwilling, "SYN"),
];

/// Why an event is no input of the core, or one that it treats otherwise on purpose. Everything
/// else must agree.
fn outside(from: &State, role: Role, event: &str) -> Option<&'static str> {
    let state = &from.columns;
    let mut words = event.split(' ');
    let kind = words.next().unwrap_or(event);
    let version = words.next().unwrap_or("");
    match (state.name.as_str(), kind) {
        ("CLOSED", "CONNECT") if !role.is_asked() && from.later == role.is_later() => None,
        ("LISTEN", "SYN") if version == "v0" => None,
        ("LISTEN" | "CLOSED", _) => Some("there is no flow: the host's flow table answers"),
        (_, "NACK") if !role.is_later() => {
            Some("a NACK answers the SYN of an added flow, never that of the first")
        }
        ("SYN_SENT", "SYN") => Some("no simultaneous open"),
        ("SYN_SENT", "RST") if !event.ends_with(&format!("from {}", from.asked)) => {
            Some("what refuses a SYN must come from where it goes (R12)")
        }
        ("SYN_SENT", "LOSE_ADDRESS" | "NEW_ADDRESS") if role.is_later() => {
            Some("a flow is not added from an address that is gone: it is given up")
        }
        ("SYN_SENT", "LOSE_ADDRESS" | "NEW_ADDRESS") => {
            Some("a move before the SYN-ACK changes the source of the SYN, not its version")
        }
        (_, "SYN" | "SYNACK") if version != "v0" => Some("SYN and SYN-ACK have version 0"),
        (_, "RSYN") if version == "v0" => Some("RSYN has version 1 or more"),
        (_, "SYNACK") if role.is_asked() => Some("a SYN-ACK is for who has asked"),
        (_, "ACK") => {
            let token = words.next().unwrap_or("").trim_start_matches("tok");
            let given = state.sources.contains(token) || event.ends_with(&format!("from {token}"));
            (!given).then_some("a token that was never made")
        }
        _ => None,
    }
}

/// What the table and the core may differ in: a half-open flow opens at the first packet that the
/// peer could only make after our SYN-ACK (R8 for packets other than RSYN), though data still
/// waits for its ACK; and a reset is told to the address in use alone.
fn agrees(from: &State, event: &str, want: (&Columns, &BTreeSet<String>), got: &Seen) -> bool {
    let (columns, outputs) = want;
    let kind = event.split(' ').next().unwrap_or(event);
    match (from.columns.name.as_str(), kind) {
        (_, "ABORT" | "GIVE_UP") => got.columns == *columns && got.sent.is_subset(outputs),
        ("SYN_RCVD", "PING" | "RSYNACK") if got.columns.name != "SYN_RCVD" => {
            let mut opened = columns.clone();
            opened.name = match (opened.own.as_str(), opened.acked) {
                ("-", _) => "NOADDRESS_RSYN_RCVD".into(),
                (_, true) => "RSYN_RCVD".into(),
                (_, false) => "RSYN_SENT_RCVD".into(),
            };
            let from = event.rsplit(' ').next().unwrap_or("");
            let answer = BTreeSet::from([format!("SYNACK v0 tok{from} to {from}")]);
            let sent = match kind {
                "PING" if opened.own != "-" => answer,
                _ => outputs.clone(),
            };
            got.columns == opened && got.sent == sent
        }
        _ => got.columns == *columns && got.sent == *outputs,
    }
}

struct Seen {
    columns: Columns,
    sent: BTreeSet<String>,
}

#[derive(Default)]
struct Report {
    compared: usize,
    states: BTreeSet<String>,
    /// Comparisons of each role by the first word of the event.
    kinds: BTreeMap<(Role, String), usize>,
    outside: BTreeMap<&'static str, usize>,
    wrong: Vec<String>,
}

fn word(event: &str) -> String {
    event.split(' ').next().unwrap_or(event).to_owned()
}

/// Drives the core through every state that `role` can reach from `start`, and compares what
/// every event does.
fn replay(table: &BTreeMap<String, State>, role: Role, start: &str, report: &mut Report) {
    let mut reached = BTreeSet::from([start.to_owned()]);
    let mut queue = VecDeque::from([(start.to_owned(), Probe::new(role))]);
    while let Some((id, probe)) = queue.pop_front() {
        let state = &table[&id];
        let nothing = BTreeSet::new();
        let rows = state.rows.iter();
        let rows = rows.map(|(event, outcome)| (event, &outcome.next, &outcome.outputs));
        let ignored = state.ignored.iter().map(|event| (event, &id, &nothing));
        for (event, next, outputs) in rows.chain(ignored) {
            if let Some(why) = outside(state, role, event) {
                *report.outside.entry(why).or_default() += 1;
                continue;
            }
            let mut probe = probe.clone();
            let sent = probe.apply(event);
            let columns = probe.columns();
            let seen = Seen { columns, sent };
            let want = &table[next].columns;
            report.compared += 1;
            let alone = probe.leaves_the_first_flow_alone();
            *report.kinds.entry((role, word(event))).or_default() += 1;
            if !alone || !agrees(state, event, (want, outputs), &seen) {
                report.wrong.push(format!(
                    "{role:?} {id} {event}\n  table: {outputs:?} {want:?}\n  core:  {:?} {:?}",
                    seen.sent, seen.columns
                ));
            } else if seen.columns == *want && reached.insert(next.clone()) {
                queue.push_back((next.clone(), probe));
            }
        }
    }
    report.states.extend(reached);
}

#[test]
fn the_core_does_what_the_table_says_and_nothing_else() {
    let table = table::parse(TABLE).unwrap_or_else(|why| panic!("conformance.tsv: {why}"));
    let closed = Columns::without_flow("CLOSED", "L0");
    let listens = Columns::without_flow("LISTEN", "L0");
    let mut report = Report::default();
    for (role, columns, later) in [
        (Role::Server, &listens, false),
        (Role::Client, &closed, false),
        (Role::Called, &listens, false),
        (Role::Caller, &closed, true),
        (Role::Unwilling, &listens, true),
    ] {
        let mut states = table.iter();
        let first = states.find(|(_, state)| state.columns == *columns && state.later == later);
        let (first, _) = first.expect("the first states are in the table");
        replay(&table, role, first, &mut report);
    }
    println!(
        "{} comparisons in {} of {} states; not inputs of the core: {:#?}",
        report.compared,
        report.states.len(),
        table.len(),
        report.outside
    );
    for ((role, kind), count) in &report.kinds {
        println!("{role:?} {kind}: {count}");
    }
    let shown = report.wrong.len().min(20);
    assert!(
        report.wrong.is_empty(),
        "{} disagreements, such as\n{}",
        report.wrong.len(),
        report.wrong[..shown].join("\n")
    );
    for (role, kind) in LATER {
        let compared = report.kinds.contains_key(&(role, kind.to_owned()));
        assert!(compared, "{kind} of {role:?}");
    }
    assert!(report.compared >= LEAST_COMPARED, "{}", report.compared);
    assert!(
        report.states.len() >= LEAST_STATES,
        "{}",
        report.states.len()
    );
}

/// Every packet stands in every state: as a row or as ignored, and never as both.
#[test]
fn the_table_leaves_no_packet_out() {
    let table = table::parse(TABLE).unwrap_or_else(|why| panic!("conformance.tsv: {why}"));
    let packets = |state: &State| -> BTreeSet<String> {
        let rows = state.rows.keys().filter(|event| event.contains(" from "));
        rows.chain(&state.ignored).cloned().collect()
    };
    let all: BTreeSet<String> = table.values().flat_map(packets).collect();
    for (id, state) in &table {
        assert_eq!(packets(state), all, "{id}");
        let both: Vec<_> = state
            .ignored
            .iter()
            .filter(|e| state.rows.contains_key(*e))
            .collect();
        assert!(both.is_empty(), "{id}: {both:?}");
    }
}
