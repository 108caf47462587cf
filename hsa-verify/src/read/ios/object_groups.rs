// SPDX-License-Identifier: Apache-2.0 OR MIT
//! `object-group network` and `object-group service`: names for addresses and services that
//! access-list entries use.

use super::acl::{parse_service, Service, WildAddr};
use super::config::{ipv4, mask_len};
use crate::read::source::SourceText;
use std::collections::BTreeMap;

/// A group as written; a line that cannot be read spoils the group, not the file.
#[derive(Debug, Clone)]
struct Group<T> {
    members: Vec<T>,
    others: Vec<String>,
    unusable: Option<String>,
}

impl<T> Default for Group<T> {
    fn default() -> Self {
        Self {
            members: Vec::new(),
            others: Vec::new(),
            unusable: None,
        }
    }
}

/// The groups of a configuration.
#[derive(Debug, Clone, Default)]
pub struct ObjectGroups {
    networks: BTreeMap<String, Group<WildAddr>>,
    services: BTreeMap<String, Group<Service>>,
}

/// Groups may name other groups; this many deep.
const MAX_DEPTH: usize = 16;
/// More members than this, groups within groups counted, are refused.
const MAX_MEMBERS: usize = 20_000;

enum Open {
    None,
    Network(String),
    Service(String),
}

impl ObjectGroups {
    /// Collects the groups of a configuration.
    pub fn read(source: &SourceText) -> Self {
        let mut groups = Self::default();
        let mut open = Open::None;
        for line in source.lines() {
            let words = line.words();
            if words.is_empty() || words[0].starts_with('!') {
                continue;
            }
            if line.indent() == 0 {
                open = groups.open(&words);
                continue;
            }
            match &open {
                Open::None => {}
                Open::Network(name) => {
                    let group = groups.networks.entry(name.clone()).or_default();
                    group.line(&words, network_members);
                }
                Open::Service(name) => {
                    let group = groups.services.entry(name.clone()).or_default();
                    group.line(&words, |words| parse_service(words).map(|s| vec![s]));
                }
            }
        }
        groups
    }

    fn open(&mut self, words: &[&str]) -> Open {
        match words {
            ["object-group", "network", name] | ["object-group", "ip", "address", name] => {
                self.networks.entry((*name).to_owned()).or_default();
                Open::Network((*name).to_owned())
            }
            ["object-group", "service", name, rest @ ..] => {
                let group = self.services.entry((*name).to_owned()).or_default();
                if let Some(word) = rest.first() {
                    let what = format!("object-group service {name}: {word:?} is not supported");
                    group.unusable = Some(what);
                }
                Open::Service((*name).to_owned())
            }
            _ => Open::None,
        }
    }

    /// Addresses of a network group.
    ///
    /// # Errors
    /// The group does not exist or has a line that cannot be read.
    pub fn addresses(&self, name: &str) -> Result<Vec<WildAddr>, String> {
        let mut found = Vec::new();
        collect(&self.networks, name, 0, &mut found)?;
        Ok(found)
    }

    /// Services of a service group.
    ///
    /// # Errors
    /// As [`ObjectGroups::addresses`].
    pub fn services(&self, name: &str) -> Result<Vec<Service>, String> {
        let mut found = Vec::new();
        collect(&self.services, name, 0, &mut found)?;
        Ok(found)
    }
}

fn collect<T: Clone>(
    groups: &BTreeMap<String, Group<T>>,
    name: &str,
    depth: usize,
    found: &mut Vec<T>,
) -> Result<(), String> {
    let group = groups
        .get(name)
        .ok_or_else(|| format!("there is no object-group {name} of that kind"))?;
    if let Some(why) = &group.unusable {
        return Err(format!("object-group {name}: {why}"));
    }
    if depth == MAX_DEPTH {
        return Err(format!(
            "object-group {name}: groups within too many groups"
        ));
    }
    found.extend(group.members.iter().cloned());
    for other in &group.others {
        collect(groups, other, depth + 1, found)?;
    }
    if found.len() > MAX_MEMBERS {
        return Err(format!(
            "object-group {name}: more than {MAX_MEMBERS} members"
        ));
    }
    Ok(())
}

impl<T> Group<T> {
    fn line(&mut self, words: &[&str], read: impl Fn(&[&str]) -> Result<Vec<T>, String>) {
        // NX-OS and newer releases number the lines.
        let words = match words {
            [n, rest @ ..] if n.parse::<u32>().is_ok() && rest.len() > 1 => rest,
            all => all,
        };
        match words {
            ["description", ..] => {}
            ["group-object", other] => self.others.push((*other).to_owned()),
            words => match read(words) {
                Ok(members) => self.members.extend(members),
                Err(why) => {
                    self.unusable.get_or_insert(why);
                }
            },
        }
    }
}

/// `any`, `host A`, `A MASK` (a network mask, unlike in access lists), `A/LEN`, `range A B`.
fn network_members(words: &[&str]) -> Result<Vec<WildAddr>, String> {
    let bad = || format!("{:?} is no address", words.join(" "));
    let of_len = |addr: u32, len: u8| {
        let wild = u32::MAX.checked_shr(u32::from(len)).unwrap_or(0);
        let addr = addr & !wild;
        WildAddr { addr, wild }
    };
    match words {
        ["any"] => Ok(vec![WildAddr::ANY]),
        ["host", a] => Ok(vec![of_len(ipv4(a).ok_or_else(bad)?, 32)]),
        ["range", low, high] => {
            let (low, high) = (ipv4(low).ok_or_else(bad)?, ipv4(high).ok_or_else(bad)?);
            if low > high {
                return Err(bad());
            }
            Ok(prefixes(low, high))
        }
        [a, mask] => {
            let len = ipv4(mask).and_then(mask_len).ok_or_else(bad)?;
            Ok(vec![of_len(ipv4(a).ok_or_else(bad)?, len)])
        }
        [one] => {
            let (prefix, len) = super::cef::prefix(one).ok_or_else(bad)?;
            Ok(vec![of_len(prefix, len)])
        }
        _ => Err(bad()),
    }
}

/// The prefixes that make up a range of addresses.
fn prefixes(low: u32, high: u32) -> Vec<WildAddr> {
    let (mut at, end) = (u64::from(low), u64::from(high) + 1);
    let mut list = Vec::new();
    while at < end {
        let aligned = if at == 0 {
            1 << 32
        } else {
            at & at.wrapping_neg()
        };
        let mut size = aligned.min(1 << 32);
        while size > end - at {
            size /= 2;
        }
        list.push(WildAddr {
            addr: at as u32,
            wild: (size - 1) as u32,
        });
        at += size;
    }
    list
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> ObjectGroups {
        ObjectGroups::read(&SourceText::from_bytes("c", text.as_bytes()).unwrap())
    }

    #[test]
    fn networks_by_host_mask_range_and_group() {
        let groups = read(
            "object-group network A\n description x\n host 10.0.0.1\n 10.1.0.0 255.255.0.0\n\
             object-group network B\n group-object A\n range 10.2.0.1 10.2.0.6\n\
             object-group network C\n host nonsense\n",
        );
        let all = groups.addresses("B").unwrap();
        let inside = |a: [u8; 4]| {
            let a = u32::from_be_bytes(a);
            all.iter().any(|w| a & !w.wild == w.addr)
        };
        for (a, expected) in [
            ([10, 0, 0, 1], true),
            ([10, 0, 0, 2], false),
            ([10, 1, 200, 3], true),
            ([10, 2, 0, 0], false),
            ([10, 2, 0, 1], true),
            ([10, 2, 0, 6], true),
            ([10, 2, 0, 7], false),
        ] {
            assert_eq!(inside(a), expected, "{a:?}");
        }
        assert!(groups.addresses("C").is_err());
        assert!(groups.addresses("D").is_err());
    }

    #[test]
    fn groups_that_hold_themselves_are_refused() {
        let groups = read("object-group network A\n group-object A\n");
        assert!(groups.addresses("A").is_err());
    }

    #[test]
    fn ranges_are_exact_at_both_ends() {
        assert_eq!(prefixes(0, u32::MAX).len(), 1);
        for (low, high) in [(0, 0), (1, 9), (7, 8), (u32::MAX - 2, u32::MAX)] {
            let list = prefixes(low, high);
            let size: u64 = list.iter().map(|w| u64::from(w.wild) + 1).sum();
            assert_eq!(size, u64::from(high - low) + 1);
            assert!(list
                .iter()
                .all(|w| w.addr >= low && w.addr | w.wild <= high));
        }
    }
}
