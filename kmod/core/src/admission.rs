// SPDX-License-Identifier: GPL-2.0-only
//! What the called side does with a SYN that adds a flow to a connection (protocol.md §4): it
//! takes the flow, names another of its addresses with NACK, or refuses with RST.

use super::address::{Encap, Path, RemoteAddr, RxInfo, ADDRESS_BACKUP};
use super::connection::Connection;
use super::event::{Discard, Event, FlowIndex};
use super::flow::{Added, Flow, Phase};
use super::host::Host;
use super::shared::{Reply, Shared};
use super::time::Instant;
use super::timer::Retry;
use super::wire::{FlowFlags, Message, Packet, PacketType, Reason, FLOW_BACKUP};

/// How the called side refuses a flow.
enum Refusal {
    /// NACK: another address would do.
    Elsewhere,
    /// RST: none would.
    Reset(Reason),
}

impl Connection {
    /// A SYN that adds a flow. Its MAC is checked, and it names flow `via` of this connection.
    pub(super) fn handle_added_syn(
        &mut self,
        host: &mut dyn Host,
        rx: &RxInfo,
        packet: &Packet<'_>,
        via: FlowIndex,
    ) -> Result<(), Discard> {
        let now = host.now();
        let message = packet.message();
        let said = message.flow_flags.ok_or(Discard::WrongState)?;
        let path = rx.reply_path();
        let same = |flow: &&mut Flow| flow.is_live() && flow.remote_id == message.sender;
        if let Some(flow) = self.flows.iter_mut().find(same) {
            // R12 makes its sender repeat it to other addresses of ours.
            let ours = flow.added.is_some_and(|added| added.number == said.number);
            if !ours || !flow.awaits_first_ack() {
                return Err(Discard::WrongState);
            }
            let mut reply = flow.reply_syn_ack(path);
            reply.echo = message.token;
            self.shared.answer(now, reply)?;
            flow.candidates.add(path, packet.bytes().len());
            flow.candidates.remember(&path, message.token);
            return Ok(());
        }
        let carrying = self.flow(via).is_some_and(|flow| flow.phase == Phase::Open);
        if !carrying {
            return Err(Discard::WrongState);
        }
        if !self.shared.joins.is_new(said.number) {
            return Err(Discard::StaleVersion);
        }
        if let Some(list) = &message.ilist {
            self.shared.learn_ilist(list);
        }
        if let Some(refusal) = self.refusal(rx, &said) {
            return self.refuse_flow(now, via, message, rx, refusal);
        }
        let Some(index) = self.free_slot() else {
            return Err(Discard::QueueFull);
        };
        if !self.shared.limiter.take(now) {
            return Err(Discard::RateLimited);
        }
        self.shared.joins.note(said.number);
        let mut flow = Flow {
            index,
            phase: Phase::SynRcvd,
            local_id: host.new_flow_id(),
            remote_id: message.sender,
            path,
            announced: rx.local,
            setup: Retry::starting(now),
            peer_backup: said.flags & FLOW_BACKUP != 0,
            reset_proof: message.reset_proof,
            added: Some(Added {
                by_us: false,
                number: said.number,
                target: None,
                refusals: 0,
            }),
            ..Flow::FREE
        };
        flow.candidates.add(path, packet.bytes().len());
        // R18: repetitions of the SYN-ACK return it, too.
        flow.candidates.remember(&path, message.token);
        self.place(flow);
        Ok(())
    }

    /// Why the address that a SYN came to takes no flow: `None` if it does. A backup address is
    /// for backup flows while there is another of its family.
    fn refusal(&self, rx: &RxInfo, said: &FlowFlags) -> Option<Refusal> {
        if !self.has_room() {
            return Some(Refusal::Reset(Reason::Busy));
        }
        let shared = &self.shared;
        let here = shared.addresses.find(&rx.local, 0);
        let unreported = rx.local.is_loopback() || rx.local.is_link_local();
        let usable = here.map_or(unreported, |address| shared.may_use(address));
        let reserved = here.is_some_and(|a| a.flags & ADDRESS_BACKUP != 0);
        let content = usable && (!reserved || said.flags & FLOW_BACKUP != 0);
        if content {
            return None;
        }
        match shared.preferred_for(&rx.reply_path()) {
            Some(_) => Some(Refusal::Elsewhere),
            None if usable => None,
            None => Some(Refusal::Reset(Reason::Prohibited)),
        }
    }

    fn refuse_flow(
        &mut self,
        now: Instant,
        via: FlowIndex,
        message: &Message,
        rx: &RxInfo,
        refusal: Refusal,
    ) -> Result<(), Discard> {
        let (kind, reason) = match refusal {
            Refusal::Elsewhere => (PacketType::Nack, None),
            Refusal::Reset(reason) => (PacketType::Rst, Some(reason)),
        };
        self.shared.answer(
            now,
            Reply {
                reason,
                receiver: message.sender,
                ..Reply::new(via, kind, 0, rx.reply_path())
            },
        )?;
        self.shared.emit(Event::FlowRefused { reason });
        Ok(())
    }
}

impl Shared {
    /// The address that a peer is told to use instead of the one that its SYN came to.
    pub(super) fn preferred_for(&self, came: &Path) -> Option<RemoteAddr> {
        let better = self
            .best_of(came.remote.family(), Some(&came.local))
            .filter(|a| a.flags & ADDRESS_BACKUP == 0)?;
        Some(RemoteAddr {
            addr: better.addr,
            port: match self.settings.encapsulation.tries(Encap::Udp) {
                true => self.settings.udp_port,
                false => 0,
            },
        })
    }
}
