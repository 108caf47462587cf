// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Interface names: one spelling for `TenGigabitEthernet7/3`, `Te7/3` and `te 7/3`.

/// Long name in lower case, shortest prefix that IOS accepts or prints, and our spelling.
const KINDS: &[(&str, usize, &str)] = &[
    ("tengigabitethernet", 2, "te"),
    ("tengige", 2, "te"),
    ("gigabitethernet", 2, "gi"),
    ("fastethernet", 2, "fa"),
    ("fortygigabitethernet", 2, "fo"),
    ("fortygige", 2, "fo"),
    ("hundredgigabitethernet", 2, "hu"),
    ("hundredgige", 2, "hu"),
    ("twentyfivegige", 3, "twe"),
    ("twogigabitethernet", 3, "two"),
    ("fivegigabitethernet", 3, "fiv"),
    ("appgigabitethernet", 2, "ap"),
    ("ethernet", 1, "eth"),
    ("port-channel", 2, "po"),
    ("bundle-ether", 2, "be"),
    ("vlan", 2, "vlan"),
    ("loopback", 2, "loopback"),
    ("tunnel", 2, "tunnel"),
    ("null", 2, "null"),
    ("serial", 2, "serial"),
    ("bdi", 3, "bdi"),
    ("bvi", 3, "bvi"),
    ("mgmteth", 2, "mgmt"),
    ("group-async", 2, "group-async"),
    ("dialer", 2, "dialer"),
    ("cellular", 2, "cellular"),
    ("multilink", 2, "multilink"),
    ("virtual-template", 9, "virtual-template"),
    ("virtual-access", 9, "virtual-access"),
    ("pos", 3, "pos"),
    ("atm", 2, "atm"),
    ("nve", 3, "nve"),
];

/// The one spelling of an interface name: kind in its short lower-case form, then the numbers.
/// A kind that is not in the table stays as it is, in lower case.
pub fn canonical(name: &str) -> String {
    let lower = name.trim().to_ascii_lowercase();
    let digits = lower
        .find(|c: char| c.is_ascii_digit())
        .unwrap_or(lower.len());
    let (kind, number) = lower.split_at(digits);
    let kind = kind.trim();
    let short = KINDS
        .iter()
        .find(|(long, least, _)| kind.len() >= *least && long.starts_with(kind))
        .map_or(kind, |(_, _, short)| short);
    format!("{short}{}", number.trim())
}

/// Whether the text could be an interface name: letters, then a digit, no address.
pub fn is_port_name(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_alphabetic())
        && text.ends_with(|c: char| c.is_ascii_digit())
        && text
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || "/.-:".contains(c))
}

/// Physical part and unit of a canonical name: `te2/1.22` is port `te2/1`, unit 22.
pub fn split_unit(name: &str) -> (&str, Option<u32>) {
    match name.rsplit_once('.') {
        Some((port, unit)) => match unit.parse() {
            Ok(unit) => (port, Some(unit)),
            Err(_) => (name, None),
        },
        None => (name, None),
    }
}

/// VLAN number of a canonical `vlanN`.
pub fn vlan_of(name: &str) -> Option<u16> {
    name.strip_prefix("vlan").and_then(|n| n.parse().ok())
}

/// An Ethernet port of the chassis, not one of its units.
pub fn is_ethernet(name: &str) -> bool {
    let kinds = ["fa", "gi", "te", "twe", "fo", "hu", "two", "fiv", "eth"];
    let digits = name.find(|c: char| c.is_ascii_digit()).unwrap_or(0);
    kinds.contains(&&name[..digits]) && !name.contains('.')
}

/// Interfaces that no cable is plugged into.
pub fn is_virtual(name: &str) -> bool {
    [
        "vlan",
        "loopback",
        "tunnel",
        "null",
        "bdi",
        "bvi",
        "nve",
        "virtual-",
        "dialer",
        "group-async",
    ]
    .iter()
    .any(|kind| name.starts_with(kind))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_spelling_of_a_port_is_one_name() {
        for name in [
            "TenGigabitEthernet7/3",
            "Te7/3",
            "te7/3",
            "TenGigE7/3",
            "Te 7/3",
        ] {
            assert_eq!(canonical(name), "te7/3");
        }
        assert_eq!(canonical("Port-channel40"), canonical("Po40"));
        assert_eq!(canonical("Vlan11"), "vlan11");
        assert_eq!(canonical("Ethernet1/1"), canonical("Eth1/1"));
        assert_eq!(canonical("Loopback0"), "loopback0");
        assert_eq!(canonical("GigabitEthernet1/0/1.30"), "gi1/0/1.30");
        assert_eq!(canonical("Frob3"), "frob3");
    }

    #[test]
    fn units_and_vlans_are_split_off() {
        assert_eq!(split_unit("te2/1.22"), ("te2/1", Some(22)));
        assert_eq!(split_unit("te2/1"), ("te2/1", None));
        assert_eq!(vlan_of("vlan580"), Some(580));
        assert_eq!(vlan_of("vlan"), None);
    }
}
