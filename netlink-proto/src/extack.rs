// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Extended acknowledgements: why the kernel refused, and which attribute it means.
//!
//! The layout is that of `enum nlmsgerr_attrs` in `linux/netlink.h`.

use netlink_packet_core::{NlaBuffer, NlasIterator, NLA_HEADER_SIZE};
use netlink_packet_generic::constants::GENL_HDRLEN;

use crate::constants::Command;
use crate::message::attribute_name;
use crate::value::Value;

const NLMSG_HEADER_LEN: usize = 16;

const ATTR_MSG: u16 = 1;
const ATTR_OFFS: u16 = 2;
const ATTR_POLICY: u16 = 4;
const ATTR_MISS_TYPE: u16 = 5;

const POLICY_MIN_VALUE_U: u16 = 4;
const POLICY_MAX_VALUE_U: u16 = 5;

/// What an acknowledgement says beyond its error number.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ExtendedAck {
    /// The kernel's words.
    pub text: Option<String>,
    /// Offset of the offending attribute in the request, netlink header included.
    pub offset: Option<u32>,
    /// Number of the attribute that the request lacks.
    pub missing: Option<u32>,
    /// Smallest value that the offending attribute may have.
    pub min: Option<u64>,
    /// Largest value that the offending attribute may have.
    pub max: Option<u64>,
}

impl ExtendedAck {
    /// Reads the attributes of an acknowledgement. What cannot be read is left
    /// out: an error must not hide behind the error that reports it.
    pub fn parse(bytes: &[u8]) -> Self {
        let mut ack = ExtendedAck::default();
        for attribute in NlasIterator::new(bytes).flatten() {
            match attribute.kind() {
                ATTR_MSG => ack.text = String::parse(attribute.value()).ok(),
                ATTR_OFFS => ack.offset = u32::parse(attribute.value()).ok(),
                ATTR_MISS_TYPE => ack.missing = u32::parse(attribute.value()).ok(),
                ATTR_POLICY => ack.parse_policy(attribute.value()),
                _ => {}
            }
        }
        ack
    }

    fn parse_policy(&mut self, bytes: &[u8]) {
        for attribute in NlasIterator::new(bytes).flatten() {
            match attribute.kind() {
                POLICY_MIN_VALUE_U => self.min = u64::parse(attribute.value()).ok(),
                POLICY_MAX_VALUE_U => self.max = u64::parse(attribute.value()).ok(),
                _ => {}
            }
        }
    }

    /// The attributes of an NLMSG_ERROR, given what follows its error number:
    /// the request (its header alone if `capped`), then the attributes.
    pub fn parse_error(rest: &[u8], capped: bool) -> Self {
        let length = rest
            .get(..4)
            .and_then(|bytes| bytes.try_into().ok())
            .map_or(0, u32::from_ne_bytes) as usize;
        let request = if capped {
            NLMSG_HEADER_LEN
        } else {
            length.next_multiple_of(4)
        };
        Self::parse(rest.get(request..).unwrap_or_default())
    }
}

/// The attribute at `offset` of `request`, a whole netlink message of the family.
pub fn attribute_at(request: &[u8], offset: u32) -> Option<u16> {
    let mut at = NLMSG_HEADER_LEN + GENL_HDRLEN;
    while at < request.len() {
        let attribute = NlaBuffer::new_checked(&request[at..]).ok()?;
        let end = at + usize::from(attribute.length());
        // Value errors are reported at the attribute, some at its payload.
        if (at..end.max(at + NLA_HEADER_SIZE)).contains(&(offset as usize)) {
            return Some(attribute.kind());
        }
        at += usize::from(attribute.length()).next_multiple_of(4);
    }
    None
}

/// A refusal by the kernel, in words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// What was asked.
    pub command: Command,
    /// Error number, positive.
    pub errno: i32,
    /// The kernel's words, if it gave any.
    pub text: Option<String>,
    /// Name of the attribute that is wrong.
    pub attribute: Option<String>,
    /// Name of the attribute that is missing.
    pub missing: Option<String>,
    /// Values that the attribute may have.
    pub range: Option<(u64, u64)>,
}

impl Refusal {
    /// Joins an error number and an acknowledgement with the request they answer.
    pub fn new(command: Command, errno: i32, ack: ExtendedAck, request: &[u8]) -> Self {
        let name = |kind: u16| match attribute_name(command, kind) {
            Some(name) => name.to_string(),
            None => format!("attribute {kind}"),
        };
        Refusal {
            command,
            errno,
            text: ack.text,
            attribute: ack
                .offset
                .and_then(|offset| attribute_at(request, offset))
                .map(name),
            missing: ack
                .missing
                .and_then(|kind| u16::try_from(kind).ok())
                .map(name),
            range: match (ack.min, ack.max) {
                (None, None) => None,
                (min, max) => Some((min.unwrap_or(0), max.unwrap_or(u64::MAX))),
            },
        }
    }
}

/// The C library's words for an error, without its number.
fn errno_text(errno: i32) -> String {
    let text = std::io::Error::from_raw_os_error(errno).to_string();
    match text.split_once(" (os error") {
        Some((words, _)) => words.into(),
        None => text,
    }
}

impl std::fmt::Display for Refusal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match &self.text {
            Some(text) => write!(f, "{text}")?,
            None => f.write_str(&errno_text(self.errno))?,
        }
        if let Some(name) = &self.attribute {
            write!(f, " (attribute {name})")?;
        }
        if let Some(name) = &self.missing {
            write!(f, " (attribute {name} is missing)")?;
        }
        match self.range {
            Some((min, u64::MAX)) => write!(f, ", at least {min} is allowed"),
            Some((min, max)) => write!(f, ", {min} to {max} is allowed"),
            None => Ok(()),
        }
    }
}
