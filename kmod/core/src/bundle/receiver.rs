// SPDX-License-Identifier: GPL-2.0-only
//! What has come of the peer's stream, in any order.

use super::{Violation, MAX_MEMBERS, MAX_OUTSTANDING};

/// Pieces that can lie apart: a record each, and one that is just coming for each member.
const MAX_PIECES: usize = MAX_OUTSTANDING + MAX_MEMBERS;

/// Numbers from `from` up to, without, `to`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
struct Range {
    from: u64,
    to: u64,
}

/// What to do with the next bytes that come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// So many are known already.
    Known(u64),
    /// So many are new, and belong to the place of their number.
    New(u64),
}

/// The receiving half of a bundle.
#[derive(Clone, Debug)]
pub struct Receiver {
    /// All below has come.
    next: u64,
    /// All below has been read by the user.
    read: u64,
    /// Bytes that the ring holds.
    capacity: u64,
    /// Where the stream ends, once that is known.
    end: Option<u64>,
    /// What has come beyond `next`, in order, apart from each other.
    pieces: [Range; MAX_PIECES],
    count: usize,
}

impl Receiver {
    /// Nothing received, with room for `capacity` bytes.
    #[must_use]
    pub const fn new(capacity: u64) -> Self {
        Self {
            next: 0,
            read: 0,
            capacity,
            end: None,
            pieces: [Range { from: 0, to: 0 }; MAX_PIECES],
            count: 0,
        }
    }

    /// Gives a new receiver its room.
    pub fn open(&mut self, capacity: u64) {
        self.capacity = capacity;
    }

    /// What the peer is told to have arrived: the end of the stream counts as one number.
    #[must_use]
    pub fn dack(&self) -> u64 {
        let ended = u64::from(self.is_complete());
        self.next.saturating_add(ended)
    }

    /// Where the room for the peer's data ends.
    #[must_use]
    pub const fn limit(&self) -> u64 {
        self.read.saturating_add(self.capacity)
    }

    /// Bytes that the ring holds.
    #[must_use]
    pub const fn capacity(&self) -> u64 {
        self.capacity
    }

    /// The number of the next byte for the user, and how many there are in a row.
    #[must_use]
    pub const fn readable(&self) -> (u64, u64) {
        (self.read, self.next.saturating_sub(self.read))
    }

    /// Whether all has come to the end of the stream.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        self.end == Some(self.next)
    }

    /// The user has read `n` bytes.
    pub fn consume(&mut self, n: u64) {
        self.read = self.read.saturating_add(n).min(self.next);
    }

    /// Where `len` bytes from number `dsn` on belong. Errors: the peer had been told of no room for
    /// them, or they lie behind the end.
    pub fn place(&self, dsn: u64, len: u64) -> Result<Place, Violation> {
        let to = dsn.saturating_add(len);
        if to > self.limit() || self.end.is_some_and(|end| to > end) {
            return Err(Violation::Window);
        }
        Ok(match self.next.checked_sub(dsn) {
            None | Some(0) => Place::New(len),
            Some(known) => Place::Known(known.min(len)),
        })
    }

    /// `len` bytes from number `dsn` on are at their place. Errors: more pieces lie apart than the
    /// peer may send at a time.
    pub fn store(&mut self, dsn: u64, len: u64) -> Result<(), Violation> {
        let mut new = Range {
            from: dsn.max(self.next),
            to: dsn.saturating_add(len),
        };
        if new.from >= new.to {
            return Ok(());
        }
        // Those that touch it become one with it.
        let mut kept = 0usize;
        for at in 0..self.count {
            let Some(piece) = self.pieces.get(at).copied() else {
                break;
            };
            if piece.from <= new.to && new.from <= piece.to {
                new.from = new.from.min(piece.from);
                new.to = new.to.max(piece.to);
            } else if let Some(slot) = self.pieces.get_mut(kept) {
                *slot = piece;
                kept = kept.saturating_add(1);
            }
        }
        self.count = kept;
        if new.from <= self.next {
            self.next = new.to;
            return Ok(());
        }
        *self
            .pieces
            .get_mut(self.count)
            .ok_or(Violation::Outstanding)? = new;
        self.count = self.count.saturating_add(1);
        Ok(())
    }

    /// The stream ends at `at`. Errors: something lies behind it, or it ends elsewhere already.
    pub fn ends(&mut self, at: u64) -> Result<(), Violation> {
        let last = self.pieces.iter().take(self.count).map(|p| p.to).max();
        let behind = self.next.max(last.unwrap_or(0));
        if at < behind || self.end.is_some_and(|end| end != at) {
            return Err(Violation::End);
        }
        self.end = Some(at);
        Ok(())
    }
}
