// SPDX-License-Identifier: GPL-2.0-only
//! A connection: up to [`MAX_FLOWS`] flows between two hosts, without sockets or a clock.
//!
//! Inputs are the `handle_*` methods and commands; outputs are polled. After every call that
//! takes a `host`, call [`Connection::poll_transmit`] until it returns `None` and send what it
//! gives, then [`Connection::poll_event`] until it returns `None`, then set a timer to
//! [`Connection::poll_timeout`] and call [`Connection::handle_timeout`] when it fires.
//!
//! A connection is some kilobytes long. Write [`Connection::EMPTY`] into its final place and
//! fill it there with [`Connection::connect`] or [`Connection::accept`].

pub use super::addition::AddFlow;
use super::address::{Bound, LocalAddress, Path, RemoteAddr};
use super::auth::{Keys, Role};
use super::bundle::join::JoinKey;
pub use super::carrier::DataPath;
use super::event::{CloseReason, Command, Event, FlowIndex, Refused};
use super::flow::{Flow, Phase};
use super::host::Host;
use super::ilist::IList;
use super::service::{Service, TransportParams};
use super::settings::{Settings, MAX_FLOWS};
pub use super::shared::Counters;
use super::shared::Shared;
use super::time::{earliest, Duration, Instant};
use super::wire::Packet;

/// What a client asks for.
#[derive(Clone, Copy, Debug)]
pub struct Connect<'a> {
    /// Service at the server.
    pub service: Service,
    /// Inner protocol number, such as [`INNER_TCP`](super::wire::INNER_TCP).
    pub inner: u8,
    /// Addresses of the server, best first; those beyond
    /// [`MAX_REMOTES`](super::settings::MAX_REMOTES) are not tried.
    pub remotes: &'a [RemoteAddr],
    /// All usable local addresses.
    pub local: &'a [LocalAddress],
    /// What the socket is bound to.
    pub bound: Bound,
    /// Parameters of our transport.
    pub transport: TransportParams,
    /// A key that both ends know already; it keeps an active attacker out of the key exchange.
    pub psk: Option<&'a [u8; 32]>,
}

/// What a listener adds to an accepted SYN.
#[derive(Clone, Copy, Debug)]
pub struct Accept<'a> {
    /// All usable local addresses.
    pub local: &'a [LocalAddress],
    /// Parameters of our transport.
    pub transport: TransportParams,
    /// A key that both ends know already.
    pub psk: Option<&'a [u8; 32]>,
}

/// Under what a host finds the connection that a repeated SYN belongs to, from the first SYN on
/// until the connection is closed.
///
/// It is the client's flow ID alone: a client that tries two encapsulations, addresses or
/// families opens one connection. Who takes the ID of another client's SYN gets
/// [`Discard::DifferentSyn`](super::event::Discard::DifferentSyn).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SynKey {
    /// The client's flow ID.
    pub client: u64,
}

impl SynKey {
    /// The key of a first SYN; `None` for any other packet.
    #[must_use]
    pub fn of(packet: &Packet<'_>) -> Option<Self> {
        packet.is_first_syn().then(|| Self {
            client: packet.message().sender,
        })
    }
}

/// A packet to be sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Transmit {
    /// Its length in the buffer given.
    pub len: usize,
    /// Where to, and from where.
    pub path: Path,
}

/// One end of a connection.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Connection {
    pub(super) shared: Shared,
    pub(super) flows: [Flow; MAX_FLOWS],
}

// Hosts allocate connections in one piece.
const _: () = assert!(core::mem::size_of::<Connection>() <= 8192);

impl Connection {
    /// A connection without flows, to be filled in place.
    pub const EMPTY: Self = Self {
        shared: Shared::EMPTY,
        flows: [Flow::FREE; MAX_FLOWS],
    };

    /// Gives up, answers, repeats: everything whose time has come. Call it when
    /// [`Connection::poll_timeout`] has passed; an early call does nothing.
    pub fn handle_timeout(&mut self, host: &mut dyn Host) {
        self.note_others();
        for flow in &mut self.flows {
            flow.handle_timeout(&mut self.shared, host);
        }
        self.choose_carrier(host);
    }

    /// Carries out a command.
    pub fn handle_command(&mut self, host: &mut dyn Host, command: Command) -> Result<(), Refused> {
        let (Command::Move { flow: index, .. }
        | Command::Close { flow: index }
        | Command::Abort { flow: index, .. }
        | Command::Remove { flow: index }
        | Command::Prefer { flow: index }
        | Command::Ping { flow: index }) = command;
        self.note_others();
        let result = self.carry_out(host, command, index);
        self.choose_carrier(host);
        result
    }

    fn carry_out(
        &mut self,
        host: &mut dyn Host,
        command: Command,
        index: FlowIndex,
    ) -> Result<(), Refused> {
        let open = |flow: &Flow| flow.phase == Phase::Open && flow.index != index;
        let last = !self.flows.iter().any(open);
        if matches!(command, Command::Prefer { .. }) {
            return self.prefer_flow(host, index);
        }
        let flow = self
            .flows
            .get_mut(usize::from(index.0))
            .filter(|flow| flow.is_live())
            .ok_or(Refused::NoSuchFlow)?;
        let shared = &mut self.shared;
        match command {
            Command::Move { to, .. } => flow.command_move(shared, host, &to),
            Command::Close { .. } => flow.close(shared, host),
            Command::Abort { reason, .. } => flow.abort(shared, host, reason),
            Command::Remove { .. } if last => Err(Refused::LastFlow),
            Command::Remove { .. } => flow.remove(shared, host),
            Command::Ping { .. } => flow.command_ping(shared, host),
            Command::Prefer { .. } => Err(Refused::NoSuchFlow),
        }
    }

    /// Removes the oldest event.
    pub fn poll_event(&mut self) -> Option<Event> {
        self.shared.events.pop()
    }

    /// When [`Connection::handle_timeout`] is to be called next.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Instant> {
        self.flows
            .iter()
            .map(|flow| flow.poll_timeout(&self.shared))
            .fold(self.shared.carrier.prefer_at, earliest)
    }

    /// The path for data of a flow; while it is `None`, data must be held back.
    #[must_use]
    pub fn data_path(&self, flow: FlowIndex) -> Option<Path> {
        self.flow(flow)?.data_path()
    }

    /// True while [`Connection::handle_data`] must be called for received data of the flow.
    #[must_use]
    pub fn wants_data_notice(&self, flow: FlowIndex) -> bool {
        self.flow(flow).is_some_and(|flow| {
            flow.unconfirmed || matches!(flow.phase, Phase::SynRcvd | Phase::Aborted)
        })
    }

    /// A flow; `None` if the slot was never used.
    #[must_use]
    pub fn flow(&self, index: FlowIndex) -> Option<&Flow> {
        self.flows
            .get(usize::from(index.0))
            .filter(|flow| flow.phase != Phase::Free)
    }

    /// The flows in use, closed ones included.
    pub fn flows(&self) -> impl Iterator<Item = (FlowIndex, &Flow)> {
        self.flows
            .iter()
            .filter(|flow| flow.phase != Phase::Free)
            .map(|flow| (flow.index, flow))
    }

    /// The live flow that answers to our flow ID `local_id`.
    #[must_use]
    pub fn find_flow(&self, local_id: u64) -> Option<FlowIndex> {
        self.flows
            .iter()
            .find(|flow| flow.answers_to(local_id))
            .map(|flow| flow.index)
    }

    /// True if no flow is left: the connection can be dropped once its packets and events are
    /// polled.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.flows.iter().all(|flow| !flow.is_live())
    }

    /// Which end opened the connection.
    #[must_use]
    pub const fn role(&self) -> Role {
        self.shared.role
    }

    /// The service that the connection was opened for.
    #[must_use]
    pub const fn service(&self) -> &Service {
        &self.shared.service
    }

    /// Inner protocol number.
    #[must_use]
    pub const fn inner(&self) -> u8 {
        self.shared.inner
    }

    /// Parameters of the peer's transport, as its SYN or SYN-ACK gave them.
    #[must_use]
    pub const fn peer_transport(&self) -> &TransportParams {
        &self.shared.peer_transport
    }

    /// The peer's addresses.
    #[must_use]
    pub const fn remote_ilist(&self) -> &IList {
        &self.shared.remote_ilist
    }

    /// Our addresses as the peer is told them.
    #[must_use]
    pub fn local_ilist(&self) -> IList {
        self.shared.ilist()
    }

    /// The usable local addresses that the host reported last.
    #[must_use]
    pub fn local_addresses(&self) -> &[LocalAddress] {
        self.shared.addresses.as_slice()
    }

    /// What the connection has done so far.
    #[must_use]
    pub const fn counters(&self) -> &Counters {
        &self.shared.counters
    }

    /// The settings in force.
    #[must_use]
    pub const fn settings(&self) -> &Settings {
        &self.shared.settings
    }

    /// The keys of its control packets; `None` before the handshake has made them.
    #[must_use]
    pub const fn keys(&self) -> Option<&Keys> {
        self.shared.keys.as_ref()
    }

    /// The key by which other connections with the same peer join this one in a bundle; `None`
    /// before the keys are there.
    #[must_use]
    pub fn join_key(&self, host: &dyn Host) -> Option<JoinKey> {
        let keys = self.shared.keys.as_ref()?;
        Some(JoinKey::of(host, self.shared.role, keys))
    }

    /// How long set-ups and moves of this connection are repeated, as the owner of its socket says
    /// (TCP_USER_TIMEOUT, protocol.md §7.11); `None` leaves it to the settings.
    pub fn set_patience(&mut self, patience: Option<Duration>) {
        self.shared.patience = patience;
    }

    /// Changes the settings. Timers that run already keep their gap.
    pub fn set_settings(&mut self, settings: &Settings) {
        self.shared.settings = *settings;
    }
}

impl Flow {
    /// Ends the flow for good.
    pub(super) fn finish(&mut self, shared: &mut Shared, reason: CloseReason) {
        if self.is_live() {
            self.phase = Phase::Closed;
            shared.emit(Event::Closed {
                flow: self.index,
                reason,
            });
        }
    }
}
