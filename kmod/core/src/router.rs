// SPDX-License-Identifier: GPL-2.0-only
//! The redirection cache of a router (paper §VII, protocol.md §7.8): where the RSYNs of a flow go
//! whose host has left the router's network.
//!
//! A host asks for a *ticket* while it still has the address that it may leave. The ticket
//! follows from the router's secret, the time, that address and the flow ID, so the router keeps
//! nothing for it, and only who receives at that address gets it. With it as the key the host
//! later authenticates where the flow has gone. Nothing else than an RSYN to that flow at that
//! address is ever sent on.

use core::cmp::Ordering;

use super::address::{Encap, IpAddr128, RxInfo};
use super::auth::{check_mac, write_mac};
use super::host::Host;
use super::time::{Duration, Instant};
use super::wire::{
    Message, Packet, PacketType, RedirectStep, Redirection, COMMON_LEN, CONTROL_LEN, TICKET_LEN,
};

/// Entries of the operator.
pub const MAX_SET: usize = 64;
/// Entries that movers have made.
pub const MAX_LEARNT: usize = 1024;
/// Most entries of movers for one old address.
pub const MAX_PER_ADDRESS: usize = 64;
/// Places in which an entry can be; a power of two.
const WAYS: usize = 8;
/// How long tickets of one number are made; they are good for as long again.
pub const TICKET_SLOT: Duration = Duration::from_secs(600);

const LABEL: &[u8] = b"ECCP v1 redirect ticket";

/// Who the router is, and the secret of its tickets.
#[derive(Clone, Copy)]
pub struct Router {
    id: u64,
    spread: u64,
    secret: [u8; 32],
}

impl core::fmt::Debug for Router {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("Router")
    }
}

/// Where the RSYNs of a flow go.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Redirect {
    /// The flow ID that they carry; zero: any.
    pub flow: u64,
    /// Where they were sent to.
    pub old: IpAddr128,
    /// Where they are sent on to, of the same family.
    pub new: IpAddr128,
    /// The flow version of the move; zero for entries of the operator.
    pub version: u64,
    /// When the entry is forgotten.
    pub until: Instant,
    /// RSYNs sent on.
    pub hits: u64,
}

/// Why a mover was not obeyed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Refusal {
    /// It asks another router: the packet goes on as any other.
    NotOurs,
    /// The ticket is none of ours for that address and flow, or too old.
    Forged,
    /// The new address is not where the packet came from, or nothing can be sent there.
    Misplaced,
    /// A newer move of the flow is known.
    Stale,
    /// There is no room.
    Full,
}

/// An RSYN on its way through a router.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct PassingRsyn {
    /// The flow at its receiver.
    pub receiver: u64,
    /// The flow at its sender.
    pub sender: u64,
    /// The flow version that it announces.
    pub version: u64,
}

impl PassingRsyn {
    /// Reads the first [`CONTROL_LEN`] bytes of a packet; `None` unless it is an RSYN.
    #[must_use]
    pub fn read(start: &[u8]) -> Option<Self> {
        let fixed = start.first_chunk::<CONTROL_LEN>()?;
        let (common, rest) = fixed.split_first_chunk::<COMMON_LEN>()?;
        let [id @ .., version_type, _, _, _] = *common;
        let rsyn = (super::wire::VERSION << 4) | PacketType::Rsyn as u8;
        let (sender, version) = rest.split_first_chunk::<8>()?;
        (version_type == rsyn).then_some(Self {
            receiver: u64::from_be_bytes(id),
            sender: u64::from_be_bytes(*sender),
            version: u64::from_be_bytes(*version.first_chunk()?),
        })
    }
}

/// Whether a packet is a REDIRECT, by its common header.
#[must_use]
pub fn is_redirect(start: &[u8]) -> bool {
    let kind = start.get(8).copied();
    kind == Some((super::wire::VERSION << 4) | PacketType::Redirect as u8)
}

impl Router {
    /// A router with a name and a secret of its own.
    pub fn new(host: &mut dyn Host) -> Self {
        let mut secret = [0; 32];
        host.random(&mut secret);
        let mut number = || {
            let mut raw = [0; 8];
            host.random(&mut raw);
            u64::from_be_bytes(raw).max(1)
        };
        Self {
            id: number(),
            spread: number() | 1,
            secret,
        }
    }

    fn slot(host: &dyn Host) -> u64 {
        host.now().0.checked_div(TICKET_SLOT.0).unwrap_or(0)
    }

    fn make(&self, host: &dyn Host, slot: u64, old: &IpAddr128, flow: u64) -> [u8; TICKET_LEN] {
        let numbers = [slot.to_be_bytes(), flow.to_be_bytes()];
        let [slot, flow] = &numbers;
        let whole = host.hmac_sha256(&self.secret, &[LABEL, slot, &old.0, flow]);
        whole.first_chunk().copied().unwrap_or_default()
    }

    /// Whether a REDIRECT is for this router to take: a request for a ticket of a host that is its
    /// `neighbour`, or what a mover tells to the one that made its ticket. All others go on.
    #[must_use]
    pub fn wants(&self, packet: &Packet<'_>, neighbour: impl FnOnce() -> bool) -> bool {
        let redirect = packet.message().redirect.as_ref();
        redirect.is_some_and(|redirect| match redirect.step {
            RedirectStep::Ask => neighbour(),
            RedirectStep::Tell => redirect.router == self.id,
            RedirectStep::Ticket | RedirectStep::Told => false,
        })
    }

    /// Writes the ticket that answers a request to the front of `out` and returns its length, which is
    /// not more than that of the request; `None` if `packet` is none that can be answered. It goes
    /// to the source of the request, from the address that the request was sent to.
    pub fn ticket(
        &self,
        host: &dyn Host,
        packet: &Packet<'_>,
        rx: &RxInfo,
        out: &mut [u8],
    ) -> Option<usize> {
        let asked = packet.message();
        let asks = asked.redirect.filter(|r| r.step == RedirectStep::Ask);
        asks.filter(|_| rx.remote.is_reachable_unicast())?;
        let slot = Self::slot(host);
        let ends = slot.saturating_add(2).saturating_mul(TICKET_SLOT.0);
        let left = Instant(ends).since(host.now());
        let mut answer = Message::new(
            PacketType::Redirect,
            asked.sender,
            asked.receiver,
            asked.version,
        );
        answer.inner = asked.inner;
        answer.token = asked.token;
        answer.redirect = Some(Redirection {
            slot: low_byte(slot),
            seconds: seconds(left),
            router: self.id,
            ticket: self.make(host, slot, &rx.remote, asked.sender),
            ..Redirection::new(RedirectStep::Ticket)
        });
        let written = answer.emit(out, false).ok()?.len;
        (written <= packet.bytes().len()).then_some(written)
    }

    /// What a mover tells, if it proves that it may: `until` is when the entry will be forgotten.
    pub fn check(
        &self,
        host: &dyn Host,
        packet: &Packet<'_>,
        rx: &RxInfo,
        until: Instant,
    ) -> Result<Redirect, Refusal> {
        let told = packet.message();
        let redirect = told.redirect.filter(|r| r.step == RedirectStep::Tell);
        let redirect = redirect
            .filter(|r| r.router == self.id)
            .ok_or(Refusal::NotOurs)?;
        let key = self.key(host, redirect.slot, &rx.local, told.receiver);
        let key = key.ok_or(Refusal::Forged)?;
        check_mac(host, &key, packet).map_err(|_| Refusal::Forged)?;
        let new = told.record.ok_or(Refusal::Misplaced)?;
        // Under the ticket stands where the mover is. So nobody else can use what it has said.
        let ports_fit = rx.encap == Encap::Native || new.port == rx.remote_port;
        let sound = new.addr.is_reachable_unicast()
            && new.addr != rx.local
            && new.addr.family() == rx.local.family();
        if new.addr != rx.remote || !ports_fit || !sound {
            return Err(Refusal::Misplaced);
        }
        Ok(Redirect {
            flow: told.receiver,
            old: rx.local,
            new: new.addr,
            version: told.version,
            until,
            hits: 0,
        })
    }

    fn key(&self, host: &dyn Host, mark: u8, old: &IpAddr128, flow: u64) -> Option<[u8; 32]> {
        let slot = Self::slot(host);
        let slots = [Some(slot), slot.checked_sub(1)];
        let slot = slots.into_iter().flatten().find(|s| low_byte(*s) == mark)?;
        Some(ticket_key(&self.make(host, slot, old, flow)))
    }

    /// Writes the answer to a mover that was obeyed, or for whom there was no room (`lasts` is zero),
    /// and returns its length; `None` if `packet` is not what a mover tells.
    pub fn told(
        &self,
        host: &dyn Host,
        packet: &Packet<'_>,
        rx: &RxInfo,
        lasts: Duration,
        out: &mut [u8],
    ) -> Option<usize> {
        let told = packet.message();
        let redirect = told.redirect.filter(|r| r.step == RedirectStep::Tell)?;
        let mut answer = Message::new(
            PacketType::Redirect,
            told.receiver,
            told.sender,
            told.version,
        );
        answer.inner = told.inner;
        answer.token = told.token;
        answer.redirect = Some(Redirection {
            slot: redirect.slot,
            seconds: seconds(lasts),
            router: self.id,
            ..Redirection::new(RedirectStep::Told)
        });
        let emitted = answer.emit(out, true).ok()?;
        let key = self.key(host, redirect.slot, &rx.local, told.receiver)?;
        write_mac(host, &key, out.get_mut(..emitted.len)?, emitted.mac_at?);
        Some(emitted.len)
    }
}

/// The key of the MACs under a ticket: HMAC fills keys up with zeros.
pub(super) fn ticket_key(ticket: &[u8; TICKET_LEN]) -> [u8; 32] {
    let mut key = [0; 32];
    for (to, from) in key.iter_mut().zip(ticket) {
        *to = *from;
    }
    key
}

fn low_byte(slot: u64) -> u8 {
    let [.., low] = slot.to_be_bytes();
    low
}

fn seconds(span: Duration) -> u16 {
    let whole = span.as_millis().checked_div(1000).unwrap_or(0);
    u16::try_from(whole).unwrap_or(u16::MAX)
}

/// The entries of a router: the operator's in the first [`MAX_SET`] places, the movers' behind
/// them.
#[derive(Debug)]
pub struct Cache<'a> {
    slots: &'a mut [Option<Redirect>],
    spread: u64,
}

/// Places that a cache needs.
pub const PLACES: usize = MAX_SET + MAX_LEARNT;

impl<'a> Cache<'a> {
    /// The entries in `slots`, of which there should be [`PLACES`].
    #[must_use]
    pub fn new(router: &Router, slots: &'a mut [Option<Redirect>]) -> Self {
        Self {
            slots,
            spread: router.spread,
        }
    }

    /// The places that an entry of a flow can be in. Who does not know the router's secret
    /// cannot choose flow IDs that share them.
    fn places(&mut self, flow: u64) -> &mut [Option<Redirect>] {
        let learnt = self.slots.get_mut(MAX_SET..).unwrap_or_default();
        let mixed = (flow ^ (flow >> 32)).wrapping_mul(self.spread) >> 32;
        let mixed = usize::try_from(mixed).unwrap_or(0);
        let buckets = learnt.len().checked_div(WAYS).unwrap_or(0);
        let bucket = mixed.checked_rem(buckets).unwrap_or(0);
        let start = bucket.saturating_mul(WAYS);
        learnt
            .get_mut(start..start.saturating_add(WAYS))
            .unwrap_or_default()
    }

    /// Where an RSYN to `old` goes instead, which is counted; `None`: nowhere else.
    pub fn find(&mut self, flow: u64, old: &IpAddr128, now: Instant) -> Option<IpAddr128> {
        let fits = |r: &&mut Redirect| r.old == *old && now < r.until;
        let places = self.places(flow).iter_mut().flatten();
        let mut learnt = places.filter(|r| r.flow == flow && fits(r));
        let found = match learnt.next() {
            Some(found) => found,
            None => {
                let set = self.slots.get_mut(..MAX_SET).unwrap_or_default();
                set.iter_mut().flatten().find(fits)?
            }
        };
        found.hits = found.hits.saturating_add(1);
        Some(found.new)
    }

    /// Takes what a mover has proven; true if it is new, false if it only lasts longer now.
    pub fn learn(&mut self, redirect: Redirect, now: Instant) -> Result<bool, Refusal> {
        let of_address = |r: &&Redirect| r.flow != 0 && r.old == redirect.old && now < r.until;
        let held = self.slots.iter().flatten().filter(of_address);
        let held = held.fold(0usize, |held, _| held.saturating_add(1));
        let places = self.places(redirect.flow);
        let same = |r: &Redirect| r.flow == redirect.flow && r.old == redirect.old;
        let known = places.iter_mut().flatten().find(|r| same(r));
        if let Some(known) = known.filter(|r| now < r.until) {
            let renewed = redirect.new == known.new;
            match redirect.version.cmp(&known.version) {
                Ordering::Less => return Err(Refusal::Stale),
                Ordering::Equal if !renewed => return Err(Refusal::Stale),
                Ordering::Equal | Ordering::Greater => {}
            }
            let hits = known.hits;
            *known = Redirect { hits, ..redirect };
            return Ok(!renewed);
        }
        if held >= MAX_PER_ADDRESS {
            return Err(Refusal::Full);
        }
        let free = |place: &&mut Option<Redirect>| place.is_none_or(|r| r.until <= now);
        let place = places.iter_mut().find(free).ok_or(Refusal::Full)?;
        *place = Some(redirect);
        Ok(true)
    }

    /// The operator's entry for every flow at `old`; replaces the one that is there. Errors: there
    /// is no room.
    pub fn set(&mut self, redirect: Redirect) -> Result<(), Refusal> {
        let redirect = Redirect {
            flow: 0,
            version: 0,
            ..redirect
        };
        let set = self.slots.get_mut(..MAX_SET).unwrap_or_default();
        let same = |place: &Option<Redirect>| place.is_some_and(|r| r.old == redirect.old);
        let at = set.iter().position(same);
        let at = at.or_else(|| set.iter().position(Option::is_none));
        let place = at.and_then(|at| set.get_mut(at)).ok_or(Refusal::Full)?;
        *place = Some(redirect);
        Ok(())
    }

    /// An RSYN that has left from the old address of an entry, newer than it: the mover is
    /// there again. The entry that is taken away.
    pub fn withdraw(&mut self, from: &IpAddr128, rsyn: &PassingRsyn) -> Option<Redirect> {
        let home =
            |r: &Redirect| r.flow == rsyn.sender && r.old == *from && r.version < rsyn.version;
        let mut places = self.places(rsyn.sender).iter_mut();
        places
            .find(|place| place.as_ref().is_some_and(home))?
            .take()
    }

    /// Takes away the first entry for an old address at position `at` or behind it, whoever made it:
    /// of one flow, or of any. Returns it and its position.
    pub fn take_for(
        &mut self,
        at: usize,
        old: &IpAddr128,
        flow: Option<u64>,
    ) -> Option<(usize, Redirect)> {
        self.take(at, |r| {
            r.old == *old && flow.is_none_or(|flow| r.flow == flow)
        })
    }

    /// Takes away the first entry at position `at` or behind it that has lasted long enough.
    /// Returns it and its position.
    pub fn take_expired(&mut self, at: usize, now: Instant) -> Option<(usize, Redirect)> {
        self.take(at, |r| r.until <= now)
    }

    fn take(&mut self, at: usize, which: impl Fn(&Redirect) -> bool) -> Option<(usize, Redirect)> {
        let mut places = self.slots.iter_mut().enumerate();
        let fits = |(i, place): &(usize, &mut Option<Redirect>)| {
            *i >= at && place.as_ref().is_some_and(&which)
        };
        let (at, place) = places.find(fits)?;
        Some((at, place.take()?))
    }

    /// When the next entry has lasted long enough; `None`: there is none.
    #[must_use]
    pub fn next_end(&self) -> Option<Instant> {
        self.slots.iter().flatten().map(|r| r.until).min()
    }

    /// The first entry at position `at` or behind it, and its position.
    #[must_use]
    pub fn next(&self, at: usize) -> Option<(usize, &Redirect)> {
        (at..self.slots.len()).find_map(|at| Some((at, self.slots.get(at)?.as_ref()?)))
    }
}
