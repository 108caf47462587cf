// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Looks up the numbers that the kernel gave the family and its group.

use netlink_packet_core::{
    NetlinkHeader, NetlinkMessage, NetlinkPayload, NLM_F_ACK, NLM_F_REQUEST,
};
use netlink_packet_generic::ctrl::nlas::{GenlCtrlAttrs, McastGrpAttrs};
use netlink_packet_generic::ctrl::{GenlCtrl, GenlCtrlCmd};
use netlink_packet_generic::GenlMessage;

use crate::constants::FAMILY_NAME;
use crate::error::{Error, Result};
use crate::transport::Transport;

/// Numbers of the family, which differ from boot to boot.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Family {
    /// Message type of the family.
    pub id: u16,
    /// Multicast groups by name.
    pub groups: Vec<(String, u32)>,
}

impl Family {
    /// Asks the controller of generic netlink, which also makes the kernel look
    /// for a module of the family's alias.
    pub fn resolve(transport: &mut impl Transport) -> Result<Self> {
        let mut request = NetlinkMessage::new(
            header(),
            NetlinkPayload::from(GenlMessage::from_payload(GenlCtrl {
                cmd: GenlCtrlCmd::GetFamily,
                nlas: vec![GenlCtrlAttrs::FamilyName(FAMILY_NAME.into())],
            })),
        );
        request.finalize();
        let mut datagram = vec![0; request.buffer_len()];
        request.serialize(&mut datagram);
        transport.send(&datagram)?;

        let mut family = None;
        loop {
            let answer = transport.receive()?;
            let mut rest = answer.as_slice();
            while !rest.is_empty() {
                let message = NetlinkMessage::<GenlMessage<GenlCtrl>>::deserialize(rest)?;
                let length = (message.header.length as usize).next_multiple_of(4);
                rest = rest.get(length..).unwrap_or_default();
                match message.payload {
                    NetlinkPayload::InnerMessage(inner) => {
                        family = Some(Self::from_attributes(inner.payload.nlas));
                    }
                    NetlinkPayload::Error(error) => match error.raw_code() {
                        0 => return family.ok_or(Error::FamilyMissing),
                        code if code == -libc::ENOENT => return Err(Error::FamilyMissing),
                        _ => return Err(Error::Io(error.to_io())),
                    },
                    _ => {}
                }
            }
        }
    }

    fn from_attributes(attributes: Vec<GenlCtrlAttrs>) -> Self {
        let mut family = Family {
            id: 0,
            groups: Vec::new(),
        };
        for attribute in attributes {
            match attribute {
                GenlCtrlAttrs::FamilyId(id) => family.id = id,
                GenlCtrlAttrs::McastGroups(groups) => {
                    family.groups = groups.into_iter().filter_map(group).collect();
                }
                _ => {}
            }
        }
        family
    }

    /// Number of the group called `name`.
    pub fn group(&self, name: &'static str) -> Result<u32> {
        self.groups
            .iter()
            .find(|(known, _)| known == name)
            .map(|(_, id)| *id)
            .ok_or(Error::GroupMissing(name))
    }
}

fn header() -> NetlinkHeader {
    let mut header = NetlinkHeader::default();
    header.flags = NLM_F_REQUEST | NLM_F_ACK;
    header.sequence_number = 1;
    header
}

fn group(attributes: Vec<McastGrpAttrs>) -> Option<(String, u32)> {
    let mut name = None;
    let mut id = None;
    for attribute in attributes {
        match attribute {
            McastGrpAttrs::Name(value) => name = Some(value),
            McastGrpAttrs::Id(value) => id = Some(value),
        }
    }
    Some((name?, id?))
}
