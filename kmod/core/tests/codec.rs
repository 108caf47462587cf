// SPDX-License-Identifier: GPL-2.0-only
//! The codec: what is written is read back, and no bytes whatever make it panic.

use eccp_core::address::{IpAddr128, RemoteAddr};
use eccp_core::ilist::{IList, IListEntry, MAX_ADDRESSES};
use eccp_core::respond::version_answer;
use eccp_core::service::{Service, TransportParams, MAX_TRANSPORT};
use eccp_core::wire::{
    FlowFlags, Header, Join, Malformed, Message, Packet, PacketType, ParseError, ProbeMark, Reason,
    RedirectStep, Redirection, Versions, CONTROL_LEN, DATA_LEN, INNER_TCP, MAX_CONTROL,
    OPT_MANDATORY,
};
use proptest::collection::vec;
use proptest::prelude::*;

fn address() -> impl Strategy<Value = IpAddr128> {
    prop_oneof![
        any::<[u8; 4]>().prop_map(IpAddr128::from_v4),
        any::<[u8; 16]>()
            .prop_map(IpAddr128)
            .prop_filter("mapped addresses are IPv4", |a| a.as_v4().is_none()),
    ]
}

fn remote() -> impl Strategy<Value = RemoteAddr> {
    (address(), any::<u16>()).prop_map(|(addr, port)| RemoteAddr { addr, port })
}

fn ilist() -> impl Strategy<Value = IList> {
    let entry = (address(), any::<u16>(), any::<u8>(), any::<u8>());
    (any::<u64>(), vec(entry, 0..=MAX_ADDRESSES)).prop_map(|(version, entries)| {
        let mut list = IList::new(version);
        for (addr, port, flags, priority) in entries {
            assert!(list.push(IListEntry {
                addr,
                port,
                flags,
                priority,
            }));
        }
        list
    })
}

fn service() -> impl Strategy<Value = Service> {
    prop_oneof![
        any::<u16>().prop_map(Service::Port),
        any::<[u8; 32]>().prop_map(Service::Id),
    ]
}

fn kind() -> impl Strategy<Value = PacketType> {
    (1u8..=14).prop_map(|number| PacketType::from_number(number).expect("assigned"))
}

/// Messages with every option that their type requires and any of the others.
fn message() -> impl Strategy<Value = Message> {
    let ids = (kind(), 1u64.., 1u64.., any::<u64>(), any::<u8>());
    let first = (
        proptest::option::of(service()),
        any::<[u8; 32]>(),
        proptest::option::of(ilist()),
        proptest::option::of(vec(any::<u8>(), 0..=MAX_TRANSPORT)),
        proptest::option::of(remote()),
        proptest::option::of(remote()),
    );
    let second = (
        proptest::option::of(1u64..),
        proptest::option::of(1u64..),
        proptest::option::of(any::<u8>()),
        any::<[u8; 16]>(),
        vec(any::<u8>(), 0..=4),
    );
    (ids, first, second).prop_map(|(ids, first, second)| {
        let mut m = Message::new(ids.0, ids.1, ids.2, ids.3);
        m.inner = ids.4;
        (m.service, m.ilist, m.preferred, m.record) = (first.0, first.2, first.4, first.5);
        m.key = Some(first.1);
        m.transport = first
            .3
            .map(|bytes| TransportParams::new(&bytes).expect("short"));
        (m.new_flow, m.existing_flow) = (second.0, second.1);
        m.reason = second.2.map(Reason::from_number);
        m.token = Some(second.3);
        m.echo = second.0.map(|_| second.3);
        m.versions = Versions::new(&second.4);
        m.observed = first.5;
        m.probe = second.1.map(|n| ProbeMark {
            trouble: n & 1 != 0,
            other: n & 2 != 0,
            serial: n as u32,
        });
        let flags = FlowFlags {
            flags: ids.4,
            number: ids.3,
        };
        m.flow_flags = second.1.map(|_| flags);
        match m.kind {
            PacketType::Syn => (m.existing_flow, m.flow_flags) = (Some(ids.2), Some(flags)),
            PacketType::Nack | PacketType::HolePunch => {
                m.preferred = m.preferred.or(Some(RemoteAddr::default()));
            }
            _ => {}
        }
        m.new_flow = m.new_flow.filter(|_| m.kind == PacketType::Rsyn);
        m.reset_proof = second.1.map(|_| second.3);
        let step = [
            RedirectStep::Ask,
            RedirectStep::Ticket,
            RedirectStep::Tell,
            RedirectStep::Told,
        ][usize::from(ids.4 & 3)];
        if m.kind == PacketType::Redirect {
            m.record = m.record.or(Some(RemoteAddr::default()));
            m.redirect = Some(Redirection {
                slot: ids.4,
                seconds: ids.4.into(),
                router: ids.3,
                ticket: second.3,
                step,
            });
        }
        m.cookie = first.2.map(|_| second.3);
        m.join = second.0.map(|bundle| Join {
            bundle,
            proof: second.3,
        });
        m
    })
}

proptest! {
    #[test]
    fn what_is_written_is_read_back(message in message()) {
        let mut buf = [0xaa; 1024];
        let emitted = message.emit(&mut buf, true).expect("room");
        let packet = Packet::parse(&buf[..emitted.len]).expect("valid");
        prop_assert_eq!(packet.message(), &message);
        let (covered, mac) = packet.authenticated().expect("a MAC");
        prop_assert_eq!(covered.len(), emitted.mac_at.expect("a MAC"));
        prop_assert_eq!(mac, &[0; 16]);
        prop_assert_eq!(packet.bound().len(), emitted.bound);
    }

    #[test]
    fn a_buffer_that_is_too_short_is_refused(message in message(), cut in 1usize..300) {
        let mut buf = [0; 1024];
        let len = message.emit(&mut buf, true).expect("room").len;
        let short = len.saturating_sub(cut);
        prop_assert!(message.emit(&mut buf[..short], true).is_err());
    }

    #[test]
    fn a_packet_that_is_cut_or_extended_is_refused(message in message(), at in 0usize..1024) {
        let mut buf = [0; 1024];
        let len = message.emit(&mut buf, true).expect("room").len;
        prop_assert!(Packet::parse(&buf[..at.min(len - 1)]).is_err());
        let longer = (len + 1 + at % 64).min(1024);
        prop_assert!(Packet::parse(&buf[..longer]).is_err());
    }

    #[test]
    fn no_bytes_make_the_parser_panic(bytes in vec(any::<u8>(), 0..600)) {
        let _header = Header::parse(&bytes);
        let _packet = Packet::parse(&bytes);
        let mut out = [0; MAX_CONTROL];
        if let Some(len) = version_answer(&bytes, &mut out) {
            prop_assert!(len <= 3 * bytes.len());
            prop_assert!(Packet::parse(&out[..len]).is_ok());
        }
    }

    #[test]
    fn no_options_make_the_parser_panic(kind in 1u8..=15, bytes in vec(any::<u8>(), 0..120)) {
        let mut packet = vec![0, 0, 0, 0, 0, 0, 0, 1, 0x10 | kind, 0, 6, 0];
        packet.extend([0; 15]);
        packet.push(1);
        packet.extend(&bytes);
        packet.resize(packet.len().next_multiple_of(4), 0);
        packet[9] = (packet.len() / 4) as u8;
        let _packet = Packet::parse(&packet);
    }

    #[test]
    fn a_changed_byte_is_refused_or_read_as_another_value(
        message in message(), at in 0usize..1024, bit in 0u8..8
    ) {
        let mut buf = [0; 1024];
        let len = message.emit(&mut buf, true).expect("room").len;
        let at = at % len;
        buf[at] ^= 1 << bit;
        if let Ok(packet) = Packet::parse(&buf[..len]) {
            // Byte 11 holds the flags, which are ignored; a reserved byte of an address or a flag
            // of a probe may be what changed; everything else must show.
            let mac_changed = packet.authenticated().is_some_and(|(_, mac)| mac != &[0; 16]);
            let reserves = message.probe.is_some() || message.ilist.is_some()
                || message.preferred.is_some() || message.record.is_some();
            prop_assert!(packet.message() != &message || mac_changed || at == 11
                || reserves);
        }
    }
}

#[test]
fn a_data_header_is_twelve_bytes() {
    let header = Header::data(0x0102_0304_0506_0708, INNER_TCP);
    assert_eq!(header, [1, 2, 3, 4, 5, 6, 7, 8, 0x10, 3, 6, 0]);
    let mut packet = header.to_vec();
    packet.extend([0xee; 40]);
    let parsed = Header::parse(&packet).expect("valid");
    assert_eq!(parsed.kind, PacketType::Data);
    assert_eq!(parsed.len, DATA_LEN);
    assert_eq!(parsed.receiver, 0x0102_0304_0506_0708);
}

#[test]
fn another_version_is_told_from_a_broken_packet() {
    let mut packet = Header::data(1, INNER_TCP);
    packet[8] = 0x20;
    assert_eq!(Header::parse(&packet), Err(ParseError::Version(2)));
    packet[8] = 0x1f;
    assert_eq!(
        Header::parse(&packet),
        Err(ParseError::Malformed(Malformed::UnknownType))
    );
}

fn rsyn() -> Vec<u8> {
    let mut buf = [0; 128];
    let message = Message::new(PacketType::Rsyn, 1, 2, 3);
    let len = message.emit(&mut buf, true).expect("room").len;
    buf[..len].to_vec()
}

/// Puts an option in front of the MAC.
fn with_option(option: &[u8]) -> Vec<u8> {
    let mut packet = rsyn();
    let tail = packet.split_off(CONTROL_LEN);
    packet.extend(option);
    packet.extend(tail);
    packet[9] = (packet.len() / 4) as u8;
    packet
}

fn malformed(packet: &[u8]) -> Malformed {
    match Packet::parse(packet) {
        Err(ParseError::Malformed(reason)) => reason,
        other => panic!("{other:?}"),
    }
}

#[test]
fn an_unknown_option_is_skipped_unless_it_is_mandatory() {
    assert!(Packet::parse(&with_option(&[0x3f, 2, 1, 1])).is_ok());
    let mandatory = with_option(&[0x3f | OPT_MANDATORY, 2, 1, 1]);
    assert_eq!(malformed(&mandatory), Malformed::UnknownOption);
}

#[test]
fn each_malformation_has_its_reason() {
    assert_eq!(malformed(&rsyn()[..11]), Malformed::Truncated);
    assert_eq!(malformed(&rsyn()[..40]), Malformed::Truncated);
    assert_eq!(
        malformed(&with_option(&[0x09, 1, 1, 1])),
        Malformed::Padding
    );
    assert_eq!(
        malformed(&with_option(&[0x09, 2, 1, 1])),
        Malformed::OptionValue
    );
    assert_eq!(
        malformed(&with_option(&[0x09, 1, 1, 0, 0x09, 1, 1, 0])),
        Malformed::OptionOrder
    );
    assert_eq!(
        malformed(&with_option(&[0x3f, 255, 0, 0])),
        Malformed::OptionLength
    );
    let mut behind_mac = rsyn();
    behind_mac.extend([0x09, 1, 1, 0]);
    behind_mac[9] += 1;
    assert_eq!(malformed(&behind_mac), Malformed::OptionOrder);
    let mut trailing = rsyn();
    trailing.push(0);
    assert_eq!(malformed(&trailing), Malformed::TrailingBytes);
    let mut short = rsyn();
    short[9] = 6;
    assert_eq!(malformed(&short), Malformed::HeaderLength);
    let mut no_receiver = rsyn();
    no_receiver[..8].fill(0);
    assert_eq!(malformed(&no_receiver), Malformed::FlowId);
    let mut no_mac = rsyn();
    no_mac.truncate(CONTROL_LEN);
    no_mac[9] = 7;
    assert_eq!(malformed(&no_mac), Malformed::MissingOption);
    let mut no_type = rsyn();
    no_type[8] = 0x1f;
    assert_eq!(malformed(&no_type), Malformed::UnknownType);
}

#[test]
fn a_mapped_address_must_not_pose_as_ipv6() {
    let mut option = vec![0x86, 20, 6, 0, 0, 0];
    option.extend([0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 1, 2, 3, 4, 0, 0]);
    assert_eq!(malformed(&with_option(&option)), Malformed::OptionValue);
}
