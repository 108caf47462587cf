// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Sets of headers as people write them.
//!
//! ```text
//! ip_dst=10.0.0.0/8 tp_dst=80|443 !vlan=3        blanks and commas mean "and"
//! (ip_src=10.1.0.0/16 or ip_src=10.2.0.0/16) tp_dst=1024..65535
//! ```
//!
//! A value is `V`, `V/LEN`, `LOW..HIGH` or `V&MASK`; `V|W` is either. `any` is every header.

use crate::header::Layout;
use crate::read::native::text_test;
use crate::space::{Set, Space};

/// Text that is no expression.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{text:?}, at {at}: {what}")]
pub struct ExpressionError {
    /// The whole text.
    pub text: String,
    /// Characters before the place.
    pub at: usize,
    /// What is wrong.
    pub what: String,
}

struct Parser<'a> {
    text: &'a str,
    at: usize,
    layout: &'a Layout,
    space: &'a mut Space,
    depth: usize,
}

/// Deepest nesting of parentheses.
const MAX_DEPTH: usize = 64;

/// Reads an expression as a set of headers.
///
/// # Errors
/// The place and what is wrong there: an unknown field, a value that does not fit, a parenthesis
/// without partner.
pub fn parse_expression(
    text: &str,
    layout: &Layout,
    space: &mut Space,
) -> Result<Set, ExpressionError> {
    let mut parser = Parser {
        text,
        at: 0,
        layout,
        space,
        depth: 0,
    };
    let set = parser.either()?;
    parser.blanks();
    if parser.at < text.len() {
        return Err(parser.error("nothing more expected here"));
    }
    Ok(set)
}

impl Parser<'_> {
    fn error(&self, what: impl Into<String>) -> ExpressionError {
        ExpressionError {
            text: self.text.to_owned(),
            at: self.at,
            what: what.into(),
        }
    }

    fn rest(&self) -> &str {
        &self.text[self.at..]
    }

    fn blanks(&mut self) {
        let rest = self.rest();
        self.at += rest.len() - rest.trim_start_matches([' ', ',', '\t', '\n']).len();
    }

    fn word(&mut self, word: &str) -> bool {
        self.blanks();
        let rest = self.rest();
        let found = rest
            .strip_prefix(word)
            .is_some_and(|after| after.is_empty() || after.starts_with([' ', '(', '!', ')', ',']));
        if found {
            self.at += word.len();
        }
        found
    }

    fn either(&mut self) -> Result<Set, ExpressionError> {
        let mut set = self.both()?;
        while self.word("or") {
            let more = self.both()?;
            set = self.space.or(set, more);
        }
        Ok(set)
    }

    fn both(&mut self) -> Result<Set, ExpressionError> {
        let mut set = self.term()?;
        loop {
            self.blanks();
            let rest = self.rest();
            let ends = rest.is_empty() || rest.starts_with(')');
            if ends
                || rest
                    .strip_prefix("or")
                    .is_some_and(|a| a.starts_with([' ', '(']))
            {
                return Ok(set);
            }
            self.word("and");
            let more = self.term()?;
            set = self.space.and(set, more);
        }
    }

    fn term(&mut self) -> Result<Set, ExpressionError> {
        self.blanks();
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            return Err(self.error("nested too deeply"));
        }
        let set = if self.rest().starts_with('!') || self.word("not") {
            if self.rest().starts_with('!') {
                self.at += 1;
            }
            let inner = self.term()?;
            self.space.not(inner)
        } else if self.rest().starts_with('(') {
            self.at += 1;
            let inner = self.either()?;
            self.blanks();
            if !self.rest().starts_with(')') {
                return Err(self.error("expected `)`"));
            }
            self.at += 1;
            inner
        } else if self.word("any") {
            Set::ALL
        } else {
            self.comparison()?
        };
        self.depth -= 1;
        Ok(set)
    }

    fn comparison(&mut self) -> Result<Set, ExpressionError> {
        let rest = self.rest();
        let length = rest
            .find(|c: char| !(c.is_ascii_alphanumeric() || c == '_'))
            .unwrap_or(rest.len());
        let name = rest[..length].to_owned();
        let Some(field) = self.layout.find(&name) else {
            let known: Vec<&str> = self.layout.fields.iter().map(|f| f.name.as_str()).collect();
            return Err(self.error(format!(
                "expected a field of the header ({}), found {name:?}",
                known.join(", ")
            )));
        };
        self.at += length;
        let negative = self.rest().starts_with("!=");
        self.at += match (negative, self.rest().starts_with("==")) {
            (true, _) | (_, true) => 2,
            _ if self.rest().starts_with('=') => 1,
            _ => return Err(self.error("expected = or !=")),
        };
        let rest = self.rest();
        let length = rest.find([' ', ',', ')', '\t']).unwrap_or(rest.len());
        let values = rest[..length].to_owned();
        let mut set = Set::EMPTY;
        let described = self.layout.field(field).clone();
        for value in values.split('|') {
            let test = text_test(&described, value).map_err(|e| self.error(e))?;
            let one = self.space.test(&described, &test);
            set = self.space.or(set, one);
        }
        self.at += length;
        Ok(if negative { self.space.not(set) } else { set })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::header::FieldKind;

    fn layout() -> Layout {
        Layout::packed(&[("a", 4, FieldKind::Number), ("b", 4, FieldKind::Number)]).unwrap()
    }

    fn count(text: &str) -> Result<String, ExpressionError> {
        let mut space = Space::new(8);
        let set = parse_expression(text, &layout(), &mut space)?;
        Ok(space.count(set).to_string())
    }

    #[test]
    fn counts_of_expressions() {
        assert_eq!(count("any").unwrap(), "256");
        assert_eq!(count("a=3").unwrap(), "16");
        assert_eq!(count("a=3 b=1..4").unwrap(), "4");
        assert_eq!(count("a=3|5, b!=1").unwrap(), "30");
        assert_eq!(count("a=3 or (b=2 and !a=3)").unwrap(), "31");
        assert_eq!(count("not a=8/1").unwrap(), "128");
        assert_eq!(count("a=1&0x1 b=0").unwrap(), "8");
    }

    #[test]
    fn errors_say_where() {
        assert_eq!(count("a=3 c=1").unwrap_err().at, 4);
        assert!(count("a=16").is_err());
        assert!(count("(a=1").is_err());
        assert!(count("a=1)").is_err());
        assert!(count("a").is_err());
        assert!(count(&"(".repeat(100)).is_err());
        assert!(count("").is_err());
    }
}
