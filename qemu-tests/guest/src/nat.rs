// SPDX-License-Identifier: GPL-2.0-only
//! A NAT of the kernel's own: nftables and connection tracking of the calling thread's namespace
//! (include/uapi/linux/netfilter/nf_tables.h, nfnetlink.h, nfnetlink_conntrack.h).

use anyhow::{Context, Result};
use netlink_sys::protocols::NETLINK_NETFILTER;

use crate::netlink::{exchange, Attributes, Message, ACK, APPEND, CREATE};

/// NFNL_MSG_BATCH_BEGIN and _END; NFNL_SUBSYS_*.
const BATCH_BEGIN: u16 = 16;
const BATCH_END: u16 = 17;
const CONNTRACK: u16 = 1;
const NFTABLES: u16 = 10;
/// NFT_MSG_* and IPCTNL_MSG_CT_DELETE.
const NEW_TABLE: u16 = 0;
const NEW_CHAIN: u16 = 3;
const NEW_RULE: u16 = 6;
const DELETE_TABLE: u16 = 2;
const DELETE_CONNECTION: u16 = 2;
/// NFPROTO_INET and AF_UNSPEC.
const BOTH_FAMILIES: u8 = 1;
const ANY_FAMILY: u8 = 0;
/// NF_INET_* and NF_IP_PRI_NAT_SRC.
const INPUT: u32 = 1;
const FORWARD: u32 = 2;
const OUTPUT: u32 = 3;
const POSTROUTING: u32 = 4;
const SOURCE_NAT: u32 = 100;
/// NFT_REG_1.
const REGISTER: u32 = 1;
/// NFT_META_OIFNAME and NFT_META_L4PROTO.
const OUTPUT_INTERFACE: u32 = 7;
const PROTOCOL: u32 = 16;
/// NFT_PAYLOAD_TRANSPORT_HEADER, and where the type of an ECCP packet in UDP stands behind it.
const TRANSPORT: u32 = 2;
const TYPE_AT: u32 = 16;
/// IPPROTO_UDP.
const UDP: u8 = 17;
/// NF_NAT_RANGE_PROTO_RANDOM_FULLY: a connection does not get its old port again.
const FULLY_RANDOM: u32 = 1 << 4;

const TABLE: &str = "test";
/// The table of [`censor`].
const CENSOR: &str = "censor";

/// Makes the namespace's router a NAT for both families that gives every binding a random port and lets the
/// IP protocol `forbidden` not pass, as most NATs do with all but TCP, UDP and ICMP.
///
/// # Errors
/// The kernel's errno.
pub fn masquerade(forbidden: u8) -> Result<()> {
    nftables(vec![
        chain("out", "nat", POSTROUTING, SOURCE_NAT),
        rule("out", masquerades(Attributes::new())),
        chain("through", "filter", FORWARD, 0),
        rule("through", drops(forbidden)),
    ])
}

/// `nft add rule ... oifname INTERFACE masquerade fully-random` with its table and chain.
///
/// # Errors
/// The kernel's errno.
pub fn masquerade_on(interface: &str) -> Result<()> {
    let mut name = [0; 16];
    for (to, from) in name.iter_mut().zip(interface.bytes()) {
        *to = from;
    }
    let leaves_there = compares(OUTPUT_INTERFACE, &name);
    nftables(vec![
        chain("out", "nat", POSTROUTING, SOURCE_NAT),
        rule("out", masquerades(leaves_there)),
    ])
}

/// Makes the namespace's router a NAT as [`masquerade`] does that answers and remembers nothing which nobody
/// inside has asked for, as most do. With `keeps_ports` the outside port is that inside, if it is free.
///
/// # Errors
/// The kernel's errno.
pub fn guard(forbidden: u8, keeps_ports: bool) -> Result<()> {
    let translates = match keeps_ports {
        true => Attributes::new().nest(1, &expression("masq", &Attributes::new())),
        false => masquerades(Attributes::new()),
    };
    nftables(vec![
        chain("out", "nat", POSTROUTING, SOURCE_NAT),
        rule("out", translates),
        chain("through", "filter", FORWARD, 0),
        rule("through", drops(forbidden)),
        chain("in", "filter", INPUT, 0),
        rule("in", drops(UDP)),
        rule("in", drops(forbidden)),
    ])
}

/// Drops ECCP packets of a type in UDP that pass through or arrive, until [`uncensor`].
///
/// # Errors
/// The kernel's errno.
pub fn censor(packet_type: u8) -> Result<()> {
    let load = Attributes::new()
        .word(1, REGISTER)
        .word(2, TRANSPORT)
        .word(3, TYPE_AT)
        .word(4, 1);
    let of_type = || {
        let loaded = compares(PROTOCOL, &[UDP]).nest(1, &expression("payload", &load));
        // Version 1 stands in the high half.
        denies(equals(loaded, &[0x10 | packet_type]))
    };
    let hooks = [("through", FORWARD), ("in", INPUT)];
    let contents = hooks.into_iter().flat_map(|(name, hook)| {
        [
            chain_of(CENSOR, name, "filter", hook, 0),
            rule_of(CENSOR, name, of_type()),
        ]
    });
    table_of(CENSOR, contents.collect())
}

/// Ends what [`censor`] began.
///
/// # Errors
/// The kernel's errno.
pub fn uncensor() -> Result<()> {
    batch(vec![request(
        DELETE_TABLE,
        0,
        &Attributes::new().text(1, CENSOR),
    )])
}

/// Lets the namespace itself send no packet of an IP protocol.
///
/// # Errors
/// The kernel's errno.
pub fn silence(protocol: u8) -> Result<()> {
    nftables(vec![
        chain("own", "filter", OUTPUT, 0),
        rule("own", drops(protocol)),
    ])
}

/// `conntrack -F`: the router forgets all connections, as after a restart; the next packet of each
/// gets a new binding.
///
/// # Errors
/// The kernel's errno.
pub fn flush() -> Result<()> {
    let kind = CONNTRACK << 8 | DELETE_CONNECTION;
    let message = Message::new(kind, ACK, &header(ANY_FAMILY, 0), &Attributes::new());
    exchange(NETLINK_NETFILTER, &[message]).context("flush of connection tracking")?;
    Ok(())
}

/// Makes the table, then what is in it, all or nothing.
fn nftables(contents: Vec<Message>) -> Result<()> {
    table_of(TABLE, contents)
}

fn table_of(table: &str, contents: Vec<Message>) -> Result<()> {
    let mut all = vec![request(
        NEW_TABLE,
        CREATE,
        &Attributes::new().text(1, table),
    )];
    all.extend(contents);
    batch(all)
}

fn batch(requests: Vec<Message>) -> Result<()> {
    let bound = |kind| {
        let none = Attributes::new();
        Message::new(kind, 0, &header(BOTH_FAMILIES, NFTABLES), &none)
    };
    let mut all = vec![bound(BATCH_BEGIN)];
    all.extend(requests);
    all.push(bound(BATCH_END));
    exchange(NETLINK_NETFILTER, &all).context("nftables")?;
    Ok(())
}

fn request(kind: u16, flags: u16, attributes: &Attributes) -> Message {
    Message::new(
        NFTABLES << 8 | kind,
        flags | ACK,
        &header(BOTH_FAMILIES, 0),
        attributes,
    )
}

fn chain(name: &str, kind: &str, hook: u32, priority: u32) -> Message {
    chain_of(TABLE, name, kind, hook, priority)
}

fn chain_of(table: &str, name: &str, kind: &str, hook: u32, priority: u32) -> Message {
    let hook = Attributes::new().word(1, hook).word(2, priority);
    let attributes = Attributes::new()
        .text(1, table)
        .text(3, name)
        .nest(4, &hook)
        .text(7, kind);
    request(NEW_CHAIN, CREATE, &attributes)
}

fn rule(chain: &str, expressions: Attributes) -> Message {
    rule_of(TABLE, chain, expressions)
}

fn rule_of(table: &str, chain: &str, expressions: Attributes) -> Message {
    let attributes = Attributes::new()
        .text(1, table)
        .text(2, chain)
        .nest(4, &expressions);
    request(NEW_RULE, CREATE | APPEND, &attributes)
}

/// The expressions so far and "masquerade fully-random".
fn masquerades(expressions: Attributes) -> Attributes {
    let data = Attributes::new().word(1, FULLY_RANDOM);
    expressions.nest(1, &expression("masq", &data))
}

/// The expressions of "meta l4proto PROTOCOL drop".
fn drops(protocol: u8) -> Attributes {
    denies(compares(PROTOCOL, &[protocol]))
}

/// The expressions so far and "drop".
fn denies(expressions: Attributes) -> Attributes {
    let verdict = Attributes::new().nest(2, &Attributes::new().word(1, 0));
    let data = Attributes::new().word(1, 0).nest(2, &verdict);
    expressions.nest(1, &expression("immediate", &data))
}

/// The expressions of "meta KEY VALUE".
fn compares(key: u32, value: &[u8]) -> Attributes {
    let load = Attributes::new().word(1, REGISTER).word(2, key);
    equals(Attributes::new().nest(1, &expression("meta", &load)), value)
}

/// The expressions so far, whose result must be `value`.
fn equals(expressions: Attributes, value: &[u8]) -> Attributes {
    let compare = Attributes::new()
        .word(1, REGISTER)
        .word(2, 0)
        .nest(3, &Attributes::new().put(1, value));
    expressions.nest(1, &expression("cmp", &compare))
}

fn expression(name: &str, data: &Attributes) -> Attributes {
    Attributes::new().text(1, name).nest(2, data)
}

/// `struct nfgenmsg`.
fn header(family: u8, resource: u16) -> [u8; 4] {
    let [high, low] = resource.to_be_bytes();
    [family, 0, high, low]
}
