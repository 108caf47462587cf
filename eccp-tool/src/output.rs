// SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0
//! Where results go: text for people, JSON for programs.

use std::io::{self, Write};

use serde::{Serialize, Serializer};
use serde_json::Value;

/// A result that can be shown both ways.
pub trait Show: Serialize {
    /// The text, without a last line feed; lines after the first are indented.
    fn text(&self) -> String;
}

/// Names and values in the order in which they were added: a JSON object.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Ordered(pub Vec<(String, Value)>);

impl Serialize for Ordered {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.iter().map(|(name, value)| (name, value)))
    }
}

/// The output of the program.
pub struct Output<W = io::StdoutLock<'static>> {
    writer: W,
    json: bool,
}

impl Output {
    /// Standard output, as text or as JSON.
    pub fn stdout(json: bool) -> Self {
        Self::new(io::stdout().lock(), json)
    }
}

impl<W: Write> Output<W> {
    /// Output to `writer`.
    pub fn new(writer: W, json: bool) -> Self {
        Output { writer, json }
    }

    /// Shows objects: lines of text, or one JSON array.
    pub fn list<T: Show>(&mut self, items: &[T]) -> io::Result<()> {
        if self.json {
            return self.json_line(&items);
        }
        for item in items {
            writeln!(self.writer, "{}", item.text())?;
        }
        self.writer.flush()
    }

    /// Shows one object: text, or one line of JSON. The line leaves at once.
    pub fn one<T: Show>(&mut self, item: &T) -> io::Result<()> {
        if self.json {
            return self.json_line(item);
        }
        writeln!(self.writer, "{}", item.text())?;
        self.writer.flush()
    }

    fn json_line(&mut self, value: &impl Serialize) -> io::Result<()> {
        serde_json::to_writer(&mut self.writer, value)?;
        writeln!(self.writer)?;
        self.writer.flush()
    }
}
