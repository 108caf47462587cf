// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Every constant of the crate is that of the uAPI header, and every name is
//! that of the specification.

mod spec;

use std::collections::BTreeMap;
use std::fmt::Debug;

use eccp_netlink::connection::{AddressAttribute, ConnectionAttribute};
use eccp_netlink::event::AddressGoneAttribute;
use eccp_netlink::flow::{AddAttribute, FlowAttribute, FlowRefAttribute, MoveAttribute};
use eccp_netlink::info::InfoAttribute;
use eccp_netlink::redirect::RedirectAttribute;
use eccp_netlink::rule::RuleAttribute;
use eccp_netlink::settings::SettingsAttribute;
use eccp_netlink::socket::Mode;
use eccp_netlink::stats::{Counter, StatsAttribute};
use eccp_netlink::*;

/// Names to values of all `#define`s and enumerators of the uAPI header.
fn header(file: &str) -> BTreeMap<String, u64> {
    let path = format!(
        "{}/../include/uapi/linux/{file}",
        env!("CARGO_MANIFEST_DIR")
    );
    let text = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{path}: {error}"));
    let mut values = BTreeMap::new();
    let mut next = 0;
    for line in text.lines().map(str::trim) {
        let words: Vec<&str> = line.split_whitespace().collect();
        if let ["#define", name, value, ..] = words[..] {
            if let Ok(value) = value.parse() {
                values.insert(name.to_string(), value);
            }
        } else if line.starts_with("enum") {
            next = 0;
        } else if line.starts_with("ECCP_") && line.ends_with(',') {
            let item = line.trim_end_matches(',');
            let (name, value) = item.split_once(" = ").unwrap_or((item, ""));
            next = value.parse().unwrap_or(next);
            values.insert(name.to_string(), next);
            next += 1;
        }
    }
    values
}

fn c_name(prefix: &str, name: &str) -> String {
    format!("ECCP_{prefix}_{name}")
        .to_uppercase()
        .replace('-', "_")
}

/// Checks that the names under `prefix` in the header are those of `table`.
fn compare<K: Copy + Into<u64> + Debug>(
    header: &BTreeMap<String, u64>,
    prefix: &str,
    table: &[(K, &str)],
) {
    for (value, name) in table {
        let wanted = c_name(prefix, name);
        assert_eq!(header.get(&wanted), Some(&(*value).into()), "{wanted}");
    }
}

fn compare_set<A: AttributeSet>(header: &BTreeMap<String, u64>, spec: &spec::Spec) {
    compare(header, &format!("a_{}", A::SET), A::NAMES);
    let names: Vec<String> = A::NAMES.iter().map(|(_, name)| name.to_string()).collect();
    assert_eq!(Some(&names), spec.sets.get(A::SET), "set {}", A::SET);
}

fn compare_values<K: Copy + Into<u64> + Debug>(
    header: &BTreeMap<String, u64>,
    spec: &spec::Spec,
    set: &str,
    table: &[(K, &str, &str)],
) {
    let names: Vec<(K, &str)> = table
        .iter()
        .map(|(value, name, _)| (*value, *name))
        .collect();
    compare(header, set, &names);
    let names: Vec<String> = table.iter().map(|(_, name, _)| name.to_string()).collect();
    assert_eq!(Some(&names), spec.enums.get(set), "enum {set}");
}

#[test]
fn attributes_are_those_of_the_header_and_of_the_specification() {
    let (header, spec) = (header("eccp.h"), spec::Spec::read());
    compare_set::<InfoAttribute>(&header, &spec);
    compare_set::<AddressAttribute>(&header, &spec);
    compare_set::<ConnectionAttribute>(&header, &spec);
    compare_set::<FlowAttribute>(&header, &spec);
    compare_set::<MoveAttribute>(&header, &spec);
    compare_set::<SettingsAttribute>(&header, &spec);
    compare_set::<StatsAttribute>(&header, &spec);
    compare_set::<AddressGoneAttribute>(&header, &spec);
    compare_set::<AddAttribute>(&header, &spec);
    compare_set::<FlowRefAttribute>(&header, &spec);
    compare_set::<RuleAttribute>(&header, &spec);
    compare_set::<RedirectAttribute>(&header, &spec);
    assert_eq!(spec.sets.len(), 12, "sets that the crate does not have");
}

#[test]
fn enumerations_are_those_of_the_header_and_of_the_specification() {
    let (header, spec) = (header("eccp.h"), spec::Spec::read());
    compare_values(&header, &spec, FlowState::SET, FlowState::TABLE);
    compare_values(&header, &spec, Role::SET, Role::TABLE);
    compare_values(&header, &spec, Carries::SET, Carries::TABLE);
    compare_values(&header, &spec, Encap::SET, Encap::TABLE);
    compare_values(&header, &spec, Policy::SET, Policy::TABLE);
    compare_values(&header, &spec, Reason::SET, Reason::TABLE);
    assert_eq!(
        spec.enums.len(),
        6,
        "enumerations that the crate does not have"
    );
}

#[test]
fn commands_are_those_of_the_header_and_of_the_specification() {
    let (header, spec) = (header("eccp.h"), spec::Spec::read());
    let table: Vec<(u8, &str)> = Command::TABLE
        .iter()
        .map(|(id, name, _)| (*id, *name))
        .collect();
    compare(&header, "cmd", &table);
    let names: Vec<String> = table.iter().map(|(_, name)| name.to_string()).collect();
    assert_eq!(names, spec.operations);
}

#[test]
fn counters_have_the_words_of_the_specification() {
    let spec = spec::Spec::read();
    for (_, name, words) in Counter::TABLE {
        assert_eq!(
            spec.docs.get(&format!("stats/{name}")).map(String::as_str),
            Some(*words)
        );
    }
}

#[test]
fn nothing_in_the_header_is_missing_here() {
    let known = {
        let mut known = Vec::new();
        fn set<A: AttributeSet>(known: &mut Vec<String>) {
            known.extend(
                A::NAMES
                    .iter()
                    .map(|(_, name)| c_name(&format!("a_{}", A::SET), name)),
            );
        }
        set::<InfoAttribute>(&mut known);
        set::<AddressAttribute>(&mut known);
        set::<ConnectionAttribute>(&mut known);
        set::<FlowAttribute>(&mut known);
        set::<MoveAttribute>(&mut known);
        set::<SettingsAttribute>(&mut known);
        set::<StatsAttribute>(&mut known);
        set::<AddressGoneAttribute>(&mut known);
        set::<AddAttribute>(&mut known);
        set::<FlowRefAttribute>(&mut known);
        set::<RuleAttribute>(&mut known);
        set::<RedirectAttribute>(&mut known);
        known
    };
    for name in header("eccp.h").keys() {
        if name.starts_with("ECCP_A_") && !name.ends_with("_MAX") {
            assert!(known.contains(name), "{name}");
        }
    }
}

#[test]
fn numbers_of_the_family_are_those_of_the_header() {
    let header = header("eccp.h");
    assert_eq!(
        header["ECCP_FAMILY_VERSION"],
        constants::FAMILY_VERSION.into()
    );
    assert_eq!(
        header["ECCP_SERVICE_ID_LEN"],
        constants::SERVICE_ID_LEN as u64
    );
}

#[test]
fn numbers_of_sockets_are_those_of_the_header() {
    let header = header("eccp_socket.h");
    assert_eq!(header["AF_ECCP"], socket::AF_ECCP.into());
    assert_eq!(header["SOL_ECCP"], socket::SOL_ECCP as u64);
    assert_eq!(header["ECCP_INFO"], socket::ECCP_INFO as u64);
    assert_eq!(header["ECCP_MOVE"], socket::ECCP_MOVE as u64);
    assert_eq!(header["ECCP_PSK"], socket::ECCP_PSK as u64);
    assert_eq!(header["ECCP_MODE"], socket::ECCP_MODE as u64);
    for (name, mode) in [
        ("SINGLE", Mode::Single),
        ("AGGREGATE", Mode::Aggregate),
        ("REDUNDANT", Mode::Redundant),
    ] {
        let number = header[format!("ECCP_MODE_{name}").as_str()];
        assert_eq!(number, u64::from(mode.number()));
        assert_eq!(Mode::from_number(mode.number()), Some(mode));
    }
    let required = header["ECCP_MODE_REQUIRED"];
    assert_eq!(required, u64::from(socket::ECCP_MODE_REQUIRED));
    assert_eq!(
        header["ECCP_DATAGRAM_MAX"],
        socket::ECCP_DATAGRAM_MAX as u64
    );
    assert_eq!(
        header["ECCP_SOCKADDR_PEER"],
        u64::from(socket::ECCP_SOCKADDR_PEER)
    );
    assert_eq!(header["ECCP_PATH_EVENTS"], socket::ECCP_PATH_EVENTS as u64);
    for (number, name) in [
        "LOST",
        "MOVING",
        "MOVED",
        "PEER_MOVED",
        "SUSPENDED",
        "FAILED",
        "FLOW_ADDED",
        "FLOW_REMOVED",
        "ADDRESS_GONE",
        "ACTIVE",
    ]
    .iter()
    .enumerate()
    {
        assert_eq!(header[&format!("ECCP_PATH_{name}")], number as u64);
    }
    let last = header["ECCP_PATH_LAST_KIND"] as u32;
    assert_eq!(socket::PathEventKind::all(), (2 << last) - 2);
    assert_eq!(header["ECCP_PSK_LEN"], socket::ECCP_PSK_LEN as u64);
    for (name, value) in socket::FLOW_OPTIONS {
        assert_eq!(header[name], value as u64, "{name}");
    }
    assert_eq!(
        header["ECCP_SOCKADDR_MIN_LEN"],
        socket::ECCP_SOCKADDR_MIN_LEN as u64
    );
}

#[test]
fn the_module_has_the_version_of_the_workspace() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../kmod/shim/shim_genl.c");
    let text = std::fs::read_to_string(path).unwrap_or_else(|error| panic!("{path}: {error}"));
    let wanted = format!("#define SHIM_VERSION \"{}\"", env!("CARGO_PKG_VERSION"));
    assert!(text.contains(&wanted), "{wanted} is not in {path}");
}
