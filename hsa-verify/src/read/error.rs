// SPDX-License-Identifier: Apache-2.0 OR MIT
//! What a reader says when it cannot go on: the file and line, or the box and port, that is wrong.

use std::path::Path;

/// Why an input was refused. Every variant names the offending place.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// The file could not be opened or read.
    #[error("{file}: {cause}")]
    Io {
        /// Path as the user gave it.
        file: String,
        /// What the operating system said.
        cause: std::io::Error,
    },
    /// A line does not have the form that its file promises.
    #[error("{file}:{line}: {what}")]
    Line {
        /// Path as the user gave it.
        file: String,
        /// Line number, from 1.
        line: usize,
        /// What is wrong and what was expected.
        what: String,
    },
    /// A file as a whole is wrong: binary, too large, cut short, of no known kind.
    #[error("{file}: {what}")]
    File {
        /// Path as the user gave it.
        file: String,
        /// What is wrong and what was expected.
        what: String,
    },
    /// Files agree with themselves but not with each other.
    #[error("box {box_name}{}: {what}", port.as_ref().map(|p| format!(", port {p}")).unwrap_or_default())]
    Box {
        /// Name of the box.
        box_name: String,
        /// Name of the port, if one is to blame.
        port: Option<String>,
        /// What is wrong.
        what: String,
    },
}

impl ReadError {
    /// An error about one line.
    pub fn line(file: &str, line: usize, what: impl Into<String>) -> Self {
        Self::Line {
            file: file.to_owned(),
            line,
            what: what.into(),
        }
    }

    /// An error about a whole file.
    pub fn file(file: &str, what: impl Into<String>) -> Self {
        Self::File {
            file: file.to_owned(),
            what: what.into(),
        }
    }

    /// An error about a box as a whole.
    pub fn of_box(box_name: &str, what: impl Into<String>) -> Self {
        Self::Box {
            box_name: box_name.to_owned(),
            port: None,
            what: what.into(),
        }
    }

    /// An error about a port of a box.
    pub fn of_port(box_name: &str, port: &str, what: impl Into<String>) -> Self {
        Self::Box {
            box_name: box_name.to_owned(),
            port: Some(port.to_owned()),
            what: what.into(),
        }
    }

    /// A failure of the operating system on a path.
    pub fn io(path: &Path, cause: std::io::Error) -> Self {
        Self::Io {
            file: path.display().to_string(),
            cause,
        }
    }
}
