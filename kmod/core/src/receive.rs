// SPDX-License-Identifier: GPL-2.0-only
//! Reception of control packets: nothing has an effect before its MAC is checked.

use super::address::{Path, RxInfo};
use super::connection::Connection;
use super::event::{CloseReason, Discard, Event, FlowIndex};
use super::flow::{Flow, Phase};
use super::host::Host;
use super::shared::{Reply, Shared};
use super::wire::{Message, Packet, PacketType, Reason};

impl Connection {
    /// Takes in a control packet that carries one of our flow IDs, or a SYN that the host found
    /// to belong here by its [`SynKey`](super::connection::SynKey). An error says why it was not
    /// acted on. A packet whose MAC does not verify changes nothing; an old one that is genuine can
    /// still bring a newer IList.
    pub fn handle_packet(
        &mut self,
        host: &mut dyn Host,
        rx: &RxInfo,
        bytes: &[u8],
    ) -> Result<(), Discard> {
        if super::wire::Header::parse(bytes)?.kind == PacketType::Data {
            return Err(Discard::NotControl);
        }
        let packet = Packet::parse(bytes)?;
        self.note_others();
        let result = if packet.is_first_syn() {
            self.handle_repeated_syn(host, rx, &packet)
        } else {
            self.handle_flow_packet(host, rx, &packet)
        };
        self.choose_carrier(host);
        if result.is_ok() {
            let accepted = &mut self.shared.counters.accepted;
            *accepted = accepted.saturating_add(1);
        }
        result
    }

    fn handle_flow_packet(
        &mut self,
        host: &mut dyn Host,
        rx: &RxInfo,
        packet: &Packet<'_>,
    ) -> Result<(), Discard> {
        let message = packet.message();
        let taken = message
            .new_flow
            .is_some_and(|id| self.calls_another(message.receiver, id));
        let flow = self
            .flows
            .iter_mut()
            .find(|flow| match message.kind {
                // Who knows a flow no more knows only the ID by which it was called.
                PacketType::Reset => flow.is_live() && flow.remote_id == message.sender,
                _ => flow.answers_to(message.receiver),
            })
            .ok_or(Discard::UnknownFlow)?;
        let shared = &mut self.shared;
        match (message.kind, flow.phase) {
            (PacketType::Version, _) => {
                return flow.handle_version(shared, rx, message.versions.as_ref())
            }
            (PacketType::Reset, _) => return flow.handle_reset(shared, host, message),
            (PacketType::Redirect, _) => return flow.handle_redirect(shared, host, rx, packet),
            (_, Phase::SynSent) if flow.added.is_some() => {
                return flow.handle_added_answer(shared, host, rx, packet)
            }
            (PacketType::Nack, Phase::SynSent) => {
                return flow.handle_cookie(shared, host, rx, packet)
            }
            (PacketType::SynAck, Phase::SynSent) => {
                return flow.handle_first_syn_ack(shared, host, rx, packet)
            }
            (PacketType::Rst, Phase::SynSent) => {
                return flow.handle_refusal(shared, host, rx, packet)
            }
            (_, Phase::SynSent) => return Err(Discard::WrongState),
            _ => {}
        }
        let sender = match message.kind {
            PacketType::Syn => message.existing_flow.unwrap_or(0),
            _ => message.sender,
        };
        if taken || !flow.peer_is(sender) {
            return Err(Discard::WrongSender);
        }
        shared.verify(host, packet)?;
        if message.kind == PacketType::Syn {
            let via = flow.index;
            return self.handle_added_syn(host, rx, packet, via);
        }
        flow.handle_verified(shared, host, rx, message, packet.bytes().len())
    }

    /// Notes received data of a flow: only needed while [`Connection::wants_data_notice`] says
    /// so. `len` is the length of the ECCP packet.
    pub fn handle_data(
        &mut self,
        host: &mut dyn Host,
        flow: FlowIndex,
        rx: &RxInfo,
        len: usize,
    ) -> Result<(), Discard> {
        let flow = self
            .flows
            .get_mut(usize::from(flow.0))
            .filter(|flow| flow.is_live())
            .ok_or(Discard::UnknownFlow)?;
        match flow.phase {
            // R9: data changes no address; but it pays for the answers that its source still needs.
            Phase::SynRcvd => {
                flow.candidates.credit(&rx.reply_path(), len);
            }
            Phase::Aborted => {
                let reply = flow.reply_rst(Reason::Closed, rx);
                return self.shared.answer(host.now(), reply);
            }
            _ => flow.confirm(&self.shared),
        }
        Ok(())
    }
}

impl Flow {
    fn handle_verified(
        &mut self,
        shared: &mut Shared,
        host: &mut dyn Host,
        rx: &RxInfo,
        message: &Message,
        len: usize,
    ) -> Result<(), Discard> {
        if message.kind == PacketType::Rst {
            return self.handle_rst(shared, host, rx, message);
        }
        if self.phase == Phase::Aborted {
            return shared.answer(host.now(), self.reply_rst(Reason::Closed, rx));
        }
        let half_open = self.phase == Phase::SynRcvd;
        self.note_used_id(shared, host.now(), message);
        let result = match message.kind {
            PacketType::SynAck => self.handle_repeated_syn_ack(shared, host.now(), rx, message),
            PacketType::Ack => self.handle_ack(shared, host, rx, message),
            PacketType::Rsyn => self.handle_rsyn(shared, host, rx, message, len),
            PacketType::RsynAck => self.handle_rsyn_ack(shared, host, rx, message),
            PacketType::Ping => self.handle_ping(shared, host, rx, message, len),
            PacketType::Pong => self.handle_pong(shared, host, rx, message),
            PacketType::HolePunch => self.handle_punch(shared, host.now(), message),
            PacketType::HolePunchAck => self.handle_punch_ack(shared, host.now(), rx, message),
            // A NACK comes too late.
            _ => Err(Discard::Unsupported),
        };
        if message.kind == PacketType::RsynAck && self.awaits_use() {
            // Its answer will name the new ID.
            let now = host.now();
            self.ping_at(shared, host, now);
        }
        // An IList is ordered by its own version, whatever became of the packet (protocol.md §4).
        if let Some(list) = &message.ilist {
            shared.learn_ilist(list);
        }
        if half_open && self.phase == Phase::SynRcvd && result.is_ok() {
            // Who has the keys has had our SYN-ACK. Data still waits for a proven address.
            self.open(shared, None);
        }
        result
    }

    fn handle_rst(
        &mut self,
        shared: &mut Shared,
        host: &dyn Host,
        rx: &RxInfo,
        message: &Message,
    ) -> Result<(), Discard> {
        let reason = message.reason.unwrap_or(Reason::Other(0));
        if self.phase == Phase::Aborted {
            self.finish(shared, CloseReason::Aborted);
            return Ok(());
        }
        if reason == Reason::Removed {
            // The peer repeats it until it knows that nothing more comes on this flow.
            shared.answer(host.now(), self.reply_rst(reason, rx))?;
        }
        shared.emit(Event::PeerReset {
            flow: self.index,
            reason,
        });
        self.finish(shared, CloseReason::Reset(reason));
        Ok(())
    }

    /// PING: answered with its token (R6: to its source). It changes no address (R9).
    fn handle_ping(
        &mut self,
        shared: &mut Shared,
        host: &dyn Host,
        rx: &RxInfo,
        message: &Message,
        len: usize,
    ) -> Result<(), Discard> {
        let path = rx.reply_path();
        let reply = match self.awaits_first_ack() {
            // The client waits for us, and we for its ACK.
            true => self.reply_syn_ack(path),
            false => Reply {
                token: message.token.ok_or(Discard::WrongState)?,
                ..Reply::new(self.index, PacketType::Pong, message.version, path)
            },
        };
        shared.answer(host.now(), reply)?;
        self.candidates.credit(&path, len);
        self.hear_trouble(shared, host.now(), message);
        self.obey(shared, message);
        self.hear_ping(shared, host.now(), rx, message, len);
        Ok(())
    }

    pub(super) const fn rst(&self, reason: Reason, path: Path) -> Reply {
        Reply {
            reason: Some(reason),
            ..Reply::new(self.index, PacketType::Rst, self.version, path)
        }
    }

    pub(super) fn reply_rst(&self, reason: Reason, rx: &RxInfo) -> Reply {
        self.rst(reason, rx.reply_path())
    }
}
