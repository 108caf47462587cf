// SPDX-License-Identifier: GPL-2.0
//! What a connection's lock guards.

use super::datagram::{Seat, Use};
use super::names::Names;
use super::path_events::Watch;
use crate::{
    bundle::{Bundle, Wish},
    flow::Flow,
    kernel_objects::{
        endpoint::{Tail, Tcp, Transport},
        outer::Outer,
    },
    netns::Net,
    proto::{
        address::LocalAddress,
        connection::{Connection as Core, DataPath},
        event::FlowIndex,
        learnt::PathMemory,
        settings::MAX_FLOWS,
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
    /// The flow that owns the TCP endpoint, until that is let go of.
    pub(crate) flow: Option<Arc<Flow>>,
    /// The core's flows, as the flow table has them.
    pub(crate) slots: [Slot; MAX_FLOWS],
    /// The AF_ECCP socket, while it is open.
    pub(super) user: Option<Outer>,
    /// The endpoint before adoption.
    pub(super) tcp: Option<Tcp>,
    pub(super) endpoint: Endpoint,
    pub(super) local: Transport,
    /// Where accepted connections go; `None` at the client.
    pub(super) listener: Option<Arc<Listener>>,
    pub(super) tail: Option<Tail>,
    /// Where TCP sends.
    pub(super) applied: Option<DataPath>,
    /// What it has learnt of the paths that it has left.
    pub(super) paths: PathMemory,
    /// What TCP had sent when it began to send there, in packets and bytes.
    pub(super) sent_before: (u64, u64),
    /// When an endpoint without user is looked after again.
    pub(super) look_at: Option<Instant>,
    pub(super) half_open: bool,
    pub(super) finished: bool,
    pub(super) told_closed: bool,
    pub(crate) with_psk: bool,
    /// Why the connection ended.
    pub(crate) why: Why,
    /// Who asked for the move that is about to begin.
    pub(super) asked: Option<Why>,
    /// Where datagrams go; `None` for a stream, and once they have ended.
    pub(super) seat: Option<Seat>,
    pub(super) used: Use,
    /// When datagrams that wait for a route are tried again.
    pub(super) resend_at: Option<Instant>,
    pub(super) watch: Watch,
    /// What the owner of the socket wants of the stream.
    pub(super) wish: Wish,
    /// The bundle that the connection is a member of, or is to be.
    pub(crate) bundle: Option<Arc<Bundle>>,
    /// What the bundle was told of the path last.
    pub(super) sound: bool,
}

/// What is kept for a flow beside the core.
#[derive(Default)]
pub(crate) struct Slot {
    /// Its entry in the flow table.
    pub(crate) flow: Option<Arc<Flow>>,
    /// Its other entries.
    pub(super) names: Names,
    pub(crate) moves: u32,
    pub(crate) why: Why,
    /// Packets and bytes sent along it, up to when data last took another flow.
    pub(crate) sent: (u64, u64),
}

/// Why a flow last moved, failed to or ended: numbers of `enum eccp_reason`.
pub(crate) type Why = u32;

impl State {
    pub(super) fn new(core: KBox<Core>, tcp: Option<Tcp>, local: Transport) -> Self {
        Self {
            core,
            flow: None,
            slots: Default::default(),
            user: None,
            tcp,
            endpoint: Endpoint::Waiting,
            local,
            listener: None,
            tail: None,
            applied: None,
            paths: PathMemory::EMPTY,
            sent_before: (0, 0),
            look_at: None,
            half_open: false,
            finished: false,
            told_closed: false,
            with_psk: false,
            why: 0,
            asked: None,
            seat: None,
            used: Use::default(),
            resend_at: None,
            watch: Watch::NONE,
            wish: Wish::default(),
            bundle: None,
            sound: true,
        }
    }

    /// The client's attempt came to nothing: its socket may try again.
    pub(super) fn fail(&mut self, err: Error) {
        if let Some(user) = self.user.take() {
            if let Some(tcp) = self.tcp.take() {
                tcp.give_back(&user);
            }
            if let Some(Seat::Among(..)) = self.seat {
                // The socket has other peers, and no call that waits for this one.
                return;
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
        let family = self.applied.map(|to| to.path.local.family());
        let on_it = || addresses.iter().filter(|a| a.ifindex == to.ifindex);
        on_it()
            .find(|a| Some(a.addr.family()) == family)
            .or_else(|| on_it().next())
            .copied()
            .unwrap_or(to)
    }

    /// Takes over how long the owner of the socket waits for answers.
    pub(super) fn heed_owner(&mut self) {
        let patience = match (&self.tcp, &self.flow, self.endpoint) {
            (Some(tcp), ..) => tcp.user_timeout(),
            (None, Some(flow), Endpoint::Adopted) => flow.endpoint().user_timeout(),
            _ => return,
        };
        self.core.set_patience(patience);
    }

    pub(super) fn leave_half_open(&mut self, net: &Net) {
        if core::mem::take(&mut self.half_open) {
            net.dismiss_half_open();
        }
    }

    /// Whether both ends are on this host, where addresses are not lost.
    pub(super) fn on_host_itself(&self) -> bool {
        self.applied.is_some_and(|to| to.path.remote.is_loopback())
    }

    /// What is kept for a flow of the core.
    pub(crate) fn slot(&self, index: FlowIndex) -> Option<&Slot> {
        self.slots.get(usize::from(index.0))
    }

    pub(super) fn slot_mut(&mut self, index: FlowIndex) -> Option<&mut Slot> {
        self.slots.get_mut(usize::from(index.0))
    }

    /// The position of the flow with a local ID.
    pub(super) fn index_of(&self, id: u64) -> Option<FlowIndex> {
        self.core.find_flow(id)
    }

    /// Number of flows in the flow table.
    pub(crate) fn flow_count(&self) -> u32 {
        self.slots.iter().filter(|slot| slot.flow.is_some()).count() as u32
    }

    /// The local ID of the flow that stands for the connection in lists of connections.
    pub(crate) fn first_id(&self) -> Option<u64> {
        let mut entries = self.slots.iter().filter_map(|slot| slot.flow.as_ref());
        let first = entries.next()?;
        self.core.flow(first.index).map(|flow| flow.local_id())
    }

    /// Packets and bytes that were sent along a flow.
    pub(crate) fn sent(&self, index: FlowIndex) -> (u64, u64) {
        let (packets, bytes) = self.slot(index).map_or((0, 0), |slot| slot.sent);
        if self.applied.is_none_or(|to| to.flow != index) {
            return (packets, bytes);
        }
        let (now_packets, now_bytes) = self.sent_by_tcp();
        (
            packets + now_packets.saturating_sub(self.sent_before.0),
            bytes + now_bytes.saturating_sub(self.sent_before.1),
        )
    }

    /// Packets and bytes that came along a flow.
    pub(crate) fn received(&self, index: FlowIndex) -> (u64, u64) {
        let others = |at: usize| {
            let flow = self.slots.get(at).and_then(|slot| slot.flow.as_ref());
            flow.map_or((0, 0), |flow| flow.received())
        };
        let Some(first) = &self.flow else {
            return others(usize::from(index.0));
        };
        let is_first = |slot: &Slot| slot.flow.as_ref().is_some_and(|f| Arc::ptr_eq(f, first));
        if !self.slot(index).is_some_and(is_first) {
            return others(usize::from(index.0));
        }
        // The endpoint counts for all flows.
        let all = first.stats();
        (0..self.slots.len()).fold((all.rx_packets, all.rx_bytes), |(packets, bytes), at| {
            let (p, b) = others(at);
            (packets.saturating_sub(p), bytes.saturating_sub(b))
        })
    }

    fn sent_by_tcp(&self) -> (u64, u64) {
        let stats = self.flow.as_ref().map(|flow| flow.stats());
        stats.map_or((0, 0), |all| (all.tx_packets, all.tx_bytes))
    }

    /// Notes that TCP sends there from now on.
    pub(super) fn note_applied(&mut self, to: Option<DataPath>) {
        let old = self.applied.map(|old| old.flow);
        if let Some(old) = old.filter(|old| to.map(|to| to.flow) != Some(*old)) {
            let sent = self.sent(old);
            if let Some(slot) = self.slot_mut(old) {
                slot.sent = sent;
            }
        }
        if to.map(|to| to.flow) != old {
            self.sent_before = self.sent_by_tcp();
        }
        self.applied = to;
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
