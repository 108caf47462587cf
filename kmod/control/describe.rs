// SPDX-License-Identifier: GPL-2.0
//! Objects as netlink attributes, for answers, dumps and events alike.

use super::snapshot::{number_of, ConnectionSnapshot, FlowSnapshot};
use crate::{
    kernel_objects::{genl::Writer, sys},
    proto::{
        address::{Encap, IpAddr128, ADDRESS_BACKUP, ADDRESS_METERED},
        auth::Role,
        ilist::{IList, IListEntry},
        service::Service,
    },
};
use kernel::prelude::*;

/// Writes an address as the attribute of its family; nothing if there is none.
pub(crate) fn address(to: &mut Writer, v4: u32, v6: u32, address: &IpAddr128) -> Result {
    if address.is_unspecified() {
        return Ok(());
    }
    match address.as_v4() {
        Some(octets) => to.bytes(v4, &octets),
        None => to.bytes(v6, &address.0),
    }
}

fn service(to: &mut Writer, port: u32, id: u32, service: &Service) -> Result {
    match service {
        Service::Port(number) => to.port(port, *number),
        Service::Id(bytes) => to.bytes(id, bytes),
    }
}

/// A reason, if there is one.
pub(crate) fn reason(to: &mut Writer, kind: u32, reason: u32) -> Result {
    match reason {
        0 => Ok(()),
        reason => to.u32(kind, reason),
    }
}

/// The attributes of a flow.
pub(crate) fn flow(to: &mut Writer, flow: &FlowSnapshot) -> Result {
    to.uint(sys::ECCP_A_FLOW_LOCAL_ID, flow.local_id)?;
    to.uint(sys::ECCP_A_FLOW_REMOTE_ID, flow.remote_id)?;
    let replaced = [
        (sys::ECCP_A_FLOW_OLD_LOCAL_ID, flow.old_local_id),
        (sys::ECCP_A_FLOW_OLD_REMOTE_ID, flow.old_remote_id),
    ];
    for (kind, id) in replaced {
        if id != 0 {
            to.uint(kind, id)?;
        }
    }
    to.uint(sys::ECCP_A_FLOW_CONNECTION_ID, flow.connection_id)?;
    to.u32(sys::ECCP_A_FLOW_STATE, number_of(flow.state))?;
    to.uint(sys::ECCP_A_FLOW_LOCAL_VERSION, flow.local_version)?;
    to.uint(sys::ECCP_A_FLOW_REMOTE_VERSION, flow.remote_version)?;
    flow_path(to, flow)?;
    to.u32(sys::ECCP_A_FLOW_RTT_US, flow.rtt_us)?;
    to.u32(sys::ECCP_A_FLOW_MTU, flow.mtu)?;
    if flow.draining {
        to.flag(sys::ECCP_A_FLOW_DRAINING)?;
    }
    service(
        to,
        sys::ECCP_A_FLOW_SERVICE_PORT,
        sys::ECCP_A_FLOW_SERVICE_ID,
        &flow.service,
    )?;
    to.u32(sys::ECCP_A_FLOW_UID, flow.uid)?;
    to.uint(sys::ECCP_A_FLOW_RX_PACKETS, flow.stats.rx_packets)?;
    to.uint(sys::ECCP_A_FLOW_RX_BYTES, flow.stats.rx_bytes)?;
    to.uint(sys::ECCP_A_FLOW_TX_PACKETS, flow.stats.tx_packets)?;
    to.uint(sys::ECCP_A_FLOW_TX_BYTES, flow.stats.tx_bytes)?;
    to.u32(sys::ECCP_A_FLOW_MOVES, flow.moves)?;
    if flow.active {
        to.flag(sys::ECCP_A_FLOW_ACTIVE)?;
    }
    if flow.backup {
        to.flag(sys::ECCP_A_FLOW_BACKUP)?;
    }
    if flow.stats.cwnd != 0 {
        to.u32(sys::ECCP_A_FLOW_CWND, flow.stats.cwnd)?;
        to.u32(sys::ECCP_A_FLOW_SSTHRESH, flow.stats.ssthresh)?;
    }
    if let Some(seen) = &flow.observed {
        address(
            to,
            sys::ECCP_A_FLOW_NAT_IPV4,
            sys::ECCP_A_FLOW_NAT_IPV6,
            &seen.addr,
        )?;
        to.port(sys::ECCP_A_FLOW_NAT_PORT, seen.port)?;
    }
    reason(to, sys::ECCP_A_FLOW_REASON, flow.reason)
}

fn flow_path(to: &mut Writer, flow: &FlowSnapshot) -> Result {
    let path = &flow.path;
    address(
        to,
        sys::ECCP_A_FLOW_LOCAL_IPV4,
        sys::ECCP_A_FLOW_LOCAL_IPV6,
        &path.local,
    )?;
    address(
        to,
        sys::ECCP_A_FLOW_REMOTE_IPV4,
        sys::ECCP_A_FLOW_REMOTE_IPV6,
        &path.remote,
    )?;
    let encap = match path.encap {
        Encap::Native => sys::eccp_encap_ECCP_ENCAP_NATIVE,
        Encap::Udp => {
            to.port(sys::ECCP_A_FLOW_LOCAL_PORT, path.local_port)?;
            to.port(sys::ECCP_A_FLOW_REMOTE_PORT, path.remote_port)?;
            sys::eccp_encap_ECCP_ENCAP_UDP
        }
    };
    to.u32(sys::ECCP_A_FLOW_ENCAP, encap)?;
    if path.ifindex != 0 {
        to.u32(sys::ECCP_A_FLOW_IFINDEX, path.ifindex)?;
    }
    if let Some(candidate) = &flow.candidate {
        address(
            to,
            sys::ECCP_A_FLOW_CANDIDATE_IPV4,
            sys::ECCP_A_FLOW_CANDIDATE_IPV6,
            candidate,
        )?;
    }
    Ok(())
}

/// The attributes of a connection.
pub(crate) fn connection(to: &mut Writer, connection: &ConnectionSnapshot) -> Result {
    let role = match connection.role {
        Role::Client => sys::eccp_role_ECCP_ROLE_CLIENT,
        Role::Server => sys::eccp_role_ECCP_ROLE_SERVER,
    };
    to.uint(sys::ECCP_A_CONNECTION_ID, connection.id)?;
    to.u32(sys::ECCP_A_CONNECTION_ROLE, role)?;
    to.uint(
        sys::ECCP_A_CONNECTION_LOCAL_VERSION,
        connection.local_ilist.version,
    )?;
    to.uint(
        sys::ECCP_A_CONNECTION_REMOTE_VERSION,
        connection.remote_ilist.version,
    )?;
    service(
        to,
        sys::ECCP_A_CONNECTION_SERVICE_PORT,
        sys::ECCP_A_CONNECTION_SERVICE_ID,
        &connection.service,
    )?;
    to.uint(sys::ECCP_A_CONNECTION_PRIMARY_FLOW, connection.primary_flow)?;
    to.u32(sys::ECCP_A_CONNECTION_FLOWS, connection.flows)?;
    addresses(
        to,
        sys::ECCP_A_CONNECTION_LOCAL_ADDRESS,
        &connection.local_ilist,
    )?;
    addresses(
        to,
        sys::ECCP_A_CONNECTION_REMOTE_ADDRESS,
        &connection.remote_ilist,
    )?;
    if connection.psk {
        to.flag(sys::ECCP_A_CONNECTION_PSK)?;
    }
    to.u32(sys::ECCP_A_CONNECTION_UID, connection.uid)?;
    reason(to, sys::ECCP_A_CONNECTION_REASON, connection.reason)?;
    let carries = match connection.datagrams {
        false => sys::eccp_carries_ECCP_CARRIES_STREAM,
        true => sys::eccp_carries_ECCP_CARRIES_DATAGRAMS,
    };
    to.u32(sys::ECCP_A_CONNECTION_CARRIES, carries)?;
    if let Some((bundle, members)) = connection.bundle {
        to.uint(sys::ECCP_A_CONNECTION_BUNDLE, bundle)?;
        to.u32(sys::ECCP_A_CONNECTION_MEMBERS, members)?;
    }
    Ok(())
}

fn addresses(to: &mut Writer, kind: u32, list: &IList) -> Result {
    list.entries()
        .iter()
        .try_for_each(|entry| to.nest(kind, |to| list_entry(to, entry)))
}

fn list_entry(to: &mut Writer, entry: &IListEntry) -> Result {
    address(
        to,
        sys::ECCP_A_ADDRESS_IPV4,
        sys::ECCP_A_ADDRESS_IPV6,
        &entry.addr,
    )?;
    if entry.port != 0 {
        to.port(sys::ECCP_A_ADDRESS_PORT, entry.port)?;
    }
    to.bytes(sys::ECCP_A_ADDRESS_PRIORITY, &[entry.priority])?;
    if entry.flags & ADDRESS_BACKUP != 0 {
        to.flag(sys::ECCP_A_ADDRESS_BACKUP)?;
    }
    if entry.flags & ADDRESS_METERED != 0 {
        to.flag(sys::ECCP_A_ADDRESS_METERED)?;
    }
    Ok(())
}
