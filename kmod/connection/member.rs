// SPDX-License-Identifier: GPL-2.0
//! Connections that are members of a bundle.

use super::{
    offer,
    state::{empty_core, Endpoint, State},
    Connection,
};
use crate::{
    bundle::{Bundle, Origin, Wish},
    control::counters::Count,
    flow::Flow,
    kernel_objects::{
        crypto::{now, KernelHost},
        endpoint::{Tcp, Transport},
        errno::{ECONNABORTED, ECONNRESET, EPROTONOSUPPORT},
    },
    netns::Net,
    proto::{
        address::{Bound, LocalAddress, RemoteAddr, RxInfo, ADDRESS_BACKUP},
        bundle::{join::JoinKey, Scheduler},
        connection::{Accept, Connect},
        service::Service,
        wire::{Packet, INNER_TCP},
    },
};
use kernel::{prelude::*, sync::Arc};

/// Value of a transport's mode: its stream may take several connections.
pub(super) const SEVERAL: u8 = 1;

/// What a connection that joins a bundle wants.
pub(crate) struct JoinTarget<'a> {
    pub(crate) service: Service,
    pub(crate) remotes: &'a [RemoteAddr],
    pub(crate) from: &'a LocalAddress,
    pub(crate) key: &'a JoinKey,
    pub(crate) secret: &'a [u8; 32],
    pub(crate) uid: u32,
}

/// Where a member's data goes, and where else the peer is.
pub(crate) struct Way {
    pub(crate) local: LocalAddress,
    pub(crate) remote: RemoteAddr,
    pub(crate) peer: KVec<RemoteAddr>,
    pub(crate) on_host_itself: bool,
}

impl Connection {
    /// Begins to join a bundle; [`Connection::begin_member`] sends the SYN. Errors: EAGAIN when
    /// the namespace has all the connections that it may have, ENOMEM.
    pub(crate) fn connect_member(
        net: &Arc<Net>,
        bundle: &Arc<Bundle>,
        tcp: Tcp,
        target: &JoinTarget<'_>,
    ) -> Result<Arc<Self>> {
        let core = empty_core()?;
        let (local, transport) = offer(Some(&tcp), true, 0);
        let mut state = State::new(core, Some(tcp), local);
        let addresses = net.addresses()?;
        let request = Connect {
            service: target.service,
            inner: INNER_TCP,
            remotes: target.remotes,
            local: &addresses,
            bound: Bound {
                addr: target.from.addr,
                ifindex: target.from.ifindex,
            },
            transport,
            psk: Some(target.secret),
        };
        let index = state.core.connect_member(
            &mut KernelHost::new(),
            &net.config().core,
            &request,
            Some(target.key),
        );
        state.with_psk = true;
        state.bundle = Some(bundle.clone());
        Self::register(net, target.uid, index, state)
    }

    /// Answers a first SYN that joins a bundle; [`Connection::begin_member`] sends the answer.
    /// Errors: the counter of the reason why not.
    pub(crate) fn accept_member(
        net: &Arc<Net>,
        bundle: &Arc<Bundle>,
        packet: &Packet<'_>,
        rx: &RxInfo,
    ) -> core::result::Result<Option<Arc<Self>>, Count> {
        let no_memory = |_| Count::DROP_NO_MEMORY;
        let mut counted = false;
        let admitted = bundle.admit(packet, |tcp, uid, secret| {
            if !net.admit_half_open() {
                counted = true;
                return Err(Count::DROP_HALF_OPEN);
            }
            let made = empty_core().map_err(no_memory).and_then(|core| {
                let (local, transport) = offer(Some(&tcp), false, 0);
                let mut state = State::new(core, Some(tcp), local);
                let addresses = net.addresses().map_err(no_memory)?;
                let request = Accept {
                    local: &addresses,
                    transport,
                    psk: Some(secret),
                };
                let settings = net.config().core;
                let host = &mut KernelHost::new();
                let index = state.core.accept(host, &settings, packet, rx, &request)?;
                state.with_psk = true;
                state.half_open = true;
                state.bundle = Some(bundle.clone());
                Self::register(net, uid, index, state).map_err(no_memory)
            });
            made.inspect_err(|_| net.dismiss_half_open())
        });
        match counted {
            true => Ok(None),
            false => admitted,
        }
    }

    /// Sends what a connection that joins has to send first. `news` is what the namespace's count
    /// was before its addresses were read.
    pub(crate) fn begin_member(self: &Arc<Self>, news: u32) {
        let mut state = self.state.lock();
        if !state.finished {
            self.drive(&mut state, &mut KernelHost::new());
        }
        drop(state);
        self.catch_up(news);
    }

    /// Whether both ends want the stream to take several connections. Errors: EPROTONOSUPPORT when the owner insists and the peer refuses.
    pub(super) fn agree_on_bundle(state: &State, remote: &Transport) -> Result<bool> {
        let agreed = state.bundle.is_none()
            && state.local.several & SEVERAL != 0
            && remote.several & SEVERAL != 0;
        match state.wish.required && state.bundle.is_none() && !agreed {
            true => Err(EPROTONOSUPPORT),
            false => Ok(agreed),
        }
    }

    /// The endpoint of `flow` is the first of a bundle.
    pub(super) fn begin_bundle(state: &mut State, net: &Arc<Net>, flow: &Arc<Flow>) -> Result {
        let user = state.user.clone();
        let listener = state.listener.as_ref().and_then(|l| l.user());
        let sizes = user.as_ref().or(listener.as_ref()).ok_or(ECONNABORTED)?;
        let key = state.core.join_key(&KernelHost::new()).ok_or(EINVAL)?;
        let origin = Origin {
            net,
            key,
            role: state.core.role(),
            service: *state.core.service(),
            uid: flow.connection.uid,
            scheduler: state.wish.scheduler.unwrap_or_default(),
            sizes,
            user: user.clone(),
        };
        state.bundle = Some(Bundle::begin(origin, flow)?);
        Ok(())
    }

    /// The bundle that the connection is a member of.
    pub(crate) fn bundle(&self) -> Option<Arc<Bundle>> {
        self.state.lock().bundle.clone()
    }

    /// How the stream uses paths, once that is decided: with which scheduler several, or one.
    pub(crate) fn mode(&self) -> Option<Option<Scheduler>> {
        let state = self.state.lock();
        if state.endpoint == Endpoint::Waiting {
            return None;
        }
        let several = state.bundle.is_some();
        Some(several.then(|| state.wish.scheduler.unwrap_or_default()))
    }

    /// What the owner of the socket wants of the stream.
    pub(super) fn mode_of(wish: Wish) -> u8 {
        match wish.scheduler {
            Some(_) => SEVERAL,
            None => 0,
        }
    }

    /// The bundle is done with this member.
    pub(crate) fn close_member(self: &Arc<Self>, hard: bool) {
        let mut state = self.state.lock();
        if state.finished {
            return;
        }
        let mut host = KernelHost::new();
        match (state.endpoint, state.flow.clone()) {
            (Endpoint::Adopted, Some(flow)) => {
                match hard {
                    true => flow.endpoint().abort(ECONNRESET),
                    false => flow.endpoint().finish_sending(),
                }
                state.look_at = Some(now().after(super::close::FIN_WAIT));
            }
            (Endpoint::Waiting, _) => self.abort(&mut state, &mut host, ECONNABORTED),
            _ => {}
        }
        self.look_after(&mut state, &mut host);
        self.drive(&mut state, &mut host);
    }

    /// The socket is closed; the bundle, which is told before, looks after the endpoint.
    pub(crate) fn leave_to_bundle(self: &Arc<Self>) {
        let mut state = self.state.lock();
        state.user = None;
        let mut host = KernelHost::new();
        self.look_after(&mut state, &mut host);
        if !state.finished {
            self.drive(&mut state, &mut host);
        }
    }

    /// Tells the bundle whether the path of this member answers.
    pub(super) fn tell_bundle(&self, state: &mut State) {
        let (Some(bundle), Some(flow)) = (&state.bundle, &state.flow) else {
            return;
        };
        let carrier = state.core.carrying_flow();
        let sound = state.core.carrier().is_some() && !state.core.path_in_trouble(carrier);
        if sound != state.sound && state.endpoint == Endpoint::Adopted {
            state.sound = sound;
            bundle.set_sound(flow, sound);
        }
    }

    /// The endpoint is done with; the bundle takes what is left in it.
    pub(super) fn leave_bundle(self: &Arc<Self>, state: &State, why: Error) {
        let Some(bundle) = &state.bundle else {
            return;
        };
        match &state.flow {
            Some(flow) if state.endpoint == Endpoint::Adopted => bundle.member_gone(flow, why),
            _ => bundle.attempt_failed(self),
        }
    }

    /// Where the data goes.
    pub(crate) fn way(&self) -> Way {
        let state = self.state.lock();
        let mut way = Way {
            local: LocalAddress::NONE,
            remote: RemoteAddr::default(),
            peer: KVec::new(),
            on_host_itself: state.on_host_itself(),
        };
        if let Some(flow) = state.core.flow(state.core.carrying_flow()) {
            let path = flow.path();
            way.local.addr = path.local;
            way.local.ifindex = path.ifindex;
            way.remote = RemoteAddr {
                addr: path.remote,
                port: path.remote_port,
            };
        }
        let listed = state.core.remote_ilist().entries().iter();
        let listed = listed.filter(|entry| entry.flags & ADDRESS_BACKUP == 0);
        let listed = listed.map(|entry| RemoteAddr {
            addr: entry.addr,
            port: entry.port,
        });
        // Without memory there are fewer to try.
        for remote in listed {
            let _ = way.peer.push(remote, GFP_KERNEL);
        }
        let _ = way.peer.push(way.remote, GFP_KERNEL);
        way
    }
}
