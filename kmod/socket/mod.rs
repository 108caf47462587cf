// SPDX-License-Identifier: GPL-2.0
//! What system calls on AF_ECCP sockets do, beyond what TCP does. eccp(7) is its manual.

pub(crate) mod address;
pub(crate) mod datagram;
pub(crate) mod listener;
mod options;

use crate::kernel_objects::errno::{
    EADDRNOTAVAIL, EALREADY, EINPROGRESS, EISCONN, ENETDOWN, ENETUNREACH, ENOTCONN,
};
use crate::{
    bundle::{Bundle, Wish},
    connection::{Connection, Seat, Target},
    flow::Flow,
    kernel_objects::{
        net::NetRef,
        outer::{File, FileState, Outer},
    },
    netns::Net,
    proto::{
        address::{Bound, IpAddr128, LocalAddress, RemoteAddr},
        service::Service,
    },
};
use address::Name;
use datagram::Peers;
use kernel::{
    bindings, new_mutex,
    prelude::*,
    sync::{
        atomic::{Acquire, Atomic, Release},
        Arc, Mutex,
    },
};
use listener::Listener;

/// What the socket is.
enum Role {
    Idle,
    /// A client, from the first SYN on.
    Connection(Arc<Connection>),
    Listener(Arc<Listener>),
}

struct State {
    role: Role,
    addr: IpAddr128,
    /// What bind() reserved.
    bound: Option<Arc<Listener>>,
    psk: Option<[u8; 32]>,
    /// Kinds of path events that the owner wants.
    events: u32,
    /// The peer's service, for getpeername().
    peer: Option<Name>,
    /// The flow of a connected datagram socket.
    flow: Option<Arc<Flow>>,
    /// What the owner wants of the stream.
    wish: Wish,
    /// What its system calls go to, once they have.
    bundle: Option<Arc<Bundle>>,
}

impl State {
    /// What a connection of the socket to `name` wants. Errors: as [`NetRef::reaches`].
    fn target(&self, outer: &Outer, name: &Name, events: u32) -> Result<Target<'_>> {
        let ifindex = outer.bound_interface();
        outer.net().reaches(name.addr, self.addr, ifindex)?;
        Ok(Target {
            service: name.service,
            remote: RemoteAddr {
                addr: name.addr,
                port: 0,
            },
            bound: Bound {
                addr: self.addr,
                ifindex,
            },
            psk: self.psk.as_ref(),
            events,
            wish: self.wish,
        })
    }
}

/// What waits: which condition [`Socket::is_ready`] looks at.
const WAIT_CONNECT: i32 = 0;
const WAIT_ACCEPT: i32 = 1;
const WAIT_FLUSH: i32 = 2;

/// Rust's part of an AF_ECCP socket.
#[pin_data]
pub(crate) struct Socket {
    net: Arc<Net>,
    waits_for: Atomic<i32>,
    /// Of a datagram socket; `None`: it is a stream socket.
    peers: Option<Arc<Peers>>,
    #[pin]
    state: Mutex<State>,
}

impl Socket {
    fn new(
        net: Arc<Net>,
        role: Role,
        peer: Option<Name>,
        peers: Option<Arc<Peers>>,
    ) -> Result<Pin<KBox<Self>>> {
        KBox::pin_init(
            pin_init!(Self {
                net,
                waits_for: Atomic::new(WAIT_CONNECT),
                peers,
                state <- new_mutex!(State {
                    role,
                    addr: IpAddr128::UNSPECIFIED,
                    bound: None,
                    psk: None,
                    events: 0,
                    peer,
                    flow: None,
                    wish: Wish::default(),
                    bundle: None,
                }, "eccp_socket"),
            }),
            GFP_KERNEL,
        )
    }

    /// socket(). Errors: EADDRINUSE when another program has ECCP's UDP port.
    pub(crate) fn create(outer: &Outer) -> Result<Pin<KBox<Self>>> {
        let net = net_of(outer.net())?;
        net.use_udp()?;
        let peers = outer.is_datagram().then(Peers::new).transpose()?;
        Self::new(net, Role::Idle, None, peers)
    }

    /// bind(): a local address to start from, a service to be reached under, or both.
    /// Errors: EINVAL when bound or in use already; EADDRNOTAVAIL when the address is not this
    /// host's; EACCES for a privileged port; EADDRINUSE when another socket has the service.
    pub(crate) fn bind(&self, outer: &Outer, bytes: &[u8]) -> Result {
        let name = Name::parse(bytes)?;
        let mut state = self.state.lock();
        if !matches!(state.role, Role::Idle)
            || state.bound.is_some()
            || !state.addr.is_unspecified()
        {
            return Err(EINVAL);
        }
        if !name.addr.is_unspecified() && !self.is_local(&name.addr) {
            return Err(EADDRNOTAVAIL);
        }
        if let Service::Port(port) = name.service {
            if port != 0 && !outer.net().may_bind_port(port) {
                return Err(EACCES);
            }
        }
        if name.service != Service::Port(0) || name.addr.is_unspecified() {
            state.bound = Some(self.net.reserve(name.service, self.peers.clone())?);
        }
        state.addr = name.addr;
        drop(state);
        if self.peers.is_some() {
            self.listen_again(outer);
        }
        Ok(())
    }

    fn is_local(&self, addr: &IpAddr128) -> bool {
        let held = |addresses: KVec<LocalAddress>| addresses.iter().any(|a| a.addr == *addr);
        addr.is_loopback() || self.net.addresses().is_ok_and(held)
    }

    /// connect(). Errors: EISCONN, EALREADY, EINPROGRESS as in TCP; EINVAL on a listener;
    /// ENETUNREACH for an address that cannot be a destination; ECONNREFUSED, ETIMEDOUT,
    /// EPROTONOSUPPORT as the peer answers; EAGAIN when the namespace is full.
    pub(crate) fn connect(
        &self,
        outer: &Outer,
        file: File,
        bytes: &[u8],
        nonblock: bool,
    ) -> Result {
        if self.peers.is_some() {
            return self.connect_datagrams(outer, file, bytes, nonblock);
        }
        match file.state() {
            FileState::Connected => return Err(EISCONN),
            FileState::Connecting => {
                if nonblock && outer.is_connecting() {
                    return Err(EALREADY);
                }
            }
            FileState::Unconnected => {
                self.start(outer, bytes)?;
                file.set_state(FileState::Connecting);
            }
        }
        let waited = self.wait_connected(outer, nonblock);
        if waited.is_err_and(|e| e == EAGAIN) {
            // The attempt goes on: the caller does not block, or not for longer than SO_SNDTIMEO.
            return Err(EINPROGRESS);
        }
        waited?;
        file.set_state(FileState::Unconnected);
        outer.take_error()?;
        file.set_state(FileState::Connected);
        Ok(())
    }

    fn start(&self, outer: &Outer, bytes: &[u8]) -> Result {
        let name = Name::parse(bytes)?;
        let mut state = self.state.lock();
        if matches!(state.role, Role::Listener(_)) {
            return Err(EINVAL);
        }
        if !name.is_destination() {
            return Err(ENETUNREACH);
        }
        if name.service == Service::Port(0) {
            return Err(EADDRNOTAVAIL);
        }
        let target = state.target(outer, &name, state.events)?;
        // What an earlier attempt left is no error of this one.
        let _ = outer.take_error();
        outer.set_connecting(true);
        let seat = self.peers.as_ref().map(|_| Seat::Connected);
        let begun = Connection::connect(&self.net, outer, &target, seat);
        match begun {
            Ok(connection) => {
                if self.peers.is_some() {
                    state.flow = connection.data_flow();
                }
                state.role = Role::Connection(connection);
                state.peer = Some(name);
                Ok(())
            }
            Err(e) => {
                outer.set_connecting(false);
                Err(e)
            }
        }
    }

    /// Waits until the connection is there or has failed. Errors: EAGAIN when the time is over;
    /// EINTR or ERESTARTSYS on a signal.
    pub(crate) fn wait_connected(&self, outer: &Outer, nonblock: bool) -> Result {
        self.waits_for.store(WAIT_CONNECT, Release);
        let mut timeout = outer.timeout(nonblock, false);
        while outer.is_connecting() {
            outer.wait(&mut timeout)?;
        }
        Ok(())
    }

    /// Whether what a system call waits for has come.
    pub(crate) fn is_ready(&self, outer: &Outer) -> bool {
        match self.waits_for.load(Acquire) {
            WAIT_CONNECT => !outer.is_connecting(),
            WAIT_ACCEPT => match &self.state.lock().role {
                Role::Listener(listener) => listener.has_next(),
                _ => true,
            },
            _ => match &self.state.lock().role {
                Role::Connection(connection) => match connection.bundle() {
                    Some(bundle) => bundle.is_flushed(),
                    None => connection.is_flushed(),
                },
                _ => true,
            },
        }
    }

    /// listen(). Errors: EINVAL on a socket that connects or is connected; EADDRINUSE.
    pub(crate) fn listen(&self, outer: &Outer, file: File, backlog: i32) -> Result {
        let mut state = self.state.lock();
        let listener = match &state.role {
            Role::Listener(listener) => listener.clone(),
            Role::Idle if file.state() == FileState::Unconnected => match state.bound.take() {
                Some(bound) => bound,
                None => self.net.reserve(Service::Port(0), None)?,
            },
            Role::Idle | Role::Connection(_) => return Err(EINVAL),
        };
        listener.set_wish(state.wish);
        listener.listen(outer, backlog, state.psk);
        state.role = Role::Listener(listener);
        outer.set_listening(true);
        Ok(())
    }

    /// accept(): the state of the new socket. Errors: EINVAL on a socket that does not listen;
    /// EAGAIN; EINTR or ERESTARTSYS.
    pub(crate) fn accept(
        &self,
        outer: &Outer,
        child: &Outer,
        nonblock: bool,
    ) -> Result<Pin<KBox<Self>>> {
        let (listener, events) = {
            let state = self.state.lock();
            match &state.role {
                Role::Listener(listener) => (listener.clone(), state.events),
                _ => return Err(EINVAL),
            }
        };
        self.waits_for.store(WAIT_ACCEPT, Release);
        let mut timeout = outer.timeout(nonblock, true);
        loop {
            if let Some(connection) = listener.next() {
                let state = Self::new(
                    self.net.clone(),
                    Role::Connection(connection.clone()),
                    None,
                    None,
                )?;
                if connection.give_to(child).is_ok() {
                    connection.watch_paths(child, events)?;
                    state.state.lock().events = events;
                    return Ok(state);
                }
                // It ended while it waited; the caller gets the next one.
                connection.abort_unaccepted();
                continue;
            }
            outer.wait(&mut timeout)?;
            if !listener.is_listening() {
                return Err(EINVAL);
            }
        }
    }

    /// The bundle that the stream takes. Errors: ENOTCONN if it has none.
    pub(crate) fn bundle(&self) -> Result<Arc<Bundle>> {
        let mut state = self.state.lock();
        if state.bundle.is_none() {
            if let Role::Connection(connection) = &state.role {
                state.bundle = connection.bundle();
            }
        }
        state.bundle.clone().ok_or(ENOTCONN)
    }

    /// poll() of a listener.
    pub(crate) fn poll(&self) -> u32 {
        match &self.state.lock().role {
            Role::Listener(listener) if listener.has_next() => {
                bindings::POLLIN | bindings::POLLRDNORM
            }
            _ => 0,
        }
    }

    /// getsockname() and getpeername(). Errors: ENOTCONN.
    pub(crate) fn name(&self, peer: bool) -> Result<[u8; address::LEN]> {
        let state = self.state.lock();
        let unnamed = Name {
            service: Service::Port(0),
            addr: state.addr,
            scope: 0,
        };
        let name = match &state.role {
            Role::Connection(connection) => {
                connection
                    .name(peer)
                    .or(if peer { None } else { Some(unnamed) })
            }
            Role::Listener(listener) if !peer => Some(Name {
                service: listener.service,
                ..unnamed
            }),
            Role::Idle if !peer => Some(Name {
                service: state.bound.as_ref().map_or(unnamed.service, |b| b.service),
                ..unnamed
            }),
            _ => None,
        };
        name.map(Name::to_bytes).ok_or(ENOTCONN)
    }

    /// close().
    pub(crate) fn release(&self, outer: &Outer) {
        if self.peers.is_some() {
            return self.release_datagrams(outer);
        }
        let (role, bound) = {
            let mut state = self.state.lock();
            (
                core::mem::replace(&mut state.role, Role::Idle),
                state.bound.take(),
            )
        };
        if let Some(bound) = bound {
            self.net.unreserve(&bound);
        }
        match role {
            Role::Idle => drop(outer.take_tcp()),
            Role::Listener(listener) => {
                self.net.unreserve(&listener);
                listener.close();
                drop(outer.take_tcp());
            }
            Role::Connection(connection) => self.release_connection(outer, connection),
        }
    }

    fn release_connection(&self, outer: &Outer, connection: Arc<Connection>) {
        let linger = outer.linger();
        let bundle = connection.bundle();
        if let Some(mut time) = linger.filter(|time| *time > 0) {
            match &bundle {
                Some(bundle) => bundle.shutdown(false, true),
                None => connection.shutdown(),
            }
            self.state.lock().role = Role::Connection(connection.clone());
            self.waits_for.store(WAIT_FLUSH, Release);
            // Whatever ends the wait, the socket is closed next.
            let _ = outer.wait(&mut time);
            self.state.lock().role = Role::Idle;
        }
        match bundle {
            Some(bundle) => {
                bundle.release(linger == Some(0));
                connection.leave_to_bundle();
            }
            None => connection.release_user(linger == Some(0)),
        }
        // A client that never got its connection has its endpoint back.
        drop(outer.take_tcp());
    }
}

/// What the module keeps for a namespace. Errors: ENETDOWN while it is being deleted.
fn net_of(net: NetRef) -> Result<Arc<Net>> {
    let _guard = kernel::sync::rcu::read_lock();
    net.state().ok_or(ENETDOWN)
}
