// SPDX-License-Identifier: GPL-2.0
//! Bundles: streams that take several connections at once (docs/aggregation.md).
//!
//! `pump` moves bytes between rings and members, `user` serves system calls, `join` makes and
//! takes members. Locks: a connection's may be held when a bundle's is taken, never the other way;
//! what a bundle does to its connections it does without its own lock.

mod join;
mod pump;
mod user;

use crate::{
    connection::Connection,
    flow::Flow,
    kernel_objects::{
        crypto::{now, KernelHost},
        errno::ECONNRESET,
        outer::Outer,
        work::{Task, Work},
    },
    netns::Net,
    proto::{
        address::LocalAddress,
        auth::Role,
        bundle::{join::JoinKey, Bundle as Core, Scheduler, MAX_MEMBERS},
        connection::SynKey,
        service::Service,
        time::{Duration, Instant},
    },
};
use kernel::{
    new_mutex,
    prelude::*,
    sync::{
        atomic::{Acquire, Atomic, Release},
        Arc, Mutex,
    },
};

/// How long a closed bundle waits for the end of the peer's stream once its own is acknowledged.
const END_WAIT: Duration = Duration::from_secs(60);

/// What the owner of a socket wants of its stream.
#[derive(Clone, Copy, Default)]
pub(crate) struct Wish {
    /// `None`: one path at a time.
    pub(crate) scheduler: Option<Scheduler>,
    /// Without the peer's consent there is no connection.
    pub(crate) required: bool,
}

/// A connection that is being set up for the bundle.
struct Joining {
    connection: Arc<Connection>,
    /// Where the client's begins; at the server what names its SYN.
    from: LocalAddress,
    syn: Option<SynKey>,
}

/// What a bundle's lock guards.
struct State {
    core: KBox<Core>,
    /// What is sent and not acknowledged, and what is received and not read: number `n` of a
    /// stream has the place `n` modulo the length.
    send: KVVec<u8>,
    receive: KVVec<u8>,
    members: [Option<Arc<Flow>>; MAX_MEMBERS],
    joining: KVec<Joining>,
    /// The AF_ECCP socket, while it is open and accepted.
    user: Option<Outer>,
    /// As bits: members that the peer has closed, and those that are being closed.
    ended: u8,
    closed: u8,
    /// The socket is closed: whatever comes is too much.
    deserted: bool,
    /// Nobody reads any more, as shutdown() says.
    deaf: bool,
    /// The end: nothing is sent or received, and members are let go.
    over: bool,
    /// Members are reset, not closed.
    hard: bool,
    /// Why it ended before its time, for the user.
    error: Option<Error>,
    /// Somebody waits for room to send.
    wants_room: bool,
    /// When a closed bundle gives up.
    give_up_at: Option<Instant>,
    /// When members are looked for again, and how long the next pause is.
    look_at: Option<Instant>,
    pause: Duration,
}

/// One stream in each direction over several connections.
#[pin_data]
pub(crate) struct Bundle {
    /// What names it in SYNs.
    pub(crate) id: u64,
    net: Arc<Net>,
    key: JoinKey,
    secret: [u8; 32],
    role: Role,
    service: Service,
    uid: u32,
    work: Work,
    kicked: Atomic<bool>,
    #[pin]
    state: Mutex<State>,
    /// Who copies to user space, which may take long.
    #[pin]
    reading: Mutex<()>,
}

/// What a bundle takes from its first member.
pub(crate) struct Origin<'a> {
    pub(crate) net: &'a Arc<Net>,
    pub(crate) key: JoinKey,
    pub(crate) role: Role,
    pub(crate) service: Service,
    pub(crate) uid: u32,
    pub(crate) scheduler: Scheduler,
    /// The socket, or the listener that it will be accepted from.
    pub(crate) sizes: &'a Outer,
    /// The socket, if there is one yet.
    pub(crate) user: Option<Outer>,
}

impl Bundle {
    /// A bundle whose first member is `flow`. Errors: ENOMEM.
    pub(crate) fn begin(origin: Origin<'_>, flow: &Arc<Flow>) -> Result<Arc<Self>> {
        let host = KernelHost::new();
        let flags = GFP_KERNEL_ACCOUNT;
        let send = KVVec::from_elem(0u8, origin.sizes.ring_len(false), flags)?;
        let receive = KVVec::from_elem(0u8, origin.sizes.ring_len(true), flags)?;
        let mut core = KBox::write(KBox::<Core>::new_uninit(GFP_KERNEL)?, Core::EMPTY);
        core.open(origin.scheduler, receive.len() as u64);
        let state = State {
            core,
            send,
            receive,
            members: [const { None }; MAX_MEMBERS],
            joining: KVec::new(),
            user: origin.user,
            ended: 0,
            closed: 0,
            deserted: false,
            deaf: false,
            over: false,
            hard: false,
            error: None,
            wants_room: false,
            give_up_at: None,
            look_at: None,
            pause: join::FIRST_PAUSE,
        };
        let work = Work::new()?;
        let bundle = Arc::pin_init(
            pin_init!(Self {
                id: origin.key.id(&host),
                net: origin.net.clone(),
                secret: origin.key.member_secret(&host),
                key: origin.key,
                role: origin.role,
                service: origin.service,
                uid: origin.uid,
                work,
                kicked: Atomic::new(false),
                state <- new_mutex!(state, "eccp_bundle"),
                reading <- new_mutex!((), "eccp_bundle_reading"),
            }),
            GFP_KERNEL,
        )?;
        bundle.work.own(&bundle, Task::Bundle);
        if bundle.role == Role::Server {
            bundle.net.add_bundle(&bundle)?;
        }
        bundle.take_member(&mut bundle.state.lock(), flow);
        bundle.look_for_members();
        Ok(bundle)
    }

    /// Runs the bundle's work soon. May be called in softirq.
    pub(crate) fn kick(self: &Arc<Self>) {
        if !self.kicked.load(Acquire) {
            self.kicked.store(true, Release);
            self.work.arm(self, 0);
        }
    }

    /// What members have brought, timers, and what was left to do.
    pub(crate) fn run(self: Arc<Self>) {
        self.kicked.store(false, Release);
        let mut state = self.state.lock();
        self.read_members(&mut state);
        self.write_members(&mut state);
        self.judge(&mut state);
        let look = !state.over && state.look_at.is_some_and(|at| at <= now());
        if look {
            state.look_at = None;
        }
        self.plan(&state);
        let (leaving, ended) = (state.over, state.ended != 0);
        drop(state);
        if ended {
            self.close_ended();
        }
        if leaving {
            self.dismiss_members();
        } else if look {
            self.find_members();
        }
    }

    /// Sets the timer. With the lock held.
    fn plan(self: &Arc<Self>, state: &State) {
        if state.over {
            return;
        }
        let due = [
            state.core.poll_timeout(now()),
            state.give_up_at,
            state.look_at,
        ];
        if let Some(at) = due.into_iter().flatten().min() {
            self.work.arm(self, at.since(now()).0);
        }
        // A kick may have come before the plan, which would postpone it; and nobody else notices
        // the end.
        if self.kicked.load(Acquire) || state.core.is_over() {
            self.work.arm(self, 0);
        }
    }

    /// Sees whether the bundle is at its end.
    fn judge(self: &Arc<Self>, state: &mut State) {
        if state.over {
            return;
        }
        let (_, readable) = state.core.receiver.readable();
        if state.core.is_over() {
            self.end(state, None, false);
        } else if state.deserted && readable > 0 {
            // As TCP: nobody will ever read what came.
            self.end(state, Some(ECONNRESET), true);
        } else if state.deserted && state.core.sender.is_done() {
            let at = *state.give_up_at.get_or_insert(now().after(END_WAIT));
            if at <= now() {
                self.end(state, Some(ETIMEDOUT), true);
            }
        }
    }

    /// The end, whatever is left to send: members are let go by the work. With the lock held.
    fn end(self: &Arc<Self>, state: &mut State, error: Option<Error>, hard: bool) {
        if state.over {
            return;
        }
        state.over = true;
        state.hard = hard;
        state.error = error;
        if let (Some(user), Some(error)) = (&state.user, error) {
            user.set_error(error);
        }
        Self::wake(state);
        if self.role == Role::Server {
            self.net.remove_bundle(self.id);
        }
        self.work.arm(self, 0);
    }

    fn wake(state: &State) {
        if let Some(user) = &state.user {
            user.wake();
        }
    }

    /// The number of members, for those who show it.
    pub(crate) fn members(&self) -> u32 {
        let state = self.state.lock();
        state.members.iter().flatten().count() as u32
    }
}
