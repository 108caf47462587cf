// SPDX-License-Identifier: GPL-2.0-only
//! What was given to send and is not acknowledged, cut into records.

use super::{MemberIndex, Record, Violation, MAX_RECORD};

/// Most records that are not acknowledged. The receiver counts on it.
pub const MAX_OUTSTANDING: usize = 256;

/// A record that is not acknowledged.
#[derive(Clone, Copy, Debug, Default)]
struct Outstanding {
    dsn: u64,
    len: u16,
    fin: bool,
    /// One bit for each member that it was given to.
    on: u8,
}

impl Outstanding {
    /// The number behind it, that of the stream's end included.
    fn end(&self) -> u64 {
        let fin = u64::from(self.fin);
        self.dsn
            .saturating_add(u64::from(self.len))
            .saturating_add(fin)
    }
}

/// The sending half of a bundle.
#[derive(Clone, Debug)]
pub struct Sender {
    /// All below is acknowledged.
    acked: u64,
    /// The first number that is in no record.
    cut: u64,
    /// The first number that nobody has given us.
    given: u64,
    /// The end of the stream is given.
    ended: bool,
    /// The end of the stream is in a record.
    end_cut: bool,
    /// Where the peer's room ends.
    limit: u64,
    records: [Outstanding; MAX_OUTSTANDING],
    first: usize,
    count: usize,
}

impl Sender {
    /// Nothing given; the peer has room for nothing that it has not told.
    pub const EMPTY: Self = Self {
        acked: 0,
        cut: 0,
        given: 0,
        ended: false,
        end_cut: false,
        limit: 0,
        records: [Outstanding {
            dsn: 0,
            len: 0,
            fin: false,
            on: 0,
        }; MAX_OUTSTANDING],
        first: 0,
        count: 0,
    };

    /// Bytes that must be kept: they are given and not acknowledged.
    #[must_use]
    pub const fn kept(&self) -> u64 {
        self.given.saturating_sub(self.acked)
    }

    /// Bytes that are in no record yet.
    #[must_use]
    pub const fn uncut(&self) -> u64 {
        self.given.saturating_sub(self.cut)
    }

    /// The number of the next byte that is given.
    #[must_use]
    pub const fn given(&self) -> u64 {
        self.given
    }

    /// Whether the end of the stream is given.
    #[must_use]
    pub const fn is_ended(&self) -> bool {
        self.ended
    }

    /// Whether the peer has the stream to its end.
    #[must_use]
    pub const fn is_done(&self) -> bool {
        self.ended && self.acked > self.given
    }

    /// `n` more bytes are there to be sent. There are none behind the end.
    pub fn give(&mut self, n: u64) {
        if !self.ended {
            self.given = self.given.saturating_add(n);
        }
    }

    /// The stream ends here.
    pub fn end(&mut self) {
        self.ended = true;
    }

    /// The peer has everything below `dack` and room for `window` bytes behind it. Errors: it says
    /// to have what was not sent.
    pub fn acknowledged(&mut self, dack: u64, window: u32) -> Result<(), Violation> {
        let sent = self.cut.saturating_add(u64::from(self.end_cut));
        if dack > sent {
            return Err(Violation::Acknowledgement);
        }
        self.limit = self.limit.max(dack.saturating_add(u64::from(window)));
        self.acked = self.acked.max(dack);
        while self.at(0).is_some_and(|oldest| oldest.end() <= self.acked) {
            self.first = wrap(self.first, 1);
            self.count = self.count.saturating_sub(1);
        }
        Ok(())
    }

    /// The next record for member `to`, which has it from now on: one that no member in `usable`
    /// has, or with `copies` that `to` itself has not, else new data as far as the peer has room.
    pub fn take(&mut self, to: MemberIndex, usable: u8, copies: bool) -> Option<Record> {
        let bit = bit(to);
        let mask = if copies { bit } else { usable };
        let again = (0..self.count)
            .map(|at| wrap(self.first, at))
            .find(|at| self.records.get(*at).is_some_and(|r| r.on & mask == 0));
        let at = again.or_else(|| self.cut_next())?;
        let record = self.records.get_mut(at)?;
        record.on |= bit;
        Some(Record {
            dsn: record.dsn,
            len: record.len,
            fin: record.fin,
            ..Record::default()
        })
    }

    /// What member `of` was given may never arrive.
    pub fn lost(&mut self, of: MemberIndex) {
        let keep = !bit(of);
        for record in &mut self.records {
            record.on &= keep;
        }
    }

    /// Cuts the next record off what is given; its position.
    fn cut_next(&mut self) -> Option<usize> {
        let room = self.limit.saturating_sub(self.cut);
        let most = u64::try_from(MAX_RECORD).unwrap_or(0);
        let len = self.uncut().min(room).min(most);
        let fin = self.ended && !self.end_cut && len == self.uncut();
        if self.count >= MAX_OUTSTANDING || (len == 0 && !fin) {
            return None;
        }
        let at = wrap(self.first, self.count);
        *self.records.get_mut(at)? = Outstanding {
            dsn: self.cut,
            len: u16::try_from(len).ok()?,
            fin,
            on: 0,
        };
        self.count = self.count.saturating_add(1);
        self.cut = self.cut.saturating_add(len);
        self.end_cut |= fin;
        Some(at)
    }

    fn at(&self, place: usize) -> Option<&Outstanding> {
        if place >= self.count {
            return None;
        }
        self.records.get(wrap(self.first, place))
    }
}

fn bit(member: MemberIndex) -> u8 {
    1u8.checked_shl(u32::from(member)).unwrap_or(0)
}

fn wrap(first: usize, by: usize) -> usize {
    let at = first.saturating_add(by);
    at.checked_sub(MAX_OUTSTANDING).unwrap_or(at)
}
