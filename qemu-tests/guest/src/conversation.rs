// SPDX-License-Identifier: GPL-2.0-only
//! Traffic on one connection that goes on while a scenario changes the network.

use std::net::{Shutdown, TcpStream};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use anyhow::{anyhow, ensure, Context, Result};

use crate::random::Random;
use crate::stream::Pair;
use crate::traffic::{expect_intact, receive_watched, send_paced, Pattern, Received};

/// What one direction is to carry.
#[derive(Debug, Clone, Copy)]
pub struct Load {
    /// Bytes in all.
    pub bytes: u64,
    /// Bytes per second, so that the network can change on the way.
    pub rate: u64,
}

impl Load {
    /// `mebibytes` in about `seconds`.
    pub const fn over(mebibytes: u64, seconds: u64) -> Self {
        Load {
            bytes: mebibytes << 20,
            rate: (mebibytes << 20) / seconds,
        }
    }
}

/// Both directions of a connection under load.
#[derive(Debug)]
pub struct Conversation {
    /// The connection's ends, for questions and commands.
    pub pair: Pair,
    down: Option<Direction>,
    up: Option<Direction>,
}

/// What came of a conversation.
#[derive(Debug)]
pub struct Outcome {
    /// What the client received.
    pub down: Option<Received>,
    /// What the server received.
    pub up: Option<Received>,
}

impl Conversation {
    /// Starts the given loads, from server to client and from client to
    /// server. Each direction is closed by its sender at its end; one without
    /// a load is not touched.
    ///
    /// # Errors
    /// When the sockets cannot be duplicated or given a time limit.
    pub fn start(
        pair: Pair,
        random: &Random,
        down: Option<Load>,
        up: Option<Load>,
        patience: Duration,
    ) -> Result<Self> {
        for end in [&pair.client, &pair.server] {
            end.set_read_timeout(Some(patience))?;
            end.set_write_timeout(Some(patience))?;
        }
        let start = |name: &str, load: Option<Load>, from: &TcpStream, to: &TcpStream| {
            load.map(|load| Direction::start(load, random.fork(name), from, to))
                .transpose()
        };
        let down = start("down", down, &pair.server, &pair.client)?;
        let up = start("up", up, &pair.client, &pair.server)?;
        Ok(Conversation { pair, down, up })
    }

    /// Waits until `bytes` bytes have come to the client.
    ///
    /// # Errors
    /// When the transfer ends before.
    pub fn wait_for_down(&self, bytes: u64) -> Result<Instant> {
        self.down
            .as_ref()
            .context("there is no load")?
            .wait_for(bytes)
    }

    /// Waits until `bytes` bytes have come to the server.
    ///
    /// # Errors
    /// When the transfer ends before.
    pub fn wait_for_up(&self, bytes: u64) -> Result<Instant> {
        self.up
            .as_ref()
            .context("there is no load")?
            .wait_for(bytes)
    }

    /// Breaks the connection off with data on its way, and waits until no
    /// thread uses it any more.
    pub fn abandon(self) {
        for end in [&self.pair.client, &self.pair.server] {
            // One that has ended by itself need not be shut down.
            let _ = end.shutdown(Shutdown::Both);
        }
        for direction in [self.down, self.up].into_iter().flatten() {
            // That the streams broke is what was asked for.
            let _ = direction.sender.join();
            let _ = direction.receiver.join();
        }
    }

    /// Waits for the end of both directions and compares what came with what
    /// was sent.
    ///
    /// # Errors
    /// Names the direction that broke or carried something else.
    pub fn finish(self) -> Result<Outcome> {
        let end = |direction: Option<Direction>, name: &'static str| {
            direction
                .map(|direction| direction.finish().context(name))
                .transpose()
        };
        Ok(Outcome {
            down: end(self.down, "from server to client")?,
            up: end(self.up, "from client to server")?,
        })
    }
}

#[derive(Debug)]
struct Direction {
    bytes: u64,
    progress: Arc<AtomicU64>,
    sender: JoinHandle<Result<String>>,
    receiver: JoinHandle<Result<Received>>,
}

impl Direction {
    fn start(load: Load, random: Random, from: &TcpStream, to: &TcpStream) -> Result<Self> {
        let (from, to) = (from.try_clone()?, to.try_clone()?);
        let progress = Arc::new(AtomicU64::new(0));
        let seen = Arc::clone(&progress);
        Ok(Direction {
            bytes: load.bytes,
            progress,
            sender: thread::spawn(move || {
                let digest = send_paced(&from, Pattern::new(random, load.bytes), load.rate)?;
                from.shutdown(Shutdown::Write).context("shutdown")?;
                Ok(digest)
            }),
            receiver: thread::spawn(move || {
                receive_watched(&to, |total| seen.store(total, Ordering::Release))
            }),
        })
    }

    fn wait_for(&self, bytes: u64) -> Result<Instant> {
        while self.progress.load(Ordering::Acquire) < bytes {
            let over = self.receiver.is_finished();
            let total = self.progress.load(Ordering::Acquire);
            ensure!(
                !over || total >= bytes,
                "the transfer ended after {total} bytes, before {bytes} had come"
            );
            thread::sleep(Duration::from_millis(5));
        }
        Ok(Instant::now())
    }

    fn finish(self) -> Result<Received> {
        let panicked = |_| anyhow!("a thread of the conversation panicked");
        // The receiver first: it says where a broken transfer stopped.
        let received = self.receiver.join().map_err(panicked)??;
        let digest = self.sender.join().map_err(panicked)??;
        expect_intact(&received, self.bytes, &digest)?;
        Ok(received)
    }
}
