// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The settings of a network namespace, by the names of the specification.

mod attribute;

pub use attribute::SettingsAttribute;

use crate::attribute::{name_of, AttributeSet};
use netlink_packet_core::{Nla, NLA_TYPE_MASK};

impl SettingsAttribute {
    /// Name in the specification, if the setting is known.
    pub fn name(&self) -> Option<&'static str> {
        name_of::<Self>(self.kind() & NLA_TYPE_MASK)
    }

    /// The value as it is written and read on a command line.
    pub fn text(&self) -> String {
        use SettingsAttribute as S;
        match self {
            S::Encap(value) => value.to_string(),
            S::Policy(value) => value.to_string(),
            S::UdpPort(value) => value.to_string(),
            S::GiveUpMs(value)
            | S::HalfOpenMs(value)
            | S::PlannedMoveMs(value)
            | S::NoAddressMs(value)
            | S::DrainingMs(value)
            | S::PreferDelayMs(value)
            | S::ControlRate(value)
            | S::MaxConnections(value)
            | S::MaxHalfOpen(value)
            | S::PathTimeoutMs(value)
            | S::KeepaliveMs(value)
            | S::MaxFlows(value)
            | S::MaxDatagramPeers(value)
            | S::DatagramIdleMs(value)
            | S::NatKeepaliveMs(value)
            | S::StrangerRate(value)
            | S::MtuRaiseMs(value)
            | S::RedirectAsk(value)
            | S::RedirectMs(value)
            | S::RenewFlowIds(value)
            | S::CookieThreshold(value) => value.to_string(),
            S::ResetKey(key) => hexadecimal(key),
            S::Other(other) => format!("unknown-{}", other.kind()),
        }
    }

    /// Makes a setting from its name and value. The range of numbers is the
    /// kernel's to check; it answers with the one that it allows.
    pub fn from_text(name: &str, value: &str) -> Result<Self, String> {
        use SettingsAttribute as S;
        let number = || {
            value
                .parse::<u32>()
                .map_err(|_| format!("{name}: {value:?} is not a whole number up to {}", u32::MAX))
        };
        let of = |error: String| format!("{name}: {error}");
        Ok(match name {
            "encap" => S::Encap(value.parse().map_err(of)?),
            "policy" => S::Policy(value.parse().map_err(of)?),
            "udp-port" => S::UdpPort(
                value
                    .parse()
                    .map_err(|_| format!("{name}: {value:?} is not a port number"))?,
            ),
            "give-up-ms" => S::GiveUpMs(number()?),
            "half-open-ms" => S::HalfOpenMs(number()?),
            "planned-move-ms" => S::PlannedMoveMs(number()?),
            "no-address-ms" => S::NoAddressMs(number()?),
            "draining-ms" => S::DrainingMs(number()?),
            "prefer-delay-ms" => S::PreferDelayMs(number()?),
            "control-rate" => S::ControlRate(number()?),
            "max-connections" => S::MaxConnections(number()?),
            "max-half-open" => S::MaxHalfOpen(number()?),
            "path-timeout-ms" => S::PathTimeoutMs(number()?),
            "keepalive-ms" => S::KeepaliveMs(number()?),
            "max-flows" => S::MaxFlows(number()?),
            "max-datagram-peers" => S::MaxDatagramPeers(number()?),
            "datagram-idle-ms" => S::DatagramIdleMs(number()?),
            "cookie-threshold" => S::CookieThreshold(number()?),
            "reset-key" => {
                S::ResetKey(key(value).ok_or_else(|| format!("{name}: not 64 hexadecimal digits"))?)
            }
            "nat-keepalive-ms" => S::NatKeepaliveMs(number()?),
            "stranger-rate" => S::StrangerRate(number()?),
            "mtu-raise-ms" => S::MtuRaiseMs(number()?),
            "redirect-ask" => S::RedirectAsk(number()?),
            "redirect-ms" => S::RedirectMs(number()?),
            "renew-flow-ids" => S::RenewFlowIds(number()?),
            _ => {
                let known: Vec<_> = Self::NAMES.iter().map(|(_, name)| *name).collect();
                return Err(format!(
                    "there is no setting {name:?}; there are {}",
                    known.join(", ")
                ));
            }
        })
    }
}

fn hexadecimal(key: &[u8; 32]) -> String {
    key.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Reads a key of 32 bytes.
fn key(digits: &str) -> Option<[u8; 32]> {
    let mut key = [0; 32];
    if digits.len() != 2 * key.len() || !digits.is_ascii() {
        return None;
    }
    for (at, byte) in key.iter_mut().enumerate() {
        *byte = u8::from_str_radix(digits.get(2 * at..2 * at + 2)?, 16).ok()?;
    }
    Some(key)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_setting_is_read_from_its_own_text() {
        for (kind, name) in SettingsAttribute::NAMES {
            let value = match *name {
                "encap" => "udp",
                "policy" => "manual",
                "reset-key" => "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff",
                _ => "1234",
            };
            let setting = SettingsAttribute::from_text(name, value).unwrap();
            assert_eq!(setting.kind(), *kind);
            assert_eq!(setting.name(), Some(*name));
            assert_eq!(setting.text(), value);
        }
    }

    #[test]
    fn a_bad_setting_is_refused_with_its_name() {
        let bad = [
            ("encap", "gre"),
            ("udp-port", "65536"),
            ("draining-ms", "-1"),
            ("reset-key", "0011"),
            ("colour", "1"),
        ];
        for (name, value) in bad {
            let error = SettingsAttribute::from_text(name, value).unwrap_err();
            assert!(error.contains(name), "{error}");
        }
    }
}
