// SPDX-License-Identifier: Apache-2.0 OR MIT
//! `struct sockaddr_eccp`: a service at an address.

use std::fmt;
use std::net::{IpAddr, Ipv6Addr};
use std::str::FromStr;

use rustix::net::addr::{SocketAddrArg, SocketAddrLen, SocketAddrOpaque};
use rustix::net::SocketAddrAny;

use super::ECCP_SOCKADDR_MIN_LEN;
use crate::constants::SERVICE_ID_LEN;
use crate::flow::Service;
use crate::value::ServiceId;

const LEN: usize = ECCP_SOCKADDR_MIN_LEN + SERVICE_ID_LEN;

/// A service at an address.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Address {
    /// Number of the socket family.
    pub family: u16,
    /// The host; unspecified means any address of this host.
    pub host: IpAddr,
    /// Interface of a link-local IPv6 address, else zero.
    pub scope_id: u32,
    /// What to connect to or to listen as.
    pub service: Service,
}

/// Why bytes are not a socket address of the family.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum AddressError {
    /// Fewer bytes than the kernel accepts.
    #[error("{0} bytes are too few for an AF_ECCP address")]
    Short(usize),
    /// Flags that nobody defined.
    #[error("unknown flags {0:#x}")]
    Flags(u32),
    /// Reserved bytes that are not zero.
    #[error("reserved field is {0:#x}, not zero")]
    Reserved(u32),
}

impl Address {
    /// The service called by `service` at `host`, in the default family.
    pub fn new(host: IpAddr, service: Service) -> Self {
        Address {
            family: super::AF_ECCP,
            host,
            scope_id: 0,
            service,
        }
    }

    /// The bytes of `struct sockaddr_eccp`. An unspecified IPv4 address becomes
    /// the unspecified IPv6 address, as that is how "any" is written.
    pub fn to_bytes(&self) -> [u8; LEN] {
        let host = match self.host {
            IpAddr::V4(host) if host.is_unspecified() => Ipv6Addr::UNSPECIFIED,
            IpAddr::V4(host) => host.to_ipv6_mapped(),
            IpAddr::V6(host) => host,
        };
        let (port, id) = match self.service {
            Service::Port(port) => (port, ServiceId::default()),
            Service::Id(id) => (0, id),
        };
        let mut bytes = [0; LEN];
        bytes[0..2].copy_from_slice(&self.family.to_ne_bytes());
        bytes[2..4].copy_from_slice(&port.to_be_bytes());
        bytes[8..12].copy_from_slice(&self.scope_id.to_ne_bytes());
        bytes[16..32].copy_from_slice(&host.octets());
        bytes[32..].copy_from_slice(&id);
        bytes
    }

    /// Reads what the kernel wrote; the identifier may be left out.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, AddressError> {
        let short = AddressError::Short(bytes.len());
        let fixed = bytes.first_chunk::<ECCP_SOCKADDR_MIN_LEN>().ok_or(short)?;
        let word = |at: usize| {
            u32::from_ne_bytes([fixed[at], fixed[at + 1], fixed[at + 2], fixed[at + 3]])
        };
        if word(4) != 0 {
            return Err(AddressError::Flags(word(4)));
        }
        if word(12) != 0 {
            return Err(AddressError::Reserved(word(12)));
        }
        let id = match bytes.get(ECCP_SOCKADDR_MIN_LEN..LEN) {
            Some(id) => ServiceId::try_from(id).map_err(|_| short)?,
            None if bytes.len() == ECCP_SOCKADDR_MIN_LEN => ServiceId::default(),
            None => return Err(short),
        };
        let mut host = [0; 16];
        host.copy_from_slice(&fixed[16..]);
        Ok(Address {
            family: u16::from_ne_bytes([fixed[0], fixed[1]]),
            host: Ipv6Addr::from(host).to_canonical(),
            scope_id: word(8),
            service: if id == ServiceId::default() {
                Service::Port(u16::from_be_bytes([fixed[2], fixed[3]]))
            } else {
                Service::Id(id)
            },
        })
    }

    pub(super) fn from_any(any: &SocketAddrAny) -> std::io::Result<Self> {
        // SAFETY: the storage behind `as_ptr` is initialised for `addr_len` bytes.
        let bytes = unsafe {
            std::slice::from_raw_parts(any.as_ptr().cast::<u8>(), any.addr_len() as usize)
        };
        Self::from_bytes(bytes)
            .map_err(|error| std::io::Error::new(std::io::ErrorKind::InvalidData, error))
    }
}

// SAFETY: the closure gets a pointer to bytes that live until it returns, with
// their length, in the layout that the family defines.
unsafe impl SocketAddrArg for Address {
    unsafe fn with_sockaddr<R>(
        &self,
        f: impl FnOnce(*const SocketAddrOpaque, SocketAddrLen) -> R,
    ) -> R {
        #[repr(align(8))]
        struct Aligned([u8; LEN]);
        let bytes = Aligned(self.to_bytes());
        f(bytes.0.as_ptr().cast(), LEN as SocketAddrLen)
    }
}

/// `host:service`, an IPv6 host in brackets.
impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.host, self.scope_id) {
            (IpAddr::V4(host), _) => write!(f, "{host}:{}", self.service),
            (IpAddr::V6(host), 0) => write!(f, "[{host}]:{}", self.service),
            (IpAddr::V6(host), scope) => write!(f, "[{host}%{scope}]:{}", self.service),
        }
    }
}

impl FromStr for Address {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (host, service) = text
            .rsplit_once(':')
            .ok_or_else(|| format!("{text:?} has no \":service\""))?;
        let host = host
            .strip_prefix('[')
            .and_then(|host| host.strip_suffix(']'))
            .unwrap_or(host);
        let (host, scope_id) = match host.split_once('%') {
            Some((host, scope)) => (
                host,
                scope
                    .parse()
                    .map_err(|_| format!("{scope:?} is not an interface index"))?,
            ),
            None => (host, 0),
        };
        let host = host
            .parse()
            .map_err(|_| format!("{host:?} is not an IP address"))?;
        Ok(Address {
            scope_id,
            ..Address::new(host, service.parse()?)
        })
    }
}
