// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Questions about a compiled network. All sets in questions and answers live in the space of
//! the [`Plane`](crate::transfer::Plane) that is asked.

mod blackholes;
mod changes;
mod loops;
mod loops_by_class;
mod many;
mod paths;
mod reach;
mod slices;
mod trace;

pub use blackholes::{blackholes, Blackhole, Reason};
pub use changes::{apply, diff, Change, ChangeError, Difference};
pub use loops::{loops, Cycle, CycleStart, Loops};
pub use many::reach_each;
pub use paths::{along, back_along, paths, Path, PathHop, Paths};
pub use reach::{inverse, inverse_avoiding, reach, reach_avoiding, Reach};
pub use slices::{isolation, waypoint, Bypass, Isolation, Leak, Overlap, Slice};
pub use trace::{trace, Exit, Lookup, Outcome, Trace, Visit};
