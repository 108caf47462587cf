// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Notifications: what happened, to which object.

mod attribute;

use std::net::IpAddr;

pub use attribute::AddressGoneAttribute;
use netlink_packet_core::DefaultNla;

use crate::connection::Connection;
use crate::constants::{Command, Reason};
use crate::flow::Flow;
use crate::message::{Attributes, Message};
use crate::redirect::Redirect;

/// A local address that is gone.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AddressGone {
    /// The address.
    pub address: Option<IpAddr>,
    /// Interface that had it.
    pub ifindex: Option<u32>,
    /// Why the address is gone.
    pub reason: Option<Reason>,
    /// Local ID of the flow that used it.
    pub flow_id: Option<u64>,
    /// What this crate does not know.
    pub other: Vec<DefaultNla>,
}

impl From<Vec<AddressGoneAttribute>> for AddressGone {
    fn from(attributes: Vec<AddressGoneAttribute>) -> Self {
        let mut gone = AddressGone::default();
        for attribute in attributes {
            match attribute {
                AddressGoneAttribute::Ipv4(value) => gone.address = Some(value.into()),
                AddressGoneAttribute::Ipv6(value) => gone.address = Some(value.into()),
                AddressGoneAttribute::Ifindex(value) => gone.ifindex = Some(value),
                AddressGoneAttribute::Reason(value) => gone.reason = Some(value),
                AddressGoneAttribute::FlowId(value) => gone.flow_id = Some(value),
                AddressGoneAttribute::Other(other) => gone.other.push(other),
            }
        }
        gone
    }
}

/// A notification of the group `events`.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Event {
    /// Something happened to a connection.
    Connection(Command, Connection),
    /// Something happened to a flow.
    Flow(Command, Flow),
    /// An address vanished.
    AddressGone(AddressGone),
    /// RSYNs are sent on, or are not any more.
    Redirect(Command, Redirect),
    /// A notification that this version of the crate does not know.
    Other(Message),
}

impl From<Message> for Event {
    fn from(message: Message) -> Self {
        match message.attributes {
            Attributes::Connection(attributes) => {
                Event::Connection(message.command, attributes.into())
            }
            Attributes::Flow(attributes) => Event::Flow(message.command, attributes.into()),
            Attributes::AddressGone(attributes) => Event::AddressGone(attributes.into()),
            Attributes::Redirect(attributes) => Event::Redirect(message.command, attributes.into()),
            _ => Event::Other(message),
        }
    }
}

impl Event {
    /// The notification's command, which is its name.
    pub fn command(&self) -> Command {
        match self {
            Event::Connection(command, _)
            | Event::Flow(command, _)
            | Event::Redirect(command, _) => *command,
            Event::AddressGone(_) => Command::AddressGone,
            Event::Other(message) => message.command,
        }
    }
}
