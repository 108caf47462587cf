// SPDX-License-Identifier: GPL-2.0-only
//! The IList: every address under which a host can be reached (paper Table II, protocol.md §7.7).

use super::address::{IpAddr128, LocalAddress};

/// Most addresses in one IList; more are left out by the sender and refused by the receiver.
pub const MAX_ADDRESSES: usize = 8;

/// One address of an IList.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct IListEntry {
    /// The address.
    pub addr: IpAddr128,
    /// UDP port of ECCP there; zero if it takes native packets only.
    pub port: u16,
    /// [`ADDRESS_BACKUP`](super::address::ADDRESS_BACKUP) and
    /// [`ADDRESS_METERED`](super::address::ADDRESS_METERED).
    pub flags: u8,
    /// Preference; the lower the better.
    pub priority: u8,
}

/// A complete list of addresses with the connection version that orders it: lists are replaced
/// whole, and the one with the highest version wins.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct IList {
    /// Connection version of the list.
    pub version: u64,
    entries: [IListEntry; MAX_ADDRESSES],
    len: u8,
}

impl IList {
    /// The list that is known before any was received.
    pub const EMPTY: Self = Self {
        version: 0,
        entries: [IListEntry {
            addr: IpAddr128::UNSPECIFIED,
            port: 0,
            flags: 0,
            priority: 0,
        }; MAX_ADDRESSES],
        len: 0,
    };

    /// An empty list of the given connection version.
    #[must_use]
    pub const fn new(version: u64) -> Self {
        let mut list = Self::EMPTY;
        list.version = version;
        list
    }

    /// Appends an address; false if the list is full.
    pub fn push(&mut self, entry: IListEntry) -> bool {
        let Some(slot) = self.entries.get_mut(usize::from(self.len)) else {
            return false;
        };
        *slot = entry;
        self.len = self.len.saturating_add(1);
        true
    }

    /// The addresses, in the sender's order.
    #[must_use]
    pub fn entries(&self) -> &[IListEntry] {
        self.entries.get(..usize::from(self.len)).unwrap_or(&[])
    }

    /// The entry of `addr`, if listed.
    #[must_use]
    pub fn find(&self, addr: &IpAddr128) -> Option<&IListEntry> {
        self.entries().iter().find(|entry| entry.addr == *addr)
    }

    /// Shortens the list to at most `len` addresses.
    pub fn truncate(&mut self, len: usize) {
        while usize::from(self.len) > len {
            self.len = self.len.saturating_sub(1);
            if let Some(slot) = self.entries.get_mut(usize::from(self.len)) {
                *slot = IListEntry::default();
            }
        }
    }

    /// The list that advertises `local`, each reachable at the UDP port `port`. Loopback,
    /// multicast and unspecified addresses are left out: no peer could use them.
    #[must_use]
    pub fn advertising(local: &[LocalAddress], port: u16, version: u64) -> Self {
        let mut list = Self::new(version);
        for address in local.iter().filter(|a| a.addr.is_reachable_unicast()) {
            let listed = list.push(IListEntry {
                addr: address.addr,
                port,
                flags: address.flags,
                priority: address.priority,
            });
            if !listed {
                break;
            }
        }
        list
    }
}
