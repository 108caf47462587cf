// SPDX-License-Identifier: Apache-2.0 OR MIT
//! A fixed-length bit string: one point of header space.

use serde::{Deserialize, Serialize};
use std::fmt;

/// A bit string of any length. Bit 0 is the leftmost, which is the first bit on the wire and the
/// first character of a wildcard expression.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Bits {
    len: u32,
    words: Vec<u64>,
}

impl Bits {
    /// A string of `len` zero bits.
    pub fn zeros(len: usize) -> Self {
        Bits {
            len: len as u32,
            words: vec![0; len.div_ceil(64)],
        }
    }

    /// A string of `len` one bits.
    pub fn ones(len: usize) -> Self {
        let mut bits = Bits::zeros(len);
        for i in 0..len {
            bits.set(i, true);
        }
        bits
    }

    /// Reads hexadecimal digits, most significant first; the string has four bits per digit.
    /// Returns `None` when a character is not a hexadecimal digit.
    pub fn from_hex(text: &str) -> Option<Self> {
        let mut bits = Bits::zeros(text.len() * 4);
        for (i, c) in text.chars().enumerate() {
            bits.write(i * 4, 4, u128::from(c.to_digit(16)?));
        }
        Some(bits)
    }

    /// The string as hexadecimal digits; a length that is no multiple of four is padded with
    /// zeros on the right.
    pub fn to_hex(&self) -> String {
        (0..self.len().div_ceil(4))
            .map(|digit| {
                let nibble = (0..4).fold(0, |n, k| {
                    let i = digit * 4 + k;
                    n << 1 | u32::from(i < self.len() && self.get(i))
                });
                char::from_digit(nibble, 16).expect("a nibble is below 16")
            })
            .collect()
    }

    /// Number of bits.
    pub fn len(&self) -> usize {
        self.len as usize
    }

    /// Whether the string has no bit at all.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Bit `i`, counted from the left. Panics when `i` is out of range.
    pub fn get(&self, i: usize) -> bool {
        assert!(i < self.len(), "bit {i} of a {}-bit string", self.len);
        self.words[i / 64] >> (63 - i % 64) & 1 == 1
    }

    /// Sets bit `i`, counted from the left. Panics when `i` is out of range.
    pub fn set(&mut self, i: usize, bit: bool) {
        assert!(i < self.len(), "bit {i} of a {}-bit string", self.len);
        let one = 1u64 << (63 - i % 64);
        if bit {
            self.words[i / 64] |= one;
        } else {
            self.words[i / 64] &= !one;
        }
    }

    /// The number in the `width` (at most 128) bits that start at `offset`.
    pub fn read(&self, offset: usize, width: usize) -> u128 {
        (offset..offset + width).fold(0, |n, i| n << 1 | u128::from(self.get(i)))
    }

    /// Writes the low `width` (at most 128) bits of `value` at `offset`.
    pub fn write(&mut self, offset: usize, width: usize, value: u128) {
        for k in 0..width {
            self.set(offset + k, value >> (width - 1 - k) & 1 == 1);
        }
    }

    /// The 64-bit words, left to right; the tail of the last word is zero.
    pub fn words(&self) -> &[u64] {
        &self.words
    }
}

impl fmt::Display for Bits {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for i in 0..self.len() {
            f.write_str(if self.get(i) { "1" } else { "0" })?;
        }
        Ok(())
    }
}

impl fmt::Debug for Bits {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hexadecimal_survives_a_round_trip() {
        let text = "1a61dbe22e44ab432bc2ac1360ed022af";
        let bits = Bits::from_hex(text).expect("only digits");
        assert_eq!(bits.len(), 132);
        assert_eq!(bits.to_hex(), text);
        assert_eq!(bits.read(4, 8), 0xa6);
        assert_eq!(Bits::from_hex("0g"), None);
    }

    #[test]
    fn a_field_is_written_most_significant_bit_first() {
        let mut bits = Bits::zeros(70);
        bits.write(60, 10, 0b10_0000_0001);
        assert!(bits.get(60) && bits.get(69));
        assert_eq!(bits.read(60, 10), 513);
        assert_eq!(bits.read(0, 60), 0);
    }
}
