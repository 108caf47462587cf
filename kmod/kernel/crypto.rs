// SPDX-License-Identifier: GPL-2.0
//! Time, random numbers and cryptography of the kernel, as the protocol core wants them.

use super::sys;
use crate::proto::{host::Host, time::Instant};

/// Most pieces that one hash is made over.
const MAX_PARTS: usize = 8;

/// The machine that the core runs on. The time stands still for one call into the core.
pub(crate) struct KernelHost {
    now: Instant,
}

impl KernelHost {
    pub(crate) fn new() -> Self {
        Self { now: now() }
    }
}

/// Microseconds since boot, time asleep included.
pub(crate) fn now() -> Instant {
    // SAFETY: no preconditions.
    Instant(unsafe { sys::shim_now_us() })
}

fn slices(parts: &[&[u8]]) -> ([sys::shim_slice; MAX_PARTS], usize) {
    let mut list = [const {
        sys::shim_slice {
            ptr: core::ptr::null(),
            len: 0,
        }
    }; MAX_PARTS];
    for (to, part) in list.iter_mut().zip(parts) {
        *to = sys::shim_slice {
            ptr: part.as_ptr(),
            len: part.len(),
        };
    }
    (list, parts.len().min(MAX_PARTS))
}

impl Host for KernelHost {
    fn now(&self) -> Instant {
        self.now
    }

    fn random(&mut self, out: &mut [u8]) {
        // SAFETY: `out` is writable for its length.
        unsafe { sys::shim_random(out.as_mut_ptr(), out.len() as u32) };
    }

    fn x25519(&self, secret: &[u8; 32], public: &[u8; 32]) -> Option<[u8; 32]> {
        let mut out = [0; 32];
        // SAFETY: three arrays of 32 bytes.
        unsafe { sys::shim_x25519(out.as_mut_ptr(), secret.as_ptr(), public.as_ptr()) }
            .then_some(out)
    }

    fn x25519_public(&self, secret: &[u8; 32]) -> [u8; 32] {
        let mut out = [0; 32];
        // SAFETY: two arrays of 32 bytes.
        unsafe { sys::shim_x25519_public(out.as_mut_ptr(), secret.as_ptr()) };
        out
    }

    fn sha256(&self, parts: &[&[u8]]) -> [u8; 32] {
        let (list, n) = slices(parts);
        let mut out = [0; 32];
        // SAFETY: `list` names `n` readable slices, `out` takes 32 bytes.
        unsafe { sys::shim_sha256(list.as_ptr(), n, out.as_mut_ptr()) };
        out
    }

    fn hmac_sha256(&self, key: &[u8], parts: &[&[u8]]) -> [u8; 32] {
        let (list, n) = slices(parts);
        let mut out = [0; 32];
        // SAFETY: as in `sha256()`; `key` is readable for its length.
        unsafe {
            sys::shim_hmac_sha256(key.as_ptr(), key.len(), list.as_ptr(), n, out.as_mut_ptr());
        }
        out
    }

    fn mac_eq(&self, a: &[u8], b: &[u8]) -> bool {
        // SAFETY: both are readable for the length that they share.
        a.len() == b.len() && unsafe { sys::shim_equal(a.as_ptr(), b.as_ptr(), a.len()) }
    }
}
