// SPDX-License-Identifier: GPL-2.0
//! `struct sockaddr_eccp`.

use crate::kernel_objects::errno::EAFNOSUPPORT;
use crate::{
    kernel_objects::sys,
    proto::{
        address::{Family, IpAddr128},
        service::Service,
    },
};
use kernel::prelude::*;

/// Length of the address with a service identifier, in bytes.
pub(crate) const LEN: usize = 64;
/// Length of the address without one, in bytes.
const SHORT_LEN: usize = sys::ECCP_SOCKADDR_MIN_LEN as usize;

/// A service at an address.
#[derive(Clone, Copy)]
pub(crate) struct Name {
    pub(crate) service: Service,
    pub(crate) addr: IpAddr128,
    /// Interface of a link-local address, else zero.
    pub(crate) scope: u32,
}

/// The number of the socket family in use.
pub(crate) fn family() -> u16 {
    crate::kernel_objects::family() as u16
}

impl Name {
    /// Reads an address. Errors: EINVAL when it is too short or has bits set that must not be;
    /// EAFNOSUPPORT when it is of another family.
    pub(crate) fn parse(bytes: &[u8]) -> Result<Self> {
        let (head, rest) = bytes.split_first_chunk::<SHORT_LEN>().ok_or(EINVAL)?;
        let [f0, f1, p0, p1, ..] = *head;
        if u16::from_ne_bytes([f0, f1]) != family() {
            return Err(EAFNOSUPPORT);
        }
        let field = |at: usize| -> u32 {
            head.get(at..)
                .and_then(|b| b.first_chunk().copied())
                .map_or(0, u32::from_ne_bytes)
        };
        if field(4) != 0 || field(12) != 0 {
            return Err(EINVAL);
        }
        let mut addr = IpAddr128::UNSPECIFIED;
        addr.0.copy_from_slice(head.get(16..).ok_or(EINVAL)?);
        let id = match rest {
            [] => None,
            _ => rest.first_chunk::<32>().copied().map(Some).ok_or(EINVAL)?,
        };
        let service = match id {
            Some(id) if id != [0; 32] => Service::Id(id),
            _ => Service::Port(u16::from_be_bytes([p0, p1])),
        };
        Ok(Self {
            service,
            addr,
            scope: field(8),
        })
    }

    /// The address as user space reads it.
    pub(crate) fn to_bytes(self) -> [u8; LEN] {
        let mut out = [0; LEN];
        let (port, id) = match self.service {
            Service::Port(port) => (port, [0; 32]),
            Service::Id(id) => (0, id),
        };
        let mut put = |at: usize, bytes: &[u8]| {
            if let Some(to) = out.get_mut(at..at + bytes.len()) {
                to.copy_from_slice(bytes);
            }
        };
        put(0, &family().to_ne_bytes());
        put(2, &port.to_be_bytes());
        put(8, &self.scope.to_ne_bytes());
        put(16, &self.addr.0);
        put(32, &id);
        out
    }

    /// Whether a connection can lead there: not multicast, not "any", and not link-local,
    /// which means nothing in another network.
    pub(crate) fn is_destination(&self) -> bool {
        let link_local = match self.addr.family() {
            Family::V4 => self
                .addr
                .as_v4()
                .is_some_and(|a| a.starts_with(&[169, 254])),
            Family::V6 => {
                let [a, b, ..] = self.addr.0;
                a == 0xfe && b & 0xc0 == 0x80
            }
        };
        !self.addr.is_unspecified() && !self.addr.is_multicast() && !link_local
    }
}
