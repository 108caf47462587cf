// SPDX-License-Identifier: GPL-2.0-only
//! Transmission: answers first, then repetitions whose time has come.

use super::address::{Encap, IpAddr128, LocalAddress, Path, RemoteAddr};
use super::auth::{challenge, token};
use super::bytes::copy_into;
use super::candidate::Charge;
use super::connection::{Connection, Transmit};
use super::flow::{Flow, LocalHalf, Move, Phase};
use super::host::Host;
use super::ilist::MAX_ADDRESSES;
use super::settings::{MAX_CANDIDATES, MAX_FLOWS, MAX_REMOTES};
use super::shared::{Reply, Shared};
use super::time::{Duration, Instant};
use super::timer::Retry;
use super::wire::{Message, PacketType};

pub(super) const ENCAPSULATIONS: [Encap; 2] = [Encap::Native, Encap::Udp];
/// Positions of a SYN burst: every remote address by every encapsulation.
const SYN_TARGETS: u8 = (MAX_REMOTES * 2) as u8;
/// Positions of an RSYN burst: the proven address, the candidates, the IList, other flows.
const RSYN_TARGETS: u8 = ((1 + MAX_CANDIDATES + MAX_ADDRESSES + MAX_FLOWS) * 2) as u8;

impl Connection {
    /// Writes the next packet that is to be sent to the front of `buf`, which should have
    /// [`MAX_CONTROL`](super::wire::MAX_CONTROL) bytes. Call it until it returns `None`.
    pub fn poll_transmit(&mut self, host: &mut dyn Host, buf: &mut [u8]) -> Option<Transmit> {
        self.note_others();
        while let Some(reply) = self.shared.replies.pop() {
            let flow = self.flows.get_mut(usize::from(reply.flow.0));
            if let Some(sent) = flow.and_then(|f| f.send_reply(&mut self.shared, host, &reply, buf))
            {
                return Some(self.shared.count_sent(sent));
            }
        }
        for flow in &mut self.flows {
            if let Some(sent) = flow.poll_transmit(&mut self.shared, host, buf) {
                return Some(self.shared.count_sent(sent));
            }
        }
        None
    }
}

impl Flow {
    fn poll_transmit(
        &mut self,
        shared: &mut Shared,
        host: &mut dyn Host,
        buf: &mut [u8],
    ) -> Option<Transmit> {
        let now = host.now();
        match self.phase {
            Phase::Free | Phase::Closed => None,
            Phase::Aborted => self.poll_removal(shared, host, buf),
            Phase::SynSent if self.added.is_some() => self.poll_added_syn(shared, host, buf),
            Phase::SynSent => self.poll_syn(shared, host, now, buf),
            _ => self
                .poll_answers(shared, host, now, buf)
                .or_else(|| self.poll_rsyn(shared, host, now, buf))
                .or_else(|| self.poll_punch(shared, host, buf))
                .or_else(|| self.poll_ping(shared, host, now, buf))
                .or_else(|| self.poll_probe(shared, host, now, buf))
                .or_else(|| self.poll_redirect(shared, host, now, buf)),
        }
    }

    /// SYN to every address that the client knows; the second and later ones join one try after
    /// the other, so that the best one answers alone if it can.
    fn poll_syn(
        &mut self,
        shared: &mut Shared,
        host: &mut dyn Host,
        now: Instant,
        buf: &mut [u8],
    ) -> Option<Transmit> {
        if shared.fires(&mut self.setup, now, self.rtt.retry(), host) {
            self.burst.syn = Some(0);
        }
        while let Some(at) = self.burst.syn {
            self.burst.syn = at.checked_add(1).filter(|next| *next < SYN_TARGETS);
            if let Some(path) = self.syn_target(shared, at) {
                return shared.write_syn(&path, buf);
            }
        }
        None
    }

    fn syn_target(&self, shared: &Shared, at: u8) -> Option<Path> {
        let index = usize::from(at >> 1);
        let encap = *ENCAPSULATIONS.get(usize::from(at & 1))?;
        if index >= usize::from(self.setup.tries) {
            return None;
        }
        let remote = shared.remotes().get(index)?;
        let local = LocalAddress {
            addr: self.path.local,
            ifindex: self.path.ifindex,
            ..LocalAddress::NONE
        };
        shared.new_path(&local, remote, encap)
    }

    /// SYN-ACK and RSYN-ACK on their own timers (R4), to every source that the pending version
    /// came from (R15).
    fn poll_answers(
        &mut self,
        shared: &mut Shared,
        host: &mut dyn Host,
        now: Instant,
        buf: &mut [u8],
    ) -> Option<Transmit> {
        let first = self.awaits_first_ack();
        let gap = self.rtt.retry();
        let has_address = self.has_address();
        let timer = match first {
            true => &mut self.setup,
            false => &mut self.answer,
        };
        if has_address && shared.fires(timer, now, gap, host) {
            self.burst.answer = Some(0);
        }
        while let Some(at) = self.burst.answer {
            let next = at.saturating_add(1);
            self.burst.answer = Some(next).filter(|n| usize::from(*n) < MAX_CANDIDATES);
            let Some(candidate) = self.candidates.get(usize::from(at)) else {
                continue;
            };
            let echo = candidate.challenge;
            // The token of a SYN counts only from the address that the SYN came to (R18).
            let asked = first && echo.is_some() && self.holds(shared, &candidate.path.local);
            let path = match asked {
                true => candidate.path,
                false => self.path_to_candidate(shared, &candidate.path),
            };
            let (kind, version) = match first {
                true => (PacketType::SynAck, 0),
                false => (PacketType::RsynAck, self.newest),
            };
            let reply = Reply {
                kind,
                version,
                echo,
                ..self.reply_syn_ack(path)
            };
            let sent = self.send_reply(shared, host, &reply, buf);
            if sent.is_some() {
                return sent;
            }
        }
        None
    }

    /// To a candidate from our current address, if that has its family; otherwise from where the
    /// candidate last reached us. If we have no address of its family any more, the answer goes
    /// to where the peer answers us now; the token then proves that address.
    fn path_to_candidate(&self, shared: &Shared, candidate: &Path) -> Path {
        let family = candidate.remote.family();
        let current = match &self.local {
            LocalHalf::Moving(moving) if !moving.kept => (moving.to.addr, moving.to.ifindex),
            _ => (self.path.local, self.path.ifindex),
        };
        let reached = shared.addresses.find(&candidate.local, 0);
        let other = reached.or_else(|| shared.best_of(family, None));
        let (local, ifindex) = match (current.0.family() == family, other) {
            (true, _) => current,
            (false, Some(address)) => (address.addr, address.ifindex),
            (false, None) if self.local == LocalHalf::Settled && self.path.is_sound() => {
                return self.path
            }
            (false, None) => (candidate.local, candidate.ifindex),
        };
        Path {
            local,
            ifindex,
            ..*candidate
        }
    }

    /// RSYN to every address on record (R7).
    fn poll_rsyn(
        &mut self,
        shared: &mut Shared,
        host: &mut dyn Host,
        now: Instant,
        buf: &mut [u8],
    ) -> Option<Transmit> {
        let gap = self.rtt.retry();
        let LocalHalf::Moving(moving) = &mut self.local else {
            return None;
        };
        if shared.fires(&mut moving.retry, now, gap, host) {
            if moving.retry.tries == 1 {
                moving.ilist = shared.local_version;
            }
            self.burst.rsyn = Some(0);
            self.burst.punch = Some(0).filter(|_| moving.retry.tries > 1);
        }
        let moving = *moving;
        while let Some(at) = self.burst.rsyn {
            self.burst.rsyn = at.checked_add(1).filter(|next| *next < RSYN_TARGETS);
            let Some(path) = self.rsyn_target(shared, &moving, at) else {
                continue;
            };
            let earlier = |i| self.rsyn_target(shared, &moving, i) == Some(path);
            if (0..at).any(earlier) {
                continue;
            }
            let rsyn = self.rsyn(shared, host, &path);
            let sent = self.send(shared, host, &rsyn, &path, Some(Charge::Rsyn), buf);
            if sent.is_some() {
                return sent;
            }
        }
        None
    }

    fn rsyn(&self, shared: &Shared, host: &dyn Host, path: &Path) -> Message {
        let mut rsyn = self.message(shared, PacketType::Rsyn, self.version);
        rsyn.ilist = Some(shared.ilist()).filter(|list| !list.entries().is_empty());
        rsyn.record = self.recorded();
        rsyn.receiver = self.peer_id_at(path);
        self.say_new_id(shared, host, &mut rsyn);
        let secret = &shared.token_secret;
        rsyn.token = Some(challenge(host, secret, self.local_id, self.version, path));
        rsyn
    }

    /// True if RSYN of this move goes to the address anyway.
    pub(super) fn announces_to(&self, shared: &Shared, moving: &Move, remote: &IpAddr128) -> bool {
        (0..RSYN_TARGETS).any(|at| {
            let target = self.rsyn_target(shared, moving, at);
            target.is_some_and(|path| path.remote == *remote)
        })
    }

    fn rsyn_target(&self, shared: &Shared, moving: &Move, at: u8) -> Option<Path> {
        let index = usize::from(at >> 1);
        let encap = *ENCAPSULATIONS.get(usize::from(at & 1))?;
        if moving.renames && at == 0 {
            // Nobody else has to hear of a name than who hears us now.
            return Some(self.path).filter(Path::is_sound);
        }
        if moving.renames && (index == 0 || index > MAX_CANDIDATES) {
            return None;
        }
        let candidates = index.checked_sub(1);
        let listed = index.checked_sub(1 + MAX_CANDIDATES);
        let elsewhere = index.checked_sub(1 + MAX_CANDIDATES + MAX_ADDRESSES);
        if let Some(index) = elsewhere {
            // What is learnt on the other flows of the connection.
            let remote = *shared.others.proven(self.index).nth(index)?;
            let local = moving.source(shared, self, &remote)?;
            let usable = remote.port != 0 || encap == Encap::Native;
            return shared.new_path(&local, &remote, encap).filter(|_| usable);
        }
        if let Some(index) = listed {
            // The list of a SYN is not authenticated until its sender has proven itself.
            let entry = shared.remote_ilist.entries().get(index)?;
            let usable =
                self.phase != Phase::SynRcvd && (entry.port != 0 || encap == Encap::Native);
            let remote = RemoteAddr {
                addr: entry.addr,
                port: entry.port,
            };
            let local = moving.source(shared, self, &remote)?;
            return shared.new_path(&local, &remote, encap).filter(|_| usable);
        }
        if let Some(index) = candidates {
            let candidate = &self.candidates.get(index)?.path;
            let remote = RemoteAddr {
                addr: candidate.remote,
                port: candidate.remote_port,
            };
            let local = moving.source(shared, self, &remote)?;
            return Some(Path {
                local: local.addr,
                ifindex: local.ifindex,
                ..*candidate
            })
            .filter(|_| encap == Encap::Native);
        }
        self.validated?;
        let known = shared.remote_ilist.find(&self.path.remote);
        let port = match self.path.encap {
            Encap::Udp => self.path.remote_port,
            Encap::Native => known.map_or(0, |entry| entry.port),
        };
        let remote = RemoteAddr {
            addr: self.path.remote,
            port,
        };
        let local = moving.source(shared, self, &remote)?;
        shared.new_path(&local, &remote, encap)
    }

    fn poll_ping(
        &mut self,
        shared: &mut Shared,
        host: &mut dyn Host,
        now: Instant,
        buf: &mut [u8],
    ) -> Option<Transmit> {
        let path = self.data_path()?;
        if !shared.fires(&mut self.ping.retry, now, self.rtt.retry(), host) {
            return None;
        }
        let mut ping = self.message(shared, PacketType::Ping, self.version);
        ping.token = Some(self.ping.token);
        ping.ilist = Some(shared.ilist()).filter(|_| self.ping.ilist != 0);
        ping.flow_flags = self.said(shared);
        self.send(shared, host, &ping, &path, None, buf)
    }

    pub(super) fn message(&self, shared: &Shared, kind: PacketType, version: u64) -> Message {
        let mut message = Message::new(kind, self.remote_id, self.local_id(), version);
        message.inner = shared.inner;
        message
    }

    /// The peer's address as it stands in our record: the peer must not lose that one unnoticed.
    pub(super) fn recorded(&self) -> Option<RemoteAddr> {
        self.validated.map(|_| RemoteAddr {
            addr: self.path.remote,
            port: self.path.remote_port,
        })
    }

    fn send_reply(
        &mut self,
        shared: &mut Shared,
        host: &dyn Host,
        reply: &Reply,
        buf: &mut [u8],
    ) -> Option<Transmit> {
        let secret = &shared.token_secret;
        let made = || token(host, secret, self.local_id, reply.version, &reply.path);
        let mut message = self.message(shared, reply.kind, reply.version);
        if matches!(reply.kind, PacketType::RsynAck | PacketType::Ack) {
            message.receiver = self.peer_id_at(&reply.path);
        }
        if reply.receiver != 0 {
            message.receiver = reply.receiver;
        }
        match reply.kind {
            PacketType::SynAck if self.added.is_some() => {
                message.token = Some(made());
                message.echo = reply.echo;
                let key = &shared.settings.reset_key;
                message.reset_proof = key.commitment(host, self.local_id);
            }
            PacketType::Syn => return shared.write_syn(&reply.path, buf),
            PacketType::SynAck => {
                let token = made();
                return self.send_syn_ack(shared, host, &token, &reply.path, buf);
            }
            PacketType::Rst => message.reason = reply.reason,
            PacketType::HolePunchAck => {}
            PacketType::Rsyn if self.announces(reply.version) => {
                message = self.rsyn(shared, host, &reply.path);
            }
            PacketType::Rsyn => return None,
            PacketType::Nack => message.preferred = shared.preferred_for(&reply.path),
            PacketType::RsynAck => {
                message.token = Some(made());
                message.echo = reply.echo;
                message.observed = Some(reply.path.far_end());
            }
            PacketType::Ack => {
                message.token = Some(reply.token);
                message.record = self.recorded();
            }
            PacketType::Pong => {
                message.token = Some(reply.token);
                message.observed = Some(reply.path.far_end());
            }
            _ => message.token = Some(reply.token),
        }
        let charge = match (reply.kind, self.phase) {
            (PacketType::SynAck, Phase::SynRcvd) => Some(Charge::SynAck),
            (PacketType::SynAck | PacketType::RsynAck, _) => Some(Charge::RsynAck),
            (PacketType::Rsyn, _) => Some(Charge::Rsyn),
            _ => None,
        };
        self.send(shared, host, &message, &reply.path, charge, buf)
    }

    /// The frozen SYN-ACK with the token for this source (R10).
    fn send_syn_ack(
        &mut self,
        shared: &mut Shared,
        host: &dyn Host,
        token: &[u8],
        path: &Path,
        buf: &mut [u8],
    ) -> Option<Transmit> {
        let len = shared.frozen.packet().len();
        let charge = Some(match self.phase {
            Phase::SynRcvd => Charge::SynAck,
            _ => Charge::RsynAck,
        });
        self.may_send(shared, path, len, charge, host.now())?;
        let out = buf.get_mut(..len)?;
        copy_into(out, shared.frozen.packet())?;
        let value = shared.frozen.bound.checked_add(2)?;
        copy_into(out.get_mut(value..)?, token)?;
        shared.keys.as_ref()?.sign(host, out, shared.frozen.mac_at?);
        Some(Transmit { len, path: *path })
    }

    pub(super) fn send(
        &mut self,
        shared: &mut Shared,
        host: &dyn Host,
        message: &Message,
        path: &Path,
        charge: Option<Charge>,
        buf: &mut [u8],
    ) -> Option<Transmit> {
        let emitted = message.emit(buf, true).ok()?;
        self.may_send(shared, path, emitted.len, charge, host.now())?;
        let out = buf.get_mut(..emitted.len)?;
        shared.keys.as_ref()?.sign(host, out, emitted.mac_at?);
        Some(Transmit {
            len: emitted.len,
            path: *path,
        })
    }

    /// `None`, and a count, if the unproven address at the end of `path` had its share.
    fn may_send(
        &mut self,
        shared: &mut Shared,
        path: &Path,
        len: usize,
        charge: Option<Charge>,
        now: Instant,
    ) -> Option<()> {
        let may = charge.is_none_or(|what| self.candidates.may_send(path, len, what, now));
        if !may {
            let limited = &mut shared.counters.amplification_limited;
            *limited = limited.saturating_add(1);
        }
        may.then_some(())
    }
}

impl Move {
    /// From where RSYN goes to `remote`: from the new address; after a loss, from the best one of
    /// the other family if `remote` has that.
    pub(super) fn source(
        &self,
        shared: &Shared,
        flow: &Flow,
        remote: &RemoteAddr,
    ) -> Option<LocalAddress> {
        let family = remote.addr.family();
        if self.to.addr.family() == family {
            return Some(self.to);
        }
        shared
            .best_of(family, Some(&flow.path.local))
            .filter(|_| !self.kept)
            .copied()
    }
}

impl Shared {
    /// A path that has not been tried, if the settings allow its encapsulation.
    pub(super) fn new_path(
        &self,
        local: &LocalAddress,
        remote: &RemoteAddr,
        encap: Encap,
    ) -> Option<Path> {
        let port = match remote.port {
            0 => self.settings.udp_port,
            port => port,
        };
        let (local_port, remote_port) = self.ports(encap, port);
        Some(Path {
            local: local.addr,
            remote: remote.addr,
            encap,
            local_port,
            remote_port,
            ifindex: local.ifindex,
        })
        .filter(|_| self.settings.encapsulation.tries(encap))
    }

    fn count_sent(&mut self, sent: Transmit) -> Transmit {
        self.counters.sent = self.counters.sent.saturating_add(1);
        sent
    }

    /// True if it is time for a try, which is noted and counted, and the time of the next set.
    pub(super) fn fires(
        &mut self,
        timer: &mut Retry,
        now: Instant,
        gap: Duration,
        host: &mut dyn Host,
    ) -> bool {
        if !timer.is_due(now) {
            return false;
        }
        let repeated = u64::from(timer.tries > 0);
        self.counters.repeated = self.counters.repeated.saturating_add(repeated);
        timer.tried(now, gap, host);
        true
    }
}
