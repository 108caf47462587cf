// SPDX-License-Identifier: GPL-2.0-only
//! What a transport has learnt of a path: window, round-trip times, packet size. It belongs to the
//! path and not to the connection (protocol.md §7.12; docs/path-state.md).

use super::address::{Family, IpAddr128, Path};
use super::time::{Duration, Instant};

/// Paths that are remembered.
pub const REMEMBERED: usize = 4;

/// How long what was learnt of a path is believed after the flow has left it.
pub const BELIEVED: Duration = Duration::from_secs(60);

/// Window of a path of which nothing is known, in segments (RFC 6928).
pub const INITIAL_WINDOW: u32 = 10;

/// Slow-start threshold of a path on which nothing was lost yet, in segments.
pub const NO_THRESHOLD: u32 = 0x7fff_ffff;

/// Variation of a round-trip time that is not known (RFC 6298), in the transport's unit.
const FIRST_VARIATION: u32 = 1_000_000;

/// Least window that what was lost with the old path is sent again with, in segments.
const LEAST_WINDOW: u32 = 2;

/// An IPv4 header and a TCP header, both without options, in bytes.
pub const PLAIN_HEADERS: u32 = 40;

/// Packet sizes that are tried in turn where larger ones vanish, in bytes.
const SIZES: [u32; 3] = [1400, SMALLEST_V6, 576];

/// What every IPv6 link carries (RFC 8200), in bytes.
const SMALLEST_V6: u32 = 1280;

/// What a transport knows of the path that it sends along. The times are in the transport's own
/// units (TCP of Linux: microseconds, the smoothed one eightfold); here they are only kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
pub struct Learnt {
    /// Congestion window, in segments.
    pub window: u32,
    /// Slow-start threshold, in segments.
    pub threshold: u32,
    /// Smoothed round-trip time; zero: not measured.
    pub srtt: u32,
    /// Mean deviation of round-trip times.
    pub deviation: u32,
    /// The largest deviation in the last round trip.
    pub deviation_max: u32,
    /// The variation that the retransmission timer adds.
    pub variation: u32,
    /// Largest segment that has passed, in bytes, in a packet with plain headers.
    pub segment: u32,
    /// Losses are being repaired, so the window is smaller than what the path is held to carry.
    pub repairing: bool,
}

/// What a transport is to begin a path with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
pub struct Start {
    /// The values to set.
    pub learnt: Learnt,
    /// The segment is smaller than the ends agreed, because larger ones vanished here.
    pub lowered: bool,
    /// If anything is under way, which is lost with the old path: window and threshold to send it
    /// again with, in segments. That loss says nothing of the new path.
    pub again_window: u32,
    /// The threshold for that.
    pub again_threshold: u32,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Entry {
    local: IpAddr128,
    remote: IpAddr128,
    left: Instant,
    learnt: Learnt,
}

impl Entry {
    fn is_of(&self, path: &Path) -> bool {
        self.local == path.local && self.remote == path.remote
    }
}

/// The paths that a connection has left: the last four.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PathMemory {
    entries: [Option<Entry>; REMEMBERED],
}

impl PathMemory {
    /// Nothing was left yet.
    pub const EMPTY: Self = Self {
        entries: [None; REMEMBERED],
    };

    /// The transport leaves `path` at `now`. Without a measured round trip nothing was learnt.
    pub fn remember(&mut self, now: Instant, path: &Path, learnt: Learnt) {
        if learnt.srtt == 0 {
            return;
        }
        let mut kept = learnt;
        if learnt.repairing && learnt.threshold < NO_THRESHOLD {
            kept.window = learnt.window.max(learnt.threshold);
        }
        kept.repairing = false;
        let of_path = |entry: &Option<Entry>| entry.is_some_and(|entry| entry.is_of(path));
        let known = self.entries.iter().position(of_path);
        // An empty place sorts before every time.
        let oldest = || {
            let places = self.entries.iter().enumerate();
            places.min_by_key(|(_, entry)| entry.map(|entry| entry.left))
        };
        let place = known.or_else(|| oldest().map(|(at, _)| at));
        if let Some(entry) = place.and_then(|at| self.entries.get_mut(at)) {
            *entry = Some(Entry {
                local: path.local,
                remote: path.remote,
                left: now,
                learnt: kept,
            });
        }
    }

    /// What to begin `path` with at `now`: what it had when it was left within a minute, else what
    /// one begins with that is not known. `window` is the one in use, `agreed` the segment size that
    /// the ends agreed on.
    #[must_use]
    pub fn start(&self, now: Instant, path: &Path, window: u32, agreed: u32) -> Start {
        let entries = self.entries.iter().flatten();
        let known = entries
            .filter(|entry| entry.is_of(path))
            .find(|entry| now.since(entry.left) < BELIEVED);
        match known {
            Some(Entry { learnt, .. }) => Start {
                learnt: *learnt,
                lowered: learnt.segment < agreed,
                again_window: learnt.window.max(LEAST_WINDOW),
                again_threshold: learnt.window.max(LEAST_WINDOW).min(learnt.threshold),
            },
            None => Start {
                learnt: Learnt {
                    window: window.min(INITIAL_WINDOW),
                    threshold: NO_THRESHOLD,
                    deviation: FIRST_VARIATION,
                    segment: agreed,
                    ..Learnt::default()
                },
                lowered: false,
                again_window: INITIAL_WINDOW,
                again_threshold: NO_THRESHOLD,
            },
        }
    }
}

/// The packet sizes of a path, in bytes with the IP header.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Sizes {
    /// In use, as the transport has measured it.
    pub packet: u32,
    /// What the transport limits itself to, with plain headers.
    pub limit: u32,
    /// What the ends agreed on, with plain headers.
    pub agreed: u32,
    /// What the route carries; zero: not known.
    pub route: u32,
    /// The path's address family.
    pub family: Family,
}

impl Sizes {
    /// Small packets pass and large ones do not, and nobody says so: the next smaller size to try.
    #[must_use]
    pub fn smaller(&self) -> Option<u32> {
        let mut sizes = SIZES.into_iter();
        let least = match self.family {
            Family::V4 => 0,
            Family::V6 => SMALLEST_V6,
        };
        sizes.find(|size| *size < self.limit && *size < self.packet && *size >= least)
    }

    /// Between which sizes to search for a larger one, after the size was lowered (RFC 4821).
    #[must_use]
    pub fn search(&self) -> Option<(u32, u32)> {
        let high = self.route.min(self.agreed);
        (self.limit < high).then_some((self.limit, high))
    }
}
