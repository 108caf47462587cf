// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Blocking requests to the module.

use netlink_packet_core::{
    NetlinkHeader, NetlinkMessage, NetlinkPayload, NLM_F_ACK, NLM_F_CAPPED, NLM_F_DUMP,
    NLM_F_DUMP_INTR, NLM_F_REQUEST,
};
use netlink_packet_generic::GenlMessage;
use std::net::IpAddr;

use crate::connection::{Connection, ConnectionAttribute};
use crate::constants::Command;
use crate::error::{Error, Result};
use crate::extack::{ExtendedAck, Refusal};
use crate::family::Family;
use crate::flow::{
    AddAttribute, Addition, Flow, FlowAttribute, FlowRefAttribute, MoveAttribute, Target,
};
use crate::info::Info;
use crate::message::{Attributes, Message};
use crate::redirect::Redirect;
use crate::rule::{Rule, RuleAttribute};
use crate::settings::SettingsAttribute;
use crate::stats::StatsAttribute;
use crate::transport::{NetlinkSocket, Transport};

/// How often a dump is repeated that was changed while it was read.
const DUMP_TRIES: usize = 8;

/// The objects of a dump.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Dump<T> {
    /// The objects.
    pub items: Vec<T>,
    /// False if objects came and went during every one of several tries; an
    /// object may then be missing.
    pub consistent: bool,
}

/// The answer to one request.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Answer {
    /// The messages of the family.
    pub messages: Vec<Message>,
    /// The kernel's words about a request that it accepted.
    pub warning: Option<String>,
    /// The dump was changed while it was read.
    pub interrupted: bool,
}

/// A connection to the module in one network namespace.
#[derive(Debug)]
pub struct Client<T = NetlinkSocket> {
    transport: T,
    family: Family,
    sequence: u32,
}

impl Client {
    /// Opens a client in the network namespace of the calling thread.
    pub fn open() -> Result<Self> {
        Self::with_transport(NetlinkSocket::open()?)
    }
}

impl<T: Transport> Client<T> {
    /// Makes a client of an open transport.
    pub fn with_transport(mut transport: T) -> Result<Self> {
        let family = Family::resolve(&mut transport)?;
        Ok(Client {
            transport,
            family,
            sequence: 1,
        })
    }

    /// Versions, numbers and population of the namespace.
    pub fn info(&mut self) -> Result<Info> {
        self.object(
            Message::request(Command::InfoGet),
            |attributes| match attributes {
                Attributes::Info(list) => Some(list.into()),
                _ => None,
            },
        )
    }

    /// All connections of the namespace.
    pub fn connections(&mut self) -> Result<Dump<Connection>> {
        self.dump(Command::ConnectionGet, connection)
    }

    /// The connection called `id`.
    pub fn connection(&mut self, id: u64) -> Result<Connection> {
        let request = Message {
            command: Command::ConnectionGet,
            attributes: Attributes::Connection(vec![ConnectionAttribute::Id(id)]),
        };
        self.object(request, connection)
    }

    /// All flows of the namespace, draining ones included.
    pub fn flows(&mut self) -> Result<Dump<Flow>> {
        self.dump(Command::FlowGet, flow)
    }

    /// The flow with local ID `id`.
    pub fn flow(&mut self, id: u64) -> Result<Flow> {
        let request = Message {
            command: Command::FlowGet,
            attributes: Attributes::Flow(vec![FlowAttribute::LocalId(id)]),
        };
        self.object(request, flow)
    }

    /// Starts a move of the flow with local ID `id`, and returns the version
    /// that the new local address was given.
    pub fn move_flow(&mut self, id: u64, target: Target) -> Result<u64> {
        let request = Message {
            command: Command::FlowMove,
            attributes: Attributes::Move(vec![MoveAttribute::FlowId(id), target.into()]),
        };
        self.object(request, |attributes| match attributes {
            Attributes::Move(list) => list.into_iter().find_map(|attribute| match attribute {
                MoveAttribute::Version(version) => Some(version),
                _ => None,
            }),
            _ => None,
        })
    }

    /// Starts to add a flow to the connection of the flow with local ID `id`, and returns the
    /// local ID of the new one.
    pub fn add_flow(&mut self, id: u64, addition: &Addition) -> Result<u64> {
        let request = Message {
            command: Command::FlowAdd,
            attributes: Attributes::Add(addition.attributes(id)),
        };
        self.object(request, |attributes| match attributes {
            Attributes::Add(list) => list.into_iter().find_map(|attribute| match attribute {
                AddAttribute::FlowId(id) => Some(id),
                _ => None,
            }),
            _ => None,
        })
    }

    /// Ends the flow with local ID `id`, which is one of several.
    pub fn remove_flow(&mut self, id: u64) -> Result<()> {
        self.flow_command(Command::FlowRemove, id)
    }

    /// Sends data along the flow with local ID `id` from now on.
    pub fn prefer_flow(&mut self, id: u64) -> Result<()> {
        self.flow_command(Command::FlowPrefer, id)
    }

    fn flow_command(&mut self, command: Command, id: u64) -> Result<()> {
        let request = Message {
            command,
            attributes: Attributes::FlowRef(vec![FlowRefAttribute::FlowId(id)]),
        };
        self.request(&request, 0).map(drop)
    }

    /// The rules for local addresses, in the order in which they are applied.
    pub fn rules(&mut self) -> Result<Vec<Rule>> {
        let dump = self.dump(Command::RuleGet, |attributes| match attributes {
            Attributes::Rule(list) => Some(list.into()),
            _ => None,
        })?;
        Ok(dump.items)
    }

    /// Adds a rule behind the others; its ID.
    pub fn add_rule(&mut self, rule: &Rule) -> Result<u32> {
        let request = Message {
            command: Command::RuleAdd,
            attributes: Attributes::Rule(rule.attributes()),
        };
        self.object(request, |attributes| match attributes {
            Attributes::Rule(list) => Rule::from(list).id,
            _ => None,
        })
    }

    /// Takes a rule away.
    pub fn delete_rule(&mut self, id: u32) -> Result<()> {
        let request = Message {
            command: Command::RuleDelete,
            attributes: Attributes::Rule(vec![RuleAttribute::Id(id)]),
        };
        self.request(&request, 0).map(drop)
    }

    /// The entries of the redirection cache.
    pub fn redirects(&mut self) -> Result<Vec<Redirect>> {
        let dump = self.dump(Command::RedirectGet, |attributes| match attributes {
            Attributes::Redirect(list) => Some(list.into()),
            _ => None,
        })?;
        Ok(dump.items)
    }

    /// Sends on the RSYNs of every flow from `entry.old` to `entry.new`.
    pub fn add_redirect(&mut self, entry: &Redirect) -> Result<()> {
        self.redirect_command(Command::RedirectAdd, entry)
    }

    /// Takes away the entries for an address, or that of one flow.
    pub fn delete_redirect(&mut self, old: IpAddr, flow: Option<u64>) -> Result<()> {
        let entry = Redirect {
            old: Some(old),
            flow_id: flow,
            ..Redirect::default()
        };
        self.redirect_command(Command::RedirectDelete, &entry)
    }

    fn redirect_command(&mut self, command: Command, entry: &Redirect) -> Result<()> {
        let request = Message {
            command,
            attributes: Attributes::Redirect(entry.attributes()),
        };
        self.request(&request, 0).map(drop)
    }

    /// The settings of the namespace.
    pub fn settings(&mut self) -> Result<Vec<SettingsAttribute>> {
        self.object(
            Message::request(Command::SettingsGet),
            |attributes| match attributes {
                Attributes::Settings(list) => Some(list),
                _ => None,
            },
        )
    }

    /// Changes settings of the namespace, all of them or none.
    pub fn set_settings(&mut self, settings: Vec<SettingsAttribute>) -> Result<()> {
        let request = Message {
            command: Command::SettingsSet,
            attributes: Attributes::Settings(settings),
        };
        self.request(&request, 0).map(drop)
    }

    /// The counters of the namespace.
    pub fn stats(&mut self) -> Result<Vec<StatsAttribute>> {
        self.object(
            Message::request(Command::StatsGet),
            |attributes| match attributes {
                Attributes::Stats(list) => Some(list),
                _ => None,
            },
        )
    }

    fn object<O>(&mut self, request: Message, take: impl Fn(Attributes) -> Option<O>) -> Result<O> {
        let command = request.command;
        self.request(&request, 0)?
            .messages
            .into_iter()
            .find_map(|message| take(message.attributes))
            .ok_or(Error::NoObject(command))
    }

    fn dump<O>(
        &mut self,
        command: Command,
        take: impl Fn(Attributes) -> Option<O>,
    ) -> Result<Dump<O>> {
        let request = Message::request(command);
        let mut answer = self.request(&request, NLM_F_DUMP)?;
        for _ in 1..DUMP_TRIES {
            if !answer.interrupted {
                break;
            }
            answer = self.request(&request, NLM_F_DUMP)?;
        }
        Ok(Dump {
            consistent: !answer.interrupted,
            items: answer
                .messages
                .into_iter()
                .filter_map(|message| take(message.attributes))
                .collect(),
        })
    }

    /// Sends `request` with `flags` beyond NLM_F_REQUEST and NLM_F_ACK, and
    /// waits for the whole answer.
    pub fn request(&mut self, request: &Message, flags: u16) -> Result<Answer> {
        self.sequence = self.sequence.wrapping_add(1);
        let datagram = self.encode(request, flags);
        self.transport.send(&datagram)?;
        let mut answer = Answer::default();
        loop {
            let received = self.transport.receive()?;
            let mut rest = received.as_slice();
            while !rest.is_empty() {
                let message = NetlinkMessage::<GenlMessage<Message>>::deserialize(rest)?;
                let length = (message.header.length as usize).next_multiple_of(4);
                rest = rest.get(length..).unwrap_or_default();
                if message.header.sequence_number != self.sequence {
                    continue;
                }
                if self.take(message, request.command, &datagram, &mut answer)? {
                    return Ok(answer);
                }
            }
        }
    }

    fn encode(&self, request: &Message, flags: u16) -> Vec<u8> {
        let mut inner = GenlMessage::from_payload(request.clone());
        inner.set_resolved_family_id(self.family.id);
        let mut header = NetlinkHeader::default();
        header.flags = NLM_F_REQUEST | NLM_F_ACK | flags;
        header.sequence_number = self.sequence;
        let mut message = NetlinkMessage::new(header, NetlinkPayload::from(inner));
        message.finalize();
        let mut datagram = vec![0; message.buffer_len()];
        message.serialize(&mut datagram);
        datagram
    }

    /// Adds one message to the answer; true when it was the last.
    fn take(
        &self,
        message: NetlinkMessage<GenlMessage<Message>>,
        command: Command,
        request: &[u8],
        answer: &mut Answer,
    ) -> Result<bool> {
        answer.interrupted |= message.header.flags & NLM_F_DUMP_INTR != 0;
        let (code, ack) = match message.payload {
            NetlinkPayload::InnerMessage(inner) => {
                answer.messages.push(inner.payload);
                return Ok(false);
            }
            NetlinkPayload::Error(error) => {
                let capped = message.header.flags & NLM_F_CAPPED != 0;
                let ack = ExtendedAck::parse_error(&error.header, capped);
                (error.raw_code(), ack)
            }
            NetlinkPayload::Done(done) => (done.code, ExtendedAck::parse(&done.extended_ack)),
            _ => return Ok(false),
        };
        if code < 0 {
            let refusal = Refusal::new(command, code.saturating_neg(), ack, request);
            return Err(Error::Refused(refusal));
        }
        answer.warning = ack.text;
        Ok(true)
    }
}

fn connection(attributes: Attributes) -> Option<Connection> {
    match attributes {
        Attributes::Connection(list) => Some(list.into()),
        _ => None,
    }
}

fn flow(attributes: Attributes) -> Option<Flow> {
    match attributes {
        Attributes::Flow(list) => Some(list.into()),
        _ => None,
    }
}
