// SPDX-License-Identifier: GPL-2.0-only
//! PING and PONG: they measure the round-trip time, carry new ILists, and tell a client that its
//! ACK has arrived.

use super::address::RxInfo;
use super::event::{Discard, Event, Refused};
use super::flow::{Flow, Phase, Ping};
use super::host::Host;
use super::shared::Shared;
use super::time::Instant;
use super::timer::Retry;
use super::wire::{Message, TOKEN_LEN};

impl Flow {
    /// [`Command::Ping`](super::event::Command::Ping).
    pub(super) fn command_ping(
        &mut self,
        shared: &Shared,
        host: &mut dyn Host,
    ) -> Result<(), Refused> {
        match self.phase {
            Phase::Open | Phase::Draining => {}
            Phase::SynSent | Phase::SynRcvd => return Err(Refused::NotEstablished),
            Phase::Free | Phase::Aborted | Phase::Closed => return Err(Refused::Closing),
        }
        let now = host.now();
        self.restart_ping(shared, host, now);
        self.ping.commanded = true;
        Ok(())
    }

    /// Pings at `at`, unless a ping is under way.
    pub(super) fn ping_at(&mut self, shared: &Shared, host: &mut dyn Host, at: Instant) {
        if self.ping.retry.next.is_none() {
            self.restart_ping(shared, host, at);
        }
    }

    /// Begins a new ping at `at`; what the one under way was for is taken over.
    pub(super) fn restart_ping(&mut self, shared: &Shared, host: &mut dyn Host, at: Instant) {
        let running = self.ping.retry.next.is_some();
        let mut token = [0; TOKEN_LEN];
        host.random(&mut token);
        self.ping = Ping {
            retry: Retry::starting(at),
            token,
            commanded: running && self.ping.commanded,
            request: match running {
                true => self.ping.request,
                false => 0,
            },
            ilist: match shared.ilist_known < shared.local_version {
                true => shared.local_version,
                false => 0,
            },
        };
    }

    pub(super) fn handle_pong(
        &mut self,
        shared: &mut Shared,
        host: &mut dyn Host,
        rx: &RxInfo,
        message: &Message,
    ) -> Result<(), Discard> {
        self.note_observed(shared, rx, message);
        let answers = self.ping.retry.tries > 0 && self.ping.retry.next.is_some();
        let token = message.token.ok_or(Discard::WrongState)?;
        if !answers || !host.mac_eq(&token, &self.ping.token) {
            return match self.handle_probe_pong(shared, host, rx, &token) {
                true => Ok(()),
                false => Err(Discard::UnexpectedPong),
            };
        }
        let now = host.now();
        let rtt = self.ping.retry.measured(now);
        self.note_rtt(shared, rtt);
        shared.ilist_known = shared.ilist_known.max(self.ping.ilist);
        self.unconfirmed = false;
        if self.ping.commanded {
            shared.emit(Event::Pong { flow: self.index });
        }
        if self.awaits_use() {
            // It is repeated until its answer names our new ID.
            (self.ping.commanded, self.ping.request, self.ping.ilist) = (false, 0, 0);
        } else {
            self.ping.retry.stop();
        }
        if shared.ilist_known < shared.local_version && self.phase == Phase::Open {
            self.restart_ping(shared, host, now);
        }
        Ok(())
    }

    /// The peer has sent what it sends only after our ACK or RSYN: a ping that asks for nothing
    /// more is not needed.
    pub(super) fn confirm(&mut self, shared: &Shared) {
        self.unconfirmed = false;
        let asks = self.ping.commanded || self.ping.request != 0 || self.awaits_use();
        if !asks && self.ping.ilist <= shared.ilist_known {
            self.ping.retry.stop();
        }
    }
}
