// SPDX-License-Identifier: GPL-2.0-only
//! The inside of a test machine: PID 1, the namespaces it builds, and the
//! scenarios it runs in them.
//!
//! The host runner links this crate only for [`plan`], [`report`] and the list
//! of scenarios, so both sides agree on names and message shapes by
//! construction.

pub mod bench;
pub mod boot;
pub mod budget;
pub mod capture;
pub mod control;
pub mod conversation;
pub mod demo;
pub mod judge;
pub mod kernel_log;
mod last_words;
pub mod link;
pub mod module;
pub mod namespace;
pub mod nat;
pub mod netem;
mod netlink;
pub mod plan;
pub mod port;
pub mod random;
pub mod recorder;
pub mod report;
pub mod roster;
pub mod rtnetlink;
pub mod scenario;
pub mod stage;
pub mod stream;
pub mod supervisor;
pub mod tool;
pub mod topology;
pub mod traffic;
