// SPDX-License-Identifier: GPL-2.0-only
//! Forged, replayed and mutated packets: nothing has an effect before its MAC is checked, and
//! nothing makes the core panic.

mod pair;

use eccp_core::connection::Connection;
use eccp_core::event::{Command, Discard};
use eccp_core::flow::FlowState;
use eccp_core::respond::{refuse, version_answer};
use eccp_core::sim::{Node, Rng};
use eccp_core::time::Duration;
use eccp_core::wire::{Malformed, Message, Packet, PacketType, Reason, MAX_CONTROL};
use pair::{addr, Pair, Sent, CLIENT, FLOW, SERVER};

/// Hands `bytes` to a host; true if the connection is as it was before.
fn leaves_unchanged(pair: &mut Pair, host: usize, sent: &Sent) -> Result<bool, Discard> {
    let before: Connection = pair.conn(host).clone();
    let rx = pair.rx(host, sent);
    let node: &mut Node = &mut pair.nodes[host];
    node.conn.handle_packet(&mut node.host, &rx, &sent.bytes)?;
    Ok(*pair.conn(host) == before)
}

fn every_kind_of_packet() -> Vec<(Pair, Sent)> {
    let mut all = Vec::new();
    let mut pair = Pair::established();
    let rsyn = pair.hard_move(CLIENT, 2);
    all.push((pair, rsyn));
    let mut pair = Pair::established();
    let rsyn = pair.hard_move(CLIENT, 2);
    pair.give(SERVER, &rsyn).unwrap();
    let answer = pair.only(SERVER, PacketType::RsynAck);
    pair.give(CLIENT, &answer).unwrap();
    let ack = pair.only(CLIENT, PacketType::Ack);
    all.push((pair, ack));
    let mut pair = Pair::established();
    pair.command(CLIENT, Command::Ping { flow: FLOW }).unwrap();
    let ping = pair.only(CLIENT, PacketType::Ping);
    all.push((pair, ping));
    let mut pair = Pair::established();
    let reason = Reason::Aborted;
    pair.command(CLIENT, Command::Abort { flow: FLOW, reason })
        .unwrap();
    let rst = pair.only(CLIENT, PacketType::Rst);
    all.push((pair, rst));
    let (pair, punch) = punching(CLIENT);
    all.push((pair, punch));
    let (mut pair, punch) = punching(SERVER);
    pair.give(CLIENT, &punch).unwrap();
    let ack = pair.only(CLIENT, PacketType::HolePunchAck);
    all.push((pair, ack));
    all
}

/// A planned move of a host to its second address whose RSYN was lost, and the HOLE-PUNCH.
fn punching(host: usize) -> (Pair, Sent) {
    let mut pair = Pair::established();
    pair.set_addresses(host, &[addr(host, 1), addr(host, 2)]);
    pair.settle();
    let to = addr(host, 2);
    let command = Command::Move { flow: FLOW, to };
    pair.command(host, command).unwrap();
    pair.sent(host);
    pair.advance(Duration::from_millis(300));
    pair.sent(1 - host);
    let mut sent = pair.sent(host);
    sent.retain(|sent| sent.kind() == PacketType::HolePunch);
    assert_eq!(sent.len(), 1, "native only");
    (pair, sent.remove(0))
}

#[test]
fn every_changed_bit_of_every_message_is_refused_without_a_trace() {
    for (mut pair, sent) in every_kind_of_packet() {
        let before = pair.conn(SERVER).clone();
        for at in 0..sent.bytes.len() {
            for bit in 0..8 {
                let mut forged = sent.clone();
                forged.bytes[at] ^= 1 << bit;
                let result = leaves_unchanged(&mut pair, SERVER, &forged);
                let kind = sent.kind();
                assert!(result.is_err(), "{kind:?}: byte {at} bit {bit}: {result:?}");
                assert!(
                    *pair.conn(SERVER) == before,
                    "{kind:?}: byte {at} bit {bit}"
                );
            }
        }
        pair.give(SERVER, &sent).expect("the genuine packet");
    }
}

#[test]
fn packets_of_the_other_direction_are_refused() {
    let mut pair = Pair::established();
    pair.command(CLIENT, Command::Ping { flow: FLOW }).unwrap();
    let ping = pair.only(CLIENT, PacketType::Ping);
    // Turned around, with the flow IDs exchanged: each direction has a key of its own.
    let mut reflected = ping.clone();
    let (receiver, sender) = (ping.bytes[..8].to_vec(), ping.bytes[12..20].to_vec());
    reflected.bytes[..8].copy_from_slice(&sender);
    reflected.bytes[12..20].copy_from_slice(&receiver);
    assert_eq!(pair.give(CLIENT, &reflected), Err(Discard::BadMac));
}

#[test]
fn a_replayed_move_moves_nothing() {
    let mut pair = Pair::established();
    let mut seen = Vec::new();
    for n in 2..5 {
        let rsyn = pair.hard_move(CLIENT, n);
        pair.give(SERVER, &rsyn).unwrap();
        let answer = pair.only(SERVER, PacketType::RsynAck);
        pair.give(CLIENT, &answer).unwrap();
        let ack = pair.only(CLIENT, PacketType::Ack);
        pair.give(SERVER, &ack).unwrap();
        seen.extend([rsyn, ack]);
    }
    let target = pair.data_to(SERVER);
    for old in &seen {
        let mut rx = pair.rx(SERVER, old);
        rx.remote = addr(CLIENT, 99).addr;
        // The newest version is answered (R13) and no other; none moves data.
        let _result = pair.give_from(SERVER, old, &rx);
        assert_eq!(pair.data_to(SERVER), target);
        assert_eq!(pair.flow(SERVER).validated(), Some(3));
    }
    assert!(pair.sent(SERVER).len() <= 1);
}

#[test]
fn a_forged_refusal_does_not_end_a_connection_attempt() {
    let mut pair = Pair::new();
    pair.connect();
    let syn = pair.only(CLIENT, PacketType::Syn);
    let mut forged = Sent {
        path: eccp_core::address::Path {
            local: syn.path.remote,
            remote: syn.path.local,
            ..syn.path
        },
        bytes: vec![0; 64],
    };
    let mut rst = Message::new(PacketType::Rst, syn.message().sender, 0, 0);
    rst.reason = Some(Reason::NoService);
    let len = rst.emit(&mut forged.bytes, true).unwrap().len;
    forged.bytes.truncate(len);
    assert_eq!(pair.give(CLIENT, &forged), Err(Discard::BadMac));
    assert_eq!(pair.state(CLIENT), FlowState::SynSent);
    // Who has seen the SYN can refuse it.
    let packet = Packet::parse(&syn.bytes).unwrap();
    let mut out = [0; MAX_CONTROL];
    let len = refuse(
        &pair.nodes[SERVER].host,
        &packet,
        Reason::NoService,
        &mut out,
    )
    .unwrap();
    forged.bytes = out[..len].to_vec();
    pair.give(CLIENT, &forged).unwrap();
    assert!(pair.conn(CLIENT).is_closed());
}

#[test]
fn a_version_packet_ends_nothing() {
    let mut pair = Pair::new();
    pair.connect();
    let mut syn = pair.only(CLIENT, PacketType::Syn);
    syn.bytes[8] = 0x20 | (syn.bytes[8] & 0x0f);
    let mut out = [0; MAX_CONTROL];
    let len = version_answer(&syn.bytes, &mut out).unwrap();
    let answer = Sent {
        path: eccp_core::address::Path {
            local: syn.path.remote,
            remote: syn.path.local,
            ..syn.path
        },
        bytes: out[..len].to_vec(),
    };
    pair.give(CLIENT, &answer).unwrap();
    assert_eq!(pair.state(CLIENT), FlowState::SynSent);
}

#[test]
fn a_syn_with_the_flow_id_of_another_is_told_apart() {
    let mut pair = Pair::new();
    pair.connect();
    let syn = pair.only(CLIENT, PacketType::Syn);
    pair.give(SERVER, &syn).unwrap();
    let mut forged = syn.clone();
    let last = forged.bytes.len() - 8;
    forged.bytes[last] ^= 0xff;
    let rx = pair.rx(SERVER, &forged);
    let server = &mut pair.nodes[SERVER];
    server.receive(&rx, &forged.bytes);
    let refused: u64 = [
        Discard::DifferentSyn,
        Discard::Malformed(Malformed::OptionValue),
    ]
    .map(|reason| server.discarded(reason))
    .iter()
    .sum();
    assert_eq!(refused, 1);
}

#[test]
fn answers_are_limited() {
    let mut pair = Pair::established();
    pair.command(CLIENT, Command::Ping { flow: FLOW }).unwrap();
    let ping = pair.only(CLIENT, PacketType::Ping);
    let rate = pair.conn(SERVER).settings().control_rate;
    let mut answered = 0;
    for _ in 0..3 * rate {
        answered += u32::from(pair.give(SERVER, &ping).is_ok());
        pair.sent(SERVER);
    }
    assert!(answered <= rate, "{answered} answers in no time");
    assert_eq!(pair.give(SERVER, &ping), Err(Discard::RateLimited));
    pair.advance(Duration::from_secs(1));
    pair.give(SERVER, &ping).unwrap();
}

#[test]
fn an_unproven_client_gets_at_most_three_times_what_it_sent() {
    let many: Vec<_> = (1..=8).map(|n| pair::addr6(SERVER, n)).collect();
    let mut pair = Pair::with(pair::settings(), vec![pair::addr6(CLIENT, 1)], many);
    pair.connect();
    let syn = pair.sent(CLIENT).remove(0);
    pair.give(SERVER, &syn).unwrap();
    let mut sent = 0;
    for _ in 0..20 {
        sent += pair
            .sent(SERVER)
            .iter()
            .map(|s| s.bytes.len())
            .sum::<usize>();
        pair.advance(Duration::from_secs(1));
    }
    assert!(
        sent > 0 && sent <= 3 * syn.bytes.len(),
        "{sent} for {}",
        syn.bytes.len()
    );
    assert!(pair.conn(SERVER).counters().amplification_limited > 0);
}

#[test]
fn an_unproven_address_of_a_move_gets_three_times_and_then_a_trickle() {
    let mut pair = Pair::established();
    let rsyn = pair.hard_move(CLIENT, 2);
    pair.give(SERVER, &rsyn).unwrap();
    let start = pair.now;
    let mut sent = 0;
    let mut packets = 0;
    for _ in 0..600 {
        for answer in pair.sent(SERVER) {
            sent += answer.bytes.len();
            packets += 1;
        }
        pair.advance(Duration::from_millis(100));
    }
    let seconds = pair.now.since(start).0 / 1_000_000;
    let limit = 3 * rsyn.bytes.len() as u64 + 80 * seconds;
    assert!((sent as u64) < limit, "{sent} bytes in {packets} packets");
}

/// Long random sequences of mutated packets, commands and time, always the same for a seed.
#[test]
fn mutated_packets_never_panic_and_never_move_data() {
    let seed = std::env::var("ECCP_SIM_SEED").map_or(7, |text| text.parse().expect("a number"));
    println!("ECCP_SIM_SEED={seed}");
    let mut rng = Rng::new(seed);
    let samples = every_kind_of_packet();
    let mut pair = Pair::established();
    let target = pair.data_to(SERVER);
    for _ in 0..60_000 {
        let (_, sample) = &samples[rng.below(samples.len() as u64) as usize];
        let mut forged = sample.clone();
        for _ in 0..1 + rng.below(6) {
            mutate(&mut rng, &mut forged.bytes);
        }
        if rng.chance(900) {
            let id = pair.flow(SERVER).local_id().to_be_bytes();
            let peer = pair.flow(SERVER).remote_id().to_be_bytes();
            for (at, bytes) in [(0, id), (12, peer)] {
                if let Some(slot) = forged.bytes.get_mut(at..at + 8) {
                    slot.copy_from_slice(&bytes);
                }
            }
        }
        if samples
            .iter()
            .any(|(_, genuine)| genuine.bytes == forged.bytes)
        {
            continue;
        }
        let rx = pair.rx(SERVER, sample);
        let node = &mut pair.nodes[SERVER];
        let _discard = node.conn.handle_packet(&mut node.host, &rx, &forged.bytes);
        let _refusal = node.receive(&rx, &forged.bytes);
        assert_eq!(pair.data_to(SERVER), target);
    }
    assert_eq!(pair.state(SERVER), FlowState::Established);
    let discards = pair.nodes[SERVER].discards;
    assert!(
        discards.iter().filter(|count| **count > 0).count() >= 8,
        "{discards:?}"
    );
}

fn mutate(rng: &mut Rng, bytes: &mut Vec<u8>) {
    let at = rng.below(bytes.len().max(1) as u64) as usize;
    match rng.below(5) {
        0 => {
            if let Some(byte) = bytes.get_mut(at) {
                *byte = rng.number() as u8;
            }
        }
        1 => {
            if let Some(byte) = bytes.get_mut(at) {
                *byte ^= 1 << rng.below(8);
            }
        }
        2 => bytes.truncate(at),
        3 => bytes.insert(at, rng.number() as u8),
        _ => {
            // A header length that fits lets the options be reached.
            bytes.resize(bytes.len().next_multiple_of(4), 0);
            let words = (bytes.len() / 4) as u8;
            if let Some(byte) = bytes.get_mut(9) {
                *byte = words;
            }
        }
    }
}

#[test]
fn each_reason_to_discard_has_a_counter_of_its_own() {
    let malformed = [
        Malformed::Truncated,
        Malformed::HeaderLength,
        Malformed::TrailingBytes,
        Malformed::UnknownType,
        Malformed::OptionLength,
        Malformed::OptionValue,
        Malformed::Padding,
        Malformed::OptionOrder,
        Malformed::UnknownOption,
        Malformed::MissingOption,
        Malformed::FlowId,
    ];
    let others = [
        Discard::UnknownVersion,
        Discard::UnknownFlow,
        Discard::WrongSender,
        Discard::BadMac,
        Discard::BadKey,
        Discard::StaleVersion,
        Discard::FutureVersion,
        Discard::AlreadyValidated,
        Discard::BadToken,
        Discard::UnexpectedSource,
        Discard::OtherPath,
        Discard::WrongState,
        Discard::UnexpectedPong,
        Discard::DifferentSyn,
        Discard::RateLimited,
        Discard::QueueFull,
        Discard::NotControl,
        Discard::Unsupported,
    ];
    let all: Vec<Discard> = malformed
        .map(Discard::Malformed)
        .into_iter()
        .chain(others)
        .collect();
    assert_eq!(all.len(), Discard::COUNT);
    for (index, reason) in all.iter().enumerate() {
        assert_eq!(reason.index(), index);
        // The name says what the reason says.
        let debug = format!("{reason:?}")
            .replace("Malformed(", "")
            .replace(')', "");
        let name = Discard::NAMES[index].replace('-', "");
        assert_eq!(name, debug.to_lowercase());
    }
}

#[test]
fn an_address_in_a_list_and_in_a_source_field_is_not_taken_for_the_peers() {
    let both = |host| vec![addr(host, 1), pair::addr6(host, 2)];
    let mut pair = Pair::with(pair::settings(), both(CLIENT), both(SERVER));
    pair.connect();
    pair.settle();
    // The client's list names a victim beside its own addresses.
    let victim = pair::addr6(CLIENT, 66);
    pair.set_addresses(CLIENT, &[addr(CLIENT, 1), pair::addr6(CLIENT, 2), victim]);
    pair.settle();
    let to = pair::addr6(SERVER, 2);
    pair.command(SERVER, Command::Move { flow: FLOW, to })
        .unwrap();
    let asked = pair.sent(SERVER);
    let own = pair::addr6(CLIENT, 2).addr;
    let rsyn = asked.iter().find(|sent| sent.path.remote == own).unwrap();
    pair.give(CLIENT, rsyn).unwrap();
    let answer = pair.only(CLIENT, PacketType::RsynAck);
    let mut rx = pair.rx(SERVER, &answer);
    rx.remote = victim.addr;
    let result = pair.give_from(SERVER, &answer, &rx);
    assert_eq!(result, Err(Discard::OtherPath));
    assert_eq!(pair.data_to(SERVER), Some(addr(CLIENT, 1).addr));
    pair.give(SERVER, &answer).unwrap();
    assert_eq!(pair.data_to(SERVER), Some(own));
}
