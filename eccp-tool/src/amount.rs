// SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0
//! Identifiers and amounts as people read them.

use netlink_packet_core::{DefaultNla, Nla};

/// A flow or connection ID: sixteen hexadecimal digits.
pub fn id(id: u64) -> String {
    format!("{id:016x}")
}

/// A time in microseconds, in the unit that suits it.
pub fn micros(us: u64) -> String {
    match us {
        0..=999 => format!("{us}us"),
        1_000..=9_999_999 => format!("{}.{:01}ms", us / 1000, us % 1000 / 100),
        _ => format!("{}.{:01}s", us / 1_000_000, us % 1_000_000 / 100_000),
    }
}

/// A number of bytes, in the unit that suits it.
pub fn bytes(bytes: u64) -> String {
    const UNITS: [&str; 6] = ["KiB", "MiB", "GiB", "TiB", "PiB", "EiB"];
    if bytes < 1024 {
        return format!("{bytes}B");
    }
    let mut unit = 0;
    let mut value = bytes as f64 / 1024.0;
    while value >= 1024.0 && unit + 1 < UNITS.len() {
        value /= 1024.0;
        unit += 1;
    }
    format!("{value:.1}{}", UNITS[unit])
}

/// Numbers of attributes that a newer kernel sent and this program has no name for.
pub fn kinds(attributes: &[DefaultNla]) -> Vec<u16> {
    attributes.iter().map(Nla::kind).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_are_told_in_the_unit_that_suits_them() {
        let times = [0, 999, 1000, 12_345, 9_999_999, 10_000_000];
        let times: Vec<_> = times.into_iter().map(micros).collect();
        assert_eq!(
            times,
            ["0us", "999us", "1.0ms", "12.3ms", "9999.9ms", "10.0s"]
        );
        let sizes = [0, 1023, 1024, 1536, 1 << 30, u64::MAX];
        let sizes: Vec<_> = sizes.into_iter().map(bytes).collect();
        assert_eq!(
            sizes,
            ["0B", "1023B", "1.0KiB", "1.5KiB", "1.0GiB", "16.0EiB"]
        );
    }
}
