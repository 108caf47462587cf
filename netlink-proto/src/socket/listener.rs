// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Sockets that wait for connections.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::net::{self, SocketFlags};

use super::{Address, Builder, Stream};

/// A socket that accepts connections to a service.
#[derive(Debug)]
pub struct Listener {
    fd: OwnedFd,
}

impl Listener {
    /// Listens as the service that `local` names, at its host or at any.
    pub fn bind(local: Address) -> io::Result<Self> {
        Builder::in_family(local.family)?.bind(local)?.listen(128)
    }

    /// Waits for a connection.
    pub fn accept(&self) -> io::Result<(Stream, Option<Address>)> {
        let (fd, peer) = net::acceptfrom_with(&self.fd, SocketFlags::CLOEXEC)?;
        let peer = peer.map(|any| Address::from_any(&any)).transpose()?;
        Ok((Stream::from(fd), peer))
    }

    /// What the socket is bound to.
    pub fn local_addr(&self) -> io::Result<Address> {
        Address::from_any(&net::getsockname(&self.fd)?)
    }

    /// Selects whether [`Listener::accept`] waits.
    pub fn set_nonblocking(&self, nonblocking: bool) -> io::Result<()> {
        Ok(rustix::io::ioctl_fionbio(&self.fd, nonblocking)?)
    }
}

impl From<OwnedFd> for Listener {
    fn from(fd: OwnedFd) -> Self {
        Listener { fd }
    }
}

impl AsFd for Listener {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}
