// SPDX-License-Identifier: GPL-2.0-only
//! A NAT of the kernel's own: nftables and connection tracking of the calling thread's namespace
//! (include/uapi/linux/netfilter/nf_tables.h, nfnetlink.h, nfnetlink_conntrack.h).

use std::io;

use anyhow::{ensure, Context, Result};
use netlink_sys::protocols::NETLINK_NETFILTER;
use netlink_sys::{Socket, SocketAddr};

const NLM_F_REQUEST: u16 = 0x1;
const NLM_F_ACK: u16 = 0x4;
const NLM_F_CREATE: u16 = 0x400;
const NLM_F_APPEND: u16 = 0x800;
const NLMSG_ERROR: u16 = 2;
const NESTED: u16 = 0x8000;

const BATCH_BEGIN: u16 = 0x10;
const BATCH_END: u16 = 0x11;
const SUBSYSTEM: u16 = 10;
const NEW_TABLE: u16 = SUBSYSTEM << 8;
const NEW_CHAIN: u16 = SUBSYSTEM << 8 | 3;
const NEW_RULE: u16 = SUBSYSTEM << 8 | 6;
/// IPCTNL_MSG_CT_DELETE of the subsystem for connection tracking.
const DELETE_CONNECTIONS: u16 = 1 << 8 | 2;

const IPV4: u8 = 2;
const TABLE: &str = "test";
const HOOK_FORWARD: u32 = 2;
const HOOK_OUTPUT: u32 = 3;
const HOOK_POSTROUTING: u32 = 4;
const PRIORITY_NAT: u32 = 100;
/// NFT_META_L4PROTO.
const META_PROTOCOL: u32 = 16;
/// NFT_REG_1.
const REGISTER: u32 = 1;
/// NF_NAT_RANGE_PROTO_RANDOM_FULLY: a new binding has a new port.
const RANDOM_PORTS: u32 = 1 << 4;

/// Makes the namespace's router a NAT for IPv4 that gives every binding a random port and lets the
/// IP protocol `forbidden` not pass, as most NATs do with all but TCP, UDP and ICMP.
///
/// # Errors
/// The kernel's errno.
pub fn masquerade(forbidden: u8) -> Result<()> {
    let masquerade = expression("masq", &word(1, RANDOM_PORTS));
    batch(&[
        (NEW_TABLE, text(1, TABLE)),
        (
            NEW_CHAIN,
            chain("out", "nat", HOOK_POSTROUTING, PRIORITY_NAT),
        ),
        (NEW_RULE, rule("out", &[masquerade])),
        (NEW_CHAIN, chain("through", "filter", HOOK_FORWARD, 0)),
        (NEW_RULE, rule("through", &drop_protocol(forbidden))),
    ])
    .context("nftables")
}

/// Lets the namespace itself send no packet of an IP protocol.
///
/// # Errors
/// The kernel's errno.
pub fn silence(protocol: u8) -> Result<()> {
    batch(&[
        (NEW_TABLE, text(1, TABLE)),
        (NEW_CHAIN, chain("own", "filter", HOOK_OUTPUT, 0)),
        (NEW_RULE, rule("own", &drop_protocol(protocol))),
    ])
    .context("nftables")
}

fn chain(name: &str, kind: &str, hook: u32, priority: u32) -> Vec<u8> {
    let hook = [word(1, hook), word(2, priority)].concat();
    [
        text(1, TABLE),
        text(3, name),
        nested(4, &hook),
        text(7, kind),
    ]
    .concat()
}

fn rule(chain: &str, expressions: &[Vec<u8>]) -> Vec<u8> {
    let list: Vec<u8> = expressions.iter().flat_map(|e| nested(1, e)).collect();
    [text(1, TABLE), text(2, chain), nested(4, &list)].concat()
}

/// The expressions of "meta l4proto PROTOCOL drop".
fn drop_protocol(protocol: u8) -> [Vec<u8>; 3] {
    let load = [word(1, REGISTER), word(2, META_PROTOCOL)].concat();
    let value = nested(3, &attribute(1, &[protocol]));
    let compare = [word(1, REGISTER), word(2, 0), value].concat();
    let verdict = nested(2, &nested(2, &word(1, 0)));
    let drop = [word(1, 0), verdict].concat();
    [
        expression("meta", &load),
        expression("cmp", &compare),
        expression("immediate", &drop),
    ]
}

/// Forgets all connections: the next packet of each gets a new binding.
///
/// # Errors
/// The kernel's errno.
pub fn flush() -> Result<()> {
    let socket = open()?;
    let bytes = message(DELETE_CONNECTIONS, NLM_F_ACK, 0, 0, 1, &[]);
    socket.send(&bytes, 0)?;
    acknowledged(&socket).context("flush of connection tracking")
}

fn batch(messages: &[(u16, Vec<u8>)]) -> Result<()> {
    let socket = open()?;
    let mut bytes = message(BATCH_BEGIN, 0, 0, SUBSYSTEM, 0, &[]);
    for (at, (kind, attributes)) in messages.iter().enumerate() {
        let flags = NLM_F_CREATE | NLM_F_APPEND | NLM_F_ACK;
        bytes.extend(message(*kind, flags, IPV4, 0, at as u32 + 1, attributes));
    }
    bytes.extend(message(BATCH_END, 0, 0, SUBSYSTEM, 0, &[]));
    socket.send(&bytes, 0)?;
    for _ in messages {
        acknowledged(&socket)?;
    }
    Ok(())
}

fn open() -> Result<Socket> {
    let mut socket = Socket::new(NETLINK_NETFILTER)?;
    socket.bind_auto()?;
    socket.connect(&SocketAddr::new(0, 0))?;
    Ok(socket)
}

fn acknowledged(socket: &Socket) -> Result<()> {
    let (answer, _) = socket.recv_from_full()?;
    ensure!(answer.len() >= 20, "an answer of {} bytes", answer.len());
    let kind = u16::from_ne_bytes([answer[4], answer[5]]);
    ensure!(kind == NLMSG_ERROR, "an answer of type {kind}");
    let sequence = u32::from_ne_bytes([answer[8], answer[9], answer[10], answer[11]]);
    match i32::from_ne_bytes([answer[16], answer[17], answer[18], answer[19]]) {
        0 => Ok(()),
        code => {
            Err(io::Error::from_raw_os_error(-code)).with_context(|| format!("message {sequence}"))
        }
    }
}

/// A netlink message with the header of netfilter's subsystems.
fn message(
    kind: u16,
    flags: u16,
    family: u8,
    resource: u16,
    sequence: u32,
    attributes: &[u8],
) -> Vec<u8> {
    let length = 20 + attributes.len() as u32;
    let mut bytes = Vec::with_capacity(length as usize);
    bytes.extend(length.to_ne_bytes());
    bytes.extend(kind.to_ne_bytes());
    bytes.extend((flags | NLM_F_REQUEST).to_ne_bytes());
    bytes.extend(sequence.to_ne_bytes());
    bytes.extend(0u32.to_ne_bytes());
    bytes.extend([family, 0]);
    bytes.extend(resource.to_be_bytes());
    bytes.extend(attributes);
    bytes
}

fn attribute(kind: u16, payload: &[u8]) -> Vec<u8> {
    let mut bytes = (4 + payload.len() as u16).to_ne_bytes().to_vec();
    bytes.extend(kind.to_ne_bytes());
    bytes.extend(payload);
    bytes.resize(bytes.len().next_multiple_of(4), 0);
    bytes
}

fn nested(kind: u16, attributes: &[u8]) -> Vec<u8> {
    attribute(kind | NESTED, attributes)
}

fn word(kind: u16, value: u32) -> Vec<u8> {
    attribute(kind, &value.to_be_bytes())
}

fn text(kind: u16, value: &str) -> Vec<u8> {
    attribute(kind, &[value.as_bytes(), &[0]].concat())
}

fn expression(name: &str, data: &[u8]) -> Vec<u8> {
    [text(1, name), nested(2, data)].concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn attributes_are_padded_and_their_length_is_not() {
        assert_eq!(attribute(3, &[7]), [5, 0, 3, 0, 7, 0, 0, 0]);
        assert_eq!(text(1, "nat"), [8, 0, 1, 0, b'n', b'a', b't', 0]);
        assert_eq!(nested(4, &word(1, 2))[2..4], [4, 0x80]);
    }

    #[test]
    fn a_message_begins_with_its_length() {
        let bytes = message(NEW_TABLE, NLM_F_ACK, IPV4, 0, 9, &word(1, 2));
        assert_eq!(bytes[..4], 28u32.to_ne_bytes());
        assert_eq!(bytes.len(), 28);
        assert_eq!(bytes[16], IPV4);
    }
}
