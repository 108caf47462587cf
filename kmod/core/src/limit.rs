// SPDX-License-Identifier: GPL-2.0-only
//! Limits on the rate of answers.

use super::time::Instant;

const MICROS_PER_SECOND: u64 = 1_000_000;

/// A token bucket that holds the tokens of one second.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct TokenBucket {
    rate: u32,
    /// Tokens in millionths.
    level: u64,
    filled: Instant,
}

impl TokenBucket {
    /// A full bucket of `rate` tokens a second; a rate of zero limits nothing.
    #[must_use]
    pub const fn new(rate: u32, now: Instant) -> Self {
        Self {
            rate,
            level: Self::capacity(rate),
            filled: now,
        }
    }

    const fn capacity(rate: u32) -> u64 {
        (rate as u64).saturating_mul(MICROS_PER_SECOND)
    }

    /// Takes a token; false if there is none.
    pub fn take(&mut self, now: Instant) -> bool {
        if self.rate == 0 {
            return true;
        }
        let gained = now
            .since(self.filled)
            .0
            .saturating_mul(u64::from(self.rate));
        self.level = self
            .level
            .saturating_add(gained)
            .min(Self::capacity(self.rate));
        self.filled = now;
        match self.level.checked_sub(MICROS_PER_SECOND) {
            Some(rest) => {
                self.level = rest;
                true
            }
            None => false,
        }
    }
}
