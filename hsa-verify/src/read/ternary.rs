// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Wildcards and masks of Hassel and NetPlumber as conditions on fields and assignments to them.

use crate::header::{Bits, FieldId, Layout, Wildcard};
use crate::model::{Edit, Match, Test};

/// A wildcard as conditions on fields, or raw when it fixes bits outside every field.
pub fn matching(layout: &Layout, wildcard: &Wildcard) -> Match {
    let mut matching = Match::any();
    let mut seen = 0;
    for (i, f) in layout.fields.iter().enumerate() {
        let (mut value, mut mask) = (0u128, 0u128);
        for k in 0..f.width {
            let bit = wildcard.get((f.offset + k) as usize);
            value = value << 1 | u128::from(bit == Some(true));
            mask = mask << 1 | u128::from(bit.is_some());
        }
        seen += mask.count_ones() as usize;
        let field = FieldId(i as u16);
        let len = mask.count_ones();
        if mask == 0 {
            continue;
        }
        let test = if mask == f.max() {
            Test::Exact(value)
        } else if mask == crate::space::prefix_mask(f.width, len) {
            Test::Prefix {
                value,
                len: len as u8,
            }
        } else {
            Test::Masked { value, mask }
        };
        matching = matching.and(field, test);
    }
    if seen + wildcard.free_bits() == wildcard.len() {
        return matching;
    }
    Match {
        fields: Vec::new(),
        raw: Some(wildcard.clone()),
    }
}

/// `new = (old AND mask) OR rewrite` as assignments to fields where that says the same.
pub fn edits(layout: &Layout, mask: &Wildcard, rewrite: &Wildcard) -> Vec<Edit> {
    let length = layout.length as usize;
    let mut keep = Bits::ones(length);
    let mut value = Bits::zeros(length);
    for i in 0..length {
        // Hassel leaves rewritten bits without a value as x in no rule; x counts as zero.
        value.set(i, rewrite.get(i) == Some(true));
        keep.set(i, mask.get(i) != Some(false));
    }
    let changed = |i: usize| !keep.get(i) || value.get(i);
    let mut edits = Vec::new();
    let mut covered = 0;
    for (i, f) in layout.fields.iter().enumerate() {
        let bits = f.offset as usize..(f.offset + f.width) as usize;
        if bits.clone().all(|b| !keep.get(b)) {
            covered += bits.len();
            edits.push(Edit::Set {
                field: FieldId(i as u16),
                value: value.read(f.offset as usize, f.width as usize),
            });
        }
    }
    if covered == (0..length).filter(|&i| changed(i)).count() {
        return edits;
    }
    vec![Edit::Rewrite { keep, value }]
}
