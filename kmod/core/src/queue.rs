// SPDX-License-Identifier: GPL-2.0-only
//! A first-in first-out queue of fixed capacity.

/// Up to `N` items in the order in which they were pushed.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Queue<T, const N: usize> {
    items: [Option<T>; N],
    len: usize,
}

impl<T: Copy, const N: usize> Queue<T, N> {
    /// A queue without items.
    pub const EMPTY: Self = Self {
        items: [None; N],
        len: 0,
    };

    /// Appends an item; false if there is no room.
    pub fn push(&mut self, item: T) -> bool {
        let Some(slot) = self.items.get_mut(self.len) else {
            return false;
        };
        *slot = Some(item);
        self.len = self.len.saturating_add(1);
        true
    }

    /// Removes the oldest item.
    pub fn pop(&mut self) -> Option<T> {
        let item = self.items.first_mut()?.take()?;
        self.items.rotate_left(1);
        self.len = self.len.saturating_sub(1);
        Some(item)
    }

    /// Number of items.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.len
    }

    /// True if there are no items.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.len == 0
    }
}
