// SPDX-License-Identifier: GPL-2.0-only
//! A router with a redirection cache, in front of some of the hosts' networks.

use std::vec;
use std::vec::Vec;

use super::crypto::SimHost;
use crate::address::{IpAddr128, Path, RxInfo};
use crate::router::{Cache, PassingRsyn, Redirect, Refusal, Router, PLACES};
use crate::time::{Duration, Instant};
use crate::wire::{Packet, RedirectStep, MAX_CONTROL};

/// The router of the networks of some addresses.
#[derive(Clone, Debug)]
pub struct Gateway {
    /// Addresses in its networks.
    pub behind: Vec<IpAddr128>,
    /// How long an entry lasts.
    pub lasts: Duration,
    /// Tickets given.
    pub tickets: u64,
    /// RSYNs sent on.
    pub redirected: u64,
    /// Movers that were obeyed.
    pub obeyed: u64,
    /// Movers that were not, and why.
    pub refused: Vec<Refusal>,
    host: SimHost,
    router: Router,
    slots: Vec<Option<Redirect>>,
}

/// What becomes of a packet at a gateway.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Passage {
    /// It goes on as it is.
    On,
    /// It goes to another address.
    To(IpAddr128),
    /// It stays there, and something may go back.
    Taken(Option<(Path, Vec<u8>)>),
}

impl Gateway {
    /// A router of the networks that the addresses `behind` are in.
    #[must_use]
    pub fn new(seed: u64, behind: Vec<IpAddr128>) -> Self {
        let mut host = SimHost::new(seed, Instant(0));
        let router = Router::new(&mut host);
        Self {
            behind,
            lasts: Duration::from_secs(30),
            tickets: 0,
            redirected: 0,
            obeyed: 0,
            refused: Vec::new(),
            host,
            router,
            slots: vec![None; PLACES],
        }
    }

    /// The entries that have not been taken away, expired ones among them.
    #[must_use]
    pub fn entries(&self) -> usize {
        self.slots.iter().flatten().count()
    }

    /// Looks at a packet that passes at `now` between its networks and the rest.
    pub fn pass(&mut self, now: Instant, path: &Path, bytes: &[u8]) -> Passage {
        let (leaves, enters) = (
            self.behind.contains(&path.local),
            self.behind.contains(&path.remote),
        );
        if !leaves && !enters {
            return Passage::On;
        }
        self.host.now = now;
        let mut cache = Cache::new(&self.router, &mut self.slots);
        if let Some(rsyn) = PassingRsyn::read(bytes) {
            if leaves {
                cache.withdraw(&path.local, &rsyn);
            }
            return match cache.find(rsyn.receiver, &path.remote, now) {
                Some(to) if enters => {
                    self.redirected = self.redirected.saturating_add(1);
                    Passage::To(to)
                }
                _ => Passage::On,
            };
        }
        match Packet::parse(bytes) {
            Ok(packet) if self.router.wants(&packet, || leaves) => self.take(now, path, &packet),
            _ => Passage::On,
        }
    }

    fn take(&mut self, now: Instant, path: &Path, packet: &Packet<'_>) -> Passage {
        let rx = RxInfo {
            local: path.remote,
            remote: path.local,
            encap: path.encap,
            local_port: path.remote_port,
            remote_port: path.local_port,
            ifindex: 0,
        };
        let mut out = vec![0; MAX_CONTROL];
        let asks = packet
            .message()
            .redirect
            .is_some_and(|r| r.step == RedirectStep::Ask);
        let len = match asks {
            true => {
                self.tickets = self.tickets.saturating_add(1);
                self.router.ticket(&self.host, packet, &rx, &mut out)
            }
            false => self.obey(now, &rx, packet, &mut out),
        };
        Passage::Taken(len.map(|len| {
            out.truncate(len);
            (rx.reply_path(), out)
        }))
    }

    fn obey(
        &mut self,
        now: Instant,
        rx: &RxInfo,
        packet: &Packet<'_>,
        out: &mut [u8],
    ) -> Option<usize> {
        let until = now.after(self.lasts);
        let mut cache = Cache::new(&self.router, &mut self.slots);
        let checked = self.router.check(&self.host, packet, rx, until);
        let lasts = match checked.and_then(|redirect| cache.learn(redirect, now)) {
            Ok(_) => {
                self.obeyed = self.obeyed.saturating_add(1);
                self.lasts
            }
            Err(refusal) => {
                self.refused.push(refusal);
                match refusal {
                    Refusal::Full => Duration(0),
                    _ => return None,
                }
            }
        };
        self.router.told(&self.host, packet, rx, lasts, out)
    }
}
