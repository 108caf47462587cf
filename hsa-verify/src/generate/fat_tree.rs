// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Fat trees of any even arity k, with routes for every subnet in every switch.
//!
//! ```text
//!            core 0 ... core (k/2)^2-1          core c joins aggregation switch c/(k/2)
//!            /    \                              of every pod
//!     agg 0 .. agg k/2-1     (k pods)
//!       |  \  /  |
//!     edge 0 .. edge k/2-1   subnet 10.pod.edge.0/24 behind port "hosts"
//! ```

use crate::header::{FieldId, FieldKind, Layout};
use crate::model::{
    DeviceId, Effect, Match, Network, Next, Output, PortId, PortKind, PortMatch, Rule, Spread,
    Table, Test,
};

/// The fields of a generated network: the IPv4 five-tuple, 104 bits.
fn layout() -> Layout {
    Layout::packed(&[
        ("ip_dst", 32, FieldKind::Ipv4),
        ("ip_src", 32, FieldKind::Ipv4),
        ("ip_proto", 8, FieldKind::Number),
        ("tp_src", 16, FieldKind::Number),
        ("tp_dst", 16, FieldKind::Number),
    ])
    .expect("the fields are packed and distinct")
}

/// Ports of one switch: to the level below and to the level above.
struct Switch {
    device: DeviceId,
    down: Vec<PortId>,
    up: Vec<PortId>,
}

/// A fat tree of arity `k` with 5k²/4 switches of k ports and k²/2 subnets: 5k⁴/8 rules. Ways up
/// are balanced over all uplinks. Panics when `k` is odd, zero or above 254.
pub fn fat_tree(k: u32) -> Network {
    assert!(
        k % 2 == 0 && (2..=254).contains(&k),
        "an even arity from 2 to 254"
    );
    let half = k / 2;
    let mut net = Network::new(layout());
    let mut switch = |name: String, down: &[String], up: u32| {
        let device = net.add_device(name);
        let mut port = |name: &str| net.add_port(device, name, PortKind::Physical, None);
        Switch {
            device,
            down: down.iter().map(|n| port(n)).collect(),
            up: (0..up).map(|i| port(&format!("up{i}"))).collect(),
        }
    };
    let numbered = |n: u32| -> Vec<String> { (0..n).map(|i| format!("down{i}")).collect() };
    let hosts = ["hosts".to_string()];
    let pods = 0..k;
    let edges: Vec<Vec<Switch>> = pods
        .clone()
        .map(|p| {
            (0..half)
                .map(|e| switch(format!("edge{p}.{e}"), &hosts, half))
                .collect()
        })
        .collect();
    let aggs: Vec<Vec<Switch>> = pods
        .map(|p| {
            (0..half)
                .map(|a| switch(format!("agg{p}.{a}"), &numbered(half), half))
                .collect()
        })
        .collect();
    let cores: Vec<Switch> = (0..half * half)
        .map(|c| switch(format!("core{c}"), &numbered(k), 0))
        .collect();
    for (pod, (edges, aggs)) in edges.iter().zip(&aggs).enumerate() {
        for (e, edge) in edges.iter().enumerate() {
            for (a, agg) in aggs.iter().enumerate() {
                join(&mut net, edge.up[a], agg.down[e]);
            }
        }
        for (a, agg) in aggs.iter().enumerate() {
            for (i, &up) in agg.up.iter().enumerate() {
                join(&mut net, up, cores[a * half as usize + i].down[pod]);
            }
        }
    }
    for (pod, (edges, aggs)) in edges.iter().zip(&aggs).enumerate() {
        for (e, edge) in edges.iter().enumerate() {
            routes(&mut net, edge, k, |p, s| (p == pod && s == e).then_some(0));
        }
        for agg in aggs {
            routes(&mut net, agg, k, |p, s| (p == pod).then_some(s));
        }
    }
    for core in &cores {
        routes(&mut net, core, k, |p, _| Some(p));
    }
    net
}

fn join(net: &mut Network, a: PortId, b: PortId) {
    net.add_link(a, b, None);
    net.add_link(b, a, None);
}

/// One rule for every subnet: down by the port that `below(pod, edge)` names, or up by any.
fn routes(
    net: &mut Network,
    switch: &Switch,
    k: u32,
    below: impl Fn(usize, usize) -> Option<usize>,
) {
    let mut rules = Vec::with_capacity((k * k / 2) as usize);
    for pod in 0..k as usize {
        for edge in 0..k as usize / 2 {
            let ports = match below(pod, edge) {
                Some(port) => &switch.down[port..=port],
                None => &switch.up[..],
            };
            let outputs = ports.iter().map(|&p| Output::new(Next::Leave(p)));
            let prefix = Test::Prefix {
                value: 10 << 24 | (pod as u128) << 16 | (edge as u128) << 8,
                len: 24,
            };
            rules.push(Rule {
                ports: PortMatch::Any,
                matching: Match::any().and(FieldId(0), prefix),
                effect: Effect::Forward {
                    outputs: outputs.collect(),
                    spread: Spread::OneOf,
                },
                origins: Vec::new(),
                label: None,
            });
        }
    }
    net.devices[switch.device.0 as usize].tables.push(Table {
        name: "routes".into(),
        rules,
    });
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::analysis::{loops, reach};
    use crate::space::Set;
    use crate::transfer::Plane;
    use std::sync::Arc;

    #[test]
    fn a_fat_tree_has_the_published_size() {
        for (k, rules) in [(4, 160), (8, 2_560), (10, 6_250)] {
            let net = fat_tree(k);
            assert_eq!(net.validate(), Ok(()));
            assert_eq!(net.rule_count(), rules, "rules at k = {k}");
            assert_eq!(net.devices.len() as u32, 5 * k * k / 4);
        }
    }

    #[test]
    fn every_subnet_is_reached_from_every_edge_and_nothing_loops() {
        let k = 6;
        let net = Arc::new(fat_tree(k));
        let mut plane = Plane::compile(net.clone()).expect("a sound network");
        assert_eq!(loops(&mut plane), Default::default());
        let from = net.find_port("edge2.1:hosts").expect("a port");
        let reached = reach(&mut plane, &[(from, Set::ALL)]);
        let hosts = net
            .physical_ports()
            .filter(|&p| net.port(p).name == "hosts");
        for port in hosts.filter(|&p| p != from) {
            let set = reached.leaving.get(&port).copied().unwrap_or(Set::EMPTY);
            let subnet = num_bigint::BigUint::from(256u32) << 72;
            assert_eq!(plane.space.count(set), subnet, "{}", net.port_name(port));
        }
    }
}
