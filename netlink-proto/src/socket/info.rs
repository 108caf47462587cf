// SPDX-License-Identifier: Apache-2.0 OR MIT
//! `struct eccp_info`: what a socket tells about its connection.

use std::net::IpAddr;

use super::layout::Fields;
use crate::constants::{Encap, FlowState, Reason};

/// Bytes of `struct eccp_info` that this version of the crate reads.
pub(super) const LEN: usize = 144;

/// A connection and the flow that carries its data.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SocketInfo {
    /// Name of the connection on this host.
    pub connection_id: u64,
    /// Version of the list of local addresses.
    pub local_connection_version: u64,
    /// Newest version of the peer's list.
    pub remote_connection_version: u64,
    /// Flow ID by which the peer addresses this host.
    pub local_flow_id: u64,
    /// Flow ID by which this host addresses the peer.
    pub remote_flow_id: u64,
    /// Version of the local address.
    pub local_flow_version: u64,
    /// Version of the remote address in use.
    pub remote_flow_version: u64,
    /// State of the flow.
    pub state: FlowState,
    /// Encapsulation of the path.
    pub encap: Encap,
    /// Interface by which the path leaves.
    pub ifindex: u32,
    /// Smoothed round-trip time in microseconds.
    pub rtt_us: u32,
    /// Path MTU in bytes.
    pub mtu: u32,
    /// Number of flows of the connection.
    pub flows: u32,
    /// Completed moves of either side of this flow.
    pub moves: u32,
    /// Reason of the last move, if there was one.
    pub reason: Option<Reason>,
    /// Local address.
    pub local: IpAddr,
    /// Remote address.
    pub remote: IpAddr,
    /// Where an unfinished move leads to.
    pub candidate: Option<IpAddr>,
    /// Local UDP port; zero on a native path.
    pub local_port: u16,
    /// Remote UDP port; zero on a native path.
    pub remote_port: u16,
    /// Connections that the stream takes; zero if it takes one path at a time.
    pub members: u32,
}

impl SocketInfo {
    /// Reads the bytes of `struct eccp_info`.
    pub fn from_bytes(bytes: &[u8; LEN]) -> Self {
        let fields = Fields(bytes);
        let long = |index: usize| fields.long(8 * index);
        let word = |index: usize| fields.word(56 + 4 * index);
        SocketInfo {
            connection_id: long(0),
            local_connection_version: long(1),
            remote_connection_version: long(2),
            local_flow_id: long(3),
            remote_flow_id: long(4),
            local_flow_version: long(5),
            remote_flow_version: long(6),
            state: word(0).into(),
            encap: word(1).into(),
            ifindex: word(2),
            rtt_us: word(3),
            mtu: word(4),
            flows: word(5),
            moves: word(6),
            reason: fields.reason(84),
            local: fields.address(88),
            remote: fields.address(104),
            candidate: fields.some_address(120),
            local_port: fields.port(136),
            remote_port: fields.port(138),
            members: fields.word(140),
        }
    }
}
