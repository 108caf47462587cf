// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Every reader on noise, and on real and generated files that were cut or changed: it may refuse
//! them, and it must not panic, hang or hand on a network that contradicts itself.

mod data;

use hsa_verify::generate::campus::Campus;
use hsa_verify::read::ios::quirks::Quirks;
use hsa_verify::read::snapshot::{self, Options};
use proptest::prelude::*;
use std::fs;
use std::path::Path;

/// File names by which the readers are picked, and a text of that kind.
fn samples() -> Vec<(String, Vec<u8>)> {
    let mut samples: Vec<(String, Vec<u8>)> = (Campus {
        buildings: 2,
        faults: true,
    })
    .files()
    .into_iter()
    .filter(|(name, _)| name.starts_with("core1") || name.starts_with("b01-dist"))
    .map(|(name, text)| (name, text.into_bytes()))
    .collect();
    let more: [(&str, &str); 14] = [
        ("r1/show_vlan.txt", "VLAN Name Status Ports\n---- ----\n1    default   active    Gi1/0/3, Gi1/0/4\n                         Gi1/0/5\n10   staff     active    Gi1/0/1\n"),
        ("r1/show_access-lists.txt", "Extended IP access list guests\n    10 permit udp any any eq domain (7 matches)\n    20 deny ip host 10.0.0.1 any log\n"),
        ("r1/show_cdp.txt", "Device ID: r2\nInterface: Gi1/0/1,  Port ID (outgoing port): Gi1/0/2\nLocal Intf: Te1/1\nPort id: Te1/2\nSystem Name: r1\n"),
        ("r1/show_spanning-tree.txt", "MST0\nGi1/0/1 Desg FWD 4 128.1 P2p\nMST1\nGi1/0/2 Altn BLK 4 128.2 P2p\n"),
        ("s1.groups", "OFPST_GROUP_DESC reply (OF1.3):\n group_id=1,type=all,bucket=bucket_id:0,actions=mod_vlan_vid:9,group:7\n group_id=7,type=select,bucket=weight:100,actions=output:2\n"),
        ("r1/show_ip_route.txt", "Codes: L - local, C - connected\n\n      10.0.0.0/8 is variably subnetted, 2 subnets\nC        10.0.0.0/24 is directly connected, GigabitEthernet1\nS*    0.0.0.0/0 [1/0] via 10.0.0.2\nB     10.9.0.0/16 [20/0] via 10.0.0.3, 00:00:01\n"),
        ("r1/show_interfaces.txt", "GigabitEthernet1 is up, line protocol is up\n  Internet address is 10.0.0.1/24\n"),
        ("atla-show_route_forwarding-table.xml", "<vn>\nRouting table: default.inet\nInternet:\nDestination Type\ndefault perm 1 rjct 36 3\n1.8.1.0/24 user 0 indr 2097182 2819\n    64.57.28.112 ucst 1254 68 ge-6/1/0.0\n"),
        ("i.xml", "<vn><router name=\"atla\"><interface-information><physical-interface><name>ge-6/1/0</name><oper-status>up</oper-status><logical-interface><name>ge-6/1/0.0</name><address-family><address-family-name>inet</address-family-name></address-family></logical-interface></physical-interface></interface-information></router></vn>"),
        ("pe1/config.txt", "set system host-name pe1\nset interfaces ge-0/0/0 unit 0 family inet address 10.0.0.1/24\nset firewall family inet filter f term a from source-address 10.0.0.0/8\nset firewall family inet filter f term a then discard\nset interfaces ge-0/0/0 unit 0 family inet filter input f\n"),
        ("s1.flows", " cookie=0x0, table=0, priority=10,tcp,in_port=1,nw_dst=10.0.0.0/8,tp_dst=80 actions=mod_vlan_vid:5,output:2\n cookie=0x0, table=0, priority=1 actions=drop\n"),
        ("t.rules.json", "{\"id\":1,\"ports\":[1,2],\"rules\":[{\"action\":\"rw\",\"in_ports\":[1],\"out_ports\":[2],\"match\":\"xx01\",\"mask\":\"0111\",\"rewrite\":\"1000\"}]}"),
        ("n.json", "{\"format\":\"hsa-verify\",\"version\":1,\"header\":{\"length\":8,\"fields\":[{\"name\":\"a\",\"offset\":0,\"width\":8,\"kind\":\"number\"}]},\"boxes\":[{\"name\":\"r\",\"ports\":[{\"name\":\"1\"},{\"name\":\"2\"}],\"tables\":[{\"name\":\"t\",\"rules\":[{\"match\":{\"a\":\"3..7\"},\"do\":\"forward\",\"outputs\":[{\"leave\":\"2\"}]}]}]}],\"links\":[]}"),
        ("a.tf", "12$a$1$0$0$\n#\nrw$[100000]$0000000000000000xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx$None$None$None$None$[120001]$#$#$$$a_1$\n"),
    ];
    samples.extend(
        more.iter()
            .map(|(n, t)| ((*n).to_owned(), t.as_bytes().to_vec())),
    );
    samples
}

/// Small real files, where they are.
fn real_samples() -> Vec<(String, Vec<u8>)> {
    let Some(labs) = data::folder("labs") else {
        return Vec::new();
    };
    let mut found = Vec::new();
    for lab in [
        "ios_basic_vrrp/show/BR1",
        "iosxe_vrf_route_leaking_classic_eigrp/show/d3_pe",
        "junos_static_route_defaults/show/r1",
        "junos_l3vpn/configs/pe1",
    ] {
        let Ok(entries) = fs::read_dir(labs.join(lab)) else {
            continue;
        };
        for entry in entries.flatten() {
            let name = format!("box/{}", entry.file_name().to_string_lossy());
            found.extend(fs::read(entry.path()).ok().map(|bytes| (name, bytes)));
        }
    }
    found
}

/// Reads one file as a network; whatever comes out must be sound.
fn feed(name: &str, bytes: &[u8]) {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join(name);
    fs::create_dir_all(path.parent().expect("below the folder")).expect("a folder");
    fs::write(&path, bytes).expect("a file");
    if name.ends_with(".tf") {
        let companions = [
            ("stages", "2\n"),
            ("port_map.txt", "$a\nge1:100001\nge2:100002\n"),
            (
                "topology.tf",
                "12$link$1$0$0$\n#\nlink$[120001]$None$None$None$None$None$[100002]$#$#$$$_1$\n",
            ),
        ];
        for (name, text) in companions {
            fs::write(folder.path().join(name), text).expect("a file");
        }
    }
    for quirks in [Quirks::default(), Quirks::hassel()] {
        let options = Options {
            quirks,
            ..Options::default()
        };
        check(folder.path(), &options);
    }
}

fn check(path: &Path, options: &Options) {
    match snapshot::read(path, options) {
        Ok(network) => network
            .validate()
            .expect("a network that was read is sound"),
        Err(e) => assert!(!e.to_string().is_empty()),
    }
}

/// A change of a file.
#[derive(Debug, Clone)]
enum Damage {
    Cut(prop::sample::Index),
    Byte(prop::sample::Index, u8),
    DropLine(prop::sample::Index),
    SwapLines(prop::sample::Index, prop::sample::Index),
    Repeat(prop::sample::Index),
    Word(prop::sample::Index, &'static str),
}

fn damage() -> impl Strategy<Value = Damage> {
    let at = any::<prop::sample::Index>;
    let words = prop::sample::select(vec![
        "",
        "0",
        "-1",
        "4294967296",
        "255.255.255.256",
        "10.0.0.0/33",
        "any",
        "eq",
        "99999999999999999999",
        "\u{fffd}",
        "{",
        "}",
        "[",
        ",",
        "..",
        "via",
        "interface",
        "permit",
        "65536",
        "ge-0/0/0.0",
    ]);
    prop_oneof![
        at().prop_map(Damage::Cut),
        (at(), any::<u8>()).prop_map(|(i, b)| Damage::Byte(i, b)),
        at().prop_map(Damage::DropLine),
        (at(), at()).prop_map(|(i, j)| Damage::SwapLines(i, j)),
        at().prop_map(Damage::Repeat),
        (at(), words).prop_map(|(i, w)| Damage::Word(i, w)),
    ]
}

fn apply(bytes: &[u8], damage: &Damage) -> Vec<u8> {
    if bytes.is_empty() {
        return Vec::new();
    }
    let mut lines: Vec<Vec<u8>> = bytes.split(|b| *b == b'\n').map(<[u8]>::to_vec).collect();
    match damage {
        Damage::Cut(i) => return bytes[..i.index(bytes.len())].to_vec(),
        Damage::Byte(i, b) => {
            let mut changed = bytes.to_vec();
            changed[i.index(bytes.len())] = *b;
            return changed;
        }
        Damage::DropLine(i) => {
            lines.remove(i.index(lines.len()));
        }
        Damage::SwapLines(i, j) => {
            let (i, j) = (i.index(lines.len()), j.index(lines.len()));
            lines.swap(i, j);
        }
        Damage::Repeat(i) => {
            let line = lines[i.index(lines.len())].clone();
            lines.push(line);
        }
        Damage::Word(i, word) => {
            let line = i.index(lines.len());
            let text = String::from_utf8_lossy(&lines[line]).into_owned();
            let mut words: Vec<&str> = text.split(' ').collect();
            let at = i.index(words.len());
            words[at] = word;
            lines[line] = words.join(" ").into_bytes();
        }
    }
    lines.join(&b'\n')
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, ..ProptestConfig::default() })]

    #[test]
    fn noise_is_refused_or_understood(
        bytes in prop::collection::vec(any::<u8>(), 0..400),
        which in any::<prop::sample::Index>(),
    ) {
        let samples = samples();
        let (name, text) = &samples[which.index(samples.len())];
        feed(name, &bytes);
        // Noise behind a beginning that picks the reader.
        let mut text = text.clone();
        text.extend(bytes.iter().filter(|b| **b >= b' '));
        feed(name, &text);
    }

    #[test]
    fn damaged_files_are_refused_or_understood(
        which in any::<prop::sample::Index>(),
        damages in prop::collection::vec(damage(), 1..4),
    ) {
        let samples = samples();
        let (name, text) = &samples[which.index(samples.len())];
        let bytes = damages.iter().fold(text.clone(), |bytes, d| apply(&bytes, d));
        feed(name, &bytes);
    }

    #[test]
    fn damaged_real_files_are_refused_or_understood(
        which in any::<prop::sample::Index>(),
        damages in prop::collection::vec(damage(), 1..4),
    ) {
        let samples = real_samples();
        if !samples.is_empty() {
            let (name, text) = &samples[which.index(samples.len())];
            let bytes = damages.iter().fold(text.clone(), |bytes, d| apply(&bytes, d));
            feed(name, &bytes);
        }
    }
}

/// Every prefix of every sample: a dump may be cut anywhere.
#[test]
fn every_truncation_is_refused_or_understood() {
    for (name, text) in samples() {
        let step = (text.len() / 60).max(1);
        for end in (0..text.len()).step_by(step) {
            feed(&name, &text[..end]);
        }
    }
}

/// Next hops that lead to each other are worked out once each: found by fuzzing, where eight
/// levels of six ways took seconds.
#[test]
fn next_hops_that_lead_to_each_other_cost_no_time() {
    let hops: Vec<String> = (2..12).map(|i| format!("10.0.0.{i}")).collect();
    let start = std::time::Instant::now();
    let mut junos = "set interfaces ge-0/0/0 unit 0 family inet address 10.9.0.1/24\n".to_owned();
    let mut ios = "interface GigabitEthernet1\n ip address 10.9.0.1 255.255.255.0\n".to_owned();
    ios.push_str("ip route 10.0.0.0 255.255.0.0 10.9.0.2\n");
    for hop in &hops {
        junos.push_str(&format!(
            "set routing-options static route 10.0.0.0/16 next-hop {hop}\n"
        ));
        ios.push_str(&format!("ip route 10.0.0.0 255.255.0.0 {hop}\n"));
    }
    feed("pe1/config.txt", junos.as_bytes());
    feed("r1/config.txt", ios.as_bytes());
    assert!(start.elapsed().as_secs() < 5, "{:?}", start.elapsed());
}
