// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Attributes of an entry of the redirection cache.

use std::net::{Ipv4Addr, Ipv6Addr};

use crate::attribute::attributes;
use crate::constants::Reason;

attributes! {
    /// Where a router sends on RSYNs.
    pub enum RedirectAttribute, set "redirect" {
        #[doc = "The address that was left, if it is IPv4."]
        1 "old-ipv4" OldIpv4(Ipv4Addr),
        #[doc = "The address that was left, if it is IPv6."]
        2 "old-ipv6" OldIpv6(Ipv6Addr),
        #[doc = "Where its RSYNs go, if that is IPv4."]
        3 "new-ipv4" NewIpv4(Ipv4Addr),
        #[doc = "Where its RSYNs go, if that is IPv6."]
        4 "new-ipv6" NewIpv6(Ipv6Addr),
        #[doc = "The flow at the host that has moved; missing for all flows."]
        5 "flow-id" FlowId(u64),
        #[doc = "How long the entry will last."]
        6 "left-ms" LeftMs(u32),
        #[doc = "RSYNs that were sent on by it."]
        7 "hits" Hits(u64),
        #[doc = "Why nothing is sent on any more."]
        8 "reason" Reason(Reason),
    }
}
