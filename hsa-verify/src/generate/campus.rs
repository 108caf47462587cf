// SPDX-License-Identifier: Apache-2.0 OR MIT
//! A campus of Cisco boxes as their own output: configurations, CEF, ARP, MAC and spanning-tree
//! tables, links and a policy. For demonstrations and tests where no real network is at hand.
//!
//! ```text
//!            internet
//!               |
//!            core1 ======= core2
//!              |  \       /  |          routed links
//!              |    \   /    |
//!            b01-dist ... bNN-dist      gateway of VLAN 10 (staff) and 20 (guests)
//!             /    \                    trunks
//!        b01-acc1--b01-acc2             the link between them is blocked by spanning tree
//!         |    |    |    |
//!      staff guests staff guests
//! ```
//!
//! Guests may go to the internet and nowhere else. Two faults can be planted: a route to a
//! building that is gone, over which the cores send packets to each other for ever, and an access
//! list in one building that lets guests open port 443 everywhere.

use std::fmt::Write;

/// The campus to make.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Campus {
    /// Buildings, 2 to 60.
    pub buildings: u8,
    /// Whether to plant the loop and the leak.
    pub faults: bool,
}

/// VLAN of staff.
pub const STAFF: u16 = 10;
/// VLAN of guests.
pub const GUESTS: u16 = 20;
/// Second byte of the network of the building that is gone.
const GONE: u8 = 200;

/// A route in `show ip cef`: prefix, and next hop with interface for each way.
struct CefLine(String, Vec<(String, String)>);

impl Campus {
    /// Name of the building whose guests get out.
    pub fn leaking_building(&self) -> u8 {
        self.buildings.min(3)
    }

    /// Files by name, relative to the folder of the network.
    pub fn files(&self) -> Vec<(String, String)> {
        let mut files = Vec::new();
        for core in 1..=2 {
            files.push((format!("core{core}_config.txt"), self.core_config(core)));
            files.push((format!("core{core}_route.txt"), self.core_routes(core)));
        }
        for b in 1..=self.buildings {
            let dist = format!("b{b:02}-dist");
            files.push((format!("{dist}_config.txt"), self.dist_config(b)));
            files.push((format!("{dist}_route.txt"), dist_routes(b)));
            files.push((format!("{dist}_arp_table.txt"), dist_arp(b)));
            files.push((format!("{dist}_mac_table.txt"), dist_macs(b)));
            let ports = [("Gi1/0/1", true), ("Gi1/0/2", true)];
            files.push((
                format!("{dist}_spanning_tree.txt"),
                spanning_tree(&ports, &[]),
            ));
            for a in 1..=2 {
                let name = format!("b{b:02}-acc{a}");
                files.push((format!("{name}_config.txt"), access_config(b, a)));
                let trunks = [("Gi0/1", true), ("Gi0/2", a == 1)];
                let access = [("Gi0/3", STAFF), ("Gi0/4", STAFF), ("Gi0/5", GUESTS)];
                files.push((
                    format!("{name}_spanning_tree.txt"),
                    spanning_tree(&trunks, &access),
                ));
            }
        }
        files.push(("links.txt".to_owned(), self.links()));
        files.push(("policy.toml".to_owned(), self.policy()));
        files
    }

    fn core_config(&self, core: u8) -> String {
        let mut text = format!(
            "version 15.2\nhostname core{core}\n!\naccess-list 150 deny   ip 10.0.0.0 0.255.255.255 any\n\
             access-list 150 permit tcp any any established\naccess-list 150 permit udp any eq domain any\n\
             access-list 150 permit icmp any any echo-reply\naccess-list 151 deny   tcp any any eq 445\n\
             access-list 151 permit ip 10.0.0.0 0.255.255.255 any\n!\ninterface Loopback0\n \
             ip address 172.31.0.{core} 255.255.255.255\n!\n"
        );
        for b in 1..=self.buildings {
            let base = 4 * (core - 1);
            let _ = write!(
                text,
                "interface TenGigabitEthernet1/{b}\n description to b{b:02}-dist\n no switchport\n \
                 ip address 172.16.{b}.{} 255.255.255.252\n!\n",
                base + 1
            );
        }
        let _ = write!(
            text,
            "interface TenGigabitEthernet2/1\n description to the other core\n no switchport\n \
             ip address 172.31.255.{core} 255.255.255.252\n!\n"
        );
        if core == 1 {
            text.push_str(
                "interface TenGigabitEthernet2/2\n description internet\n no switchport\n \
                 ip address 203.0.113.2 255.255.255.252\n ip access-group 150 in\n \
                 ip access-group 151 out\n!\n",
            );
        }
        text.push_str("router ospf 1\n network 172.16.0.0 0.15.255.255 area 0\n!\nend\n");
        text
    }

    fn core_routes(&self, core: u8) -> String {
        let other = 3 - core;
        let mut lines = vec![
            CefLine(
                "10.0.0.0/8".into(),
                vec![("attached".into(), "Null0".into())],
            ),
            CefLine(
                "0.0.0.0/0".into(),
                vec![if core == 1 {
                    ("203.0.113.1".into(), "TenGigabitEthernet2/2".into())
                } else {
                    ("172.31.255.1".into(), "TenGigabitEthernet2/1".into())
                }],
            ),
            connected("172.31.255.0/30", "TenGigabitEthernet2/1"),
            own(&format!("172.31.255.{core}"), "TenGigabitEthernet2/1"),
            own(&format!("172.31.0.{core}"), "Loopback0"),
        ];
        if core == 1 {
            lines.push(connected("203.0.113.0/30", "TenGigabitEthernet2/2"));
            lines.push(own("203.0.113.2", "TenGigabitEthernet2/2"));
        }
        for b in 1..=self.buildings {
            let base = 4 * (core - 1);
            let port = format!("TenGigabitEthernet1/{b}");
            let hop = format!("172.16.{b}.{}", base + 2);
            lines.push(CefLine(format!("10.{b}.0.0/16"), vec![(hop, port.clone())]));
            let network = format!("172.16.{b}.{base}");
            lines.push(connected(&format!("{network}/30"), &port));
            lines.extend(ends(&network, &port));
            lines.push(own(&format!("172.16.{b}.{}", base + 1), &port));
        }
        lines.extend(ends("172.31.255.0", "TenGigabitEthernet2/1"));
        if self.faults {
            let hop = format!("172.31.255.{other}");
            let prefix = format!("10.{GONE}.0.0/16");
            lines.push(CefLine(prefix, vec![(hop, "TenGigabitEthernet2/1".into())]));
        }
        cef(&lines)
    }

    fn dist_config(&self, b: u8) -> String {
        let mut text = format!(
            "version 15.2\nhostname b{b:02}-dist\n!\nvlan {STAFF}\n name staff\nvlan {GUESTS}\n name guests\n!\n\
             ip access-list extended staff-in\n remark guests have the third byte 20\n \
             deny   ip any 10.0.20.0 0.255.0.255\n permit ip any any\n!\nip access-list extended guests-in\n"
        );
        if self.faults && b == self.leaking_building() {
            text.push_str(" permit tcp any any eq 443\n");
        }
        text.push_str(" deny   ip any 10.0.0.0 0.255.255.255\n permit ip any any\n!\n");
        for core in 1..=2u8 {
            let _ = write!(
                text,
                "interface TenGigabitEthernet1/1/{core}\n description to core{core}\n no switchport\n \
                 ip address 172.16.{b}.{} 255.255.255.252\n!\n",
                4 * (core - 1) + 2
            );
        }
        for a in 1..=2 {
            let _ = write!(
                text,
                "interface GigabitEthernet1/0/{a}\n description to b{b:02}-acc{a}\n switchport\n \
                 switchport trunk encapsulation dot1q\n switchport trunk allowed vlan {STAFF},{GUESTS}\n \
                 switchport mode trunk\n!\n"
            );
        }
        for (vlan, list) in [(STAFF, "staff-in"), (GUESTS, "guests-in")] {
            let _ = write!(
                text,
                "interface Vlan{vlan}\n ip address 10.{b}.{vlan}.1 255.255.255.0\n ip access-group {list} in\n!\n"
            );
        }
        text.push_str("end\n");
        text
    }

    fn links(&self) -> String {
        let mut text = String::from("# boxA portA boxB portB\ncore1 te2/1 core2 te2/1\n");
        for b in 1..=self.buildings {
            for core in 1..=2 {
                let _ = writeln!(text, "core{core} te1/{b} b{b:02}-dist te1/1/{core}");
            }
            for a in 1..=2 {
                let _ = writeln!(text, "b{b:02}-dist gi1/0/{a} b{b:02}-acc{a} gi0/1");
            }
            let _ = writeln!(text, "b{b:02}-acc1 gi0/2 b{b:02}-acc2 gi0/2");
        }
        text
    }

    fn policy(&self) -> String {
        let ports = |port: &str| {
            let names = (1..=self.buildings)
                .flat_map(|b| (1..=2).map(move |a| format!("\"b{b:02}-acc{a}:{port}\"")));
            names.collect::<Vec<_>>().join(", ")
        };
        format!(
            "# What the campus promises. Paths are relative to this file.\nnetwork = \".\"\nlinks = [\"links.txt\"]\n\n\
             [[assert]]\nquestion = \"loops\"\nname = \"no packet goes round\"\n\n\
             [[assert]]\nquestion = \"reach\"\nname = \"guests cannot open connections to staff\"\nfrom = [{guests}]\n\
             to = [{staff}]\nwhere = \"vlan=0 ip_dst=10.0.10.0&0xff00ff00\"\nexpect = \"none\"\n\n\
             [[assert]]\nquestion = \"reach\"\nname = \"staff get to the internet\"\nfrom = [{staff}]\nto = [\"core1:te2/2\"]\n\
             where = \"vlan=0 ip_src=10.0.10.0&0xff00ff00 ip_dst=198.51.100.0/24 tp_dst=443\"\nexpect = \"all\"\n\n\
             [[assert]]\nquestion = \"isolation\"\nname = \"staff and guest VLANs are isolated\"\n\
             slices = [\"staff=vlan={STAFF}\", \"guests=vlan={GUESTS}\"]\n\n\
             [[assert]]\nquestion = \"waypoint\"\nname = \"the internet is behind core1\"\nfrom = [\"b01-acc1\"]\nto = [\"core1:te2/2\"]\n\
             through = [\"core1\"]\n",
            guests = ports("gi0/5"),
            staff = ports("gi0/3"),
        )
    }
}

fn connected(prefix: &str, interface: &str) -> CefLine {
    CefLine(
        prefix.to_owned(),
        vec![("attached".into(), interface.to_owned())],
    )
}

/// First and last address of a point-to-point network, which IOS keeps for itself.
fn ends(network: &str, interface: &str) -> [CefLine; 2] {
    let (start, last) = network.rsplit_once('.').unwrap_or((network, "0"));
    let last: u8 = last.parse().unwrap_or(0);
    let broadcast = format!("{start}.{}", last + 3);
    [own(network, interface), own(&broadcast, interface)]
}

fn own(address: &str, interface: &str) -> CefLine {
    CefLine(
        format!("{address}/32"),
        vec![("receive".into(), interface.to_owned())],
    )
}

fn cef(lines: &[CefLine]) -> String {
    let mut text = format!("{:<20} {:<20} Interface\n", "Prefix", "Next Hop");
    for CefLine(prefix, hops) in lines {
        for (i, (hop, interface)) in hops.iter().enumerate() {
            let prefix = if i == 0 { prefix } else { "" };
            let _ = writeln!(text, "{prefix:<20} {hop:<20} {interface}");
        }
    }
    text
}

/// Hosts of a building that have spoken: VLAN, last byte, access switch.
const HOSTS: [(u16, u8, u8); 4] = [
    (STAFF, 11, 1),
    (STAFF, 12, 2),
    (GUESTS, 11, 1),
    (GUESTS, 12, 2),
];

fn mac(b: u8, vlan: u16, host: u8) -> String {
    format!("0200.{b:02x}{vlan:02x}.00{host:02x}")
}

fn dist_routes(b: u8) -> String {
    let ways = (1..=2u8)
        .map(|core| {
            (
                format!("172.16.{b}.{}", 4 * (core - 1) + 1),
                format!("TenGigabitEthernet1/1/{core}"),
            )
        })
        .collect();
    let mut lines = vec![CefLine("0.0.0.0/0".into(), ways)];
    lines.push(CefLine(
        format!("10.{b}.0.0/16"),
        vec![("attached".into(), "Null0".into())],
    ));
    for core in 1..=2u8 {
        let port = format!("TenGigabitEthernet1/1/{core}");
        lines.extend(ends(&format!("172.16.{b}.{}", 4 * (core - 1)), &port));
        lines.push(connected(
            &format!("172.16.{b}.{}/30", 4 * (core - 1)),
            &port,
        ));
        lines.push(own(&format!("172.16.{b}.{}", 4 * (core - 1) + 2), &port));
    }
    for vlan in [STAFF, GUESTS] {
        lines.push(connected(
            &format!("10.{b}.{vlan}.0/24"),
            &format!("Vlan{vlan}"),
        ));
        lines.push(own(&format!("10.{b}.{vlan}.1"), &format!("Vlan{vlan}")));
    }
    for (vlan, host, _) in HOSTS {
        let address = format!("10.{b}.{vlan}.{host}");
        lines.push(CefLine(
            format!("{address}/32"),
            vec![(address, format!("Vlan{vlan}"))],
        ));
    }
    cef(&lines)
}

fn dist_arp(b: u8) -> String {
    let mut text =
        String::from("Protocol  Address          Age (min)  Hardware Addr   Type   Interface\n");
    for (vlan, host, _) in HOSTS {
        let address = format!("10.{b}.{vlan}.{host}");
        let _ = writeln!(
            text,
            "Internet  {address:<16}       12   {}  ARPA   Vlan{vlan}",
            mac(b, vlan, host)
        );
    }
    text
}

fn dist_macs(b: u8) -> String {
    let mut text = String::from(
        "          Mac Address Table\n-------------------------------------------\n\n\
         Vlan    Mac Address       Type        Ports\n----    -----------       --------    -----\n",
    );
    for (vlan, host, access) in HOSTS {
        let _ = writeln!(
            text,
            "{vlan:>4}    {}    DYNAMIC     Gi1/0/{access}",
            mac(b, vlan, host)
        );
    }
    text
}

fn access_config(b: u8, a: u8) -> String {
    let mut text = format!(
        "version 15.2\nhostname b{b:02}-acc{a}\n!\nvlan {STAFF}\n name staff\nvlan {GUESTS}\n name guests\n!\n"
    );
    for port in 1..=2 {
        let _ = write!(
            text,
            "interface GigabitEthernet0/{port}\n switchport trunk encapsulation dot1q\n \
             switchport trunk allowed vlan {STAFF},{GUESTS}\n switchport mode trunk\n!\n"
        );
    }
    for (port, vlan) in [(3, STAFF), (4, STAFF), (5, GUESTS)] {
        let _ = write!(
            text,
            "interface GigabitEthernet0/{port}\n switchport access vlan {vlan}\n switchport mode access\n \
             spanning-tree portfast\n!\n"
        );
    }
    text.push_str("interface GigabitEthernet0/6\n shutdown\n!\nend\n");
    text
}

fn spanning_tree(trunks: &[(&str, bool)], access: &[(&str, u16)]) -> String {
    let mut text = String::new();
    for vlan in [STAFF, GUESTS] {
        let _ = write!(
            text,
            "VLAN{vlan:04}\n  Spanning tree enabled protocol rstp\n\n\
             Interface           Role Sts Cost      Prio.Nbr Type\n\
             ------------------- ---- --- --------- -------- ----------------\n"
        );
        for (i, (port, forwards)) in trunks.iter().enumerate() {
            let state = if *forwards { "Desg FWD" } else { "Altn BLK" };
            let _ = writeln!(text, "{port:<19} {state} 4         128.{:<4} P2p", i + 1);
        }
        for (i, (port, own)) in access.iter().enumerate() {
            if *own == vlan {
                let _ = writeln!(
                    text,
                    "{port:<19} Desg FWD 19        128.{:<4} P2p Edge",
                    i + 9
                );
            }
        }
        text.push('\n');
    }
    text
}
