// SPDX-License-Identifier: GPL-2.0
//! Answers to netlink requests. The tables that lead here are made from the specification.

use super::{
    counters::{Count, COUNTERS},
    describe, settings,
    snapshot::{ConnectionSnapshot, FlowSnapshot},
};
use crate::kernel_objects::errno::{EADDRNOTAVAIL, EALREADY, ENETUNREACH, ENOTCONN, EOPNOTSUPP};
use crate::{
    flow::Flow,
    kernel_objects::{
        family,
        genl::{kernel_release, module_version, Dump, Request, Writer},
        protocol, sys,
    },
    netns::Net,
    proto::{
        address::{IpAddr128, LocalAddress},
        event::Refused,
        ilist::MAX_ADDRESSES,
        wire::VERSION,
    },
};
use core::ffi::CStr;
use kernel::{prelude::*, sync::Arc};

/// Flows of a connection that the module drives.
const MAX_FLOWS: u32 = 1;

/// Answers one request. Errors: what the specification's user is told with a text and the name
/// of an attribute.
pub(crate) fn answer(cmd: u32, request: &Request) -> Result {
    let net = request.net()?;
    match cmd {
        sys::ECCP_CMD_INFO_GET => request.reply(cmd, |to| info(to, &net)),
        sys::ECCP_CMD_CONNECTION_GET => connection_get(cmd, request, &net),
        sys::ECCP_CMD_FLOW_GET => flow_get(cmd, request, &net),
        sys::ECCP_CMD_FLOW_MOVE => flow_move(cmd, request, &net),
        sys::ECCP_CMD_SETTINGS_GET => {
            let config = net.config();
            request.reply(cmd, |to| settings::write(to, &config))
        }
        sys::ECCP_CMD_SETTINGS_SET => settings::change(request, &net),
        sys::ECCP_CMD_STATS_GET => request.reply(cmd, |to| stats(to, &net)),
        _ => Err(EOPNOTSUPP),
    }
}

/// Answers a part of a dump: as many objects as fit.
pub(crate) fn dump(cmd: u32, dump: &mut Dump) -> Result {
    let net = dump.net()?;
    dump.at_generation(net.generation());
    let (mut bucket, mut entry) = dump.position();
    while bucket < crate::flows().buckets() {
        let flows = flows_in(bucket, &net)?;
        for (at, flow) in flows.iter().enumerate().skip(entry) {
            if !add(cmd, dump, flow)? {
                dump.set_position(bucket, at);
                return Ok(());
            }
        }
        bucket += 1;
        entry = 0;
    }
    dump.set_position(bucket, 0);
    Ok(())
}

/// Adds a flow or its connection to a dump; `false` when it does not fit.
fn add(cmd: u32, dump: &mut Dump, flow: &Flow) -> Result<bool> {
    let connection = &flow.connection;
    if cmd == sys::ECCP_CMD_CONNECTION_GET {
        let snapshot = connection.with_state(|state| ConnectionSnapshot::take(connection, state));
        return dump.add(cmd, |to| describe::connection(to, &snapshot));
    }
    let snapshot = connection.with_state(|state| FlowSnapshot::take(connection, state));
    match snapshot {
        Some(snapshot) => dump.add(cmd, |to| describe::flow(to, &snapshot)),
        // It has gone since it was found.
        None => Ok(true),
    }
}

/// The flows of one bucket that are in the namespace. Errors: ENOMEM.
fn flows_in(bucket: usize, net: &Arc<Net>) -> Result<KVec<Arc<Flow>>> {
    let mut ids = KVec::new();
    let mut full = false;
    crate::flows().each_in(bucket, |flow| {
        if flow.connection.net.raw == net.raw {
            full |= ids.push(flow.id, GFP_ATOMIC).is_err();
        }
    });
    if full {
        return Err(ENOMEM);
    }
    let mut flows = KVec::with_capacity(ids.len(), GFP_KERNEL)?;
    for id in ids {
        if let Some(flow) = crate::flows().find(id) {
            flows.push(flow, GFP_KERNEL)?;
        }
    }
    Ok(flows)
}

/// The flow that the attribute `kind` of a request names.
fn named_flow(request: &Request, kind: u32, net: &Arc<Net>) -> Result<Arc<Flow>> {
    let attr = request
        .attr(kind)
        .ok_or_else(|| request.missing(c"the local ID of a flow is missing", kind))?;
    crate::flows()
        .find(attr.number())
        .filter(|flow| flow.connection.net.raw == net.raw)
        .ok_or_else(|| {
            let text = c"no flow of this namespace has this local ID";
            request.refuse(ENOENT, text, Some(attr))
        })
}

fn info(to: &mut Writer, net: &Arc<Net>) -> Result {
    let table = crate::flows();
    let mut flows = 0u64;
    for bucket in 0..table.buckets() {
        table.each_in(bucket, |flow| {
            flows += u64::from(flow.connection.net.raw == net.raw);
        });
    }
    to.text(sys::ECCP_A_INFO_MODULE_VERSION, module_version())?;
    to.text(sys::ECCP_A_INFO_KERNEL_RELEASE, kernel_release())?;
    to.bytes(sys::ECCP_A_INFO_WIRE_VERSION, &[VERSION])?;
    to.u32(sys::ECCP_A_INFO_FAMILY, family().unsigned_abs())?;
    to.bytes(sys::ECCP_A_INFO_IP_PROTOCOL, &[protocol() as u8])?;
    to.u16(sys::ECCP_A_INFO_UDP_PORT, net.config().core.udp_port)?;
    to.uint(sys::ECCP_A_INFO_TABLE_BUCKETS, table.buckets() as u64)?;
    to.uint(sys::ECCP_A_INFO_CONNECTIONS, net.connections().into())?;
    to.uint(sys::ECCP_A_INFO_FLOWS, flows)?;
    to.u32(sys::ECCP_A_INFO_MAX_FLOWS, MAX_FLOWS)?;
    to.u32(sys::ECCP_A_INFO_MAX_ADDRESSES, MAX_ADDRESSES as u32)?;
    to.uint(sys::ECCP_A_INFO_GENERATION, net.generation().into())
}

fn stats(to: &mut Writer, net: &Net) -> Result {
    (1..COUNTERS as u32).try_for_each(|kind| to.uint(kind, net.counters.get(Count(kind))))
}

fn connection_get(cmd: u32, request: &Request, net: &Arc<Net>) -> Result {
    let kind = sys::ECCP_A_CONNECTION_ID;
    let attr = request
        .attr(kind)
        .ok_or_else(|| request.missing(c"the ID of a connection is missing", kind))?;
    let id = attr.number();
    for bucket in 0..crate::flows().buckets() {
        for flow in flows_in(bucket, net)? {
            let connection = &flow.connection;
            if connection.id == id {
                let snapshot =
                    connection.with_state(|state| ConnectionSnapshot::take(connection, state));
                return request.reply(cmd, |to| describe::connection(to, &snapshot));
            }
        }
    }
    let text = c"no connection of this namespace has this ID";
    Err(request.refuse(ENOENT, text, Some(attr)))
}

fn flow_get(cmd: u32, request: &Request, net: &Arc<Net>) -> Result {
    let kind = sys::ECCP_A_FLOW_LOCAL_ID;
    let flow = named_flow(request, kind, net)?;
    let connection = &flow.connection;
    let snapshot = connection
        .with_state(|state| FlowSnapshot::take(connection, state))
        .ok_or_else(|| request.refuse(ENOENT, c"the flow has just ended", request.attr(kind)))?;
    request.reply(cmd, |to| describe::flow(to, &snapshot))
}

fn flow_move(cmd: u32, request: &Request, net: &Arc<Net>) -> Result {
    let flow = named_flow(request, sys::ECCP_A_MOVE_FLOW_ID, net)?;
    let (to, goal) = move_goal(request)?;
    let version = flow
        .connection
        .move_to(to, super::notify::reason::COMMAND)
        .map_err(|refused| {
            let (error, text, about_goal) = refusal(refused);
            let kind = if about_goal {
                goal
            } else {
                sys::ECCP_A_MOVE_FLOW_ID
            };
            request.refuse(error, text, request.attr(kind))
        })?;
    request.reply(cmd, |to| {
        to.uint(sys::ECCP_A_MOVE_FLOW_ID, flow.id)?;
        to.uint(sys::ECCP_A_MOVE_VERSION, version)
    })
}

/// Where a flow is to move, and the attribute that says so.
fn move_goal(request: &Request) -> Result<(LocalAddress, u32)> {
    let kinds = [
        sys::ECCP_A_MOVE_TO_IPV4,
        sys::ECCP_A_MOVE_TO_IPV6,
        sys::ECCP_A_MOVE_TO_IFINDEX,
    ];
    let mut goals = kinds
        .into_iter()
        .filter_map(|kind| request.attr(kind).map(|attr| (kind, attr)));
    let Some((kind, attr)) = goals.next() else {
        let text = c"a goal is missing: to-ipv4, to-ipv6 or to-ifindex";
        return Err(request.missing(text, sys::ECCP_A_MOVE_TO_IPV4));
    };
    if let Some((_, second)) = goals.next() {
        let text = c"only one of to-ipv4, to-ipv6 and to-ifindex may be given";
        return Err(request.refuse(EINVAL, text, Some(second)));
    }
    let mut to = LocalAddress::NONE;
    match kind {
        sys::ECCP_A_MOVE_TO_IPV4 => to.addr = IpAddr128::from_v4(attr.bytes()),
        sys::ECCP_A_MOVE_TO_IPV6 => to.addr = IpAddr128(attr.bytes()),
        _ => to.ifindex = attr.number() as u32,
    }
    if kind != sys::ECCP_A_MOVE_TO_IFINDEX && to.addr.is_unspecified() {
        let text = c"the unspecified address is no goal; to-ifindex lets the kernel select";
        return Err(request.refuse(EINVAL, text, Some(attr)));
    }
    Ok((to, kind))
}

/// Error and words for a refused move, and whether it is the goal that is wrong.
fn refusal(refused: Refused) -> (Error, &'static CStr, bool) {
    match refused {
        Refused::NoSuchFlow => (ENOENT, c"the flow has ended", false),
        Refused::Closing => (ENOTCONN, c"the flow is being closed", false),
        Refused::NotEstablished => (ENOTCONN, c"the flow is not established yet", false),
        Refused::VersionsExhausted => (EOVERFLOW, c"the flow made 2^64 moves", false),
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
    }
}
