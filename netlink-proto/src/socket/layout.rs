// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Fields of the structures in `linux/eccp_socket.h`, by their offset in bytes.

use std::net::{IpAddr, Ipv6Addr};

use crate::constants::Reason;

/// A structure as the kernel wrote it. Every offset must lie within it.
#[derive(Clone, Copy)]
pub(super) struct Fields<'a>(pub(super) &'a [u8]);

impl Fields<'_> {
    fn array<const N: usize>(self, at: usize) -> [u8; N] {
        let mut part = [0; N];
        part.copy_from_slice(&self.0[at..at + N]);
        part
    }

    /// A `__u64`.
    pub(super) fn long(self, at: usize) -> u64 {
        u64::from_ne_bytes(self.array(at))
    }

    /// A `__u32`.
    pub(super) fn word(self, at: usize) -> u32 {
        u32::from_ne_bytes(self.array(at))
    }

    /// A `__be16`.
    pub(super) fn port(self, at: usize) -> u16 {
        u16::from_be_bytes(self.array(at))
    }

    /// A `struct in6_addr`, IPv4 addresses in their mapped form.
    pub(super) fn address(self, at: usize) -> IpAddr {
        Ipv6Addr::from(self.array::<16>(at)).to_canonical()
    }

    /// An address; unspecified is none.
    pub(super) fn some_address(self, at: usize) -> Option<IpAddr> {
        Some(self.address(at)).filter(|address| !address.is_unspecified())
    }

    /// A reason; zero is none.
    pub(super) fn reason(self, at: usize) -> Option<Reason> {
        Some(self.word(at))
            .filter(|reason| *reason != 0)
            .map(Reason::from)
    }
}
