// SPDX-License-Identifier: GPL-2.0
//! What the module keeps for each network namespace.

use crate::kernel_objects::errno::EADDRINUSE;
use crate::{
    bundle::Bundle,
    connection::Connection,
    control::counters::{Count, Counters},
    flow::Flow,
    datapath::{router::Redirections, strangers::Strangers},
    kernel_objects::{
        crypto::{now, KernelHost},
        net::NetRef,
        work::{self, Work},
    },
    proto::{
        address::LocalAddress,
        host::Host,
        limit::TokenBucket,
        reset::ResetKey,
        rule::{Rule, MAX_RULES},
        service::Service,
        settings::Settings,
        time::Duration,
    },
    socket::{datagram::Peers, listener::Listener},
};
use kernel::{
    new_mutex,
    prelude::*,
    rbtree::RBTree,
    sync::{
        atomic::{Atomic, Full, Relaxed},
        Arc, Mutex,
    },
};

/// Settings of a namespace: those of the core, and limits over all its connections.
#[derive(Clone, Copy)]
pub(crate) struct Config {
    pub(crate) core: Settings,
    /// Most connections, draining ones included.
    pub(crate) max_connections: u32,
    /// Most connections whose set-up the client has not completed.
    pub(crate) max_half_open: u32,
    /// Most peers of a datagram socket that is not connected.
    pub(crate) max_datagram_peers: u32,
    /// How long such a socket keeps a peer that nothing passes to or from.
    pub(crate) datagram_idle: Duration,
    /// Set-ups in waiting from which on first SYNs are answered with cookies.
    pub(crate) cookie_threshold: u32,
    /// Stateless resets a second, and refusals a second; 0 is no limit.
    pub(crate) stranger_rate: u32,
    /// How long a packet size that was lowered because large packets vanished is kept.
    pub(crate) mtu_raise: Option<Duration>,
    /// How long an entry of the redirection cache lasts; zero: there is none.
    pub(crate) redirect: Duration,
}

impl Config {
    const DEFAULT: Self = Self {
        core: Settings::DEFAULT,
        max_connections: 65_536,
        max_half_open: 1024,
        max_datagram_peers: 1024,
        datagram_idle: Duration::from_secs(60),
        cookie_threshold: 128,
        stranger_rate: 100,
        mtu_raise: Some(Duration::from_secs(60)),
        redirect: Duration(0),
    };

    /// The defaults, with a reset key of its own.
    fn fresh() -> Self {
        let mut key = [0; 32];
        KernelHost::new().random(&mut key);
        let mut config = Self::DEFAULT;
        config.core.reset_key = ResetKey::new(key);
        config
    }
}

/// Ports that are given to sockets which ask for any, as the kernel's default range.
const EPHEMERAL: core::ops::RangeInclusive<u16> = 32_768..=60_999;

/// The rules for local addresses, in the order in which they are applied.
struct Rules {
    list: KVec<Rule>,
    next_id: u32,
}

impl Rules {
    fn new() -> Self {
        Self {
            list: KVec::new(),
            next_id: 1,
        }
    }

    fn add(&mut self, rule: Rule) -> Result<u32> {
        if self.list.len() >= MAX_RULES {
            return Err(ENOSPC);
        }
        let id = self.next_id;
        self.list.push(Rule { id, ..rule }, GFP_KERNEL)?;
        self.next_id = id.wrapping_add(1).max(1);
        Ok(id)
    }

    fn delete(&mut self, id: u32) -> bool {
        let before = self.list.len();
        self.list.retain(|rule| rule.id != id);
        self.list.len() < before
    }
}

/// A network namespace.
#[pin_data]
pub(crate) struct Net {
    pub(crate) raw: NetRef,
    pub(crate) counters: Counters,
    #[pin]
    config: Mutex<Config>,
    #[pin]
    listeners: Mutex<KVec<Arc<Listener>>>,
    /// The bundles that clients may join, by their IDs.
    #[pin]
    bundles: Mutex<RBTree<u64, Arc<Bundle>>>,
    #[pin]
    rules: Mutex<Rules>,
    /// Whether the UDP sockets are open.
    #[pin]
    udp: Mutex<bool>,
    connections: Atomic<i32>,
    half_open: Atomic<i32>,
    generation: Atomic<i32>,
    address_news: Atomic<i32>,
    /// Answers from process context to packets that belong to no connection.
    #[pin]
    refusals: Mutex<TokenBucket>,
    #[pin]
    pub(crate) strangers: Strangers,
    #[pin]
    pub(crate) redirections: Redirections,
}

impl Net {
    pub(crate) fn new(raw: NetRef) -> Result<Arc<Self>> {
        let initial = Config::fresh();
        let expiry = Work::new()?;
        let net = Arc::pin_init(
            pin_init!(Self {
                raw,
                counters: Counters::new(),
                config <- new_mutex!(initial, "eccp_config"),
                listeners <- new_mutex!(KVec::new(), "eccp_listeners"),
                bundles <- new_mutex!(RBTree::new(), "eccp_bundles"),
                rules <- new_mutex!(Rules::new(), "eccp_rules"),
                udp <- new_mutex!(false, "eccp_udp"),
                connections: Atomic::new(0),
                half_open: Atomic::new(0),
                generation: Atomic::new(0),
                address_news: Atomic::new(0),
                refusals <- new_mutex!(TokenBucket::new(initial.stranger_rate, now())),
                strangers <- Strangers::new(&initial),
                redirections <- Redirections::new(expiry),
            }),
            GFP_KERNEL,
        )?;
        net.redirections.own(&net);
        Ok(net)
    }

    pub(crate) fn config(&self) -> Config {
        *self.config.lock()
    }

    /// Changes the settings, for new connections and for those that exist. One change is made
    /// after another. Errors: those of `change`, and that the UDP port is taken; then nothing
    /// has changed.
    pub(crate) fn change_config(&self, change: impl FnOnce(&mut Config) -> Result) -> Result {
        let mut open = self.udp.lock();
        let old = self.config();
        let mut new = old;
        change(&mut new)?;
        if new.redirect.0 != 0 {
            self.redirections.apply(self, &new)?;
        }
        if *open && old.core.udp_port != new.core.udp_port {
            self.raw.close_udp();
            if let Err(e) = self.raw.open_udp(new.core.udp_port) {
                *open = self.raw.open_udp(old.core.udp_port).is_ok();
                // Memory is needed only where there was no cache, so this cannot fail.
                let _restored = self.redirections.apply(self, &old);
                return Err(e);
            }
        }
        self.redirections.apply(self, &new)?;
        *self.config.lock() = new;
        self.strangers.set(&new);
        if new.stranger_rate != old.stranger_rate {
            *self.refusals.lock() = TokenBucket::new(new.stranger_rate, now());
        }
        self.for_each_flow(|flow| flow.connection.set_settings(&new.core));
        Ok(())
    }

    /// Opens the UDP sockets when the namespace gets its first AF_ECCP socket.
    pub(crate) fn use_udp(&self) -> Result {
        let mut open = self.udp.lock();
        if !*open {
            self.raw.open_udp(self.config().core.udp_port)?;
            *open = true;
        }
        Ok(())
    }

    /// Calls `f` with every flow of the namespace.
    pub(crate) fn for_each_flow(&self, f: impl FnMut(Arc<Flow>)) {
        crate::flows().for_each(|flow| flow.connection.net.raw == self.raw, f);
    }

    /// Counts a new connection; `false` if the namespace has all that it may have.
    pub(crate) fn admit(&self) -> bool {
        let max = i32::try_from(self.config().max_connections).unwrap_or(i32::MAX);
        if self.connections.fetch_add(1, Relaxed) >= max {
            self.connections.fetch_add(-1, Relaxed);
            self.counters.add(Count::DROP_MAX_CONNECTIONS);
            return false;
        }
        self.changed();
        true
    }

    /// Counts a connection that is over.
    pub(crate) fn dismiss(&self) {
        self.connections.fetch_add(-1, Relaxed);
        self.changed();
    }

    /// Counts a half-open connection; `false` if there are too many.
    pub(crate) fn admit_half_open(&self) -> bool {
        let max = i32::try_from(self.config().max_half_open).unwrap_or(i32::MAX);
        if self.half_open.fetch_add(1, Relaxed) >= max {
            self.half_open.fetch_add(-1, Relaxed);
            self.counters.add(Count::DROP_HALF_OPEN);
            return false;
        }
        true
    }

    /// Number of half-open connections.
    pub(crate) fn half_open(&self) -> i32 {
        self.half_open.load(Relaxed)
    }

    /// A half-open connection opened or is over.
    pub(crate) fn dismiss_half_open(&self) {
        self.half_open.fetch_add(-1, Relaxed);
    }

    /// Whether a packet that belongs to no connection may be answered.
    pub(crate) fn may_answer_stranger(&self) -> bool {
        self.refusals.lock().take(now())
    }

    /// Number of connections, draining ones included.
    pub(crate) fn connections(&self) -> u32 {
        u32::try_from(self.connections.load(Relaxed)).unwrap_or(0)
    }

    /// The set of connections or flows is another one.
    pub(crate) fn changed(&self) {
        self.generation.fetch_add(1, Relaxed);
    }

    /// A number that differs after every change of the set of connections or flows.
    pub(crate) fn generation(&self) -> u32 {
        self.generation.load(Relaxed) as u32
    }

    /// Whether a live flow of the namespace sends to the flow ID `remote_id`.
    pub(crate) fn has_remote(&self, remote_id: u64) -> bool {
        self.flow_to(remote_id).is_some()
    }

    /// The local ID of the live flow that sends to the flow ID `remote_id`.
    pub(crate) fn flow_to(&self, remote_id: u64) -> Option<u64> {
        crate::remotes().flow(self.raw, remote_id)
    }

    /// The listener of a service for flows with an inner protocol.
    pub(crate) fn listener(&self, service: &Service, inner: u8) -> Option<Arc<Listener>> {
        let listeners = self.listeners.lock();
        listeners
            .iter()
            .find(|l| l.service == *service && l.inner() == inner)
            .cloned()
    }

    /// Reserves a service for a socket. A port of zero takes any free one. Errors: EADDRINUSE,
    /// ENOMEM. With `peers` it is one of datagrams; streams and datagrams do not get in each
    /// other's way.
    pub(crate) fn reserve(
        &self,
        service: Service,
        peers: Option<Arc<Peers>>,
    ) -> Result<Arc<Listener>> {
        let mut listeners = self.listeners.lock();
        let taken = |s: &Service| {
            listeners
                .iter()
                .any(|l| l.service == *s && l.peers.is_some() == peers.is_some())
        };
        let service = if service == Service::Port(0) {
            EPHEMERAL
                .map(Service::Port)
                .find(|s| !taken(s))
                .ok_or(EADDRINUSE)?
        } else if taken(&service) {
            return Err(EADDRINUSE);
        } else {
            service
        };
        let listener = Listener::new(service, peers)?;
        listeners.push(listener.clone(), GFP_KERNEL)?;
        Ok(listener)
    }

    /// Gives a service back.
    pub(crate) fn unreserve(&self, listener: &Arc<Listener>) {
        self.listeners.lock().retain(|l| !Arc::ptr_eq(l, listener));
    }

    /// Clients may join a bundle from now on. Errors: ENOMEM.
    pub(crate) fn add_bundle(&self, bundle: &Arc<Bundle>) -> Result {
        let mut bundles = self.bundles.lock();
        bundles.try_create_and_insert(bundle.id, bundle.clone(), GFP_KERNEL)?;
        Ok(())
    }

    /// Nobody may join a bundle any more.
    pub(crate) fn remove_bundle(&self, id: u64) {
        let removed = self.bundles.lock().remove(&id);
        drop(removed);
    }

    /// The bundle that a SYN names.
    pub(crate) fn bundle(&self, id: u64) -> Option<Arc<Bundle>> {
        self.bundles.lock().get(&id).cloned()
    }

    /// The addresses of the namespace that a path may start from. Errors: ENOMEM.
    pub(crate) fn addresses(&self) -> Result<KVec<LocalAddress>> {
        let rules = self.rules.lock();
        self.raw.addresses(&rules.list)
    }

    /// Adds a rule behind the others; its ID. Errors: ENOSPC when there are as many as there may
    /// be, ENOMEM.
    pub(crate) fn add_rule(&self, rule: Rule) -> Result<u32> {
        let id = self.rules.lock().add(rule)?;
        self.addresses_changed();
        Ok(id)
    }

    /// Takes a rule away; `false` when there is none of that ID.
    pub(crate) fn delete_rule(&self, id: u32) -> bool {
        let found = self.rules.lock().delete(id);
        if found {
            self.addresses_changed();
        }
        found
    }

    /// The rule at a position, in the order in which they are applied.
    pub(crate) fn rule_at(&self, at: usize) -> Option<Rule> {
        self.rules.lock().list.get(at).copied()
    }

    /// Has every connection look at which addresses there are now.
    pub(crate) fn addresses_changed(&self) {
        self.address_news.fetch_add(1, Full);
        self.for_each_flow(|flow| flow.connection.addresses_changed());
    }

    /// A number that differs after every change of the addresses that connections were told of.
    pub(crate) fn address_news(&self) -> u32 {
        self.address_news.load(Relaxed) as u32
    }

    /// Ends everything in a namespace that is going away.
    pub(crate) fn close(net: &Arc<Self>) {
        net.for_each_flow(|flow| Connection::end_with_namespace(&flow.connection));
        net.redirections.close(net);
        work::settle();
    }
}
