// SPDX-License-Identifier: GPL-2.0-only
//! Two ends of a bundle with their rings, and pipes that stand for the members' transports.

use std::collections::VecDeque;

use eccp_core::bundle::{Bundle, MemberIndex, Room, Scheduler, Violation, Want, MAX_MEMBERS};
use eccp_core::sim::Rng;
use eccp_core::time::{Duration, Instant};

/// Byte `n` of the stream that end `end` sends.
pub fn byte(end: usize, n: u64) -> u8 {
    let mixed = n.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ (n >> 9) ^ end as u64;
    (mixed >> 24) as u8
}

/// A bundle without members.
pub fn opened(scheduler: Scheduler, capacity: u64) -> Bundle {
    let mut bundle = Bundle::EMPTY;
    bundle.open(scheduler, capacity);
    bundle
}

/// One end: the bundle and the bytes that its host keeps.
pub struct End {
    pub bundle: Bundle,
    send: Vec<u8>,
    receive: Vec<u8>,
    /// How much of the peer's stream was read and found right.
    pub read: u64,
}

/// A reliable transport in both directions until it is cut.
pub struct Pipe {
    pub index: [MemberIndex; 2],
    /// What waits to be read at the other end of each end.
    queues: [VecDeque<u8>; 2],
    room: usize,
}

pub struct World {
    pub rng: Rng,
    pub now: Instant,
    pub ends: [End; 2],
    pub pipes: Vec<Pipe>,
}

impl World {
    pub fn new(seed: u64, scheduler: Scheduler, ring: usize) -> Self {
        let end = || End {
            bundle: opened(scheduler, ring as u64),
            send: vec![0; ring],
            receive: vec![0; ring],
            read: 0,
        };
        Self {
            rng: Rng::new(seed),
            now: Instant(0),
            ends: [end(), end()],
            pipes: Vec::new(),
        }
    }

    /// A new member whose transport holds `room` bytes in each direction.
    pub fn connect(&mut self, room: usize) {
        let mut add = |end: usize| self.ends[end].bundle.add_member().expect("room");
        let index = [add(0), add(1)];
        self.pipes.push(Pipe {
            index,
            queues: [VecDeque::new(), VecDeque::new()],
            room,
        });
    }

    /// A member dies, with all that was on its way but the first `kept` bytes of each direction.
    pub fn cut(&mut self, at: usize, kept: usize) -> Result<(), Violation> {
        for queue in &mut self.pipes[at].queues {
            queue.truncate(kept);
        }
        for end in 0..2 {
            while self.read(end, at)? {}
        }
        let pipe = self.pipes.remove(at);
        for (end, index) in self.ends.iter_mut().zip(pipe.index) {
            end.bundle.remove_member(index);
        }
        Ok(())
    }

    /// The user of an end gives as much as there is room for, up to number `to`.
    pub fn give(&mut self, from: usize, to: u64) {
        let end = &mut self.ends[from];
        let ring = end.send.len() as u64;
        let room = ring - end.bundle.sender.kept().min(ring);
        let first = end.bundle.sender.given();
        let n = room.min(to - first);
        for number in first..first + n {
            end.send[(number % ring) as usize] = byte(from, number);
        }
        end.bundle.sender.give(n);
    }

    /// The user of an end reads up to `most` bytes and compares them.
    pub fn consume(&mut self, at: usize, most: u64) {
        let end = &mut self.ends[at];
        let (first, n) = end.bundle.receiver.readable();
        let n = n.min(most);
        assert_eq!(first, end.read);
        for number in first..first + n {
            let got = end.receive[(number % end.receive.len() as u64) as usize];
            assert_eq!(got, byte(1 - at, number), "byte {number} of end {}", 1 - at);
        }
        end.bundle.receiver.consume(n);
        end.read += n;
    }

    /// One read of end `at` from a pipe; false if there was nothing.
    fn read(&mut self, at: usize, pipe: usize) -> Result<bool, Violation> {
        let pipe = &mut self.pipes[pipe];
        let (index, queue) = (pipe.index[at], &mut pipe.queues[1 - at]);
        let end = &mut self.ends[at];
        let want = end.bundle.want(index)?;
        let (Want::Header(most) | Want::Known(most) | Want::Data { len: most, .. }) = want;
        let limit = 1 + self.rng.below(40_000) as usize;
        let n = most.min(queue.len()).min(limit);
        if n == 0 {
            return Ok(false);
        }
        let bytes: Vec<u8> = queue.drain(..n).collect();
        match want {
            Want::Header(_) => end.bundle.took_header(index, &bytes)?,
            Want::Known(_) => end.bundle.took(index, n)?,
            Want::Data { dsn, .. } => {
                for (number, byte) in (dsn..).zip(bytes) {
                    let ring = end.receive.len() as u64;
                    end.receive[(number % ring) as usize] = byte;
                }
                end.bundle.took(index, n)?;
            }
        }
        Ok(true)
    }

    /// Writes what fits of what a member is to take.
    fn write(&mut self, at: usize, pipe: usize) {
        let pipe = &mut self.pipes[pipe];
        let (index, queue) = (pipe.index[at], &mut pipe.queues[at]);
        let end = &mut self.ends[at];
        let Some(piece) = end.bundle.piece(index) else {
            return;
        };
        let ring = end.send.len() as u64;
        let data = (piece.dsn..).take(piece.len);
        let data = data.map(|number| end.send[(number % ring) as usize]);
        let room = pipe.room - queue.len().min(pipe.room);
        let fits: Vec<u8> = (piece.header.iter().copied())
            .chain(data)
            .take(room)
            .collect();
        end.bundle.wrote(index, fits.len());
        queue.extend(fits);
    }

    /// Everything that one end can do now.
    pub fn turn(&mut self, at: usize) -> Result<(), Violation> {
        for pipe in 0..self.pipes.len() {
            while self.rng.chance(800) && self.read(at, pipe)? {}
            self.write(at, pipe);
        }
        self.ends[at].bundle.note_progress(self.now);
        loop {
            let mut room: Room = [None; MAX_MEMBERS];
            for pipe in &self.pipes {
                let rtt = Duration(1 + pipe.room as u64);
                let free = pipe.queues[at].len() < pipe.room;
                room[usize::from(pipe.index[at])] = free.then_some(rtt);
            }
            let Some(to) = self.ends[at].bundle.poll(self.now, &room) else {
                return Ok(());
            };
            let pipe = self.pipes.iter().position(|pipe| pipe.index[at] == to);
            self.write(at, pipe.expect("named"));
        }
    }
}
