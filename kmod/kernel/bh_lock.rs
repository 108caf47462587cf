// SPDX-License-Identifier: GPL-2.0
//! A lock that packets in softirq and system calls may both take.

use super::sys;
use kernel::{
    new_spinlock,
    prelude::*,
    sync::SpinLock,
};

/// A spin lock that is held with softirq kept away from this CPU.
#[pin_data]
pub(crate) struct BhLock<T> {
    #[pin]
    inner: SpinLock<T>,
}

impl<T: Unpin> BhLock<T> {
    pub(crate) fn new(value: T) -> impl PinInit<Self> {
        pin_init!(Self {
            inner <- new_spinlock!(value, "eccp_bh"),
        })
    }

    /// Calls `f` with the value. `f` must not sleep.
    pub(crate) fn with<R>(&self, f: impl FnOnce(&mut T) -> R) -> R {
        // SAFETY: balanced by the call below, also when nested.
        unsafe { sys::shim_bh_disable() };
        let result = f(&mut self.inner.lock());
        // SAFETY: balances the call above; the lock has been given back.
        unsafe { sys::shim_bh_enable() };
        result
    }
}
