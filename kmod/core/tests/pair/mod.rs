// SPDX-License-Identifier: GPL-2.0-only
//! Two hosts whose packets are carried by hand, so that a test decides what arrives and when.
#![allow(dead_code)] // Each test file uses a part of it.

use eccp_core::address::{IpAddr128, LocalAddress, Path, RemoteAddr, RxInfo};
use eccp_core::connection::{AddFlow, Connect, Connection};
use eccp_core::event::{Command, Discard, Event, FlowIndex, Refused};
use eccp_core::flow::{Flow, FlowState};
use eccp_core::service::{Service, TransportParams};
use eccp_core::settings::{Encapsulation, Settings};
use eccp_core::sim::Node;
use eccp_core::time::{Duration, Instant};
use eccp_core::wire::{Message, Packet, PacketType, INNER_TCP, MAX_CONTROL};

pub const CLIENT: usize = 0;
pub const SERVER: usize = 1;
pub const FLOW: FlowIndex = FlowIndex(0);
pub const PORT: Service = Service::Port(80);

/// Address number `n` of a host; interface `n`.
pub fn addr(host: usize, n: u8) -> LocalAddress {
    LocalAddress {
        addr: IpAddr128::from_v4([10, host as u8 + 1, n, 1]),
        ifindex: u32::from(n),
        flags: 0,
        priority: 0,
    }
}

/// IPv6 address number `n` of a host.
pub fn addr6(host: usize, n: u8) -> LocalAddress {
    let mut raw = [0; 16];
    raw[..4].copy_from_slice(&[0x20, 0x01, 0x0d, 0xb8]);
    raw[7] = host as u8 + 1;
    raw[15] = n;
    LocalAddress {
        addr: IpAddr128(raw),
        ..addr(host, n)
    }
}

/// Native only, so that each message is one packet.
pub fn settings() -> Settings {
    Settings {
        encapsulation: Encapsulation::Native,
        ..Settings::DEFAULT
    }
}

/// A packet that a host has sent.
#[derive(Clone, Debug)]
pub struct Sent {
    pub path: Path,
    pub bytes: Vec<u8>,
}

impl Sent {
    pub fn message(&self) -> Message {
        *Packet::parse(&self.bytes)
            .expect("the core sends valid packets")
            .message()
    }

    pub fn kind(&self) -> PacketType {
        self.message().kind
    }
}

/// Two hosts; the client has addresses 1 to 3, the server 1 and 2, unless a test says otherwise.
pub struct Pair {
    pub nodes: [Node; 2],
    pub now: Instant,
}

impl Pair {
    pub fn new() -> Self {
        Self::with(settings(), vec![addr(0, 1)], vec![addr(1, 1)])
    }

    pub fn with(settings: Settings, client: Vec<LocalAddress>, server: Vec<LocalAddress>) -> Self {
        let mut pair = Self {
            nodes: [
                Node::new(1, settings, client),
                Node::new(2, settings, server),
            ],
            now: Instant(1_000_000),
        };
        pair.nodes[SERVER].listens = Some(PORT);
        pair.advance(Duration(0));
        pair
    }

    /// A pair with an established flow and nothing left to send.
    pub fn established() -> Self {
        let mut pair = Self::new();
        pair.connect();
        pair.settle();
        assert_eq!(pair.state(CLIENT), FlowState::Established);
        assert_eq!(pair.state(SERVER), FlowState::Established);
        pair
    }

    pub fn connect(&mut self) {
        let remotes: Vec<RemoteAddr> = self.nodes[SERVER]
            .addresses
            .iter()
            .map(|a| RemoteAddr {
                addr: a.addr,
                port: 0,
            })
            .collect();
        let client = &mut self.nodes[CLIENT];
        let request = Connect {
            service: PORT,
            inner: INNER_TCP,
            remotes: &remotes,
            local: &client.addresses,
            bound: Default::default(),
            transport: TransportParams::new(b"isn").expect("short"),
            psk: client.psk.as_ref(),
        };
        client
            .conn
            .connect(&mut client.host, &client.settings, &request);
    }

    /// All packets that a host wants to send now; an unspecified source is filled in as routing
    /// would.
    pub fn sent(&mut self, host: usize) -> Vec<Sent> {
        let node = &mut self.nodes[host];
        let mut buf = [0; MAX_CONTROL];
        let mut all = Vec::new();
        while let Some(sent) = node.conn.poll_transmit(&mut node.host, &mut buf) {
            let mut path = sent.path;
            if path.local.is_unspecified() {
                path.local = node.route(&path.remote).expect("a route");
            }
            all.push(Sent {
                path,
                bytes: buf[..sent.len].to_vec(),
            });
        }
        all
    }

    /// The only packet that a host sends now; it must be of the given type.
    pub fn only(&mut self, host: usize, kind: PacketType) -> Sent {
        let mut all = self.sent(host);
        assert_eq!(all.len(), 1, "{all:?}");
        assert_eq!(all[0].kind(), kind);
        all.remove(0)
    }

    /// How `sent` arrives at `host`.
    pub fn rx(&self, host: usize, sent: &Sent) -> RxInfo {
        let ports = (sent.path.remote_port, sent.path.local_port);
        self.nodes[host].rx_info(sent.path.remote, sent.path.local, sent.path.encap, ports)
    }

    /// Hands a control packet to the core.
    pub fn give(&mut self, host: usize, sent: &Sent) -> Result<(), Discard> {
        let rx = self.rx(host, sent);
        self.give_from(host, sent, &rx)
    }

    /// Hands a control packet to the core as if it came along another path.
    pub fn give_from(&mut self, host: usize, sent: &Sent, rx: &RxInfo) -> Result<(), Discard> {
        let node = &mut self.nodes[host];
        if sent.message().receiver == 0 {
            node.receive(rx, &sent.bytes);
            return Ok(());
        }
        node.conn.handle_packet(&mut node.host, rx, &sent.bytes)
    }

    /// Carries packets both ways until neither host sends any.
    pub fn settle(&mut self) {
        for _ in 0..100 {
            let mut quiet = true;
            for host in [CLIENT, SERVER] {
                for sent in self.sent(host) {
                    quiet = false;
                    let peer = 1 - host;
                    if self.nodes[peer].holds(&sent.path.remote) {
                        // Refusals of duplicates are part of life.
                        let _discard = self.give(peer, &sent);
                    }
                }
            }
            if quiet {
                return;
            }
        }
        panic!("the hosts never stop to send");
    }

    pub fn advance(&mut self, span: Duration) {
        self.now = self.now.after(span);
        for node in &mut self.nodes {
            node.host.now = self.now;
            node.conn.handle_timeout(&mut node.host);
        }
    }

    pub fn set_addresses(&mut self, host: usize, addresses: &[LocalAddress]) {
        let node = &mut self.nodes[host];
        node.addresses = addresses.to_vec();
        node.conn.handle_addresses(&mut node.host, addresses);
    }

    pub fn command(&mut self, host: usize, command: Command) -> Result<(), Refused> {
        let node = &mut self.nodes[host];
        node.conn.handle_command(&mut node.host, command)
    }

    /// Gives a host one address instead of all others, which makes it move hard; returns the RSYN.
    pub fn hard_move(&mut self, host: usize, n: u8) -> Sent {
        self.set_addresses(host, &[addr(host, n)]);
        let all = self.sent(host);
        all.into_iter()
            .find(|sent| sent.kind() == PacketType::Rsyn)
            .expect("an RSYN")
    }

    pub fn conn(&self, host: usize) -> &Connection {
        &self.nodes[host].conn
    }

    pub fn flow(&self, host: usize) -> &Flow {
        self.conn(host).flow(FLOW).expect("a flow")
    }

    pub fn state(&self, host: usize) -> FlowState {
        self.flow(host).state()
    }

    /// The peer's address as `host` has it for data.
    pub fn data_to(&self, host: usize) -> Option<IpAddr128> {
        self.conn(host).data_path(FLOW).map(|path| path.remote)
    }

    pub fn events(&mut self, host: usize) -> Vec<Event> {
        let node = &mut self.nodes[host];
        std::iter::from_fn(|| node.conn.poll_event()).collect()
    }
}

impl Pair {
    /// Adds a flow from a local address of `host`, without carrying any packet.
    pub fn add(&mut self, host: usize, request: AddFlow) -> Result<FlowIndex, Refused> {
        let node = &mut self.nodes[host];
        node.conn.add_flow(&mut node.host, &request)
    }

    /// Two hosts with two addresses each and two flows: the second between the second addresses.
    pub fn with_two_flows(settings: Settings) -> Self {
        let both = |host| vec![addr(host, 1), addr(host, 2)];
        let mut pair = Self::with(settings, both(CLIENT), both(SERVER));
        pair.connect();
        pair.settle();
        pair.add(CLIENT, from(addr(CLIENT, 2))).expect("a flow");
        pair.settle();
        pair.advance(Duration::from_secs(1));
        pair.settle();
        for host in [CLIENT, SERVER] {
            assert_eq!(pair.state_of(host, SECOND), FlowState::Established);
            pair.events(host);
        }
        pair
    }

    pub fn state_of(&self, host: usize, flow: FlowIndex) -> FlowState {
        let flow = self.conn(host).flow(flow);
        flow.map_or(FlowState::Closed, Flow::state)
    }

    /// The flow that carries data, and where it leads.
    pub fn carrier(&self, host: usize) -> Option<(FlowIndex, IpAddr128)> {
        let carrier = self.conn(host).carrier()?;
        Some((carrier.flow, carrier.path.remote))
    }
}

/// The flow that was added first.
pub const SECOND: FlowIndex = FlowIndex(1);

/// A flow from an address to wherever the core thinks best.
pub fn from(from: LocalAddress) -> AddFlow {
    AddFlow {
        from,
        to: None,
        backup: false,
    }
}
