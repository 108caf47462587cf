// SPDX-License-Identifier: GPL-2.0-only
//! Stream sockets of either transport behind the standard library's type, so
//! that traffic is written once.
//!
//! A `TcpStream` is only a file descriptor with read, write and shutdown; the
//! calls that look at addresses are not used on AF_ECCP ones.

use std::io;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use anyhow::{Context, Result};
use eccp_netlink::flow::Service;
use eccp_netlink::socket;
use rustix::net::SocketFlags;

use crate::namespace::Namespace;
use crate::plan::Transport;

/// Connects to `address` from the calling thread's namespace and waits until
/// the connection is established.
///
/// # Errors
/// The socket call that failed with its errno.
pub fn connect(transport: Transport, address: SocketAddr) -> Result<TcpStream> {
    let stream = match transport {
        Transport::Tcp => TcpStream::connect(address),
        Transport::Eccp => socket::Stream::connect(eccp_address(address))
            .map(|stream| TcpStream::from(OwnedFd::from(stream))),
    };
    stream.with_context(|| format!("connecting to {address} over {transport:?}"))
}

/// The AF_ECCP address of the service that a TCP server at `address` would be.
pub fn eccp_address(address: SocketAddr) -> socket::Address {
    socket::Address::new(address.ip(), Service::Port(address.port()))
}

/// A listening socket.
#[derive(Debug)]
pub struct Listener {
    fd: OwnedFd,
}

impl Listener {
    /// Listens on `address` in the calling thread's namespace.
    ///
    /// # Errors
    /// The socket call that failed with its errno.
    pub fn bind(transport: Transport, address: SocketAddr) -> Result<Self> {
        let fd = match transport {
            Transport::Tcp => TcpListener::bind(address).map(OwnedFd::from),
            Transport::Eccp => socket::Builder::new()
                .and_then(|builder| builder.bind(eccp_address(address)))
                .and_then(|builder| builder.listen(128))
                .and_then(|listener| listener.as_fd().try_clone_to_owned()),
        };
        let fd = fd.with_context(|| format!("listening on {address} over {transport:?}"))?;
        Ok(Listener { fd })
    }

    /// Waits for the next connection.
    ///
    /// # Errors
    /// accept's errno.
    pub fn accept(&self) -> io::Result<TcpStream> {
        let fd = rustix::net::accept_with(&self.fd, SocketFlags::CLOEXEC)?;
        Ok(TcpStream::from(fd))
    }
}

impl AsFd for Listener {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

/// The two ends of one connection.
#[derive(Debug)]
pub struct Pair {
    /// The end that connected.
    pub client: TcpStream,
    /// The end that accepted.
    pub server: TcpStream,
}

impl Pair {
    /// Connects `client` to a service that listens in `server` at `address`
    /// for this connection only.
    ///
    /// # Errors
    /// The socket call that failed with its errno.
    pub fn connect(
        transport: Transport,
        client: &Namespace,
        server: &Namespace,
        address: SocketAddr,
    ) -> Result<Self> {
        let listener = server.run(|| Listener::bind(transport, address))?;
        let client = client.run(|| connect(transport, address))?;
        let server = listener.accept().context("accept")?;
        Ok(Pair { client, server })
    }
}

/// Reads ECCP_INFO of a stream.
///
/// # Errors
/// getsockopt's errno.
pub fn info(stream: &TcpStream) -> Result<socket::SocketInfo> {
    let fd = stream.as_fd().try_clone_to_owned()?;
    socket::Stream::from(fd).info().context("ECCP_INFO")
}
