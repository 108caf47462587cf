// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The module itself: versions, numbers, population.

mod attribute;

pub use attribute::InfoAttribute;
use netlink_packet_core::DefaultNla;

/// Answer to info-get. A field is `None` when the kernel did not send it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Info {
    /// Version of the module.
    pub module_version: Option<String>,
    /// Release of the kernel that the module was built for.
    pub kernel_release: Option<String>,
    /// Version of the packet format.
    pub wire_version: Option<u8>,
    /// Number of the socket family.
    pub family: Option<u32>,
    /// IP protocol number of native encapsulation.
    pub ip_protocol: Option<u8>,
    /// UDP port of UDP encapsulation.
    pub udp_port: Option<u16>,
    /// Buckets of the flow table.
    pub table_buckets: Option<u64>,
    /// Connections in the namespace.
    pub connections: Option<u64>,
    /// Flows in the namespace, draining ones included.
    pub flows: Option<u64>,
    /// Most flows of a connection.
    pub max_flows: Option<u32>,
    /// Most addresses of one side of a connection.
    pub max_addresses: Option<u32>,
    /// Grows whenever a connection or a flow appears or disappears.
    pub generation: Option<u64>,
    /// What this crate does not know.
    pub other: Vec<DefaultNla>,
}

impl From<Vec<InfoAttribute>> for Info {
    fn from(attributes: Vec<InfoAttribute>) -> Self {
        let mut info = Info::default();
        for attribute in attributes {
            match attribute {
                InfoAttribute::ModuleVersion(value) => info.module_version = Some(value),
                InfoAttribute::KernelRelease(value) => info.kernel_release = Some(value),
                InfoAttribute::WireVersion(value) => info.wire_version = Some(value),
                InfoAttribute::Family(value) => info.family = Some(value),
                InfoAttribute::IpProtocol(value) => info.ip_protocol = Some(value),
                InfoAttribute::UdpPort(value) => info.udp_port = Some(value),
                InfoAttribute::TableBuckets(value) => info.table_buckets = Some(value),
                InfoAttribute::Connections(value) => info.connections = Some(value),
                InfoAttribute::Flows(value) => info.flows = Some(value),
                InfoAttribute::MaxFlows(value) => info.max_flows = Some(value),
                InfoAttribute::MaxAddresses(value) => info.max_addresses = Some(value),
                InfoAttribute::Generation(value) => info.generation = Some(value),
                InfoAttribute::Other(other) => info.other.push(other),
            }
        }
        info
    }
}
