// SPDX-License-Identifier: GPL-2.0
//! A connection: the protocol core's, driven by packets, timers and system calls.

use crate::{
    control::{
        counters::Count,
        notify::{self, Report},
        snapshot::FlowSnapshot,
    },
    flow::{Flow, Stage},
    kernel_objects::{
        sys::eccp_info,
        crypto::{now, KernelHost},
        endpoint::{self, Tail, Tcp, Transport},
        outer::Outer,
        skb::Skb,
        work::{Task, Work},
    },
    netns::Net,
    proto::{
        auth::Role,
        address::{Bound, LocalAddress, Path, RemoteAddr, RxInfo},
        connection::{Accept, Connect, Connection as Core},
        event::{CloseReason, Command, Event, FlowIndex, PathChange, Refused},
        service::Service,
        settings::Settings,
        time::{Duration, Instant},
        wire::{Packet, Reason, INNER_TCP, MAX_CONTROL},
    },
    socket::{address::Name, listener::Listener},
};
use kernel::{
    new_mutex,
    prelude::*,
    sync::{Arc, Mutex},
};

/// How long a closed socket waits for the peer's FIN once its own data is acknowledged.
const FIN_WAIT: Duration = Duration::from_secs(60);

/// Bits of the TCP header's flag byte.
const TCP_FIN: u8 = 0x01;
const TCP_RST: u8 = 0x04;

/// A connection with its one data-carrying flow.
#[pin_data]
pub(crate) struct Connection {
    /// A number that names the connection on this host.
    pub(crate) id: u64,
    pub(crate) net: Arc<Net>,
    /// User ID of the owner of the socket.
    pub(crate) uid: u32,
    work: Work,
    #[pin]
    state: Mutex<State>,
}

/// How far the TCP endpoint's life has come.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Endpoint {
    /// Not in ESTABLISHED yet.
    Waiting,
    /// In use.
    Adopted,
    /// TCP is done with it; its user may still read.
    Closed,
    /// Let go of, after a grace period.
    Released,
}

pub(crate) struct State {
    pub(crate) core: KBox<Core>,
    pub(crate) flow: Option<Arc<Flow>>,
    /// The AF_ECCP socket, while it is open.
    user: Option<Outer>,
    /// The endpoint before adoption.
    tcp: Option<Tcp>,
    endpoint: Endpoint,
    local: Transport,
    /// Where accepted connections go; `None` at the client.
    listener: Option<Arc<Listener>>,
    tail: Option<Tail>,
    /// The path that TCP sends along.
    applied: Option<Path>,
    /// When an endpoint without user is looked after again.
    look_at: Option<Instant>,
    half_open: bool,
    finished: bool,
    pub(crate) with_psk: bool,
    pub(crate) moves: u32,
    pub(crate) why: Why,
}

/// Why a flow last moved, failed to or ended: numbers of `enum eccp_reason`.
pub(crate) type Why = u32;

/// What a new client connection wants.
pub(crate) struct Target<'a> {
    pub(crate) service: Service,
    pub(crate) remote: RemoteAddr,
    pub(crate) bound: Bound,
    pub(crate) psk: Option<&'a [u8; 32]>,
}

impl Connection {
    fn new(net: &Arc<Net>, id: u64, uid: u32, state: State) -> Result<Arc<Self>> {
        let work = Work::new()?;
        let connection = Arc::pin_init(
            pin_init!(Self {
                id,
                net: net.clone(),
                uid,
                work,
                state <- new_mutex!(state, "eccp_connection"),
            }),
            GFP_KERNEL,
        )?;
        connection.work.own(&connection, Task::Connection);
        Ok(connection)
    }

    /// Begins to connect: the SYN is on its way when this returns. Errors: EAGAIN when the
    /// namespace has all the connections that it may have; ENOMEM; no route.
    pub(crate) fn connect(net: &Arc<Net>, user: &Outer, target: &Target<'_>) -> Result<Arc<Self>> {
        let core = empty_core()?;
        let tcp = user.take_tcp().ok_or(EINVAL)?;
        let local = tcp.offer(first_mtu());
        let transport = endpoint::transport_to_wire(&local);
        let mut state = State::new(core, tcp, local);
        state.user = Some(user.clone());
        let config = net.config();
        let addresses = net.addresses();
        let mut host = KernelHost::new();
        let index = state.core.connect(
            &mut host,
            &config.core,
            &Connect {
                service: target.service,
                inner: INNER_TCP,
                remotes: &[target.remote],
                local: &addresses,
                bound: target.bound,
                transport,
                psk: target.psk,
            },
        );
        state.with_psk = target.psk.is_some();
        let made = Self::register(net, user.uid(), index, state);
        if let Ok(connection) = &made {
            let mut state = connection.state.lock();
            connection.drive(&mut state, &mut host);
        }
        made
    }

    /// Answers a first SYN. Errors: the counter of the reason why not.
    pub(crate) fn accept(
        net: &Arc<Net>,
        listener: &Arc<Listener>,
        packet: &Packet<'_>,
        rx: &RxInfo,
    ) -> core::result::Result<(), Count> {
        let no_memory = |_| Count::DROP_NO_MEMORY;
        let user = listener.user().ok_or(Count::DROP_SERVICE)?;
        if !net.admit_half_open() {
            // Counted there.
            return Ok(());
        }
        let made = empty_core().map_err(no_memory).and_then(|core| {
            let tcp = Tcp::new(net.raw).map_err(no_memory)?;
            tcp.inherit(&user);
            let local = tcp.offer(first_mtu());
            let transport = endpoint::transport_to_wire(&local);
            let mut state = State::new(core, tcp, local);
            let addresses = net.addresses();
            let psk = listener.psk();
            let index = state.core.accept(
                &mut KernelHost::new(),
                &net.config().core,
                packet,
                rx,
                &Accept {
                    local: &addresses,
                    transport,
                    psk: psk.as_ref(),
                },
            )?;
            state.with_psk = psk.is_some();
            state.listener = Some(listener.clone());
            state.half_open = true;
            Self::register(net, user.uid(), index, state).map_err(no_memory)
        });
        let connection = made.inspect_err(|_| net.dismiss_half_open())?;
        listener.watch(&connection, packet);
        let mut state = connection.state.lock();
        connection.drive(&mut state, &mut KernelHost::new());
        Ok(())
    }

    /// Puts the connection's flow into the table.
    fn register(
        net: &Arc<Net>,
        uid: u32,
        index: FlowIndex,
        state: State,
    ) -> Result<Arc<Self>> {
        if !net.admit() {
            return Err(EAGAIN);
        }
        let local_id = state.core.flow(index).map_or(0, |flow| flow.local_id());
        let undo = |e| {
            net.dismiss();
            e
        };
        let connection = Self::new(net, local_id, uid, state).map_err(undo)?;
        let flow = match Flow::new(local_id, index, &connection) {
            Ok(flow) => flow,
            Err(e) => return Err(undo(e)),
        };
        if crate::flows().insert(flow.clone()).is_err() {
            return Err(undo(EAGAIN));
        }
        connection.state.lock().flow = Some(flow);
        Ok(connection)
    }

    /// Runs the connection's work soon. May be called in softirq.
    pub(crate) fn kick(self: &Arc<Self>) {
        self.work.arm(self, 0);
    }

    /// Timers, and what softirq left to do.
    pub(crate) fn run(self: Arc<Self>) {
        let mut state = self.state.lock();
        if state.finished {
            return;
        }
        let mut host = KernelHost::new();
        state.core.handle_timeout(&mut host);
        self.look_after(&mut state, &mut host);
        self.drive(&mut state, &mut host);
    }

    /// A control packet for a flow of this connection. Errors: the counter of the reason why it
    /// had no effect.
    pub(crate) fn control(
        self: &Arc<Self>,
        rx: &RxInfo,
        packet: &[u8],
    ) -> core::result::Result<(), Count> {
        let mut state = self.state.lock();
        if state.finished {
            return Err(Count::DROP_CLOSED);
        }
        let mut host = KernelHost::new();
        let result = state.core.handle_packet(&mut host, rx, packet);
        self.drive(&mut state, &mut host);
        result.map_err(Count::from)
    }

    /// A data packet for a flow that TCP is done with: a repeated FIN is acknowledged again.
    pub(crate) fn late_data(
        self: &Arc<Self>,
        flow: &Flow,
        rx: &RxInfo,
        skb: &Skb,
    ) -> core::result::Result<(), Count> {
        let mut state = self.state.lock();
        if state.finished {
            return Err(Count::DROP_CLOSED);
        }
        let (flags, _, tsval) = skb.tcp_flags();
        if state.core.wants_data_notice(flow.index) && flags & TCP_RST == 0 {
            let mut host = KernelHost::new();
            let result = state
                .core
                .handle_data(&mut host, flow.index, rx, skb.len());
            self.drive(&mut state, &mut host);
            return result.map_err(Count::from);
        }
        let (Some(tail), Some(path)) = (&state.tail, state.core.data_path(flow.index)) else {
            return Err(Count::DROP_CLOSED);
        };
        if flags & TCP_FIN == 0 {
            return Err(Count::DROP_CLOSED);
        }
        self.net.counters.add(Count::DRAINING_ANSWERS);
        flow.endpoint
            .tail_ack(self.net.raw, &path, tail, tsval)
            .map_err(|_| Count::DROP_NO_ROUTE)
    }

    /// The local addresses are these now.
    pub(crate) fn addresses_changed(self: &Arc<Self>, addresses: &[LocalAddress]) {
        let mut state = self.state.lock();
        if state.finished || state.on_host_itself() {
            return;
        }
        let mut host = KernelHost::new();
        for _ in 0..state.core.handle_addresses(&mut host, addresses) {
            self.net.counters.add(Count::DROP_LIMIT_ADDRESSES);
        }
        self.drive(&mut state, &mut host);
    }

    /// Moves the flow to another local address; the version of the move.
    pub(crate) fn move_to(
        self: &Arc<Self>,
        to: LocalAddress,
        why: Why,
    ) -> core::result::Result<u64, Refused> {
        let mut state = self.state.lock();
        let Some(flow) = state.flow.clone().filter(|_| !state.finished) else {
            return Err(Refused::Closing);
        };
        let mut host = KernelHost::new();
        // The set may have changed a moment ago, and the notice be still on its way.
        let addresses = self.net.addresses();
        let _ = state.core.handle_addresses(&mut host, &addresses);
        state.why = why;
        let to = state.pick(to, &addresses);
        let result = state.core.handle_command(
            &mut host,
            Command::Move {
                flow: flow.index,
                to,
            },
        );
        self.drive(&mut state, &mut host);
        if let Err(refused) = result {
            self.net.counters.add(Count::REFUSED_MOVES);
            return Err(refused);
        }
        Ok(state.core.flow(flow.index).map_or(0, |f| f.version()))
    }

    /// Other settings for a connection that exists.
    pub(crate) fn set_settings(&self, settings: &Settings) {
        self.state.lock().core.set_settings(settings);
    }

    /// Name of this end or of the peer's; `None` before there is a path.
    pub(crate) fn name(&self, peer: bool) -> Option<Name> {
        let state = self.state.lock();
        let path = state.core.flows().next().map(|(_, flow)| *flow.path())?;
        let served = state.core.role() == Role::Server;
        let addr = if peer { path.remote } else { path.local };
        // Only the server's end has a service.
        let service = match served != peer {
            true => *state.core.service(),
            false => Service::Port(0),
        };
        (state.endpoint != Endpoint::Waiting).then_some(Name {
            service,
            addr,
            scope: 0,
        })
    }

    /// What ECCP_INFO reads; `None` when the flow is gone.
    pub(crate) fn info(&self) -> Option<eccp_info> {
        let state = self.state.lock();
        FlowSnapshot::take(self, &state).map(|flow| flow.info(&state))
    }

    /// Calls `f` with the state, for those who show it.
    pub(crate) fn with_state<R>(&self, f: impl FnOnce(&State) -> R) -> R {
        f(&self.state.lock())
    }

    /// Sends what the core wants sent, acts on what it reports, and sets its timer.
    fn drive(self: &Arc<Self>, state: &mut State, host: &mut KernelHost) {
        let mut packet = [0; MAX_CONTROL];
        loop {
            let mut idle = true;
            while let Some(out) = state.core.poll_transmit(host, &mut packet) {
                idle = false;
                let bytes = packet.get(..out.len).unwrap_or(&[]);
                match endpoint::send_control(self.net.raw, &out.path, bytes) {
                    Ok(()) => self.net.counters.add(Count::TX_CONTROL),
                    Err(_) => self.net.counters.add(Count::DROP_NO_ROUTE),
                }
            }
            while let Some(event) = state.core.poll_event() {
                idle = false;
                self.on_event(state, host, event);
            }
            if idle {
                break;
            }
        }
        if state.finished {
            return;
        }
        self.apply_path(state);
        self.plan(state);
    }

    fn plan(self: &Arc<Self>, state: &State) {
        let due = match (state.core.poll_timeout(), state.look_at) {
            (Some(a), Some(b)) => Some(a.min(b)),
            (a, b) => a.or(b),
        };
        match due {
            Some(at) => self.work.arm(self, at.since(now()).0),
            None => self.work.disarm(self),
        }
    }

    /// Makes TCP send along the core's path.
    fn apply_path(&self, state: &mut State) {
        let Some(flow) = state.flow.clone() else {
            return;
        };
        let wanted = state.core.data_path(flow.index);
        if state.endpoint != Endpoint::Adopted || wanted == state.applied {
            return;
        }
        match (&wanted, &state.applied) {
            (Some(path), old) => {
                let same = old.is_some_and(|old| {
                    old.local == path.local && old.remote == path.remote
                });
                flow.endpoint.set_path(self.net.raw, path, !same);
            }
            (None, Some(old)) => flow.endpoint.suspend(old),
            (None, None) => {}
        }
        state.applied = wanted;
    }

    fn on_event(self: &Arc<Self>, state: &mut State, host: &mut KernelHost, event: Event) {
        let counters = &self.net.counters;
        match event {
            Event::Established {
                flow: _,
                remote_id,
                path,
                transport,
                ..
            } => {
                state.leave_half_open(&self.net);
                if let Err(e) = self.establish(state, remote_id, &path, &transport) {
                    self.abort(state, host, e);
                }
            }
            Event::PathChanged { why, .. } => {
                state.moves = state.moves.wrapping_add(1);
                if why == PathChange::PeerMoved {
                    counters.add(Count::PEER_MOVES);
                    state.why = notify::reason::PEER;
                    notify::report(self, state, Report::FlowMoved);
                }
            }
            Event::AddressGone { .. } => {
                counters.add(Count::ADDRESSES_GONE);
                state.why = notify::reason::ADDRESS_LOST;
                notify::report(self, state, Report::AddressGone);
            }
            Event::Suspended { .. } => counters.add(Count::SUSPENSIONS),
            Event::Moving { .. } => {
                counters.add(Count::MOVES_STARTED);
                notify::report(self, state, Report::FlowMoving);
            }
            Event::Moved { .. } => {
                counters.add(Count::MOVES_COMPLETED);
                notify::report(self, state, Report::FlowMoved);
            }
            Event::MoveFailed { why, .. } => {
                counters.add(Count::MOVES_FAILED);
                state.why = notify::reason::of_failure(why);
                notify::report(self, state, Report::FlowMoveFailed);
            }
            Event::Closed { reason, .. } => self.finish(state, reason),
            Event::PeerReset { .. } => counters.add(Count::RESETS_RECEIVED),
            Event::RttSample { .. } | Event::Pong { .. } => {}
        }
    }

    /// The handshake is done: TCP begins.
    fn establish(
        self: &Arc<Self>,
        state: &mut State,
        remote_id: u64,
        path: &Path,
        transport: &crate::proto::service::TransportParams,
    ) -> Result {
        let flow = state.flow.clone().ok_or(EINVAL)?;
        let remote = endpoint::transport_from_wire(transport).ok_or(EPROTO)?;
        let tcp = state.tcp.take().ok_or(EINVAL)?;
        let adopted =
            flow.endpoint
                .adopt(self.net.raw, tcp, remote_id, path, &state.local, &remote);
        if let Err((e, tcp)) = adopted {
            state.tcp = Some(tcp);
            return Err(e);
        }
        crate::kernel_objects::pin_module();
        state.endpoint = Endpoint::Adopted;
        state.applied = Some(*path);
        crate::remotes().add(self.net.raw, remote_id, &flow);
        self.net.counters.add(Count::FLOWS_OPENED);
        flow.set_stage(Stage::Open);
        flow.endpoint.deliver_held();
        if let Some(user) = &state.user {
            self.net.counters.add(Count::CONNECTS);
            flow.endpoint.attach(user);
            user.set_connecting(false);
            user.wake();
        }
        notify::report(self, state, Report::ConnectionUp);
        notify::report(self, state, Report::FlowUp);
        let listener = state.listener.clone();
        if let Some(listener) = listener {
            listener.ready(self, &self.net)?;
            self.net.counters.add(Count::ACCEPTS);
        }
        Ok(())
    }

    /// Gives an accepted connection to the socket that accept() made for it. Errors:
    /// ECONNABORTED if it is over already.
    pub(crate) fn give_to(self: &Arc<Self>, user: &Outer) -> Result {
        let mut state = self.state.lock();
        let Some(flow) = state.flow.clone().filter(|_| !state.finished) else {
            return Err(ECONNABORTED);
        };
        flow.endpoint.attach(user);
        state.user = Some(user.clone());
        state.listener = None;
        Ok(())
    }

    /// Ends the connection with an RST to the peer; whoever waits sees `err`.
    fn abort(self: &Arc<Self>, state: &mut State, host: &mut KernelHost, err: Error) {
        if let Some(flow) = state.flow.clone() {
            if matches!(state.endpoint, Endpoint::Adopted) {
                flow.endpoint.abort(err);
            }
            let _ = state.core.handle_command(
                host,
                Command::Abort {
                    flow: flow.index,
                    reason: Reason::Aborted,
                },
            );
        }
        if state.endpoint == Endpoint::Waiting {
            state.fail(err);
        }
    }

    /// Aborts a connection that nobody accepted.
    pub(crate) fn abort_unaccepted(self: &Arc<Self>) {
        let mut state = self.state.lock();
        let mut host = KernelHost::new();
        state.listener = None;
        self.abort(&mut state, &mut host, ECONNABORTED);
        self.look_after(&mut state, &mut host);
        self.drive(&mut state, &mut host);
    }

    /// Looks whether TCP is done, and after an endpoint that has no user any more.
    fn look_after(self: &Arc<Self>, state: &mut State, host: &mut KernelHost) {
        let Some(flow) = state.flow.clone() else {
            return;
        };
        if state.endpoint == Endpoint::Adopted {
            if flow.stage() == Stage::Open {
                flow.endpoint.deliver_held();
            }
            if flow.endpoint.is_closed() {
                self.endpoint_closed(state, host, &flow);
            } else if state.look_at.is_some_and(|at| at <= now()) {
                if flow.endpoint.is_half_closed() {
                    // Nobody will read what the peer may still send.
                    flow.endpoint.abort(ETIMEDOUT);
                }
                state.look_at = Some(now().after(FIN_WAIT));
            }
        }
        if state.endpoint == Endpoint::Closed && state.user.is_none() && state.listener.is_none() {
            state.endpoint = Endpoint::Released;
            state.look_at = None;
            flow.settle_endpoint();
        }
    }

    /// TCP is done: from now on the flow answers for it.
    fn endpoint_closed(
        self: &Arc<Self>,
        state: &mut State,
        host: &mut KernelHost,
        flow: &Arc<Flow>,
    ) {
        flow.set_stage(Stage::Draining);
        let tail = flow.endpoint.tail();
        state.endpoint = Endpoint::Closed;
        let timed_out = i32::from(tail.error) == -ETIMEDOUT.to_errno();
        let command = if timed_out {
            Command::Abort {
                flow: flow.index,
                reason: Reason::Aborted,
            }
        } else {
            Command::Close { flow: flow.index }
        };
        state.tail = Some(tail);
        // A core that is aborted or drained already has nothing more to do.
        let _ = state.core.handle_command(host, command);
    }

    /// The readers of the closed endpoint are gone.
    pub(crate) fn endpoint_settled(self: &Arc<Self>, flow: &Arc<Flow>) {
        flow.endpoint.release();
        let mut state = self.state.lock();
        if state.finished {
            state.flow = None;
        }
        drop(state);
        crate::kernel_objects::unpin_module();
    }

    /// The socket is being closed. `hard`: SO_LINGER with no time, which resets.
    pub(crate) fn release_user(self: &Arc<Self>, hard: bool) {
        let mut state = self.state.lock();
        let mut host = KernelHost::new();
        let flow = state.flow.clone();
        match (state.endpoint, flow) {
            (Endpoint::Adopted | Endpoint::Closed, Some(flow)) => {
                if state.endpoint == Endpoint::Adopted {
                    if hard || flow.endpoint.has_unread() {
                        flow.endpoint.abort(ECONNRESET);
                    } else {
                        flow.endpoint.shutdown();
                    }
                    state.look_at = Some(now().after(FIN_WAIT));
                }
                flow.endpoint.detach();
                state.user = None;
                self.look_after(&mut state, &mut host);
            }
            _ => {
                state.user = None;
                self.abort(&mut state, &mut host, ECONNABORTED);
            }
        }
        self.drive(&mut state, &mut host);
    }

    /// Whether all that was sent has been acknowledged, for SO_LINGER.
    pub(crate) fn is_flushed(&self) -> bool {
        let state = self.state.lock();
        match (&state.flow, state.endpoint) {
            (Some(flow), Endpoint::Adopted) => flow.endpoint.is_flushed(),
            _ => true,
        }
    }

    /// Sends FIN, for SO_LINGER, while the socket stays attached.
    pub(crate) fn shutdown(&self) {
        let flow = {
            let state = self.state.lock();
            match (&state.flow, state.endpoint) {
                (Some(flow), Endpoint::Adopted) => flow.clone(),
                _ => return,
            }
        };
        flow.endpoint.shutdown();
    }

    /// The flow is over for the core: it leaves the table.
    fn finish(self: &Arc<Self>, state: &mut State, reason: CloseReason) {
        if state.finished {
            return;
        }
        state.why = notify::reason::of_close(reason);
        notify::report(self, state, Report::FlowClosed);
        notify::report(self, state, Report::ConnectionClosed);
        state.finished = true;
        state.leave_half_open(&self.net);
        let err = errno_of(reason);
        if state.endpoint == Endpoint::Waiting {
            self.net.counters.add(Count::CONNECT_FAILURES);
            state.fail(err);
            state.tcp = None;
        }
        if let Some(listener) = state.listener.take() {
            listener.forget(self);
        }
        if let Some(flow) = state.flow.clone() {
            if state.endpoint == Endpoint::Adopted {
                flow.endpoint.suspend(&state.applied.unwrap_or(Path::NONE));
                flow.endpoint.abort(err);
                flow.set_stage(Stage::Draining);
                state.endpoint = Endpoint::Closed;
                self.net.counters.add(Count::FLOWS_CLOSED);
            } else if state.endpoint != Endpoint::Waiting {
                self.net.counters.add(Count::FLOWS_CLOSED);
            }
            crate::remotes().remove(&flow);
            flow.leave();
            match state.endpoint {
                Endpoint::Closed if state.user.is_none() => {
                    state.endpoint = Endpoint::Released;
                    flow.settle_endpoint();
                }
                Endpoint::Closed => {}
                Endpoint::Waiting | Endpoint::Adopted | Endpoint::Released => state.flow = None,
            }
        }
        self.net.dismiss();
        self.work.disarm(self);
    }

    /// Ends the connection with its namespace, without a word to the peer.
    pub(crate) fn end_with_namespace(self: &Arc<Self>) {
        let mut state = self.state.lock();
        state.user = None;
        state.listener = None;
        self.finish(&mut state, CloseReason::Aborted);
    }
}

impl State {
    fn new(core: KBox<Core>, tcp: Tcp, local: Transport) -> Self {
        Self {
            core,
            flow: None,
            user: None,
            tcp: Some(tcp),
            endpoint: Endpoint::Waiting,
            local,
            listener: None,
            tail: None,
            applied: None,
            look_at: None,
            half_open: false,
            finished: false,
            with_psk: false,
            moves: 0,
            why: 0,
        }
    }

    /// The client's attempt came to nothing: its socket may try again.
    fn fail(&mut self, err: Error) {
        if let Some(user) = self.user.take() {
            if let Some(tcp) = self.tcp.take() {
                tcp.give_back(&user);
            }
            user.set_error(err);
            user.set_connecting(false);
            user.wake();
        }
    }

    /// An address for a move of which only the interface is named: of the present family if
    /// there is one.
    fn pick(&self, to: LocalAddress, addresses: &[LocalAddress]) -> LocalAddress {
        if !to.addr.is_unspecified() {
            return to;
        }
        let family = self.applied.map(|path| path.local.family());
        let on_it = || addresses.iter().filter(|a| a.ifindex == to.ifindex);
        on_it()
            .find(|a| Some(a.addr.family()) == family)
            .or_else(|| on_it().next())
            .copied()
            .unwrap_or(to)
    }

    fn leave_half_open(&mut self, net: &Net) {
        if core::mem::take(&mut self.half_open) {
            net.dismiss_half_open();
        }
    }

    /// Whether both ends are on this host, where addresses are not lost.
    fn on_host_itself(&self) -> bool {
        self.applied.is_some_and(|path| path.remote.is_loopback())
    }
}

impl Drop for State {
    /// The endpoint of a client that never began stays with its socket.
    fn drop(&mut self) {
        if let (Some(user), Some(tcp)) = (&self.user, self.tcp.take()) {
            tcp.give_back(user);
        }
    }
}

/// A core in its final place: it is too large for the stack.
fn empty_core() -> Result<KBox<Core>> {
    Ok(KBox::write(KBox::<Core>::new_uninit(GFP_KERNEL)?, Core::EMPTY))
}

/// What a user of the connection is told of its end.
fn errno_of(reason: CloseReason) -> Error {
    match reason {
        CloseReason::Drained | CloseReason::Aborted => ECONNABORTED,
        CloseReason::Refused(_) => ECONNREFUSED,
        CloseReason::Reset(_) => ECONNRESET,
        CloseReason::TimedOut => ETIMEDOUT,
        CloseReason::NoAddress => EADDRNOTAVAIL,
        CloseReason::VersionMismatch => EPROTONOSUPPORT,
        CloseReason::VersionsExhausted => EOVERFLOW,
    }
}

/// The MTU that an endpoint offers before its path is known, in bytes; path MTU discovery does
/// the rest.
fn first_mtu() -> u32 {
    u32::from(u16::MAX)
}
