// SPDX-License-Identifier: Apache-2.0 OR MIT
//! `show access-lists`: lists as the box has them, for boxes whose configuration lacks them.

use super::acl::{parse_entry, Acl, AclKind};
use super::object_groups::ObjectGroups;
use crate::read::notes::{NoteKind, Notes};
use crate::read::source::SourceText;
use crate::read::ReadError;
use std::collections::BTreeMap;

/// Whether a line opens an IPv4 list.
pub fn is_heading(text: &str) -> bool {
    heading(text).is_some()
}

fn heading(text: &str) -> Option<(AclKind, &str)> {
    let standard = text.strip_prefix("Standard IP access list ");
    let extended = text.strip_prefix("Extended IP access list ");
    let (kind, rest) = match (standard, extended) {
        (Some(rest), _) => (AclKind::Standard, rest),
        (_, Some(rest)) => (AclKind::Extended, rest),
        _ => return None,
    };
    Some((kind, rest.split_whitespace().next()?))
}

/// Reads the lists. Entries that do not parse are kept in [`Acl::unusable`].
///
/// # Errors
/// No list at all, or one that is shown twice.
pub fn read_access_lists(
    source: &SourceText,
    notes: &mut Notes,
) -> Result<BTreeMap<String, Acl>, ReadError> {
    let mut lists: BTreeMap<String, Acl> = BTreeMap::new();
    let mut current: Option<(String, AclKind)> = None;
    let mut seen = false;
    for line in source.lines() {
        let text = line.text.trim();
        if text.is_empty() {
            continue;
        }
        if let Some((kind, name)) = heading(text).filter(|_| line.indent() == 0) {
            let list = Acl {
                file: Some(source.name.clone()),
                ..Acl::default()
            };
            if lists.insert(name.to_owned(), list).is_some() {
                let what = format!("access list {name} is shown twice");
                return Err(source.error(line.number, what));
            }
            current = Some((name.to_owned(), kind));
            seen = true;
            continue;
        }
        if line.indent() == 0 {
            current = None;
        }
        let Some((name, kind)) = &current else {
            notes.command(NoteKind::NotUnderstood, text, &source.name, line.number);
            continue;
        };
        // Counters stand behind the entry in parentheses.
        let entry = text.split(" (").next().unwrap_or(text);
        let words: Vec<&str> = entry.split_whitespace().collect();
        let words = match words.first() {
            Some(w) if w.parse::<u32>().is_ok() => &words[1..],
            _ => &words[..],
        };
        if words.first() == Some(&"remark") {
            continue;
        }
        let Some(list) = lists.get_mut(name) else {
            continue;
        };
        match parse_entry(*kind, words, line.number, &ObjectGroups::default()) {
            Ok(entries) => list.entries.extend(entries),
            Err(why) => list.unusable.push((line.number, why)),
        }
    }
    if !seen {
        return Err(ReadError::file(
            &source.name,
            "no line `... IP access list NAME`: this is no output of `show access-lists`",
        ));
    }
    Ok(lists)
}

#[cfg(test)]
mod tests {
    use super::super::acl::WildAddr;
    use super::*;

    #[test]
    fn counters_and_numbers_are_no_part_of_an_entry() {
        let text = "Standard IP access list 10\n    10 permit 10.0.0.0, wildcard bits 0.0.0.255 (12 matches)\n    20 deny   any log (3 matches)\n\
                    Extended IP access list guests\n    10 permit tcp any host 10.0.0.1 eq www 443 (34 matches)\n    20 deny ip any any dscp ef\n";
        let source = SourceText::from_bytes("a", text.as_bytes()).unwrap();
        let lists = read_access_lists(&source, &mut Notes::default()).unwrap();
        let (addr, wild) = (0x0a00_0000, 0xff);
        assert_eq!(lists["10"].entries[0].src, [WildAddr { addr, wild }]);
        assert_eq!(lists["10"].entries.len(), 2);
        let ports = lists["guests"].entries[0].dst_ports.clone();
        assert_eq!(ports.unwrap(), [(80, 80), (443, 443)]);
        assert_eq!(lists["guests"].unusable[0].0, 6);
    }
}
