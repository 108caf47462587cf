// SPDX-License-Identifier: GPL-2.0-only
//! The sans-IO core of ECCP. Its files are also a module of the kernel module, so everything
//! outside this file uses `core` alone and refers to its neighbours by relative paths.
#![no_std]
#![forbid(unsafe_code)]

#[cfg(any(test, feature = "sim"))]
extern crate std;

#[path = "mod.rs"]
mod proto;
pub use proto::*;

#[cfg(feature = "sim")]
pub mod sim;
