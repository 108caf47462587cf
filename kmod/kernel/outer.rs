// SPDX-License-Identifier: GPL-2.0
//! AF_ECCP sockets as the kernel holds them.

use super::{endpoint::Tcp, net::NetRef, sys};
use crate::socket::Socket;
use core::ptr::NonNull;
use kernel::{error::to_result, prelude::*};

/// An AF_ECCP socket, with a reference of its own.
///
/// # Invariants
///
/// The pointer is a valid `struct sock` of this module's family, and this value holds one count.
pub(crate) struct Outer(NonNull<sys::sock>);

// SAFETY: what is called on it does its own locking.
unsafe impl Send for Outer {}
// SAFETY: as above.
unsafe impl Sync for Outer {}

impl Clone for Outer {
    fn clone(&self) -> Self {
        // SAFETY: valid by the type's invariant.
        unsafe { sys::shim_sk_hold(self.as_ptr()) };
        // INVARIANT: the count was just taken.
        Self(self.0)
    }
}

impl Drop for Outer {
    fn drop(&mut self) {
        // SAFETY: this value's own count.
        unsafe { sys::shim_sk_put(self.as_ptr()) };
    }
}

impl Outer {
    /// Takes a count of a socket.
    ///
    /// # Safety
    ///
    /// `sk` is a valid socket of this module's family.
    pub(super) unsafe fn share(sk: NonNull<sys::sock>) -> Self {
        // SAFETY: valid by contract.
        unsafe { sys::shim_sk_hold(sk.as_ptr()) };
        // INVARIANT: the count was just taken.
        Self(sk)
    }

    pub(super) fn as_ptr(&self) -> *mut sys::sock {
        self.0.as_ptr()
    }

    /// What Rust keeps for the socket; `None` once it is released.
    pub(crate) fn socket(&self) -> Option<&Socket> {
        // SAFETY: the state is set at creation and lives until release; callers are system calls
        // on the socket, which cannot run beside its release.
        unsafe { sys::shim_sk_state(self.as_ptr()).cast::<Socket>().as_ref() }
    }

    pub(super) fn set_socket(&self, state: Option<Pin<KBox<Socket>>>) {
        let raw = match state {
            // SAFETY: the object is not moved: it is only taken back by `take_socket()`.
            Some(state) => KBox::into_raw(unsafe { Pin::into_inner_unchecked(state) }),
            None => core::ptr::null_mut(),
        };
        // SAFETY: valid by the type's invariant.
        unsafe { sys::shim_sk_set_state(self.as_ptr(), raw.cast()) };
    }

    /// Takes the state back when the socket is released.
    pub(super) fn take_socket(&self) -> Option<Pin<KBox<Socket>>> {
        // SAFETY: as in `set_socket()`; nobody else uses a socket that is being released.
        let raw = unsafe { sys::shim_sk_state(self.as_ptr()) }.cast::<Socket>();
        self.set_socket(None);
        if raw.is_null() {
            return None;
        }
        // SAFETY: the pointer came from `KBox::into_raw` of a pinned box.
        Some(unsafe { Pin::new_unchecked(KBox::from_raw(raw)) })
    }

    /// The namespace of the socket.
    pub(crate) fn net(&self) -> NetRef {
        // SAFETY: a socket holds its namespace.
        NetRef(unsafe { sys::shim_sk_net(self.as_ptr()) })
    }

    /// The TCP endpoint that the socket was created with; `None` while a connection has it.
    pub(crate) fn take_tcp(&self) -> Option<Tcp> {
        Tcp::of(self)
    }

    /// Interface that the socket is bound to; zero: none.
    pub(crate) fn bound_interface(&self) -> u32 {
        // SAFETY: valid by the type's invariant.
        unsafe { sys::shim_sk_bound_dev(self.as_ptr()) }
    }

    /// User ID of the owner.
    pub(crate) fn uid(&self) -> u32 {
        // SAFETY: valid by the type's invariant.
        unsafe { sys::shim_sk_uid(self.as_ptr()) }
    }

    /// Whether sending, receiving and polling wait for the connection.
    pub(crate) fn set_connecting(&self, connecting: bool) {
        // SAFETY: valid by the type's invariant.
        unsafe { sys::shim_sk_set_connecting(self.as_ptr(), connecting) };
    }

    /// Whether a connection is being set up.
    pub(crate) fn is_connecting(&self) -> bool {
        // SAFETY: valid by the type's invariant.
        unsafe { sys::shim_sk_is_connecting(self.as_ptr()) }
    }

    /// Whether the socket polls as a listener.
    pub(crate) fn set_listening(&self, listening: bool) {
        // SAFETY: valid by the type's invariant.
        unsafe { sys::shim_sk_set_listening(self.as_ptr(), listening) };
    }

    /// What SO_ERROR will read.
    pub(crate) fn set_error(&self, err: Error) {
        // SAFETY: valid by the type's invariant.
        unsafe { sys::shim_sk_error(self.as_ptr(), -err.to_errno()) };
    }

    /// Reads and clears SO_ERROR.
    pub(crate) fn take_error(&self) -> Result {
        // SAFETY: valid by the type's invariant.
        to_result(unsafe { sys::shim_sk_take_error(self.as_ptr()) })
    }

    /// Wakes whoever sleeps or polls.
    pub(crate) fn wake(&self) {
        // SAFETY: valid by the type's invariant.
        unsafe { sys::shim_sk_wake(self.as_ptr()) };
    }

    /// Whether the socket polls with POLLPRI because an event of its paths waits to be read.
    pub(crate) fn set_event_waiting(&self, waiting: bool) {
        // SAFETY: valid by the type's invariant.
        unsafe { sys::shim_sk_set_event(self.as_ptr(), waiting) };
    }

    /// How long a call may block, in jiffies: SO_SNDTIMEO or SO_RCVTIMEO.
    pub(crate) fn timeout(&self, nonblock: bool, receive: bool) -> i64 {
        // SAFETY: valid by the type's invariant.
        unsafe { sys::shim_sk_timeout(self.as_ptr(), nonblock, receive) as i64 }
    }

    /// Sleeps until [`Socket::is_ready`]. Errors: EAGAIN when `timeout` is over, EINTR or
    /// ERESTARTSYS on a signal.
    pub(crate) fn wait(&self, timeout: &mut i64) -> Result {
        let mut left = *timeout as core::ffi::c_long;
        // SAFETY: valid by the type's invariant.
        let ret = unsafe { sys::shim_sk_wait(self.as_ptr(), (&raw mut left).cast()) };
        *timeout = left as i64;
        to_result(ret)
    }

    /// SO_LINGER in jiffies; `None` when it is off.
    pub(crate) fn linger(&self) -> Option<i64> {
        let mut time: core::ffi::c_long = 0;
        // SAFETY: valid by the type's invariant.
        let on = unsafe { sys::shim_sk_linger(self.as_ptr(), (&raw mut time).cast()) };
        (on != 0).then_some(time as i64)
    }
}

/// The file side of a socket, during a system call.
#[derive(Clone, Copy)]
pub(crate) struct File(pub(super) *mut sys::socket);

/// `SS_*` of the kernel.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum FileState {
    Unconnected,
    Connecting,
    Connected,
}

impl File {
    pub(crate) fn state(self) -> FileState {
        // SAFETY: valid during the system call.
        match unsafe { sys::shim_socket_state(self.0) } as u32 {
            sys::socket_state_SS_CONNECTING => FileState::Connecting,
            sys::socket_state_SS_CONNECTED => FileState::Connected,
            _ => FileState::Unconnected,
        }
    }

    pub(crate) fn set_state(self, state: FileState) {
        let raw = match state {
            FileState::Unconnected => sys::socket_state_SS_UNCONNECTED,
            FileState::Connecting => sys::socket_state_SS_CONNECTING,
            FileState::Connected => sys::socket_state_SS_CONNECTED,
        };
        // SAFETY: valid during the system call.
        unsafe { sys::shim_socket_set_state(self.0, raw as i32) };
    }
}
