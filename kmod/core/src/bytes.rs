// SPDX-License-Identifier: GPL-2.0-only
//! Copies of byte strings that cannot panic.

/// Copies `from` to the front of `to`; `None`, and nothing is copied, if it does not fit.
///
/// `copy_from_slice` panics on different lengths, and the compiler does not always see that they
/// are the same. A loop over both at once has no such end.
pub(super) fn copy_into(to: &mut [u8], from: &[u8]) -> Option<()> {
    let room = to.get_mut(..from.len())?;
    for (to, from) in room.iter_mut().zip(from) {
        *to = *from;
    }
    Some(())
}
