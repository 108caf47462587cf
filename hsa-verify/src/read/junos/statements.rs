// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The text of a configuration as a list of statements: `set a b c` as it stands, braces unfolded,
//! what is deactivated left out.

use crate::read::{ReadError, SourceText};

/// A statement: the line where it begins and its words.
pub type Statement = (usize, Vec<String>);

/// Deepest nesting of braces.
const MAX_DEPTH: usize = 64;

/// Reads the statements.
///
/// # Errors
/// Braces that do not match, a comment or quoted text that never ends, a last statement that is
/// cut, an edit command other than `set` and `deactivate`.
pub fn statements(source: &SourceText) -> Result<Vec<Statement>, ReadError> {
    let mut parser = Parser {
        source,
        path: Vec::new(),
        result: Vec::new(),
        words: Vec::new(),
        start: 0,
        quote: None,
        comment: None,
    };
    let mut inactive: Vec<Vec<String>> = Vec::new();
    for line in source.lines() {
        let text = line.text.trim();
        let outside = parser.path.is_empty() && parser.words.is_empty() && !parser.inside();
        if outside && text.starts_with("set ") {
            let words = set_words(source, &text[4..], line.number)?;
            parser.result.extend(expand(&[], words, line.number));
        } else if outside && text.starts_with("deactivate ") {
            inactive.push(set_words(source, &text[11..], line.number)?);
        } else if outside && is_edit(text) {
            let what = format!("{text:?}: only set and deactivate lines are supported");
            return Err(source.error(line.number, what));
        } else {
            parser.line(line.text, line.number)?;
        }
    }
    parser.finish()?;
    let mut result = parser.result;
    result.retain(|(_, words)| !inactive.iter().any(|i| words.starts_with(i)));
    Ok(result)
}

fn is_edit(text: &str) -> bool {
    [
        "delete ",
        "activate ",
        "rename ",
        "replace ",
        "insert ",
        "protect ",
    ]
    .iter()
    .any(|e| text.starts_with(e))
}

/// Words of a `set` line; a quoted text is one word.
fn set_words(source: &SourceText, text: &str, line: usize) -> Result<Vec<String>, ReadError> {
    let mut words = Vec::new();
    let mut rest = text.trim();
    while !rest.is_empty() {
        let (word, after) = match rest.strip_prefix('"') {
            Some(quoted) => quoted
                .split_once('"')
                .ok_or_else(|| source.error(line, "the quoted text is cut short"))?,
            None => rest.split_once(char::is_whitespace).unwrap_or((rest, "")),
        };
        words.push(word.to_owned());
        rest = after.trim_start();
    }
    Ok(words)
}

/// `[ a b ]` is a list: one statement a member.
fn expand(path: &[String], words: Vec<String>, line: usize) -> Vec<Statement> {
    let full = |words: &[String]| [path, words].concat();
    match words.iter().position(|w| w == "[") {
        Some(at) => words[at + 1..]
            .iter()
            .filter(|w| *w != "]")
            .map(|member| (line, [full(&words[..at]), vec![member.clone()]].concat()))
            .collect(),
        None => vec![(line, full(&words))],
    }
}

/// An open brace: its words, whether it is active, its line.
struct Open {
    words: Vec<String>,
    active: bool,
    line: usize,
}

struct Parser<'a> {
    source: &'a SourceText,
    path: Vec<Open>,
    result: Vec<Statement>,
    /// Words of the statement that is being read, and the line where it began.
    words: Vec<String>,
    start: usize,
    quote: Option<(String, usize)>,
    comment: Option<usize>,
}

impl Parser<'_> {
    fn inside(&self) -> bool {
        self.quote.is_some() || self.comment.is_some()
    }

    fn line(&mut self, text: &str, number: usize) -> Result<(), ReadError> {
        let mut rest = text;
        while let Some(c) = rest.chars().next() {
            if self.comment.is_some() {
                let Some((_, after)) = rest.split_once("*/") else {
                    return Ok(());
                };
                self.comment = None;
                rest = after;
            } else if let Some((quoted, _)) = &mut self.quote {
                let Some((piece, after)) = rest.split_once('"') else {
                    quoted.push_str(rest);
                    return Ok(());
                };
                quoted.push_str(piece);
                let word = std::mem::take(quoted);
                self.quote = None;
                self.word(&word, number);
                rest = after;
            } else if c.is_whitespace() {
                rest = rest.trim_start();
            } else if c == '#' {
                return Ok(());
            } else if let Some(after) = rest.strip_prefix("/*") {
                self.comment = Some(number);
                rest = after;
            } else if c == '"' {
                self.quote = Some((String::new(), number));
                rest = &rest[1..];
            } else if matches!(c, '{' | '}' | ';' | '[' | ']') {
                self.mark(c, number)?;
                rest = &rest[1..];
            } else {
                let ends = |c: char| c.is_whitespace() || "{};[]\"".contains(c);
                let end = rest.find(ends).unwrap_or(rest.len());
                self.word(&rest[..end], number);
                rest = &rest[end..];
            }
        }
        Ok(())
    }

    fn word(&mut self, word: &str, line: usize) {
        if self.words.is_empty() {
            self.start = line;
        }
        self.words.push(word.to_owned());
    }

    fn mark(&mut self, mark: char, line: usize) -> Result<(), ReadError> {
        match mark {
            '[' => self.word("[", line),
            ']' => self.word("]", line),
            '{' => {
                if self.path.len() == MAX_DEPTH {
                    return Err(self.source.error(line, "braces within too many braces"));
                }
                let (words, active) = self.take();
                self.path.push(Open {
                    words,
                    active,
                    line,
                });
            }
            '}' => {
                if !self.words.is_empty() {
                    let what = format!("{:?} has no `;`", self.words.join(" "));
                    return Err(self.source.error(self.start, what));
                }
                if self.path.pop().is_none() {
                    return Err(self.source.error(line, "a closing brace too many"));
                }
            }
            _ => {
                let start = if self.words.is_empty() {
                    line
                } else {
                    self.start
                };
                let (words, active) = self.take();
                if active && !words.is_empty() && self.path.iter().all(|o| o.active) {
                    let path = self.path.iter().flat_map(|o| o.words.clone());
                    let path: Vec<String> = path.collect();
                    self.result.extend(expand(&path, words, start));
                }
            }
        }
        Ok(())
    }

    /// The words read so far without the mark of what is inactive.
    fn take(&mut self) -> (Vec<String>, bool) {
        let mut words = std::mem::take(&mut self.words);
        let mut active = true;
        while matches!(
            words.first().map(String::as_str),
            Some("inactive:" | "protect:" | "replace:")
        ) {
            active &= words.remove(0) != "inactive:";
        }
        (words, active)
    }

    fn finish(&self) -> Result<(), ReadError> {
        let cut = |line: usize, what: &str| {
            let what = format!("{what}: the file is cut short");
            Err(self.source.error(line, what))
        };
        if let Some((_, line)) = &self.quote {
            return cut(*line, "this quoted text never ends");
        }
        if let Some(line) = self.comment {
            return cut(line, "this comment never ends");
        }
        if !self.words.is_empty() {
            let what = format!("{:?} has no `;`", self.words.join(" "));
            return cut(self.start, &what);
        }
        match self.path.last() {
            Some(open) => cut(open.line, "this brace is never closed"),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Vec<String>, String> {
        let source = SourceText::from_bytes("c", text.as_bytes()).unwrap();
        let found = statements(&source).map_err(|e| e.to_string())?;
        let show = |(line, words): &Statement| format!("{line} {}", words.join(" "));
        Ok(found.iter().map(show).collect())
    }

    #[test]
    fn braces_lists_comments_and_quotes() {
        let text = "/* a\n comment */ a {\n  b [ c d ]; ## e\n  inactive: f { g; }\n  h { i \"j; }\"; }\n}\ninactive: k;\nl;\n";
        assert_eq!(
            read(text).unwrap(),
            ["3 a b c", "3 a b d", "5 a h i j; }", "8 l"]
        );
    }

    #[test]
    fn deactivated_parts_are_left_out() {
        let text = "set a b c\nset a d \"e f\"\ndeactivate a b\nset g [ h i ]\n";
        assert_eq!(read(text).unwrap(), ["2 a d e f", "4 g h", "4 g i"]);
        assert!(read("delete a\n").unwrap_err().starts_with("c:1: "));
    }

    #[test]
    fn what_is_cut_short_is_named() {
        for (text, line) in [
            ("a {\n b;\n", 1),
            ("a;\nb {\n c", 3),
            ("a \"b\n", 1),
            ("/* a\n", 1),
            ("a;\n}\n", 2),
            ("a { b }\n", 1),
            ("set a \"b\n", 1),
        ] {
            let e = read(text).unwrap_err();
            assert!(e.starts_with(&format!("c:{line}: ")), "{text:?}: {e}");
        }
    }
}
