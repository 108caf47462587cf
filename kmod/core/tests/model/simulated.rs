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
