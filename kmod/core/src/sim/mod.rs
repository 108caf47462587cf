// SPDX-License-Identifier: GPL-2.0-only
//! Two hosts, a network that loses, repeats, reorders and delays, and a clock that only moves
//! when something is due. A seed determines everything.

pub mod crypto;
pub mod gateway;
pub mod nat;
pub mod node;
pub mod rng;
pub mod scenario;
pub mod world;

pub use crypto::SimHost;
pub use gateway::{Gateway, Passage};
pub use nat::{Mapping, Nat};
pub use node::Node;
pub use rng::Rng;
pub use scenario::{run, run_recorded, Mobility, Report, Scenario};
pub use world::{Captured, Faults, Seen, World, FLOW, SERVICE};
