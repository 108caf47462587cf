// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Ternary wildcard expressions over {0, 1, x} and unions of them (NSDI 2012, section 2): the
//! form in which sets are read and shown. Set algebra at scale is done in [`crate::space`].

use super::Bits;
use num_bigint::BigUint;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::fmt;
use std::str::FromStr;

/// A ternary vector of any length: the set of headers that agree with it wherever it is not `x`.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Wildcard {
    len: u32,
    // Even words: 1 where the bit is fixed. Odd words: the fixed value, 0 where the bit is x.
    words: Vec<u64>,
}

/// Text that is not a wildcard expression.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ParseWildcardError {
    /// A character other than `0`, `1`, `x` and the separators `,`, `_` and blank.
    #[error("character {found:?} at position {position} of a wildcard expression")]
    Character {
        /// The character.
        found: char,
        /// Its position in the text, counted from 1.
        position: usize,
    },
    /// Two members of a union have unequal lengths.
    #[error("a wildcard expression of {found} bits among ones of {expected}")]
    Length {
        /// Bits of the first member.
        expected: usize,
        /// Bits of this one.
        found: usize,
    },
}

impl Wildcard {
    /// All headers of `len` bits.
    pub fn all(len: usize) -> Self {
        Wildcard {
            len: len as u32,
            words: vec![0; 2 * len.div_ceil(64)],
        }
    }

    /// Just one header.
    pub fn point(bits: &Bits) -> Self {
        let mut w = Wildcard::all(bits.len());
        for i in 0..bits.len() {
            w.set(i, Some(bits.get(i)));
        }
        w
    }

    /// Number of bits.
    pub fn len(&self) -> usize {
        self.len as usize
    }

    /// Whether the expression has no bit at all.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Bit `i` from the left: fixed to a value, or `None` for `x`.
    pub fn get(&self, i: usize) -> Option<bool> {
        assert!(i < self.len(), "bit {i} of a {}-bit wildcard", self.len);
        let (word, shift) = (i / 64, 63 - i % 64);
        let fixed = self.words[2 * word] >> shift & 1 == 1;
        fixed.then(|| self.words[2 * word + 1] >> shift & 1 == 1)
    }

    /// Fixes bit `i` or, with `None`, frees it.
    pub fn set(&mut self, i: usize, bit: Option<bool>) {
        assert!(i < self.len(), "bit {i} of a {}-bit wildcard", self.len);
        let (word, one) = (i / 64, 1u64 << (63 - i % 64));
        self.words[2 * word] &= !one;
        self.words[2 * word + 1] &= !one;
        if let Some(value) = bit {
            self.words[2 * word] |= one;
            if value {
                self.words[2 * word + 1] |= one;
            }
        }
    }

    /// Fixes the `width` bits at `offset` to `value`.
    pub fn fix(&mut self, offset: usize, width: usize, value: u128) {
        for k in 0..width {
            self.set(offset + k, Some(value >> (width - 1 - k) & 1 == 1));
        }
    }

    /// The fixed bits, left to right.
    pub fn fixed(&self) -> impl Iterator<Item = (usize, bool)> + '_ {
        self.words.chunks_exact(2).enumerate().flat_map(|(k, w)| {
            let (mut care, value) = (w[0], w[1]);
            std::iter::from_fn(move || {
                if care == 0 {
                    return None;
                }
                let lead = care.leading_zeros();
                let one = 1u64 << (63 - lead);
                care &= !one;
                Some((k * 64 + lead as usize, value & one != 0))
            })
        })
    }

    /// Number of `x`.
    pub fn free_bits(&self) -> usize {
        let fixed: u32 = self.words.iter().step_by(2).map(|w| w.count_ones()).sum();
        self.len() - fixed as usize
    }

    /// Number of headers: two to the number of `x`.
    pub fn count(&self) -> BigUint {
        BigUint::from(1u8) << self.free_bits()
    }

    /// Whether the header is in the set. Panics on unequal lengths.
    pub fn contains(&self, header: &Bits) -> bool {
        assert_eq!(self.len(), header.len(), "headers of unequal length");
        let pairs = self.words.chunks_exact(2).zip(header.words());
        pairs.into_iter().all(|(w, h)| (h & w[0]) == w[1])
    }

    /// The headers in both sets; `None` when there are none. Panics on unequal lengths.
    pub fn intersect(&self, other: &Wildcard) -> Option<Wildcard> {
        assert_eq!(self.len, other.len, "wildcards of unequal length");
        let mut words = Vec::with_capacity(self.words.len());
        for (a, b) in self.words.chunks_exact(2).zip(other.words.chunks_exact(2)) {
            if a[0] & b[0] & (a[1] ^ b[1]) != 0 {
                return None;
            }
            words.extend([a[0] | b[0], a[1] | b[1]]);
        }
        Some(Wildcard {
            len: self.len,
            words,
        })
    }

    /// Whether every header of `self` is in `other`.
    pub fn is_subset(&self, other: &Wildcard) -> bool {
        self.intersect(other).as_ref() == Some(self)
    }

    /// The headers of `self` that are not in `other`, as disjoint expressions.
    pub fn subtract(&self, other: &Wildcard) -> WildcardUnion {
        let mut pieces = WildcardUnion::default();
        if self.intersect(other).is_none() {
            pieces.0.push(self.clone());
            return pieces;
        }
        let mut rest = self.clone();
        for (i, value) in other.fixed() {
            if rest.get(i).is_none() {
                let mut piece = rest.clone();
                piece.set(i, Some(!value));
                pieces.0.push(piece);
                rest.set(i, Some(value));
            }
        }
        pieces
    }

    /// Every header outside the set, as disjoint expressions.
    pub fn complement(&self) -> WildcardUnion {
        Wildcard::all(self.len()).subtract(self)
    }
}

impl FromStr for Wildcard {
    type Err = ParseWildcardError;

    fn from_str(text: &str) -> Result<Self, ParseWildcardError> {
        let mut digits = Vec::with_capacity(text.len());
        for (i, c) in text.chars().enumerate() {
            digits.push(match c {
                '0' => Some(false),
                '1' => Some(true),
                'x' | 'X' | '*' => None,
                ',' | '_' | ' ' => continue,
                found => {
                    return Err(ParseWildcardError::Character {
                        found,
                        position: i + 1,
                    })
                }
            });
        }
        let mut w = Wildcard::all(digits.len());
        for (i, bit) in digits.into_iter().enumerate() {
            if bit.is_some() {
                w.set(i, bit);
            }
        }
        Ok(w)
    }
}

impl fmt::Display for Wildcard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for i in 0..self.len() {
            if i > 0 && i % 8 == 0 {
                f.write_str(",")?;
            }
            f.write_str(match self.get(i) {
                None => "x",
                Some(true) => "1",
                Some(false) => "0",
            })?;
        }
        Ok(())
    }
}

impl fmt::Debug for Wildcard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Serialize for Wildcard {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Wildcard {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let text = String::deserialize(from)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

/// A union of wildcard expressions of one length; no member means the empty set. Written with
/// ` + ` between the members, the empty set as `none`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct WildcardUnion(pub Vec<Wildcard>);

impl WildcardUnion {
    /// The headers of both, as the products of the members.
    pub fn intersect(&self, other: &WildcardUnion) -> WildcardUnion {
        let products = self
            .0
            .iter()
            .flat_map(|a| other.0.iter().filter_map(move |b| a.intersect(b)));
        WildcardUnion(products.collect())
    }

    /// The headers of `self` outside `other`.
    pub fn subtract(&self, other: &WildcardUnion) -> WildcardUnion {
        let mut rest = self.0.clone();
        for b in &other.0 {
            rest = rest.iter().flat_map(|a| a.subtract(b).0).collect();
        }
        WildcardUnion(rest)
    }

    /// The headers in either.
    pub fn union(mut self, other: WildcardUnion) -> WildcardUnion {
        self.0.extend(other.0);
        self
    }

    /// Whether the header is in the set.
    pub fn contains(&self, header: &Bits) -> bool {
        self.0.iter().any(|w| w.contains(header))
    }
}

impl FromStr for WildcardUnion {
    type Err = ParseWildcardError;

    fn from_str(text: &str) -> Result<Self, ParseWildcardError> {
        if text.trim() == "none" {
            return Ok(WildcardUnion::default());
        }
        let members: Vec<Wildcard> = text
            .split('+')
            .map(|part| part.trim().parse())
            .collect::<Result<_, _>>()?;
        let expected = members[0].len();
        match members.iter().find(|w| w.len() != expected) {
            Some(w) => Err(ParseWildcardError::Length {
                expected,
                found: w.len(),
            }),
            None => Ok(WildcardUnion(members)),
        }
    }
}

impl fmt::Display for WildcardUnion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.is_empty() {
            return f.write_str("none");
        }
        for (i, w) in self.0.iter().enumerate() {
            write!(f, "{}{w}", if i > 0 { " + " } else { "" })?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_survives_a_round_trip() {
        for text in ["01xx", "xxxxxxxx,01010101,1", &"10x".repeat(700)] {
            let w: Wildcard = text.parse().expect("a wildcard");
            let again: Wildcard = w.to_string().parse().expect("its own text");
            assert_eq!(w, again);
        }
        let union: WildcardUnion = "01xx + 1xx0".parse().expect("a union");
        assert_eq!(union.to_string(), "01xx + 1xx0");
        assert_eq!("none".parse(), Ok(WildcardUnion::default()));
    }

    #[test]
    fn errors_name_the_character_and_the_length() {
        let bad = "01y".parse::<Wildcard>();
        assert_eq!(
            bad,
            Err(ParseWildcardError::Character {
                found: 'y',
                position: 3
            })
        );
        let bad = "01 + 011".parse::<WildcardUnion>();
        assert_eq!(
            bad,
            Err(ParseWildcardError::Length {
                expected: 2,
                found: 3
            })
        );
    }

    #[test]
    fn difference_is_exact_and_disjoint() {
        let a: Wildcard = "x1xx0".parse().expect("a wildcard");
        let b: Wildcard = "01x1x".parse().expect("a wildcard");
        let pieces = a.subtract(&b);
        for n in 0..32u128 {
            let mut point = Bits::zeros(5);
            point.write(0, 5, n);
            let hits = pieces.0.iter().filter(|w| w.contains(&point)).count();
            let expected = a.contains(&point) && !b.contains(&point);
            assert_eq!(hits, usize::from(expected), "point {point}");
        }
    }
}
