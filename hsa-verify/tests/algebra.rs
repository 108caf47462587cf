// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The set algebra against brute force: on short headers a set is the list of its points.

use hsa_verify::header::{Bits, FieldId, FieldKind, Layout, Wildcard, WildcardUnion};
use hsa_verify::model::{Edit, Match, Test};
use hsa_verify::space::{edit_header, Set, Space};
use proptest::prelude::*;
use std::collections::BTreeSet;

const LENGTH: usize = 9;

/// Fields of the 9-bit header: three bits each.
fn layout() -> Layout {
    Layout::packed(&[
        ("a", 3, FieldKind::Number),
        ("b", 3, FieldKind::Number),
        ("c", 3, FieldKind::Number),
    ])
    .expect("a sound layout")
}

fn points() -> impl Iterator<Item = Bits> {
    (0..1u128 << LENGTH).map(|n| {
        let mut bits = Bits::zeros(LENGTH);
        bits.write(0, LENGTH, n);
        bits
    })
}

fn wildcard() -> impl Strategy<Value = Wildcard> {
    prop::collection::vec(0..3u8, LENGTH).prop_map(|digits| {
        let mut w = Wildcard::all(LENGTH);
        for (i, digit) in digits.into_iter().enumerate() {
            w.set(i, [None, Some(false), Some(true)][usize::from(digit)]);
        }
        w
    })
}

fn union() -> impl Strategy<Value = WildcardUnion> {
    prop::collection::vec(wildcard(), 0..6).prop_map(WildcardUnion)
}

fn order() -> impl Strategy<Value = Vec<u32>> {
    Just((0..LENGTH as u32).collect::<Vec<_>>()).prop_shuffle()
}

fn edit() -> impl Strategy<Value = Edit> {
    let bits = |n: usize| {
        (0..1u128 << n).prop_map(move |v| {
            let mut bits = Bits::zeros(n);
            bits.write(0, n, v);
            bits
        })
    };
    prop_oneof![
        (0..3u16, 0..8u128).prop_map(|(f, value)| Edit::Set {
            field: FieldId(f),
            value
        }),
        (bits(LENGTH), bits(LENGTH)).prop_map(|(keep, value)| Edit::Rewrite { keep, value }),
        (0..=LENGTH)
            .prop_flat_map(bits)
            .prop_map(|bits| Edit::Push { bits }),
        (0..=LENGTH as u32).prop_map(|count| Edit::Pop { count }),
        (0..3u16).prop_map(|f| Edit::DecTtl { field: FieldId(f) }),
    ]
}

fn test() -> impl Strategy<Value = Test> {
    let leaf = prop_oneof![
        (0..8u128).prop_map(Test::Exact),
        (0..8u128, 0..8u128).prop_map(|(value, mask)| Test::Masked { value, mask }),
        (0..8u128, 0..=3u8).prop_map(|(value, len)| Test::Prefix { value, len }),
        (0..8u128, 0..8u128).prop_map(|(lo, hi)| Test::Range { lo, hi }),
    ];
    leaf.prop_recursive(2, 8, 3, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..3).prop_map(Test::OneOf),
            inner.prop_map(|t| Test::Not(Box::new(t))),
        ]
    })
}

fn check(space: &Space, set: Set, expected: impl Fn(&Bits) -> bool) -> Result<(), TestCaseError> {
    for point in points() {
        prop_assert_eq!(
            space.contains(set, &point),
            expected(&point),
            "point {}",
            point
        );
    }
    Ok(())
}

proptest! {
    #[test]
    fn boolean_operations_agree_with_points(a in union(), b in union(), order in order()) {
        let mut space = Space::with_order(order);
        let (x, y) = (space.union(&a), space.union(&b));
        let (and, or) = (space.and(x, y), space.or(x, y));
        let (diff, xor, not) = (space.diff(x, y), space.xor(x, y), space.not(x));
        check(&space, and, |p| a.contains(p) && b.contains(p))?;
        check(&space, or, |p| a.contains(p) || b.contains(p))?;
        check(&space, diff, |p| a.contains(p) && !b.contains(p))?;
        check(&space, xor, |p| a.contains(p) != b.contains(p))?;
        check(&space, not, |p| !a.contains(p))?;
        let subset = points().all(|p| !a.contains(&p) || b.contains(&p));
        prop_assert_eq!(space.is_subset(x, y), subset);
        let equal = points().all(|p| a.contains(&p) == b.contains(&p));
        prop_assert_eq!(x == y, equal);
        prop_assert_eq!(x.is_empty(), points().all(|p| !a.contains(&p)));
    }

    #[test]
    fn counting_sampling_and_cubes_agree_with_points(a in union(), order in order()) {
        let mut space = Space::with_order(order);
        let set = space.union(&a);
        let expected = points().filter(|p| a.contains(p)).count();
        prop_assert_eq!(space.count(set), expected.into());
        match space.sample(set) {
            Some(point) => prop_assert!(a.contains(&point)),
            None => prop_assert_eq!(expected, 0),
        }
        let cubes = space.to_union(set);
        for p in points() {
            let covers = cubes.0.iter().filter(|c| c.contains(&p)).count();
            prop_assert_eq!(covers, usize::from(a.contains(&p)), "disjoint cover of {}", p);
        }
        prop_assert_eq!(space.union(&cubes), set);
    }

    #[test]
    fn projection_forgets_exactly_the_given_bits(
        a in union(), order in order(), forgotten in prop::collection::btree_set(0..LENGTH, 0..5),
    ) {
        let mut space = Space::with_order(order);
        let set = space.union(&a);
        let bits: Vec<usize> = forgotten.iter().copied().collect();
        let projected = space.project(set, &bits);
        let blank = |p: &Bits| {
            let mut q = p.clone();
            bits.iter().for_each(|&b| q.set(b, false));
            q
        };
        let kept: BTreeSet<Bits> = points().filter(|p| a.contains(p)).map(|p| blank(&p)).collect();
        check(&space, projected, |p| kept.contains(&blank(p)))?;
    }

    #[test]
    fn images_and_inverse_images_agree_with_edited_points(
        a in union(), order in order(), edits in prop::collection::vec(edit(), 0..4),
    ) {
        let layout = layout();
        let mut space = Space::with_order(order);
        let set = space.union(&a);
        let id = space.edits(&layout, &edits);
        let image = space.image(set, id);
        let expected: BTreeSet<Bits> = points()
            .filter(|p| a.contains(p))
            .filter_map(|p| edit_header(&layout, &edits, &p))
            .collect();
        check(&space, image, |p| expected.contains(p))?;
        let before = space.preimage(set, id);
        check(&space, before, |p| {
            edit_header(&layout, &edits, p).is_some_and(|q| a.contains(&q))
        })?;
    }

    #[test]
    fn tests_on_fields_agree_with_values(t in test(), f in 0..3u16, order in order()) {
        let layout = layout();
        let mut space = Space::with_order(order);
        let matching = Match::any().and(FieldId(f), t.clone());
        let set = space.matching(&layout, &matching);
        check(&space, set, |p| matching.accepts(&layout, p))?;
    }

    #[test]
    fn the_first_match_decides(
        rules in prop::collection::vec((wildcard(), prop::option::of(0..3u32)), 0..14),
        inside in union(),
        order in order(),
    ) {
        let mut space = Space::with_order(order);
        let layout = layout();
        // Every other rule comes as a set, the rest as fixed bits.
        let lines: Vec<_> = rules
            .iter()
            .enumerate()
            .map(|(i, (w, n))| {
                let raw = Match { fields: Vec::new(), raw: Some(w.clone()) };
                let condition = match i % 2 {
                    0 => space.condition(&layout, &raw),
                    _ => space.wildcard(w).into(),
                };
                (condition, *n)
            })
            .collect();
        let decision = space.first_match(&lines);
        let expected = |p: &Bits| rules.iter().find(|(w, _)| w.contains(p)).and_then(|(_, n)| *n);
        for p in points() {
            prop_assert_eq!(space.decide(decision, &p), expected(&p), "point {}", p);
        }
        let set = space.union(&inside);
        let parts = space.divide(set, decision);
        for (number, part) in &parts {
            prop_assert!(!part.is_empty());
            check(&space, *part, |p| inside.contains(p) && expected(p) == Some(*number))?;
        }
        let named: BTreeSet<u32> = parts.iter().map(|p| p.0).collect();
        let reached = points().filter(|p| inside.contains(p)).filter_map(|p| expected(&p));
        prop_assert_eq!(named, reached.collect::<BTreeSet<u32>>());
    }

    #[test]
    fn wildcard_unions_agree_with_points(a in union(), b in union()) {
        let both = a.intersect(&b);
        let rest = a.subtract(&b);
        let either = a.clone().union(b.clone());
        for p in points() {
            prop_assert_eq!(both.contains(&p), a.contains(&p) && b.contains(&p));
            prop_assert_eq!(rest.contains(&p), a.contains(&p) && !b.contains(&p));
            prop_assert_eq!(either.contains(&p), a.contains(&p) || b.contains(&p));
        }
        let text = a.to_string();
        prop_assert_eq!(text.parse::<WildcardUnion>().expect("its own text"), a);
    }

    #[test]
    fn rewinding_keeps_older_sets(a in union(), b in union()) {
        let mut space = Space::new(LENGTH);
        let x = space.union(&a);
        let mark = space.mark();
        let y = space.union(&b);
        let first = space.and(x, y);
        let cubes = space.to_union(first);
        space.rewind(mark);
        let y = space.union(&b);
        let again = space.and(x, y);
        prop_assert_eq!(space.to_union(again), cubes);
        check(&space, x, |p| a.contains(p))?;
    }
}

/// An Ethernet, VLAN, IPv6 and encapsulated inner header together: 1,104 bits.
#[test]
fn long_headers_are_counted_and_shifted_exactly() {
    let length = 1104;
    let mut space = Space::new(length);
    let inner: Vec<_> = (0..8)
        .map(|k| (format!("v6_{k}"), 128, FieldKind::Ipv6))
        .collect();
    let mut fields: Vec<(&str, u32, FieldKind)> = vec![("vlan", 80, FieldKind::Number)];
    fields.extend(inner.iter().map(|(n, w, k)| (n.as_str(), *w, *k)));
    let layout = Layout::packed(&fields).expect("a sound layout");
    let last = layout.find("v6_7").expect("the last field");
    let tail = Match::any().and(
        last,
        Test::Range {
            lo: 1,
            hi: 1 << 100,
        },
    );
    let set = space.matching(&layout, &tail);
    let per_value = num_bigint::BigUint::from(1u8) << (length - 128);
    assert_eq!(space.count(set), per_value.clone() << 100);
    let push = Edit::Push {
        bits: Bits::ones(128),
    };
    let pop = Edit::Pop { count: 128 };
    let both = space.edits(&layout, &[push.clone(), pop.clone()]);
    let (push, pop) = (space.edits(&layout, &[push]), space.edits(&layout, &[pop]));
    let pushed = space.image(set, push);
    assert_eq!(
        space.count(pushed),
        num_bigint::BigUint::from(1u8) << (length - 128)
    );
    let popped = space.image(pushed, pop);
    assert_eq!(popped, space.image(set, both));
    let front = space.preimage(pushed, push);
    assert_eq!(front, Set::ALL, "the tail is lost on the way out");
}
