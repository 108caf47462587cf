// SPDX-License-Identifier: GPL-2.0-only
//! One request, one answer with the kernel's routing netlink.

use std::io;

use anyhow::{bail, Context, Result};
use netlink_packet_core::{
    NetlinkHeader, NetlinkMessage, NetlinkPayload, NLM_F_ACK, NLM_F_CREATE, NLM_F_EXCL,
    NLM_F_REPLACE, NLM_F_REQUEST,
};
use netlink_packet_route::RouteNetlinkMessage;
use netlink_sys::protocols::NETLINK_ROUTE;
use netlink_sys::{Socket, SocketAddr};

/// How a request treats an object that exists already.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// Change or delete what is there.
    Change,
    /// Make it, and fail when it is there.
    Create,
    /// Make it, or put it in the place of what is there.
    Replace,
}

impl Mode {
    fn flags(self) -> u16 {
        match self {
            Mode::Change => 0,
            Mode::Create => NLM_F_CREATE | NLM_F_EXCL,
            Mode::Replace => NLM_F_CREATE | NLM_F_REPLACE,
        }
    }
}

/// Sends `message` in the calling thread's network namespace and waits for the
/// kernel's verdict.
///
/// # Errors
/// The kernel's errno, with `what` in front.
pub fn request(what: &str, mode: Mode, message: RouteNetlinkMessage) -> Result<()> {
    exchange(mode, message).with_context(|| what.to_owned())
}

fn exchange(mode: Mode, message: RouteNetlinkMessage) -> Result<()> {
    let mut socket = Socket::new(NETLINK_ROUTE)?;
    socket.bind_auto()?;
    socket.connect(&SocketAddr::new(0, 0))?;
    let mut header = NetlinkHeader::default();
    header.flags = NLM_F_REQUEST | NLM_F_ACK | mode.flags();
    let mut packet = NetlinkMessage::new(header, NetlinkPayload::from(message));
    packet.finalize();
    let mut bytes = vec![0; packet.buffer_len()];
    packet.serialize(&mut bytes);
    socket.send(&bytes, 0)?;
    let (answer, _) = socket.recv_from_full()?;
    match NetlinkMessage::<RouteNetlinkMessage>::deserialize(&answer)?.payload {
        NetlinkPayload::Error(error) => match error.code {
            None => Ok(()),
            Some(code) => Err(io::Error::from_raw_os_error(-code.get()).into()),
        },
        other => bail!("rtnetlink answered {other:?} instead of a verdict"),
    }
}
