// SPDX-License-Identifier: Apache-2.0 OR MIT
//! `show ip cef`: what the box forwards by, prefix after prefix.

use super::config::{ipv4, len_mask};
use super::names::{canonical, is_port_name};
use super::route::{Hop, Route};
use crate::read::notes::{NoteKind, Notes};
use crate::read::source::SourceText;
use crate::read::ReadError;

/// Whether a line is the heading of the table.
pub fn is_heading(text: &str) -> bool {
    let words: Vec<&str> = text.split_whitespace().collect();
    words.starts_with(&["Prefix", "Next", "Hop", "Interface"])
}

/// Reads the table. Several next hops of one prefix stand on following lines that begin with
/// blanks; they become several hops of one route.
///
/// # Errors
/// A missing heading, a prefix or next hop that does not parse, a next hop without a prefix.
pub fn read_cef(source: &SourceText, notes: &mut Notes) -> Result<Vec<Route>, ReadError> {
    let mut routes: Vec<Route> = Vec::new();
    let mut heading = false;
    for line in source.lines() {
        if line.text.trim().is_empty() {
            continue;
        }
        if is_heading(line.text) {
            heading = true;
            continue;
        }
        let words = line.words();
        let first = words[0];
        if !heading {
            notes.command(
                NoteKind::NotUnderstood,
                line.text.trim(),
                &source.name,
                line.number,
            );
            continue;
        }
        let is_prefix = first.starts_with(|c: char| c.is_ascii_digit()) && first.contains('/');
        if is_prefix && line.indent() == 0 {
            let (prefix, len) = prefix(first)
                .ok_or_else(|| source.error(line.number, format!("{first:?} is no IPv4 prefix")))?;
            let hop = hop(&words[1..]).map_err(|e| source.error(line.number, e))?;
            routes.push(Route {
                prefix,
                len,
                hops: vec![hop],
                line: line.number,
                vrf: None,
            });
        } else if line.indent() > 0 {
            let hop = hop(&words).map_err(|e| source.error(line.number, e))?;
            let route = routes.last_mut().ok_or_else(|| {
                source.error(line.number, "a next hop without a prefix before it")
            })?;
            route.hops.push(hop);
        } else {
            return Err(source.error(line.number, format!("{first:?} is neither prefix nor hop")));
        }
    }
    if !heading {
        return Err(ReadError::file(
            &source.name,
            "no line `Prefix  Next Hop  Interface`: this is no output of `show ip cef`",
        ));
    }
    Ok(routes)
}

/// `A.B.C.D/LEN`, host bits cleared.
pub fn prefix(text: &str) -> Option<(u32, u8)> {
    let (addr, len) = text.split_once('/')?;
    let len: u8 = len.parse().ok().filter(|l| *l <= 32)?;
    Some((ipv4(addr)? & len_mask(len), len))
}

/// The columns after the prefix.
fn hop(words: &[&str]) -> Result<Hop, String> {
    match words {
        ["receive", interface @ ..] => Ok(Hop::Receive(interface.first().map(|i| canonical(i)))),
        ["drop" | "discard" | "multicast" | "punt" | "reject" | "unresolved", ..] => Ok(Hop::Drop),
        ["no", "route", ..] => Ok(Hop::Drop),
        ["attached" | "glean", interface] => interface_hop(None, interface),
        ["attached" | "glean"] => Err("attached to which interface? the line is cut short".into()),
        [address, interface] if ipv4(address).is_some() => interface_hop(ipv4(address), interface),
        [address] if ipv4(address).is_some() => Err("the interface is missing".into()),
        // Continuation lines of attached prefixes name just the interface.
        [interface] if is_port_name(interface) => interface_hop(None, interface),
        _ => Err(format!("{:?} is no next hop", words.join(" "))),
    }
}

fn interface_hop(via: Option<u32>, interface: &str) -> Result<Hop, String> {
    if !is_port_name(interface) {
        return Err(format!("{interface:?} is no interface name"));
    }
    Ok(Hop::Interface {
        interface: canonical(interface),
        via,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEAD: &str = "Prefix  Next Hop  Interface\n";

    fn read(body: &str) -> Result<Vec<Route>, ReadError> {
        let source = SourceText::from_bytes("r", format!("{HEAD}{body}").as_bytes()).unwrap();
        read_cef(&source, &mut Notes::default())
    }

    #[test]
    fn further_next_hops_belong_to_the_prefix_before() {
        let routes = read(
            "10.1.0.0/16  192.0.2.1  Vlan11\n             192.0.2.2  Te1/1.5\n10.2.0.0/16 drop\n",
        )
        .unwrap();
        assert_eq!(routes.len(), 2);
        assert_eq!(routes[0].hops.len(), 2);
        assert_eq!(
            routes[0].hops[1],
            Hop::Interface {
                interface: "te1/1.5".into(),
                via: Some(0xc000_0202)
            }
        );
        assert_eq!(routes[1].hops, [Hop::Drop]);
        assert_eq!(routes[1].line, 4);
    }

    #[test]
    fn a_cut_line_is_named() {
        let e = read("10.1.0.0/16  attached\n").unwrap_err().to_string();
        assert!(e.starts_with("r:2: "), "{e}");
        assert!(read("10.1.0.0/33 drop\n").is_err());
        assert!(read("10.1.0.0/16 192.0.2.1\n").is_err());
        assert!(read("   192.0.2.1  Vlan3\n").is_err());
    }
}
