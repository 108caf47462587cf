// SPDX-License-Identifier: GPL-2.0
//! Datagrams on their way: from a socket to the network, and back.
//!
//! A datagram is sent once or not at all, whatever becomes of the path.

use crate::kernel_objects::errno::{ECONNRESET, ENOBUFS};
use crate::{
    control::counters::Count,
    flow::Flow,
    kernel_objects::{
        datagram::{Datagram, Delivery, Message, NoWay, Waiting, Way},
        outer::Outer,
        skb::{Kind, Skb},
    },
    proto::wire::{Header, INNER_UDP},
};
use kernel::prelude::*;

/// Largest datagram, in bytes, before a path is known: what fits into the least MTU of IPv6
/// behind all headers.
pub(crate) const FIRST_ROOM: u32 = 1280 - 40 - 8 - 12 - 8;

/// Most datagrams of one peer that wait for a path, on a socket with many.
pub(crate) const MAX_WAITING: u32 = 64;

/// Largest datagram that the flow takes now, in bytes.
pub(crate) fn room(flow: &Flow, socket: &Outer) -> u32 {
    match flow.endpoint().way(socket) {
        (Err(_), 0) => FIRST_ROOM,
        (_, room) => room,
    }
}

/// Sends a message along the flow's path, or lets it wait for one with at most `limit` others
/// (zero: as many as the send buffer holds). A path without a route is as none. Returns its
/// length. Errors: EMSGSIZE for one that is too long for the path; ENOBUFS when too many wait;
/// ECONNRESET when the flow is closed; those of [`Message::copy`].
pub(crate) fn send(flow: &Flow, socket: &Outer, message: &Message, limit: u32) -> Result<usize> {
    if message.len > room(flow, socket) {
        return Err(EMSGSIZE);
    }
    let len = message.len as usize;
    let mut datagram = message.copy(socket)?;
    loop {
        let no_route = match flow.endpoint().way(socket) {
            (Ok(_), room) if datagram.len() > room => return Err(EMSGSIZE),
            (Ok(way), _) => {
                transmit(flow, datagram, way);
                return Ok(len);
            }
            (Err(NoWay::Closed), _) => return Err(ECONNRESET),
            (Err(NoWay::NoRoute), _) => true,
            (Err(NoWay::NoPath), _) => false,
        };
        match flow.endpoint().wait_for_path(datagram, limit, no_route) {
            Waiting::Queued { first } => {
                if first && no_route {
                    flow.connection.net.raw.look_at_addresses();
                    flow.connection.kick();
                }
                return Ok(len);
            }
            Waiting::Path(again) => datagram = again,
            Waiting::Closed => return Err(ECONNRESET),
            Waiting::Full => {
                count(flow, Count::DROP_DATAGRAM_WAITING);
                return Err(ENOBUFS);
            }
        }
    }
}

/// Sends the datagrams that waited for a path. Nobody is left to be told of an error. `true`:
/// there is a path, but no route, and they wait on.
pub(crate) fn send_waiting(flow: &Flow, socket: &Outer) -> bool {
    while flow.endpoint().has_waiting() {
        let (way, room) = flow.endpoint().way(socket);
        let way = match way {
            Ok(way) => way,
            Err(NoWay::NoRoute) => return true,
            Err(NoWay::NoPath | NoWay::Closed) => return false,
        };
        match flow.endpoint().next_waiting() {
            Some(datagram) if datagram.len() > room => count(flow, Count::DROP_DATAGRAM_SIZE),
            Some(datagram) => transmit(flow, datagram, way),
            None => return false,
        }
    }
    false
}

fn transmit(flow: &Flow, datagram: Datagram, way: Way) {
    let header = Header::data(way.receiver(), INNER_UDP);
    // As with UDP, a full device queue is the network's loss.
    if flow
        .endpoint()
        .send_datagram(datagram, way, &header)
        .is_err()
    {
        count(flow, Count::DROP_DATAGRAM_DEVICE);
    }
}

fn count(flow: &Flow, what: Count) {
    flow.connection.net.counters.add(what);
}

/// Hands a packet of an open flow to its socket. Errors: the counter of the reason why not.
pub(super) fn deliver(flow: &Flow, skb: Skb, kind: Kind) -> core::result::Result<i32, Count> {
    match flow.endpoint().deliver_datagram(skb, kind) {
        Delivery::Delivered => Ok(0),
        Delivery::Malformed => Err(Count::DROP_DATAGRAM_HEADER),
        Delivery::Checksum => Err(Count::DROP_DATAGRAM_CHECKSUM),
        Delivery::Full => Err(Count::DROP_DATAGRAM_BUFFER),
    }
}
