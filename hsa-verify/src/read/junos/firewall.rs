// SPDX-License-Identifier: Apache-2.0 OR MIT
//! `firewall family inet filter`: terms with conditions and a verdict.

use super::address;

/// What a term does to the packets it matches.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Verdict {
    /// `accept`, and terms without any action.
    #[default]
    Accept,
    /// `discard` or `reject`.
    Discard,
    /// `next term`.
    NextTerm,
}

/// One term. Values of one condition are alternatives; the conditions all have to hold.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Term {
    /// Name.
    pub name: String,
    /// Line of its first statement.
    pub line: usize,
    /// `source-address`.
    pub sources: Vec<(u32, u8)>,
    /// `destination-address`.
    pub destinations: Vec<(u32, u8)>,
    /// `protocol`.
    pub protocols: Vec<u8>,
    /// `source-port`, as ranges.
    pub source_ports: Vec<(u16, u16)>,
    /// `destination-port`, as ranges.
    pub destination_ports: Vec<(u16, u16)>,
    /// `tcp-established`.
    pub established: bool,
    /// Verdict.
    pub verdict: Verdict,
    /// Statements that we cannot read; such a filter may not be applied.
    pub unusable: Option<(usize, String)>,
}

/// A filter: what no term accepts is discarded.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Filter {
    /// Terms in order.
    pub terms: Vec<Term>,
}

impl Filter {
    /// Reads the words after `term NAME` of a statement.
    pub fn statement(&mut self, term: &str, words: &[&str], line: usize) {
        let at = self.terms.iter().position(|t| t.name == term);
        let at = at.unwrap_or_else(|| {
            let name = term.to_owned();
            self.terms.push(Term {
                name,
                line,
                ..Term::default()
            });
            self.terms.len() - 1
        });
        let term = &mut self.terms[at];
        if let Err(what) = term.statement(words) {
            term.unusable.get_or_insert((line, what));
        }
    }
}

impl Term {
    fn statement(&mut self, words: &[&str]) -> Result<(), String> {
        match words {
            ["from", condition, value] => self.condition(condition, value),
            ["from", "tcp-established"] => {
                self.established = true;
                Ok(())
            }
            ["then", "accept"] => self.verdict(Verdict::Accept),
            ["then", "discard" | "reject", ..] => self.verdict(Verdict::Discard),
            ["then", "next", "term"] => self.verdict(Verdict::NextTerm),
            ["then", "count" | "log" | "syslog" | "sample" | "policer" | "forwarding-class"
            | "loss-priority", ..] => Ok(()),
            other => Err(format!(
                "{:?} in a filter term is not supported",
                other.join(" ")
            )),
        }
    }

    fn verdict(&mut self, verdict: Verdict) -> Result<(), String> {
        self.verdict = verdict;
        Ok(())
    }

    fn condition(&mut self, condition: &str, value: &str) -> Result<(), String> {
        let prefix = || address(value).ok_or_else(|| format!("{value:?} is no IPv4 prefix"));
        match condition {
            "source-address" => self.sources.push(prefix()?),
            "destination-address" => self.destinations.push(prefix()?),
            "protocol" => self.protocols.push(
                crate::read::ios::protocol(value)
                    .ok_or_else(|| format!("{value:?} is no protocol that is known"))?,
            ),
            "source-port" => self.source_ports.push(ports(value)?),
            "destination-port" => self.destination_ports.push(ports(value)?),
            other => return Err(format!("condition {other:?} in a filter is not supported")),
        }
        Ok(())
    }
}

/// `80`, `http`, `1024-65535`.
fn ports(text: &str) -> Result<(u16, u16), String> {
    let number = |t: &str| {
        t.parse().ok().or_else(|| match t {
            "http" => Some(80),
            "https" => Some(443),
            "ssh" => Some(22),
            "dns" => Some(53),
            other => crate::read::ios::port(other),
        })
    };
    let (low, high) = text.split_once('-').map_or((text, text), |(a, b)| (a, b));
    match (number(text), number(low), number(high)) {
        (Some(port), _, _) => Ok((port, port)),
        (None, Some(low), Some(high)) if low <= high => Ok((low, high)),
        _ => Err(format!("{text:?} is no port")),
    }
}
