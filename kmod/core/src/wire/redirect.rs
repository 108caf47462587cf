// SPDX-License-Identifier: GPL-2.0-only
//! What stands in a REDIRECT packet (paper §VII, protocol.md §7.8).

use super::super::bytes::copy_into;

/// Length of a ticket, in bytes.
pub const TICKET_LEN: usize = 16;
/// Length of the option's value, in bytes.
pub(super) const REDIRECTION_LEN: usize = 12 + TICKET_LEN;

/// The four packets between a mover and a router, in their order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum RedirectStep {
    /// The host, at the address that it may leave: asks any router on the way for a ticket.
    Ask = 1,
    /// The router, to that address: the ticket.
    Ticket = 2,
    /// The host, from its new address to the one that it has left, authenticated by the ticket.
    Tell = 3,
    /// The router, to the new address: RSYNs are sent on from now on.
    Told = 4,
}

impl RedirectStep {
    const fn from_number(number: u8) -> Option<Self> {
        Some(match number {
            1 => Self::Ask,
            2 => Self::Ticket,
            3 => Self::Tell,
            4 => Self::Told,
            _ => return None,
        })
    }
}

/// The value of the option that every REDIRECT carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Redirection {
    /// Which of the four packets it is.
    pub step: RedirectStep,
    /// Low byte of the number of the time slot that the ticket belongs to.
    pub slot: u8,
    /// How long the ticket can be used (TICKET), or RSYNs are sent on (TOLD; zero: they are not,
    /// because there is no room). Else zero.
    pub seconds: u16,
    /// Which router made the ticket; zero in ASK.
    pub router: u64,
    /// The ticket, in TICKET; else zeros.
    pub ticket: [u8; TICKET_LEN],
}

impl Redirection {
    /// A value without a ticket.
    #[must_use]
    pub const fn new(step: RedirectStep) -> Self {
        Self {
            step,
            slot: 0,
            seconds: 0,
            router: 0,
            ticket: [0; TICKET_LEN],
        }
    }

    pub(super) fn to_bytes(self) -> [u8; REDIRECTION_LEN] {
        let [s0, s1] = self.seconds.to_be_bytes();
        let [a, b, c, d, e, f, g, h] = self.router.to_be_bytes();
        let mut out = [0; REDIRECTION_LEN];
        let head = [self.step as u8, self.slot, s0, s1, a, b, c, d, e, f, g, h];
        for (to, from) in out.iter_mut().zip(head.iter().chain(&self.ticket)) {
            *to = *from;
        }
        out
    }

    /// Reads the value of the option; `None` if its first byte is no known step.
    pub(super) fn from_bytes(bytes: &[u8; REDIRECTION_LEN]) -> Option<Self> {
        let ([step, slot, s0, s1, router @ ..], rest) = bytes.split_first_chunk::<12>()?;
        let mut ticket = [0; TICKET_LEN];
        copy_into(&mut ticket, rest)?;
        Some(Self {
            step: RedirectStep::from_number(*step)?,
            slot: *slot,
            seconds: u16::from_be_bytes([*s0, *s1]),
            router: u64::from_be_bytes(*router),
            ticket,
        })
    }
}
