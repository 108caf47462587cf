// SPDX-License-Identifier: GPL-2.0
//! Kernel objects as safe Rust types. All unsafe code of the module is in this folder.

pub(crate) mod bh_lock;
pub(crate) mod bundle;
pub(crate) mod crypto;
pub(crate) mod datagram;
pub(crate) mod endpoint;
pub(crate) mod entry;
pub(crate) mod errno;
pub(crate) mod genl;
pub(crate) mod net;
pub(crate) mod outer;
mod path_state;
pub(crate) mod rcu_table;
pub(crate) mod registration;
pub(crate) mod skb;
pub(crate) mod sys;
pub(crate) mod work;

/// The number of the socket family in use.
pub(crate) fn family() -> i32 {
    // SAFETY: written before the module's init only.
    unsafe { sys::shim_family }
}

/// The IP protocol number of the native encapsulation.
pub(crate) fn protocol() -> i32 {
    // SAFETY: written before the module's init only.
    unsafe { sys::shim_protocol }
}

/// Keeps the module loaded, until [`unpin_module`].
pub(crate) fn pin_module() {
    // SAFETY: the caller's socket keeps the module loaded meanwhile.
    unsafe { sys::shim_module_get() };
}

/// Undoes [`pin_module`]. The caller runs on the module's workqueue, which waits for it.
pub(crate) fn unpin_module() {
    // SAFETY: balanced by the callers.
    unsafe { sys::shim_module_put() };
}

/// A structure of the user interface that consists of integers without padding.
///
/// # Safety
///
/// Every byte of a value is initialised.
pub(crate) unsafe trait Plain {}

// SAFETY: integers and arrays of bytes; the sum of their sizes is that of the structure.
unsafe impl Plain for sys::eccp_info {}
// SAFETY: as above.
unsafe impl Plain for sys::eccp_flow_info {}

const _: () = assert!(core::mem::size_of::<sys::eccp_info>() == 144);
const _: () = assert!(core::mem::size_of::<sys::eccp_flow_info>() == 152);

/// Writes as much of a structure as `to` holds; the length written.
pub(crate) fn write_plain<T: Plain>(info: &T, to: &mut [u8]) -> usize {
    let len = to.len().min(core::mem::size_of::<T>());
    // SAFETY: `info` is that long and initialised by contract, and `to` is that long.
    unsafe {
        core::ptr::copy_nonoverlapping(
            core::ptr::from_ref(info).cast::<u8>(),
            to.as_mut_ptr(),
            len,
        );
    }
    len
}
