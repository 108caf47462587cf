// SPDX-License-Identifier: Apache-2.0 OR MIT
//! `show route forwarding-table`: text, or the same text in an XML wrapper.

use super::{address, Hop, Route};
use crate::read::ios::config::len_mask;
use crate::read::{Line, Notes, ReadError, ReadNoteKind as NoteKind, SourceText};

/// Next-hop types as printed in the `Type` column of the next hop (Junos CLI reference,
/// `show route forwarding-table`).
const HOP_TYPES: &[&str] = &[
    "ucst", "indr", "ulst", "rjct", "dscd", "locl", "recv", "bcst", "mcst", "mdsc", "rslv", "hold",
    "mcrt", "comp", "sftw", "tabl", "flood", "vxlan", "iddn", "crcv", "unic", "fltr", "idxd",
    "rcvd", "smpl", "aggr", "deny", "crif",
];

struct Reader<'a> {
    source: &'a SourceText,
    notes: &'a mut Notes,
    routes: Vec<Route>,
    /// The prefix line announced (`indr`, `ulst`) and its next hop lines follow.
    waiting: Option<usize>,
    skipping: bool,
    /// A destination that fills its line; its columns stand on the next one.
    alone: Option<(String, usize)>,
    /// The destination above is not modelled; neither are its next hops.
    ignoring: bool,
    /// Routing instance of the table; `None` is the master instance.
    instance: Option<String>,
}

/// Reads the IPv4 unicast tables of the master instance and of others; the other tables are
/// counted.
///
/// # Errors
/// No IPv4 table, a line that does not parse, an indirect next hop that never comes.
pub fn read_forwarding(source: &SourceText, notes: &mut Notes) -> Result<Vec<Route>, ReadError> {
    let mut reader = Reader {
        source,
        notes,
        routes: Vec::new(),
        waiting: None,
        skipping: true,
        alone: None,
        ignoring: false,
        instance: None,
    };
    let mut seen: Vec<String> = Vec::new();
    for line in source.lines() {
        let text = line.text.trim();
        if text.is_empty() || text.starts_with('<') || text.starts_with("Destination") {
            continue;
        }
        if let Some(table) = text.strip_prefix("Routing table:") {
            reader.finish_waiting()?;
            let name = table
                .split_whitespace()
                .next()
                .unwrap_or("")
                .trim_end_matches(',');
            let instance = name.strip_suffix(".inet").filter(|i| !i.starts_with("__"));
            reader.skipping = instance.is_none();
            if let Some(instance) = instance {
                if seen.iter().any(|s| s == instance) {
                    let what = format!("forwarding table {name} is shown twice");
                    return Err(source.error(line.number, what));
                }
                seen.push(instance.to_owned());
                reader.instance = Some(instance.to_owned()).filter(|i| i != "default");
            } else {
                let what = format!("forwarding table {name}");
                reader
                    .notes
                    .line(NoteKind::NotModelled, what, &source.name, line.number);
            }
        } else if !reader.skipping && !is_family(text) {
            reader.line(line)?;
        }
    }
    reader.finish_waiting()?;
    if seen.is_empty() {
        return Err(ReadError::file(
            &source.name,
            "no line `Routing table: default.inet` or of another IPv4 table",
        ));
    }
    Ok(reader.routes)
}

/// `Internet:`, `Internet6:`, `ISO:`, `MPLS:` below the name of a table.
fn is_family(text: &str) -> bool {
    text.ends_with(':') && !text.contains(' ')
}

impl Reader<'_> {
    fn finish_waiting(&mut self) -> Result<(), ReadError> {
        if let Some((destination, line)) = self.alone.take() {
            let what = format!("{destination:?} has no columns: the file is cut short");
            return Err(self.source.error(line, what));
        }
        match self.waiting.take() {
            Some(line) if self.routes.last().is_some_and(|r| r.hops.is_empty()) => Err(self
                .source
                .error(line, "the next hop is missing: the file is cut short")),
            _ => Ok(()),
        }
    }

    fn line(&mut self, line: Line<'_>) -> Result<(), ReadError> {
        let words = line.words();
        if line.indent() > 0 {
            if let Some((destination, number)) = self.alone.take() {
                let all: Vec<&str> = std::iter::once(destination.as_str()).chain(words).collect();
                return self.entry(&all, number);
            }
            if self.ignoring {
                return Ok(());
            }
            if self.waiting.is_none() {
                let what = "a next hop without a destination that waits for it";
                return Err(self.source.error(line.number, what));
            }
            let hop = self.hop(&words, line.number)?;
            if let Some(route) = self.routes.last_mut() {
                route.hops.extend(hop);
            }
            return Ok(());
        }
        self.finish_waiting()?;
        self.ignoring = false;
        if let [destination] = words.as_slice() {
            self.alone = Some(((*destination).to_owned(), line.number));
            return Ok(());
        }
        self.entry(&words, line.number)
    }

    /// The columns of a destination.
    fn entry(&mut self, words: &[&str], line: usize) -> Result<(), ReadError> {
        let error = |what: String| self.source.error(line, what);
        let [destination, _, _, rest @ ..] = words else {
            return Err(error(format!("{:?} is cut short", words.join(" "))));
        };
        let target = match *destination {
            "default" => Some((0, 0)),
            text => address(text),
        };
        let unicast = target.filter(|(prefix, _)| prefix >> 28 != 0xe);
        let Some((prefix, len)) = unicast else {
            // Multicast entries may have a group and a source.
            let what = "multicast route";
            self.ignoring = true;
            self.notes
                .line(NoteKind::NotModelled, what, &self.source.name, line);
            return Ok(());
        };
        let (hops, wait) = match self.hop(rest, line)? {
            Some(hop) => (vec![hop], false),
            None => (Vec::new(), true),
        };
        self.waiting = wait.then_some(line);
        let prefix = prefix & len_mask(len);
        self.routes.push(Route {
            prefix,
            len,
            hops,
            line,
            instance: self.instance.clone(),
        });
        Ok(())
    }

    /// The columns from the next hop on: `[next hop] type index nhref [netif]`. `None` if the
    /// next hop stands on following lines.
    fn hop(&mut self, words: &[&str], line: usize) -> Result<Option<Hop>, ReadError> {
        let error = |what: String| self.source.error(line, what);
        if words
            .iter()
            .any(|w| matches!(*w, "Push" | "Swap" | "Pop") || w.starts_with("Push"))
        {
            let what = "MPLS label operation: the packet leaves without its label";
            self.notes
                .line(NoteKind::NotModelled, what, &self.source.name, line);
            return match words.last().filter(|w| is_unit(w)) {
                Some(unit) => Ok(Some(Hop::Unit((*unit).to_owned()))),
                None => Ok(None),
            };
        }
        let at = words.iter().position(|w| HOP_TYPES.contains(w));
        let Some(at) = at else {
            // A long link address fills the line; type and interface stand on the next one.
            if words.len() == 1 && words[0].contains(['.', ':']) {
                return Ok(None);
            }
            return Err(error(format!(
                "{:?} has no known type of next hop",
                words.join(" ")
            )));
        };
        let netif = words.last().filter(|w| is_unit(w) && words.len() > at + 1);
        let out = |kind: &str| match netif {
            Some(unit) => Ok(Some(Hop::Unit((*unit).to_owned()))),
            None => Err(error(format!(
                "next hop {kind} without interface: the line is cut short"
            ))),
        };
        match words[at] {
            // The limited broadcast address belongs to no interface.
            "bcst" if netif.is_none() && words.len() == at + 3 => Ok(Some(Hop::Deliver)),
            kind @ ("ucst" | "rslv" | "bcst" | "unic") => out(kind),
            "indr" | "ulst" | "comp" | "aggr" => Ok(None),
            "locl" | "recv" => Ok(Some(Hop::Deliver)),
            "rjct" | "dscd" | "hold" | "iddn" | "deny" => Ok(Some(Hop::Drop)),
            other => {
                let what = format!("next hop of type {other}: dropped");
                self.notes
                    .line(NoteKind::NotModelled, what, &self.source.name, line);
                Ok(Some(Hop::Drop))
            }
        }
    }
}

/// `xe-0/0/1.110`, `ae8.10`, `lo0.0`.
fn is_unit(word: &str) -> bool {
    word.starts_with(|c: char| c.is_ascii_lowercase())
        && word
            .rsplit_once('.')
            .is_some_and(|(_, unit)| unit.parse::<u32>().is_ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEAD: &str = "Routing table: default.inet\nInternet:\nDestination Type RtRef Next hop Type Index NhRef Netif\n";

    fn read(body: &str) -> Result<Vec<Route>, ReadError> {
        let source = SourceText::from_bytes("f", format!("{HEAD}{body}").as_bytes()).unwrap();
        read_forwarding(&source, &mut Notes::default())
    }

    #[test]
    fn direct_indirect_and_balanced_next_hops() {
        let routes = read(
            "default perm 1 rjct 36 3\n\
             1.8.1.0/24 user 0 indr 2097182 2819\n    64.57.28.112 ucst 1254 68 ge-6/1/0.0\n\
             10.0.0.0/8 user 0 ulst 262 2\n   1.2.3.4 ucst 1 1 xe-0/0/0.5\n   1.2.3.5 ucst 2 1 ae8.10\n\
             64.57.28.1/32 intf 0 64.57.28.1 locl 5 1\n",
        )
        .unwrap();
        assert_eq!(routes[0].hops, [Hop::Drop]);
        assert_eq!(routes[1].hops, [Hop::Unit("ge-6/1/0.0".into())]);
        assert_eq!(routes[2].hops.len(), 2);
        assert_eq!(routes[3].hops, [Hop::Deliver]);
    }

    #[test]
    fn tables_of_instances() {
        let routes = read(
            "default perm 1 rjct 36 3\nRouting table: RED.inet\nInternet:\n10.0.0.0/8 user 0 1.2.3.4 ucst 1 1 xe-0/0/0.5\n\
             Routing table: __master.anon__.inet\nnonsense\n",
        )
        .unwrap();
        assert_eq!(routes.len(), 2);
        assert_eq!(routes[1].instance.as_deref(), Some("RED"));
        assert!(read("Routing table: default.inet\n").is_err());
    }

    #[test]
    fn a_cut_table_is_refused() {
        let e = read("1.8.1.0/24 user 0 indr 2097182 2819\n")
            .unwrap_err()
            .to_string();
        assert_eq!(e, "f:4: the next hop is missing: the file is cut short");
        assert!(read("1.8.1.0/24 user 0 1.2.3.4 ucst 12\n").is_err());
        assert!(read("1.8.1.0/24 us\n").is_err());
    }
}
