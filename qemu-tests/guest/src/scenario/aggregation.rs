// SPDX-License-Identifier: GPL-2.0-only
//! One stream over several paths at once.
//!
//! ```text
//!            ┌─wifi── ap ───┐        ┌──eth0─┐
//!     client ┤              ├─ core ─┤       ├ server
//!            └─lte─── cell ─┘        └──eth1─┘
//! ```

use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::os::fd::{AsFd, OwnedFd};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{ensure, Context, Result};
use eccp_core::wire::{Packet, PacketType};
use eccp_netlink::flow::Service;
use eccp_netlink::socket::{Address, Builder, Mode, Stream};
use eccp_netlink::stats::Counter;

use crate::capture::{Frame, Tap};
use crate::control::Control;
use crate::conversation::{Conversation, Load};
use crate::link;
use crate::netem::Netem;
use crate::plan::Transport;
use crate::roster::{Needs, Scenario};
use crate::stage::Stage;
use crate::stream::{info, Listener, Pair};
use crate::topology::{Access, Campus, Family};

const PORT: u16 = 7000;
/// Bytes per second of the two access networks: 50 and 30 Mbit/s.
const WIFI_RATE: u64 = 6_250_000;
const LTE_RATE: u64 = 3_750_000;
/// How long a rate is measured, after the same time to get going.
const MEASURED: Duration = Duration::from_secs(3);
/// Measurements of which the best counts: the machine may be busy with others.
const ROUNDS: usize = 6;
/// How long members take to come and go on a quiet machine.
const CHANGE: Duration = Duration::from_secs(20);
/// How long a stream may stand still on a quiet machine.
const STALL: Duration = Duration::from_secs(12);

pub(super) const TABLE: &[Scenario] = &[
    scenario("two_paths_give_their_sum", 300, sum),
    scenario("aggregation_loses_a_path_and_no_byte", 90, loses_a_path),
    scenario("aggregation_redundant", 60, redundant),
    scenario("aggregation_not_wanted_by_the_peer", 30, not_wanted),
    scenario("aggregation_ends_of_streams", 60, ends),
    scenario("aggregation_hostile_joins", 60, hostile),
];

const fn scenario(name: &'static str, seconds: u64, run: fn(&Stage) -> Result<()>) -> Scenario {
    Scenario {
        name,
        about: "a stream does not use several paths at once as it should",
        seconds,
        needs: Needs::Module,
        smoke: false,
        run,
    }
}

/// The campus with its access networks at their rates.
fn campus() -> Result<Campus> {
    let campus = Campus::build()?;
    for (access, rate, delay) in [(Access::WIFI, WIFI_RATE, 5), (Access::LTE, LTE_RATE, 15)] {
        let netem = Netem {
            rate,
            ..Netem::delay(Duration::from_millis(delay))
        };
        campus.shape(access, netem)?;
    }
    Ok(campus)
}

fn service() -> Address {
    Address::new(Access::FIRST.address(Family::V4), Service::Port(PORT))
}

fn as_stream(stream: Stream) -> TcpStream {
    TcpStream::from(OwnedFd::from(stream))
}

/// Connects, each end with its wish.
pub(super) fn connect(campus: &Campus, client: Mode, server: Mode) -> Result<Pair> {
    let listener = campus.server.run(|| {
        let builder = Builder::new()?.mode(server)?.bind(service())?;
        Ok(builder.listen(8)?)
    })?;
    let client = campus
        .client
        .run(|| Ok(Builder::new()?.mode(client)?.connect(service())?))?;
    let (server, _) = listener.accept().context("accept")?;
    Ok(Pair {
        client: as_stream(client),
        server: as_stream(server),
    })
}

fn mode(socket: &TcpStream) -> Result<Mode> {
    let fd = socket.as_fd().try_clone_to_owned()?;
    Stream::from(fd).mode().context("ECCP_MODE")
}

/// Waits until both ends have so many members.
pub(super) fn wait_members(stage: &Stage, pair: &Pair, wanted: u32) -> Result<()> {
    let (begin, limit) = (Instant::now(), stage.patience(CHANGE));
    loop {
        let members = [info(&pair.client)?.members, info(&pair.server)?.members];
        if members == [wanted; 2] {
            return Ok(());
        }
        ensure!(
            begin.elapsed() < limit,
            "{members:?} members in {limit:?}, not {wanted}"
        );
        thread::sleep(Duration::from_millis(10));
    }
}

/// Bytes per second from server to client once the stream has got going. The streams end with it.
fn rate(pair: Pair) -> Result<f64> {
    let Pair { client, server } = pair;
    let sender = thread::spawn(move || {
        let block = vec![0x5a; 128 * 1024];
        // It ends with the receiver.
        while (&server).write_all(&block).is_ok() {}
    });
    client.set_read_timeout(Some(Duration::from_secs(30)))?;
    let mut buffer = vec![0; 128 * 1024];
    let mut read_for = |span: Duration| -> Result<f64> {
        let (begin, mut bytes) = (Instant::now(), 0);
        while begin.elapsed() < span {
            let n = (&client).read(&mut buffer).context("reading")?;
            ensure!(n > 0, "the stream ended");
            bytes += n;
        }
        Ok(bytes as f64 / begin.elapsed().as_secs_f64())
    };
    read_for(MEASURED)?;
    let rate = read_for(MEASURED)?;
    client.shutdown(Shutdown::Both)?;
    drop(client);
    let _ = sender.join();
    Ok(rate)
}

/// What plain TCP gets on a path.
fn tcp_rate(campus: &Campus, access: Access, port: u16) -> Result<f64> {
    let address = SocketAddr::new(Access::FIRST.address(Family::V4), port);
    let from = access.address(Family::V4);
    let listener = campus
        .server
        .run(|| Listener::bind(Transport::Tcp, address))?;
    let client = campus.client.run(|| {
        let socket = bound_socket(from)?;
        rustix::net::connect(&socket, &address)?;
        Ok(TcpStream::from(socket))
    })?;
    let server = listener.accept().context("accept")?;
    rate(Pair { client, server })
}

fn bound_socket(from: std::net::IpAddr) -> Result<OwnedFd> {
    use rustix::net::{bind, socket, AddressFamily, SocketType};
    let fd = socket(AddressFamily::INET, SocketType::STREAM, None)?;
    bind(&fd, &SocketAddr::new(from, 0))?;
    Ok(fd)
}

fn sum(stage: &Stage) -> Result<()> {
    let campus = campus()?;
    let mut best: f64 = 0.0;
    for round in 0..ROUNDS {
        let port = 8000 + 2 * round as u16;
        let wifi = tcp_rate(&campus, Access::WIFI, port)?;
        let lte = tcp_rate(&campus, Access::LTE, port + 1)?;
        let pair = connect(&campus, Mode::Aggregate, Mode::Aggregate)?;
        wait_members(stage, &pair, 2)?;
        let both = rate(pair)?;
        let share = both / (wifi + lte);
        stage.note(format!(
            "wifi {:.1}, lte {:.1}, both {:.1} Mbit/s: {:.0} %",
            wifi * 8e-6,
            lte * 8e-6,
            both * 8e-6,
            share * 100.0
        ));
        best = best.max(share);
        if best >= 0.9 {
            break;
        }
    }
    stage.measure("share_of_the_sum", best);
    ensure!(best >= 0.9, "{:.1} % of the sum", best * 100.0);
    Ok(())
}

fn loses_a_path(stage: &Stage) -> Result<()> {
    let campus = campus()?;
    let pair = connect(&campus, Mode::Aggregate, Mode::Aggregate)?;
    for end in [&pair.client, &pair.server] {
        ensure!(mode(end)? == Mode::Aggregate, "not agreed");
    }
    wait_members(stage, &pair, 2)?;
    let mut control = Control::open(&campus.client)?;
    let load = Load::over(12, 2);
    let patience = stage.patience(STALL);
    let talk = Conversation::start(pair, &stage.random(), Some(load), Some(load), patience)?;
    talk.wait_for_down(load.bytes / 8)?;
    // The second path dies without a word.
    let dead = Netem {
        loss: 1.0,
        ..Netem::default()
    };
    campus.shape(Access::LTE, dead)?;
    talk.wait_for_down(load.bytes / 2)?;
    campus.shape(Access::LTE, Netem::delay(Duration::from_millis(15)))?;
    talk.wait_for_down(load.bytes / 8 * 5)?;
    // The first one loses its address.
    campus.client.run(|| Access::WIFI.leave(Family::V4))?;
    campus.client.run(|| Access::WIFI.leave(Family::V6))?;
    talk.wait_for_down(load.bytes / 8 * 7)?;
    campus.client.run(|| Access::WIFI.arrive(Family::V4))?;
    talk.finish()?;
    ensure!(
        control.counters()?.get(Counter::PathTroubles) > 0,
        "nobody noticed the dead path"
    );
    Ok(())
}

fn redundant(stage: &Stage) -> Result<()> {
    let campus = campus()?;
    let pair = connect(&campus, Mode::Redundant, Mode::Redundant)?;
    ensure!(mode(&pair.client)? == Mode::Redundant, "not agreed");
    wait_members(stage, &pair, 2)?;
    let load = Load::over(4, 2);
    let patience = stage.patience(STALL);
    let talk = Conversation::start(pair, &stage.random(), Some(load), Some(load), patience)?;
    talk.wait_for_down(load.bytes / 4)?;
    campus
        .client
        .run(|| link::set_down(Access::LTE.interface))?;
    talk.finish()?;
    Ok(())
}

fn not_wanted(stage: &Stage) -> Result<()> {
    let campus = campus()?;
    let pair = connect(&campus, Mode::Aggregate, Mode::Single)?;
    for end in [&pair.client, &pair.server] {
        ensure!(mode(end)? == Mode::Single, "agreed with nobody");
        ensure!(info(end)?.members == 0, "members");
    }
    let load = Load::over(2, 1);
    let patience = stage.patience(STALL);
    Conversation::start(pair, &stage.random(), Some(load), Some(load), patience)?.finish()?;
    let pair = connect(&campus, Mode::Single, Mode::Aggregate)?;
    ensure!(mode(&pair.server)? == Mode::Single, "agreed with nobody");
    Conversation::start(pair, &stage.random(), Some(load), None, patience)?.finish()?;
    // Who insists gets nothing.
    let listener = campus
        .server
        .run(|| Ok(Builder::new()?.bind(service())?.listen(8)?))?;
    let refused = campus.client.run(|| {
        let builder = Builder::new()?.require_mode(Mode::Aggregate)?;
        Ok(builder.connect(service()).map(drop))
    })?;
    drop(listener);
    let error = refused.err().and_then(|e| e.raw_os_error());
    ensure!(error == Some(libc::EPROTONOSUPPORT), "{error:?}");
    Ok(())
}

fn ends(stage: &Stage) -> Result<()> {
    let campus = campus()?;
    let patience = stage.patience(STALL);
    let mut control = Control::open(&campus.server)?;
    // Half-closed: the other direction goes on.
    let pair = connect(&campus, Mode::Aggregate, Mode::Aggregate)?;
    wait_members(stage, &pair, 2)?;
    for end in [&pair.client, &pair.server] {
        end.set_read_timeout(Some(patience))?;
    }
    (&pair.client).write_all(b"question")?;
    pair.client.shutdown(Shutdown::Write)?;
    let mut heard = Vec::new();
    (&pair.server).read_to_end(&mut heard)?;
    ensure!(heard == b"question", "{heard:?}");
    (&pair.server).write_all(b"answer")?;
    pair.server.shutdown(Shutdown::Write)?;
    heard.clear();
    (&pair.client).read_to_end(&mut heard)?;
    ensure!(heard == b"answer", "{heard:?}");
    let written = (&pair.client).write(b"more").err();
    ensure!(
        written.as_ref().and_then(|e| e.raw_os_error()) == Some(libc::EPIPE),
        "{written:?}"
    );
    drop(pair);
    // Closed with data that nobody has read: the peer learns it.
    let pair = connect(&campus, Mode::Aggregate, Mode::Aggregate)?;
    wait_members(stage, &pair, 2)?;
    pair.client.set_read_timeout(Some(patience))?;
    (&pair.client).write_all(b"unread")?;
    let begin = Instant::now();
    let mut first = [0; 1];
    while pair.server.peek(&mut first)? == 0 {
        ensure!(begin.elapsed() < patience, "nothing came");
    }
    drop(pair.server);
    let read = (&pair.client).read(&mut first);
    let error = read.as_ref().err().and_then(|e| e.raw_os_error());
    ensure!(error == Some(libc::ECONNRESET), "{read:?}");
    drop(pair.client);
    // Nothing is left of either, but what drains.
    let begin = Instant::now();
    loop {
        let counters = control.counters()?;
        let (joins, leaves) = (
            counters.get(Counter::BundleJoins),
            counters.get(Counter::BundleLeaves),
        );
        if joins == 2 && leaves == 4 {
            return Ok(());
        }
        ensure!(
            begin.elapsed() < stage.patience(CHANGE),
            "{joins} joined and {leaves} left"
        );
        thread::sleep(Duration::from_millis(20));
    }
}

/// SYNs that want to join without the proof: whatever part of one that was seen is changed, it is
/// counted and nothing else.
fn hostile(stage: &Stage) -> Result<()> {
    let campus = campus()?;
    let sight = Tap::open(&campus.cell, Access::LTE.interface)?;
    let pair = connect(&campus, Mode::Aggregate, Mode::Aggregate)?;
    wait_members(stage, &pair, 2)?;
    let syns = sight.collect(1, stage.patience(Duration::from_secs(5)), |frame| {
        frame.kind() == PacketType::Syn as u8 && frame.source() == Access::LTE.address(Family::V4)
    })?;
    let syn = syns.first().context("the attacker saw no SYN")?;
    let seen = Packet::parse(syn.eccp()).map_err(|e| anyhow::anyhow!("{e:?}"))?;
    let join = seen.message().join.context("the SYN does not join")?;
    let key = seen.message().key.context("the SYN has no key")?;
    let bytes = syn.eccp();
    let find = |what: &[u8]| {
        let at = bytes.windows(what.len()).position(|window| window == what);
        at.context("not in the SYN")
    };
    let (proof, key) = (find(&join.proof)?, find(&key)?);
    let bundle = find(&join.bundle.to_be_bytes())?;
    // Bytes of proof, key, bundle and the sender's flow ID.
    let places = [proof, proof + 15, key, key + 31, bundle, 12, 19];
    let forged: Vec<_> = places
        .iter()
        .map(|at| changed(syn, *at))
        .map(|frame| frame.bytes().to_vec())
        .collect();
    let mut control = Control::open(&campus.server)?;
    let before = control.counters()?;
    Tap::open(&campus.client, Access::LTE.interface)?.send_all(&forged)?;
    let (begin, limit) = (Instant::now(), stage.patience(CHANGE));
    loop {
        let counted = control.counters()?.since(&before).get(Counter::DropJoin);
        if counted == forged.len() as u64 {
            break;
        }
        ensure!(
            begin.elapsed() < limit,
            "{counted} of {} forged SYNs are counted",
            forged.len()
        );
        thread::sleep(Duration::from_millis(20));
    }
    wait_members(stage, &pair, 2)?;
    let connections = control.client().connections()?.items.len();
    ensure!(connections == 2, "{connections} connections at the server");
    let shown = campus
        .server
        .run(|| crate::tool::run(&["connection", "show"]))?;
    ensure!(
        shown.matches(" members 2").count() == 2,
        "the tool shows {shown}"
    );
    let load = Some(Load::over(2, 1));
    let patience = stage.patience(STALL);
    Conversation::start(pair, &stage.random(), load, load, patience)?.finish()?;
    Ok(())
}

fn changed(frame: &Frame, at: usize) -> Frame {
    let mut packet = frame.eccp().to_vec();
    packet[at] ^= 0x10;
    frame.with_eccp(&packet)
}
