// SPDX-License-Identifier: GPL-2.0
//! Members of bundles, and the system calls on the sockets of bundles.

use super::{endpoint::Endpoint, outer::Outer, sys};
use crate::{bundle::Bundle, proto::time::Duration, socket::Socket};
use core::{
    ffi::{c_int, c_long, c_void},
    ptr::NonNull,
};
use kernel::{
    error::{from_result, to_result},
    prelude::*,
    sync::{Arc, ArcBorrow},
};

/// Methods of endpoints that are adopted, and members from [`Endpoint::join`] to
/// [`Endpoint::leave`].
impl Endpoint {
    /// Tells `bundle` from now on when there is something to read or room to write. The caller
    /// keeps `bundle` alive until [`Endpoint::leave`].
    pub(crate) fn join(&self, bundle: &Arc<Bundle>) {
        // SAFETY: adopted; the word is that of an `Arc` that lives until `leave()`.
        unsafe {
            sys::shim_member_join(self.as_ptr(), Arc::as_ptr(bundle).cast_mut().cast());
        }
    }

    /// Ends what [`Endpoint::join`] began: nobody is told any more when this returns.
    pub(crate) fn leave(&self) {
        // SAFETY: adopted, and joined before.
        unsafe { sys::shim_member_leave(self.as_ptr()) };
    }

    /// Reads what has come; the length, which is zero when the peer has closed. Errors: EAGAIN,
    /// and whatever ended the endpoint.
    pub(crate) fn receive(&self, to: &mut [u8]) -> Result<usize> {
        // SAFETY: adopted; `to` is writable.
        let n =
            unsafe { sys::shim_member_receive(self.as_ptr(), to.as_mut_ptr(), to.len() as u32) };
        length(n)
    }

    /// Sends the parts, of which there are three at most, one after the other; how much was taken.
    /// Errors: EAGAIN, and whatever ended the endpoint.
    pub(crate) fn send(&self, parts: [&[u8]; 3]) -> Result<usize> {
        let raw = parts.map(|part| sys::shim_slice {
            ptr: part.as_ptr(),
            len: part.len(),
        });
        // SAFETY: adopted; the parts are readable.
        length(unsafe { sys::shim_member_send(self.as_ptr(), raw.as_ptr(), raw.len()) })
    }

    /// The round-trip time if the endpoint takes data now; `None`: the bundle will be told.
    pub(crate) fn room(&self) -> Option<Duration> {
        let mut rtt = 0;
        // SAFETY: adopted; `rtt` is writable.
        let room = unsafe { sys::shim_member_room(self.as_ptr(), &mut rtt) };
        room.then(|| Duration(rtt.into()))
    }

    /// Sends FIN behind what was sent, and goes on receiving.
    pub(crate) fn finish_sending(&self) {
        // SAFETY: adopted.
        unsafe { sys::shim_member_shutdown(self.as_ptr()) };
    }
}

fn length(n: c_int) -> Result<usize> {
    to_result(n.min(0))?;
    Ok(usize::try_from(n).unwrap_or(0))
}

impl Outer {
    /// System calls go to the bundle from now on.
    pub(crate) fn set_bundled(&self) {
        // SAFETY: valid by the type's invariant.
        unsafe { sys::shim_sk_set_bundled(self.as_ptr()) };
    }

    /// How many bytes the socket may keep for sending, or of what is received.
    pub(crate) fn ring_len(&self, receive: bool) -> usize {
        // SAFETY: valid by the type's invariant.
        unsafe { sys::shim_bundle_buffer(self.as_ptr(), receive) as usize }
    }

    /// Sleeps until the bundle has something to read, or room. Errors: EAGAIN when `timeout` is
    /// over, EINTR or ERESTARTSYS on a signal.
    pub(crate) fn wait_for_bundle(&self, receive: bool, timeout: &mut i64) -> Result {
        let mut left = *timeout as c_long;
        // SAFETY: valid by the type's invariant.
        let ret = unsafe { sys::shim_bundle_wait(self.as_ptr(), receive, (&raw mut left).cast()) };
        *timeout = left as i64;
        to_result(ret)
    }
}

/// The bytes of a sendmsg() or recvmsg().
pub(crate) struct UserBytes {
    raw: *mut sys::msghdr,
    /// How many there are, or may be.
    pub(crate) len: usize,
    pub(crate) nonblock: bool,
}

impl UserBytes {
    /// Copies the next bytes of a sendmsg(). Errors: EFAULT.
    pub(crate) fn get(&self, to: &mut [u8]) -> Result {
        // SAFETY: the message of a system call that has not returned; `to` is writable.
        to_result(unsafe { sys::shim_msg_get(self.raw, to.as_mut_ptr(), to.len() as u32) })
    }

    /// Copies the next bytes of a recvmsg(); how many could be written.
    pub(crate) fn put(&self, from: &[u8]) -> usize {
        // SAFETY: the message of a system call that has not returned; `from` is readable.
        unsafe { sys::shim_msg_put(self.raw, from.as_ptr(), from.len() as u32) as usize }
    }
}

/// # Safety
/// `bundle` is the word of an endpoint that has joined it and not left.
#[no_mangle]
unsafe extern "C" fn eccp_rust_member_ready(bundle: *mut c_void) {
    // SAFETY: by contract the bundle is alive, and the word that of an `Arc`.
    let bundle = unsafe { ArcBorrow::from_raw(bundle.cast::<Bundle>()) };
    Arc::from(bundle).kick();
}

/// Calls `f` with the socket of a system call and its bundle.
///
/// # Safety
/// `sk` is a socket of this module's family in a system call.
unsafe fn call(
    sk: *mut sys::sock,
    f: impl FnOnce(&Outer, &Socket, &Arc<Bundle>) -> Result<c_int>,
) -> c_int {
    from_result(|| {
        let sk = NonNull::new(sk).ok_or(EINVAL)?;
        // SAFETY: by contract.
        let outer = unsafe { Outer::share(sk) };
        let socket = outer.socket().ok_or(EINVAL)?;
        let bundle = socket.bundle()?;
        f(&outer, socket, &bundle)
    })
}

/// # Safety
/// A sendmsg() on `sk` with the message `m`.
#[no_mangle]
unsafe extern "C" fn eccp_rust_bundle_send(
    sk: *mut sys::sock,
    m: *mut sys::msghdr,
    len: u32,
    nonblock: bool,
) -> c_int {
    let from = UserBytes {
        raw: m,
        len: len as usize,
        nonblock,
    };
    // SAFETY: by contract.
    unsafe { call(sk, |outer, _, b| b.send(outer, &from).map(|n| n as c_int)) }
}

/// # Safety
/// A recvmsg() on `sk` with the message `m`.
#[no_mangle]
unsafe extern "C" fn eccp_rust_bundle_receive(
    sk: *mut sys::sock,
    m: *mut sys::msghdr,
    len: u32,
    nonblock: bool,
    peek: bool,
    all: bool,
) -> c_int {
    let to = UserBytes {
        raw: m,
        len: len as usize,
        nonblock,
    };
    // SAFETY: by contract.
    unsafe {
        call(sk, |outer, _, b| {
            b.receive(outer, &to, peek, all).map(|n| n as c_int)
        })
    }
}

/// # Safety
/// A poll() on `sk`.
#[no_mangle]
unsafe extern "C" fn eccp_rust_bundle_poll(sk: *mut sys::sock) -> u32 {
    // SAFETY: by contract.
    match unsafe { call(sk, |_, _, b| Ok(b.poll() as c_int)) } {
        mask if mask >= 0 => mask as u32,
        _ => sys::POLLERR,
    }
}

/// # Safety
/// A system call on `sk`.
#[no_mangle]
unsafe extern "C" fn eccp_rust_bundle_is_ready(sk: *mut sys::sock, receive: bool) -> bool {
    // SAFETY: by contract.
    unsafe { call(sk, |_, _, b| Ok(c_int::from(b.is_ready(receive)))) != 0 }
}

/// # Safety
/// A shutdown() on `sk`.
#[no_mangle]
unsafe extern "C" fn eccp_rust_bundle_shutdown(sk: *mut sys::sock, how: c_int) -> c_int {
    // SAFETY: by contract.
    unsafe {
        call(sk, |_, _, b| {
            b.shutdown(how != 1, how != 0);
            Ok(0)
        })
    }
}

/// # Safety
/// An ioctl() on `sk`.
#[no_mangle]
unsafe extern "C" fn eccp_rust_bundle_queued(sk: *mut sys::sock, what: u32) -> u32 {
    // SAFETY: by contract.
    unsafe { call(sk, |_, _, b| Ok(b.queued(what) as c_int)).max(0) as u32 }
}
