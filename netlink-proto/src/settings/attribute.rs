// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Attributes of the settings of a namespace.

use crate::attribute::attributes;
use crate::constants::{Encap, Policy};

attributes! {
    /// A setting of a network namespace.
    pub enum SettingsAttribute, set "settings" {
        #[doc = "Encapsulation of new paths."]
        1 "encap" Encap(Encap),
        #[doc = "UDP port at which this namespace listens and from which it sends."]
        2 "udp-port" UdpPort(u16),
        #[doc = "What happens by itself when addresses change."]
        3 "policy" Policy(Policy),
        #[doc = "How long a set-up or a move is repeated before the flow is given up."]
        4 "give-up-ms" GiveUpMs(u32),
        #[doc = "How long a server waits for the ACK that completes a set-up."]
        5 "half-open-ms" HalfOpenMs(u32),
        #[doc = "How long a planned move is tried before the flow stays where it was."]
        6 "planned-move-ms" PlannedMoveMs(u32),
        #[doc = "How long a flow without any address waits for one; 0 waits for ever."]
        7 "no-address-ms" NoAddressMs(u32),
        #[doc = "How long a closed flow answers late packets."]
        8 "draining-ms" DrainingMs(u32),
        #[doc = "How long a better address must be there before the policy moves to it."]
        9 "prefer-delay-ms" PreferDelayMs(u32),
        #[doc = "Control packets per second that one connection answers; 0 is no limit."]
        10 "control-rate" ControlRate(u32),
        #[doc = "Connections in the namespace."]
        11 "max-connections" MaxConnections(u32),
        #[doc = "Set-ups of the namespace that wait for their last ACK."]
        12 "max-half-open" MaxHalfOpen(u32),
        #[doc = "Least time without an acknowledgement after which a path is asked; 0 never asks."]
        13 "path-timeout-ms" PathTimeoutMs(u32),
        #[doc = "How often an idle connection asks whether its path answers; 0 never."]
        14 "keepalive-ms" KeepaliveMs(u32),
        #[doc = "Flows of a connection."]
        15 "max-flows" MaxFlows(u32),
        #[doc = "Peers of one datagram socket that is not connected."]
        16 "max-datagram-peers" MaxDatagramPeers(u32),
        #[doc = "How long a datagram socket that is not connected keeps an idle peer."]
        17 "datagram-idle-ms" DatagramIdleMs(u32),
        #[doc = "Set-ups in waiting from which on first SYNs are answered with cookies; 0 is always."]
        18 "cookie-threshold" CookieThreshold(u32),
        #[doc = "Secret of stateless resets, random unless set; it is never shown."]
        19 "reset-key" ResetKey([u8; 32]),
        #[doc = "How often a connection behind a NAT reminds it of itself; 0 never."]
        20 "nat-keepalive-ms" NatKeepaliveMs(u32),
        #[doc = "Stateless resets per second, and refusals per second, to packets that belong to no connection; 0 is no limit."]
        21 "stranger-rate" StrangerRate(u32),
        #[doc = "How long packets that were made smaller because large ones vanished stay so before larger ones are tried on the same path; 0 for ever."]
        22 "mtu-raise-ms" MtuRaiseMs(u32),
        #[doc = "1 asks routers for tickets and tells them of moves; 0 does not."]
        23 "redirect-ask" RedirectAsk(u32),
        #[doc = "How long this host sends on RSYNs as a router; 0 is no redirection cache."]
        24 "redirect-ms" RedirectMs(u32),
        #[doc = "1 gives a flow a new local ID with each of its moves and those of its peer; 0 does not."]
        25 "renew-flow-ids" RenewFlowIds(u32),
    }
}
