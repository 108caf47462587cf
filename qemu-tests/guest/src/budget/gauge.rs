// SPDX-License-Identifier: GPL-2.0-only
//! A paced stream in both directions of a connection, and when what came.
//!
//! Each direction carries one small message every few milliseconds. A message
//! says when it was sent, so that the receiver knows which came across a
//! change of the network and which had been on its way before.

use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use anyhow::Result;
use rustix::net::sockopt::{set_socket_linger, set_tcp_nodelay};

use crate::stream::Pair;

/// Time from message to message.
pub const INTERVAL: Duration = Duration::from_millis(5);
/// Bytes of a message.
const MESSAGE: usize = 64;

/// One delivery of a direction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Delivery {
    /// When the receiver had it.
    pub at: Instant,
    /// When the newest message in it was sent.
    pub sent: Instant,
}

/// Everything that a direction delivered until now.
#[derive(Debug, Clone, Default)]
pub(super) struct Record {
    /// In the order in which they came.
    pub deliveries: Vec<Delivery>,
    /// When and why either end of it was told that the connection is over.
    pub end: Option<(Instant, String)>,
}

impl Record {
    /// The longest time without a delivery that has any part between `from`
    /// and `until`.
    pub fn longest_gap(&self, from: Instant, until: Instant) -> Duration {
        let arrivals = self.deliveries.iter().map(|delivery| delivery.at);
        let mut last = None;
        let mut longest = Duration::ZERO;
        for at in arrivals.chain([until]) {
            if let Some(last) = last.filter(|last| *last < until && at > from) {
                longest = longest.max(at - last);
            }
            last = Some(at);
        }
        longest
    }

    /// When the first delivery after `moment` came.
    pub fn first_after(&self, moment: Instant) -> Option<Instant> {
        self.deliveries
            .iter()
            .map(|delivery| delivery.at)
            .find(|at| *at >= moment)
    }

    /// Whether a message has come that was sent after `moment`.
    pub fn carried_since(&self, moment: Instant) -> bool {
        self.deliveries
            .last()
            .is_some_and(|delivery| delivery.sent >= moment)
    }
}

type Shared = Arc<Mutex<Record>>;

/// A connection whose two directions are measured.
#[derive(Debug)]
pub(super) struct Gauge {
    client: End,
    server: Option<End>,
    records: [Shared; 2],
}

/// One end: a thread that sends and a thread that receives.
#[derive(Debug)]
struct End {
    socket: TcpStream,
    stop: Arc<AtomicBool>,
    threads: [JoinHandle<()>; 2],
}

impl Gauge {
    /// Starts both directions.
    ///
    /// # Errors
    /// When a socket cannot be duplicated or does not take an option.
    pub fn start(pair: Pair) -> Result<Self> {
        let epoch = Instant::now();
        let up = Shared::default();
        let down = Shared::default();
        Ok(Gauge {
            client: End::start(pair.client, epoch, Some(&up), &down)?,
            server: Some(End::start(pair.server, epoch, None, &up)?),
            records: [up, down],
        })
    }

    /// What has happened until now, from client to server and back.
    pub fn records(&self) -> [Record; 2] {
        [&self.records[0], &self.records[1]].map(|record| locked(record).clone())
    }

    /// Looks at both directions without copying them.
    pub fn both(&self, test: impl Fn(&Record) -> bool) -> bool {
        self.records.iter().all(|record| test(&locked(record)))
    }

    /// Whether the client was told that the connection is over.
    pub fn is_over(&self) -> bool {
        self.records
            .iter()
            .any(|record| locked(record).end.is_some())
    }

    /// Takes the server's end away, as a power failure does: it must not be
    /// able to send any more.
    pub fn kill_server(&mut self) {
        if let Some(server) = self.server.take() {
            server.abort();
        }
    }

    /// Ends the connection wherever it is.
    pub fn abort(mut self) {
        self.kill_server();
        self.client.abort();
    }
}

impl End {
    /// The record of a direction gets the errors that its client sees.
    fn start(
        socket: TcpStream,
        epoch: Instant,
        outgoing: Option<&Shared>,
        incoming: &Shared,
    ) -> Result<Self> {
        // Small messages must not wait for acknowledgements of others.
        set_tcp_nodelay(&socket, true)?;
        let stop = Arc::new(AtomicBool::new(false));
        let is_client = outgoing.is_some();
        let sender = {
            let (socket, stop) = (socket.try_clone()?, Arc::clone(&stop));
            let record = outgoing.cloned();
            thread::spawn(move || send(&socket, epoch, &stop, record.as_ref()))
        };
        let receiver = {
            let (socket, stop) = (socket.try_clone()?, Arc::clone(&stop));
            let record = Arc::clone(incoming);
            thread::spawn(move || receive(&socket, epoch, &stop, &record, is_client))
        };
        Ok(End {
            socket,
            stop,
            threads: [sender, receiver],
        })
    }

    fn abort(self) {
        self.stop.store(true, Ordering::Release);
        // A connection that has ended cannot be shut down, and need not be.
        let _ = set_socket_linger(&self.socket, Some(Duration::ZERO));
        let _ = self.socket.shutdown(Shutdown::Both);
        for thread in self.threads {
            let _ = thread.join();
        }
    }
}

fn locked(record: &Shared) -> std::sync::MutexGuard<'_, Record> {
    record.lock().unwrap_or_else(PoisonError::into_inner)
}

fn note_end(record: &Shared, why: String) {
    locked(record).end.get_or_insert((Instant::now(), why));
}

fn send(mut socket: &TcpStream, epoch: Instant, stop: &AtomicBool, record: Option<&Shared>) {
    let mut message = [0; MESSAGE];
    let mut due = Instant::now();
    while !stop.load(Ordering::Acquire) {
        let now = Instant::now();
        let stamp = (now - epoch).as_nanos() as u64;
        message[..8].copy_from_slice(&stamp.to_le_bytes());
        if let Err(error) = socket.write_all(&message) {
            if let Some(record) = record.filter(|_| !stop.load(Ordering::Acquire)) {
                note_end(record, error.to_string());
            }
            return;
        }
        due += INTERVAL;
        thread::sleep(due.saturating_duration_since(Instant::now()));
    }
}

fn receive(
    mut socket: &TcpStream,
    epoch: Instant,
    stop: &AtomicBool,
    record: &Shared,
    is_client: bool,
) {
    let mut stream = Vec::new();
    let mut buffer = vec![0; 256 * MESSAGE];
    loop {
        let outcome = socket.read(&mut buffer);
        if stop.load(Ordering::Acquire) {
            return;
        }
        let why = match outcome {
            Ok(0) => "the peer closed".to_owned(),
            Ok(length) => {
                stream.extend_from_slice(&buffer[..length]);
                if let Some(sent) = newest(&mut stream) {
                    let delivery = Delivery {
                        at: Instant::now(),
                        sent: epoch + Duration::from_nanos(sent),
                    };
                    locked(record).deliveries.push(delivery);
                }
                continue;
            }
            Err(error) if error.kind() == ErrorKind::Interrupted => continue,
            Err(error) => error.to_string(),
        };
        if is_client {
            note_end(record, why);
        }
        return;
    }
}

/// The stamp of the last whole message; whole messages are taken away.
fn newest(stream: &mut Vec<u8>) -> Option<u64> {
    let whole = stream.len() / MESSAGE * MESSAGE;
    let last = stream.get(whole.checked_sub(MESSAGE)?..whole)?;
    let stamp = u64::from_le_bytes(last[..8].try_into().ok()?);
    stream.drain(..whole);
    Some(stamp)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(arrivals: &[u64]) -> (Instant, Record) {
        let start = Instant::now();
        let deliveries = arrivals
            .iter()
            .map(|ms| Delivery {
                at: start + Duration::from_millis(*ms),
                sent: start + Duration::from_millis(ms.saturating_sub(10)),
            })
            .collect();
        let record = Record {
            deliveries,
            end: None,
        };
        (start, record)
    }

    #[test]
    fn a_gap_counts_from_before_the_change_to_after_it() {
        let (start, record) = record(&[0, 5, 10, 90, 95, 300]);
        let at = |ms| start + Duration::from_millis(ms);
        let gap = |from, until| record.longest_gap(at(from), at(until)).as_millis();
        assert_eq!(gap(12, 95), 80);
        assert_eq!(gap(91, 95), 5);
        assert_eq!(gap(0, 400), 205);
        assert_eq!(gap(301, 900), 600);
    }

    #[test]
    fn what_was_on_its_way_before_the_change_proves_nothing() {
        let (start, record) = record(&[0, 20]);
        assert!(record.carried_since(start + Duration::from_millis(10)));
        assert!(!record.carried_since(start + Duration::from_millis(11)));
        let after = record.first_after(start + Duration::from_millis(1));
        assert_eq!(after, Some(start + Duration::from_millis(20)));
    }

    #[test]
    fn messages_are_found_in_a_stream_cut_anywhere() {
        let mut stream = vec![0; MESSAGE - 1];
        assert_eq!(newest(&mut stream), None);
        stream.push(0);
        stream.extend_from_slice(&7u64.to_le_bytes());
        stream.resize(2 * MESSAGE + 3, 0);
        assert_eq!(newest(&mut stream), Some(7));
        assert_eq!(stream.len(), 3);
    }
}
