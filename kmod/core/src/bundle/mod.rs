// SPDX-License-Identifier: GPL-2.0-only
//! One byte stream over several transports at once (mode M, docs/aggregation.md).
//!
//! A bundle joins *members*, each an ordinary connection with a reliable transport of its own. The
//! stream is cut into records that are numbered by their place in it; whatever member a record
//! comes along, the receiver puts it where it belongs. [`Bundle`] holds no bytes of the stream: its
//! host keeps them in two rings, in which number `n` has the place `n` modulo the ring's length.

mod exchange;
pub mod join;
mod member;
mod receiver;
mod record;
mod sender;

pub use exchange::{Bundle, Piece, Room, Scheduler, ACK_DELAY};
pub use member::Want;
pub use receiver::{Place, Receiver};
pub use record::{Record, HEADER_LEN, MAX_RECORD};
pub use sender::{Sender, MAX_OUTSTANDING};

/// Most members of a bundle.
pub const MAX_MEMBERS: usize = 8;

/// Position of a member in its bundle, below [`MAX_MEMBERS`].
pub type MemberIndex = u8;

/// The peer does what no peer may: the bundle cannot go on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Violation {
    /// A record of more than [`MAX_RECORD`] bytes.
    Length,
    /// Data beyond what this end has room for, or behind the end of the stream.
    Window,
    /// More than [`MAX_OUTSTANDING`] records that are not acknowledged.
    Outstanding,
    /// An acknowledgement of what was never sent.
    Acknowledgement,
    /// Two ends of the stream, or one amidst its data.
    End,
}
