// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The netlink socket, behind a trait so that a client can be driven without a kernel.

use std::io;
use std::os::fd::{AsFd, BorrowedFd};

use netlink_sys::protocols::NETLINK_GENERIC;
use netlink_sys::{Socket, SocketAddr};

/// Carries whole netlink datagrams.
pub trait Transport {
    /// Sends one request.
    fn send(&mut self, datagram: &[u8]) -> io::Result<()>;

    /// Waits for one datagram, which may hold several messages.
    fn receive(&mut self) -> io::Result<Vec<u8>>;
}

/// A netlink socket to the kernel, with extended acknowledgements.
#[derive(Debug)]
pub struct NetlinkSocket(Socket);

impl NetlinkSocket {
    /// Opens a socket in the network namespace of the calling thread.
    pub fn open() -> io::Result<Self> {
        let mut socket = Socket::new(NETLINK_GENERIC)?;
        socket.bind_auto()?;
        socket.connect(&SocketAddr::new(0, 0))?;
        socket.set_ext_ack(true)?;
        socket.set_cap_ack(true)?;
        Ok(NetlinkSocket(socket))
    }

    /// Joins a multicast group and widens the receive buffer, since a burst of
    /// notifications must fit in it.
    pub fn join(&self, group: u32) -> io::Result<()> {
        self.0.set_rx_buf_sz(1u32 << 20)?;
        self.0.add_membership(group)
    }
}

impl Transport for NetlinkSocket {
    fn send(&mut self, datagram: &[u8]) -> io::Result<()> {
        self.0.send(datagram, 0).map(drop)
    }

    fn receive(&mut self) -> io::Result<Vec<u8>> {
        loop {
            match self.0.recv_from_full() {
                Ok((datagram, _)) => return Ok(datagram),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
    }
}

impl AsFd for NetlinkSocket {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}
