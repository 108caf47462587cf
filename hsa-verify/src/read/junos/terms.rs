// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Filter terms as match conditions.

use super::firewall::{Prefixes, Ranges, Term};
use crate::model::{Match, Test};
use crate::read::ios::IpFields as Fields;

/// The condition on top of `base`, as alternatives that all have the term's verdict.
///
/// # Errors
/// A condition whose meaning is not certain: exceptions with nothing that they are exceptions of.
pub fn term_matches(term: &Term, fields: &Fields, base: &Match) -> Result<Vec<Match>, String> {
    let f = fields;
    let mut matching = base.clone();
    for (field, choice) in [(f.ip_src, &term.sources), (f.ip_dst, &term.destinations)] {
        if !choice.is_any() {
            matching = matching.and(field, longest_prefix(choice)?);
        }
    }
    for (field, choice) in [
        (f.ip_proto, &term.protocols),
        (f.tp_src, &term.source_ports),
        (f.tp_dst, &term.destination_ports),
        (f.tp_src, &term.icmp_types),
        (f.tp_dst, &term.icmp_codes),
    ] {
        for test in numbers(choice) {
            matching = matching.and(field, test);
        }
    }
    for alternatives in &term.flags {
        let test = |&(set, clear): &(u8, u8)| Test::Masked {
            value: u128::from(set),
            mask: u128::from(set | clear),
        };
        let test = Test::OneOf(alternatives.iter().map(test).collect());
        matching = matching.and(f.tcp_flags, test);
    }
    let mut all = vec![matching];
    if !term.either_address.is_any() {
        let test = longest_prefix(&term.either_address)?;
        if !term.either_address.without.is_empty() {
            return Err("an exception for either address is not supported".to_owned());
        }
        all = either(&all, [f.ip_src, f.ip_dst], &test);
    }
    if !term.either_port.is_any() {
        if !term.either_port.without.is_empty() {
            return Err("an exception for either port is not supported".to_owned());
        }
        for test in numbers(&term.either_port) {
            all = either(&all, [f.tp_src, f.tp_dst], &test);
        }
    }
    Ok(all)
}

fn either(all: &[Match], fields: [crate::header::FieldId; 2], test: &Test) -> Vec<Match> {
    let one = |m: &Match| fields.map(|field| m.clone().and(field, test.clone()));
    all.iter().flat_map(one).collect()
}

/// The longest of the prefixes that hold an address decides whether it matches.
fn longest_prefix(choice: &Prefixes) -> Result<Test, String> {
    if choice.with.is_empty() {
        return Err("exceptions without an address that they are exceptions of".to_owned());
    }
    let with = choice.with.iter().map(|p| (p.1, true, p.0));
    let without = choice.without.iter().map(|p| (p.1, false, p.0));
    let mut prefixes: Vec<(u8, bool, u32)> = with.chain(without).collect();
    // The same prefix in both lists is an exception.
    prefixes.sort_by_key(|&(len, with, addr)| (len, !with, addr));
    let mut matching = Test::OneOf(Vec::new());
    for group in prefixes.chunk_by(|a, b| (a.0, a.1) == (b.0, b.1)) {
        let prefix = |&(len, _, value): &(u8, bool, u32)| Test::Prefix {
            value: u128::from(value),
            len,
        };
        let tests = group.iter().map(prefix);
        matching = if group[0].1 {
            Test::OneOf(std::iter::once(matching).chain(tests).collect())
        } else {
            let before = Test::Not(Box::new(matching));
            let all = std::iter::once(before).chain(tests).collect();
            Test::Not(Box::new(Test::OneOf(all)))
        };
    }
    Ok(matching)
}

fn numbers(choice: &Ranges) -> Vec<Test> {
    let one_of = |list: &[(u16, u16)]| {
        let test = |&(lo, hi): &(u16, u16)| Test::Range {
            lo: u128::from(lo),
            hi: u128::from(hi),
        };
        Test::OneOf(list.iter().map(test).collect())
    };
    let with = Some(&choice.with).filter(|l| !l.is_empty());
    let without = Some(&choice.without).filter(|l| !l.is_empty());
    let without = without.map(|l| Test::Not(Box::new(one_of(l))));
    with.map(|l| one_of(l)).into_iter().chain(without).collect()
}

#[cfg(test)]
mod tests {
    use super::super::firewall::Choice;
    use super::*;
    use crate::header::Layout;

    #[test]
    fn the_longest_prefix_decides() {
        let choice = Choice {
            with: vec![(0x0a00_0000, 8), (0x0a01_0200, 24)],
            without: vec![(0x0a01_0000, 16)],
        };
        let layout = Layout::stanford();
        let field = layout.field(layout.find("ip_dst").unwrap());
        let test = longest_prefix(&choice).unwrap();
        for (address, expected) in [
            (0x0a02_0001, true),
            (0x0a01_0001, false),
            (0x0a01_0201, true),
            (0x0b00_0000, false),
        ] {
            assert_eq!(test.accepts(field, address), expected, "{address:x}");
        }
        let only = Choice {
            with: Vec::new(),
            without: vec![(0, 0)],
        };
        assert!(longest_prefix(&only).is_err());
    }
}
