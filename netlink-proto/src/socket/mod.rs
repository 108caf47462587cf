// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Sockets of the family AF_ECCP, in the manner of `std::net`.
//!
//! The numbers and layouts are those of `linux/eccp_socket.h`; eccp(7) says
//! what each system call does.

mod address;
mod info;
mod listener;
mod options;
mod stream;

pub use address::{Address, AddressError};
pub use info::SocketInfo;
pub use listener::Listener;
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
/// Bytes in a pre-shared key.
pub const ECCP_PSK_LEN: usize = 32;
/// Shortest address that the kernel accepts.
pub const ECCP_SOCKADDR_MIN_LEN: usize = 32;
