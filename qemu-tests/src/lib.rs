// SPDX-License-Identifier: GPL-2.0-only
//! The outside of a test machine: packs its image, boots it in QEMU, reads its
//! report, and turns that into tests, tables and pictures.

pub mod archive;
pub mod artifacts;
pub mod bench;
pub mod budgets;
pub mod chart;
pub mod demo;
pub mod image;
pub mod kernel;
pub mod machine;
pub mod python;
pub mod results;
pub mod suite;
