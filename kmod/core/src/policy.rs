// SPDX-License-Identifier: GPL-2.0-only
//! What a flow does when the addresses of this host change.

use super::address::{Family, IpAddr128, LocalAddress};
use super::connection::Connection;
use super::event::{CloseReason, Event, MoveFailure, PathChange};
use super::flow::{Flow, LocalHalf, Move, Phase};
use super::host::Host;
use super::settings::Policy;
use super::shared::{rank, LocalSet, Shared};
use super::time::Instant;

/// Unanswered RSYNs after which a flow that lost its address tries another one.
const TRIES_PER_ADDRESS: u8 = 5;

impl Connection {
    /// Takes the complete set of local addresses that are usable now: an address that is gone,
    /// or whose link is down, is missing from it. Returns how many did not fit; addresses in use
    /// are kept before others.
    pub fn handle_addresses(&mut self, host: &mut dyn Host, addresses: &[LocalAddress]) -> usize {
        let now = host.now();
        let mut in_use = [IpAddr128::UNSPECIFIED; super::settings::MAX_FLOWS];
        for (slot, flow) in in_use.iter_mut().zip(&self.flows) {
            if flow.is_live() {
                *slot = flow.path.local;
            }
        }
        let before = self.shared.ilist();
        let old = self.shared.addresses;
        let left_out = self.shared.take_addresses(addresses, &in_use);
        let listed = self.shared.ilist().entries() != before.entries();
        if listed {
            self.shared.local_version = self.shared.local_version.saturating_add(1);
        }
        for at in 0..self.flows.len() {
            // Each flow keeps away from the address that the one before it has just taken.
            self.note_others();
            if let Some(flow) = self.flows.get_mut(at) {
                flow.handle_addresses(&mut self.shared, now, &old);
            }
        }
        self.choose_carrier(host);
        if listed {
            self.tell_addresses(host);
        }
        left_out
    }
}

impl Connection {
    /// Sends our new IList along the flow that carries data, or else along any open one.
    fn tell_addresses(&mut self, host: &mut dyn Host) {
        let now = host.now();
        let carrier = self.shared.carrier.flow;
        let open = |flow: &&mut Flow| flow.phase == Phase::Open;
        let at = self.flows.iter_mut().filter(open);
        if let Some(flow) = at.min_by_key(|flow| flow.index != carrier) {
            flow.restart_ping(&self.shared, host, now);
        }
    }
}

impl Flow {
    fn handle_addresses(&mut self, shared: &mut Shared, now: Instant, old: &LocalSet) {
        let asks = self.phase == Phase::SynSent && self.added.is_some();
        if asks && !self.holds_address(shared) {
            return self.finish(shared, CloseReason::NoAddress);
        }
        if self.phase == Phase::Aborted {
            return self.reset_from_elsewhere(shared, now);
        }
        if !self.may_move() {
            return;
        }
        let renaming = self.set_renaming_aside();
        match self.local {
            LocalHalf::Settled if !self.holds_address(shared) => self.lose_address(shared, now),
            // What our version stands for is gone, though we use another address already.
            LocalHalf::Settled if !self.holds(shared, &self.announced) => {
                self.announce_address(shared, now);
            }
            LocalHalf::Settled => {
                self.follow_interface(shared, old);
                self.consider_better(shared, now);
            }
            LocalHalf::Absent(_) => self.resume(shared, now),
            LocalHalf::Moving(moving) => self.revise_move(shared, now, &moving),
        }
        self.resume_renaming(shared, renaming);
    }

    /// True if the flow's local address is still ours. Loopback addresses always are; so are
    /// link-local ones, which the host need not report.
    pub(super) fn holds_address(&self, shared: &Shared) -> bool {
        self.holds(shared, &self.path.local)
    }

    pub(super) fn holds(&self, shared: &Shared, local: &IpAddr128) -> bool {
        let unreported = local.is_loopback() || local.is_unspecified() || local.is_link_local();
        unreported || shared.addresses.find(local, 0).is_some()
    }

    /// The address may have gone to another interface. (A path by an interface that never had the
    /// address is right too: the peer was reached by it.)
    fn follow_interface(&mut self, shared: &mut Shared, old: &LocalSet) {
        let (local, ifindex) = (&self.path.local, self.path.ifindex);
        let was_here = old.find(local, ifindex).is_some();
        let is_here = shared.addresses.find(local, ifindex).is_some();
        let now_at = shared.addresses.find(local, 0).map(|a| a.ifindex);
        if let (true, false, Some(now_at)) = (was_here, is_here, now_at) {
            let path = self.data_path();
            self.path.ifindex = now_at;
            self.note_path(shared, path, PathChange::LocalMoved);
        }
    }

    pub(super) fn lose_address(&mut self, shared: &mut Shared, now: Instant) {
        shared.emit(Event::AddressGone {
            flow: self.index,
            address: self.path.local,
        });
        self.prefer_at = None;
        self.local = LocalHalf::Absent(now);
        self.resume(shared, now);
        if matches!(self.local, LocalHalf::Absent(_)) {
            shared.emit(Event::Suspended { flow: self.index });
        }
    }

    /// A flow without address takes the best one that there is, as far as policy lets it.
    fn resume(&mut self, shared: &mut Shared, now: Instant) {
        let to = match shared.settings.policy {
            Policy::Manual => shared.addresses.find(&self.path.local, 0).copied(),
            Policy::FailOver | Policy::Prefer => self.best_address(shared, None),
        };
        if let Some(to) = to {
            self.begin_move(shared, now, to);
        }
    }

    /// The addresses changed during a move of ours.
    fn revise_move(&mut self, shared: &mut Shared, now: Instant, moving: &Move) {
        let kept = moving.kept && self.holds_address(shared);
        if moving.kept && !kept {
            shared.emit(Event::AddressGone {
                flow: self.index,
                address: self.path.local,
            });
            self.local = LocalHalf::Moving(Move {
                kept: false,
                began: now,
                trying: now,
                ..*moving
            });
        }
        if shared.addresses.find(&moving.to.addr, 0).is_some() {
            return;
        }
        if kept {
            return self.abandon_move(shared, now, moving, MoveFailure::AddressGone);
        }
        // Fig. 3: RSYN_SENT, lose address.
        self.fail_move(shared, moving, MoveFailure::AddressGone);
        shared.emit(Event::AddressGone {
            flow: self.index,
            address: moving.to.addr,
        });
        self.local = LocalHalf::Absent(moving.began);
        self.resume(shared, now);
        if matches!(self.local, LocalHalf::Absent(_)) {
            shared.emit(Event::Suspended { flow: self.index });
        }
    }

    /// Ends a planned move whose old address still works. The peer may have recorded the new
    /// address, so staying is a move of its own, with a version of its own.
    pub(super) fn abandon_move(
        &mut self,
        shared: &mut Shared,
        now: Instant,
        moving: &Move,
        why: MoveFailure,
    ) {
        let Some(back) = self.current_address(shared) else {
            return;
        };
        self.fail_move(shared, moving, why);
        self.local = LocalHalf::Settled;
        self.begin_move(shared, now, back);
    }

    /// A move after a loss that nobody answers goes on from another address, if there is one.
    pub(super) fn rotate_address(&mut self, shared: &mut Shared, now: Instant, moving: &Move) {
        if moving.kept || moving.retry.tries < TRIES_PER_ADDRESS {
            return;
        }
        if shared.settings.policy == Policy::Manual {
            return;
        }
        if let Some(other) = self.best_address(shared, Some(&moving.to.addr)) {
            self.begin_move(shared, now, other);
        }
    }

    pub(super) fn current_address(&self, shared: &Shared) -> Option<LocalAddress> {
        let addr = self.path.local;
        let found = shared.addresses.find(&addr, 0).copied();
        found.or_else(|| {
            self.holds_address(shared).then_some(LocalAddress {
                addr,
                ifindex: self.path.ifindex,
                ..LocalAddress::NONE
            })
        })
    }

    /// The best local address from which the peer can be reached and that no other flow of the
    /// connection uses; among equals the family in
    /// use, then the order in which the host reports them.
    fn best_address(&self, shared: &Shared, except: Option<&IpAddr128>) -> Option<LocalAddress> {
        let family = self.path.remote.family();
        [Family::V4, Family::V6]
            .into_iter()
            .filter(|family| self.peer_reachable_from(shared, *family))
            .filter_map(|family| shared.best_free(self.index, family, except))
            .min_by_key(|address| (rank(address), address.addr.family() != family))
            .copied()
    }

    /// True if an address of that family is known at which the peer may be.
    pub(super) fn peer_reachable_from(&self, shared: &Shared, family: Family) -> bool {
        let used = self.path.remote.family() == family;
        let announced = self
            .candidates
            .iter()
            .any(|candidate| candidate.path.remote.family() == family);
        let listed = self.phase != Phase::SynRcvd
            && shared
                .remote_ilist
                .entries()
                .iter()
                .any(|entry| entry.addr.family() == family);
        used || announced || listed
    }

    /// [`Policy::Prefer`]: an address that is better than the present one must stay for a while.
    fn consider_better(&mut self, shared: &Shared, now: Instant) {
        self.prefer_at = match self.better_address(shared) {
            Some(_) => Some(
                self.prefer_at
                    .unwrap_or_else(|| now.after(shared.settings.prefer_delay)),
            ),
            None => None,
        };
    }

    fn better_address(&self, shared: &Shared) -> Option<LocalAddress> {
        if shared.settings.policy != Policy::Prefer || self.phase != Phase::Open {
            return None;
        }
        let current = shared.addresses.find(&self.path.local, 0)?;
        let dead = self.probe.left.map(|left| left.addr);
        self.best_address(shared, dead.as_ref())
            .filter(|best| rank(best) < rank(current))
    }

    /// Moves to the better address, if it is still there.
    pub(super) fn prefer(&mut self, shared: &mut Shared, now: Instant) {
        self.prefer_at = None;
        if !self.is_settled() {
            return;
        }
        if let Some(better) = self.better_address(shared) {
            self.begin_move(shared, now, better);
        }
    }
}

impl Shared {
    /// Replaces the set of usable addresses; those in `keep` come first if not all fit. Returns
    /// how many were left out.
    pub(super) fn take_addresses(
        &mut self,
        addresses: &[LocalAddress],
        keep: &[IpAddr128],
    ) -> usize {
        let kept = |address: &&LocalAddress| keep.contains(&address.addr);
        let overflow = addresses.len() > super::ilist::MAX_ADDRESSES;
        let mut set = LocalSet::EMPTY;
        let mut left_out = 0usize;
        // Without overflow the host's order stands, because it decides between equals.
        let first = addresses.iter().filter(|a| !overflow || kept(a));
        let rest = addresses.iter().filter(|a| overflow && !kept(a));
        for address in first.chain(rest) {
            if !set.push(*address) {
                left_out = left_out.saturating_add(1);
            }
        }
        self.addresses = set;
        let count = u64::try_from(left_out).unwrap_or(u64::MAX);
        self.counters.addresses_left_out = self.counters.addresses_left_out.saturating_add(count);
        left_out
    }
}
