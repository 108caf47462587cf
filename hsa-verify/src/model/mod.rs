// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The network as plain data: what readers produce and the engine compiles. Nothing here knows
//! how sets of headers are represented.

mod accept;
mod l2;
mod network;
mod rule;
mod validate;

pub use accept::RuleRef;
pub use l2::{L2Domain, L2Mode, L2Port};
pub use network::{
    Device, DeviceId, FileId, Link, Network, Note, NoteKind, Origin, Port, PortId, PortKind, Table,
};
pub use rule::{Edit, Effect, FieldMatch, Match, Next, Output, PortMatch, Rule, Spread, Test};
pub use validate::ModelError;
