// SPDX-License-Identifier: GPL-2.0
//! Packet buffers.

use super::{net::NetRef, sys};
use core::{mem, ptr::NonNull, slice};

/// How a packet came: the bits `SHIM_KIND_*`.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct Kind(pub(super) u32);

impl Kind {
    /// Whether the packet was passing through this host.
    pub(crate) fn passed_through(self) -> bool {
        self.0 & sys::SHIM_KIND_ROUTER != 0
    }

    /// The same, of a packet that was passing through.
    pub(crate) fn passing_through(self) -> Self {
        Self(self.0 | sys::SHIM_KIND_ROUTER)
    }
}

/// Length of the header that every packet begins with, in bytes (docs/wire.md).
pub(crate) const HEADER_LEN: usize = sys::SHIM_HEADER_LEN as usize;

/// A packet buffer that this code owns; dropping it drops the packet.
///
/// # Invariants
///
/// The pointer is a valid `struct sk_buff` to which nobody else holds a claim.
pub(crate) struct Skb(NonNull<sys::sk_buff>);

impl Skb {
    /// Takes over a packet.
    ///
    /// # Safety
    ///
    /// `skb` is valid and the caller gives it up.
    pub(super) unsafe fn from_raw(skb: NonNull<sys::sk_buff>) -> Self {
        // INVARIANT: by the contract of this function.
        Self(skb)
    }

    /// Gives the packet to the kernel.
    pub(super) fn into_raw(self) -> *mut sys::sk_buff {
        let raw = self.0.as_ptr();
        mem::forget(self);
        raw
    }

    pub(super) fn as_ptr(&self) -> *mut sys::sk_buff {
        self.0.as_ptr()
    }

    /// Length in bytes from the ECCP header on.
    pub(crate) fn len(&self) -> usize {
        // SAFETY: valid by the type's invariant.
        unsafe { sys::shim_skb_len(self.as_ptr()) as usize }
    }

    /// Segments that the packet stands for.
    pub(crate) fn segments(&self) -> u32 {
        // SAFETY: valid by the type's invariant.
        unsafe { sys::shim_skb_segments(self.as_ptr()) }
    }

    /// The first 12 bytes, made linear; `None` if the packet is shorter.
    pub(crate) fn header(&mut self) -> Option<[u8; HEADER_LEN]> {
        // SAFETY: valid by the type's invariant, and owned, so that its head may be reallocated.
        let data = unsafe { sys::shim_skb_pull(self.as_ptr(), HEADER_LEN as u32) };
        if data.is_null() {
            return None;
        }
        // SAFETY: the call above made `HEADER_LEN` bytes at `data` readable.
        unsafe { slice::from_raw_parts(data, HEADER_LEN) }
            .try_into()
            .ok()
    }

    /// The first bytes of the packet, as many as there are and as `to` holds.
    pub(crate) fn copy_start<'a>(&self, to: &'a mut [u8]) -> &'a [u8] {
        let len = self.len().min(to.len());
        let Some(to) = to.get_mut(..len) else {
            return &[];
        };
        // SAFETY: `to` is writable for its length, which is at most that of the packet.
        unsafe { sys::shim_skb_copy(self.as_ptr(), to.as_mut_ptr(), to.len() as u32) };
        to
    }

    /// Whether the packet was sent to this host alone, not broadcast and not overheard.
    pub(crate) fn is_for_host(&self) -> bool {
        // SAFETY: valid by the type's invariant.
        unsafe { sys::shim_skb_is_host(self.as_ptr()) }
    }

    /// Whether the source of the packet is on the link that it came by.
    pub(crate) fn is_of_neighbour(&self, kind: Kind) -> bool {
        // SAFETY: as in `origin()`; the packet's device is there while it passes through.
        unsafe { sys::shim_router_neighbour(self.as_ptr(), kind.0) }
    }

    /// The namespace that the packet is in.
    pub(crate) fn net(&self) -> NetRef {
        // SAFETY: a received packet has a device, and that a namespace.
        NetRef(unsafe { sys::shim_skb_net(self.as_ptr()) })
    }

    /// Addresses, ports and interface that the packet came with.
    pub(crate) fn origin(&self, kind: Kind) -> sys::shim_origin {
        let mut origin = sys::shim_origin::default();
        // SAFETY: a received packet of that kind has its outer headers in front of its data.
        unsafe { sys::shim_skb_origin(self.as_ptr(), kind.0, &mut origin) };
        origin
    }

    /// The flags of the TCP segment behind a 12-byte header, the sequence number after its end
    /// and its time stamp (0: none).
    pub(crate) fn tcp_flags(&self) -> (u8, u32, u32) {
        let (mut end, mut tsval) = (0, 0);
        // SAFETY: valid by the type's invariant; the references are writable.
        let flags = unsafe { sys::shim_skb_tcp_flags(self.as_ptr(), &mut end, &mut tsval) };
        (flags as u8, end, tsval)
    }

    /// Puts a 12-byte header before the packet.
    pub(crate) fn push(&mut self, header: &[u8; HEADER_LEN]) {
        // SAFETY: TCP reserves more than 12 bytes of head room (MAX_TCP_HEADER); the call returns
        // the new start of the packet.
        unsafe {
            let to = sys::shim_skb_push_header(self.as_ptr());
            core::ptr::copy_nonoverlapping(header.as_ptr(), to, HEADER_LEN);
        }
    }
}

impl Drop for Skb {
    fn drop(&mut self) {
        // SAFETY: owned by the type's invariant.
        unsafe { sys::shim_skb_drop(self.as_ptr()) };
    }
}
