// SPDX-License-Identifier: Apache-2.0 OR MIT
//! `show ip route` of IOS and IOS-XE, and the routes that every source of routes becomes.

use super::cef::prefix;
use super::config::{ipv4, len_mask, mask_len};
use super::names::{canonical, is_port_name};
use crate::read::notes::{NoteKind, Notes};
use crate::read::source::{Line, SourceText};
use crate::read::ReadError;

/// One way that a route names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Hop {
    /// For the box itself, with the interface whose address it is, where that is shown.
    Receive(Option<String>),
    /// Discarded.
    Drop,
    /// Out of an interface, to `via` or to the destination itself.
    Interface {
        /// Canonical name.
        interface: String,
        /// Next hop.
        via: Option<u32>,
    },
    /// To a next hop that another route must resolve.
    Via {
        /// Next hop.
        via: u32,
        /// VRF whose table resolves it, if not the route's own.
        vrf: Option<String>,
    },
}

/// A prefix with its next hops: one of them is taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Route {
    /// Network address in host order.
    pub prefix: u32,
    /// Prefix length.
    pub len: u8,
    /// Next hops.
    pub hops: Vec<Hop>,
    /// Line in the file.
    pub line: usize,
    /// VRF; `None` is the global table.
    pub vrf: Option<String>,
}

/// State while reading: the mask that lines without one inherit, and the route being built.
#[derive(Default)]
struct Reader {
    routes: Vec<Route>,
    vrf: Option<String>,
    inherited: Option<u8>,
    /// A prefix whose next hop stands on the next line.
    pending: Option<(u32, u8, usize)>,
    heading: bool,
}

/// Reads the table, with one section for each VRF that is shown.
///
/// # Errors
/// A missing heading, a route line that does not parse, a prefix whose next hop never comes.
pub fn read_ip_route(source: &SourceText, notes: &mut Notes) -> Result<Vec<Route>, ReadError> {
    let mut reader = Reader::default();
    for line in source.lines() {
        let text = line.text.trim();
        if text.is_empty() {
            continue;
        }
        if let Some(name) = text.strip_prefix("Routing Table:") {
            reader.vrf = Some(name.trim().to_owned()).filter(|n| n != "default");
        } else if text.starts_with("Codes:") {
            reader.heading = true;
        } else if text.starts_with("% IP routing table") {
            reader.heading = true;
            notes.line(
                NoteKind::Assumed,
                "a VRF without routing table: empty",
                &source.name,
                line.number,
            );
        } else if !reader.heading {
            notes.command(NoteKind::NotUnderstood, text, &source.name, line.number);
        } else if !is_legend(text) && !text.starts_with("Gateway of last resort") {
            reader
                .line(line)
                .map_err(|e| source.error(line.number, e))?;
        }
    }
    if !reader.heading {
        return Err(ReadError::file(
            &source.name,
            "no line `Codes:`: this is no output of `show ip route`",
        ));
    }
    if let Some((_, _, line)) = reader.pending {
        return Err(source.error(line, "the next hop is missing: the file is cut short"));
    }
    Ok(reader.routes)
}

/// Lines of the legend have ` - ` between a code and its meaning.
fn is_legend(text: &str) -> bool {
    text.contains(" - ") && !text.contains("via") && !text.contains("directly connected")
}

impl Reader {
    fn line(&mut self, line: Line<'_>) -> Result<(), String> {
        let mut words = line.words();
        if let Some(at) = words
            .iter()
            .position(|w| *w == "subnetted," || *w == "subnetted")
        {
            return self.subnetted(&words[..at]);
        }
        // The codes are letters with marks; everything else starts with a digit or `[`.
        let codes = words
            .iter()
            .take_while(|w| !w.starts_with(|c: char| c.is_ascii_digit() || c == '['))
            .count();
        if codes == words.len() {
            return Err(format!("{:?} is no route", line.text.trim()));
        }
        let has_code = codes > 0 && words[0] != "via";
        if codes > 0 && words[0] == "via" {
            words.insert(0, "[0/0]");
        } else {
            words.drain(..codes);
        }
        if words[0].starts_with('[') {
            return self.further(&words);
        }
        if !has_code {
            return Err(format!("{:?} has no route code", line.text.trim()));
        }
        let (prefix, len) = self.prefix(words[0])?;
        if words.len() == 1 {
            self.pending = Some((prefix, len, line.number));
            return Ok(());
        }
        // Code L: the box's own address.
        let hop = if line.text.starts_with("L ") {
            Hop::Receive(None)
        } else {
            hop(&words[1..])?
        };
        self.push(prefix, len, hop, line.number);
        Ok(())
    }

    /// `10.0.0.0/24 is subnetted, 3 subnets`: the mask of the lines below. The other form,
    /// `is variably subnetted`, has masks on its lines.
    fn subnetted(&mut self, words: &[&str]) -> Result<(), String> {
        let text = words.first().copied().unwrap_or_default();
        let (_, len) = prefix(text).ok_or_else(|| format!("{text:?} is no IPv4 prefix"))?;
        self.inherited = if words.contains(&"variably") {
            None
        } else {
            Some(len)
        };
        Ok(())
    }

    fn prefix(&self, text: &str) -> Result<(u32, u8), String> {
        let text = text.trim_end_matches(',');
        if text.contains('/') {
            return prefix(text).ok_or_else(|| format!("{text:?} is no IPv4 prefix"));
        }
        let addr = ipv4(text).ok_or_else(|| format!("{text:?} is no IPv4 address"))?;
        let len = self.inherited.unwrap_or_else(|| classful(addr));
        Ok((addr & len_mask(len), len))
    }

    /// `[110/2] via ...` on a line of its own: belongs to the prefix before.
    fn further(&mut self, words: &[&str]) -> Result<(), String> {
        let hop = hop(words)?;
        if let Some((prefix, len, number)) = self.pending.take() {
            self.push(prefix, len, hop, number);
            return Ok(());
        }
        let route = self
            .routes
            .last_mut()
            .ok_or("a next hop without a prefix before it")?;
        route.hops.push(hop);
        Ok(())
    }

    fn push(&mut self, prefix: u32, len: u8, hop: Hop, line: usize) {
        self.routes.push(Route {
            prefix,
            len,
            hops: vec![hop],
            line,
            vrf: self.vrf.clone(),
        });
    }
}

/// Length of the class mask, for the old releases that print neither mask nor heading.
fn classful(addr: u32) -> u8 {
    match addr >> 24 {
        0 if addr == 0 => 0,
        0..=127 => 8,
        128..=191 => 16,
        _ => 24,
    }
}

/// What follows the prefix.
fn hop(words: &[&str]) -> Result<Hop, String> {
    let clean = |w: &str| w.trim_end_matches(',').to_owned();
    let last_interface = words
        .iter()
        .rev()
        .map(|w| clean(w))
        .find(|w| is_port_name(w) && !is_age(w));
    if words.starts_with(&["is", "directly", "connected,"]) {
        let interface = last_interface.ok_or("connected to which interface?")?;
        return Ok(interface_hop(&interface, None));
    }
    if words.starts_with(&["is", "a", "summary,"]) {
        return Ok(Hop::Drop);
    }
    let Some(at) = words.iter().position(|w| *w == "via") else {
        return Err(format!("{:?} is no next hop", words.join(" ")));
    };
    let target = words
        .get(at + 1)
        .map(|w| clean(w))
        .ok_or("the next hop is missing")?;
    let Some(via) = ipv4(&target) else {
        if is_port_name(&target) {
            return Ok(interface_hop(&target, None));
        }
        return Err(format!("{target:?} is no next hop"));
    };
    let vrf = words
        .get(at + 2)
        .and_then(|w| w.strip_prefix('('))
        .and_then(|w| w.split(')').next())
        .map(str::to_owned);
    match last_interface {
        Some(interface) => Ok(interface_hop(&interface, Some(via))),
        None => Ok(Hop::Via { via, vrf }),
    }
}

fn interface_hop(interface: &str, via: Option<u32>) -> Hop {
    let interface = canonical(interface);
    if interface.starts_with("null") {
        Hop::Drop
    } else {
        Hop::Interface { interface, via }
    }
}

/// `1d02h`, `2w3d`, `02:01:46` are ages, not interfaces.
fn is_age(word: &str) -> bool {
    word.starts_with(|c: char| c.is_ascii_digit())
}

/// Network and mask of an address line in `show interfaces`: `A.B.C.D/LEN` or `A.B.C.D MASK`.
pub fn address_with_len(words: &[&str]) -> Option<(u32, u8)> {
    match words {
        [one, ..] if one.contains('/') => {
            let (addr, len) = one.split_once('/')?;
            Some((ipv4(addr)?, len.parse().ok().filter(|l| *l <= 32)?))
        }
        [addr, mask, ..] => Some((ipv4(addr)?, mask_len(ipv4(mask)?)?)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(body: &str) -> Result<Vec<Route>, ReadError> {
        let text = format!("Codes: L - local, C - connected\n       D - EIGRP\n\n{body}");
        let source = SourceText::from_bytes("r", text.as_bytes()).unwrap();
        read_ip_route(&source, &mut Notes::default())
    }

    #[test]
    fn masks_are_inherited_from_the_heading_of_the_network() {
        let routes = read(
            "      10.0.0.0/24 is subnetted, 2 subnets\n\
             C        10.1.1.0 is directly connected, GigabitEthernet0/1\n\
             O IA     10.1.2.0 [110/3] via 10.1.1.2, 1d02h, GigabitEthernet0/1\n\
             S*    0.0.0.0/0 [1/0] via 192.0.2.1\n\
                              [1/0] via 192.0.2.5\n",
        )
        .unwrap();
        assert_eq!(routes.len(), 3);
        assert_eq!((routes[1].prefix, routes[1].len), (0x0a01_0200, 24));
        assert_eq!(
            routes[1].hops,
            [Hop::Interface {
                interface: "gi0/1".into(),
                via: Some(0x0a01_0102)
            }]
        );
        assert_eq!(routes[2].len, 0);
        assert_eq!(routes[2].hops.len(), 2);
    }

    #[test]
    fn a_prefix_may_stand_alone_on_its_line() {
        let routes =
            read("D EX  192.168.122.0/24\n           [170/2] via 10.13.11.2, 00:21:10, Gi1\n")
                .unwrap();
        assert_eq!(routes[0].len, 24);
        assert_eq!(
            routes[0].hops,
            [Hop::Interface {
                interface: "gi1".into(),
                via: Some(0x0a0d_0b02)
            }]
        );
        assert!(read("D EX  192.168.122.0/24\n").is_err(), "cut short");
    }

    #[test]
    fn next_hops_may_lie_in_another_vrf() {
        let routes =
            read("B     192.168.122.0/24 [20/0] via 10.34.31.2 (d4_shared), 00:26:17\n").unwrap();
        assert_eq!(
            routes[0].hops,
            [Hop::Via {
                via: 0x0a22_1f02,
                vrf: Some("d4_shared".into())
            }]
        );
    }
}
