// SPDX-License-Identifier: GPL-2.0-only
//! Set-up, loss of addresses, policies, closing, timers.

mod pair;

use eccp_core::address::{IpAddr128, ADDRESS_BACKUP};
use eccp_core::event::{CloseReason, Command, Event, MoveFailure, PathChange, Refused};
use eccp_core::flow::{FlowState, Phase};
use eccp_core::settings::{Encapsulation, Policy, Settings};
use eccp_core::time::Duration;
use eccp_core::wire::{PacketType, Reason};
use pair::{addr, addr6, settings, Pair, CLIENT, FLOW, SERVER};

fn has(events: &[Event], wanted: impl Fn(&Event) -> bool) -> bool {
    events.iter().any(wanted)
}

fn closed(events: &[Event]) -> Option<CloseReason> {
    events.iter().find_map(|event| match event {
        Event::Closed { reason, .. } => Some(*reason),
        _ => None,
    })
}

#[test]
fn three_packets_establish_a_flow_and_each_end_learns_the_other() {
    let mut pair = Pair::new();
    pair.connect();
    assert_eq!(pair.state(CLIENT), FlowState::SynSent);
    let syn = pair.only(CLIENT, PacketType::Syn);
    pair.give(SERVER, &syn).unwrap();
    assert_eq!(pair.state(SERVER), FlowState::SynRcvd);
    pair.advance(Duration::from_millis(30));
    let answer = pair.only(SERVER, PacketType::SynAck);
    pair.give(CLIENT, &answer).unwrap();
    let ack = pair.only(CLIENT, PacketType::Ack);
    pair.give(SERVER, &ack).unwrap();
    let (client, server) = (pair.flow(CLIENT), pair.flow(SERVER));
    assert_eq!(client.local_id(), server.remote_id());
    assert_eq!(client.remote_id(), server.local_id());
    assert_eq!(client.rtt().smoothed(), Some(Duration::from_millis(30)));
    let list = pair.conn(SERVER).remote_ilist();
    assert_eq!(list.entries()[0].addr, addr(CLIENT, 1).addr);
    assert_eq!(pair.conn(SERVER).peer_transport().as_bytes(), b"isn");
    assert_eq!(pair.conn(CLIENT).peer_transport().as_bytes(), b"server");
    for host in [CLIENT, SERVER] {
        let events = pair.events(host);
        assert!(
            has(&events, |e| matches!(e, Event::Established { .. })),
            "{events:?}"
        );
    }
}

#[test]
fn a_repeated_syn_is_the_same_to_the_byte_and_answered_alike() {
    let mut pair = Pair::new();
    pair.connect();
    let first = pair.only(CLIENT, PacketType::Syn);
    pair.advance(Duration::from_secs(2));
    let second = pair.only(CLIENT, PacketType::Syn);
    assert_eq!(first.bytes, second.bytes);
    pair.give(SERVER, &first).unwrap();
    let answer = pair.only(SERVER, PacketType::SynAck);
    pair.give(SERVER, &second).unwrap();
    assert_eq!(pair.only(SERVER, PacketType::SynAck).bytes, answer.bytes);
}

#[test]
fn tries_are_at_most_two_seconds_apart_and_end_after_the_time_to_give_up() {
    let mut pair = Pair::new();
    pair.connect();
    let start = pair.now;
    let mut last = start;
    let mut gaps = Vec::new();
    while !pair.conn(CLIENT).is_closed() {
        if !pair.sent(CLIENT).is_empty() {
            gaps.push(pair.now.since(last).as_millis());
            last = pair.now;
        }
        let Some(next) = pair.conn(CLIENT).poll_timeout() else {
            break;
        };
        pair.advance(next.since(pair.now));
    }
    assert_eq!(pair.now.since(start), settings().give_up);
    assert!(gaps[1] >= 218 && gaps[1] <= 250, "{gaps:?}");
    assert!(gaps.iter().all(|gap| *gap <= 2000), "{gaps:?}");
    assert!(gaps.len() > 80);
    assert_eq!(closed(&pair.events(CLIENT)), Some(CloseReason::TimedOut));
}

#[test]
fn a_measured_round_trip_shortens_the_first_gap_and_repetitions_are_not_measured() {
    let mut pair = Pair::new();
    pair.connect();
    pair.sent(CLIENT);
    pair.advance(Duration::from_millis(250));
    let syn = pair.only(CLIENT, PacketType::Syn);
    pair.give(SERVER, &syn).unwrap();
    let answer = pair.only(SERVER, PacketType::SynAck);
    pair.give(CLIENT, &answer).unwrap();
    assert_eq!(pair.flow(CLIENT).rtt().smoothed(), None);
    pair.settle();
    pair.command(CLIENT, Command::Ping { flow: FLOW }).unwrap();
    let ping = pair.only(CLIENT, PacketType::Ping);
    pair.advance(Duration::from_millis(20));
    pair.give(SERVER, &ping).unwrap();
    let pong = pair.only(SERVER, PacketType::Pong);
    pair.give(CLIENT, &pong).unwrap();
    let rtt = pair.flow(CLIENT).rtt();
    assert_eq!(rtt.smoothed(), Some(Duration::from_millis(20)));
    assert_eq!(rtt.retry(), Duration::from_millis(60));
    assert!(has(&pair.events(CLIENT), |e| matches!(
        e,
        Event::Pong { .. }
    )));
}

#[test]
fn a_half_open_flow_times_out_with_an_rst() {
    let mut pair = Pair::new();
    pair.connect();
    let syn = pair.only(CLIENT, PacketType::Syn);
    pair.give(SERVER, &syn).unwrap();
    pair.sent(SERVER);
    pair.advance(settings().half_open);
    assert_eq!(
        pair.only(SERVER, PacketType::Rst).message().reason,
        Some(Reason::TimedOut)
    );
    assert_eq!(closed(&pair.events(SERVER)), Some(CloseReason::TimedOut));
}

#[test]
fn a_client_without_traffic_pings_until_the_server_has_its_ack() {
    let mut pair = Pair::new();
    pair.connect();
    let syn = pair.only(CLIENT, PacketType::Syn);
    pair.give(SERVER, &syn).unwrap();
    let answer = pair.only(SERVER, PacketType::SynAck);
    pair.give(CLIENT, &answer).unwrap();
    pair.only(CLIENT, PacketType::Ack); // lost
    assert!(pair.conn(CLIENT).wants_data_notice(FLOW));
    pair.advance(Duration::from_secs(1));
    pair.sent(SERVER); // the repeated SYN-ACK is lost too
    let ping = pair.only(CLIENT, PacketType::Ping);
    pair.give(SERVER, &ping).unwrap();
    pair.settle();
    assert_eq!(pair.state(SERVER), FlowState::Established);
    pair.advance(Duration::from_secs(2));
    pair.settle();
    assert!(!pair.conn(CLIENT).wants_data_notice(FLOW));
    assert_eq!(pair.conn(CLIENT).poll_timeout(), None);
    assert_eq!(pair.conn(SERVER).poll_timeout(), None);
}

#[test]
fn data_of_the_server_spares_the_client_its_ping() {
    let mut pair = Pair::new();
    pair.connect();
    for _ in 0..2 {
        for host in [CLIENT, SERVER] {
            for sent in pair.sent(host) {
                pair.give(1 - host, &sent).unwrap();
            }
        }
    }
    let rx = pair.nodes[CLIENT].rx_info(
        addr(CLIENT, 1).addr,
        addr(SERVER, 1).addr,
        Default::default(),
        (0, 0),
    );
    let client = &mut pair.nodes[CLIENT];
    client
        .conn
        .handle_data(&mut client.host, FLOW, &rx, 52)
        .unwrap();
    assert_eq!(pair.conn(CLIENT).poll_timeout(), None);
}

#[test]
fn a_lost_address_without_another_suspends_until_one_comes() {
    let mut pair = Pair::established();
    pair.events(CLIENT);
    pair.set_addresses(CLIENT, &[]);
    assert_eq!(pair.state(CLIENT), FlowState::NoAddress);
    let events = pair.events(CLIENT);
    assert!(has(&events, |e| matches!(e, Event::Suspended { .. })));
    assert_eq!(pair.data_to(CLIENT), None);
    pair.advance(Duration::from_secs(100_000));
    assert!(pair.sent(CLIENT).is_empty());
    pair.set_addresses(CLIENT, &[addr(CLIENT, 3)]);
    assert_eq!(pair.state(CLIENT), FlowState::RsynSent);
    pair.settle();
    assert_eq!(pair.data_to(SERVER), Some(addr(CLIENT, 3).addr));
    let events = pair.events(SERVER);
    assert!(has(&events, |e| matches!(
        e,
        Event::PathChanged {
            why: PathChange::PeerMoved,
            ..
        }
    )));
}

#[test]
fn a_flow_without_address_ends_when_its_owner_says_so() {
    let settings = Settings {
        no_address: Some(Duration::from_secs(30)),
        ..settings()
    };
    let mut pair = Pair::with(settings, vec![addr(CLIENT, 1)], vec![addr(SERVER, 1)]);
    pair.connect();
    pair.settle();
    pair.events(CLIENT);
    pair.set_addresses(CLIENT, &[]);
    pair.advance(Duration::from_secs(30));
    assert_eq!(closed(&pair.events(CLIENT)), Some(CloseReason::NoAddress));
}

#[test]
fn fail_over_takes_the_best_address_and_a_backup_last() {
    let backup = eccp_core::address::LocalAddress {
        flags: ADDRESS_BACKUP,
        ..addr(CLIENT, 2)
    };
    let worse = eccp_core::address::LocalAddress {
        priority: 9,
        ..addr(CLIENT, 3)
    };
    let mut pair = Pair::established();
    pair.set_addresses(CLIENT, &[addr(CLIENT, 1), backup, worse, addr(CLIENT, 4)]);
    pair.settle();
    for (left, expected) in [
        (vec![backup, worse, addr(CLIENT, 4)], addr(CLIENT, 4)),
        (vec![backup, worse], worse),
        (vec![backup], backup),
    ] {
        pair.set_addresses(CLIENT, &left);
        pair.settle();
        assert_eq!(pair.data_to(SERVER), Some(expected.addr));
    }
}

#[test]
fn policy_manual_waits_for_the_same_address_or_a_command() {
    let settings = Settings {
        policy: Policy::Manual,
        ..settings()
    };
    let mut pair = Pair::with(settings, vec![addr(CLIENT, 1)], vec![addr(SERVER, 1)]);
    pair.connect();
    pair.settle();
    pair.set_addresses(CLIENT, &[addr(CLIENT, 2)]);
    assert_eq!(pair.state(CLIENT), FlowState::NoAddress);
    let to = addr(CLIENT, 2);
    pair.command(CLIENT, Command::Move { flow: FLOW, to })
        .unwrap();
    pair.settle();
    assert_eq!(pair.data_to(SERVER), Some(to.addr));
    pair.set_addresses(CLIENT, &[]);
    pair.set_addresses(CLIENT, &[to]);
    pair.settle();
    assert_eq!(pair.state(CLIENT), FlowState::Established);
}

#[test]
fn policy_prefer_goes_back_after_a_while() {
    let settings = Settings {
        policy: Policy::Prefer,
        ..settings()
    };
    let backup = eccp_core::address::LocalAddress {
        flags: ADDRESS_BACKUP,
        ..addr(CLIENT, 2)
    };
    let mut pair = Pair::with(
        settings,
        vec![addr(CLIENT, 1), backup],
        vec![addr(SERVER, 1)],
    );
    pair.connect();
    pair.settle();
    pair.set_addresses(CLIENT, &[backup]);
    pair.settle();
    pair.set_addresses(CLIENT, &[addr(CLIENT, 1), backup]);
    pair.settle();
    pair.advance(Duration::from_secs(4));
    pair.settle();
    assert_eq!(pair.data_to(SERVER), Some(backup.addr));
    pair.advance(Duration::from_secs(1));
    pair.settle();
    assert_eq!(pair.data_to(SERVER), Some(addr(CLIENT, 1).addr));
}

#[test]
fn a_move_command_is_refused_for_a_reason() {
    let mut pair = Pair::established();
    let to = |pair: &mut Pair, to| pair.command(CLIENT, Command::Move { flow: FLOW, to });
    assert_eq!(to(&mut pair, addr(CLIENT, 9)), Err(Refused::NoSuchAddress));
    assert_eq!(to(&mut pair, addr(CLIENT, 1)), Err(Refused::AlreadyThere));
    pair.set_addresses(CLIENT, &[addr(CLIENT, 1), addr6(CLIENT, 2)]);
    assert_eq!(to(&mut pair, addr6(CLIENT, 2)), Err(Refused::NoPeerAddress));
    let flow = eccp_core::event::FlowIndex(3);
    let refused = pair.command(CLIENT, Command::Ping { flow });
    assert_eq!(refused, Err(Refused::NoSuchFlow));
    pair.command(
        CLIENT,
        Command::Abort {
            flow: FLOW,
            reason: Reason::Aborted,
        },
    )
    .unwrap();
    assert_eq!(to(&mut pair, addr6(CLIENT, 2)), Err(Refused::Closing));
}

#[test]
fn a_planned_move_that_nobody_answers_leaves_the_flow_where_it_was() {
    let mut pair = Pair::established();
    pair.set_addresses(CLIENT, &[addr(CLIENT, 1), addr(CLIENT, 2)]);
    pair.settle();
    let to = addr(CLIENT, 2);
    pair.command(CLIENT, Command::Move { flow: FLOW, to })
        .unwrap();
    pair.sent(CLIENT);
    pair.advance(settings().planned_move);
    let events = pair.events(CLIENT);
    assert!(has(&events, |e| matches!(
        e,
        Event::MoveFailed {
            why: MoveFailure::NoAnswer,
            ..
        }
    )));
    assert!(pair.conn(CLIENT).data_path(FLOW).is_some());
    pair.settle();
    assert_eq!(pair.state(CLIENT), FlowState::Established);
    assert_eq!(pair.data_to(SERVER), Some(addr(CLIENT, 1).addr));
}

#[test]
fn a_move_after_a_loss_tries_the_other_addresses() {
    let mut pair = Pair::established();
    pair.set_addresses(CLIENT, &[addr(CLIENT, 1), addr(CLIENT, 2), addr(CLIENT, 3)]);
    pair.settle();
    pair.set_addresses(CLIENT, &[addr(CLIENT, 2), addr(CLIENT, 3)]);
    let mut sources = std::collections::BTreeSet::<IpAddr128>::new();
    for _ in 0..20 {
        sources.extend(pair.sent(CLIENT).iter().map(|sent| sent.path.local));
        pair.advance(Duration::from_secs(1));
    }
    assert_eq!(sources.len(), 2);
}

#[test]
fn a_flow_moves_to_the_other_family_and_back() {
    let both = |host| vec![addr(host, 1), addr6(host, 2)];
    let mut pair = Pair::with(settings(), both(CLIENT), both(SERVER));
    pair.connect();
    pair.settle();
    for to in [addr6(CLIENT, 2), addr(CLIENT, 1)] {
        pair.command(CLIENT, Command::Move { flow: FLOW, to })
            .unwrap();
        pair.settle();
        let client = pair.conn(CLIENT).data_path(FLOW).expect("a path");
        let server = pair.conn(SERVER).data_path(FLOW).expect("a path");
        assert_eq!(client.local, to.addr);
        assert_eq!((server.remote, server.local), (client.local, client.remote));
        assert_eq!(pair.state(SERVER), FlowState::Established);
    }
}

#[test]
fn automatic_encapsulation_uses_what_answers() {
    let settings = Settings {
        encapsulation: Encapsulation::Auto,
        ..settings()
    };
    let mut pair = Pair::with(settings, vec![addr(CLIENT, 1)], vec![addr(SERVER, 1)]);
    pair.connect();
    let syns = pair.sent(CLIENT);
    assert_eq!(syns.len(), 2);
    let udp = syns
        .iter()
        .find(|s| s.path.remote_port != 0)
        .expect("by UDP");
    pair.give(SERVER, udp).unwrap();
    pair.settle();
    let path = pair.conn(SERVER).data_path(FLOW).expect("a path");
    assert_eq!(path.remote_port, settings.udp_port);
    assert_eq!(
        pair.conn(CLIENT).data_path(FLOW).map(|p| p.encap),
        Some(path.encap)
    );
}

#[test]
fn a_closed_flow_drains_and_still_moves() {
    let mut pair = Pair::established();
    for host in [CLIENT, SERVER] {
        pair.command(host, Command::Close { flow: FLOW }).unwrap();
        assert_eq!(pair.flow(host).phase(), Phase::Draining);
    }
    let rsyn = pair.hard_move(CLIENT, 2);
    pair.give(SERVER, &rsyn).unwrap();
    pair.settle();
    assert_eq!(pair.data_to(SERVER), Some(addr(CLIENT, 2).addr));
    pair.advance(settings().draining);
    for host in [CLIENT, SERVER] {
        assert_eq!(closed(&pair.events(host)), Some(CloseReason::Drained));
        assert_eq!(pair.conn(host).poll_timeout(), None);
    }
}

#[test]
fn an_aborted_flow_answers_with_rst_until_it_is_drained() {
    let mut pair = Pair::established();
    pair.events(SERVER);
    let reason = Reason::Aborted;
    pair.command(CLIENT, Command::Abort { flow: FLOW, reason })
        .unwrap();
    pair.only(CLIENT, PacketType::Rst); // lost
    assert_eq!(pair.state(CLIENT), FlowState::Closed);
    pair.command(SERVER, Command::Ping { flow: FLOW }).unwrap();
    let ping = pair.only(SERVER, PacketType::Ping);
    pair.give(CLIENT, &ping).unwrap();
    let rst = pair.only(CLIENT, PacketType::Rst);
    pair.give(SERVER, &rst).unwrap();
    let events = pair.events(SERVER);
    assert!(has(&events, |e| matches!(e, Event::PeerReset { .. })));
    assert_eq!(closed(&events), Some(CloseReason::Reset(Reason::Closed)));
    pair.advance(settings().draining);
    assert_eq!(closed(&pair.events(CLIENT)), Some(CloseReason::Aborted));
}

#[test]
fn ilists_are_replaced_whole_and_the_newest_wins() {
    let mut pair = Pair::established();
    let old = pair.conn(SERVER).remote_ilist().version;
    pair.set_addresses(CLIENT, &[addr(CLIENT, 1), addr(CLIENT, 2), addr(CLIENT, 3)]);
    let ping = pair.only(CLIENT, PacketType::Ping);
    pair.set_addresses(CLIENT, &[addr(CLIENT, 1), addr(CLIENT, 3)]);
    let newer = pair.only(CLIENT, PacketType::Ping);
    pair.give(SERVER, &newer).unwrap();
    pair.give(SERVER, &ping).unwrap();
    let list = pair.conn(SERVER).remote_ilist();
    assert_eq!(list.version, old + 2);
    let listed: Vec<_> = list.entries().iter().map(|entry| entry.addr).collect();
    assert_eq!(listed, [addr(CLIENT, 1).addr, addr(CLIENT, 3).addr]);
}

#[test]
fn addresses_that_no_packet_may_go_to_are_not_taken_from_an_ilist() {
    let odd = |raw: [u8; 4]| eccp_core::address::LocalAddress {
        addr: IpAddr128::from_v4(raw),
        ..addr(CLIENT, 9)
    };
    // Our own list leaves them out, so that a peer never sees them.
    let set = [
        addr(CLIENT, 1),
        odd([127, 0, 0, 1]),
        odd([224, 0, 0, 1]),
        odd([0; 4]),
    ];
    let mut pair = Pair::with(settings(), set.to_vec(), vec![addr(SERVER, 1)]);
    pair.connect();
    pair.settle();
    assert_eq!(pair.conn(SERVER).remote_ilist().entries().len(), 1);
}

#[test]
fn more_addresses_than_fit_are_counted_and_those_in_use_stay() {
    let mut pair = Pair::established();
    let mut set: Vec<_> = (2..=12).map(|n| addr(CLIENT, n)).collect();
    set.push(addr(CLIENT, 1));
    let client = &mut pair.nodes[CLIENT];
    let left_out = client.conn.handle_addresses(&mut client.host, &set);
    assert_eq!(left_out, 4);
    assert_eq!(client.conn.counters().addresses_left_out, 4);
    assert_eq!(pair.state(CLIENT), FlowState::Established);
}

#[test]
fn a_key_that_both_ends_share_must_be_the_same() {
    for (server_key, establishes) in [([7; 32], true), ([8; 32], false)] {
        let mut pair = Pair::new();
        pair.nodes[CLIENT].psk = Some([7; 32]);
        pair.nodes[SERVER].psk = Some(server_key);
        pair.connect();
        pair.settle();
        let established = pair.state(CLIENT) == FlowState::Established;
        assert_eq!(established, establishes);
    }
}

#[test]
fn the_longest_syn_and_syn_ack_fit() {
    let many = |host| (1..=8).map(|n| addr6(host, n)).collect::<Vec<_>>();
    let mut pair = Pair::with(settings(), many(CLIENT), many(SERVER));
    let service = eccp_core::service::Service::Id([9; 32]);
    pair.nodes[SERVER].listens = Some(service);
    let remotes = [eccp_core::address::RemoteAddr {
        addr: addr6(SERVER, 1).addr,
        port: 0,
    }];
    let client = &mut pair.nodes[CLIENT];
    let request = eccp_core::connection::Connect {
        service,
        inner: eccp_core::wire::INNER_TCP,
        remotes: &remotes,
        local: &client.addresses,
        bound: Default::default(),
        transport: eccp_core::service::TransportParams::new(&[1; 16]).unwrap(),
        psk: None,
    };
    client
        .conn
        .connect(&mut client.host, &client.settings, &request);
    let syn = pair.only(CLIENT, PacketType::Syn);
    assert_eq!(syn.bytes.len(), 308);
    pair.give(SERVER, &syn).unwrap();
    let answer = pair.only(SERVER, PacketType::SynAck);
    pair.give(CLIENT, &answer).unwrap();
    assert_eq!(pair.state(CLIENT), FlowState::Established);
    assert_eq!(pair.conn(SERVER).remote_ilist().entries().len(), 8);
    assert_eq!(pair.conn(CLIENT).remote_ilist().entries().len(), 8);
}

#[test]
fn an_address_that_refuses_leaves_the_others_to_be_asked() {
    let mut pair = Pair::with(
        settings(),
        vec![addr(CLIENT, 1)],
        vec![addr(SERVER, 1), addr(SERVER, 2)],
    );
    pair.connect();
    for (n, closes) in [(1, false), (2, true)] {
        let syn = pair.only(CLIENT, PacketType::Syn);
        assert_eq!(syn.path.remote, addr(SERVER, n).addr);
        let packet = eccp_core::wire::Packet::parse(&syn.bytes).unwrap();
        let mut out = [0; 128];
        let host = &pair.nodes[SERVER].host;
        let refuse = eccp_core::respond::refuse;
        let len = refuse(host, &packet, Reason::NoService, &mut out).unwrap();
        let rx =
            pair.nodes[CLIENT].rx_info(syn.path.local, syn.path.remote, syn.path.encap, (0, 0));
        let client = &mut pair.nodes[CLIENT];
        let taken = client
            .conn
            .handle_packet(&mut client.host, &rx, &out[..len]);
        taken.unwrap();
        assert_eq!(pair.conn(CLIENT).is_closed(), closes);
    }
    let reason = CloseReason::Refused(Reason::NoService);
    assert_eq!(closed(&pair.events(CLIENT)), Some(reason));
}

#[test]
fn a_path_follows_its_address_to_another_interface() {
    let mut pair = Pair::established();
    let elsewhere = eccp_core::address::LocalAddress {
        ifindex: 7,
        ..addr(CLIENT, 1)
    };
    pair.set_addresses(CLIENT, &[elsewhere]);
    let path = pair.conn(CLIENT).data_path(FLOW).expect("a path");
    assert_eq!(path.ifindex, 7);
    assert_eq!(pair.flow(CLIENT).version(), 0);
}

#[test]
fn a_path_by_an_interface_that_never_had_the_address_stays() {
    let mut pair = Pair::new();
    pair.connect();
    let syn = pair.only(CLIENT, PacketType::Syn);
    let mut rx = pair.rx(SERVER, &syn);
    rx.ifindex = 9; // routed in by another interface than the address is on
    pair.give_from(SERVER, &syn, &rx).unwrap();
    let answer = pair.only(SERVER, PacketType::SynAck);
    pair.give(CLIENT, &answer).unwrap();
    let ack = pair.only(CLIENT, PacketType::Ack);
    pair.give_from(SERVER, &ack, &rx).unwrap();
    pair.set_addresses(SERVER, &[addr(SERVER, 1), addr(SERVER, 2)]);
    let path = pair.conn(SERVER).data_path(FLOW).expect("a path");
    assert_eq!(path.ifindex, 9);
}

#[test]
fn the_same_addresses_again_change_nothing() {
    let mut pair = Pair::established();
    let sets = [
        vec![addr(CLIENT, 1), addr(CLIENT, 2)],
        vec![addr(CLIENT, 2)],
        vec![],
        vec![addr(CLIENT, 3)],
    ];
    for set in sets {
        pair.set_addresses(CLIENT, &set);
        let before = pair.conn(CLIENT).clone();
        pair.set_addresses(CLIENT, &set);
        assert!(*pair.conn(CLIENT) == before, "{set:?}");
    }
}

/// An RST that a host sends without being asked, and whether the peer believes it.
fn tells(pair: &mut Pair, host: usize) -> bool {
    let sent = pair.sent(host);
    let rst = sent.iter().find(|sent| sent.kind() == PacketType::Rst);
    let Some(rst) = rst.filter(|rst| pair.nodes[host].holds(&rst.path.local)) else {
        return false;
    };
    pair.give(1 - host, rst).unwrap();
    let events = pair.events(1 - host);
    matches!(closed(&events), Some(CloseReason::Reset(_)))
}

#[test]
fn a_reset_in_the_middle_of_a_move_comes_from_the_new_address_until_it_arrives() {
    for lost in 0..3 {
        let mut pair = Pair::established();
        pair.hard_move(CLIENT, 2);
        let reason = Reason::Aborted;
        let abort = Command::Abort { flow: FLOW, reason };
        pair.command(CLIENT, abort).unwrap();
        for _ in 0..lost {
            assert_eq!(
                pair.only(CLIENT, PacketType::Rst).path.local,
                addr(CLIENT, 2).addr
            );
            pair.advance(Duration::from_secs(2));
        }
        assert!(tells(&mut pair, CLIENT), "after {lost} were lost");
        for _ in 0..10 {
            pair.advance(Duration::from_secs(2));
            pair.sent(CLIENT);
        }
        assert!(pair.sent(CLIENT).is_empty(), "it never stops");
    }
}

#[test]
fn a_reset_whose_address_goes_at_the_same_moment_is_sent_from_another() {
    let mut pair = Pair::established();
    let reason = Reason::Aborted;
    let abort = Command::Abort { flow: FLOW, reason };
    pair.command(CLIENT, abort).unwrap();
    let first = pair.only(CLIENT, PacketType::Rst);
    assert_eq!(first.path.local, addr(CLIENT, 1).addr);
    pair.set_addresses(CLIENT, &[]);
    pair.advance(Duration::from_secs(1));
    assert!(!tells(&mut pair, CLIENT));
    pair.set_addresses(CLIENT, &[addr(CLIENT, 3)]);
    pair.advance(Duration(0));
    assert!(tells(&mut pair, CLIENT));
}

#[test]
fn the_owner_decides_how_long_a_move_is_repeated() {
    for (patience, limit) in [(Some(5), 5), (None, 180)] {
        let mut pair = Pair::established();
        let patience = patience.map(Duration::from_secs);
        pair.nodes[CLIENT].conn.set_patience(patience);
        pair.hard_move(CLIENT, 2);
        pair.advance(Duration::from_secs(limit - 1));
        pair.sent(CLIENT);
        assert_eq!(closed(&pair.events(CLIENT)), None);
        pair.advance(Duration::from_secs(1));
        let reason = closed(&pair.events(CLIENT));
        assert_eq!(reason, Some(CloseReason::TimedOut));
    }
}
