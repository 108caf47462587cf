// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Attributes of a rule.

use std::net::{Ipv4Addr, Ipv6Addr};

use crate::attribute::attributes;
use crate::value::Flag;

attributes! {
    /// A rule for local addresses.
    pub enum RuleAttribute, set "rule" {
        #[doc = "Name of the rule in its namespace."]
        1 "id" Id(u32),
        #[doc = "Name of the interface, if the rule is for one."]
        2 "dev" Dev(String),
        #[doc = "Start of the IPv4 addresses, if the rule is for some."]
        3 "prefix-ipv4" PrefixIpv4(Ipv4Addr),
        #[doc = "Start of the IPv6 addresses, if the rule is for some."]
        4 "prefix-ipv6" PrefixIpv6(Ipv6Addr),
        #[doc = "Length of that start in bits."]
        5 "prefix-len" PrefixLen(u8),
        #[doc = "Preference of the addresses; the lower the better."]
        6 "priority" Priority(u8),
        #[doc = "The addresses are to be used only when no other works."]
        7 "backup" Backup(Flag),
        #[doc = "Traffic over the addresses costs money."]
        8 "metered" Metered(Flag),
        #[doc = "The addresses are not used and not told to peers."]
        9 "never" Never(Flag),
    }
}
