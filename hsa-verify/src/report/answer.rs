// SPDX-License-Identifier: Apache-2.0 OR MIT
//! An answer before it is shown: text, JSON and pages are made from the same value.

use super::drawing::Mark;
use serde_json::Value;

/// A part of an answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Section {
    /// Rows under a heading.
    Table {
        /// Title.
        title: String,
        /// Names of the columns.
        head: Vec<String>,
        /// Cells.
        rows: Vec<Vec<String>>,
    },
    /// Lines of text.
    Lines {
        /// Title.
        title: String,
        /// The lines.
        lines: Vec<String>,
    },
}

impl Section {
    /// A table.
    pub fn table(title: &str, head: &[&str], rows: Vec<Vec<String>>) -> Self {
        let head = head.iter().map(|h| (*h).to_owned()).collect();
        Self::Table {
            title: title.to_owned(),
            head,
            rows,
        }
    }

    /// Lines.
    pub fn lines(title: &str, lines: Vec<String>) -> Self {
        Self::Lines {
            title: title.to_owned(),
            lines,
        }
    }
}

/// An answer to a question.
#[derive(Debug, Clone)]
pub struct Answer {
    /// The subcommand.
    pub question: &'static str,
    /// Whether the answer is the good one: exit code 0, otherwise 1.
    pub good: bool,
    /// The answer in one sentence.
    pub headline: String,
    /// Details.
    pub sections: Vec<Section>,
    /// The answer for programs.
    pub json: Value,
    /// What to draw into the picture of the network.
    pub marks: Vec<Mark>,
}

impl Answer {
    /// The answer as text for a terminal or a file.
    pub fn text(&self) -> String {
        let mut text = format!("{}\n", self.headline);
        for section in &self.sections {
            match section {
                Section::Table { rows, .. } if rows.is_empty() => {}
                Section::Lines { lines, .. } if lines.is_empty() => {}
                Section::Table { title, head, rows } => {
                    text.push_str(&format!("\n{title}\n"));
                    table_text(head, rows, &mut text);
                }
                Section::Lines { title, lines } => {
                    text.push_str(&format!("\n{title}\n"));
                    for line in lines {
                        text.push_str(&format!("  {line}\n"));
                    }
                }
            }
        }
        text
    }
}

/// Columns as wide as their widest cell; the last one is not padded.
fn table_text(head: &[String], rows: &[Vec<String>], text: &mut String) {
    let width = |i: usize| {
        let cells = rows
            .iter()
            .map(|r| r.get(i).map_or(0, |c| c.chars().count()));
        cells.chain([head[i].chars().count()]).max().unwrap_or(0)
    };
    let widths: Vec<usize> = (0..head.len()).map(width).collect();
    for row in std::iter::once(head).chain(rows.iter().map(Vec::as_slice)) {
        let mut line = String::from(" ");
        for (i, cell) in row.iter().enumerate() {
            let last = i + 1 == row.len();
            let pad = if last {
                0
            } else {
                widths[i] - cell.chars().count()
            };
            line.push_str(&format!(" {cell}{}", " ".repeat(pad)));
            if !last {
                line.push(' ');
            }
        }
        text.push_str(line.trim_end());
        text.push('\n');
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_line_up() {
        let rows = vec![
            vec!["a".to_owned(), "1".to_owned()],
            vec!["bbb".to_owned(), "22".to_owned()],
        ];
        let answer = Answer {
            question: "show",
            good: true,
            headline: "Two rows.".to_owned(),
            sections: vec![Section::table("Rows", &["x", "y"], rows)],
            json: Value::Null,
            marks: Vec::new(),
        };
        assert_eq!(
            answer.text(),
            "Two rows.\n\nRows\n  x    y\n  a    1\n  bbb  22\n"
        );
    }
}
