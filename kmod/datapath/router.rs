// SPDX-License-Identifier: GPL-2.0
//! This host as a router with a redirection cache (docs/redirection.md). RSYNs are looked up where
//! they pass, in softirq; what movers ask and tell waits for process context.

use crate::{
    control::{
        counters::Count,
        notify::{self, reason},
    },
    kernel_objects::{
        crypto::{now, KernelHost},
        bh_lock::BhLock,
        endpoint::send_in_name,
        net::Queue,
        skb::{Kind, Skb},
        work::{Task, Work},
    },
    netns::{Config, Net},
    proto::{
        address::{IpAddr128, RxInfo},
        event::Discard,
        limit::TokenBucket,
        router::{is_redirect, Cache, PassingRsyn, Redirect, Refusal, Router, PLACES},
        time::Duration,
        wire::{Packet, RedirectStep, CONTROL_LEN, MAX_CONTROL},
    },
};
use kernel::{prelude::*, sync::Arc};

/// Most requests of movers that are answered in a second.
const REQUESTS: u32 = 1000;
/// Most of them that wait.
const MAX_WAITING: u32 = 1024;

struct State {
    router: Router,
    /// Empty while there is no cache.
    slots: KVVec<Option<Redirect>>,
    lasts: Duration,
    limit: TokenBucket,
    /// The namespace is going away.
    closed: bool,
}

impl State {
    fn cache(&mut self) -> Cache<'_> {
        Cache::new(&self.router, &mut self.slots)
    }
}

/// The redirection cache of a namespace.
#[pin_data]
pub(crate) struct Redirections {
    #[pin]
    state: BhLock<State>,
    /// Runs when the next entry has lasted long enough.
    expiry: Work,
}

/// What becomes of a packet that passes through.
pub(crate) enum Verdict {
    Passes(Skb),
    SendsOn(Skb, IpAddr128),
    Takes,
}

impl Redirections {
    pub(crate) fn new(expiry: Work) -> impl PinInit<Self> {
        let state = State {
            router: Router::new(&mut KernelHost::new()),
            slots: KVVec::new(),
            lasts: Duration(0),
            limit: TokenBucket::new(REQUESTS, now()),
            closed: false,
        };
        pin_init!(Self {
            state <- BhLock::new(state),
            expiry,
        })
    }

    /// Names the namespace that the cache belongs to, once.
    pub(crate) fn own(&self, net: &Arc<Net>) {
        self.expiry.own(net, Task::Redirects);
    }

    /// Forgets everything: the namespace is going away.
    pub(crate) fn close(&self, net: &Arc<Net>) {
        let old = self.state.with(|state| {
            state.closed = true;
            core::mem::replace(&mut state.slots, KVVec::new())
        });
        drop(old);
        self.expiry.disarm(net);
    }

    /// Takes over what is being set. Errors: ENOMEM, and nothing has changed.
    pub(crate) fn apply(&self, net: &Net, config: &Config) -> Result {
        let lasts = config.redirect;
        let wanted = lasts.0 != 0;
        let have = self.state.with(|state| !state.slots.is_empty());
        let mut slots = KVVec::new();
        if wanted && !have {
            slots = KVVec::with_capacity(PLACES, GFP_KERNEL)?;
            for _ in 0..PLACES {
                slots.push(None, GFP_KERNEL)?;
            }
        }
        let port = wanted.then_some(config.core.udp_port);
        net.raw.look_at_passing(port)?;
        let old = self.state.with(|state| {
            state.lasts = lasts;
            match wanted && have {
                true => KVVec::new(),
                false => core::mem::replace(&mut state.slots, slots),
            }
        });
        for entry in old.iter().flatten() {
            notify::redirect_removed(net, entry, reason::COMMAND);
        }
        Ok(())
    }

    /// Forgets what has lasted long enough, and plans to do so again.
    pub(crate) fn expire(&self, net: &Arc<Net>) {
        self.sweep(net);
        self.plan(net);
    }

    /// Forgets what has lasted long enough, counts it and tells of it.
    pub(crate) fn sweep(&self, net: &Net) {
        let mut at = 0;
        while let Some((found, entry)) = self.state.with(|state| state.cache().take_expired(at, now())) {
            net.counters.add(Count::REDIRECT_EXPIRED);
            notify::redirect_removed(net, &entry, reason::EXPIRED);
            at = found + 1;
        }
    }

    /// Has the work run when the next entry has lasted long enough.
    fn plan(&self, net: &Arc<Net>) {
        // Under the lock, so that nothing is planned any more once the namespace is closed.
        self.state.with(|state| {
            let end = state.cache().next_end().filter(|_| !state.closed);
            if let Some(end) = end {
                self.expiry.arm(net, end.since(now()).0);
            }
        });
    }

    /// The entry at a position or behind it, and its position.
    pub(crate) fn entry(&self, net: &Net, at: usize) -> Option<(usize, Redirect)> {
        self.sweep(net);
        let next = |state: &mut State| state.cache().next(at).map(|(at, entry)| (at, *entry));
        self.state.with(next)
    }

    /// How long an entry lasts of which nobody says otherwise; `None` without a cache.
    pub(crate) fn lasts(&self) -> Option<Duration> {
        let lasts = self.state.with(|state| state.lasts);
        (lasts.0 != 0).then_some(lasts)
    }

    /// Makes an entry of the operator. Errors: there is no room.
    pub(crate) fn set(&self, net: &Arc<Net>, entry: Redirect) -> core::result::Result<(), Refusal> {
        self.sweep(net);
        self.state.with(|state| state.cache().set(entry))?;
        notify::redirect_added(net, &entry);
        self.plan(net);
        Ok(())
    }

    /// Takes the entries for an address away, or that of one flow; how many there were.
    pub(crate) fn remove(&self, net: &Net, old: &IpAddr128, flow: Option<u64>) -> usize {
        self.sweep(net);
        let (mut at, mut count) = (0, 0);
        while let Some((found, entry)) = self.state.with(|state| state.cache().take_for(at, old, flow)) {
            notify::redirect_removed(net, &entry, reason::COMMAND);
            (at, count) = (found + 1, count + 1);
        }
        count
    }
}

/// Looks at a packet that passes through. Runs in softirq.
pub(crate) fn look(skb: Skb, kind: Kind) -> Verdict {
    let net = skb.net();
    let mut buf = [0; CONTROL_LEN];
    let start = skb.copy_start(&mut buf);
    let rsyn = PassingRsyn::read(start);
    if rsyn.is_none() && !is_redirect(start) {
        return Verdict::Passes(skb);
    }
    let mut skb = Some(skb);
    let verdict = net.with_state(|state| {
        let skb = skb.take()?;
        Some(match rsyn {
            Some(rsyn) => rsyn_passes(state, skb, kind, &rsyn),
            None => redirect_passes(state, skb, kind),
        })
    });
    match (verdict.flatten(), skb) {
        (Some(verdict), _) => verdict,
        (None, Some(skb)) => Verdict::Passes(skb),
        (None, None) => Verdict::Takes,
    }
}

fn rsyn_passes(net: &Net, skb: Skb, kind: Kind, rsyn: &PassingRsyn) -> Verdict {
    let rx = super::origin(&skb, kind);
    let (home, to) = net.redirections.state.with(|state| {
        let mut cache = state.cache();
        let home = cache.withdraw(&rx.remote, rsyn);
        (home, cache.find(rsyn.receiver, &rx.local, now()))
    });
    if let Some(entry) = home {
        net.counters.add(Count::REDIRECT_WITHDRAWN);
        notify::redirect_returned(net, &entry);
    }
    match to {
        Some(to) => {
            net.counters.add(Count::REDIRECT_HITS);
            Verdict::SendsOn(skb, to)
        }
        None => Verdict::Passes(skb),
    }
}

/// A REDIRECT is taken if it is for this router. What is broken goes on: it is not.
fn redirect_passes(net: &Net, skb: Skb, kind: Kind) -> Verdict {
    let mut buf = [0; MAX_CONTROL];
    let Ok(packet) = Packet::parse(skb.copy_start(&mut buf)) else {
        return Verdict::Passes(skb);
    };
    let router = net.redirections.state.with(|state| state.router);
    if !router.wants(&packet, || skb.is_of_neighbour(kind)) {
        return Verdict::Passes(skb);
    }
    let kind = kind.passing_through();
    if !net.raw.queue_control(skb, kind, Queue::Opening, MAX_WAITING) {
        net.counters.add(Count::DROP_CONTROL_QUEUE);
    }
    Verdict::Takes
}

/// What a mover asked or told this router. Errors: the counter of why it was not obeyed.
pub(crate) fn take(net: &Arc<Net>, skb: &Skb, kind: Kind) -> core::result::Result<(), Count> {
    let rx = super::origin(skb, kind);
    let mut buf = [0; MAX_CONTROL];
    let packet = Packet::parse(skb.copy_start(&mut buf)).map_err(Discard::from)?;
    let router = net.redirections.state.with(|state| {
        let may = state.limit.take(now());
        may.then_some(state.router)
    });
    let router = router.ok_or(Count::REDIRECT_LIMITED)?;
    let asks = packet
        .message()
        .redirect
        .is_some_and(|redirect| redirect.step == RedirectStep::Ask);
    let mut out = [0; MAX_CONTROL];
    let len = match asks {
        true => router.ticket(&KernelHost::new(), &packet, &rx, &mut out),
        false => obey(net, &router, &packet, &rx, &mut out)?,
    };
    let answer = len.and_then(|len| out.get(..len)).ok_or(Discard::WrongState)?;
    // As the packets of the connection go: firewalls on the way know of no others.
    let mut path = rx.reply_path();
    path.ifindex = 0;
    send_in_name(net.raw, &path, answer).map_err(|_| Count::DROP_NO_ROUTE)?;
    net.counters.add(Count::TX_CONTROL);
    if asks {
        net.counters.add(Count::REDIRECT_ISSUED);
    }
    Ok(())
}

fn obey(
    net: &Arc<Net>,
    router: &Router,
    packet: &Packet<'_>,
    rx: &RxInfo,
    out: &mut [u8],
) -> core::result::Result<Option<usize>, Count> {
    let host = KernelHost::new();
    let lasts = net.redirections.lasts().ok_or(Discard::Unsupported)?;
    net.redirections.sweep(net);
    let entry = router
        .check(&host, packet, rx, now().after(lasts))
        .map_err(count_of)?;
    let learnt = net
        .redirections
        .state
        .with(|state| state.cache().learn(entry, now()));
    let lasts = match learnt {
        Ok(new) => {
            if new {
                net.counters.add(Count::REDIRECT_LEARNT);
                notify::redirect_added(net, &entry);
            }
            net.redirections.plan(net);
            lasts
        }
        // The mover is told.
        Err(Refusal::Full) => {
            net.counters.add(Count::REDIRECT_FULL);
            Duration(0)
        }
        Err(refusal) => return Err(count_of(refusal)),
    };
    Ok(router.told(&host, packet, rx, lasts, out))
}

fn count_of(refusal: Refusal) -> Count {
    match refusal {
        Refusal::NotOurs | Refusal::Forged => Count::REDIRECT_FORGED,
        Refusal::Misplaced => Count::REDIRECT_MISPLACED,
        Refusal::Stale => Count::REDIRECT_STALE,
        Refusal::Full => Count::REDIRECT_FULL,
    }
}
