// SPDX-License-Identifier: GPL-2.0-only
//! Rules of an administrator: how good the addresses of an interface or a prefix are
//! (protocol.md §7.7).

use super::address::{Family, IpAddr128, LocalAddress};

/// Longest name of an interface, in bytes.
pub const NAME_LEN: usize = 15;
/// Most rules of a namespace.
pub const MAX_RULES: usize = 32;

/// Addresses with a common start.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Prefix {
    /// The start; bits beyond the length are zero.
    pub addr: IpAddr128,
    /// Length in bits, of an address of its family.
    pub len: u8,
}

impl Prefix {
    /// A prefix; `None` if the length is too large or a bit beyond it is set.
    #[must_use]
    pub fn new(addr: IpAddr128, len: u8) -> Option<Self> {
        let prefix = Self { addr, len };
        let most = match addr.family() {
            Family::V4 => 32,
            Family::V6 => 128,
        };
        let clean = prefix.masked(&addr) == addr;
        (len <= most && clean).then_some(prefix)
    }

    /// True if `addr` begins with the prefix.
    #[must_use]
    pub fn contains(&self, addr: &IpAddr128) -> bool {
        addr.family() == self.addr.family() && self.masked(addr) == self.addr
    }

    fn masked(&self, addr: &IpAddr128) -> IpAddr128 {
        // A v4-mapped address has 96 bits in front of those of IPv4.
        let offset: u32 = match self.addr.family() {
            Family::V4 => 96,
            Family::V6 => 0,
        };
        let bits = offset.saturating_add(u32::from(self.len)).min(128);
        let cut = 128u32.saturating_sub(bits);
        let mask = u128::MAX.checked_shl(cut).unwrap_or(0);
        IpAddr128((u128::from_be_bytes(addr.0) & mask).to_be_bytes())
    }
}

/// One rule. Of several that fit an address the first counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Rule {
    /// Name of the rule in its namespace.
    pub id: u32,
    /// Name of the interface, ended by zeros; all zero fits any.
    pub interface: [u8; NAME_LEN],
    /// What addresses begin with; `None` fits any.
    pub prefix: Option<Prefix>,
    /// Preference that the addresses get; the lower the better.
    pub priority: u8,
    /// [`ADDRESS_BACKUP`](super::address::ADDRESS_BACKUP),
    /// [`ADDRESS_METERED`](super::address::ADDRESS_METERED).
    pub flags: u8,
    /// The addresses are not used and not told to peers.
    pub never: bool,
}

impl Rule {
    /// True if the rule is for an address of the interface called `name`.
    #[must_use]
    pub fn fits(&self, addr: &IpAddr128, name: &[u8; NAME_LEN]) -> bool {
        let interface = self.interface == [0; NAME_LEN] || self.interface == *name;
        interface && self.prefix.is_none_or(|prefix| prefix.contains(addr))
    }
}

/// An address as the rules want it; `None` if it is not to be used.
#[must_use]
pub fn apply(rules: &[Rule], address: LocalAddress, name: &[u8; NAME_LEN]) -> Option<LocalAddress> {
    let Some(rule) = rules.iter().find(|rule| rule.fits(&address.addr, name)) else {
        return Some(address);
    };
    Some(LocalAddress {
        flags: rule.flags,
        priority: rule.priority,
        ..address
    })
    .filter(|_| !rule.never)
}
