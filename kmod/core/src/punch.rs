// SPDX-License-Identifier: GPL-2.0-only
//! A move towards a peer behind a NAT or a filter that lets in only what its host has asked for
//! (paper §VIII, protocol.md §7.9): RSYN from the new address stops there.
//!
//! As soon as an RSYN was not answered in time, HOLE-PUNCH names the new address along a way that
//! still works. The peer's HOLE-PUNCH-ACK goes from the flow's own address to the new one. That
//! opens the NAT, and where it comes from is where the next RSYN goes as well.
//!
//! R17: HOLE-PUNCH is repeated with RSYN, until the RSYN-ACK.
//! R23: HOLE-PUNCH-ACK leaves from the address of the flow, and no record changes by either.

use super::address::{Encap, Path, RemoteAddr, RxInfo};
use super::connection::Transmit;
use super::event::{Discard, Event};
use super::flow::{Flow, LocalHalf, Move, Phase};
use super::host::Host;
use super::shared::{Reply, Shared};
use super::time::Instant;
use super::wire::{Message, PacketType};

/// HOLE-PUNCHes that a connection answers in a second, and HOLE-PUNCH-ACKs that it acts on: more
/// than an honest mover sends, and nothing to flood a third host with.
pub(super) const PUNCH_RATE: u32 = 16;
/// Addresses that HOLE-PUNCHes of one try name: the new one by UDP and natively.
const PLACES: u8 = 2;

impl Flow {
    /// True while the version is that of a move of ours which is not answered.
    pub(super) fn announces(&self, version: u64) -> bool {
        self.version == version && matches!(self.local, LocalHalf::Moving(_))
    }

    /// HOLE-PUNCH, with every try of RSYN but the first.
    pub(super) fn poll_punch(
        &mut self,
        shared: &mut Shared,
        host: &dyn Host,
        buf: &mut [u8],
    ) -> Option<Transmit> {
        let LocalHalf::Moving(moving) = self.local else {
            self.burst.punch = None;
            return None;
        };
        while let Some(at) = self.burst.punch {
            self.burst.punch = at.checked_add(1).filter(|next| *next < PLACES);
            let named = Self::named_place(shared, &moving, at);
            let (Some(way), Some(named)) = (self.other_way(shared, &moving), named) else {
                continue;
            };
            let mut punch = self.message(shared, PacketType::HolePunch, self.version);
            punch.preferred = Some(named);
            let sent = self.send(shared, host, &punch, &way, None, buf)?;
            shared.counters.punches = shared.counters.punches.saturating_add(1);
            let earlier = |at| Self::named_place(shared, &moving, at).is_some();
            let first = moving.retry.tries == 2 && !(0..at).any(earlier);
            shared.emit(Event::Punching {
                flow: self.index,
                first,
            });
            return Some(sent);
        }
        None
    }

    /// The way that still reaches the peer: the old path while it is kept and answers, else that
    /// of the flow that carries data.
    fn other_way(&self, shared: &Shared, moving: &Move) -> Option<Path> {
        if moving.renames {
            return None;
        }
        let dead = self.probe.doubt.is_some_and(|doubt| doubt.judged);
        let (own, other) = (self.data_path(), shared.others.path);
        let ways = match dead {
            true => [other, own],
            false => [own, other],
        };
        let elsewhere = |way: &Path| way.local != moving.to.addr;
        ways.into_iter().flatten().find(elsewhere)
    }

    /// Where the peer's HOLE-PUNCH-ACK is to go; port zero stands for native encapsulation.
    fn named_place(shared: &Shared, moving: &Move, at: u8) -> Option<RemoteAddr> {
        let (encap, port) = match at {
            0 => (Encap::Udp, shared.settings.udp_port),
            _ => (Encap::Native, 0),
        };
        let addr = moving.to.addr;
        let usable = shared.settings.encapsulation.tries(encap) && addr.is_reachable_unicast();
        usable.then_some(RemoteAddr { addr, port })
    }

    /// HOLE-PUNCH of the peer: whether its RSYN gets through to us, we cannot see. The answer is
    /// never longer, and goes to where the peer says that it is now.
    pub(super) fn handle_punch(
        &self,
        shared: &mut Shared,
        now: Instant,
        message: &Message,
    ) -> Result<(), Discard> {
        let open = matches!(self.phase, Phase::Open | Phase::Draining);
        if !open || self.validated.is_none() || !self.has_address() {
            return Err(Discard::WrongState);
        }
        if message.version <= self.newest {
            // Its RSYN has arrived, or a newer one: RSYN-ACK opens what there is to open.
            return Err(Discard::StaleVersion);
        }
        let named = message.preferred.ok_or(Discard::WrongState)?;
        let answered = match self.punched_path(shared, &named) {
            None => Err(Discard::OtherPath),
            Some(_) if !shared.punches.take(now) => Err(Discard::RateLimited),
            Some(path) => {
                let kind = PacketType::HolePunchAck;
                shared.answer(now, Reply::new(self.index, kind, message.version, path))
            }
        };
        let (counter, event) = match answered {
            Ok(()) => (
                &mut shared.counters.punches_answered,
                Event::Punched { flow: self.index },
            ),
            Err(_) => (
                &mut shared.counters.punches_refused,
                Event::PunchRefused { flow: self.index },
            ),
        };
        *counter = counter.saturating_add(1);
        shared.emit(event);
        answered
    }

    /// From the flow's address to one that the peer names; `None` if nothing may be sent there.
    fn punched_path(&self, shared: &Shared, named: &RemoteAddr) -> Option<Path> {
        let family = named.addr.family();
        let encap = match named.port {
            0 => Encap::Native,
            _ => Encap::Udp,
        };
        let may = shared.settings.encapsulation.tries(encap)
            && named.addr.is_reachable_unicast()
            && shared.addresses.find(&named.addr, 0).is_none();
        let (local, ifindex) = match &self.local {
            LocalHalf::Moving(moving) if !moving.kept => (moving.to.addr, moving.to.ifindex),
            _ => (self.path.local, self.path.ifindex),
        };
        // A peer that moves to the other family has our addresses of that family from our list.
        let (local, ifindex) = match local.family() == family {
            true => (local, ifindex),
            false => {
                let best = shared.best_of(family, None)?;
                (best.addr, best.ifindex)
            }
        };
        let (local_port, remote_port) = shared.ports(encap, named.port);
        Some(Path {
            local,
            remote: named.addr,
            encap,
            local_port,
            remote_port,
            ifindex,
        })
        .filter(|_| may)
    }

    /// HOLE-PUNCH-ACK: from where it comes, the peer hears us now. RSYN goes there at once, if it
    /// goes to that address anyway: all that can be new is the port.
    pub(super) fn handle_punch_ack(
        &self,
        shared: &mut Shared,
        now: Instant,
        rx: &RxInfo,
        message: &Message,
    ) -> Result<(), Discard> {
        let LocalHalf::Moving(moving) = &self.local else {
            return Err(Discard::WrongState);
        };
        if message.version != self.version {
            return Err(Discard::StaleVersion);
        }
        if rx.local != moving.to.addr {
            return Err(Discard::OtherPath);
        }
        if !self.announces_to(shared, moving, &rx.remote) {
            return Err(Discard::UnexpectedSource);
        }
        if !shared.punches.take(now) {
            return Err(Discard::RateLimited);
        }
        let path = rx.reply_path();
        shared.answer(
            now,
            Reply::new(self.index, PacketType::Rsyn, self.version, path),
        )
    }
}
