// SPDX-License-Identifier: Apache-2.0 OR MIT
//! What is written is read back; arbitrary bytes never panic.

use std::net::{Ipv4Addr, Ipv6Addr};

use eccp_netlink::connection::{AddressAttribute, ConnectionAttribute};
use eccp_netlink::event::AddressGoneAttribute;
use eccp_netlink::flow::{FlowAttribute, MoveAttribute};
use eccp_netlink::info::InfoAttribute;
use eccp_netlink::settings::SettingsAttribute;
use eccp_netlink::stats::{Counter, StatsAttribute};
use eccp_netlink::*;
use netlink_packet_core::{DefaultNla, Emitable, NetlinkMessage, ParseableParametrized};
use netlink_packet_generic::{GenlHeader, GenlMessage};
use proptest::prelude::*;

fn header(command: Command) -> GenlHeader {
    GenlHeader {
        cmd: command.into(),
        version: 1,
    }
}

fn other() -> impl Strategy<Value = DefaultNla> {
    (1000u16..0x3fff, prop::collection::vec(any::<u8>(), 0..70))
        .prop_map(|(kind, value)| DefaultNla::new(kind, value))
}

fn port() -> impl Strategy<Value = Port> {
    any::<u16>().prop_map(Port)
}

fn text() -> impl Strategy<Value = String> {
    "[^\0]{0,40}"
}

fn address() -> impl Strategy<Value = AddressAttribute> {
    use AddressAttribute as A;
    prop_oneof![
        any::<Ipv4Addr>().prop_map(A::Ipv4),
        any::<Ipv6Addr>().prop_map(A::Ipv6),
        port().prop_map(A::Port),
        any::<u8>().prop_map(A::Priority),
        Just(A::Backup(Flag)),
        other().prop_map(A::Other),
    ]
}

fn connection() -> impl Strategy<Value = ConnectionAttribute> {
    use ConnectionAttribute as A;
    let list = || prop::collection::vec(address(), 0..6);
    prop_oneof![
        any::<u64>().prop_map(A::Id),
        any::<u32>().prop_map(|role| A::Role(role.into())),
        any::<u64>().prop_map(A::LocalVersion),
        port().prop_map(A::ServicePort),
        any::<[u8; 32]>().prop_map(A::ServiceId),
        any::<u32>().prop_map(A::Flows),
        list().prop_map(A::LocalAddress),
        list().prop_map(A::RemoteAddress),
        Just(A::Psk(Flag)),
        any::<u32>().prop_map(|reason| A::Reason(reason.into())),
        other().prop_map(A::Other),
    ]
}

fn flow() -> impl Strategy<Value = FlowAttribute> {
    use FlowAttribute as A;
    prop_oneof![
        any::<u64>().prop_map(A::LocalId),
        (0..1u64 << 33).prop_map(A::RemoteId),
        any::<u32>().prop_map(|state| A::State(state.into())),
        any::<Ipv4Addr>().prop_map(A::LocalIpv4),
        any::<Ipv6Addr>().prop_map(A::RemoteIpv6),
        port().prop_map(A::LocalPort),
        any::<u32>().prop_map(|encap| A::Encap(encap.into())),
        Just(A::Draining(Flag)),
        any::<u64>().prop_map(A::TxBytes),
        other().prop_map(A::Other),
    ]
}

fn message() -> impl Strategy<Value = Message> {
    fn of<A: Strategy>(
        command: Command,
        attribute: A,
        make: fn(Vec<A::Value>) -> Attributes,
    ) -> impl Strategy<Value = Message>
    where
        A::Value: Clone,
    {
        prop::collection::vec(attribute, 0..12).prop_map(move |list| Message {
            command,
            attributes: make(list),
        })
    }
    prop_oneof![
        of(
            Command::InfoGet,
            prop_oneof![
                text().prop_map(InfoAttribute::ModuleVersion),
                any::<u8>().prop_map(InfoAttribute::IpProtocol),
                any::<u16>().prop_map(InfoAttribute::UdpPort),
                other().prop_map(InfoAttribute::Other),
            ],
            Attributes::Info
        ),
        of(Command::ConnectionGet, connection(), Attributes::Connection),
        of(Command::FlowMoved, flow(), Attributes::Flow),
        of(
            Command::FlowMove,
            prop_oneof![
                any::<u64>().prop_map(MoveAttribute::FlowId),
                any::<Ipv6Addr>().prop_map(MoveAttribute::ToIpv6),
                any::<u32>().prop_map(MoveAttribute::ToIfindex),
            ],
            Attributes::Move
        ),
        of(
            Command::SettingsSet,
            prop_oneof![
                any::<u32>().prop_map(|policy| SettingsAttribute::Policy(policy.into())),
                any::<u32>().prop_map(SettingsAttribute::DrainingMs),
            ],
            Attributes::Settings
        ),
        of(
            Command::StatsGet,
            prop_oneof![
                (1..=Counter::TABLE.len() as u16, any::<u64>())
                    .prop_map(|(kind, value)| StatsAttribute::Counter(kind.into(), value)),
                other().prop_map(StatsAttribute::Other),
            ],
            Attributes::Stats
        ),
        of(
            Command::AddressGone,
            any::<Ipv4Addr>().prop_map(AddressGoneAttribute::Ipv4),
            Attributes::AddressGone
        ),
        of(Command::Other(200), other(), Attributes::Other),
    ]
}

proptest! {
    #[test]
    fn a_message_is_read_back_as_it_was_written(message in message()) {
        let mut bytes = vec![0xa5; message.buffer_len()];
        message.emit(&mut bytes);
        let read = Message::parse_with_param(&bytes[..], header(message.command)).unwrap();
        prop_assert_eq!(read, message);
    }

    #[test]
    fn arbitrary_attributes_never_panic(
        command in any::<u8>(),
        bytes in prop::collection::vec(any::<u8>(), 0..300),
    ) {
        let _ = Message::parse_with_param(&bytes[..], header(command.into()));
        let _ = ExtendedAck::parse(&bytes);
        let _ = ExtendedAck::parse_error(&bytes, command & 1 == 0);
        let _ = attribute_at(&bytes, command.into());
    }

    #[test]
    fn arbitrary_datagrams_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        let _ = NetlinkMessage::<GenlMessage<Message>>::deserialize(&bytes);
    }

    #[test]
    fn a_damaged_message_is_refused_or_read_but_never_panics(
        message in message(),
        damage in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..8),
        cut in any::<prop::sample::Index>(),
    ) {
        let mut bytes = vec![0; message.buffer_len()];
        message.emit(&mut bytes);
        if !bytes.is_empty() {
            for (at, byte) in damage {
                let at = at.index(bytes.len());
                bytes[at] = byte;
            }
            bytes.truncate(cut.index(bytes.len()) + 1);
        }
        let _ = Message::parse_with_param(&bytes[..], header(message.command));
    }
}

#[test]
fn a_wrong_length_is_refused_with_the_name_of_the_attribute() {
    // local-ipv4 (7) with three bytes.
    let bytes = [7, 0, 7, 0, 10, 0, 0, 0];
    let error = Message::parse_with_param(&bytes[..], header(Command::FlowGet)).unwrap_err();
    let error = error.to_string();
    assert!(
        error.contains("local-ipv4") && error.contains("4 bytes"),
        "{error}"
    );
}

#[test]
fn small_numbers_take_four_bytes_and_large_ones_eight() {
    let length = |id| {
        let message = Message {
            command: Command::FlowGet,
            attributes: Attributes::Flow(vec![FlowAttribute::LocalId(id)]),
        };
        message.buffer_len()
    };
    assert_eq!(length(u64::from(u32::MAX)), 8);
    assert_eq!(length(u64::from(u32::MAX) + 1), 12);
}
