// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Events of a connection's paths, read from the socket's error queue.

use std::io;
use std::mem::MaybeUninit;
use std::net::IpAddr;
use std::os::fd::{AsFd, AsRawFd};
use std::time::Duration;

use super::layout::Fields;
use super::{ECCP_PATH_EVENTS, SOL_ECCP};
use crate::constants::Reason;

/// Bytes of `struct eccp_path_event`.
const LEN: usize = 72;

/// What happened to a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum PathEventKind {
    /// The queue was full: look at the connection anew.
    Lost,
    /// A move of this host began.
    Moving,
    /// It is done.
    Moved,
    /// The peer has another address.
    PeerMoved,
    /// There is no address: data waits for one.
    Suspended,
    /// A move of this host came to nothing.
    Failed,
    /// A flow can carry data.
    FlowAdded,
    /// A flow is gone.
    FlowRemoved,
    /// This host lost the address of a flow.
    AddressGone,
    /// Data of this host goes along this flow now.
    Active,
    /// The flow has another local ID.
    Renamed,
    /// A kind that this version of the crate does not know.
    Other(u32),
}

impl PathEventKind {
    const KNOWN: [PathEventKind; 11] = [
        PathEventKind::Lost,
        PathEventKind::Moving,
        PathEventKind::Moved,
        PathEventKind::PeerMoved,
        PathEventKind::Suspended,
        PathEventKind::Failed,
        PathEventKind::FlowAdded,
        PathEventKind::FlowRemoved,
        PathEventKind::AddressGone,
        PathEventKind::Active,
        PathEventKind::Renamed,
    ];

    /// The number in `linux/eccp_socket.h`.
    pub fn number(self) -> u32 {
        match self {
            PathEventKind::Other(number) => number,
            known => Self::KNOWN
                .iter()
                .position(|kind| *kind == known)
                .map_or(0, |number| number as u32),
        }
    }

    /// Bits of all kinds that a program can ask for.
    pub fn all() -> u32 {
        (1..Self::KNOWN.len()).fold(0, |bits, number| bits | 1 << number)
    }
}

impl From<u32> for PathEventKind {
    fn from(number: u32) -> Self {
        let known = usize::try_from(number).ok();
        known
            .and_then(|number| Self::KNOWN.get(number).copied())
            .unwrap_or(PathEventKind::Other(number))
    }
}

/// Something that happened to a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PathEvent {
    /// What happened.
    pub kind: PathEventKind,
    /// Why a move failed or a flow ended.
    pub reason: Option<Reason>,
    /// Local ID of the flow; zero for [`PathEventKind::Lost`].
    pub flow_id: u64,
    /// Version of the address that the event is about; for [`PathEventKind::Renamed`] the local ID
    /// that the flow had before.
    pub version: u64,
    /// How long a move took that is done.
    pub duration: Duration,
    /// How many events there was no room for.
    pub lost: u32,
    /// Address that is left or lost; of a new or active flow the peer's.
    pub old: Option<IpAddr>,
    /// Address that takes its place; of a new or active flow this host's.
    pub new: Option<IpAddr>,
}

impl PathEvent {
    /// Reads the bytes of `struct eccp_path_event`.
    pub fn from_bytes(bytes: &[u8; LEN]) -> Self {
        let fields = Fields(bytes);
        PathEvent {
            kind: fields.word(0).into(),
            reason: fields.reason(4),
            flow_id: fields.long(8),
            version: fields.long(16),
            duration: Duration::from_micros(fields.long(24)),
            lost: fields.word(32),
            old: fields.some_address(40),
            new: fields.some_address(56),
        }
    }
}

/// Takes the oldest event from the error queue; `None` if there is none.
pub(super) fn next(fd: impl AsFd) -> io::Result<Option<PathEvent>> {
    #[repr(align(8))]
    struct Control([u8; 256]);
    let mut control = Control([0; 256]);
    // SAFETY: zero is a valid value of every field.
    let mut message: libc::msghdr = unsafe { MaybeUninit::zeroed().assume_init() };
    message.msg_control = control.0.as_mut_ptr().cast();
    message.msg_controllen = control.0.len();
    // SAFETY: the message has no data, and its control buffer lives on.
    let result = unsafe {
        libc::recvmsg(
            fd.as_fd().as_raw_fd(),
            &mut message,
            libc::MSG_ERRQUEUE | libc::MSG_DONTWAIT,
        )
    };
    if result < 0 {
        let error = io::Error::last_os_error();
        return match error.kind() {
            io::ErrorKind::WouldBlock => Ok(None),
            _ => Err(error),
        };
    }
    // SAFETY: the kernel has filled the control buffer of the message.
    let mut header = unsafe { libc::CMSG_FIRSTHDR(&message) };
    // SAFETY: as above; a header of the list is valid.
    while let Some(part) = unsafe { header.as_ref() } {
        // SAFETY: the length of an empty message of the kernel's macro.
        let long_enough = part.cmsg_len >= unsafe { libc::CMSG_LEN(LEN as u32) } as usize;
        if (part.cmsg_level, part.cmsg_type) == (SOL_ECCP, ECCP_PATH_EVENTS) && long_enough {
            // SAFETY: the message has at least that many bytes of data.
            let bytes = unsafe { libc::CMSG_DATA(part).cast::<[u8; LEN]>().read() };
            return Ok(Some(PathEvent::from_bytes(&bytes)));
        }
        // SAFETY: as above.
        header = unsafe { libc::CMSG_NXTHDR(&message, part) };
    }
    Err(io::Error::other(
        "the error queue had something that is no path event",
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_is_read_from_where_the_header_puts_it() {
        let mut bytes = [0; LEN];
        bytes[0..4].copy_from_slice(&2u32.to_ne_bytes());
        bytes[8..16].copy_from_slice(&7u64.to_ne_bytes());
        bytes[16..24].copy_from_slice(&3u64.to_ne_bytes());
        bytes[24..32].copy_from_slice(&1500u64.to_ne_bytes());
        bytes[50..56].copy_from_slice(&[0xff, 0xff, 10, 0, 0, 1]);
        let event = PathEvent::from_bytes(&bytes);
        assert_eq!(event.kind, PathEventKind::Moved);
        assert_eq!((event.flow_id, event.version), (7, 3));
        assert_eq!(event.duration, Duration::from_micros(1500));
        assert_eq!(event.old, Some(IpAddr::from([10, 0, 0, 1])));
        assert_eq!(event.new, None);
        assert_eq!(event.reason, None);
    }

    #[test]
    fn numbers_and_kinds_are_the_same_thing() {
        for number in 0..12 {
            assert_eq!(PathEventKind::from(number).number(), number);
        }
        assert_eq!(PathEventKind::all(), 0b111_1111_1110);
    }
}
