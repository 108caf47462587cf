// SPDX-License-Identifier: GPL-2.0
//! Socket options at the level SOL_ECCP.

use super::{Role, Socket};
use crate::kernel_objects::errno::{
    EADDRNOTAVAIL, EALREADY, EISCONN, ENETUNREACH, ENOPROTOOPT, ENOTCONN, ESHUTDOWN,
};
use crate::{
    control::notify::reason,
    kernel_objects::sys,
    proto::{
        address::{IpAddr128, LocalAddress},
        event::Refused,
    },
};
use kernel::prelude::*;

const ECCP_INFO: i32 = sys::ECCP_INFO as i32;
const ECCP_MOVE: i32 = sys::ECCP_MOVE as i32;
const ECCP_PSK: i32 = sys::ECCP_PSK as i32;

/// Why a move was refused, as an error number.
pub(crate) fn errno_of(refused: Refused) -> Error {
    match refused {
        Refused::NoSuchFlow | Refused::NotEstablished => ENOTCONN,
        Refused::NoSuchAddress => EADDRNOTAVAIL,
        Refused::AlreadyThere => EALREADY,
        Refused::NoPeerAddress => ENETUNREACH,
        Refused::Closing => ESHUTDOWN,
        Refused::VersionsExhausted => EOVERFLOW,
    }
}

impl Socket {
    /// setsockopt(). Errors: ENOPROTOOPT for an unknown option; EINVAL for a wrong length or
    /// value; EISCONN for a key that comes too late; for a move as [`errno_of`].
    pub(crate) fn set_option(&self, name: i32, value: &[u8]) -> Result {
        match name {
            ECCP_PSK => self.set_psk(value),
            ECCP_MOVE => self.set_move(value),
            _ => Err(ENOPROTOOPT),
        }
    }

    fn set_psk(&self, value: &[u8]) -> Result {
        let mut state = self.state.lock();
        if !matches!(state.role, Role::Idle) {
            return Err(EISCONN);
        }
        state.psk = Some(value.try_into().map_err(|_| EINVAL)?);
        Ok(())
    }

    fn set_move(&self, value: &[u8]) -> Result {
        let bytes: &[u8; 24] = value.try_into().map_err(|_| EINVAL)?;
        let mut to = LocalAddress::NONE;
        let (addr, rest) = bytes.split_first_chunk::<16>().ok_or(EINVAL)?;
        let (ifindex, reserved) = rest.split_first_chunk::<4>().ok_or(EINVAL)?;
        to.addr = IpAddr128(*addr);
        to.ifindex = u32::from_ne_bytes(*ifindex);
        if reserved != [0; 4] || (to.addr.is_unspecified() && to.ifindex == 0) {
            return Err(EINVAL);
        }
        let connection = match &self.state.lock().role {
            Role::Connection(connection) => connection.clone(),
            _ => return Err(ENOTCONN),
        };
        connection
            .move_to(to, reason::OWNER)
            .map(|_| ())
            .map_err(errno_of)
    }

    /// getsockopt(): the bytes written to `to`. Errors: ENOPROTOOPT, ENOTCONN.
    pub(crate) fn option(&self, name: i32, to: &mut [u8]) -> Result<usize> {
        if name != ECCP_INFO {
            return Err(ENOPROTOOPT);
        }
        let connection = match &self.state.lock().role {
            Role::Connection(connection) => connection.clone(),
            _ => return Err(ENOTCONN),
        };
        let info = connection.info().ok_or(ENOTCONN)?;
        Ok(crate::kernel_objects::write_info(&info, to))
    }
}
