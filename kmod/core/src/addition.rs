// SPDX-License-Identifier: GPL-2.0-only
//! Flows that are added to a connection (protocol.md §4): a SYN to an existing flow ID, SYN-ACK
//! and ACK; or NACK, when the called side prefers another of its addresses. Either end may add.

use super::address::{
    Encap, IpAddr128, LocalAddress, Path, RemoteAddr, RxInfo, ADDRESS_BACKUP, ADDRESS_METERED,
};
use super::auth::request_token;
use super::candidate::Charge;
use super::connection::{Connection, Transmit};
use super::event::{CloseReason, Discard, FlowIndex, Refused};
use super::flow::{Added, Flow, LocalHalf, Phase};
use super::host::Host;
use super::ilist::{IListEntry, MAX_ADDRESSES};
use super::settings::{MAX_FLOWS, MAX_TARGETS};
use super::shared::Shared;
use super::time::Instant;
use super::timer::Retry;
use super::transmit::ENCAPSULATIONS;
use super::wire::{FlowFlags, Message, Packet, PacketType, Reason, FLOW_BACKUP};

/// NACKs that one SYN obeys: a called side that is never content is given up.
const MAX_REFUSALS: u8 = 4;

/// A flow that the host wants in addition.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct AddFlow {
    /// One of the current local addresses; priority and flags are ignored, interface zero takes
    /// the first address that matches.
    pub from: LocalAddress,
    /// Address of the peer to ask first; the others that are known join one try after another.
    pub to: Option<RemoteAddr>,
    /// The flow is to carry data only when no other can.
    pub backup: bool,
}

/// Numbers of requests: our own, and those of the peer's SYNs that were acted on. A SYN that
/// is replayed is recognised by its number, for as long as the connection lives.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Joins {
    sent: u64,
    newest: u64,
    /// Bit n stands for the number `newest - n`.
    seen: u64,
}

impl Joins {
    pub(super) const NONE: Self = Self {
        sent: 0,
        newest: 0,
        seen: 0,
    };

    /// The number of a new request of ours.
    pub(super) fn next_request(&mut self) -> u64 {
        self.sent = self.sent.saturating_add(1);
        self.sent
    }

    pub(super) fn is_new(&self, number: u64) -> bool {
        let age = self.newest.saturating_sub(number);
        let bit = u32::try_from(age).ok().and_then(|n| 1u64.checked_shl(n));
        number > self.newest || (number > 0 && bit.is_some_and(|bit| self.seen & bit == 0))
    }

    pub(super) fn note(&mut self, number: u64) {
        if let Some(step) = number.checked_sub(self.newest).filter(|step| *step > 0) {
            let step = u32::try_from(step).unwrap_or(u32::MAX);
            self.seen = self.seen.checked_shl(step).unwrap_or(0);
            self.newest = number;
        }
        let age = self.newest.saturating_sub(number);
        let bit = u32::try_from(age).ok().and_then(|n| 1u64.checked_shl(n));
        self.seen |= bit.unwrap_or(0);
    }
}

impl Connection {
    /// Begins to add a flow. The SYN is ready for [`Connection::poll_transmit`] afterwards, and
    /// the flow has its local ID; `Event::FlowAdded` or `Event::Closed` follows.
    pub fn add_flow(
        &mut self,
        host: &mut dyn Host,
        request: &AddFlow,
    ) -> Result<FlowIndex, Refused> {
        self.check_addable()?;
        let shared = &self.shared;
        let from = shared
            .addresses
            .find(&request.from.addr, request.from.ifindex)
            .filter(|address| shared.may_use(address));
        let from = *from.ok_or(Refused::NoSuchAddress)?;
        let to = request.to.map(|to| to.addr);
        let there = |flow: &Flow| flow.path.local == from.addr && flow.leads_to(to);
        if self.flows.iter().any(|flow| flow.is_live() && there(flow)) {
            return Err(Refused::AlreadyThere);
        }
        let index = self.free_slot().ok_or(Refused::TooManyFlows)?;
        let number = self.shared.joins.next_request();
        let mut flow = Flow {
            index,
            phase: Phase::SynSent,
            local_id: host.new_flow_id(),
            announced: from.addr,
            setup: Retry::starting(host.now()),
            backup: request.backup,
            added: Some(Added {
                by_us: true,
                number,
                target: request.to,
                refusals: 0,
            }),
            ..Flow::FREE
        };
        flow.path.local = from.addr;
        flow.path.ifindex = from.ifindex;
        let known = self.known_in_family(&from, request.to);
        if !known {
            return Err(Refused::NoPeerAddress);
        }
        self.place(flow);
        Ok(index)
    }

    fn check_addable(&self) -> Result<(), Refused> {
        let phase = |wanted| self.flows.iter().any(|flow| flow.phase == wanted);
        if !phase(Phase::Open) {
            return Err(match phase(Phase::SynSent) || phase(Phase::SynRcvd) {
                true => Refused::NotEstablished,
                false => Refused::Closing,
            });
        }
        match self.has_room() {
            true => Ok(()),
            false => Err(Refused::TooManyFlows),
        }
    }

    fn known_in_family(&self, from: &LocalAddress, to: Option<RemoteAddr>) -> bool {
        let family = from.addr.family();
        let known = self
            .flows
            .iter()
            .any(|flow| flow.is_live() && flow.peer_reachable_from(&self.shared, family));
        match to {
            Some(to) => to.addr.family() == family && to.addr.is_reachable_unicast(),
            None => known,
        }
    }

    pub(super) fn has_room(&self) -> bool {
        self.live_flows() < usize::from(self.shared.settings.max_flows)
    }

    pub(super) fn free_slot(&self) -> Option<FlowIndex> {
        let free = self.flows.iter().find(|flow| !flow.is_live())?;
        Some(free.index)
    }

    pub(super) fn place(&mut self, flow: Flow) {
        if let Some(slot) = self.flows.get_mut(usize::from(flow.index.0)) {
            *slot = flow;
        }
        self.note_others();
    }
}

/// Addresses of the peer that a SYN goes to, best first.
struct Targets {
    list: [Option<RemoteAddr>; MAX_TARGETS],
}

impl Targets {
    fn push(&mut self, remote: RemoteAddr) {
        let known = |slot: &Option<RemoteAddr>| slot.is_some_and(|r| r.addr == remote.addr);
        if self.list.iter().any(known) {
            return;
        }
        if let Some(slot) = self.list.iter_mut().find(|slot| slot.is_none()) {
            *slot = Some(remote);
        }
    }

    fn has(&self, entry: &IListEntry) -> bool {
        let listed = self.list.iter().flatten();
        listed.into_iter().any(|remote| remote.addr == entry.addr)
    }
}

impl Flow {
    fn leads_to(&self, to: Option<IpAddr128>) -> bool {
        to.is_none_or(|to| self.path.remote == to)
    }

    /// The host's choice first; then what the peer lists and no other flow leads to, so that the
    /// flows share as little as possible; then what is proven on other flows (R12).
    fn targets(&self, shared: &Shared) -> Targets {
        let family = self.path.local.family();
        let mut targets = Targets {
            list: [None; MAX_TARGETS],
        };
        if let Some(target) = self.added.and_then(|added| added.target) {
            targets.push(target);
        }
        let fits = |addr: &IpAddr128| addr.family() == family;
        let taken = |entry: &IListEntry| {
            let mut proven = shared.others.proven(self.index);
            proven.any(|remote| remote.addr == entry.addr)
        };
        let key = |entry: &&IListEntry| {
            let backup = entry.flags & ADDRESS_BACKUP != 0;
            let metered = entry.flags & ADDRESS_METERED != 0;
            (
                backup && !self.backup,
                taken(entry),
                metered,
                entry.priority,
            )
        };
        for _ in 0..MAX_ADDRESSES {
            let entries = shared.remote_ilist.entries().iter();
            let left = entries.filter(|e| fits(&e.addr) && !targets.has(e));
            let Some(next) = left.min_by_key(key) else {
                break;
            };
            targets.push(RemoteAddr {
                addr: next.addr,
                port: next.port,
            });
        }
        for remote in shared.others.proven(self.index).filter(|r| fits(&r.addr)) {
            targets.push(*remote);
        }
        targets
    }

    /// SYN to the addresses of the peer; the second and later ones join one try after the other.
    pub(super) fn poll_added_syn(
        &mut self,
        shared: &mut Shared,
        host: &mut dyn Host,
        buf: &mut [u8],
    ) -> Option<Transmit> {
        let now = host.now();
        let added = self.added?;
        let (via, receiver) = shared.others.name?;
        if shared.fires(&mut self.setup, now, self.rtt.retry(), host) {
            self.burst.syn = Some(0);
        }
        let end = self.setup.tries.saturating_mul(2);
        while let Some(at) = self.burst.syn {
            self.burst.syn = at.checked_add(1).filter(|next| *next < end);
            let Some(path) = self.added_target(shared, at) else {
                continue;
            };
            let mut syn = Message::new(PacketType::Syn, receiver, self.local_id, 0);
            syn.inner = shared.inner;
            syn.ilist = Some(shared.ilist()).filter(|list| !list.entries().is_empty());
            syn.existing_flow = Some(via);
            syn.flow_flags = Some(FlowFlags {
                flags: match self.backup {
                    true => FLOW_BACKUP,
                    false => 0,
                },
                number: added.number,
            });
            let key = &shared.settings.reset_key;
            syn.reset_proof = key.commitment(host, self.local_id);
            let secret = &shared.token_secret;
            syn.token = Some(request_token(host, secret, self.local_id, &path));
            return self.send(shared, host, &syn, &path, None::<Charge>, buf);
        }
        None
    }

    fn added_target(&self, shared: &Shared, at: u8) -> Option<Path> {
        let remote = (*self.targets(shared).list.get(usize::from(at >> 1))?)?;
        let encap = *ENCAPSULATIONS.get(usize::from(at & 1))?;
        let local = LocalAddress {
            addr: self.path.local,
            ifindex: self.path.ifindex,
            ..LocalAddress::NONE
        };
        let chosen = self.added.is_some_and(|added| added.target == Some(remote));
        let by_udp = chosen || remote.port != 0 || encap == Encap::Native;
        shared.new_path(&local, &remote, encap).filter(|_| by_udp)
    }

    /// R12: what answers a SYN counts only from an address that the SYN goes to.
    fn check_added_target(&self, shared: &Shared, rx: &RxInfo) -> Result<(), Discard> {
        let targets = self.targets(shared);
        let mut asked = targets.list.iter().flatten();
        match asked.any(|remote| remote.addr == rx.remote) {
            true => Ok(()),
            false => Err(Discard::UnexpectedSource),
        }
    }

    /// What answers the SYN of a flow that we add. Nothing happens before its MAC is checked.
    pub(super) fn handle_added_answer(
        &mut self,
        shared: &mut Shared,
        host: &mut dyn Host,
        rx: &RxInfo,
        packet: &Packet<'_>,
    ) -> Result<(), Discard> {
        shared.verify(host, packet)?;
        self.check_added_target(shared, rx)?;
        let message = packet.message();
        match message.kind {
            PacketType::SynAck => self.handle_added_syn_ack(shared, host, rx, message),
            PacketType::Nack => self.handle_nack(shared, host.now(), message),
            PacketType::Rst => {
                let reason = message.reason.unwrap_or(Reason::Other(0));
                self.finish(shared, CloseReason::Refused(reason));
                Ok(())
            }
            _ => Err(Discard::WrongState),
        }
    }

    fn handle_added_syn_ack(
        &mut self,
        shared: &mut Shared,
        host: &mut dyn Host,
        rx: &RxInfo,
        message: &Message,
    ) -> Result<(), Discard> {
        let now = host.now();
        let token = message.token.ok_or(Discard::WrongState)?;
        if message.version != 0 {
            return Err(Discard::FutureVersion);
        }
        // R18: a source can be forged, also by the peer; the token shows where the SYN was heard.
        let source = rx.reply_path();
        let expected = request_token(host, &shared.token_secret, self.local_id, &source);
        let returned = message.echo.ok_or(Discard::BadToken)?;
        if !host.mac_eq(&returned, &expected) {
            return Err(Discard::BadToken);
        }
        // R3: this and every repetition of it is answered, to its source (R6).
        shared.answer(now, self.reply_ack(0, token, rx.reply_path()))?;
        self.remote_id = message.sender;
        self.reset_proof = message.reset_proof;
        self.validated = Some(0);
        self.unconfirmed = true;
        self.settled_at = now;
        self.local = LocalHalf::Settled;
        let rtt = self.setup.measured(now);
        self.setup.stop();
        self.burst.syn = None;
        self.take_remote(shared, &rx.reply_path(), message, false);
        self.open(shared, rtt);
        self.ping_at(shared, host, now.after(self.rtt.retry()));
        Ok(())
    }

    /// NACK: the same flow is asked for at the address that the peer prefers.
    fn handle_nack(
        &mut self,
        shared: &mut Shared,
        now: Instant,
        message: &Message,
    ) -> Result<(), Discard> {
        let preferred = message.preferred.ok_or(Discard::WrongState)?;
        let family = self.path.local.family();
        if preferred.addr.family() != family || !preferred.addr.is_reachable_unicast() {
            return Err(Discard::OtherPath);
        }
        let Some(added) = &mut self.added else {
            return Err(Discard::WrongState);
        };
        if added.target == Some(preferred) {
            return Ok(());
        }
        if added.refusals == MAX_REFUSALS {
            self.finish(shared, CloseReason::Refused(Reason::Prohibited));
            return Ok(());
        }
        added.refusals = added.refusals.saturating_add(1);
        added.target = Some(preferred);
        self.setup.next = Some(now);
        self.setup.tries = 0;
        self.burst.syn = None;
        Ok(())
    }

    /// [`Command::Remove`](super::event::Command::Remove): RST until the peer answers with one.
    pub(super) fn remove(
        &mut self,
        shared: &mut Shared,
        host: &mut dyn Host,
    ) -> Result<(), Refused> {
        let established = matches!(self.phase, Phase::Open | Phase::Draining);
        self.abort(shared, host, Reason::Removed)?;
        if established {
            self.answer.stop();
            self.setup = Retry::starting(host.now());
        }
        Ok(())
    }

    /// The RST of a flow that is being removed, along its own path and along that of another
    /// flow in turn: its own may be why it is removed.
    pub(super) fn poll_removal(
        &mut self,
        shared: &mut Shared,
        host: &mut dyn Host,
        buf: &mut [u8],
    ) -> Option<Transmit> {
        let now = host.now();
        if !shared.fires(&mut self.setup, now, self.rtt.retry(), host) {
            return None;
        }
        let own = (self.has_address() && self.path.is_sound()).then_some(self.path);
        let (first, second) = match self.setup.tries & 1 {
            1 => (shared.others.path, own),
            _ => (own, shared.others.path),
        };
        let mut rst = self.message(shared, PacketType::Rst, self.version);
        rst.reason = Some(Reason::Removed);
        self.send(shared, host, &rst, &first.or(second)?, None, buf)
    }
}

const _: () = assert!(MAX_TARGETS >= 1 + MAX_ADDRESSES + MAX_FLOWS - 1);
