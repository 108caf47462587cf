// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Generic netlink of the eccp module, and AF_ECCP sockets.
//!
//! The messages mirror `Documentation/netlink/specs/eccp.yaml`: one module per
//! object, one enumeration per attribute set, and in each a place for what a
//! newer kernel may send. [`Client`] asks, [`Monitor`] listens, [`socket`]
//! opens connections.
//!
//! ```no_run
//! # fn main() -> Result<(), eccp_netlink::Error> {
//! let mut client = eccp_netlink::Client::open()?;
//! for flow in client.flows()?.items {
//!     println!("{:?} is {:?}", flow.local_id, flow.state);
//! }
//! # Ok(())
//! # }
//! ```

mod attribute;
mod client;
pub mod connection;
pub mod constants;
mod error;
pub mod event;
mod extack;
mod family;
pub mod flow;
pub mod info;
mod message;
mod monitor;
pub mod redirect;
pub mod rule;
pub mod settings;
pub mod socket;
pub mod stats;
mod transport;
mod value;

pub use attribute::{name_of, parse_all, AttributeSet};
pub use client::{Answer, Client, Dump};
pub use constants::{Carries, Command, Encap, FlowState, Policy, Reason, Role};
pub use error::{Error, Result};
pub use extack::{attribute_at, ExtendedAck, Refusal};
pub use family::Family;
pub use message::{attribute_name, Attributes, Message};
pub use monitor::{Monitor, Notice};
pub use transport::{NetlinkSocket, Transport};
pub use value::{Flag, Port, ServiceId, Value};
