// SPDX-License-Identifier: GPL-2.0
//! What the module registers with the kernel, undone when dropped.

use super::sys;
use core::ptr;
use kernel::{
    error::to_result,
    prelude::*,
    sync::atomic::{Acquire, Atomic, Release},
};

/// Something registered; dropping it takes it back.
pub(crate) struct Registration(unsafe extern "C" fn());

impl Registration {
    /// `undo` is the counterpart of a registration that succeeded.
    pub(super) fn new(undo: unsafe extern "C" fn()) -> Self {
        Self(undo)
    }
}

impl Drop for Registration {
    fn drop(&mut self) {
        // SAFETY: the counterpart of a registration that succeeded, called once.
        unsafe { self.0() };
    }
}

/// The socket family. Errors: EEXIST when its number is taken, ENOBUFS when it is out of range.
pub(crate) fn family() -> Result<Registration> {
    // SAFETY: called once, when everything that a socket needs is there.
    to_result(unsafe { sys::shim_family_register() }).inspect_err(|_| {
        pr_err!(
            "socket family {} is taken or out of range; choose another with family=\n",
            super::family()
        );
    })?;
    Ok(Registration(sys::shim_family_unregister))
}

/// The IP protocol. Errors: EEXIST when its number is taken.
pub(crate) fn protocol() -> Result<Registration> {
    // SAFETY: called once, when namespaces are ready for packets.
    to_result(unsafe { sys::shim_rx_register() }).inspect_err(|_| {
        pr_err!(
            "IP protocol {} is taken; choose another with protocol=\n",
            super::protocol()
        );
    })?;
    Ok(Registration(sys::shim_rx_unregister))
}

/// Segmentation and aggregation. Errors: EEXIST.
pub(crate) fn offload() -> Result<Registration> {
    // SAFETY: called once.
    to_result(unsafe { sys::shim_offload_register() })?;
    Ok(Registration(sys::shim_offload_unregister))
}

/// The part of every network namespace. Errors: ENOMEM.
pub(crate) fn namespaces() -> Result<Registration> {
    // SAFETY: called once, when the tables and the workqueue are there.
    to_result(unsafe { sys::shim_net_register() })?;
    Ok(Registration(sys::shim_net_unregister))
}

/// The workqueue. Dropping it waits for its work to leave the module. Errors: ENOMEM.
pub(crate) fn workqueue() -> Result<Registration> {
    // SAFETY: called once.
    to_result(unsafe { sys::shim_wq_init() })?;
    Ok(Registration(sys::shim_wq_exit))
}

/// The module parameter `table_bits`. Errors: EINVAL when it is out of range.
pub(crate) fn table_bits() -> Result<u32> {
    // SAFETY: written before the module's init only.
    let bits = unsafe { sys::shim_table_bits };
    u32::try_from(bits)
        .ok()
        .filter(|bits| (8..=24).contains(bits))
        .ok_or_else(|| {
            pr_err!("table_bits={} is not between 8 and 24\n", bits);
            EINVAL
        })
}

/// An object that lives as long as the module.
///
/// # Invariants
///
/// The pointer is null or that of the object in an [`Owned`] that is dropped last.
pub(crate) struct Global<T>(Atomic<*mut T>);

impl<T: Send + Sync + 'static> Global<T> {
    pub(crate) const fn new() -> Self {
        Self(Atomic::new(ptr::null_mut()))
    }

    /// Makes an object known. The module keeps what this returns until everything that could
    /// call [`Global::get`] is gone.
    pub(crate) fn put(&self, object: Pin<KBox<T>>) -> Owned<T> {
        let at = ptr::from_ref(&*object).cast_mut();
        // INVARIANT: the box does not move its contents.
        self.0.store(at, Release);
        Owned(object)
    }

    pub(crate) fn get(&self) -> &'static T {
        // SAFETY: `put()` was called before anything was registered that leads here, and the
        // object is dropped after all of it has been taken back.
        unsafe { &*self.0.load(Acquire) }
    }
}

/// Keeps the object of a [`Global`].
pub(crate) struct Owned<T>(#[expect(dead_code, reason = "kept for its drop")] Pin<KBox<T>>);
