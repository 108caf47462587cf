// SPDX-License-Identifier: GPL-2.0-only
//! Writes a pcap of a short life to standard output: set-up, data, a move from IPv4 to IPv6, a
//! ping, a flow that is added and removed, an abort, a refused SYN and an unknown version, native
//! and in UDP; a redirection, and a hole punched through a NAT.
//! `cargo run --example capture > eccp.pcap`

use std::error::Error;
use std::io::Write;

use eccp_core::address::{Encap, IpAddr128, LocalAddress, Path};
use eccp_core::connection::AddFlow;
use eccp_core::event::{Command, FlowIndex};
use eccp_core::respond::version_answer;
use eccp_core::settings::{Encapsulation, Settings};
use eccp_core::sim::{Captured, Faults, Gateway, Nat, Node, World, FLOW};
use eccp_core::time::{Duration, Instant};
use eccp_core::wire::{PacketType, Reason, MAX_CONTROL};

/// The IP protocol number of native packets.
const ECCP: u8 = 253;
const UDP: u8 = 17;

const ADDED: FlowIndex = FlowIndex(1);

fn main() -> Result<(), Box<dyn Error>> {
    let mut captured = Vec::new();
    for encapsulation in [Encapsulation::Native, Encapsulation::Udp] {
        captured.extend(life(encapsulation)?);
    }
    captured.extend(redirection()?);
    captured.extend(hole()?);
    let mut out = std::io::stdout().lock();
    out.write_all(&file_header())?;
    for packet in &captured {
        let ip = ip_packet(&packet.path, &packet.bytes)?;
        let (seconds, micros) = (packet.at.0 / 1_000_000, packet.at.0 % 1_000_000);
        for word in [seconds, micros, ip.len() as u64, ip.len() as u64] {
            out.write_all(&u32::try_from(word)?.to_le_bytes())?;
        }
        out.write_all(&ip)?;
    }
    Ok(())
}

fn life(encapsulation: Encapsulation) -> Result<Vec<Captured>, Box<dyn Error>> {
    let settings = Settings {
        encapsulation,
        ..Settings::DEFAULT
    };
    let nodes = [
        Node::new(1, settings, vec![v4(1), v6(1)]),
        Node::new(2, settings, vec![v4(2), v6(2)]),
    ];
    let mut world = World::new(3, nodes, Faults::NONE);
    world.captured = Some(Vec::new());
    world.connect();
    world.run_for(Duration::from_millis(100))?;
    world.data_every = Some(Duration::from_millis(100));
    world.run_for(Duration::from_millis(100))?;
    world.data_every = None;
    let commands = [
        Command::Move {
            flow: FLOW,
            to: v6(1),
        },
        Command::Ping { flow: FLOW },
        Command::Remove { flow: ADDED },
        Command::Abort {
            flow: FLOW,
            reason: Reason::Aborted,
        },
    ];
    for command in commands {
        world.run_for(Duration::from_secs(1))?;
        let (client, _) = world.pair();
        if matches!(command, Command::Remove { .. }) {
            let request = AddFlow {
                from: v4(1),
                to: None,
                backup: false,
            };
            let added = client.conn.add_flow(&mut client.host, &request);
            added.map_err(|refused| format!("{request:?}: {refused:?}"))?;
            world.flush();
            world.run_for(Duration::from_secs(1))?;
        }
        let (client, _) = world.pair();
        let done = client.conn.handle_command(&mut client.host, command);
        done.map_err(|refused| format!("{command:?}: {refused:?}"))?;
        world.flush();
    }
    world.run_for(Duration::from_secs(1))?;
    world.connect();
    world.run_for(Duration::from_secs(1))?;
    let mut captured = world.captured.take().unwrap_or_default();
    captured.extend(unknown_version(&captured)?);
    Ok(captured)
}

/// Both hosts move at once, and the client has a router that helps.
fn redirection() -> Result<Vec<Captured>, Box<dyn Error>> {
    let settings = Settings {
        encapsulation: Encapsulation::Native,
        redirect: true,
        ..Settings::DEFAULT
    };
    let nodes = [
        Node::new(1, settings, vec![v4(1)]),
        Node::new(2, settings, vec![v4(2)]),
    ];
    let mut world = World::new(3, nodes, Faults::NONE);
    world.gateways.push(Gateway::new(4, vec![v4(1).addr]));
    world.captured = Some(Vec::new());
    world.connect();
    world.run_for(Duration::from_millis(100))?;
    world.set_addresses(0, vec![v4(11)]);
    world.set_addresses(1, vec![v4(12)]);
    world.run_for(Duration::from_millis(400))?;
    Ok(world.captured.take().unwrap_or_default())
}

/// The server moves, and the client is behind a NAT that must be opened for it.
fn hole() -> Result<Vec<Captured>, Box<dyn Error>> {
    let settings = Settings {
        encapsulation: Encapsulation::Udp,
        ..Settings::DEFAULT
    };
    let nodes = [
        Node::new(1, settings, vec![v4(1)]),
        Node::new(2, settings, vec![v4(2)]),
    ];
    let mut world = World::new(3, nodes, Faults::NONE);
    world.nat = Some(Nat::new(v4(100).addr, vec![v4(1).addr]));
    world.connect();
    world.run_for(Duration::from_secs(1))?;
    world.set_addresses(1, vec![v4(2), v4(12)]);
    world.run_for(Duration::from_secs(1))?;
    world.captured = Some(Vec::new());
    let (_, server) = world.pair();
    let command = Command::Move {
        flow: FLOW,
        to: v4(12),
    };
    let done = server.conn.handle_command(&mut server.host, command);
    done.map_err(|refused| format!("{command:?}: {refused:?}"))?;
    world.flush();
    world.run_for(Duration::from_millis(150))?;
    Ok(world.captured.take().unwrap_or_default())
}

/// The first SYN as a later version might write it, and the answer to it.
fn unknown_version(captured: &[Captured]) -> Result<[Captured; 2], Box<dyn Error>> {
    let mut syn = captured.first().cloned().ok_or("no packets")?;
    let later = captured.last().map_or(Instant(0), |packet| packet.at);
    syn.at = later.after(Duration::from_millis(10));
    if let Some(byte) = syn.bytes.get_mut(8) {
        *byte = 0x20 | PacketType::Syn as u8;
    }
    let mut out = [0; MAX_CONTROL];
    let len = version_answer(&syn.bytes, &mut out).ok_or("no answer")?;
    let answer = Captured {
        at: syn.at.after(Duration::from_millis(10)),
        path: Path {
            local: syn.path.remote,
            remote: syn.path.local,
            ..syn.path
        },
        bytes: out.iter().take(len).copied().collect(),
    };
    Ok([syn, answer])
}

fn v4(host: u8) -> LocalAddress {
    LocalAddress {
        addr: IpAddr128::from_v4([192, 0, 2, host]),
        ifindex: 1,
        flags: 0,
        priority: 0,
    }
}

fn v6(host: u8) -> LocalAddress {
    let v6 = std::net::Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, u16::from(host));
    LocalAddress {
        addr: IpAddr128(v6.octets()),
        ifindex: 2,
        flags: 0,
        priority: 0,
    }
}

/// Microseconds, little-endian, raw IP.
fn file_header() -> Vec<u8> {
    let mut header = 0xa1b2_c3d4_u32.to_le_bytes().to_vec();
    header.extend(2u16.to_le_bytes());
    header.extend(4u16.to_le_bytes());
    for word in [0u32, 0, 65_535, 101] {
        header.extend(word.to_le_bytes());
    }
    header
}

fn ip_packet(path: &Path, bytes: &[u8]) -> Result<Vec<u8>, Box<dyn Error>> {
    let (protocol, payload) = match path.encap {
        Encap::Native => (ECCP, bytes.to_vec()),
        Encap::Udp => (UDP, udp_packet(path, bytes)?),
    };
    let mut ip = Vec::new();
    match (path.local.as_v4(), path.remote.as_v4()) {
        (Some(from), Some(to)) => {
            let len = u16::try_from(payload.len() + 20)?.to_be_bytes();
            ip.extend([0x45, 0, len[0], len[1], 0, 0, 0, 0, 64, protocol, 0, 0]);
            ip.extend(from);
            ip.extend(to);
            let sum = checksum(&ip).to_be_bytes();
            ip[10..12].copy_from_slice(&sum);
        }
        _ => {
            let len = u16::try_from(payload.len())?.to_be_bytes();
            ip.extend([0x60, 0, 0, 0, len[0], len[1], protocol, 64]);
            ip.extend(path.local.0);
            ip.extend(path.remote.0);
        }
    }
    ip.extend(payload);
    Ok(ip)
}

/// A UDP packet; its checksum is left out in IPv4 and computed in IPv6, which needs it.
fn udp_packet(path: &Path, bytes: &[u8]) -> Result<Vec<u8>, Box<dyn Error>> {
    let len = u16::try_from(bytes.len() + 8)?;
    let mut udp = Vec::new();
    for word in [path.local_port, path.remote_port, len, 0] {
        udp.extend(word.to_be_bytes());
    }
    udp.extend(bytes);
    if path.local.as_v4().is_none() {
        let mut covered = path.local.0.to_vec();
        covered.extend(path.remote.0);
        covered.extend(u32::from(len).to_be_bytes());
        covered.extend([0, 0, 0, UDP]);
        covered.extend(&udp);
        let sum = match checksum(&covered) {
            0 => u16::MAX,
            sum => sum,
        };
        udp[6..8].copy_from_slice(&sum.to_be_bytes());
    }
    Ok(udp)
}

/// The Internet checksum (RFC 1071).
fn checksum(bytes: &[u8]) -> u16 {
    let mut sum = 0u32;
    for pair in bytes.chunks(2) {
        let low = pair.get(1).copied().unwrap_or(0);
        sum += u32::from(u16::from_be_bytes([pair[0], low]));
    }
    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    !(sum as u16)
}
