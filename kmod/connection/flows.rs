// SPDX-License-Identifier: GPL-2.0
//! The flows of a connection: adding, moving, preferring and removing them, and their entries in
//! the flow table.

use super::{
    state::{State, Why},
    Connection,
};
use crate::{
    control::{
        counters::Count,
        notify::{self, Report},
    },
    flow::Flow,
    kernel_objects::crypto::KernelHost,
    proto::{
        address::{LocalAddress, RemoteAddr},
        connection::AddFlow,
        event::{CloseReason, Command, FlowIndex, Refused},
        flow::Phase,
        settings::MAX_FLOWS,
        wire::Reason,
    },
};
use kernel::{prelude::*, sync::Arc};

/// Which flow of a connection is meant.
#[derive(Clone, Copy)]
pub(crate) enum Goal {
    /// The one that carries data.
    Carrier,
    /// The one with this local ID.
    Flow(u64),
}

impl Connection {
    /// Moves a flow to another local address; the version of the move.
    pub(crate) fn move_to(
        self: &Arc<Self>,
        flow: Goal,
        to: LocalAddress,
        why: Why,
    ) -> core::result::Result<u64, Refused> {
        let mut state = self.state.lock();
        let mut host = KernelHost::new();
        let addresses = self.look_around(&mut state, &mut host)?;
        let index = find(&state, flow)?;
        state.asked = Some(why);
        let to = state.pick(to, &addresses);
        let command = Command::Move { flow: index, to };
        let result = state.core.handle_command(&mut host, command);
        self.drive(&mut state, &mut host);
        state.asked = None;
        self.count_refused(result, Count::REFUSED_MOVES)?;
        Ok(state.core.flow(index).map_or(0, |f| f.version()))
    }

    /// Begins to add a flow; its local ID.
    pub(crate) fn add_flow(
        self: &Arc<Self>,
        from: LocalAddress,
        to: Option<RemoteAddr>,
        backup: bool,
    ) -> core::result::Result<u64, Refused> {
        let mut state = self.state.lock();
        let mut host = KernelHost::new();
        let addresses = self.look_around(&mut state, &mut host)?;
        let from = state.pick(from, &addresses);
        let result = state
            .core
            .add_flow(&mut host, &AddFlow { from, to, backup });
        self.drive(&mut state, &mut host);
        let index = self.count_refused(result, Count::REFUSED_FLOWS)?;
        Ok(state.core.flow(index).map_or(0, |flow| flow.local_id()))
    }

    /// Removes a flow, or sends data along it from now on.
    pub(crate) fn command(
        self: &Arc<Self>,
        id: u64,
        command: impl Fn(FlowIndex) -> Command,
        why: Why,
    ) -> core::result::Result<(), Refused> {
        let mut state = self.state.lock();
        let mut host = KernelHost::new();
        self.look_around(&mut state, &mut host)?;
        let index = find(&state, Goal::Flow(id))?;
        state.asked = Some(why);
        let result = state.core.handle_command(&mut host, command(index));
        self.drive(&mut state, &mut host);
        state.asked = None;
        self.count_refused(result, Count::REFUSED_FLOWS)
    }

    fn count_refused<T>(
        &self,
        result: core::result::Result<T, Refused>,
        count: Count,
    ) -> core::result::Result<T, Refused> {
        result.inspect_err(|_| self.net.counters.add(count))
    }

    /// Tells the core which addresses there are: the set may have changed a moment ago, and the
    /// notice be still on its way. What follows from that alone was asked by nobody. The list is
    /// taken with the lock held, so that none replaces a newer one.
    pub(super) fn look_around(
        self: &Arc<Self>,
        state: &mut State,
        host: &mut KernelHost,
    ) -> core::result::Result<KVec<LocalAddress>, Refused> {
        if state.finished || state.flow.is_none() {
            return Err(Refused::Closing);
        }
        let Ok(addresses) = self.net.addresses() else {
            // Without memory to list them, the core keeps those that it knows.
            return Ok(KVec::new());
        };
        for _ in 0..state.core.handle_addresses(host, &addresses) {
            self.net.counters.add(Count::DROP_MAX_ADDRESSES);
        }
        self.drive(state, host);
        Ok(addresses)
    }

    /// Gives every flow of the core its entry in the flow table, before packets can come for it.
    pub(super) fn enter_flows(self: &Arc<Self>, state: &mut State, host: &mut KernelHost) {
        let Some(first) = state.flow.clone() else {
            return;
        };
        for at in 0..MAX_FLOWS as u8 {
            let index = FlowIndex(at);
            let live = state
                .core
                .flow(index)
                .filter(|flow| flow.phase() != Phase::Closed);
            let Some(id) = live.map(|flow| flow.first_id()) else {
                continue;
            };
            let Some(slot) = state.slot_mut(index) else {
                continue;
            };
            if slot.flow.as_ref().is_some_and(|flow| flow.id == id) {
                self.enter_names(state, index);
                continue;
            }
            *slot = Default::default();
            let entered = Flow::added(id, index, &first).ok().filter(|flow| {
                // A taken ID is as good as no memory: the flow cannot be.
                crate::flows().insert(flow.clone()).is_ok()
            });
            if entered.is_some() {
                slot.flow = entered;
                self.net.changed();
                continue;
            }
            self.net.counters.add(Count::DROP_NO_MEMORY);
            let reason = Reason::Busy;
            let _ = state.core.handle_command(
                host,
                Command::Abort {
                    flow: index,
                    reason,
                },
            );
        }
    }

    /// A flow was added to the connection.
    pub(super) fn flow_added(&self, state: &mut State, index: FlowIndex, remote_id: u64, why: Why) {
        if let Some(slot) = state.slot_mut(index) {
            slot.why = why;
            if let Some(flow) = &slot.flow {
                crate::remotes().add(self.net.raw, remote_id, flow);
            }
        }
        self.net.counters.add(Count::FLOWS_OPENED);
        self.net.counters.add(Count::FLOWS_ADDED);
        notify::report(self, state, Report::FlowUp, index);
    }

    /// A flow is over while others of the connection live.
    pub(super) fn flow_closed(&self, state: &mut State, index: FlowIndex, reason: CloseReason) {
        let asked = state.asked;
        if let Some(slot) = state.slot_mut(index) {
            slot.why = asked.unwrap_or(notify::reason::of_close(reason));
        }
        notify::report(self, state, Report::FlowClosed, index);
        let Some(slot) = state.slot_mut(index) else {
            return;
        };
        slot.names.leave();
        if let Some(flow) = core::mem::take(&mut slot.flow) {
            crate::remotes().remove(&flow);
            flow.leave();
            self.net.counters.add(Count::FLOWS_CLOSED);
            self.net.changed();
        }
    }

    /// Gives the same command to all flows. Those that are over or that it does not fit refuse.
    pub(super) fn command_all(
        &self,
        state: &mut State,
        host: &mut KernelHost,
        command: impl Fn(FlowIndex) -> Command,
    ) {
        for at in 0..MAX_FLOWS as u8 {
            let _ = state.core.handle_command(host, command(FlowIndex(at)));
        }
    }
}

fn find(state: &State, flow: Goal) -> core::result::Result<FlowIndex, Refused> {
    match flow {
        Goal::Carrier => Ok(state.core.carrying_flow()),
        Goal::Flow(id) => state.index_of(id).ok_or(Refused::NoSuchFlow),
    }
}
