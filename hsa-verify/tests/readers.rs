// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Real files through the readers: labs, Internet2, Stanford in other formats; and round trips.

mod data;

use hsa_verify::analysis::{loops, reach, trace};
use hsa_verify::header::Bits;
use hsa_verify::model::{Network, NoteKind, PortMatch, Test};
use hsa_verify::read::snapshot::{self, Options};
use hsa_verify::read::{hassel, native, SourceText};
use hsa_verify::space::Set;
use hsa_verify::transfer::Plane;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::net::Ipv4Addr;
use std::path::Path;
use std::sync::Arc;

fn read(path: &Path) -> Network {
    snapshot::read(path, &Options::default()).unwrap_or_else(|e| panic!("{e}"))
}

fn grave(network: &Network) -> Vec<&str> {
    let unknown = network.notes.iter().filter(|n| n.kind == NoteKind::Unknown);
    unknown.map(|n| n.text.as_str()).collect()
}

/// A packet without tag to an address.
fn packet(network: &Network, to: &str) -> Bits {
    let mut bits = Bits::zeros(network.layout.length as usize);
    let field = network
        .layout
        .field(network.layout.find("ip_dst").expect("an IPv4 header"));
    let to: Ipv4Addr = to.parse().expect("an address");
    bits.write(field.offset as usize, 32, u128::from(u32::from(to)));
    bits
}

/// Boxes that a packet visits, in order of distance.
fn visits(network: &Network, from: &str, to: &str) -> Vec<String> {
    let port = network
        .find_port(from)
        .unwrap_or_else(|| panic!("no port {from}"));
    let trace = trace(network, port, &packet(network, to));
    let name = |p| network.device(network.port(p).device).name.clone();
    trace.visits.iter().map(|v| name(v.ingress)).collect()
}

#[test]
fn every_cisco_lab_is_understood_whole() {
    let Some(labs) = data::folder("labs") else {
        return;
    };
    let boxes = [
        ("ios_basic_vrrp", 4),
        ("ios_bgp_path_select_8", 4),
        ("ios_ibgp_split_horizon", 3),
        ("iosxe_connectivity_sample", 1),
        ("iosxe_ebgp_loop_prevention", 4),
        ("iosxe_vrf_route_leaking_classic_eigrp", 4),
    ];
    for (lab, expected) in boxes {
        let network = read(&labs.join(lab));
        assert_eq!(network.devices.len(), expected, "{lab}");
        assert_eq!(grave(&network), Vec::<&str>::new(), "{lab}");
        assert_eq!(
            network.links.is_empty(),
            expected == 1,
            "{lab}: links from shared subnets"
        );
        let mut plane = Plane::compile(Arc::new(network)).expect("a sound network");
        assert_eq!(loops(&mut plane).cycles, [], "{lab}");
    }
}

/// `show ip route` of leaf1: 192.168.123.4 by BGP over spine1, resolved by a second lookup.
#[test]
fn bgp_next_hops_are_resolved_through_other_routes() {
    let Some(labs) = data::folder("labs") else {
        return;
    };
    let network = read(&labs.join("ios_bgp_path_select_8"));
    let way = visits(&network, "leaf1:gi3", "192.168.123.4");
    assert_eq!(way, ["leaf1", "spine1", "low_igp_metric_8"]);
    assert_eq!(visits(&network, "leaf1:gi3", "192.168.123.1"), ["leaf1"]);
}

/// In this lab VRFs leak routes to each other: d1_ce reaches 192.168.122.0/24 behind d4_shared.
#[test]
fn packets_stay_in_their_vrf_but_for_leaked_routes() {
    let Some(labs) = data::folder("labs") else {
        return;
    };
    let network = read(&labs.join("iosxe_vrf_route_leaking_classic_eigrp"));
    assert_eq!(
        visits(&network, "d3_pe:gi1", "192.168.122.1"),
        ["d3_pe", "d4_shared"]
    );
    // 192.168.123.2 belongs to the other customer.
    assert_eq!(visits(&network, "d3_pe:gi1", "192.168.123.2"), ["d3_pe"]);
}

#[test]
fn junos_labs_route_between_the_routers() {
    let Some(labs) = data::folder("labs") else {
        return;
    };
    let lab = labs.join("junos_l3vpn");
    let parts = [lab.join("configs"), lab.join("show")];
    let network = snapshot::read_all(&parts, &Options::default()).unwrap_or_else(|e| panic!("{e}"));
    assert_eq!(network.devices.len(), 2);
    assert_eq!(visits(&network, "pe1:ge-0/0/0", "10.255.0.1"), ["pe1"]);
    let network = read(&labs.join("junos_static_route_defaults/configs"));
    assert_eq!(network.devices[0].name, "r1");
}

/// The transfer functions were made from these very tables, for one member of each aggregate.
#[test]
fn internet2_forwards_as_its_transfer_functions() {
    let Some(folder) = data::folder("internet2") else {
        return;
    };
    let mut network = read(&folder.join("raw"));
    assert_eq!(network.devices.len(), 9);
    assert!(
        network.rule_count() > 100_000,
        "{} rules",
        network.rule_count()
    );
    let mut tf = hassel::read_dir(&folder.join("tf"), &hassel::Options::default()).expect("sound");
    // One box at a time: without links a packet is looked up once.
    network.links.clear();
    tf.links.clear();
    let mut compared = 0;
    for device in ["atla", "newy32aoa", "wash"] {
        compared += compare_destinations(&network, &tf, device);
    }
    assert!(compared > 100, "{compared} destinations");
}

/// Sends packets into one port of a box in both models and compares where they leave.
fn compare_destinations(network: &Network, tf: &Network, name: &str) -> usize {
    let own = |n: &Network, p| n.device(n.port(p).device).name == name;
    let theirs: Vec<_> = tf.physical_ports().filter(|p| own(tf, *p)).collect();
    let id = network.find_device(name).expect("the box is there");
    let vlans: BTreeMap<String, u128> = untagged_entry(network, id.0);
    let (port, vlan) = vlans
        .iter()
        .find(|(p, _)| {
            theirs
                .iter()
                .any(|t| tf.port(*t).name == p.replace(':', "-"))
        })
        .expect("a port in both");
    let ours = network
        .find_port(&format!("{name}:{port}"))
        .expect("just found");
    let there = theirs
        .iter()
        .find(|t| tf.port(**t).name == port.replace(':', "-"));
    let there = *there.expect("just found");
    let mut compared = 0;
    let rules = &network.device(id).tables[1].rules;
    for rule in rules.iter().step_by(rules.len() / 60) {
        let [condition] = rule.matching.fields.as_slice() else {
            continue;
        };
        let Test::Prefix { value, .. } = condition.test else {
            continue;
        };
        let address = Ipv4Addr::from(value as u32 + 1);
        let mut header = packet(network, &address.to_string());
        header.write(112, 16, *vlan);
        let mut short = Bits::zeros(48);
        short.write(0, 16, *vlan);
        short.write(16, 32, u128::from(u32::from(address)));
        let leaving = |n: &Network, from, header: &Bits| -> BTreeSet<String> {
            let exits = &trace(n, from, header).visits[0].exits;
            exits
                .iter()
                .map(|e| n.port(e.port).name.replace(':', "-"))
                .collect()
        };
        let (a, b) = (leaving(network, ours, &header), leaving(tf, there, &short));
        if !b.is_empty() {
            assert!(
                b.is_subset(&a),
                "{name}: {address} leaves by {b:?}, here by {a:?}"
            );
            compared += 1;
        }
    }
    compared
}

/// Ports with the VLAN by which their first unit is entered.
fn untagged_entry(network: &Network, device: u32) -> BTreeMap<String, u128> {
    let mut found = BTreeMap::new();
    for rule in &network.devices[device as usize].tables[0].rules {
        if let (PortMatch::In(ports), [first, ..]) = (&rule.ports, &*rule.matching.fields) {
            if let Test::Exact(vlan) = first.test {
                found.insert(network.port(ports[0]).name.clone(), vlan);
            }
        }
    }
    found
}

/// NetPlumber's files hold the same rules as the transfer functions: one table a stage.
#[test]
fn netplumber_tables_are_read_last_rule_first() {
    let Some(folder) = data::folder("stanford") else {
        return;
    };
    let network = read(&folder.join("netplumber_json"));
    assert_eq!(network.devices.len(), 48);
    assert_eq!(network.rule_count(), 8_792);
    let mut plane = Plane::compile(Arc::new(network.clone())).expect("a sound network");
    let port = network
        .find_port("bbra_rtr.in:100025")
        .expect("te7/3 of bbra");
    let reached = reach(&mut plane, &[(port, Set::ALL)]);
    assert!(
        reached.leaving.len() > 100,
        "{} ports",
        reached.leaving.len()
    );
}

fn round_trip(network: &Network) {
    let text = serde_json::to_string(&native::write(network)).expect("plain data");
    let source = SourceText::from_bytes("export.json", text.as_bytes()).expect("text");
    let again = native::read(&source).unwrap_or_else(|e| panic!("{e}"));
    again.validate().expect("a sound network");
    let second = serde_json::to_string(&native::write(&again)).expect("plain data");
    assert_eq!(text, second, "what is exported is read back the same");
    let counts = |n: Network| -> HashMap<String, String> {
        let n = Arc::new(n);
        let mut plane = Plane::compile(n.clone()).expect("a sound network");
        let first = n.physical_ports().next().expect("a port");
        let reached = reach(&mut plane, &[(first, Set::ALL)]).leaving;
        let count = |(p, s)| (n.port_name(p), plane.space.count(s).to_string());
        reached.into_iter().map(count).collect()
    };
    assert_eq!(
        counts(network.clone()),
        counts(again),
        "and answers the same"
    );
}

#[test]
fn exports_come_back_the_same() {
    round_trip(&hsa_verify::generate::fat_tree(4));
    let Some(folder) = data::folder("stanford") else {
        return;
    };
    round_trip(&hassel::read_dir(&folder.join("tf"), &hassel::Options::default()).expect("sound"));
    let Some(labs) = data::folder("labs") else {
        return;
    };
    round_trip(&read(&labs.join("ios_basic_vrrp")));
}
