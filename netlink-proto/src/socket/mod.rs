// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Sockets of the family AF_ECCP, in the manner of `std::net`.
//!
//! The numbers and layouts are those of `linux/eccp_socket.h`; eccp(7) says
//! what each system call does.

mod address;
mod datagram;
mod event;
mod flows;
mod info;
mod layout;
mod listener;
mod mode;
mod options;
mod stream;

pub use address::{Address, AddressError};
pub use datagram::{Datagram, Peer};
pub use event::{PathEvent, PathEventKind};
pub use flows::SocketFlow;
pub use info::SocketInfo;
pub use listener::Listener;
pub use mode::{Mode, ECCP_MODE, ECCP_MODE_REQUIRED};
pub use stream::{Builder, Stream};

/// Number of the socket family unless the module was loaded with another one.
pub const AF_ECCP: u16 = 18;
/// Level of the socket options below.
pub const SOL_ECCP: i32 = 318;
/// Option that reads the connection and its primary flow.
pub const ECCP_INFO: i32 = 1;
/// Option that moves the primary flow.
pub const ECCP_MOVE: i32 = 2;
/// Option that sets the pre-shared key.
pub const ECCP_PSK: i32 = 3;
/// Option that reads all flows of the connection.
pub const ECCP_FLOWS: i32 = 4;
/// Option that adds a flow.
pub const ECCP_FLOW_ADD: i32 = 5;
/// Option that removes a flow.
pub const ECCP_FLOW_REMOVE: i32 = 6;
/// Option that moves a flow.
pub const ECCP_FLOW_MOVE: i32 = 7;
/// Option that chooses the flow that carries data.
pub const ECCP_FLOW_PREFER: i32 = 8;
/// Most flows of a connection.
pub const ECCP_MAX_FLOWS: usize = 4;
/// The options about flows and their limit, by their names in the header.
pub const FLOW_OPTIONS: [(&str, i32); 6] = [
    ("ECCP_FLOWS", ECCP_FLOWS),
    ("ECCP_FLOW_ADD", ECCP_FLOW_ADD),
    ("ECCP_FLOW_REMOVE", ECCP_FLOW_REMOVE),
    ("ECCP_FLOW_MOVE", ECCP_FLOW_MOVE),
    ("ECCP_FLOW_PREFER", ECCP_FLOW_PREFER),
    ("ECCP_MAX_FLOWS", ECCP_MAX_FLOWS as i32),
];
/// Option that reads the largest datagram, in bytes.
pub const ECCP_DATAGRAM_MAX: i32 = 16;
/// Flag of an address that names a peer by its number at a datagram socket.
pub const ECCP_SOCKADDR_PEER: u32 = 1;
/// Option that selects path events, and type of the control messages that carry them.
pub const ECCP_PATH_EVENTS: i32 = 9;
/// Bytes in a pre-shared key.
pub const ECCP_PSK_LEN: usize = 32;
/// Shortest address that the kernel accepts.
pub const ECCP_SOCKADDR_MIN_LEN: usize = 32;
