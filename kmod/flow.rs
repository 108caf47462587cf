// SPDX-License-Identifier: GPL-2.0
//! A flow as packets find it: the entry of the flow table.

use crate::{
    connection::Connection,
    kernel_objects::{
        endpoint::{Endpoint, FlowStats},
        rcu_table::{Entry, Link, RcuTable, Removed},
        work::{Task, Work},
    },
    proto::{event::FlowIndex, time::Duration},
};
use kernel::{
    prelude::*,
    sync::{
        atomic::{Acquire, Atomic, Relaxed, Release},
        Arc,
    },
};

/// The table of all flows of all namespaces, by local flow ID.
pub(crate) type FlowTable = RcuTable<Flow>;

/// What becomes of data packets for a flow.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stage {
    /// The handshake is not done: they wait.
    Opening,
    /// They go to TCP.
    Open,
    /// TCP is done with the flow; the flow answers for it.
    Draining,
}

/// When a flow is looked at after its first packet.
const FIRST_LOOK: Duration = Duration::from_millis(250);
/// Packets between two looks that make a stream.
const STREAM: u64 = 8;

/// One flow of a connection.
pub(crate) struct Flow {
    /// The local flow ID: the table's key.
    pub(crate) id: u64,
    /// Whether the peer calls the flow by this ID now; it is shown under that one alone.
    in_use: Atomic<bool>,
    /// Position in the connection.
    pub(crate) index: FlowIndex,
    /// The connection; it holds the flow too, until it is finished.
    pub(crate) connection: Arc<Connection>,
    side: Side,
    /// Of a flow without an endpoint of its own: what came along it.
    rx_packets: Atomic<u64>,
    rx_bytes: Atomic<u64>,
    stage: Atomic<i32>,
    /// The peer's flow ID while it is in the index; zero: it is not.
    remote: Atomic<u64>,
    settle: Work,
    free: Work,
    watch: Work,
    /// Packets received at the last look.
    received: Atomic<u64>,
    /// They came in a stream.
    streaming: Atomic<bool>,
    link: Link<Flow>,
}

/// Where the data of a flow belongs.
enum Side {
    /// The flow that opened the connection owns the packet side of its data.
    Own(Endpoint),
    /// The others lead to that one's: whatever comes along them reaches the same TCP endpoint.
    Of(Arc<Flow>),
    /// The same flow under an ID that it has got since.
    Named(Arc<Flow>),
}

impl Flow {
    /// The flow that opens a connection, in no table yet. Errors: no memory.
    pub(crate) fn new(
        id: u64,
        index: FlowIndex,
        connection: &Arc<Connection>,
    ) -> Result<Arc<Self>> {
        let endpoint = Endpoint::new(id, connection.carries_datagrams())?;
        let flow = Self::build(id, index, connection, Side::Own(endpoint))?;
        flow.endpoint().own(&flow);
        Ok(flow)
    }

    /// A flow that is added to the connection of `first`, in no table yet. Errors: no memory.
    pub(crate) fn added(id: u64, index: FlowIndex, first: &Arc<Self>) -> Result<Arc<Self>> {
        Self::build(id, index, &first.connection, Side::Of(first.clone()))
    }

    /// Another entry for the flow `named`, in no table yet. Errors: no memory.
    pub(crate) fn named(id: u64, named: &Arc<Self>) -> Result<Arc<Self>> {
        let side = Side::Named(named.clone());
        let flow = Self::build(id, named.index, &named.connection, side)?;
        flow.set_in_use(false);
        Ok(flow)
    }

    fn build(
        id: u64,
        index: FlowIndex,
        connection: &Arc<Connection>,
        side: Side,
    ) -> Result<Arc<Self>> {
        let flow = Arc::new(
            Self {
                id,
                in_use: Atomic::new(true),
                index,
                connection: connection.clone(),
                side,
                rx_packets: Atomic::new(0),
                rx_bytes: Atomic::new(0),
                stage: Atomic::new(Stage::Opening as i32),
                remote: Atomic::new(0),
                settle: Work::new()?,
                free: Work::new()?,
                watch: Work::new()?,
                received: Atomic::new(0),
                streaming: Atomic::new(false),
                link: Link::new(),
            },
            GFP_KERNEL,
        )?;
        flow.settle.own(&flow, Task::FlowSettle);
        flow.free.own(&flow, Task::FlowFree);
        flow.watch.own(&flow, Task::FlowWatch);
        Ok(flow)
    }

    /// Lets go of the closed TCP endpoint when no packet is on its way into it any more:
    /// [`Connection::endpoint_settled`] follows. At most once.
    pub(crate) fn settle_endpoint(self: &Arc<Self>) {
        self.settle.after_readers(self);
    }

    /// TCP sends a packet and nobody looks after it: [`Connection::watch`] follows. May be called
    /// in softirq.
    pub(crate) fn begin_watch(self: Arc<Self>) {
        if self.stage() == Stage::Open {
            self.look_after(FIRST_LOOK);
        }
    }

    /// Plans the next [`Connection::watch`].
    pub(crate) fn look_after(self: &Arc<Self>, span: Duration) {
        self.watch.arm(self, span.0);
    }

    /// Nothing is looked after any more; TCP must be unable to send.
    pub(crate) fn end_watch(self: &Arc<Self>) {
        self.watch.disarm(self);
    }

    /// Notes how many packets have been received. Whether a stream of them has stopped since the
    /// last look, and whether any came.
    pub(crate) fn note_received(&self, packets: u64) -> (bool, bool) {
        let new = packets.wrapping_sub(self.received.load(Relaxed));
        self.received.store(packets, Relaxed);
        let streamed = self.streaming.load(Relaxed);
        self.streaming
            .store(new >= STREAM || (streamed && new > 0), Relaxed);
        (streamed && new == 0, new > 0)
    }

    /// Whether the peer calls the flow by the ID of this entry.
    pub(crate) fn is_in_use(&self) -> bool {
        self.in_use.load(Relaxed)
    }

    pub(crate) fn set_in_use(&self, in_use: bool) {
        self.in_use.store(in_use, Relaxed);
    }

    /// Takes the flow out of the table; nothing if it is not in it.
    pub(crate) fn leave(&self) {
        if let Some(removed) = crate::flows().remove(self) {
            Removed::free_later(removed, |flow| &flow.free);
        }
    }

    /// The packet side of the connection's data.
    pub(crate) fn endpoint(&self) -> &Endpoint {
        match &self.side {
            Side::Own(endpoint) => endpoint,
            Side::Of(first) | Side::Named(first) => first.endpoint(),
        }
    }

    /// The flow that owns the connection's endpoint.
    fn first(&self) -> &Self {
        match &self.side {
            Side::Own(_) => self,
            Side::Of(first) => first,
            Side::Named(flow) => flow.first(),
        }
    }

    /// Counts what came along a flow without an endpoint of its own.
    pub(crate) fn count_received(&self, packets: u32, bytes: usize) {
        match &self.side {
            Side::Own(_) => {}
            Side::Of(_) => {
                self.rx_packets.add(u64::from(packets), Relaxed);
                self.rx_bytes.add(bytes as u64, Relaxed);
            }
            Side::Named(flow) => flow.count_received(packets, bytes),
        }
    }

    /// Packets and bytes that came along a flow without an endpoint of its own.
    pub(crate) fn received(&self) -> (u64, u64) {
        (self.rx_packets.load(Relaxed), self.rx_bytes.load(Relaxed))
    }

    /// What becomes of the connection's data, whichever of its flows it comes along.
    pub(crate) fn stage(&self) -> Stage {
        const OPENING: i32 = Stage::Opening as i32;
        const OPEN: i32 = Stage::Open as i32;
        match self.first().stage.load(Acquire) {
            OPENING => Stage::Opening,
            OPEN => Stage::Open,
            _ => Stage::Draining,
        }
    }

    pub(crate) fn set_stage(&self, stage: Stage) {
        self.stage.store(stage as i32, Release);
    }

    pub(crate) fn set_remote(&self, id: u64) {
        self.remote.store(id, Release);
    }

    pub(crate) fn take_remote(&self) -> Option<u64> {
        let id = self.remote.load(Acquire);
        self.remote.store(0, Release);
        (id != 0).then_some(id)
    }

    /// Packets and bytes of all flows of the connection, and what TCP knows.
    pub(crate) fn stats(&self) -> FlowStats {
        self.endpoint().stats(self.stage() == Stage::Open)
    }
}

impl Entry for Flow {
    fn key(&self) -> u64 {
        self.id
    }

    fn link(&self) -> &Link<Self> {
        &self.link
    }
}
