// SPDX-License-Identifier: GPL-2.0-only
//! Options of control packets: type, length, value, padded to four bytes.

use super::super::address::{Family, IpAddr128, RemoteAddr};
use super::super::bytes::copy_into;
use super::super::ilist::{IList, IListEntry};
use super::message::NoRoom;
use super::Malformed;

/// Bit of an option type: a receiver that does not know the option must drop the packet.
pub const OPT_MANDATORY: u8 = 0x80;
/// Service asked for: 2-byte port or 32-byte identifier.
pub const OPT_SERVICE: u8 = 0x81;
/// X25519 public key, 32 bytes.
pub const OPT_KEY: u8 = 0x82;
/// IList: connection version, then the addresses.
pub const OPT_ILIST: u8 = 0x03;
/// Transport parameters, up to 16 opaque bytes.
pub const OPT_TRANSPORT: u8 = 0x84;
/// Token or challenge, 16 bytes.
pub const OPT_TOKEN: u8 = 0x85;
/// Preferred address: family, reserved byte, UDP port, address.
pub const OPT_PREFERRED: u8 = 0x86;
/// New flow ID of the sender, 8 bytes.
pub const OPT_NEW_FLOW: u8 = 0x87;
/// An existing flow ID of the sender, 8 bytes.
pub const OPT_EXISTING_FLOW: u8 = 0x88;
/// Reason of a refusal or reset, 1 byte.
pub const OPT_REASON: u8 = 0x09;
/// Versions known, 1 byte each.
pub const OPT_VERSIONS: u8 = 0x0a;
/// The receiver's address that the sender has on record, encoded as a preferred address.
pub const OPT_RECORD: u8 = 0x0b;
/// Token of the SYN or RSYN that is answered, 16 bytes.
pub const OPT_ECHO: u8 = 0x0c;
/// Source of the packet that is answered, encoded as a preferred address.
pub const OPT_OBSERVED: u8 = 0x14;
/// What a ping probes: flags, reserved byte, 4-byte number.
pub const OPT_PROBE: u8 = 0x16;
/// Flags of a flow and the number of the request that carries them: 1 byte and 8.
pub const OPT_FLOW_FLAGS: u8 = 0x0d;
/// Commitment to the proof of a stateless reset, 16 bytes.
pub const OPT_RESET_PROOF: u8 = 0x11;
/// What a mover and a router say to each other: 28 bytes, see [`Redirection`](super::Redirection).
pub const OPT_REDIRECT: u8 = 0x12;
/// Cookie that proves the address of a SYN's sender, 16 bytes. Nothing but a MAC may follow it.
pub const OPT_COOKIE: u8 = 0x90;
/// Bundle that a first SYN wants to join, and the proof that it may: 8 bytes and 16.
pub const OPT_JOIN: u8 = 0x93;
/// MAC over everything before its value; always last.
pub const OPT_MAC: u8 = 0x8f;

/// Length of a token or challenge, in bytes.
pub const TOKEN_LEN: usize = 16;
/// Length of a MAC: HMAC-SHA256 truncated, in bytes.
pub const MAC_LEN: usize = 16;

const ENTRY_HEAD: usize = 6;

/// Flag of a flow: it is to carry data only when no other can.
pub const FLOW_BACKUP: u8 = 1;
/// Flag of a flow: its sender sends data along it from now on, and asks for the peer's there.
pub const FLOW_ACTIVE: u8 = 2;
/// Flag of an active flow: its sender has lost the one that was active before.
pub const FLOW_LOST: u8 = 4;

/// What the sender says about a flow. Unknown flags are ignored.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct FlowFlags {
    /// [`FLOW_BACKUP`], [`FLOW_ACTIVE`], [`FLOW_LOST`].
    pub flags: u8,
    /// Grows with each request of the sender on the connection, so that an old one can be told.
    pub number: u64,
}

/// What a first SYN that joins a bundle says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Join {
    /// The number that names the bundle.
    pub bundle: u64,
    /// See [`JoinKey::join`](super::super::bundle::join::JoinKey::join).
    pub proof: [u8; TOKEN_LEN],
}

/// Reads values from the front of a byte string.
#[derive(Clone, Copy)]
pub(super) struct Reader<'a>(pub(super) &'a [u8]);

impl<'a> Reader<'a> {
    pub(super) fn take(&mut self, len: usize) -> Option<&'a [u8]> {
        let (head, tail) = self.0.split_at_checked(len)?;
        self.0 = tail;
        Some(head)
    }

    pub(super) fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (head, tail) = self.0.split_first_chunk::<N>()?;
        self.0 = tail;
        Some(*head)
    }

    fn address(&mut self, family: u8) -> Option<IpAddr128> {
        const V4: u8 = Family::V4 as u8;
        const V6: u8 = Family::V6 as u8;
        match family {
            V4 => self.array().map(IpAddr128::from_v4),
            V6 => self
                .array()
                .map(IpAddr128)
                .filter(|addr| addr.family() == Family::V6),
            _ => None,
        }
    }
}

/// One option as it stands in a packet.
pub(super) struct RawOption<'a> {
    pub(super) kind: u8,
    pub(super) value: &'a [u8],
    /// Length with type, length and padding, in bytes.
    pub(super) whole: usize,
}

impl<'a> RawOption<'a> {
    /// Cuts the first option off `reader`; `Ok(None)` at the end.
    pub(super) fn next(reader: &mut Reader<'a>) -> Result<Option<Self>, Malformed> {
        if reader.0.is_empty() {
            return Ok(None);
        }
        let before = reader.0.len();
        let [kind, len] = reader.array().ok_or(Malformed::OptionLength)?;
        let value = reader
            .take(usize::from(len))
            .ok_or(Malformed::OptionLength)?;
        let pad = padding(usize::from(len));
        let padding = reader.take(pad).ok_or(Malformed::OptionLength)?;
        if padding.iter().any(|byte| *byte != 0) {
            return Err(Malformed::Padding);
        }
        Ok(Some(Self {
            kind,
            value,
            whole: before.saturating_sub(reader.0.len()),
        }))
    }
}

/// Bytes of padding behind a value of `len` bytes.
fn padding(len: usize) -> usize {
    // Type and length take two bytes; only the two low bits of the sum matter.
    2usize.wrapping_sub(len) & 3
}

pub(super) fn parse_ilist(value: &[u8]) -> Result<IList, Malformed> {
    let mut reader = Reader(value);
    let version = reader.array().ok_or(Malformed::OptionValue)?;
    let mut list = IList::new(u64::from_be_bytes(version));
    while !reader.0.is_empty() {
        let [family, flags, priority, _reserved, p0, p1]: [u8; ENTRY_HEAD] =
            reader.array().ok_or(Malformed::OptionValue)?;
        let addr = reader.address(family).ok_or(Malformed::OptionValue)?;
        let listed = list.push(IListEntry {
            addr,
            port: u16::from_be_bytes([p0, p1]),
            flags,
            priority,
        });
        if !listed {
            return Err(Malformed::OptionValue);
        }
    }
    Ok(list)
}

pub(super) fn parse_flow_flags(value: &[u8]) -> Result<FlowFlags, Malformed> {
    let [flags, number @ ..]: [u8; 9] = value.try_into().map_err(|_| Malformed::OptionValue)?;
    Ok(FlowFlags {
        flags,
        number: u64::from_be_bytes(number),
    })
}

pub(super) fn parse_join(value: &[u8]) -> Result<Join, Malformed> {
    let (bundle, proof) = value.split_first_chunk().ok_or(Malformed::OptionValue)?;
    Ok(Join {
        bundle: u64::from_be_bytes(*bundle),
        proof: proof.try_into().map_err(|_| Malformed::OptionValue)?,
    })
}

pub(super) fn parse_remote(value: &[u8]) -> Result<RemoteAddr, Malformed> {
    let mut reader = Reader(value);
    let [family, _reserved, p0, p1] = reader.array().ok_or(Malformed::OptionValue)?;
    let addr = reader.address(family).ok_or(Malformed::OptionValue)?;
    if !reader.0.is_empty() {
        return Err(Malformed::OptionValue);
    }
    Ok(RemoteAddr {
        addr,
        port: u16::from_be_bytes([p0, p1]),
    })
}

/// Appends options to a buffer.
pub(super) struct Writer<'b> {
    pub(super) buf: &'b mut [u8],
    pub(super) len: usize,
}

impl Writer<'_> {
    pub(super) fn put(&mut self, bytes: &[u8]) -> Result<(), NoRoom> {
        let end = self.len.checked_add(bytes.len()).ok_or(NoRoom)?;
        let room = self.buf.get_mut(self.len..end).ok_or(NoRoom)?;
        copy_into(room, bytes).ok_or(NoRoom)?;
        self.len = end;
        Ok(())
    }

    /// Writes an option whose value is the concatenation of `parts`; returns where it starts.
    pub(super) fn option(&mut self, kind: u8, parts: &[&[u8]]) -> Result<usize, NoRoom> {
        let at = self.len;
        let len = parts.iter().fold(0usize, |n, p| n.saturating_add(p.len()));
        self.put(&[kind, u8::try_from(len).map_err(|_| NoRoom)?])?;
        for part in parts {
            self.put(part)?;
        }
        let zeros = [0u8; 3];
        self.put(zeros.get(..padding(len)).ok_or(NoRoom)?)?;
        Ok(at)
    }

    pub(super) fn ilist(&mut self, list: &IList) -> Result<usize, NoRoom> {
        let mut value = [0u8; 8 + 8 * (ENTRY_HEAD + 16)];
        let mut inner = Writer {
            buf: &mut value,
            len: 0,
        };
        inner.put(&list.version.to_be_bytes())?;
        for entry in list.entries() {
            let [p0, p1] = entry.port.to_be_bytes();
            let family = entry.addr.family() as u8;
            inner.put(&[family, entry.flags, entry.priority, 0, p0, p1])?;
            inner.address(&entry.addr)?;
        }
        let len = inner.len;
        self.option(OPT_ILIST, &[value.get(..len).ok_or(NoRoom)?])
    }

    pub(super) fn remote(&mut self, kind: u8, at: &RemoteAddr) -> Result<usize, NoRoom> {
        let [p0, p1] = at.port.to_be_bytes();
        let head = [at.addr.family() as u8, 0, p0, p1];
        match at.addr.as_v4() {
            Some(v4) => self.option(kind, &[&head, &v4]),
            None => self.option(kind, &[&head, &at.addr.0]),
        }
    }

    fn address(&mut self, addr: &IpAddr128) -> Result<(), NoRoom> {
        match addr.as_v4() {
            Some(v4) => self.put(&v4),
            None => self.put(&addr.0),
        }
    }
}
