// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Attributes of the one notification that is not a whole object.

use std::net::{Ipv4Addr, Ipv6Addr};

use crate::attribute::attributes;
use crate::constants::Reason;

attributes! {
    /// A local address that is gone.
    pub enum AddressGoneAttribute, set "address-gone" {
        #[doc = "IPv4 address that is gone."]
        1 "ipv4" Ipv4(Ipv4Addr),
        #[doc = "IPv6 address that is gone."]
        2 "ipv6" Ipv6(Ipv6Addr),
        #[doc = "Interface that had it."]
        3 "ifindex" Ifindex(u32),
        #[doc = "Why the address is gone."]
        4 "reason" Reason(Reason),
        #[doc = "Local ID of the flow that used it."]
        5 "flow-id" FlowId(u64),
    }
}
