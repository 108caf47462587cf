// SPDX-License-Identifier: GPL-2.0-only
//! Traces of the simulator.

use std::net::{IpAddr, Ipv6Addr};

use eccp_core::address::{Encap, IpAddr128, LocalAddress, RemoteAddr, ADDRESS_BACKUP};
use eccp_core::connection::AddFlow;
use eccp_core::event::{Command, FlowIndex};
use eccp_core::settings::Settings;
use eccp_core::sim::{run_recorded, Faults, Mobility, Node, Report, Rng, Scenario, Seen, World};
use eccp_core::time::Duration;

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
        renew_flow_ids: seed % 2 == 1,
    });
    let mut sorter = Sorter::default();
    let records = seen
        .iter()
        .flat_map(|seen| sort(&mut sorter, seen))
        .collect();
    (report, records)
}

/// A random life in which both hosts add flows and move them, over a network with faults, with an
/// address at each host that is for backup flows alone, so that NACK occurs.
pub fn several_flows(seed: u64) -> Result<Vec<Record>, String> {
    let mut rng = Rng::new(seed ^ 0xf10);
    let settings = Settings {
        renew_flow_ids: seed % 2 == 1,
        ..Settings::DEFAULT
    };
    let pools = [1, 2].map(|host| [1, 2, 3].map(|number| home(host, number)).to_vec());
    let [client, server] = pools
        .clone()
        .map(|pool| Node::new(rng.number(), settings, pool));
    let faults = Faults {
        loss: rng.below(250),
        duplication: rng.below(200),
        delay: Duration(1_000 + rng.below(40_000)),
        jitter: Duration(rng.below(100_000)),
        blocks_native: false,
    };
    let mut world = World::new(rng.number(), [client, server], faults);
    world.record = Some(Vec::new());
    world.data_every = Some(Duration::from_millis(200));
    world.connect();
    for _ in 0..8 {
        world.run_for(Duration(rng.below(1_500_000)))?;
        let host = usize::from(rng.chance(500));
        let to = pools[host][rng.below(3) as usize];
        let node = &mut world.nodes[host];
        node.host.now = world.now;
        // A refusal is right when the flow is there already or not established yet.
        if rng.chance(500) {
            let backup = rng.chance(300);
            let asked = pools[1 - host][rng.below(3) as usize].addr;
            let asked = RemoteAddr {
                addr: asked,
                port: 0,
            };
            let request = AddFlow {
                from: to,
                to: rng.chance(500).then_some(asked),
                backup,
            };
            let _refused = node.conn.add_flow(&mut node.host, &request);
        } else {
            let flow = FlowIndex(rng.below(3) as u8);
            let command = Command::Move { flow, to };
            let _refused = node.conn.handle_command(&mut node.host, command);
        }
        world.flush();
    }
    world.faults.loss = 0;
    world.faults.duplication = 0;
    world.run_for(Duration::from_secs(20))?;
    let mut sorter = Sorter::default();
    let seen = world.record.take().unwrap_or_default();
    let records = seen
        .iter()
        .flat_map(|seen| sort(&mut sorter, seen))
        .collect();
    match sorter.unknown + sorter.malformed {
        0 => Ok(records),
        strange => Err(format!("{strange} packets belong to no flow")),
    }
}

fn home(host: u8, number: u8) -> LocalAddress {
    LocalAddress {
        addr: IpAddr128::from_v4([10, host, number, 1]),
        ifindex: u32::from(number),
        flags: if number == 3 { ADDRESS_BACKUP } else { 0 },
        priority: 0,
    }
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
        renew_flow_ids: false,
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
