// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Deviations from what a router does, to reproduce answers of Hassel's generator.
//!
//! The public transfer functions of the Stanford backbone were made by a program that reads the
//! same files as we do and takes some liberties. Each liberty has a name here. None is on unless
//! asked for.

use std::collections::BTreeMap;
use std::str::FromStr;

/// One deviation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Quirk {
    /// Untagged frames keep VLAN 0 where the port should put them into a VLAN.
    UntaggedKept,
    /// No packet leaves through the port it came in on, not even a routed one.
    NeverBack,
    /// A packet that no entry of an access list matches passes.
    ImplicitPermit,
    /// Access lists with names are ignored.
    NumberedListsOnly,
    /// Port names are read with the generator's list: names it lacks mean any port, and
    /// `netbios-ns` and `netbios-dgm` are exchanged.
    GeneratorPortNames,
    /// `established` is the high bit of the flags byte instead of ACK or RST.
    EstablishedHighBit,
    /// Only the first of several next hops is used.
    FirstNextHop,
    /// Addresses of the box itself are forwarded into their subnet instead of delivered, and
    /// what the box consumes counts as dropped.
    ReceiveForwards,
    /// A VLAN heading behind a port line of the spanning tree is overlooked, and the ports below
    /// are added to the VLAN above.
    LostLineEndings,
    /// A VLAN number means one thing in the whole box: sub-interfaces and access ports join the
    /// VLAN of their number even if spanning tree does not list them.
    FlatVlans,
    /// Every packet is routed; none stays inside its VLAN.
    NothingBridged,
    /// `shutdown` of a physical port and the state of its line are ignored.
    PortsNeverDown,
    /// Untagged frames enter by access ports only, and every VLAN leaves by every port.
    LenientTags,
    /// Of a wildcard mask only the ones at its right end count.
    ContiguousWildcards,
    /// Only VLANs of `vlan N` and `vlan N-M` lines (not of lists with commas) or with an interface
    /// of the router take frames, and not those whose interface is shut down.
    ConfiguredVlansOnly,
    /// Only the last member of a Junos aggregate carries its traffic.
    OneBundleMember,
}

/// Every quirk with its option name and what it does, for help and documentation.
pub const ALL: &[(Quirk, &str, &str)] = &[
    (
        Quirk::UntaggedKept,
        "untagged-kept",
        "untagged frames keep VLAN 0 on switched ports",
    ),
    (
        Quirk::NeverBack,
        "never-back",
        "nothing leaves through the port it came in on",
    ),
    (
        Quirk::ImplicitPermit,
        "implicit-permit",
        "what no access-list entry matches passes",
    ),
    (
        Quirk::NumberedListsOnly,
        "numbered-lists-only",
        "access lists with names are ignored",
    ),
    (
        Quirk::GeneratorPortNames,
        "generator-port-names",
        "port names the generator lacks mean any port; netbios-ns and -dgm exchanged",
    ),
    (
        Quirk::EstablishedHighBit,
        "established-high-bit",
        "established is bit 7 of the flags, not ACK or RST",
    ),
    (
        Quirk::FirstNextHop,
        "first-next-hop",
        "only the first of several next hops is used",
    ),
    (
        Quirk::ReceiveForwards,
        "receive-forwards",
        "own addresses are forwarded into their subnet; what the box consumes is dropped",
    ),
    (
        Quirk::LostLineEndings,
        "lost-line-endings",
        "a VLAN heading behind a spanning-tree port line is overlooked",
    ),
    (
        Quirk::FlatVlans,
        "flat-vlans",
        "sub-interfaces and access ports join the VLAN of their number",
    ),
    (
        Quirk::NothingBridged,
        "nothing-bridged",
        "every packet is routed, none stays inside its VLAN",
    ),
    (
        Quirk::PortsNeverDown,
        "ports-never-down",
        "shutdown of physical ports is ignored",
    ),
    (
        Quirk::LenientTags,
        "lenient-tags",
        "untagged frames enter access ports only; every VLAN leaves by every port",
    ),
    (
        Quirk::ContiguousWildcards,
        "contiguous-wildcards",
        "only the ones at the right end of a wildcard mask count",
    ),
    (
        Quirk::ConfiguredVlansOnly,
        "configured-vlans-only",
        "VLANs only spanning tree knows, in lists with commas, or with a shut interface take no frames",
    ),
    (
        Quirk::OneBundleMember,
        "one-bundle-member",
        "only the last member of a Junos aggregate carries its traffic",
    ),
];

/// The quirks in force, and VLANs to replace on sub-interfaces of a box.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Quirks {
    on: u32,
    /// Box name to (old, new) VLAN of its sub-interfaces.
    pub replaced_vlans: BTreeMap<String, (u16, u16)>,
}

impl Quirks {
    /// Everything that Hassel's generator did but for replaced VLANs, which are data of a
    /// network.
    pub fn hassel() -> Self {
        let on = ALL.iter().fold(0, |on, (q, _, _)| on | 1 << *q as u32);
        Self {
            on,
            replaced_vlans: BTreeMap::new(),
        }
    }

    /// Whether a quirk is in force.
    pub fn has(&self, quirk: Quirk) -> bool {
        self.on >> quirk as u32 & 1 == 1
    }

    /// The VLAN to use for a sub-interface of a box.
    pub fn vlan(&self, box_name: &str, vlan: u16) -> u16 {
        match self.replaced_vlans.get(box_name) {
            Some((old, new)) if *old == vlan => *new,
            _ => vlan,
        }
    }

    /// Adds `BOX:OLD=NEW`.
    ///
    /// # Errors
    /// The text does not have that form.
    pub fn replace_vlan(&mut self, text: &str) -> Result<(), String> {
        let parsed = text.rsplit_once(':').and_then(|(name, vlans)| {
            let (old, new) = vlans.split_once('=')?;
            Some((name.to_owned(), (old.parse().ok()?, new.parse().ok()?)))
        });
        let (name, vlans) =
            parsed.ok_or_else(|| format!("{text:?}: expected BOX:OLD=NEW, as in coza:83=580"))?;
        self.replaced_vlans.insert(name, vlans);
        Ok(())
    }
}

impl FromStr for Quirks {
    type Err = String;

    /// A comma-separated list of names; `hassel` is all of them, `-name` takes one away.
    fn from_str(text: &str) -> Result<Self, String> {
        let mut quirks = Self::default();
        for word in text.split(',').map(str::trim).filter(|w| !w.is_empty()) {
            if word == "hassel" {
                quirks.on |= Self::hassel().on;
                continue;
            }
            let (name, remove) = word.strip_prefix('-').map_or((word, false), |n| (n, true));
            let Some((quirk, _, _)) = ALL.iter().find(|(_, n, _)| *n == name) else {
                let known: Vec<&str> = ALL.iter().map(|(_, n, _)| *n).collect();
                return Err(format!(
                    "no quirk {name:?}; there are hassel, {}",
                    known.join(", ")
                ));
            };
            let bit = 1 << *quirk as u32;
            quirks.on = if remove {
                quirks.on & !bit
            } else {
                quirks.on | bit
            };
        }
        Ok(quirks)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quirks_are_added_and_taken_away_by_name() {
        let q: Quirks = "hassel,-never-back".parse().unwrap();
        assert!(q.has(Quirk::ImplicitPermit) && !q.has(Quirk::NeverBack));
        assert_eq!(Quirks::default(), "".parse().unwrap());
        assert!("frobnicate"
            .parse::<Quirks>()
            .unwrap_err()
            .contains("flat-vlans"));
        let mut q = q;
        q.replace_vlan("coza:83=580").unwrap();
        assert_eq!((q.vlan("coza", 83), q.vlan("cozb", 83)), (580, 83));
        assert!(q.replace_vlan("coza").is_err());
    }
}
