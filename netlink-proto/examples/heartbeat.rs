// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Sends a number ten times a second over AF_ECCP and gets it back; says when
//! either end has moved.
//!
//! ```text
//! server$ heartbeat listen 0.0.0.0:5000
//! client$ heartbeat connect 198.51.100.1:5000
//! client$ eccp-tool flow move ID --to ADDRESS      # while it runs
//! ```

use std::io::{Read, Write};
use std::process::ExitCode;
use std::time::{Duration, Instant};

use eccp_netlink::socket::{Address, Listener, Stream};

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let result = match words[..] {
        ["listen", address] => listen(address),
        ["connect", address] => connect(address),
        _ => Err("usage: heartbeat listen|connect HOST:SERVICE".into()),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("heartbeat: {error}");
            ExitCode::FAILURE
        }
    }
}

type Result = std::result::Result<(), Box<dyn std::error::Error>>;

fn listen(address: &str) -> Result {
    let listener = Listener::bind(address.parse::<Address>()?)?;
    println!("listening at {}", listener.local_addr()?);
    loop {
        let (stream, peer) = listener.accept()?;
        if let Some(peer) = peer {
            println!("{peer} has connected");
        }
        std::thread::spawn(move || {
            if let Err(error) = echo(&stream) {
                println!("connection lost: {error}");
            }
        });
    }
}

fn echo(mut stream: &Stream) -> std::io::Result<()> {
    let mut buffer = [0; 4096];
    loop {
        let read = stream.read(&mut buffer)?;
        if read == 0 {
            return Ok(());
        }
        stream.write_all(&buffer[..read])?;
    }
}

fn connect(address: &str) -> Result {
    let stream = Stream::connect(address.parse::<Address>()?)?;
    let mut path = (stream.local_addr()?, stream.peer_addr()?);
    println!("connected from {} to {}", path.0, path.1);
    for number in 0u64.. {
        let start = Instant::now();
        (&stream).write_all(&number.to_be_bytes())?;
        let mut back = [0; 8];
        (&stream).read_exact(&mut back)?;
        let took = start.elapsed();
        if back != number.to_be_bytes() {
            return Err(format!("sent {number}, got {}", u64::from_be_bytes(back)).into());
        }
        let now = (stream.local_addr()?, stream.peer_addr()?);
        if now != path {
            println!(
                "now from {} to {}; beat {number} took {took:?}",
                now.0, now.1
            );
            path = now;
        }
        std::thread::sleep(Duration::from_millis(100).saturating_sub(took));
    }
    Ok(())
}
