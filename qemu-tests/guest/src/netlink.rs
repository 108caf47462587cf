// SPDX-License-Identifier: GPL-2.0-only
//! Netlink requests in the kernel's own bytes, for the families that have no
//! crate here: `mptcp_pm`, `wireguard` and netfilter's.

use std::io;

use anyhow::{ensure, Context, Result};
use netlink_sys::protocols::NETLINK_GENERIC;
use netlink_sys::{Socket, SocketAddr};

/// Flags of include/uapi/linux/netlink.h.
pub(crate) const REQUEST: u16 = 0x1;
pub(crate) const ACK: u16 = 0x4;
pub(crate) const CREATE: u16 = 0x400;
pub(crate) const APPEND: u16 = 0x800;
pub(crate) const DUMP: u16 = 0x300;

const HEADER: usize = 16;
const NLMSG_ERROR: u16 = 2;
const NLMSG_DONE: u16 = 3;
const NLA_F_NESTED: u16 = 1 << 15;

/// Attributes in the order in which they are put.
#[derive(Debug, Clone, Default)]
pub(crate) struct Attributes(Vec<u8>);

impl Attributes {
    /// None yet.
    pub fn new() -> Self {
        Attributes::default()
    }

    /// Adds one with a payload.
    pub fn put(mut self, kind: u16, payload: &[u8]) -> Self {
        let length = 4 + payload.len() as u16;
        self.0.extend_from_slice(&length.to_ne_bytes());
        self.0.extend_from_slice(&kind.to_ne_bytes());
        self.0.extend_from_slice(payload);
        self.0.resize(self.0.len().next_multiple_of(4), 0);
        self
    }

    /// Adds a number in network byte order.
    pub fn word(self, kind: u16, value: u32) -> Self {
        self.put(kind, &value.to_be_bytes())
    }

    /// Adds one that holds others.
    pub fn nest(self, kind: u16, inner: &Attributes) -> Self {
        self.put(kind | NLA_F_NESTED, &inner.0)
    }

    /// Adds a string with its zero.
    pub fn text(self, kind: u16, text: &str) -> Self {
        let mut bytes = text.as_bytes().to_vec();
        bytes.push(0);
        self.put(kind, &bytes)
    }
}

/// One message of a request.
#[derive(Debug, Clone)]
pub(crate) struct Message {
    kind: u16,
    flags: u16,
    body: Vec<u8>,
}

impl Message {
    /// A message with a family's own header in front of its attributes.
    pub fn new(kind: u16, flags: u16, head: &[u8], attributes: &Attributes) -> Self {
        let mut body = head.to_vec();
        body.extend_from_slice(&attributes.0);
        Message { kind, flags, body }
    }

    fn append_to(&self, bytes: &mut Vec<u8>) {
        let length = (HEADER + self.body.len()) as u32;
        bytes.extend_from_slice(&length.to_ne_bytes());
        bytes.extend_from_slice(&self.kind.to_ne_bytes());
        bytes.extend_from_slice(&(self.flags | REQUEST).to_ne_bytes());
        bytes.extend_from_slice(&[0; 8]);
        bytes.extend_from_slice(&self.body);
        bytes.resize(bytes.len().next_multiple_of(4), 0);
    }
}

/// Sends the messages at once in the calling thread's namespace and waits for
/// the verdict on each that asks for one; answers are returned without headers.
///
/// # Errors
/// The first errno of the kernel.
pub(crate) fn exchange(protocol: isize, messages: &[Message]) -> Result<Vec<Vec<u8>>> {
    let mut socket = Socket::new(protocol)?;
    socket.bind_auto()?;
    socket.connect(&SocketAddr::new(0, 0))?;
    let mut bytes = Vec::new();
    for message in messages {
        message.append_to(&mut bytes);
    }
    socket.send(&bytes, 0)?;
    let mut open = messages
        .iter()
        .filter(|message| message.flags & ACK != 0)
        .count();
    let mut answers = Vec::new();
    while open > 0 {
        let (datagram, _) = socket.recv_from_full()?;
        for (kind, body) in split(&datagram)? {
            match kind {
                NLMSG_ERROR | NLMSG_DONE => {
                    check(body)?;
                    open = open.saturating_sub(1);
                }
                _ => answers.push(body.to_vec()),
            }
        }
    }
    Ok(answers)
}

fn split(mut bytes: &[u8]) -> Result<Vec<(u16, &[u8])>> {
    let mut messages = Vec::new();
    while bytes.len() >= HEADER {
        let length = u32::from_ne_bytes(bytes[..4].try_into()?) as usize;
        ensure!(
            (HEADER..=bytes.len()).contains(&length),
            "a netlink message of {length} bytes"
        );
        let kind = u16::from_ne_bytes(bytes[4..6].try_into()?);
        messages.push((kind, &bytes[HEADER..length]));
        bytes = &bytes[length.next_multiple_of(4).min(bytes.len())..];
    }
    Ok(messages)
}

fn check(verdict: &[u8]) -> Result<()> {
    let code = verdict.get(..4).context("a netlink verdict without code")?;
    match i32::from_ne_bytes(code.try_into()?) {
        0 => Ok(()),
        code => Err(io::Error::from_raw_os_error(-code).into()),
    }
}

/// The payload of the first attribute of this kind.
pub(crate) fn find(mut attributes: &[u8], kind: u16) -> Option<&[u8]> {
    loop {
        let length = usize::from(u16::from_ne_bytes(attributes.get(..2)?.try_into().ok()?));
        let this = u16::from_ne_bytes(attributes.get(2..4)?.try_into().ok()?);
        let payload = attributes.get(4..length)?;
        if this & !NLA_F_NESTED == kind {
            return Some(payload);
        }
        attributes = attributes.get(length.next_multiple_of(4)..)?;
    }
}

/// A generic netlink family by its number.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Family(u16);

impl Family {
    /// Asks the kernel for the number of `name`.
    ///
    /// # Errors
    /// ENOENT when the kernel does not have the family.
    pub fn find(name: &str) -> Result<Self> {
        /// GENL_ID_CTRL, CTRL_CMD_GETFAMILY and its attributes.
        const CONTROL: Family = Family(16);
        const GET_FAMILY: u8 = 3;
        const FAMILY_ID: u16 = 1;
        const FAMILY_NAME: u16 = 2;
        let wanted = Attributes::new().text(FAMILY_NAME, name);
        let answers = CONTROL
            .request(GET_FAMILY, 0, &wanted)
            .with_context(|| format!("generic netlink family {name}"))?;
        let id = answers.first().and_then(|answer| find(answer, FAMILY_ID));
        let id = id.context("a generic netlink family without number")?;
        Ok(Family(u16::from_ne_bytes(id.try_into()?)))
    }

    /// One request; the attributes of its answers.
    ///
    /// # Errors
    /// The kernel's errno.
    pub fn request(self, command: u8, flags: u16, attributes: &Attributes) -> Result<Vec<Vec<u8>>> {
        /// Command, version 1, two reserved bytes.
        const GENERIC_HEADER: usize = 4;
        let head = [command, 1, 0, 0];
        let message = Message::new(self.0, flags | ACK, &head, attributes);
        let answers = exchange(NETLINK_GENERIC, &[message])?;
        Ok(answers
            .into_iter()
            .map(|answer| answer.get(GENERIC_HEADER..).unwrap_or_default().to_vec())
            .collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_attribute_is_found_behind_a_padded_one() {
        let bytes = Attributes::new().text(1, "abcd").put(2, &[7, 8]).0;
        assert_eq!(bytes.len(), 12 + 8);
        assert_eq!(find(&bytes, 2), Some(&[7u8, 8][..]));
        assert_eq!(find(&bytes, 3), None);
        assert_eq!(find(&[4, 0], 1), None);
    }

    #[test]
    fn a_nested_attribute_is_marked_and_still_found() {
        let inner = Attributes::new().put(1, &[1]);
        let bytes = Attributes::new().nest(5, &inner).0;
        assert_eq!(bytes[2..4], (5 | NLA_F_NESTED).to_ne_bytes());
        assert_eq!(find(find(&bytes, 5).unwrap(), 1), Some(&[1u8][..]));
    }

    #[test]
    fn attributes_are_padded_and_their_length_is_not() {
        let none = Attributes::new;
        assert_eq!(none().put(3, &[7]).0, [5, 0, 3, 0, 7, 0, 0, 0]);
        assert_eq!(none().text(1, "nat").0, [8, 0, 1, 0, b'n', b'a', b't', 0]);
        assert_eq!(none().nest(4, &none().word(1, 2)).0[2..4], [4, 0x80]);
    }

    #[test]
    fn a_message_begins_with_its_length() {
        let mut bytes = Vec::new();
        let attributes = Attributes::new().word(1, 2);
        Message::new(0xa00, ACK, &[2, 0, 0, 0], &attributes).append_to(&mut bytes);
        assert_eq!(bytes[..4], 28u32.to_ne_bytes());
        assert_eq!(bytes.len(), 28);
        assert_eq!(bytes[16], 2);
    }

    #[test]
    fn messages_are_split_at_their_lengths() {
        let mut bytes = Vec::new();
        Message::new(20, ACK, &[1, 2, 3], &Attributes::new()).append_to(&mut bytes);
        Message::new(21, 0, &[], &Attributes::new()).append_to(&mut bytes);
        let messages = split(&bytes).unwrap();
        assert_eq!(messages, [(20, &[1u8, 2, 3][..]), (21, &[][..])]);
        bytes[0] = 200;
        assert!(split(&bytes).is_err());
    }

    #[test]
    fn a_verdict_is_an_errno() {
        assert!(check(&0i32.to_ne_bytes()).is_ok());
        let error = check(&(-2i32).to_ne_bytes()).unwrap_err();
        let errno = error.downcast_ref::<io::Error>().unwrap();
        assert_eq!(errno.raw_os_error(), Some(2));
        assert!(check(&[]).is_err());
    }
}
