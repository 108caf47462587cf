// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Text of an input file, checked to be text, with line numbers.

use super::error::ReadError;
use std::fs;
use std::path::Path;

/// Largest input file accepted, in bytes. The Stanford originals with 757,170 routes are below
/// 40 MiB a box; a file beyond this limit is far more likely a mistake than a network.
pub const MAX_FILE_BYTES: u64 = 1 << 30;

/// A file that was read and found to be text.
#[derive(Debug, Clone)]
pub struct SourceText {
    /// Path as the user gave it; every message about the file starts with it.
    pub name: String,
    /// Content. Bytes that are no UTF-8 (old names in descriptions) became U+FFFD.
    pub text: String,
    /// Number of the first line of `text` in the file, from 1. Greater than 1 for a part of a
    /// terminal log.
    pub first_line: usize,
    /// NUL bytes before the text, passed over: terminals pad with them.
    pub padding: usize,
}

/// Most NUL bytes accepted as padding before the text.
const MAX_PADDING: usize = 1024;

/// One line of a [`SourceText`], without its line ending.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Line<'a> {
    /// Line number in the file, from 1.
    pub number: usize,
    /// The line, trailing blanks removed.
    pub text: &'a str,
}

impl<'a> Line<'a> {
    /// Number of leading blanks.
    pub fn indent(&self) -> usize {
        self.text.len() - self.text.trim_start().len()
    }

    /// Words between blanks.
    pub fn words(&self) -> Vec<&'a str> {
        self.text.split_whitespace().collect()
    }
}

impl SourceText {
    /// Reads and checks a file.
    ///
    /// # Errors
    /// The file cannot be read, is larger than [`MAX_FILE_BYTES`], or is not text.
    pub fn open(path: &Path) -> Result<Self, ReadError> {
        let name = path.display().to_string();
        let size = fs::metadata(path)
            .map_err(|e| ReadError::io(path, e))?
            .len();
        if size > MAX_FILE_BYTES {
            return Err(ReadError::file(
                &name,
                format!("{size} bytes; files above {MAX_FILE_BYTES} bytes are refused"),
            ));
        }
        let bytes = fs::read(path).map_err(|e| ReadError::io(path, e))?;
        Self::from_bytes(name, &bytes)
    }

    /// Checks bytes that came from elsewhere (a test, a pipe).
    ///
    /// # Errors
    /// A control character that no text file has: the line that holds it is named.
    pub fn from_bytes(name: impl Into<String>, bytes: &[u8]) -> Result<Self, ReadError> {
        let name = name.into();
        let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
        let nuls = bytes.iter().take_while(|&&b| b == 0).count();
        let padding = if nuls <= MAX_PADDING && nuls < bytes.len() {
            nuls
        } else {
            0
        };
        let bytes = &bytes[padding..];
        if let Some(at) = bytes.iter().position(|&b| is_binary(b)) {
            let line = 1 + bytes[..at].iter().filter(|&&b| b == b'\n').count();
            return Err(ReadError::line(
                &name,
                line,
                format!(
                    "byte 0x{:02x} is not text; is this the right file?",
                    bytes[at]
                ),
            ));
        }
        let text = String::from_utf8_lossy(bytes).into_owned();
        Ok(Self {
            name,
            text,
            first_line: 1,
            padding,
        })
    }

    /// The lines, CR and trailing blanks removed.
    pub fn lines(&self) -> impl Iterator<Item = Line<'_>> {
        self.text.split('\n').enumerate().map(|(i, text)| Line {
            number: self.first_line + i,
            text: text.trim_end(),
        })
    }

    /// An error about one line of this file.
    pub fn error(&self, line: usize, what: impl Into<String>) -> ReadError {
        ReadError::line(&self.name, line, what)
    }

    /// Number of the last line, the empty one after a final line ending included.
    pub fn last_line(&self) -> usize {
        self.first_line + self.text.bytes().filter(|b| *b == b'\n').count()
    }

    /// Whether the last line lacks its line ending, as in a file that was cut short.
    pub fn ends_mid_line(&self) -> bool {
        !self.text.is_empty() && !self.text.ends_with('\n')
    }
}

/// Control characters that terminals and routers do write: tab, LF, CR, form feed, backspace (the
/// pager erases itself), ETX (delimiter of banners), ESC and BEL.
fn is_binary(byte: u8) -> bool {
    (byte < 0x20
        && !matches!(
            byte,
            0x03 | 0x07 | 0x08 | b'\t' | b'\n' | 0x0c | b'\r' | 0x1b
        ))
        || byte == 0x7f
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn carriage_returns_and_trailing_blanks_are_not_part_of_a_line() {
        let s = SourceText::from_bytes("f", b"a b \r\n  c\r\n").unwrap();
        let lines: Vec<_> = s.lines().collect();
        assert_eq!(
            lines[0],
            Line {
                number: 1,
                text: "a b"
            }
        );
        assert_eq!(lines[1].indent(), 2);
        assert!(!s.ends_mid_line());
    }

    #[test]
    fn padding_before_the_text_is_passed_over_and_told() {
        let s = SourceText::from_bytes("f", b"\0\0\0Protocol  Address\n").unwrap();
        assert_eq!((s.padding, s.text.as_str()), (3, "Protocol  Address\n"));
        assert!(SourceText::from_bytes("f", &[0; 16]).is_err());
    }

    #[test]
    fn binary_noise_names_the_line() {
        let e = SourceText::from_bytes("f", b"hostname x\n\x00\x01").unwrap_err();
        assert_eq!(
            e.to_string(),
            "f:2: byte 0x00 is not text; is this the right file?"
        );
    }
}
