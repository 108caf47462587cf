// SPDX-License-Identifier: GPL-2.0-only
//! Flow IDs that change with moves (protocol.md §7.14, R16 and R19 of docs/models.md).
//! `ECCP_SIM_SEED=n` repeats one seed of the random lives, `ECCP_SIM_RUNS=n` tries n.

#[path = "model/names.rs"]
mod names;
mod pair;

use eccp_core::connection::Connection;
use eccp_core::event::{CloseReason, Command, Discard, Event};
use eccp_core::flow::FlowState;
use eccp_core::naming::ID_DRAINING;
use eccp_core::reset::ResetKey;
use eccp_core::settings::Settings;
use eccp_core::sim::{run, Mobility, Scenario};
use eccp_core::time::Duration;
use eccp_core::wire::{Header, PacketType, Reason, INNER_TCP, OPT_NEW_FLOW};
use pair::{addr, from, settings, Pair, Sent, CLIENT, FLOW, SECOND, SERVER};

fn renewing() -> Settings {
    Settings {
        renew_flow_ids: true,
        ..settings()
    }
}

/// An established pair; those of the hosts in `renewing_hosts` change their IDs.
fn established(renewing_hosts: &[usize]) -> Pair {
    let mut pair = Pair::new();
    for host in [CLIENT, SERVER] {
        let key = ResetKey::new([host as u8 + 1; 32]);
        pair.nodes[host].settings = Settings {
            reset_key: key,
            renew_flow_ids: renewing_hosts.contains(&host),
            ..settings()
        };
    }
    pair.connect();
    pair.settle();
    pair.advance(Duration::from_secs(1));
    pair.settle();
    for host in [CLIENT, SERVER] {
        assert_eq!(pair.state(host), FlowState::Established);
        pair.events(host);
    }
    pair
}

fn ids(pair: &Pair, host: usize) -> Vec<u64> {
    let ids = pair.flow(host).own_ids();
    ids.into_iter().filter(|id| *id != 0).collect()
}

/// What the peer of `host` writes into the header of data.
fn called(pair: &Pair, host: usize) -> u64 {
    pair.flow(1 - host).remote_id()
}

/// Whether `host` takes data with a flow ID.
fn hears(pair: &Pair, host: usize, id: u64) -> bool {
    pair.conn(host).find_flow(id) == Some(FLOW)
}

fn pass_time(pair: &mut Pair, span: Duration) {
    for _ in 0..20 {
        pair.advance(Duration(span.0 / 20));
        pair.settle();
    }
}

#[test]
fn a_move_changes_the_id_of_its_mover_and_the_old_one_dies_later() {
    let mut pair = established(&[CLIENT]);
    let (first, peer) = (called(&pair, CLIENT), called(&pair, SERVER));
    let rsyn = pair.hard_move(CLIENT, 2);
    let new = rsyn.message().new_flow.expect("a new ID");
    assert!(new != first && new != 0);
    assert_eq!(rsyn.message().sender, first);
    assert!(rsyn.message().reset_proof.is_some());
    pair.give(SERVER, &rsyn).unwrap();
    assert_eq!(called(&pair, CLIENT), first, "the address is not proven");
    pair.settle();
    assert_eq!(called(&pair, CLIENT), new);
    assert_eq!(pair.flow(CLIENT).local_id(), new);
    assert_eq!(called(&pair, SERVER), peer, "the server does not want it");
    assert_eq!(ids(&pair, CLIENT), [new, first]);
    let events = pair.events(CLIENT);
    let renamed = Event::Renamed {
        flow: FLOW,
        old: first,
        new,
    };
    assert_eq!(events.iter().filter(|event| **event == renamed).count(), 1);
    let renamed = Event::PeerRenamed {
        flow: FLOW,
        old: first,
        new,
    };
    assert!(pair.events(SERVER).contains(&renamed));
    pair.advance(Duration(ID_DRAINING.0 - 1_000));
    assert!(hears(&pair, CLIENT, first));
    pair.advance(Duration(2_000));
    assert!(!hears(&pair, CLIENT, first));
    assert_eq!(ids(&pair, CLIENT), [new]);
}

#[test]
fn both_ids_change_if_both_ends_want_it_and_that_is_the_end_of_it() {
    let mut pair = established(&[CLIENT, SERVER]);
    let before = [CLIENT, SERVER].map(|host| called(&pair, host));
    pair.hard_move(CLIENT, 2);
    pass_time(&mut pair, Duration::from_secs(20));
    for host in [CLIENT, SERVER] {
        assert_ne!(called(&pair, host), before[host]);
        assert_eq!(ids(&pair, host), [called(&pair, host)]);
        assert_eq!(pair.flow(host).version(), 1, "host {host}");
        assert_eq!(pair.state(host), FlowState::Established);
    }
    // The server has not moved, and nobody is told that it did.
    let moves = |event: &Event| matches!(event, Event::Moving { .. } | Event::Moved { .. });
    assert!(!pair.events(SERVER).iter().any(moves));
    assert!(!pair
        .events(CLIENT)
        .iter()
        .any(|event| matches!(event, Event::PathChanged { why, .. }
            if *why == eccp_core::event::PathChange::PeerMoved)));
    assert_eq!(pair.conn(SERVER).counters().moves, 0);
}

#[test]
fn nothing_on_the_wire_changes_without_the_setting() {
    let mut pair = established(&[]);
    let before = [CLIENT, SERVER].map(|host| ids(&pair, host));
    let rsyn = pair.hard_move(CLIENT, 2);
    assert_eq!(
        (rsyn.message().new_flow, rsyn.message().reset_proof),
        (None, None)
    );
    pair.settle();
    for host in [CLIENT, SERVER, CLIENT, SERVER] {
        pair.advance(Duration::from_secs(2));
        let all = pair.sent(host);
        let says = |sent: &Sent| sent.message().new_flow.is_some();
        assert!(!all.iter().any(says));
        for sent in all {
            let _discard = pair.give(1 - host, &sent);
        }
    }
    assert_eq!(pair.data_to(SERVER), Some(addr(CLIENT, 2).addr));
    assert_eq!([CLIENT, SERVER].map(|host| ids(&pair, host)), before);
}

#[test]
fn only_handshakes_name_the_id_of_a_candidate() {
    let mut pair = established(&[CLIENT]);
    let first = called(&pair, CLIENT);
    pair.set_addresses(CLIENT, &[addr(CLIENT, 1), addr(CLIENT, 2)]);
    pair.settle();
    let to = addr(CLIENT, 2);
    pair.command(CLIENT, Command::Move { flow: FLOW, to })
        .unwrap();
    let rsyn = pair.only(CLIENT, PacketType::Rsyn);
    let new = rsyn.message().new_flow.expect("a new ID");
    pair.give(SERVER, &rsyn).unwrap();
    let answer = pair.only(SERVER, PacketType::RsynAck);
    assert_eq!(answer.message().receiver, new);
    // A ping that arrives from the candidate is answered there by the ID of the proven version.
    pair.command(CLIENT, Command::Ping { flow: FLOW }).unwrap();
    let mut ping = pair.only(CLIENT, PacketType::Ping);
    ping.path.local = to.addr;
    pair.give(SERVER, &ping).unwrap();
    let pong = pair.only(SERVER, PacketType::Pong);
    assert_eq!(pong.path.remote, to.addr);
    assert_eq!(pong.message().receiver, first);
    pair.give(CLIENT, &pong).unwrap();
    // So the mover does not take it for a sign that its new ID is in use.
    assert_eq!(ids(&pair, CLIENT), [first, new]);
    // A host that moves itself names the candidate by its ID as well.
    pair.set_addresses(SERVER, &[addr(SERVER, 2)]);
    let all = pair.sent(SERVER);
    let to_candidate = all.iter().find(|sent| sent.path.remote == to.addr);
    let to_proven = all
        .iter()
        .find(|sent| sent.path.remote == addr(CLIENT, 1).addr);
    assert_eq!(to_candidate.expect("an RSYN").message().receiver, new);
    assert_eq!(to_proven.expect("an RSYN").message().receiver, first);
}

#[test]
fn no_handshake_makes_the_old_id_die_and_a_lost_ack_does_not_either() {
    let mut pair = established(&[CLIENT]);
    let first = called(&pair, CLIENT);
    let rsyn = pair.hard_move(CLIENT, 2);
    pair.give(SERVER, &rsyn).unwrap();
    let answer = pair.only(SERVER, PacketType::RsynAck);
    pair.give(CLIENT, &answer).unwrap();
    let sent = pair.sent(CLIENT);
    assert_eq!(sent[0].kind(), PacketType::Ack);
    assert_eq!(sent[1].kind(), PacketType::Ping);
    // The ACK is lost, the ping is answered by the old ID.
    pair.give(SERVER, &sent[1]).unwrap();
    let pong = pair.only(SERVER, PacketType::Pong);
    assert_eq!(pong.message().receiver, first);
    pair.give(CLIENT, &pong).unwrap();
    for _ in 0..30 {
        pair.advance(Duration::from_secs(2));
        let lost = pair.sent(CLIENT);
        assert!(lost.iter().all(|sent| sent.kind() == PacketType::Ping));
        assert!(lost.len() <= 2, "the ping is repeated at its own pace");
        pair.sent(SERVER);
        assert!(hears(&pair, CLIENT, first));
    }
    pass_time(&mut pair, Duration::from_secs(20));
    assert_eq!(ids(&pair, CLIENT), [called(&pair, CLIENT)]);
    assert_ne!(called(&pair, CLIENT), first);
}

#[test]
fn versions_that_nobody_used_share_their_id() {
    let mut pair = established(&[CLIENT]);
    let first = called(&pair, CLIENT);
    let new = pair.hard_move(CLIENT, 2).message().new_flow;
    for n in [3, 2, 3, 2] {
        let rsyn = pair.hard_move(CLIENT, n);
        assert_eq!(rsyn.message().new_flow, new);
        assert_eq!(ids(&pair, CLIENT).len(), 2);
    }
    pass_time(&mut pair, Duration::from_secs(2));
    assert_eq!(Some(called(&pair, CLIENT)), new);
    // While the first one drains there is no third.
    let rsyn = pair.hard_move(CLIENT, 3);
    assert_eq!(rsyn.message().new_flow, None);
    assert!(hears(&pair, CLIENT, first));
    pass_time(&mut pair, Duration::from_secs(6));
    let rsyn = pair.hard_move(CLIENT, 2);
    assert!(rsyn.message().new_flow.is_some_and(|id| Some(id) != new));
}

#[test]
fn the_peer_that_lost_the_flow_proves_it_by_the_new_id_alone() {
    let mut pair = established(&[CLIENT]);
    let first = called(&pair, CLIENT);
    pair.hard_move(CLIENT, 2);
    pass_time(&mut pair, Duration::from_secs(1));
    let new = called(&pair, CLIENT);
    assert_ne!(new, first);
    pair.events(SERVER);
    // The client restarts: it has its key and nothing else.
    *pair.nodes[CLIENT].conn = Connection::EMPTY;
    for (id, believed) in [(first, false), (new, true)] {
        let data = Sent {
            path: pair.conn(SERVER).data_path(FLOW).expect("a path"),
            bytes: [&Header::data(id, INNER_TCP)[..], &[0; 32]].concat(),
        };
        let rx = pair.rx(CLIENT, &data);
        let reset = pair.nodes[CLIENT].receive(&rx, &data.bytes);
        let reset = Sent {
            path: rx.reply_path(),
            bytes: reset.expect("a RESET"),
        };
        assert_eq!(give_raw(&mut pair, &reset) == "Ok(())", believed);
    }
    let lost = Event::Closed {
        flow: FLOW,
        reason: CloseReason::Lost,
    };
    assert!(pair.events(SERVER).contains(&lost));
}

#[test]
fn a_flow_is_added_and_a_connection_reset_under_the_new_names() {
    for (host, n) in [(SERVER, 2), (CLIENT, 1)] {
        let both = |host| vec![addr(host, 1), addr(host, 2)];
        let mut pair = Pair::with(renewing(), both(CLIENT), both(SERVER));
        pair.connect();
        pair.settle();
        let first = called(&pair, CLIENT);
        let to = addr(CLIENT, 2);
        pair.command(CLIENT, Command::Move { flow: FLOW, to })
            .unwrap();
        pass_time(&mut pair, Duration::from_secs(20));
        assert_ne!(called(&pair, CLIENT), first);
        pair.add(host, from(addr(host, n))).expect("a flow");
        let syn = pair.only(host, PacketType::Syn);
        assert_eq!(syn.message().existing_flow, Some(called(&pair, host)));
        assert_eq!(syn.message().receiver, called(&pair, 1 - host));
        pair.give(1 - host, &syn).unwrap();
        pair.settle();
        for host in [CLIENT, SERVER] {
            assert_eq!(pair.state_of(host, SECOND), FlowState::Established);
        }
        let reason = Reason::Aborted;
        pair.command(CLIENT, Command::Abort { flow: FLOW, reason })
            .unwrap();
        pair.settle();
        assert_eq!(pair.state(SERVER), FlowState::Closed);
    }
}

#[test]
fn an_announcement_that_nobody_answers_ends_without_ending_the_flow() {
    let mut pair = established(&[CLIENT, SERVER]);
    let rsyn = pair.hard_move(CLIENT, 2);
    pair.give(SERVER, &rsyn).unwrap();
    let answer = pair.only(SERVER, PacketType::RsynAck);
    pair.give(CLIENT, &answer).unwrap();
    for sent in pair.sent(CLIENT) {
        let _discard = pair.give(SERVER, &sent);
    }
    assert_eq!(pair.flow(SERVER).version(), 1);
    for _ in 0..400 {
        pair.advance(Duration::from_secs(1));
        pair.sent(SERVER);
        pair.sent(CLIENT);
    }
    assert_eq!(pair.state(SERVER), FlowState::Established);
    assert!(pair.conn(SERVER).data_path(FLOW).is_some());
    // The client comes back by another move, and then the announced ID is taken up.
    let before = called(&pair, SERVER);
    pair.hard_move(CLIENT, 3);
    pass_time(&mut pair, Duration::from_secs(20));
    pair.hard_move(CLIENT, 2);
    pass_time(&mut pair, Duration::from_secs(20));
    assert_ne!(called(&pair, SERVER), before);
    assert_eq!(ids(&pair, SERVER), [called(&pair, SERVER)]);
}

#[test]
fn an_id_that_the_host_cannot_have_is_withdrawn_and_the_move_goes_on() {
    let mut pair = established(&[CLIENT, SERVER]);
    pair.set_addresses(CLIENT, &[addr(CLIENT, 2)]);
    assert_eq!(ids(&pair, CLIENT).len(), 2);
    pair.nodes[CLIENT].conn.withdraw_id(FLOW);
    let first = ids(&pair, CLIENT);
    assert_eq!(first.len(), 1);
    let rsyn = pair.only(CLIENT, PacketType::Rsyn);
    assert_eq!(rsyn.message().new_flow, None);
    pair.give(SERVER, &rsyn).unwrap();
    pair.settle();
    assert_eq!(pair.data_to(SERVER), Some(addr(CLIENT, 2).addr));
    assert_eq!(ids(&pair, CLIENT), first);
    assert_eq!(pair.flow(SERVER).version(), 0, "there is nothing to follow");
}

/// What the server says to a packet that need not be valid.
fn give_raw(pair: &mut Pair, sent: &Sent) -> String {
    let rx = pair.rx(SERVER, sent);
    let node = &mut pair.nodes[SERVER];
    let result = node.conn.handle_packet(&mut node.host, &rx, &sent.bytes);
    format!("{result:?}")
}

#[test]
fn hostile_ids_change_nothing() {
    let mut pair = established(&[CLIENT]);
    let rsyn = pair.hard_move(CLIENT, 2);
    let new = rsyn.message().new_flow.expect("a new ID").to_be_bytes();
    let at = rsyn
        .bytes
        .windows(10)
        .position(|bytes| bytes[..2] == [OPT_NEW_FLOW, 8] && bytes[2..] == new);
    let at = at.expect("the option");
    // Zero, and another one than was signed.
    for (value, discard) in [(0u8, "OptionValue"), (7, "BadMac")] {
        let mut forged = rsyn.clone();
        forged.bytes[at + 2..at + 10].fill(value);
        let result = give_raw(&mut pair, &forged);
        assert!(result.contains(discard), "{result}");
    }
    // In a packet of another type.
    let mut forged = rsyn.clone();
    forged.bytes[8] = forged.bytes[8] & 0xf0 | PacketType::Ping as u8;
    let result = give_raw(&mut pair, &forged);
    assert!(result.contains("UnknownOption"), "{result}");
    assert_eq!(pair.flow(SERVER).newest(), 0);
    assert!(pair.sent(SERVER).is_empty());
}

#[test]
fn an_id_of_another_flow_is_refused() {
    let mut pair = Pair::with_two_flows(renewing());
    let second = pair.conn(CLIENT).flow(SECOND).expect("a flow").local_id();
    pair.nodes[CLIENT].host.next_flow_id = Some(second);
    pair.set_addresses(CLIENT, &[addr(CLIENT, 1), addr(CLIENT, 2), addr(CLIENT, 3)]);
    pair.settle();
    let to = addr(CLIENT, 3);
    pair.command(CLIENT, Command::Move { flow: FLOW, to })
        .unwrap();
    let all = pair.sent(CLIENT);
    let rsyn = all.iter().find(|sent| sent.kind() == PacketType::Rsyn);
    let rsyn = rsyn.expect("an RSYN");
    assert_eq!(rsyn.message().new_flow, Some(second));
    assert_eq!(pair.give(SERVER, rsyn), Err(Discard::WrongSender));
    assert_eq!(pair.flow(SERVER).newest(), 0);
}

fn number(name: &str) -> Option<u64> {
    let text = std::env::var(name).ok()?;
    Some(
        text.parse()
            .unwrap_or_else(|_| panic!("{name} must be a number, not {text:?}")),
    )
}

fn seeds(runs: u64) -> std::ops::Range<u64> {
    match number("ECCP_SIM_SEED") {
        Some(seed) => seed..seed + 1,
        None => 0..number("ECCP_SIM_RUNS").unwrap_or(runs),
    }
}

#[test]
fn hosts_that_change_their_ids_find_each_other_as_others_do() {
    let kinds = [
        (Mobility::Client, false),
        (Mobility::Server, true),
        (Mobility::BothStableAlternative, false),
        (Mobility::BothPlanned, false),
        (Mobility::BothPlanned, true),
        (Mobility::BothHard, true),
    ];
    for (mobility, dual_stack) in kinds {
        for seed in seeds(40) {
            let scenario = Scenario {
                seed,
                mobility,
                changes: 3 + seed % 13,
                dual_stack,
                renew_flow_ids: true,
            };
            if let Err(why) = run(&scenario) {
                panic!("ECCP_SIM_SEED={seed} {mobility:?} dual_stack={dual_stack}: {why}");
            }
        }
    }
}

#[test]
fn no_data_is_lost_by_the_change_of_an_id_and_the_naive_model_agrees() {
    let mut renamed = 0;
    for seed in seeds(120) {
        match names::live(seed) {
            Ok(count) => renamed += count,
            Err(why) => panic!("ECCP_SIM_SEED={seed}: {why}"),
        }
    }
    assert!(renamed > 3 * seeds(120).count(), "only {renamed} new IDs");
}
