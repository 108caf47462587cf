// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Connections and the address lists of their two sides.

mod attribute;

use std::net::IpAddr;

pub use attribute::{AddressAttribute, ConnectionAttribute};
use netlink_packet_core::DefaultNla;

use crate::constants::{Carries, Reason, Role};
use crate::flow::Service;

/// An address that a side announced in its IList.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Address {
    /// The address.
    pub address: Option<IpAddr>,
    /// UDP port at which the host is reached there.
    pub port: Option<u16>,
    /// A lower number is preferred.
    pub priority: Option<u8>,
    /// To be used only when no other address works.
    pub backup: bool,
    /// Traffic over it costs money.
    pub metered: bool,
    /// What this crate does not know.
    pub other: Vec<DefaultNla>,
}

impl From<Vec<AddressAttribute>> for Address {
    fn from(attributes: Vec<AddressAttribute>) -> Self {
        let mut address = Address::default();
        for attribute in attributes {
            match attribute {
                AddressAttribute::Ipv4(value) => address.address = Some(value.into()),
                AddressAttribute::Ipv6(value) => address.address = Some(value.into()),
                AddressAttribute::Port(value) => address.port = Some(value.0),
                AddressAttribute::Priority(value) => address.priority = Some(value),
                AddressAttribute::Backup(_) => address.backup = true,
                AddressAttribute::Metered(_) => address.metered = true,
                AddressAttribute::Other(other) => address.other.push(other),
            }
        }
        address
    }
}

/// A connection. A field is `None` when the kernel did not send it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Connection {
    /// Name of the connection on this host.
    pub id: Option<u64>,
    /// Which side of the set-up this host is.
    pub role: Option<Role>,
    /// Version of the list of local addresses.
    pub local_version: Option<u64>,
    /// Newest version of the peer's list that was accepted.
    pub remote_version: Option<u64>,
    /// What the connection is to.
    pub service: Option<Service>,
    /// Local ID of the flow that carries data.
    pub primary_flow: Option<u64>,
    /// Number of flows.
    pub flows: Option<u32>,
    /// Addresses that this host announced.
    pub local_addresses: Vec<Address>,
    /// Addresses that the peer announced.
    pub remote_addresses: Vec<Address>,
    /// A pre-shared key is mixed into the connection's keys.
    pub psk: bool,
    /// User that owns the socket.
    pub uid: Option<u32>,
    /// Why the connection ended.
    pub reason: Option<Reason>,
    /// What the flows carry.
    pub carries: Option<Carries>,
    /// Number of the bundle that the connection is a member of.
    pub bundle: Option<u64>,
    /// Members that the bundle has at present.
    pub members: Option<u32>,
    /// What this crate does not know.
    pub other: Vec<DefaultNla>,
}

impl From<Vec<ConnectionAttribute>> for Connection {
    fn from(attributes: Vec<ConnectionAttribute>) -> Self {
        use ConnectionAttribute as A;
        let mut connection = Connection::default();
        for attribute in attributes {
            match attribute {
                A::Id(value) => connection.id = Some(value),
                A::Role(value) => connection.role = Some(value),
                A::LocalVersion(value) => connection.local_version = Some(value),
                A::RemoteVersion(value) => connection.remote_version = Some(value),
                A::ServicePort(value) => connection.service = Some(Service::Port(value.0)),
                A::ServiceId(value) => connection.service = Some(Service::Id(value)),
                A::PrimaryFlow(value) => connection.primary_flow = Some(value),
                A::Flows(value) => connection.flows = Some(value),
                A::LocalAddress(value) => connection.local_addresses.push(value.into()),
                A::RemoteAddress(value) => connection.remote_addresses.push(value.into()),
                A::Psk(_) => connection.psk = true,
                A::Uid(value) => connection.uid = Some(value),
                A::Reason(value) => connection.reason = Some(value),
                A::Carries(value) => connection.carries = Some(value),
                A::Bundle(value) => connection.bundle = Some(value),
                A::Members(value) => connection.members = Some(value),
                A::Other(other) => connection.other.push(other),
            }
        }
        connection
    }
}
