// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Connected stream sockets, and what is set before they connect.

use std::io::{self, Read, Write};
use std::net::Shutdown;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::Duration;

use rustix::net::sockopt::{set_socket_timeout, socket_error, Timeout};
use rustix::net::{self, AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType};

use super::{
    event, flows, mode, options, Address, Listener, Mode, PathEvent, SocketFlow, SocketInfo,
    AF_ECCP, ECCP_PSK_LEN,
};
use crate::flow::{Addition, Target};

/// A socket that is neither connected nor listening yet.
#[derive(Debug)]
pub struct Builder {
    fd: OwnedFd,
    family: u16,
}

impl Builder {
    /// A stream socket of the default family number. EAFNOSUPPORT says that
    /// the module is not loaded or has taken another number.
    pub fn new() -> io::Result<Self> {
        Self::in_family(AF_ECCP)
    }

    /// A stream socket of the family number that the module was loaded with.
    pub fn in_family(family: u16) -> io::Result<Self> {
        let fd = net::socket_with(
            AddressFamily::from_raw(family),
            SocketType::STREAM,
            SocketFlags::CLOEXEC,
            None,
        )?;
        Ok(Builder { fd, family })
    }

    /// Mixes a pre-shared key into the keys of the connection.
    pub fn psk(self, key: &[u8; ECCP_PSK_LEN]) -> io::Result<Self> {
        options::set_psk(&self.fd, key)?;
        Ok(self)
    }

    /// Selects how the stream uses the paths that there are.
    pub fn mode(self, mode: Mode) -> io::Result<Self> {
        mode::set(&self.fd, mode, false)?;
        Ok(self)
    }

    /// The same, and connects to no peer that does not agree.
    pub fn require_mode(self, mode: Mode) -> io::Result<Self> {
        mode::set(&self.fd, mode, true)?;
        Ok(self)
    }

    /// Selects the local address, and the service if it is to listen.
    pub fn bind(self, local: Address) -> io::Result<Self> {
        net::bind(&self.fd, &self.of_family(local))?;
        Ok(self)
    }

    /// Connects and waits until the connection is established.
    pub fn connect(self, remote: Address) -> io::Result<Stream> {
        net::connect(&self.fd, &self.of_family(remote))?;
        Ok(Stream { fd: self.fd })
    }

    /// Starts to connect without waiting. The stream does not block, and is
    /// writable when the attempt is over; [`Stream::take_error`] tells how.
    pub fn start_connect(self, remote: Address) -> io::Result<Stream> {
        rustix::io::ioctl_fionbio(&self.fd, true)?;
        match net::connect(&self.fd, &self.of_family(remote)) {
            Ok(()) | Err(rustix::io::Errno::INPROGRESS) => Ok(Stream { fd: self.fd }),
            Err(error) => Err(error.into()),
        }
    }

    /// Listens for connections; at most `backlog` wait to be accepted.
    pub fn listen(self, backlog: i32) -> io::Result<Listener> {
        net::listen(&self.fd, backlog)?;
        Ok(Listener::from(self.fd))
    }

    fn of_family(&self, address: Address) -> Address {
        Address {
            family: self.family,
            ..address
        }
    }
}

impl AsFd for Builder {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

/// A connection. Reading and writing go through `&Stream` as with a TCP stream.
#[derive(Debug)]
pub struct Stream {
    fd: OwnedFd,
}

impl Stream {
    /// Connects to `remote` and waits until the connection is established.
    pub fn connect(remote: Address) -> io::Result<Self> {
        Builder::in_family(remote.family)?.connect(remote)
    }

    /// The peer's address at present; it changes when the peer moves.
    pub fn peer_addr(&self) -> io::Result<Address> {
        let any = net::getpeername(&self.fd)?
            .ok_or_else(|| io::Error::from_raw_os_error(libc::ENOTCONN))?;
        Address::from_any(&any)
    }

    /// This host's address at present; it changes when this host moves.
    pub fn local_addr(&self) -> io::Result<Address> {
        Address::from_any(&net::getsockname(&self.fd)?)
    }

    /// The connection and its primary flow.
    pub fn info(&self) -> io::Result<SocketInfo> {
        options::info(&self.fd)
    }

    /// How the stream uses the paths that there are, as both ends agreed.
    pub fn mode(&self) -> io::Result<Mode> {
        mode::get(&self.fd)
    }

    /// Starts to move the flow to another address of this host.
    pub fn move_to(&self, target: Target) -> io::Result<()> {
        options::move_to(&self.fd, target)
    }

    /// All flows of the connection; the one that carries data comes first.
    pub fn flows(&self) -> io::Result<Vec<SocketFlow>> {
        flows::flows(&self.fd)
    }

    /// Starts to add a flow.
    pub fn add_flow(&self, addition: &Addition) -> io::Result<()> {
        flows::add(&self.fd, addition)
    }

    /// Starts to move the flow with local ID `id`.
    pub fn move_flow(&self, id: u64, target: Target) -> io::Result<()> {
        flows::move_flow(&self.fd, id, target)
    }

    /// Removes the flow with local ID `id`, which is one of several.
    pub fn remove_flow(&self, id: u64) -> io::Result<()> {
        flows::remove(&self.fd, id)
    }

    /// Sends data along the flow with local ID `id`, until it loses its path.
    pub fn prefer_flow(&self, id: u64) -> io::Result<()> {
        flows::prefer(&self.fd, id)
    }

    /// Selects the path events that are kept for this socket: bits `1 << kind`, see
    /// [`PathEventKind::all`](super::PathEventKind::all). Zero ends it.
    pub fn watch_paths(&self, kinds: u32) -> io::Result<()> {
        options::watch_paths(&self.fd, kinds)
    }

    /// Takes the oldest path event that was not read yet; `None` if there is none. The socket
    /// polls with POLLPRI while there are some.
    pub fn next_path_event(&self) -> io::Result<Option<PathEvent>> {
        event::next(&self.fd)
    }

    /// Ends one or both directions.
    pub fn shutdown(&self, how: Shutdown) -> io::Result<()> {
        let how = match how {
            Shutdown::Read => net::Shutdown::Read,
            Shutdown::Write => net::Shutdown::Write,
            Shutdown::Both => net::Shutdown::Both,
        };
        Ok(net::shutdown(&self.fd, how)?)
    }

    /// Selects whether calls wait.
    pub fn set_nonblocking(&self, nonblocking: bool) -> io::Result<()> {
        Ok(rustix::io::ioctl_fionbio(&self.fd, nonblocking)?)
    }

    /// Limits how long a read waits.
    pub fn set_read_timeout(&self, timeout: Option<Duration>) -> io::Result<()> {
        Ok(set_socket_timeout(&self.fd, Timeout::Recv, timeout)?)
    }

    /// Limits how long a write waits.
    pub fn set_write_timeout(&self, timeout: Option<Duration>) -> io::Result<()> {
        Ok(set_socket_timeout(&self.fd, Timeout::Send, timeout)?)
    }

    /// Reads and clears the pending error of the socket.
    pub fn take_error(&self) -> io::Result<Option<io::Error>> {
        Ok(socket_error(&self.fd)?.err().map(io::Error::from))
    }
}

impl From<OwnedFd> for Stream {
    fn from(fd: OwnedFd) -> Self {
        Stream { fd }
    }
}

impl From<Stream> for OwnedFd {
    fn from(stream: Stream) -> Self {
        stream.fd
    }
}

impl AsFd for Stream {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

impl Read for &Stream {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let (read, _) = net::recv(&self.fd, buffer, RecvFlags::empty())?;
        Ok(read)
    }
}

impl Write for &Stream {
    fn write(&mut self, buffer: &[u8]) -> io::Result<usize> {
        Ok(net::send(&self.fd, buffer, SendFlags::NOSIGNAL)?)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Read for Stream {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        (&*self).read(buffer)
    }
}

impl Write for Stream {
    fn write(&mut self, buffer: &[u8]) -> io::Result<usize> {
        (&*self).write(buffer)
    }

    fn flush(&mut self) -> io::Result<()> {
        (&*self).flush()
    }
}
