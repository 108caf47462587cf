// SPDX-License-Identifier: GPL-2.0-only
//! The two halves of a bundle and its members, put together.

use super::super::time::{Duration, Instant};
use super::member::{Job, Member};
use super::{
    MemberIndex, Place, Receiver, Record, Sender, Violation, Want, HEADER_LEN, MAX_MEMBERS,
};

/// How long data waits for company before it is acknowledged alone.
pub const ACK_DELAY: Duration = Duration::from_millis(20);
/// Bytes that are acknowledged at once.
const ACK_BYTES: u64 = 64 * 1024;

/// Which members a record is given to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
pub enum Scheduler {
    /// The one with the lowest round-trip time that has room.
    #[default]
    LowestRtt,
    /// All of them.
    Redundant,
}

/// Which members take a record now, and the round-trip time of each.
pub type Room = [Option<Duration>; MAX_MEMBERS];

/// What a member is to take next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Piece<'a> {
    /// These bytes first.
    pub header: &'a [u8],
    /// Then those of our stream from this number on,
    pub dsn: u64,
    /// and so many of them.
    pub len: usize,
}

/// A byte stream in each direction over several members.
///
/// Reading: ask [`Bundle::want`], read that much or less from the member, say so with
/// [`Bundle::took_header`] or [`Bundle::took`], until the member has nothing. Writing: call
/// [`Bundle::poll`] with the members that have room and write the [`Bundle::piece`] of the one that
/// it names, until it names none. Set a timer to [`Bundle::poll_timeout`] and call
/// [`Bundle::poll`] when it fires.
#[derive(Clone, Debug)]
pub struct Bundle {
    scheduler: Scheduler,
    /// What is being sent.
    pub sender: Sender,
    /// What is being received.
    pub receiver: Receiver,
    members: [Member; MAX_MEMBERS],
    /// The acknowledgement and the limit that the peer was told last.
    told: (u64, u64),
    /// What the peer was told may not have arrived.
    tell_again: bool,
    tell_at: Option<Instant>,
}

impl Bundle {
    /// A bundle without members that has room for nothing, to be opened in place: it is some
    /// kilobytes long.
    pub const EMPTY: Self = Self {
        scheduler: Scheduler::LowestRtt,
        sender: Sender::EMPTY,
        receiver: Receiver::new(0),
        members: [Member::ABSENT; MAX_MEMBERS],
        told: (0, 0),
        tell_again: true,
        tell_at: None,
    };

    /// Gives a new bundle its way to send, and room for `capacity` bytes of the peer's.
    pub fn open(&mut self, scheduler: Scheduler, capacity: u64) {
        self.scheduler = scheduler;
        self.receiver.open(capacity);
    }

    /// Whether both streams have come to their ends, and both peers know.
    #[must_use]
    pub fn is_over(&self) -> bool {
        let told = self.told.0 == self.receiver.dack() && !self.tell_again;
        let writing = self.members.iter().any(|m| m.present && m.job.is_some());
        self.sender.is_done() && self.receiver.is_complete() && told && !writing
    }

    /// A member is about to be closed: it takes a last acknowledgement along, unless it has
    /// something in hand.
    pub fn take_leave(&mut self, index: MemberIndex) {
        if self.member(index).is_some_and(|m| m.job.is_none()) {
            self.tell(index);
        }
    }

    /// A new member; `None` if there are [`MAX_MEMBERS`].
    pub fn add_member(&mut self) -> Option<MemberIndex> {
        let at = self.members.iter().position(|member| !member.present)?;
        *self.members.get_mut(at)? = Member {
            present: true,
            sound: true,
            ..Member::ABSENT
        };
        MemberIndex::try_from(at).ok()
    }

    /// A member is gone; whatever it held is given to the others.
    pub fn remove_member(&mut self, index: MemberIndex) {
        if let Some(member) = self.members.get_mut(usize::from(index)) {
            *member = Member::ABSENT;
            self.sender.lost(index);
            self.tell_again = true;
        }
    }

    /// Whether the path of a member answers. While it does not, and that of another does, the
    /// others carry what it held.
    pub fn set_sound(&mut self, index: MemberIndex, sound: bool) {
        if let Some(member) = self.member_mut(index) {
            let lost = member.sound && !sound;
            member.sound = sound;
            self.tell_again |= lost;
        }
    }

    /// Which members are given records, as bits.
    #[must_use]
    pub fn usable(&self) -> u8 {
        let bits = |wanted: fn(&Member) -> bool| {
            self.members
                .iter()
                .rev()
                .fold(0u8, |bits, member| (bits << 1) | u8::from(wanted(member)))
        };
        match bits(|member| member.present && member.sound) {
            0 => bits(|member| member.present),
            sound => sound,
        }
    }

    /// What to read from a member. Errors: the peer breaks the rules.
    pub fn want(&self, index: MemberIndex) -> Result<Want, Violation> {
        let Some(member) = self.member(index) else {
            return Ok(Want::Known(0));
        };
        if member.left == 0 {
            return Ok(Want::Header(HEADER_LEN.saturating_sub(member.have)));
        }
        let place = self.receiver.place(member.dsn, member.left)?;
        let count = |n: u64| usize::try_from(n).unwrap_or(usize::MAX);
        Ok(match place {
            Place::Known(n) => Want::Known(count(n)),
            Place::New(n) => Want::Data {
                dsn: member.dsn,
                len: count(n),
            },
        })
    }

    /// Bytes of a header that were read from a member. Errors: the peer breaks the rules.
    pub fn took_header(&mut self, index: MemberIndex, bytes: &[u8]) -> Result<(), Violation> {
        let Some(member) = self.member_mut(index) else {
            return Ok(());
        };
        for byte in bytes {
            if let Some(slot) = member.header.get_mut(member.have) {
                *slot = *byte;
                member.have = member.have.saturating_add(1);
            }
        }
        if member.have < HEADER_LEN {
            return Ok(());
        }
        let record = Record::parse(&member.header)?;
        member.have = 0;
        member.dsn = record.dsn;
        member.left = u64::from(record.len);
        self.sender.acknowledged(record.dack, record.window)?;
        if record.len > 0 {
            self.receiver.place(record.dsn, u64::from(record.len))?;
        }
        if record.fin {
            let known = self.receiver.is_complete();
            self.receiver.ends(record.end())?;
            // A repeated end says that its acknowledgement was lost.
            self.tell_again |= known;
        }
        Ok(())
    }

    /// `n` bytes of what [`Bundle::want`] said were read from a member, and are at their place.
    /// Errors: the peer breaks the rules.
    pub fn took(&mut self, index: MemberIndex, n: usize) -> Result<(), Violation> {
        let n = u64::try_from(n).unwrap_or(0);
        let Some(member) = self.member_mut(index) else {
            return Ok(());
        };
        let (dsn, taken) = (member.dsn, n.min(member.left));
        member.dsn = dsn.saturating_add(taken);
        member.left = member.left.saturating_sub(taken);
        match self.receiver.place(dsn, taken)? {
            // The sender does not know that we have it.
            Place::Known(_) => self.tell_again = true,
            Place::New(len) => self.receiver.store(dsn, len)?,
        }
        Ok(())
    }

    /// Gives a member of those in `room` a record, and names it; `None` if there is nothing to
    /// send, or nobody to send it.
    pub fn poll(&mut self, now: Instant, room: &Room) -> Option<MemberIndex> {
        let usable = self.usable();
        let copies = self.scheduler == Scheduler::Redundant;
        let mut tried = 0u8;
        let mut first = None;
        while let Some(to) = self.best(room, usable & !tried) {
            first = first.or(Some(to));
            if let Some(record) = self.sender.take(to, usable, copies) {
                self.hand_over(to, record);
                return Some(to);
            }
            if !copies {
                break;
            }
            tried |= 1u8.checked_shl(u32::from(to)).unwrap_or(0);
        }
        let to = first?;
        if !self.must_tell(now) {
            return None;
        }
        self.tell(to);
        Some(to)
    }

    /// Gives a member a record without data.
    fn tell(&mut self, to: MemberIndex) {
        let dsn = self.sender.given();
        let record = Record {
            dsn,
            ..Record::default()
        };
        self.hand_over(to, record);
    }

    /// What a member is to take; `None` if nothing.
    #[must_use]
    pub fn piece(&self, index: MemberIndex) -> Option<Piece<'_>> {
        let job = self.member(index)?.job.as_ref()?;
        let sent = job.done.saturating_sub(HEADER_LEN);
        Some(Piece {
            header: job.header.get(job.done..).unwrap_or(&[]),
            dsn: job
                .record
                .dsn
                .saturating_add(u64::try_from(sent).unwrap_or(0)),
            len: usize::from(job.record.len).saturating_sub(sent),
        })
    }

    /// A member has taken `n` bytes of its piece.
    pub fn wrote(&mut self, index: MemberIndex, n: usize) {
        let Some(member) = self.member_mut(index) else {
            return;
        };
        if let Some(job) = &mut member.job {
            job.done = job.done.saturating_add(n);
            if job.done >= job.len() {
                member.job = None;
            }
        }
    }

    /// When [`Bundle::poll`] is to be called next. What is due already waits for a member with
    /// room, and not for a time.
    #[must_use]
    pub fn poll_timeout(&self, now: Instant) -> Option<Instant> {
        self.tell_at.filter(|at| *at > now)
    }

    /// Notes what has come and was read since the last call; [`Bundle::poll`] acknowledges it, at
    /// once or when the time is over.
    pub fn note_progress(&mut self, now: Instant) {
        if self.receiver.dack() != self.told.0 && self.tell_at.is_none() {
            self.tell_at = Some(now.after(ACK_DELAY));
        }
    }

    fn must_tell(&self, now: Instant) -> bool {
        let (dack, limit) = (self.receiver.dack(), self.receiver.limit());
        let opened = limit.saturating_sub(self.told.1);
        self.tell_again
            || dack.saturating_sub(self.told.0) >= ACK_BYTES
            || (dack != self.told.0 && self.receiver.is_complete())
            || opened >= (self.receiver.capacity() >> 2).max(1)
            || self.tell_at.is_some_and(|at| at <= now)
    }

    /// Gives a member a record, with what the peer is to know.
    fn hand_over(&mut self, to: MemberIndex, mut record: Record) {
        let (dack, limit) = (self.receiver.dack(), self.receiver.limit());
        record.dack = dack;
        record.window = u32::try_from(limit.saturating_sub(dack)).unwrap_or(u32::MAX);
        self.told = (dack, limit);
        self.tell_again = false;
        self.tell_at = None;
        if let Some(member) = self.member_mut(to) {
            member.job = Some(Job {
                header: record.to_bytes(),
                record,
                done: 0,
            });
        }
    }

    /// The member with the lowest round-trip time of those with room that are in `of` and idle.
    fn best(&self, room: &Room, of: u8) -> Option<MemberIndex> {
        (0..=u8::MAX)
            .zip(self.members.iter().zip(room))
            .filter(|(at, (member, _))| {
                let wanted = of.checked_shr(u32::from(*at)).unwrap_or(0) & 1 != 0;
                wanted && member.present && member.job.is_none()
            })
            .filter_map(|(at, (_, rtt))| rtt.map(|rtt| (rtt, at)))
            .min()
            .map(|(_, at)| at)
    }

    fn member(&self, index: MemberIndex) -> Option<&Member> {
        self.members.get(usize::from(index)).filter(|m| m.present)
    }

    fn member_mut(&mut self, index: MemberIndex) -> Option<&mut Member> {
        let found = self.members.get_mut(usize::from(index));
        found.filter(|member| member.present)
    }
}
