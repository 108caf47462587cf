// SPDX-License-Identifier: GPL-2.0
//! How members come and go: one for each interface that has a way to the peer.

use super::{Bundle, Joining, State};
use crate::{
    connection::{Connection, JoinTarget},
    control::counters::Count,
    flow::Flow,
    kernel_objects::{
        crypto::{now, KernelHost},
        endpoint::Tcp,
    },
    proto::{
        address::{LocalAddress, RemoteAddr, ADDRESS_BACKUP},
        auth::Role,
        bundle::{MemberIndex, MAX_MEMBERS},
        connection::SynKey,
        settings::MAX_REMOTES,
        time::Duration,
        wire::Packet,
    },
};
use kernel::{prelude::*, sync::Arc};

/// How long the client waits after an attempt that failed; twice as long each time, up to the last.
pub(super) const FIRST_PAUSE: Duration = Duration::from_secs(1);
const LAST_PAUSE: Duration = Duration::from_secs(64);

impl Bundle {
    /// The flow of a connection that is established becomes a member. With the lock held. False:
    /// the bundle is over, or has no room.
    pub(super) fn take_member(self: &Arc<Self>, state: &mut State, flow: &Arc<Flow>) -> bool {
        state.forget(&flow.connection);
        if state.over {
            return false;
        }
        let Some(index) = state.core.add_member() else {
            return false;
        };
        if let Some(slot) = state.members.get_mut(usize::from(index)) {
            *slot = Some(flow.clone());
        }
        state.closed &= !(1 << index);
        state.pause = FIRST_PAUSE;
        flow.endpoint().join(self);
        true
    }

    /// A connection that joins is established. Its lock is held.
    pub(crate) fn joined(self: &Arc<Self>, flow: &Arc<Flow>) -> bool {
        let taken = self.take_member(&mut self.state.lock(), flow);
        if taken {
            self.net.counters.add(Count::BUNDLE_JOINS);
            self.kick();
        }
        taken
    }

    /// The path of a member answers, or does not. The connection's lock is held.
    pub(crate) fn set_sound(self: &Arc<Self>, flow: &Arc<Flow>, sound: bool) {
        let mut state = self.state.lock();
        if let Some(index) = state.index_of(flow) {
            if state.closed & (1 << index) == 0 {
                state.core.set_sound(index, sound);
            }
            drop(state);
            self.kick();
        }
    }

    /// The endpoint of a member is done with, or about to be; `why` is told to the user if it was
    /// the last one. The connection's lock is held.
    pub(crate) fn member_gone(self: &Arc<Self>, flow: &Arc<Flow>, why: Error) {
        let mut state = self.state.lock();
        let Some(index) = state.index_of(flow) else {
            return;
        };
        self.read_last(&mut state, index, flow);
        flow.endpoint().leave();
        state.core.remove_member(index);
        if let Some(slot) = state.members.get_mut(usize::from(index)) {
            *slot = None;
        }
        self.net.counters.add(Count::BUNDLE_LEAVES);
        if state.members.iter().all(Option::is_none) {
            let complete = state.core.receiver.is_complete() && state.core.sender.is_done();
            self.end(&mut state, (!complete).then_some(why), false);
        } else {
            state.look_at = Some(now());
        }
        Self::wake(&state);
        drop(state);
        self.kick();
    }

    /// A connection that was to join is over. Its lock is held.
    pub(crate) fn attempt_failed(self: &Arc<Self>, connection: &Arc<Connection>) {
        let mut state = self.state.lock();
        if state.forget(connection) {
            let pause = state.pause;
            state.pause = Duration(pause.0.saturating_mul(2)).min(LAST_PAUSE);
            state.look_at = Some(now().after(pause));
            drop(state);
            self.kick();
        }
    }

    /// There may be other addresses than before.
    pub(crate) fn look_for_members(self: &Arc<Self>) {
        if self.role == Role::Client {
            let mut state = self.state.lock();
            state.pause = FIRST_PAUSE;
            state.look_at = Some(now());
            drop(state);
            self.kick();
        }
    }

    /// The end: closes all connections, or resets them. Without the lock.
    pub(super) fn dismiss_members(self: &Arc<Self>) {
        let mut state = self.state.lock();
        for index in 0..MAX_MEMBERS as MemberIndex {
            if !state.hard {
                state.core.take_leave(index);
                state.write(index);
            }
        }
        let hard = state.hard;
        let joining = core::mem::take(&mut state.joining);
        let all = !core::mem::replace(&mut state.closed, u8::MAX);
        let members = state.members_in(all);
        drop(state);
        for attempt in joining {
            attempt.connection.close_member(true);
        }
        for flow in members.into_iter().flatten() {
            flow.connection.close_member(hard);
        }
    }

    /// Lets go of the members that the peer has closed. Without the lock.
    pub(super) fn close_ended(self: &Arc<Self>) {
        let mut state = self.state.lock();
        let ended = core::mem::take(&mut state.ended) & !state.closed;
        state.closed |= ended;
        let members = state.members_in(ended);
        drop(state);
        for flow in members.into_iter().flatten() {
            flow.connection.close_member(false);
        }
    }

    /// Begins to connect from interfaces that no member uses. Without the lock.
    pub(super) fn find_members(self: &Arc<Self>) {
        if self.role != Role::Client {
            return;
        }
        let state = self.state.lock();
        let flows = state.members_in(u8::MAX);
        let mut used = KVec::new();
        let mut count = state.joining.len();
        let open = !state.over && !state.core.sender.is_ended();
        for attempt in &state.joining {
            let _ = used.push(attempt.from.ifindex, GFP_KERNEL);
        }
        drop(state);
        let Ok(addresses) = self.net.addresses() else {
            return;
        };
        let mut taken = KVec::new();
        let mut known = KVec::new();
        for flow in flows.iter().flatten() {
            let way = flow.connection.way();
            count += 1;
            for own in addresses.iter().filter(|a| a.addr == way.local.addr) {
                let _ = used.push(own.ifindex, GFP_KERNEL);
            }
            let _ = used.push(way.local.ifindex, GFP_KERNEL);
            let _ = taken.push(way.remote, GFP_KERNEL);
            for remote in &way.peer {
                if !known.contains(remote) {
                    let _ = known.push(*remote, GFP_KERNEL);
                }
            }
            if way.on_host_itself {
                return;
            }
        }
        let max = usize::from(self.net.config().core.max_flows).min(MAX_MEMBERS);
        for from in &addresses {
            let free = !used.contains(&from.ifindex) && from.flags & ADDRESS_BACKUP == 0;
            if !open || !free || count >= max {
                continue;
            }
            let remotes = self.remotes_from(from, &known, &taken);
            if !remotes.is_empty() && self.connect_from(from, &remotes).is_ok() {
                count += 1;
                let _ = used.push(from.ifindex, GFP_KERNEL);
            }
        }
    }

    /// Addresses of the peer that can be reached from a local one, those that no member uses first.
    fn remotes_from(
        &self,
        from: &LocalAddress,
        known: &[RemoteAddr],
        taken: &[RemoteAddr],
    ) -> KVec<RemoteAddr> {
        let mut list = KVec::new();
        for fresh in [true, false] {
            for remote in known {
                let wanted = taken.iter().any(|t| t.addr == remote.addr) != fresh
                    && remote.addr.family() == from.addr.family()
                    && list.len() < MAX_REMOTES;
                let reaches = |r: &RemoteAddr| {
                    let raw = self.net.raw;
                    raw.reaches(r.addr, from.addr, from.ifindex).is_ok()
                };
                if wanted && reaches(remote) {
                    let _ = list.push(*remote, GFP_KERNEL);
                }
            }
        }
        list
    }

    fn connect_from(self: &Arc<Self>, from: &LocalAddress, remotes: &[RemoteAddr]) -> Result {
        let target = JoinTarget {
            service: self.service,
            remotes,
            from,
            key: &self.key,
            secret: &self.secret,
            uid: self.uid,
        };
        let tcp = self.endpoint()?;
        let news = self.net.address_news();
        let connection = Connection::connect_member(&self.net, self, tcp, &target)?;
        let attempt = Joining {
            connection: connection.clone(),
            from: *from,
            syn: None,
        };
        self.keep_attempt(attempt);
        connection.begin_member(news);
        Ok(())
    }

    /// Remembers a connection that is being set up; one that cannot be remembered is closed.
    fn keep_attempt(&self, attempt: Joining) {
        let connection = attempt.connection.clone();
        let mut state = self.state.lock();
        let kept = !state.over && state.joining.push(attempt, GFP_KERNEL).is_ok();
        drop(state);
        if !kept {
            connection.close_member(true);
        }
    }

    /// A TCP endpoint with what the owner of the socket has set. Errors: ENOMEM.
    fn endpoint(&self) -> Result<Tcp> {
        let tcp = Tcp::new(self.net.raw)?;
        if let Some(user) = &self.state.lock().user {
            tcp.inherit(user);
        }
        Ok(tcp)
    }

    /// A first SYN that wants to join. Errors: the counter of the reason why it may not.
    pub(crate) fn admit(
        self: &Arc<Self>,
        packet: &Packet<'_>,
        accept: impl FnOnce(Tcp, u32, &[u8; 32]) -> core::result::Result<Arc<Connection>, Count>,
    ) -> core::result::Result<Option<Arc<Connection>>, Count> {
        if !self.key.admits(&KernelHost::new(), packet) {
            return Err(Count::DROP_JOIN);
        }
        let syn = SynKey::of(packet).ok_or(Count::DROP_JOIN)?;
        let max = usize::from(self.net.config().core.max_flows).min(MAX_MEMBERS);
        let state = self.state.lock();
        if let Some(known) = state.joining.iter().find(|j| j.syn == Some(syn)) {
            return Ok(Some(known.connection.clone()));
        }
        let count = state.joining.len() + state.members.iter().flatten().count();
        if state.over || count >= max {
            return Err(Count::DROP_JOIN);
        }
        drop(state);
        let news = self.net.address_news();
        let tcp = self.endpoint().map_err(|_| Count::DROP_NO_MEMORY)?;
        let connection = accept(tcp, self.uid, &self.secret)?;
        let attempt = Joining {
            connection: connection.clone(),
            from: LocalAddress::NONE,
            syn: Some(syn),
        };
        self.keep_attempt(attempt);
        connection.begin_member(news);
        Ok(None)
    }
}

impl State {
    fn index_of(&self, flow: &Arc<Flow>) -> Option<MemberIndex> {
        let is = |m: &Option<Arc<Flow>>| m.as_ref().is_some_and(|m| Arc::ptr_eq(m, flow));
        let at = self.members.iter().position(is)?;
        MemberIndex::try_from(at).ok()
    }

    /// The members of a set of bits.
    fn members_in(&self, bits: u8) -> [Option<Arc<Flow>>; MAX_MEMBERS] {
        core::array::from_fn(|at| {
            let wanted = bits & (1 << at) != 0;
            self.members.get(at).cloned().flatten().filter(|_| wanted)
        })
    }

    /// Takes a connection off those that are being set up; whether it was among them.
    fn forget(&mut self, connection: &Arc<Connection>) -> bool {
        let before = self.joining.len();
        self.joining
            .retain(|j| !Arc::ptr_eq(&j.connection, connection));
        self.joining.len() != before
    }
}
