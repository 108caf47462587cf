// SPDX-License-Identifier: GPL-2.0
//! Generic netlink: requests, dumps, events, and the messages that answer them.

use super::{net::NetRef, registration::Registration, sys};
use crate::{control::netlink, netns::Net};
use core::{
    ffi::{c_int, c_void, CStr},
    ptr::NonNull,
};
use kernel::{
    error::{from_result, to_result},
    prelude::*,
    sync::{rcu, Arc},
};

/// The family. Errors: EEXIST when another module has its name.
pub(crate) fn register() -> Result<Registration> {
    // SAFETY: called once, when everything that a request needs is there.
    to_result(unsafe { sys::shim_genl_register() })
        .inspect_err(|_| pr_err!("generic netlink family eccp is taken\n"))?;
    Ok(Registration::new(sys::shim_genl_unregister))
}

/// Version of the module.
pub(crate) fn module_version() -> &'static CStr {
    // SAFETY: a constant of the shim.
    unsafe { CStr::from_ptr(sys::shim_module_version().cast()) }
}

/// Release of the kernel that the module was built for.
pub(crate) fn kernel_release() -> &'static CStr {
    // SAFETY: a constant of the shim.
    unsafe { CStr::from_ptr(sys::shim_kernel_release().cast()) }
}

/// The module's part of a namespace that the caller holds. Errors: ENXIO while it is deleted.
fn state_of(net: NetRef) -> Result<Arc<Net>> {
    let _guard = rcu::read_lock();
    net.state().ok_or(ENXIO)
}

/// # Safety
/// `info` is the `struct genl_info` of a request whose attributes fit the policy of `cmd`.
#[no_mangle]
unsafe extern "C" fn eccp_rust_netlink_do(info: *mut c_void, cmd: u32) -> c_int {
    from_result(|| netlink::answer(cmd, &Request(info)).map(|()| 0))
}

/// # Safety
/// `skb` and `cb` are those of a dump.
#[no_mangle]
unsafe extern "C" fn eccp_rust_netlink_dump(
    skb: *mut sys::sk_buff,
    cb: *mut c_void,
    cmd: u32,
) -> c_int {
    from_result(|| {
        netlink::dump(cmd, &mut Dump { skb, cb })?;
        // SAFETY: by contract. Nothing written ends the dump.
        Ok(unsafe { (*skb).len } as c_int)
    })
}

/// A request that is being answered.
///
/// # Invariants
///
/// Points to a `struct genl_info` that lives until the request is answered.
pub(crate) struct Request(*mut c_void);

/// An attribute of a request.
#[derive(Clone, Copy)]
pub(crate) struct Attr<'a>(&'a sys::nlattr);

impl Attr<'_> {
    /// The number that an attribute of 1, 2, 4 or 8 bytes holds; the policy has checked its
    /// length.
    pub(crate) fn number(self) -> u64 {
        // SAFETY: an attribute of a request is as long as its header says.
        unsafe { sys::shim_attr_uint(self.0) }
    }

    /// The first bytes of the attribute, zeros where it is shorter.
    pub(crate) fn bytes<const N: usize>(self) -> [u8; N] {
        let mut bytes = [0; N];
        // SAFETY: `bytes` has room for `N` bytes.
        unsafe { sys::shim_attr_copy(self.0, bytes.as_mut_ptr().cast(), N as u32) };
        bytes
    }
}

impl Request {
    /// The namespace of the one who asks. Errors: ENXIO while it is deleted.
    pub(crate) fn net(&self) -> Result<Arc<Net>> {
        // SAFETY: by the type's invariant; the asking socket holds its namespace.
        state_of(NetRef(unsafe { sys::shim_request_net(self.0) }))
    }

    /// The attribute `kind`, which must be one that the policy of the command knows.
    pub(crate) fn attr(&self, kind: u32) -> Option<Attr<'_>> {
        // SAFETY: by the type's invariant and by contract; a pointer that is not null leads to
        // an attribute in the request, which outlives this borrow.
        unsafe { sys::shim_request_attr(self.0, kind).as_ref() }.map(Attr)
    }

    /// Refuses the request: the asker reads `text` and the name of the attribute.
    pub(crate) fn refuse(
        &self,
        error: Error,
        text: &'static CStr,
        attr: Option<Attr<'_>>,
    ) -> Error {
        let attr = attr.map_or(core::ptr::null(), |attr| core::ptr::from_ref(attr.0));
        // SAFETY: by the type's invariant; the text is a constant.
        unsafe { sys::shim_request_refuse(self.0, text.as_ptr().cast(), attr) };
        error
    }

    /// Refuses the request because it lacks the attribute `kind`.
    pub(crate) fn missing(&self, text: &'static CStr, kind: u32) -> Error {
        // SAFETY: as in `refuse()`.
        unsafe { sys::shim_request_missing(self.0, text.as_ptr().cast(), kind) };
        EINVAL
    }

    /// Answers with one message. Errors: ENOMEM, or EMSGSIZE when it does not fit.
    pub(crate) fn reply(&self, cmd: u32, fill: impl FnOnce(&mut Writer) -> Result) -> Result {
        let mut raw = sys::shim_message::default();
        // SAFETY: by the type's invariant; `raw` is writable.
        to_result(unsafe { sys::shim_request_reply(self.0, cmd, &mut raw) })?;
        let message = Message(raw);
        fill(&mut Writer(message.0.skb))?;
        let mut raw = message.into_raw();
        // SAFETY: the message is complete, and the call takes it.
        to_result(unsafe { sys::shim_request_send(self.0, &mut raw) })
    }
}

/// A dump that is being answered, one datagram at a time.
pub(crate) struct Dump {
    skb: *mut sys::sk_buff,
    cb: *mut c_void,
}

impl Dump {
    /// The namespace of the one who asks. Errors: ENXIO while it is deleted.
    pub(crate) fn net(&self) -> Result<Arc<Net>> {
        // SAFETY: the dump's socket holds its namespace.
        state_of(NetRef(unsafe { sys::shim_dump_net(self.cb) }))
    }

    /// Says which generation of the objects is read; a change marks the dump as interrupted.
    pub(crate) fn at_generation(&mut self, generation: u32) {
        // SAFETY: `cb` is that of a running dump.
        unsafe { sys::shim_dump_at(self.cb, generation) };
    }

    fn words(&mut self) -> &mut [i64; 2] {
        // SAFETY: the kernel keeps six words for the dump, zero at first; two are used, and the
        // borrow of `self` makes this the only reference.
        unsafe { &mut *sys::shim_dump_position(self.cb).cast::<[i64; 2]>() }
    }

    /// Where the last datagram ended: a bucket, and an entry in it.
    pub(crate) fn position(&mut self) -> (usize, usize) {
        let [bucket, entry] = *self.words();
        (bucket as usize, entry as usize)
    }

    /// Where the next datagram begins.
    pub(crate) fn set_position(&mut self, bucket: usize, entry: usize) {
        *self.words() = [bucket as i64, entry as i64];
    }

    /// Adds one message; `false` when it does not fit any more. Errors: EMSGSIZE when it would
    /// not even fit alone.
    pub(crate) fn add(
        &mut self,
        cmd: u32,
        fill: impl FnOnce(&mut Writer) -> Result,
    ) -> Result<bool> {
        // SAFETY: `skb` is the dump's datagram.
        let empty = unsafe { (*self.skb).len } == 0;
        let mut raw = sys::shim_message::default();
        // SAFETY: as above; `raw` is writable.
        let begun = to_result(unsafe { sys::shim_dump_begin(self.skb, self.cb, cmd, &mut raw) });
        let written = begun.and_then(|()| {
            fill(&mut Writer(self.skb)).inspect_err(|_| {
                // SAFETY: the message was begun.
                unsafe { sys::shim_message_cancel(&mut raw) };
            })
        });
        match written {
            Ok(()) => {
                // SAFETY: the message was begun and is complete.
                unsafe { sys::shim_message_end(&mut raw) };
                Ok(true)
            }
            Err(error) if error == EMSGSIZE && !empty => Ok(false),
            Err(error) => Err(error),
        }
    }
}

/// A message that is freed unless it is sent.
struct Message(sys::shim_message);

impl Message {
    fn into_raw(self) -> sys::shim_message {
        let raw = sys::shim_message {
            skb: self.0.skb,
            header: self.0.header,
        };
        core::mem::forget(self);
        raw
    }
}

impl Drop for Message {
    fn drop(&mut self) {
        // SAFETY: not sent, so it is still ours.
        unsafe { sys::shim_message_free(&mut self.0) };
    }
}

/// Whether somebody listens to the events of a namespace.
pub(crate) fn event_wanted(net: NetRef) -> bool {
    // SAFETY: alive by the type's meaning.
    unsafe { sys::shim_event_wanted(net.0) }
}

/// Tells all who listen in the namespace. Errors: ENOMEM, or EMSGSIZE when it does not fit.
pub(crate) fn send_event(
    net: NetRef,
    cmd: u32,
    fill: impl FnOnce(&mut Writer) -> Result,
) -> Result {
    tell(net, cmd, fill, true)
}

/// The same where nothing may sleep.
pub(crate) fn send_event_atomic(
    net: NetRef,
    cmd: u32,
    fill: impl FnOnce(&mut Writer) -> Result,
) -> Result {
    tell(net, cmd, fill, false)
}

fn tell(
    net: NetRef,
    cmd: u32,
    fill: impl FnOnce(&mut Writer) -> Result,
    may_sleep: bool,
) -> Result {
    let mut raw = sys::shim_message::default();
    // SAFETY: `raw` is writable.
    to_result(unsafe { sys::shim_event_begin(cmd, &mut raw, may_sleep) })?;
    let message = Message(raw);
    fill(&mut Writer(message.0.skb))?;
    let mut raw = message.into_raw();
    // SAFETY: the message is complete, and the call takes it.
    unsafe { sys::shim_event_send(net.0, &mut raw, may_sleep) };
    Ok(())
}

/// Writes attributes to a message. Every method fails with EMSGSIZE when there is no room.
///
/// # Invariants
///
/// Points to a packet in which a message was begun and is not complete.
pub(crate) struct Writer(*mut sys::sk_buff);

impl Writer {
    /// A number, in as many bytes as it needs.
    pub(crate) fn uint(&mut self, kind: u32, value: u64) -> Result {
        // SAFETY: by the type's invariant.
        to_result(unsafe { sys::shim_put_uint(self.0, kind, value) })
    }

    /// Bytes as they are.
    pub(crate) fn bytes(&mut self, kind: u32, value: &[u8]) -> Result {
        let len = u32::try_from(value.len()).map_err(|_| EMSGSIZE)?;
        // SAFETY: by the type's invariant; `value` is readable for its length.
        to_result(unsafe { sys::shim_put(self.0, kind, value.as_ptr().cast(), len) })
    }

    /// A number of four bytes.
    pub(crate) fn u32(&mut self, kind: u32, value: u32) -> Result {
        self.bytes(kind, &value.to_ne_bytes())
    }

    /// A number of two bytes.
    pub(crate) fn u16(&mut self, kind: u32, value: u16) -> Result {
        self.bytes(kind, &value.to_ne_bytes())
    }

    /// A port, in network byte order.
    pub(crate) fn port(&mut self, kind: u32, value: u16) -> Result {
        self.bytes(kind, &value.to_be_bytes())
    }

    /// An attribute that says something by being there.
    pub(crate) fn flag(&mut self, kind: u32) -> Result {
        self.bytes(kind, &[])
    }

    /// Text.
    pub(crate) fn text(&mut self, kind: u32, value: &CStr) -> Result {
        // SAFETY: by the type's invariant; the text ends with a zero byte.
        to_result(unsafe { sys::shim_put_text(self.0, kind, value.as_ptr().cast()) })
    }

    /// An attribute that holds the attributes that `fill` writes.
    pub(crate) fn nest(&mut self, kind: u32, fill: impl FnOnce(&mut Self) -> Result) -> Result {
        // SAFETY: by the type's invariant.
        let nest = NonNull::new(unsafe { sys::shim_nest_begin(self.0, kind) }).ok_or(EMSGSIZE)?;
        fill(self)?;
        // SAFETY: the nest was begun in this message. When `fill` fails, the whole message goes.
        unsafe { sys::shim_nest_end(self.0, nest.as_ptr()) };
        Ok(())
    }
}
