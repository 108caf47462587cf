// SPDX-License-Identifier: Apache-2.0 OR MIT
//! What a file is, judged by its content, and which box it is about, judged by its name.

use super::ios::{cef, shown_lists, shown_vlans, states, tables};
use super::openflow::groups::is_group_line;
use std::path::Path;

/// Kinds of files that some reader takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum FileKind {
    /// IOS `show running-config`.
    IosConfig,
    /// IOS `show ip cef`.
    IosCef,
    /// IOS `show ip route`.
    IosRoute,
    /// IOS `show arp`.
    IosArp,
    /// IOS `show mac address-table`.
    IosMac,
    /// IOS `show spanning-tree`.
    IosSpanningTree,
    /// IOS `show interfaces`.
    IosInterfaces,
    /// IOS `show access-lists`.
    IosAccessLists,
    /// IOS `show vlan`.
    IosVlans,
    /// IOS `show cdp neighbors detail` or `show lldp neighbors detail`.
    IosNeighbours,
    /// Junos `show route forwarding-table`.
    JunosForwarding,
    /// Junos `show interfaces`, XML.
    JunosInterfaces,
    /// Junos configuration as `set` lines.
    JunosConfig,
    /// Junos `show route | display json`.
    JunosRouteJson,
    /// Junos `show interfaces | display json`.
    JunosInterfacesJson,
    /// `ovs-ofctl dump-flows`.
    OpenFlow,
    /// `ovs-ofctl dump-groups`.
    OpenFlowGroups,
    /// A table of NetPlumber's JSON.
    NetPlumberTable,
    /// The topology of NetPlumber's JSON.
    NetPlumberTopology,
    /// Our own JSON.
    Native,
    /// A transfer function of Hassel.
    Hassel,
    /// Known, of no use to us (a licence, notes of people, other show commands).
    Other,
}

/// How many lines of a file are looked at.
const SNIFF_LINES: usize = 400;

/// Judges a file by its name and first lines; `None` if nothing fits.
pub fn sniff(name: &str, text: &str) -> Option<FileKind> {
    let file = Path::new(name).file_name()?.to_str()?.to_ascii_lowercase();
    if file.ends_with(".tf") {
        return Some(FileKind::Hassel);
    }
    if [
        "license",
        "readme",
        "host_nos",
        "sickbay",
        "ping_",
        "traceroute_",
    ]
    .iter()
    .any(|p| file.starts_with(p))
        || [
            ".sh", ".md", ".yaml", ".yml", ".py", ".toml", ".svg", ".html",
        ]
        .iter()
        .any(|s| file.ends_with(s))
    {
        return Some(FileKind::Other);
    }
    let start = text.trim_start();
    if start.starts_with('{') {
        return sniff_json(start);
    }
    if start.starts_with('<') {
        let head: String = start.chars().take(4000).collect();
        if head.contains("<interface-information") {
            return Some(FileKind::JunosInterfaces);
        }
        return head
            .contains("Routing table:")
            .then_some(FileKind::JunosForwarding);
    }
    text.lines().take(SNIFF_LINES).find_map(sniff_line)
}

fn sniff_json(start: &str) -> Option<FileKind> {
    // Only the beginning: whole files may be large, and reading them is the reader's work.
    let head: String = start
        .chars()
        .take(2000)
        .filter(|c| !c.is_whitespace())
        .collect();
    if head.contains("\"hsa-verify\"") {
        Some(FileKind::Native)
    } else if head.starts_with("{\"topology\"") {
        Some(FileKind::NetPlumberTopology)
    } else if head.contains("\"route-information\"") {
        Some(FileKind::JunosRouteJson)
    } else if head.contains("\"interface-information\"") {
        Some(FileKind::JunosInterfacesJson)
    } else if head.contains("\"instance-information\"") || head.contains("\"commands\"") {
        Some(FileKind::Other)
    } else if head.contains("\"arguments\"") {
        // Policies of NetPlumber: sources and probes, no network.
        Some(FileKind::Other)
    } else if head.contains("\"rules\"") || head.contains("\"in_ports\"") {
        Some(FileKind::NetPlumberTable)
    } else {
        None
    }
}

fn sniff_line(line: &str) -> Option<FileKind> {
    let text = line.trim_end();
    let word = |n: usize| text.split_whitespace().nth(n).unwrap_or("");
    if cef::is_heading(text) {
        Some(FileKind::IosCef)
    } else if text.starts_with("Codes:") && text.contains(" - ") || text.starts_with("% IP routing")
    {
        Some(FileKind::IosRoute)
    } else if text.starts_with("Protocol") && word(1) == "Address" {
        Some(FileKind::IosArp)
    } else if text.starts_with("VLAN")
        && text.len() >= 8
        && text[4..].bytes().all(|b| b.is_ascii_digit())
        || text.starts_with("MST0")
    {
        Some(FileKind::IosSpanningTree)
    } else if states::is_heading(text) {
        Some(FileKind::IosInterfaces)
    } else if shown_lists::is_heading(text) {
        Some(FileKind::IosAccessLists)
    } else if shown_vlans::is_heading(text) {
        Some(FileKind::IosVlans)
    } else if text.starts_with("Device ID:") || text.starts_with("Local Intf:") {
        Some(FileKind::IosNeighbours)
    } else if text.starts_with("Routing table:") {
        Some(FileKind::JunosForwarding)
    } else if is_junos_line(text) {
        Some(FileKind::JunosConfig)
    } else if is_group_line(text) {
        Some(FileKind::OpenFlowGroups)
    } else if text.trim_start().starts_with("cookie=")
        || text.starts_with("NXST_FLOW")
        || text.starts_with("OFPST_FLOW")
    {
        Some(FileKind::OpenFlow)
    } else if tables::is_mac_heading(text.trim()) && !text.starts_with("mac") {
        Some(FileKind::IosMac)
    } else if is_ios_statement(text) {
        Some(FileKind::IosConfig)
    } else {
        None
    }
}

/// A `set` line, or the brace that opens a part of the configuration.
fn is_junos_line(text: &str) -> bool {
    let set = text
        .strip_prefix("set ")
        .and_then(|t| t.split_whitespace().next());
    let brace = text.strip_suffix('{').map(str::trim_end);
    set.or(brace).is_some_and(is_junos_statement)
}

fn is_junos_statement(word: &str) -> bool {
    matches!(
        word,
        "version"
            | "system"
            | "interfaces"
            | "routing-options"
            | "protocols"
            | "chassis"
            | "firewall"
            | "policy-options"
            | "routing-instances"
            | "vlans"
            | "groups"
            | "snmp"
    )
}

fn is_ios_statement(text: &str) -> bool {
    text.starts_with("Building configuration")
        || text.starts_with("Current configuration")
        || text.starts_with("hostname ")
        || text.starts_with("access-list ")
        || text.starts_with("interface ")
        || text.starts_with("service timestamps")
        || text.starts_with("ip access-list ")
}

/// Ends of file names that say what a file is and not which box it is about.
const SUFFIXES: &[&str] = &[
    "_running_config",
    "_running-config",
    "_config",
    "_cfg",
    "_arp_table",
    "_arp",
    "_mac_table",
    "_mac",
    "_spanning_tree",
    "_stp",
    "_route",
    "_routes",
    "_cef",
    "_interfaces",
    "_cdp",
    "_lldp",
    "_vlan",
    "_vlans",
    "_access_lists",
    "_flows",
    ".flows",
    "_groups",
    ".groups",
];

/// Whole file names that say nothing about the box: it is named by its folder.
const GENERIC: &[&str] = &[
    "config",
    "running-config",
    "running_config",
    "startup-config",
    "arp",
    "mac",
    "cef",
    "route",
    "routes",
    "interfaces",
    "spanning-tree",
    "spanning_tree",
    "stp",
    "cdp",
    "lldp",
    "vlan",
    "vlans",
    "access-lists",
    "access_lists",
    "flows",
    "groups",
];

/// Name of the box that a file is about.
pub fn box_name(path: &Path) -> String {
    let stem = path.file_stem().and_then(|s| s.to_str()).unwrap_or("box");
    let lower = stem.to_ascii_lowercase();
    let folder = || {
        let parent = path
            .parent()
            .and_then(|p| p.file_name())
            .and_then(|s| s.to_str());
        parent.unwrap_or(stem).to_owned()
    };
    if lower.starts_with("show_")
        || lower.starts_with("sh_")
        || lower.starts_with("show ")
        || lower.starts_with("dump-flows")
        || lower.starts_with("dump-groups")
        || GENERIC.contains(&lower.as_str())
    {
        return folder();
    }
    for mark in ["-show_", "_show_", "-show-", "-dump-flows", "-dump-groups"] {
        if let Some(at) = lower.find(mark) {
            return stem[..at].to_owned();
        }
    }
    for suffix in SUFFIXES {
        if let Some(name) = lower.strip_suffix(suffix).filter(|n| !n.is_empty()) {
            return stem[..name.len()].to_owned();
        }
    }
    stem.to_owned()
}

/// VRF of a show command: the word after `vrf`.
pub fn vrf_of_command(command: &str) -> Option<String> {
    let mut words = command.split_whitespace();
    words.find(|w| w.eq_ignore_ascii_case("vrf"))?;
    words.next().map(str::to_owned)
}

/// VRF in a file name made of a show command: `show_ip_cef_vrf_RED.txt`.
pub fn vrf_of_file(path: &Path) -> Option<String> {
    let stem = path.file_stem()?.to_str()?;
    let at = stem.find("_vrf_")?;
    Some(stem[at + 5..].to_owned()).filter(|n| !n.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn boxes_are_named_by_file_or_folder() {
        let name = |p: &str| box_name(Path::new(p));
        assert_eq!(name("raw/bbra_rtr_arp_table.txt"), "bbra_rtr");
        assert_eq!(name("raw/bbra_rtr_config.txt"), "bbra_rtr");
        assert_eq!(name("configs/leaf1/show_running-config.txt"), "leaf1");
        assert_eq!(name("leaf1/config.txt"), "leaf1");
        assert_eq!(
            name("atla-show_route_forwarding-table_table_default.xml"),
            "atla"
        );
        assert_eq!(name("r1.cfg"), "r1");
        assert_eq!(name("s1.flows"), "s1");
    }

    #[test]
    fn content_decides_the_kind() {
        let kind = |t: &str| sniff("x.txt", t);
        assert_eq!(kind("\n!\nhostname a\n"), Some(FileKind::IosConfig));
        assert_eq!(
            kind("Prefix   Next Hop    Interface\n"),
            Some(FileKind::IosCef)
        );
        assert_eq!(
            kind("VLAN0002\n  Spanning tree"),
            Some(FileKind::IosSpanningTree)
        );
        assert_eq!(
            kind("  vlan   mac address     type"),
            Some(FileKind::IosMac)
        );
        assert_eq!(
            kind(" cookie=0x0, duration=1s, table=0"),
            Some(FileKind::OpenFlow)
        );
        assert_eq!(
            kind("set system host-name pe1"),
            Some(FileKind::JunosConfig)
        );
        assert_eq!(kind("nothing of the kind"), None);
    }
}
