// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Random Cisco configurations written as text, read, and compared packet by packet with what the
//! text means, worked out here on its own: access lists, longest prefixes, VLANs.

use hsa_verify::analysis::{reach, trace, Exit};
use hsa_verify::header::{Bits, Layout};
use hsa_verify::model::Network;
use hsa_verify::read::snapshot::{read_sources, Options};
use hsa_verify::read::SourceText;
use hsa_verify::space::Set;
use hsa_verify::transfer::Plane;
use proptest::prelude::*;
use std::collections::BTreeSet;
use std::fmt::Write;
use std::net::Ipv4Addr;
use std::path::PathBuf;
use std::sync::Arc;

/// Reads one box, `r1`, from the texts of files.
fn read(files: &[(&str, &str)]) -> Network {
    let sources = files.iter().map(|(name, text)| {
        let source = SourceText::from_bytes(*name, text.as_bytes()).expect("text");
        (source, PathBuf::from(name))
    });
    let net = read_sources(sources.collect(), &Options::default(), &[]);
    net.unwrap_or_else(|e| panic!("{e}\n{}", files[0].1))
}

#[derive(Clone, Copy, Debug)]
struct Packet {
    vlan: u16,
    src: u32,
    dst: u32,
    proto: u8,
    sport: u16,
    dport: u16,
    flags: u8,
}

impl Packet {
    fn header(self, layout: &Layout) -> Bits {
        let mut bits = Bits::zeros(layout.length as usize);
        for (name, value) in [
            ("vlan", u128::from(self.vlan)),
            ("ip_src", u128::from(self.src)),
            ("ip_dst", u128::from(self.dst)),
            ("ip_proto", u128::from(self.proto)),
            ("tp_src", u128::from(self.sport)),
            ("tp_dst", u128::from(self.dport)),
            ("tcp_flags", u128::from(self.flags)),
        ] {
            let field = layout.field(layout.find(name).expect("a field"));
            bits.write(field.offset as usize, field.width as usize, value);
        }
        bits
    }
}

/// Names of ports by which a packet leaves, with its VLAN there.
fn leaves(net: &Network, port: &str, packet: Packet) -> BTreeSet<(String, u16)> {
    let from = net.find_port(&format!("r1:{port}")).expect("a port");
    let vlan = net.layout.field(net.layout.find("vlan").expect("a field"));
    let trace = trace(net, from, &packet.header(&net.layout));
    let exits = trace.visits[0].exits.iter().map(|e: &Exit| {
        let tag = e.header.read(vlan.offset as usize, vlan.width as usize);
        (net.port(e.port).name.clone(), tag as u16)
    });
    exits.collect()
}

const ADDRESSES: [u32; 8] = [
    0x0a00_0001,
    0x0a00_0102,
    0x0a01_0001,
    0x0a01_0203,
    0xc0a8_0001,
    0xc0a8_0105,
    0x0000_0000,
    0xffff_ffff,
];
const WILDS: [u32; 7] = [
    0,
    0xff,
    0xffff,
    0x00ff_ffff,
    u32::MAX,
    0x0000_ff00,
    0x0100_0101,
];
const PORTS: [u16; 6] = [0, 22, 80, 443, 1024, 65535];

#[derive(Clone, Copy, Debug)]
enum PortTest {
    Any,
    Eq(u16, u16),
    Neq(u16),
    Lt(u16),
    Gt(u16),
    Range(u16, u16),
}

impl PortTest {
    fn text(self) -> String {
        match self {
            PortTest::Any => String::new(),
            PortTest::Eq(a, b) if a == b => format!(" eq {a}"),
            PortTest::Eq(a, b) => format!(" eq {a} {b}"),
            PortTest::Neq(a) => format!(" neq {a}"),
            PortTest::Lt(a) => format!(" lt {a}"),
            PortTest::Gt(a) => format!(" gt {a}"),
            PortTest::Range(a, b) => format!(" range {} {}", a.min(b), a.max(b)),
        }
    }

    fn holds(self, port: u16) -> bool {
        match self {
            PortTest::Any => true,
            PortTest::Eq(a, b) => port == a || port == b,
            PortTest::Neq(a) => port != a,
            PortTest::Lt(a) => port < a,
            PortTest::Gt(a) => port > a,
            PortTest::Range(a, b) => (a.min(b)..=a.max(b)).contains(&port),
        }
    }
}

#[derive(Clone, Debug)]
struct Entry {
    permit: bool,
    proto: Option<u8>,
    src: (u32, u32),
    dst: (u32, u32),
    sport: PortTest,
    dport: PortTest,
    established: bool,
    /// Ways to write the addresses: a group instead of address and mask.
    grouped: bool,
}

impl Entry {
    fn holds(&self, p: &Packet) -> bool {
        let inside = |(addr, wild): (u32, u32), a: u32| (addr ^ a) & !wild == 0;
        let ports = matches!(self.proto, Some(6 | 17));
        self.proto.is_none_or(|proto| proto == p.proto)
            && inside(self.src, p.src)
            && inside(self.dst, p.dst)
            && (!ports || self.sport.holds(p.sport) && self.dport.holds(p.dport))
            && (!(self.established && self.proto == Some(6)) || p.flags & 0b1_0100 != 0)
    }

    fn text(&self, number: usize, groups: &mut String) -> String {
        let mut address = |(addr, wild): (u32, u32), end: &str| {
            let a = Ipv4Addr::from(addr);
            let contiguous = wild.wrapping_add(1).is_power_of_two() || wild == u32::MAX;
            if self.grouped && contiguous {
                let mask = Ipv4Addr::from(!wild);
                let net = Ipv4Addr::from(addr & !wild);
                let name = format!("G{number}{end}");
                let _ = writeln!(groups, "object-group network {name}\n {net} {mask}");
                return format!("object-group {name}");
            }
            match wild {
                u32::MAX => "any".to_owned(),
                0 => format!("host {a}"),
                _ => format!("{a} {}", Ipv4Addr::from(wild)),
            }
        };
        let (src, dst) = (address(self.src, "s"), address(self.dst, "d"));
        let (proto, ports) = match self.proto {
            None => ("ip", false),
            Some(6) => ("tcp", true),
            Some(17) => ("udp", true),
            Some(_) => ("icmp", false),
        };
        let port = |t: PortTest| if ports { t.text() } else { String::new() };
        let verb = if self.permit { "permit" } else { "deny" };
        let tail = if self.established && self.proto == Some(6) {
            " established"
        } else {
            ""
        };
        let (sport, dport) = (port(self.sport), port(self.dport));
        format!("{verb} {proto} {src}{sport} {dst}{dport}{tail}")
    }
}

fn port_test() -> impl Strategy<Value = PortTest> {
    let p = || prop::sample::select(PORTS.to_vec());
    prop_oneof![
        Just(PortTest::Any),
        (p(), p()).prop_map(|(a, b)| PortTest::Eq(a, b)),
        p().prop_map(PortTest::Neq),
        p().prop_map(PortTest::Lt),
        p().prop_map(PortTest::Gt),
        (p(), p()).prop_map(|(a, b)| PortTest::Range(a, b)),
    ]
}

fn entry() -> impl Strategy<Value = Entry> {
    let address = || {
        let addr = prop::sample::select(ADDRESSES.to_vec());
        (addr, prop::sample::select(WILDS.to_vec()))
    };
    let proto = prop::sample::select(vec![None, Some(6), Some(17), Some(1)]);
    let flags = (any::<bool>(), any::<bool>(), any::<bool>());
    (proto, address(), address(), port_test(), port_test(), flags).prop_map(
        |(proto, src, dst, sport, dport, (permit, established, grouped))| Entry {
            permit,
            proto,
            src,
            dst,
            sport,
            dport,
            established,
            grouped,
        },
    )
}

fn packet() -> impl Strategy<Value = Packet> {
    let address = || {
        let known = prop::sample::select(ADDRESSES.to_vec());
        (known, prop::bits::u32::masked(0x0100_0301)).prop_map(|(a, flip)| a ^ flip)
    };
    let port = || {
        let near = (prop::sample::select(PORTS.to_vec()), 0..3u16);
        near.prop_map(|(p, d)| p.wrapping_add(d).wrapping_sub(1))
    };
    let proto = prop::sample::select(vec![1u8, 6, 17, 89]);
    let flags = prop::sample::select(vec![0u8, 2, 4, 16, 18]);
    (address(), address(), proto, port(), port(), flags).prop_map(
        |(src, dst, proto, sport, dport, flags)| Packet {
            vlan: 0,
            src,
            dst,
            proto,
            sport,
            dport,
            flags,
        },
    )
}

fn permits(list: &[Entry], packet: &Packet) -> bool {
    // IOS lets everything pass through an empty list.
    let first = list.iter().find(|e| e.holds(packet));
    first.map_or(list.is_empty(), |e| e.permit)
}

fn list_text(name: &str, list: &[Entry], base: usize, groups: &mut String) -> String {
    let mut text = String::new();
    let numbered = name.parse::<u32>().is_ok();
    if !numbered {
        let _ = writeln!(text, "ip access-list extended {name}\n remark a list");
    }
    for (i, e) in list.iter().enumerate() {
        let entry = e.text(base + i, groups);
        let _ = match numbered {
            true => writeln!(text, "access-list {name} {entry}"),
            false => writeln!(text, " {} {entry}", 10 * (i + 1)),
        };
    }
    text
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 128, ..ProptestConfig::default() })]

    #[test]
    fn routers_do_what_their_configuration_says(
        inbound in prop::collection::vec(entry(), 0..6),
        outbound in prop::collection::vec(entry(), 0..4),
        routes in prop::collection::vec(
            (prop::sample::select(ADDRESSES.to_vec()), 0..=32u8, 0..3usize), 0..6),
        packets in prop::collection::vec(packet(), 40),
    ) {
        let mut groups = String::new();
        let first = list_text("101", &inbound, 0, &mut groups);
        let second = list_text("OUT", &outbound, 100, &mut groups);
        let mask = |len: u8| u32::MAX.checked_shl(32 - u32::from(len)).unwrap_or(0);
        let targets = ["172.16.2.2", "GigabitEthernet3", "Null0"];
        let mut statics = String::new();
        let mut table: Vec<(u32, u8, usize)> = Vec::new();
        for (addr, len, target) in routes {
            let prefix = addr & mask(len);
            if table.iter().all(|(p, l, _)| (*p, *l) != (prefix, len)) {
                table.push((prefix, len, target));
                let (net, mask) = (Ipv4Addr::from(prefix), Ipv4Addr::from(mask(len)));
                let _ = writeln!(statics, "ip route {net} {mask} {}", targets[target]);
            }
        }
        let text = format!(
            "hostname r1\n{groups}interface GigabitEthernet1\n ip address 172.16.1.1 255.255.255.0\n ip access-group 101 in\n\
             interface GigabitEthernet2\n ip address 172.16.2.1 255.255.255.0\n ip access-group OUT out\n\
             interface GigabitEthernet3\n ip address 172.16.3.1 255.255.255.0\n{first}{second}{statics}end\n"
        );
        let net = read(&[("r1_config.txt", &text)]);
        for packet in packets {
            let best = table.iter().filter(|(p, l, _)| packet.dst & mask(*l) == *p);
            let best = best.max_by_key(|(_, l, _)| *l).map(|(_, _, t)| *t);
            // No list of that number is written when there is no entry: everything passes.
            let expected = match best.filter(|_| permits(&inbound, &packet)) {
                Some(0) if permits(&outbound, &packet) => BTreeSet::from([("gi2".to_owned(), 0)]),
                Some(1) => BTreeSet::from([("gi3".to_owned(), 0)]),
                _ => BTreeSet::new(),
            };
            prop_assert_eq!(leaves(&net, "gi1", packet), expected, "{:?}\n{}", packet, text);
        }
    }

    #[test]
    fn switches_flood_the_vlans_that_their_ports_carry(
        modes in prop::collection::vec((any::<bool>(), 1..5u16, prop::bits::u8::ANY), 3..6),
        frames in prop::collection::vec((0..5usize, 0..7u16), 30),
    ) {
        // Every port is an access port or a trunk with a native VLAN and a list of VLANs.
        let mut text = "hostname r1\nvlan 2-4\n".to_owned();
        let listed = |bits: u8| (1..=4u16).filter(move |v| bits >> v & 1 == 1);
        for (i, (trunk, vlan, bits)) in modes.iter().enumerate() {
            let _ = writeln!(text, "interface GigabitEthernet0/{i}");
            if *trunk {
                let list: Vec<String> = listed(*bits).map(|v| v.to_string()).collect();
                let list = if list.is_empty() { "none".to_owned() } else { list.join(",") };
                let _ = writeln!(text, " switchport mode trunk\n switchport trunk native vlan {vlan}\n switchport trunk allowed vlan {list}");
            } else {
                let _ = writeln!(text, " switchport mode access\n switchport access vlan {vlan}");
            }
        }
        let net = read(&[("r1_config.txt", &text)]);
        let carries = |port: usize, vlan: u16| {
            let (trunk, own, bits) = modes[port];
            if trunk { listed(bits).any(|v| v == vlan) } else { own == vlan }
        };
        for (port, tag) in frames {
            let port = port % modes.len();
            let (trunk, own, _) = modes[port];
            let vlan = match tag {
                0 => Some(own),
                tag if trunk && tag != own => Some(tag),
                _ => None,
            };
            let vlan = vlan.filter(|v| (1..=4).contains(v) && carries(port, *v));
            let mut expected = BTreeSet::new();
            for to in (0..modes.len()).filter(|to| *to != port) {
                if let Some(vlan) = vlan.filter(|v| carries(to, *v)) {
                    let tag = if modes[to].1 == vlan { 0 } else { vlan };
                    expected.insert((format!("gi0/{to}"), tag));
                }
            }
            let packet = Packet { vlan: tag, src: 1, dst: 2, proto: 6, sport: 3, dport: 4, flags: 0 };
            let found = leaves(&net, &format!("gi0/{port}"), packet);
            prop_assert_eq!(found, expected, "port {} tag {}\n{}", port, tag, text);
        }
    }
}

#[test]
fn sets_say_the_same_as_packets() {
    let text = "hostname r1\ninterface GigabitEthernet1\n ip address 10.0.0.1 255.255.255.0\n ip access-group F in\n\
        interface GigabitEthernet2\n ip address 10.0.1.1 255.255.255.0\nip access-list extended F\n\
        permit tcp any eq 80 any established\n deny ip any any log\n";
    let net = Arc::new(read(&[("r1_config.txt", text)]));
    let mut plane = Plane::compile(net.clone()).expect("a sound network");
    let from = net.find_port("r1:gi1").expect("a port");
    let reached = reach(&mut plane, &[(from, Set::ALL)]);
    let to = net.find_port("r1:gi2").expect("a port");
    // One VLAN, 2^32 sources, 255 destinations, one protocol, one source port, all destination
    // ports, and the flags with ACK or RST.
    let expected = num_bigint::BigUint::from(255u64 * 192) << (32 + 16);
    assert_eq!(plane.space.count(reached.leaving[&to]), expected);
}

/// What a box says of itself in several ways is one network.
#[test]
fn shown_lists_vlans_and_neighbours_complete_a_configuration() {
    let config = "hostname r1\ninterface GigabitEthernet0/1\n!\ninterface GigabitEthernet0/2\n switchport mode trunk\n\
        interface Vlan10\n ip address 10.0.10.1 255.255.255.0\n ip access-group 101 in\ninterface GigabitEthernet0/3\n no switchport\n ip address 10.0.3.1 255.255.255.0\n\
        interface Port-channel1\n no switchport\n ip address 10.0.4.1 255.255.255.0\ninterface GigabitEthernet0/4\n no switchport\n channel-group 1 mode active\n";
    let vlans = "VLAN Name Status Ports\n---- ----\n1    default   active\n10   staff     active    Gi0/1\n";
    let lists = "Extended IP access list 101\n    10 permit udp any any eq domain (7 matches)\n";
    let net = read(&[
        ("r1_config.txt", config),
        ("r1-show_vlan.txt", vlans),
        ("r1-show_access-lists.txt", lists),
    ]);
    let packet = |vlan, dst, proto, dport| Packet {
        vlan,
        src: 0x0a00_0a05,
        dst,
        proto,
        sport: 1,
        dport,
        flags: 0,
    };
    let one = |name: &str, tag| BTreeSet::from([(name.to_owned(), tag)]);
    assert_eq!(
        leaves(&net, "gi0/1", packet(0, 0x0a00_0a06, 6, 80)),
        one("gi0/2", 10)
    );
    assert_eq!(
        leaves(&net, "gi0/1", packet(0, 0x0a00_0306, 17, 53)),
        one("gi0/3", 0)
    );
    assert_eq!(
        leaves(&net, "gi0/2", packet(10, 0x0a00_0306, 17, 54)),
        BTreeSet::new()
    );
    // The member of a port channel is the channel.
    assert_eq!(
        leaves(&net, "gi0/4", packet(0, 0x0a00_0306, 6, 80)),
        one("gi0/3", 0)
    );
}

/// A list on a switched port filters what stays inside the VLAN, too.
#[test]
fn lists_on_switched_ports_filter_bridged_frames() {
    let config = "hostname r1\nvlan 5\ninterface GigabitEthernet0/1\n switchport access vlan 5\n ip access-group 7 in\n\
        interface GigabitEthernet0/2\n switchport access vlan 5\naccess-list 7 deny 10.0.0.1\naccess-list 7 permit any\n";
    let net = read(&[("r1_config.txt", config)]);
    let from = |src| Packet {
        vlan: 0,
        src,
        dst: 9,
        proto: 6,
        sport: 1,
        dport: 1,
        flags: 0,
    };
    assert_eq!(leaves(&net, "gi0/1", from(0x0a00_0001)), BTreeSet::new());
    let passes = BTreeSet::from([("gi0/2".to_owned(), 0)]);
    assert_eq!(leaves(&net, "gi0/1", from(0x0a00_0002)), passes);
}

/// A router ends what it prints of its configuration with `end`.
#[test]
fn a_printed_configuration_without_its_end_is_cut_short() {
    let text = "Building configuration...\n\nCurrent configuration : 4000 bytes\nhostname r1\ninterface Loopback0\n";
    let source = SourceText::from_bytes("r1_config.txt", text.as_bytes()).expect("text");
    let files = vec![(source, PathBuf::from("r1_config.txt"))];
    let e = read_sources(files, &Options::default(), &[]).expect_err("cut");
    assert!(e.to_string().starts_with("r1_config.txt:3: "), "{e}");
}

/// MST: a VLAN is forwarded where its instance forwards.
#[test]
fn instances_of_mst_block_their_vlans() {
    let config = "hostname r1\nspanning-tree mst configuration\n instance 1 vlan 10\nvlan 10,20\n\
        interface GigabitEthernet0/1\n switchport mode trunk\ninterface GigabitEthernet0/2\n switchport mode trunk\n";
    let tree = "MST0\nGi0/1 Desg FWD 4 128.1 P2p\nGi0/2 Desg FWD 4 128.2 P2p\nMST1\nGi0/1 Desg FWD 4 128.1 P2p\nGi0/2 Altn BLK 4 128.2 P2p\n";
    let net = read(&[("r1_config.txt", config), ("r1_spanning_tree.txt", tree)]);
    let packet = |vlan| Packet {
        vlan,
        src: 1,
        dst: 2,
        proto: 6,
        sport: 1,
        dport: 1,
        flags: 0,
    };
    assert_eq!(leaves(&net, "gi0/1", packet(10)), BTreeSet::new());
    let passes = BTreeSet::from([("gi0/2".to_owned(), 20)]);
    assert_eq!(leaves(&net, "gi0/1", packet(20)), passes);
}

/// A static route over a next hop that has two ways is balanced over both.
#[test]
fn next_hops_with_several_ways_are_followed_on_all() {
    let config = "hostname r1\ninterface GigabitEthernet1\n ip address 10.0.1.1 255.255.255.0\n\
        interface GigabitEthernet2\n ip address 10.0.2.1 255.255.255.0\ninterface GigabitEthernet3\n ip address 10.0.3.1 255.255.255.0\n\
        ip route 192.0.2.0 255.255.255.0 10.9.9.9\nip route 10.9.0.0 255.255.0.0 10.0.1.2\nip route 10.9.0.0 255.255.0.0 10.0.2.2\n\
        ip route 198.51.100.0 255.255.255.0 10.77.0.1\nip route 198.51.100.0 255.255.255.0 10.0.2.2 250\n";
    let net = read(&[("r1_config.txt", config)]);
    let to = |dst| Packet {
        vlan: 0,
        src: 1,
        dst,
        proto: 6,
        sport: 1,
        dport: 1,
        flags: 0,
    };
    let both = BTreeSet::from([("gi1".to_owned(), 0), ("gi2".to_owned(), 0)]);
    assert_eq!(leaves(&net, "gi3", to(0xc000_0205)), both);
    // The first choice has no way to its next hop; the floating route takes over.
    let second = BTreeSet::from([("gi2".to_owned(), 0)]);
    assert_eq!(leaves(&net, "gi3", to(0xc633_6405)), second);
}
