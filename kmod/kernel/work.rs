// SPDX-License-Identifier: GPL-2.0
//! Deferred work in process context.

use super::sys;
use core::{mem, ptr::NonNull};
use kernel::{prelude::*, sync::Arc};

/// What a piece of work is for: the number that the shim hands back, see `entry`.
#[derive(Clone, Copy, PartialEq, Eq)]
#[repr(u32)]
pub(crate) enum Task {
    /// `Connection::run()`.
    Connection = 1,
    /// `Connection::endpoint_settled()`.
    FlowSettle = 2,
    /// The flow leaves the memory.
    FlowFree = 3,
    /// A peer's flow ID leaves the memory.
    RemoteFree = 4,
    /// `Connection::watch()`.
    FlowWatch = 5,
    /// `Bundle::run()`.
    Bundle = 6,
    /// `Redirections::expire()` of a namespace.
    Redirects = 7,
}

/// Work that an object of type `T` does for itself, at once or after a delay.
///
/// # Invariants
///
/// The pointer is a valid `struct shim_work` whose owner word is a pointer from
/// [`Arc::into_raw`]. While the work is pending it holds one count of that `Arc`.
pub(crate) struct Work {
    raw: NonNull<sys::shim_work>,
}

// SAFETY: the workqueue's functions may be called from any context.
unsafe impl Send for Work {}
// SAFETY: as above; they do their own locking.
unsafe impl Sync for Work {}

impl Work {
    /// Memory for the work of an object that does not exist yet; see [`Work::own`].
    pub(crate) fn new() -> Result<Self> {
        // SAFETY: plain allocation.
        let raw = unsafe { sys::shim_work_new() };
        Ok(Self {
            raw: NonNull::new(raw).ok_or(ENOMEM)?,
        })
    }

    /// Names the owner. Must be called once, before the work is armed.
    pub(crate) fn own<T>(&self, owner: &Arc<T>, task: Task) {
        // SAFETY: the object is not pending yet, and outlives its own work by the type's invariant.
        unsafe {
            sys::shim_work_own(
                self.raw.as_ptr(),
                Arc::as_ptr(owner).cast_mut().cast(),
                task as u32,
            );
        }
    }

    /// Runs the owner's work after `delay_us` microseconds, instead of any earlier plan.
    pub(crate) fn arm<T>(&self, owner: &Arc<T>, delay_us: u64) {
        let count = owner.clone();
        // SAFETY: valid by the type's invariant.
        let was_pending = unsafe { sys::shim_work_arm(self.raw.as_ptr(), delay_us) };
        if !was_pending {
            // INVARIANT: the pending work holds this count; `entry::eccp_rust_work` takes it over.
            mem::forget(count);
        }
    }

    /// Takes a plan back.
    pub(crate) fn disarm<T>(&self, owner: &Arc<T>) {
        // SAFETY: valid by the type's invariant.
        if unsafe { sys::shim_work_cancel(self.raw.as_ptr()) } {
            // SAFETY: the work was pending, so it held a count of its owner, which is `owner`.
            drop(unsafe { Arc::from_raw(Arc::as_ptr(owner)) });
        }
    }

    /// Runs the owner's work when all present readers are done. At most once in a life.
    pub(crate) fn after_readers<T>(&self, owner: &Arc<T>) {
        // INVARIANT: the pending work holds this count.
        mem::forget(owner.clone());
        // SAFETY: valid by the type's invariant.
        unsafe { sys::shim_work_after_readers(self.raw.as_ptr()) };
    }
}

/// Waits for all work that readers hold up, and for all work that is due now.
pub(crate) fn settle() {
    // SAFETY: the workqueue exists from before the first namespace to after the last.
    unsafe { sys::shim_work_settle() };
}

impl Drop for Work {
    fn drop(&mut self) {
        // SAFETY: the owner is being dropped, so no count is held and the work is not pending.
        unsafe { sys::shim_work_free(self.raw.as_ptr()) };
    }
}
