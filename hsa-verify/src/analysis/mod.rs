// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Questions about a compiled network. All sets in questions and answers live in the space of
//! the [`Plane`](crate::transfer::Plane) that is asked.

mod loops;
mod reach;

pub use loops::{loops, Cycle, CycleStart, Loops};
pub use reach::{reach, Reach};
