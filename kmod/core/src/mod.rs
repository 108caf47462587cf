// SPDX-License-Identifier: GPL-2.0-only
//! The protocol without I/O. What the messages look like is in docs/wire.md, what a flow does in
//! docs/flow-states.md; [`connection::Connection`] is where to start reading.
#![deny(
    clippy::arithmetic_side_effects,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used
)]

// What stands on the wire, and plain values.
pub mod address;
pub mod ilist;
pub mod service;
pub mod wire;

// What the host gives and what it is told.
pub mod event;
pub mod host;
pub mod rule;
pub mod settings;
pub mod time;

// Parts of a connection.
pub mod auth;
pub mod bundle;
mod bytes;
pub mod candidate;
pub mod connection;
pub mod cookie;
pub mod flow;
pub mod learnt;
pub mod limit;
pub mod naming;
pub mod queue;
pub mod reset;
pub mod respond;
pub mod router;
mod shared;
pub mod timer;

// What a connection does.
mod addition;
mod admission;
mod carrier;
mod handshake;
mod lifetime;
mod migrate;
mod others;
mod ping;
mod policy;
mod probe;
mod punch;
mod rebind;
mod receive;
mod redirection;
mod transmit;
