// SPDX-License-Identifier: Apache-2.0 OR MIT
//! `show vlan`: the VLANs that a switch has, and the access ports in them.

use super::names::{canonical, is_port_name};
use super::vlans::MAX_VLAN;
use crate::read::notes::{NoteKind, Notes};
use crate::read::source::SourceText;
use crate::read::ReadError;
use std::collections::BTreeMap;

/// Active VLANs with their access ports by canonical name and line.
pub type ShownVlans = BTreeMap<u16, Vec<(String, usize)>>;

/// Whether a line is the heading of the table.
pub fn is_heading(text: &str) -> bool {
    let words: Vec<&str> = text.split_whitespace().collect();
    words == ["VLAN", "Name", "Status", "Ports"]
}

/// Reads the table of names and ports; what follows it (types, remote SPAN) has no effect. VLANs
/// that are suspended or shut down carry nothing and are left out.
///
/// # Errors
/// No heading, a VLAN twice, a line of the table that does not parse.
pub fn read_vlans(source: &SourceText, notes: &mut Notes) -> Result<ShownVlans, ReadError> {
    let mut vlans = ShownVlans::new();
    let mut heading = false;
    let mut inside = false;
    let mut current: Option<u16> = None;
    for line in source.lines() {
        let text = line.text.trim();
        if is_heading(text) {
            (heading, inside) = (true, true);
            continue;
        }
        if text.is_empty() || text.starts_with("----") {
            continue;
        }
        if !inside {
            if !heading {
                notes.command(NoteKind::NotUnderstood, text, &source.name, line.number);
            }
            continue;
        }
        let ports = |text: &str| -> Option<Vec<(String, usize)>> {
            let words = text.split(',').map(str::trim).filter(|p| !p.is_empty());
            words
                .map(|p| is_port_name(p).then(|| (canonical(p), line.number)))
                .collect()
        };
        let bad = || source.error(line.number, format!("{text:?} is no line of the table"));
        if line.indent() > 4 {
            let more = ports(text).ok_or_else(bad)?;
            if let Some(list) = current.and_then(|v| vlans.get_mut(&v)) {
                list.extend(more);
            }
            continue;
        }
        let words = line.words();
        // The table of types repeats the word and the numbers.
        if words.first() == Some(&"VLAN") || words.first() == Some(&"Remote") {
            inside = false;
            continue;
        }
        let number = words[0].parse().ok().filter(|v| *v <= MAX_VLAN + 1);
        let vlan: u16 = number.ok_or_else(bad)?;
        let states = ["active", "suspended", "act/unsup", "act/lshut", "sus/lshut"];
        let at = words
            .iter()
            .position(|w| states.contains(w))
            .ok_or_else(bad)?;
        current = None;
        if words[at] == "active" {
            let list = ports(&words[at + 1..].concat()).ok_or_else(bad)?;
            if vlans.insert(vlan, list).is_some() {
                let what = format!("VLAN {vlan} is shown twice");
                return Err(source.error(line.number, what));
            }
            current = Some(vlan);
        }
    }
    if !heading {
        return Err(ReadError::file(
            &source.name,
            "no line `VLAN Name Status Ports`: this is no output of `show vlan`",
        ));
    }
    Ok(vlans)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ports_may_go_on_below() {
        let text = "\nVLAN Name                             Status    Ports\n---- ---- ---- ----\n\
                    1    default                          active    Gi0/1, Gi0/2\n\
                    \x20                                               Gi0/3\n\
                    10   staff and guests                 active\n20   old       suspended Gi0/9\n1002 fddi-default    act/unsup\n\n\
                    VLAN Type  SAID       MTU\n---- ----- ----\n1    enet  100001     1500\n";
        let source = SourceText::from_bytes("v", text.as_bytes()).unwrap();
        let vlans = read_vlans(&source, &mut Notes::default()).unwrap();
        let ports: Vec<&str> = vlans[&1].iter().map(|(p, _)| p.as_str()).collect();
        assert_eq!(ports, ["gi0/1", "gi0/2", "gi0/3"]);
        assert_eq!(vlans.keys().collect::<Vec<_>>(), [&1, &10]);
        let cut = SourceText::from_bytes("v", b"VLAN Name Status Ports\n1   def\n").unwrap();
        let e = read_vlans(&cut, &mut Notes::default()).unwrap_err();
        assert!(e.to_string().starts_with("v:2: "), "{e}");
    }
}
