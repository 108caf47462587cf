// SPDX-License-Identifier: GPL-2.0-only
//! One end of a connection as the exploration sees it: the shipping [`Connection`] behind an
//! abstraction that leaves out clocks, counters and budgets.
//!
//! Two connections with the same [`View`] are taken for the same state. What a view leaves out
//! influences only *when* something is sent, so every timer may fire at any moment here; what a
//! firing timer sends is part of the view.

use std::collections::HashMap;

use eccp_core::address::{IpAddr128, LocalAddress, Path, RemoteAddr, RxInfo};
use eccp_core::connection::{Accept, Connect, Connection};
use eccp_core::event::FlowIndex;
use eccp_core::flow::{LocalHalf, Phase};
use eccp_core::ilist::IList;
use eccp_core::service::{Service, TransportParams};
use eccp_core::settings::{Encapsulation, Settings};
use eccp_core::time::{Duration, Instant};
use eccp_core::wire::{Message, Packet, PacketType, INNER_TCP, MAX_CONTROL};

use crate::host::ModelHost;

/// Host and number of an address; host 0 is the client. `NOWHERE` is the unspecified address.
pub type Addr = (u8, u16);
/// The unspecified address.
pub const NOWHERE: Addr = (u8::MAX, 0);

const FLOW: FlowIndex = FlowIndex(0);
const SERVICE: Service = Service::Port(80);
const START: Instant = Instant(1_000_000_000);
/// Longer than any gap between two tries, shorter than any limit on them.
const ONE_GAP: Duration = Duration::from_millis(2_200);

fn settings() -> Settings {
    Settings {
        encapsulation: Encapsulation::Native,
        control_rate: 0,
        ..Settings::DEFAULT
    }
}

/// The IPv4 address of `addr`.
pub fn ip(addr: Addr) -> IpAddr128 {
    let [high, low] = addr.1.to_be_bytes();
    IpAddr128::from_v4([10, addr.0, high, low])
}

fn addr(ip: &IpAddr128) -> Addr {
    match ip.as_v4() {
        Some([10, host, high, low]) => (host, u16::from_be_bytes([high, low])),
        _ => NOWHERE,
    }
}

/// What a packet says; the bytes that a view stands for are kept beside it.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct PacketView {
    /// Type.
    pub kind: PacketType,
    /// Where it comes from.
    pub src: Addr,
    /// Where it goes.
    pub dst: Addr,
    /// Version, as the type means it.
    pub version: u64,
    /// The address that its token is bound to.
    pub token: Option<Addr>,
    /// Version and addresses of its IList.
    pub ilist: Option<(u64, Vec<Addr>)>,
    /// The receiver's address as the sender has it on record.
    pub record: Option<Addr>,
}

/// What counts of one end.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct View {
    /// 0 for the client, 1 for the server.
    pub host: u8,
    /// Addresses held.
    pub held: Vec<Addr>,
    /// The flow, once there is one.
    pub flow: Option<FlowView>,
}

/// What counts of a flow.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct FlowView {
    /// How far its life has come.
    pub phase: Phase,
    /// Own version, newest of the peer, proven of the peer.
    pub versions: (u64, u64, Option<u64>),
    /// Local and remote address of its path.
    pub path: (Addr, Addr),
    /// True if data may be sent along the path.
    pub carries: bool,
    /// `None` if settled; the address moved to, if any, and whether the old one is kept.
    pub moving: Option<(Addr, bool)>,
    /// Sources of the newest version.
    pub candidates: Vec<Addr>,
    /// Version of the own IList; version and addresses of the peer's.
    pub lists: (u64, (u64, Vec<Addr>)),
    /// It wants to know of the first data packet.
    pub notice: bool,
    /// What its timers send.
    pub timers: Vec<u32>,
}

/// What can happen to an end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Input {
    /// The client connects to this address.
    Connect(Addr),
    /// The host holds this address and no other.
    Hold(Addr),
    /// A packet arrives.
    Packet(u32),
}

struct End {
    conn: Connection,
    held: Vec<LocalAddress>,
    view: View,
}

/// Every end and every packet seen so far, and what each input does to each end.
#[derive(Default)]
pub struct Table {
    ends: Vec<End>,
    end_ids: HashMap<View, u32>,
    packets: Vec<(Vec<u8>, PacketView)>,
    packet_ids: HashMap<(Vec<u8>, PacketView), u32>,
    tokens: HashMap<[u8; 16], Addr>,
    steps: HashMap<(u32, Input), (u32, Vec<u32>)>,
    /// Connections with the view of an end that are not equal to it.
    others: HashMap<u32, Vec<Connection>>,
}

/// Connections that are kept for the check of the abstraction, for each end.
const OTHERS: usize = 3;

impl Table {
    /// The end of a host that has no connection yet.
    pub fn idle(&mut self, host: u8) -> u32 {
        self.intern(host, Connection::EMPTY, vec![local((host, 0))])
    }

    /// What counts of an end.
    pub fn view(&self, end: u32) -> &View {
        &self.ends[end as usize].view
    }

    /// What a packet says.
    pub fn packet(&self, packet: u32) -> &PacketView {
        &self.packets[packet as usize].1
    }

    /// Number of distinct ends, packets and steps.
    pub fn size(&self) -> (usize, usize, usize) {
        (self.ends.len(), self.packets.len(), self.steps.len())
    }

    /// What `input` does to an end: the next end, and what is sent.
    pub fn step(&mut self, end: u32, input: Input) -> (u32, Vec<u32>) {
        if let Some(known) = self.steps.get(&(end, input)) {
            return known.clone();
        }
        let from = &self.ends[end as usize];
        let (host, conn, held) = (from.view.host, from.conn.clone(), from.held.clone());
        let outcome = self.take(host, conn, held, input);
        self.steps.insert((end, input), outcome.clone());
        outcome
    }

    fn take(
        &mut self,
        id: u8,
        mut conn: Connection,
        mut held: Vec<LocalAddress>,
        input: Input,
    ) -> (u32, Vec<u32>) {
        let mut host = ModelHost { id, now: START };
        match input {
            Input::Connect(to) => connect(&mut conn, &mut host, &held, to),
            Input::Hold(addr) => {
                held = vec![local(addr)];
                conn.handle_addresses(&mut host, &held);
            }
            Input::Packet(packet) => self.receive(&mut conn, &mut host, &held, packet),
        }
        pay(&mut conn, &mut host);
        let sent = self.flush(&mut conn, &mut host, &held);
        (self.intern(id, conn, held), sent)
    }

    /// Repeats every step of a state with other connections that have the same view: each must
    /// do the same. Returns the number of steps compared.
    pub fn check(&mut self) -> Result<usize, String> {
        let steps: Vec<_> = self.steps.clone().into_iter().collect();
        let mut compared = 0;
        for ((end, input), outcome) in steps {
            let from = &self.ends[end as usize];
            let (host, held) = (from.view.host, from.held.clone());
            for other in self.others.get(&end).cloned().unwrap_or_default() {
                let again = self.take(host, other, held.clone(), input);
                compared += 1;
                if again.0 != outcome.0 || !self.same_in_time(&outcome, &again.1) {
                    let (view, first, second) =
                        (self.view(end), self.view(outcome.0), self.view(again.0));
                    return Err(format!(
                        "{view:?} does not determine what {input:?} does:\n{first:?}, {:?}\n\
                         {second:?}, {:?}",
                        self.packets_of(&outcome.1),
                        self.packets_of(&again.1)
                    ));
                }
            }
        }
        Ok(compared)
    }

    fn packets_of(&self, sent: &[u32]) -> Vec<&PacketView> {
        sent.iter().map(|packet| self.packet(*packet)).collect()
    }

    /// True if what is sent differs at most in packets that a timer sends right after: an unproven
    /// address that has used up its budget waits for one.
    fn same_in_time(&self, outcome: &(u32, Vec<u32>), sent: &[u32]) -> bool {
        let flow = self.view(outcome.0).flow.as_ref();
        let later = |packet: &u32| flow.is_some_and(|flow| flow.timers.contains(packet));
        let missing = |these: &[u32], those: &[u32]| {
            let mut extra = these.iter().filter(|packet| !those.contains(packet));
            extra.all(later)
        };
        missing(&outcome.1, sent) && missing(sent, &outcome.1)
    }

    fn receive(&self, conn: &mut Connection, host: &mut ModelHost, held: &[LocalAddress], id: u32) {
        let (bytes, view) = &self.packets[id as usize];
        let rx = RxInfo {
            local: ip(view.dst),
            remote: ip(view.src),
            ifindex: 1,
            ..RxInfo::default()
        };
        let packet = Packet::parse(bytes).expect("the core sent it");
        let listens = host.id == 1 && conn.flow(FLOW).is_none();
        // A discard is an outcome like any other: the end stays as it is, which is what counts.
        let _outcome = if packet.is_first_syn() && listens {
            let request = Accept {
                local: held,
                transport: TransportParams::EMPTY,
                psk: None,
            };
            let accepted = conn.accept(host, &settings(), &packet, &rx, &request);
            accepted.map(|_flow| ())
        } else {
            conn.handle_packet(host, &rx, bytes)
        };
    }

    /// Sends what waits and drops the events.
    fn flush(
        &mut self,
        conn: &mut Connection,
        host: &mut ModelHost,
        held: &[LocalAddress],
    ) -> Vec<u32> {
        let mut sent = Vec::new();
        let mut buf = [0; MAX_CONTROL];
        while let Some(transmit) = conn.poll_transmit(host, &mut buf) {
            let mut path = transmit.path;
            if path.local.is_unspecified() {
                path.local = held[0].addr;
            }
            // What leaves from an address that is gone never gets anywhere.
            if held.iter().any(|a| a.addr == path.local) {
                sent.push(self.intern_packet(&path, &buf[..transmit.len]));
            }
        }
        while conn.poll_event().is_some() {}
        sent
    }

    fn intern_packet(&mut self, path: &Path, bytes: &[u8]) -> u32 {
        let packet = Packet::parse(bytes).expect("the core sends well-formed packets");
        let message = packet.message();
        let (src, dst) = (addr(&path.local), addr(&path.remote));
        if let (PacketType::SynAck | PacketType::RsynAck, Some(token)) =
            (message.kind, message.token)
        {
            self.tokens.insert(token, dst);
        }
        let view = self.packet_view(message, src, dst);
        let key = (bytes.to_vec(), view);
        if let Some(known) = self.packet_ids.get(&key) {
            return *known;
        }
        let id = u32::try_from(self.packets.len()).expect("fewer packets than 2^32");
        self.packets.push(key.clone());
        self.packet_ids.insert(key, id);
        id
    }

    fn packet_view(&self, message: &Message, src: Addr, dst: Addr) -> PacketView {
        let token = message.token.as_ref();
        PacketView {
            kind: message.kind,
            src,
            dst,
            version: message.version,
            token: token.and_then(|token| self.tokens.get(token).copied()),
            ilist: message.ilist.as_ref().map(list_view),
            record: message.record.map(|record| addr(&record.addr)),
        }
    }

    fn intern(&mut self, host: u8, conn: Connection, held: Vec<LocalAddress>) -> u32 {
        let timers = self.timers(host, &conn, &held);
        let view = View {
            host,
            held: held.iter().map(|a| addr(&a.addr)).collect(),
            flow: flow_view(&conn, timers),
        };
        if let Some(known) = self.end_ids.get(&view) {
            let others = self.others.entry(*known).or_default();
            if others.len() < OTHERS && conn != self.ends[*known as usize].conn {
                others.push(conn);
            }
            return *known;
        }
        let id = u32::try_from(self.ends.len()).expect("fewer ends than 2^32");
        self.end_ids.insert(view.clone(), id);
        self.ends.push(End { conn, held, view });
        id
    }

    /// What is sent if every timer fires. The connection itself is left as it is: a timer that
    /// fires changes when it fires next, and nothing that counts.
    fn timers(&mut self, host: u8, conn: &Connection, held: &[LocalAddress]) -> Vec<u32> {
        let (mut later, mut host) = (
            conn.clone(),
            ModelHost {
                id: host,
                now: START.after(ONE_GAP),
            },
        );
        later.handle_timeout(&mut host);
        let mut sent = self.flush(&mut later, &mut host, held);
        assert_eq!(
            flow_view(conn, Vec::new()),
            flow_view(&later, Vec::new()),
            "a timer changed more than what is sent"
        );
        sent.sort_unstable();
        sent.dedup();
        sent
    }
}

/// Pays for answers to the unproven sources of a half-open flow, as data from them would: budgets
/// are the subject of other tests.
fn pay(conn: &mut Connection, host: &mut ModelHost) {
    let flow = conn
        .flow(FLOW)
        .filter(|flow| flow.phase() == Phase::SynRcvd);
    let sources: Vec<Path> = flow.map_or(Vec::new(), |flow| {
        flow.candidates().iter().map(|c| c.path).collect()
    });
    for path in sources {
        let rx = RxInfo {
            local: path.local,
            remote: path.remote,
            ifindex: path.ifindex,
            ..RxInfo::default()
        };
        conn.handle_data(host, FLOW, &rx, 1 << 20)
            .expect("the flow is there");
    }
}

fn connect(conn: &mut Connection, host: &mut ModelHost, held: &[LocalAddress], to: Addr) {
    let request = Connect {
        service: SERVICE,
        inner: INNER_TCP,
        remotes: &[RemoteAddr {
            addr: ip(to),
            port: 0,
        }],
        local: held,
        bound: Default::default(),
        transport: TransportParams::EMPTY,
        psk: None,
    };
    conn.connect(host, &settings(), &request);
}

fn local(addr: Addr) -> LocalAddress {
    LocalAddress {
        addr: ip(addr),
        ifindex: 1,
        ..LocalAddress::NONE
    }
}

fn list_view(list: &IList) -> (u64, Vec<Addr>) {
    let entries = list.entries().iter().map(|entry| addr(&entry.addr));
    (list.version, entries.collect())
}

fn flow_view(conn: &Connection, timers: Vec<u32>) -> Option<FlowView> {
    let flow = conn.flow(FLOW)?;
    let moving = match flow.local_half() {
        LocalHalf::Settled => None,
        LocalHalf::Absent(_) => Some((NOWHERE, false)),
        LocalHalf::Moving(moving) => Some((addr(&moving.to.addr), moving.kept)),
    };
    let candidates = flow.candidates().iter();
    Some(FlowView {
        phase: flow.phase(),
        versions: (flow.version(), flow.newest(), flow.validated()),
        path: (addr(&flow.path().local), addr(&flow.path().remote)),
        carries: flow.data_path().is_some(),
        moving,
        candidates: candidates.map(|c| addr(&c.path.remote)).collect(),
        lists: (conn.local_ilist().version, list_view(conn.remote_ilist())),
        notice: conn.wants_data_notice(FLOW),
        timers,
    })
}
