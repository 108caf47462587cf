// SPDX-License-Identifier: GPL-2.0-only
//! Two ends and a network, as a stateright model: the client connects, hosts move, packets are
//! lost, repeated and reordered, and at any moment all of that may stop: then both ends must find
//! each other (protocol.md §8).

use std::hash::{Hash, Hasher};
use std::sync::Mutex;

use eccp_core::flow::Phase;
use eccp_core::settings::MAX_CANDIDATES;
use eccp_core::wire::PacketType;
use stateright::{Model, Property};

use crate::canonical;
use crate::endpoint::{Addr, FlowView, Input, PacketView, Table, View};

/// Which moves are explored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Moves of each host; `None` for any number.
    pub moves: [Option<u8>; 2],
    /// A host moves only while its peer's current address is on record with it.
    pub no_overlap: bool,
    /// PING and PONG are exchanged too; otherwise the network loses all of them.
    pub pings: bool,
    /// The exploration starts with the connection established, not with the SYN.
    pub established: bool,
    /// Most packets in flight before the calm; a full network loses what comes next.
    pub capacity: usize,
}

/// Two ends, what is in flight, and what has been proven.
#[derive(Clone, Debug)]
pub struct State {
    /// The ends, as numbers in the table.
    pub ends: [u32; 2],
    /// Packets that may be delivered, as numbers in the table, in order.
    pub net: Vec<u32>,
    /// Where answers of which version have reached each host: what its peer may take for proven.
    pub proofs: Vec<(u8, u64, Addr)>,
    /// Moves so far.
    pub moves: [u8; 2],
    /// Nothing moves and nothing is lost any more.
    pub calm: bool,
    /// What the state is compared by.
    key: u64,
}

impl PartialEq for State {
    fn eq(&self, other: &Self) -> bool {
        self.key == other.key
    }
}

impl Eq for State {}

impl Hash for State {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.key.hash(state);
    }
}

/// What can happen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// The client connects.
    Connect,
    /// A host gets a new address and loses its old one.
    Move(usize),
    /// A timer fires and sends this packet.
    Timer(u32),
    /// A packet arrives. It may arrive again, unless the network is calm and the packet left from
    /// an address that its sender has left: of those there are finitely many copies.
    Deliver(u32),
    /// A packet is lost.
    Lose(u32),
    /// The calm begins.
    Calm,
}

/// The model: the limits, and the table of what the core does.
pub struct Pair {
    limits: Limits,
    table: Mutex<Table>,
}

impl Pair {
    /// A pair that is explored within `limits`.
    pub fn new(limits: Limits) -> Self {
        Self {
            limits,
            table: Mutex::new(Table::default()),
        }
    }

    /// Number of distinct ends, packets and steps of the core so far.
    pub fn size(&self) -> (usize, usize, usize) {
        self.table().size()
    }

    /// Checks that the abstraction left out nothing that counts: see [`Table::check`].
    pub fn check_abstraction(&self) -> Result<usize, String> {
        self.table().check()
    }

    fn table(&self) -> std::sync::MutexGuard<'_, Table> {
        self.table.lock().expect("no thread panicked")
    }

    /// Lets the handshake run without loss.
    fn establish(&self, table: &mut Table, state: &mut State) {
        self.apply(table, state, &Action::Connect);
        while let Some(packet) = state.net.pop() {
            self.apply(table, state, &Action::Deliver(packet));
        }
    }

    fn may_move(&self, table: &Table, state: &State, host: usize) -> bool {
        let below = self.limits.moves[host].is_none_or(|most| state.moves[host] < most);
        let [mine, peer] = [host, 1 - host].map(|i| table.view(state.ends[i]));
        let Some(flow) = &mine.flow else { return false };
        // The client finds the server's first address by its name, which it asks for once only.
        let found = host == 0 || established(table.view(state.ends[0]));
        let current = peer.held[0];
        let on_record = flow.path.1 == current || flow.candidates.contains(&current);
        let free = !self.limits.no_overlap || flow.phase == Phase::SynSent || on_record;
        below && found && free
    }

    fn apply(&self, table: &mut Table, state: &mut State, action: &Action) {
        match *action {
            Action::Connect => self.step(table, state, 0, Input::Connect((1, 0))),
            Action::Move(host) => {
                let id = u8::try_from(host).expect("0 or 1");
                let (_, number) = table.view(state.ends[host]).held[0];
                state.moves[host] = state.moves[host].saturating_add(1);
                self.step(table, state, host, Input::Hold((id, number + 1)));
            }
            Action::Timer(packet) => self.send(table, state, packet),
            Action::Deliver(packet) => {
                let view = table.packet(packet).clone();
                if state.calm && is_old(table, state, &view) {
                    state.net.retain(|other| *other != packet);
                }
                let host = usize::from(view.dst.0);
                if let (PacketType::SynAck | PacketType::RsynAck, Some(token)) =
                    (view.kind, view.token)
                {
                    insert(&mut state.proofs, (view.dst.0, view.version, token));
                }
                self.step(table, state, host, Input::Packet(packet));
            }
            Action::Lose(packet) => {
                state.net.retain(|other| *other != packet);
            }
            Action::Calm => state.calm = true,
        }
    }

    fn step(&self, table: &mut Table, state: &mut State, host: usize, input: Input) {
        let (next, sent) = table.step(state.ends[host], input);
        state.ends[host] = next;
        for packet in sent {
            self.send(table, state, packet);
        }
    }

    fn send(&self, table: &Table, state: &mut State, packet: u32) {
        let kind = table.packet(packet).kind;
        let ping = matches!(kind, PacketType::Ping | PacketType::Pong);
        let fits = state.calm || state.net.len() < self.limits.capacity;
        if fits && (self.limits.pings || !ping) {
            insert(&mut state.net, packet);
        }
    }

    /// Forgets what can never matter again, and sets the key. Exact: addresses are fresh, so an
    /// address that nobody holds never comes back, and versions only grow.
    fn tidy(&self, table: &mut Table, state: &mut State) {
        let ends = state.ends;
        state.net.retain(|packet| {
            let view = table.packet(*packet).clone();
            let host = usize::from(view.dst.0);
            let [receiver, sender] = [host, 1 - host].map(|i| table.view(ends[i]));
            let reached = receiver.held.contains(&view.dst);
            let kept = matters(receiver, sender, &view);
            if reached && !kept {
                check_ignored(table, ends[host], *packet);
            }
            reached && kept
        });
        let views = state.ends.map(|end| table.view(end));
        state.proofs.retain(|(host, version, _)| {
            let peer = views[1 - usize::from(*host)].flow.as_ref();
            peer.is_none_or(|flow| Some(*version) == flow.versions.2 || *version == flow.versions.1)
        });
        let bounded = self.limits.moves.iter().all(Option::is_some);
        state.key = canonical::key(table, state, bounded);
    }

    fn converged(table: &Table, state: &State) -> bool {
        let views = state.ends.map(|end| table.view(end));
        [(0, 1), (1, 0)].into_iter().all(|(mine, peer)| {
            views[mine].flow.as_ref().is_some_and(|flow| {
                let settled = flow.moving.is_none() && flow.versions.2 == Some(flow.versions.1);
                let at_peer = flow.path.1 == views[peer].held[0];
                flow.phase == Phase::Open && flow.carries && settled && at_peer
            })
        })
    }

    /// No step is left that changes anything.
    fn is_quiet(&self, state: &State) -> bool {
        let mut actions = Vec::new();
        self.actions(state, &mut actions);
        actions
            .into_iter()
            .all(|action| self.next_state(state, action).is_none())
    }
}

/// Adds `item` to a sorted list without repetition.
fn insert<T: Ord>(list: &mut Vec<T>, item: T) {
    if let Err(at) = list.binary_search(&item) {
        list.insert(at, item);
    }
}

fn established(view: &View) -> bool {
    view.flow
        .as_ref()
        .is_some_and(|flow| flow.phase == Phase::Open)
}

fn is_old(table: &Table, state: &State, packet: &PacketView) -> bool {
    let sender = table.view(state.ends[usize::from(packet.src.0)]);
    !sender.held.contains(&packet.src)
}

/// False if the packet can never change anything any more. An RSYN of the newest version only
/// asks for an answer that the timer sends as well; an answer that nobody waits for any more only
/// makes for an ACK that nobody waits for either.
fn matters(receiver: &View, sender: &View, packet: &PacketView) -> bool {
    let version = packet.version;
    let pending = |view: &View| {
        let flow = view.flow.as_ref();
        flow.is_none_or(|flow| flow.versions.2 < Some(flow.versions.1))
    };
    receiver.flow.as_ref().is_none_or(|flow| match packet.kind {
        PacketType::Rsyn => {
            let announced = pending(receiver) && !flow.candidates.contains(&packet.src);
            version > flow.versions.1 || (version == flow.versions.1 && announced)
        }
        PacketType::RsynAck | PacketType::SynAck => {
            let awaited = flow.moving.is_some() || flow.phase == Phase::SynSent;
            version == flow.versions.0 && (awaited || pending(sender))
        }
        PacketType::Ack => pending(receiver) && version >= flow.versions.1,
        PacketType::Syn => pending(receiver),
        _ => true,
    })
}

/// A packet that cannot change anything any more must not: the core is not trusted with that. An
/// older version must not even be answered.
fn check_ignored(table: &mut Table, receiver: u32, packet: u32) {
    let (next, sent) = table.step(receiver, Input::Packet(packet));
    let (view, says) = (table.view(receiver), table.packet(packet));
    assert_eq!(next, receiver, "{says:?} changed {view:?}");
    let current = view.flow.as_ref().is_some_and(|flow| match says.kind {
        PacketType::Rsyn => says.version == flow.versions.1,
        _ => says.version == flow.versions.0,
    });
    let expected = says.kind != PacketType::Ack && current;
    assert!(
        expected || sent.is_empty(),
        "{says:?} is answered by {view:?}"
    );
}

/// What a calm network can still change, the most important first; it must fall with each change
/// of an end, so that there is no livelock. Its front is the rank of spin-models/proof/rank.py.
fn rank(table: &Table, state: &State) -> [u64; 10] {
    let views = state.ends.map(|end| table.view(end));
    let mut rank = [0; 10];
    let old = |packet: &&u32| is_old(table, state, table.packet(**packet));
    rank[0] = state.net.iter().filter(old).count() as u64;
    for (mine, peer) in [(0, 1), (1, 0)] {
        let Some(flow) = &views[mine].flow else {
            rank[1] += 3;
            continue;
        };
        rank[1] += match flow.phase {
            Phase::SynSent => 2,
            Phase::SynRcvd => 1,
            _ => 0,
        };
        rank[4] += u64::from(flow.moving.is_some());
        rank[6] += (MAX_CANDIDATES - flow.candidates.len()) as u64;
        rank[7] += flow.timers.len() as u64;
        rank[8] += u64::from(flow.notice);
        let record = views[peer].flow.as_ref();
        let listed = |record: &&FlowView| record.candidates.contains(&views[mine].held[0]);
        rank[9] += u64::from(record.filter(listed).is_none());
        let newest = record.map_or(0, |record| record.versions.1 + 1);
        let proven = record.and_then(|r| r.versions.2).map_or(0, |v| v + 1);
        rank[2] += flow.versions.0 + 1 - newest;
        rank[3] += newest - proven;
        rank[5] += flow.lists.0 - record.map_or(0, |record| record.lists.1 .0);
    }
    rank
}

/// What must be possible, lest the other properties speak of nothing.
pub const WITNESS: &str = "hosts have moved twice and found each other";

impl Model for Pair {
    type State = State;
    type Action = Action;

    fn init_states(&self) -> Vec<State> {
        let mut table = self.table();
        let ends = [table.idle(0), table.idle(1)];
        let mut state = State {
            ends,
            net: Vec::new(),
            proofs: Vec::new(),
            moves: [0; 2],
            calm: false,
            key: 0,
        };
        if self.limits.established {
            self.establish(&mut table, &mut state);
        }
        self.tidy(&mut table, &mut state);
        vec![state]
    }

    fn actions(&self, state: &State, actions: &mut Vec<Action>) {
        let table = self.table();
        if table.view(state.ends[0]).flow.is_none() {
            actions.push(Action::Connect);
            return;
        }
        for host in 0..2 {
            if let Some(flow) = &table.view(state.ends[host]).flow {
                let idle = flow
                    .timers
                    .iter()
                    .filter(|packet| !state.net.contains(packet));
                actions.extend(idle.map(|packet| Action::Timer(*packet)));
            }
            if !state.calm && self.may_move(&table, state, host) {
                actions.push(Action::Move(host));
            }
        }
        for packet in state.net.iter().copied() {
            actions.push(Action::Deliver(packet));
            if !state.calm {
                actions.push(Action::Lose(packet));
            }
        }
        if !state.calm {
            actions.push(Action::Calm);
        }
    }

    /// The next state; `None` if nothing changes. In a calm network each change must lower the
    /// rank or put one more packet into the network.
    fn next_state(&self, state: &State, action: Action) -> Option<State> {
        let mut table = self.table();
        let mut next = state.clone();
        self.apply(&mut table, &mut next, &action);
        self.tidy(&mut table, &mut next);
        if next.key == state.key {
            return None;
        }
        if state.calm && next.ends != state.ends {
            let (before, after) = (rank(&table, state), rank(&table, &next));
            assert!(
                after < before,
                "livelock: {action:?} takes {before:?} to {after:?}"
            );
        }
        Some(next)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        vec![
            Property::always(
                "proven <= newest <= version",
                |model: &Self, state: &State| {
                    let table = model.table();
                    let views = state.ends.map(|end| table.view(end));
                    [(0, 1), (1, 0)].into_iter().all(|(mine, peer)| {
                        let peer_version = views[peer].flow.as_ref().map_or(0, |f| f.versions.0);
                        views[mine].flow.as_ref().is_none_or(|flow| {
                            let (_, newest, proven) = flow.versions;
                            proven.is_none_or(|p| p <= newest) && newest <= peer_version
                        })
                    })
                },
            ),
            Property::always(
                "data goes to proven addresses",
                |model: &Self, state: &State| {
                    let table = model.table();
                    [0, 1].into_iter().all(|mine| {
                        let view = table.view(state.ends[mine]);
                        view.flow
                            .as_ref()
                            .filter(|flow| flow.carries)
                            .is_none_or(|flow| {
                                let version =
                                    flow.versions.2.expect("data_path needs a proven address");
                                let answered = (mine, flow.path.1) == (0, (1, 0));
                                let proof = (1 - view.host, version, flow.path.1);
                                answered || state.proofs.contains(&proof)
                            })
                    })
                },
            ),
            Property::always("quiet means converged", |model: &Self, state: &State| {
                !state.calm || !model.is_quiet(state) || {
                    let table = model.table();
                    Self::converged(&table, state)
                }
            }),
            Property::sometimes(WITNESS, |model, state: &State| {
                let table = model.table();
                let moved = state.moves.iter().sum::<u8>() >= 2;
                moved && Self::converged(&table, state)
            }),
        ]
    }
}
