// SPDX-License-Identifier: GPL-2.0
//! Datagrams: the packet side of flows that carry them, and the sockets that send them.

use super::{
    endpoint::{routed, shim_path, Endpoint, FlowStats},
    errno::ESHUTDOWN,
    net::NetRef,
    outer::Outer,
    skb::{Kind, Skb},
    sys,
};
use crate::proto::{address::Path, connection::DataPath, wire::DATA_LEN};
use core::ptr::NonNull;
use kernel::{error::to_result, prelude::*};

/// A message that a system call wants sent.
pub(crate) struct Message {
    pub(super) raw: *mut sys::msghdr,
    /// Length in bytes.
    pub(crate) len: u32,
    /// The caller does not wait.
    pub(crate) nonblock: bool,
}

impl Message {
    /// Copies the message into a packet that is charged to the socket's send buffer. Waits while
    /// that is full. Errors: EAGAIN, EINTR or ERESTARTSYS, EPIPE after shutdown(), EFAULT, ENOBUFS.
    pub(crate) fn copy(&self, socket: &Outer) -> Result<Datagram> {
        let mut err = 0;
        // SAFETY: the socket is a datagram socket in a system call, whose message this is.
        let skb = unsafe {
            sys::shim_dgram_copy(socket.as_ptr(), self.raw, self.len, self.nonblock, &mut err)
        };
        match NonNull::new(skb) {
            // SAFETY: a new packet that nobody else knows.
            Some(skb) => Ok(Datagram(unsafe { Skb::from_raw(skb) })),
            None => Err(to_result(err).err().unwrap_or(ENOMEM)),
        }
    }
}

/// A datagram without any header yet, charged to the socket that it was copied for.
pub(crate) struct Datagram(Skb);

impl Datagram {
    /// Length in bytes.
    pub(crate) fn len(&self) -> u32 {
        self.0.len() as u32
    }
}

/// Where a datagram leaves by: a path and its route.
///
/// # Invariants
///
/// `raw.dst` is a counted reference to a route, or null.
pub(crate) struct Way {
    raw: sys::shim_way,
}

impl Way {
    /// The peer's ID of the flow that the datagram takes.
    pub(crate) fn receiver(&self) -> u64 {
        self.raw.path.receiver
    }
}

impl Drop for Way {
    fn drop(&mut self) {
        // SAFETY: by the type's invariant.
        unsafe { sys::shim_dgram_way_put(&mut self.raw) };
    }
}

/// Why a datagram cannot leave now.
pub(crate) enum NoWay {
    /// The flow has no path at present.
    NoPath,
    /// The flow is closed.
    Closed,
    /// Routing does not lead there, or the link is down.
    NoRoute,
}

/// What became of a datagram that was to wait.
pub(crate) enum Waiting {
    /// It waits; `first`: nothing waited before.
    Queued { first: bool },
    /// There is a path.
    Path(Datagram),
    /// As many wait as may.
    Full,
    /// The flow is closed.
    Closed,
}

/// What became of a received packet: the numbers `SHIM_DGRAM_*`.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Delivery {
    Delivered,
    /// No UDP header of this flow.
    Malformed,
    /// The checksum is wrong.
    Checksum,
    /// The socket's receive buffer is full, or the socket is gone.
    Full,
}

/// Datagram operations of a flow's packet side, which was opened for them.
impl Endpoint {
    /// Begins to carry datagrams for a datagram socket, in whose queue the peer has a number.
    pub(crate) fn open_datagrams(&self, net: NetRef, socket: &Outer, to: &DataPath, peer: u32) {
        // SAFETY: all pointers are valid; the connection detaches before the socket goes.
        unsafe {
            sys::shim_dgram_open(
                self.as_ptr(),
                socket.as_ptr(),
                to.receiver,
                &routed(net, &to.path, to.receiver),
                peer,
            );
        }
    }

    pub(super) fn set_datagram_path(&self, net: NetRef, to: &DataPath) {
        let path = routed(net, &to.path, to.receiver);
        // SAFETY: valid by the type's invariant.
        unsafe { sys::shim_dgram_set_path(self.as_ptr(), &path) };
    }

    pub(super) fn suspend_datagrams(&self, path: &Path) {
        let path = sys::shim_path {
            usable: 0,
            ..shim_path(path)
        };
        // SAFETY: valid by the type's invariant.
        unsafe { sys::shim_dgram_set_path(self.as_ptr(), &path) };
    }

    pub(super) fn detach_datagrams(&self) {
        // SAFETY: valid by the type's invariant.
        unsafe { sys::shim_dgram_detach(self.as_ptr()) };
    }

    /// Ends sending for good; the number of datagrams that waited for a path and are dropped.
    pub(crate) fn close_datagrams(&self) -> u32 {
        // SAFETY: valid by the type's invariant.
        unsafe { sys::shim_dgram_close(self.as_ptr()) }
    }

    pub(super) fn datagrams_closed(&self) -> bool {
        // SAFETY: valid by the type's invariant.
        unsafe { sys::shim_dgram_closed(self.as_ptr()) }
    }

    pub(super) fn datagrams_wait(&self) -> bool {
        // SAFETY: valid by the type's invariant.
        unsafe { sys::shim_dgram_waiting(self.as_ptr()) }
    }

    pub(super) fn release_datagrams(&self) {
        // SAFETY: valid by the type's invariant.
        unsafe { sys::shim_dgram_release(self.as_ptr()) };
    }

    pub(super) fn datagram_stats(&self) -> FlowStats {
        let mut stats = FlowStats::default();
        // SAFETY: valid by the type's invariant.
        unsafe { sys::shim_dgram_stats(self.as_ptr(), &mut stats) };
        stats
    }

    /// How a datagram of `socket` would leave, and the largest that may, in bytes; zero: no path
    /// was ever known.
    pub(crate) fn way(&self, socket: &Outer) -> (core::result::Result<Way, NoWay>, u32) {
        let mut raw = sys::shim_way::default();
        // SAFETY: all pointers are valid; the flow carries datagrams of the socket.
        let ret = unsafe { sys::shim_dgram_way(self.as_ptr(), socket.as_ptr(), &mut raw) };
        let room = raw.room;
        // INVARIANT: the call above took a reference if it succeeded, else there is no route.
        let way = Way { raw };
        let way = to_result(ret).map(|()| way).map_err(|e| match e {
            EAGAIN => NoWay::NoPath,
            ESHUTDOWN => NoWay::Closed,
            _ => NoWay::NoRoute,
        });
        (way, room)
    }

    /// Lets a datagram wait for a path, or when `no_route` for a route of the path there is. At
    /// most `limit` do; zero: as many as the send buffer holds.
    pub(crate) fn wait_for_path(&self, datagram: Datagram, limit: u32, no_route: bool) -> Waiting {
        let raw = datagram.0.as_ptr();
        // SAFETY: the packet is valid; when the call succeeds the flow owns it.
        let ret = unsafe { sys::shim_dgram_wait(self.as_ptr(), raw, limit, no_route) };
        match to_result(ret) {
            Ok(()) => {
                datagram.0.into_raw();
                Waiting::Queued { first: ret == 1 }
            }
            Err(EAGAIN) => Waiting::Path(datagram),
            Err(ESHUTDOWN) => Waiting::Closed,
            Err(_) => Waiting::Full,
        }
    }

    /// Whether datagrams wait for a path.
    pub(crate) fn has_waiting(&self) -> bool {
        self.datagrams_wait()
    }

    /// The next datagram that waited, once there is a path.
    pub(crate) fn next_waiting(&self) -> Option<Datagram> {
        // SAFETY: valid by the type's invariant.
        let skb = unsafe { sys::shim_dgram_next(self.as_ptr()) };
        // SAFETY: the flow gave the packet up.
        NonNull::new(skb).map(|skb| Datagram(unsafe { Skb::from_raw(skb) }))
    }

    /// Sends a datagram. Errors: ENOBUFS when the device takes no more, ENOMEM.
    pub(crate) fn send_datagram(
        &self,
        datagram: Datagram,
        mut way: Way,
        header: &[u8; DATA_LEN],
    ) -> Result {
        let mut skb = datagram.0;
        // SAFETY: the packet has head room for all headers.
        unsafe { sys::shim_dgram_push(skb.as_ptr(), self.as_ptr()) };
        skb.push(header);
        // SAFETY: both are valid and given up; the packet is charged to a socket.
        let ret = unsafe { sys::shim_dgram_send(skb.into_raw(), self.as_ptr(), &mut way.raw) };
        core::mem::forget(way);
        to_result(ret)
    }

    /// Hands a received packet to the socket. The caller is in a read-side section.
    pub(crate) fn deliver_datagram(&self, skb: Skb, kind: Kind) -> Delivery {
        // SAFETY: the flow was opened for datagrams, and the packet is given up.
        match unsafe { sys::shim_dgram_deliver(skb.into_raw(), self.as_ptr(), kind.0) } {
            sys::SHIM_DGRAM_DELIVERED => Delivery::Delivered,
            sys::SHIM_DGRAM_MALFORMED => Delivery::Malformed,
            sys::SHIM_DGRAM_CHECKSUM => Delivery::Checksum,
            _ => Delivery::Full,
        }
    }

    /// Lets the packets that came too early come again.
    pub(super) fn release_held_datagrams(&self, net: NetRef) {
        // SAFETY: the namespace is alive and the flow open.
        unsafe { sys::shim_dgram_release_held(self.as_ptr(), net.0) };
    }
}

impl NetRef {
    /// Looks soon which addresses there are: the notice of a change may be late.
    pub(crate) fn look_at_addresses(self) {
        // SAFETY: alive by the type's meaning.
        unsafe { sys::shim_net_kick(self.0) };
    }
}

impl Outer {
    /// Whether the socket is of type SOCK_DGRAM.
    pub(crate) fn is_datagram(&self) -> bool {
        // SAFETY: valid by the type's invariant.
        unsafe { sys::shim_sk_is_dgram(self.as_ptr()) }
    }

    /// The connection of a datagram socket is over: sending fails with `err`, and so does
    /// receiving once nothing is left to read. `None`: a new one begins.
    pub(crate) fn set_ended(&self, err: Option<Error>) {
        let errno = err.map_or(0, |e| -e.to_errno());
        // SAFETY: a datagram socket that is not released yet, or whose UDP socket is closed after
        // its connections.
        unsafe { sys::shim_dgram_set_ended(self.as_ptr(), errno) };
    }
}
