// SPDX-License-Identifier: GPL-2.0-only
//! The wire format (docs/wire.md): a pure codec without state.
//!
//! A [`Packet`] is a checked view of received bytes; a [`Message`] is the value it carries.
//! Contract: no function here panics on any input. [`Packet::parse`] checks every length before
//! it reads; [`Message::emit`] fails with [`NoRoom`] if the buffer is too short.

mod header;
mod message;
mod option;
mod packet;
mod redirect;

pub use header::{Header, PacketType, COMMON_LEN, CONTROL_LEN, DATA_LEN, VERSION};
pub use message::{Emitted, Message, NoRoom, ProbeMark, Reason, Versions};
pub use option::{
    FlowFlags, Join, FLOW_ACTIVE, FLOW_BACKUP, FLOW_LOST, MAC_LEN, OPT_COOKIE, OPT_ECHO,
    OPT_EXISTING_FLOW, OPT_FLOW_FLAGS, OPT_ILIST, OPT_JOIN, OPT_KEY, OPT_MAC, OPT_MANDATORY,
    OPT_NEW_FLOW, OPT_OBSERVED, OPT_PREFERRED, OPT_PROBE, OPT_REASON, OPT_RECORD, OPT_REDIRECT,
    OPT_RESET_PROOF, OPT_SERVICE, OPT_TOKEN, OPT_TRANSPORT, OPT_VERSIONS, TOKEN_LEN,
};
pub use packet::Packet;
pub use redirect::{RedirectStep, Redirection, TICKET_LEN};

/// Longest control packet that the core emits, in bytes; a buffer for transmission has this size.
pub const MAX_CONTROL: usize = 512;

/// Inner protocol number of a flow without a transport (IPv6 "no next header").
pub const INNER_NONE: u8 = 59;
/// Inner protocol number of TCP.
pub const INNER_TCP: u8 = 6;
/// Inner protocol number of UDP.
pub const INNER_UDP: u8 = 17;

/// Why bytes are not an ECCP packet. Each reason has a counter.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum Malformed {
    /// Shorter than a header, or than its header length says.
    Truncated,
    /// The header length is too small for the type, or a DATA header is not 12 bytes long.
    HeaderLength,
    /// Bytes follow the header of a control packet.
    TrailingBytes,
    /// The type number is not known.
    UnknownType,
    /// An option runs over the end of the header.
    OptionLength,
    /// An option's value has a length or content that its type does not allow.
    OptionValue,
    /// An option's padding is not zero.
    Padding,
    /// An option stands twice, behind the MAC, or between a cookie and the MAC.
    OptionOrder,
    /// An option with the mandatory bit is not known, or not in this type.
    UnknownOption,
    /// The type requires an option that is missing.
    MissingOption,
    /// The flow ID zero stands where it must not, or is missing where it must be.
    FlowId,
}

/// Bytes that could not be parsed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ParseError {
    /// The packet is of another version of ECCP: answer with a VERSION packet.
    Version(u8),
    /// The packet is of this version but broken: drop it.
    Malformed(Malformed),
}

impl From<Malformed> for ParseError {
    fn from(reason: Malformed) -> Self {
        Self::Malformed(reason)
    }
}
