// SPDX-License-Identifier: GPL-2.0-only
//! Received control packets: a checked view and the message in it.

use super::super::service::{Service, TransportParams};
use super::header::{Header, PacketType, COMMON_LEN};
use super::message::{Message, ProbeMark, Reason, Versions};
use super::option::{
    parse_flow_flags, parse_ilist, parse_join, parse_remote, RawOption, Reader, MAC_LEN,
    OPT_COOKIE, OPT_ECHO, OPT_EXISTING_FLOW, OPT_FLOW_FLAGS, OPT_ILIST, OPT_JOIN, OPT_KEY, OPT_MAC,
    OPT_MANDATORY, OPT_NEW_FLOW, OPT_OBSERVED, OPT_PREFERRED, OPT_PROBE, OPT_REASON, OPT_RECORD,
    OPT_REDIRECT, OPT_RESET_PROOF, OPT_SERVICE, OPT_TOKEN, OPT_TRANSPORT, OPT_VERSIONS,
};
use super::redirect::{RedirectStep, Redirection};
use super::{Malformed, ParseError};

/// Where the header length stands.
const LENGTH_AT: usize = 9;

/// A control packet whose form has been checked. Its MAC has not: see
/// [`Connection::handle_packet`](super::super::connection::Connection::handle_packet).
#[derive(Clone, Copy, Debug)]
pub struct Packet<'a> {
    bytes: &'a [u8],
    message: Message,
    bound: usize,
    mac: Option<(usize, [u8; MAC_LEN])>,
    cookie_at: Option<usize>,
}

impl<'a> Packet<'a> {
    /// Parses a control packet. `bytes` is the whole payload of IP or UDP; a DATA packet is
    /// refused with [`Malformed::UnknownType`], because it has no options to parse.
    pub fn parse(bytes: &'a [u8]) -> Result<Self, ParseError> {
        let header = Header::parse(bytes)?;
        if header.kind == PacketType::Data {
            return Err(Malformed::UnknownType.into());
        }
        if header.len != bytes.len() {
            return Err(Malformed::TrailingBytes.into());
        }
        let mut reader = Reader(bytes.get(COMMON_LEN..).unwrap_or(&[]));
        let sender = reader.array().ok_or(Malformed::Truncated)?;
        let version = reader.array().ok_or(Malformed::Truncated)?;
        let mut packet = Self {
            bytes,
            message: Message::new(
                header.kind,
                header.receiver,
                u64::from_be_bytes(sender),
                u64::from_be_bytes(version),
            ),
            bound: bytes.len(),
            mac: None,
            cookie_at: None,
        };
        packet.message.inner = header.inner;
        packet.read_options(reader)?;
        packet.check_contents()?;
        Ok(packet)
    }

    /// The values of the packet.
    #[must_use]
    pub const fn message(&self) -> &Message {
        &self.message
    }

    /// The whole packet as received.
    #[must_use]
    pub const fn bytes(&self) -> &'a [u8] {
        self.bytes
    }

    /// The part of a SYN-ACK that the key exchange binds: everything before the token.
    #[must_use]
    pub fn bound(&self) -> &'a [u8] {
        self.bytes.get(..self.bound).unwrap_or(self.bytes)
    }

    /// The bytes that the MAC covers, and the MAC; `None` if the packet has none.
    #[must_use]
    pub fn authenticated(&self) -> Option<(&'a [u8], &[u8; MAC_LEN])> {
        let (at, mac) = self.mac.as_ref()?;
        Some((self.bytes.get(..*at)?, mac))
    }

    /// What a SYN says, without a cookie: three pieces that together are the SYN as its sender
    /// first wrote it. `words` holds the header length that the middle piece refers to.
    pub(crate) fn essence<'w>(&self, words: &'w mut [u8; 1]) -> [&'w [u8]; 3]
    where
        'a: 'w,
    {
        let end = self.cookie_at.unwrap_or(self.bytes.len());
        *words = [u8::try_from(end >> 2).unwrap_or(u8::MAX)];
        let before = self.bytes.get(..LENGTH_AT).unwrap_or(&[]);
        let after = self.bytes.get(LENGTH_AT.saturating_add(1)..end);
        [before, words, after.unwrap_or(&[])]
    }

    /// True for the SYN that opens a connection.
    #[must_use]
    pub fn is_first_syn(&self) -> bool {
        self.message.kind == PacketType::Syn && self.message.receiver == 0
    }

    fn read_options(&mut self, mut reader: Reader<'a>) -> Result<(), Malformed> {
        // One bit per option type below 64, mandatory bit removed.
        let mut seen = 0u64;
        let mut at = self.bytes.len().saturating_sub(reader.0.len());
        while let Some(option) = RawOption::next(&mut reader)? {
            let behind = self.cookie_at.is_some() && option.kind != OPT_MAC;
            if self.mac.is_some() || behind {
                return Err(Malformed::OptionOrder);
            }
            let bit = 1u64.checked_shl(u32::from(option.kind & !OPT_MANDATORY));
            let bit = bit.unwrap_or(0);
            if seen & bit != 0 {
                return Err(Malformed::OptionOrder);
            }
            seen |= bit;
            self.read_option(&option, at)?;
            at = at.saturating_add(option.whole);
        }
        Ok(())
    }

    fn read_option(&mut self, option: &RawOption<'_>, at: usize) -> Result<(), Malformed> {
        const BAD: Malformed = Malformed::OptionValue;
        let value = option.value;
        let message = &mut self.message;
        match option.kind {
            OPT_SERVICE => message.service = Some(parse_service(value).ok_or(BAD)?),
            OPT_KEY => message.key = Some(exact(value)?),
            OPT_ILIST => message.ilist = Some(parse_ilist(value)?),
            OPT_TRANSPORT => message.transport = Some(TransportParams::new(value).ok_or(BAD)?),
            OPT_PREFERRED => message.preferred = Some(parse_remote(value)?),
            OPT_RECORD => message.record = Some(parse_remote(value)?),
            OPT_NEW_FLOW => message.new_flow = Some(parse_flow_id(value)?),
            OPT_EXISTING_FLOW => message.existing_flow = Some(parse_flow_id(value)?),
            OPT_REASON => {
                let [number] = exact(value)?;
                message.reason = Some(Reason::from_number(number));
            }
            OPT_VERSIONS => message.versions = Some(Versions::new(value).ok_or(BAD)?),
            OPT_ECHO => message.echo = Some(exact(value)?),
            OPT_OBSERVED => message.observed = Some(parse_remote(value)?),
            OPT_PROBE => message.probe = Some(ProbeMark::from_bytes(exact(value)?)),
            OPT_FLOW_FLAGS => message.flow_flags = Some(parse_flow_flags(value)?),
            OPT_JOIN => message.join = Some(parse_join(value)?),
            OPT_RESET_PROOF => message.reset_proof = Some(exact(value)?),
            OPT_REDIRECT => {
                message.redirect = Some(Redirection::from_bytes(&exact(value)?).ok_or(BAD)?);
            }
            OPT_COOKIE => {
                message.cookie = Some(exact(value)?);
                self.cookie_at = Some(at);
            }
            OPT_TOKEN => {
                message.token = Some(exact(value)?);
                self.bound = self.bound.min(at);
            }
            OPT_MAC => {
                self.mac = Some((at.saturating_add(2), exact(value)?));
                self.bound = self.bound.min(at);
            }
            kind if kind & OPT_MANDATORY != 0 => return Err(Malformed::UnknownOption),
            _ => {}
        }
        Ok(())
    }

    /// Checks what each type must carry.
    fn check_contents(&self) -> Result<(), Malformed> {
        let m = &self.message;
        let complete = match m.kind {
            PacketType::Syn if m.receiver == 0 => m.service.is_some() && m.key.is_some(),
            PacketType::Syn => {
                m.existing_flow.is_some() && m.flow_flags.is_some() && m.token.is_some()
            }
            PacketType::Nack => m.preferred.is_some() || m.cookie.is_some(),
            // The key is missing in the answer to a SYN that adds a flow.
            PacketType::SynAck
            | PacketType::Ack
            | PacketType::RsynAck
            | PacketType::Ping
            | PacketType::Pong => m.token.is_some(),
            PacketType::Version => m.versions.is_some(),
            PacketType::HolePunch => m.preferred.is_some(),
            PacketType::Reset => m.token.is_some(),
            PacketType::Redirect => m.token.is_some() && self.completes_redirect(),
            _ => true,
        };
        let needs_mac = m.kind.is_authenticated() || (m.kind == PacketType::Syn && m.receiver != 0);
        if !complete || (needs_mac && self.mac.is_none()) {
            return Err(Malformed::MissingOption);
        }
        if m.new_flow.is_some() && m.kind != PacketType::Rsyn {
            return Err(Malformed::UnknownOption);
        }
        let may_lack_sender = matches!(m.kind, PacketType::Rst | PacketType::Version);
        if m.sender == 0 && !may_lack_sender {
            return Err(Malformed::FlowId);
        }
        Ok(())
    }

    /// Whether a REDIRECT has all that its step needs.
    fn completes_redirect(&self) -> bool {
        let m = &self.message;
        m.redirect.is_some_and(|redirect| match redirect.step {
            RedirectStep::Ask | RedirectStep::Ticket => true,
            RedirectStep::Tell => m.record.is_some() && self.mac.is_some(),
            RedirectStep::Told => self.mac.is_some(),
        })
    }
}

fn exact<const N: usize>(value: &[u8]) -> Result<[u8; N], Malformed> {
    value.try_into().map_err(|_| Malformed::OptionValue)
}

fn parse_service(value: &[u8]) -> Option<Service> {
    match value.len() {
        2 => value
            .try_into()
            .ok()
            .map(u16::from_be_bytes)
            .map(Service::Port),
        32 => value.try_into().ok().map(Service::Id),
        _ => None,
    }
}

fn parse_flow_id(value: &[u8]) -> Result<u64, Malformed> {
    match u64::from_be_bytes(exact(value)?) {
        0 => Err(Malformed::OptionValue),
        id => Ok(id),
    }
}
