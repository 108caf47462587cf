// SPDX-License-Identifier: GPL-2.0-only
//! The in-kernel path manager of Multipath TCP, as `ip mptcp` configures it.

use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpStream};
use std::os::fd::OwnedFd;

use anyhow::{Context, Result};
use rustix::net::{ipproto, AddressFamily, SocketFlags, SocketType};

use crate::namespace::Namespace;
use crate::netlink::{Attributes, Family};
use crate::stream::Pair;

/// Flags of an endpoint (MPTCP_PM_ADDR_FLAG_* of include/uapi/linux/mptcp.h).
pub(super) const SIGNAL: u32 = 1 << 0;
pub(super) const SUBFLOW: u32 = 1 << 1;
pub(super) const BACKUP: u32 = 1 << 2;
pub(super) const FULLMESH: u32 = 1 << 3;

/// MPTCP_PM_CMD_*.
const ADD_ADDRESS: u8 = 1;
const DELETE_ADDRESS: u8 = 2;
const SET_LIMITS: u8 = 5;
/// MPTCP_PM_ATTR_*.
const ADDRESS: u16 = 1;
const ACCEPTED: u16 = 2;
const SUBFLOWS: u16 = 3;
/// MPTCP_PM_ADDR_ATTR_*.
const ADDRESS_FAMILY: u16 = 1;
const ADDRESS_ID: u16 = 2;
const ADDRESS_V4: u16 = 3;
const ADDRESS_V6: u16 = 4;
const ADDRESS_FLAGS: u16 = 6;
const ADDRESS_INTERFACE: u16 = 7;
/// The most that the kernel allows.
const MOST: u32 = 8;

/// An address that connections may use or announce.
#[derive(Debug, Clone, Copy)]
pub(super) struct Endpoint {
    /// Number chosen by the administrator; 0 is the address that a connection began at.
    pub id: u8,
    /// The address.
    pub address: IpAddr,
    /// Index of the interface that has it.
    pub interface: u32,
    /// What it is for.
    pub flags: u32,
}

impl Endpoint {
    fn attributes(&self) -> Attributes {
        let family = match self.address {
            IpAddr::V4(_) => AddressFamily::INET,
            IpAddr::V6(_) => AddressFamily::INET6,
        };
        let attributes = Attributes::new()
            .put(ADDRESS_FAMILY, &family.as_raw().to_ne_bytes())
            .put(ADDRESS_ID, &[self.id]);
        let attributes = match self.address {
            IpAddr::V4(address) => attributes.put(ADDRESS_V4, &address.octets()),
            IpAddr::V6(address) => attributes.put(ADDRESS_V6, &address.octets()),
        };
        let attributes = if self.interface == 0 {
            attributes
        } else {
            attributes.put(ADDRESS_INTERFACE, &(self.interface as i32).to_ne_bytes())
        };
        attributes.put(ADDRESS_FLAGS, &self.flags.to_ne_bytes())
    }

    /// `ip mptcp endpoint add ADDRESS id ID dev INTERFACE FLAGS` in the calling
    /// thread's namespace.
    ///
    /// # Errors
    /// The kernel's errno.
    pub fn add(&self) -> Result<()> {
        self.tell(ADD_ADDRESS)
            .with_context(|| format!("adding MPTCP endpoint {}", self.address))
    }

    /// `ip mptcp endpoint delete id ID ADDRESS`.
    ///
    /// # Errors
    /// The kernel's errno.
    pub fn delete(&self) -> Result<()> {
        self.tell(DELETE_ADDRESS)
            .with_context(|| format!("deleting MPTCP endpoint {}", self.address))
    }

    fn tell(&self, command: u8) -> Result<()> {
        let attributes = Attributes::new().nest(ADDRESS, &self.attributes());
        path_manager()?.request(command, 0, &attributes)?;
        Ok(())
    }
}

/// `ip mptcp limits set subflow 8 add_addr_accepted 8` in the calling thread's
/// namespace.
///
/// # Errors
/// The kernel's errno.
pub(super) fn lift_limits() -> Result<()> {
    let attributes = Attributes::new()
        .put(ACCEPTED, &MOST.to_ne_bytes())
        .put(SUBFLOWS, &MOST.to_ne_bytes());
    path_manager()?
        .request(SET_LIMITS, 0, &attributes)
        .context("MPTCP limits")?;
    Ok(())
}

fn path_manager() -> Result<Family> {
    Family::find("mptcp_pm")
}

/// Listens at `port` of every address in the calling thread's namespace. More
/// subflows come to the listener, so it has to stay.
///
/// # Errors
/// The socket call's errno.
pub(super) fn listen(port: u16) -> Result<OwnedFd> {
    let address = SocketAddr::new(Ipv4Addr::UNSPECIFIED.into(), port);
    let socket = socket()?;
    rustix::net::bind(&socket, &address)?;
    rustix::net::listen(&socket, 16)?;
    Ok(socket)
}

/// Connects `client` to the service behind `listener` at `address`.
///
/// # Errors
/// The socket call's errno.
pub(super) fn connect(client: &Namespace, listener: &OwnedFd, address: SocketAddr) -> Result<Pair> {
    let client = client.run(|| {
        let socket = socket()?;
        rustix::net::connect(&socket, &address).context("connecting over MPTCP")?;
        Ok(socket)
    })?;
    let server = rustix::net::accept_with(listener, SocketFlags::CLOEXEC)?;
    Ok(Pair {
        client: TcpStream::from(client),
        server: TcpStream::from(server),
    })
}

fn socket() -> Result<OwnedFd> {
    let (family, kind) = (AddressFamily::INET, SocketType::STREAM);
    rustix::net::socket_with(family, kind, SocketFlags::CLOEXEC, Some(ipproto::MPTCP))
        .context("a socket of MPTCP")
}
