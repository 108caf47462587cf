// SPDX-License-Identifier: GPL-2.0-only
//! What the flows of a connection have in common (paper Table II, connection level).

use super::addition::Joins;
use super::address::{Bound, Family, IpAddr128, LocalAddress, Path, RemoteAddr, ADDRESS_BACKUP};
use super::address::{Encap, ADDRESS_METERED};
use super::auth::{Keys, Role};
use super::carrier::Carrier;
use super::cookie::CookieStore;
use super::event::{Discard, Event, FlowIndex};
use super::ilist::{IList, MAX_ADDRESSES};
use super::limit::TokenBucket;
use super::others::Others;
use super::punch::PUNCH_RATE;
use super::queue::Queue;
use super::rebind::Stray;
use super::redirection::Tickets;
use super::service::{Service, TransportParams};
use super::settings::{Settings, MAX_REMOTES};
use super::time::{Duration, Instant};
use super::wire::{PacketType, Reason, INNER_NONE, TOKEN_LEN};

/// Answers that can wait for transmission.
pub(super) const MAX_REPLIES: usize = 6;
/// Events that can wait for the host.
pub(super) const MAX_EVENTS: usize = 16;
/// Longest SYN and SYN-ACK.
pub(super) const MAX_FROZEN: usize = 376;

/// What a connection has done, in packets unless said otherwise.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
pub struct Counters {
    /// Control packets sent.
    pub sent: u64,
    /// Control packets accepted.
    pub accepted: u64,
    /// Repetitions among those sent.
    pub repeated: u64,
    /// Moves of ours that began.
    pub moves: u64,
    /// Moves of ours that were answered.
    pub moves_done: u64,
    /// Moves of ours that failed or were replaced.
    pub moves_failed: u64,
    /// Times that data took another flow.
    pub carrier_changes: u64,
    /// Moves of the peer that were proven.
    pub peer_moves: u64,
    /// Packets not sent because an unproven address had its share.
    pub amplification_limited: u64,
    /// Addresses of the peer's ILists that no packet may be sent to.
    pub ilist_entries_refused: u64,
    /// Local addresses beyond the limit.
    pub addresses_left_out: u64,
    /// Events that the host did not fetch in time.
    pub events_lost: u64,
    /// Times that the path in use was in doubt, keepalives included.
    pub doubts: u64,
    /// Pings that probed a path.
    pub probes: u64,
    /// Sources of the peer's packets that nobody had announced.
    pub strays: u64,
    /// Those of them that were proven and are the peer's address now.
    pub rebindings: u64,
    /// Those that were not obeyed because the address on record answered.
    pub rebindings_refused: u64,
    /// Those that were obeyed, and taken back because the address on record answered after all.
    pub rebindings_reverted: u64,
    /// HOLE-PUNCHes sent.
    pub punches: u64,
    /// HOLE-PUNCHes of the peer that were answered.
    pub punches_answered: u64,
    /// Those that were not, because there were too many or nothing may be sent there.
    pub punches_refused: u64,
}

/// An answer that waits for transmission.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Reply {
    pub(super) flow: FlowIndex,
    pub(super) kind: PacketType,
    pub(super) version: u64,
    pub(super) token: [u8; TOKEN_LEN],
    /// Token of the SYN or RSYN that is answered.
    pub(super) echo: Option<[u8; TOKEN_LEN]>,
    pub(super) reason: Option<Reason>,
    pub(super) path: Path,
    /// The flow ID of the peer that is answered, if it is not that of the flow.
    pub(super) receiver: u64,
}

impl Reply {
    /// One that carries nothing but its version.
    pub(super) const fn new(flow: FlowIndex, kind: PacketType, version: u64, path: Path) -> Self {
        Self {
            flow,
            kind,
            version,
            token: [0; TOKEN_LEN],
            echo: None,
            reason: None,
            path,
            receiver: 0,
        }
    }
}

/// What only a part of a connection's life needs: a client's cookies until it has an answer, tickets
/// afterwards.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) enum Aside {
    /// Before the first answer.
    Cookies(CookieStore),
    /// From the first ticket on.
    Tickets(Tickets),
}

/// A SYN or SYN-ACK that must be repeated to the byte, because the keys bind it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Frozen {
    pub(super) bytes: [u8; MAX_FROZEN],
    pub(super) len: usize,
    /// End of the part that the keys bind.
    pub(super) bound: usize,
    pub(super) mac_at: Option<usize>,
}

/// The usable local addresses.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct LocalSet {
    list: [LocalAddress; MAX_ADDRESSES],
    len: u8,
}

impl LocalSet {
    pub(super) const EMPTY: Self = Self {
        list: [LocalAddress::NONE; MAX_ADDRESSES],
        len: 0,
    };

    pub(super) fn as_slice(&self) -> &[LocalAddress] {
        self.list.get(..usize::from(self.len)).unwrap_or(&[])
    }

    pub(super) fn push(&mut self, address: LocalAddress) -> bool {
        let Some(slot) = self.list.get_mut(usize::from(self.len)) else {
            return false;
        };
        *slot = address;
        self.len = self.len.saturating_add(1);
        true
    }

    pub(super) fn find(&self, addr: &IpAddr128, ifindex: u32) -> Option<&LocalAddress> {
        self.as_slice()
            .iter()
            .find(|a| a.addr == *addr && (ifindex == 0 || a.ifindex == ifindex))
    }
}

/// How good an address is; the lower the better.
pub(super) fn rank(address: &LocalAddress) -> (bool, bool, u8) {
    (
        address.flags & ADDRESS_BACKUP != 0,
        address.flags & ADDRESS_METERED != 0,
        address.priority,
    )
}

/// The part of a connection that all its flows share.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Shared {
    pub(super) role: Role,
    pub(super) settings: Settings,
    pub(super) service: Service,
    pub(super) inner: u8,
    pub(super) bound: Bound,
    pub(super) keys: Option<Keys>,
    pub(super) psk: Option<[u8; 32]>,
    /// Secret of the X25519 exchange; zero once the keys are derived.
    pub(super) secret: [u8; 32],
    pub(super) token_secret: [u8; 32],
    /// SHA-256 of the SYN.
    pub(super) syn_hash: [u8; 32],
    pub(super) frozen: Frozen,
    pub(super) peer_transport: TransportParams,
    pub(super) remotes: [RemoteAddr; MAX_REMOTES],
    pub(super) remotes_len: u8,
    pub(super) addresses: LocalSet,
    /// Connection version of our IList.
    pub(super) local_version: u64,
    /// Newest version of our IList that the peer is known to have.
    pub(super) ilist_known: u64,
    pub(super) remote_ilist: IList,
    pub(super) replies: Queue<Reply, MAX_REPLIES>,
    pub(super) events: Queue<Event, MAX_EVENTS>,
    pub(super) limiter: TokenBucket,
    pub(super) counters: Counters,
    /// The peer answered a SYN with versions that we do not speak.
    pub(super) version_refused: bool,
    pub(super) carrier: Carrier,
    pub(super) joins: Joins,
    pub(super) others: Others,
    pub(super) aside: Aside,
    /// How long the owner of the socket lets a set-up or a move be repeated.
    pub(super) patience: Option<Duration>,
    /// A source of the peer's packets that nobody has announced.
    pub(super) stray: Option<Stray>,
    pub(super) punches: TokenBucket,
}

impl Shared {
    pub(super) const EMPTY: Self = Self {
        role: Role::Client,
        settings: Settings::DEFAULT,
        service: Service::Port(0),
        inner: INNER_NONE,
        bound: Bound {
            addr: IpAddr128::UNSPECIFIED,
            ifindex: 0,
        },
        keys: None,
        psk: None,
        secret: [0; 32],
        token_secret: [0; 32],
        syn_hash: [0; 32],
        frozen: Frozen {
            bytes: [0; MAX_FROZEN],
            len: 0,
            bound: 0,
            mac_at: None,
        },
        peer_transport: TransportParams::EMPTY,
        remotes: [RemoteAddr {
            addr: IpAddr128::UNSPECIFIED,
            port: 0,
        }; MAX_REMOTES],
        remotes_len: 0,
        addresses: LocalSet::EMPTY,
        local_version: 1,
        ilist_known: 0,
        remote_ilist: IList::EMPTY,
        replies: Queue::EMPTY,
        events: Queue::EMPTY,
        limiter: TokenBucket::new(0, Instant(0)),
        counters: Counters {
            sent: 0,
            accepted: 0,
            repeated: 0,
            moves: 0,
            moves_done: 0,
            moves_failed: 0,
            carrier_changes: 0,
            peer_moves: 0,
            amplification_limited: 0,
            ilist_entries_refused: 0,
            addresses_left_out: 0,
            events_lost: 0,
            doubts: 0,
            probes: 0,
            strays: 0,
            rebindings: 0,
            rebindings_refused: 0,
            rebindings_reverted: 0,
            punches: 0,
            punches_answered: 0,
            punches_refused: 0,
        },
        version_refused: false,
        carrier: Carrier::FIRST,
        joins: Joins::NONE,
        others: Others::NONE,
        aside: Aside::Cookies(CookieStore::EMPTY),
        patience: None,
        stray: None,
        punches: TokenBucket::new(PUNCH_RATE, Instant(0)),
    };

    /// How long a set-up or a move is repeated: as its owner says, or as the settings do.
    pub(super) fn give_up(&self) -> Duration {
        self.patience.unwrap_or(self.settings.give_up)
    }

    /// Queues an event. A host that does not fetch events loses the newest, and a count tells.
    pub(super) fn emit(&mut self, event: Event) {
        if !self.events.push(event) {
            self.counters.events_lost = self.counters.events_lost.saturating_add(1);
        }
    }

    /// Queues an answer to a received packet, within the limit on their rate.
    pub(super) fn answer(&mut self, now: Instant, reply: Reply) -> Result<(), Discard> {
        if self.replies.len() == MAX_REPLIES {
            return Err(Discard::QueueFull);
        }
        if !self.limiter.take(now) {
            return Err(Discard::RateLimited);
        }
        self.replies.push(reply);
        Ok(())
    }

    /// Takes an address that refused us out of those that a first SYN goes to; true if others
    /// are left.
    pub(super) fn drop_remote(&mut self, addr: &IpAddr128) -> bool {
        let mut kept = 0u8;
        for at in 0..self.remotes_len {
            let remote = self.remotes.get(usize::from(at)).copied();
            let Some(remote) = remote.filter(|remote| remote.addr != *addr) else {
                continue;
            };
            if let Some(slot) = self.remotes.get_mut(usize::from(kept)) {
                *slot = remote;
            }
            kept = kept.saturating_add(1);
        }
        self.remotes_len = kept;
        kept > 0
    }

    /// The addresses of the peer that a first SYN goes to.
    pub(super) fn remotes(&self) -> &[RemoteAddr] {
        self.remotes
            .get(..usize::from(self.remotes_len))
            .unwrap_or(&[])
    }

    /// Our IList as it is now.
    pub(super) fn ilist(&self) -> IList {
        let port = match self.settings.encapsulation.tries(Encap::Udp) {
            true => self.settings.udp_port,
            false => 0,
        };
        IList::advertising(self.addresses.as_slice(), port, self.local_version)
    }

    /// Takes the peer's IList if it is newer than the one known (protocol.md §4).
    pub(super) fn learn_ilist(&mut self, list: &IList) {
        if list.version <= self.remote_ilist.version {
            return;
        }
        let mut accepted = IList::new(list.version);
        for entry in list.entries() {
            if entry.addr.is_reachable_unicast() {
                accepted.push(*entry);
            } else {
                self.counters.ilist_entries_refused =
                    self.counters.ilist_entries_refused.saturating_add(1);
            }
        }
        self.remote_ilist = accepted;
    }

    /// True if paths of this connection may use the address.
    pub(super) fn may_use(&self, address: &LocalAddress) -> bool {
        self.bound.ifindex == 0 || self.bound.ifindex == address.ifindex
    }

    /// The usable local addresses of a family other than `except`.
    pub(super) fn usable(
        &self,
        family: Family,
        except: Option<IpAddr128>,
    ) -> impl Iterator<Item = &LocalAddress> {
        self.addresses
            .as_slice()
            .iter()
            .filter(move |a| a.addr.family() == family && self.may_use(a))
            .filter(move |a| except != Some(a.addr))
    }

    /// The best of [`Shared::usable`].
    pub(super) fn best_of(
        &self,
        family: Family,
        except: Option<&IpAddr128>,
    ) -> Option<&LocalAddress> {
        self.usable(family, except.copied()).min_by_key(|a| rank(a))
    }

    /// UDP ports of a path to `remote_port`; none with native encapsulation.
    pub(super) fn ports(&self, encap: Encap, remote_port: u16) -> (u16, u16) {
        match encap {
            Encap::Native => (0, 0),
            Encap::Udp => (self.settings.udp_port, remote_port),
        }
    }
}
