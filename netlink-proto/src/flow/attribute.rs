// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Attributes of a flow and of the request to move one.

use std::net::{Ipv4Addr, Ipv6Addr};

use crate::attribute::attributes;
use crate::constants::{Encap, FlowState, Reason};
use crate::value::{Flag, Port, ServiceId};

attributes! {
    /// A flow.
    pub enum FlowAttribute, set "flow" {
        #[doc = "Flow ID by which the peer addresses this host."]
        1 "local-id" LocalId(u64),
        #[doc = "Flow ID by which this host addresses the peer."]
        2 "remote-id" RemoteId(u64),
        #[doc = "Connection that the flow belongs to."]
        3 "connection-id" ConnectionId(u64),
        #[doc = "State of the flow."]
        4 "state" State(FlowState),
        #[doc = "Version of the local address, counted up by each local move."]
        5 "local-version" LocalVersion(u64),
        #[doc = "Version of the remote address in use."]
        6 "remote-version" RemoteVersion(u64),
        #[doc = "Local address of an IPv4 path."]
        7 "local-ipv4" LocalIpv4(Ipv4Addr),
        #[doc = "Local address of an IPv6 path."]
        8 "local-ipv6" LocalIpv6(Ipv6Addr),
        #[doc = "Remote address of an IPv4 path."]
        9 "remote-ipv4" RemoteIpv4(Ipv4Addr),
        #[doc = "Remote address of an IPv6 path."]
        10 "remote-ipv6" RemoteIpv6(Ipv6Addr),
        #[doc = "Local UDP port of the path."]
        11 "local-port" LocalPort(Port),
        #[doc = "Remote UDP port of the path."]
        12 "remote-port" RemotePort(Port),
        #[doc = "Encapsulation of the path."]
        13 "encap" Encap(Encap),
        #[doc = "Interface by which the path leaves."]
        14 "ifindex" Ifindex(u32),
        #[doc = "Smoothed round-trip time in microseconds."]
        15 "rtt-us" RttUs(u32),
        #[doc = "Path MTU in bytes."]
        16 "mtu" Mtu(u32),
        #[doc = "IPv4 address that an unfinished move leads to."]
        17 "candidate-ipv4" CandidateIpv4(Ipv4Addr),
        #[doc = "IPv6 address that an unfinished move leads to."]
        18 "candidate-ipv6" CandidateIpv6(Ipv6Addr),
        #[doc = "The flow is over and only answers late packets."]
        19 "draining" Draining(Flag),
        #[doc = "Port number of the service, if it is named by one."]
        20 "service-port" ServicePort(Port),
        #[doc = "Identifier of the service, if it is named by one."]
        21 "service-id" ServiceId(ServiceId),
        #[doc = "User that owns the socket."]
        22 "uid" Uid(u32),
        #[doc = "Packets received."]
        23 "rx-packets" RxPackets(u64),
        #[doc = "Bytes received, from the ECCP header on."]
        24 "rx-bytes" RxBytes(u64),
        #[doc = "Packets sent."]
        25 "tx-packets" TxPackets(u64),
        #[doc = "Bytes sent, from the ECCP header on."]
        26 "tx-bytes" TxBytes(u64),
        #[doc = "Completed moves of either side."]
        27 "moves" Moves(u32),
        #[doc = "Reason of the last move, or of the event that carries this flow."]
        28 "reason" Reason(Reason),
        #[doc = "The flow carries the data that this host sends."]
        29 "active" Active(Flag),
        #[doc = "One side wants the flow to carry data only when no other can."]
        30 "backup" Backup(Flag),
        #[doc = "Local IPv4 address as the peer sees it, if a NAT changes it."]
        31 "nat-ipv4" NatIpv4(Ipv4Addr),
        #[doc = "Local IPv6 address as the peer sees it, if a NAT changes it."]
        32 "nat-ipv6" NatIpv6(Ipv6Addr),
        #[doc = "Local UDP port as the peer sees it."]
        33 "nat-port" NatPort(Port),
        #[doc = "Congestion window in packets."]
        34 "cwnd" Cwnd(u32),
        #[doc = "Slow-start threshold in packets; 2^31 - 1 if none is known."]
        35 "ssthresh" Ssthresh(u32),
        #[doc = "Local ID that was replaced, while it is still answered to."]
        36 "old-local-id" OldLocalId(u64),
        #[doc = "Remote ID that was replaced, in the event that tells so."]
        37 "old-remote-id" OldRemoteId(u64),
    }
}

attributes! {
    /// A request to move a flow, and its answer.
    pub enum MoveAttribute, set "move" {
        #[doc = "Local ID of the flow to move."]
        1 "flow-id" FlowId(u64),
        #[doc = "Local IPv4 address to move to."]
        2 "to-ipv4" ToIpv4(Ipv4Addr),
        #[doc = "Local IPv6 address to move to."]
        3 "to-ipv6" ToIpv6(Ipv6Addr),
        #[doc = "Interface to move to; the kernel selects the address."]
        4 "to-ifindex" ToIfindex(u32),
        #[doc = "Version of the local address that the move was given."]
        5 "version" Version(u64),
    }
}

attributes! {
    /// A request to add a flow, and its answer.
    pub enum AddAttribute, set "add" {
        #[doc = "In a request, the local ID of any flow of the connection; in an answer, that of the new flow."]
        1 "flow-id" FlowId(u64),
        #[doc = "Local IPv4 address of the new flow."]
        2 "from-ipv4" FromIpv4(Ipv4Addr),
        #[doc = "Local IPv6 address of the new flow."]
        3 "from-ipv6" FromIpv6(Ipv6Addr),
        #[doc = "Interface of the new flow; the kernel selects the address."]
        4 "from-ifindex" FromIfindex(u32),
        #[doc = "IPv4 address of the peer to ask first."]
        5 "remote-ipv4" RemoteIpv4(Ipv4Addr),
        #[doc = "IPv6 address of the peer to ask first."]
        6 "remote-ipv6" RemoteIpv6(Ipv6Addr),
        #[doc = "UDP port of ECCP at that address, if it is not that of this namespace."]
        7 "remote-port" RemotePort(Port),
        #[doc = "The flow is to carry data only when no other can."]
        8 "backup" Backup(Flag),
    }
}

attributes! {
    /// The name of a flow in a request.
    pub enum FlowRefAttribute, set "flow-ref" {
        #[doc = "Local ID of a flow."]
        1 "flow-id" FlowId(u64),
    }
}
