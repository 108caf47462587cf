// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The counters of a network namespace: one for each reason.

mod counter;

pub use counter::Counter;
use netlink_packet_core::{DecodeError, DefaultNla, Nla, NlaBuffer};

use crate::attribute::{parse_other, AttributeSet};
use crate::value::Value;

/// A counter and its value.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum StatsAttribute {
    /// A counter that this crate knows.
    Counter(Counter, u64),
    /// An attribute that this version of the crate does not know.
    Other(DefaultNla),
}

impl Nla for StatsAttribute {
    fn value_len(&self) -> usize {
        match self {
            StatsAttribute::Counter(_, value) => value.size(),
            StatsAttribute::Other(other) => other.value_len(),
        }
    }

    fn kind(&self) -> u16 {
        match self {
            StatsAttribute::Counter(counter, _) => (*counter).into(),
            StatsAttribute::Other(other) => other.kind(),
        }
    }

    fn emit_value(&self, buffer: &mut [u8]) {
        match self {
            StatsAttribute::Counter(_, value) => value.emit(buffer),
            StatsAttribute::Other(other) => other.emit_value(buffer),
        }
    }
}

impl AttributeSet for StatsAttribute {
    const SET: &'static str = Counter::SET;
    const NAMES: &'static [(u16, &'static str)] = &NAMES;

    fn parse_one(attribute: &NlaBuffer<&[u8]>) -> Result<Self, DecodeError> {
        match Counter::from(attribute.kind()) {
            Counter::Other(_) => Ok(StatsAttribute::Other(parse_other(attribute)?)),
            known => Ok(StatsAttribute::Counter(
                known,
                u64::parse(attribute.value())?,
            )),
        }
    }
}

const NAMES: [(u16, &str); Counter::TABLE.len()] = {
    let mut names = [(0, ""); Counter::TABLE.len()];
    let mut at = 0;
    while at < names.len() {
        names[at] = (Counter::TABLE[at].0, Counter::TABLE[at].1);
        at += 1;
    }
    names
};
