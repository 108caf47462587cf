// SPDX-License-Identifier: GPL-2.0-only
//! Set-up: SYN, SYN-ACK, ACK, and the refusal of a SYN.

use super::address::{LocalAddress, Path, RxInfo};
use super::auth::{check_mac, refusal_key, Keys, Role};
use super::bundle::join::JoinKey;
use super::connection::{Accept, Connect, Connection};
use super::event::{CloseReason, Discard, Event, FlowIndex};
use super::flow::{Flow, LocalHalf, Phase};
use super::host::Host;
use super::limit::TokenBucket;
use super::service::TransportParams;
use super::settings::{Settings, AMPLIFICATION};
use super::shared::{Frozen, Reply, Shared};
use super::time::{Duration, Instant};
use super::timer::Retry;
use super::wire::{Message, Packet, PacketType, Reason, Versions, TOKEN_LEN, VERSION};

/// How long an answer by the encapsulation that came second is ignored: the peer repeats it
/// later than that if it still needs an ACK.
const ENCAPSULATION_GRACE: Duration = Duration::from_millis(200);

/// How long an answer to an address of the other family is ignored: a peer that repeats it for
/// longer cannot reach the address in use.
const FAMILY_GRACE: Duration = Duration::from_secs(1);

impl Connection {
    /// Begins to connect. The SYN is ready for [`Connection::poll_transmit`] afterwards; the
    /// client's flow ID is that of the flow returned, which is always the first.
    pub fn connect(
        &mut self,
        host: &mut dyn Host,
        settings: &Settings,
        request: &Connect<'_>,
    ) -> FlowIndex {
        self.connect_member(host, settings, request, None)
    }

    /// As [`Connection::connect`]; with a key the SYN asks to join the bundle of that key. The
    /// pre-shared key of the request must be the [`JoinKey::member_secret`] then.
    pub fn connect_member(
        &mut self,
        host: &mut dyn Host,
        settings: &Settings,
        request: &Connect<'_>,
        join: Option<&JoinKey>,
    ) -> FlowIndex {
        let now = host.now();
        self.begin(host, settings, request.local, Role::Client, request.psk);
        let shared = &mut self.shared;
        shared.service = request.service;
        shared.inner = request.inner;
        shared.bound = request.bound;
        for (slot, remote) in shared.remotes.iter_mut().zip(request.remotes) {
            *slot = *remote;
            shared.remotes_len = shared.remotes_len.saturating_add(1);
        }
        let [flow, ..] = &mut self.flows;
        flow.local_id = host.new_flow_id();
        flow.phase = Phase::SynSent;
        flow.path.local = request.bound.addr;
        flow.path.ifindex = request.bound.ifindex;
        flow.setup = Retry::starting(now);
        let mut syn = Message::new(PacketType::Syn, 0, flow.local_id, 0);
        syn.inner = shared.inner;
        syn.service = Some(shared.service);
        let public = host.x25519_public(&shared.secret);
        syn.key = Some(public);
        syn.join = join.map(|key| key.join(host, flow.local_id, &public));
        syn.ilist = Some(shared.ilist());
        syn.transport = some_params(&request.transport);
        syn.reset_proof = settings.reset_key.commitment(host, flow.local_id);
        shared.frozen.freeze(&syn, false);
        shared.syn_hash = host.sha256(&[shared.frozen.packet()]);
        shared.ilist_known = shared.local_version;
        flow.index
    }

    /// Accepts a first SYN for a service that is listened for. The SYN-ACK is ready for
    /// [`Connection::poll_transmit`] afterwards; [`Event::Established`] follows when the client
    /// has proven its address. On an error the connection must be dropped.
    pub fn accept(
        &mut self,
        host: &mut dyn Host,
        settings: &Settings,
        packet: &Packet<'_>,
        rx: &RxInfo,
        request: &Accept<'_>,
    ) -> Result<FlowIndex, Discard> {
        let now = host.now();
        let syn = packet.message();
        let (true, Some(service), Some(key)) = (packet.is_first_syn(), syn.service, &syn.key)
        else {
            return Err(Discard::WrongState);
        };
        self.begin(host, settings, request.local, Role::Server, request.psk);
        let shared = &mut self.shared;
        let secret = host.x25519(&shared.secret, key).ok_or(Discard::BadKey)?;
        shared.service = service;
        shared.inner = syn.inner;
        shared.peer_transport = syn.transport.unwrap_or_default();
        shared.syn_hash = super::cookie::syn_hash(host, packet);
        if let Some(list) = &syn.ilist {
            shared.learn_ilist(list);
        }
        let [flow, ..] = &mut self.flows;
        flow.local_id = host.new_flow_id();
        flow.remote_id = syn.sender;
        flow.reset_proof = syn.reset_proof;
        flow.phase = Phase::SynRcvd;
        flow.path = rx.reply_path();
        flow.announced = rx.local;
        flow.candidates.add(flow.path, packet.bytes().len());
        flow.setup = Retry::starting(now);
        let mut answer = Message::new(PacketType::SynAck, syn.sender, flow.local_id, 0);
        answer.inner = shared.inner;
        answer.key = Some(host.x25519_public(&shared.secret));
        answer.transport = some_params(&request.transport);
        answer.reset_proof = settings.reset_key.commitment(host, flow.local_id);
        answer.token = Some([0; TOKEN_LEN]);
        answer.observed = Some(rx.reply_path().far_end());
        shared.freeze_syn_ack(answer, packet.bytes().len());
        shared.derive_keys(host, &secret, None);
        Ok(flow.index)
    }

    fn begin(
        &mut self,
        host: &mut dyn Host,
        settings: &Settings,
        local: &[LocalAddress],
        role: Role,
        psk: Option<&[u8; 32]>,
    ) {
        let shared = &mut self.shared;
        shared.role = role;
        shared.settings = *settings;
        shared.psk = psk.copied();
        shared.limiter = TokenBucket::new(settings.control_rate, host.now());
        shared.take_addresses(local, &[]);
        host.random(&mut shared.secret);
        host.random(&mut shared.token_secret);
        let mut index = 0u8;
        for flow in &mut self.flows {
            flow.index = FlowIndex(index);
            index = index.saturating_add(1);
        }
    }

    /// A SYN for a connection that exists: the client has not heard our SYN-ACK (or the network
    /// repeated the SYN).
    pub(super) fn handle_repeated_syn(
        &mut self,
        host: &mut dyn Host,
        rx: &RxInfo,
        packet: &Packet<'_>,
    ) -> Result<(), Discard> {
        let [flow, ..] = &mut self.flows;
        if !flow.awaits_first_ack() || flow.added.is_some() {
            return Err(Discard::WrongState);
        }
        if super::cookie::syn_hash(host, packet) != self.shared.syn_hash {
            return Err(Discard::DifferentSyn);
        }
        let path = rx.reply_path();
        self.shared.answer(host.now(), flow.reply_syn_ack(path))?;
        flow.candidates.add(path, packet.bytes().len());
        Ok(())
    }
}

impl Flow {
    /// A SYN-ACK in SYN_SENT: derives the keys, and establishes the flow if the MAC verifies.
    pub(super) fn handle_first_syn_ack(
        &mut self,
        shared: &mut Shared,
        host: &mut dyn Host,
        rx: &RxInfo,
        packet: &Packet<'_>,
    ) -> Result<(), Discard> {
        let now = host.now();
        shared.check_syn_target(rx)?;
        if !shared.limiter.take(now) {
            return Err(Discard::RateLimited);
        }
        let message = packet.message();
        let (Some(key), Some(token)) = (&message.key, message.token) else {
            return Err(Discard::WrongState);
        };
        if message.version != 0 {
            return Err(Discard::FutureVersion);
        }
        let secret = host.x25519(&shared.secret, key).ok_or(Discard::BadKey)?;
        shared.derive_keys(host, &secret, Some(packet.bound()));
        if let Err(discard) = shared.verify(host, packet) {
            shared.keys = None;
            return Err(discard);
        }
        shared.secret = [0; 32];
        shared.peer_transport = message.transport.unwrap_or_default();
        if let Some(list) = &message.ilist {
            shared.learn_ilist(list);
        }
        self.note_observed(shared, rx, message);
        self.remote_id = message.sender;
        self.reset_proof = message.reset_proof;
        self.validated = Some(0);
        self.unconfirmed = true;
        self.settled_at = now;
        self.announced = rx.local;
        let rtt = self.setup.measured(now);
        self.setup.stop();
        self.burst.syn = None;
        self.take_remote(shared, &rx.reply_path(), message, false);
        self.open(shared, rtt);
        // R3: this and every repetition of it is answered, to its source (R6).
        shared.answer(now, self.reply_ack(0, token, rx.reply_path()))?;
        self.ping_at(shared, host, now.after(self.rtt.retry()));
        Ok(())
    }

    /// A SYN-ACK after the first: our ACK was lost, or the other encapsulation answers too.
    pub(super) fn handle_repeated_syn_ack(
        &mut self,
        shared: &mut Shared,
        now: Instant,
        rx: &RxInfo,
        message: &Message,
    ) -> Result<(), Discard> {
        let (true, Some(token)) = (self.asked(shared), message.token) else {
            return Err(Discard::WrongState);
        };
        if self.version > 0 {
            // R2: the RSYN that is under way or done completes the peer's handshake (R8).
            return Err(Discard::StaleVersion);
        }
        self.check_answered_path(shared, rx, now)?;
        shared.answer(now, self.reply_ack(0, token, rx.reply_path()))
    }

    /// True if this end asked for the flow.
    fn asked(&self, shared: &Shared) -> bool {
        match self.added {
            Some(added) => added.by_us,
            None => shared.role == Role::Client,
        }
    }

    /// The flow can carry data: emits the event.
    pub(super) fn open(&mut self, shared: &mut Shared, rtt: Option<Duration>) {
        self.phase = Phase::Open;
        shared.emit(match self.added {
            None => Event::Established {
                flow: self.index,
                local_id: self.local_id,
                remote_id: self.remote_id,
            },
            Some(added) => Event::FlowAdded {
                flow: self.index,
                by_us: added.by_us,
                remote_id: self.remote_id,
            },
        });
        self.note_rtt(shared, rtt);
    }

    /// An RST in SYN_SENT: believed if its sender has seen our SYN and answers from where that
    /// SYN was sent. If other addresses are left, they are asked at once.
    pub(super) fn handle_refusal(
        &mut self,
        shared: &mut Shared,
        host: &dyn Host,
        rx: &RxInfo,
        packet: &Packet<'_>,
    ) -> Result<(), Discard> {
        shared.check_syn_target(rx)?;
        check_mac(host, &refusal_key(host, &shared.syn_hash), packet)?;
        if shared.drop_remote(&rx.remote) {
            self.setup.next = Some(host.now());
        } else {
            let reason = packet.message().reason.unwrap_or(Reason::Other(0));
            self.finish(shared, CloseReason::Refused(reason));
        }
        Ok(())
    }

    /// A VERSION packet in SYN_SENT. It cannot be authenticated, so it has no effect but on the
    /// reason that is reported should nothing better arrive in time.
    pub(super) fn handle_version(
        &self,
        shared: &mut Shared,
        rx: &RxInfo,
        versions: Option<&Versions>,
    ) -> Result<(), Discard> {
        if self.phase != Phase::SynSent {
            return Err(Discard::WrongState);
        }
        shared.check_syn_target(rx)?;
        shared.version_refused = versions.is_some_and(|v| !v.as_slice().contains(&VERSION));
        Ok(())
    }

    /// Refuses an answer that came by another way than the one that answered first and is in
    /// use now: acknowledging it too could make the two ends choose differently. Of two
    /// encapsulations the other one is acknowledged later, if the peer still asks. Two address
    /// families have an address of ours each, and a version can stand for one only (R10b): if the
    /// peer insists on the other one, that is announced with a new version.
    pub(super) fn check_answered_path(
        &mut self,
        shared: &mut Shared,
        rx: &RxInfo,
        now: Instant,
    ) -> Result<(), Discard> {
        if self.local != LocalHalf::Settled {
            return Ok(());
        }
        let age = now.since(self.settled_at);
        let family = rx.local.family();
        if family != self.announced.family() && family != self.path.local.family() {
            if age >= FAMILY_GRACE {
                if let Some(address) = shared.addresses.find(&rx.local, 0).copied() {
                    self.begin_move(shared, now, address);
                }
            }
            return Err(Discard::OtherPath);
        }
        let encap = rx.remote == self.path.remote && rx.encap != self.path.encap;
        match encap && age < ENCAPSULATION_GRACE {
            true => Err(Discard::OtherPath),
            false => Ok(()),
        }
    }

    pub(super) fn reply_syn_ack(&self, path: Path) -> Reply {
        Reply::new(self.index, PacketType::SynAck, 0, path)
    }

    pub(super) fn reply_ack(&self, version: u64, token: [u8; TOKEN_LEN], path: Path) -> Reply {
        Reply {
            token,
            ..Reply::new(self.index, PacketType::Ack, version, path)
        }
    }
}

impl Shared {
    /// R12: what answers a SYN counts only from an address that the SYN was sent to.
    pub(super) fn check_syn_target(&self, rx: &RxInfo) -> Result<(), Discard> {
        let sent = self.settings.encapsulation.tries(rx.encap)
            && self.remotes().iter().any(|remote| remote.addr == rx.remote);
        match sent {
            true => Ok(()),
            false => Err(Discard::UnexpectedSource),
        }
    }

    /// Derives the keys from the shared secret; `syn_ack` is the bound part of the SYN-ACK, by
    /// default that of the frozen one.
    fn derive_keys(&mut self, host: &dyn Host, secret: &[u8; 32], syn_ack: Option<&[u8]>) {
        let bound = syn_ack.unwrap_or_else(|| self.frozen.bound());
        let hash = host.sha256(&[bound]);
        self.keys = Some(Keys::derive(
            host,
            self.role,
            secret,
            self.psk.as_ref(),
            &self.syn_hash,
            &hash,
        ));
        if self.role == Role::Server {
            self.secret = [0; 32];
        }
    }

    /// Freezes a SYN-ACK with as many of our addresses as fit into what may be sent to the
    /// unproven source of a SYN of `syn_len` bytes. Addresses left out follow in a ping.
    fn freeze_syn_ack(&mut self, mut answer: Message, syn_len: usize) {
        let budget = syn_len.saturating_mul(usize::try_from(AMPLIFICATION).unwrap_or(1));
        let whole = self.ilist();
        let mut list = whole;
        loop {
            answer.ilist = Some(list).filter(|list| !list.entries().is_empty());
            self.frozen.freeze(&answer, true);
            if self.frozen.len <= budget || answer.ilist.is_none() {
                break;
            }
            list.truncate(list.entries().len().saturating_sub(1));
        }
        self.ilist_known = self.local_version;
        if list != whole {
            self.local_version = self.local_version.saturating_add(1);
        }
    }

    pub(super) fn verify(&self, host: &dyn Host, packet: &Packet<'_>) -> Result<(), Discard> {
        self.keys
            .as_ref()
            .ok_or(Discard::BadMac)?
            .verify(host, packet)
    }
}

impl Frozen {
    /// Keeps the bytes of a message, its MAC and token still zero.
    fn freeze(&mut self, message: &Message, with_mac: bool) {
        // The longest SYN and SYN-ACK fit; that is tested.
        if let Ok(emitted) = message.emit(&mut self.bytes, with_mac) {
            self.len = emitted.len;
            self.bound = emitted.bound;
            self.mac_at = emitted.mac_at;
        }
    }

    pub(super) fn packet(&self) -> &[u8] {
        self.bytes.get(..self.len).unwrap_or(&[])
    }

    pub(super) fn bound(&self) -> &[u8] {
        self.bytes.get(..self.bound).unwrap_or(&[])
    }
}

fn some_params(params: &TransportParams) -> Option<TransportParams> {
    Some(*params).filter(|params| !params.as_bytes().is_empty())
}
