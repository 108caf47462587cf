// SPDX-License-Identifier: GPL-2.0
//! Socket options at the level SOL_ECCP.

use super::{Role, Socket};
use crate::kernel_objects::errno::{
    EADDRNOTAVAIL, EALREADY, EHOSTUNREACH, EISCONN, ENETUNREACH, ENOBUFS, ENOPROTOOPT, ENOTCONN,
    ESHUTDOWN,
};
use crate::{
    bundle::Wish,
    connection::{path_events::KINDS, Connection, Goal},
    control::notify::reason,
    kernel_objects::{outer::Outer, sys, write_plain},
    proto::{
        address::{IpAddr128, LocalAddress, RemoteAddr},
        bundle::Scheduler,
        event::{Command, FlowIndex, Refused},
    },
};
use kernel::{prelude::*, sync::Arc};

const ECCP_INFO: i32 = sys::ECCP_INFO as i32;
const ECCP_MOVE: i32 = sys::ECCP_MOVE as i32;
const ECCP_PSK: i32 = sys::ECCP_PSK as i32;
const ECCP_FLOWS: i32 = sys::ECCP_FLOWS as i32;
const ECCP_FLOW_ADD: i32 = sys::ECCP_FLOW_ADD as i32;
const ECCP_FLOW_REMOVE: i32 = sys::ECCP_FLOW_REMOVE as i32;
const ECCP_FLOW_MOVE: i32 = sys::ECCP_FLOW_MOVE as i32;
const ECCP_FLOW_PREFER: i32 = sys::ECCP_FLOW_PREFER as i32;
const ECCP_DATAGRAM_MAX: i32 = sys::ECCP_DATAGRAM_MAX as i32;
const ECCP_MODE: i32 = sys::ECCP_MODE as i32;
const ECCP_PATH_EVENTS: i32 = sys::ECCP_PATH_EVENTS as i32;

/// Why a move was refused, as an error number.
pub(crate) fn errno_of(refused: Refused) -> Error {
    match refused {
        Refused::NoSuchFlow | Refused::NotEstablished => ENOTCONN,
        Refused::NoSuchAddress => EADDRNOTAVAIL,
        Refused::AlreadyThere => EALREADY,
        Refused::NoPeerAddress => ENETUNREACH,
        Refused::Closing => ESHUTDOWN,
        Refused::VersionsExhausted => EOVERFLOW,
        Refused::TooManyFlows => ENOBUFS,
        Refused::LastFlow => EBUSY,
        Refused::NoPath => EHOSTUNREACH,
    }
}

impl Socket {
    /// setsockopt(). Errors: ENOPROTOOPT for an unknown option; EINVAL for a wrong length or
    /// value; EISCONN for a key that comes too late; for a move as [`errno_of`].
    pub(crate) fn set_option(&self, outer: &Outer, name: i32, value: &[u8]) -> Result {
        match name {
            ECCP_PSK => self.set_psk(outer, value),
            ECCP_MODE => self.set_mode(value),
            ECCP_PATH_EVENTS => self.set_path_events(outer, value),
            ECCP_MOVE => self.set_move(value),
            ECCP_FLOW_ADD => self.add_flow(value),
            ECCP_FLOW_MOVE => self.move_flow(value),
            ECCP_FLOW_REMOVE => self.flow_command(value, |flow| Command::Remove { flow }),
            ECCP_FLOW_PREFER => self.flow_command(value, |flow| Command::Prefer { flow }),
            _ => Err(ENOPROTOOPT),
        }
    }

    fn set_psk(&self, outer: &Outer, value: &[u8]) -> Result {
        let mut state = self.state.lock();
        if !matches!(state.role, Role::Idle) {
            return Err(EISCONN);
        }
        state.psk = Some(value.try_into().map_err(|_| EINVAL)?);
        drop(state);
        if self.peers.is_some() {
            self.listen_again(outer);
        }
        Ok(())
    }

    /// How the stream is to use paths, before connect() or listen().
    fn set_mode(&self, value: &[u8]) -> Result {
        let value = u32::from_ne_bytes(value.try_into().map_err(|_| EINVAL)?);
        let scheduler = match value & !sys::ECCP_MODE_REQUIRED {
            sys::ECCP_MODE_SINGLE => None,
            sys::ECCP_MODE_AGGREGATE => Some(Scheduler::LowestRtt),
            sys::ECCP_MODE_REDUNDANT => Some(Scheduler::Redundant),
            _ => return Err(EINVAL),
        };
        let required = value & sys::ECCP_MODE_REQUIRED != 0;
        if self.peers.is_some() {
            return Err(ENOPROTOOPT);
        }
        if required && scheduler.is_none() {
            return Err(EINVAL);
        }
        let mut state = self.state.lock();
        if !matches!(state.role, Role::Idle) {
            return Err(EISCONN);
        }
        state.wish = Wish {
            scheduler,
            required,
        };
        Ok(())
    }

    /// What is wished for, and once there is a connection what was agreed.
    fn mode(&self) -> u32 {
        let state = self.state.lock();
        let bundled = match &state.role {
            Role::Connection(connection) => connection.mode(),
            _ => None,
        };
        let wish = match bundled {
            Some(scheduler) => Wish {
                scheduler,
                required: false,
            },
            None => state.wish,
        };
        let mode = match wish.scheduler {
            None => sys::ECCP_MODE_SINGLE,
            Some(Scheduler::LowestRtt) => sys::ECCP_MODE_AGGREGATE,
            Some(Scheduler::Redundant) => sys::ECCP_MODE_REDUNDANT,
        };
        match wish.required {
            true => mode | sys::ECCP_MODE_REQUIRED,
            false => mode,
        }
    }

    /// Before connect() and on a listener the kinds are kept for the connections to come.
    fn set_path_events(&self, outer: &Outer, value: &[u8]) -> Result {
        let kinds = u32::from_ne_bytes(value.try_into().map_err(|_| EINVAL)?);
        if kinds & !KINDS != 0 {
            return Err(EINVAL);
        }
        let mut state = self.state.lock();
        if let Role::Connection(connection) = &state.role {
            connection.watch_paths(outer, kinds)?;
        }
        state.events = kinds;
        Ok(())
    }

    /// The next event of the connection's paths. Errors: EAGAIN if there is none.
    pub(crate) fn next_event(&self, outer: &Outer) -> Result<sys::eccp_path_event> {
        let connection = match &self.state.lock().role {
            Role::Connection(connection) => connection.clone(),
            _ => return Err(EAGAIN),
        };
        connection.next_path_event(outer)
    }

    fn set_move(&self, value: &[u8]) -> Result {
        let to = move_goal(value)?;
        let moved = self.connection()?.move_to(Goal::Carrier, to, reason::OWNER);
        moved.map(|_| ()).map_err(errno_of)
    }

    fn move_flow(&self, value: &[u8]) -> Result {
        let (id, goal) = value.split_first_chunk::<8>().ok_or(EINVAL)?;
        let to = move_goal(goal)?;
        let flow = Goal::Flow(u64::from_ne_bytes(*id));
        let moved = self.connection()?.move_to(flow, to, reason::OWNER);
        moved.map(|_| ()).map_err(errno_of)
    }

    /// `struct eccp_flow_add`.
    fn add_flow(&self, value: &[u8]) -> Result {
        let bytes: &[u8; 48] = value.try_into().map_err(|_| EINVAL)?;
        let (addr, rest) = bytes.split_first_chunk::<16>().ok_or(EINVAL)?;
        let (remote, rest) = rest.split_first_chunk::<16>().ok_or(EINVAL)?;
        let (ifindex, rest) = rest.split_first_chunk::<4>().ok_or(EINVAL)?;
        let (flags, rest) = rest.split_first_chunk::<4>().ok_or(EINVAL)?;
        let (port, reserved) = rest.split_first_chunk::<2>().ok_or(EINVAL)?;
        let from = local_address(addr, ifindex)?;
        let flags = u32::from_ne_bytes(*flags);
        let remote = RemoteAddr {
            addr: IpAddr128(*remote),
            port: u16::from_be_bytes(*port),
        };
        let unknown = flags & !sys::ECCP_FLOW_BACKUP != 0 || reserved.iter().any(|b| *b != 0);
        let open = remote.addr.is_unspecified();
        if unknown || (open && remote.port != 0) {
            return Err(EINVAL);
        }
        let to = Some(remote).filter(|_| !open);
        let backup = flags & sys::ECCP_FLOW_BACKUP != 0;
        let added = self.connection()?.add_flow(from, to, backup);
        added.map(|_| ()).map_err(errno_of)
    }

    fn flow_command(&self, value: &[u8], command: impl Fn(FlowIndex) -> Command) -> Result {
        let id = u64::from_ne_bytes(value.try_into().map_err(|_| EINVAL)?);
        let done = self.connection()?.command(id, command, reason::OWNER);
        done.map_err(errno_of)
    }

    fn connection(&self) -> Result<Arc<Connection>> {
        match &self.state.lock().role {
            Role::Connection(connection) => Ok(connection.clone()),
            _ => Err(ENOTCONN),
        }
    }

    /// getsockopt(): the bytes written to `to`. Errors: ENOPROTOOPT, ENOTCONN.
    pub(crate) fn option(&self, outer: &Outer, name: i32, to: &mut [u8]) -> Result<usize> {
        match name {
            ECCP_INFO => {
                let info = self.connection()?.info().ok_or(ENOTCONN)?;
                Ok(write_plain(&info, to))
            }
            ECCP_MODE => {
                let mode = self.mode().to_ne_bytes();
                let to = to.get_mut(..mode.len()).ok_or(EINVAL)?;
                to.copy_from_slice(&mode);
                Ok(mode.len())
            }
            ECCP_PATH_EVENTS => {
                let kinds = self.state.lock().events.to_ne_bytes();
                let len = to.len().min(kinds.len());
                for (to, from) in to.iter_mut().zip(kinds) {
                    *to = from;
                }
                Ok(len)
            }
            ECCP_FLOWS => Ok(self.connection()?.flow_infos(to)),
            ECCP_DATAGRAM_MAX if self.peers.is_some() => {
                let bytes = self.datagram_max(outer)?.to_ne_bytes();
                to.get_mut(..bytes.len())
                    .ok_or(EINVAL)?
                    .copy_from_slice(&bytes);
                Ok(bytes.len())
            }
            _ => Err(ENOPROTOOPT),
        }
    }
}

/// `struct eccp_move`.
fn move_goal(value: &[u8]) -> Result<LocalAddress> {
    let bytes: &[u8; 24] = value.try_into().map_err(|_| EINVAL)?;
    let (addr, rest) = bytes.split_first_chunk::<16>().ok_or(EINVAL)?;
    let (ifindex, reserved) = rest.split_first_chunk::<4>().ok_or(EINVAL)?;
    match reserved {
        [0, 0, 0, 0] => local_address(addr, ifindex),
        _ => Err(EINVAL),
    }
}

/// An address, an interface, or both.
fn local_address(addr: &[u8; 16], ifindex: &[u8; 4]) -> Result<LocalAddress> {
    let mut local = LocalAddress::NONE;
    local.addr = IpAddr128(*addr);
    local.ifindex = u32::from_ne_bytes(*ifindex);
    match local.addr.is_unspecified() && local.ifindex == 0 {
        true => Err(EINVAL),
        false => Ok(local),
    }
}
