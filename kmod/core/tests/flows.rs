// SPDX-License-Identifier: GPL-2.0-only
//! Several flows in a connection: adding, refusing, removing, and which one carries data.

mod pair;

use eccp_core::address::{LocalAddress, RemoteAddr, ADDRESS_BACKUP};
use eccp_core::connection::AddFlow;
use eccp_core::event::{CarrierChange, CloseReason, Command, Discard, Event, FlowIndex, Refused};
use eccp_core::flow::FlowState;
use eccp_core::settings::{Policy, Settings};
use eccp_core::time::Duration;
use eccp_core::wire::PacketType::{Ack, Nack, Ping, Rst, Rsyn, Syn, SynAck};
use eccp_core::wire::{Reason, FLOW_ACTIVE, FLOW_BACKUP, FLOW_LOST};
use pair::{addr, addr6, from, settings, Pair, CLIENT, FLOW, SECOND, SERVER};

fn backup(address: LocalAddress) -> LocalAddress {
    LocalAddress {
        flags: ADDRESS_BACKUP,
        ..address
    }
}

fn remote(address: LocalAddress) -> Option<RemoteAddr> {
    Some(RemoteAddr {
        addr: address.addr,
        port: 0,
    })
}

/// An established connection whose ends have two addresses each.
fn two_homes(settings: Settings) -> Pair {
    let both = |host| vec![addr(host, 1), addr(host, 2)];
    let mut pair = Pair::with(settings, both(CLIENT), both(SERVER));
    pair.connect();
    pair.settle();
    // The client, which has nothing to send, pings once.
    pair.advance(Duration::from_secs(1));
    pair.settle();
    pair.events(CLIENT);
    pair.events(SERVER);
    pair
}

fn closed(events: &[Event]) -> Vec<(FlowIndex, CloseReason)> {
    let ends = events.iter().filter_map(|event| match event {
        Event::Closed { flow, reason } => Some((*flow, *reason)),
        _ => None,
    });
    ends.collect()
}

fn changes(events: &[Event]) -> Vec<(FlowIndex, CarrierChange)> {
    let all = events.iter().filter_map(|event| match event {
        Event::CarrierChanged { flow, why } => Some((*flow, *why)),
        _ => None,
    });
    all.collect()
}

#[test]
fn three_packets_add_a_flow_and_either_side_may() {
    for (host, peer) in [(CLIENT, SERVER), (SERVER, CLIENT)] {
        let mut pair = two_homes(settings());
        let index = pair.add(host, from(addr(host, 2))).unwrap();
        assert_eq!(index, SECOND);
        let syn = pair.only(host, Syn);
        let message = syn.message();
        assert_eq!(message.receiver, pair.flow(peer).local_id());
        assert_eq!(message.existing_flow, Some(pair.flow(host).local_id()));
        // No other flow leads there.
        assert_eq!(syn.path.remote, addr(peer, 2).addr);
        pair.give(peer, &syn).unwrap();
        assert_eq!(pair.state_of(peer, SECOND), FlowState::SynRcvd);
        let answer = pair.only(peer, SynAck);
        pair.give(host, &answer).unwrap();
        assert_eq!(pair.state_of(host, SECOND), FlowState::Established);
        let ack = pair.only(host, Ack);
        pair.give(peer, &ack).unwrap();
        assert_eq!(pair.state_of(peer, SECOND), FlowState::Established);
        for (end, by_us) in [(host, true), (peer, false)] {
            let events = pair.events(end);
            let added = events
                .iter()
                .any(|e| matches!(e, Event::FlowAdded { by_us: b, .. } if *b == by_us));
            assert!(added, "{events:?}");
            assert_eq!(pair.carrier(end).unwrap().0, FLOW);
        }
    }
}

#[test]
fn both_sides_may_add_at_once() {
    let mut pair = two_homes(settings());
    pair.add(CLIENT, from(addr(CLIENT, 2))).unwrap();
    pair.add(SERVER, from(addr(SERVER, 2))).unwrap();
    pair.settle();
    for host in [CLIENT, SERVER] {
        let open = pair.conn(host).flows();
        assert_eq!(
            open.filter(|(_, f)| f.state() == FlowState::Established)
                .count(),
            3
        );
    }
}

#[test]
fn a_lost_syn_ack_or_ack_is_made_good() {
    let mut pair = two_homes(settings());
    pair.add(CLIENT, from(addr(CLIENT, 2))).unwrap();
    let syn = pair.only(CLIENT, Syn);
    pair.give(SERVER, &syn).unwrap();
    pair.only(SERVER, SynAck); // lost
    pair.advance(Duration::from_millis(300));
    let again = pair.sent(CLIENT);
    assert_eq!(again[0].message(), syn.message());
    pair.give(SERVER, &again[0]).unwrap();
    let answer = pair.sent(SERVER).remove(0);
    pair.give(CLIENT, &answer).unwrap();
    pair.only(CLIENT, Ack); // lost
    pair.advance(Duration::from_millis(300));
    pair.settle();
    assert_eq!(pair.state_of(SERVER, SECOND), FlowState::Established);
}

#[test]
fn r12_the_syn_goes_to_what_is_learnt_on_other_flows_and_counts_from_there_alone() {
    let mut pair = two_homes(settings());
    // The server leaves both addresses that the client knows, and tells it on the first flow.
    pair.add(CLIENT, from(addr(CLIENT, 2))).unwrap();
    pair.only(CLIENT, Syn); // lost, like all that goes to an address that is gone
    let rsyn = pair.hard_move(SERVER, 5);
    pair.give(CLIENT, &rsyn).unwrap();
    pair.settle();
    let mut reached = false;
    for _ in 0..6 {
        pair.advance(Duration::from_secs(2));
        for sent in pair.sent(CLIENT) {
            if sent.kind() == Syn && sent.path.remote == addr(SERVER, 5).addr {
                reached = true;
                pair.give(SERVER, &sent).unwrap();
            }
        }
        if reached {
            break;
        }
    }
    assert!(reached, "the SYN never went to the server's new address");
    let answer = pair.only(SERVER, SynAck);
    let mut elsewhere = pair.rx(CLIENT, &answer);
    elsewhere.remote = addr(SERVER, 77).addr;
    let result = pair.give_from(CLIENT, &answer, &elsewhere);
    assert_eq!(result, Err(Discard::UnexpectedSource));
    pair.give(CLIENT, &answer).unwrap();
    assert_eq!(pair.state_of(CLIENT, SECOND), FlowState::Established);
}

#[test]
fn a_nack_names_the_address_where_the_same_flow_is_taken() {
    let server = vec![addr(SERVER, 1), backup(addr(SERVER, 2))];
    let client = vec![addr(CLIENT, 1), addr(CLIENT, 2)];
    let mut pair = Pair::with(settings(), client, server);
    pair.connect();
    pair.settle();
    let request = AddFlow {
        to: remote(addr(SERVER, 2)),
        ..from(addr(CLIENT, 2))
    };
    pair.add(CLIENT, request).unwrap();
    let syn = pair.only(CLIENT, Syn);
    assert_eq!(syn.path.remote, addr(SERVER, 2).addr);
    pair.give(SERVER, &syn).unwrap();
    let nack = pair.only(SERVER, Nack);
    assert_eq!(nack.message().receiver, syn.message().sender);
    assert_eq!(nack.message().preferred.unwrap().addr, addr(SERVER, 1).addr);
    let refused = pair.events(SERVER);
    assert!(refused.contains(&Event::FlowRefused { reason: None }));
    pair.give(CLIENT, &nack).unwrap();
    let again = pair.only(CLIENT, Syn);
    assert_eq!(again.message().sender, syn.message().sender);
    assert_eq!(again.path.remote, addr(SERVER, 1).addr);
    // A repetition of it changes nothing.
    pair.give(CLIENT, &nack).unwrap();
    assert!(pair.sent(CLIENT).is_empty());
    pair.give(SERVER, &again).unwrap();
    pair.settle();
    assert_eq!(pair.state_of(CLIENT, SECOND), FlowState::Established);
}

#[test]
fn a_backup_flow_may_use_a_backup_address() {
    let server = vec![addr(SERVER, 1), backup(addr(SERVER, 2))];
    let client = vec![addr(CLIENT, 1), addr(CLIENT, 2)];
    let mut pair = Pair::with(settings(), client, server);
    pair.connect();
    pair.settle();
    let request = AddFlow {
        backup: true,
        ..from(addr(CLIENT, 2))
    };
    pair.add(CLIENT, request).unwrap();
    let syn = pair.only(CLIENT, Syn);
    assert_eq!(syn.message().flow_flags.unwrap().flags, FLOW_BACKUP);
    assert_eq!(syn.path.remote, addr(SERVER, 2).addr);
    pair.give(SERVER, &syn).unwrap();
    pair.settle();
    assert!(pair.conn(SERVER).flow(SECOND).unwrap().is_backup());
}

#[test]
fn limits_hold_at_both_ends() {
    let few = Settings {
        max_flows: 2,
        ..settings()
    };
    let mut pair = two_homes(settings());
    pair.nodes[SERVER].conn.set_settings(&few);
    pair.add(CLIENT, from(addr(CLIENT, 2))).unwrap();
    pair.settle();
    pair.add(SERVER, from(addr(SERVER, 2)))
        .expect_err("the server has two");
    let third = AddFlow {
        to: remote(addr(SERVER, 1)),
        ..from(addr(CLIENT, 2))
    };
    let third = pair.add(CLIENT, third).unwrap();
    let syn = pair.only(CLIENT, Syn);
    pair.give(SERVER, &syn).unwrap();
    let rst = pair.only(SERVER, Rst);
    assert_eq!(rst.message().reason, Some(Reason::Busy));
    pair.give(CLIENT, &rst).unwrap();
    let ends = closed(&pair.events(CLIENT));
    assert_eq!(ends, [(third, CloseReason::Refused(Reason::Busy))]);
    assert_eq!(pair.state_of(CLIENT, FLOW), FlowState::Established);
    assert!(!pair.conn(CLIENT).is_closed());
    pair.nodes[CLIENT].conn.set_settings(&few);
    let refused = pair.add(CLIENT, from(addr(CLIENT, 1)));
    assert_eq!(refused, Err(Refused::TooManyFlows));
}

#[test]
fn what_cannot_be_added_is_refused_with_a_reason() {
    let mut pair = two_homes(settings());
    let add = |pair: &mut Pair, request| pair.add(CLIENT, request);
    assert_eq!(
        add(&mut pair, from(addr(CLIENT, 1))),
        Err(Refused::AlreadyThere)
    );
    assert_eq!(
        add(&mut pair, from(addr(CLIENT, 9))),
        Err(Refused::NoSuchAddress)
    );
    let v6 = AddFlow {
        to: remote(addr6(SERVER, 1)),
        ..from(addr(CLIENT, 2))
    };
    assert_eq!(add(&mut pair, v6), Err(Refused::NoPeerAddress));
    let last = pair.command(CLIENT, Command::Remove { flow: FLOW });
    assert_eq!(last, Err(Refused::LastFlow));
    pair.command(CLIENT, Command::Close { flow: FLOW }).unwrap();
    assert_eq!(add(&mut pair, from(addr(CLIENT, 2))), Err(Refused::Closing));
}

#[test]
fn a_replayed_syn_adds_nothing() {
    let mut pair = two_homes(settings());
    pair.add(CLIENT, from(addr(CLIENT, 2))).unwrap();
    let syn = pair.only(CLIENT, Syn);
    pair.give(SERVER, &syn).unwrap();
    pair.settle();
    assert_eq!(pair.give(SERVER, &syn), Err(Discard::WrongState));
    pair.command(CLIENT, Command::Remove { flow: SECOND })
        .unwrap();
    pair.settle();
    assert_eq!(pair.state_of(SERVER, SECOND), FlowState::Closed);
    assert_eq!(pair.give(SERVER, &syn), Err(Discard::StaleVersion));
    assert!(pair.sent(SERVER).is_empty());
}

#[test]
fn syns_may_overtake_each_other() {
    let three = |host| (1..=3).map(|n| addr(host, n)).collect();
    let mut pair = Pair::with(settings(), three(CLIENT), three(SERVER));
    pair.connect();
    pair.settle();
    pair.add(CLIENT, from(addr(CLIENT, 2))).unwrap();
    pair.add(CLIENT, from(addr(CLIENT, 3))).unwrap();
    let mut syns = pair.sent(CLIENT);
    syns.reverse();
    for syn in &syns {
        pair.give(SERVER, syn).unwrap();
    }
    pair.settle();
    let open = pair.conn(SERVER).flows();
    assert_eq!(
        open.filter(|(_, f)| f.state() == FlowState::Established)
            .count(),
        3
    );
}

#[test]
fn a_flow_is_removed_at_both_ends_while_the_connection_lives() {
    let mut pair = Pair::with_two_flows(settings());
    pair.command(CLIENT, Command::Remove { flow: SECOND })
        .unwrap();
    let first = pair.sent(CLIENT);
    assert!(first.iter().all(|sent| sent.kind() == Rst));
    // All of them are lost.
    pair.advance(Duration::from_millis(400));
    let again = pair.sent(CLIENT);
    assert_eq!(again[0].message().reason, Some(Reason::Removed));
    pair.give(SERVER, &again[0]).unwrap();
    let answer = pair.only(SERVER, Rst);
    pair.give(CLIENT, &answer).unwrap();
    for host in [CLIENT, SERVER] {
        assert_eq!(pair.state_of(host, SECOND), FlowState::Closed);
        assert_eq!(pair.state_of(host, FLOW), FlowState::Established);
        assert_eq!(closed(&pair.events(host)).len(), 1);
        assert!(!pair.conn(host).is_closed());
    }
    pair.advance(Duration::from_secs(5));
    assert!(pair.sent(CLIENT).is_empty() && pair.sent(SERVER).is_empty());
    // Its place is free again.
    pair.add(CLIENT, from(addr(CLIENT, 2))).unwrap();
    pair.settle();
    assert_eq!(pair.state_of(SERVER, SECOND), FlowState::Established);
}

#[test]
fn r20_a_half_open_flow_drains_when_the_transport_is_done() {
    let mut pair = two_homes(settings());
    pair.add(CLIENT, from(addr(CLIENT, 2))).unwrap();
    let syn = pair.only(CLIENT, Syn);
    pair.give(SERVER, &syn).unwrap();
    let answer = pair.only(SERVER, SynAck);
    pair.give(CLIENT, &answer).unwrap();
    let late = pair.only(CLIENT, Ack);
    for flow in [FLOW, SECOND] {
        pair.command(SERVER, Command::Close { flow }).unwrap();
    }
    pair.give(SERVER, &late).unwrap();
    pair.settle();
    let healthy = pair.events(CLIENT);
    assert!(closed(&healthy).is_empty(), "{healthy:?}");
    assert_eq!(pair.state_of(CLIENT, SECOND), FlowState::Established);
    pair.advance(Settings::DEFAULT.draining);
    let ends = closed(&pair.events(SERVER));
    assert_eq!(ends.len(), 2, "{ends:?}");
    assert!(ends.iter().all(|(_, why)| *why == CloseReason::Drained));
}

#[test]
fn r21_a_reset_ends_its_flow_and_no_other() {
    for (flow, other) in [(FLOW, SECOND), (SECOND, FLOW)] {
        let mut pair = Pair::with_two_flows(settings());
        let reason = Reason::Aborted;
        let abort = Command::Abort { flow, reason };
        pair.command(SERVER, abort).unwrap();
        pair.settle();
        assert_eq!(
            closed(&pair.events(CLIENT)),
            [(flow, CloseReason::Reset(reason))]
        );
        assert_eq!(pair.state_of(CLIENT, other), FlowState::Established);
        assert_eq!(pair.state_of(SERVER, other), FlowState::Established);
        assert_eq!(pair.carrier(CLIENT).unwrap().0, other);
    }
}

#[test]
fn the_flow_that_carries_data_may_be_removed() {
    let mut pair = Pair::with_two_flows(settings());
    pair.command(SERVER, Command::Remove { flow: FLOW })
        .unwrap();
    pair.settle();
    for host in [CLIENT, SERVER] {
        assert_eq!(pair.carrier(host).unwrap().0, SECOND);
        assert_eq!(pair.state_of(host, FLOW), FlowState::Closed);
    }
}

#[test]
fn a_flow_whose_path_is_dead_is_removed_along_another() {
    let mut pair = Pair::with_two_flows(settings());
    pair.set_addresses(CLIENT, &[addr(CLIENT, 1)]);
    pair.sent(CLIENT);
    pair.command(CLIENT, Command::Remove { flow: SECOND })
        .unwrap();
    pair.advance(Duration::from_secs(1));
    let sent = pair.sent(CLIENT);
    let rst = sent.iter().find(|s| s.kind() == Rst).expect("an RST");
    assert_eq!(rst.path.local, addr(CLIENT, 1).addr);
    pair.give(SERVER, rst).unwrap();
    assert_eq!(pair.state_of(SERVER, SECOND), FlowState::Closed);
}

#[test]
fn data_takes_the_other_flow_at_once_when_an_address_is_lost() {
    let mut pair = Pair::with_two_flows(settings());
    pair.set_addresses(CLIENT, &[addr(CLIENT, 2)]);
    let (flow, to) = pair.carrier(CLIENT).expect("no handshake is needed");
    assert_eq!((flow, to), (SECOND, addr(SERVER, 2).addr));
    let events = pair.events(CLIENT);
    assert_eq!(changes(&events), [(SECOND, CarrierChange::PathLost)]);
    // The address that the second flow uses is not taken by the first.
    assert_eq!(pair.state_of(CLIENT, FLOW), FlowState::NoAddress);
    let sent = pair.sent(CLIENT);
    let ping = sent.iter().find(|s| s.kind() == Ping).expect("a PING");
    let flags = FLOW_ACTIVE | FLOW_LOST;
    assert_eq!(ping.message().flow_flags.unwrap().flags, flags);
    assert_eq!(ping.path.local, addr(CLIENT, 2).addr);
    pair.give(SERVER, ping).unwrap();
    assert_eq!(pair.carrier(SERVER), Some((SECOND, addr(CLIENT, 2).addr)));
    let events = pair.events(SERVER);
    assert_eq!(changes(&events), [(SECOND, CarrierChange::Peer)]);
}

#[test]
fn an_old_request_for_a_flow_is_ignored() {
    let mut pair = Pair::with_two_flows(settings());
    let prefer = |pair: &mut Pair, flow| {
        pair.command(CLIENT, Command::Prefer { flow }).unwrap();
        pair.only(CLIENT, Ping)
    };
    let first = prefer(&mut pair, SECOND);
    let second = prefer(&mut pair, FLOW);
    pair.give(SERVER, &second).unwrap();
    pair.give(SERVER, &first).unwrap();
    assert_eq!(pair.carrier(SERVER).unwrap().0, FLOW);
}

#[test]
fn a_request_is_repeated_until_it_is_answered() {
    let mut pair = Pair::with_two_flows(settings());
    pair.command(CLIENT, Command::Prefer { flow: SECOND })
        .unwrap();
    pair.only(CLIENT, Ping); // lost
    pair.advance(Duration::from_millis(300));
    let ping = pair.only(CLIENT, Ping);
    assert!(ping.message().flow_flags.is_some());
    pair.give(SERVER, &ping).unwrap();
    pair.settle();
    pair.advance(Duration::from_secs(3));
    assert!(pair.sent(CLIENT).is_empty());
    assert_eq!(pair.carrier(SERVER).unwrap().0, SECOND);
}

#[test]
fn data_returns_to_the_better_flow_after_the_delay_if_policy_prefers_it() {
    for policy in [Policy::FailOver, Policy::Prefer] {
        let mut pair = Pair::with_two_flows(Settings {
            policy,
            ..settings()
        });
        let better = [addr(CLIENT, 1), backup(addr(CLIENT, 2))];
        pair.set_addresses(CLIENT, &better);
        pair.settle();
        pair.set_addresses(CLIENT, &better[1..]);
        pair.settle();
        assert_eq!(pair.carrier(CLIENT).unwrap().0, SECOND);
        pair.set_addresses(CLIENT, &better);
        pair.settle();
        assert_eq!(pair.state_of(CLIENT, FLOW), FlowState::Established);
        assert_eq!(pair.carrier(CLIENT).unwrap().0, SECOND);
        pair.advance(Duration::from_secs(4));
        pair.settle();
        assert_eq!(pair.carrier(CLIENT).unwrap().0, SECOND);
        pair.advance(Duration::from_secs(2));
        pair.settle();
        let wanted = match policy {
            Policy::Prefer => FLOW,
            _ => SECOND,
        };
        for host in [CLIENT, SERVER] {
            assert_eq!(pair.carrier(host).unwrap().0, wanted, "{policy:?}");
        }
    }
}

#[test]
fn a_better_flow_that_comes_and_goes_is_not_taken() {
    let mut pair = Pair::with_two_flows(Settings {
        policy: Policy::Prefer,
        ..settings()
    });
    let better = [addr(CLIENT, 1), backup(addr(CLIENT, 2))];
    pair.set_addresses(CLIENT, &better[1..]);
    pair.settle();
    pair.events(CLIENT);
    for _ in 0..6 {
        pair.set_addresses(CLIENT, &better);
        pair.settle();
        pair.advance(Duration::from_secs(3));
        pair.set_addresses(CLIENT, &better[1..]);
        pair.settle();
        pair.advance(Duration::from_secs(3));
    }
    assert_eq!(changes(&pair.events(CLIENT)), []);
}

#[test]
fn each_flow_moves_by_itself() {
    let mut pair = Pair::with_two_flows(settings());
    let set = [addr(CLIENT, 1), addr(CLIENT, 2), addr(CLIENT, 3)];
    pair.set_addresses(CLIENT, &set);
    pair.settle();
    let to = addr(CLIENT, 3);
    pair.command(CLIENT, Command::Move { flow: SECOND, to })
        .unwrap();
    pair.settle();
    let path = |host, flow| pair.conn(host).data_path(flow).unwrap();
    assert_eq!(path(SERVER, SECOND).remote, to.addr);
    assert_eq!(path(SERVER, FLOW).remote, addr(CLIENT, 1).addr);
    assert_eq!(pair.conn(CLIENT).flow(FLOW).unwrap().version(), 0);
}

#[test]
fn r7_rsyn_goes_to_what_is_learnt_on_other_flows() {
    let mut pair = Pair::with_two_flows(settings());
    // The server's second flow moves to an address that its list has not told yet.
    let set = [addr(SERVER, 1), addr(SERVER, 2), addr(SERVER, 3)];
    pair.nodes[SERVER].addresses = set.to_vec();
    pair.set_addresses(SERVER, &set);
    pair.sent(SERVER); // the new list is lost
    let to = addr(SERVER, 3);
    pair.command(SERVER, Command::Move { flow: SECOND, to })
        .unwrap();
    pair.settle();
    pair.set_addresses(CLIENT, &[addr(CLIENT, 2), addr(CLIENT, 4)]);
    let sent = pair.sent(CLIENT);
    let rsyns = sent.iter().filter(|sent| sent.kind() == Rsyn);
    let reached: Vec<_> = rsyns.map(|sent| sent.path.remote).collect();
    for n in 1..=3 {
        assert!(reached.contains(&addr(SERVER, n).addr), "{reached:?}");
    }
}

#[test]
fn lists_travel_along_any_flow() {
    let mut pair = Pair::with_two_flows(settings());
    pair.set_addresses(CLIENT, &[addr(CLIENT, 2)]);
    pair.settle();
    let list = pair.conn(SERVER).remote_ilist();
    assert_eq!(list.entries().len(), 1);
    assert_eq!(list.entries()[0].addr, addr(CLIENT, 2).addr);
}

#[test]
fn a_flow_whose_own_address_goes_before_the_answer_is_given_up() {
    let mut pair = two_homes(settings());
    pair.add(CLIENT, from(addr(CLIENT, 2))).unwrap();
    pair.sent(CLIENT);
    pair.set_addresses(CLIENT, &[addr(CLIENT, 1)]);
    let ends = closed(&pair.events(CLIENT));
    assert_eq!(ends, [(SECOND, CloseReason::NoAddress)]);
    assert!(!pair.conn(CLIENT).is_closed());
}

#[test]
fn a_flow_that_nobody_answers_is_given_up_and_the_connection_lives() {
    let mut pair = two_homes(settings());
    pair.add(CLIENT, from(addr(CLIENT, 2))).unwrap();
    let end = pair.now.after(settings().half_open);
    while pair.now < end {
        pair.sent(CLIENT);
        pair.advance(Duration::from_millis(500));
    }
    let ends = closed(&pair.events(CLIENT));
    assert_eq!(ends, [(SECOND, CloseReason::TimedOut)]);
    assert_eq!(pair.state(CLIENT), FlowState::Established);
}

#[test]
fn every_changed_bit_of_a_syn_or_its_answers_is_refused_without_a_trace() {
    let mut pair = two_homes(settings());
    pair.add(CLIENT, from(addr(CLIENT, 2))).unwrap();
    let syn = pair.only(CLIENT, Syn);
    refuses_forgeries(&mut pair, SERVER, &syn);
    pair.give(SERVER, &syn).unwrap();
    let answer = pair.only(SERVER, SynAck);
    refuses_forgeries(&mut pair, CLIENT, &answer);
    pair.give(CLIENT, &answer).unwrap();
    pair.settle();
    pair.command(CLIENT, Command::Prefer { flow: SECOND })
        .unwrap();
    let ping = pair.only(CLIENT, Ping);
    refuses_forgeries(&mut pair, SERVER, &ping);
}

fn refuses_forgeries(pair: &mut Pair, host: usize, sent: &pair::Sent) {
    let before = pair.conn(host).clone();
    for at in 0..sent.bytes.len() * 8 {
        let mut forged = sent.clone();
        forged.bytes[at / 8] ^= 1 << (at % 8);
        if forged.bytes[..8] == [0; 8] {
            continue;
        }
        let rx = pair.rx(host, sent);
        let node = &mut pair.nodes[host];
        let result = node.conn.handle_packet(&mut node.host, &rx, &forged.bytes);
        assert!(result.is_err(), "bit {at}: {result:?}");
        assert!(*pair.conn(host) == before, "bit {at}");
    }
}

#[test]
fn replayed_syns_cannot_fill_the_places_of_flows() {
    let mut pair = two_homes(settings());
    let mut seen = Vec::new();
    for _ in 0..40 {
        pair.add(CLIENT, from(addr(CLIENT, 2))).unwrap();
        let syn = pair.only(CLIENT, Syn);
        pair.give(SERVER, &syn).unwrap();
        seen.push(syn);
        pair.settle();
        pair.command(CLIENT, Command::Remove { flow: SECOND })
            .unwrap();
        pair.settle();
        pair.advance(Duration::from_secs(1));
        pair.settle();
    }
    for old in &seen {
        assert_eq!(pair.give(SERVER, old), Err(Discard::StaleVersion));
    }
    assert_eq!(pair.state_of(SERVER, SECOND), FlowState::Closed);
}

#[test]
fn data_leaves_a_silent_path_for_an_established_flow() {
    let mut pair = Pair::with_two_flows(settings());
    let client = &mut pair.nodes[CLIENT];
    let rtt = Duration::from_millis(20);
    client.conn.handle_path_trouble(&client.host, FLOW, rtt);
    for _ in 0..20 {
        // Nothing passes along the first path; the second one works.
        for host in [CLIENT, SERVER] {
            for sent in pair.sent(host) {
                if sent.path.local != addr(host, 1).addr {
                    let _discard = pair.give(1 - host, &sent);
                }
            }
        }
        pair.advance(Duration::from_millis(100));
    }
    for host in [CLIENT, SERVER] {
        assert_eq!(pair.carrier(host).unwrap().0, SECOND);
    }
    let changes = changes(&pair.events(CLIENT));
    assert_eq!(changes, [(SECOND, CarrierChange::PathLost)]);
    // The first flow does not join the second one on its link.
    assert_eq!(pair.conn(CLIENT).flow(FLOW).unwrap().version(), 0);
}
