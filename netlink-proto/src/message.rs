// SPDX-License-Identifier: Apache-2.0 OR MIT
//! A message of the family: a command and the attributes of its set.

use netlink_packet_core::{DecodeError, DefaultNla, Emitable, NlasIterator, ParseableParametrized};
use netlink_packet_generic::{GenlFamily, GenlHeader};

use crate::attribute::{name_of, parse_all, parse_other};
use crate::connection::ConnectionAttribute;
use crate::constants::{Command, FAMILY_NAME, FAMILY_VERSION};
use crate::event::AddressGoneAttribute;
use crate::flow::{AddAttribute, FlowAttribute, FlowRefAttribute, MoveAttribute};
use crate::info::InfoAttribute;
use crate::redirect::RedirectAttribute;
use crate::rule::RuleAttribute;
use crate::settings::SettingsAttribute;
use crate::stats::StatsAttribute;

/// The attributes of a message; the command decides which set they are of.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Attributes {
    /// Of info-get.
    Info(Vec<InfoAttribute>),
    /// Of connection-get, connection-up and connection-closed.
    Connection(Vec<ConnectionAttribute>),
    /// Of flow-get and the notifications about flows.
    Flow(Vec<FlowAttribute>),
    /// Of flow-move.
    Move(Vec<MoveAttribute>),
    /// Of settings-get and settings-set.
    Settings(Vec<SettingsAttribute>),
    /// Of stats-get.
    Stats(Vec<StatsAttribute>),
    /// Of address-gone.
    AddressGone(Vec<AddressGoneAttribute>),
    /// Of flow-add.
    Add(Vec<AddAttribute>),
    /// Of flow-remove and flow-prefer.
    FlowRef(Vec<FlowRefAttribute>),
    /// Of rule-add, rule-delete and rule-get.
    Rule(Vec<RuleAttribute>),
    /// Of redirect-add, redirect-delete, redirect-get, redirect-added and redirect-removed.
    Redirect(Vec<RedirectAttribute>),
    /// Of a command that this version of the crate does not know.
    Other(Vec<DefaultNla>),
}

/// Runs `$body` with `$list` bound to the attributes, whichever set they are of.
macro_rules! with_list {
    ($attributes:expr, $list:ident => $body:expr) => {
        match $attributes {
            Attributes::Info($list) => $body,
            Attributes::Connection($list) => $body,
            Attributes::Flow($list) => $body,
            Attributes::Move($list) => $body,
            Attributes::Settings($list) => $body,
            Attributes::Stats($list) => $body,
            Attributes::AddressGone($list) => $body,
            Attributes::Add($list) => $body,
            Attributes::FlowRef($list) => $body,
            Attributes::Rule($list) => $body,
            Attributes::Redirect($list) => $body,
            Attributes::Other($list) => $body,
        }
    };
}

/// A message of the eccp family.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    /// What is asked, answered or told.
    pub command: Command,
    /// The attributes.
    pub attributes: Attributes,
}

impl Message {
    /// A request without attributes.
    pub fn request(command: Command) -> Self {
        let attributes = match command {
            Command::InfoGet => Attributes::Info(Vec::new()),
            Command::ConnectionGet => Attributes::Connection(Vec::new()),
            Command::FlowGet => Attributes::Flow(Vec::new()),
            Command::FlowMove => Attributes::Move(Vec::new()),
            Command::SettingsGet | Command::SettingsSet => Attributes::Settings(Vec::new()),
            Command::StatsGet => Attributes::Stats(Vec::new()),
            Command::FlowAdd => Attributes::Add(Vec::new()),
            Command::FlowRemove | Command::FlowPrefer => Attributes::FlowRef(Vec::new()),
            Command::RuleAdd | Command::RuleDelete | Command::RuleGet => {
                Attributes::Rule(Vec::new())
            }
            Command::RedirectAdd | Command::RedirectDelete | Command::RedirectGet => {
                Attributes::Redirect(Vec::new())
            }
            _ => Attributes::Other(Vec::new()),
        };
        Message {
            command,
            attributes,
        }
    }
}

/// Name of attribute `kind` in the set that `command` uses.
pub fn attribute_name(command: Command, kind: u16) -> Option<&'static str> {
    match command {
        Command::InfoGet => name_of::<InfoAttribute>(kind),
        Command::ConnectionGet | Command::ConnectionUp | Command::ConnectionClosed => {
            name_of::<ConnectionAttribute>(kind)
        }
        Command::FlowGet
        | Command::FlowUp
        | Command::FlowMoving
        | Command::FlowMoved
        | Command::FlowMoveFailed
        | Command::FlowClosed
        | Command::PathTrouble
        | Command::PathRecovered
        | Command::FlowActive
        | Command::FlowRenamed
        | Command::FlowPunching => name_of::<FlowAttribute>(kind),
        Command::FlowMove => name_of::<MoveAttribute>(kind),
        Command::SettingsGet | Command::SettingsSet => name_of::<SettingsAttribute>(kind),
        Command::StatsGet => name_of::<StatsAttribute>(kind),
        Command::AddressGone => name_of::<AddressGoneAttribute>(kind),
        Command::FlowAdd => name_of::<AddAttribute>(kind),
        Command::FlowRemove | Command::FlowPrefer => name_of::<FlowRefAttribute>(kind),
        Command::RuleAdd | Command::RuleDelete | Command::RuleGet => name_of::<RuleAttribute>(kind),
        Command::RedirectAdd
        | Command::RedirectDelete
        | Command::RedirectGet
        | Command::RedirectAdded
        | Command::RedirectRemoved => name_of::<RedirectAttribute>(kind),
        Command::Other(_) => None,
    }
}

impl GenlFamily for Message {
    fn family_name() -> &'static str {
        FAMILY_NAME
    }

    fn command(&self) -> u8 {
        self.command.into()
    }

    fn version(&self) -> u8 {
        FAMILY_VERSION
    }
}

impl Emitable for Message {
    fn buffer_len(&self) -> usize {
        with_list!(&self.attributes, list => list.as_slice().buffer_len())
    }

    fn emit(&self, buffer: &mut [u8]) {
        with_list!(&self.attributes, list => list.as_slice().emit(buffer))
    }
}

impl ParseableParametrized<[u8], GenlHeader> for Message {
    fn parse_with_param(bytes: &[u8], header: GenlHeader) -> Result<Self, DecodeError> {
        let command = Command::from(header.cmd);
        let attributes = match command {
            Command::InfoGet => Attributes::Info(parse_all(bytes)?),
            Command::ConnectionGet | Command::ConnectionUp | Command::ConnectionClosed => {
                Attributes::Connection(parse_all(bytes)?)
            }
            Command::FlowGet
            | Command::FlowUp
            | Command::FlowMoving
            | Command::FlowMoved
            | Command::FlowMoveFailed
            | Command::FlowClosed
            | Command::PathTrouble
            | Command::PathRecovered
            | Command::FlowActive
            | Command::FlowRenamed
            | Command::FlowPunching => Attributes::Flow(parse_all(bytes)?),
            Command::FlowMove => Attributes::Move(parse_all(bytes)?),
            Command::SettingsGet | Command::SettingsSet => Attributes::Settings(parse_all(bytes)?),
            Command::StatsGet => Attributes::Stats(parse_all(bytes)?),
            Command::AddressGone => Attributes::AddressGone(parse_all(bytes)?),
            Command::FlowAdd => Attributes::Add(parse_all(bytes)?),
            Command::FlowRemove | Command::FlowPrefer => Attributes::FlowRef(parse_all(bytes)?),
            Command::RuleAdd | Command::RuleDelete | Command::RuleGet => {
                Attributes::Rule(parse_all(bytes)?)
            }
            Command::RedirectAdd
            | Command::RedirectDelete
            | Command::RedirectGet
            | Command::RedirectAdded
            | Command::RedirectRemoved => Attributes::Redirect(parse_all(bytes)?),
            Command::Other(_) => Attributes::Other(
                NlasIterator::new(bytes)
                    .map(|attribute| parse_other(&attribute?))
                    .collect::<Result<_, DecodeError>>()?,
            ),
        };
        Ok(Message {
            command,
            attributes,
        })
    }
}
