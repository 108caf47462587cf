// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Networks made to measure.

pub mod campus;
mod fat_tree;

pub use fat_tree::fat_tree;
