// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Flows, and requests to add, move and remove them.

mod attribute;
mod service;
mod target;

use std::net::IpAddr;

pub use attribute::{AddAttribute, FlowAttribute, FlowRefAttribute, MoveAttribute};
use netlink_packet_core::DefaultNla;
pub use service::Service;
pub use target::Target;

use crate::constants::{Encap, FlowState, Reason};
use crate::value::{Flag, Port};

/// One end of a path.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct End {
    /// The address.
    pub address: Option<IpAddr>,
    /// UDP port, when the path is encapsulated in UDP.
    pub port: Option<u16>,
}

/// A flow. A field is `None` when the kernel did not send it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Flow {
    /// Flow ID by which the peer addresses this host.
    pub local_id: Option<u64>,
    /// Flow ID by which this host addresses the peer.
    pub remote_id: Option<u64>,
    /// Connection that the flow belongs to.
    pub connection_id: Option<u64>,
    /// State of the flow.
    pub state: Option<FlowState>,
    /// Version of the local address.
    pub local_version: Option<u64>,
    /// Version of the remote address in use.
    pub remote_version: Option<u64>,
    /// This host's end of the path.
    pub local: End,
    /// The peer's end of the path.
    pub remote: End,
    /// Encapsulation of the path.
    pub encap: Option<Encap>,
    /// Interface by which the path leaves.
    pub ifindex: Option<u32>,
    /// Smoothed round-trip time in microseconds.
    pub rtt_us: Option<u32>,
    /// Path MTU in bytes.
    pub mtu: Option<u32>,
    /// Where an unfinished move leads to.
    pub candidate: Option<IpAddr>,
    /// The flow is over and only answers late packets.
    pub draining: bool,
    /// What the connection is to.
    pub service: Option<Service>,
    /// User that owns the socket.
    pub uid: Option<u32>,
    /// Packets received.
    pub rx_packets: Option<u64>,
    /// Bytes received, from the ECCP header on.
    pub rx_bytes: Option<u64>,
    /// Packets sent.
    pub tx_packets: Option<u64>,
    /// Bytes sent, from the ECCP header on.
    pub tx_bytes: Option<u64>,
    /// Completed moves of either side.
    pub moves: Option<u32>,
    /// Reason of the last move, or of the event that carries this flow.
    pub reason: Option<Reason>,
    /// It carries the data that this host sends.
    pub active: bool,
    /// One side wants it to carry data only when no other flow can.
    pub backup: bool,
    /// This host's end as the peer sees it, if a NAT changes it.
    pub nat: End,
    /// Congestion window in packets.
    pub cwnd: Option<u32>,
    /// Slow-start threshold in packets; 2^31 - 1 if none is known.
    pub ssthresh: Option<u32>,
    /// Local ID that was replaced, while it is still answered to.
    pub old_local_id: Option<u64>,
    /// Remote ID that was replaced, in the event that tells so.
    pub old_remote_id: Option<u64>,
    /// What this crate does not know.
    pub other: Vec<DefaultNla>,
}

/// A flow to be added to a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Addition {
    /// Where it starts on this host.
    pub from: Target,
    /// Address of the peer to ask first, and its UDP port if it is not the usual one.
    pub remote: Option<(IpAddr, Option<u16>)>,
    /// It is to carry data only when no other flow can.
    pub backup: bool,
}

impl Addition {
    /// The attributes of a request for the connection of the flow with local ID `id`.
    pub(crate) fn attributes(&self, id: u64) -> Vec<AddAttribute> {
        let mut list = vec![
            AddAttribute::FlowId(id),
            match self.from {
                Target::Address(IpAddr::V4(address)) => AddAttribute::FromIpv4(address),
                Target::Address(IpAddr::V6(address)) => AddAttribute::FromIpv6(address),
                Target::Interface(index) => AddAttribute::FromIfindex(index),
            },
        ];
        if let Some((address, port)) = self.remote {
            list.push(match address {
                IpAddr::V4(address) => AddAttribute::RemoteIpv4(address),
                IpAddr::V6(address) => AddAttribute::RemoteIpv6(address),
            });
            list.extend(port.map(|port| AddAttribute::RemotePort(Port(port))));
        }
        if self.backup {
            list.push(AddAttribute::Backup(Flag));
        }
        list
    }
}

impl From<Vec<FlowAttribute>> for Flow {
    fn from(attributes: Vec<FlowAttribute>) -> Self {
        let mut flow = Flow::default();
        attributes
            .into_iter()
            .for_each(|attribute| flow.set(attribute));
        flow
    }
}

impl Flow {
    fn set(&mut self, attribute: FlowAttribute) {
        use FlowAttribute as A;
        match attribute {
            A::LocalId(value) => self.local_id = Some(value),
            A::RemoteId(value) => self.remote_id = Some(value),
            A::ConnectionId(value) => self.connection_id = Some(value),
            A::State(value) => self.state = Some(value),
            A::LocalVersion(value) => self.local_version = Some(value),
            A::RemoteVersion(value) => self.remote_version = Some(value),
            A::LocalIpv4(value) => self.local.address = Some(value.into()),
            A::LocalIpv6(value) => self.local.address = Some(value.into()),
            A::RemoteIpv4(value) => self.remote.address = Some(value.into()),
            A::RemoteIpv6(value) => self.remote.address = Some(value.into()),
            A::LocalPort(value) => self.local.port = Some(value.0),
            A::RemotePort(value) => self.remote.port = Some(value.0),
            A::Encap(value) => self.encap = Some(value),
            A::Ifindex(value) => self.ifindex = Some(value),
            A::RttUs(value) => self.rtt_us = Some(value),
            A::Mtu(value) => self.mtu = Some(value),
            A::CandidateIpv4(value) => self.candidate = Some(value.into()),
            A::CandidateIpv6(value) => self.candidate = Some(value.into()),
            A::Draining(_) => self.draining = true,
            A::ServicePort(value) => self.service = Some(Service::Port(value.0)),
            A::ServiceId(value) => self.service = Some(Service::Id(value)),
            A::Uid(value) => self.uid = Some(value),
            A::RxPackets(value) => self.rx_packets = Some(value),
            A::RxBytes(value) => self.rx_bytes = Some(value),
            A::TxPackets(value) => self.tx_packets = Some(value),
            A::TxBytes(value) => self.tx_bytes = Some(value),
            A::Moves(value) => self.moves = Some(value),
            A::Reason(value) => self.reason = Some(value),
            A::Active(_) => self.active = true,
            A::Backup(_) => self.backup = true,
            A::NatIpv4(value) => self.nat.address = Some(value.into()),
            A::NatIpv6(value) => self.nat.address = Some(value.into()),
            A::NatPort(value) => self.nat.port = Some(value.0),
            A::Cwnd(value) => self.cwnd = Some(value),
            A::Ssthresh(value) => self.ssthresh = Some(value),
            A::OldLocalId(value) => self.old_local_id = Some(value),
            A::OldRemoteId(value) => self.old_remote_id = Some(value),
            A::Other(other) => self.other.push(other),
        }
    }
}
