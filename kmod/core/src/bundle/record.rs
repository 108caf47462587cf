// SPDX-License-Identifier: GPL-2.0-only
//! The header of a record (docs/wire.md, "Records").

use super::Violation;

/// Length of a record's header in bytes.
pub const HEADER_LEN: usize = 24;
/// Most bytes of the stream in a record.
pub const MAX_RECORD: usize = 32 * 1024;

/// Flag: the stream ends behind this record's data.
const FLAG_FIN: u8 = 1;

/// What stands in front of a piece of the stream. One without data acknowledges only.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
pub struct Record {
    /// Number of the first byte in the stream of the sender.
    pub dsn: u64,
    /// What the sender has of the other stream: all below this number. The end of a stream counts
    /// as one number.
    pub dack: u64,
    /// How much behind `dack` the sender has room for, in bytes.
    pub window: u32,
    /// Bytes of data behind the header.
    pub len: u16,
    /// The stream ends behind them.
    pub fin: bool,
}

impl Record {
    /// The number behind the record.
    #[must_use]
    pub fn end(&self) -> u64 {
        self.dsn.saturating_add(u64::from(self.len))
    }

    /// The header as it is sent.
    #[must_use]
    pub fn to_bytes(self) -> [u8; HEADER_LEN] {
        let mut out = [0; HEADER_LEN];
        let flags = if self.fin { FLAG_FIN } else { 0 };
        let bytes = (self.dsn.to_be_bytes().into_iter())
            .chain(self.dack.to_be_bytes())
            .chain(self.window.to_be_bytes())
            .chain(self.len.to_be_bytes())
            .chain([flags]);
        for (to, from) in out.iter_mut().zip(bytes) {
            *to = from;
        }
        out
    }

    /// Reads a header; unknown flags and the last byte are ignored. Errors: a length that no record
    /// has.
    pub fn parse(bytes: &[u8; HEADER_LEN]) -> Result<Self, Violation> {
        let [d0, d1, d2, d3, d4, d5, d6, d7, a0, a1, a2, a3, a4, a5, a6, a7, w0, w1, w2, w3, l0, l1, flags, _] =
            *bytes;
        let record = Self {
            dsn: u64::from_be_bytes([d0, d1, d2, d3, d4, d5, d6, d7]),
            dack: u64::from_be_bytes([a0, a1, a2, a3, a4, a5, a6, a7]),
            window: u32::from_be_bytes([w0, w1, w2, w3]),
            len: u16::from_be_bytes([l0, l1]),
            fin: flags & FLAG_FIN != 0,
        };
        match usize::from(record.len) > MAX_RECORD {
            true => Err(Violation::Length),
            false => Ok(record),
        }
    }
}
