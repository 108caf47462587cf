// SPDX-License-Identifier: GPL-2.0
//! System calls on the socket of a bundle.

use super::{
    pump::{run, run_mut},
    Bundle, State,
};
use crate::kernel_objects::{bundle::UserBytes, errno::ECONNRESET, outer::Outer, sys};
use kernel::{bindings, prelude::*, sync::Arc};

/// Most bytes that are copied from or to user space at a time.
const CHUNK: usize = 32 * 1024;

impl Bundle {
    /// send(): how many bytes were taken. Errors: EPIPE after shutdown() or the end, EAGAIN,
    /// EINTR or ERESTARTSYS, EFAULT, ENOMEM.
    pub(crate) fn send(self: &Arc<Self>, outer: &Outer, from: &UserBytes) -> Result<usize> {
        let mut timeout = outer.timeout(from.nonblock, false);
        let mut chunk = KVVec::from_elem(0u8, from.len.min(CHUNK), GFP_KERNEL)?;
        let mut sent = 0;
        while sent < from.len {
            let len = chunk.len().min(from.len - sent);
            let part = chunk.get_mut(..len).unwrap_or_default();
            let done = from
                .get(part)
                .and_then(|()| self.send_part(outer, part, &mut timeout));
            match done {
                Ok(n) => sent += n,
                Err(e) if sent == 0 => return Err(e),
                Err(_) => break,
            }
            if done.is_ok_and(|n| n < len) {
                break;
            }
        }
        Ok(sent)
    }

    /// Takes all of `part`, or as much as there is room for before the time is up.
    fn send_part(self: &Arc<Self>, outer: &Outer, part: &[u8], timeout: &mut i64) -> Result<usize> {
        let mut taken = 0;
        loop {
            let mut state = self.state.lock();
            if state.over || state.core.sender.is_ended() {
                return match taken {
                    0 => Err(EPIPE),
                    n => Ok(n),
                };
            }
            taken += state.give(part.get(taken..).unwrap_or(&[]));
            self.write_members(&mut state);
            if taken == part.len() {
                self.plan(&state);
                return Ok(taken);
            }
            state.wants_room = true;
            drop(state);
            match outer.wait_for_bundle(false, timeout) {
                Err(_) if taken > 0 => return Ok(taken),
                other => other?,
            }
        }
    }

    /// recv(): how many bytes were read; zero at the end of the stream. Errors: why the bundle
    /// ended; EAGAIN, EINTR or ERESTARTSYS, EFAULT, ENOMEM.
    pub(crate) fn receive(
        self: &Arc<Self>,
        outer: &Outer,
        to: &UserBytes,
        peek: bool,
        all: bool,
    ) -> Result<usize> {
        let mut timeout = outer.timeout(to.nonblock, true);
        let mut chunk = KVVec::from_elem(0u8, to.len.min(CHUNK), GFP_KERNEL)?;
        let mut read = 0;
        while read < to.len {
            let most = chunk.len().min(to.len - read);
            let part = chunk.get_mut(..most).unwrap_or_default();
            let ahead = if peek { read } else { 0 };
            match self.receive_part(to, part, ahead, peek) {
                Ok(Some(0)) => break,
                Ok(Some(n)) => {
                    read += n;
                    continue;
                }
                Ok(None) => {}
                Err(e) if read == 0 => return Err(e),
                Err(_) => break,
            }
            // Nothing there.
            if read > 0 && (!all || peek) {
                break;
            }
            match outer.wait_for_bundle(true, &mut timeout) {
                Err(_) if read > 0 => break,
                other => other?,
            }
        }
        Ok(read)
    }

    /// Copies what is there behind the next `ahead` bytes; `Some(0)` at the end, `None` if there
    /// is nothing yet.
    fn receive_part(
        self: &Arc<Self>,
        to: &UserBytes,
        part: &mut [u8],
        ahead: usize,
        peek: bool,
    ) -> Result<Option<usize>> {
        let _reader = self.reading.lock();
        let mut state = self.state.lock();
        let n = state.look(part, ahead);
        if n == 0 {
            return state.why_nothing();
        }
        drop(state);
        let copied = to.put(part.get(..n).unwrap_or(&[]));
        if copied == 0 {
            return Err(EFAULT);
        }
        if !peek {
            let mut state = self.state.lock();
            state.core.receiver.consume(copied as u64);
            // The peer may have to be told of the room.
            self.write_members(&mut state);
            self.plan(&state);
        }
        Ok(Some(copied))
    }

    /// poll().
    pub(crate) fn poll(&self) -> u32 {
        let mut state = self.state.lock();
        let mut mask = 0;
        let (_, readable) = state.core.receiver.readable();
        let ended = state.core.receiver.is_complete() || state.deaf || state.over;
        if readable > 0 || ended {
            mask |= bindings::POLLIN | bindings::POLLRDNORM;
        }
        if ended {
            mask |= bindings::POLLRDHUP;
        }
        let closed = state.core.sender.is_ended() || state.over;
        if ended && closed {
            mask |= bindings::POLLHUP;
        }
        if closed || state.has_room() {
            mask |= bindings::POLLOUT | bindings::POLLWRNORM;
        } else {
            state.wants_room = true;
        }
        mask
    }

    /// Whether a call that waits can go on.
    pub(crate) fn is_ready(&self, receive: bool) -> bool {
        let mut state = self.state.lock();
        let ready = match receive {
            true => {
                let (_, readable) = state.core.receiver.readable();
                readable > 0 || state.core.receiver.is_complete() || state.deaf
            }
            false => state.has_room() || state.core.sender.is_ended(),
        };
        if !ready && !receive {
            state.wants_room = true;
        }
        ready || state.over
    }

    /// shutdown().
    pub(crate) fn shutdown(self: &Arc<Self>, receive: bool, send: bool) {
        let mut state = self.state.lock();
        state.deaf |= receive;
        if send {
            state.core.sender.end();
        }
        self.write_members(&mut state);
        Self::wake(&state);
        drop(state);
        self.kick();
    }

    /// Bytes of one of the queues that `SHIM_QUEUED_*` names.
    pub(crate) fn queued(&self, what: u32) -> u64 {
        let state = self.state.lock();
        match what {
            sys::SHIM_QUEUED_READABLE => state.core.receiver.readable().1,
            sys::SHIM_QUEUED_KEPT => state.core.sender.kept(),
            _ => state.core.sender.uncut(),
        }
    }

    /// accept(): the bundle has a socket.
    pub(crate) fn give_to(&self, user: &Outer) {
        let mut state = self.state.lock();
        state.user = Some(user.clone());
        if let (true, Some(error)) = (state.over, state.error) {
            user.set_error(error);
        }
    }

    /// Whether the peer has all that was sent, for SO_LINGER.
    pub(crate) fn is_flushed(&self) -> bool {
        let state = self.state.lock();
        state.over || state.core.sender.is_done()
    }

    /// close(). `hard`: the peer is reset, whatever is left to send.
    pub(crate) fn release(self: &Arc<Self>, hard: bool) {
        let mut state = self.state.lock();
        let user = state.user.take();
        state.deserted = true;
        let (_, unread) = state.core.receiver.readable();
        if hard || unread > 0 {
            self.end(&mut state, Some(ECONNRESET), true);
        } else {
            state.core.sender.end();
            self.write_members(&mut state);
        }
        drop(state);
        drop(user);
        self.kick();
    }
}

impl State {
    /// Copies what fits into the ring for sending; how much.
    fn give(&mut self, from: &[u8]) -> usize {
        let n = from.len().min(self.free());
        let mut done = 0;
        while done < n {
            let at = self.core.sender.given();
            let to = run_mut(&mut self.send, at, n - done);
            let len = to.len();
            let part = from.get(done..done + len).unwrap_or(&[]);
            if len == 0 || part.len() != len {
                break;
            }
            to.copy_from_slice(part);
            self.core.sender.give(len as u64);
            done += len;
        }
        done
    }

    /// Copies what is there for the user behind the next `ahead` bytes; how much.
    fn look(&self, to: &mut [u8], ahead: usize) -> usize {
        let (first, readable) = self.core.receiver.readable();
        let there = usize::try_from(readable).unwrap_or(usize::MAX);
        let n = to.len().min(there.saturating_sub(ahead));
        let mut done = 0;
        while done < n {
            let from = run(&self.receive, first + (ahead + done) as u64, n - done);
            let len = from.len();
            let Some(part) = to.get_mut(done..done + len).filter(|_| len > 0) else {
                break;
            };
            part.copy_from_slice(from);
            done += len;
        }
        done
    }

    /// `Some(0)` at the end of the stream, `None` if something may still come. Errors: why not.
    fn why_nothing(&mut self) -> Result<Option<usize>> {
        if self.core.receiver.is_complete() || self.deaf {
            return Ok(Some(0));
        }
        match (self.over, self.error.take()) {
            (false, error) => {
                self.error = error;
                Ok(None)
            }
            (true, Some(error)) => {
                if let Some(user) = &self.user {
                    let _ = user.take_error();
                }
                Err(error)
            }
            (true, None) => Ok(Some(0)),
        }
    }
}
