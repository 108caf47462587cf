// SPDX-License-Identifier: GPL-2.0-only
//! One end of the shipping core, driven by the events of the conformance table: the test plays
//! the peer and the network.

use std::collections::{BTreeMap, BTreeSet};

use eccp_core::address::{IpAddr128, LocalAddress, Path, RemoteAddr, RxInfo};
use eccp_core::auth::{request_token, token};
use eccp_core::connection::{Accept, AddFlow, Connect, Connection};
use eccp_core::event::{Command, FlowIndex};
use eccp_core::flow::{Flow, FlowState, LocalHalf, Phase};
use eccp_core::service::{Service, TransportParams};
use eccp_core::settings::{Encapsulation, Settings};
use eccp_core::time::{Duration, Instant};
use eccp_core::wire::{Message, Packet, PacketType, Reason, INNER_TCP, MAX_CONTROL};

use crate::added::{self, signed};
use crate::host::ModelHost;
use crate::role::Role;
use crate::table::Columns;

const SERVICE: Service = Service::Port(80);
const PEER_ID: u64 = 0x7777_0000_0000_0001;
/// Names of addresses in the table: own ones, the peer's, and the peer behind another NAT address.
const NAMES: [&str; 7] = ["L0", "L1", "L2", "P0", "P1", "P2", "N"];

/// One end.
#[derive(Clone, Debug)]
pub struct Probe {
    conn: Box<Connection>,
    host: ModelHost,
    held: Vec<LocalAddress>,
    role: Role,
    /// The flow that the table is about.
    flow: FlowIndex,
    /// Where the latest SYN from each source came to.
    asked_at: BTreeMap<String, String>,
}

fn ip(name: &str) -> IpAddr128 {
    let at = NAMES.iter().position(|known| *known == name);
    let at = at.unwrap_or_else(|| panic!("the table names an unknown address {name}"));
    IpAddr128::from_v4([10, 0, 0, 1 + u8::try_from(at).expect("few names")])
}

fn name(ip: &IpAddr128) -> &'static str {
    match ip.as_v4() {
        Some([10, 0, 0, at]) => NAMES[usize::from(at - 1)],
        _ => "-",
    }
}

fn local(name: &str) -> LocalAddress {
    LocalAddress {
        addr: ip(name),
        ifindex: 1,
        ..LocalAddress::NONE
    }
}

fn settings() -> Settings {
    Settings {
        encapsulation: Encapsulation::Native,
        control_rate: 0,
        ..Settings::DEFAULT
    }
}

impl Probe {
    /// An end without a flow, at address L0.
    pub fn new(role: Role) -> Self {
        let held = match role {
            Role::Unwilling => vec![added::as_backup(local("L0")), local("L1")],
            _ => vec![local("L0")],
        };
        let mut probe = Self {
            conn: Box::new(Connection::EMPTY),
            host: ModelHost {
                id: 0,
                now: Instant(1_000_000_000),
            },
            held,
            role,
            flow: FlowIndex(u8::from(role.is_later())),
            asked_at: BTreeMap::new(),
        };
        let set_up = match role {
            Role::Client | Role::Server => return probe,
            Role::Caller => added::connect,
            Role::Called | Role::Unwilling => added::accept,
        };
        let local = probe.locals();
        set_up(
            &mut probe.conn,
            &mut probe.host,
            &settings(),
            &local,
            SERVICE,
        );
        probe.host.id = 1; // Another flow ID than that of the first flow.
        probe
    }

    /// All addresses that the core knows of.
    fn locals(&self) -> Vec<LocalAddress> {
        let first = self.role.is_later().then_some(added::HOME);
        self.held.iter().copied().chain(first).collect()
    }

    /// The flow that the table is about.
    fn flow(&self) -> Option<&Flow> {
        self.conn.flow(self.flow)
    }

    /// True if nothing that happens to a later flow touches the first.
    pub fn leaves_the_first_flow_alone(&self) -> bool {
        !self.role.is_later() || added::is_undisturbed(&self.conn)
    }

    /// Its state as the table puts it.
    pub fn columns(&self) -> Columns {
        let Some(flow) = self.flow() else {
            return match self.role.is_asked() {
                false => Columns::without_flow("CLOSED", "L0"),
                true => Columns::without_flow("LISTEN", "L0"),
            };
        };
        let held = self.held.first().map_or("-", |a| name(&a.addr));
        if flow.state() == FlowState::Closed {
            return Columns::without_flow("CLOSED", held);
        }
        let proven_at = name(&flow.path().remote).to_owned();
        let sources = flow.candidates().iter();
        let asks = flow.state() == FlowState::SynSent;
        let own = match flow.local_half() {
            LocalHalf::Absent(_) => "-",
            LocalHalf::Moving(moving) => name(&moving.to.addr),
            LocalHalf::Settled if asks => held,
            LocalHalf::Settled => name(&flow.path().local),
        };
        Columns {
            name: state_name(flow.state()).into(),
            own: own.into(),
            version: flow.version(),
            acked: own != "-" && *flow.local_half() == LocalHalf::Settled && !asks,
            newest: flow.newest(),
            pending: flow.peer_is_moving() && !asks,
            sources: sources.map(|c| name(&c.path.remote).to_owned()).collect(),
            proven: flow.validated().map(|version| (version, proven_at)),
            draining: flow.phase() == Phase::Draining,
        }
    }

    /// Lets an event happen; returns what is sent.
    pub fn apply(&mut self, event: &str) -> BTreeSet<String> {
        let mut delivered = false;
        match event.split_once(' ') {
            None => self.command(event),
            Some(("DATA", from)) => delivered = self.data(from),
            Some((kind, rest)) => self.packet(kind, rest),
        }
        let mut sent = self.flush(event.starts_with("PING"));
        if delivered {
            sent.insert("DELIVER".into());
        }
        sent
    }

    fn command(&mut self, event: &str) {
        let gap = |span: u64| Duration::from_millis(span);
        match event {
            "CONNECT" => self.connect(),
            "LOSE_ADDRESS" => self.hold(Vec::new()),
            "NEW_ADDRESS" => {
                let next = self.flow().map_or(0, |flow| flow.version()) + 1;
                self.hold(vec![local(&format!("L{next}"))]);
            }
            "DRAIN" => self.order(Command::Close { flow: self.flow }),
            "ABORT" => self.order(Command::Abort {
                flow: self.flow,
                reason: Reason::Aborted,
            }),
            "TIMER" => self.wait(gap(2_200)),
            "DRAIN_END" => self.wait(settings().draining),
            "GIVE_UP" => self.wait(settings().give_up),
            other => panic!("the table names an unknown event {other}"),
        }
    }

    fn connect(&mut self) {
        if self.role == Role::Caller {
            let request = AddFlow {
                from: local("L0"),
                to: Some(RemoteAddr {
                    addr: ip("P0"),
                    port: 0,
                }),
                backup: false,
            };
            let flow = self.conn.add_flow(&mut self.host, &request);
            return assert_eq!(flow, Ok(self.flow));
        }
        let request = Connect {
            service: SERVICE,
            inner: INNER_TCP,
            remotes: &[RemoteAddr {
                addr: ip("P0"),
                port: 0,
            }],
            local: &self.held,
            bound: Default::default(),
            transport: TransportParams::EMPTY,
            psk: None,
        };
        *self.conn = Connection::EMPTY;
        self.conn.connect(&mut self.host, &settings(), &request);
    }

    fn hold(&mut self, held: Vec<LocalAddress>) {
        self.held = held;
        let local = self.locals();
        self.conn.handle_addresses(&mut self.host, &local);
    }

    fn order(&mut self, command: Command) {
        // A refusal shows in that nothing changes.
        let _refused = self.conn.handle_command(&mut self.host, command);
    }

    fn wait(&mut self, span: Duration) {
        self.pay();
        self.host.now = self.host.now.after(span);
        self.conn.handle_timeout(&mut self.host);
    }

    /// Pays for answers to the unproven sources of a half-open flow, as data from them would:
    /// budgets are the subject of other tests.
    fn pay(&mut self) {
        let flow = self.flow();
        let half_open = flow.filter(|flow| flow.phase() == Phase::SynRcvd);
        let sources: Vec<Path> = half_open.map_or(Vec::new(), |flow| {
            flow.candidates().iter().map(|c| c.path).collect()
        });
        for path in sources {
            let rx = self.rx(name(&path.remote));
            let paid = self
                .conn
                .handle_data(&mut self.host, self.flow, &rx, 1 << 20);
            paid.expect("the flow is live");
        }
    }

    /// Data arrives; true if the transport gets it.
    fn data(&mut self, from: &str) -> bool {
        let rx = self.rx(from.trim_start_matches("from "));
        let id = self.flow().map(|flow| flow.local_id());
        let Some(flow) = id.and_then(|id| self.conn.find_flow(id)) else {
            return false;
        };
        if self.conn.wants_data_notice(flow) {
            let noticed = self.conn.handle_data(&mut self.host, flow, &rx, 100);
            noticed.expect("the flow is live");
        }
        let phase = self.conn.flow(flow).map(|flow| flow.phase());
        matches!(phase, Some(Phase::Open | Phase::Draining))
    }

    /// A packet arrives, such as `ACK v1 tokP1 from P0`.
    fn packet(&mut self, kind: &str, rest: &str) {
        let words: Vec<&str> = rest.split(' ').collect();
        let from = words.last().expect("a packet has a source");
        let version = words.iter().find_map(|word| word.strip_prefix('v'));
        let version = version.map_or(0, |v| v.parse().expect("a version is a number"));
        let rx = self.rx(from);
        let bytes = signed(&match kind {
            "SYN" if self.role.is_later() => self.later_syn(version, &rx),
            _ => self.craft(kind, version, &words),
        });
        if kind == "SYN" {
            let at = name(&rx.local).to_owned();
            self.asked_at.insert((*from).to_owned(), at);
        }
        let listens = self.role == Role::Server && self.flow().is_none();
        let packet = Packet::parse(&bytes).expect("the test makes well-formed packets");
        // A discard shows in that nothing changes.
        let _outcome = match kind == "SYN" && listens {
            true => {
                let request = Accept {
                    local: &self.held,
                    transport: TransportParams::EMPTY,
                    psk: None,
                };
                let accepted =
                    self.conn
                        .accept(&mut self.host, &settings(), &packet, &rx, &request);
                accepted.map(|_flow| ())
            }
            false => self.conn.handle_packet(&mut self.host, &rx, &bytes),
        };
    }

    fn rx(&self, from: &str) -> RxInfo {
        let version = self.flow().map_or(0, |flow| flow.version());
        RxInfo {
            local: ip(&format!("L{version}")),
            remote: ip(from),
            ifindex: 1,
            ..RxInfo::default()
        }
    }

    /// The peer's SYN of a later flow, with the token that it makes for where this one goes.
    fn later_syn(&self, version: u64, rx: &RxInfo) -> Message {
        let receiver = added::local_id(&self.conn);
        let mut syn = Message::new(PacketType::Syn, receiver, PEER_ID, version);
        syn.inner = INNER_TCP;
        syn.token = Some(own_token(name(&rx.local)));
        added::ask(&mut syn);
        syn
    }

    /// The packet as the peer would send it; `words` are those behind its type.
    fn craft(&self, kind: &str, version: u64, words: &[&str]) -> Message {
        let own = self.flow().map_or(0, |flow| flow.local_id());
        let value = |prefix| words.iter().find_map(|word| word.strip_prefix(prefix));
        let bound = value("tok");
        let from = *words.last().expect("a packet has a source");
        let kind = match kind {
            "SYN" => PacketType::Syn,
            "SYNACK" => PacketType::SynAck,
            "ACK" => PacketType::Ack,
            "NACK" => PacketType::Nack,
            "RSYN" => PacketType::Rsyn,
            "RSYNACK" => PacketType::RsynAck,
            "RST" => PacketType::Rst,
            "PING" => PacketType::Ping,
            "PONG" => PacketType::Pong,
            other => panic!("the table names an unknown packet {other}"),
        };
        let receiver = if kind == PacketType::Syn { 0 } else { own };
        let mut message = Message::new(kind, receiver, PEER_ID, version);
        message.inner = INNER_TCP;
        match kind {
            PacketType::Syn => {
                message.service = Some(SERVICE);
                message.key = Some([9; 32]);
            }
            PacketType::SynAck => {
                message.key = Some([9; 32]).filter(|_| !self.role.is_later());
                message.token = bound.map(own_token);
                let heard = !words.contains(&"unheard");
                message.echo = Some(self.asked_token(if heard { from } else { "P2" }));
            }
            PacketType::RsynAck => message.token = bound.map(own_token),
            PacketType::Ack => {
                message.token = bound.map(|at| self.token_for(at, version));
            }
            PacketType::Nack => {
                message.preferred = value("prefer").map(|at| RemoteAddr {
                    addr: ip(at),
                    port: 0,
                });
            }
            PacketType::Ping | PacketType::Pong => message.token = Some([3; 16]),
            PacketType::Rst => message.reason = Some(Reason::Aborted),
            _ => {}
        }
        message
    }

    /// The token in our SYN to an address of the peer's.
    fn asked_token(&self, at: &str) -> [u8; 16] {
        let own = self.flow().map_or(0, |flow| flow.local_id());
        let path = Path {
            remote: ip(at),
            ..Path::NONE
        };
        request_token(&self.host, &[0; 32], own, &path)
    }

    /// The token that the core makes for the peer's address.
    fn token_for(&self, at: &str, version: u64) -> [u8; 16] {
        let own = self.flow().map_or(0, |flow| flow.local_id());
        let path = Path {
            remote: ip(at),
            ..Path::NONE
        };
        token(&self.host, &[0; 32], own, version, &path)
    }

    /// What is sent. Tokens of SYNs that are sent or returned are checked here: they are no
    /// business of the table unless they are wrong. Who pings a half-open flow has it open.
    fn flush(&mut self, pinged: bool) -> BTreeSet<String> {
        let mut sent = BTreeSet::new();
        let mut buf = [0; MAX_CONTROL];
        while let Some(transmit) = self.conn.poll_transmit(&mut self.host, &mut buf) {
            let packet = Packet::parse(&buf[..transmit.len]).expect("the core sends packets");
            let from = transmit.path.local;
            if !from.is_unspecified() && !self.held.iter().any(|a| a.addr == from) {
                // Nothing leaves from an address that is gone.
                continue;
            }
            let message = *packet.message();
            let to = name(&transmit.path.remote);
            if self.role.is_later() && to == "-" {
                // The first flow, and what a later one learns from it (R7: tests/flows.rs).
                continue;
            }
            let version = message.version;
            let text = match message.kind {
                PacketType::Syn => {
                    let asked = Some(self.asked_token(to)).filter(|_| self.role.is_later());
                    let right = asked == message.token;
                    let wrong = if right { "" } else { " with a wrong token" };
                    format!("SYN v{version} to {to}{wrong}")
                }
                PacketType::Nack => {
                    let preferred = message.preferred.map_or("-", |at| name(&at.addr));
                    format!("NACK prefer{preferred} to {to}")
                }
                PacketType::Rsyn => format!("RSYN v{version} to {to}"),
                PacketType::SynAck | PacketType::RsynAck => {
                    let kind = match message.kind {
                        PacketType::SynAck => "SYNACK",
                        _ => "RSYNACK",
                    };
                    let bound = NAMES.into_iter().find(|at| {
                        at.starts_with(['P', 'N'])
                            && Some(self.token_for(at, version)) == message.token
                    });
                    let asked = self.asked_at.get(to).filter(|_| self.role.is_later());
                    let first = message.kind == PacketType::SynAck && !pinged;
                    let returned = asked.filter(|_| first).map(|at| own_token(at));
                    let wrong = match message.echo == returned || !first {
                        true => "",
                        false => " with a wrong echo",
                    };
                    format!(
                        "{kind} v{version} tok{} to {to}{wrong}",
                        bound.unwrap_or("?")
                    )
                }
                PacketType::Ack => {
                    let own = NAMES
                        .into_iter()
                        .find(|at| Some(own_token(at)) == message.token);
                    format!("ACK v{version} tok{} to {to}", own.unwrap_or("?"))
                }
                PacketType::Rst => format!("RST to {to}"),
                PacketType::Pong => format!("PONG to {to}"),
                // It asks for an ACK that may be lost or brings an IList: not in the table.
                PacketType::Ping => continue,
                other => format!("{other:?} to {to}"),
            };
            sent.insert(text);
        }
        while self.conn.poll_event().is_some() {}
        sent
    }
}

/// A token that the peer made for one of our addresses; to us it is any bytes.
fn own_token(at: &str) -> [u8; 16] {
    let mut token = [0; 16];
    token[..at.len()].copy_from_slice(at.as_bytes());
    token
}

fn state_name(state: FlowState) -> &'static str {
    match state {
        FlowState::Closed => "CLOSED",
        FlowState::SynSent => "SYN_SENT",
        FlowState::SynRcvd => "SYN_RCVD",
        FlowState::Established => "ESTABLISHED",
        FlowState::NoAddress => "NOADDRESS",
        FlowState::RsynSent => "RSYN_SENT",
        FlowState::RsynRcvd => "RSYN_RCVD",
        FlowState::RsynSentRcvd => "RSYN_SENT_RCVD",
        FlowState::NoAddressRsynRcvd => "NOADDRESS_RSYN_RCVD",
    }
}
