// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The Stanford backbone, from its transfer functions and from the raw Cisco output, against the
//! answers of an independent exact checker: every reachability count, every cycle, every looping
//! header, every traced packet.

mod data;

use hsa_verify::analysis::{loops, reach, trace};
use hsa_verify::header::Bits;
use hsa_verify::model::{Network, PortId};
use hsa_verify::read::ios::quirks::Quirks;
use hsa_verify::read::{hassel, snapshot};
use hsa_verify::space::Set;
use hsa_verify::transfer::Plane;
use num_bigint::BigUint;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::Path;
use std::sync::Arc;

/// Number of an output port less that of the input port of the same port.
const OUTPUT: u64 = 20_000;

struct Backbone {
    network: Arc<Network>,
    by_number: HashMap<u64, PortId>,
    numbers: HashMap<PortId, u64>,
}

impl Backbone {
    fn read(folder: &Path) -> Self {
        let network = hassel::read_dir(&folder.join("tf"), &hassel::Options::default());
        let network = Arc::new(network.expect("the transfer functions are sound"));
        let number = |p: PortId| {
            network
                .port(p)
                .number
                .expect("ports of Hassel have numbers")
        };
        let by_number = network.physical_ports().map(|p| (number(p), p)).collect();
        Backbone::new(network, by_number)
    }

    /// From the output of the routers, with the quirks of the program that made the transfer
    /// functions. Links are in no raw file: they come from the topology.
    fn read_raw(folder: &Path) -> Self {
        let names = port_names(folder);
        let links = tempfile::NamedTempFile::new().expect("a temporary file");
        std::fs::write(links.path(), link_lines(folder, &names)).expect("it can be written");
        let options = snapshot::Options {
            quirks: Quirks::hassel(),
            links: vec![links.path().to_owned()],
            ..snapshot::Options::default()
        };
        let parts = [folder.join("raw"), folder.join("fib_reconstructed")];
        let network = snapshot::read_all(&parts, &options).expect("the raw files are sound");
        let network = Arc::new(network);
        let find = |(number, (router, port)): (&u64, &(String, String))| {
            Some((*number, network.find_port(&format!("{router}:{port}"))?))
        };
        let by_number = names.iter().filter_map(find).collect();
        Backbone::new(network, by_number)
    }

    fn both(folder: &Path) -> [Self; 2] {
        [Backbone::read(folder), Backbone::read_raw(folder)]
    }

    fn new(network: Arc<Network>, by_number: HashMap<u64, PortId>) -> Self {
        let numbers = by_number.iter().map(|(n, p)| (*p, *n)).collect();
        Backbone {
            network,
            by_number,
            numbers,
        }
    }

    fn plane(&self) -> Plane {
        Plane::compile(self.network.clone()).expect("the backbone is sound")
    }

    fn number(&self, port: PortId) -> u64 {
        self.numbers[&port]
    }
}

/// Router and port by number.
fn port_names(folder: &Path) -> BTreeMap<u64, (String, String)> {
    let text = std::fs::read_to_string(folder.join("tf/port_map.json")).expect("the port map");
    let map: BTreeMap<String, BTreeMap<String, u64>> = serde_json::from_str(&text).expect("JSON");
    let ports = map.iter().flat_map(|(router, ports)| {
        ports
            .iter()
            .map(|(port, number)| (*number, (router.clone(), port.clone())))
    });
    ports.collect()
}

/// The topology as lines of a link file, each cable once.
fn link_lines(folder: &Path, names: &BTreeMap<u64, (String, String)>) -> String {
    let text = std::fs::read_to_string(folder.join("tf/topology.tf")).expect("the topology");
    let mut lines = String::new();
    for line in text.lines().filter(|l| l.starts_with("link$[")) {
        let fields: Vec<&str> = line.split('$').collect();
        let number = |f: &str| f.trim_matches(['[', ']']).parse::<u64>().expect("one port");
        let (from, to) = (number(fields[1]) - OUTPUT, number(fields[7]));
        if from < to {
            let (a, b) = (&names[&from], &names[&to]);
            lines.push_str(&format!("{} {} {} {}\n", a.0, a.1, b.0, b.1));
        }
    }
    lines
}

fn lines(folder: &Path, name: &str) -> Vec<Vec<String>> {
    let path = folder.join("oracle").join(name);
    let text = std::fs::read_to_string(&path).expect("the oracle is next to the network");
    let rows = text.lines().filter(|l| l.as_bytes()[0].is_ascii_digit());
    rows.map(|l| l.split('\t').map(str::to_string).collect())
        .collect()
}

#[test]
fn the_backbone_has_the_published_size() {
    let Some(folder) = data::folder("stanford") else {
        return;
    };
    let backbone = Backbone::read(&folder);
    let net = &backbone.network;
    assert_eq!(net.devices.len(), 16);
    assert_eq!(net.physical_ports().count(), 681);
    assert_eq!(net.links.len(), 74);
    let unreachable = net
        .notes
        .iter()
        .filter(|n| n.text.contains("can never apply"))
        .count();
    assert_eq!(net.rule_count() + unreachable, 8_799);
}

#[test]
fn every_reachability_count_is_exact() {
    let Some(folder) = data::folder("stanford") else {
        return;
    };
    for backbone in Backbone::both(&folder) {
        let mut plane = backbone.plane();
        let mut expected: BTreeMap<u64, BTreeMap<u64, BigUint>> = BTreeMap::new();
        let rows = lines(&folder, "reach30.tsv");
        for row in &rows {
            let number = |i: usize| -> u64 { row[i].parse().expect("a port number") };
            let count = row[4].parse().expect("a count");
            expected
                .entry(number(0))
                .or_default()
                .insert(number(2), count);
        }
        assert_eq!(expected.len(), 30);
        let (mut pairs, mut compared) = (0, 0);
        for (source, counts) in &expected {
            let reached = reach(&mut plane, &[(backbone.by_number[source], Set::ALL)]);
            pairs += reached.leaving.len();
            for (port, count) in counts {
                let out = backbone.by_number[&(port - OUTPUT)];
                let set = reached.leaving.get(&out).copied().unwrap_or(Set::EMPTY);
                assert_eq!(plane.space.count(set), *count, "{source} -> {port}");
                compared += 1;
            }
        }
        assert_eq!(compared, rows.len());
        assert_eq!(
            pairs, 4_341,
            "pairs with a non-empty set, including those not in the sample"
        );
    }
}

#[test]
fn every_cycle_has_its_verdict_and_counts() {
    let Some(folder) = data::folder("stanford") else {
        return;
    };
    for backbone in Backbone::both(&folder) {
        let mut plane = backbone.plane();
        let answer = loops(&mut plane);
        let text = std::fs::read_to_string(folder.join("oracle/loops.json")).expect("the oracle");
        let oracle: serde_json::Value = serde_json::from_str(&text).expect("the oracle is JSON");
        let count = |v: &serde_json::Value| -> BigUint {
            v.as_str().expect("a string").parse().expect("a count")
        };
        type Row = (u64, BigUint, BigUint);
        let mut expected: BTreeSet<(bool, Vec<Row>)> = BTreeSet::new();
        for cycle in oracle["cycles"].as_array().expect("a list") {
            let starts = cycle["per_start"]
                .as_array()
                .expect("a list")
                .iter()
                .map(|s| {
                    let start = s["start"].as_u64().expect("a port number");
                    (
                        start,
                        count(&s["headers_once_round"]),
                        count(&s["headers_infinite"]),
                    )
                });
            expected.insert((
                cycle["infinite"].as_bool().expect("a verdict"),
                starts.collect(),
            ));
        }
        let found: BTreeSet<(bool, Vec<Row>)> = answer
            .cycles
            .iter()
            .map(|cycle| {
                let mut rows: Vec<Row> = Vec::new();
                for s in &cycle.starts {
                    let (once, forever) = (plane.space.count(s.once), plane.space.count(s.forever));
                    rows.push((backbone.number(s.port), once, forever));
                }
                let least = (0..rows.len())
                    .min_by_key(|&i| rows[i].0)
                    .expect("not empty");
                rows.rotate_left(least);
                (cycle.is_infinite(), rows)
            })
            .collect();
        assert_eq!(found, expected);
        assert_eq!(found.len(), 20);
        assert_eq!(found.iter().filter(|(infinite, _)| *infinite).count(), 14);
    }
}

#[test]
fn every_port_has_its_looping_headers() {
    let Some(folder) = data::folder("stanford") else {
        return;
    };
    for backbone in Backbone::both(&folder) {
        let mut plane = backbone.plane();
        let answer = loops(&mut plane);
        let destination = backbone.network.layout.find("ip_dst").expect("a field");
        let field = backbone.network.layout.field(destination).clone();
        let rows = lines(&folder, "infinite_headers.tsv");
        for row in &rows {
            let port = backbone.by_number[&row[0].parse().expect("a port number")];
            let set = answer.forever[&port];
            assert_eq!(plane.space.count(set).to_string(), row[2], "{}", row[1]);
            let others: Vec<usize> = (0..128)
                .filter(|b| !(field.offset as usize..(field.offset + 32) as usize).contains(b))
                .collect();
            let destinations = plane.space.project(set, &others);
            let mut expected = Set::EMPTY;
            for prefix in row[3].split(' ') {
                let (address, len) = prefix.split_once('/').expect("a prefix");
                let test = hsa_verify::model::Test::Prefix {
                    value: field.parse(address).expect("an address"),
                    len: len.parse().expect("a length"),
                };
                let one = plane.space.test(&field, &test);
                expected = plane.space.or(expected, one);
            }
            assert_eq!(destinations, expected, "destinations at {}", row[1]);
        }
        assert_eq!(rows.len(), 54);
        assert_eq!(answer.forever.len(), 54);
    }
}

#[test]
fn concrete_packets_take_the_recorded_ways() {
    let Some(folder) = data::folder("stanford") else {
        return;
    };
    for backbone in Backbone::both(&folder) {
        let rows = lines(&folder, "concrete_traces.tsv");
        assert_eq!(rows.len(), 2_000);
        let linked: BTreeSet<PortId> = backbone.network.links.iter().map(|l| l.from).collect();
        for row in &rows {
            let number: u64 = row[0].parse().expect("a port number");
            let Some(&port) = backbone.by_number.get(&number) else {
                // The generator gave numbers to interfaces that no packet enters by.
                assert_eq!(row[2], "-", "port {number} is not in the raw files");
                continue;
            };
            let header = Bits::from_hex(&row[1]).expect("a header");
            let outputs = trace(&backbone.network, port, &header).outputs();
            let outputs: BTreeSet<String> = outputs
                .iter()
                .map(|(out, h)| {
                    let edge = if linked.contains(out) { "" } else { ":E" };
                    format!("{}:{}{edge}", backbone.number(*out) + OUTPUT, h.to_hex())
                })
                .collect();
            let recorded = row[2].split(' ').filter(|&o| o != "-").map(str::to_string);
            assert_eq!(outputs, recorded.collect(), "{} {}", row[0], row[1]);
        }
    }
}

/// The sets of the engine and the rules themselves must agree on every recorded packet.
#[test]
fn sets_contain_exactly_the_traced_packets() {
    let Some(folder) = data::folder("stanford") else {
        return;
    };
    let backbone = Backbone::read(&folder);
    let mut plane = backbone.plane();
    for row in lines(&folder, "concrete_traces.tsv") {
        let port = backbone.by_number[&row[0].parse().expect("a port number")];
        let header = Bits::from_hex(&row[1]).expect("a header");
        let point = plane.space.point(&header);
        let reached = reach(&mut plane, &[(port, point)]).leaving;
        let mut packets = BTreeSet::new();
        for (out, set) in reached {
            let cubes: Vec<_> = plane.space.cubes(set).collect();
            for cube in cubes {
                assert_eq!(cube.free_bits(), 0, "one packet in, packets out");
                let packet = plane.space.wildcard(&cube);
                packets.insert((out, plane.space.sample(packet).expect("a packet")));
            }
        }
        assert_eq!(packets, trace(&backbone.network, port, &header).outputs());
    }
}
