// SPDX-License-Identifier: GPL-2.0-only
//! One simulated host: what the kernel module is around the core, in a few lines.

use std::boxed::Box;
use std::collections::BTreeSet;
use std::vec::Vec;

use super::crypto::SimHost;
use crate::address::{Encap, IpAddr128, LocalAddress, RxInfo};
use crate::connection::{Accept, Connection, SynKey};
use crate::cookie::Cookies;
use crate::event::{Discard, Event, FlowIndex};
use crate::service::{Service, TransportParams};
use crate::settings::Settings;
use crate::time::Instant;
use crate::wire::{Header, Message, Packet, PacketType, Reason, MAX_CONTROL};

/// A host with at most one connection.
#[derive(Clone, Debug)]
pub struct Node {
    /// The connection; empty before connect and accept.
    pub conn: Box<Connection>,
    /// Clock, randomness, cryptography.
    pub host: SimHost,
    /// Addresses held now.
    pub addresses: Vec<LocalAddress>,
    /// Settings of the connection.
    pub settings: Settings,
    /// A key known to both ends.
    pub psk: Option<[u8; 32]>,
    /// The service that SYNs are accepted for.
    pub listens: Option<Service>,
    /// Events so far, with their times.
    pub events: Vec<(Instant, Event)>,
    /// Discarded packets by reason.
    pub discards: [u64; Discard::COUNT],
    /// Data packets received.
    pub data_received: u64,
    /// When the latest data packet was received.
    pub data_at: Instant,
    /// (version, address) pairs at which a SYN-ACK or RSYN-ACK of that version arrived here: what
    /// the peer may take for proven.
    pub reached_at: BTreeSet<(u64, IpAddr128)>,
    /// Addresses at which a SYN or RSYN of the peer arrived here: it may take an answer from one
    /// for proof of that.
    pub asked_at: BTreeSet<IpAddr128>,
    half_open: Option<SynKey>,
    /// First SYNs are answered with cookies, and kept only if they carry one that proves their
    /// source.
    pub under_load: bool,
    /// The secrets of the cookies.
    pub cookies: Cookies,
    /// SYNs that were answered with a cookie.
    pub cookies_sent: u64,
}

/// What a packet makes a node send without a connection.
pub type Refusal = Option<Vec<u8>>;

impl Node {
    /// A host with the given addresses.
    #[must_use]
    pub fn new(seed: u64, settings: Settings, addresses: Vec<LocalAddress>) -> Self {
        Self {
            conn: Box::new(Connection::EMPTY),
            host: SimHost::new(seed, Instant(0)),
            addresses,
            settings,
            psk: None,
            listens: None,
            events: Vec::new(),
            discards: [0; Discard::COUNT],
            data_received: 0,
            data_at: Instant(0),
            reached_at: BTreeSet::new(),
            asked_at: BTreeSet::new(),
            half_open: None,
            under_load: false,
            cookies: Cookies::NEW,
            cookies_sent: 0,
        }
    }

    /// The address that a packet to `remote` leaves from if its path does not say.
    #[must_use]
    pub fn route(&self, remote: &IpAddr128) -> Option<IpAddr128> {
        let family = remote.family();
        let mut held = self.addresses.iter().map(|a| a.addr);
        held.find(|addr| addr.family() == family)
    }

    /// True if `addr` is held now.
    #[must_use]
    pub fn holds(&self, addr: &IpAddr128) -> bool {
        self.addresses.iter().any(|a| a.addr == *addr)
    }

    /// Number of packets discarded for `reason`.
    #[must_use]
    pub fn discarded(&self, reason: Discard) -> u64 {
        self.discards.get(reason.index()).copied().unwrap_or(0)
    }

    /// Writes a message with the MAC of this host's connection, whatever it says: what a peer can
    /// send that is not honest. `None` without keys.
    #[must_use]
    pub fn write_signed(&self, message: &Message) -> Option<Vec<u8>> {
        let mut out = std::vec![0; MAX_CONTROL];
        let emitted = message.emit(&mut out, true).ok()?;
        out.truncate(emitted.len);
        let keys = self.conn.keys()?;
        keys.sign(&self.host, &mut out, emitted.mac_at?);
        Some(out)
    }

    /// Takes a packet in; counts it if it is discarded.
    pub fn receive(&mut self, rx: &RxInfo, bytes: &[u8]) -> Refusal {
        match self.demultiplex(rx, bytes) {
            Ok(refusal) => refusal,
            Err(discard) => {
                if let Some(count) = self.discards.get_mut(discard.index()) {
                    *count = count.saturating_add(1);
                }
                None
            }
        }
    }

    fn demultiplex(&mut self, rx: &RxInfo, bytes: &[u8]) -> Result<Refusal, Discard> {
        let header = Header::parse(bytes)?;
        let known = self.conn.find_flow(header.receiver).is_some();
        if !known && header.receiver != 0 {
            if let Some(reset) = self.reset(bytes) {
                return Ok(Some(reset));
            }
        }
        if header.kind == PacketType::Data {
            let flow = self.conn.find_flow(header.receiver);
            let flow = flow.ok_or(Discard::UnknownFlow)?;
            return self.receive_data(rx, flow, bytes.len()).map(|()| None);
        }
        if header.kind == PacketType::Syn && header.receiver == 0 {
            return self.receive_syn(rx, bytes);
        }
        let packet = Packet::parse(bytes)?;
        self.conn.handle_packet(&mut self.host, rx, bytes)?;
        if matches!(
            packet.message().kind,
            PacketType::SynAck | PacketType::RsynAck
        ) {
            self.reached_at.insert((packet.message().version, rx.local));
        }
        if packet.message().kind == PacketType::Rsyn {
            self.asked_at.insert(rx.local);
        }
        Ok(None)
    }

    /// What answers a packet for a flow that this host does not know.
    fn reset(&self, bytes: &[u8]) -> Option<Vec<u8>> {
        let mut out = std::vec![0; 128];
        let key = &self.settings.reset_key;
        let len = key.answer(&self.host, bytes, bytes.len(), &mut out)?;
        out.truncate(len);
        Some(out)
    }

    fn receive_data(&mut self, rx: &RxInfo, flow: FlowIndex, len: usize) -> Result<(), Discard> {
        let on_record = self.conn.flow(flow).map(|flow| *flow.path());
        if on_record.is_some_and(|path| !path.same_remote(&rx.reply_path())) {
            self.conn.handle_stray(&self.host, flow, rx, len);
        }
        if self.conn.wants_data_notice(flow) {
            self.conn.handle_data(&mut self.host, flow, rx, len)?;
        }
        self.data_received = self.data_received.saturating_add(1);
        self.data_at = self.host.now;
        Ok(())
    }

    fn receive_syn(&mut self, rx: &RxInfo, bytes: &[u8]) -> Result<Refusal, Discard> {
        let packet = Packet::parse(bytes)?;
        let key = SynKey::of(&packet);
        if self.under_load {
            let keys = self.cookies.keys(&mut self.host);
            if !keys.proves(&self.host, &packet, rx) {
                let mut out = std::vec![0; 128];
                let len = keys.answer(&self.host, &packet, rx, &mut out);
                out.truncate(len.unwrap_or(0));
                self.cookies_sent = self.cookies_sent.saturating_add(1);
                return Ok(Some(out));
            }
        }
        self.asked_at.insert(rx.local);
        if self.half_open.is_some() && self.half_open == key {
            return self
                .conn
                .handle_packet(&mut self.host, rx, bytes)
                .map(|()| None);
        }
        let busy = self.half_open.is_some();
        if busy || self.listens.is_none() || self.listens != packet.message().service {
            let reason = if busy {
                Reason::Busy
            } else {
                Reason::NoService
            };
            let mut out = std::vec![0; 128];
            let len = crate::respond::refuse(&self.host, &packet, reason, &mut out);
            out.truncate(len.unwrap_or(0));
            return Ok(Some(out));
        }
        let request = Accept {
            local: &self.addresses,
            transport: TransportParams::new(b"server").unwrap_or_default(),
            psk: self.psk.as_ref(),
        };
        *self.conn = Connection::EMPTY;
        self.conn
            .accept(&mut self.host, &self.settings, &packet, rx, &request)?;
        self.half_open = key;
        Ok(None)
    }

    /// How a packet from `remote` to `local` looks on arrival.
    #[must_use]
    pub fn rx_info(
        &self,
        local: IpAddr128,
        remote: IpAddr128,
        encap: Encap,
        ports: (u16, u16),
    ) -> RxInfo {
        let found = self.addresses.iter().find(|a| a.addr == local);
        RxInfo {
            local,
            remote,
            encap,
            local_port: ports.0,
            remote_port: ports.1,
            ifindex: found.map_or(0, |a| a.ifindex),
        }
    }
}
