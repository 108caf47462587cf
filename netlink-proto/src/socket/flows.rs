// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The flows of a socket's connection: `struct eccp_flow_info` and the options that change them.

use std::io;
use std::net::IpAddr;
use std::os::fd::{AsFd, AsRawFd};

use super::layout::Fields;
use super::options::{move_bytes, set};
use super::{
    ECCP_FLOWS, ECCP_FLOW_ADD, ECCP_FLOW_MOVE, ECCP_FLOW_PREFER, ECCP_FLOW_REMOVE, ECCP_MAX_FLOWS,
    SOL_ECCP,
};
use crate::constants::{Encap, FlowState, Reason};
use crate::flow::{Addition, Target};

/// Bytes of `struct eccp_flow_info`.
const LEN: usize = 152;
const BACKUP: u32 = 1;
const ACTIVE: u32 = 2;
const DRAINING: u32 = 4;
const USABLE: u32 = 8;

/// One flow of a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SocketFlow {
    /// Flow ID by which the peer addresses this host; names the flow.
    pub local_id: u64,
    /// Flow ID by which this host addresses the peer; zero if not known yet.
    pub remote_id: u64,
    /// Version of the local address.
    pub local_version: u64,
    /// Version of the remote address in use.
    pub remote_version: u64,
    /// Packets received along the flow.
    pub rx_packets: u64,
    /// Bytes received.
    pub rx_bytes: u64,
    /// Packets sent along the flow.
    pub tx_packets: u64,
    /// Bytes sent.
    pub tx_bytes: u64,
    /// State of the flow.
    pub state: FlowState,
    /// One side wants it to carry data only when no other flow can.
    pub backup: bool,
    /// It carries the data that this host sends.
    pub active: bool,
    /// It is over and only answers late packets.
    pub draining: bool,
    /// It has a path for data now.
    pub usable: bool,
    /// Encapsulation of the path.
    pub encap: Encap,
    /// Interface by which the path leaves.
    pub ifindex: u32,
    /// Smoothed round-trip time in microseconds.
    pub rtt_us: u32,
    /// Completed moves of either side.
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
}

impl SocketFlow {
    fn from_bytes(bytes: &[u8; LEN]) -> Self {
        let fields = Fields(bytes);
        let long = |index: usize| fields.long(8 * index);
        let word = |index: usize| fields.word(64 + 4 * index);
        let flag = |flag: u32| word(1) & flag != 0;
        SocketFlow {
            local_id: long(0),
            remote_id: long(1),
            local_version: long(2),
            remote_version: long(3),
            rx_packets: long(4),
            rx_bytes: long(5),
            tx_packets: long(6),
            tx_bytes: long(7),
            state: word(0).into(),
            backup: flag(BACKUP),
            active: flag(ACTIVE),
            draining: flag(DRAINING),
            usable: flag(USABLE),
            encap: word(2).into(),
            ifindex: word(3),
            rtt_us: word(4),
            moves: word(5),
            reason: fields.reason(88),
            local: fields.address(96),
            remote: fields.address(112),
            candidate: fields.some_address(128),
            local_port: fields.port(144),
            remote_port: fields.port(146),
        }
    }
}

/// Reads ECCP_FLOWS: the flow that carries data first.
pub(super) fn flows(fd: impl AsFd) -> io::Result<Vec<SocketFlow>> {
    let mut bytes = [0u8; LEN * ECCP_MAX_FLOWS];
    let mut length = bytes.len() as libc::socklen_t;
    // SAFETY: the kernel writes at most `length` bytes, which is the size of the buffer, and
    // then the length that it wrote.
    let result = unsafe {
        libc::getsockopt(
            fd.as_fd().as_raw_fd(),
            SOL_ECCP,
            ECCP_FLOWS,
            bytes.as_mut_ptr().cast(),
            &mut length,
        )
    };
    if result != 0 {
        return Err(io::Error::last_os_error());
    }
    let written = bytes.get(..length as usize).unwrap_or(&bytes);
    let entries = written
        .chunks_exact(LEN)
        .filter_map(|entry| entry.try_into().ok());
    Ok(entries.map(SocketFlow::from_bytes).collect())
}

/// Bytes of `struct eccp_flow_add`.
fn add_bytes(addition: &Addition) -> [u8; 48] {
    let mut bytes = [0; 48];
    let from = move_bytes(addition.from);
    bytes[..16].copy_from_slice(&from[..16]);
    bytes[32..36].copy_from_slice(&from[16..20]);
    if let Some((remote, port)) = addition.remote {
        bytes[16..32].copy_from_slice(&move_bytes(Target::Address(remote))[..16]);
        bytes[40..42].copy_from_slice(&port.unwrap_or(0).to_be_bytes());
    }
    if addition.backup {
        bytes[36..40].copy_from_slice(&BACKUP.to_ne_bytes());
    }
    bytes
}

/// Sets ECCP_FLOW_ADD.
pub(super) fn add(fd: impl AsFd, addition: &Addition) -> io::Result<()> {
    set(fd, ECCP_FLOW_ADD, &add_bytes(addition))
}

/// Sets ECCP_FLOW_MOVE.
pub(super) fn move_flow(fd: impl AsFd, id: u64, target: Target) -> io::Result<()> {
    let mut bytes = [0; 32];
    bytes[..8].copy_from_slice(&id.to_ne_bytes());
    bytes[8..].copy_from_slice(&move_bytes(target));
    set(fd, ECCP_FLOW_MOVE, &bytes)
}

/// Sets ECCP_FLOW_REMOVE.
pub(super) fn remove(fd: impl AsFd, id: u64) -> io::Result<()> {
    set(fd, ECCP_FLOW_REMOVE, &id.to_ne_bytes())
}

/// Sets ECCP_FLOW_PREFER.
pub(super) fn prefer(fd: impl AsFd, id: u64) -> io::Result<()> {
    set(fd, ECCP_FLOW_PREFER, &id.to_ne_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_addition_has_the_layout_of_the_header() {
        let bytes = add_bytes(&Addition {
            from: Target::Interface(7),
            remote: Some(("192.0.2.9".parse().unwrap(), Some(4433))),
            backup: true,
        });
        assert_eq!(bytes[..16], [0; 16]);
        assert_eq!(bytes[28..32], [192, 0, 2, 9]);
        assert_eq!(bytes[32..36], 7u32.to_ne_bytes());
        assert_eq!(bytes[36..40], 1u32.to_ne_bytes());
        assert_eq!(bytes[40..42], [0x11, 0x51]);
        assert_eq!(bytes[42..], [0; 6]);
    }

    #[test]
    fn a_flow_is_read_from_the_layout_of_the_header() {
        let mut bytes = [0; LEN];
        bytes[..8].copy_from_slice(&7u64.to_ne_bytes());
        bytes[64..68].copy_from_slice(&5u32.to_ne_bytes());
        bytes[68..72].copy_from_slice(&(ACTIVE | USABLE).to_ne_bytes());
        bytes[106..112].copy_from_slice(&[0xff, 0xff, 192, 0, 2, 1]);
        bytes[144..146].copy_from_slice(&[0x11, 0x51]);
        let flow = SocketFlow::from_bytes(&bytes);
        assert_eq!(flow.local_id, 7);
        assert_eq!(flow.state, FlowState::Established);
        assert!(flow.active && flow.usable && !flow.backup && !flow.draining);
        assert_eq!(flow.local, "192.0.2.1".parse::<IpAddr>().unwrap());
        assert_eq!(flow.local_port, 4433);
    }
}
