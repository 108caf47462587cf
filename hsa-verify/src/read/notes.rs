// SPDX-License-Identifier: Apache-2.0 OR MIT
//! What a reader saw and did not turn into the model: counted, with the first place of each kind.

use serde::Serialize;
use std::collections::BTreeMap;

/// Why a line is not in the model.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum NoteKind {
    /// The reader does not know the command or line.
    NotUnderstood,
    /// The reader knows it, it can change where packets go, and the model leaves it out.
    NotModelled,
    /// The input contradicts itself or is incomplete; the reader says how it decided.
    Assumed,
    /// Known to have no effect on forwarding (names, timers, management).
    NoEffect,
}

impl NoteKind {
    /// Short text for tables.
    pub fn label(self) -> &'static str {
        match self {
            Self::NotUnderstood => "not understood",
            Self::NotModelled => "not modelled",
            Self::Assumed => "assumed",
            Self::NoEffect => "no effect",
        }
    }
}

/// One kind of line: how often it was seen and where first.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Note {
    /// Why it is not in the model.
    pub kind: NoteKind,
    /// The command with its numbers replaced by `N`, or a sentence.
    pub what: String,
    /// How many lines.
    pub count: usize,
    /// First place, `file:line` or a box name.
    pub first: String,
}

/// The counted list of everything that did not become part of the model.
#[derive(Debug, Clone, Default)]
pub struct Notes {
    seen: BTreeMap<(NoteKind, String), (usize, String)>,
}

impl Notes {
    /// Counts one line of a file.
    pub fn line(&mut self, kind: NoteKind, what: impl Into<String>, file: &str, line: usize) {
        self.at(kind, what, || format!("{file}:{line}"));
    }

    /// Counts one line, replacing digits so that equal commands fall together.
    pub fn command(&mut self, kind: NoteKind, words: &str, file: &str, line: usize) {
        self.at(kind, shape_of(words), || format!("{file}:{line}"));
    }

    /// Counts a finding about a box rather than a line.
    pub fn of_box(&mut self, kind: NoteKind, what: impl Into<String>, place: &str) {
        self.at(kind, what, || place.to_owned());
    }

    fn at(&mut self, kind: NoteKind, what: impl Into<String>, place: impl FnOnce() -> String) {
        let entry = self
            .seen
            .entry((kind, what.into()))
            .or_insert_with(|| (0, place()));
        entry.0 += 1;
    }

    /// Adds the notes of another file.
    pub fn merge(&mut self, other: Notes) {
        for (key, (count, first)) in other.seen {
            self.seen.entry(key).or_insert((0, first)).0 += count;
        }
    }

    /// How many lines of a kind.
    pub fn count(&self, kind: NoteKind) -> usize {
        self.seen
            .iter()
            .filter(|((k, _), _)| *k == kind)
            .map(|(_, (n, _))| n)
            .sum()
    }

    /// All notes, gravest kind first, most frequent first.
    pub fn list(&self) -> Vec<Note> {
        let mut list: Vec<Note> = self
            .seen
            .iter()
            .map(|((kind, what), (count, first))| Note {
                kind: *kind,
                what: what.clone(),
                count: *count,
                first: first.clone(),
            })
            .collect();
        list.sort_by(|a, b| (a.kind, b.count, &a.what).cmp(&(b.kind, a.count, &b.what)));
        list
    }
}

/// The command with every word that holds a digit replaced by `N`, at most six words.
fn shape_of(command: &str) -> String {
    let mut shape = String::new();
    for (i, word) in command.split_whitespace().enumerate() {
        if i == 6 {
            shape.push_str(" ...");
            break;
        }
        if i > 0 {
            shape.push(' ');
        }
        if i > 0 && word.contains(|c: char| c.is_ascii_digit()) {
            shape.push('N');
        } else {
            shape.push_str(word);
        }
    }
    shape
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_commands_with_other_numbers_are_one_note() {
        let mut notes = Notes::default();
        notes.command(NoteKind::NotUnderstood, "ip magic 10.0.0.1", "f", 3);
        notes.command(NoteKind::NotUnderstood, "ip magic 10.0.0.2", "f", 9);
        notes.command(NoteKind::NoEffect, "ip helper-address 1.2.3.4", "f", 4);
        let list = notes.list();
        assert_eq!(list.len(), 2);
        assert_eq!((list[0].count, list[0].first.as_str()), (2, "f:3"));
        assert_eq!(list[0].what, "ip magic N");
        assert_eq!(notes.count(NoteKind::NoEffect), 1);
    }
}
