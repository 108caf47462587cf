// SPDX-License-Identifier: Apache-2.0 OR MIT
//! `show interfaces`: which lines are up, and with which addresses.

use super::interface::Address;
use super::names::canonical;
use super::route::address_with_len;
use crate::read::source::SourceText;
use crate::read::ReadError;

/// State of an interface.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InterfaceState {
    /// Canonical name.
    pub name: String,
    /// Both the interface and its line protocol are up.
    pub up: bool,
    /// Primary and secondary addresses.
    pub addresses: Vec<Address>,
    /// `Vlan ID` of a sub-interface.
    pub vlan: Option<u16>,
    /// Line in the file.
    pub line: usize,
}

/// Whether a line opens the section of an interface.
pub fn is_heading(text: &str) -> bool {
    !text.starts_with(' ') && text.contains(" is ") && text.contains("line protocol is")
}

/// Reads the sections. Counters and everything else about an interface has no effect on the
/// model and is passed over.
///
/// # Errors
/// No section, an interface twice, an address that does not parse.
pub fn read_interfaces(source: &SourceText) -> Result<Vec<InterfaceState>, ReadError> {
    let mut states: Vec<InterfaceState> = Vec::new();
    for line in source.lines() {
        if is_heading(line.text) {
            let (name, rest) = line.text.split_once(" is ").unwrap_or((line.text, ""));
            let name = canonical(name);
            if states.iter().any(|s| s.name == name) {
                return Err(source.error(line.number, format!("interface {name} is shown twice")));
            }
            let up = rest.starts_with("up") && rest.contains("line protocol is up");
            states.push(InterfaceState {
                name,
                up,
                addresses: Vec::new(),
                vlan: None,
                line: line.number,
            });
            continue;
        }
        let Some(state) = states.last_mut() else {
            continue;
        };
        let text = line.text.trim();
        let address = text
            .strip_prefix("Internet address is ")
            .or_else(|| text.strip_prefix("Secondary address "));
        if let Some(address) = address.filter(|a| a.starts_with(|c: char| c.is_ascii_digit())) {
            let words: Vec<&str> = address.split_whitespace().collect();
            let (addr, len) = address_with_len(&words).ok_or_else(|| {
                source.error(
                    line.number,
                    format!("{address:?} is no address with a prefix length"),
                )
            })?;
            state.addresses.push(Address {
                addr,
                len,
                line: line.number,
            });
        } else if let Some((_, id)) = text.split_once("Vlan ID ") {
            let digits: String = id
                .trim_start()
                .chars()
                .take_while(char::is_ascii_digit)
                .collect();
            state.vlan = digits.parse().ok();
        }
    }
    if states.is_empty() {
        return Err(ReadError::file(
            &source.name,
            "no line `... is up, line protocol is up`: this is no output of `show interfaces`",
        ));
    }
    Ok(states)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn states_addresses_and_vlans() {
        let text = "GigabitEthernet1 is up, line protocol is up (connected)\n  Internet address is 10.0.0.1/24\n\
                    GigabitEthernet2 is administratively down, line protocol is down\n  MTU 1500\n\
                    Gi3.5 is up, line protocol is up\n  Encapsulation 802.1Q Virtual LAN, Vlan ID  5.\n";
        let s = read_interfaces(&SourceText::from_bytes("f", text.as_bytes()).unwrap()).unwrap();
        assert_eq!(s.len(), 3);
        assert!(s[0].up && !s[1].up);
        assert_eq!(
            (s[0].addresses[0].addr, s[0].addresses[0].len),
            (0x0a00_0001, 24)
        );
        assert_eq!((s[2].name.as_str(), s[2].vlan), ("gi3.5", Some(5)));
    }
}
