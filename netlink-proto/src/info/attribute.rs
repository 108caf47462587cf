// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Attributes of the answer to info-get.

use crate::attribute::attributes;

attributes! {
    /// What the module is and how full the namespace is.
    pub enum InfoAttribute, set "info" {
        #[doc = "Version of the module."]
        1 "module-version" ModuleVersion(String),
        #[doc = "Release of the kernel that the module was built for."]
        2 "kernel-release" KernelRelease(String),
        #[doc = "Version of the packet format."]
        3 "wire-version" WireVersion(u8),
        #[doc = "Number of the socket family AF_ECCP."]
        4 "family" Family(u32),
        #[doc = "IP protocol number of native encapsulation."]
        5 "ip-protocol" IpProtocol(u8),
        #[doc = "UDP port of the namespace for UDP encapsulation."]
        6 "udp-port" UdpPort(u16),
        #[doc = "Buckets of the flow table."]
        7 "table-buckets" TableBuckets(u64),
        #[doc = "Connections in this namespace now."]
        8 "connections" Connections(u64),
        #[doc = "Flows in this namespace now, draining ones included."]
        9 "flows" Flows(u64),
        #[doc = "Most flows of a connection."]
        10 "max-flows" MaxFlows(u32),
        #[doc = "Most addresses of one side of a connection."]
        11 "max-addresses" MaxAddresses(u32),
        #[doc = "Grows whenever a connection or a flow appears or disappears in this namespace."]
        12 "generation" Generation(u64),
    }
}
