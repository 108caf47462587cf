// SPDX-License-Identifier: GPL-2.0
//! Network namespaces.

use super::{
    skb::{Kind, Skb},
    sys,
};
use crate::{
    netns::Net,
    proto::{
        address::{Family, IpAddr128, LocalAddress},
        rule::{self, Rule},
    },
};
use core::{mem::ManuallyDrop, ptr::NonNull};
use kernel::{error::to_result, prelude::*, sync::Arc};

/// A network namespace that is known to be alive: it has a packet, a socket or a [`Net`].
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct NetRef(pub(super) *mut sys::net);

// SAFETY: the functions called with it may be called from any context.
unsafe impl Send for NetRef {}
// SAFETY: as above; they do their own locking.
unsafe impl Sync for NetRef {}

/// Most local addresses of a namespace that are looked at.
pub(crate) const MAX_ADDRESSES: usize = 32;

impl NetRef {
    /// The state that this module keeps for the namespace; `None` once it is being deleted. The
    /// caller is in a read-side section or holds the namespace.
    pub(crate) fn state(self) -> Option<Arc<Net>> {
        // SAFETY: a live namespace has the shim's part, whose state is null or a pointer from
        // `Arc::into_raw` that is given back only after a grace period.
        let raw = unsafe { sys::shim_net_state(self.0) }.cast::<Net>();
        if raw.is_null() {
            return None;
        }
        // SAFETY: see above; the borrowed `Arc` is not dropped.
        Some(Arc::clone(&ManuallyDrop::new(unsafe {
            Arc::from_raw(raw)
        })))
    }

    /// Borrows the state for one packet, without touching its reference count.
    pub(crate) fn with_state<R>(self, f: impl FnOnce(&Net) -> R) -> Option<R> {
        // SAFETY: as in `state()`; the caller's read-side section outlives this call.
        let state = unsafe { sys::shim_net_state(self.0).cast::<Net>().as_ref() };
        state.map(f)
    }

    /// Opens the UDP sockets of the namespace.
    pub(crate) fn open_udp(self, port: u16) -> Result {
        // SAFETY: alive; the caller holds the namespace's UDP lock.
        to_result(unsafe { sys::shim_net_open_udp(self.0, port) })
    }

    /// Closes the UDP sockets of the namespace.
    pub(crate) fn close_udp(self) {
        // SAFETY: as in `open_udp()`.
        unsafe { sys::shim_net_close_udp(self.0) };
    }

    /// Looks at packets that pass through, natively and to a UDP port; `None` looks at none any more.
    /// One caller at a time. Errors: ENOMEM.
    pub(crate) fn look_at_passing(self, udp_port: Option<u16>) -> Result {
        // SAFETY: alive; the caller holds the namespace's UDP lock.
        to_result(unsafe { sys::shim_router_set(self.0, udp_port.unwrap_or(0)) })
    }

    /// Number of first SYNs that wait and have not proven their source.
    pub(crate) fn waiting_syns(self) -> i32 {
        // SAFETY: alive by the type's meaning.
        unsafe { sys::shim_net_waiting_syns(self.0) as i32 }
    }

    /// Queues a control packet for process context; `false`: the queue is full and the packet
    /// is gone.
    pub(crate) fn queue_control(self, skb: Skb, kind: Kind, place: Queue, limit: u32) -> bool {
        // SAFETY: the packet is valid; when the call succeeds it owns it.
        let ok =
            unsafe {
            sys::shim_net_queue_control(self.0, skb.as_ptr(), kind.0, place as u32, limit)
        };
        if ok {
            skb.into_raw();
        }
        ok
    }

    /// The addresses from which a packet could leave now, as the rules want them.
    pub(crate) fn addresses(self, rules: &[Rule]) -> Result<KVec<LocalAddress>> {
        let mut raw = KVec::<sys::shim_address>::with_capacity(MAX_ADDRESSES, GFP_KERNEL)?;
        for _ in 0..MAX_ADDRESSES {
            raw.push(sys::shim_address::default(), GFP_KERNEL)?;
        }
        // SAFETY: `raw` has room for `MAX_ADDRESSES` entries.
        let n = unsafe { sys::shim_net_addresses(self.0, raw.as_mut_ptr(), MAX_ADDRESSES as u32) };
        let mut list = KVec::with_capacity(n as usize, GFP_KERNEL)?;
        for a in raw.iter().take(n as usize).filter(|a| a.local_scope == 0) {
            let address = LocalAddress {
                addr: IpAddr128(a.addr),
                ifindex: a.ifindex,
                ..LocalAddress::NONE
            };
            let [name @ .., _] = a.name;
            if let Some(address) = rule::apply(rules, address, &name) {
                list.push(address, GFP_KERNEL)?;
            }
        }
        Ok(list)
    }

    /// Whether the caller may bind a port in this namespace.
    pub(crate) fn may_bind_port(self, port: u16) -> bool {
        // SAFETY: alive by the type's meaning.
        unsafe { sys::shim_may_bind_port(self.0, port) }
    }

    /// Completes a path by routing: its source address if open, and its interface.
    pub(super) fn complete(self, path: &mut sys::shim_path) -> Result {
        // SAFETY: alive; `path` is writable.
        to_result(unsafe { sys::shim_tx_source(self.0, path) })
    }

    /// Whether routing leads to an address, from `local` unless that is open and by an interface
    /// unless that is zero. Errors: what routing says, ENETUNREACH as a rule.
    pub(crate) fn reaches(self, remote: IpAddr128, local: IpAddr128, ifindex: u32) -> Result {
        let local = if local.is_unspecified() {
            IpAddr128::UNSPECIFIED
        } else {
            local
        };
        self.complete(&mut sys::shim_path {
            local: local.0,
            remote: remote.0,
            ifindex,
            v6: u8::from(remote.family() == Family::V6),
            ..Default::default()
        })
    }

    /// Sends a control packet. `atomic`: the caller must not sleep.
    pub(super) fn send(self, path: &sys::shim_path, packet: &[u8], atomic: bool) -> Result {
        // SAFETY: alive; both references are readable.
        to_result(unsafe {
            sys::shim_tx_control(self.0, path, packet.as_ptr(), packet.len() as u32, atomic)
        })
    }
}

/// Which packets a control packet waits behind; the first queue is served first.
#[derive(Clone, Copy, PartialEq, Eq)]
#[repr(u32)]
pub(crate) enum Queue {
    /// Packets of known flows.
    Known = sys::SHIM_QUEUE_KNOWN,
    /// First SYNs whose source is proven.
    Proven = sys::SHIM_QUEUE_PROVEN,
    /// Other first SYNs, and what strangers send.
    Opening = sys::SHIM_QUEUE_OPENING,
}

/// The shim's part of a namespace, seen from its control work.
pub(crate) struct ControlQueue(pub(super) *mut sys::shim_net);

impl Iterator for ControlQueue {
    type Item = (Skb, Kind);

    fn next(&mut self) -> Option<Self::Item> {
        let mut kind = 0;
        // SAFETY: the work that this belongs to is cancelled before the namespace goes.
        let skb = unsafe { sys::shim_net_next_control(self.0, &mut kind) };
        // SAFETY: a packet taken off the queue is the taker's.
        NonNull::new(skb).map(|skb| (unsafe { Skb::from_raw(skb) }, Kind(kind)))
    }
}
