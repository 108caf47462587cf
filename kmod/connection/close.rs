// SPDX-License-Identifier: GPL-2.0
//! The ends of endpoints, flows and connections.

use super::{
    state::{Endpoint, State, Why},
    Connection,
};
use crate::kernel_objects::errno::{
    EADDRNOTAVAIL, ECONNABORTED, ECONNREFUSED, ECONNRESET, EPROTONOSUPPORT,
};
use crate::{
    control::{
        counters::Count,
        notify::{self, Report},
    },
    flow::{Flow, Stage},
    kernel_objects::{
        crypto::{now, KernelHost},
        unpin_module,
    },
    proto::{
        address::Path,
        event::{CloseReason, Command, FlowIndex},
        settings::MAX_FLOWS,
        time::Duration,
        wire::Reason,
    },
};
use kernel::{prelude::*, sync::Arc};

/// How long a closed socket waits for the peer's FIN once its own data is acknowledged.
pub(super) const FIN_WAIT: Duration = Duration::from_secs(60);

impl Connection {
    /// Ends the connection with an RST to the peer; whoever waits sees `err`.
    pub(super) fn abort(self: &Arc<Self>, state: &mut State, host: &mut KernelHost, err: Error) {
        if let Some(flow) = state.flow.clone() {
            if matches!(state.endpoint, Endpoint::Adopted) {
                flow.endpoint().abort(err);
            }
            let reason = Reason::Aborted;
            self.command_all(state, host, |flow| Command::Abort { flow, reason });
        }
        if state.endpoint == Endpoint::Waiting {
            state.fail(err);
        }
    }

    /// Aborts a connection unless somebody accepted it.
    pub(crate) fn abort_unaccepted(self: &Arc<Self>) {
        let mut state = self.state.lock();
        if state.listener.take().is_none() {
            return;
        }
        let mut host = KernelHost::new();
        self.abort(&mut state, &mut host, ECONNABORTED);
        self.look_after(&mut state, &mut host);
        self.drive(&mut state, &mut host);
        let bundle = state.bundle.clone();
        drop(state);
        if let Some(bundle) = bundle {
            bundle.release(true);
        }
    }

    /// Looks whether TCP is done, and after an endpoint that has no user any more.
    pub(super) fn look_after(self: &Arc<Self>, state: &mut State, host: &mut KernelHost) {
        let Some(flow) = state.flow.clone() else {
            return;
        };
        if state.endpoint == Endpoint::Adopted {
            if flow.stage() == Stage::Open {
                flow.endpoint().deliver_held(self.net.raw);
            }
            if flow.endpoint().is_closed() {
                self.endpoint_closed(state, host, &flow);
            } else if state.look_at.is_some_and(|at| at <= now()) && self.carries_datagrams() {
                self.look_for_idleness(state, host, &flow);
            } else if state.look_at.is_some_and(|at| at <= now()) {
                if flow.endpoint().is_half_closed() {
                    // Nobody will read what the peer may still send.
                    flow.endpoint().abort(ETIMEDOUT);
                }
                state.look_at = Some(now().after(FIN_WAIT));
            }
        }
        if state.endpoint == Endpoint::Closed && state.user.is_none() && state.listener.is_none() {
            state.endpoint = Endpoint::Released;
            state.look_at = None;
            flow.settle_endpoint();
        }
    }

    /// TCP is done: from now on the flow answers for it.
    pub(super) fn endpoint_closed(
        self: &Arc<Self>,
        state: &mut State,
        host: &mut KernelHost,
        flow: &Arc<Flow>,
    ) {
        let tail = flow.endpoint().tail();
        let why = match -i32::from(tail.error) {
            e if e == ETIMEDOUT.to_errno() => ETIMEDOUT,
            _ => ECONNRESET,
        };
        self.leave_bundle(state, why);
        flow.set_stage(Stage::Draining);
        state.endpoint = Endpoint::Closed;
        self.end_datagrams(state, ECONNABORTED);
        let (aborts, why) = match -i32::from(tail.error) {
            0 => (false, CloseReason::Drained),
            e if e == ETIMEDOUT.to_errno() => (true, CloseReason::TimedOut),
            _ => (true, CloseReason::Aborted),
        };
        state.tail = Some(tail);
        self.tell_closed(state, notify::reason::of_close(why));
        // A reset of TCP's is sent once and may get lost; the core's is answered again. A core
        // that is aborted or drained already has nothing more to do.
        let reason = Reason::Aborted;
        let datagrams = self.carries_datagrams();
        self.command_all(state, host, |flow| match aborts {
            // There is no transport that tells the peer.
            _ if datagrams => Command::Abort {
                flow,
                reason: Reason::Closed,
            },
            true => Command::Abort { flow, reason },
            false => Command::Close { flow },
        });
    }

    /// Tells watchers, once, that the connection is over; it may drain after that.
    fn tell_closed(&self, state: &mut State, why: Why) {
        if !core::mem::replace(&mut state.told_closed, true) {
            state.why = why;
            for at in 0..MAX_FLOWS as u8 {
                let index = FlowIndex(at);
                let Some(slot) = state.slot_mut(index).filter(|slot| slot.flow.is_some()) else {
                    continue;
                };
                slot.why = why;
                notify::report(self, state, Report::FlowClosed, index);
            }
            notify::report(self, state, Report::ConnectionClosed, FlowIndex(0));
        }
    }

    /// The readers of the closed endpoint are gone.
    pub(crate) fn endpoint_settled(self: &Arc<Self>, flow: &Arc<Flow>) {
        flow.endpoint().release();
        let mut state = self.state.lock();
        if state.finished {
            state.flow = None;
        }
        drop(state);
        unpin_module();
    }

    /// The socket is being closed. `hard`: SO_LINGER with no time, which resets.
    pub(crate) fn release_user(self: &Arc<Self>, hard: bool) {
        let mut state = self.state.lock();
        let mut host = KernelHost::new();
        let flow = state.flow.clone();
        self.end_datagrams(&mut state, ECONNRESET);
        match (state.endpoint, flow) {
            (Endpoint::Adopted | Endpoint::Closed, Some(flow)) => {
                if state.endpoint == Endpoint::Adopted {
                    if hard || flow.endpoint().has_unread() {
                        flow.endpoint().abort(ECONNRESET);
                    } else {
                        flow.endpoint().shutdown();
                    }
                    state.look_at = Some(now().after(FIN_WAIT));
                }
                flow.endpoint().detach();
                state.user = None;
                self.look_after(&mut state, &mut host);
            }
            _ => {
                state.user = None;
                self.abort(&mut state, &mut host, ECONNABORTED);
            }
        }
        self.drive(&mut state, &mut host);
    }

    /// Whether all that was sent has been acknowledged, for SO_LINGER.
    pub(crate) fn is_flushed(&self) -> bool {
        let state = self.state.lock();
        match (&state.flow, state.endpoint) {
            (Some(flow), Endpoint::Adopted) => flow.endpoint().is_flushed(),
            _ => true,
        }
    }

    /// Sends FIN, for SO_LINGER, while the socket stays attached.
    pub(crate) fn shutdown(&self) {
        let flow = {
            let state = self.state.lock();
            match (&state.flow, state.endpoint) {
                (Some(flow), Endpoint::Adopted) => flow.clone(),
                _ => return,
            }
        };
        flow.endpoint().shutdown();
    }

    /// The flow is over for the core: it leaves the table.
    pub(super) fn finish(self: &Arc<Self>, state: &mut State, reason: CloseReason) {
        if state.finished {
            return;
        }
        self.tell_closed(state, notify::reason::of_close(reason));
        if reason == CloseReason::Lost {
            self.net.counters.add(Count::FLOWS_LOST);
        }
        state.finished = true;
        state.leave_half_open(&self.net);
        let err = errno_of(reason);
        if state.endpoint == Endpoint::Waiting {
            self.leave_bundle(state, err);
            self.net.counters.add(Count::CONNECT_FAILURES);
            state.fail(err);
            state.tcp = None;
        }
        self.end_datagrams(state, err);
        if let Some(listener) = state.listener.take() {
            listener.forget(self);
        }
        if let Some(flow) = state.flow.clone() {
            if state.endpoint == Endpoint::Adopted {
                self.leave_bundle(state, err);
                let last = state.applied.map_or(Path::NONE, |to| to.path);
                flow.endpoint().suspend(&last);
                flow.endpoint().abort(err);
                flow.set_stage(Stage::Draining);
                state.endpoint = Endpoint::Closed;
            }
            flow.end_watch();
            self.leave_table(state);
            match state.endpoint {
                Endpoint::Closed if state.user.is_none() => {
                    state.endpoint = Endpoint::Released;
                    flow.settle_endpoint();
                }
                Endpoint::Closed => {}
                Endpoint::Waiting | Endpoint::Adopted | Endpoint::Released => state.flow = None,
            }
        }
        self.net.dismiss();
        self.work.disarm(self);
    }

    /// Takes all flows out of the table.
    fn leave_table(&self, state: &mut State) {
        let opened = state.endpoint != Endpoint::Waiting;
        for slot in &mut state.slots {
            slot.names.leave();
            let Some(flow) = core::mem::take(&mut slot.flow) else {
                continue;
            };
            if opened {
                self.net.counters.add(Count::FLOWS_CLOSED);
            }
            crate::remotes().remove(&flow);
            flow.leave();
        }
    }

    /// Ends the connection with its namespace, without a word to the peer.
    pub(crate) fn end_with_namespace(self: &Arc<Self>) {
        let mut state = self.state.lock();
        state.user = None;
        state.listener = None;
        self.tell_closed(&mut state, notify::reason::NAMESPACE);
        self.finish(&mut state, CloseReason::Aborted);
    }
}

/// What a user of the connection is told of its end.
fn errno_of(reason: CloseReason) -> Error {
    match reason {
        CloseReason::Drained | CloseReason::Aborted => ECONNABORTED,
        CloseReason::Refused(_) => ECONNREFUSED,
        CloseReason::Reset(_) | CloseReason::Lost => ECONNRESET,
        CloseReason::TimedOut => ETIMEDOUT,
        CloseReason::NoAddress => EADDRNOTAVAIL,
        CloseReason::VersionMismatch => EPROTONOSUPPORT,
        CloseReason::VersionsExhausted => EOVERFLOW,
    }
}
