// SPDX-License-Identifier: Apache-2.0 OR MIT
//! `firewall family inet filter`: terms with conditions and a verdict.

use super::address;
use std::collections::BTreeMap;

/// Prefixes by the name of their list.
pub type PrefixLists = BTreeMap<String, Vec<(u32, u8)>>;

/// What a term does to the packets it matches.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Verdict {
    /// `accept`, and terms without any action.
    #[default]
    Accept,
    /// `discard` or `reject`.
    Discard,
    /// `next term`.
    NextTerm,
    /// `routing-instance NAME`: looked up in that instance's table.
    Instance(String),
}

/// Values of one condition: one of `with` and none of `without`. Addresses are decided by the
/// longest prefix that holds the packet's address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Choice<T> {
    /// Values that match.
    pub with: Vec<T>,
    /// Values that do not.
    pub without: Vec<T>,
}

impl<T> Default for Choice<T> {
    fn default() -> Self {
        Self {
            with: Vec::new(),
            without: Vec::new(),
        }
    }
}

impl<T> Choice<T> {
    /// Whether the condition is absent.
    pub fn is_any(&self) -> bool {
        self.with.is_empty() && self.without.is_empty()
    }
}

/// Bits of the TCP flags byte: all of `set` are 1, all of `clear` are 0.
pub type FlagBits = (u8, u8);

/// Prefixes.
pub type Prefixes = Choice<(u32, u8)>;
/// Ranges of numbers, both ends included.
pub type Ranges = Choice<(u16, u16)>;

/// One term. Values of one condition are alternatives; the conditions all have to hold.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Term {
    /// Name.
    pub name: String,
    /// Line of its first statement.
    pub line: usize,
    /// `source-address`, `source-prefix-list`.
    pub sources: Prefixes,
    /// `destination-address`, `destination-prefix-list`.
    pub destinations: Prefixes,
    /// `address`, `prefix-list`: either of the two.
    pub either_address: Prefixes,
    /// `protocol`.
    pub protocols: Ranges,
    /// `source-port`.
    pub source_ports: Ranges,
    /// `destination-port`.
    pub destination_ports: Ranges,
    /// `port`: either of the two.
    pub either_port: Ranges,
    /// `icmp-type`.
    pub icmp_types: Ranges,
    /// `icmp-code`.
    pub icmp_codes: Ranges,
    /// `tcp-flags`, `tcp-established`, `tcp-initial`: all conditions, each a list of alternatives.
    pub flags: Vec<Vec<FlagBits>>,
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
    pub fn statement(&mut self, term: &str, words: &[&str], line: usize, lists: &PrefixLists) {
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
        if let Err(what) = term.statement(words, lists) {
            term.unusable.get_or_insert((line, what));
        }
    }
}

impl Term {
    fn statement(&mut self, words: &[&str], lists: &PrefixLists) -> Result<(), String> {
        match words {
            [] => {}
            ["from", "tcp-established"] => self.flags.push(vec![(ACK, 0), (RST, 0)]),
            ["from", "tcp-initial"] => self.flags.push(vec![(SYN, ACK)]),
            ["from", "tcp-flags", expression @ ..] if !expression.is_empty() => {
                self.flags.push(flags(&expression.join(" "))?);
            }
            ["from", condition, value] => self.condition(condition, value, false, lists)?,
            ["from", condition, value, "except"] => {
                self.condition(condition, value, true, lists)?
            }
            ["then", "accept"] => self.verdict = Verdict::Accept,
            ["then", "discard" | "reject", ..] => self.verdict = Verdict::Discard,
            ["then", "next", "term"] => self.verdict = Verdict::NextTerm,
            ["then", "routing-instance", name] => {
                self.verdict = Verdict::Instance((*name).to_owned());
            }
            ["then", "count" | "log" | "syslog" | "sample" | "policer" | "forwarding-class"
            | "loss-priority" | "port-mirror" | "dscp", ..] => {}
            other => {
                let what = other.join(" ");
                return Err(format!("{what:?} in a filter term is not supported"));
            }
        }
        Ok(())
    }

    fn condition(
        &mut self,
        condition: &str,
        value: &str,
        except: bool,
        lists: &PrefixLists,
    ) -> Result<(), String> {
        let (base, except) = match condition.strip_suffix("-except") {
            Some(base) => (base, true),
            None => (condition, except),
        };
        let addresses = match base {
            "source-address" | "source-prefix-list" => Some(&mut self.sources),
            "destination-address" | "destination-prefix-list" => Some(&mut self.destinations),
            "address" | "prefix-list" => Some(&mut self.either_address),
            _ => None,
        };
        if let Some(choice) = addresses {
            let found = if base.ends_with("prefix-list") {
                let list = lists.get(value);
                list.cloned()
                    .ok_or_else(|| format!("there is no prefix-list {value} that can be read"))?
            } else {
                vec![address(value).ok_or_else(|| format!("{value:?} is no IPv4 prefix"))?]
            };
            if found.is_empty() {
                return Err(format!("prefix-list {value} is empty"));
            }
            let into = if except {
                &mut choice.without
            } else {
                &mut choice.with
            };
            into.extend(found);
            return Ok(());
        }
        let (choice, range) = match base {
            "protocol" => (&mut self.protocols, protocol(value)?),
            "source-port" => (&mut self.source_ports, ports(value)?),
            "destination-port" => (&mut self.destination_ports, ports(value)?),
            "port" => (&mut self.either_port, ports(value)?),
            "icmp-type" => (&mut self.icmp_types, icmp_type(value)?),
            "icmp-code" => (&mut self.icmp_codes, numbers(value, |_| None)?),
            _ => {
                return Err(format!(
                    "condition {condition:?} in a filter is not supported"
                ))
            }
        };
        let into = if except {
            &mut choice.without
        } else {
            &mut choice.with
        };
        into.push(range);
        Ok(())
    }
}

const SYN: u8 = 2;
const RST: u8 = 4;
const ACK: u8 = 16;

/// FIN, SYN, RST, PSH, ACK and URG with their bits (RFC 9293, section 3.1).
const FLAGS: [(&str, u8); 7] = [
    ("fin", 1),
    ("syn", SYN),
    ("rst", RST),
    ("push", 8),
    ("psh", 8),
    ("ack", ACK),
    ("urgent", 32),
];

/// `syn`, `!ack`, `(syn & !ack)`, `ack | rst`: alternatives of conjunctions.
fn flags(text: &str) -> Result<Vec<FlagBits>, String> {
    let bad = || format!("tcp-flags {text:?} cannot be read");
    let plain = text.trim();
    let plain = match plain.strip_prefix('(').and_then(|t| t.strip_suffix(')')) {
        Some(inner) if !inner.contains(['(', ')']) => inner,
        _ => plain,
    };
    let alternatives = plain.split(['|', ',']).map(|all| {
        let (mut set, mut clear) = (0, 0);
        let all = all.trim().trim_start_matches('(').trim_end_matches(')');
        for word in all.split(['&', '+']).map(str::trim) {
            let (negated, name) = match word.strip_prefix('!') {
                Some(name) => (true, name.trim()),
                None => (false, word),
            };
            let bit = FLAGS.iter().find(|(n, _)| *n == name).ok_or_else(bad)?.1;
            if negated {
                clear |= bit;
            } else {
                set |= bit;
            }
        }
        Ok((set, clear))
    });
    let found: Vec<FlagBits> = alternatives.collect::<Result<_, String>>()?;
    // Parentheses around more than one conjunction are beyond this grammar.
    if text.contains("&(") || text.contains("& (") || text.contains("!(") {
        return Err(bad());
    }
    Ok(found)
}

fn protocol(text: &str) -> Result<(u16, u16), String> {
    numbers(text, |name| crate::read::ios::protocol(name).map(u16::from))
        .ok()
        .filter(|(_, high)| *high <= 255)
        .ok_or_else(|| format!("{text:?} is no protocol that is known"))
}

/// `80`, `http`, `1024-65535`.
fn ports(text: &str) -> Result<(u16, u16), String> {
    numbers(text, |name| match name {
        "http" => Some(80),
        "https" => Some(443),
        "ssh" => Some(22),
        "dns" | "domain" => Some(53),
        "snmp-trap" => Some(162),
        "ldap" => Some(389),
        "radius" => Some(1812),
        "radacct" => Some(1813),
        "imap" => Some(143),
        "kerberos-sec" => Some(88),
        "dhcp" => Some(67),
        other => crate::read::ios::port(other),
    })
}

fn icmp_type(text: &str) -> Result<(u16, u16), String> {
    numbers(text, |name| match name {
        "echo-request" => Some(8),
        other => crate::read::ios::icmp_type(other).map(u16::from),
    })
}

/// A number, a name, or `LOW-HIGH`.
fn numbers(text: &str, named: impl Fn(&str) -> Option<u16>) -> Result<(u16, u16), String> {
    let number = |t: &str| t.parse().ok().or_else(|| named(t));
    let (low, high) = text.split_once('-').map_or((text, text), |(a, b)| (a, b));
    match (number(text), number(low), number(high)) {
        (Some(one), _, _) => Ok((one, one)),
        (None, Some(low), Some(high)) if low <= high => Ok((low, high)),
        _ => Err(format!("{text:?} is no number or name that is known")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn term(statements: &[&str]) -> Term {
        let mut lists = PrefixLists::new();
        lists.insert("inside".into(), vec![(0x0a00_0000, 8), (0xc0a8_0000, 16)]);
        lists.insert("nothing".into(), Vec::new());
        let mut filter = Filter::default();
        for (i, statement) in statements.iter().enumerate() {
            let words: Vec<&str> = statement.split(' ').collect();
            filter.statement("t", &words, i + 1, &lists);
        }
        filter.terms[0].clone()
    }

    #[test]
    fn lists_exceptions_and_either_end() {
        let t = term(&[
            "from source-prefix-list inside",
            "from source-address 10.1.0.0/16 except",
            "from port 53",
            "from protocol-except tcp",
        ]);
        assert_eq!(t.unusable, None);
        assert_eq!(t.sources.with.len(), 2);
        assert_eq!(t.sources.without, [(0x0a01_0000, 16)]);
        assert_eq!(t.either_port.with, [(53, 53)]);
        assert_eq!(t.protocols.without, [(6, 6)]);
    }

    #[test]
    fn flags_as_alternatives_of_conjunctions() {
        assert_eq!(flags("(syn & !ack)").unwrap(), [(2, 16)]);
        assert_eq!(flags("ack | rst").unwrap(), [(16, 0), (4, 0)]);
        assert!(flags("syn & (ack | rst)").is_err());
        assert!(flags("frob").is_err());
    }

    #[test]
    fn what_cannot_be_read_spoils_the_term() {
        for statement in [
            "from source-prefix-list absent",
            "from source-prefix-list nothing",
            "from dscp ef",
            "from destination-port frob",
            "then frob",
        ] {
            assert!(term(&[statement]).unusable.is_some(), "{statement}");
        }
        assert_eq!(term(&["then next term"]).verdict, Verdict::NextTerm);
    }
}
