// SPDX-License-Identifier: GPL-2.0-only
//! The rules of protocol.md §8, one by one.

mod pair;

use eccp_core::event::{Command, Discard, Event};
use eccp_core::flow::FlowState;
use eccp_core::time::Duration;
use eccp_core::wire::PacketType::{Ack, Ping, Pong, Rsyn, RsynAck, Syn, SynAck};
use pair::{addr, Pair, CLIENT, FLOW, SERVER};

const RETRY: Duration = Duration::from_secs(2);

#[test]
fn r1_a_newer_rsyn_replaces_an_unfinished_one_and_older_ones_are_dropped() {
    let mut pair = Pair::established();
    let first = pair.hard_move(CLIENT, 2);
    pair.give(SERVER, &first).unwrap();
    pair.sent(SERVER);
    let second = pair.hard_move(CLIENT, 3);
    pair.give(SERVER, &second).unwrap();
    assert_eq!(pair.flow(SERVER).newest(), 2);
    assert_eq!(pair.give(SERVER, &first), Err(Discard::StaleVersion));
    let candidates: Vec<_> = pair.flow(SERVER).candidates().iter().collect();
    assert_eq!(candidates.len(), 1);
    assert_eq!(candidates[0].path.remote, addr(CLIENT, 3).addr);
}

#[test]
fn r1_versions_may_be_skipped() {
    let mut pair = Pair::established();
    pair.hard_move(CLIENT, 2);
    pair.hard_move(CLIENT, 3);
    let third = pair.hard_move(CLIENT, 4);
    assert_eq!(third.message().version, 3);
    pair.give(SERVER, &third).unwrap();
    pair.settle();
    assert_eq!(pair.flow(SERVER).validated(), Some(3));
    assert_eq!(pair.data_to(SERVER), Some(addr(CLIENT, 4).addr));
}

#[test]
fn r2_an_rsyn_ack_of_an_older_version_does_not_end_a_move() {
    let mut pair = Pair::established();
    let first = pair.hard_move(CLIENT, 2);
    pair.give(SERVER, &first).unwrap();
    let old_answer = pair.only(SERVER, RsynAck);
    pair.hard_move(CLIENT, 3);
    assert_eq!(pair.give(CLIENT, &old_answer), Err(Discard::StaleVersion));
    assert_eq!(pair.state(CLIENT), FlowState::RsynSent);
    pair.advance(RETRY);
    let again = pair.sent(CLIENT);
    assert!(again
        .iter()
        .any(|sent| sent.kind() == Rsyn && sent.message().version == 2));
}

#[test]
fn r3_every_rsyn_ack_of_the_current_version_is_acknowledged() {
    let mut pair = Pair::established();
    let rsyn = pair.hard_move(CLIENT, 2);
    pair.give(SERVER, &rsyn).unwrap();
    let answer = pair.only(SERVER, RsynAck);
    for _ in 0..3 {
        pair.give(CLIENT, &answer).unwrap();
        let ack = pair.only(CLIENT, Ack);
        assert_eq!(ack.message().version, 1);
        assert_eq!(ack.message().token, answer.message().token);
        assert_eq!(pair.state(CLIENT), FlowState::Established);
    }
}

#[test]
fn r3_every_syn_ack_is_acknowledged() {
    let mut pair = Pair::new();
    pair.connect();
    let syn = pair.only(CLIENT, Syn);
    pair.give(SERVER, &syn).unwrap();
    let answer = pair.only(SERVER, SynAck);
    for _ in 0..3 {
        pair.give(CLIENT, &answer).unwrap();
        assert_eq!(
            pair.only(CLIENT, Ack).message().token,
            answer.message().token
        );
    }
}

#[test]
fn r4_the_rsyn_ack_is_repeated_until_its_ack_comes() {
    let mut pair = Pair::established();
    let rsyn = pair.hard_move(CLIENT, 2);
    pair.give(SERVER, &rsyn).unwrap();
    pair.only(SERVER, RsynAck);
    for _ in 0..20 {
        pair.advance(RETRY);
        let answer = pair.only(SERVER, RsynAck);
        assert_eq!(answer.path.remote, addr(CLIENT, 2).addr);
    }
    pair.advance(RETRY);
    pair.settle();
    assert_eq!(pair.flow(SERVER).validated(), Some(1));
    pair.advance(RETRY);
    assert!(pair.sent(SERVER).is_empty());
}

#[test]
fn r4_the_syn_ack_is_repeated_until_its_ack_comes() {
    let mut pair = Pair::new();
    pair.connect();
    let syn = pair.only(CLIENT, Syn);
    pair.give(SERVER, &syn).unwrap();
    let first = pair.only(SERVER, SynAck);
    pair.advance(RETRY);
    let second = pair.only(SERVER, SynAck);
    assert_eq!(first.bytes, second.bytes);
    pair.give(CLIENT, &second).unwrap();
    let ack = pair.only(CLIENT, Ack);
    pair.give(SERVER, &ack).unwrap();
    pair.advance(RETRY);
    assert!(pair.sent(SERVER).is_empty());
}

#[test]
fn r5_an_ack_validates_only_the_candidate_of_its_own_version() {
    let mut pair = Pair::established();
    let first = pair.hard_move(CLIENT, 2);
    pair.give(SERVER, &first).unwrap();
    let answer = pair.only(SERVER, RsynAck);
    pair.give(CLIENT, &answer).unwrap();
    let old_ack = pair.only(CLIENT, Ack);
    let second = pair.hard_move(CLIENT, 3);
    pair.give(SERVER, &second).unwrap();
    assert_eq!(pair.give(SERVER, &old_ack), Err(Discard::StaleVersion));
    assert_eq!(pair.flow(SERVER).validated(), Some(0));
    assert_eq!(pair.data_to(SERVER), Some(addr(CLIENT, 1).addr));
}

#[test]
fn r6_answers_go_to_the_source_of_what_they_answer() {
    let mut pair = Pair::established();
    // Both move at once: each knows the other's new address from its RSYN alone.
    let from_client = pair.hard_move(CLIENT, 2);
    let from_server = pair.hard_move(SERVER, 2);
    pair.give(SERVER, &from_client).unwrap();
    let answer = pair.only(SERVER, RsynAck);
    assert_eq!(answer.path.remote, addr(CLIENT, 2).addr);
    pair.give(CLIENT, &from_server).unwrap();
    let crossed = pair.only(CLIENT, RsynAck);
    assert_eq!(crossed.path.remote, addr(SERVER, 2).addr);
    pair.give(CLIENT, &answer).unwrap();
    let ack = pair.only(CLIENT, Ack);
    assert_eq!(ack.path.remote, answer.path.local);
}

#[test]
fn r7_rsyn_goes_to_every_address_on_record() {
    let mut pair = Pair::with(
        pair::settings(),
        vec![addr(CLIENT, 1)],
        vec![addr(SERVER, 1), addr(SERVER, 2), addr(SERVER, 3)],
    );
    pair.connect();
    pair.settle();
    // The server moves to an address that no list contains yet, so it is a candidate here.
    let candidate = pair.hard_move(SERVER, 4);
    pair.give(CLIENT, &candidate).unwrap();
    pair.sent(CLIENT);
    pair.set_addresses(CLIENT, &[addr(CLIENT, 2)]);
    let targets: Vec<_> = pair
        .sent(CLIENT)
        .iter()
        .filter(|sent| sent.kind() == Rsyn)
        .map(|sent| sent.path.remote)
        .collect();
    // The proven address and the candidate, which is now also the server's whole list.
    assert_eq!(targets, [addr(SERVER, 1).addr, addr(SERVER, 4).addr]);
}

#[test]
fn r7_rsyn_goes_to_the_alternatives_of_the_ilist() {
    let server = [addr(SERVER, 1), addr(SERVER, 2), addr(SERVER, 3)];
    let mut pair = Pair::with(pair::settings(), vec![addr(CLIENT, 1)], server.to_vec());
    pair.connect();
    pair.settle();
    pair.set_addresses(CLIENT, &[addr(CLIENT, 2)]);
    let mut targets: Vec<_> = pair.sent(CLIENT).iter().map(|s| s.path.remote).collect();
    targets.sort();
    assert_eq!(targets, server.map(|a| a.addr));
}

#[test]
fn r8_an_rsyn_completes_the_handshake_and_data_waits_for_its_ack() {
    let mut pair = Pair::new();
    pair.connect();
    let syn = pair.only(CLIENT, Syn);
    pair.give(SERVER, &syn).unwrap();
    let answer = pair.only(SERVER, SynAck);
    pair.give(CLIENT, &answer).unwrap();
    pair.only(CLIENT, Ack); // lost
    let rsyn = pair.hard_move(CLIENT, 2);
    assert_eq!(pair.state(SERVER), FlowState::SynRcvd);
    pair.give(SERVER, &rsyn).unwrap();
    assert_eq!(pair.state(SERVER), FlowState::RsynRcvd);
    let events = pair.events(SERVER);
    assert!(events
        .iter()
        .any(|event| matches!(event, Event::Established { .. })));
    assert_eq!(pair.data_to(SERVER), None);
    pair.settle();
    assert_eq!(pair.data_to(SERVER), Some(addr(CLIENT, 2).addr));
}

#[test]
fn r9_data_and_pings_change_no_address() {
    let mut pair = Pair::established();
    pair.command(CLIENT, Command::Ping { flow: FLOW }).unwrap();
    let ping = pair.only(CLIENT, Ping);
    let mut rx = pair.rx(SERVER, &ping);
    rx.remote = addr(CLIENT, 9).addr;
    pair.give_from(SERVER, &ping, &rx).unwrap();
    let pong = pair.only(SERVER, Pong);
    assert_eq!(pong.path.remote, addr(CLIENT, 9).addr); // R6
    let server = &mut pair.nodes[SERVER];
    server
        .conn
        .handle_data(&mut server.host, FLOW, &rx, 100)
        .unwrap();
    assert_eq!(pair.data_to(SERVER), Some(addr(CLIENT, 1).addr));
    assert_eq!(pair.flow(SERVER).newest(), 0);
}

#[test]
fn r10_the_address_of_the_token_becomes_valid_not_the_source_of_the_ack() {
    let mut pair = Pair::established();
    let rsyn = pair.hard_move(CLIENT, 2);
    pair.give(SERVER, &rsyn).unwrap();
    let answer = pair.only(SERVER, RsynAck);
    pair.give(CLIENT, &answer).unwrap();
    let ack = pair.only(CLIENT, Ack);
    let mut rx = pair.rx(SERVER, &ack);
    rx.remote = addr(CLIENT, 7).addr; // a NAT was rebound in between
    pair.give_from(SERVER, &ack, &rx).unwrap();
    assert_eq!(pair.data_to(SERVER), Some(addr(CLIENT, 2).addr));
}

#[test]
fn r10_a_token_of_another_address_proves_nothing_and_its_own_needs_no_memory() {
    let mut pair = Pair::established();
    let rsyn = pair.hard_move(CLIENT, 2);
    pair.give(SERVER, &rsyn).unwrap();
    let answer = pair.only(SERVER, RsynAck);
    pair.give(CLIENT, &answer).unwrap();
    let ack = pair.only(CLIENT, Ack);
    // So many other sources repeat the RSYN that the first is forgotten.
    for n in 11..15 {
        let mut elsewhere = pair.rx(SERVER, &rsyn);
        elsewhere.remote = addr(CLIENT, n).addr;
        pair.give_from(SERVER, &rsyn, &elsewhere).unwrap();
        let other = pair.only(SERVER, RsynAck);
        assert_ne!(other.message().token, answer.message().token);
    }
    let mut elsewhere = pair.rx(SERVER, &ack);
    elsewhere.remote = addr(CLIENT, 20).addr;
    let refused = pair.give_from(SERVER, &ack, &elsewhere);
    assert_eq!(refused, Err(Discard::BadToken));
    assert_eq!(pair.flow(SERVER).validated(), Some(0));
    pair.give(SERVER, &ack).unwrap();
    assert_eq!(pair.data_to(SERVER), Some(addr(CLIENT, 2).addr));
}

#[test]
fn r10_a_token_of_another_version_proves_nothing() {
    let mut pair = Pair::established();
    let first = pair.hard_move(CLIENT, 2);
    pair.give(SERVER, &first).unwrap();
    let first_answer = pair.only(SERVER, RsynAck);
    pair.hard_move(CLIENT, 3);
    let second = pair.hard_move(CLIENT, 2); // back at the same address
    pair.give(SERVER, &second).unwrap();
    let second_answer = pair.only(SERVER, RsynAck);
    assert_eq!(first_answer.path.remote, second_answer.path.remote);
    assert_ne!(first_answer.message().token, second_answer.message().token);
}

#[test]
fn r10b_a_second_address_of_the_same_version_is_not_validated() {
    let mut pair = Pair::established();
    let rsyn = pair.hard_move(CLIENT, 2);
    pair.give(SERVER, &rsyn).unwrap();
    let answer = pair.only(SERVER, RsynAck);
    let mut elsewhere = pair.rx(SERVER, &rsyn);
    elsewhere.remote = addr(CLIENT, 8).addr;
    pair.give_from(SERVER, &rsyn, &elsewhere).unwrap();
    let other_answer = pair.only(SERVER, RsynAck);
    for answer in [&answer, &other_answer] {
        pair.give_from(CLIENT, answer, &{
            let mut rx = pair.rx(CLIENT, answer);
            rx.local = addr(CLIENT, 2).addr;
            rx
        })
        .unwrap();
    }
    let acks = pair.sent(CLIENT);
    pair.give(SERVER, &acks[0]).unwrap();
    assert_eq!(pair.give(SERVER, &acks[1]), Err(Discard::AlreadyValidated));
    assert_eq!(pair.data_to(SERVER), Some(addr(CLIENT, 2).addr));
}

#[test]
fn r11_a_planned_move_keeps_the_old_address_until_the_answer() {
    let mut pair = Pair::established();
    pair.set_addresses(CLIENT, &[addr(CLIENT, 1), addr(CLIENT, 2)]);
    pair.settle();
    let to = addr(CLIENT, 2);
    pair.command(CLIENT, Command::Move { flow: FLOW, to })
        .unwrap();
    let rsyn = pair.only(CLIENT, Rsyn);
    assert_eq!(rsyn.path.local, to.addr);
    let local = |pair: &Pair| pair.conn(CLIENT).data_path(FLOW).map(|path| path.local);
    assert_eq!(local(&pair), Some(addr(CLIENT, 1).addr));
    pair.give(SERVER, &rsyn).unwrap();
    // What arrives at the old address meanwhile is answered from there.
    pair.command(SERVER, Command::Ping { flow: FLOW }).unwrap();
    let sent = pair.sent(SERVER);
    let ping = sent.iter().find(|sent| sent.kind() == Ping).unwrap();
    pair.give(CLIENT, ping).unwrap();
    assert_eq!(pair.only(CLIENT, Pong).path.local, addr(CLIENT, 1).addr);
    let answer = sent.iter().find(|sent| sent.kind() == RsynAck).unwrap();
    pair.give(CLIENT, answer).unwrap();
    assert_eq!(local(&pair), Some(to.addr));
}

#[test]
fn r12_a_syn_ack_counts_only_from_an_address_that_the_syn_went_to() {
    let mut pair = Pair::new();
    pair.connect();
    let syn = pair.only(CLIENT, Syn);
    pair.give(SERVER, &syn).unwrap();
    let answer = pair.only(SERVER, SynAck);
    let mut rx = pair.rx(CLIENT, &answer);
    rx.remote = addr(SERVER, 9).addr;
    assert_eq!(
        pair.give_from(CLIENT, &answer, &rx),
        Err(Discard::UnexpectedSource)
    );
    assert_eq!(pair.state(CLIENT), FlowState::SynSent);
}

#[test]
fn r13_an_rsyn_of_a_validated_version_is_still_answered() {
    let mut pair = Pair::established();
    let rsyn = pair.hard_move(CLIENT, 2);
    pair.give(SERVER, &rsyn).unwrap();
    pair.settle();
    assert_eq!(pair.flow(SERVER).validated(), Some(1));
    pair.give(SERVER, &rsyn).unwrap();
    assert_eq!(pair.only(SERVER, RsynAck).message().version, 1);
    assert_eq!(pair.state(SERVER), FlowState::Established);
}

#[test]
fn r14_versions_start_at_zero_and_grow_with_moves_not_with_repetitions() {
    let mut pair = Pair::established();
    for host in [CLIENT, SERVER] {
        assert_eq!(pair.flow(host).version(), 0);
        assert_eq!(pair.flow(host).validated(), Some(0));
    }
    pair.hard_move(CLIENT, 2);
    for _ in 0..4 {
        pair.advance(RETRY);
        let again = pair.sent(CLIENT);
        assert!(again.iter().all(|sent| sent.message().version == 1));
    }
    assert_eq!(pair.flow(CLIENT).version(), 1);
}

#[test]
fn r15_a_pending_version_is_answered_at_every_source_that_it_came_from() {
    let mut pair = Pair::established();
    let rsyn = pair.hard_move(CLIENT, 2);
    pair.give(SERVER, &rsyn).unwrap();
    let mut elsewhere = pair.rx(SERVER, &rsyn);
    elsewhere.remote = addr(CLIENT, 8).addr; // a NAT was rebound, or the packet repeated
    pair.give_from(SERVER, &rsyn, &elsewhere).unwrap();
    pair.sent(SERVER);
    pair.advance(RETRY);
    let targets: Vec<_> = pair.sent(SERVER).iter().map(|s| s.path.remote).collect();
    assert_eq!(targets, [addr(CLIENT, 2).addr, addr(CLIENT, 8).addr]);
}
