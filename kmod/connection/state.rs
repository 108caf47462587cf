// SPDX-License-Identifier: GPL-2.0
//! What a connection's lock guards.

use crate::{
    flow::Flow,
    kernel_objects::{
        endpoint::{Tail, Tcp, Transport},
        outer::Outer,
    },
    netns::Net,
    proto::{
        address::{LocalAddress, Path},
        connection::Connection as Core,
        time::Instant,
    },
    socket::listener::Listener,
};
use kernel::{prelude::*, sync::Arc};

/// How far the TCP endpoint's life has come.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Endpoint {
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
    pub(super) user: Option<Outer>,
    /// The endpoint before adoption.
    pub(super) tcp: Option<Tcp>,
    pub(super) endpoint: Endpoint,
    pub(super) local: Transport,
    /// Where accepted connections go; `None` at the client.
    pub(super) listener: Option<Arc<Listener>>,
    pub(super) tail: Option<Tail>,
    /// The path that TCP sends along.
    pub(super) applied: Option<Path>,
    /// When an endpoint without user is looked after again.
    pub(super) look_at: Option<Instant>,
    pub(super) half_open: bool,
    pub(super) finished: bool,
    pub(super) told_closed: bool,
    pub(crate) with_psk: bool,
    pub(crate) moves: u32,
    pub(crate) why: Why,
    /// Who asked for the move that is about to begin.
    pub(super) asked: Option<Why>,
}

/// Why a flow last moved, failed to or ended: numbers of `enum eccp_reason`.
pub(crate) type Why = u32;

impl State {
    pub(super) fn new(core: KBox<Core>, tcp: Tcp, local: Transport) -> Self {
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
            told_closed: false,
            with_psk: false,
            moves: 0,
            why: 0,
            asked: None,
        }
    }

    /// The client's attempt came to nothing: its socket may try again.
    pub(super) fn fail(&mut self, err: Error) {
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
    pub(super) fn pick(&self, to: LocalAddress, addresses: &[LocalAddress]) -> LocalAddress {
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

    pub(super) fn leave_half_open(&mut self, net: &Net) {
        if core::mem::take(&mut self.half_open) {
            net.dismiss_half_open();
        }
    }

    /// Whether both ends are on this host, where addresses are not lost.
    pub(super) fn on_host_itself(&self) -> bool {
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
pub(super) fn empty_core() -> Result<KBox<Core>> {
    Ok(KBox::write(
        KBox::<Core>::new_uninit(GFP_KERNEL)?,
        Core::EMPTY,
    ))
}
