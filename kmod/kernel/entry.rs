// SPDX-License-Identifier: GPL-2.0
//! Where the shim calls Rust.

use super::{
    datagram::Message,
    endpoint::Outgoing,
    net::{ControlQueue, NetRef},
    outer::{File, Outer},
    skb::{Kind, Skb},
    sys,
    work::Task,
};
use crate::{
    bundle::Bundle, connection::Connection, datapath, datapath::router::Verdict, flow::Flow,
    netns::Net, remote_index::Remote, socket,
};
use core::{
    ffi::{c_int, c_void},
    ptr::NonNull,
    slice,
};
use kernel::{
    error::from_result,
    prelude::*,
    sync::{rcu, Arc, ArcBorrow},
};

/// # Safety
/// `skb` is valid and given up; the caller is in a read-side section.
#[no_mangle]
unsafe extern "C" fn eccp_rust_rx(skb: *mut sys::sk_buff, kind: u32) -> c_int {
    let Some(skb) = NonNull::new(skb) else {
        return 0;
    };
    // SAFETY: by contract.
    datapath::rx::receive(unsafe { Skb::from_raw(skb) }, Kind(kind))
}

/// # Safety
/// `skb` is valid, with its ECCP header first and its outer headers before that; it is given up if
/// the result is `SHIM_ROUTER_TAKES`. `to` takes 16 bytes. The caller is in a read-side section.
#[no_mangle]
unsafe extern "C" fn eccp_rust_router(skb: *mut sys::sk_buff, kind: u32, to: *mut u8) -> u32 {
    let Some(skb) = NonNull::new(skb) else {
        return sys::SHIM_ROUTER_PASSES;
    };
    // SAFETY: by contract; whatever is not taken is given back below.
    let skb = unsafe { Skb::from_raw(skb) };
    match datapath::router::look(skb, Kind(kind)) {
        Verdict::Passes(skb) => {
            skb.into_raw();
            sys::SHIM_ROUTER_PASSES
        }
        Verdict::SendsOn(skb, address) => {
            skb.into_raw();
            // SAFETY: by contract.
            unsafe { to.cast::<[u8; 16]>().write(address.0) };
            sys::SHIM_ROUTER_SENDS_ON
        }
        Verdict::Takes => sys::SHIM_ROUTER_TAKES,
    }
}

/// # Safety
/// As TCP calls `queue_xmit`: `sk` is locked, `skb` is given up; `owner` is the flow's word.
#[no_mangle]
unsafe extern "C" fn eccp_rust_xmit(
    sk: *mut sys::sock,
    skb: *mut sys::sk_buff,
    flow: *mut sys::shim_flow,
    owner: *mut c_void,
) -> c_int {
    let Some(skb) = NonNull::new(skb) else {
        return 0;
    };
    // SAFETY: the word is the flow that holds the endpoint, alive while the endpoint is adopted.
    let owner = unsafe { &*owner.cast::<Flow>() };
    let packet = Outgoing {
        sk,
        flow,
        // SAFETY: by contract.
        skb: unsafe { Skb::from_raw(skb) },
    };
    datapath::tx::transmit(owner, packet)
}

/// # Safety
/// `header` has 12 readable bytes, `sum` is writable, the caller is in a read-side section.
#[no_mangle]
unsafe extern "C" fn eccp_rust_pseudo(header: *const u8, sum: *mut sys::__wsum) -> bool {
    // SAFETY: by contract.
    let header = unsafe { slice::from_raw_parts(header, super::skb::HEADER_LEN) };
    match datapath::rx::pseudo_sum(header) {
        Some(value) => {
            // SAFETY: by contract.
            unsafe { *sum = value };
            true
        }
        None => false,
    }
}

/// # Safety
/// `header` has 8 readable bytes; `skb` is an ICMP error in `net`.
#[no_mangle]
unsafe extern "C" fn eccp_rust_icmp(
    net: *mut sys::net,
    header: *const u8,
    skb: *mut sys::sk_buff,
    mtu: u32,
    kind: u32,
) {
    // SAFETY: by contract.
    let quoted = unsafe { slice::from_raw_parts(header, 8) };
    if datapath::rx::quotes_a_flow(NetRef(net), quoted) {
        // SAFETY: by contract.
        unsafe { sys::shim_pmtu(net, skb, mtu, kind) };
    }
}

/// # Safety
/// `owner` is the word of an adopted endpoint.
#[no_mangle]
unsafe extern "C" fn eccp_rust_inner_closed(owner: *mut c_void) {
    // SAFETY: as in `eccp_rust_xmit()`.
    let flow = unsafe { &*owner.cast::<Flow>() };
    flow.connection.kick();
}

/// # Safety
/// `owner` is the word of an adopted endpoint, whose socket is locked, or of a flow of datagrams
/// that the caller holds.
#[no_mangle]
unsafe extern "C" fn eccp_rust_watch(owner: *mut c_void) {
    // SAFETY: as in `eccp_rust_xmit()`; the word is that of an `Arc`.
    let flow = unsafe { ArcBorrow::from_raw(owner.cast::<Flow>()) };
    Arc::from(flow).begin_watch();
}

/// # Safety
/// `owner` is the word of an adopted endpoint.
#[no_mangle]
unsafe extern "C" fn eccp_rust_stray(owner: *mut c_void) {
    // SAFETY: as in `eccp_rust_xmit()`.
    let flow = unsafe { &*owner.cast::<Flow>() };
    flow.connection.kick();
}

/// # Safety
/// `owner` and `what` are those of a piece of work that holds one count of its owner, or the
/// shim's part of a namespace and 0.
#[no_mangle]
unsafe extern "C" fn eccp_rust_work(owner: *mut c_void, what: u32) {
    const CONNECTION: u32 = Task::Connection as u32;
    const FLOW_SETTLE: u32 = Task::FlowSettle as u32;
    const FLOW_FREE: u32 = Task::FlowFree as u32;
    const REMOTE_FREE: u32 = Task::RemoteFree as u32;
    const FLOW_WATCH: u32 = Task::FlowWatch as u32;
    const BUNDLE: u32 = Task::Bundle as u32;
    const REDIRECTS: u32 = Task::Redirects as u32;
    match what {
        // SAFETY: by contract.
        CONNECTION => unsafe { Arc::from_raw(owner.cast::<Connection>()) }.run(),
        FLOW_SETTLE => {
            // SAFETY: by contract.
            let flow = unsafe { Arc::from_raw(owner.cast::<Flow>()) };
            flow.connection.endpoint_settled(&flow);
        }
        FLOW_WATCH => {
            // SAFETY: by contract.
            let flow = unsafe { Arc::from_raw(owner.cast::<Flow>()) };
            flow.connection.watch(&flow);
        }
        // SAFETY: by contract.
        BUNDLE => unsafe { Arc::from_raw(owner.cast::<Bundle>()) }.run(),
        REDIRECTS => {
            // SAFETY: by contract.
            let net = unsafe { Arc::from_raw(owner.cast::<Net>()) };
            net.redirections.expire(&net);
        }
        // SAFETY: by contract.
        FLOW_FREE => drop(unsafe { Arc::from_raw(owner.cast::<Flow>()) }),
        // SAFETY: by contract.
        REMOTE_FREE => drop(unsafe { Arc::from_raw(owner.cast::<Remote>()) }),
        _ => {
            let sn = owner.cast::<sys::shim_net>();
            // SAFETY: the namespace cancels this work before it goes.
            let net = NetRef(unsafe { sys::shim_net_of(sn) });
            let state = {
                let _guard = rcu::read_lock();
                net.state()
            };
            if let Some(state) = state {
                datapath::control::process(&state, ControlQueue(sn));
            }
        }
    }
}

/// # Safety
/// `sn` is the shim's part of a new namespace.
#[no_mangle]
unsafe extern "C" fn eccp_rust_net_init(sn: *mut sys::shim_net) -> c_int {
    from_result(|| {
        // SAFETY: by contract.
        let state = Net::new(NetRef(unsafe { sys::shim_net_of(sn) }))?;
        // SAFETY: by contract; `eccp_rust_net_exit()` takes the count back.
        unsafe { sys::shim_net_set_state(sn, Arc::into_raw(state).cast_mut().cast()) };
        Ok(0)
    })
}

/// # Safety
/// `state` came from `eccp_rust_net_init()`, is hidden from new readers, and a grace period has
/// passed since.
#[no_mangle]
unsafe extern "C" fn eccp_rust_net_exit(state: *mut c_void) {
    // SAFETY: by contract.
    Net::close(&unsafe { Arc::from_raw(state.cast::<Net>()) });
}

/// # Safety
/// `sn` is the shim's part of a namespace that is alive.
#[no_mangle]
unsafe extern "C" fn eccp_rust_addresses_changed(sn: *mut sys::shim_net) {
    // SAFETY: by contract.
    let net = NetRef(unsafe { sys::shim_net_of(sn) });
    let state = {
        let _guard = rcu::read_lock();
        net.state()
    };
    if let Some(state) = state {
        state.addresses_changed();
    }
}

/// A socket of a system call.
///
/// # Safety
/// `sk` is a valid socket of this module's family.
unsafe fn outer(sk: *mut sys::sock) -> Result<Outer> {
    let sk = NonNull::new(sk).ok_or(EINVAL)?;
    // SAFETY: by contract.
    Ok(unsafe { Outer::share(sk) })
}

/// Calls `f` with the socket of a system call and what Rust keeps for it.
///
/// # Safety
/// As [`outer`].
unsafe fn call(
    sk: *mut sys::sock,
    f: impl FnOnce(&Outer, &socket::Socket) -> Result<c_int>,
) -> c_int {
    from_result(|| {
        // SAFETY: by contract.
        let outer = unsafe { outer(sk) }?;
        let state = outer.socket().ok_or(EINVAL)?;
        f(&outer, state)
    })
}

/// # Safety
/// `sk` is a new socket.
#[no_mangle]
unsafe extern "C" fn eccp_rust_create(sk: *mut sys::sock) -> c_int {
    from_result(|| {
        // SAFETY: by contract.
        let outer = unsafe { outer(sk) }?;
        let state = socket::Socket::create(&outer)?;
        outer.set_socket(Some(state));
        Ok(0)
    })
}

/// # Safety
/// `sk` is being released.
#[no_mangle]
unsafe extern "C" fn eccp_rust_release(sk: *mut sys::sock) {
    // SAFETY: by contract.
    if let Ok(outer) = unsafe { outer(sk) } {
        if let Some(state) = outer.socket() {
            state.release(&outer);
        }
        drop(outer.take_socket());
    }
}

/// # Safety
/// `addr` has `len` readable bytes.
unsafe fn bytes<'a>(addr: *const u8, len: c_int) -> &'a [u8] {
    // SAFETY: by contract.
    unsafe { slice::from_raw_parts(addr, usize::try_from(len).unwrap_or(0)) }
}

/// # Safety
/// A system call on `sk`; `addr` has `len` readable bytes.
#[no_mangle]
unsafe extern "C" fn eccp_rust_bind(sk: *mut sys::sock, addr: *const u8, len: c_int) -> c_int {
    // SAFETY: by contract.
    unsafe { call(sk, |o, s| s.bind(o, bytes(addr, len)).map(|()| 0)) }
}

/// # Safety
/// A system call on `sk` and its `sock`; `addr` has `len` readable bytes.
#[no_mangle]
unsafe extern "C" fn eccp_rust_connect(
    sk: *mut sys::sock,
    sock: *mut sys::socket,
    addr: *const u8,
    len: c_int,
    nonblock: bool,
) -> c_int {
    // SAFETY: by contract.
    unsafe {
        call(sk, |o, s| {
            s.connect(o, File(sock), bytes(addr, len), nonblock)
                .map(|()| 0)
        })
    }
}

/// # Safety
/// A system call on `sk`.
#[no_mangle]
unsafe extern "C" fn eccp_rust_wait_connected(sk: *mut sys::sock, nonblock: bool) -> c_int {
    // SAFETY: by contract.
    unsafe { call(sk, |o, s| s.wait_connected(o, nonblock).map(|()| 0)) }
}

/// # Safety
/// A system call on `sk`.
#[no_mangle]
unsafe extern "C" fn eccp_rust_ready(sk: *mut sys::sock) -> bool {
    // SAFETY: by contract.
    unsafe { call(sk, |o, s| Ok(c_int::from(s.is_ready(o)))) != 0 }
}

/// # Safety
/// A system call on `sk` and its `sock`.
#[no_mangle]
unsafe extern "C" fn eccp_rust_listen(
    sk: *mut sys::sock,
    sock: *mut sys::socket,
    backlog: c_int,
) -> c_int {
    // SAFETY: by contract.
    unsafe { call(sk, |o, s| s.listen(o, File(sock), backlog).map(|()| 0)) }
}

/// # Safety
/// A system call on `sk`; `child` is a new socket and `newsock` its file side.
#[no_mangle]
unsafe extern "C" fn eccp_rust_accept(
    sk: *mut sys::sock,
    _sock: *mut sys::socket,
    child: *mut sys::sock,
    newsock: *mut sys::socket,
    nonblock: bool,
) -> c_int {
    // SAFETY: by contract.
    unsafe {
        call(sk, |o, s| {
            let child = outer(child)?;
            let state = s.accept(o, &child, nonblock)?;
            child.set_socket(Some(state));
            File(newsock).set_state(super::outer::FileState::Connected);
            Ok(0)
        })
    }
}

/// # Safety
/// A system call on `sk`; `addr` has room for a `struct sockaddr_storage`.
#[no_mangle]
unsafe extern "C" fn eccp_rust_getname(sk: *mut sys::sock, addr: *mut u8, peer: c_int) -> c_int {
    // SAFETY: by contract.
    unsafe {
        call(sk, |_, s| {
            let name = s.name(peer != 0)?;
            slice::from_raw_parts_mut(addr, name.len()).copy_from_slice(&name);
            Ok(name.len() as c_int)
        })
    }
}

/// # Safety
/// A system call on `sk`.
#[no_mangle]
unsafe extern "C" fn eccp_rust_poll(sk: *mut sys::sock) -> u32 {
    // SAFETY: by contract.
    unsafe { call(sk, |_, s| Ok(s.poll() as c_int)) as u32 }
}

/// # Safety
/// A system call on `sk`; `event` is writable.
#[no_mangle]
unsafe extern "C" fn eccp_rust_next_event(
    sk: *mut sys::sock,
    event: *mut sys::eccp_path_event,
) -> c_int {
    // SAFETY: by contract.
    unsafe {
        call(sk, |o, s| {
            event.write(s.next_event(o)?);
            Ok(0)
        })
    }
}

/// # Safety
/// A system call on `sk`; `val` has `len` readable bytes.
#[no_mangle]
unsafe extern "C" fn eccp_rust_setsockopt(
    sk: *mut sys::sock,
    name: c_int,
    val: *const u8,
    len: u32,
) -> c_int {
    // SAFETY: by contract.
    unsafe {
        call(sk, |o, s| {
            s.set_option(o, name, bytes(val, len as c_int)).map(|()| 0)
        })
    }
}

/// # Safety
/// A system call on `sk`; `val` has `len` writable bytes.
#[no_mangle]
unsafe extern "C" fn eccp_rust_getsockopt(
    sk: *mut sys::sock,
    name: c_int,
    val: *mut u8,
    len: u32,
) -> c_int {
    // SAFETY: by contract.
    unsafe {
        call(sk, |o, s| {
            let room = slice::from_raw_parts_mut(val, len as usize);
            s.option(o, name, room).map(|n| n as c_int)
        })
    }
}

/// # Safety
/// A sendmsg() on the datagram socket `sk` with the message `m`; `name` is null or has `name_len`
/// readable bytes.
#[no_mangle]
unsafe extern "C" fn eccp_rust_dgram_send(
    sk: *mut sys::sock,
    m: *mut sys::msghdr,
    len: u32,
    name: *const u8,
    name_len: c_int,
    nonblock: bool,
) -> c_int {
    let message = Message {
        raw: m,
        len,
        nonblock,
    };
    // SAFETY: by contract.
    unsafe {
        call(sk, |o, s| {
            let to = (!name.is_null() && name_len > 0).then(|| bytes(name, name_len));
            s.send_datagram(o, &message, to).map(|n| n as c_int)
        })
    }
}

/// # Safety
/// A recvmsg() on the datagram socket `sk`; `name` has room for a `struct sockaddr_storage`.
#[no_mangle]
unsafe extern "C" fn eccp_rust_dgram_name(sk: *mut sys::sock, peer: u32, name: *mut u8) -> c_int {
    // SAFETY: by contract.
    unsafe {
        call(sk, |_, s| {
            let bytes = s.datagram_name(peer);
            slice::from_raw_parts_mut(name, bytes.len()).copy_from_slice(&bytes);
            Ok(bytes.len() as c_int)
        })
    }
}
