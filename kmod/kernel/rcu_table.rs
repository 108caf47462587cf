// SPDX-License-Identifier: GPL-2.0
//! A hash table that is read without locks.

use super::work::Work;
use core::ptr;
use kernel::{
    prelude::*,
    sync::{
        atomic::{Acquire, Atomic, Release},
        rcu, Arc, Mutex,
    },
};

/// Waits until all present readers are done.
fn wait_for_readers() {
    // SAFETY: no preconditions; the callers may sleep. The kernel crate wraps it since Linux 7.3.
    unsafe { kernel::bindings::synchronize_rcu() };
}

/// What a table holds.
pub(crate) trait Entry: Send + Sync + Sized {
    /// The key. Keys are random, so that their low bits serve as the hash.
    fn key(&self) -> u64;
    /// The place of the entry in its table.
    fn link(&self) -> &Link<Self>;
}

/// The chain pointer inside an entry.
pub(crate) struct Link<T>(Atomic<*mut T>);

impl<T> Link<T> {
    pub(crate) fn new() -> Self {
        Self(Atomic::new(ptr::null_mut()))
    }
}

/// An entry that left the table and that readers may still see.
pub(crate) struct Removed<T: Entry>(Arc<T>);

impl<T: Entry> Removed<T> {
    /// Frees the entry when no reader sees it any more, by way of work that it owns itself.
    pub(crate) fn free_later(self, work: impl FnOnce(&T) -> &Work) {
        work(&self.0).after_readers(&self.0);
    }
}

/// A hash table of shared entries, read under RCU and written under a mutex.
///
/// # Invariants
///
/// Every pointer in a bucket or a link came from [`Arc::into_raw`] and stands for one reference
/// count, which is given back only after a grace period ([`Removed`]).
#[pin_data(PinnedDrop)]
pub(crate) struct RcuTable<T: Entry> {
    buckets: KVVec<Atomic<*mut T>>,
    #[pin]
    writer: Mutex<usize>,
}

impl<T: Entry> RcuTable<T> {
    /// A table of `1 << bits` buckets.
    pub(crate) fn new(bits: u32) -> Result<impl PinInit<Self>> {
        let n = 1usize.checked_shl(bits).ok_or(EINVAL)?;
        let mut buckets = KVVec::with_capacity(n, GFP_KERNEL)?;
        for _ in 0..n {
            buckets.push(Atomic::new(ptr::null_mut()), GFP_KERNEL)?;
        }
        Ok(pin_init!(Self {
            buckets,
            writer <- kernel::new_mutex!(0, "eccp_table"),
        }))
    }

    fn bucket(&self, key: u64) -> &Atomic<*mut T> {
        let at = key as usize & (self.buckets.len() - 1);
        // The mask keeps the index below the length, a power of two that is not zero.
        &self.buckets[at]
    }

    /// Number of buckets.
    pub(crate) fn buckets(&self) -> usize {
        self.buckets.len()
    }

    /// The entry with a key, for as long as the reader's guard lives.
    pub(crate) fn get<'g>(&'g self, _guard: &'g rcu::Guard, key: u64) -> Option<&'g T> {
        let mut at = self.bucket(key).load(Acquire);
        // SAFETY: by the type's invariant an entry that a reader can reach lives until the reader
        // is done.
        while let Some(entry) = unsafe { at.as_ref() } {
            if entry.key() == key {
                return Some(entry);
            }
            at = entry.link().0.load(Acquire);
        }
        None
    }

    /// The entry with a key, with a reference of its own.
    pub(crate) fn find(&self, key: u64) -> Option<Arc<T>> {
        let guard = rcu::read_lock();
        self.get(&guard, key).map(Self::share)
    }

    fn share(entry: &T) -> Arc<T> {
        // SAFETY: the table's own count is given back only after a grace period, and the caller is
        // a reader or the writer, so that the count is at least one here. The pointer came from
        // `Arc::into_raw`; the borrowed `Arc` is not dropped.
        let held = core::mem::ManuallyDrop::new(unsafe { Arc::from_raw(entry) });
        Arc::clone(&held)
    }

    /// Adds an entry; gives it back when its key is taken.
    pub(crate) fn insert(&self, entry: Arc<T>) -> core::result::Result<(), Arc<T>> {
        let mut count = self.writer.lock();
        if self.find(entry.key()).is_some() {
            return Err(entry);
        }
        let head = self.bucket(entry.key());
        entry.link().0.store(head.load(Acquire), Release);
        // INVARIANT: the pointer comes from `into_raw` and carries one count.
        head.store(Arc::into_raw(entry).cast_mut(), Release);
        *count = count.wrapping_add(1);
        Ok(())
    }

    /// Takes an entry out; `None` when it is not in the table.
    pub(crate) fn remove(&self, entry: &T) -> Option<Removed<T>> {
        let mut count = self.writer.lock();
        let wanted = ptr::from_ref(entry).cast_mut();
        let mut link = self.bucket(entry.key());
        loop {
            let at = link.load(Acquire);
            // SAFETY: entries in the table are alive, and this is the only writer.
            let current = unsafe { at.as_ref() }?;
            if at == wanted {
                link.store(current.link().0.load(Acquire), Release);
                *count = count.wrapping_sub(1);
                // SAFETY: the pointer came from `into_raw`, and its count is the table's, which
                // has just let go of it.
                return Some(Removed(unsafe { Arc::from_raw(at) }));
            }
            link = &current.link().0;
        }
    }

    /// The first bucket from `at` on that is not empty. Most are: the table is far larger than what
    /// is in it, so that this decides how long a pass takes.
    pub(crate) fn next_used(&self, at: usize) -> Option<usize> {
        let rest = self.buckets.get(at..)?;
        let offset = rest.iter().position(|head| !head.load(Acquire).is_null())?;
        Some(at + offset)
    }

    /// Calls `f` with every entry of one bucket.
    pub(crate) fn each_in(&self, bucket: usize, mut f: impl FnMut(&T)) {
        let _guard = rcu::read_lock();
        let Some(head) = self.buckets.get(bucket) else {
            return;
        };
        let mut at = head.load(Acquire);
        // SAFETY: as in `get()`.
        while let Some(entry) = unsafe { at.as_ref() } {
            f(entry);
            at = entry.link().0.load(Acquire);
        }
    }

    /// Calls `f` with a share of every entry that `wanted` selects. `f` may sleep, and may take
    /// entries out.
    pub(crate) fn for_each(&self, wanted: impl Fn(&T) -> bool, mut f: impl FnMut(Arc<T>)) {
        let mut skip = 0;
        let mut next = 0;
        while let Some(bucket) = self.next_used(next) {
            let mut some = KVec::new();
            let mut seen = 0usize;
            let mut more = false;
            self.each_in(bucket, |entry| {
                if !wanted(entry) {
                    return;
                }
                if seen >= skip && !more {
                    // What does not fit into memory now is for the next round.
                    more = some.push(Self::share(entry), GFP_ATOMIC).is_err();
                }
                seen = seen.saturating_add(1);
            });
            if more && some.is_empty() {
                // Nothing at all fits: give others a chance to free memory.
                wait_for_readers();
            }
            skip = if more {
                skip.saturating_add(some.len())
            } else {
                0
            };
            next = bucket + usize::from(!more);
            some.into_iter().for_each(&mut f);
        }
    }
}

#[pinned_drop]
impl<T: Entry> PinnedDrop for RcuTable<T> {
    fn drop(self: Pin<&mut Self>) {
        // Every namespace has taken its entries out by now.
        self.for_each(
            |_| true,
            |entry| {
                if let Some(removed) = self.remove(&entry) {
                    wait_for_readers();
                    drop(removed);
                }
            },
        );
    }
}
