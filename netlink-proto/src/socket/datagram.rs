// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Sockets that send and receive datagrams, connected or not.

use std::io;
use std::net::IpAddr;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::Duration;

use rustix::net::addr::{SocketAddrArg, SocketAddrLen, SocketAddrOpaque};
use rustix::net::sockopt::{set_socket_timeout, Timeout};
use rustix::net::{
    self, AddressFamily, RecvFlags, SendFlags, SocketAddrAny, SocketFlags, SocketType,
};

use super::{options, Address, SocketInfo, AF_ECCP, ECCP_PSK_LEN, ECCP_SOCKADDR_PEER};
use crate::flow::{Service, Target};

/// Who sent a datagram, and who gets the answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Peer {
    /// A service that this socket has sent to, by the address that it used.
    Service(Address),
    /// Somebody who came to this socket by himself.
    Number {
        /// What tells this peer from the socket's others, wherever it moves to.
        number: u32,
        /// Where it was when the datagram was read; unspecified when it has gone.
        host: IpAddr,
    },
}

impl Peer {
    /// The bytes of `struct sockaddr_eccp`.
    pub fn to_bytes(&self) -> Vec<u8> {
        match self {
            Peer::Service(address) => address.to_bytes().to_vec(),
            Peer::Number { number, host } => {
                let mut bytes = Address::new(*host, Service::Port(0)).to_bytes().to_vec();
                bytes[4..8].copy_from_slice(&ECCP_SOCKADDR_PEER.to_ne_bytes());
                let tail = bytes.len() - 4;
                bytes[tail..].copy_from_slice(&number.to_be_bytes());
                bytes
            }
        }
    }

    /// Reads what the kernel wrote.
    pub fn from_bytes(bytes: &[u8]) -> io::Result<Self> {
        let of = |error| io::Error::new(io::ErrorKind::InvalidData, error);
        let flags = bytes.get(4..8).and_then(|flags| flags.first_chunk());
        if flags.copied().map(u32::from_ne_bytes) != Some(ECCP_SOCKADDR_PEER) {
            return Address::from_bytes(bytes).map(Peer::Service).map_err(of);
        }
        let mut plain = bytes.to_vec();
        plain[4..8].fill(0);
        let address = Address::from_bytes(&plain).map_err(of)?;
        let number = bytes.last_chunk().copied().map_or(0, u32::from_be_bytes);
        Ok(Peer::Number {
            number,
            host: address.host,
        })
    }
}

// SAFETY: the closure gets a pointer to bytes that live until it returns, with
// their length, in the layout that the family defines.
unsafe impl SocketAddrArg for Peer {
    unsafe fn with_sockaddr<R>(
        &self,
        f: impl FnOnce(*const SocketAddrOpaque, SocketAddrLen) -> R,
    ) -> R {
        let bytes = self.to_bytes();
        f(bytes.as_ptr().cast(), bytes.len() as SocketAddrLen)
    }
}

impl From<Address> for Peer {
    fn from(address: Address) -> Self {
        Peer::Service(address)
    }
}

/// A datagram socket.
#[derive(Debug)]
pub struct Datagram {
    fd: OwnedFd,
}

impl Datagram {
    /// A socket that is neither bound nor connected.
    pub fn new() -> io::Result<Self> {
        let fd = net::socket_with(
            AddressFamily::from_raw(AF_ECCP),
            SocketType::DGRAM,
            SocketFlags::CLOEXEC,
            None,
        )?;
        Ok(Datagram { fd })
    }

    /// A socket that answers as the service that `local` names.
    pub fn bind(local: Address) -> io::Result<Self> {
        let socket = Datagram::new()?;
        net::bind(&socket.fd, &local)?;
        Ok(socket)
    }

    /// A socket with one peer. Waits until the connection is established.
    pub fn connected(remote: Address) -> io::Result<Self> {
        let socket = Datagram::new()?;
        socket.connect(remote)?;
        Ok(socket)
    }

    /// Mixes a pre-shared key into the keys of new connections.
    pub fn set_psk(&self, key: &[u8; ECCP_PSK_LEN]) -> io::Result<()> {
        options::set_psk(&self.fd, key)
    }

    /// Takes `remote` for the only peer, in place of all earlier ones.
    pub fn connect(&self, remote: Address) -> io::Result<()> {
        Ok(net::connect(&self.fd, &remote)?)
    }

    /// Sends to the peer of a connected socket.
    pub fn send(&self, datagram: &[u8]) -> io::Result<usize> {
        Ok(net::send(&self.fd, datagram, SendFlags::NOSIGNAL)?)
    }

    /// Sends to any peer; a service is connected to if need be.
    pub fn send_to(&self, datagram: &[u8], peer: &Peer) -> io::Result<usize> {
        Ok(net::sendto(&self.fd, datagram, SendFlags::NOSIGNAL, peer)?)
    }

    /// Receives a datagram; what does not fit into `buffer` is lost.
    pub fn recv(&self, buffer: &mut [u8]) -> io::Result<usize> {
        let (read, _) = net::recv(&self.fd, buffer, RecvFlags::empty())?;
        Ok(read)
    }

    /// Receives a datagram with the name of its sender; the length is that of
    /// the datagram, also when it did not fit.
    pub fn recv_from(&self, buffer: &mut [u8], flags: RecvFlags) -> io::Result<(usize, Peer)> {
        let (_, length, from) = net::recvfrom(&self.fd, buffer, flags | RecvFlags::TRUNC)?;
        let from = from.ok_or_else(|| io::Error::from_raw_os_error(libc::ENOTCONN))?;
        Ok((length, peer_of(&from)?))
    }

    /// The largest datagram that the connection takes at present, in bytes.
    pub fn max(&self) -> io::Result<u32> {
        options::datagram_max(&self.fd)
    }

    /// The connection and its primary flow.
    pub fn info(&self) -> io::Result<SocketInfo> {
        options::info(&self.fd)
    }

    /// Starts to move the flow to another address of this host.
    pub fn move_to(&self, target: Target) -> io::Result<()> {
        options::move_to(&self.fd, target)
    }

    /// The peer's address at present; it changes when the peer moves.
    pub fn peer_addr(&self) -> io::Result<Address> {
        let any = net::getpeername(&self.fd)?
            .ok_or_else(|| io::Error::from_raw_os_error(libc::ENOTCONN))?;
        Address::from_any(&any)
    }

    /// This host's address at present.
    pub fn local_addr(&self) -> io::Result<Address> {
        Address::from_any(&net::getsockname(&self.fd)?)
    }

    /// Selects whether calls wait.
    pub fn set_nonblocking(&self, nonblocking: bool) -> io::Result<()> {
        Ok(rustix::io::ioctl_fionbio(&self.fd, nonblocking)?)
    }

    /// Limits how long receiving waits.
    pub fn set_read_timeout(&self, timeout: Option<Duration>) -> io::Result<()> {
        Ok(set_socket_timeout(&self.fd, Timeout::Recv, timeout)?)
    }
}

fn peer_of(any: &SocketAddrAny) -> io::Result<Peer> {
    // SAFETY: the storage behind `as_ptr` is initialised for `addr_len` bytes.
    let bytes =
        unsafe { std::slice::from_raw_parts(any.as_ptr().cast::<u8>(), any.addr_len() as usize) };
    Peer::from_bytes(bytes)
}

impl AsFd for Datagram {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_peer_is_read_from_its_own_bytes() {
        let peers = [
            Peer::Service(Address::new(
                "192.0.2.1".parse().unwrap(),
                Service::Port(53),
            )),
            Peer::Number {
                number: 0x0102_0304,
                host: "2001:db8::7".parse().unwrap(),
            },
        ];
        for peer in peers {
            assert_eq!(Peer::from_bytes(&peer.to_bytes()).unwrap(), peer);
        }
        assert!(Peer::from_bytes(&[0; 8]).is_err());
    }
}
