// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Questions about a compiled network. All sets in questions and answers live in the space of
//! the [`Plane`](crate::transfer::Plane) that is asked.

mod reach;

pub use reach::{reach, Reach};
