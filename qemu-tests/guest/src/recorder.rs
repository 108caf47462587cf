// SPDX-License-Identifier: GPL-2.0-only
//! Records what two hosts send and receive, and lets the acceptor of the models judge it
//! (docs/trace.md). Every record that was accepted is then falsified, and must be refused.

use std::collections::HashMap;
use std::fs;
use std::io;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use anyhow::{bail, ensure, Context, Result};

use crate::judge::acceptor::{Acceptor, Patience, Violation};
use crate::judge::forgery::FORGERIES;
use crate::judge::pcap::eccp;
use crate::judge::trace::{self, Place, Record, Side, Sorter};
use crate::namespace::{Namespace, Task};
use crate::stage::Stage;

/// Bytes kept of a packet: all of a control packet, the start of one with data.
const SNAP: usize = 1024;
/// Packets taken from the kernel at a time.
const BATCH: usize = 64;
/// Bytes that the kernel may hold until they are taken.
const QUEUE: i32 = 16 << 20;
/// How often a recorder with nothing to do looks whether it should end.
const REST: Duration = Duration::from_millis(50);
/// The time between the capture, which is below the module, and the module.
const LAG: Duration = Duration::from_millis(250);
/// How soon an answer must be sent on a quiet machine.
const ANSWER: Duration = Duration::from_secs(3);
/// Fewer records than this are not a connection that has moved.
const FEWEST: usize = 20;
/// A trace with a move in it can be falsified in more ways than this.
const FEWEST_FORGERIES: usize = 6;

/// One captured packet.
#[derive(Debug)]
struct Captured {
    /// Microseconds.
    time: u64,
    bytes: Vec<u8>,
}

/// The two captures of a scenario while they run.
#[derive(Debug)]
pub struct Recorder {
    over: Arc<AtomicBool>,
    hosts: Vec<(Side, Task<Capture>)>,
}

/// What one host has sent and received, in order of time.
type Capture = Vec<Captured>;

impl Recorder {
    /// Starts to record on all interfaces of both hosts.
    ///
    /// # Errors
    /// When the kernel gives no packet socket.
    pub fn start(client: &Namespace, server: &Namespace) -> Result<Self> {
        let over = Arc::new(AtomicBool::new(false));
        let hosts = [(Side::Client, client), (Side::Server, server)]
            .into_iter()
            .map(|(side, host)| {
                let socket = host.run(open)?;
                let over = Arc::clone(&over);
                Ok((side, host.spawn(move || capture(&socket, &over))?))
            })
            .collect::<Result<_>>()?;
        Ok(Recorder { over, hosts })
    }

    /// Ends the recording, keeps it as the artifact `trace.jsonl`, and fails unless the acceptor accepts it
    /// as it is and refuses it in every falsified form.
    ///
    /// # Errors
    /// Names the rule that was broken, or the forgery that was accepted.
    pub fn judge(self, stage: &Stage) -> Result<()> {
        let records = self.finish()?;
        fs::write(
            stage.artifact("trace.jsonl")?,
            trace::write(&outline(&records)),
        )?;
        ensure!(
            records.len() >= FEWEST,
            "only {} packets were recorded",
            records.len()
        );
        let patience = Patience {
            lag: stage.patience(LAG).as_micros() as u64,
            answer: stage.patience(ANSWER).as_micros() as u64,
        };
        let found = violations(patience, &records);
        if let Some(first) = found.first() {
            let before = records.get(..=first.at).unwrap_or(&records);
            fs::write(stage.artifact("refused.jsonl")?, trace::write(before))?;
            bail!(
                "the acceptor refuses {} records, first by {}: {}",
                found.len(),
                first.rule,
                first.what
            );
        }
        let refused = falsify(patience, &records)?;
        stage.measure("records_accepted", records.len());
        stage.measure("forgeries_refused", refused);
        Ok(())
    }

    fn finish(self) -> Result<Vec<Record>> {
        self.over.store(true, Ordering::Release);
        let mut packets = Vec::new();
        for (side, capture) in self.hosts {
            packets.extend(capture.join()?.into_iter().map(|packet| (side, packet)));
        }
        packets.sort_by_key(|(_, packet)| packet.time);
        let mut sorter = Sorter::default();
        let records = packets
            .iter()
            .filter_map(|(side, packet)| Some((side, eccp(packet.time, &packet.bytes)?)))
            .flat_map(|(side, seen)| sorter.sort(Place::At(*side), &seen))
            .collect();
        ensure!(
            sorter.malformed == 0 && sorter.unknown == 0,
            "{} packets are malformed, {} belong to no connection that was seen",
            sorter.malformed,
            sorter.unknown
        );
        Ok(records)
    }
}

fn violations(patience: Patience, records: &[Record]) -> Vec<Violation> {
    let mut acceptor = Acceptor::new(patience);
    records.iter().for_each(|record| acceptor.read(record));
    acceptor.finish(true)
}

/// How many falsified forms of the trace are refused; all must be.
fn falsify(patience: Patience, records: &[Record]) -> Result<usize> {
    let records = outline(records);
    let mut refused = 0;
    for forgery in FORGERIES.iter().filter(|forgery| forgery.timeless) {
        let mut forged = records.clone();
        if !(forgery.forge)(&mut forged) {
            continue;
        }
        let found = violations(patience, &forged);
        ensure!(
            found.iter().any(|violation| violation.rule == forgery.rule),
            "the acceptor does not see that {}",
            forgery.what
        );
        refused += 1;
    }
    ensure!(
        refused >= FEWEST_FORGERIES,
        "only {refused} forgeries fit this trace"
    );
    Ok(refused)
}

/// Every control packet, and of each run of data packets along one path the first and the last.
fn outline(records: &[Record]) -> Vec<Record> {
    let path = |at: usize| {
        let record = &records[at];
        (record.kind == "DATA", record.src, record.dst, record.ports)
    };
    let mut kept = vec![true; records.len()];
    let mut runs: HashMap<(Side, trace::Event), (usize, Option<usize>)> = HashMap::new();
    for (at, record) in records.iter().enumerate() {
        let (first, last) = runs
            .entry((record.host, record.event))
            .or_insert((at, None));
        if *first != at && record.kind == "DATA" && path(*first) == path(at) {
            if let Some(inner) = last.replace(at) {
                kept[inner] = false;
            }
        } else {
            (*first, *last) = (at, None);
        }
    }
    let chosen = records.iter().zip(kept).filter(|(_, kept)| *kept);
    chosen.map(|(record, _)| record.clone()).collect()
}

/// A packet socket on all interfaces of the current namespace, with the kernel's own times.
fn open() -> Result<OwnedFd> {
    let all = (libc::ETH_P_ALL as u16).to_be();
    // SAFETY: socket() takes no pointers, and its result is checked before it is owned.
    let socket = unsafe {
        let kind = libc::SOCK_DGRAM | libc::SOCK_CLOEXEC | libc::SOCK_NONBLOCK;
        let fd = libc::socket(libc::AF_PACKET, kind, i32::from(all));
        if fd < 0 {
            return Err(io::Error::last_os_error()).context("packet socket");
        }
        OwnedFd::from_raw_fd(fd)
    };
    for (option, value) in [(libc::SO_TIMESTAMPNS, 1), (libc::SO_RCVBUFFORCE, QUEUE)] {
        // SAFETY: the pointer and the length are those of a live integer.
        let result = unsafe {
            libc::setsockopt(
                socket.as_raw_fd(),
                libc::SOL_SOCKET,
                option,
                (&raw const value).cast(),
                size_of::<i32>() as u32,
            )
        };
        ensure!(
            result == 0,
            "option {option}: {}",
            io::Error::last_os_error()
        );
    }
    cut(&socket)?;
    Ok(socket)
}

/// Makes the kernel keep no more than [`SNAP`] bytes of a packet.
fn cut(socket: &OwnedFd) -> Result<()> {
    let mut program = [libc::sock_filter {
        code: (libc::BPF_RET | libc::BPF_K) as u16,
        jt: 0,
        jf: 0,
        k: SNAP as u32,
    }];
    let filter = libc::sock_fprog {
        len: 1,
        filter: program.as_mut_ptr(),
    };
    // SAFETY: the program lives until the kernel has copied it, and is as long as it says.
    let result = unsafe {
        libc::setsockopt(
            socket.as_raw_fd(),
            libc::SOL_SOCKET,
            libc::SO_ATTACH_FILTER,
            (&raw const filter).cast(),
            size_of_val(&filter) as u32,
        )
    };
    ensure!(result == 0, "socket filter: {}", io::Error::last_os_error());
    Ok(())
}

/// Takes packets until `over` is set and none is left.
fn capture(socket: &OwnedFd, over: &AtomicBool) -> Result<Capture> {
    let mut packets = Vec::new();
    let mut space = vec![Space::default(); BATCH];
    loop {
        let ending = over.load(Ordering::Acquire);
        while receive(socket, &mut space, &mut packets)? > 0 {}
        if ending {
            break;
        }
        thread::sleep(REST);
    }
    ensure!(
        lost(socket)? == 0,
        "the recorder was too slow for the packets"
    );
    Ok(packets)
}

/// Room for one packet and what the kernel says about it.
#[derive(Clone)]
#[repr(align(8))]
struct Space {
    control: [u8; 64],
    bytes: [u8; SNAP],
}

impl Default for Space {
    fn default() -> Self {
        Space {
            control: [0; 64],
            bytes: [0; SNAP],
        }
    }
}

/// Takes what is there, up to a batch; how many packets that were.
fn receive(socket: &OwnedFd, space: &mut [Space], packets: &mut Capture) -> Result<usize> {
    let mut vectors: Vec<libc::iovec> = space
        .iter_mut()
        .map(|space| libc::iovec {
            iov_base: space.bytes.as_mut_ptr().cast(),
            iov_len: SNAP,
        })
        .collect();
    let mut messages: Vec<libc::mmsghdr> = vectors
        .iter_mut()
        .zip(space.iter_mut())
        .map(|(vector, space)| {
            // SAFETY: an all-zero mmsghdr is a valid value of the C struct.
            let mut message: libc::mmsghdr = unsafe { std::mem::zeroed() };
            message.msg_hdr.msg_iov = vector;
            message.msg_hdr.msg_iovlen = 1;
            message.msg_hdr.msg_control = space.control.as_mut_ptr().cast();
            message.msg_hdr.msg_controllen = space.control.len();
            message
        })
        .collect();
    // SAFETY: every message points to buffers of the stated lengths that outlive the call.
    let count = unsafe {
        libc::recvmmsg(
            socket.as_raw_fd(),
            messages.as_mut_ptr(),
            messages.len() as u32,
            libc::MSG_DONTWAIT,
            std::ptr::null_mut(),
        )
    };
    if count < 0 {
        let error = io::Error::last_os_error();
        return match error.kind() {
            io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted => Ok(0),
            // An interface went down under the socket, which other interfaces still use.
            io::ErrorKind::NetworkDown => Ok(0),
            _ => Err(error).context("packet socket"),
        };
    }
    let count = count as usize;
    for message in &messages[..count] {
        let time = time_of(&message.msg_hdr).context("a packet without a time")?;
        // SAFETY: the kernel has filled this many bytes of the buffer.
        let bytes = unsafe {
            std::slice::from_raw_parts(
                (*message.msg_hdr.msg_iov).iov_base.cast::<u8>(),
                (message.msg_len as usize).min(SNAP),
            )
        };
        packets.push(Captured {
            time,
            bytes: bytes.to_vec(),
        });
    }
    Ok(count)
}

/// When the kernel saw a packet, in microseconds.
fn time_of(header: &libc::msghdr) -> Option<u64> {
    // SAFETY: the header's control buffer was filled by recvmmsg, and the macros stay inside it.
    unsafe {
        let mut message = libc::CMSG_FIRSTHDR(header);
        while let Some(found) = message.as_ref() {
            if (found.cmsg_level, found.cmsg_type) == (libc::SOL_SOCKET, libc::SCM_TIMESTAMPNS) {
                let time = libc::CMSG_DATA(message)
                    .cast::<libc::timespec>()
                    .read_unaligned();
                return Some(time.tv_sec as u64 * 1_000_000 + time.tv_nsec as u64 / 1_000);
            }
            message = libc::CMSG_NXTHDR(header, message);
        }
    }
    None
}

/// How many packets the kernel had no room for.
fn lost(socket: &OwnedFd) -> Result<u32> {
    let mut statistics = libc::tpacket_stats {
        tp_packets: 0,
        tp_drops: 0,
    };
    let mut length = size_of_val(&statistics) as u32;
    // SAFETY: the pointer and the length are those of a live tpacket_stats.
    let result = unsafe {
        libc::getsockopt(
            socket.as_raw_fd(),
            libc::SOL_PACKET,
            libc::PACKET_STATISTICS,
            (&raw mut statistics).cast(),
            &raw mut length,
        )
    };
    ensure!(
        result == 0,
        "packet statistics: {}",
        io::Error::last_os_error()
    );
    Ok(statistics.tp_drops)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(time: u64, host: Side, kind: &str, dst: u8) -> Record {
        Record {
            time,
            host,
            event: trace::Event::Sent,
            flow: "01".into(),
            kind: kind.into(),
            version: None,
            src: [10, 0, 0, 1].into(),
            dst: [10, 0, 0, dst].into(),
            ports: None,
            token: None,
            echo: None,
        }
    }

    #[test]
    fn an_outline_keeps_the_ends_of_runs_and_all_control_packets() {
        let client = Side::Client;
        let records = [
            record(0, client, "SYN", 2),
            record(1, client, "DATA", 2),
            record(2, Side::Server, "DATA", 2),
            record(3, client, "DATA", 2),
            record(4, client, "DATA", 2),
            record(5, client, "RSYN", 2),
            record(6, client, "RSYN", 2),
            record(7, client, "DATA", 2),
            record(8, client, "DATA", 3),
        ];
        let times: Vec<u64> = outline(&records).iter().map(|record| record.time).collect();
        assert_eq!(times, [0, 1, 2, 4, 5, 6, 7, 8]);
    }
}
