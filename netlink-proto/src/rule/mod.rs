// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Rules: how good the addresses of an interface or of a prefix are.

mod attribute;

use std::net::IpAddr;

pub use attribute::RuleAttribute;
use netlink_packet_core::DefaultNla;

use crate::value::Flag;

/// A rule. Of several that fit an address the first counts.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Rule {
    /// Name of the rule in its namespace; the kernel chooses it.
    pub id: Option<u32>,
    /// Name of the interface, if the rule is for one.
    pub dev: Option<String>,
    /// Start of the addresses, if the rule is for some.
    pub prefix: Option<IpAddr>,
    /// Length of that start in bits; that of a whole address if it is missing.
    pub prefix_len: Option<u8>,
    /// Preference of the addresses; the lower the better.
    pub priority: u8,
    /// They are to be used only when no other works.
    pub backup: bool,
    /// Traffic over them costs money.
    pub metered: bool,
    /// They are not used and not told to peers.
    pub never: bool,
    /// What this crate does not know.
    pub other: Vec<DefaultNla>,
}

impl From<Vec<RuleAttribute>> for Rule {
    fn from(attributes: Vec<RuleAttribute>) -> Self {
        use RuleAttribute as A;
        let mut rule = Rule::default();
        for attribute in attributes {
            match attribute {
                A::Id(value) => rule.id = Some(value),
                A::Dev(value) => rule.dev = Some(value),
                A::PrefixIpv4(value) => rule.prefix = Some(value.into()),
                A::PrefixIpv6(value) => rule.prefix = Some(value.into()),
                A::PrefixLen(value) => rule.prefix_len = Some(value),
                A::Priority(value) => rule.priority = value,
                A::Backup(_) => rule.backup = true,
                A::Metered(_) => rule.metered = true,
                A::Never(_) => rule.never = true,
                A::Other(other) => rule.other.push(other),
            }
        }
        rule
    }
}

impl Rule {
    /// The attributes of a request to add the rule.
    pub(crate) fn attributes(&self) -> Vec<RuleAttribute> {
        use RuleAttribute as A;
        let mut list = Vec::new();
        list.extend(self.dev.clone().map(A::Dev));
        list.extend(self.prefix.map(|start| match start {
            IpAddr::V4(start) => A::PrefixIpv4(start),
            IpAddr::V6(start) => A::PrefixIpv6(start),
        }));
        list.extend(self.prefix_len.map(A::PrefixLen));
        list.push(A::Priority(self.priority));
        let flags = [
            (self.backup, A::Backup(Flag)),
            (self.metered, A::Metered(Flag)),
            (self.never, A::Never(Flag)),
        ];
        list.extend(
            flags
                .into_iter()
                .filter(|(on, _)| *on)
                .map(|(_, flag)| flag),
        );
        list
    }
}
