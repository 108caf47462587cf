// SPDX-License-Identifier: GPL-2.0
//! Bytes between the rings and the members.

use super::{Bundle, State};
use crate::{
    control::counters::Count,
    flow::Flow,
    kernel_objects::{crypto::now, errno::EPROTO},
    proto::bundle::{MemberIndex, Room, Violation, Want, HEADER_LEN, MAX_MEMBERS},
};
use kernel::{prelude::*, sync::Arc};

/// Bytes that are known already are read into this much at a time.
const WASTE: usize = 512;
/// Reads from one member in a row.
const MOST_PIECES: usize = 256;

/// How reading from a member ended.
enum Read {
    /// It has nothing more at present.
    Empty,
    /// The peer has closed it, or it is broken.
    Ended,
    /// It may have more; others are to be served too.
    Busy,
    /// The peer breaks the rules.
    Broken,
}

impl Bundle {
    /// Reads all that members have; those that have ended are let go.
    pub(super) fn read_members(self: &Arc<Self>, state: &mut State) {
        let (_, before) = state.core.receiver.readable();
        let complete = state.core.receiver.is_complete();
        for index in 0..MAX_MEMBERS as MemberIndex {
            let open = state.closed & (1 << index) == 0;
            if let Some(flow) = state.member(index).filter(|_| open) {
                self.read_member(state, index, &flow);
            }
        }
        state.core.note_progress(now());
        let (_, after) = state.core.receiver.readable();
        if after != before || complete != state.core.receiver.is_complete() {
            Self::wake(state);
        }
    }

    fn read_member(self: &Arc<Self>, state: &mut State, index: MemberIndex, flow: &Arc<Flow>) {
        match state.read(index, flow) {
            Read::Empty => {}
            Read::Busy => self.kick(),
            Read::Ended => {
                // Its connection closes it, and says so; until then it is of no use.
                state.core.set_sound(index, false);
                state.ended |= 1 << index;
            }
            Read::Broken => {
                self.net.counters.add(Count::DROP_RECORD);
                self.end(state, Some(EPROTO), true);
            }
        }
    }

    /// Reads what is left in a member that is about to be released.
    pub(super) fn read_last(self: &Arc<Self>, state: &mut State, index: MemberIndex, flow: &Flow) {
        loop {
            match state.read(index, flow) {
                Read::Busy => {}
                Read::Empty | Read::Ended => return,
                Read::Broken => {
                    self.net.counters.add(Count::DROP_RECORD);
                    return self.end(state, Some(EPROTO), true);
                }
            }
        }
    }

    /// Writes as much as members take.
    pub(super) fn write_members(self: &Arc<Self>, state: &mut State) {
        if state.over {
            return;
        }
        for index in 0..MAX_MEMBERS as MemberIndex {
            state.write(index);
        }
        loop {
            let mut room: Room = [None; MAX_MEMBERS];
            for (rtt, flow) in room.iter_mut().zip(&state.members) {
                *rtt = flow.as_ref().and_then(|flow| flow.endpoint().room());
            }
            let Some(to) = state.core.poll(now(), &room) else {
                break;
            };
            state.write(to);
        }
        if state.wants_room && state.has_room() {
            state.wants_room = false;
            Self::wake(state);
        }
    }
}

impl State {
    pub(super) fn member(&self, index: MemberIndex) -> Option<Arc<Flow>> {
        self.members.get(usize::from(index)).cloned().flatten()
    }

    /// Whether it is worth while to send more.
    pub(super) fn has_room(&self) -> bool {
        self.free() >= self.send.len() / 3
    }

    /// Bytes that the ring for sending has room for.
    pub(super) fn free(&self) -> usize {
        let kept = usize::try_from(self.core.sender.kept()).unwrap_or(usize::MAX);
        self.send.len().saturating_sub(kept)
    }

    fn read(&mut self, index: MemberIndex, flow: &Flow) -> Read {
        for _ in 0..MOST_PIECES {
            match self.read_piece(index, flow) {
                Ok(Ok(0)) => return Read::Ended,
                Ok(Ok(_)) => {}
                Ok(Err(e)) if e == EAGAIN => return Read::Empty,
                Ok(Err(_)) => return Read::Ended,
                Err(_) => return Read::Broken,
            }
        }
        Read::Busy
    }

    /// One read from a member; its length, or why there is none.
    fn read_piece(
        &mut self,
        index: MemberIndex,
        flow: &Flow,
    ) -> core::result::Result<Result<usize>, Violation> {
        let endpoint = flow.endpoint();
        match self.core.want(index)? {
            Want::Header(most) => {
                let mut bytes = [0; HEADER_LEN];
                let read = endpoint.receive(bytes.get_mut(..most).unwrap_or_default());
                if let Ok(n) = read {
                    self.core
                        .took_header(index, bytes.get(..n).unwrap_or(&[]))?;
                }
                Ok(read)
            }
            Want::Known(most) => {
                let mut waste = [0; WASTE];
                let read = endpoint.receive(waste.get_mut(..most.min(WASTE)).unwrap_or_default());
                if let Ok(n) = read {
                    self.core.took(index, n)?;
                }
                Ok(read)
            }
            Want::Data { dsn, len } => {
                let run = run_mut(&mut self.receive, dsn, len);
                let read = endpoint.receive(run);
                if let Ok(n) = read {
                    self.core.took(index, n)?;
                }
                Ok(read)
            }
        }
    }

    /// Writes what a member has in hand, as far as it takes it.
    pub(super) fn write(&mut self, index: MemberIndex) {
        let Some(flow) = self.member(index) else {
            return;
        };
        while let Some(piece) = self.core.piece(index) {
            let first = run(&self.send, piece.dsn, piece.len);
            let rest = piece.len.saturating_sub(first.len());
            let second = run(&self.send, piece.dsn + first.len() as u64, rest);
            // What ended a member is seen when it is read.
            match flow.endpoint().send([piece.header, first, second]) {
                Ok(n) if n > 0 => self.core.wrote(index, n),
                _ => return,
            }
        }
    }
}

/// The bytes of a ring from number `dsn` on, at most `len` and up to its end.
pub(super) fn run(ring: &[u8], dsn: u64, len: usize) -> &[u8] {
    let at = place(ring.len(), dsn);
    let to = ring.len().min(at.saturating_add(len));
    ring.get(at..to).unwrap_or(&[])
}

/// As [`run`].
pub(super) fn run_mut(ring: &mut [u8], dsn: u64, len: usize) -> &mut [u8] {
    let at = place(ring.len(), dsn);
    let to = ring.len().min(at.saturating_add(len));
    ring.get_mut(at..to).unwrap_or_default()
}

fn place(ring: usize, dsn: u64) -> usize {
    dsn.checked_rem(ring as u64).unwrap_or(0) as usize
}
