// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Exact sets of headers, held as reduced ordered decision diagrams in one arena. Two equal sets
//! have the same handle, so equality and emptiness are comparisons of integers.

mod algebra;
mod arena;
mod build;
mod classes;
mod count;
mod cubes;
mod decision;
mod image;

pub use arena::{Mark, Set, Space};
pub(crate) use build::prefix_mask;
pub use classes::Class;
pub use decision::{Condition, Cube, Decision};
pub use image::{edit_header, EditId};
