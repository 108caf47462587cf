// SPDX-License-Identifier: GPL-2.0-only
//! A router that masquerades, as `nft` makes one, and the loss of its state.

use anyhow::{Context, Result};
use netlink_sys::protocols::NETLINK_NETFILTER;
use rustix::net::AddressFamily;

use super::netlink::{exchange, Attributes, Message, ACK, APPEND, CREATE};

/// NFNL_MSG_BATCH_BEGIN and _END; NFNL_SUBSYS_*.
const BATCH_BEGIN: u16 = 16;
const BATCH_END: u16 = 17;
const CONNTRACK: u16 = 1;
const NFTABLES: u16 = 10;
/// NFT_MSG_* and IPCTNL_MSG_CT_DELETE.
const NEW_TABLE: u16 = 0;
const NEW_CHAIN: u16 = 3;
const NEW_RULE: u16 = 6;
const DELETE_CONNECTION: u16 = 2;
/// NF_INET_POST_ROUTING and NF_IP_PRI_NAT_SRC.
const POSTROUTING: u32 = 4;
const SOURCE_NAT: u32 = 100;
const REGISTER: u32 = 1;
const OUTPUT_INTERFACE: u32 = 7;
/// NF_NAT_RANGE_PROTO_RANDOM_FULLY.
const FULLY_RANDOM: u32 = 1 << 4;

const TABLE: &str = "nat";
const CHAIN: &str = "out";

/// `nft add rule nat out oifname INTERFACE masquerade fully-random` with its
/// table and chain, in the calling thread's namespace. Ports are random so that
/// a connection does not get its old one again.
///
/// # Errors
/// The kernel's errno.
pub(super) fn masquerade(interface: &str) -> Result<()> {
    let table = Attributes::new().text(1, TABLE);
    let hook = Attributes::new()
        .put(1, &POSTROUTING.to_be_bytes())
        .put(2, &SOURCE_NAT.to_be_bytes());
    let chain = Attributes::new()
        .text(1, TABLE)
        .text(3, CHAIN)
        .nest(4, &hook)
        .text(7, "nat");
    let rule = Attributes::new()
        .text(1, TABLE)
        .text(2, CHAIN)
        .nest(4, &expressions(interface));
    let message = |kind, flags, attributes| {
        Message::new(NFTABLES << 8 | kind, flags | ACK, &header(0), attributes)
    };
    let none = Attributes::new();
    let batch = [
        Message::new(BATCH_BEGIN, 0, &header(NFTABLES), &none),
        message(NEW_TABLE, CREATE, &table),
        message(NEW_CHAIN, CREATE, &chain),
        message(NEW_RULE, CREATE | APPEND, &rule),
        Message::new(BATCH_END, 0, &header(NFTABLES), &none),
    ];
    exchange(NETLINK_NETFILTER, &batch).context("masquerading")?;
    Ok(())
}

/// `meta oifname INTERFACE masquerade fully-random` as a list of expressions.
fn expressions(interface: &str) -> Attributes {
    let mut name = [0; 16];
    for (to, from) in name.iter_mut().zip(interface.bytes()) {
        *to = from;
    }
    let load = Attributes::new()
        .put(1, &REGISTER.to_be_bytes())
        .put(2, &OUTPUT_INTERFACE.to_be_bytes());
    let compare = Attributes::new()
        .put(1, &REGISTER.to_be_bytes())
        .put(2, &0u32.to_be_bytes())
        .nest(3, &Attributes::new().put(1, &name));
    let masquerade = Attributes::new().put(1, &FULLY_RANDOM.to_be_bytes());
    let expression = |name, data| Attributes::new().text(1, name).nest(2, data);
    Attributes::new()
        .nest(1, &expression("meta", &load))
        .nest(1, &expression("cmp", &compare))
        .nest(1, &expression("masq", &masquerade))
}

/// `conntrack -F` in the calling thread's namespace: the router forgets every
/// connection, as after a restart.
///
/// # Errors
/// The kernel's errno.
pub(super) fn forget_connections() -> Result<()> {
    let kind = CONNTRACK << 8 | DELETE_CONNECTION;
    let message = Message::new(kind, ACK, &header(0), &Attributes::new());
    exchange(NETLINK_NETFILTER, &[message]).context("flushing conntrack")?;
    Ok(())
}

/// `struct nfgenmsg`.
fn header(resource: u16) -> [u8; 4] {
    let [high, low] = resource.to_be_bytes();
    [AddressFamily::INET.as_raw() as u8, 0, high, low]
}
