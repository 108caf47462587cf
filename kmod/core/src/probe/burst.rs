// SPDX-License-Identifier: GPL-2.0-only
//! The PINGs of a doubt: along the path in use, and in bursts along all others that could be used.

use super::super::address::{Encap, LocalAddress, Path, RemoteAddr};
use super::super::auth::probe_token;
use super::super::connection::Transmit;
use super::super::flow::Flow;
use super::super::host::Host;
use super::super::shared::Shared;
use super::super::time::{Duration, Instant};
use super::super::wire::{PacketType, ProbeMark};
use super::Doubt;

/// Most pings of one burst: what a packet of the peer can cause at most.
const MAX_PINGS: u8 = 16;
/// Positions of a burst: the path in use, then 8 local addresses by 16 remote ones by 2
/// encapsulations.
const POSITIONS: u16 = 1 + (8 << 5);
/// How long after a doubt began questions follow each other closely, and at which gap: most paths
/// and hosts that come back do so within seconds.
const FRESH: Duration = Duration::from_secs(10);
const FRESH_GAP: Duration = Duration::from_millis(500);

impl Flow {
    pub(in super::super) fn poll_probe(
        &mut self,
        shared: &mut Shared,
        host: &mut dyn Host,
        now: Instant,
        buf: &mut [u8],
    ) -> Option<Transmit> {
        self.data_path()?;
        self.poll_stray(shared, host, now, buf)
            .or_else(|| self.poll_doubt(shared, host, now, buf))
            .or_else(|| self.poll_left(shared, host, now, buf))
    }

    fn poll_doubt(
        &mut self,
        shared: &mut Shared,
        host: &mut dyn Host,
        now: Instant,
        buf: &mut [u8],
    ) -> Option<Transmit> {
        let mut doubt = self.probe.doubt?;
        if shared.fires(&mut self.probe.retry, now, self.rtt.retry(), host) {
            if now.since(doubt.since) < FRESH {
                let soon = now.after(FRESH_GAP);
                self.probe.retry.next = self.probe.retry.next.map(|next| next.min(soon));
            }
            self.probe.burst = Some(0);
            self.probe.pings = 0;
            doubt.wide |= doubt.grows && self.probe.retry.tries > 1;
            self.probe.doubt = Some(doubt);
        }
        while let Some(at) = self.probe.burst {
            let path = self.next_target(shared, &doubt, at);
            let Some(path) = path else {
                continue;
            };
            self.probe.pings = self.probe.pings.saturating_add(1);
            let mark = ProbeMark {
                trouble: doubt.own && doubt.wide,
                other: at != 0,
                serial: doubt.serial,
            };
            let sent = self.send_probe(shared, host, mark, &path, buf);
            if sent.is_some() {
                return sent;
            }
        }
        None
    }

    /// The target at position `at` of the burst, and the position after it.
    fn next_target(&mut self, shared: &Shared, doubt: &Doubt, at: u16) -> Option<Path> {
        let next = match at {
            0 => self.probe.resume,
            at => at.saturating_add(1),
        };
        let more = doubt.wide && next < POSITIONS;
        let room = self.probe.pings < MAX_PINGS.saturating_sub(1);
        self.probe.burst = Some(next).filter(|_| more && room);
        if self.probe.burst.is_none() {
            self.probe.resume = match more {
                true => next,
                false => 1,
            };
        }
        self.probe_target(shared, at)
    }

    fn probe_target(&self, shared: &Shared, at: u16) -> Option<Path> {
        let Some(index) = at.checked_sub(1) else {
            return self.data_path();
        };
        let encap = match index & 1 {
            0 => self.path.encap,
            _ => self.path.encap.other(),
        };
        let remote = self.probed_remote(shared, usize::from(index >> 1 & 0xf), encap)?;
        let local = shared.addresses.as_slice().get(usize::from(index >> 5))?;
        if local.addr.family() != remote.addr.family() || !shared.may_use(local) {
            return None;
        }
        shared
            .new_path(local, &remote, encap)
            .filter(|path| !self.is_in_use(path))
    }

    /// The address on record, then the others of the peer's list.
    fn probed_remote(&self, shared: &Shared, index: usize, encap: Encap) -> Option<RemoteAddr> {
        let Some(index) = index.checked_sub(1) else {
            let known = shared.remote_ilist.find(&self.path.remote);
            return Some(RemoteAddr {
                addr: self.path.remote,
                port: match self.path.encap {
                    Encap::Udp => self.path.remote_port,
                    Encap::Native => known.map_or(0, |entry| entry.port),
                },
            });
        };
        let entry = shared.remote_ilist.entries().get(index)?;
        let usable = entry.addr != self.path.remote && (entry.port != 0 || encap == Encap::Native);
        Some(RemoteAddr {
            addr: entry.addr,
            port: entry.port,
        })
        .filter(|_| usable)
    }

    fn poll_left(
        &mut self,
        shared: &mut Shared,
        host: &mut dyn Host,
        now: Instant,
        buf: &mut [u8],
    ) -> Option<Transmit> {
        let mut left = self.probe.left.filter(|left| left.next <= now)?;
        left.serial = self.probe.next_serial();
        left.waiting = true;
        left.next = now.after(left.gap);
        self.probe.left = Some(left);
        let local = LocalAddress {
            addr: left.addr,
            ifindex: left.ifindex,
            ..LocalAddress::NONE
        };
        let remote = self.probed_remote(shared, 0, self.path.encap)?;
        let path = shared.new_path(&local, &remote, self.path.encap)?;
        let mark = ProbeMark {
            trouble: false,
            other: true,
            serial: left.serial,
        };
        self.send_probe(shared, host, mark, &path, buf)
    }

    pub(in super::super) fn send_probe(
        &mut self,
        shared: &mut Shared,
        host: &mut dyn Host,
        mark: ProbeMark,
        path: &Path,
        buf: &mut [u8],
    ) -> Option<Transmit> {
        let mut ping = self.message(shared, PacketType::Ping, self.version);
        let secret = &shared.token_secret;
        ping.token = Some(probe_token(host, secret, self.local_id, mark.serial, path));
        ping.probe = Some(mark);
        shared.counters.probes = shared.counters.probes.saturating_add(1);
        self.send(shared, host, &ping, path, None, buf)
    }
}
