// SPDX-License-Identifier: GPL-2.0-only
//! A member of a bundle: how far the record that comes along it and the one that leaves by it are.

use super::{Record, HEADER_LEN};

/// What the host is to read from a member next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Want {
    /// At most so many bytes of a header, for [`Bundle::took_header`](super::Bundle::took_header).
    Header(usize),
    /// At most so many bytes that are known already.
    Known(usize),
    /// At most so many bytes of the peer's stream, from number `dsn` on.
    Data {
        /// Number of the first one.
        dsn: u64,
        /// How many.
        len: usize,
    },
}

/// A record on its way out.
#[derive(Clone, Copy, Debug)]
pub(super) struct Job {
    pub(super) header: [u8; HEADER_LEN],
    pub(super) record: Record,
    /// Bytes of header and data that the member has taken.
    pub(super) done: usize,
}

impl Job {
    pub(super) fn len(&self) -> usize {
        HEADER_LEN.saturating_add(usize::from(self.record.len))
    }
}

/// What is known of a member.
#[derive(Clone, Copy, Debug)]
pub(super) struct Member {
    pub(super) present: bool,
    /// Its path answers.
    pub(super) sound: bool,
    /// The header that is coming.
    pub(super) header: [u8; HEADER_LEN],
    pub(super) have: usize,
    /// The data that is coming: its next number, and how much is left.
    pub(super) dsn: u64,
    pub(super) left: u64,
    pub(super) job: Option<Job>,
}

impl Member {
    pub(super) const ABSENT: Self = Self {
        present: false,
        sound: false,
        header: [0; HEADER_LEN],
        have: 0,
        dsn: 0,
        left: 0,
        job: None,
    };
}
