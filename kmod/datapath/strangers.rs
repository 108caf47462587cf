// SPDX-License-Identifier: GPL-2.0
//! Answers to packets that belong to no connection, in softirq, where whoever floods a host pays
//! for them: cookies for first SYNs under load, stateless resets for flows that nobody has.

use crate::{
    control::counters::Count,
    kernel_objects::{
        bh_lock::BhLock,
        crypto::{now, KernelHost},
        endpoint::send_answer,
        net::{NetRef, Queue},
        skb::{Kind, Skb},
    },
    netns::{Config, Net},
    proto::{
        cookie::Cookies,
        event::Discard,
        limit::TokenBucket,
        reset::ResetKey,
        wire::{Packet, CONTROL_LEN, MAX_CONTROL},
    },
};
use kernel::{
    prelude::*,
    sync::atomic::{Atomic, Relaxed},
};

/// Longest answer to a stranger, in bytes.
const MAX_ANSWER: usize = 96;

struct Resets {
    key: ResetKey,
    /// The setting `stranger-rate`.
    rate: u32,
    limit: TokenBucket,
}

/// What a namespace needs for its answers.
#[pin_data]
pub(crate) struct Strangers {
    #[pin]
    cookies: BhLock<Cookies>,
    #[pin]
    resets: BhLock<Resets>,
    /// The setting `cookie-threshold`.
    threshold: Atomic<i32>,
}

impl Strangers {
    pub(crate) fn new(config: &Config) -> impl PinInit<Self> {
        let resets = Resets {
            key: config.core.reset_key,
            rate: config.stranger_rate,
            limit: TokenBucket::new(config.stranger_rate, now()),
        };
        let threshold = signed(config.cookie_threshold);
        pin_init!(Self {
            cookies <- BhLock::new(Cookies::NEW),
            resets <- BhLock::new(resets),
            threshold: Atomic::new(threshold),
        })
    }

    /// Takes over what has been set.
    pub(crate) fn set(&self, config: &Config) {
        self.resets.with(|resets| {
            resets.key = config.core.reset_key;
            if resets.rate != config.stranger_rate {
                resets.rate = config.stranger_rate;
                resets.limit = TokenBucket::new(config.stranger_rate, now());
            }
        });
        self.threshold
            .store(signed(config.cookie_threshold), Relaxed);
    }

    /// Whether as many set-ups wait that first SYNs have to prove their source.
    fn demands_proof(&self, waiting: i32) -> bool {
        waiting >= self.threshold.load(Relaxed)
    }
}

fn signed(number: u32) -> i32 {
    i32::try_from(number).unwrap_or(i32::MAX)
}

/// Which queue a first SYN goes to; `None` if it was answered with a cookie instead. Errors: the
/// counter of the reason why neither.
pub(crate) fn admit_syn(
    net: NetRef,
    state: &Net,
    skb: &Skb,
    kind: Kind,
) -> core::result::Result<Option<Queue>, Count> {
    // Those that have not been looked at count as well, or a burst would be past before the
    // first of them is kept.
    let waiting = state.half_open().saturating_add(net.waiting_syns());
    if !state.strangers.demands_proof(waiting) {
        return Ok(Some(Queue::Opening));
    }
    let rx = super::origin(skb, kind);
    let mut buf = [0; MAX_CONTROL];
    let packet = Packet::parse(skb.copy_start(&mut buf)).map_err(Discard::from)?;
    let mut host = KernelHost::new();
    let keys = state.strangers.cookies.with(|cookies| cookies.keys(&mut host));
    if keys.proves(&host, &packet, &rx) {
        state.counters.add(Count::COOKIES_ACCEPTED);
        return Ok(Some(Queue::Proven));
    }
    if packet.message().cookie.is_some() {
        state.counters.add(Count::DROP_BAD_COOKIE);
    }
    let mut out = [0; MAX_ANSWER];
    let len = keys.answer(&host, &packet, &rx, &mut out).unwrap_or(0);
    send_answer(net, &rx.reply_path(), out.get(..len).unwrap_or(&[]))
        .map_err(|_| Count::DROP_NO_ROUTE)?;
    state.counters.add(Count::COOKIES_SENT);
    Ok(None)
}

/// Proves to the sender of a packet that the flow which it is for is not known here.
pub(crate) fn reset(net: NetRef, state: &Net, skb: &Skb, kind: Kind) {
    let mut buf = [0; CONTROL_LEN];
    let start = skb.copy_start(&mut buf);
    let host = KernelHost::new();
    let key = state.strangers.resets.with(|resets| {
        let may = resets.limit.take(now());
        may.then_some(resets.key)
    });
    let Some(key) = key else {
        state.counters.add(Count::RESETS_WITHHELD);
        return;
    };
    let mut out = [0; MAX_ANSWER];
    let Some(len) = key.answer(&host, start, skb.len(), &mut out) else {
        return;
    };
    let path = super::origin(skb, kind).reply_path();
    match send_answer(net, &path, out.get(..len).unwrap_or(&[])) {
        Ok(()) => state.counters.add(Count::RESETS_SENT),
        Err(_) => state.counters.add(Count::DROP_NO_ROUTE),
    }
}
