// SPDX-License-Identifier: GPL-2.0
//! Requests that change the flows of a connection: move, add, remove, prefer.

use super::{netlink::named_flow, notify::reason};
use crate::kernel_objects::errno::{
    EADDRNOTAVAIL, EALREADY, EHOSTUNREACH, ENETUNREACH, ENOBUFS, ENOTCONN,
};
use crate::{
    connection::Goal,
    kernel_objects::{genl::Request, sys},
    netns::Net,
    proto::{
        address::{IpAddr128, LocalAddress, RemoteAddr},
        event::{Command, FlowIndex, Refused},
    },
};
use core::ffi::CStr;
use kernel::{prelude::*, sync::Arc};

/// The attributes of one request that name a local address: IPv4, IPv6, interface.
type GoalKinds = [u32; 3];

const MOVE_TO: GoalKinds = [
    sys::ECCP_A_MOVE_TO_IPV4,
    sys::ECCP_A_MOVE_TO_IPV6,
    sys::ECCP_A_MOVE_TO_IFINDEX,
];
const ADD_FROM: GoalKinds = [
    sys::ECCP_A_ADD_FROM_IPV4,
    sys::ECCP_A_ADD_FROM_IPV6,
    sys::ECCP_A_ADD_FROM_IFINDEX,
];

/// Moves a flow. Errors: with text and attribute, as the specification says.
pub(super) fn move_flow(cmd: u32, request: &Request, net: &Arc<Net>) -> Result {
    let flow = named_flow(request, sys::ECCP_A_MOVE_FLOW_ID, net)?;
    let texts = (
        c"a goal is missing: to-ipv4, to-ipv6 or to-ifindex",
        c"only one of to-ipv4, to-ipv6 and to-ifindex may be given",
        c"the unspecified address is no goal; to-ifindex lets the kernel select",
    );
    let (to, goal) = local_address(request, MOVE_TO, texts)?;
    let version = flow
        .connection
        .move_to(Goal::Flow(flow.id), to, reason::COMMAND)
        .map_err(|refused| refuse(request, refused, sys::ECCP_A_MOVE_FLOW_ID, goal))?;
    request.reply(cmd, |to| {
        to.uint(sys::ECCP_A_MOVE_FLOW_ID, flow.id)?;
        to.uint(sys::ECCP_A_MOVE_VERSION, version)
    })
}

/// Adds a flow. Errors: as above.
pub(super) fn add(cmd: u32, request: &Request, net: &Arc<Net>) -> Result {
    let flow = named_flow(request, sys::ECCP_A_ADD_FLOW_ID, net)?;
    let texts = (
        c"a start is missing: from-ipv4, from-ipv6 or from-ifindex",
        c"only one of from-ipv4, from-ipv6 and from-ifindex may be given",
        c"a flow cannot start from the unspecified address",
    );
    let (from, start) = local_address(request, ADD_FROM, texts)?;
    let to = remote_address(request)?;
    let backup = request.attr(sys::ECCP_A_ADD_BACKUP).is_some();
    let id = flow
        .connection
        .add_flow(from, to, backup)
        .map_err(|refused| refuse(request, refused, sys::ECCP_A_ADD_FLOW_ID, start))?;
    request.reply(cmd, |to| to.uint(sys::ECCP_A_ADD_FLOW_ID, id))
}

/// Removes a flow. Errors: as above.
pub(super) fn remove(request: &Request, net: &Arc<Net>) -> Result {
    command(request, net, |flow| Command::Remove { flow })
}

/// Sends data along a flow. Errors: as above.
pub(super) fn prefer(request: &Request, net: &Arc<Net>) -> Result {
    command(request, net, |flow| Command::Prefer { flow })
}

fn command(request: &Request, net: &Arc<Net>, command: impl Fn(FlowIndex) -> Command) -> Result {
    let kind = sys::ECCP_A_FLOW_REF_FLOW_ID;
    let flow = named_flow(request, kind, net)?;
    flow.connection
        .command(flow.id, command, reason::COMMAND)
        .map_err(|refused| refuse(request, refused, kind, kind))
}

/// A local address, and the attribute that names it. The texts say that none was given, that
/// several were, and that the unspecified one was.
fn local_address(
    request: &Request,
    kinds: GoalKinds,
    (none, several, unspecified): (&'static CStr, &'static CStr, &'static CStr),
) -> Result<(LocalAddress, u32)> {
    let [v4, v6, interface] = kinds;
    let mut goals = kinds
        .into_iter()
        .filter_map(|kind| request.attr(kind).map(|attr| (kind, attr)));
    let Some((kind, attr)) = goals.next() else {
        return Err(request.missing(none, v4));
    };
    if let Some((_, second)) = goals.next() {
        return Err(request.refuse(EINVAL, several, Some(second)));
    }
    let mut to = LocalAddress::NONE;
    if kind == v4 {
        to.addr = IpAddr128::from_v4(attr.bytes());
    } else if kind == v6 {
        to.addr = IpAddr128(attr.bytes());
    } else {
        to.ifindex = attr.number() as u32;
    }
    if kind != interface && to.addr.is_unspecified() {
        return Err(request.refuse(EINVAL, unspecified, Some(attr)));
    }
    Ok((to, kind))
}

fn remote_address(request: &Request) -> Result<Option<RemoteAddr>> {
    let v4 = request.attr(sys::ECCP_A_ADD_REMOTE_IPV4);
    let v6 = request.attr(sys::ECCP_A_ADD_REMOTE_IPV6);
    let port = request.attr(sys::ECCP_A_ADD_REMOTE_PORT);
    let (addr, attr) = match (v4, v6) {
        (Some(_), Some(second)) => {
            let text = c"only one of remote-ipv4 and remote-ipv6 may be given";
            return Err(request.refuse(EINVAL, text, Some(second)));
        }
        (Some(v4), None) => (IpAddr128::from_v4(v4.bytes()), v4),
        (None, Some(v6)) => (IpAddr128(v6.bytes()), v6),
        (None, None) => {
            let text = c"a port needs remote-ipv4 or remote-ipv6 as well";
            return match port {
                Some(port) => Err(request.refuse(EINVAL, text, Some(port))),
                None => Ok(None),
            };
        }
    };
    if !addr.is_reachable_unicast() {
        let text = c"no packet can be sent to this address of the peer";
        return Err(request.refuse(EINVAL, text, Some(attr)));
    }
    let port = port.map_or(0, |port| u16::from_be_bytes(port.bytes()));
    Ok(Some(RemoteAddr { addr, port }))
}

/// Says why the core refused, and which of two attributes is wrong: the one that names the flow
/// or the one that names an address.
fn refuse(request: &Request, refused: Refused, flow: u32, goal: u32) -> Error {
    let (error, text, about_goal) = match refused {
        Refused::NoSuchFlow => (ENOENT, c"the flow has ended", false),
        Refused::Closing => (ENOTCONN, c"the flow is being closed", false),
        Refused::NotEstablished => (ENOTCONN, c"the flow is not established yet", false),
        Refused::VersionsExhausted => (EOVERFLOW, c"the flow made 2^64 moves", false),
        Refused::LastFlow => (EBUSY, c"the connection has no other open flow", false),
        Refused::NoPath => (EHOSTUNREACH, c"the flow has no path now", false),
        Refused::TooManyFlows => (
            ENOBUFS,
            c"the connection has as many flows as max-flows allows",
            false,
        ),
        Refused::AlreadyThere => (EALREADY, c"the flow is at this address already", true),
        Refused::NoSuchAddress => (
            EADDRNOTAVAIL,
            c"this host has no such address that a flow could use now",
            true,
        ),
        Refused::NoPeerAddress => (
            ENETUNREACH,
            c"the peer has announced no address of this family",
            true,
        ),
    };
    let kind = if about_goal { goal } else { flow };
    request.refuse(error, text, request.attr(kind))
}
