// SPDX-License-Identifier: Apache-2.0 OR MIT
//! `show cdp neighbors detail` and `show lldp neighbors detail`: who is at the other end.

use crate::read::source::SourceText;
use crate::read::ReadError;

/// A neighbour as a box tells it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ShownNeighbour {
    /// Own port.
    pub port: String,
    /// Name of the other box.
    pub name: String,
    /// Its port.
    pub far_port: String,
    /// Line in the file.
    pub line: usize,
}

/// Reads the entries. Those without a name (LLDP of simple stations) are passed over.
///
/// # Errors
/// An entry whose ports are missing, or no entry at all.
pub fn read_neighbours(source: &SourceText) -> Result<Vec<ShownNeighbour>, ReadError> {
    let mut entries: Vec<Entry<'_>> = Vec::new();
    for line in source.lines() {
        let text = line.text.trim();
        let after = |key: &str| text.strip_prefix(key).map(str::trim);
        if let Some(name) = after("Device ID:") {
            entries.push(Entry::new(line.number));
            set(&mut entries, |e| &mut e.name, name);
        } else if let Some(port) = after("Local Intf:") {
            entries.push(Entry::new(line.number));
            set(&mut entries, |e| &mut e.port, port);
        } else if let Some(rest) = after("Interface:") {
            let (port, far) = rest.split_once(',').unwrap_or((rest, ""));
            set(&mut entries, |e| &mut e.port, port.trim());
            if let Some((_, far)) = far.split_once("(outgoing port):") {
                set(&mut entries, |e| &mut e.far_port, far.trim());
            }
        } else if let Some(port) = after("Port id:") {
            set(&mut entries, |e| &mut e.far_port, port);
        } else if let Some(name) = after("System Name:") {
            set(&mut entries, |e| &mut e.name, name);
        }
    }
    if entries.is_empty() {
        let what = "no line `Device ID:` or `Local Intf:`: this is no list of neighbours in detail";
        return Err(ReadError::file(&source.name, what));
    }
    let mut found = Vec::new();
    for entry in entries {
        let Some(name) = entry.name else { continue };
        let (Some(port), Some(far_port)) = (entry.port, entry.far_port) else {
            let what = format!("the ports of neighbour {name} are missing: the file is cut short");
            return Err(source.error(entry.line, what));
        };
        found.push(ShownNeighbour {
            port: port.to_owned(),
            name: name.to_owned(),
            far_port: far_port.to_owned(),
            line: entry.line,
        });
    }
    Ok(found)
}

struct Entry<'a> {
    port: Option<&'a str>,
    name: Option<&'a str>,
    far_port: Option<&'a str>,
    line: usize,
}

impl Entry<'_> {
    fn new(line: usize) -> Self {
        Self {
            port: None,
            name: None,
            far_port: None,
            line,
        }
    }
}

/// The first value of an entry counts.
fn set<'a, 'e>(
    entries: &'e mut [Entry<'a>],
    of: impl Fn(&'e mut Entry<'a>) -> &'e mut Option<&'a str>,
    value: &'a str,
) {
    if let Some(entry) = entries.last_mut() {
        let slot = of(entry);
        if slot.is_none() && !value.is_empty() {
            *slot = Some(value);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_protocols_name_both_ends() {
        let text = "-------------------------\nDevice ID: sw2.example.com\nEntry address(es):\n  IP address: 10.0.0.2\n\
                    Platform: cisco WS-C3750,  Capabilities: Switch IGMP\n\
                    Interface: GigabitEthernet0/1,  Port ID (outgoing port): GigabitEthernet0/2\nHoldtime : 130 sec\n\
                    ------------------------\nLocal Intf: Gi0/3\nChassis id: 00aa.bbcc.dd01\nPort id: Gi0/4\nSystem Name: sw3\n";
        let source = SourceText::from_bytes("n", text.as_bytes()).unwrap();
        let found = read_neighbours(&source).unwrap();
        let shown: Vec<_> = found
            .iter()
            .map(|n| {
                (
                    n.port.as_str(),
                    n.name.as_str(),
                    n.far_port.as_str(),
                    n.line,
                )
            })
            .collect();
        assert_eq!(
            shown,
            [
                (
                    "GigabitEthernet0/1",
                    "sw2.example.com",
                    "GigabitEthernet0/2",
                    2
                ),
                ("Gi0/3", "sw3", "Gi0/4", 9)
            ]
        );
        let cut = SourceText::from_bytes("n", b"Device ID: a\n").unwrap();
        assert!(read_neighbours(&cut).is_err());
    }
}
