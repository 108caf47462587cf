// SPDX-License-Identifier: GPL-2.0-only
//! The 12-byte header that every packet has, data packets included.

use super::{Malformed, ParseError};

/// The version of ECCP spoken here.
pub const VERSION: u8 = 1;
/// Length of the header common to all packets, in bytes.
pub const COMMON_LEN: usize = 12;
/// Length of the whole header of a DATA packet, in bytes.
pub const DATA_LEN: usize = COMMON_LEN;
/// Length of a control packet before its options, in bytes.
pub const CONTROL_LEN: usize = 28;

/// Packet types (protocol.md §4).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum PacketType {
    /// A segment of the inner transport.
    Data = 0,
    /// Opens a connection, or adds a flow to one.
    Syn = 1,
    /// Answers SYN.
    SynAck = 2,
    /// Answers SYN-ACK and RSYN-ACK.
    Ack = 3,
    /// Refuses the address of a new flow and names another.
    Nack = 4,
    /// Announces a new address of the sender.
    Rsyn = 5,
    /// Answers RSYN.
    RsynAck = 6,
    /// Ends a flow at once, or refuses a SYN.
    Rst = 7,
    /// Asks the peer for a PONG with the same token.
    Ping = 8,
    /// Answers PING.
    Pong = 9,
    /// Asks the peer to open its NAT (paper §VIII).
    HolePunch = 10,
    /// Answers HOLE-PUNCH.
    HolePunchAck = 11,
    /// Answers a packet of an unknown version with the known ones.
    Version = 12,
    /// Answers a packet of an unknown flow; verifiable without state at the sender.
    Reset = 13,
    /// Between a mover and a router of a network that it leaves (paper §VII).
    Redirect = 14,
}

impl PacketType {
    /// The type of a number; `None` if it is not assigned.
    #[must_use]
    pub const fn from_number(number: u8) -> Option<Self> {
        Some(match number {
            0 => Self::Data,
            1 => Self::Syn,
            2 => Self::SynAck,
            3 => Self::Ack,
            4 => Self::Nack,
            5 => Self::Rsyn,
            6 => Self::RsynAck,
            7 => Self::Rst,
            8 => Self::Ping,
            9 => Self::Pong,
            10 => Self::HolePunch,
            11 => Self::HolePunchAck,
            12 => Self::Version,
            13 => Self::Reset,
            14 => Self::Redirect,
            _ => return None,
        })
    }

    /// True if packets of this type end in a MAC under the keys of the connection. Only a first
    /// SYN, VERSION, RESET and REDIRECT do without: there are no keys that both ends know.
    #[must_use]
    pub const fn is_authenticated(self) -> bool {
        !matches!(
            self,
            Self::Data | Self::Syn | Self::Version | Self::Reset | Self::Redirect
        )
    }
}

/// The common header.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Header {
    /// The receiver's flow ID; zero in a first SYN, and in a RESET whose sender does not know it.
    pub receiver: u64,
    /// Packet type.
    pub kind: PacketType,
    /// Length of the header with its options, in bytes.
    pub len: usize,
    /// Inner protocol: [`INNER_TCP`](super::INNER_TCP) and so on.
    pub inner: u8,
}

impl Header {
    /// Parses and checks the common header; this is all that a DATA packet needs. Flags are
    /// ignored. `bytes` starts with the ECCP header and may continue after it.
    pub fn parse(bytes: &[u8]) -> Result<Self, ParseError> {
        let Some((head, _)) = bytes.split_first_chunk::<COMMON_LEN>() else {
            return Err(Malformed::Truncated.into());
        };
        let [id @ .., version_type, words, inner, _flags] = *head;
        if version_type >> 4 != VERSION {
            return Err(ParseError::Version(version_type >> 4));
        }
        let kind = PacketType::from_number(version_type & 0x0f).ok_or(Malformed::UnknownType)?;
        let len = usize::from(words).saturating_mul(4);
        let fits = match kind {
            PacketType::Data => len == DATA_LEN,
            _ => len >= CONTROL_LEN,
        };
        if !fits {
            return Err(Malformed::HeaderLength.into());
        }
        if len > bytes.len() {
            return Err(Malformed::Truncated.into());
        }
        let receiver = u64::from_be_bytes(id);
        if receiver == 0 && !matches!(kind, PacketType::Syn | PacketType::Reset) {
            return Err(Malformed::FlowId.into());
        }
        Ok(Self {
            receiver,
            kind,
            len,
            inner,
        })
    }

    /// The header of a DATA packet to the flow `receiver`; the transport segment follows it.
    #[must_use]
    pub fn data(receiver: u64, inner: u8) -> [u8; DATA_LEN] {
        Self {
            receiver,
            kind: PacketType::Data,
            len: DATA_LEN,
            inner,
        }
        .to_bytes()
    }

    /// The 12 bytes of this header.
    #[must_use]
    pub fn to_bytes(self) -> [u8; COMMON_LEN] {
        let [a, b, c, d, e, f, g, h] = self.receiver.to_be_bytes();
        let version_type = (VERSION << 4) | self.kind as u8;
        let words = u8::try_from(self.len >> 2).unwrap_or(u8::MAX);
        [a, b, c, d, e, f, g, h, version_type, words, self.inner, 0]
    }
}
