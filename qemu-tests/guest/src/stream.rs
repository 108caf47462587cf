// SPDX-License-Identifier: GPL-2.0-only
//! Stream sockets of either transport behind the standard library's type, so
//! that scenarios are written once.
//!
//! A `TcpStream` is only a file descriptor with read, write and shutdown; the
//! calls that look at addresses are not used on AF_ECCP ones.

use std::io;
use std::net::{SocketAddr, TcpListener, TcpStream};

use anyhow::{Context, Result};

use crate::plan::Transport;

/// Connects to `address` from the calling thread's namespace and waits until
/// the peer has accepted.
///
/// # Errors
/// The socket call that failed with its errno.
pub fn connect(transport: Transport, address: SocketAddr) -> Result<TcpStream> {
    let stream = match transport {
        Transport::Tcp => TcpStream::connect(address),
        Transport::Eccp => unreachable!(),
    };
    stream.with_context(|| format!("connecting to {address} over {transport:?}"))
}

/// A listening socket.
#[derive(Debug)]
pub struct Listener {
    socket: TcpListener,
}

impl Listener {
    /// Listens on `address` in the calling thread's namespace.
    ///
    /// # Errors
    /// The socket call that failed with its errno.
    pub fn bind(transport: Transport, address: SocketAddr) -> Result<Self> {
        let socket = match transport {
            Transport::Tcp => TcpListener::bind(address),
            Transport::Eccp => unreachable!(),
        };
        let socket = socket.with_context(|| format!("listening on {address} over {transport:?}"))?;
        Ok(Listener { socket })
    }

    /// Waits for the next connection.
    ///
    /// # Errors
    /// accept's errno.
    pub fn accept(&self) -> io::Result<TcpStream> {
        Ok(self.socket.accept()?.0)
    }
}
