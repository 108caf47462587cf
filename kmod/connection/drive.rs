// SPDX-License-Identifier: GPL-2.0
//! Carries out what the core wants: packets, events, paths and timers.

use super::{
    state::{Endpoint, State, Why},
    Connection,
};
use crate::kernel_objects::errno::{ECONNABORTED, EPROTO};
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
        connection::DataPath,
        event::{Event, FlowIndex, PathChange},
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
        state.heed_owner();
        let mut packet = [0; MAX_CONTROL];
        loop {
            let mut idle = true;
            self.enter_flows(state, host);
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
        self.tell_bundle(state);
        if self.carries_datagrams() {
            self.send_waiting(state);
        }
        self.plan(state);
    }

    pub(super) fn plan(self: &Arc<Self>, state: &State) {
        let due = [state.core.poll_timeout(), state.look_at, state.resend_at]
            .into_iter()
            .flatten()
            .min();
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
        let wanted = state.core.carrier();
        if state.endpoint != Endpoint::Adopted || wanted == state.applied {
            return;
        }
        if let (Some(to), Some(old)) = (&wanted, &state.applied) {
            let receiver = to.receiver;
            if (DataPath { receiver, ..*old }) == *to {
                flow.endpoint().set_receiver(receiver);
                return state.note_applied(wanted);
            }
        }
        let known = flow.endpoint().known();
        if let (Some(known), Some(old)) = (&known, &state.applied) {
            state.paths.remember(now(), &old.path, known.learnt);
        }
        match (&wanted, &state.applied) {
            (Some(to), old) => {
                let same = old.is_some_and(|old| {
                    old.path.local == to.path.local && old.path.remote == to.path.remote
                });
                let start = known.filter(|_| !same).map(|known| {
                    let window = known.learnt.window;
                    state.paths.start(now(), &to.path, window, known.agreed)
                });
                flow.endpoint().set_path(self.net.raw, to, start.as_ref());
            }
            (None, Some(old)) => flow.endpoint().suspend(&old.path),
            (None, None) => {}
        }
        state.note_applied(wanted);
    }

    pub(super) fn on_event(
        self: &Arc<Self>,
        state: &mut State,
        host: &mut KernelHost,
        event: Event,
    ) {
        self.note_for_owner(state, &event);
        let counters = &self.net.counters;
        match event {
            Event::Established {
                flow, remote_id, ..
            } => {
                state.leave_half_open(&self.net);
                let path = state.core.flow(flow).map_or(Path::NONE, |f| *f.path());
                let to = DataPath {
                    flow,
                    receiver: remote_id,
                    path,
                };
                if let Err(e) = self.establish(state, &to) {
                    self.abort(state, host, e);
                }
            }
            Event::PathChanged { flow, why, .. } => {
                if let Some(slot) = state.slot_mut(flow) {
                    slot.moves = slot.moves.wrapping_add(1);
                }
                if why == PathChange::PeerMoved {
                    counters.add(Count::PEER_MOVES);
                    self.tell(state, Report::FlowMoved, flow, notify::reason::PEER);
                } else if why == PathChange::PeerRebound {
                    counters.add(Count::REBINDINGS);
                    self.tell(state, Report::FlowMoved, flow, notify::reason::NAT);
                } else if why == PathChange::PeerReverted {
                    counters.add(Count::REBINDINGS_REVERTED);
                    self.tell(state, Report::FlowMoved, flow, notify::reason::NAT);
                }
            }
            Event::AddressGone { flow, .. } => {
                counters.add(Count::ADDRESSES_GONE);
                self.tell(
                    state,
                    Report::AddressGone,
                    flow,
                    notify::reason::ADDRESS_LOST,
                );
            }
            Event::Suspended { .. } => counters.add(Count::SUSPENSIONS),
            Event::Moving { flow, planned, .. } => {
                counters.add(Count::MOVES_STARTED);
                let why = state.asked.take().unwrap_or(if planned {
                    notify::reason::BETTER_ADDRESS
                } else {
                    counters.add(Count::FAILOVERS);
                    notify::reason::ADDRESS_LOST
                });
                self.tell(state, Report::FlowMoving, flow, why);
            }
            Event::Moved { flow, .. } => {
                counters.add(Count::MOVES_COMPLETED);
                notify::report(self, state, Report::FlowMoved, flow);
            }
            Event::MoveFailed { flow, why, .. } => {
                counters.add(Count::MOVES_FAILED);
                let why = notify::reason::of_failure(why);
                self.tell(state, Report::FlowMoveFailed, flow, why);
            }
            Event::PathTrouble { flow } => {
                counters.add(Count::PATH_TROUBLES);
                notify::report(self, state, Report::PathTrouble, flow);
            }
            Event::PathAnswers { flow, .. } => {
                counters.add(Count::PATH_RECOVERIES);
                notify::report(self, state, Report::PathRecovered, flow);
                if let (Some(flow), Endpoint::Adopted) = (&state.flow, state.endpoint) {
                    flow.endpoint().resend();
                }
            }
            Event::Ticket { .. } => counters.add(Count::REDIRECT_TICKETS),
            Event::Redirected { .. } => counters.add(Count::REDIRECT_REGISTERED),
            Event::RebindingRefused { .. } => counters.add(Count::REBINDINGS_REFUSED),
            Event::Punching { flow, first } => {
                counters.add(Count::PUNCHES_SENT);
                if first {
                    notify::report(self, state, Report::FlowPunching, flow);
                }
            }
            Event::Punched { .. } => counters.add(Count::PUNCHES_ANSWERED),
            Event::PunchRefused { .. } => counters.add(Count::PUNCHES_REFUSED),
            Event::PathDead { .. } => {
                counters.add(Count::PATH_FAILOVERS);
                state.asked = Some(notify::reason::PATH_DEAD);
            }
            Event::PathBack { .. } => {
                counters.add(Count::PATH_RETURNS);
                state.asked = Some(notify::reason::PATH_BACK);
            }
            Event::FlowAdded {
                flow,
                by_us,
                remote_id,
                ..
            } => {
                let why = match by_us {
                    true => notify::reason::COMMAND,
                    false => notify::reason::PEER,
                };
                self.flow_added(state, flow, remote_id, why);
            }
            Event::FlowRefused { .. } => counters.add(Count::FLOWS_REFUSED),
            Event::CarrierChanged { flow, why } => {
                counters.add(Count::CARRIER_CHANGES);
                let why = state.asked.unwrap_or(notify::reason::of_carrier(why));
                self.tell(state, Report::FlowActive, flow, why);
            }
            Event::Renamed { flow, .. } => self.renamed(state, flow),
            Event::PeerRenamed { flow, old, .. } => self.peer_renamed(state, flow, old),
            Event::Closed { flow, reason } => match state.core.is_closed() {
                true => self.finish(state, reason),
                false => self.flow_closed(state, flow, reason),
            },
            Event::PeerReset { .. } => counters.add(Count::RESETS_RECEIVED),
            Event::Pong { .. } => Self::peer_is_there(state),
            Event::RttSample { .. } => {}
        }
    }

    /// Tells watchers what happened to a flow, and why.
    fn tell(&self, state: &mut State, what: Report, flow: FlowIndex, why: Why) {
        if let Some(slot) = state.slot_mut(flow) {
            slot.why = why;
        }
        notify::report(self, state, what, flow);
    }

    /// The handshake is done: TCP begins.
    pub(super) fn establish(self: &Arc<Self>, state: &mut State, to: &DataPath) -> Result {
        if self.carries_datagrams() {
            return self.establish_datagrams(state, to);
        }
        let flow = state.flow.clone().ok_or(EINVAL)?;
        let remote = endpoint::transport_from_wire(state.core.peer_transport()).ok_or(EPROTO)?;
        let several = Self::agree_on_bundle(state, &remote)?;
        let tcp = state.tcp.take().ok_or(EINVAL)?;
        let adopted = flow.endpoint().adopt(
            self.net.raw,
            tcp,
            to.receiver,
            &to.path,
            &state.local,
            &remote,
        );
        if let Err((e, tcp)) = adopted {
            state.tcp = Some(tcp);
            return Err(e);
        }
        pin_module();
        state.endpoint = Endpoint::Adopted;
        state.note_applied(Some(*to));
        crate::remotes().add(self.net.raw, to.receiver, &flow);
        self.net.counters.add(Count::FLOWS_OPENED);
        if several {
            Self::begin_bundle(state, &self.net, &flow).inspect_err(|e| {
                if let Some(user) = state.user.take() {
                    flow.endpoint().lend(&user);
                    user.set_error(*e);
                    user.set_connecting(false);
                    user.wake();
                    state.user = Some(user);
                }
            })?;
        } else if let Some(bundle) = &state.bundle {
            if !bundle.joined(&flow) {
                return Err(ECONNABORTED);
            }
        }
        flow.set_stage(Stage::Open);
        flow.endpoint().deliver_held(self.net.raw);
        if let Some(user) = &state.user {
            self.net.counters.add(Count::CONNECTS);
            match &state.bundle {
                None => flow.endpoint().attach(user),
                Some(_) => user.set_bundled(),
            }
            user.set_connecting(false);
            user.wake();
        }
        notify::report(self, state, Report::ConnectionUp, to.flow);
        notify::report(self, state, Report::FlowUp, to.flow);
        let listener = state.listener.clone();
        if let Some(listener) = listener {
            listener.ready(self, &self.net)?;
            self.net.counters.add(Count::ACCEPTS);
        }
        Ok(())
    }
}
