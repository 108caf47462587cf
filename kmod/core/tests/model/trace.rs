// SPDX-License-Identifier: GPL-2.0-only
//! Traces (docs/trace.md): what each host sent and received, one JSON object a line.

use std::collections::HashMap;
use std::fmt::Write as _;
use std::net::IpAddr;

use eccp_core::wire::{Header, Packet, PacketType};
use serde::{Deserialize, Serialize};

/// Which host saw it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Side {
    /// The host that sent the first SYN.
    Client,
    /// Its peer.
    Server,
}

/// What the host did with the packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Event {
    /// It sent the packet.
    Sent,
    /// The packet reached it.
    Received,
}

/// One line of a trace.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Record {
    /// Microseconds since any moment that is the same for the whole trace.
    pub time: u64,
    /// Who saw it.
    pub host: Side,
    /// Sent or received.
    pub event: Event,
    /// The flow ID of who opened the flow; 16 hexadecimal digits. That of the first flow names the connection.
    pub flow: String,
    /// Packet type as in docs/wire.md.
    #[serde(rename = "type")]
    pub kind: String,
    /// Flow version; absent in DATA.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<u64>,
    /// Source address.
    pub src: IpAddr,
    /// Destination address.
    pub dst: IpAddr,
    /// UDP source and destination port; absent with native encapsulation.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ports: Option<(u16, u16)>,
    /// Token; hexadecimal; absent if the packet has none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token: Option<String>,
    /// Returned token of the SYN or RSYN that is answered; hexadecimal; absent if the packet has
    /// none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub echo: Option<String>,
}

/// A packet before it is known whose it is.
#[derive(Clone, Debug)]
pub struct Seen<'a> {
    /// Microseconds.
    pub time: u64,
    /// Source and destination address.
    pub addresses: (IpAddr, IpAddr),
    /// UDP ports; `None` with native encapsulation.
    pub ports: Option<(u16, u16)>,
    /// The ECCP packet.
    pub bytes: &'a [u8],
}

/// Where packets were captured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// At one host: what it sends, and what reaches it.
    At(Side),
    /// In between: whatever is sent there is taken to arrive.
    Wire,
}

/// Tells from flow IDs which connection and which host a packet belongs to.
#[derive(Debug, Default)]
pub struct Sorter {
    /// Flow ID → (the client's flow ID, whose ID it is).
    owners: HashMap<u64, (u64, Side)>,
    /// Packets of flows whose SYN was not seen.
    pub unknown: u64,
    /// Packets that are no ECCP packets of version 1.
    pub malformed: u64,
}

impl Sorter {
    /// The records of a packet: none if it belongs to no known connection, two if it was captured
    /// in between.
    pub fn sort(&mut self, place: Place, seen: &Seen<'_>) -> Vec<Record> {
        let Ok(header) = Header::parse(seen.bytes) else {
            self.malformed += 1;
            return Vec::new();
        };
        let message = match header.kind {
            PacketType::Data => None,
            _ => match Packet::parse(seen.bytes) {
                Ok(packet) => Some(*packet.message()),
                Err(_) => {
                    self.malformed += 1;
                    return Vec::new();
                }
            },
        };
        let sender = message.map_or(0, |message| message.sender);
        let to = self.owners.get(&header.receiver).copied();
        match (header.kind, to) {
            (PacketType::Syn, _) if header.receiver == 0 => {
                self.owners.insert(sender, (sender, Side::Client));
            }
            // A flow that is added is judged by itself. Its SYN goes to a flow that exists.
            (PacketType::Syn, Some((_, side))) => {
                self.owners.entry(sender).or_insert((sender, other(side)));
            }
            (PacketType::SynAck, Some((flow, side))) => {
                self.owners.insert(sender, (flow, other(side)));
            }
            (PacketType::Rsyn, Some((flow, side))) => {
                if let Some(id) = message.and_then(|message| message.new_flow) {
                    self.owners.insert(id, (flow, other(side)));
                }
            }
            _ => {}
        }
        let from = self.owners.get(&sender).copied();
        let through = to.map(|(flow, side)| (flow, other(side)));
        // What refuses a flow comes from another one, and so does the SYN that asks for it go to one.
        let owner = match header.kind {
            PacketType::Syn => from,
            _ => through.or(from),
        };
        let Some((flow, sent_by)) = owner else {
            self.unknown += 1;
            return Vec::new();
        };
        let record = |host, event| Record {
            time: seen.time,
            host,
            event,
            flow: format!("{flow:016x}"),
            kind: name(header.kind).to_owned(),
            version: message.map(|message| message.version),
            src: seen.addresses.0,
            dst: seen.addresses.1,
            ports: seen.ports,
            token: message.and_then(|message| message.token).map(hex),
            echo: message.and_then(|message| message.echo).map(hex),
        };
        match place {
            Place::At(side) if side == sent_by => vec![record(side, Event::Sent)],
            Place::At(side) => vec![record(side, Event::Received)],
            Place::Wire => vec![
                record(sent_by, Event::Sent),
                record(other(sent_by), Event::Received),
            ],
        }
    }
}

/// The peer.
pub fn other(side: Side) -> Side {
    match side {
        Side::Client => Side::Server,
        Side::Server => Side::Client,
    }
}

fn hex(bytes: [u8; 16]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        write!(text, "{byte:02x}").expect("a string takes everything");
        text
    })
}

fn name(kind: PacketType) -> &'static str {
    match kind {
        PacketType::Data => "DATA",
        PacketType::Syn => "SYN",
        PacketType::SynAck => "SYN-ACK",
        PacketType::Ack => "ACK",
        PacketType::Nack => "NACK",
        PacketType::Rsyn => "RSYN",
        PacketType::RsynAck => "RSYN-ACK",
        PacketType::Rst => "RST",
        PacketType::Ping => "PING",
        PacketType::Pong => "PONG",
        PacketType::HolePunch => "HOLE-PUNCH",
        PacketType::HolePunchAck => "HOLE-PUNCH-ACK",
        PacketType::Version => "VERSION",
        PacketType::Reset => "RESET",
        PacketType::Redirect => "REDIRECT",
    }
}

/// Reads the lines of a trace; an error names the line.
pub fn read(text: &str) -> Result<Vec<Record>, String> {
    text.lines()
        .enumerate()
        .filter(|(_, line)| !line.trim().is_empty())
        .map(|(at, line)| {
            serde_json::from_str(line).map_err(|error| format!("line {}: {error}", at + 1))
        })
        .collect()
}

/// Writes a trace.
pub fn write(records: &[Record]) -> String {
    records.iter().fold(String::new(), |mut text, record| {
        text += &serde_json::to_string(record).expect("a record is plain data");
        text.push('\n');
        text
    })
}
