// SPDX-License-Identifier: GPL-2.0-only
//! Repetition of handshakes and the round-trip times that it is timed by (protocol.md §7.11).

use super::host::Host;
use super::settings::{FIRST_RETRY, MAX_RETRY, MIN_RETRY};
use super::time::{Duration, Instant};

/// Smoothed round-trip time and its variation (RFC 6298 §2), fed by handshakes that were not
/// repeated (Karn's rule).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
pub struct Rtt {
    smoothed: Option<Duration>,
    variation: Duration,
}

impl Rtt {
    /// Nothing measured yet.
    pub const UNKNOWN: Self = Self {
        smoothed: None,
        variation: Duration(0),
    };

    /// Takes a new measurement in.
    pub fn sample(&mut self, rtt: Duration) {
        let Some(Duration(srtt)) = self.smoothed else {
            self.smoothed = Some(rtt);
            self.variation = Duration(rtt.0 >> 1);
            return;
        };
        let var = self.variation.0;
        let off = srtt.abs_diff(rtt.0);
        self.variation = Duration(var.saturating_sub(var >> 2).saturating_add(off >> 2));
        self.smoothed = Some(Duration(
            srtt.saturating_sub(srtt >> 3).saturating_add(rtt.0 >> 3),
        ));
    }

    /// The smoothed round-trip time; `None` before the first measurement.
    #[must_use]
    pub const fn smoothed(&self) -> Option<Duration> {
        self.smoothed
    }

    /// How long to wait for an answer before the first repetition.
    #[must_use]
    pub fn retry(&self) -> Duration {
        match self.smoothed {
            None => FIRST_RETRY,
            Some(Duration(srtt)) => {
                Duration(srtt.saturating_add(self.variation.0 << 2)).clamp(MIN_RETRY, MAX_RETRY)
            }
        }
    }
}

/// A message that is repeated until it is answered, with doubling gaps up to
/// [`MAX_RETRY`] and an eighth of jitter.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Retry {
    /// When the first try was due.
    pub since: Instant,
    /// When the next try is due; `None` once stopped.
    pub next: Option<Instant>,
    /// When the latest try was made; the start of time before the first.
    pub last: Instant,
    /// Tries made so far; saturates.
    pub tries: u8,
}

impl Retry {
    /// Not running.
    pub const IDLE: Self = Self {
        since: Instant(0),
        next: None,
        last: Instant(0),
        tries: 0,
    };

    /// The first try is due at `at`.
    #[must_use]
    pub const fn starting(at: Instant) -> Self {
        Self {
            since: at,
            next: Some(at),
            last: Instant(0),
            tries: 0,
        }
    }

    /// The first try was just made in another way; the next is due one gap later.
    #[must_use]
    pub fn started(now: Instant, first_gap: Duration, host: &mut dyn Host) -> Self {
        let mut retry = Self::starting(now);
        retry.tried(now, first_gap, host);
        retry
    }

    /// True if a try is due.
    #[must_use]
    pub fn is_due(&self, now: Instant) -> bool {
        self.next.is_some_and(|next| next <= now)
    }

    /// Notes that a try was made and sets the time of the next.
    pub fn tried(&mut self, now: Instant, first_gap: Duration, host: &mut dyn Host) {
        let doublings = u32::from(self.tries.min(6));
        let gap = first_gap.0.checked_shl(doublings).unwrap_or(MAX_RETRY.0);
        let gap = gap.min(MAX_RETRY.0);
        let mut random = [0u8; 4];
        host.random(&mut random);
        // A 32-bit fraction of an eighth of the gap; it shortens, so that the longest gap holds.
        let fraction = u64::from(u32::from_be_bytes(random));
        let cut = (gap >> 3).saturating_mul(fraction) >> 32;
        let gap = gap.saturating_sub(cut);
        self.last = now;
        self.tries = self.tries.saturating_add(1);
        self.next = Some(now.after(Duration(gap)));
    }

    /// Stops the repetition; what was tried stays on record.
    pub fn stop(&mut self) {
        self.next = None;
    }

    /// The round-trip time if the answer came now: only if there was exactly one try (Karn).
    #[must_use]
    pub fn measured(&self, now: Instant) -> Option<Duration> {
        (self.tries == 1).then(|| now.since(self.last))
    }
}
