// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Names that IOS prints instead of numbers: protocols, ports, ICMP types.
//!
//! Values from the IANA registries; names as listed in the Cisco IOS command reference for
//! `access-list (IP extended)`.

const PROTOCOLS: &[(&str, u8)] = &[
    ("icmp", 1),
    ("igmp", 2),
    ("ipinip", 4),
    ("nos", 94),
    ("tcp", 6),
    ("igrp", 9),
    ("udp", 17),
    ("gre", 47),
    ("esp", 50),
    ("ah", 51),
    ("ahp", 51),
    ("eigrp", 88),
    ("ospf", 89),
    ("pim", 103),
    ("pcp", 108),
    ("sctp", 132),
];

const TCP_PORTS: &[(&str, u16)] = &[
    ("bgp", 179),
    ("chargen", 19),
    ("cmd", 514),
    ("daytime", 13),
    ("discard", 9),
    ("domain", 53),
    ("drip", 3949),
    ("echo", 7),
    ("exec", 512),
    ("finger", 79),
    ("ftp", 21),
    ("ftp-data", 20),
    ("gopher", 70),
    ("hostname", 101),
    ("ident", 113),
    ("irc", 194),
    ("klogin", 543),
    ("kshell", 544),
    ("login", 513),
    ("lpd", 515),
    ("msrpc", 135),
    ("nntp", 119),
    ("pim-auto-rp", 496),
    ("pop2", 109),
    ("pop3", 110),
    ("smtp", 25),
    ("ssh", 22),
    ("sunrpc", 111),
    ("syslog", 514),
    ("tacacs", 49),
    ("tacacs-ds", 49),
    ("talk", 517),
    ("telnet", 23),
    ("time", 37),
    ("uucp", 540),
    ("whois", 43),
    ("www", 80),
    ("https", 443),
];

const UDP_PORTS: &[(&str, u16)] = &[
    ("biff", 512),
    ("bootpc", 68),
    ("bootps", 67),
    ("discard", 9),
    ("dnsix", 195),
    ("domain", 53),
    ("echo", 7),
    ("isakmp", 500),
    ("mobile-ip", 434),
    ("nameserver", 42),
    ("netbios-dgm", 138),
    ("netbios-ns", 137),
    ("netbios-ss", 139),
    ("non500-isakmp", 4500),
    ("ntp", 123),
    ("pim-auto-rp", 496),
    ("rip", 520),
    ("ripv6", 521),
    ("snmp", 161),
    ("snmptrap", 162),
    ("sunrpc", 111),
    ("syslog", 514),
    ("tacacs", 49),
    ("tacacs-ds", 49),
    ("talk", 517),
    ("tftp", 69),
    ("time", 37),
    ("who", 513),
    ("xdmcp", 177),
];

/// Type, and code where the name implies one (RFC 792, RFC 1122, RFC 1256).
const ICMP_TYPES: &[(&str, u8, Option<u8>)] = &[
    ("echo-reply", 0, None),
    ("unreachable", 3, None),
    ("net-unreachable", 3, Some(0)),
    ("host-unreachable", 3, Some(1)),
    ("protocol-unreachable", 3, Some(2)),
    ("port-unreachable", 3, Some(3)),
    ("packet-too-big", 3, Some(4)),
    ("source-route-failed", 3, Some(5)),
    ("network-unknown", 3, Some(6)),
    ("host-unknown", 3, Some(7)),
    ("host-isolated", 3, Some(8)),
    ("dod-net-prohibited", 3, Some(9)),
    ("dod-host-prohibited", 3, Some(10)),
    ("net-tos-unreachable", 3, Some(11)),
    ("host-tos-unreachable", 3, Some(12)),
    ("administratively-prohibited", 3, Some(13)),
    ("host-precedence-unreachable", 3, Some(14)),
    ("precedence-unreachable", 3, Some(15)),
    ("source-quench", 4, None),
    ("redirect", 5, None),
    ("net-redirect", 5, Some(0)),
    ("host-redirect", 5, Some(1)),
    ("net-tos-redirect", 5, Some(2)),
    ("host-tos-redirect", 5, Some(3)),
    ("alternate-address", 6, None),
    ("echo", 8, None),
    ("router-advertisement", 9, None),
    ("router-solicitation", 10, None),
    ("time-exceeded", 11, None),
    ("ttl-exceeded", 11, Some(0)),
    ("reassembly-timeout", 11, Some(1)),
    ("parameter-problem", 12, None),
    ("general-parameter-problem", 12, Some(0)),
    ("option-missing", 12, Some(1)),
    ("no-room-for-option", 12, Some(2)),
    ("timestamp-request", 13, None),
    ("timestamp-reply", 14, None),
    ("information-request", 15, None),
    ("information-reply", 16, None),
    ("mask-request", 17, None),
    ("mask-reply", 18, None),
    ("traceroute", 30, None),
    ("conversion-error", 31, None),
    ("mobile-redirect", 32, None),
];

/// Number of an IP protocol by name or number.
pub fn protocol_number(name: &str) -> Option<u8> {
    name.parse()
        .ok()
        .or_else(|| PROTOCOLS.iter().find(|(n, _)| *n == name).map(|(_, p)| *p))
}

/// Number of a port by name. Protocols other than TCP and UDP try both lists.
pub fn port_number(proto: Option<u8>, name: &str) -> Option<u16> {
    let find = |list: &[(&str, u16)]| list.iter().find(|(n, _)| *n == name).map(|(_, p)| *p);
    match proto {
        Some(6) => find(TCP_PORTS),
        Some(17) => find(UDP_PORTS),
        _ => find(TCP_PORTS).or_else(|| find(UDP_PORTS)),
    }
}

/// ICMP type and code by name.
pub fn icmp_type_number(name: &str) -> Option<(u8, Option<u8>)> {
    ICMP_TYPES
        .iter()
        .find(|(n, _, _)| *n == name)
        .map(|(_, t, c)| (*t, *c))
}
