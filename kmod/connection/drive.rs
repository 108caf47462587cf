// SPDX-License-Identifier: GPL-2.0
//! Carries out what the core wants: packets, events, paths and timers.

use super::{
    state::{Endpoint, State},
    Connection,
};
use crate::kernel_objects::errno::EPROTO;
use crate::{
    control::{
        counters::Count,
        notify::{self, Report},
    },
    flow::Stage,
    kernel_objects::{
        crypto::{now, KernelHost},
        endpoint, pin_module,
    },
    proto::{
        address::Path,
        event::{Event, PathChange},
        service::TransportParams,
        wire::MAX_CONTROL,
    },
};
use kernel::{
    prelude::*,
    sync::{atomic::Acquire, Arc},
};

impl Connection {
    /// Sends what the core wants sent, acts on what it reports, and sets its timer.
    pub(super) fn drive(self: &Arc<Self>, state: &mut State, host: &mut KernelHost) {
        let mut packet = [0; MAX_CONTROL];
        loop {
            let mut idle = true;
            while let Some(out) = state.core.poll_transmit(host, &mut packet) {
                idle = false;
                let bytes = packet.get(..out.len).unwrap_or(&[]);
                match endpoint::send_control(self.net.raw, &out.path, bytes) {
                    Ok(()) => self.net.counters.add(Count::TX_CONTROL),
                    Err(_) => self.net.counters.add(Count::DROP_NO_ROUTE),
                }
            }
            while let Some(event) = state.core.poll_event() {
                idle = false;
                self.on_event(state, host, event);
            }
            if idle {
                break;
            }
        }
        if state.finished {
            return;
        }
        self.apply_path(state);
        self.plan(state);
    }

    pub(super) fn plan(self: &Arc<Self>, state: &State) {
        let due = match (state.core.poll_timeout(), state.look_at) {
            (Some(a), Some(b)) => Some(a.min(b)),
            (a, b) => a.or(b),
        };
        match due {
            Some(at) => self.work.arm(self, at.since(now()).0),
            None => self.work.disarm(self),
        }
        // A kick may have come before the plan, which would postpone it, or during it.
        if self.kicked.load(Acquire) {
            self.work.arm(self, 0);
        }
    }

    /// Makes TCP send along the core's path.
    pub(super) fn apply_path(&self, state: &mut State) {
        let Some(flow) = state.flow.clone() else {
            return;
        };
        let wanted = state.core.data_path(flow.index);
        if state.endpoint != Endpoint::Adopted || wanted == state.applied {
            return;
        }
        match (&wanted, &state.applied) {
            (Some(path), old) => {
                let same =
                    old.is_some_and(|old| old.local == path.local && old.remote == path.remote);
                flow.endpoint.set_path(self.net.raw, path, !same);
            }
            (None, Some(old)) => flow.endpoint.suspend(old),
            (None, None) => {}
        }
        state.applied = wanted;
    }

    pub(super) fn on_event(
        self: &Arc<Self>,
        state: &mut State,
        host: &mut KernelHost,
        event: Event,
    ) {
        let counters = &self.net.counters;
        match event {
            Event::Established {
                flow: _,
                remote_id,
                path,
                transport,
                ..
            } => {
                state.leave_half_open(&self.net);
                if let Err(e) = self.establish(state, remote_id, &path, &transport) {
                    self.abort(state, host, e);
                }
            }
            Event::PathChanged { why, .. } => {
                state.moves = state.moves.wrapping_add(1);
                if why == PathChange::PeerMoved {
                    counters.add(Count::PEER_MOVES);
                    state.why = notify::reason::PEER;
                    notify::report(self, state, Report::FlowMoved);
                }
            }
            Event::AddressGone { .. } => {
                counters.add(Count::ADDRESSES_GONE);
                state.why = notify::reason::ADDRESS_LOST;
                notify::report(self, state, Report::AddressGone);
            }
            Event::Suspended { .. } => counters.add(Count::SUSPENSIONS),
            Event::Moving { planned, .. } => {
                counters.add(Count::MOVES_STARTED);
                state.why = state.asked.take().unwrap_or(if planned {
                    notify::reason::BETTER_ADDRESS
                } else {
                    counters.add(Count::FAILOVERS);
                    notify::reason::ADDRESS_LOST
                });
                notify::report(self, state, Report::FlowMoving);
            }
            Event::Moved { .. } => {
                counters.add(Count::MOVES_COMPLETED);
                notify::report(self, state, Report::FlowMoved);
            }
            Event::MoveFailed { why, .. } => {
                counters.add(Count::MOVES_FAILED);
                state.why = notify::reason::of_failure(why);
                notify::report(self, state, Report::FlowMoveFailed);
            }
            Event::PathTrouble { .. } => {
                counters.add(Count::PATH_TROUBLES);
                notify::report(self, state, Report::PathTrouble);
            }
            Event::PathAnswers { .. } => {
                counters.add(Count::PATH_RECOVERIES);
                notify::report(self, state, Report::PathRecovered);
                if let (Some(flow), Endpoint::Adopted) = (&state.flow, state.endpoint) {
                    flow.endpoint.resend();
                }
            }
            Event::PathDead { .. } => {
                counters.add(Count::PATH_FAILOVERS);
                state.asked = Some(notify::reason::PATH_DEAD);
            }
            Event::PathBack { .. } => {
                counters.add(Count::PATH_RETURNS);
                state.asked = Some(notify::reason::PATH_BACK);
            }
            Event::Closed { reason, .. } => self.finish(state, reason),
            Event::PeerReset { .. } => counters.add(Count::RESETS_RECEIVED),
            Event::RttSample { .. } | Event::Pong { .. } => {}
        }
    }

    /// The handshake is done: TCP begins.
    pub(super) fn establish(
        self: &Arc<Self>,
        state: &mut State,
        remote_id: u64,
        path: &Path,
        transport: &TransportParams,
    ) -> Result {
        let flow = state.flow.clone().ok_or(EINVAL)?;
        let remote = endpoint::transport_from_wire(transport).ok_or(EPROTO)?;
        let tcp = state.tcp.take().ok_or(EINVAL)?;
        let adopted =
            flow.endpoint
                .adopt(self.net.raw, tcp, remote_id, path, &state.local, &remote);
        if let Err((e, tcp)) = adopted {
            state.tcp = Some(tcp);
            return Err(e);
        }
        pin_module();
        state.endpoint = Endpoint::Adopted;
        state.applied = Some(*path);
        crate::remotes().add(self.net.raw, remote_id, &flow);
        self.net.counters.add(Count::FLOWS_OPENED);
        flow.set_stage(Stage::Open);
        flow.endpoint.deliver_held();
        if let Some(user) = &state.user {
            self.net.counters.add(Count::CONNECTS);
            flow.endpoint.attach(user);
            user.set_connecting(false);
            user.wake();
        }
        notify::report(self, state, Report::ConnectionUp);
        notify::report(self, state, Report::FlowUp);
        let listener = state.listener.clone();
        if let Some(listener) = listener {
            listener.ready(self, &self.net)?;
            self.net.counters.add(Count::ACCEPTS);
        }
        Ok(())
    }
}
