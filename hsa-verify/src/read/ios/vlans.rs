// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Sets of VLAN numbers as in `switchport trunk allowed vlan 2,10-12`.

/// Highest VLAN number (IEEE 802.1Q: 4,094; 4,095 is reserved).
pub const MAX_VLAN: u16 = 4094;

/// A set of VLAN numbers 1..=4094.
#[derive(Clone, PartialEq, Eq)]
pub struct VlanSet {
    bits: Vec<u64>,
}

impl std::fmt::Debug for VlanSet {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_set().entries(self.iter()).finish()
    }
}

impl VlanSet {
    /// The empty set.
    pub fn none() -> Self {
        Self { bits: vec![0; 64] }
    }

    /// Every VLAN.
    pub fn all() -> Self {
        let mut set = Self::none();
        set.add_range(1, MAX_VLAN);
        set
    }

    /// Reads `2,10-12`.
    ///
    /// # Errors
    /// The piece that is no VLAN number or range.
    pub fn parse(text: &str) -> Result<Self, String> {
        let mut set = Self::none();
        for piece in text.split(',').filter(|p| !p.is_empty()) {
            let (low, high) = piece.split_once('-').unwrap_or((piece, piece));
            let number = |t: &str| t.trim().parse::<u16>().ok().filter(|v| *v <= MAX_VLAN + 1);
            match (number(low), number(high)) {
                (Some(low), Some(high)) if low <= high => set.add_range(low, high.min(MAX_VLAN)),
                _ => return Err(format!("{piece:?} is no VLAN number or range")),
            }
        }
        Ok(set)
    }

    fn add_range(&mut self, low: u16, high: u16) {
        for v in low..=high {
            self.bits[usize::from(v) / 64] |= 1 << (v % 64);
        }
    }

    /// Whether the VLAN is in the set.
    pub fn contains(&self, vlan: u16) -> bool {
        self.bits
            .get(usize::from(vlan) / 64)
            .is_some_and(|w| w >> (vlan % 64) & 1 == 1)
    }

    /// Adds the members of another set.
    pub fn add(&mut self, other: &Self) {
        self.bits
            .iter_mut()
            .zip(&other.bits)
            .for_each(|(a, b)| *a |= b);
    }

    /// Removes the members of another set.
    pub fn remove(&mut self, other: &Self) {
        self.bits
            .iter_mut()
            .zip(&other.bits)
            .for_each(|(a, b)| *a &= !b);
    }

    /// Members in order.
    pub fn iter(&self) -> impl Iterator<Item = u16> + '_ {
        (1..=MAX_VLAN).filter(|v| self.contains(*v))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_and_ranges_are_sets() {
        let mut set = VlanSet::parse("2,10-12").unwrap();
        set.add(&VlanSet::parse("4094").unwrap());
        set.remove(&VlanSet::parse("11").unwrap());
        assert_eq!(set.iter().collect::<Vec<_>>(), [2, 10, 12, 4094]);
        assert_eq!(VlanSet::all().iter().count(), 4094);
        for bad in ["x", "3-1", "5000", "-", "1-"] {
            assert!(VlanSet::parse(bad).is_err(), "{bad}");
        }
    }
}
