// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Commands that are known without being modelled: those with no effect on where a packet goes
//! once the tables are given, and those whose effect the model leaves out.

/// What a command does to forwarding.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Effect {
    /// None, given the forwarding tables.
    None,
    /// It can redirect, rewrite or drop packets, and the model does not show it.
    NotModelled,
    /// Not in our tables.
    Unknown,
}

/// Beginnings of top-level commands without effect. Routing protocols are here: their result is in
/// the route tables.
const TOP_NONE: &[&str] = &[
    "aaa",
    "alias",
    "archive",
    "arp ",
    "banner",
    "boot",
    "building configuration",
    "cdp ",
    "clock",
    "config-register",
    "control-plane",
    "current configuration",
    "diagnostic",
    "dot1x system",
    "enable ",
    "environment",
    "errdisable",
    "event manager",
    "exception",
    "fabric ",
    "file ",
    "hw-module",
    "ip bgp",
    "ip cef",
    "ip default-gateway",
    "ip classless",
    "ip dhcp",
    "ip dns",
    "ip domain",
    "ip finger",
    "ip flow",
    "ip forward-protocol",
    "ip ftp",
    "ip host",
    "ip http",
    "ip icmp",
    "ip igmp",
    "ip multicast",
    "ip name-server",
    "ip pim",
    "ip radius",
    "ip rcmd",
    "ip routing",
    "ip sla",
    "ip scp",
    "ip ssh",
    "ip subnet-zero",
    "ip tacacs",
    "ip tcp",
    "ip telnet",
    "ip tftp",
    "ip as-path",
    "ip prefix-list",
    "ip community-list",
    "ip vrf",
    "vrf definition",
    "rd ",
    "key ",
    "license",
    "line ",
    "lldp",
    "logging",
    "login",
    "mac-address-table",
    "mac address-table",
    "memory",
    "mls cef",
    "mls flow",
    "mls netflow",
    "mls rate-limit",
    "module",
    "monitor",
    "multilink bundle",
    "no mmi",
    "no scheduler",
    "no aaa",
    "no cdp",
    "no crypto ipsec nat-transparency",
    "no ip",
    "no ipv6",
    "no lldp",
    "no logging",
    "no mls",
    "no platform",
    "no service",
    "no snmp",
    "no spanning-tree",
    "no vtp",
    "ntp",
    "platform",
    "port-channel",
    "power",
    "privilege",
    "process",
    "radius",
    "redundancy",
    "rmon",
    "route-map",
    "router ",
    "routing ",
    "scheduler",
    "security",
    "service ",
    "snmp",
    "spanning-tree",
    "standby",
    "subscriber",
    "switch ",
    "system ",
    "tacacs",
    "template",
    "time-range",
    "transceiver",
    "tftp",
    "track ",
    "udld",
    "username",
    "version",
    "virtual-service",
    "vlan access-log",
    "vlan internal",
    "vstack",
    "vtp",
    "wsma",
    "crypto pki",
    "crypto key",
    "cwmp",
    "call-home",
    "avb",
    "object-group",
    "parser",
    "login",
    "access-session",
    "authentication",
    "device-tracking",
    "fallback",
    "dot11",
    "mmi",
    "no parser",
    "l2protocol",
    "ip source-route",
    "no ip source-route",
    "ip local policy",
    "address-family",
    "exit-address-family",
    "class-map",
    "policy-map",
    "end",
];

/// Beginnings of top-level commands with an effect that is not in the model.
const TOP_NOT_MODELLED: &[&str] = &[
    "crypto",
    "ip local policy",
    "ip nat",
    "ipv6",
    "l2vpn",
    "mpls",
    "pseudowire",
    "vlan filter",
    "vlan access-map",
    "ip inspect",
    "zone",
    "bridge",
    "xconnect",
    "ip access-list",
    "mac access-list",
    "ip wccp",
    "evpn",
    "segment-routing",
    "vxlan",
];

/// Beginnings of interface commands without effect.
const INTERFACE_NONE: &[&str] = &[
    "arp",
    "authentication",
    "auto",
    "bandwidth",
    "beacon",
    "bfd",
    "carrier-delay",
    "cdp",
    "channel-protocol",
    "clock",
    "delay",
    "description",
    "dot1x",
    "duplex",
    "flowcontrol",
    "hold-queue",
    "ip cgmp",
    "ip dhcp",
    "ip directed-broadcast",
    "ip dvmrp",
    "ip eigrp",
    "ip flow",
    "ip helper-address",
    "ip hello-interval",
    "ip hold-time",
    "ip icmp",
    "ip igmp",
    "ip local-proxy-arp",
    "ip mask-reply",
    "ip mtu",
    "ip ospf",
    "ip pim",
    "ip proxy-arp",
    "ip rip",
    "ip route-cache",
    "ip rsvp",
    "ip split-horizon",
    "ip summary-address",
    "ip tcp",
    "ip unreachables",
    "ip redirects",
    "ip virtual-reassembly",
    "ip multicast",
    "ip sap",
    "ip router",
    "isis",
    "keepalive",
    "lacp",
    "lldp",
    "load-interval",
    "logging",
    "mac-address",
    "macro",
    "max-reserved-bandwidth",
    "media-type",
    "mls",
    "mop",
    "mtu",
    "name",
    "negotiation",
    "no ",
    "ntp",
    "peer default",
    "power",
    "ppp",
    "priority-queue",
    "queue",
    "rcv-queue",
    "service-policy",
    "snmp",
    "source ",
    "spanning-tree",
    "speed",
    "srr-queue",
    "standby",
    "storm-control",
    "switchport block",
    "switchport nonegotiate",
    "switchport port-security",
    "switchport priority",
    "switchport host",
    "switchport dot1q",
    "traffic-shape",
    "trust",
    "tx-ring",
    "udld",
    "vrrp",
    "glbp",
    "wrr-queue",
    "physical-layer",
    "async",
    "exit",
    "group-range",
    "fair-queue",
    "random-detect",
    "tunnel mode",
    "tunnel key",
    "serial",
    "hsrp",
    "ip nhrp",
    "ip address pool",
    "platform",
    "plim",
    "ip sla",
    "access-session",
    "device-tracking",
    "end",
];

/// Beginnings of interface commands with an effect that is not in the model.
const INTERFACE_NOT_MODELLED: &[&str] = &[
    "bridge-group",
    "crypto",
    "ip access-group",
    "ip inspect",
    "ip nat",
    "ip policy",
    "ip unnumbered",
    "ip verify",
    "ip wccp",
    "ipv6",
    "l2protocol",
    "mac access-group",
    "mpls",
    "private-vlan",
    "switchport private-vlan",
    "switchport mode",
    "switchport protected",
    "switchport vlan mapping",
    "switchport voice",
    "tunnel",
    "xconnect",
    "zone-member",
    "service instance",
    "encapsulation",
    "ip vrf",
    "vrf",
];

fn starts(list: &[&str], command: &str) -> bool {
    list.iter().any(|p| {
        command.strip_prefix(p).is_some_and(|rest| {
            p.ends_with(' ') || rest.is_empty() || rest.starts_with([' ', '-', ':', '.'])
        })
    })
}

fn effect(command: &str, not_modelled: &[&str], none: &[&str]) -> Effect {
    let command = command.to_ascii_lowercase();
    if starts(not_modelled, &command) {
        Effect::NotModelled
    } else if starts(none, &command) {
        Effect::None
    } else {
        Effect::Unknown
    }
}

/// Effect of a command at the top level.
pub fn top_level_effect(command: &str) -> Effect {
    effect(command, TOP_NOT_MODELLED, TOP_NONE)
}

/// Effect of a command inside an interface.
pub fn interface_effect(command: &str) -> Effect {
    effect(command, INTERFACE_NOT_MODELLED, INTERFACE_NONE)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn redirecting_commands_are_not_called_harmless() {
        assert_eq!(
            interface_effect("ip policy route-map gnat-1"),
            Effect::NotModelled
        );
        assert_eq!(interface_effect("ip helper-address 10.0.0.1"), Effect::None);
        assert_eq!(interface_effect("frobnicate 3"), Effect::Unknown);
        assert_eq!(
            top_level_effect("ip nat inside source list 1"),
            Effect::NotModelled
        );
        assert_eq!(top_level_effect("router ospf 1"), Effect::None);
        assert_eq!(top_level_effect("Building configuration..."), Effect::None);
        assert_eq!(top_level_effect("lines"), Effect::Unknown);
    }
}
