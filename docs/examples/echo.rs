// SPDX-License-Identifier: Apache-2.0 OR MIT
//! An echo server and a client of it that moves itself and tells what happens to its path.
//!
//! ```text
//! eccp-echo serve PORT
//! eccp-echo ask HOST:PORT ADDRESS...    moves to one address after the other
//! ```

use std::error::Error;
use std::io::{Read, Write};
use std::net::{IpAddr, Ipv4Addr};
use std::time::{Duration, Instant};

use eccp_netlink::flow::{Service, Target};
use eccp_netlink::socket::{Address, Listener, PathEvent, PathEventKind, Stream};
use rustix::event::{poll, PollFd, PollFlags, Timespec};

/// How long an answer or the end of a move may take.
const PATIENCE: Duration = Duration::from_secs(10);

fn main() -> Result<(), Box<dyn Error>> {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    match words.as_slice() {
        ["serve", port] => serve(port.parse()?),
        ["ask", server, addresses @ ..] => ask(server.parse()?, addresses),
        _ => Err("usage: eccp-echo serve PORT | ask HOST:PORT ADDRESS...".into()),
    }
}

fn serve(port: u16) -> Result<(), Box<dyn Error>> {
    let any = Address::new(Ipv4Addr::UNSPECIFIED.into(), Service::Port(port));
    let listener = Listener::bind(any)?;
    let (mut stream, _) = listener.accept()?;
    stream.watch_paths(PathEventKind::all())?;
    let mut buffer = [0; 4096];
    loop {
        let ready = wait(&stream, PATIENCE)?;
        if ready.contains(PollFlags::PRI) {
            tell("server", &stream)?;
        }
        if ready.intersects(PollFlags::IN | PollFlags::HUP | PollFlags::ERR) {
            let length = stream.read(&mut buffer)?;
            if length == 0 {
                return Ok(());
            }
            stream.write_all(&buffer[..length])?;
        }
    }
}

fn ask(server: Address, addresses: &[&str]) -> Result<(), Box<dyn Error>> {
    let mut stream = Stream::connect(server)?;
    stream.watch_paths(PathEventKind::all())?;
    echo(&mut stream)?;
    for address in addresses {
        stream.move_to(Target::Address(address.parse::<IpAddr>()?))?;
        let begin = Instant::now();
        while !tell("client", &stream)?.contains(&PathEventKind::Moved) {
            let left = PATIENCE.saturating_sub(begin.elapsed());
            if !wait(&stream, left)?.contains(PollFlags::PRI) {
                return Err(format!("no event of the move to {address}").into());
            }
        }
        echo(&mut stream)?;
    }
    let info = stream.info()?;
    println!("client: at {} after {} moves", info.local, info.moves);
    Ok(())
}

/// Sends a line and waits until it is back.
fn echo(stream: &mut Stream) -> Result<(), Box<dyn Error>> {
    let line = b"are you there?";
    stream.write_all(line)?;
    let mut answer = [0; 14];
    stream.read_exact(&mut answer)?;
    if &answer != line {
        return Err("another answer came back".into());
    }
    println!("client: echo from {}", stream.peer_addr()?);
    Ok(())
}

/// Waits until the stream is readable or has an event.
fn wait(stream: &Stream, patience: Duration) -> Result<PollFlags, Box<dyn Error>> {
    let mut fds = [PollFd::new(stream, PollFlags::IN | PollFlags::PRI)];
    let limit = Timespec::try_from(patience)?;
    if poll(&mut fds, Some(&limit))? == 0 {
        return Err("nothing happens".into());
    }
    Ok(fds[0].revents())
}

/// Prints all events that wait.
fn tell(who: &str, stream: &Stream) -> Result<Vec<PathEventKind>, Box<dyn Error>> {
    let mut kinds = Vec::new();
    while let Some(event) = stream.next_path_event()? {
        println!("{who}: {}", describe(&event));
        kinds.push(event.kind);
    }
    Ok(kinds)
}

fn describe(event: &PathEvent) -> String {
    let address = |address: Option<IpAddr>| {
        address.map_or_else(|| "nowhere".to_owned(), |address| address.to_string())
    };
    let (old, new) = (address(event.old), address(event.new));
    match event.kind {
        PathEventKind::Moving => format!("moving from {old} to {new}, version {}", event.version),
        PathEventKind::Moved => {
            format!("moved from {old} to {new} in {:?}", event.duration)
        }
        PathEventKind::PeerMoved => format!("peer moved from {old} to {new}"),
        PathEventKind::Suspended => format!("without an address since {old} is gone"),
        PathEventKind::Failed => format!("cannot move to {new}: {:?}", event.reason),
        PathEventKind::FlowAdded => format!("flow {:#x} from {new} to {old}", event.flow_id),
        PathEventKind::FlowRemoved => format!("flow {:#x} ended", event.flow_id),
        PathEventKind::AddressGone => format!("lost {old}"),
        PathEventKind::Active => format!("data goes from {new} to {old}"),
        PathEventKind::Renamed => {
            format!("flow {:#x} is {:#x} now", event.version, event.flow_id)
        }
        PathEventKind::Lost => format!("{} events lost", event.lost),
        PathEventKind::Other(number) => format!("event {number}"),
    }
}
