// SPDX-License-Identifier: GPL-2.0-only
//! The `netem` queueing discipline in the kernel's own bytes
//! (include/uapi/linux/pkt_sched.h: `struct tc_netem_qopt` and TCA_NETEM_*).

use std::time::Duration;

/// TCA_NETEM_REORDER.
const REORDER: u16 = 3;
/// TCA_NETEM_ECN.
const ECN: u16 = 7;
/// TCA_NETEM_LATENCY64: nanoseconds, replaces the psched ticks of the struct.
const LATENCY64: u16 = 10;
/// TCA_NETEM_JITTER64.
const JITTER64: u16 = 11;
/// TCA_NETEM_RATE.
const RATE: u16 = 6;
/// Packets that may wait where there is a rate.
const QUEUE: u32 = 100;
/// Packets that may wait in the discipline; large enough for a delayed window.
const LIMIT: u32 = 20_000;

/// What an interface does to the packets that leave it.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Netem {
    /// One-way delay.
    pub delay: Duration,
    /// Spread around `delay`, evenly distributed.
    pub jitter: Duration,
    /// Part of the packets that vanish, 0 to 1.
    pub loss: f64,
    /// Part of the packets that are sent twice, 0 to 1.
    pub duplicate: f64,
    /// Part of the packets that overtake the delayed ones, 0 to 1.
    pub reorder: f64,
    /// What would vanish is marked "congestion experienced" if it allows that.
    pub marks: bool,
    /// Bytes per second; zero is without limit.
    pub rate: u64,
}

impl Netem {
    /// Nothing but a one-way delay.
    pub fn delay(delay: Duration) -> Self {
        Netem {
            delay,
            ..Netem::default()
        }
    }

    /// The payload of TCA_OPTIONS.
    pub fn options(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(64);
        let gap: u32 = u32::from(self.reorder > 0.0);
        let limit = if self.rate > 0 { QUEUE } else { LIMIT };
        for field in [0, limit, part(self.loss), gap, part(self.duplicate), 0] {
            bytes.extend_from_slice(&field.to_ne_bytes());
        }
        attribute(&mut bytes, LATENCY64, &nanoseconds(self.delay));
        attribute(&mut bytes, JITTER64, &nanoseconds(self.jitter));
        if self.marks {
            attribute(&mut bytes, ECN, &1u32.to_ne_bytes());
        }
        if self.rate > 0 {
            // struct tc_netem_rate, without what cells add.
            let rate = u32::try_from(self.rate).unwrap_or(u32::MAX).to_ne_bytes();
            attribute(&mut bytes, RATE, &[rate, [0; 4], [0; 4], [0; 4]].concat());
        }
        if self.reorder > 0.0 {
            let mut reorder = part(self.reorder).to_ne_bytes().to_vec();
            reorder.extend_from_slice(&0u32.to_ne_bytes());
            attribute(&mut bytes, REORDER, &reorder);
        }
        bytes
    }
}

/// A probability on the kernel's scale, where `u32::MAX` is certainty.
fn part(probability: f64) -> u32 {
    (probability.clamp(0.0, 1.0) * f64::from(u32::MAX)) as u32
}

fn nanoseconds(duration: Duration) -> [u8; 8] {
    (duration.as_nanos() as i64).to_ne_bytes()
}

fn attribute(bytes: &mut Vec<u8>, kind: u16, payload: &[u8]) {
    let length = 4 + payload.len() as u16;
    bytes.extend_from_slice(&length.to_ne_bytes());
    bytes.extend_from_slice(&kind.to_ne_bytes());
    bytes.extend_from_slice(payload);
    bytes.resize(bytes.len().next_multiple_of(4), 0);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_start_with_the_struct_and_carry_aligned_attributes() {
        let netem = Netem {
            delay: Duration::from_millis(10),
            loss: 0.5,
            ..Netem::default()
        };
        let bytes = netem.options();
        assert_eq!(&bytes[4..8], LIMIT.to_ne_bytes());
        assert_eq!(&bytes[8..12], (u32::MAX / 2).to_ne_bytes());
        assert_eq!(&bytes[24..28], [12, 0, 10, 0]);
        assert_eq!(&bytes[28..36], 10_000_000i64.to_ne_bytes());
        assert_eq!(bytes.len(), 24 + 12 + 12);
    }

    #[test]
    fn certainty_is_the_largest_value() {
        assert_eq!(part(1.0), u32::MAX);
        assert_eq!(part(2.0), u32::MAX);
        assert_eq!(part(0.0), 0);
    }
}
