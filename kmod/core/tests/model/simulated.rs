// SPDX-License-Identifier: GPL-2.0-only
//! Traces of the simulator.

use std::net::{IpAddr, Ipv6Addr};

use eccp_core::address::{Encap, IpAddr128};
use eccp_core::sim::{run_recorded, Mobility, Report, Scenario, Seen};

use crate::trace;
use crate::trace::{Place, Record, Side, Sorter};

/// A random life and what its hosts sent and received.
pub fn live(
    seed: u64,
    mobility: Mobility,
    dual_stack: bool,
) -> (Result<Report, String>, Vec<Record>) {
    let (report, seen) = run_recorded(&Scenario {
        seed,
        mobility,
        changes: 3 + seed % 13,
        dual_stack,
    });
    let mut sorter = Sorter::default();
    let records = seen
        .iter()
        .flat_map(|seen| sort(&mut sorter, seen))
        .collect();
    (report, records)
}

fn sort(sorter: &mut Sorter, seen: &Seen) -> Vec<Record> {
    let path = &seen.packet.path;
    let (here, there) = (ip(&path.local), ip(&path.remote));
    let ports = (path.local_port, path.remote_port);
    let (addresses, ports) = match seen.sent {
        true => ((here, there), ports),
        false => ((there, here), (ports.1, ports.0)),
    };
    let side = match seen.host {
        0 => Side::Client,
        _ => Side::Server,
    };
    let packet = trace::Seen {
        time: seen.packet.at.0,
        addresses,
        ports: Some(ports).filter(|_| path.encap == Encap::Udp),
        bytes: &seen.packet.bytes,
    };
    sorter.sort(Place::At(side), &packet)
}

fn ip(address: &IpAddr128) -> IpAddr {
    Ipv6Addr::from(address.0).to_canonical()
}

/// The packets that the client of a life sends and receives, as a capture file (raw IPv4).
pub fn capture(seed: u64) -> Vec<u8> {
    let (_, seen) = run_recorded(&Scenario {
        seed,
        mobility: Mobility::Client,
        changes: 4,
        dual_stack: false,
    });
    let mut file = vec![0xd4, 0xc3, 0xb2, 0xa1, 2, 0, 4, 0];
    file.extend([0; 8]);
    file.extend([0, 0, 4, 0, 101, 0, 0, 0]);
    for seen in seen.iter().filter(|seen| seen.host == 0) {
        let ip = ipv4(seen);
        let at = seen.packet.at.0;
        let words = [
            at / 1_000_000,
            at % 1_000_000,
            ip.len() as u64,
            ip.len() as u64,
        ];
        for word in words {
            file.extend(u32::try_from(word).expect("a short life").to_le_bytes());
        }
        file.extend(ip);
    }
    file
}

fn ipv4(seen: &Seen) -> Vec<u8> {
    let path = &seen.packet.path;
    let [here, there] = [path.local, path.remote].map(|ip| ip.as_v4().expect("IPv4 only"));
    let mut ends = [(here, path.local_port), (there, path.remote_port)];
    if !seen.sent {
        ends.reverse();
    }
    let mut body = Vec::new();
    if path.encap == Encap::Udp {
        let length = u16::try_from(seen.packet.bytes.len() + 8).expect("short");
        for word in [ends[0].1, ends[1].1, length, 0] {
            body.extend(word.to_be_bytes());
        }
    }
    body.extend(&seen.packet.bytes);
    let total = u16::try_from(body.len() + 20).expect("short").to_be_bytes();
    let protocol = match path.encap {
        Encap::Udp => 17,
        Encap::Native => 253,
    };
    let mut ip = vec![0x45, 0, total[0], total[1], 0, 0, 0, 0, 64, protocol, 0, 0];
    ip.extend(ends[0].0);
    ip.extend(ends[1].0);
    ip.extend(body);
    ip
}
