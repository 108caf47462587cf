// SPDX-License-Identifier: GPL-2.0-only
//! What two global states are compared by.
//!
//! Versions and IList versions are only compared and incremented (R14), and every address is
//! fresh, so two states that differ in nothing but the distances between these numbers behave
//! alike. Each number is replaced by its rank among those of its kind and owner that occur: with
//! that any number of moves has finitely many states.

use std::collections::hash_map::DefaultHasher;
use std::collections::BTreeSet;
use std::hash::{Hash, Hasher};

use eccp_core::wire::PacketType;

use crate::endpoint::{Addr, FlowView, PacketView, Table, NOWHERE};
use crate::pair::State;

/// The key of a state. With bounded moves the numbers are as they are, and that of the moves is
/// part of the key.
pub fn key(table: &Table, state: &State, bounded: bool) -> u64 {
    if bounded {
        let mut hasher = DefaultHasher::new();
        (
            state.ends,
            &state.net,
            &state.proofs,
            state.moves,
            state.calm,
        )
            .hash(&mut hasher);
        return hasher.finish();
    }
    let mut numbers = Numbers::default();
    write(table, state, &mut |item| numbers.note(item));
    let mut words = Vec::with_capacity(96);
    write(table, state, &mut |item| words.push(numbers.rank(item)));
    // The packets come last, each behind a mark, in the order of their numbers in the table:
    // that order depends on the path taken, so they are sorted by content.
    let at = words
        .iter()
        .position(|word| *word == PACKET)
        .unwrap_or(words.len());
    let mut packets: Vec<&[u64]> = words[at..].split(|word| *word == PACKET).collect();
    packets.sort_unstable();
    let mut hasher = DefaultHasher::new();
    words[..at].hash(&mut hasher);
    packets.hash(&mut hasher);
    hasher.finish()
}

const PACKET: u64 = u64::MAX;

/// One number of a state, with what it means.
#[derive(Clone, Copy)]
enum Item {
    /// Means itself.
    Plain(u64),
    /// A version of a flow of the given host.
    Version(u8, u64),
    /// An address.
    Address(Addr),
    /// A version of the IList of the given host.
    List(u8, u64),
}

#[derive(Default)]
struct Numbers {
    versions: [BTreeSet<u64>; 2],
    addresses: [BTreeSet<u64>; 2],
    lists: [BTreeSet<u64>; 2],
}

impl Numbers {
    fn note(&mut self, item: Item) {
        match item {
            Item::Plain(_) | Item::Address(NOWHERE) => {}
            Item::Version(host, number) => _ = self.versions[usize::from(host)].insert(number),
            Item::Address((host, number)) => {
                self.addresses[usize::from(host)].insert(u64::from(number));
            }
            Item::List(host, number) => _ = self.lists[usize::from(host)].insert(number),
        }
    }

    fn rank(&self, item: Item) -> u64 {
        let place = |set: &BTreeSet<u64>, number| set.range(..number).count() as u64;
        match item {
            Item::Plain(number) => number,
            Item::Address(NOWHERE) => u64::from(u16::MAX),
            Item::Version(host, number) => place(&self.versions[usize::from(host)], number),
            Item::Address((host, number)) => {
                let rank = place(&self.addresses[usize::from(host)], u64::from(number));
                u64::from(host) << 8 | rank
            }
            Item::List(host, number) => place(&self.lists[usize::from(host)], number),
        }
    }
}

/// Names every number of the state in a fixed order.
fn write(table: &Table, state: &State, out: &mut dyn FnMut(Item)) {
    out(Item::Plain(u64::from(state.calm)));
    for end in state.ends {
        let view = table.view(end);
        out(Item::Plain(view.held.len() as u64));
        view.held.iter().for_each(|addr| out(Item::Address(*addr)));
        out(Item::Plain(u64::from(view.flow.is_some())));
        if let Some(flow) = &view.flow {
            write_flow(view.host, flow, out);
        }
    }
    for (host, version, addr) in &state.proofs {
        out(Item::Version(*host, *version));
        out(Item::Address(*addr));
    }
    for packet in &state.net {
        out(Item::Plain(PACKET));
        write_packet(table.packet(*packet), out);
    }
}

fn write_flow(host: u8, flow: &FlowView, out: &mut dyn FnMut(Item)) {
    let peer = 1 - host;
    let (own, newest, proven) = flow.versions;
    out(Item::Plain(flow.phase as u64));
    out(Item::Version(host, own));
    out(Item::Version(peer, newest));
    out(Item::Plain(u64::from(proven.is_some())));
    proven
        .iter()
        .for_each(|version| out(Item::Version(peer, *version)));
    out(Item::Address(flow.path.0));
    out(Item::Address(flow.path.1));
    out(Item::Plain(
        u64::from(flow.carries) << 1 | u64::from(flow.notice),
    ));
    match flow.moving {
        None => out(Item::Plain(0)),
        Some((to, kept)) => {
            out(Item::Plain(1 + u64::from(kept)));
            out(Item::Address(to));
        }
    }
    out(Item::Plain(flow.candidates.len() as u64));
    flow.candidates
        .iter()
        .for_each(|addr| out(Item::Address(*addr)));
    let (mine, (theirs, entries)) = &flow.lists;
    out(Item::List(host, *mine));
    out(Item::List(peer, *theirs));
    out(Item::Plain(entries.len() as u64));
    entries.iter().for_each(|addr| out(Item::Address(*addr)));
    out(Item::Plain(flow.timers.len() as u64));
}

fn write_packet(packet: &PacketView, out: &mut dyn FnMut(Item)) {
    let (from, to) = (packet.src.0, packet.dst.0);
    out(Item::Plain(packet.kind as u64));
    out(Item::Address(packet.src));
    out(Item::Address(packet.dst));
    let owner = match packet.kind {
        PacketType::RsynAck | PacketType::Pong => to,
        _ => from,
    };
    // The SYN-ACK carries version 0 whatever the versions are: both are 0 then.
    out(Item::Version(owner, packet.version));
    out(Item::Plain(u64::from(packet.token.is_some())));
    packet
        .token
        .iter()
        .for_each(|addr| out(Item::Address(*addr)));
    out(Item::Plain(packet.ilist.is_some().into()));
    if let Some((version, entries)) = &packet.ilist {
        out(Item::List(from, *version));
        out(Item::Plain(entries.len() as u64));
        entries.iter().for_each(|addr| out(Item::Address(*addr)));
    }
    out(Item::Plain(packet.record.is_some().into()));
    packet
        .record
        .iter()
        .for_each(|addr| out(Item::Address(*addr)));
}
