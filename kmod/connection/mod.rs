// SPDX-License-Identifier: GPL-2.0
//! A connection: the protocol core's, driven by packets, timers and system calls.
//!
//! This file begins connections and takes what comes for them. `drive` carries out what the core
//! wants, `flows` adds, moves and removes flows, `close` ends endpoints and connections, `watch`
//! looks after what TCP sends, `names` keeps the flow IDs, `state` is what the lock guards.

mod close;
mod datagram;
mod drive;
mod flows;
mod member;
mod names;
pub(crate) mod path_events;
mod state;
mod watch;

use crate::kernel_objects::errno::ECONNABORTED;
use crate::{
    bundle::Wish,
    control::{counters::Count, snapshot::FlowSnapshot},
    flow::Flow,
    kernel_objects::{
        crypto::KernelHost,
        endpoint::{self, Tcp, Transport},
        outer::Outer,
        skb::Skb,
        sys::{eccp_flow_info, eccp_info},
        work::{Task, Work},
        write_plain,
    },
    netns::Net,
    proto::{
        address::{Bound, RemoteAddr, RxInfo},
        auth::Role,
        connection::{Accept, Connect},
        event::FlowIndex,
        service::{Service, TransportParams},
        settings::{Settings, MAX_FLOWS},
        wire::{Packet, INNER_TCP, INNER_UDP},
    },
    socket::{address::Name, listener::Listener},
};
pub(crate) use datagram::Seat;
pub(crate) use flows::Goal;
pub(crate) use member::JoinTarget;
use kernel::{
    new_mutex,
    prelude::*,
    sync::{
        atomic::{Atomic, Release},
        Arc, Mutex,
    },
};
use state::{empty_core, Endpoint};
pub(crate) use state::{State, Why};

/// Bits of the TCP header's flag byte.
const TCP_FIN: u8 = 0x01;
const TCP_RST: u8 = 0x04;

/// A connection with its flows, one of which carries data at a time.
#[pin_data]
pub(crate) struct Connection {
    /// A number that names the connection on this host.
    pub(crate) id: u64,
    pub(crate) net: Arc<Net>,
    /// User ID of the owner of the socket.
    pub(crate) uid: u32,
    /// Inner protocol number: what the flows carry.
    pub(crate) inner: u8,
    work: Work,
    /// Softirq wants the work done: no later plan may take its place.
    kicked: Atomic<bool>,
    #[pin]
    state: Mutex<State>,
}

/// What a new client connection wants.
pub(crate) struct Target<'a> {
    pub(crate) service: Service,
    pub(crate) remote: RemoteAddr,
    pub(crate) bound: Bound,
    pub(crate) psk: Option<&'a [u8; 32]>,
    /// Kinds of path events that the owner of the socket wants.
    pub(crate) events: u32,
    /// What the owner wants of the stream.
    pub(crate) wish: Wish,
}

impl Connection {
    fn new(net: &Arc<Net>, id: u64, uid: u32, state: State) -> Result<Arc<Self>> {
        let work = Work::new()?;
        let inner = state.core.inner();
        let connection = Arc::pin_init(
            pin_init!(Self {
                id,
                net: net.clone(),
                uid,
                inner,
                work,
                kicked: Atomic::new(false),
                state <- new_mutex!(state, "eccp_connection"),
            }),
            GFP_KERNEL,
        )?;
        connection.work.own(&connection, Task::Connection);
        Ok(connection)
    }

    /// Begins to connect: the SYN is on its way when this returns. Errors: EAGAIN when the
    /// namespace has all the connections that it may have; ENOMEM; no route. With a seat it
    /// carries datagrams.
    pub(crate) fn connect(
        net: &Arc<Net>,
        user: &Outer,
        target: &Target<'_>,
        seat: Option<Seat>,
    ) -> Result<Arc<Self>> {
        let core = empty_core()?;
        let (tcp, inner) = match &seat {
            None => (Some(user.take_tcp().ok_or(EINVAL)?), INNER_TCP),
            Some(_) => (None, INNER_UDP),
        };
        let (local, transport) = offer(tcp.as_ref(), true, Self::mode_of(target.wish));
        let mut state = State::new(core, tcp, local);
        state.wish = target.wish;
        state.user = Some(user.clone());
        state.seat = seat;
        state.watch.want(target.events)?;
        let config = net.config();
        let news = net.address_news();
        let addresses = net.addresses()?;
        let mut host = KernelHost::new();
        let index = state.core.connect(
            &mut host,
            &config.core,
            &Connect {
                service: target.service,
                inner,
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
            drop(state);
            connection.catch_up(news);
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
        let user = listener.user().ok_or(Count::DROP_NO_LISTENER)?;
        if listener.is_full(net) {
            // The client asks again, as with TCP.
            return Err(match listener.peers {
                None => Count::DROP_BACKLOG,
                Some(_) => Count::DROP_DATAGRAM_PEERS,
            });
        }
        if !net.admit_half_open() {
            // Counted there.
            return Ok(());
        }
        let news = net.address_news();
        let made = empty_core().map_err(no_memory).and_then(|core| {
            let tcp = match listener.peers {
                None => Some(Tcp::new(net.raw).map_err(no_memory)?),
                Some(_) => None,
            };
            if let Some(tcp) = &tcp {
                tcp.inherit(&user);
            }
            // The answer says what will be, not what is wished for.
            let wish = listener.wish();
            let asked = endpoint::transport_from_wire(&packet.message().transport.unwrap_or_default());
            let asked = asked.map_or(0, |asked| asked.several);
            let (local, transport) = offer(tcp.as_ref(), false, Self::mode_of(wish) & asked);
            let mut state = State::new(core, tcp, local);
            state.wish = wish;
            let addresses = net.addresses().map_err(no_memory)?;
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
        drop(state);
        connection.catch_up(news);
        Ok(())
    }

    /// Puts the connection's flow into the table.
    fn register(net: &Arc<Net>, uid: u32, index: FlowIndex, state: State) -> Result<Arc<Self>> {
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
        let mut state = connection.state.lock();
        state.flow = Some(flow.clone());
        if let Some(slot) = state.slot_mut(index) {
            slot.flow = Some(flow);
        }
        drop(state);
        Ok(connection)
    }

    /// Runs the connection's work soon. May be called in softirq.
    pub(crate) fn kick(self: &Arc<Self>) {
        self.kicked.store(true, Release);
        self.work.arm(self, 0);
    }

    /// Timers, and what softirq left to do.
    pub(crate) fn run(self: Arc<Self>) {
        let mut state = self.state.lock();
        self.kicked.store(false, Release);
        if state.finished {
            return;
        }
        let mut host = KernelHost::new();
        if let Some(flow) = state.flow.clone() {
            if let Some((rx, receiver, len)) = flow.endpoint().take_stray() {
                if let Some(index) = state.core.find_flow(receiver) {
                    state.core.handle_stray(&host, index, &rx, len);
                }
            }
        }
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
        let (flags, _, tsval) = match self.carries_datagrams() {
            false => skb.tcp_flags(),
            true => (0, 0, 0),
        };
        if state.core.wants_data_notice(flow.index) && flags & TCP_RST == 0 {
            let mut host = KernelHost::new();
            let result = state.core.handle_data(&mut host, flow.index, rx, skb.len());
            self.drive(&mut state, &mut host);
            return result.map_err(Count::from);
        }
        let (Some(tail), Some(path)) = (&state.tail, state.core.carrier()) else {
            return Err(Count::DROP_CLOSED);
        };
        if flags & TCP_FIN == 0 {
            return Err(Count::DROP_CLOSED);
        }
        self.net.counters.add(Count::DRAINING_ANSWERS);
        flow.endpoint()
            .tail_ack(self.net.raw, &path, tail, tsval)
            .map_err(|_| Count::DROP_NO_ROUTE)
    }

    /// Takes notice of a change of the addresses while the connection was being made.
    fn catch_up(self: &Arc<Self>, news: u32) {
        if self.net.address_news() != news {
            self.addresses_changed();
        }
    }

    /// The local addresses may be others now.
    pub(crate) fn addresses_changed(self: &Arc<Self>) {
        let mut state = self.state.lock();
        if !state.on_host_itself() {
            let _ = self.look_around(&mut state, &mut KernelHost::new());
        }
        let bundle = state.bundle.clone();
        drop(state);
        if let Some(bundle) = bundle {
            bundle.look_for_members();
        }
    }

    /// Other settings for a connection that exists.
    pub(crate) fn set_settings(self: &Arc<Self>, settings: &Settings) {
        self.state.lock().core.set_settings(settings);
        // Timers may be due that there were not before.
        self.kick();
    }

    /// Name of this end or of the peer's; `None` before there is a path.
    pub(crate) fn name(&self, peer: bool) -> Option<Name> {
        let state = self.state.lock();
        let carrier = state.core.flow(state.core.carrying_flow());
        let path = carrier.map(|flow| *flow.path())?;
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
        let carrier = state.core.carrying_flow();
        FlowSnapshot::take(self, &state, carrier).map(|flow| flow.info(&state))
    }

    /// What ECCP_FLOWS reads: as many whole entries as fit, the one of the flow that carries data
    /// first; the length written.
    pub(crate) fn flow_infos(&self, to: &mut [u8]) -> usize {
        let state = self.state.lock();
        let carrier = state.core.carrying_flow();
        let mut order: [u8; MAX_FLOWS] = core::array::from_fn(|at| at as u8);
        order.sort_unstable_by_key(|at| (*at != carrier.0, *at));
        let mut written = 0;
        for index in order.map(FlowIndex) {
            let entered = state.slot(index).is_some_and(|slot| slot.flow.is_some());
            let Some(flow) = FlowSnapshot::take(self, &state, index).filter(|_| entered) else {
                continue;
            };
            let room = to.get_mut(written..).unwrap_or_default();
            if room.len() < core::mem::size_of::<eccp_flow_info>() {
                break;
            }
            written += write_plain(&flow.flow_info(), room);
        }
        written
    }

    /// Calls `f` with the state, for those who show it.
    pub(crate) fn with_state<R>(&self, f: impl FnOnce(&State) -> R) -> R {
        f(&self.state.lock())
    }

    /// Gives an accepted connection to the socket that accept() made for it. Errors:
    /// ECONNABORTED if it is over already.
    pub(crate) fn give_to(self: &Arc<Self>, user: &Outer) -> Result {
        let mut state = self.state.lock();
        let Some(flow) = state.flow.clone().filter(|_| !state.finished) else {
            return Err(ECONNABORTED);
        };
        match &state.bundle {
            None => flow.endpoint().attach(user),
            Some(bundle) => {
                flow.endpoint().lend(user);
                user.set_bundled();
                bundle.give_to(user);
            }
        }
        state.user = Some(user.clone());
        state.listener = None;
        Ok(())
    }
}

/// What this side tells the peer of its endpoint; nothing if there is none. `mode`: whether the
/// stream may take several.
fn offer(tcp: Option<&Tcp>, connects: bool, mode: u8) -> (Transport, TransportParams) {
    match tcp {
        None => (Transport::default(), TransportParams::EMPTY),
        Some(tcp) => {
            let mut local = tcp.offer(first_mtu(), connects);
            local.several = mode;
            let transport = endpoint::transport_to_wire(&local);
            (local, transport)
        }
    }
}

/// The MTU that an endpoint offers before its path is known, in bytes; path MTU discovery does
/// the rest.
fn first_mtu() -> u32 {
    u32::from(u16::MAX)
}
