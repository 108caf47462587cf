// SPDX-License-Identifier: GPL-2.0-only
//! System calls on datagram sockets do what eccp(7) promises.
//!
//! ```text
//!   client ──eth0──────────eth0── server
//! ```

use std::io;
use std::os::fd::{AsFd, AsRawFd};
use std::time::{Duration, Instant};

use anyhow::{ensure, Context, Result};
use eccp_netlink::socket::{Datagram, Peer};
use rustix::event::{poll, PollFd, PollFlags, Timespec};
use rustix::net::sockopt::{self, Timeout};
use rustix::net::{listen, recv, send, shutdown, RecvFlags, SendFlags, Shutdown, SocketType};

use super::datagrams::{client, expect, server, service};
use crate::roster::{Needs, Scenario};
use crate::stage::Stage;
use crate::topology::{Family, Wire};

pub(super) const TABLE: &[Scenario] = &[
    scenario("datagram_boundaries_and_truncation", boundaries),
    scenario("datagram_calls_refused", refusals),
    scenario("datagram_waiting_and_polling", waiting),
    scenario("datagram_many_with_one_call", batches),
    scenario("datagram_end_of_a_connection", ends),
    scenario("datagram_connect_again", reconnect),
];

const fn scenario(name: &'static str, run: fn(&Stage) -> Result<()>) -> Scenario {
    Scenario {
        name,
        about: "a system call answers something else than the manual says",
        seconds: 40,
        needs: Needs::Module,
        smoke: true,
        run,
    }
}

/// recv(): the bytes in the buffer, and the length that the call returned.
fn read(socket: &Datagram, buffer: &mut [u8], flags: RecvFlags) -> io::Result<(usize, usize)> {
    Ok(recv(socket, buffer, flags)?)
}

fn pending(socket: &Datagram) -> Result<u64> {
    Ok(rustix::io::ioctl_fionread(socket)?)
}

fn polled(socket: &Datagram, wanted: PollFlags, wait: Duration) -> Result<PollFlags> {
    let mut fds = [PollFd::new(socket, wanted)];
    poll(&mut fds, Some(&Timespec::try_from(wait)?))?;
    Ok(fds[0].revents())
}

fn boundaries(_stage: &Stage) -> Result<()> {
    let wire = Wire::build()?;
    let server = server(&wire)?;
    let client = client(&wire, Family::V4)?;
    for text in ["first", "", "second one"] {
        client.send(text.as_bytes())?;
    }
    let mut buffer = [0; 32];
    let wait = Duration::from_secs(10);
    ensure!(
        polled(&server, PollFlags::IN, wait)? == PollFlags::IN,
        "not readable"
    );
    ensure!(
        pending(&server)? == 5,
        "FIONREAD says {}",
        pending(&server)?
    );
    let peeked = read(&server, &mut buffer, RecvFlags::PEEK)?;
    ensure!(
        peeked.1 == 5 && &buffer[..5] == b"first",
        "MSG_PEEK saw {peeked:?}"
    );
    let short = read(&server, &mut buffer[..3], RecvFlags::TRUNC)?;
    ensure!(short == (3, 5), "MSG_TRUNC returned {short:?}");
    let empty = read(&server, &mut buffer, RecvFlags::empty())?;
    ensure!(empty == (0, 0), "an empty datagram came as {empty:?}");
    let short = read(&server, &mut buffer[..6], RecvFlags::empty())?;
    ensure!(
        short == (6, 6) && &buffer[..6] == b"second",
        "{short:?} came"
    );
    let flags = RecvFlags::DONTWAIT;
    expect(
        read(&server, &mut buffer, flags),
        libc::EAGAIN,
        "the rest of a datagram",
    )?;
    Ok(())
}

fn refusals(_stage: &Stage) -> Result<()> {
    let wire = Wire::build()?;
    let to = service(wire.server_address(Family::V4));
    let fresh = wire.client.run(|| Ok(Datagram::new()?))?;
    let kind = sockopt::socket_type(&fresh)?;
    ensure!(kind == SocketType::DGRAM, "SO_TYPE is {kind:?}");
    expect(
        fresh.send(b"x"),
        libc::EDESTADDRREQ,
        "send() without a peer",
    )?;
    expect(
        fresh.max(),
        libc::ENOTCONN,
        "ECCP_DATAGRAM_MAX without a peer",
    )?;
    expect(
        fresh.peer_addr(),
        libc::ENOTCONN,
        "getpeername() without a peer",
    )?;
    expect(
        listen(&fresh, 1).map_err(Into::into),
        libc::EOPNOTSUPP,
        "listen()",
    )?;
    let down = shutdown(&fresh, Shutdown::Both).map_err(Into::into);
    expect(down, libc::ENOTCONN, "shutdown() without a peer")?;
    let stranger = Peer::Number {
        number: 77,
        host: wire.server_address(Family::V4),
    };
    expect(
        fresh.send_to(b"x", &stranger),
        libc::ECONNRESET,
        "a peer that never was",
    )?;
    let refused = wire.client.run(|| Ok(Datagram::connected(to)))?;
    expect(refused, libc::ECONNREFUSED, "connect() to nobody")?;
    // A stream of the same service is another thing.
    let listener = wire.server.run(|| {
        let any = service(std::net::Ipv4Addr::UNSPECIFIED.into());
        Ok(eccp_netlink::socket::Listener::bind(any)?)
    })?;
    let refused = wire.client.run(|| Ok(Datagram::connected(to)))?;
    expect(
        refused,
        libc::ECONNREFUSED,
        "connect() to a stream's listener",
    )?;
    let server = server(&wire)?;
    let client = client(&wire, Family::V4)?;
    expect(
        client.send_to(b"x", &to.into()),
        libc::EISCONN,
        "sendto() when connected",
    )?;
    let flags = SendFlags::OOB;
    let sent = send(&client, b"x", flags).map_err(Into::into);
    expect(sent, libc::EOPNOTSUPP, "MSG_OOB")?;
    let huge = vec![0; 1 << 17];
    expect(client.send(&huge), libc::EMSGSIZE, "128 KiB")?;
    expect(
        wire.server.run(|| {
            Ok(Datagram::bind(service(
                std::net::Ipv4Addr::UNSPECIFIED.into(),
            )))
        })?,
        libc::EADDRINUSE,
        "a second socket of the service",
    )?;
    drop((server, listener));
    Ok(())
}

fn waiting(_stage: &Stage) -> Result<()> {
    let wire = Wire::build()?;
    let server = server(&wire)?;
    let client = client(&wire, Family::V6)?;
    let begin = Instant::now();
    let time = Duration::from_millis(200);
    sockopt::set_socket_timeout(&client, Timeout::Recv, Some(time))?;
    expect(client.recv(&mut [0; 8]), libc::EAGAIN, "SO_RCVTIMEO")?;
    ensure!(begin.elapsed() >= time, "it waited {:?}", begin.elapsed());
    let idle = polled(&client, PollFlags::IN | PollFlags::OUT, Duration::ZERO)?;
    ensure!(idle == PollFlags::OUT, "an idle socket polls as {idle:?}");
    client.send(b"ping")?;
    let mut buffer = [0; 8];
    let (_, peer) = server.recv_from(&mut buffer, RecvFlags::empty())?;
    server.send_to(b"pong", &peer)?;
    let ready = polled(&client, PollFlags::IN, Duration::from_secs(10))?;
    ensure!(ready == PollFlags::IN, "an answer polls as {ready:?}");
    sockopt::set_socket_timeout(&client, Timeout::Recv, None)?;
    timestamp(&client)?;
    Ok(())
}

/// SO_TIMESTAMP of the datagram that waits.
fn timestamp(socket: &Datagram) -> Result<()> {
    let on: i32 = 1;
    // SAFETY: the pointer and the length are those of a live integer.
    let set = unsafe {
        libc::setsockopt(
            socket.as_fd().as_raw_fd(),
            libc::SOL_SOCKET,
            libc::SO_TIMESTAMP,
            (&raw const on).cast(),
            size_of_val(&on) as u32,
        )
    };
    ensure!(set == 0, "SO_TIMESTAMP: {}", io::Error::last_os_error());
    let mut data = [0u8; 16];
    let mut control = [0u64; 16];
    let mut vector = libc::iovec {
        iov_base: data.as_mut_ptr().cast(),
        iov_len: data.len(),
    };
    // SAFETY: an all-zero msghdr is a valid value of the C struct.
    let mut message: libc::msghdr = unsafe { std::mem::zeroed() };
    message.msg_iov = &mut vector;
    message.msg_iovlen = 1;
    message.msg_control = control.as_mut_ptr().cast();
    message.msg_controllen = size_of_val(&control) as _;
    // SAFETY: the message names live buffers with their lengths.
    let got = unsafe { libc::recvmsg(socket.as_fd().as_raw_fd(), &mut message, 0) };
    ensure!(got == 4, "recvmsg(): {got}, {}", io::Error::last_os_error());
    // SAFETY: the kernel has filled the control buffer.
    let header = unsafe { libc::CMSG_FIRSTHDR(&message).as_ref() };
    let header = header.context("no control message came")?;
    ensure!(
        header.cmsg_level == libc::SOL_SOCKET && header.cmsg_type == libc::SCM_TIMESTAMP,
        "control message {} of level {}",
        header.cmsg_type,
        header.cmsg_level
    );
    Ok(())
}

/// sendmmsg() and recvmmsg().
fn batches(_stage: &Stage) -> Result<()> {
    const COUNT: usize = 20;
    let wire = Wire::build()?;
    let server = server(&wire)?;
    let client = client(&wire, Family::V4)?;
    let mut texts: Vec<Vec<u8>> = (0..COUNT).map(|n| vec![n as u8; n]).collect();
    let sent = with_messages(&mut texts, |messages| {
        // SAFETY: the messages name live buffers with their lengths.
        unsafe { libc::sendmmsg(client.as_fd().as_raw_fd(), messages, COUNT as u32, 0) }
    });
    ensure!(
        sent.0 == COUNT as i32,
        "sendmmsg(): {}",
        io::Error::last_os_error()
    );
    let mut buffers = vec![vec![0xff; 64]; COUNT];
    let begin = Instant::now();
    while pending_all(&server, &mut buffers)? < COUNT {
        ensure!(begin.elapsed() < Duration::from_secs(20), "not all came");
    }
    for (n, buffer) in buffers.iter().enumerate() {
        ensure!(
            buffer[..n].iter().all(|byte| *byte == n as u8),
            "message {n} is {buffer:?}"
        );
        ensure!(buffer[n] == 0xff, "message {n} is longer than {n}");
    }
    Ok(())
}

/// Receives with recvmmsg() once all have come; how many there were.
fn pending_all(socket: &Datagram, buffers: &mut [Vec<u8>]) -> Result<usize> {
    std::thread::sleep(Duration::from_millis(300));
    let count = buffers.len() as u32;
    let (got, lengths) = with_messages(buffers, |messages| {
        // SAFETY: the messages name live buffers with their lengths.
        unsafe {
            libc::recvmmsg(
                socket.as_fd().as_raw_fd(),
                messages,
                count,
                libc::MSG_WAITFORONE as _,
                std::ptr::null_mut(),
            )
        }
    });
    ensure!(got >= 0, "recvmmsg(): {}", io::Error::last_os_error());
    for (n, length) in lengths.iter().take(got as usize).enumerate() {
        ensure!(*length == n as u32, "message {n} has {length} bytes");
    }
    Ok(got as usize)
}

fn with_messages(
    buffers: &mut [Vec<u8>],
    call: impl FnOnce(*mut libc::mmsghdr) -> i32,
) -> (i32, Vec<u32>) {
    let mut vectors: Vec<libc::iovec> = buffers
        .iter_mut()
        .map(|buffer| libc::iovec {
            iov_base: buffer.as_mut_ptr().cast(),
            iov_len: buffer.len(),
        })
        .collect();
    let mut messages: Vec<libc::mmsghdr> = vectors
        .iter_mut()
        .map(|vector| {
            // SAFETY: an all-zero mmsghdr is a valid value of the C struct.
            let mut message: libc::mmsghdr = unsafe { std::mem::zeroed() };
            message.msg_hdr.msg_iov = vector;
            message.msg_hdr.msg_iovlen = 1;
            message
        })
        .collect();
    let result = call(messages.as_mut_ptr());
    (
        result,
        messages.iter().map(|message| message.msg_len).collect(),
    )
}

/// What is queued can be read, then the end is told, again and again.
fn ends(stage: &Stage) -> Result<()> {
    let wire = Wire::build()?;
    let server = server(&wire)?;
    let one = client(&wire, Family::V4)?;
    let other = client(&wire, Family::V6)?;
    let mut buffer = [0; 8];
    let mut peers = Vec::new();
    for client in [&one, &other] {
        client.send(b"hi")?;
        let (_, peer) = server.recv_from(&mut buffer, RecvFlags::empty())?;
        server.send_to(b"last", &peer)?;
        peers.push(peer);
    }
    let wait = Duration::from_secs(10);
    polled(&one, PollFlags::IN, wait)?;
    polled(&other, PollFlags::IN, wait)?;
    // A client that ends is a peer that is reset.
    drop(other);
    let begin = Instant::now();
    while server.send_to(b"?", &peers[1]).is_ok() {
        ensure!(
            begin.elapsed() < stage.patience(wait),
            "the end of a peer is not told"
        );
        std::thread::sleep(Duration::from_millis(10));
    }
    expect(
        server.send_to(b"?", &peers[1]),
        libc::ECONNRESET,
        "a peer that ended",
    )?;
    server
        .send_to(b"still", &peers[0])
        .context("the other peer")?;
    drop(server);
    let all = PollFlags::HUP | PollFlags::RDHUP;
    let begin = Instant::now();
    while !polled(&one, PollFlags::IN, wait)?.contains(PollFlags::HUP) {
        ensure!(
            begin.elapsed() < stage.patience(wait),
            "no {all:?} after the end"
        );
    }
    for text in ["last", "still"] {
        let got = one.recv(&mut buffer)?;
        ensure!(
            &buffer[..got] == text.as_bytes(),
            "{:?} came",
            &buffer[..got]
        );
    }
    for _ in 0..2 {
        expect(
            one.recv(&mut buffer),
            libc::ECONNRESET,
            "recv() after the end",
        )?;
        let flags = RecvFlags::DONTWAIT;
        expect(
            read(&one, &mut buffer, flags),
            libc::ECONNRESET,
            "recv() after the end",
        )?;
        expect(one.send(b"?"), libc::ECONNRESET, "send() after the end")?;
    }
    Ok(())
}

/// connect() takes another peer; shutdown() ends a direction.
fn reconnect(_stage: &Stage) -> Result<()> {
    let wire = Wire::build()?;
    let server = server(&wire)?;
    let client = client(&wire, Family::V4)?;
    let mut buffer = [0; 8];
    for family in [Family::V6, Family::V4, Family::V6] {
        let to = wire.server_address(family);
        client.connect(service(to))?;
        let at = client.peer_addr()?.host;
        ensure!(at == to, "the peer is at {at}, not {to}");
        client.send(b"hello")?;
        let (_, peer) = server.recv_from(&mut buffer, RecvFlags::empty())?;
        ensure!(
            matches!(peer, Peer::Number { host, .. } if host == wire.client_address(family)),
            "the client is {peer:?}"
        );
    }
    let unspecified = [0u8; 64];
    // SAFETY: the pointer and the length are those of a live array.
    let result =
        unsafe { libc::connect(client.as_fd().as_raw_fd(), unspecified.as_ptr().cast(), 64) };
    ensure!(result == 0, "AF_UNSPEC: {}", io::Error::last_os_error());
    expect(
        client.send(b"x"),
        libc::EDESTADDRREQ,
        "send() without a peer",
    )?;
    let to = service(wire.server_address(Family::V4));
    client.send_to(b"free", &to.into())?;
    let got = server.recv(&mut buffer)?;
    ensure!(&buffer[..got] == b"free", "{:?} came", &buffer[..got]);
    client.connect(to)?;
    shutdown(&client, Shutdown::Write)?;
    expect(client.send(b"x"), libc::EPIPE, "send() after shutdown()")?;
    shutdown(&client, Shutdown::Read)?;
    let got = client.recv(&mut buffer)?;
    ensure!(got == 0, "{got} bytes came after shutdown()");
    Ok(())
}
