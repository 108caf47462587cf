// SPDX-License-Identifier: GPL-2.0-only
//! System calls on AF_ECCP sockets do what eccp(7) promises.
//!
//! ```text
//!   client ──eth0──────────eth0── server
//! ```

use std::io::{ErrorKind, Read, Write};
use std::net::{IpAddr, Ipv4Addr, Shutdown, SocketAddr};
use std::os::fd::{AsFd, OwnedFd};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{bail, ensure, Context, Result};
use eccp_netlink::flow::Service;
use eccp_netlink::socket::{Address, Builder, Listener, Stream, AF_ECCP};
use rustix::event::epoll::{self, CreateFlags, EventData, EventFlags};
use rustix::event::{poll, PollFd, PollFlags, Timespec};
use rustix::net::sockopt::{self, Timeout};
use rustix::net::{bind, connect, socket, AddressFamily, Protocol, SocketAddrV4, SocketType};

use crate::roster::{Needs, Scenario};
use crate::stage::Stage;
use crate::stream::eccp_address;
use crate::topology::{Family, Wire};

const PORT: u16 = 7000;

pub(super) const TABLE: &[Scenario] = &[
    scenario("socket_refusals", refusals),
    scenario("connect_refused_and_unreachable", connect_fails),
    scenario("nonblocking_connect_and_epoll", nonblocking),
    scenario("half_close_and_end_of_stream", half_close),
    scenario("linger", linger),
    scenario("names_of_both_ends", names),
    scenario("options_reach_tcp", options),
    scenario("service_identifiers_and_keys", services),
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

/// Fails unless `outcome` is the error with this number.
fn expect_errno<T>(what: &str, outcome: std::io::Result<T>, errno: i32) -> Result<()> {
    let expected = std::io::Error::from_raw_os_error(errno);
    match outcome {
        Err(error) if error.raw_os_error() == Some(errno) => Ok(()),
        Err(error) => bail!("{what}: {error}, expected {expected}"),
        Ok(_) => bail!("{what} succeeded, expected {expected}"),
    }
}

fn listen(host: Option<IpAddr>, port: u16) -> Result<Listener> {
    let any = IpAddr::V4(Ipv4Addr::UNSPECIFIED);
    let address = Address::new(host.unwrap_or(any), Service::Port(port));
    Listener::bind(address).with_context(|| format!("listening on port {port}"))
}

fn connected(wire: &Wire) -> Result<(Stream, Stream)> {
    let listener = wire.server.run(|| listen(None, PORT))?;
    let address = SocketAddr::new(wire.server_address(Family::V4), PORT);
    let client = wire
        .client
        .run(|| Ok(Stream::connect(eccp_address(address))?))?;
    let (server, _) = listener.accept()?;
    Ok((client, server))
}

fn refusals(_stage: &Stage) -> Result<()> {
    let wire = Wire::build()?;
    wire.client.run(|| {
        let family = AddressFamily::from_raw(AF_ECCP);
        let open =
            |kind, protocol| -> std::io::Result<OwnedFd> { Ok(socket(family, kind, protocol)?) };
        expect_errno(
            "SOCK_SEQPACKET",
            open(SocketType::SEQPACKET, None),
            libc::ESOCKTNOSUPPORT,
        )?;
        expect_errno(
            "SOCK_RAW",
            open(SocketType::RAW, None),
            libc::ESOCKTNOSUPPORT,
        )?;
        let tcp = rustix::net::ipproto::TCP;
        let with_protocol = |protocol: Protocol| open(SocketType::STREAM, Some(protocol));
        expect_errno("IPPROTO_TCP", with_protocol(tcp), libc::EPROTONOSUPPORT)?;

        let stream = open(SocketType::STREAM, None)?;
        let other = SocketAddrV4::new(Ipv4Addr::new(10, 0, 0, 1), PORT);
        expect_errno(
            "connect() with a short AF_INET address",
            connect(&stream, &other).map_err(Into::into),
            libc::EINVAL,
        )?;
        let somebody = Address::new(Family::V4.host(0, 1), Service::Port(PORT));
        let foreign = Address {
            family: libc::AF_INET6 as u16,
            ..somebody
        };
        let result = bind(&stream, &foreign).map_err(Into::into);
        expect_errno("bind() with another family", result, libc::EAFNOSUPPORT)?;
        let result = bind(&stream, &somebody).map_err(Into::into);
        expect_errno("bind() to a foreign address", result, libc::EADDRNOTAVAIL)?;
        let nobody = Address::new(Ipv4Addr::UNSPECIFIED.into(), Service::Port(PORT));
        let result = connect(&stream, &nobody).map_err(Into::into);
        expect_errno("connect() to no address", result, libc::ENETUNREACH)?;

        let fresh = Stream::from(open(SocketType::STREAM, None)?);
        expect_errno("getpeername()", fresh.peer_addr(), libc::ENOTCONN)?;
        expect_errno("recv()", (&fresh).read(&mut [0; 8]), libc::ENOTCONN)?;
        expect_errno("ECCP_INFO", fresh.info(), libc::ENOTCONN)?;
        let unbound = Listener::from(open(SocketType::STREAM, None)?);
        expect_errno("accept() without listen()", unbound.accept(), libc::EINVAL)?;

        let first = listen(None, PORT)?;
        let second = Builder::new()?.bind(Address::new(
            Ipv4Addr::UNSPECIFIED.into(),
            Service::Port(PORT),
        ));
        expect_errno("bind() to a service in use", second, libc::EADDRINUSE)?;
        drop(first);
        listen(None, PORT).context("the service is free again")?;
        Ok(())
    })
}

fn connect_fails(stage: &Stage) -> Result<()> {
    let wire = Wire::build()?;
    wire.client.run(|| {
        let to = |host| Address::new(host, Service::Port(PORT));
        let bound = stage.patience(Duration::from_secs(5));
        let refused = connect_within(to(wire.server_address(Family::V4)), bound)?;
        expect_errno("connect() without a listener", refused, libc::ECONNREFUSED)?;
        let far = connect_within(to(Ipv4Addr::new(192, 0, 2, 1).into()), bound)?;
        expect_errno("connect() without a route", far, libc::ENETUNREACH)?;
        // A neighbour that does not exist: SO_SNDTIMEO ends the wait, as with TCP.
        let begin = Instant::now();
        let silent = connect_within(to(Family::V4.host(0, 99)), bound / 10)?;
        expect_errno("connect() to nobody", silent, libc::EINPROGRESS)?;
        ensure!(
            begin.elapsed() < bound,
            "connect() with SO_SNDTIMEO of {:?} took {:?}",
            bound / 10,
            begin.elapsed()
        );
        Ok(())
    })
}

/// connect() with SO_SNDTIMEO.
fn connect_within(to: Address, bound: Duration) -> Result<std::io::Result<Stream>> {
    let builder = Builder::new()?;
    sockopt::set_socket_timeout(&builder, Timeout::Send, Some(bound))?;
    Ok(builder.connect(to))
}

fn nonblocking(_stage: &Stage) -> Result<()> {
    let wire = Wire::build()?;
    let listener = wire.server.run(|| listen(None, PORT))?;
    listener.set_nonblocking(true)?;
    expect_errno(
        "accept() with nobody there",
        listener.accept(),
        libc::EAGAIN,
    )?;
    let address = SocketAddr::new(wire.server_address(Family::V4), PORT);
    let client = wire
        .client
        .run(|| Ok(Builder::new()?.start_connect(eccp_address(address))?))?;

    // Registered before the connection exists, as event loops do.
    let events = epoll::create(CreateFlags::CLOEXEC)?;
    epoll::add(
        &events,
        &client,
        EventData::new_u64(1),
        EventFlags::OUT | EventFlags::ET,
    )?;
    epoll::add(&events, &listener, EventData::new_u64(2), EventFlags::IN)?;
    let mut seen = [false; 3];
    let deadline = Instant::now() + Duration::from_secs(10);
    while !(seen[1] && seen[2]) {
        ensure!(Instant::now() < deadline, "epoll reported {seen:?} only");
        let mut ready = Vec::with_capacity(4);
        let timeout = Timespec {
            tv_sec: 1,
            tv_nsec: 0,
        };
        epoll::wait(
            &events,
            rustix::buffer::spare_capacity(&mut ready),
            Some(&timeout),
        )?;
        for event in &ready {
            let data = event.data;
            seen[data.u64() as usize] = true;
        }
    }
    ensure!(
        client.take_error()?.is_none(),
        "SO_ERROR after a good connect()"
    );
    let (server, peer) = listener.accept()?;
    ensure!(peer.is_some(), "accept() names no peer");

    expect_errno(
        "recv() with nothing there",
        (&client).read(&mut [0; 8]),
        libc::EAGAIN,
    )?;
    server.set_nonblocking(true)?;
    let mut total = 0;
    loop {
        match (&server).write(&[1; 4096]) {
            Ok(length) => total += length,
            Err(error) if error.kind() == ErrorKind::WouldBlock => break,
            Err(error) => return Err(error).context("filling the connection"),
        }
        ensure!(
            total < 1 << 30,
            "a socket that nobody reads takes everything"
        );
    }
    let mut fds = [PollFd::new(&client, PollFlags::IN | PollFlags::OUT)];
    poll(
        &mut fds,
        Some(&Timespec {
            tv_sec: 5,
            tv_nsec: 0,
        }),
    )?;
    let ready = fds[0].revents();
    ensure!(
        ready.contains(PollFlags::IN | PollFlags::OUT),
        "poll() says {ready:?}"
    );
    let mut left = total;
    let mut buffer = vec![0; 1 << 16];
    client.set_nonblocking(false)?;
    client.set_read_timeout(Some(Duration::from_secs(10)))?;
    while left > 0 {
        left -= (&client)
            .read(&mut buffer)
            .context("emptying the connection")?;
    }
    Ok(())
}

fn half_close(_stage: &Stage) -> Result<()> {
    let wire = Wire::build()?;
    let (client, server) = connected(&wire)?;
    client.set_read_timeout(Some(Duration::from_secs(10)))?;
    server.set_read_timeout(Some(Duration::from_secs(10)))?;
    (&client).write_all(b"question")?;
    client.shutdown(Shutdown::Write)?;
    expect_errno(
        "send() after shutdown()",
        (&client).write(b"more"),
        libc::EPIPE,
    )?;
    let mut question = Vec::new();
    (&server).read_to_end(&mut question)?;
    ensure!(
        question == b"question",
        "{question:?} came before the end of the stream"
    );
    let mut fds = [PollFd::new(&server, PollFlags::IN | PollFlags::RDHUP)];
    poll(
        &mut fds,
        Some(&Timespec {
            tv_sec: 5,
            tv_nsec: 0,
        }),
    )?;
    let ready = fds[0].revents();
    ensure!(
        ready.contains(PollFlags::RDHUP),
        "poll() after the peer's FIN says {ready:?}"
    );
    (&server).write_all(b"answer")?;
    drop(server);
    let mut answer = Vec::new();
    (&client).read_to_end(&mut answer)?;
    ensure!(
        answer == b"answer",
        "{answer:?} came back after a half-close"
    );
    Ok(())
}

/// SO_LINGER of zero resets; one of some seconds waits until the peer has all.
fn linger(_stage: &Stage) -> Result<()> {
    let wire = Wire::build()?;
    let (client, server) = connected(&wire)?;
    server.set_read_timeout(Some(Duration::from_secs(10)))?;
    (&client).write_all(b"unread")?;
    sockopt::set_socket_linger(&client, Some(Duration::ZERO))?;
    drop(client);
    let outcome = (&server).read_to_end(&mut Vec::new());
    expect_errno("read() after the peer's reset", outcome, libc::ECONNRESET)?;

    let (client, server) = connected(&wire)?;
    server.set_read_timeout(Some(Duration::from_secs(10)))?;
    let reader = thread::spawn(move || {
        let mut all = Vec::new();
        (&server).read_to_end(&mut all).map(|_| all.len())
    });
    let data = vec![7; 1 << 20];
    (&client).write_all(&data)?;
    sockopt::set_socket_linger(&client, Some(Duration::from_secs(10)))?;
    let begin = Instant::now();
    drop(client);
    let closing = begin.elapsed();
    let length = reader.join().ok().context("the reader panicked")??;
    ensure!(
        length == data.len(),
        "{length} bytes came of {}",
        data.len()
    );
    ensure!(closing < Duration::from_secs(9), "close() took {closing:?}");
    Ok(())
}

fn names(_stage: &Stage) -> Result<()> {
    let wire = Wire::build()?;
    for family in Family::BOTH {
        let host = wire.server_address(family);
        let listener = wire.server.run(|| listen(Some(host), PORT))?;
        let own = listener.local_addr()?;
        ensure!(
            own == Address::new(host, Service::Port(PORT)),
            "the listener is {own}"
        );
        let client = wire.client.run(|| Ok(Stream::connect(own)?))?;
        let (server, accepted) = listener.accept()?;
        let peer = client.peer_addr()?;
        ensure!(peer == own, "the client's peer is {peer}, not {own}");
        let near = client.local_addr()?;
        let expected = wire.client_address(family);
        ensure!(
            near.host == expected,
            "the client is {near}, not at {expected}"
        );
        let seen = server.peer_addr()?;
        ensure!(
            seen.host == expected,
            "the server's peer is {seen}, not at {expected}"
        );
        ensure!(
            accepted == Some(seen),
            "accept() said {accepted:?}, getpeername() {seen}"
        );
    }
    Ok(())
}

fn options(_stage: &Stage) -> Result<()> {
    let wire = Wire::build()?;
    let (client, _server) = connected(&wire)?;
    sockopt::set_tcp_nodelay(&client, true)?;
    ensure!(sockopt::tcp_nodelay(&client)?, "TCP_NODELAY does not stay");
    sockopt::set_tcp_congestion(&client, "reno")?;
    let congestion = sockopt::tcp_congestion(&client)?;
    ensure!(congestion == "reno", "TCP_CONGESTION is {congestion}");
    sockopt::set_tcp_user_timeout(&client, 5000)?;
    ensure!(
        sockopt::tcp_user_timeout(&client)? == 5000,
        "TCP_USER_TIMEOUT does not stay"
    );
    sockopt::set_socket_keepalive(&client, true)?;
    ensure!(
        sockopt::socket_keepalive(&client)?,
        "SO_KEEPALIVE does not stay"
    );
    let domain = sockopt::socket_domain(&client)?;
    ensure!(
        domain.as_raw() == AF_ECCP,
        "SO_DOMAIN is {}",
        domain.as_raw()
    );
    let kind = sockopt::socket_type(&client)?;
    ensure!(kind == SocketType::STREAM, "SO_TYPE is {kind:?}");
    for (name, option) in [("TCP_REPAIR", libc::TCP_REPAIR), ("TCP_ULP", libc::TCP_ULP)] {
        let outcome = set_option(&client, libc::SOL_TCP, option);
        expect_errno(name, outcome, libc::ENOPROTOOPT)?;
    }
    let outcome = set_option(&client, eccp_netlink::socket::SOL_ECCP, 99);
    expect_errno("an unknown option", outcome, libc::ENOPROTOOPT)?;
    Ok(())
}

fn set_option(socket: impl AsFd, level: i32, option: i32) -> std::io::Result<()> {
    use std::os::fd::AsRawFd;
    let value = 1i32;
    // SAFETY: the pointer and the length are those of a live integer.
    let result = unsafe {
        libc::setsockopt(
            socket.as_fd().as_raw_fd(),
            level,
            option,
            (&raw const value).cast(),
            size_of_val(&value) as u32,
        )
    };
    if result == 0 {
        Ok(())
    } else {
        Err(std::io::Error::last_os_error())
    }
}

/// A service named by 32 bytes, reached only with the right pre-shared key.
fn services(_stage: &Stage) -> Result<()> {
    let wire = Wire::build()?;
    let mut id = [0; 32];
    id[..4].copy_from_slice(b"mail");
    let key = [9; 32];
    let at = |host| Address::new(host, Service::Id(id));
    let any = Ipv4Addr::UNSPECIFIED.into();
    let listener = wire
        .server
        .run(|| Ok(Builder::new()?.psk(&key)?.bind(at(any))?.listen(8)?))?;
    let server = wire.server_address(Family::V6);
    let client = wire
        .client
        .run(|| Ok(Builder::new()?.psk(&key)?.connect(at(server))?))?;
    let (accepted, _) = listener.accept()?;
    (&client).write_all(b"hello")?;
    accepted.set_read_timeout(Some(Duration::from_secs(10)))?;
    let mut greeting = [0; 5];
    (&accepted).read_exact(&mut greeting)?;
    ensure!(&greeting == b"hello", "{greeting:?} came");
    let info = client.info()?;
    ensure!(info.remote == server, "the path leads to {}", info.remote);

    let stranger = wire.client.run(|| {
        let builder = Builder::new()?.psk(&[8; 32])?;
        sockopt::set_socket_timeout(&builder, Timeout::Send, Some(Duration::from_secs(2)))?;
        Ok(builder.connect(at(server)))
    })?;
    ensure!(stranger.is_err(), "a client with another key is connected");
    Ok(())
}
