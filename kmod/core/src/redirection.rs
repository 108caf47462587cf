// SPDX-License-Identifier: GPL-2.0-only
//! A mover and the routers of the networks that it leaves (paper §VII, protocol.md §7.8): it asks
//! for a ticket while it is there, and tells where it is when it has lost that address.
//!
//! So a peer that moves at the same moment, and whose RSYN goes to the old address, finds it. One
//! flow is enough for that, so tickets are kept for the one that carries data.

use core::num::NonZeroU64;

use super::address::{IpAddr128, Path, RemoteAddr, RxInfo};
use super::auth::{check_mac, redirect_token, write_mac};
use super::connection::Transmit;
use super::event::{Discard, Event, FlowIndex};
use super::flow::{Flow, LocalHalf, Phase};
use super::host::Host;
use super::router::ticket_key;
use super::settings::{FIRST_RETRY, MAX_RETRY};
use super::shared::{Aside, Shared};
use super::time::{earliest, Duration, Instant};
use super::transmit::ENCAPSULATIONS;
use super::wire::{
    Message, Packet, PacketType, RedirectStep, Redirection, INNER_NONE, TICKET_LEN, TOKEN_LEN,
};

/// Addresses whose tickets are kept: the one that the flow has and the one before, because a
/// peer that has not acknowledged the last move knows only that.
const MAX_TICKETS: usize = 2;
/// Requests for a ticket from an address before it is taken for one without such a router.
const MAX_ASKS: u8 = 4;
/// How long nobody is asked then.
const ASK_PAUSE: Duration = Duration::from_secs(600);
/// All encapsulations of the first ticket, as bits; those of the second follow.
const EVERY_WAY: u8 = 3;

/// The proof for one address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Ticket {
    address: IpAddr128,
    router: NonZeroU64,
    expires: Instant,
    key: [u8; TICKET_LEN],
    slot: u8,
    flow: FlowIndex,
    /// Our flow ID when it was asked for: what the peer's RSYNs name.
    id: u64,
}

/// What is said to routers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Talk {
    /// Nothing so far.
    Silent,
    /// Requests for a ticket.
    Asks,
    /// Where the flow is now.
    Tells,
}

/// What a connection has of routers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Tickets {
    /// The newest first.
    held: [Option<Ticket>; MAX_TICKETS],
    /// The version of the flow that the talk is about.
    version: u64,
    /// When something is said again.
    next: Instant,
    talk: Talk,
    flow: FlowIndex,
    tries: u8,
    /// Where and how this try has not gone out yet, as bits.
    ways: u8,
    /// The tickets whose routers have answered, as bits.
    told: u8,
}

impl Tickets {
    const NONE: Self = Self {
        held: [None; MAX_TICKETS],
        version: 0,
        next: Instant(0),
        talk: Talk::Silent,
        flow: FlowIndex(0),
        tries: 0,
        ways: 0,
        told: 0,
    };

    fn keep(&mut self, ticket: Ticket) {
        let same = |held: &Ticket| held.address == ticket.address && held.flow == ticket.flow;
        for place in &mut self.held {
            *place = place.filter(|held| !same(held));
        }
        if self.held.first().is_some_and(Option::is_some) {
            self.held.rotate_right(1);
        }
        if let Some(first) = self.held.first_mut() {
            *first = Some(ticket);
        }
    }

    /// When `talk` of a flow goes on: at once if it has not begun.
    fn due(&self, talk: Talk, flow: &Flow) -> Instant {
        let goes_on = self.talk == talk && self.flow == flow.index && self.version == flow.version;
        match goes_on {
            true => self.next,
            false => Instant(0),
        }
    }

    /// Counts a try of `talk` and sets the time of the next.
    fn tried(&mut self, talk: Talk, flow: &Flow, now: Instant) {
        if self.due(talk, flow) == Instant(0) {
            *self = Self {
                held: self.held,
                version: flow.version,
                talk,
                flow: flow.index,
                ..Self::NONE
            };
        }
        self.tries = self.tries.saturating_add(1);
        let doublings = u32::from(self.tries.saturating_sub(1).min(6));
        let gap = FIRST_RETRY.0.checked_shl(doublings).unwrap_or(MAX_RETRY.0);
        self.next = now.after(Duration(gap).min(MAX_RETRY));
    }
}

impl Shared {
    fn tickets(&self) -> &Tickets {
        match &self.aside {
            Aside::Tickets(tickets) => tickets,
            Aside::Cookies(_) => &Tickets::NONE,
        }
    }
}

impl Flow {
    /// What is to be said to routers now.
    pub(super) fn poll_redirect(
        &self,
        shared: &mut Shared,
        host: &dyn Host,
        now: Instant,
        buf: &mut [u8],
    ) -> Option<Transmit> {
        if !shared.settings.redirect {
            return None;
        }
        let mut tickets = *shared.tickets();
        let sent = self.poll_tell(shared, &mut tickets, host, now, buf);
        let sent = sent.or_else(|| self.poll_ask(shared, &mut tickets, host, now, buf));
        if tickets != *shared.tickets() {
            shared.aside = Aside::Tickets(tickets);
        }
        sent
    }

    /// When something is to be said to a router next.
    pub(super) fn redirect_timeout(&self, shared: &Shared) -> Option<Instant> {
        let tickets = shared.tickets();
        let asks = self.ask_path(shared).map(|_| tickets.due(Talk::Asks, self));
        let tells = self.left(shared, tickets) != 0;
        earliest(asks, Some(tickets.due(Talk::Tells, self)).filter(|_| tells))
    }

    /// The path along which a router is asked for a ticket; `None`: not as things stand.
    fn ask_path(&self, shared: &Shared) -> Option<Path> {
        let settled = self.phase == Phase::Open && self.local == LocalHalf::Settled;
        let carries = self.index == shared.carrier.flow;
        let wanted = shared.settings.redirect && settled && carries;
        // What a NAT has changed is no address that a router could know us by.
        self.data_path()
            .filter(|_| wanted && self.observed().is_none())
            .filter(|path| path.local.is_reachable_unicast() && !path.local.is_link_local())
    }

    fn poll_ask(
        &self,
        shared: &Shared,
        tickets: &mut Tickets,
        host: &dyn Host,
        now: Instant,
        buf: &mut [u8],
    ) -> Option<Transmit> {
        let path = self.ask_path(shared)?;
        if tickets.due(Talk::Asks, self) > now {
            return None;
        }
        tickets.tried(Talk::Asks, self, now);
        if tickets.tries >= MAX_ASKS {
            tickets.tries = 0;
            tickets.next = now.after(ASK_PAUSE);
        }
        let own = self.newest_id();
        let mut ask = self.redirect_message(self.remote_id, own, RedirectStep::Ask);
        ask.token = Some(self.redirect_token(shared, host, &path));
        let len = ask.emit(buf, false).ok()?.len;
        Some(Transmit { len, path })
    }

    /// The tickets of this flow for addresses that it has lost, as bits.
    fn left(&self, shared: &Shared, tickets: &Tickets) -> u8 {
        let lost = matches!(self.local, LocalHalf::Moving(moving) if !moving.kept);
        if !shared.settings.redirect || !lost || !self.may_move() {
            return 0;
        }
        let due = tickets.due(Talk::Tells, self);
        let left = |ticket: &Ticket| {
            let away = !self.holds(shared, &ticket.address);
            ticket.flow == self.index && away && due < ticket.expires
        };
        let bits = tickets.held.iter().zip([1u8, 2]);
        bits.filter(|(ticket, _)| ticket.as_ref().is_some_and(left))
            .fold(0, |all, (_, bit)| all | bit)
    }

    fn poll_tell(
        &self,
        shared: &Shared,
        tickets: &mut Tickets,
        host: &dyn Host,
        now: Instant,
        buf: &mut [u8],
    ) -> Option<Transmit> {
        let left = self.left(shared, tickets);
        if left != 0 && tickets.due(Talk::Tells, self) <= now {
            tickets.tried(Talk::Tells, self, now);
            if left & !tickets.told == 0 {
                // All have answered, and may forget soon.
                tickets.told = 0;
            }
            let open = left & !tickets.told;
            let [first, second] = [1u8, 2].map(|bit| match open & bit {
                0 => 0,
                _ => EVERY_WAY,
            });
            tickets.ways = first | (second << 2);
        }
        let mut sent = None;
        while tickets.ways != 0 && sent.is_none() {
            let way = tickets.ways.trailing_zeros();
            // Clears the lowest bit.
            tickets.ways &= tickets.ways.wrapping_sub(1);
            sent = self.tell(shared, tickets, host, way, buf);
        }
        sent
    }

    fn tell(
        &self,
        shared: &Shared,
        tickets: &Tickets,
        host: &dyn Host,
        way: u32,
        buf: &mut [u8],
    ) -> Option<Transmit> {
        let LocalHalf::Moving(moving) = &self.local else {
            return None;
        };
        let way = usize::try_from(way).ok()?;
        let ticket = tickets.held.get(way >> 1)?.as_ref()?;
        let router = RemoteAddr {
            addr: ticket.address,
            port: 0,
        };
        let local = moving.source(shared, self, &router)?;
        let path = shared.new_path(&local, &router, *ENCAPSULATIONS.get(way & 1)?)?;
        let mut tell = self.redirect_message(ticket.id, ticket.id, RedirectStep::Tell);
        tell.record = Some(RemoteAddr {
            addr: path.local,
            port: path.local_port,
        });
        tell.token = Some(self.redirect_token(shared, host, &path));
        tell.redirect = Some(Redirection {
            slot: ticket.slot,
            router: ticket.router.get(),
            ..Redirection::new(RedirectStep::Tell)
        });
        let emitted = tell.emit(buf, true).ok()?;
        let out = buf.get_mut(..emitted.len)?;
        write_mac(host, &ticket_key(&ticket.key), out, emitted.mac_at?);
        Some(Transmit {
            len: emitted.len,
            path,
        })
    }

    /// What a router says. It is no party to the connection: the token says that it has had our
    /// packet, and the ticket that it is the one which made that.
    pub(super) fn handle_redirect(
        &self,
        shared: &mut Shared,
        host: &dyn Host,
        rx: &RxInfo,
        packet: &Packet<'_>,
    ) -> Result<(), Discard> {
        let message = packet.message();
        let redirect = message.redirect.ok_or(Discard::WrongState)?;
        if !shared.settings.redirect {
            return Err(Discard::Unsupported);
        }
        let mut tickets = *shared.tickets();
        match redirect.step {
            // A router that stood on the way would have taken it.
            RedirectStep::Ask | RedirectStep::Tell => return Err(Discard::Unsupported),
            RedirectStep::Ticket => {
                self.check_redirect_token(shared, host, rx, message)?;
                self.take_ticket(shared, &mut tickets, host.now(), rx, &redirect)?;
            }
            RedirectStep::Told => {
                let fits = |place: &Option<Ticket>| {
                    place.is_some_and(|ticket| {
                        ticket.router.get() == redirect.router
                            && ticket.address == rx.remote
                            && ticket.flow == self.index
                    })
                };
                let at = tickets.held.iter().position(fits);
                let at = at.ok_or(Discard::WrongState)?;
                let ticket = tickets.held.get(at).copied().flatten();
                let key = ticket_key(&ticket.ok_or(Discard::WrongState)?.key);
                check_mac(host, &key, packet)?;
                self.check_redirect_token(shared, host, rx, message)?;
                self.note_told(shared, &mut tickets, host.now(), at, &redirect);
            }
        }
        shared.aside = Aside::Tickets(tickets);
        Ok(())
    }

    fn take_ticket(
        &self,
        shared: &mut Shared,
        tickets: &mut Tickets,
        now: Instant,
        rx: &RxInfo,
        redirect: &Redirection,
    ) -> Result<(), Discard> {
        let asked = tickets.talk == Talk::Asks && tickets.flow == self.index;
        if !asked || self.ask_path(shared).is_none() {
            return Err(Discard::WrongState);
        }
        let lasts = Duration::from_secs(u64::from(redirect.seconds));
        tickets.keep(Ticket {
            address: rx.local,
            router: NonZeroU64::new(redirect.router).ok_or(Discard::WrongState)?,
            expires: now.after(lasts),
            key: redirect.ticket,
            slot: redirect.slot,
            flow: self.index,
            id: self.newest_id(),
        });
        tickets.tries = 0;
        // Not at once, whatever a router says.
        tickets.next = now.after(half(lasts).max(MAX_RETRY));
        shared.emit(Event::Ticket { flow: self.index });
        Ok(())
    }

    fn note_told(
        &self,
        shared: &mut Shared,
        tickets: &mut Tickets,
        now: Instant,
        at: usize,
        redirect: &Redirection,
    ) {
        let left = self.left(shared, tickets);
        let bit = if at == 0 { 1 } else { 2 };
        let news = left & bit != 0 && tickets.talk == Talk::Tells && tickets.told & bit == 0;
        // Without room it is told again on the timer that runs.
        if redirect.seconds == 0 || !news {
            return;
        }
        tickets.told |= bit;
        if left & !tickets.told == 0 {
            let lasts = Duration::from_secs(u64::from(redirect.seconds));
            tickets.next = now.after(half(lasts).max(FIRST_RETRY));
            tickets.tries = 0;
        }
        shared.emit(Event::Redirected { flow: self.index });
    }

    fn redirect_message(&self, receiver: u64, own: u64, step: RedirectStep) -> Message {
        let mut message = Message::new(PacketType::Redirect, receiver, own, self.version);
        message.inner = INNER_NONE;
        message.redirect = Some(Redirection::new(step));
        message
    }

    fn redirect_token(&self, shared: &Shared, host: &dyn Host, path: &Path) -> [u8; TOKEN_LEN] {
        let secret = &shared.token_secret;
        redirect_token(host, secret, self.local_id, self.version, path)
    }

    fn check_redirect_token(
        &self,
        shared: &Shared,
        host: &dyn Host,
        rx: &RxInfo,
        message: &Message,
    ) -> Result<(), Discard> {
        let expected = self.redirect_token(shared, host, &rx.reply_path());
        let token = message.token.ok_or(Discard::BadToken)?;
        match host.mac_eq(&expected, &token) {
            true => Ok(()),
            false => Err(Discard::BadToken),
        }
    }
}

const fn half(span: Duration) -> Duration {
    Duration(span.0 >> 1)
}
