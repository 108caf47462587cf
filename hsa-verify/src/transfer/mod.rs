// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Transfer functions (NSDI 2012, section 3): what a box makes of a set of headers that enters
//! at a port, and the inverse: which headers at a port become a given set.

mod backbone;
mod classes;
mod compile;
mod events;
mod forward;
mod inverse;
mod order;

pub use classes::{Classes, Narrowed};
pub use compile::Plane;
pub use events::Event;
