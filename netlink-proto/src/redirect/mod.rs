// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The redirection cache of a router: where it sends on RSYNs.

mod attribute;

use std::net::IpAddr;

pub use attribute::RedirectAttribute;
use netlink_packet_core::DefaultNla;

use crate::constants::Reason;

/// An entry of the cache.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Redirect {
    /// The address that was left.
    pub old: Option<IpAddr>,
    /// Where its RSYNs go.
    pub new: Option<IpAddr>,
    /// The flow at the host that has moved; `None` for all flows.
    pub flow_id: Option<u64>,
    /// How long the entry will last, in milliseconds; as the setting `redirect-ms` says if a
    /// request has none.
    pub left_ms: Option<u32>,
    /// RSYNs that were sent on by it.
    pub hits: Option<u64>,
    /// Why nothing is sent on any more; only in the notification of that.
    pub reason: Option<Reason>,
    /// What this crate does not know.
    pub other: Vec<DefaultNla>,
}

impl From<Vec<RedirectAttribute>> for Redirect {
    fn from(attributes: Vec<RedirectAttribute>) -> Self {
        use RedirectAttribute as A;
        let mut entry = Redirect::default();
        for attribute in attributes {
            match attribute {
                A::OldIpv4(value) => entry.old = Some(value.into()),
                A::OldIpv6(value) => entry.old = Some(value.into()),
                A::NewIpv4(value) => entry.new = Some(value.into()),
                A::NewIpv6(value) => entry.new = Some(value.into()),
                A::FlowId(value) => entry.flow_id = Some(value),
                A::LeftMs(value) => entry.left_ms = Some(value),
                A::Hits(value) => entry.hits = Some(value),
                A::Reason(value) => entry.reason = Some(value),
                A::Other(other) => entry.other.push(other),
            }
        }
        entry
    }
}

impl Redirect {
    /// The attributes of a request about the entry.
    pub(crate) fn attributes(&self) -> Vec<RedirectAttribute> {
        use RedirectAttribute as A;
        let mut list = Vec::new();
        list.extend(self.old.map(|old| match old {
            IpAddr::V4(old) => A::OldIpv4(old),
            IpAddr::V6(old) => A::OldIpv6(old),
        }));
        list.extend(self.new.map(|new| match new {
            IpAddr::V4(new) => A::NewIpv4(new),
            IpAddr::V6(new) => A::NewIpv6(new),
        }));
        list.extend(self.flow_id.map(A::FlowId));
        list.extend(self.left_ms.map(A::LeftMs));
        list
    }
}
