// SPDX-License-Identifier: GPL-2.0-only
//! One transfer of the file: the server's pace, and the client's copy with a
//! record of when which byte came.

use std::fs::File;
use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};

use crate::namespace::Task;
use crate::plan::Transport;
use crate::stream::Pair;
use crate::topology::Campus;
use crate::traffic::{drain, Received, BLOCK};

/// A connection that brings nothing for this long is not coming back.
const PATIENCE: Duration = Duration::from_secs(60);

/// A transfer that runs.
#[derive(Debug)]
pub(super) struct Download {
    /// The client's end, for questions.
    pub socket: TcpStream,
    copy: PathBuf,
    progress: Arc<AtomicU64>,
    task: Task<(Received, Option<String>)>,
}

/// A transfer that is over.
#[derive(Debug)]
pub(super) struct Outcome {
    /// Where the client wrote what came.
    pub copy: PathBuf,
    /// When which byte came.
    pub received: Received,
    /// Why it ended, unless by the server's FIN.
    pub end: Option<String>,
}

impl Download {
    /// Connects the campus's client to a server of `file` at `address`, which
    /// sends `rate` bytes per second.
    pub fn start(
        campus: &Campus,
        transport: Transport,
        address: SocketAddr,
        file: &Path,
        rate: u64,
        copy: String,
    ) -> Result<Self> {
        let pair = Pair::connect(transport, &campus.client, &campus.server, address)?;
        pair.client.set_read_timeout(Some(PATIENCE))?;
        let file = file.to_owned();
        // The thread ends with its connection, at the latest with the process.
        thread::spawn(move || serve(&pair.server, &file, rate));
        let progress = Arc::new(AtomicU64::new(0));
        let socket = pair.client.try_clone()?;
        let copy = PathBuf::from(copy);
        let task = {
            let (copy, progress) = (copy.clone(), Arc::clone(&progress));
            campus
                .client
                .spawn(move || fetch(&pair.client, &copy, &progress))?
        };
        Ok(Download {
            socket,
            copy,
            progress,
            task,
        })
    }

    /// Bytes that have come so far.
    pub fn progress(&self) -> u64 {
        self.progress.load(Ordering::Acquire)
    }

    /// Whether nothing more will come.
    pub fn is_over(&self) -> bool {
        self.task.is_finished()
    }

    /// Waits for the end of the transfer.
    ///
    /// # Errors
    /// When the transfer broke.
    pub fn finish(self) -> Result<Outcome> {
        let (received, end) = self.task.join()?;
        Ok(Outcome {
            copy: self.copy,
            received,
            end,
        })
    }

    /// Ends the transfer wherever it is.
    ///
    /// # Errors
    /// When the copy could not be written.
    pub fn give_up(self) -> Result<Outcome> {
        // A connection that has failed cannot be shut down, and need not be.
        let _ = self.socket.shutdown(Shutdown::Both);
        self.finish()
    }
}

/// Sends the file at `rate` bytes per second and finishes. After a pause it
/// catches up as fast as the connection allows.
fn serve(mut stream: &TcpStream, path: &Path, rate: u64) -> Result<()> {
    let mut file = File::open(path)?;
    let mut block = vec![0; BLOCK];
    let begin = Instant::now();
    let mut sent = 0u64;
    loop {
        let length = file.read(&mut block)?;
        if length == 0 {
            break;
        }
        stream
            .write_all(&block[..length])
            .context("sending the file")?;
        sent += length as u64;
        let due = begin + Duration::from_secs_f64(sent as f64 / rate as f64);
        thread::sleep(due.saturating_duration_since(Instant::now()));
    }
    stream.shutdown(Shutdown::Write)?;
    Ok(())
}

fn fetch(
    stream: &TcpStream,
    copy: &Path,
    progress: &AtomicU64,
) -> Result<(Received, Option<String>)> {
    let mut file = File::create(copy)?;
    let (received, end) = drain(stream, |bytes| {
        progress.fetch_add(bytes.len() as u64, Ordering::AcqRel);
        file.write_all(bytes)
    });
    Ok((received, end.err().map(|error| error.to_string())))
}
