// SPDX-License-Identifier: GPL-2.0-only
//! Addresses, and paths made of them.

use core::fmt;

/// An IPv6 address, or an IPv4 address in its v4-mapped form (RFC 4291 §2.5.5.2).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct IpAddr128(pub [u8; 16]);

/// The address family of an [`IpAddr128`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum Family {
    /// IPv4; number 4 on the wire.
    V4 = 4,
    /// IPv6; number 6 on the wire.
    V6 = 6,
}

impl IpAddr128 {
    /// The unspecified address: "let routing choose".
    pub const UNSPECIFIED: Self = Self([0; 16]);

    /// The v4-mapped form of an IPv4 address.
    #[must_use]
    pub const fn from_v4(v4: [u8; 4]) -> Self {
        let [a, b, c, d] = v4;
        Self([0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, a, b, c, d])
    }

    /// The four bytes of a v4-mapped address; `None` for IPv6.
    #[must_use]
    pub const fn as_v4(&self) -> Option<[u8; 4]> {
        match self.0 {
            [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, a, b, c, d] => Some([a, b, c, d]),
            _ => None,
        }
    }

    /// IPv4 if v4-mapped, otherwise IPv6.
    #[must_use]
    pub const fn family(&self) -> Family {
        match self.as_v4() {
            Some(_) => Family::V4,
            None => Family::V6,
        }
    }

    /// True for `::` and for the mapped `0.0.0.0`.
    #[must_use]
    pub fn is_unspecified(&self) -> bool {
        *self == Self::UNSPECIFIED || self.as_v4() == Some([0; 4])
    }

    /// True for `::1` and `127.0.0.0/8`: such an address is never lost.
    #[must_use]
    pub const fn is_loopback(&self) -> bool {
        matches!(
            self.0,
            [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 127, ..]
                | [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1]
        )
    }

    /// True for `fe80::/10` and `169.254.0.0/16`, which are valid on one link only.
    #[must_use]
    pub const fn is_link_local(&self) -> bool {
        match self.as_v4() {
            Some([a, b, ..]) => a == 169 && b == 254,
            None => self.0[0] == 0xfe && self.0[1] & 0xc0 == 0x80,
        }
    }

    /// True for multicast of either family and for the limited IPv4 broadcast.
    #[must_use]
    pub const fn is_multicast(&self) -> bool {
        match self.as_v4() {
            Some([255, 255, 255, 255]) => true,
            Some([a, ..]) => a & 0xf0 == 0xe0,
            None => self.0[0] == 0xff,
        }
    }

    /// True for an address that a packet can be sent to across a network: it excludes the
    /// unspecified, multicast and loopback addresses, which an IList must not contain.
    #[must_use]
    pub fn is_reachable_unicast(&self) -> bool {
        !self.is_unspecified() && !self.is_multicast() && !self.is_loopback()
    }
}

impl fmt::Display for IpAddr128 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.as_v4() {
            Some(v4) => core::net::Ipv4Addr::from(v4).fmt(f),
            None => core::net::Ipv6Addr::from(self.0).fmt(f),
        }
    }
}

impl fmt::Debug for IpAddr128 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// How an ECCP packet is carried over IP (protocol.md §7.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
#[repr(u8)]
pub enum Encap {
    /// Directly in IP, with a protocol number of its own.
    #[default]
    Native = 0,
    /// In UDP, which passes NATs and most firewalls.
    Udp = 1,
}

impl Encap {
    /// The one that is not this one.
    #[must_use]
    pub const fn other(self) -> Self {
        match self {
            Self::Native => Self::Udp,
            Self::Udp => Self::Native,
        }
    }
}

/// Where packets of a flow go and what they leave from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Path {
    /// Local address; unspecified lets routing choose it.
    pub local: IpAddr128,
    /// The peer's address.
    pub remote: IpAddr128,
    /// Native or UDP.
    pub encap: Encap,
    /// Local UDP port; zero with native encapsulation.
    pub local_port: u16,
    /// The peer's UDP port; zero with native encapsulation.
    pub remote_port: u16,
    /// Interface to leave by; zero lets routing choose it.
    pub ifindex: u32,
}

impl Path {
    /// A path that leads nowhere, for constant initialisation.
    pub const NONE: Self = Self {
        local: IpAddr128::UNSPECIFIED,
        remote: IpAddr128::UNSPECIFIED,
        encap: Encap::Native,
        local_port: 0,
        remote_port: 0,
        ifindex: 0,
    };

    /// The peer's end of it.
    #[must_use]
    pub const fn far_end(&self) -> RemoteAddr {
        RemoteAddr {
            addr: self.remote,
            port: self.remote_port,
        }
    }

    /// False if its ends are of different families, as they can be for a while after one moved.
    #[must_use]
    pub fn is_sound(&self) -> bool {
        self.local == IpAddr128::UNSPECIFIED || self.local.family() == self.remote.family()
    }

    /// True if both paths reach the same transport address of the peer in the same way. The
    /// local side is not compared.
    #[must_use]
    pub fn same_remote(&self, other: &Self) -> bool {
        self.remote == other.remote
            && self.encap == other.encap
            && self.remote_port == other.remote_port
    }
}

/// Flag of an address: use it only when no other works.
pub const ADDRESS_BACKUP: u8 = 1;
/// Flag of an address: traffic over it costs money.
pub const ADDRESS_METERED: u8 = 2;

/// An address that this host can use now.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct LocalAddress {
    /// The address.
    pub addr: IpAddr128,
    /// Index of the interface that has it.
    pub ifindex: u32,
    /// [`ADDRESS_BACKUP`], [`ADDRESS_METERED`].
    pub flags: u8,
    /// Preference; the lower the better.
    pub priority: u8,
}

impl LocalAddress {
    /// For constant initialisation.
    pub const NONE: Self = Self {
        addr: IpAddr128::UNSPECIFIED,
        ifindex: 0,
        flags: 0,
        priority: 0,
    };
}

/// An address of the peer to connect to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct RemoteAddr {
    /// The address.
    pub addr: IpAddr128,
    /// UDP port of its ECCP encapsulation; zero takes the port of the settings.
    pub port: u16,
}

/// What a new connection is bound to by its owner.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Bound {
    /// Local address to start from; unspecified if not bound. It does not restrict later moves.
    pub addr: IpAddr128,
    /// Interface that every path must use, also after moves; zero if not bound.
    pub ifindex: u32,
}

/// Where a received packet came from and where it arrived.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct RxInfo {
    /// Destination address of the packet: one of ours.
    pub local: IpAddr128,
    /// Source address of the packet.
    pub remote: IpAddr128,
    /// Native or UDP.
    pub encap: Encap,
    /// Destination UDP port; zero with native encapsulation.
    pub local_port: u16,
    /// Source UDP port; zero with native encapsulation.
    pub remote_port: u16,
    /// Interface that it arrived on.
    pub ifindex: u32,
}

impl RxInfo {
    /// The path that leads back to the source of this packet (rule R6).
    #[must_use]
    pub const fn reply_path(&self) -> Path {
        Path {
            local: self.local,
            remote: self.remote,
            encap: self.encap,
            local_port: self.local_port,
            remote_port: self.remote_port,
            ifindex: self.ifindex,
        }
    }
}
