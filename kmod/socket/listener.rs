// SPDX-License-Identifier: GPL-2.0
//! A service and the connections that came for it.

use super::datagram::Peers;
use crate::kernel_objects::errno::{ECONNABORTED, ENOBUFS};
use crate::{
    bundle::Wish,
    connection::Connection,
    control::counters::Count,
    kernel_objects::{crypto::now, outer::Outer},
    netns::Net,
    proto::{
        connection::SynKey,
        service::Service,
        time::{Duration, Instant},
        wire::{Packet, INNER_TCP, INNER_UDP},
    },
};
use kernel::{
    new_mutex,
    prelude::*,
    sync::{Arc, Mutex},
};

/// Most connections that wait for accept(), whatever the caller of listen() asks.
const MAX_BACKLOG: usize = 4096;
/// How long a repeated first SYN finds the connection that the first one opened.
const SYN_MEMORY: Duration = Duration::from_secs(30);
/// Most first SYNs that are remembered.
const MAX_REMEMBERED: usize = 2048;

struct Opening {
    key: SynKey,
    connection: Arc<Connection>,
    until: Instant,
}

struct State {
    psk: Option<[u8; 32]>,
    wish: Wish,
    /// The listening socket; `None` before listen() and after close().
    user: Option<Outer>,
    backlog: usize,
    opening: KVec<Opening>,
    accepted: KVec<Arc<Connection>>,
}

/// A reserved service; it listens from listen() on.
#[pin_data]
pub(crate) struct Listener {
    pub(crate) service: Service,
    /// The peers of the datagram socket that the service is reserved for; `None`: a stream's.
    pub(crate) peers: Option<Arc<Peers>>,
    #[pin]
    state: Mutex<State>,
}

impl Listener {
    pub(crate) fn new(service: Service, peers: Option<Arc<Peers>>) -> Result<Arc<Self>> {
        Arc::pin_init(
            pin_init!(Self {
                service,
                peers,
                state <- new_mutex!(State {
                    psk: None,
                    wish: Wish::default(),
                    user: None,
                    backlog: 0,
                    opening: KVec::new(),
                    accepted: KVec::new(),
                }, "eccp_listener"),
            }),
            GFP_KERNEL,
        )
    }

    /// Inner protocol number of the flows that it waits for.
    pub(crate) fn inner(&self) -> u8 {
        match self.peers {
            None => INNER_TCP,
            Some(_) => INNER_UDP,
        }
    }

    /// The key that both ends must know.
    pub(crate) fn psk(&self) -> Option<[u8; 32]> {
        self.state.lock().psk
    }

    /// What the owner of the socket wants of the streams of its clients.
    pub(crate) fn wish(&self) -> Wish {
        self.state.lock().wish
    }

    /// Says what the owner of the socket wants.
    pub(crate) fn set_wish(&self, wish: Wish) {
        self.state.lock().wish = wish;
    }

    /// Begins to listen, or changes the backlog.
    pub(crate) fn listen(&self, user: &Outer, backlog: i32, psk: Option<[u8; 32]>) {
        let mut state = self.state.lock();
        state.psk = psk;
        state.backlog = usize::try_from(backlog)
            .unwrap_or(MAX_BACKLOG)
            .clamp(1, MAX_BACKLOG);
        if state.user.is_none() {
            state.user = Some(user.clone());
        }
    }

    pub(crate) fn is_listening(&self) -> bool {
        self.state.lock().user.is_some()
    }

    /// The listening socket.
    pub(crate) fn user(&self) -> Option<Outer> {
        self.state.lock().user.clone()
    }

    /// Remembers which first SYN opened a connection.
    pub(crate) fn watch(&self, connection: &Arc<Connection>, packet: &Packet<'_>) {
        let Some(key) = SynKey::of(packet) else {
            return;
        };
        let now = now();
        let mut state = self.state.lock();
        state.opening.retain(|o| o.until > now);
        if state.opening.len() == MAX_REMEMBERED {
            let _ = state.opening.remove(0);
        }
        // Without memory a repeated SYN opens a second connection, which will time out.
        let _ = state.opening.push(
            Opening {
                key,
                connection: connection.clone(),
                until: now.after(SYN_MEMORY),
            },
            GFP_KERNEL,
        );
    }

    /// The connection that an earlier copy of a first SYN opened.
    pub(crate) fn opening(&self, key: &SynKey) -> Option<Arc<Connection>> {
        let state = self.state.lock();
        state
            .opening
            .iter()
            .find(|o| o.key == *key)
            .map(|o| o.connection.clone())
    }

    /// A connection is there for accept(). Errors: ECONNABORTED when nobody listens any more,
    /// ENOBUFS when as many wait as the backlog allows.
    pub(crate) fn ready(&self, connection: &Arc<Connection>, net: &Net) -> Result {
        let mut state = self.state.lock();
        let user = state.user.clone().ok_or(ECONNABORTED)?;
        if state.accepted.len() >= state.backlog {
            net.counters.add(Count::DROP_BACKLOG);
            return Err(ENOBUFS);
        }
        state.accepted.push(connection.clone(), GFP_KERNEL)?;
        drop(state);
        user.wake();
        Ok(())
    }

    /// A connection is over.
    pub(crate) fn forget(&self, connection: &Arc<Connection>) {
        let mut state = self.state.lock();
        state
            .opening
            .retain(|o| !Arc::ptr_eq(&o.connection, connection));
        state.accepted.retain(|c| !Arc::ptr_eq(c, connection));
    }

    /// Whether as many connections wait for accept() as may, or the datagram socket has as many
    /// peers as may be.
    pub(crate) fn is_full(&self, net: &Net) -> bool {
        if let Some(peers) = &self.peers {
            return peers.is_full(net);
        }
        let state = self.state.lock();
        state.accepted.len() >= state.backlog
    }

    /// The oldest connection that nobody accepted yet.
    pub(crate) fn next(&self) -> Option<Arc<Connection>> {
        self.state.lock().accepted.remove(0).ok()
    }

    /// Whether accept() would return at once.
    pub(crate) fn has_next(&self) -> bool {
        let state = self.state.lock();
        !state.accepted.is_empty() || state.user.is_none()
    }

    /// Stops listening; connections that nobody accepted are reset.
    pub(crate) fn close(&self) {
        let mut state = self.state.lock();
        let user = state.user.take();
        let opening = core::mem::take(&mut state.opening);
        let accepted = core::mem::take(&mut state.accepted);
        drop(state);
        drop(user);
        for half_open in &opening {
            half_open.connection.abort_unaccepted();
        }
        for connection in &accepted {
            connection.abort_unaccepted();
        }
    }
}
