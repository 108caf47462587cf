// SPDX-License-Identifier: GPL-2.0-only
//! What programs learn about their paths, and the examples that show how.
//!
//! ```text
//!            ┌─wifi── ap ───┐        ┌──eth0─┐
//!     client ┤              ├─ core ─┤       ├ server
//!            └─lte─── cell ─┘        └──eth1─┘
//! ```

use std::fs;
use std::io::{Read, Write};
use std::net::{IpAddr, SocketAddr};
use std::os::fd::OwnedFd;
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{bail, ensure, Context, Result};
use eccp_netlink::flow::Target;
use eccp_netlink::socket::{Builder, Listener, PathEvent, PathEventKind, Stream};
use eccp_netlink::FlowState;
use rustix::event::{poll, PollFd, PollFlags, Timespec};

use crate::namespace::Namespace;
use crate::netem::Netem;
use crate::roster::{Needs, Scenario};
use crate::stage::Stage;
use crate::stream::eccp_address;
use crate::topology::{Access, Campus, Family};

const LIMIT: Duration = Duration::from_secs(10);
/// Events that the module keeps for a socket.
const KEPT: usize = 32;

/// The scenario whose image has the host's Python.
pub const PYTHON_SCENARIO: &str = "example_python";
/// File with the path of the interpreter in that image.
pub const PYTHON_NAME: &str = "/etc/python";
/// The example in that image.
pub const PYTHON_SCRIPT: &str = "/bin/examples/echo.py";

pub(super) const TABLE: &[Scenario] = &[
    scenario("path_events", false, path_events),
    scenario("path_events_overflow", false, overflow),
    scenario("path_events_of_the_accepted", false, accepted),
    scenario("example_rust", false, example_rust),
    scenario("example_c", false, example_c),
    scenario(PYTHON_SCENARIO, false, example_python),
];

const fn scenario(name: &'static str, smoke: bool, run: fn(&Stage) -> Result<()>) -> Scenario {
    Scenario {
        name,
        about: "a program does not learn what happens to its paths",
        seconds: 30,
        needs: Needs::Module,
        smoke,
        run,
    }
}

/// A connection whose client asked for events before it connected.
struct Watched {
    campus: Campus,
    client: Stream,
    server: Stream,
    limit: Duration,
}

impl Watched {
    fn connect(stage: &Stage, port: u16) -> Result<Self> {
        let campus = Campus::build()?;
        campus.shape(Access::WIFI, Netem::delay(Duration::from_millis(5)))?;
        campus.shape(Access::LTE, Netem::delay(Duration::from_millis(10)))?;
        let at = eccp_address(SocketAddr::new(Access::FIRST.address(Family::V4), port));
        let listener = campus.server.run(|| {
            let builder = Builder::new()?.bind(at)?;
            watch_all(&builder)?;
            Ok(builder.listen(4)?)
        })?;
        let client = campus.client.run(|| {
            let builder = Builder::new()?;
            watch_all(&builder)?;
            Ok(builder.connect(at)?)
        })?;
        let (server, _) = Listener::accept(&listener)?;
        Ok(Watched {
            campus,
            client,
            server,
            limit: stage.patience(LIMIT),
        })
    }
}

/// What `Stream::watch_paths` does, for a socket that is no stream yet.
fn watch_all(builder: &Builder) -> Result<()> {
    use std::os::fd::AsFd;
    let duplicate: OwnedFd = builder.as_fd().try_clone_to_owned()?;
    Ok(Stream::from(duplicate).watch_paths(PathEventKind::all())?)
}

/// Waits for POLLPRI and takes the next event.
fn next(stream: &Stream, limit: Duration) -> Result<PathEvent> {
    let mut fds = [PollFd::new(stream, PollFlags::PRI)];
    let ready = poll(&mut fds, Some(&Timespec::try_from(limit)?))?;
    ensure!(ready == 1, "no event came in {limit:?}");
    ensure!(
        fds[0].revents().contains(PollFlags::PRI),
        "the socket polls as {:?}",
        fds[0].revents()
    );
    let event = stream.next_path_event()?;
    event.context("POLLPRI without an event in the queue")
}

/// The events up to and with the first of `last`.
fn until(stream: &Stream, last: PathEventKind, limit: Duration) -> Result<Vec<PathEvent>> {
    let mut events = Vec::new();
    loop {
        let event = next(stream, limit).with_context(|| format!("after {events:?}"))?;
        events.push(event);
        if event.kind == last {
            return Ok(events);
        }
        ensure!(events.len() < 20, "{last:?} is not among {events:?}");
    }
}

fn expect_none(stream: &Stream) -> Result<()> {
    let event = stream.next_path_event()?;
    ensure!(event.is_none(), "nothing happened, and {event:?} came");
    let mut fds = [PollFd::new(stream, PollFlags::PRI)];
    poll(&mut fds, Some(&Timespec::default()))?;
    ensure!(
        !fds[0].revents().contains(PollFlags::PRI),
        "POLLPRI is set with an empty queue"
    );
    Ok(())
}

fn expect_addresses(event: &PathEvent, old: IpAddr, new: IpAddr) -> Result<()> {
    ensure!(
        (event.old, event.new) == (Some(old), Some(new)),
        "{event:?} should lead from {old} to {new}"
    );
    Ok(())
}

fn path_events(stage: &Stage) -> Result<()> {
    let watched = Watched::connect(stage, 7100)?;
    let Watched { client, limit, .. } = &watched;
    let (wifi, lte) = (
        Access::WIFI.address(Family::V4),
        Access::LTE.address(Family::V4),
    );
    let server = Access::FIRST.address(Family::V4);

    let added = next(client, *limit)?;
    ensure!(
        added.kind == PathEventKind::FlowAdded,
        "first came {added:?}"
    );
    expect_addresses(&added, server, wifi)?;
    ensure!(added.flow_id == client.info()?.local_flow_id, "{added:?}");
    expect_none(client)?;

    client.move_to(Target::Address(lte))?;
    let events = until(client, PathEventKind::Moved, *limit)?;
    ensure!(events.len() == 2, "a planned move gave {events:?}");
    ensure!(events[0].kind == PathEventKind::Moving, "{events:?}");
    for event in &events {
        expect_addresses(event, wifi, lte)?;
        ensure!(event.version == 1, "{event:?}");
    }
    let took = events[1].duration;
    ensure!(
        took >= Duration::from_millis(20) && took < *limit,
        "a round trip of 20 ms took {took:?}"
    );

    let moved = until(&watched.server, PathEventKind::PeerMoved, *limit)?;
    let peer = moved.last().context("no event")?;
    expect_addresses(peer, wifi, lte)?;

    watched.campus.client.run(|| {
        for access in [Access::WIFI, Access::LTE] {
            access.leave(Family::V6)?;
        }
        Access::WIFI.leave(Family::V4)?;
        Access::LTE.leave(Family::V4)
    })?;
    let events = until(client, PathEventKind::Suspended, *limit)?;
    let gone = events.iter().find(|e| e.kind == PathEventKind::AddressGone);
    let gone = gone.with_context(|| format!("no lost address among {events:?}"))?;
    ensure!(gone.old == Some(lte), "{gone:?}");
    watched
        .campus
        .client
        .run(|| Access::WIFI.arrive(Family::V4))?;
    let events = until(client, PathEventKind::Moved, *limit)?;
    let last = events.last().context("no event")?;
    ensure!(last.new == Some(wifi), "{events:?}");
    ensure!(
        client.info()?.state == FlowState::Established,
        "the flow is {:?}",
        client.info()?.state
    );

    let refused = client.watch_paths(1 << 20).err().map(|e| e.raw_os_error());
    ensure!(
        refused == Some(Some(libc::EINVAL)),
        "an unknown kind is answered by {refused:?}"
    );
    client.watch_paths(0)?;
    client.move_to(Target::Address(wifi)).err();
    speak(client, &watched.server)
}

/// The stream itself goes on as if nobody had looked.
fn speak(mut client: &Stream, mut server: &Stream) -> Result<()> {
    client.write_all(b"still here")?;
    let mut heard = [0; 10];
    server.read_exact(&mut heard)?;
    ensure!(&heard == b"still here", "{heard:?} came");
    Ok(())
}

/// An owner that does not read learns that it has missed something, and how much.
fn overflow(stage: &Stage) -> Result<()> {
    let watched = Watched::connect(stage, 7101)?;
    let Watched { client, limit, .. } = &watched;
    let addresses = [Access::LTE, Access::WIFI].map(|access| access.address(Family::V4));
    // Each move is two events; one came with the connection.
    let moves = KEPT / 2 + 3;
    for turn in 0..moves {
        let to = addresses[turn % 2];
        client.move_to(Target::Address(to))?;
        arrive(client, to, *limit)?;
    }
    for position in 0..KEPT {
        let event = client.next_path_event()?;
        let event = event.with_context(|| format!("the queue ends after {position}"))?;
        ensure!(event.kind != PathEventKind::Lost, "{event:?} at {position}");
    }
    let marker = next(client, *limit)?;
    let expected = (1 + 2 * moves - KEPT) as u32;
    ensure!(
        marker.kind == PathEventKind::Lost && marker.lost == expected,
        "{expected} events were lost, and the mark is {marker:?}"
    );
    expect_none(client)?;
    let to = addresses[moves % 2];
    client.move_to(Target::Address(to))?;
    let events = until(client, PathEventKind::Moved, *limit)?;
    ensure!(events.len() == 2, "after the mark came {events:?}");
    Ok(())
}

fn arrive(client: &Stream, to: IpAddr, limit: Duration) -> Result<()> {
    let begin = Instant::now();
    loop {
        let info = client.info()?;
        if info.local == to && info.state == FlowState::Established {
            return Ok(());
        }
        ensure!(begin.elapsed() < limit, "not at {to} but {info:?}");
        thread::sleep(Duration::from_millis(5));
    }
}

/// Accepted sockets watch what their listener was told to, and hear of the end.
fn accepted(stage: &Stage) -> Result<()> {
    let watched = Watched::connect(stage, 7102)?;
    let lte = Access::LTE.address(Family::V4);
    expect_none(&watched.server)?;
    watched.client.move_to(Target::Address(lte))?;
    let event = next(&watched.server, watched.limit)?;
    ensure!(
        event.kind == PathEventKind::PeerMoved,
        "first came {event:?}"
    );
    speak(&watched.client, &watched.server)
}

fn example_rust(stage: &Stage) -> Result<()> {
    let [first, second] = [Access::LTE, Access::WIFI].map(|a| a.address(Family::V4).to_string());
    let server = format!("{}:7103", Access::FIRST.address(Family::V4));
    let said = converse(
        stage,
        &["/bin/examples/eccp-echo"],
        &["serve", "7103"],
        &["ask", &server, &first, &second],
    )?;
    for line in [
        format!("client: moved from {second} to {first}"),
        format!("server: peer moved from {second} to {first}"),
        format!("client: moved from {first} to {second}"),
        format!("client: at {second} after 2 moves"),
    ] {
        ensure!(said.contains(&line), "{line:?} is not in\n{said}");
    }
    Ok(())
}

fn example_c(stage: &Stage) -> Result<()> {
    let mapped = |access: Access| format!("::ffff:{}", access.address(Family::V4));
    let (wifi, lte, server) = (
        mapped(Access::WIFI),
        mapped(Access::LTE),
        mapped(Access::FIRST),
    );
    let said = converse(
        stage,
        &["/bin/examples/eccp-echo-c"],
        &["serve", "7104"],
        &["ask", &server, "7104", &lte, &wifi],
    )?;
    for part in [
        format!("from {wifi} to {lte}"),
        format!("from {lte} to {wifi}"),
        format!("client: at {wifi} after 2 moves"),
        "server: peer moved".to_owned(),
        "client: moved".to_owned(),
    ] {
        ensure!(said.contains(&part), "{part:?} is not in\n{said}");
    }
    Ok(())
}

fn example_python(stage: &Stage) -> Result<()> {
    let python = fs::read_to_string(PYTHON_NAME).context("the image has no Python")?;
    let [wifi, lte, server] =
        [Access::WIFI, Access::LTE, Access::FIRST].map(|a| a.address(Family::V4).to_string());
    let said = converse(
        stage,
        &[&python, "-I", "-S", PYTHON_SCRIPT],
        &["serve", "7105"],
        &["ask", &server, "7105", &lte, &wifi],
    )?;
    for part in [
        format!("from {wifi} to {lte}"),
        format!("from {lte} to {wifi}"),
        "server: peer moved".to_owned(),
        "client: moved".to_owned(),
        "client: done".to_owned(),
    ] {
        ensure!(said.contains(&part), "{part:?} is not in\n{said}");
    }
    Ok(())
}

/// Runs an example as server and as client; what both said.
fn converse(stage: &Stage, program: &[&str], serve: &[&str], ask: &[&str]) -> Result<String> {
    let campus = Campus::build()?;
    campus.shape(Access::WIFI, Netem::delay(Duration::from_millis(5)))?;
    campus.shape(Access::LTE, Netem::delay(Duration::from_millis(10)))?;
    for path in program.iter().filter(|word| word.starts_with('/')) {
        ensure!(
            fs::exists(path)?,
            "the image has no {path}: `make guest` builds the examples"
        );
    }
    let with = |words: &[&str]| -> Vec<String> {
        let all = program.iter().chain(words);
        all.map(|word| (*word).to_owned()).collect()
    };
    let (serving, asking) = (with(serve), with(ask));
    let server = campus.server.spawn(move || run(&serving))?;
    let client = ask_until_served(stage, &campus.client, &asking)?;
    Ok(client + &server.join()?)
}

/// The server may not listen yet.
fn ask_until_served(stage: &Stage, client: &Namespace, words: &[String]) -> Result<String> {
    let begin = Instant::now();
    loop {
        match client.run(|| run(words)) {
            Err(error) if begin.elapsed() < stage.patience(LIMIT) => {
                let text = format!("{error:#}");
                ensure!(text.contains("refused"), "the client: {text}");
                thread::sleep(Duration::from_millis(50));
            }
            other => return other,
        }
    }
}

fn run(words: &[String]) -> Result<String> {
    let (program, arguments) = words.split_first().context("no program")?;
    let output = Command::new(program).args(arguments).output();
    let output = output.with_context(|| format!("starting {program}"))?;
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    if !output.status.success() {
        let complaint = String::from_utf8_lossy(&output.stderr).into_owned();
        bail!("{}: {complaint}\n{said}", words.join(" "));
    }
    Ok(said)
}
