// SPDX-License-Identifier: GPL-2.0
//! What happens to a connection's paths, kept for the owner of its socket until it reads.

use super::{Connection, State};
use crate::{
    control::{counters::Count, notify::reason},
    kernel_objects::{outer::Outer, sys, sys::eccp_path_event},
    proto::{
        address::{IpAddr128, Path},
        event::{Event, FlowIndex, PathChange},
        queue::Queue,
        settings::MAX_FLOWS,
    },
};
use kernel::prelude::*;

/// Events that wait for the owner; what comes on top of them is counted and told as lost.
const KEPT: usize = 32;

/// Bits that an owner may ask for: one for each kind but `ECCP_PATH_LOST`.
pub(crate) const KINDS: u32 = (2 << sys::ECCP_PATH_LAST_KIND) - 2;

type Events = Queue<PathEvent, KEPT>;

/// `struct eccp_path_event` as Rust keeps it.
#[derive(Clone, Copy)]
struct PathEvent {
    kind: u32,
    reason: u32,
    flow_id: u64,
    version: u64,
    duration_us: u64,
    lost: u32,
    old: IpAddr128,
    new: IpAddr128,
}

impl PathEvent {
    const NONE: Self = Self {
        kind: sys::ECCP_PATH_LOST,
        reason: 0,
        flow_id: 0,
        version: 0,
        duration_us: 0,
        lost: 0,
        old: IpAddr128::UNSPECIFIED,
        new: IpAddr128::UNSPECIFIED,
    };

    fn into_raw(self) -> eccp_path_event {
        eccp_path_event {
            kind: self.kind,
            reason: self.reason,
            flow_id: self.flow_id,
            version: self.version,
            duration_us: self.duration_us,
            lost: self.lost,
            reserved: 0,
            old_addr: self.old.0,
            new_addr: self.new.0,
        }
    }
}

/// What the owner wants to know and has not read yet.
pub(super) struct Watch {
    wanted: u32,
    queue: Option<KBox<Events>>,
    lost: u32,
    /// Local and remote address of each flow as the owner knows them.
    known: [[IpAddr128; 2]; MAX_FLOWS],
}

impl Watch {
    pub(super) const NONE: Self = Self {
        wanted: 0,
        queue: None,
        lost: 0,
        known: [[IpAddr128::UNSPECIFIED; 2]; MAX_FLOWS],
    };

    /// From now on the owner wants the kinds whose bits are set. Errors: ENOMEM.
    pub(super) fn want(&mut self, kinds: u32) -> Result {
        if kinds != 0 && self.queue.is_none() {
            let room = KBox::<Events>::new_uninit(GFP_KERNEL)?;
            self.queue = Some(KBox::write(room, Events::EMPTY));
        }
        self.wanted = kinds;
        Ok(())
    }

    /// False if the event is lost. After a loss all others are, until the owner has read that it
    /// has to look at the flows anew.
    fn push(&mut self, event: PathEvent) -> bool {
        let kept = self.lost == 0 && self.queue.as_mut().is_some_and(|q| q.push(event));
        if !kept {
            self.lost = self.lost.saturating_add(1);
        }
        kept
    }

    fn pop(&mut self) -> Option<PathEvent> {
        if let Some(event) = self.queue.as_mut().and_then(|queue| queue.pop()) {
            return Some(event);
        }
        match core::mem::take(&mut self.lost) {
            0 => None,
            lost => Some(PathEvent {
                lost,
                ..PathEvent::NONE
            }),
        }
    }

    fn is_empty(&self) -> bool {
        self.lost == 0 && self.queue.as_ref().is_none_or(|queue| queue.is_empty())
    }

    fn known_mut(&mut self, flow: FlowIndex) -> Option<&mut [IpAddr128; 2]> {
        self.known.get_mut(usize::from(flow.0))
    }
}

impl Connection {
    /// Sets the kinds of events that the owner of the socket `user` wants. Errors: ENOMEM.
    pub(crate) fn watch_paths(&self, user: &Outer, kinds: u32) -> Result {
        let mut state = self.state.lock();
        let State { core, watch, .. } = &mut *state;
        for (index, flow) in core.flows() {
            if let Some(known) = watch.known_mut(index) {
                *known = [flow.path().local, flow.path().remote];
            }
        }
        watch.want(kinds)?;
        user.set_event_waiting(!watch.is_empty());
        Ok(())
    }

    /// Takes the oldest event that the owner has not read. Errors: EAGAIN.
    pub(crate) fn next_path_event(&self, user: &Outer) -> Result<eccp_path_event> {
        let mut state = self.state.lock();
        let event = state.watch.pop().ok_or(EAGAIN);
        user.set_event_waiting(!state.watch.is_empty());
        event.map(PathEvent::into_raw)
    }

    /// Keeps what the core reports, if the owner wants to know.
    pub(super) fn note_for_owner(&self, state: &mut State, event: &Event) {
        if state.watch.wanted == 0 {
            return;
        }
        let Some(noted) = state.path_event(event) else {
            return;
        };
        if state.watch.wanted & (1 << noted.kind) == 0 {
            return;
        }
        if !state.watch.push(noted) {
            self.net.counters.add(Count::EVENTS_LOST);
        }
        if let Some(user) = &state.user {
            user.set_event_waiting(true);
        }
    }
}

impl State {
    /// The event as the owner reads it; `None` if it is not about a path.
    fn path_event(&mut self, event: &Event) -> Option<PathEvent> {
        let flow = flow_of(event)?;
        let (id, versions, path) = match self.core.flow(flow) {
            Some(f) => (
                f.local_id(),
                [f.version(), f.validated().unwrap_or(0)],
                *f.path(),
            ),
            None => (0, [0; 2], Path::NONE),
        };
        let mut noted = PathEvent {
            flow_id: id,
            version: versions[0],
            ..PathEvent::NONE
        };
        let known = self.watch.known_mut(flow)?;
        match *event {
            Event::Moving { to, version, .. } => {
                noted.kind = sys::ECCP_PATH_MOVING;
                noted.version = version;
                noted.old = known[0];
                noted.new = to;
            }
            Event::Moved { version, took, .. } => {
                noted.kind = sys::ECCP_PATH_MOVED;
                noted.version = version;
                noted.duration_us = took.0;
                noted.old = known[0];
                noted.new = path.local;
                known[0] = path.local;
            }
            Event::PathChanged { path, .. } => {
                noted.kind = sys::ECCP_PATH_PEER_MOVED;
                noted.version = versions[1];
                noted.old = known[1];
                noted.new = path.remote;
                known[1] = path.remote;
            }
            Event::Suspended { .. } => {
                noted.kind = sys::ECCP_PATH_SUSPENDED;
                noted.old = known[0];
            }
            Event::MoveFailed { to, why, .. } => {
                noted.kind = sys::ECCP_PATH_FAILED;
                noted.reason = reason::of_failure(why);
                noted.old = known[0];
                noted.new = to;
            }
            Event::Established { .. } | Event::FlowAdded { .. } => {
                noted.kind = sys::ECCP_PATH_FLOW_ADDED;
                noted.old = path.remote;
                noted.new = path.local;
                *known = [path.local, path.remote];
            }
            Event::Closed { reason: why, .. } => {
                noted.kind = sys::ECCP_PATH_FLOW_REMOVED;
                noted.reason = reason::of_close(why);
                noted.old = known[0];
            }
            Event::CarrierChanged { .. } => {
                noted.kind = sys::ECCP_PATH_ACTIVE;
                noted.old = path.remote;
                noted.new = path.local;
            }
            Event::Renamed { old, new, .. } => {
                noted.kind = sys::ECCP_PATH_RENAMED;
                noted.flow_id = new;
                noted.version = old;
            }
            Event::AddressGone { address, .. } => {
                noted.kind = sys::ECCP_PATH_ADDRESS_GONE;
                noted.old = address;
            }
            _ => return None,
        }
        Some(noted)
    }
}

/// The flow that an event for owners is about.
fn flow_of(event: &Event) -> Option<FlowIndex> {
    match *event {
        Event::Moving { flow, .. }
        | Event::Moved { flow, .. }
        | Event::PathChanged {
            flow,
            why: PathChange::PeerMoved,
            ..
        }
        | Event::Suspended { flow }
        | Event::MoveFailed { flow, .. }
        | Event::Established { flow, .. }
        | Event::FlowAdded { flow, .. }
        | Event::CarrierChanged { flow, .. }
        | Event::Renamed { flow, .. }
        | Event::Closed { flow, .. }
        | Event::AddressGone { flow, .. } => Some(flow),
        _ => None,
    }
}
