// SPDX-License-Identifier: GPL-2.0-only
#![deny(
    clippy::arithmetic_side_effects,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used
)]

pub mod address;
pub mod event;
pub mod host;
pub mod ilist;
pub mod service;
pub mod settings;
pub mod time;
pub mod timer;
pub mod wire;
