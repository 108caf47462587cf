// SPDX-License-Identifier: GPL-2.0
//! Answers to netlink requests. The tables that lead here are made from the specification.

use super::{
    counters::{Count, COUNTERS},
    describe, flow_requests, redirects, rules, settings,
    snapshot::{ConnectionSnapshot, FlowSnapshot},
};
use crate::kernel_objects::errno::EOPNOTSUPP;
use crate::{
    flow::Flow,
    kernel_objects::{
        family,
        genl::{kernel_release, module_version, Dump, Request, Writer},
        protocol, sys,
    },
    netns::Net,
    proto::{ilist::MAX_ADDRESSES, settings::MAX_FLOWS, wire::VERSION},
};
use kernel::{prelude::*, sync::Arc};

/// Answers one request. Errors: what the specification's user is told with a text and the name
/// of an attribute.
pub(crate) fn answer(cmd: u32, request: &Request) -> Result {
    let net = request.net()?;
    match cmd {
        sys::ECCP_CMD_INFO_GET => request.reply(cmd, |to| info(to, &net)),
        sys::ECCP_CMD_CONNECTION_GET => connection_get(cmd, request, &net),
        sys::ECCP_CMD_FLOW_GET => flow_get(cmd, request, &net),
        sys::ECCP_CMD_FLOW_MOVE => flow_requests::move_flow(cmd, request, &net),
        sys::ECCP_CMD_FLOW_ADD => flow_requests::add(cmd, request, &net),
        sys::ECCP_CMD_FLOW_REMOVE => flow_requests::remove(request, &net),
        sys::ECCP_CMD_FLOW_PREFER => flow_requests::prefer(request, &net),
        sys::ECCP_CMD_RULE_ADD => rules::add(cmd, request, &net),
        sys::ECCP_CMD_RULE_DELETE => rules::delete(request, &net),
        sys::ECCP_CMD_REDIRECT_ADD => redirects::add(request, &net),
        sys::ECCP_CMD_REDIRECT_DELETE => redirects::delete(request, &net),
        sys::ECCP_CMD_SETTINGS_GET => {
            let config = net.config();
            request.reply(cmd, |to| settings::write(to, &config))
        }
        sys::ECCP_CMD_SETTINGS_SET => settings::change(request, &net),
        sys::ECCP_CMD_STATS_GET => {
            net.redirections.sweep(&net);
            request.reply(cmd, |to| stats(to, &net))
        }
        _ => Err(EOPNOTSUPP),
    }
}

/// Answers a part of a dump: as many objects as fit.
pub(crate) fn dump(cmd: u32, dump: &mut Dump) -> Result {
    let net = dump.net()?;
    if cmd == sys::ECCP_CMD_RULE_GET {
        return rules::dump(cmd, dump, &net);
    }
    if cmd == sys::ECCP_CMD_REDIRECT_GET {
        return redirects::dump(cmd, dump, &net);
    }
    dump.at_generation(net.generation());
    let (mut bucket, mut entry) = dump.position();
    while let Some(used) = crate::flows().next_used(bucket) {
        if used != bucket {
            (bucket, entry) = (used, 0);
        }
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
    dump.set_position(crate::flows().buckets(), 0);
    Ok(())
}

/// Adds a flow or its connection to a dump; `false` when it does not fit.
fn add(cmd: u32, dump: &mut Dump, flow: &Flow) -> Result<bool> {
    if !flow.is_in_use() {
        return Ok(true);
    }
    let connection = &flow.connection;
    if cmd == sys::ECCP_CMD_CONNECTION_GET {
        // One of its flows stands for it.
        let snapshot = connection.with_state(|state| {
            (state.first_id() == Some(flow.id)).then(|| ConnectionSnapshot::take(connection, state))
        });
        return match snapshot {
            Some(snapshot) => dump.add(cmd, |to| describe::connection(to, &snapshot)),
            None => Ok(true),
        };
    }
    let snapshot = connection.with_state(|state| FlowSnapshot::take(connection, state, flow.index));
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
pub(super) fn named_flow(request: &Request, kind: u32, net: &Arc<Net>) -> Result<Arc<Flow>> {
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
    let mut next = 0;
    while let Some(bucket) = table.next_used(next) {
        table.each_in(bucket, |flow| {
            flows += u64::from(flow.connection.net.raw == net.raw && flow.is_in_use());
        });
        next = bucket + 1;
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
    to.u32(sys::ECCP_A_INFO_MAX_FLOWS, MAX_FLOWS as u32)?;
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
        .with_state(|state| FlowSnapshot::take(connection, state, flow.index))
        .ok_or_else(|| request.refuse(ENOENT, c"the flow has just ended", request.attr(kind)))?;
    request.reply(cmd, |to| describe::flow(to, &snapshot))
}
