// SPDX-License-Identifier: GPL-2.0-only
//! Streams whose every byte is known, and what a receiver saw of them.

use std::io::{self, ErrorKind, Read, Write};
use std::net::TcpStream;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{ensure, Context, Result};
use sha2::{Digest, Sha256};

use crate::random::Random;

/// Bytes per write and per read.
pub const BLOCK: usize = 64 * 1024;

/// A stream that repeats one random block, stamped with its position so that
/// no two blocks are equal and a lost, doubled or moved one changes the hash.
#[derive(Debug)]
pub struct Pattern {
    block: Vec<u8>,
    position: u64,
    left: u64,
}

impl Pattern {
    /// The `bytes` first bytes of the stream that belongs to `random`.
    pub fn new(mut random: Random, bytes: u64) -> Self {
        let mut block = vec![0; BLOCK];
        random.fill(&mut block);
        Pattern {
            block,
            position: 0,
            left: bytes,
        }
    }

    /// The next block, shorter at the end of the stream.
    pub fn next_block(&mut self) -> Option<&[u8]> {
        let length = self.left.min(BLOCK as u64) as usize;
        self.block[..8].copy_from_slice(&self.position.to_le_bytes());
        self.position += length as u64;
        self.left -= length as u64;
        (length > 0).then(|| &self.block[..length])
    }

    /// SHA-256 of what is left of the stream.
    pub fn digest(mut self) -> String {
        let mut hash = Sha256::new();
        while let Some(block) = self.next_block() {
            hash.update(block);
        }
        hex(&hash.finalize())
    }
}

/// Sends the whole pattern at `rate` bytes per second and returns its SHA-256.
/// After a pause it catches up as fast as the connection allows.
///
/// # Errors
/// send's errno with the position reached.
pub fn send_paced(mut stream: &TcpStream, mut pattern: Pattern, rate: u64) -> Result<String> {
    let begin = Instant::now();
    let mut hash = Sha256::new();
    let mut sent = 0u64;
    while let Some(block) = pattern.next_block() {
        hash.update(block);
        stream
            .write_all(block)
            .with_context(|| format!("sending after {sent} bytes"))?;
        sent += block.len() as u64;
        let due = begin + Duration::from_secs_f64(sent as f64 / rate as f64);
        thread::sleep(due.saturating_duration_since(Instant::now()));
    }
    Ok(hex(&hash.finalize()))
}

/// What came out of a stream, and when.
#[derive(Debug, Clone, Default)]
pub struct Received {
    /// Bytes delivered.
    pub bytes: u64,
    /// SHA-256 of them.
    pub digest: String,
    /// When each delivery happened, and how many bytes had come by then.
    pub deliveries: Vec<(Instant, u64)>,
}

impl Received {
    /// The longest time without a delivery that has any part after `from` and
    /// begins before `until`.
    pub fn longest_gap(&self, from: Instant, until: Instant) -> Duration {
        self.deliveries
            .windows(2)
            .map(|pair| (pair[0].0, pair[1].0))
            .filter(|(begin, end)| *end > from && *begin < until)
            .map(|(begin, end)| end - begin)
            .max()
            .unwrap_or_default()
    }

    /// Bytes that came in each `step` from `begin` to `end`.
    pub fn curve(&self, begin: Instant, end: Instant, step: Duration) -> Vec<u64> {
        let length = (end - begin).as_nanos().div_ceil(step.as_nanos());
        let mut curve = vec![0; length as usize];
        let mut before = 0;
        for (at, total) in &self.deliveries {
            let index = at.saturating_duration_since(begin).as_nanos() / step.as_nanos();
            if let Some(bytes) = curve.get_mut(index as usize) {
                *bytes += total - before;
            }
            before = *total;
        }
        curve
    }
}

/// Reads until the peer finishes or something fails, handing every delivery to
/// `sink`; what had come by then is returned either way.
pub fn drain(
    mut stream: &TcpStream,
    mut sink: impl FnMut(&[u8]) -> io::Result<()>,
) -> (Received, io::Result<()>) {
    let mut buffer = vec![0; BLOCK];
    let mut received = Received::default();
    let end = loop {
        match stream.read(&mut buffer) {
            Ok(0) => break Ok(()),
            Ok(length) => {
                received.bytes += length as u64;
                received.deliveries.push((Instant::now(), received.bytes));
                if let Err(error) = sink(&buffer[..length]) {
                    break Err(error);
                }
            }
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => break Err(error),
        }
    };
    (received, end)
}

/// Reads until the peer finishes, telling `observe` the total after each delivery.
///
/// # Errors
/// recv's errno with the position reached.
pub fn receive_watched(stream: &TcpStream, mut observe: impl FnMut(u64)) -> Result<Received> {
    let mut hash = Sha256::new();
    let mut total = 0;
    let (mut received, end) = drain(stream, |bytes| {
        hash.update(bytes);
        total += bytes.len() as u64;
        observe(total);
        Ok(())
    });
    end.map_err(|error| stalled(error, received.bytes))?;
    received.digest = hex(&hash.finalize());
    Ok(received)
}

/// Reads until the peer finishes.
///
/// # Errors
/// recv's errno with the position reached.
pub fn receive(stream: &TcpStream) -> Result<Received> {
    receive_watched(stream, |_| {})
}

fn stalled(error: io::Error, bytes: u64) -> anyhow::Error {
    let what = if error.kind() == ErrorKind::WouldBlock {
        format!("nothing came for too long after {bytes} bytes")
    } else {
        format!("receiving after {bytes} bytes")
    };
    anyhow::Error::from(error).context(what)
}

/// Fails unless what came is what was sent.
///
/// # Errors
/// Says which of length and content differs.
pub fn expect_intact(received: &Received, bytes: u64, digest: &str) -> Result<()> {
    ensure!(
        received.bytes == bytes,
        "{} bytes came of {bytes}",
        received.bytes
    );
    ensure!(
        received.digest == digest,
        "SHA-256 of what came is {}, of what was sent {digest}",
        received.digest
    );
    Ok(())
}

/// Lower-case hexadecimal.
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn concatenated(bytes: u64) -> Vec<u8> {
        let mut pattern = Pattern::new(Random::new(3), bytes);
        let mut all = Vec::new();
        while let Some(block) = pattern.next_block() {
            all.extend_from_slice(block);
        }
        all
    }

    #[test]
    fn a_pattern_has_the_length_asked_for_and_no_equal_blocks() {
        let all = concatenated(3 * BLOCK as u64 + 5);
        assert_eq!(all.len(), 3 * BLOCK + 5);
        assert_ne!(all[..BLOCK], all[BLOCK..2 * BLOCK]);
        let digest = Pattern::new(Random::new(3), all.len() as u64).digest();
        assert_eq!(digest, hex(&Sha256::digest(&all)));
    }

    #[test]
    fn the_longest_gap_is_looked_for_around_the_move_only() {
        let start = Instant::now();
        let at = |ms| start + Duration::from_millis(ms);
        let received = Received {
            deliveries: vec![
                (at(0), 1),
                (at(10), 2),
                (at(90), 3),
                (at(100), 4),
                (at(300), 5),
            ],
            ..Received::default()
        };
        assert_eq!(
            received.longest_gap(at(20), at(95)),
            Duration::from_millis(80)
        );
        assert_eq!(
            received.longest_gap(at(95), at(99)),
            Duration::from_millis(10)
        );
        assert_eq!(
            received.longest_gap(at(0), at(400)),
            Duration::from_millis(200)
        );
    }

    #[test]
    fn a_curve_has_every_byte_in_its_step() {
        let start = Instant::now();
        let at = |ms| start + Duration::from_millis(ms);
        let received = Received {
            deliveries: vec![(at(0), 10), (at(99), 15), (at(100), 16), (at(250), 20)],
            ..Received::default()
        };
        let curve = received.curve(start, at(300), Duration::from_millis(100));
        assert_eq!(curve, [15, 1, 4]);
    }
}
