// SPDX-License-Identifier: GPL-2.0-only
//! The network between two hosts, and the invariants that hold at every moment.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::format;
use std::string::String;
use std::vec::Vec;

use super::gateway::{Gateway, Passage};
use super::nat::Nat;
use super::node::Node;
use super::rng::Rng;
use crate::address::{Encap, IpAddr128, LocalAddress, Path, RemoteAddr};
use crate::connection::{Connect, Transmit};
use crate::event::{Event, FlowIndex};
use crate::service::{Service, TransportParams};
use crate::time::{Duration, Instant};
use crate::wire::{Header, PacketType, INNER_TCP, MAX_CONTROL};

/// The first flow of a connection.
pub const FLOW: FlowIndex = FlowIndex(0);
/// The service of simulated servers.
pub const SERVICE: Service = Service::Port(80);

/// What the network does to packets.
#[derive(Clone, Copy, Debug)]
pub struct Faults {
    /// Packets lost, per mille.
    pub loss: u64,
    /// Packets repeated, per mille.
    pub duplication: u64,
    /// Shortest one-way delay.
    pub delay: Duration,
    /// Longest addition to it: packets overtake each other.
    pub jitter: Duration,
    /// Native packets do not pass.
    pub blocks_native: bool,
}

impl Faults {
    /// A network without faults, 10 ms each way.
    pub const NONE: Self = Self {
        loss: 0,
        duplication: 0,
        delay: Duration::from_millis(10),
        jitter: Duration(0),
        blocks_native: false,
    };
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct InFlight {
    due: Instant,
    order: u64,
    path: Path,
    bytes: Vec<u8>,
}

/// A packet as it went into the network.
#[derive(Clone, Debug)]
pub struct Captured {
    /// When it was sent.
    pub at: Instant,
    /// From where to where, and how.
    pub path: Path,
    /// The ECCP packet.
    pub bytes: Vec<u8>,
}

/// A packet that a host has sent, or that has reached it.
#[derive(Clone, Debug)]
pub struct Seen {
    /// Which host.
    pub host: usize,
    /// True if the host sent it.
    pub sent: bool,
    /// The packet; its path is as that host sees it.
    pub packet: Captured,
}

/// Two hosts and what is on its way between them.
#[derive(Clone, Debug)]
pub struct World {
    /// The virtual time.
    pub now: Instant,
    /// The hosts: by convention the client first.
    pub nodes: [Node; 2],
    /// The network's behaviour; may be changed at any time.
    pub faults: Faults,
    /// Source of all chance.
    pub rng: Rng,
    /// Packets delivered so far, data included.
    pub delivered: u64,
    /// Every how long each host sends a data packet; `None` for never.
    pub data_every: Option<Duration>,
    /// All packets sent, if they are to be kept.
    pub captured: Option<Vec<Captured>>,
    /// What the hosts send and receive, in order; `None` does not record.
    pub record: Option<Vec<Seen>>,
    /// Dead ways, from an address to another: what is sent there vanishes.
    pub dead: Vec<(IpAddr128, IpAddr128)>,
    /// A NAT in front of the client.
    pub nat: Option<Nat>,
    /// Others, in front of whom they name.
    pub other_nats: Vec<Nat>,
    /// Packets of this type vanish.
    pub censored: Option<PacketType>,
    /// Somebody on the way who sends a copy of whatever the client sends to the server from this
    /// address, and forwards what either sends there.
    pub relay: Option<IpAddr128>,
    /// A host that lies: every other packet of it claims to come from this address, where nobody
    /// is.
    pub liar: Option<(usize, IpAddr128)>,
    /// Routers with redirection caches.
    pub gateways: Vec<Gateway>,
    data_due: Instant,
    flying: BinaryHeap<Reverse<InFlight>>,
    order: u64,
    /// States that a flow of either host has been in, as bits.
    pub states: u16,
    /// Versions seen last: own, newest and validated of each host.
    seen: [(u64, u64, Option<u64>); 2],
}

impl World {
    /// A world at time zero.
    #[must_use]
    pub fn new(seed: u64, nodes: [Node; 2], faults: Faults) -> Self {
        Self {
            now: Instant(0),
            nodes,
            faults,
            rng: Rng::new(seed),
            delivered: 0,
            data_every: None,
            record: None,
            captured: None,
            dead: Vec::new(),
            nat: None,
            other_nats: Vec::new(),
            censored: None,
            relay: None,
            liar: None,
            gateways: Vec::new(),
            data_due: Instant(0),
            flying: BinaryHeap::new(),
            order: 0,
            states: 0,
            seen: [(0, 0, None); 2],
        }
    }

    /// The client and the server.
    pub fn pair(&mut self) -> (&mut Node, &mut Node) {
        let [client, server] = &mut self.nodes;
        (client, server)
    }

    /// Lets the server listen and the client connect to the server's first addresses.
    pub fn connect(&mut self) {
        let (client, server) = self.pair();
        server.listens = Some(SERVICE);
        let remotes: Vec<RemoteAddr> = server
            .addresses
            .iter()
            .take(2)
            .map(|a| RemoteAddr {
                addr: a.addr,
                port: 0,
            })
            .collect();
        let request = Connect {
            service: SERVICE,
            inner: INNER_TCP,
            remotes: &remotes,
            local: &client.addresses,
            bound: Default::default(),
            transport: TransportParams::new(b"client").unwrap_or_default(),
            psk: client.psk.as_ref(),
        };
        let settings = client.settings;
        client.conn.connect(&mut client.host, &settings, &request);
        self.flush();
    }

    /// Gives a host a new set of addresses.
    pub fn set_addresses(&mut self, host: usize, addresses: Vec<LocalAddress>) {
        if let Some(node) = self.nodes.get_mut(host) {
            node.host.now = self.now;
            node.addresses = addresses;
            node.conn.handle_addresses(&mut node.host, &node.addresses);
        }
        self.flush();
    }

    /// Runs until `end`; an error names a broken invariant.
    pub fn run_until(&mut self, end: Instant) -> Result<(), String> {
        while let Some(due) = self.next_due().filter(|due| *due <= end) {
            self.now = due.max(self.now);
            self.step()?;
        }
        self.now = end;
        Ok(())
    }

    /// Runs for a while; an error names a broken invariant.
    pub fn run_for(&mut self, span: Duration) -> Result<(), String> {
        self.run_until(self.now.after(span))
    }

    /// When a host has set a timer or a packet arrives next.
    #[must_use]
    pub fn next_due(&self) -> Option<Instant> {
        let packets = self.flying.peek().map(|Reverse(packet)| packet.due);
        let timers = self.nodes.iter().filter_map(|n| n.conn.poll_timeout());
        let data = self.data_every.map(|_| self.data_due);
        packets.into_iter().chain(timers).chain(data).min()
    }

    fn step(&mut self) -> Result<(), String> {
        for node in &mut self.nodes {
            node.host.now = self.now;
        }
        while self.flying.peek().is_some_and(|p| p.0.due <= self.now) {
            if let Some(Reverse(packet)) = self.flying.pop() {
                self.deliver(&packet);
                self.flush();
                self.check_versions()?;
            }
        }
        for node in &mut self.nodes {
            node.conn.handle_timeout(&mut node.host);
        }
        self.flush();
        self.send_data();
        self.check_versions()?;
        self.check_paths()
    }

    fn deliver(&mut self, packet: &InFlight) {
        let Some(packet) = self.pass_gateways(packet.clone()) else {
            return;
        };
        let Some(packet) = self.enter_nat(&packet) else {
            return;
        };
        let to = packet.path.remote;
        let Some(host) = self.nodes.iter().position(|node| node.holds(&to)) else {
            return;
        };
        let ports = (packet.path.remote_port, packet.path.local_port);
        let Some(node) = self.nodes.get(host) else {
            return;
        };
        let rx = node.rx_info(to, packet.path.local, packet.path.encap, ports);
        self.note(host, false, rx.reply_path(), &packet.bytes);
        let Some(node) = self.nodes.get_mut(host) else {
            return;
        };
        self.delivered = self.delivered.saturating_add(1);
        if let Some(refusal) = node.receive(&rx, &packet.bytes) {
            let path = rx.reply_path();
            self.note(host, true, path, &refusal);
            self.send(path, &refusal);
        }
    }

    /// Sends what the cores want sent and collects their events.
    pub fn flush(&mut self) {
        let mut buf = [0u8; MAX_CONTROL];
        for host in 0..self.nodes.len() {
            while let Some(sent) = self.poll_transmit(host, &mut buf) {
                self.send_from(host, sent.path, buf.get(..sent.len).unwrap_or(&[]));
            }
            if let Some(node) = self.nodes.get_mut(host) {
                while let Some(event) = node.conn.poll_event() {
                    node.events.push((self.now, event));
                }
            }
        }
    }

    fn poll_transmit(&mut self, host: usize, buf: &mut [u8]) -> Option<Transmit> {
        let node = self.nodes.get_mut(host)?;
        node.host.now = self.now;
        node.conn.poll_transmit(&mut node.host, buf)
    }

    /// Sends from a host: routing chooses the source if the path does not, and an address that
    /// the host does not hold cannot be sent from.
    fn send_from(&mut self, host: usize, mut path: Path, bytes: &[u8]) {
        let Some(node) = self.nodes.get(host) else {
            return;
        };
        if path.local.is_unspecified() {
            match node.route(&path.remote) {
                Some(addr) => path.local = addr,
                None => return,
            }
        }
        if node.holds(&path.local) && path.local.family() == path.remote.family() {
            self.note(host, true, path, bytes);
            if let Some((_, claimed)) = self.liar.filter(|(liar, _)| *liar == host) {
                let lies = claimed.family() == path.remote.family() && self.rng.chance(500);
                path.local = if lies { claimed } else { path.local };
            }
            self.send(path, bytes);
        }
    }

    fn note(&mut self, host: usize, sent: bool, path: Path, bytes: &[u8]) {
        if let Some(record) = &mut self.record {
            record.push(Seen {
                host,
                sent,
                packet: Captured {
                    at: self.now,
                    path,
                    bytes: bytes.to_vec(),
                },
            });
        }
    }

    fn send(&mut self, path: Path, bytes: &[u8]) {
        let nats = self.nat.iter_mut().chain(&mut self.other_nats);
        let path = nats.fold(path, |path, nat| nat.leave(path));
        for path in self.relayed(path).into_iter().flatten() {
            self.put(path, bytes);
        }
    }

    /// The ways that a packet takes, with somebody in the middle.
    fn relayed(&self, path: Path) -> [Option<Path>; 2] {
        let Some(relay) = self.relay else {
            return [Some(path), None];
        };
        let [client, server] = &self.nodes;
        let home = |node: &Node| node.addresses.first().map(|a| a.addr);
        let from_server = server.holds(&path.local);
        if path.remote == relay {
            let to = if from_server {
                home(client)
            } else {
                home(server)
            };
            return [
                to.map(|remote| Path {
                    local: relay,
                    remote,
                    ..path
                }),
                None,
            ];
        }
        let copy = Path {
            local: relay,
            ..path
        };
        [Some(path), Some(copy).filter(|_| !from_server)]
    }

    /// What is left of a packet behind the routers; what they answer is sent.
    fn pass_gateways(&mut self, mut packet: InFlight) -> Option<InFlight> {
        for at in 0..self.gateways.len() {
            let gateway = self.gateways.get_mut(at)?;
            match gateway.pass(self.now, &packet.path, &packet.bytes) {
                Passage::On => {}
                Passage::To(remote) => packet.path.remote = remote,
                Passage::Taken(answer) => {
                    if let Some((path, bytes)) = answer {
                        self.send(path, &bytes);
                    }
                    return None;
                }
            }
        }
        Some(packet)
    }

    fn enter_nat(&self, packet: &InFlight) -> Option<InFlight> {
        let mut packet = packet.clone();
        for nat in self.nat.iter().chain(&self.other_nats) {
            packet.path = nat.enter(packet.path)?;
        }
        Some(packet)
    }

    fn put(&mut self, path: Path, bytes: &[u8]) {
        let faults = self.faults;
        if let Some(captured) = &mut self.captured {
            captured.push(Captured {
                at: self.now,
                path,
                bytes: bytes.to_vec(),
            });
        }
        if faults.blocks_native && path.encap == Encap::Native {
            return;
        }
        if self.dead.contains(&(path.local, path.remote)) {
            return;
        }
        let kind = Header::parse(bytes).map(|header| header.kind).ok();
        if self.censored.is_some() && self.censored == kind {
            return;
        }
        let copies = 1 + u64::from(self.rng.chance(faults.duplication));
        for _ in 0..copies {
            if self.rng.chance(faults.loss) {
                continue;
            }
            let extra = Duration(self.rng.below(faults.jitter.0.saturating_add(1)));
            self.order = self.order.saturating_add(1);
            self.flying.push(Reverse(InFlight {
                due: self.now.after(faults.delay).after(extra),
                order: self.order,
                path,
                bytes: bytes.to_vec(),
            }));
        }
    }

    /// Puts a packet into the network that no core has sent.
    pub fn inject(&mut self, from: IpAddr128, to: IpAddr128, bytes: &[u8]) {
        let path = Path {
            local: from,
            remote: to,
            ..Path::NONE
        };
        self.send(path, bytes);
    }

    fn send_data(&mut self) {
        let Some(every) = self.data_every else { return };
        if self.data_due > self.now {
            return;
        }
        self.data_due = self.now.after(every);
        for host in 0..self.nodes.len() {
            let Some(node) = self.nodes.get(host) else {
                continue;
            };
            if let (Some(path), Some(flow)) = (node.conn.data_path(FLOW), node.conn.flow(FLOW)) {
                let header = Header::data(flow.remote_id(), INNER_TCP);
                self.send_from(host, path, &header);
            }
        }
    }

    /// val <= cand <= ver on both halves, and none of them ever decreases.
    fn check_versions(&mut self) -> Result<(), String> {
        for flow in self.nodes.iter().filter_map(|n| n.conn.flow(FLOW)) {
            self.states |= 1 << flow.state() as u16;
        }
        let [a, b] = &self.nodes;
        for (host, (mine, peer)) in [(a, b), (b, a)].into_iter().enumerate() {
            let (Some(flow), Some(other)) = (mine.conn.flow(FLOW), peer.conn.flow(FLOW)) else {
                continue;
            };
            let now = (flow.version(), flow.newest(), flow.validated());
            let ordered =
                flow.validated() <= Some(flow.newest()) && flow.newest() <= other.version();
            let Some(seen) = self.seen.get_mut(host) else {
                continue;
            };
            let grows = seen.0 <= now.0 && seen.1 <= now.1 && seen.2 <= now.2;
            if !ordered || !grows {
                return Err(format!(
                    "host {host}: versions {now:?} after {seen:?}, peer at {}",
                    other.version()
                ));
            }
            *seen = now;
        }
        Ok(())
    }

    /// Data goes only to an address at which the peer was reached by an answer of the version
    /// that is recorded as proven, or at which a SYN or RSYN arrived and was answered.
    fn check_paths(&self) -> Result<(), String> {
        let [a, b] = &self.nodes;
        for (host, (mine, peer)) in [(a, b), (b, a)].into_iter().enumerate() {
            let (Some(path), Some(flow)) = (mine.conn.data_path(FLOW), mine.conn.flow(FLOW)) else {
                continue;
            };
            let version = flow.validated().unwrap_or(0);
            let mut nats = self.nat.iter().chain(&self.other_nats);
            let behind_nat = nats.any(|nat| nat.outside == path.remote);
            if behind_nat || self.relay == Some(path.remote) {
                continue;
            }
            let proven = peer.reached_at.contains(&(version, path.remote))
                || peer.asked_at.contains(&path.remote);
            if !proven {
                return Err(format!(
                    "host {host}: data would go to {} which version {version} did not prove",
                    path.remote
                ));
            }
        }
        Ok(())
    }

    /// Time of the first event of a host that `wanted` accepts.
    #[must_use]
    pub fn event_at(&self, host: usize, wanted: impl Fn(&Event) -> bool) -> Option<Instant> {
        let node = self.nodes.get(host)?;
        let mut events = node.events.iter();
        events.find(|(_, event)| wanted(event)).map(|(at, _)| *at)
    }
}
