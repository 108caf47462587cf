// SPDX-License-Identifier: GPL-2.0-only
//! Datagrams arrive whole, once, and under the right name; the socket's memory
//! is bounded.
//!
//! ```text
//!   client ──eth0──────────eth0── server
//! ```

use std::io;
use std::net::{IpAddr, Ipv4Addr};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{bail, ensure, Context, Result};
use eccp_netlink::flow::Service;
use eccp_netlink::settings::SettingsAttribute;
use eccp_netlink::socket::{Address, Datagram, Peer};
use eccp_netlink::stats::Counter;
use eccp_netlink::{Carries, Encap};
use rustix::net::sockopt;
use rustix::net::RecvFlags;

use crate::capture::Tap;
use crate::control::{Control, Counters};
use crate::link;
use crate::random::Random;
use crate::roster::{Needs, Scenario};
use crate::stage::Stage;
use crate::topology::{Family, Wire};

pub(super) const PORT: u16 = 7000;
/// Bytes of IP, ECCP and UDP headers around a native datagram in IPv4.
const NATIVE_V4: u32 = 20 + 12 + 8;

pub(super) const TABLE: &[Scenario] = &[
    scenario("datagram_exchange_v4_native", true, |stage| {
        exchange(stage, Family::V4, Encap::Native)
    }),
    scenario("datagram_exchange_v6_native", true, |stage| {
        exchange(stage, Family::V6, Encap::Native)
    }),
    scenario("datagram_exchange_v4_udp", true, |stage| {
        exchange(stage, Family::V4, Encap::Udp)
    }),
    scenario("datagram_exchange_v6_udp", true, |stage| {
        exchange(stage, Family::V6, Encap::Udp)
    }),
    scenario("datagram_size_follows_the_path_mtu", false, path_mtu),
    scenario("datagram_server_with_many_clients", true, many_clients),
    scenario("datagram_peers_are_limited", false, limited_peers),
    scenario("datagram_idle_peers_are_closed", false, idle),
    scenario("datagram_flood_is_bounded", true, flood),
    scenario("datagram_garbage_is_dropped", false, garbage),
    scenario("datagram_namespace_deleted", true, namespace_deleted),
];

const fn scenario(name: &'static str, smoke: bool, run: fn(&Stage) -> Result<()>) -> Scenario {
    Scenario {
        name,
        about: "a datagram is changed, lost, doubled or misnamed, or memory grows without bound",
        seconds: 40,
        needs: Needs::Module,
        smoke,
        run,
    }
}

/// The service at `host`.
pub(super) fn service(host: IpAddr) -> Address {
    Address::new(host, Service::Port(PORT))
}

/// A server's socket that answers everybody.
pub(super) fn server(wire: &Wire) -> Result<Datagram> {
    let any = service(Ipv4Addr::UNSPECIFIED.into());
    let socket = wire.server.run(|| Ok(Datagram::bind(any)?))?;
    socket.set_read_timeout(Some(Duration::from_secs(20)))?;
    Ok(socket)
}

/// A client's socket that is connected to the server.
pub(super) fn client(wire: &Wire, family: Family) -> Result<Datagram> {
    let to = service(wire.server_address(family));
    let socket = wire.client.run(|| Ok(Datagram::connected(to)?))?;
    socket.set_read_timeout(Some(Duration::from_secs(20)))?;
    Ok(socket)
}

fn unconnected(wire: &Wire) -> Result<Datagram> {
    let socket = wire.client.run(|| Ok(Datagram::new()?))?;
    socket.set_read_timeout(Some(Duration::from_secs(20)))?;
    Ok(socket)
}

fn growth(control: &mut Control, before: &Counters) -> Result<Counters> {
    Ok(control.counters()?.since(before))
}

fn exchange(stage: &Stage, family: Family, encap: Encap) -> Result<()> {
    let wire = Wire::build()?;
    for host in [&wire.client, &wire.server] {
        Control::open(host)?.set(vec![SettingsAttribute::Encap(encap)])?;
    }
    let server = server(&wire)?;
    let client = client(&wire, family)?;
    let info = client.info()?;
    ensure!(info.encap == encap, "the path is {:?}", info.encap);
    ensure!(
        info.remote == wire.server_address(family),
        "the path leads to {}",
        info.remote
    );
    let max = client.max()?;
    let mut expected = 1500 - NATIVE_V4;
    if family == Family::V6 {
        expected -= 20;
    }
    if encap == Encap::Udp {
        expected -= 8;
    }
    ensure!(
        max == expected,
        "the largest datagram has {max} bytes, not {expected}"
    );
    let mut random = stage.random();
    let mut buffer = vec![0; 1 << 16];
    for length in [0, 1, 2, 3, 511, 512, 1000, max - 1, max] {
        let mut sent = vec![0; length as usize];
        random.fill(&mut sent);
        client
            .send(&sent)
            .with_context(|| format!("sending {length} bytes"))?;
        let (got, peer) = server.recv_from(&mut buffer, RecvFlags::empty())?;
        ensure!(buffer[..got] == sent, "{length} bytes came as {got} others");
        let at = match peer {
            Peer::Number { host, .. } => host,
            Peer::Service(address) => bail!("the client is called {address}"),
        };
        ensure!(at == wire.client_address(family), "the client is at {at}");
        server.send_to(&sent, &peer)?;
        let got = client.recv(&mut buffer)?;
        ensure!(
            buffer[..got] == sent,
            "{length} bytes came back as {got} others"
        );
    }
    let long = vec![0; max as usize + 1];
    expect(
        client.send(&long),
        libc::EMSGSIZE,
        "a byte more than the maximum",
    )?;
    let shown = Control::open(&wire.client)?.client().connections()?.items;
    let [connection] = shown.as_slice() else {
        bail!("netlink shows {} connections", shown.len());
    };
    ensure!(
        connection.carries == Some(Carries::Datagrams),
        "netlink says that it carries {:?}",
        connection.carries
    );
    Ok(())
}

/// Fails unless `outcome` is the error with this number.
pub(super) fn expect<T>(outcome: io::Result<T>, errno: i32, what: &str) -> Result<()> {
    let expected = io::Error::from_raw_os_error(errno);
    match outcome {
        Err(error) if error.raw_os_error() == Some(errno) => Ok(()),
        Err(error) => bail!("{what}: {error}, expected {expected}"),
        Ok(_) => bail!("{what} succeeded, expected {expected}"),
    }
}

/// The link's MTU shrinks under the connection; what still fits arrives.
fn path_mtu(_stage: &Stage) -> Result<()> {
    let wire = Wire::build()?;
    let server = server(&wire)?;
    let client = client(&wire, Family::V4)?;
    let encap = client.info()?.encap;
    let headers = 1500 - client.max()?;
    ensure!(
        encap != Encap::Native || headers == NATIVE_V4,
        "{headers} bytes of headers"
    );
    let mut buffer = vec![0; 1 << 16];
    for mtu in [1400, 1280, 9000, 1500] {
        for host in [&wire.client, &wire.server] {
            host.run(|| link::set_mtu("eth0", mtu))?;
        }
        let max = client.max()?;
        ensure!(max == mtu - headers, "an MTU of {mtu} leaves {max} bytes");
        let long = vec![1; max as usize + 1];
        expect(client.send(&long), libc::EMSGSIZE, "too long a datagram")?;
        client.send(&long[..max as usize])?;
        let got = server.recv(&mut buffer)?;
        ensure!(got == max as usize, "{got} bytes of {max} came");
    }
    Ok(())
}

/// Half of the clients are connected, the others are not.
fn many_clients(stage: &Stage) -> Result<()> {
    const CLIENTS: u32 = 40;
    const ROUNDS: u32 = 5;
    let wire = Wire::build()?;
    let server = server(&wire)?;
    let to = |number: u32| service(wire.server_address(Family::BOTH[number as usize % 2]));
    let clients: Vec<_> = (0..CLIENTS)
        .map(|number| match number % 4 {
            0 | 1 => client(&wire, Family::BOTH[number as usize % 2]),
            _ => unconnected(&wire),
        })
        .collect::<Result<_>>()?;
    let mut random = stage.random();
    let mut buffer = [0; 64];
    let mut peers = vec![None; CLIENTS as usize];
    for round in 0..ROUNDS {
        let mut order: Vec<u32> = (0..CLIENTS).collect();
        shuffle(&mut random, &mut order);
        for number in &order {
            let text = [number.to_be_bytes(), round.to_be_bytes()].concat();
            let socket = &clients[*number as usize];
            match number % 4 {
                0 | 1 => socket.send(&text)?,
                _ => socket.send_to(&text, &to(*number).into())?,
            };
        }
        for _ in 0..CLIENTS {
            let (got, peer) = server.recv_from(&mut buffer, RecvFlags::empty())?;
            ensure!(got == 8, "{got} bytes came");
            let number = buffer[3];
            let Peer::Number { number: name, .. } = peer else {
                bail!("a client is called {peer:?}");
            };
            let known = peers[usize::from(number)].get_or_insert(name);
            ensure!(*known == name, "client {number} was {known} and is {name}");
            server.send_to(&buffer[..8], &peer)?;
        }
        for number in 0..CLIENTS {
            let socket = &clients[number as usize];
            let (_, from) = socket.recv_from(&mut buffer, RecvFlags::empty())?;
            ensure!(
                buffer[3] == number as u8 && buffer[7] == round as u8,
                "client {number} got the answer to {:?}",
                &buffer[..8]
            );
            ensure!(
                from == Peer::from(to(number)),
                "the server is called {from:?}"
            );
        }
    }
    peers.sort_unstable();
    peers.dedup();
    ensure!(peers.len() == CLIENTS as usize, "clients share a name");
    Ok(())
}

fn shuffle(random: &mut Random, list: &mut [u32]) {
    for last in (1..list.len()).rev() {
        list.swap(last, random.below(last as u64 + 1) as usize);
    }
}

fn limited_peers(stage: &Stage) -> Result<()> {
    let wire = Wire::build()?;
    let mut control = Control::open(&wire.client)?;
    control.set(vec![SettingsAttribute::MaxDatagramPeers(2)])?;
    let sockets = wire.server.run(|| {
        let any = Ipv4Addr::UNSPECIFIED.into();
        (1..=3)
            .map(|port| {
                Ok(Datagram::bind(Address::new(
                    any,
                    Service::Port(PORT + port),
                ))?)
            })
            .collect::<Result<Vec<_>>>()
    })?;
    let to = |port| {
        Peer::from(Address::new(
            wire.server_address(Family::V4),
            Service::Port(PORT + port),
        ))
    };
    let socket = unconnected(&wire)?;
    socket.send_to(b"one", &to(1))?;
    socket.send_to(b"two", &to(2))?;
    expect(
        socket.send_to(b"three", &to(3)),
        libc::ENOBUFS,
        "a third peer",
    )?;
    let dropped = control.counters()?.get(Counter::DropDatagramPeers);
    ensure!(dropped == 1, "{dropped} peers were refused");
    let mut buffer = [0; 8];
    for (socket, text) in sockets.iter().zip([b"one", b"two"]) {
        socket.set_read_timeout(Some(Duration::from_secs(20)))?;
        let got = socket.recv(&mut buffer)?;
        ensure!(&buffer[..got] == text, "{:?} came", &buffer[..got]);
    }
    // A service that ends makes room.
    let [first, ..] = &mut <[Datagram; 3]>::try_from(sockets)
        .map_err(|_| anyhow::anyhow!("three sockets were opened"))?
        .map(Some);
    drop(first.take());
    let begin = Instant::now();
    while let Err(error) = socket.send_to(b"three", &to(3)) {
        ensure!(
            begin.elapsed() < stage.patience(Duration::from_secs(10)),
            "there is no room after a peer has ended: {error}"
        );
        thread::sleep(Duration::from_millis(20));
    }
    Ok(())
}

/// What a socket can make again is closed when idle; a peer that came by itself
/// is kept while it answers.
fn idle(stage: &Stage) -> Result<()> {
    let wire = Wire::build()?;
    let mut near = Control::open(&wire.client)?;
    let mut far = Control::open(&wire.server)?;
    for control in [&mut near, &mut far] {
        control.set(vec![SettingsAttribute::DatagramIdleMs(1000)])?;
    }
    let server = server(&wire)?;
    let kept = client(&wire, Family::V6)?;
    let passing = unconnected(&wire)?;
    let to = Peer::from(service(wire.server_address(Family::V4)));
    let before = near.counters()?;
    let mut buffer = [0; 8];
    for round in 1..=2 {
        passing.send_to(b"hello", &to)?;
        server.recv(&mut buffer)?;
        let begin = Instant::now();
        let limit = stage.patience(Duration::from_secs(10));
        while growth(&mut near, &before)?.get(Counter::DatagramIdle) < round {
            ensure!(
                begin.elapsed() < limit,
                "an idle peer is kept for {limit:?}"
            );
            thread::sleep(Duration::from_millis(50));
        }
    }
    // The server has asked the silent client several times by now.
    thread::sleep(Duration::from_secs(3));
    let asked = growth(&mut far, &Counters::default())?;
    ensure!(
        asked.get(Counter::DatagramIdle) == 0,
        "the server counts: {asked}"
    );
    kept.send(b"I am")?;
    let got = server.recv(&mut buffer)?;
    ensure!(&buffer[..got] == b"I am", "{:?} came", &buffer[..got]);
    Ok(())
}

/// Nobody reads; then somebody does.
fn flood(stage: &Stage) -> Result<()> {
    const SENT: u64 = 20_000;
    const BUFFER: usize = 128 << 10;
    let wire = Wire::build()?;
    let server = server(&wire)?;
    sockopt::set_socket_recv_buffer_size(&server, BUFFER / 2)?;
    let client = client(&wire, Family::V4)?;
    let mut control = Control::open(&wire.server)?;
    let datagram = [7; 1000];
    for _ in 0..SENT {
        client.send(&datagram)?;
    }
    server.set_nonblocking(true)?;
    let mut buffer = [0; 2000];
    let mut read = 0;
    while server.recv(&mut buffer).is_ok() {
        read += 1;
    }
    let counters = control.counters()?;
    let dropped = counters.get(Counter::DropDatagramBuffer);
    stage.measure("read", read);
    stage.measure("dropped", dropped);
    ensure!(
        (10..=BUFFER as u64 / 1000).contains(&read),
        "{read} datagrams of 1000 bytes were in a buffer of {BUFFER}"
    );
    ensure!(
        dropped + read <= SENT,
        "{read} read, {dropped} dropped of {SENT}"
    );
    ensure!(dropped >= SENT / 2, "the server counts: {counters}");
    server.set_nonblocking(false)?;
    client.send(b"again")?;
    let got = server.recv(&mut buffer)?;
    ensure!(
        &buffer[..got] == b"again",
        "{got} bytes came after the flood"
    );
    Ok(())
}

/// Packets with the right flow ID and a wrong datagram, as somebody on the path
/// could make them.
fn garbage(stage: &Stage) -> Result<()> {
    const FRAMES: usize = 5000;
    let wire = Wire::build()?;
    let server = server(&wire)?;
    let client = client(&wire, Family::V4)?;
    let sight = Tap::open(&wire.server, "eth0")?;
    client.send(&[9; 100])?;
    let mut buffer = vec![0; 1 << 16];
    server.recv(&mut buffer)?;
    let from = [wire.client_address(Family::V4)];
    let seen = sight.collect(1, Duration::from_secs(5), |frame| {
        frame.kind() == 0 && from.contains(&frame.source()) && frame.eccp().len() > 100
    })?;
    let model = seen.first().context("no data was seen on the wire")?;
    let mut random = stage.random();
    let frames: Vec<_> = (0..FRAMES)
        .map(|number| {
            let mut packet = model.eccp().to_vec();
            match number % 4 {
                // Another byte somewhere behind the ECCP header.
                0 => {
                    let at = 12 + random.below(packet.len() as u64 - 12) as usize;
                    packet[at] ^= 1 + random.below(255) as u8;
                }
                1 => packet.truncate(12 + random.below(108) as usize),
                2 => random.fill(&mut packet[12..]),
                _ => {
                    packet.truncate(12);
                    packet.resize(12 + random.below(1400) as usize, random.next_u64() as u8);
                }
            }
            model.with_eccp(&packet).bytes().to_vec()
        })
        .collect();
    let mut control = Control::open(&wire.server)?;
    let before = control.counters()?;
    Tap::open(&wire.client, "eth0")?.send_all(&frames)?;
    client.send(b"after")?;
    let got = server.recv(&mut buffer)?;
    ensure!(
        &buffer[..got] == b"after",
        "{got} bytes of garbage were delivered"
    );
    let growth = growth(&mut control, &before)?;
    let dropped = growth.get(Counter::DropDatagramHeader)
        + growth.get(Counter::DropDatagramChecksum)
        + growth.get(Counter::DropTruncated);
    stage.note(format!("{FRAMES} packets: {growth}"));
    ensure!(dropped == FRAMES as u64, "{FRAMES} were sent: {growth}");
    Ok(())
}

/// The namespaces go while datagrams wait, are under way and are not read.
fn namespace_deleted(stage: &Stage) -> Result<()> {
    for family in Family::BOTH {
        let wire = Wire::build()?;
        let server = server(&wire)?;
        let connected = client(&wire, family)?;
        let many = unconnected(&wire)?;
        let to = Peer::from(service(wire.server_address(family)));
        let nobody = Peer::from(service(family.host(0, 99)));
        for number in 0..200u32 {
            connected.send(&number.to_be_bytes())?;
            if let Err(error) = many.send_to(&number.to_be_bytes(), &to) {
                // More than may wait for the connection.
                expect::<()>(Err(error), libc::ENOBUFS, "sending to a new peer")?;
            }
            if number < 20 {
                many.send_to(b"is anybody there?", &nobody)?;
            }
        }
        drop(wire);
        // The sockets hold their namespaces until now.
        if stage.random().below(2) == 0 {
            drop(server);
            drop(connected);
        }
        drop(many);
    }
    Ok(())
}
