// SPDX-License-Identifier: GPL-2.0
//! The packet side of a flow, and the inner TCP endpoint that it carries.

use super::{
    net::NetRef,
    outer::Outer,
    skb::{Kind, Skb},
    sys,
};
use crate::{
    flow::Flow,
    proto::{
        address::{Encap, Family, IpAddr128, Path, RxInfo},
        connection::DataPath,
        service::TransportParams,
        time::Duration,
    },
};
use core::ptr::NonNull;
use kernel::{error::to_result, prelude::*, sync::Arc};

pub(crate) use sys::shim_flow_stats as FlowStats;
pub(crate) use sys::shim_tail as Tail;
pub(crate) use sys::shim_transport as Transport;
pub(crate) use sys::shim_watch as Watch;

/// A kernel TCP socket without a user, and without a connection.
///
/// # Invariants
///
/// The pointer is a valid `struct socket` of TCP, made by the shim and owned by this value.
pub(crate) struct Tcp(NonNull<sys::socket>);

// SAFETY: sockets do their own locking.
unsafe impl Send for Tcp {}
// SAFETY: as above.
unsafe impl Sync for Tcp {}

impl Tcp {
    pub(crate) fn new(net: NetRef) -> Result<Self> {
        // SAFETY: the namespace is alive.
        let raw = unsafe { sys::shim_tcp_new(net.0) };
        // INVARIANT: a new socket that nobody else knows.
        NonNull::new(raw).map(Self).ok_or(ENOMEM)
    }

    /// The endpoint that an AF_ECCP socket was created with, unless a connection has it. The
    /// socket keeps a pointer for forwarding calls.
    pub(super) fn of(outer: &Outer) -> Option<Self> {
        // SAFETY: the socket is alive.
        NonNull::new(unsafe { sys::shim_sk_take_inner(outer.as_ptr()) }).map(Self)
    }

    /// Gives the endpoint back to the AF_ECCP socket that it came from.
    pub(crate) fn give_back(self, outer: &Outer) {
        // SAFETY: the socket is alive, and still points to the endpoint.
        unsafe { sys::shim_sk_give_inner(outer.as_ptr()) };
        core::mem::forget(self);
    }

    /// Takes over what an accepted connection inherits.
    pub(crate) fn inherit(&self, listener: &Outer) {
        // SAFETY: both sockets are alive.
        unsafe {
            let from = sys::shim_sk_inner(listener.as_ptr());
            if !from.is_null() {
                sys::shim_tcp_inherit(self.0.as_ptr(), from);
            }
        }
    }

    /// How long its user waits for an answer; `None` if the user has not said.
    pub(crate) fn user_timeout(&self) -> Option<Duration> {
        // SAFETY: valid by the type's invariant.
        user_timeout(unsafe { sys::shim_tcp_user_timeout(self.0.as_ptr()) })
    }

    /// What this endpoint tells the peer in SYN, if it `connects`, or SYN-ACK; `mtu` of the first
    /// link in bytes.
    pub(crate) fn offer(&self, mtu: u32, connects: bool) -> Transport {
        let mut offer = Transport::default();
        // SAFETY: valid by the type's invariant.
        unsafe { sys::shim_tcp_offer(self.0.as_ptr(), mtu, connects, &mut offer) };
        offer
    }
}

impl Drop for Tcp {
    fn drop(&mut self) {
        // SAFETY: owned by the type's invariant.
        unsafe { sys::shim_tcp_drop(self.0.as_ptr()) };
    }
}

fn user_timeout(millis: u32) -> Option<Duration> {
    (millis > 0).then(|| Duration::from_millis(millis.into()))
}

/// Flag in the last byte of the transport parameters: ECN is wanted, or taken.
const WIRE_ECN: u8 = 1;

/// Flag there: the stream may take several connections.
const WIRE_SEVERAL: u8 = 2;

/// The transport parameters on the wire: ISN, window, MTU, window scale, flags.
pub(crate) fn transport_to_wire(t: &Transport) -> TransportParams {
    let [a, b, c, d] = t.isn.to_be_bytes();
    let [e, f, g, h] = t.window.to_be_bytes();
    let [i, j] = t.mtu.to_be_bytes();
    let ecn = match t.ecn {
        0 => 0,
        _ => WIRE_ECN,
    };
    let several = match t.several {
        0 => 0,
        _ => WIRE_SEVERAL,
    };
    let flags = ecn | several;
    let wire = [a, b, c, d, e, f, g, h, i, j, t.wscale, flags];
    TransportParams::new(&wire).unwrap_or_default()
}

/// Reads what [`transport_to_wire`] wrote at the peer; `None` if it is not TCP's.
pub(crate) fn transport_from_wire(params: &TransportParams) -> Option<Transport> {
    let [a, b, c, d, e, f, g, h, i, j, wscale, flags] = *params.as_bytes() else {
        return None;
    };
    Some(Transport {
        isn: u32::from_be_bytes([a, b, c, d]),
        window: u32::from_be_bytes([e, f, g, h]),
        mtu: u16::from_be_bytes([i, j]),
        wscale,
        ecn: flags & WIRE_ECN,
        several: u8::from(flags & WIRE_SEVERAL != 0),
        pad: [0; 3],
    })
}

/// A path as the shim wants it. `usable` is set, and data would be for the flow `receiver`.
fn data_path(path: &Path, receiver: u64) -> sys::shim_path {
    sys::shim_path {
        receiver,
        ..shim_path(path)
    }
}

/// Where a packet came from, as the core wants it.
pub(crate) fn rx_info(raw: &sys::shim_origin) -> RxInfo {
    RxInfo {
        local: IpAddr128(raw.local),
        remote: IpAddr128(raw.remote),
        encap: if raw.udp != 0 {
            Encap::Udp
        } else {
            Encap::Native
        },
        local_port: raw.local_port,
        remote_port: raw.remote_port,
        ifindex: raw.ifindex,
    }
}

/// A path for control packets, whose headers are complete.
pub(super) fn shim_path(path: &Path) -> sys::shim_path {
    sys::shim_path {
        receiver: 0,
        local: path.local.0,
        remote: path.remote.0,
        local_port: path.local_port,
        remote_port: path.remote_port,
        ifindex: path.ifindex,
        v6: u8::from(path.remote.family() == Family::V6),
        udp: u8::from(path.encap == Encap::Udp),
        usable: 1,
        foreign: 0,
    }
}

/// The path by its interface where that has a route, else as routing says.
pub(super) fn routed(net: NetRef, path: &Path, receiver: u64) -> sys::shim_path {
    let mut by_interface = data_path(path, receiver);
    if net.complete(&mut by_interface).is_ok() {
        return by_interface;
    }
    let mut any = sys::shim_path {
        ifindex: 0,
        ..data_path(path, receiver)
    };
    if net.complete(&mut any).is_ok() {
        any.ifindex = 0;
    }
    any
}

/// Sends a control packet along a path. Errors: no route, no memory.
pub(crate) fn send_control(net: NetRef, path: &Path, packet: &[u8]) -> Result {
    send(net, path, packet, false)
}

/// Sends a control packet from softirq. Errors: no route, no memory.
pub(crate) fn send_answer(net: NetRef, path: &Path, packet: &[u8]) -> Result {
    send(net, path, packet, true)
}

/// Sends a control packet in the name of the path's local address, which need not be one of this
/// host. Errors: no route, no memory.
pub(crate) fn send_in_name(net: NetRef, path: &Path, packet: &[u8]) -> Result {
    let raw = sys::shim_path {
        foreign: 1,
        ..shim_path(path)
    };
    net.send(&raw, packet, false)
}

fn send(net: NetRef, path: &Path, packet: &[u8], atomic: bool) -> Result {
    let mut raw = shim_path(path);
    let first = net.send(&raw, packet, atomic);
    if first.is_ok() || raw.ifindex == 0 {
        return first;
    }
    raw.ifindex = 0;
    net.send(&raw, packet, atomic)
}

/// The packet side of one flow.
///
/// # Invariants
///
/// The pointer is a valid `struct shim_flow`; its owner word is the [`Flow`] that holds this
/// value, from [`Endpoint::own`] on.
pub(crate) struct Endpoint {
    raw: NonNull<sys::shim_flow>,
    /// The flow carries datagrams: it has no inner socket, see `datagram`.
    datagrams: bool,
}

// SAFETY: the shim locks the inner socket where needed.
unsafe impl Send for Endpoint {}
// SAFETY: as above.
unsafe impl Sync for Endpoint {}

impl Endpoint {
    pub(crate) fn new(local_id: u64, datagrams: bool) -> Result<Self> {
        // SAFETY: plain allocation.
        let raw = unsafe { sys::shim_flow_new(local_id) };
        let raw = NonNull::new(raw).ok_or(ENOMEM)?;
        Ok(Self { raw, datagrams })
    }

    /// Whether the flow carries datagrams.
    pub(crate) fn is_datagram(&self) -> bool {
        self.datagrams
    }

    pub(crate) fn own(&self, flow: &Arc<Flow>) {
        // SAFETY: no packet can come yet, the flow is in no table.
        unsafe { sys::shim_flow_own(self.as_ptr(), Arc::as_ptr(flow).cast_mut().cast()) };
    }

    pub(super) fn as_ptr(&self) -> *mut sys::shim_flow {
        self.raw.as_ptr()
    }

    /// Puts `tcp` into ESTABLISHED on this flow; hands it back on error.
    pub(crate) fn adopt(
        &self,
        net: NetRef,
        tcp: Tcp,
        remote_id: u64,
        path: &Path,
        local: &Transport,
        remote: &Transport,
    ) -> core::result::Result<(), (Error, Tcp)> {
        let path = routed(net, path, remote_id);
        // SAFETY: all pointers are valid; on success the flow owns the socket.
        let ret = unsafe {
            sys::shim_tcp_adopt(
                self.as_ptr(),
                tcp.0.as_ptr(),
                remote_id,
                &path,
                local,
                remote,
            )
        };
        match to_result(ret) {
            Ok(()) => {
                core::mem::forget(tcp);
                Ok(())
            }
            Err(e) => Err((e, tcp)),
        }
    }

    /// The peer has another flow ID, and nothing else of the path has changed.
    pub(crate) fn set_receiver(&self, receiver: u64) {
        // SAFETY: adopted, so there is an inner socket unless the flow carries datagrams, which
        // have the lock instead.
        unsafe { sys::shim_flow_set_receiver(self.as_ptr(), receiver, self.datagrams) };
    }

    /// Wakes and reports to `outer` from now on; it forwards calls to the endpoint.
    pub(crate) fn attach(&self, outer: &Outer) {
        // SAFETY: adopted, and `outer` is alive until `detach()`.
        unsafe {
            sys::shim_sk_set_inner(outer.as_ptr(), sys::shim_tcp_socket(self.as_ptr()));
            sys::shim_tcp_attach_user(self.as_ptr(), outer.as_ptr());
        }
    }

    /// `outer` forwards what the endpoint alone can say, and is not woken by it.
    pub(crate) fn lend(&self, outer: &Outer) {
        // SAFETY: adopted, and `outer` is alive while its socket uses the endpoint.
        unsafe { sys::shim_sk_set_inner(outer.as_ptr(), sys::shim_tcp_socket(self.as_ptr())) };
    }

    /// Ends what [`Endpoint::attach`] began.
    pub(crate) fn detach(&self) {
        if self.datagrams {
            return self.detach_datagrams();
        }
        // SAFETY: adopted.
        unsafe { sys::shim_tcp_detach_user(self.as_ptr()) };
    }

    /// Sends FIN when all data is sent, and receives nothing more.
    pub(crate) fn shutdown(&self) {
        if self.datagrams {
            self.close_datagrams();
            return;
        }
        // SAFETY: adopted.
        unsafe { sys::shim_tcp_shutdown(self.as_ptr()) };
    }

    /// Ends the endpoint at once with RST; its user sees `err`.
    pub(crate) fn abort(&self, err: Error) {
        if self.datagrams {
            self.close_datagrams();
            return;
        }
        // SAFETY: adopted.
        unsafe { sys::shim_tcp_abort(self.as_ptr(), -err.to_errno()) };
    }

    /// Whether TCP is done with the endpoint.
    pub(crate) fn is_closed(&self) -> bool {
        if self.datagrams {
            return self.datagrams_closed();
        }
        // SAFETY: adopted.
        unsafe { sys::shim_tcp_closed(self.as_ptr()) }
    }

    /// Whether the peer sent data that the user never read.
    pub(crate) fn has_unread(&self) -> bool {
        if self.datagrams {
            return false;
        }
        // SAFETY: adopted.
        unsafe { sys::shim_tcp_unread(self.as_ptr()) }
    }

    /// What answers for the closed endpoint from now on.
    pub(crate) fn tail(&self) -> Tail {
        let mut tail = Tail::default();
        if self.datagrams {
            return tail;
        }
        // SAFETY: adopted.
        unsafe { sys::shim_tcp_tail(self.as_ptr(), &mut tail) };
        tail
    }

    /// How long its user waits for an answer; `None` if the user has not said.
    pub(crate) fn user_timeout(&self) -> Option<Duration> {
        if self.datagrams {
            return None;
        }
        // SAFETY: adopted, so there is an inner socket.
        user_timeout(unsafe {
            sys::shim_tcp_user_timeout(sys::shim_tcp_socket(self.as_ptr()))
        })
    }

    /// Whether the peer has acknowledged all that was sent.
    pub(crate) fn is_flushed(&self) -> bool {
        if self.datagrams {
            return !self.datagrams_wait();
        }
        // SAFETY: adopted.
        unsafe { sys::shim_tcp_flushed(self.as_ptr()) }
    }

    /// Whether only the peer's FIN is missing.
    pub(crate) fn is_half_closed(&self) -> bool {
        if self.datagrams {
            return false;
        }
        // SAFETY: adopted.
        unsafe { sys::shim_tcp_half_closed(self.as_ptr()) }
    }

    /// Lets go of the closed inner socket. The caller has waited for packets on their way.
    pub(crate) fn release(&self) {
        if self.datagrams {
            return self.release_datagrams();
        }
        // SAFETY: adopted and closed; the caller is the only one that releases it.
        unsafe { sys::shim_tcp_release(self.as_ptr()) };
    }

    /// Answers a repeated FIN of a closed flow. Errors: no route, no memory.
    pub(crate) fn tail_ack(&self, net: NetRef, to: &DataPath, tail: &Tail, tsecr: u32) -> Result {
        let path = data_path(&to.path, to.receiver);
        // SAFETY: all pointers are valid.
        to_result(unsafe { sys::shim_tx_tail_ack(net.0, &path, self.as_ptr(), tail, tsecr) })
    }

    /// Hands a data packet to TCP.
    pub(crate) fn deliver(&self, skb: Skb, kind: Kind) -> i32 {
        // SAFETY: adopted, the caller is in a read-side section, and the packet is given up.
        unsafe { sys::shim_rx_deliver(skb.into_raw(), self.as_ptr(), kind.0) }
    }

    /// Keeps a data packet for [`Endpoint::deliver_held`]; `false`: there are `limit` already,
    /// and the packet is gone.
    pub(crate) fn hold(&self, skb: Skb, kind: Kind, limit: u32) -> bool {
        // SAFETY: the packet is valid; when the call succeeds it owns it.
        let ok = unsafe { sys::shim_rx_hold(skb.as_ptr(), self.as_ptr(), kind.0, limit) };
        if ok {
            skb.into_raw();
        }
        ok
    }

    /// Hands all kept packets to TCP; those of datagrams come again. Only while the endpoint is
    /// adopted.
    pub(crate) fn deliver_held(&self, net: NetRef) {
        if self.datagrams {
            return self.release_held_datagrams(net);
        }
        // SAFETY: adopted.
        unsafe { sys::shim_rx_release_held(self.as_ptr()) };
    }

    /// The sum of the TCP pseudo header of received packets, without their length.
    pub(crate) fn pseudo(&self) -> u32 {
        // SAFETY: valid by the type's invariant.
        unsafe { sys::shim_flow_pseudo(self.as_ptr()) }
    }

    /// How TCP gets on with what it has sent. Only while the endpoint is adopted.
    pub(crate) fn watch(&self) -> Watch {
        let mut watch = Watch::default();
        // SAFETY: adopted, so there is an inner socket.
        unsafe { sys::shim_watch_look(self.as_ptr(), &mut watch) };
        watch
    }

    /// TCP's next packet calls [`Flow::begin_watch`].
    pub(crate) fn end_watch(&self) {
        // SAFETY: valid by the type's invariant.
        unsafe { sys::shim_watch_end(self.as_ptr()) };
    }

    /// Sends again at once what waits for acknowledgement. Only while the endpoint is adopted.
    pub(crate) fn resend(&self) {
        if self.datagrams {
            // A datagram is sent once.
            return;
        }
        // SAFETY: adopted, so there is an inner socket.
        unsafe { sys::shim_watch_resend(self.as_ptr()) };
    }

    /// From where data came that is not the path's far end, for which flow ID, and how long it
    /// was; `None`: from nowhere since the last call.
    pub(crate) fn take_stray(&self) -> Option<(RxInfo, u64, usize)> {
        let mut origin = sys::shim_origin::default();
        let (mut receiver, mut len) = (0, 0);
        // SAFETY: valid by the type's invariant; all references are writable.
        let any = unsafe {
            sys::shim_rx_take_stray(self.as_ptr(), &mut origin, &mut receiver, &mut len)
        };
        any.then(|| (rx_info(&origin), receiver, len as usize))
    }

    /// Counters of the flow; and of TCP while `adopted`.
    pub(crate) fn stats(&self, adopted: bool) -> FlowStats {
        if self.datagrams {
            return self.datagram_stats();
        }
        let mut stats = FlowStats::default();
        // SAFETY: valid by the type's invariant; the caller keeps the endpoint adopted if it says so.
        unsafe { sys::shim_flow_stats(self.as_ptr(), &mut stats, adopted) };
        stats
    }
}

impl Drop for Endpoint {
    fn drop(&mut self) {
        // SAFETY: the flow is in no table, and its inner socket has been released.
        unsafe { sys::shim_flow_free(self.as_ptr()) };
    }
}

/// A packet of TCP's on its way out, with the locked socket that sends it.
pub(crate) struct Outgoing {
    pub(super) sk: *mut sys::sock,
    pub(super) flow: *mut sys::shim_flow,
    pub(super) skb: Skb,
}

impl Outgoing {
    /// The 12-byte header goes before the segment.
    pub(crate) fn push(&mut self, header: &[u8; super::skb::HEADER_LEN]) {
        self.skb.push(header);
    }

    /// Whether the flow has a path.
    pub(crate) fn has_path(&self) -> bool {
        // SAFETY: the socket is locked by TCP, which guards the path.
        unsafe { sys::shim_tx_usable(self.flow) }
    }

    /// The peer's ID of the flow that the packet takes.
    pub(crate) fn receiver(&self) -> u64 {
        // SAFETY: the socket is locked by TCP, which guards the path.
        unsafe { sys::shim_tx_receiver(self.flow) }
    }

    /// Makes sure that the socket has a route. Errors: there is none.
    pub(crate) fn route(&self) -> Result {
        // SAFETY: the socket is locked by TCP.
        to_result(unsafe { sys::shim_tx_route(self.sk, self.flow) })
    }

    /// Sends the packet in the path's encapsulation; the result is for TCP.
    pub(crate) fn send(self) -> i32 {
        let raw = self.skb.into_raw();
        // SAFETY: the socket is locked by TCP and has a route; the packet is given up.
        unsafe { sys::shim_tx_send(self.sk, raw, self.flow) }
    }
}
