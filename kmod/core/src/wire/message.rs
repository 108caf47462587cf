// SPDX-License-Identifier: GPL-2.0-only
//! Control messages as values, and how they are written.

use super::super::address::RemoteAddr;
use super::super::bytes::copy_into;
use super::super::ilist::IList;
use super::super::service::{Service, TransportParams};
use super::header::{Header, PacketType, CONTROL_LEN};
use super::option::{
    FlowFlags, Join, Writer, MAC_LEN, OPT_COOKIE, OPT_ECHO, OPT_EXISTING_FLOW, OPT_FLOW_FLAGS,
    OPT_JOIN, OPT_KEY, OPT_MAC, OPT_NEW_FLOW, OPT_OBSERVED, OPT_PREFERRED, OPT_PROBE, OPT_REASON,
    OPT_RECORD, OPT_REDIRECT, OPT_RESET_PROOF, OPT_SERVICE, OPT_TOKEN, OPT_TRANSPORT, OPT_VERSIONS,
    TOKEN_LEN,
};
use super::redirect::Redirection;
use super::INNER_NONE;

/// The buffer is too short for the message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct NoRoom;

/// Why a flow was refused or reset, as the RST says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Reason {
    /// No listener for the service.
    NoService,
    /// A limit of the host was reached.
    Busy,
    /// The transport or its owner gave the connection up.
    Aborted,
    /// A handshake was not completed in time.
    TimedOut,
    /// Policy forbids it.
    Prohibited,
    /// The flow was closed before.
    Closed,
    /// The flow is not needed any more; the connection goes on with its others.
    Removed,
    /// A number that this version does not know.
    Other(u8),
}

impl Reason {
    /// The number on the wire.
    #[must_use]
    pub const fn number(self) -> u8 {
        match self {
            Self::NoService => 1,
            Self::Busy => 2,
            Self::Aborted => 3,
            Self::TimedOut => 4,
            Self::Prohibited => 5,
            Self::Closed => 6,
            Self::Removed => 7,
            Self::Other(number) => number,
        }
    }

    /// The reason of a number.
    #[must_use]
    pub const fn from_number(number: u8) -> Self {
        match number {
            1 => Self::NoService,
            2 => Self::Busy,
            3 => Self::Aborted,
            4 => Self::TimedOut,
            5 => Self::Prohibited,
            6 => Self::Closed,
            7 => Self::Removed,
            other => Self::Other(other),
        }
    }
}

/// What a ping is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
pub struct ProbeMark {
    /// The path in use is dead for the sender: whoever can should leave it.
    pub trouble: bool,
    /// The ping goes along another path than the one in use.
    pub other: bool,
    /// Number of what the sender tries to find out; grows.
    pub serial: u32,
}

impl ProbeMark {
    const TROUBLE: u8 = 1;
    const OTHER: u8 = 2;

    /// The value of the option.
    #[must_use]
    pub const fn to_bytes(self) -> [u8; 6] {
        let [a, b, c, d] = self.serial.to_be_bytes();
        let mut flags = 0;
        if self.trouble {
            flags |= Self::TROUBLE;
        }
        if self.other {
            flags |= Self::OTHER;
        }
        [flags, 0, a, b, c, d]
    }

    /// Reads the value of the option; unknown flags are ignored.
    #[must_use]
    pub const fn from_bytes([flags, _, a, b, c, d]: [u8; 6]) -> Self {
        Self {
            trouble: flags & Self::TROUBLE != 0,
            other: flags & Self::OTHER != 0,
            serial: u32::from_be_bytes([a, b, c, d]),
        }
    }
}

/// The versions that a VERSION packet lists.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
pub struct Versions {
    list: [u8; 4],
    len: u8,
}

impl Versions {
    /// A list of at most four versions; `None` if there are more.
    #[must_use]
    pub fn new(versions: &[u8]) -> Option<Self> {
        let mut list = Self::default();
        copy_into(&mut list.list, versions)?;
        list.len = u8::try_from(versions.len()).ok()?;
        Some(list)
    }

    /// The versions listed.
    #[must_use]
    pub fn as_slice(&self) -> &[u8] {
        self.list.get(..usize::from(self.len)).unwrap_or(&[])
    }
}

/// The contents of a control packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Message {
    /// Type; any but DATA.
    pub kind: PacketType,
    /// The receiver's flow ID; zero in a first SYN.
    pub receiver: u64,
    /// The sender's flow ID; zero if it has none.
    pub sender: u64,
    /// Flow version: the sender's own in SYN, SYN-ACK, RSYN, PING and RST; the one that is
    /// answered in ACK, RSYN-ACK and PONG.
    pub version: u64,
    /// Inner protocol number.
    pub inner: u8,
    /// Service asked for.
    pub service: Option<Service>,
    /// X25519 public key.
    pub key: Option<[u8; 32]>,
    /// Addresses of the sender.
    pub ilist: Option<IList>,
    /// Parameters of the sender's transport.
    pub transport: Option<TransportParams>,
    /// Address that the sender prefers.
    pub preferred: Option<RemoteAddr>,
    /// Address of the receiver that the sender has on record.
    pub record: Option<RemoteAddr>,
    /// New flow ID of the sender.
    pub new_flow: Option<u64>,
    /// Existing flow ID of the sender.
    pub existing_flow: Option<u64>,
    /// Reason of a refusal or reset.
    pub reason: Option<Reason>,
    /// Known versions.
    pub versions: Option<Versions>,
    /// Token of the SYN or RSYN that is answered.
    pub echo: Option<[u8; TOKEN_LEN]>,
    /// What the sender says about the flow.
    pub flow_flags: Option<FlowFlags>,
    /// Token or challenge.
    pub token: Option<[u8; TOKEN_LEN]>,
    /// What a ping probes.
    pub probe: Option<ProbeMark>,
    /// Commitment to the proof of a stateless reset of the sender's flow.
    pub reset_proof: Option<[u8; TOKEN_LEN]>,
    /// Cookie that proves the address of a SYN's sender.
    pub cookie: Option<[u8; TOKEN_LEN]>,
    /// Source of the packet that is answered.
    pub observed: Option<RemoteAddr>,
    /// What a mover and a router say to each other.
    pub redirect: Option<Redirection>,
    /// Bundle that the connection joins.
    pub join: Option<Join>,
}

/// What [`Message::emit`] wrote.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Emitted {
    /// Length of the packet, in bytes.
    pub len: usize,
    /// Length of the part before the token option, or before the MAC option if there is no
    /// token: what the key exchange binds of a SYN-ACK.
    pub bound: usize,
    /// Where the zeroed MAC value starts: the MAC covers everything before it. `None` if the
    /// message was written without one.
    pub mac_at: Option<usize>,
}

impl Message {
    /// A message without options and without an inner protocol.
    #[must_use]
    pub const fn new(kind: PacketType, receiver: u64, sender: u64, version: u64) -> Self {
        Self {
            kind,
            receiver,
            sender,
            version,
            inner: INNER_NONE,
            service: None,
            key: None,
            ilist: None,
            transport: None,
            preferred: None,
            record: None,
            new_flow: None,
            existing_flow: None,
            reason: None,
            versions: None,
            echo: None,
            flow_flags: None,
            token: None,
            probe: None,
            reset_proof: None,
            cookie: None,
            observed: None,
            redirect: None,
            join: None,
        }
    }

    /// Writes the message to the front of `buf`; `with_mac` reserves a zeroed MAC at the end.
    pub fn emit(&self, buf: &mut [u8], with_mac: bool) -> Result<Emitted, NoRoom> {
        let mut out = Writer { buf, len: 0 };
        out.put(&[0; CONTROL_LEN])?;
        self.emit_options(&mut out)?;
        let token_at = match &self.token {
            Some(token) => Some(out.option(OPT_TOKEN, &[token])?),
            None => None,
        };
        if let Some(cookie) = &self.cookie {
            out.option(OPT_COOKIE, &[cookie])?;
        }
        let bound = token_at.unwrap_or(out.len);
        let mac_at = match with_mac {
            true => Some(out.option(OPT_MAC, &[&[0; MAC_LEN]])?.saturating_add(2)),
            false => None,
        };
        let len = out.len;
        u8::try_from(len >> 2).map_err(|_| NoRoom)?;
        let header = Header {
            receiver: self.receiver,
            kind: self.kind,
            len,
            inner: self.inner,
        };
        out.len = 0;
        out.put(&header.to_bytes())?;
        out.put(&self.sender.to_be_bytes())?;
        out.put(&self.version.to_be_bytes())?;
        Ok(Emitted { len, bound, mac_at })
    }

    fn emit_options(&self, out: &mut Writer<'_>) -> Result<(), NoRoom> {
        match &self.service {
            Some(Service::Port(port)) => {
                out.option(OPT_SERVICE, &[&port.to_be_bytes()])?;
            }
            Some(Service::Id(id)) => {
                out.option(OPT_SERVICE, &[id])?;
            }
            None => {}
        }
        if let Some(key) = &self.key {
            out.option(OPT_KEY, &[key])?;
        }
        if let Some(list) = &self.ilist {
            out.ilist(list)?;
        }
        if let Some(params) = &self.transport {
            out.option(OPT_TRANSPORT, &[params.as_bytes()])?;
        }
        if let Some(at) = &self.preferred {
            out.remote(OPT_PREFERRED, at)?;
        }
        if let Some(at) = &self.record {
            out.remote(OPT_RECORD, at)?;
        }
        if let Some(id) = self.new_flow {
            out.option(OPT_NEW_FLOW, &[&id.to_be_bytes()])?;
        }
        if let Some(id) = self.existing_flow {
            out.option(OPT_EXISTING_FLOW, &[&id.to_be_bytes()])?;
        }
        if let Some(reason) = self.reason {
            out.option(OPT_REASON, &[&[reason.number()]])?;
        }
        if let Some(versions) = &self.versions {
            out.option(OPT_VERSIONS, &[versions.as_slice()])?;
        }
        if let Some(echo) = &self.echo {
            out.option(OPT_ECHO, &[echo])?;
        }
        if let Some(at) = &self.observed {
            out.remote(OPT_OBSERVED, at)?;
        }
        if let Some(probe) = &self.probe {
            out.option(OPT_PROBE, &[&probe.to_bytes()])?;
        }
        if let Some(said) = &self.flow_flags {
            let number = said.number.to_be_bytes();
            out.option(OPT_FLOW_FLAGS, &[&[said.flags], &number])?;
        }
        if let Some(join) = &self.join {
            let bundle = join.bundle.to_be_bytes();
            out.option(OPT_JOIN, &[&bundle, &join.proof])?;
        }
        if let Some(proof) = &self.reset_proof {
            out.option(OPT_RESET_PROOF, &[proof])?;
        }
        if let Some(redirect) = &self.redirect {
            out.option(OPT_REDIRECT, &[&redirect.to_bytes()])?;
        }
        Ok(())
    }
}
