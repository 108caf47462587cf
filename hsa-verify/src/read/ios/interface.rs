// SPDX-License-Identifier: Apache-2.0 OR MIT
//! One `interface` stanza of a configuration.

use super::config::{ipv4, mask_len};
use super::effects::{interface_effect, Effect};
use super::vlans::VlanSet;
use crate::read::notes::{NoteKind, Notes};
use crate::read::source::{Line, SourceText};
use crate::read::ReadError;

/// Mode of a switched port.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PortMode {
    /// One VLAN, untagged.
    Access,
    /// Several VLANs, tagged but for the native one.
    Trunk,
}

/// An address on an interface.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Address {
    /// The box's own address, host order.
    pub addr: u32,
    /// Prefix length.
    pub len: u8,
    /// Line in the file.
    pub line: usize,
}

/// `encapsulation dot1Q N` of a sub-interface.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Tag {
    /// VLAN number.
    pub vlan: u16,
    /// Whether its frames are untagged.
    pub native: bool,
    /// Line in the file.
    pub line: usize,
}

/// What an `interface` stanza says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Interface {
    /// Canonical name.
    pub name: String,
    /// Line of the `interface` command.
    pub line: usize,
    /// `switchport` or one of its sub-commands was seen (`true`), or `no switchport` (`false`).
    pub switchport: Option<bool>,
    /// `switchport mode`.
    pub mode: Option<PortMode>,
    /// `switchport access vlan`, with its line.
    pub access_vlan: Option<(u16, usize)>,
    /// `switchport voice vlan`: tagged frames on an access port.
    pub voice_vlan: Option<u16>,
    /// `switchport trunk native vlan`.
    pub native_vlan: Option<u16>,
    /// `switchport trunk allowed vlan`, all its lines together.
    pub allowed: Option<VlanSet>,
    /// `encapsulation dot1Q`.
    pub tag: Option<Tag>,
    /// IPv4 addresses, the primary one first.
    pub addresses: Vec<Address>,
    /// Line of `no ip address`.
    pub no_address: Option<usize>,
    /// `ip access-group ... in`, with its line.
    pub acl_in: Option<(String, usize)>,
    /// `ip access-group ... out`, with its line.
    pub acl_out: Option<(String, usize)>,
    /// Line of `shutdown`.
    pub shutdown: Option<usize>,
    /// VRF.
    pub vrf: Option<String>,
    /// Number of the port channel that the port is a member of.
    pub channel_group: Option<u32>,
}

impl Interface {
    /// An empty stanza.
    pub fn new(name: String, line: usize) -> Self {
        Self {
            name,
            line,
            switchport: None,
            mode: None,
            access_vlan: None,
            voice_vlan: None,
            native_vlan: None,
            allowed: None,
            tag: None,
            addresses: Vec::new(),
            no_address: None,
            acl_in: None,
            acl_out: None,
            shutdown: None,
            vrf: None,
            channel_group: None,
        }
    }

    /// Whether the interface is a switched port rather than a routed one.
    pub fn is_switched(&self) -> bool {
        self.switchport == Some(true) && self.addresses.is_empty()
    }

    /// Mode of a switched port; without `switchport mode`, a port with trunk settings is a trunk.
    pub fn port_mode(&self) -> PortMode {
        self.mode
            .unwrap_or(if self.allowed.is_some() || self.native_vlan.is_some() {
                PortMode::Trunk
            } else {
                PortMode::Access
            })
    }
}

/// Reads one line of an `interface` stanza.
///
/// # Errors
/// A line that decides where packets go and does not parse.
pub fn read_interface_line(
    interface: &mut Interface,
    source: &SourceText,
    line: Line<'_>,
    notes: &mut Notes,
) -> Result<(), ReadError> {
    let words = line.words();
    let bad = |what: String| source.error(line.number, format!("{}: {what}", interface.name));
    match words.as_slice() {
        ["switchport"] => interface.switchport = Some(true),
        ["no", "switchport"] => interface.switchport = Some(false),
        ["switchport", rest @ ..] => {
            // Settings of a switched port stay listed after `no switchport`.
            interface.switchport.get_or_insert(true);
            let known = switchport(interface, rest, line.number)
                .map_err(|e| source.error(line.number, format!("{}: {e}", interface.name)))?;
            if !known {
                note(notes, source, line, line.text.trim());
            }
        }
        ["no", "ip", "address", ..] => interface.no_address = Some(line.number),
        ["ip", "address", rest @ ..] => match rest {
            ["dhcp" | "negotiated", ..] => {
                notes.command(
                    NoteKind::NotModelled,
                    line.text.trim(),
                    &source.name,
                    line.number,
                );
            }
            [one, ..] if one.contains('/') => {
                let found = super::route::address_with_len(rest);
                let (addr, len) = found.ok_or_else(|| bad(format!("{one:?} is no address")))?;
                let line = line.number;
                interface.addresses.push(Address { addr, len, line });
            }
            [addr, mask, ..] => {
                let addr = ipv4(addr).ok_or_else(|| bad(format!("{addr:?} is no IPv4 address")))?;
                let len = ipv4(mask)
                    .and_then(mask_len)
                    .ok_or_else(|| bad(format!("{mask:?} is no network mask")))?;
                interface.addresses.push(Address {
                    addr,
                    len,
                    line: line.number,
                });
            }
            _ => return Err(bad("ip address: address and mask are missing".to_owned())),
        },
        ["ip", "access-group", name, way] => {
            let group = Some(((*name).to_owned(), line.number));
            match *way {
                "in" => interface.acl_in = group,
                "out" => interface.acl_out = group,
                _ => {
                    return Err(bad(format!(
                        "ip access-group: {way:?} is neither in nor out"
                    )))
                }
            }
        }
        ["ip", "access-group", ..] => {
            return Err(bad(
                "ip access-group: list and direction expected".to_owned()
            ));
        }
        ["shutdown"] => interface.shutdown = Some(line.number),
        ["no", "shutdown"] => interface.shutdown = None,
        ["vrf", "forwarding", name]
        | ["ip", "vrf", "forwarding", name]
        | ["vrf", "member", name] => {
            interface.vrf = Some((*name).to_owned());
        }
        ["channel-group", number, ..] => {
            let number = number
                .parse()
                .map_err(|_| bad(format!("channel-group {number:?} is no number")))?;
            interface.channel_group = Some(number);
        }
        ["encapsulation", kind, vlan, rest @ ..] if kind.eq_ignore_ascii_case("dot1q") => {
            let vlan = vlan_number(vlan).map_err(bad)?;
            if rest.iter().any(|w| w.eq_ignore_ascii_case("second-dot1q")) {
                return Err(source.error(
                    line.number,
                    format!(
                        "{}: two tags (second-dot1q) are not supported",
                        interface.name
                    ),
                ));
            }
            let native = rest.contains(&"native");
            interface.tag = Some(Tag {
                vlan,
                native,
                line: line.number,
            });
        }
        _ => note(notes, source, line, line.text.trim()),
    }
    Ok(())
}

/// `false` if the command is not one that we know.
fn switchport(interface: &mut Interface, words: &[&str], line: usize) -> Result<bool, String> {
    match words {
        ["mode", "access"] => interface.mode = Some(PortMode::Access),
        ["mode", "trunk"] => interface.mode = Some(PortMode::Trunk),
        ["access", "vlan", vlan] => interface.access_vlan = Some((vlan_number(vlan)?, line)),
        ["voice", "vlan", vlan] if vlan.starts_with(|c: char| c.is_ascii_digit()) => {
            interface.voice_vlan = Some(vlan_number(vlan)?);
        }
        ["trunk", "native", "vlan", vlan] => interface.native_vlan = Some(vlan_number(vlan)?),
        ["trunk", "allowed", "vlan", "add", list @ ..] => {
            let set = VlanSet::parse(&list.concat())?;
            interface
                .allowed
                .get_or_insert_with(VlanSet::none)
                .add(&set);
        }
        ["trunk", "allowed", "vlan", "remove", list @ ..] => {
            let set = VlanSet::parse(&list.concat())?;
            interface
                .allowed
                .get_or_insert_with(VlanSet::all)
                .remove(&set);
        }
        ["trunk", "allowed", "vlan", "except", list @ ..] => {
            let mut set = VlanSet::all();
            set.remove(&VlanSet::parse(&list.concat())?);
            interface.allowed = Some(set);
        }
        ["trunk", "allowed", "vlan", "all"] => interface.allowed = Some(VlanSet::all()),
        ["trunk", "allowed", "vlan", "none"] => interface.allowed = Some(VlanSet::none()),
        ["trunk", "allowed", "vlan", list @ ..] if !list.is_empty() => {
            interface.allowed = Some(VlanSet::parse(&list.concat())?);
        }
        ["trunk", "encapsulation", ..] | ["nonegotiate"] => {}
        _ => return Ok(false),
    }
    Ok(true)
}

fn vlan_number(text: &str) -> Result<u16, String> {
    text.parse()
        .ok()
        .filter(|v| (1..=super::vlans::MAX_VLAN).contains(v))
        .ok_or_else(|| format!("{text:?} is no VLAN number"))
}

fn note(notes: &mut Notes, source: &SourceText, line: Line<'_>, text: &str) {
    let kind = match interface_effect(text) {
        Effect::None => NoteKind::NoEffect,
        Effect::NotModelled => NoteKind::NotModelled,
        Effect::Unknown => NoteKind::NotUnderstood,
    };
    notes.command(kind, text, &source.name, line.number);
}
