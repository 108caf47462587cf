// SPDX-License-Identifier: GPL-2.0-only
//! What the two ends call a flow. An end may change its own flow ID with a move (protocol.md
//! §7.14), so that nobody links the data packets of two networks by it.
//!
//! RSYN carries the new ID of its sender. The peer uses it once the version is proven, and before
//! that in handshakes with the candidate alone (R19). The mover answers to the ID that it had
//! until a ping or its answer has named the new one, and then for as long as older packets may
//! be on their way (R16). A version that takes the place of one whose ID nobody has used carries
//! the same ID, so there are never more than [`MAX_OWN_IDS`].

use super::address::{LocalAddress, Path};
use super::connection::Connection;
use super::event::{Event, FlowIndex};
use super::flow::{Flow, LocalHalf, Move, Phase};
use super::host::Host;
use super::shared::Shared;
use super::time::{Duration, Instant};
use super::timer::Retry;
use super::wire::{Message, PacketType, TOKEN_LEN};

/// Most flow IDs that an end answers to for one flow: the one in use, the one of a move that the
/// peer has not used yet, and the one before.
pub const MAX_OWN_IDS: usize = 3;

/// How long packets with a flow ID that was replaced may be on their way, unless the setting for
/// draining is shorter.
pub const ID_DRAINING: Duration = Duration::from_secs(5);

/// The flow IDs of a flow, beside the first one of our own and the one that the peer's proven
/// version goes by. Zero stands for none.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Names {
    /// The newest ID of ours that the peer has used; zero while that is the first.
    used: u64,
    /// That of our newest version, which the peer has not used yet.
    next: u64,
    /// The one before, while it is answered to.
    old: u64,
    until: Instant,
    /// The peer's: that of its candidate while `pending`, else the one before the present.
    other: u64,
    pending: bool,
    /// Commitment that goes with a pending ID.
    proof: Option<[u8; TOKEN_LEN]>,
}

impl Names {
    pub(super) const FIRST: Self = Self {
        used: 0,
        next: 0,
        old: 0,
        until: Instant(0),
        other: 0,
        pending: false,
        proof: None,
    };
}

impl Connection {
    /// Gives every move that has just begun a new flow ID, if the settings want that. It is drawn
    /// before the first RSYN leaves, so that the host can see to it that it is answered.
    pub(super) fn draw_ids(&mut self, host: &mut dyn Host) {
        if !self.shared.settings.renew_flow_ids {
            return;
        }
        for flow in &mut self.flows {
            if flow.wants_new_id() {
                flow.names.next = host.new_flow_id();
            }
        }
    }

    /// The host cannot receive what carries the new flow ID of a move whose RSYN it has not sent:
    /// the move goes on without it.
    pub fn withdraw_id(&mut self, flow: FlowIndex) {
        if let Some(flow) = self.flows.get_mut(usize::from(flow.0)) {
            flow.names.next = 0;
            flow.set_renaming_aside();
        }
    }

    /// True if the peer calls another flow than the one with our ID `receiver` by `id`.
    pub(super) fn calls_another(&self, receiver: u64, id: u64) -> bool {
        let others = self.flows.iter().filter(|flow| !flow.answers_to(receiver));
        others
            .filter(|flow| flow.is_live())
            .any(|flow| flow.remote_id == id || flow.names.other == id)
    }
}

impl Flow {
    /// Our flow ID: what the peer calls the flow. After a move that has changed it, this is the
    /// old one until the peer has used the new one.
    #[must_use]
    pub const fn local_id(&self) -> u64 {
        match self.names.used {
            0 => self.local_id,
            used => used,
        }
    }

    /// The ID that the flow began with. It names the flow on this host for ever, and tokens are
    /// bound to it; the peer may have forgotten it.
    #[must_use]
    pub const fn first_id(&self) -> u64 {
        self.local_id
    }

    /// All flow IDs that this end answers to; zero stands for none. The first is
    /// [`Flow::local_id`].
    #[must_use]
    pub const fn own_ids(&self) -> [u64; MAX_OWN_IDS] {
        [self.local_id(), self.names.next, self.names.old]
    }

    /// Our newest flow ID: what the peer calls the flow once it knows our newest version.
    pub(super) const fn newest_id(&self) -> u64 {
        match self.names.next {
            0 => self.local_id(),
            next => next,
        }
    }

    /// True if packets with this ID are for the flow.
    pub(super) fn answers_to(&self, id: u64) -> bool {
        id != 0 && self.is_live() && self.own_ids().contains(&id)
    }

    /// True if the peer calls itself by this ID. It goes on with the old one until it knows that
    /// we use the new one.
    pub(super) fn peer_is(&self, id: u64) -> bool {
        id == self.remote_id || (!self.names.pending && id != 0 && id == self.names.other)
    }

    /// True if our newest ID has not been used by the peer, which has heard of it.
    pub(super) fn awaits_use(&self) -> bool {
        self.names.next != 0 && self.local == LocalHalf::Settled && self.phase == Phase::Open
    }

    /// True if nothing stands in the way of another ID of ours.
    fn may_renew(&self) -> bool {
        let free = self.names.next == 0 && self.names.old == 0;
        free && self.phase == Phase::Open && self.validated.is_some()
    }

    fn wants_new_id(&self) -> bool {
        match &self.local {
            LocalHalf::Moving(moving) => moving.retry.tries == 0 && self.may_renew(),
            LocalHalf::Settled | LocalHalf::Absent(_) => false,
        }
    }

    /// What an RSYN says about our flow ID. It is repeated with every version until the peer has
    /// used the ID, because that may know any of them.
    pub(super) fn say_new_id(&self, shared: &Shared, host: &dyn Host, rsyn: &mut Message) {
        if self.names.next != 0 {
            rsyn.new_flow = Some(self.names.next);
            let key = &shared.settings.reset_key;
            rsyn.reset_proof = key.commitment(host, self.names.next);
        }
    }

    /// Takes the ID of a version that is newer than all before.
    pub(super) fn hear_new_id(&mut self, message: &Message) {
        let names = &mut self.names;
        if names.pending {
            (names.pending, names.other, names.proof) = (false, 0, None);
        }
        if let Some(id) = message.new_flow.filter(|id| *id != self.remote_id) {
            names.other = id;
            names.proof = message.reset_proof;
            names.pending = true;
        }
    }

    /// The newest version of the peer is proven, and with it its ID. True if that is new.
    pub(super) fn take_new_id(&mut self, shared: &mut Shared) -> bool {
        if !core::mem::take(&mut self.names.pending) {
            return false;
        }
        core::mem::swap(&mut self.remote_id, &mut self.names.other);
        self.reset_proof = self.names.proof.take();
        shared.emit(Event::PeerRenamed {
            flow: self.index,
            old: self.names.other,
            new: self.remote_id,
        });
        true
    }

    /// R19: what the peer is called in a handshake along `path`.
    pub(super) fn peer_id_at(&self, path: &Path) -> u64 {
        let mut candidates = self.candidates.iter();
        match self.names.pending && candidates.any(|c| c.path.same_remote(path)) {
            true => self.names.other,
            false => self.remote_id,
        }
    }

    /// R16: a ping or its answer names the ID that the peer uses. Handshakes do not count.
    pub(super) fn note_used_id(&mut self, shared: &mut Shared, now: Instant, message: &Message) {
        let tells = matches!(message.kind, PacketType::Ping | PacketType::Pong);
        let names = &mut self.names;
        if !tells || names.next == 0 || message.receiver != names.next {
            return;
        }
        let old = match names.used {
            0 => self.local_id,
            used => used,
        };
        names.used = names.next;
        names.next = 0;
        names.old = old;
        names.until = now.after(shared.settings.draining.min(ID_DRAINING));
        shared.emit(Event::Renamed {
            flow: self.index,
            old,
            new: names.used,
        });
    }

    /// When the ID that was replaced is answered to no more.
    pub(super) fn id_timeout(&self) -> Option<Instant> {
        (self.names.old != 0).then_some(self.names.until)
    }

    pub(super) fn expire_id(&mut self, now: Instant) {
        if self.id_timeout().is_some_and(|at| at <= now) {
            self.names.old = 0;
        }
    }

    /// The peer has moved and is called by another ID now. So that it calls us by another one as
    /// well, our address is announced again, with a version and an ID of its own. That is no
    /// move: what does not change the address makes the peer do nothing of the kind.
    pub(super) fn rename(&mut self, shared: &Shared, now: Instant) {
        // One that was announced in vain is announced again.
        let waits = self.names.next != 0 && self.phase == Phase::Open;
        let wanted = shared.settings.renew_flow_ids && (self.may_renew() || waits);
        let at_home = self.local == LocalHalf::Settled && self.announced == self.path.local;
        let next = self.version.checked_add(1);
        let (true, true, Some(version)) = (wanted, at_home, next) else {
            return;
        };
        if let Some(to) = self.current_address(shared) {
            self.version = version;
            self.burst.rsyn = None;
            self.local = LocalHalf::Moving(Move {
                to,
                kept: true,
                renames: true,
                began: now,
                trying: now,
                retry: Retry::starting(now),
                ilist: 0,
            });
        }
    }

    /// True while our address is settled, though a new ID may be announced for it.
    pub(super) fn is_settled(&self) -> bool {
        match &self.local {
            LocalHalf::Settled => true,
            LocalHalf::Absent(_) => false,
            LocalHalf::Moving(moving) => moving.renames,
        }
    }

    /// Ends an announcement that changes no address; the next version carries its ID.
    pub(super) fn set_renaming_aside(&mut self) -> Option<Move> {
        match self.local {
            LocalHalf::Moving(moving) if moving.renames => {
                self.local = LocalHalf::Settled;
                self.burst.rsyn = None;
                Some(moving)
            }
            _ => None,
        }
    }

    /// Goes on with it, if the address is still the one in use.
    pub(super) fn resume_renaming(&mut self, shared: &Shared, renaming: Option<Move>) {
        let settled = self.local == LocalHalf::Settled;
        let here = |to: &LocalAddress| settled && to.addr == self.path.local;
        let renaming = renaming.filter(|moving| here(&moving.to));
        if let (Some(moving), Some(to)) = (renaming, self.current_address(shared)) {
            self.local = LocalHalf::Moving(Move { to, ..moving });
        }
    }

    /// The peer has answered an announcement that changes no address.
    pub(super) fn complete_renaming(&mut self, shared: &mut Shared, now: Instant, moving: &Move) {
        self.set_renaming_aside();
        self.settled_at = now;
        shared.ilist_known = shared.ilist_known.max(moving.ilist);
        self.note_rtt(shared, moving.retry.measured(now));
    }
}
