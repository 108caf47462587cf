// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Random small networks: every answer of the engine against walking each concrete packet.

use hsa_verify::analysis::{
    along, blackholes, diff, inverse, isolation, loops, paths, reach, trace, waypoint, Outcome,
    Reason, Slice,
};
use hsa_verify::header::{Bits, FieldId, FieldKind, Layout};
use hsa_verify::model::{
    DeviceId, Edit, Effect, Match, Network, Next, Output, PortId, PortKind, PortMatch, Rule,
    Spread, Table, Test,
};
use hsa_verify::space::Set;
use hsa_verify::transfer::Plane;
use proptest::prelude::*;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

const BOXES: u32 = 3;
const PORTS: u32 = 3;
const BITS: usize = 5;

/// A 5-bit header: a destination of three bits and a tag of two.
fn layout() -> Layout {
    Layout::packed(&[("dst", 3, FieldKind::Number), ("tag", 2, FieldKind::Number)])
        .expect("a sound layout")
}

fn headers() -> Vec<Bits> {
    let header = |n| {
        let mut bits = Bits::zeros(BITS);
        bits.write(0, BITS, n);
        bits
    };
    (0..1u128 << BITS).map(header).collect()
}

/// Port `k` of box `d`.
fn port(d: u32, k: u32) -> PortId {
    PortId(d * PORTS + k)
}

fn matching() -> impl Strategy<Value = Match> {
    let dst = prop_oneof![
        2 => Just(None),
        4 => (0..8u128, 0..=3u8).prop_map(|(value, len)| Some(Test::Prefix { value, len })),
        1 => (0..8u128, 0..8u128).prop_map(|(lo, hi)| Some(Test::Range { lo, hi })),
    ];
    let tag = prop_oneof![
        3 => Just(None),
        2 => (0..4u128).prop_map(|v| Some(Test::Exact(v))),
    ];
    (dst, tag).prop_map(|(dst, tag)| {
        let conditions = [(0, dst), (1, tag)].into_iter();
        conditions.fold(Match::any(), |m, (field, test)| match test {
            Some(test) => m.and(FieldId(field), test),
            None => m,
        })
    })
}

/// With `tag_only` the destination never changes, so that it divides headers into classes.
fn edit(tag_only: bool) -> impl Strategy<Value = Edit> {
    let others = u32::from(!tag_only);
    prop_oneof![
        4 => (0..4u128).prop_map(|value| Edit::Set { field: FieldId(1), value }),
        1 => Just(Edit::DecTtl { field: FieldId(1) }),
        others => (0..8u128).prop_map(|value| Edit::Set { field: FieldId(0), value }),
        others => Just(Edit::Pop { count: 1 }),
        others => Just(Edit::Push { bits: Bits::ones(1) }),
    ]
}

fn output(d: u32, last: bool, tag_only: bool) -> impl Strategy<Value = Output> {
    let edits = prop_oneof![2 => Just(vec![]), 1 => prop::collection::vec(edit(tag_only), 1..3)];
    let next = if last {
        prop_oneof![
            8 => (0..PORTS).prop_map(move |k| Next::Leave(port(d, k))),
            1 => Just(Next::LeaveIngress),
        ]
        .boxed()
    } else {
        prop_oneof![
            4 => Just(Next::Table { table: 1, port: None }),
            2 => (0..PORTS).prop_map(move |k| Next::Table { table: 1, port: Some(port(d, k)) }),
            1 => (0..PORTS).prop_map(move |k| Next::Leave(port(d, k))),
        ]
        .boxed()
    };
    (edits, next).prop_map(|(edits, next)| Output { edits, next })
}

fn rule(d: u32, last: bool, tag_only: bool) -> impl Strategy<Value = Rule> {
    let effect = prop_oneof![
        1 => Just(Effect::Drop),
        1 => Just(Effect::Deliver),
        8 => (prop::collection::vec(output(d, last, tag_only), 1..3), prop::bool::ANY).prop_map(
            |(outputs, all)| Effect::Forward {
                outputs,
                spread: if all { Spread::All } else { Spread::OneOf },
            }
        ),
    ];
    let ports = prop_oneof![
        2 => Just(PortMatch::Any),
        1 => prop::collection::vec((0..PORTS).prop_map(move |k| port(d, k)), 0..3)
            .prop_map(PortMatch::In),
    ];
    (ports, matching(), effect).prop_map(|(ports, matching, effect)| Rule {
        ports,
        matching,
        effect,
        origins: Vec::new(),
        label: None,
    })
}

fn network() -> impl Strategy<Value = Network> {
    prop::bool::ANY.prop_flat_map(network_of)
}

fn network_of(tag_only: bool) -> impl Strategy<Value = Network> {
    let tables = |d: u32| {
        let first = prop::collection::vec(rule(d, false, tag_only), 1..5);
        let second = prop::collection::vec(rule(d, true, tag_only), 1..5);
        (first, second, prop::bool::weighted(0.2))
    };
    let boxes = (tables(0), tables(1), tables(2));
    let links = prop::collection::btree_set((0..BOXES * PORTS, 0..BOXES * PORTS), 2..9);
    (boxes, links).prop_map(|((a, b, c), links)| {
        let mut net = Network::new(layout());
        for (d, (first, second, send_back)) in [a, b, c].into_iter().enumerate() {
            let device = net.add_device(format!("box{d}"));
            net.devices[d].send_back = send_back;
            for (name, rules) in [("first", first), ("second", second)] {
                net.devices[d].tables.push(Table {
                    name: name.into(),
                    rules,
                });
            }
            for k in 0..PORTS {
                net.add_port(device, format!("p{k}"), PortKind::Physical, None);
            }
        }
        for (from, to) in links {
            if from != to {
                net.add_link(PortId(from), PortId(to), None);
            }
        }
        net
    })
}

fn compile(net: &Network) -> (Arc<Network>, Plane) {
    let net = Arc::new(net.clone());
    let plane = Plane::compile(net.clone()).expect("generated networks are sound");
    (net, plane)
}

/// The packets of a set.
fn packets(plane: &Plane, set: Set) -> BTreeSet<Bits> {
    headers()
        .into_iter()
        .filter(|h| plane.space.contains(set, h))
        .collect()
}

/// A packet about to enter a box.
type State = (PortId, Bits);

/// Where each packet can be after one box and one link.
fn hops(net: &Network) -> BTreeMap<State, BTreeSet<State>> {
    let mut hops = BTreeMap::new();
    for p in net.physical_ports() {
        for h in headers() {
            let visit = &trace(net, p, &h).visits[0];
            let next = visit.exits.iter().flat_map(|e| {
                let links = net.links.iter().filter(|l| l.from == e.port);
                links.map(|l| (l.to, e.header.clone()))
            });
            hops.insert((p, h.clone()), next.collect());
        }
    }
    hops
}

/// Packets that can go on for as many hops as there are states, hence for ever.
fn endless(hops: &BTreeMap<State, BTreeSet<State>>) -> BTreeSet<State> {
    let mut alive: BTreeSet<State> = hops.keys().cloned().collect();
    loop {
        let next: BTreeSet<State> = alive
            .iter()
            .filter(|s| hops[s].iter().any(|t| alive.contains(t)))
            .cloned()
            .collect();
        if next == alive {
            return alive;
        }
        alive = next;
    }
}

/// Headers at `start` from which some copy comes back to it along exactly this cycle.
fn rounds(
    hops: &BTreeMap<State, BTreeSet<State>>,
    cycle: &[PortId],
    start: &Bits,
) -> BTreeSet<Bits> {
    let mut now = BTreeSet::from([start.clone()]);
    for i in 0..cycle.len() {
        let to = cycle[(i + 1) % cycle.len()];
        let next = now.iter().flat_map(|h| &hops[&(cycle[i], h.clone())]);
        now = next
            .filter(|(p, _)| *p == to)
            .map(|(_, h)| h.clone())
            .collect();
    }
    now
}

/// Every cycle of distinct ports, least port first.
fn simple_cycles(net: &Network) -> Vec<Vec<PortId>> {
    let mut found = Vec::new();
    let mut pending: Vec<Vec<PortId>> = net.physical_ports().map(|p| vec![p]).collect();
    while let Some(path) = pending.pop() {
        let device = net.port(path[path.len() - 1]).device;
        let next: BTreeSet<PortId> = net
            .links
            .iter()
            .filter(|l| net.port(l.from).device == device)
            .map(|l| l.to)
            .collect();
        for to in next {
            if to == path[0] {
                found.push(path.clone());
            } else if to > path[0] && !path.contains(&to) {
                let mut longer = path.clone();
                longer.push(to);
                pending.push(longer);
            }
        }
    }
    found
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(150))]

    #[test]
    fn reachability_is_the_union_of_all_traces(net in network()) {
        let (net, mut plane) = compile(&net);
        for p in net.physical_ports() {
            let reached = reach(&mut plane, &[(p, Set::ALL)]);
            let mut expected: BTreeMap<PortId, BTreeSet<Bits>> = BTreeMap::new();
            for h in headers() {
                for (out, header) in trace(&net, p, &h).outputs() {
                    expected.entry(out).or_default().insert(header);
                }
            }
            let found: BTreeMap<_, _> =
                reached.leaving.iter().map(|(&q, &s)| (q, packets(&plane, s))).collect();
            prop_assert_eq!(found, expected);
        }
    }

    #[test]
    fn inverse_reachability_finds_exactly_the_packets_that_arrive(net in network()) {
        let (net, mut plane) = compile(&net);
        let target = port(2, 1);
        let dst = plane.space.test(&net.layout.fields[0], &Test::Range { lo: 2, hi: 5 });
        let answer = inverse(&mut plane, &[(target, dst)]);
        for p in net.physical_ports() {
            let set = answer.get(&p).copied().unwrap_or(Set::EMPTY);
            let expected = headers().into_iter().filter(|h| {
                let outputs = trace(&net, p, h).outputs();
                outputs.iter().any(|(q, h)| *q == target && (2..=5).contains(&h.read(0, 3)))
            });
            prop_assert_eq!(packets(&plane, set), expected.collect::<BTreeSet<_>>());
        }
    }

    #[test]
    fn loops_are_exactly_the_endless_walks_and_the_closed_rounds(net in network()) {
        let (net, mut plane) = compile(&net);
        let answer = loops(&mut plane);
        prop_assert!(!answer.more);
        let hops = hops(&net);
        let endless = endless(&hops);
        for p in net.physical_ports().filter(|&p| net.links.iter().any(|l| l.to == p)) {
            let set = answer.forever.get(&p).copied().unwrap_or(Set::EMPTY);
            let expected = endless.iter().filter(|(q, _)| *q == p).map(|(_, h)| h.clone());
            prop_assert_eq!(packets(&plane, set), expected.collect::<BTreeSet<_>>());
        }
        let mut expected = BTreeMap::new();
        for cycle in simple_cycles(&net) {
            let starts: Vec<BTreeSet<Bits>> = (0..cycle.len())
                .map(|i| {
                    let mut turned = cycle.clone();
                    turned.rotate_left(i);
                    headers().into_iter().filter(|h| !rounds(&hops, &turned, h).is_empty()).collect()
                })
                .collect();
            if starts.iter().any(|s| !s.is_empty()) {
                expected.insert(cycle, starts);
            }
        }
        let found: BTreeMap<_, Vec<_>> = answer
            .cycles
            .iter()
            .map(|c| (c.ports(), c.starts.iter().map(|s| packets(&plane, s.once)).collect()))
            .collect();
        prop_assert_eq!(found, expected);
        for cycle in &answer.cycles {
            for (i, start) in cycle.starts.iter().enumerate() {
                let mut turned = cycle.ports();
                turned.rotate_left(i);
                let mut alive = packets(&plane, Set::ALL);
                loop {
                    let next: BTreeSet<Bits> = alive
                        .iter()
                        .filter(|h| rounds(&hops, &turned, h).iter().any(|h| alive.contains(h)))
                        .cloned()
                        .collect();
                    if next == alive {
                        break;
                    }
                    alive = next;
                }
                prop_assert_eq!(packets(&plane, start.forever), alive);
            }
        }
    }

    #[test]
    fn black_holes_name_the_rule_that_ended_each_packet(net in network()) {
        let (net, mut plane) = compile(&net);
        let p = port(0, 0);
        let reached = reach(&mut plane, &[(p, Set::ALL)]);
        let mut found: BTreeMap<(DeviceId, Reason), BTreeSet<Bits>> = BTreeMap::new();
        for hole in blackholes(&mut plane, &reached) {
            found.insert((hole.device, hole.reason), packets(&plane, hole.headers));
        }
        found.retain(|(_, reason), _| {
            matches!(reason, Reason::Dropped(_) | Reason::Delivered(_) | Reason::NoRule { .. })
        });
        let mut expected: BTreeMap<(DeviceId, Reason), BTreeSet<Bits>> = BTreeMap::new();
        for h in headers() {
            for visit in trace(&net, p, &h).visits {
                let device = net.port(visit.ingress).device;
                for lookup in visit.lookups {
                    let reason = match (lookup.outcome, lookup.rule) {
                        (Outcome::NoRule, _) => Reason::NoRule { table: lookup.table },
                        (Outcome::Dropped, Some(rule)) => Reason::Dropped(rule),
                        (Outcome::Delivered, Some(rule)) => Reason::Delivered(rule),
                        _ => continue,
                    };
                    expected.entry((device, reason)).or_default().insert(lookup.header);
                }
            }
        }
        prop_assert_eq!(found, expected);
    }

    #[test]
    fn paths_cover_what_arrives_on_simple_ways(net in network()) {
        let (net, mut plane) = compile(&net);
        let (from, to) = (port(0, 0), port(2, 2));
        let answer = paths(&mut plane, from, Set::ALL, to, 10_000);
        prop_assert!(!answer.more);
        let hops = hops(&net);
        for path in &answer.paths {
            prop_assert!(!path.start.is_empty());
            prop_assert_eq!(along(&mut plane, &path.hops, Set::ALL), path.end);
            prop_assert_eq!(along(&mut plane, &path.hops, path.start), path.end);
            for h in packets(&plane, path.start) {
                let mut now = BTreeSet::from([h]);
                for (i, hop) in path.hops.iter().enumerate() {
                    let last = i + 1 == path.hops.len();
                    let mut next = BTreeSet::new();
                    for h in &now {
                        let visit = &trace(&net, hop.ingress, h).visits[0];
                        let exits = visit.exits.iter().filter(|e| e.port == hop.egress);
                        next.extend(exits.map(|e| e.header.clone()));
                    }
                    if !last {
                        let to = path.hops[i + 1].ingress;
                        let linked = net.links.iter().any(|l| (l.from, l.to) == (hop.egress, to));
                        prop_assert!(linked, "hops follow links");
                    }
                    now = next;
                }
                prop_assert!(!now.is_empty(), "the packet takes the path");
            }
        }
        let direct: BTreeSet<Bits> = headers()
            .into_iter()
            .filter(|h| trace(&net, from, h).visits[0].exits.iter().any(|e| e.port == to))
            .collect();
        let shown = answer.paths.iter().flat_map(|p| packets(&plane, p.start));
        prop_assert!(direct.is_subset(&shown.collect()));
        prop_assert!(hops.len() == 9 * 32);
    }

    #[test]
    fn waypoints_are_bypassed_exactly_by_traces_that_avoid_them(net in network()) {
        let (net, mut plane) = compile(&net);
        let (from, to, middle) = (port(0, 0), port(2, 2), DeviceId(1));
        let answer =
            waypoint(&mut plane, &[(from, Set::ALL)], &[to], &BTreeSet::from([middle]));
        let mut without = (*net).clone();
        without.links.retain(|l| net.port(l.to).device != middle);
        let expected: BTreeSet<Bits> = headers()
            .into_iter()
            .filter(|h| trace(&without, from, h).outputs().iter().any(|(q, _)| *q == to))
            .collect();
        let start = answer.start.get(&from).copied().unwrap_or(Set::EMPTY);
        prop_assert_eq!(answer.is_empty(), expected.is_empty());
        prop_assert_eq!(packets(&plane, start), expected);
    }

    #[test]
    fn leaks_are_exactly_the_packets_that_turn_up_in_the_other_slice(net in network()) {
        let (net, mut plane) = compile(&net);
        let tag = net.layout.fields[1].clone();
        let slice = |plane: &mut Plane, name: &str, value: u128, ports: &[PortId]| Slice {
            name: name.into(),
            ports: ports.iter().copied().collect(),
            headers: plane.space.test(&tag, &Test::Exact(value)),
        };
        let slices = [slice(&mut plane, "red", 1, &[]), slice(&mut plane, "blue", 2, &[port(1, 1)])];
        let verdict = isolation(&mut plane, &slices);
        prop_assert!(verdict.overlaps.is_empty());
        let mut expected: BTreeMap<(usize, usize, PortId), BTreeSet<Bits>> = BTreeMap::new();
        for (i, slice) in slices.iter().enumerate() {
            for p in net.physical_ports() {
                if !slice.ports.is_empty() && !slice.ports.contains(&p) {
                    continue;
                }
                for h in packets(&plane, slice.headers) {
                    for (q, header) in trace(&net, p, &h).outputs() {
                        let other = &slices[1 - i];
                        let at = other.ports.is_empty() || other.ports.contains(&q);
                        if at && plane.space.contains(other.headers, &header) {
                            expected.entry((i, 1 - i, q)).or_default().insert(header);
                        }
                    }
                }
            }
        }
        let found: BTreeMap<_, _> = verdict
            .leaks
            .iter()
            .map(|l| ((l.from, l.into, l.port), packets(&plane, l.headers)))
            .collect();
        prop_assert_eq!(found, expected);
    }

    #[test]
    fn differences_are_those_of_two_separate_analyses(before in network(), after in network()) {
        let (old, plane) = compile(&before);
        let mut mixed = (*old).clone();
        mixed.devices[1] = after.devices[1].clone();
        let new = Arc::new(mixed);
        let from = old.port_name(port(0, 0));
        let (plane, differences) =
            diff(plane, new.clone(), &[from], Set::ALL).expect("both networks are sound");
        let outputs = |net: &Network| -> BTreeMap<String, BTreeSet<Bits>> {
            let mut all: BTreeMap<String, BTreeSet<Bits>> = BTreeMap::new();
            for h in headers() {
                for (q, header) in trace(net, port(0, 0), &h).outputs() {
                    all.entry(net.port_name(q)).or_default().insert(header);
                }
            }
            all
        };
        let (was, is) = (outputs(&old), outputs(&new));
        let none = BTreeSet::new();
        let mut seen = BTreeSet::new();
        for d in &differences {
            let (a, b) = (was.get(&d.to).unwrap_or(&none), is.get(&d.to).unwrap_or(&none));
            prop_assert_eq!(packets(&plane, d.lost), a - b);
            prop_assert_eq!(packets(&plane, d.gained), b - a);
            seen.insert(d.to.clone());
        }
        for name in was.keys().chain(is.keys()).filter(|n| !seen.contains(*n)) {
            prop_assert_eq!(was.get(name), is.get(name), "unreported difference at {}", name);
        }
    }
    #[test]
    fn loops_do_not_depend_on_the_number_of_threads(net in network_of(true)) {
        let answer = |threads: usize| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build();
            pool.expect("threads").install(|| {
                let (_, mut plane) = compile(&net);
                let found = loops(&mut plane);
                let cycles: Vec<_> = found
                    .cycles
                    .iter()
                    .flat_map(|c| &c.starts)
                    .map(|s| (s.port, packets(&plane, s.once), packets(&plane, s.forever)))
                    .collect();
                let forever: Vec<_> =
                    found.forever.iter().map(|(p, s)| (*p, packets(&plane, *s))).collect();
                (cycles, forever, found.more)
            })
        };
        prop_assert_eq!(answer(1), answer(3));
    }
}
