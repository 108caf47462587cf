// SPDX-License-Identifier: GPL-2.0
//! A flow as packets find it: the entry of the flow table.

use crate::{
    connection::Connection,
    kernel_objects::{
        endpoint::{Endpoint, FlowStats},
        rcu_table::{Entry, Link, RcuTable, Removed},
        work::{Task, Work},
    },
    proto::event::FlowIndex,
};
use kernel::{
    prelude::*,
    sync::{
        atomic::{Acquire, Atomic, Release},
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

/// One flow of a connection.
pub(crate) struct Flow {
    /// The local flow ID: the table's key.
    pub(crate) id: u64,
    /// Position in the connection.
    pub(crate) index: FlowIndex,
    /// The connection; it holds the flow too, until it is finished.
    pub(crate) connection: Arc<Connection>,
    /// The packet side.
    pub(crate) endpoint: Endpoint,
    stage: Atomic<i32>,
    /// The peer's flow ID while it is in the index; zero: it is not.
    remote: Atomic<u64>,
    settle: Work,
    free: Work,
    link: Link<Flow>,
}

impl Flow {
    /// A flow that is in no table yet. Errors: no memory.
    pub(crate) fn new(
        id: u64,
        index: FlowIndex,
        connection: &Arc<Connection>,
    ) -> Result<Arc<Self>> {
        let flow = Arc::new(
            Self {
                id,
                index,
                connection: connection.clone(),
                endpoint: Endpoint::new(id)?,
                stage: Atomic::new(Stage::Opening as i32),
                remote: Atomic::new(0),
                settle: Work::new()?,
                free: Work::new()?,
                link: Link::new(),
            },
            GFP_KERNEL,
        )?;
        flow.endpoint.own(&flow);
        flow.settle.own(&flow, Task::FlowSettle);
        flow.free.own(&flow, Task::FlowFree);
        Ok(flow)
    }

    /// Lets go of the closed TCP endpoint when no packet is on its way into it any more:
    /// [`Connection::endpoint_settled`] follows. At most once.
    pub(crate) fn settle_endpoint(self: &Arc<Self>) {
        self.settle.after_readers(self);
    }

    /// Takes the flow out of the table.
    pub(crate) fn leave(&self) {
        if let Some(removed) = crate::flows().remove(self) {
            Removed::free_later(removed, |flow| &flow.free);
        }
    }

    pub(crate) fn stage(&self) -> Stage {
        const OPENING: i32 = Stage::Opening as i32;
        const OPEN: i32 = Stage::Open as i32;
        match self.stage.load(Acquire) {
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

    /// Packets, bytes and what TCP knows.
    pub(crate) fn stats(&self) -> FlowStats {
        self.endpoint.stats(self.stage() == Stage::Open)
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
