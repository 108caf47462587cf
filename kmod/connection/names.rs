// SPDX-License-Identifier: GPL-2.0
//! Flow IDs that change with moves: a flow has an entry in the flow table for each ID that it
//! answers to.

use super::{state::State, Connection};
use crate::{
    control::{
        counters::Count,
        notify,
    },
    flow::Flow,
    proto::{event::FlowIndex, naming::MAX_OWN_IDS},
};
use kernel::{prelude::*, sync::Arc};

/// The entries of a flow under IDs other than its first.
#[derive(Default)]
pub(crate) struct Names {
    entries: [Option<Arc<Flow>>; MAX_OWN_IDS],
    /// The first one is not in the table any more.
    first_left: bool,
}

impl Names {
    fn has(&self, id: u64) -> bool {
        self.entries.iter().flatten().any(|flow| flow.id == id)
    }

    /// Takes the entries out of the table whose IDs are not answered to any more.
    fn keep(&mut self, ids: &[u64]) {
        for place in &mut self.entries {
            if place.as_ref().is_some_and(|flow| !ids.contains(&flow.id)) {
                Self::clear(place);
            }
        }
    }

    /// Takes all entries out of the table.
    pub(super) fn leave(&mut self) {
        self.entries.iter_mut().for_each(Self::clear);
    }

    fn clear(place: &mut Option<Arc<Flow>>) {
        if let Some(flow) = place.take() {
            flow.leave();
        }
    }

    /// Enters `flow` under a new ID. Errors: no memory, or the ID is taken.
    fn enter(&mut self, id: u64, flow: &Arc<Flow>) -> Result {
        let place = self.entries.iter_mut().find(|place| place.is_none());
        let place = place.ok_or(ENOSPC)?;
        let entry = Flow::named(id, flow)?;
        crate::flows()
            .insert(entry.clone())
            .map_err(|_| EEXIST)?;
        *place = Some(entry);
        Ok(())
    }
}

impl Connection {
    /// Has the flow table find a flow by the IDs that its core answers to, before an RSYN with a
    /// new one leaves.
    pub(super) fn enter_names(&self, state: &mut State, index: FlowIndex) {
        let Some(ids) = state.core.flow(index).map(|flow| flow.own_ids()) else {
            return;
        };
        let Some(slot) = state.slot_mut(index) else {
            return;
        };
        let Some(flow) = &slot.flow else {
            return;
        };
        if !slot.names.first_left && !ids.contains(&flow.id) {
            flow.leave();
            slot.names.first_left = true;
        }
        slot.names.keep(&ids);
        let mut failed = false;
        for id in ids {
            if id != 0 && id != flow.id && !slot.names.has(id) {
                failed |= slot.names.enter(id, flow).is_err();
            }
        }
        if failed {
            // Only one that nobody has heard of is new.
            state.core.withdraw_id(index);
            self.net.counters.add(Count::FLOW_IDS_REFUSED);
        }
    }

    /// The peer calls a flow by another ID of ours.
    pub(super) fn renamed(&self, state: &State, index: FlowIndex) {
        let Some(core) = state.core.flow(index) else {
            return;
        };
        let (id, remote_id) = (core.local_id(), core.remote_id());
        if let Some(slot) = state.slot(index) {
            for flow in slot.names.entries.iter().flatten() {
                flow.set_in_use(flow.id == id);
            }
            if let Some(flow) = &slot.flow {
                flow.set_in_use(flow.id == id);
                crate::remotes().remove(flow);
                crate::remotes().add_as(self.net.raw, remote_id, flow, id);
            }
        }
        self.net.counters.add(Count::FLOW_IDS_RENEWED);
        self.net.changed();
        notify::renamed(self, state, index, None);
    }

    /// The peer goes by another flow ID.
    pub(super) fn peer_renamed(&self, state: &State, index: FlowIndex, old: u64) {
        let Some(core) = state.core.flow(index) else {
            return;
        };
        let (id, remote_id) = (core.local_id(), core.remote_id());
        if let Some(flow) = state.slot(index).and_then(|slot| slot.flow.as_ref()) {
            crate::remotes().remove(flow);
            crate::remotes().add_as(self.net.raw, remote_id, flow, id);
        }
        self.net.counters.add(Count::PEER_FLOW_IDS_RENEWED);
        notify::renamed(self, state, index, Some(old));
    }
}
