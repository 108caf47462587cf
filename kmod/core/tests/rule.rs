// SPDX-License-Identifier: GPL-2.0-only
//! Rules for local addresses.

use eccp_core::address::{IpAddr128, LocalAddress, ADDRESS_BACKUP, ADDRESS_METERED};
use eccp_core::rule::{apply, Prefix, Rule, NAME_LEN};

fn name(text: &str) -> [u8; NAME_LEN] {
    let mut name = [0; NAME_LEN];
    name[..text.len()].copy_from_slice(text.as_bytes());
    name
}

fn v4(octets: [u8; 4]) -> IpAddr128 {
    IpAddr128::from_v4(octets)
}

fn v6(first: u8, last: u8) -> IpAddr128 {
    let mut raw = [0; 16];
    (raw[0], raw[1], raw[15]) = (0x20, first, last);
    IpAddr128(raw)
}

fn address(addr: IpAddr128) -> LocalAddress {
    LocalAddress {
        addr,
        ifindex: 3,
        flags: 0,
        priority: 0,
    }
}

const ANY: Rule = Rule {
    id: 1,
    interface: [0; NAME_LEN],
    prefix: None,
    priority: 0,
    flags: 0,
    never: false,
};

#[test]
fn a_prefix_holds_its_addresses_and_no_others() {
    let prefix = Prefix::new(v4([10, 1, 0, 0]), 16).unwrap();
    assert!(prefix.contains(&v4([10, 1, 255, 7])));
    assert!(!prefix.contains(&v4([10, 2, 0, 1])));
    assert!(!prefix.contains(&v6(1, 1)));
    let all = Prefix::new(v4([0; 4]), 0).unwrap();
    assert!(all.contains(&v4([255, 1, 2, 3])));
    assert!(!all.contains(&v6(1, 1)), "a prefix has a family");
    let one = Prefix::new(v6(1, 7), 128).unwrap();
    assert!(one.contains(&v6(1, 7)) && !one.contains(&v6(1, 6)));
    let none = Prefix::new(IpAddr128::UNSPECIFIED, 0).unwrap();
    assert!(none.contains(&v6(9, 9)) && !none.contains(&v4([1, 2, 3, 4])));
}

#[test]
fn a_prefix_with_bits_beyond_its_length_is_none() {
    assert_eq!(Prefix::new(v4([10, 1, 0, 1]), 16), None);
    assert_eq!(Prefix::new(v4([10, 1, 0, 0]), 33), None);
    assert_eq!(Prefix::new(v6(1, 1), 129), None);
}

#[test]
fn the_first_rule_that_fits_counts() {
    let rules = [
        Rule {
            prefix: Prefix::new(v4([10, 2, 0, 0]), 16),
            never: true,
            ..ANY
        },
        Rule {
            interface: name("lte"),
            flags: ADDRESS_BACKUP | ADDRESS_METERED,
            priority: 9,
            ..ANY
        },
    ];
    let at = |addr, on: &str| apply(&rules, address(addr), &name(on));
    assert_eq!(at(v4([10, 2, 0, 1]), "lte"), None);
    let lte = at(v4([10, 3, 0, 1]), "lte").unwrap();
    assert_eq!((lte.flags, lte.priority, lte.ifindex), (3, 9, 3));
    let wifi = at(v4([10, 3, 0, 1]), "wifi").unwrap();
    assert_eq!(wifi, address(v4([10, 3, 0, 1])));
    assert!(at(v4([10, 3, 0, 1]), "lte0").is_some_and(|a| a.flags == 0));
}
