// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Attributes of a connection and of the addresses in its lists.

use std::net::{Ipv4Addr, Ipv6Addr};

use crate::attribute::attributes;
use crate::constants::{Carries, Reason, Role};
use crate::value::{Flag, Port, ServiceId};

attributes! {
    /// An address of an IList.
    pub enum AddressAttribute, set "address" {
        #[doc = "IPv4 address."]
        1 "ipv4" Ipv4(Ipv4Addr),
        #[doc = "IPv6 address."]
        2 "ipv6" Ipv6(Ipv6Addr),
        #[doc = "UDP port at which the host is reached there."]
        3 "port" Port(Port),
        #[doc = "A lower number is preferred."]
        4 "priority" Priority(u8),
        #[doc = "To be used only when no other address works."]
        5 "backup" Backup(Flag),
        #[doc = "Traffic over it costs money."]
        6 "metered" Metered(Flag),
    }
}

attributes! {
    /// A connection.
    pub enum ConnectionAttribute, set "connection" {
        #[doc = "Name of the connection on this host."]
        1 "id" Id(u64),
        #[doc = "Which side of the set-up this host is."]
        2 "role" Role(Role),
        #[doc = "Version of the list of local addresses."]
        3 "local-version" LocalVersion(u64),
        #[doc = "Newest version of the peer's list that was accepted."]
        4 "remote-version" RemoteVersion(u64),
        #[doc = "Port number of the service, if it is named by one."]
        5 "service-port" ServicePort(Port),
        #[doc = "Identifier of the service, if it is named by one."]
        6 "service-id" ServiceId(ServiceId),
        #[doc = "Local ID of the flow that carries data."]
        7 "primary-flow" PrimaryFlow(u64),
        #[doc = "Number of flows."]
        8 "flows" Flows(u32),
        #[doc = "An address that this host announced."]
        9 "local-address" LocalAddress(Vec<AddressAttribute>),
        #[doc = "An address that the peer announced."]
        10 "remote-address" RemoteAddress(Vec<AddressAttribute>),
        #[doc = "A pre-shared key is mixed into the connection's keys."]
        11 "psk" Psk(Flag),
        #[doc = "User that owns the socket."]
        12 "uid" Uid(u32),
        #[doc = "Why the connection ended; only in connection-closed."]
        13 "reason" Reason(Reason),
        #[doc = "What the flows of the connection carry."]
        14 "carries" Carries(Carries),
        #[doc = "Number of the bundle that the connection is a member of."]
        15 "bundle" Bundle(u64),
        #[doc = "Members that the bundle has at present."]
        16 "members" Members(u32),
    }
}
