// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Attributes of the settings of a namespace.

use crate::attribute::attributes;
use crate::constants::{Encap, Policy};

attributes! {
    /// A setting of a network namespace.
    pub enum SettingsAttribute, set "settings" {
        #[doc = "Encapsulation of new paths."]
        1 "encap" Encap(Encap),
        #[doc = "UDP port on which this namespace listens and from which it sends."]
        2 "udp-port" UdpPort(u16),
        #[doc = "Who decides when a flow moves."]
        3 "policy" Policy(Policy),
        #[doc = "Time to the first repetition of a control message, without an RTT."]
        4 "retry-first-ms" RetryFirstMs(u32),
        #[doc = "Longest time between two repetitions of a control message."]
        5 "retry-max-ms" RetryMaxMs(u32),
        #[doc = "Time after which a set-up without an answer is given up."]
        6 "connect-timeout-ms" ConnectTimeoutMs(u32),
        #[doc = "Time after which a flow is given up whose address messages are not answered although it has an address."]
        7 "move-timeout-ms" MoveTimeoutMs(u32),
        #[doc = "Shortest silence under load after which a path is probed."]
        8 "probe-ms" ProbeMs(u32),
        #[doc = "Time between keepalives while a NAT is seen on the path."]
        9 "keepalive-ms" KeepaliveMs(u32),
        #[doc = "Time for which a closed flow still answers late packets."]
        10 "draining-ms" DrainingMs(u32),
        #[doc = "Connections in the namespace."]
        11 "max-connections" MaxConnections(u32),
        #[doc = "Flows of one connection."]
        12 "max-flows" MaxFlows(u32),
        #[doc = "Addresses of one IList."]
        13 "max-addresses" MaxAddresses(u32),
        #[doc = "Set-ups that wait for their last ACK; above it a listener answers with cookies and keeps no state."]
        14 "max-half-open" MaxHalfOpen(u32),
        #[doc = "Unauthenticated control packets answered per second."]
        15 "max-control-rate" MaxControlRate(u32),
    }
}
