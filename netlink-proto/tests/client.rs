// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The client and the monitor against a scripted kernel.

use std::collections::VecDeque;
use std::io;

use eccp_netlink::flow::{FlowAttribute, Target};
use eccp_netlink::settings::SettingsAttribute;
use eccp_netlink::*;
use netlink_packet_core::{
    NetlinkHeader, NetlinkMessage, NetlinkPayload, NLM_F_ACK_TLVS, NLM_F_CAPPED, NLM_F_DUMP,
    NLM_F_DUMP_INTR, NLM_F_MULTIPART,
};
use netlink_packet_generic::ctrl::nlas::{GenlCtrlAttrs, McastGrpAttrs};
use netlink_packet_generic::ctrl::{GenlCtrl, GenlCtrlCmd};
use netlink_packet_generic::GenlMessage;

const FAMILY: u16 = 0x21;
const ERROR: u16 = 2;
const DONE: u16 = 3;

type Answers = Box<dyn FnMut(&[u8], u32) -> Vec<io::Result<Vec<u8>>>>;

/// Answers each request with what a closure makes of it.
struct Kernel {
    answers: Answers,
    ready: VecDeque<io::Result<Vec<u8>>>,
    resolved: bool,
}

impl Kernel {
    fn new(answers: impl FnMut(&[u8], u32) -> Vec<io::Result<Vec<u8>>> + 'static) -> Self {
        Kernel {
            answers: Box::new(answers),
            ready: VecDeque::new(),
            resolved: false,
        }
    }
}

impl Transport for Kernel {
    fn send(&mut self, request: &[u8]) -> io::Result<()> {
        let sequence = u32::from_ne_bytes(request[8..12].try_into().unwrap());
        if self.resolved {
            self.ready.extend((self.answers)(request, sequence));
        } else {
            self.resolved = true;
            self.ready.push_back(Ok(family(sequence)));
            self.ready.push_back(Ok(error(sequence, 0, &[])));
        }
        Ok(())
    }

    fn receive(&mut self) -> io::Result<Vec<u8>> {
        self.ready
            .pop_front()
            .expect("the client waits for more than the kernel sends")
    }
}

fn family(sequence: u32) -> Vec<u8> {
    let mut message = NetlinkMessage::new(
        NetlinkHeader::default(),
        NetlinkPayload::from(GenlMessage::from_payload(GenlCtrl {
            cmd: GenlCtrlCmd::NewFamily,
            nlas: vec![
                GenlCtrlAttrs::FamilyId(FAMILY),
                GenlCtrlAttrs::McastGroups(vec![vec![
                    McastGrpAttrs::Name("events".into()),
                    McastGrpAttrs::Id(9),
                ]]),
            ],
        })),
    );
    message.header.sequence_number = sequence;
    serialize(message)
}

fn serialize<I: netlink_packet_core::NetlinkSerializable>(
    mut message: NetlinkMessage<I>,
) -> Vec<u8> {
    message.finalize();
    let mut bytes = vec![0; message.buffer_len()];
    message.serialize(&mut bytes);
    bytes
}

fn object(sequence: u32, flags: u16, command: Command, attributes: Attributes) -> Vec<u8> {
    let mut inner = GenlMessage::from_payload(Message {
        command,
        attributes,
    });
    inner.set_resolved_family_id(FAMILY);
    let mut message = NetlinkMessage::new(NetlinkHeader::default(), NetlinkPayload::from(inner));
    message.header.sequence_number = sequence;
    message.header.flags = flags;
    serialize(message)
}

fn flow(sequence: u32, flags: u16, id: u64) -> Vec<u8> {
    let attributes = Attributes::Flow(vec![FlowAttribute::LocalId(id)]);
    object(
        sequence,
        flags | NLM_F_MULTIPART,
        Command::FlowGet,
        attributes,
    )
}

fn raw(kind: u16, flags: u16, sequence: u32, payload: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::new();
    bytes.extend((16 + payload.len() as u32).to_ne_bytes());
    bytes.extend(kind.to_ne_bytes());
    bytes.extend(flags.to_ne_bytes());
    bytes.extend(sequence.to_ne_bytes());
    bytes.extend(0u32.to_ne_bytes());
    bytes.extend(payload);
    bytes
}

/// NLMSG_ERROR as the kernel writes it with NETLINK_CAP_ACK.
fn error(sequence: u32, code: i32, attributes: &[u8]) -> Vec<u8> {
    let mut payload = code.to_ne_bytes().to_vec();
    payload.extend(raw(FAMILY, 0, sequence, &[]));
    payload.extend(attributes);
    raw(ERROR, NLM_F_CAPPED | NLM_F_ACK_TLVS, sequence, &payload)
}

fn done(sequence: u32, flags: u16, code: i32, attributes: &[u8]) -> Vec<u8> {
    let mut payload = code.to_ne_bytes().to_vec();
    payload.extend(attributes);
    raw(DONE, flags | NLM_F_MULTIPART, sequence, &payload)
}

fn attribute(kind: u16, value: &[u8]) -> Vec<u8> {
    let mut bytes = (4 + value.len() as u16).to_ne_bytes().to_vec();
    bytes.extend(kind.to_ne_bytes());
    bytes.extend(value);
    bytes.resize(bytes.len().next_multiple_of(4), 0);
    bytes
}

fn client(answers: impl FnMut(&[u8], u32) -> Vec<io::Result<Vec<u8>>> + 'static) -> Client<Kernel> {
    Client::with_transport(Kernel::new(answers)).unwrap()
}

fn refusal(error: Error) -> Refusal {
    match error {
        Error::Refused(refusal) => refusal,
        other => panic!("not a refusal: {other}"),
    }
}

#[test]
fn a_dump_is_joined_from_all_its_datagrams() {
    let mut client = client(|_, seq| {
        let first = [flow(seq, 0, 1), flow(seq, 0, 2)].concat();
        vec![Ok(first), Ok(flow(seq, 0, 3)), Ok(done(seq, 0, 0, &[]))]
    });
    let dump = client.flows().unwrap();
    let ids: Vec<_> = dump.items.iter().map(|flow| flow.local_id).collect();
    assert_eq!(ids, [Some(1), Some(2), Some(3)]);
    assert!(dump.consistent);
}

#[test]
fn a_dump_that_was_interrupted_is_read_again() {
    let mut tries = 0;
    let mut client = client(move |_, seq| {
        tries += 1;
        let flags = if tries < 3 { NLM_F_DUMP_INTR } else { 0 };
        vec![Ok(flow(seq, flags, tries)), Ok(done(seq, 0, 0, &[]))]
    });
    let dump = client.flows().unwrap();
    assert!(dump.consistent);
    assert_eq!(dump.items.len(), 1);
    assert_eq!(dump.items[0].local_id, Some(3));
}

#[test]
fn a_dump_that_never_rests_is_returned_and_marked() {
    let mut client =
        client(|_, seq| vec![Ok(flow(seq, 0, 1)), Ok(done(seq, NLM_F_DUMP_INTR, 0, &[]))]);
    assert!(!client.flows().unwrap().consistent);
}

#[test]
fn answers_to_other_requests_are_passed_over() {
    let mut client = client(|_, seq| {
        vec![
            Ok(flow(seq.wrapping_sub(1), 0, 7)),
            Ok(flow(seq, 0, 8)),
            Ok(error(seq, 0, &[])),
        ]
    });
    assert_eq!(client.flow(8).unwrap().local_id, Some(8));
}

#[test]
fn a_refusal_names_the_attribute_and_the_range() {
    let mut client = client(|_, seq| {
        let policy = [
            attribute(1, &5u32.to_ne_bytes()),
            attribute(4, &50u64.to_ne_bytes()),
            attribute(5, &60000u64.to_ne_bytes()),
        ]
        .concat();
        let attributes = [
            attribute(1, b"integer out of range\0"),
            attribute(2, &28u32.to_ne_bytes()),
            attribute(4, &policy),
        ]
        .concat();
        vec![Ok(error(seq, -libc::ERANGE, &attributes))]
    });
    let settings = vec![
        SettingsAttribute::MaxHalfOpen(2),
        SettingsAttribute::DrainingMs(1),
    ];
    let refusal = refusal(client.set_settings(settings).unwrap_err());
    assert_eq!(refusal.errno, libc::ERANGE);
    assert_eq!(refusal.attribute.as_deref(), Some("draining-ms"));
    assert_eq!(
        refusal.to_string(),
        "integer out of range (attribute draining-ms), 50 to 60000 is allowed"
    );
}

#[test]
fn a_refusal_names_the_attribute_that_is_missing() {
    let mut client = client(|_, seq| {
        let attributes = attribute(5, &1u32.to_ne_bytes());
        vec![Ok(error(seq, -libc::EINVAL, &attributes))]
    });
    let refusal = refusal(client.move_flow(1, Target::Interface(2)).unwrap_err());
    assert_eq!(refusal.missing.as_deref(), Some("flow-id"));
    assert!(refusal.to_string().contains("flow-id is missing"));
}

#[test]
fn a_refusal_without_the_cap_carries_the_whole_request() {
    let mut client = client(|request, seq| {
        let mut payload = (-libc::EINVAL).to_ne_bytes().to_vec();
        payload.extend(request);
        payload.extend(attribute(1, b"no such flow\0"));
        vec![Ok(raw(ERROR, NLM_F_ACK_TLVS, seq, &payload))]
    });
    let refusal = refusal(client.flow(1 << 40).unwrap_err());
    assert_eq!(refusal.text.as_deref(), Some("no such flow"));
}

#[test]
fn the_text_of_a_failed_dump_is_read() {
    let mut client = client(|request, seq| {
        let flags = u16::from_ne_bytes(request[6..8].try_into().unwrap());
        assert_eq!(flags & NLM_F_DUMP, NLM_F_DUMP);
        vec![Ok(done(seq, 0, -libc::ENOMEM, &attribute(1, b"no room\0")))]
    });
    let refusal = refusal(client.flows().unwrap_err());
    assert_eq!(refusal.errno, libc::ENOMEM);
    assert_eq!(refusal.to_string(), "no room");
}

#[test]
fn a_warning_about_an_accepted_request_is_kept() {
    let mut client =
        client(|_, seq| vec![Ok(error(seq, 0, &attribute(1, b"applies to new flows\0")))]);
    let answer = client
        .request(&Message::request(Command::SettingsSet), 0)
        .unwrap();
    assert_eq!(answer.warning.as_deref(), Some("applies to new flows"));
}

#[test]
fn a_kernel_without_the_family_is_recognised() {
    struct Without;
    impl Transport for Without {
        fn send(&mut self, _: &[u8]) -> io::Result<()> {
            Ok(())
        }
        fn receive(&mut self) -> io::Result<Vec<u8>> {
            Ok(error(1, -libc::ENOENT, &[]))
        }
    }
    assert!(matches!(
        Client::with_transport(Without),
        Err(Error::FamilyMissing)
    ));
}

#[test]
fn a_monitor_tells_events_in_order_and_that_some_were_lost() {
    let mut kernel = Kernel::new(|_, _| Vec::new());
    let event = |command, id| {
        let attributes = Attributes::Flow(vec![FlowAttribute::LocalId(id)]);
        object(0, 0, command, attributes)
    };
    kernel.ready.extend([
        Ok([event(Command::FlowMoving, 5), event(Command::FlowMoved, 5)].concat()),
        Err(io::Error::from_raw_os_error(libc::ENOBUFS)),
        Ok(event(Command::FlowClosed, 6)),
    ]);
    let mut monitor = Monitor::with_transport(kernel, FAMILY);
    let mut seen = Vec::new();
    for _ in 0..4 {
        seen.push(match monitor.next_notice().unwrap() {
            Notice::Event(event) => event.command().to_string(),
            Notice::Lost => "lost".into(),
        });
    }
    assert_eq!(seen, ["flow-moving", "flow-moved", "lost", "flow-closed"]);
}

#[test]
fn a_datagram_that_ends_early_is_an_error_and_not_a_hang() {
    let mut client = client(|_, seq| {
        let mut bytes = flow(seq, 0, 1);
        bytes.truncate(20);
        vec![Ok(bytes)]
    });
    assert!(matches!(client.flows(), Err(Error::Decode(_))));
}
