// SPDX-License-Identifier: GPL-2.0
//! Sockets of type SOCK_DGRAM: one peer after connect(), else many.

use super::{
    address::{self, Name},
    Role, Socket,
};
use crate::kernel_objects::errno::{
    EADDRNOTAVAIL, EALREADY, ECONNABORTED, ECONNRESET, EDESTADDRREQ, EINPROGRESS, EISCONN,
    ENETUNREACH, ENOBUFS, ENOTCONN,
};
use crate::{
    connection::{Connection, Seat},
    control::counters::Count,
    datapath::datagram::{self, MAX_WAITING},
    flow::Flow,
    kernel_objects::{
        datagram::Message,
        outer::{File, FileState, Outer},
        sys,
    },
    netns::Net,
    proto::{
        address::IpAddr128,
        service::Service,
    },
};
use kernel::{
    new_mutex,
    prelude::*,
    rbtree::RBTree,
    sync::{Arc, Mutex},
};

/// Most peers that are over and whose names are kept for datagrams that wait to be read.
const MAX_ENDED: usize = 256;

/// Flag of an address that names a peer of the socket by its number.
const PEER: u32 = sys::ECCP_SOCKADDR_PEER;

/// Where sendto() sends.
enum Destination {
    Service(Name),
    /// The peer with this number, as recvfrom() named it.
    Peer(u32),
}

impl Destination {
    /// Errors: as [`Name::parse`].
    fn parse(bytes: &[u8]) -> Result<Self> {
        let flags = bytes.get(4..8).and_then(|b| b.first_chunk().copied());
        if flags.map(u32::from_ne_bytes) != Some(PEER) {
            return Name::parse(bytes).map(Self::Service);
        }
        let mut plain = [0; address::LEN];
        plain.copy_from_slice(bytes.get(..address::LEN).ok_or(EINVAL)?);
        let number = plain
            .last_chunk::<4>()
            .copied()
            .map_or(0, u32::from_be_bytes);
        plain.get_mut(4..8).ok_or(EINVAL)?.fill(0);
        Name::parse(&plain)?;
        Ok(Self::Peer(number))
    }
}

/// The name of a peer that came by itself, and is at `addr` now.
fn peer_name(number: u32, addr: IpAddr128) -> [u8; address::LEN] {
    let name = Name {
        service: Service::Port(0),
        addr,
        scope: 0,
    };
    let mut bytes = name.to_bytes();
    if let Some(flags) = bytes.get_mut(4..8) {
        flags.copy_from_slice(&PEER.to_ne_bytes());
    }
    if let Some(tail) = bytes.last_chunk_mut::<4>() {
        *tail = number.to_be_bytes();
    }
    bytes
}

/// A peer of a socket.
struct Peer {
    /// The address that the socket sent to; `None` if the peer came by itself.
    name: Option<[u8; address::LEN]>,
    /// `None` when the connection is over.
    flow: Option<Arc<Flow>>,
}

struct State {
    by_number: RBTree<u32, Peer>,
    by_name: RBTree<[u8; address::LEN], u32>,
    live: u32,
    last: u32,
    ended: KVec<u32>,
    closed: bool,
}

/// The peers of a datagram socket that is not connected.
#[pin_data]
pub(crate) struct Peers {
    #[pin]
    state: Mutex<State>,
}

impl Peers {
    pub(super) fn new() -> Result<Arc<Self>> {
        Arc::pin_init(
            pin_init!(Self {
                state <- new_mutex!(State {
                    by_number: RBTree::new(),
                    by_name: RBTree::new(),
                    live: 0,
                    last: 0,
                    ended: KVec::new(),
                    closed: false,
                }, "eccp_peers"),
            }),
            GFP_KERNEL,
        )
    }

    /// Whether the socket has as many peers as the namespace allows.
    pub(crate) fn is_full(&self, net: &Net) -> bool {
        let max = net.config().max_datagram_peers;
        self.state.lock().live >= max
    }

    /// Adds a peer that came by itself; its number. Errors: ECONNABORTED when the socket is
    /// closed, ENOBUFS when it has all the peers that it may have, ENOMEM.
    pub(crate) fn admit(&self, net: &Net, flow: &Arc<Flow>) -> Result<u32> {
        let max = net.config().max_datagram_peers;
        let mut state = self.state.lock();
        if state.live >= max {
            net.counters.add(Count::DROP_DATAGRAM_PEERS);
            return Err(ENOBUFS);
        }
        let number = state.next_number();
        state.put(number, None, flow.clone())?;
        Ok(number)
    }

    fn flow(&self, number: u32) -> Option<Arc<Flow>> {
        let state = self.state.lock();
        state.by_number.get(&number).and_then(|p| p.flow.clone())
    }

    fn find(&self, name: &[u8; address::LEN]) -> Option<Arc<Flow>> {
        let state = self.state.lock();
        let number = state.by_name.get(name)?;
        state.by_number.get(number).and_then(|p| p.flow.clone())
    }

    /// The name of a peer, as recvfrom() gives it.
    fn name(&self, number: u32) -> [u8; address::LEN] {
        let flow = {
            let state = self.state.lock();
            match state.by_number.get(&number) {
                Some(Peer {
                    name: Some(name), ..
                }) => return *name,
                Some(peer) => peer.flow.clone(),
                None => None,
            }
        };
        let now = flow.and_then(|flow| flow.connection.name(true));
        peer_name(number, now.map_or(IpAddr128::UNSPECIFIED, |name| name.addr))
    }

    /// The connection to a peer is over.
    pub(crate) fn ended(&self, number: u32) {
        let mut guard = self.state.lock();
        let state = &mut *guard;
        let Some(peer) = state.by_number.get_mut(&number) else {
            return;
        };
        let Some(flow) = peer.flow.take() else {
            return;
        };
        state.live = state.live.saturating_sub(1);
        if let Some(name) = &peer.name {
            state.by_name.remove(name);
        }
        if state.ended.len() >= MAX_ENDED {
            if let Ok(oldest) = state.ended.remove(0) {
                state.by_number.remove(&oldest);
            }
        }
        if state.ended.push(number, GFP_KERNEL).is_err() {
            state.by_number.remove(&number);
        }
        drop(guard);
        drop(flow);
    }

    /// All live peers, of which the caller takes leave. `last`: there will be no more.
    fn take(&self, last: bool) -> KVec<Arc<Flow>> {
        let mut state = self.state.lock();
        state.closed |= last;
        let mut flows = KVec::new();
        for flow in state.by_number.values().filter_map(|p| p.flow.as_ref()) {
            // Without memory for the list the others follow in the next round.
            if flows.push(flow.clone(), GFP_KERNEL).is_err() {
                break;
            }
        }
        flows
    }

    fn close_all(&self, last: bool) {
        loop {
            let flows = self.take(last);
            for flow in &flows {
                flow.connection.release_user(false);
            }
            if self.state.lock().live == 0 {
                return;
            }
        }
    }
}

impl State {
    fn next_number(&mut self) -> u32 {
        loop {
            // Zero stands for the peer of a connected socket.
            self.last = self.last.wrapping_add(1).max(1);
            if self.by_number.get(&self.last).is_none() {
                return self.last;
            }
        }
    }

    fn put(&mut self, number: u32, name: Option<[u8; address::LEN]>, flow: Arc<Flow>) -> Result {
        if self.closed {
            return Err(ECONNABORTED);
        }
        let peer = Peer {
            name,
            flow: Some(flow),
        };
        self.by_number
            .try_create_and_insert(number, peer, GFP_KERNEL)?;
        if let Some(name) = name {
            let known = self.by_name.try_create_and_insert(name, number, GFP_KERNEL);
            if let Err(e) = known {
                self.by_number.remove(&number);
                return Err(e);
            }
        }
        self.live = self.live.saturating_add(1);
        Ok(())
    }
}

impl Socket {
    fn peers(&self) -> Result<&Arc<Peers>> {
        self.peers.as_ref().ok_or(EINVAL)
    }

    /// connect() of a datagram socket: one peer takes the place of all earlier ones; AF_UNSPEC
    /// only ends those. Errors: as of a stream.
    pub(super) fn connect_datagrams(
        &self,
        outer: &Outer,
        file: File,
        bytes: &[u8],
        nonblock: bool,
    ) -> Result {
        if file.state() != FileState::Connecting {
            self.disconnect(outer);
            file.set_state(FileState::Unconnected);
            if bytes.first_chunk() == Some(&[0, 0]) {
                self.listen_again(outer);
                return Ok(());
            }
            let begun = self.start(outer, bytes);
            if begun.is_err() {
                self.listen_again(outer);
                return begun;
            }
            file.set_state(FileState::Connecting);
        } else if nonblock && outer.is_connecting() {
            return Err(EALREADY);
        }
        match self.wait_connected(outer, nonblock) {
            Err(EAGAIN) => return Err(EINPROGRESS),
            waited => waited?,
        }
        let outcome = outer.take_error().and_then(|()| self.still_connected());
        if outcome.is_ok() {
            file.set_state(FileState::Connected);
        } else {
            file.set_state(FileState::Unconnected);
            self.disconnect(outer);
            self.listen_again(outer);
        }
        outcome
    }

    /// Errors: ECONNABORTED when the attempt failed and somebody else was told why.
    fn still_connected(&self) -> Result {
        match &self.state.lock().role {
            Role::Connection(connection) if !connection.is_over() => Ok(()),
            _ => Err(ECONNABORTED),
        }
    }

    /// Takes leave of all peers, and answers no new ones.
    fn disconnect(&self, outer: &Outer) {
        let (role, bound) = {
            let mut state = self.state.lock();
            state.flow = None;
            (
                core::mem::replace(&mut state.role, Role::Idle),
                state.bound.clone(),
            )
        };
        if let Some(bound) = bound {
            bound.close();
        }
        if let Role::Connection(connection) = role {
            connection.release_user(false);
        }
        if let Ok(peers) = self.peers() {
            peers.close_all(false);
        }
        outer.set_connecting(false);
        outer.set_ended(None);
    }

    /// A socket that has a service and is not connected answers whoever asks for it.
    pub(super) fn listen_again(&self, outer: &Outer) {
        let state = self.state.lock();
        if let (Some(bound), Role::Idle) = (&state.bound, &state.role) {
            bound.listen(outer, i32::MAX, state.psk);
        }
    }

    /// sendto() and sendmsg(): the length sent. Errors: EDESTADDRREQ without address or connection,
    /// EISCONN with both, ECONNRESET when the peer of that number has ended; those of a new
    /// connection, and of [`datagram::send`].
    pub(crate) fn send_datagram(
        &self,
        outer: &Outer,
        message: &Message,
        to: Option<&[u8]>,
    ) -> Result<usize> {
        let connected = self.state.lock().flow.clone();
        let Some(bytes) = to else {
            let flow = connected.ok_or(EDESTADDRREQ)?;
            return datagram::send(&flow, outer, message, 0);
        };
        if connected.is_some() {
            return Err(EISCONN);
        }
        match Destination::parse(bytes)? {
            Destination::Peer(number) => {
                let flow = self.peers()?.flow(number).ok_or(ECONNRESET)?;
                datagram::send(&flow, outer, message, MAX_WAITING)
            }
            Destination::Service(name) => {
                let flow = self.peer_at(outer, name)?;
                match datagram::send(&flow, outer, message, MAX_WAITING) {
                    // The connection ended a moment ago.
                    Err(ECONNRESET) => {
                        let flow = self.peer_at(outer, name)?;
                        datagram::send(&flow, outer, message, MAX_WAITING)
                    }
                    sent => sent,
                }
            }
        }
    }

    /// The flow to a service, which is connected to if need be.
    fn peer_at(&self, outer: &Outer, name: Name) -> Result<Arc<Flow>> {
        let peers = self.peers()?;
        let bytes = name.to_bytes();
        if let Some(flow) = peers.find(&bytes) {
            return Ok(flow);
        }
        // One is connected to after another.
        let state = self.state.lock();
        if let Some(flow) = peers.find(&bytes) {
            return Ok(flow);
        }
        if !name.is_destination() {
            return Err(ENETUNREACH);
        }
        if name.service == Service::Port(0) {
            return Err(EADDRNOTAVAIL);
        }
        if peers.is_full(&self.net) {
            self.net.counters.add(Count::DROP_DATAGRAM_PEERS);
            return Err(ENOBUFS);
        }
        // One queue of events could not say whose paths they are.
        let target = state.target(outer, &name, 0)?;
        let number = peers.state.lock().next_number();
        let seat = Seat::Among(peers.clone(), number);
        let connection = Connection::connect(&self.net, outer, &target, Some(seat))?;
        let flow = connection.data_flow().ok_or(ECONNRESET)?;
        if let Err(e) = peers.state.lock().put(number, Some(bytes), flow.clone()) {
            connection.release_user(false);
            return Err(e);
        }
        if connection.is_over() {
            peers.ended(number);
        }
        Ok(flow)
    }

    /// The name that recvfrom() gives with a datagram of the peer `number`; zero is that of a
    /// connected socket.
    pub(crate) fn datagram_name(&self, number: u32) -> [u8; address::LEN] {
        let of_peer = || self.peers().map(|peers| peers.name(number));
        match number {
            0 => self.name(true),
            _ => of_peer(),
        }
        .unwrap_or_else(|_| peer_name(number, IpAddr128::UNSPECIFIED))
    }

    /// ECCP_DATAGRAM_MAX: the largest datagram that the connection takes now. Errors: ENOTCONN.
    pub(super) fn datagram_max(&self, outer: &Outer) -> Result<u32> {
        let flow = self.state.lock().flow.clone().ok_or(ENOTCONN)?;
        Ok(datagram::room(&flow, outer))
    }

    /// close().
    pub(super) fn release_datagrams(&self, outer: &Outer) {
        self.disconnect(outer);
        if let Some(bound) = self.state.lock().bound.take() {
            self.net.unreserve(&bound);
        }
        if let Ok(peers) = self.peers() {
            peers.close_all(true);
        }
        drop(outer.take_tcp());
    }
}
