// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Notifications from the module, in the order in which they happened.

use std::collections::VecDeque;
use std::io;
use std::os::fd::{AsFd, BorrowedFd};

use netlink_packet_core::{NetlinkMessage, NetlinkPayload};
use netlink_packet_generic::GenlMessage;

use crate::constants::EVENTS_GROUP;
use crate::error::{Error, Result};
use crate::event::Event;
use crate::family::Family;
use crate::message::Message;
use crate::transport::{NetlinkSocket, Transport};

/// What a monitor hears.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Notice {
    /// Something happened.
    Event(Box<Event>),
    /// The kernel dropped notifications because this socket was full. What is
    /// known from earlier ones may be stale: read the objects again.
    Lost,
}

/// A listener to the group `events` in one network namespace.
#[derive(Debug)]
pub struct Monitor<T = NetlinkSocket> {
    transport: T,
    family: u16,
    ready: VecDeque<Event>,
}

impl Monitor {
    /// Listens in the network namespace of the calling thread.
    pub fn open() -> Result<Self> {
        let mut socket = NetlinkSocket::open()?;
        let family = Family::resolve(&mut socket)?;
        socket.join(family.group(EVENTS_GROUP)?)?;
        Ok(Self::with_transport(socket, family.id))
    }
}

impl<T: Transport> Monitor<T> {
    /// Listens on a transport that has joined the group already.
    pub fn with_transport(transport: T, family: u16) -> Self {
        Monitor {
            transport,
            family,
            ready: VecDeque::new(),
        }
    }

    /// Waits for the next notice.
    pub fn next_notice(&mut self) -> Result<Notice> {
        loop {
            if let Some(event) = self.ready.pop_front() {
                return Ok(Notice::Event(Box::new(event)));
            }
            let datagram = match self.transport.receive() {
                Ok(datagram) => datagram,
                Err(error) if lost(&error) => return Ok(Notice::Lost),
                Err(error) => return Err(Error::Io(error)),
            };
            self.read(&datagram)?;
        }
    }

    /// True if [`Monitor::next_notice`] has an event without waiting.
    pub fn has_ready(&self) -> bool {
        !self.ready.is_empty()
    }

    fn read(&mut self, datagram: &[u8]) -> Result<()> {
        let mut rest = datagram;
        while !rest.is_empty() {
            let message = NetlinkMessage::<GenlMessage<Message>>::deserialize(rest)?;
            let length = (message.header.length as usize).next_multiple_of(4);
            rest = rest.get(length..).unwrap_or_default();
            if let NetlinkPayload::InnerMessage(inner) = message.payload {
                if message.header.message_type == self.family {
                    self.ready.push_back(inner.payload.into());
                }
            }
        }
        Ok(())
    }
}

fn lost(error: &io::Error) -> bool {
    error.raw_os_error() == Some(libc::ENOBUFS)
}

impl<T: AsFd> AsFd for Monitor<T> {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.transport.as_fd()
    }
}
