// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Readers: from files of many kinds to the network model.

mod error;
pub mod hassel;
pub mod ios;
mod ios_snapshot;
pub mod junos;
mod junos_snapshot;
mod kind;
pub mod links;
pub mod native;
pub mod netplumber;
mod notes;
pub mod openflow;
pub mod snapshot;
mod source;
mod ternary;

pub use error::ReadError;
pub use notes::{Note as ReadNote, NoteKind as ReadNoteKind, Notes};
pub use source::{Line, SourceText, MAX_FILE_BYTES};
