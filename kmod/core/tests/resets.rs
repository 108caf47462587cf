// SPDX-License-Identifier: GPL-2.0-only
//! Stateless resets: who kept nothing but its key ends what it has lost, and nobody else does.

mod pair;

use eccp_core::connection::Connection;
use eccp_core::event::{CloseReason, Command, Discard, Event};
use eccp_core::flow::FlowState;
use eccp_core::reset::{lost_flow, ResetKey};
use eccp_core::settings::Settings;
use eccp_core::sim::SimHost;
use eccp_core::time::{Duration, Instant};
use eccp_core::wire::{Header, PacketType, INNER_TCP};
use pair::{addr, settings, Pair, Sent, CLIENT, FLOW, SERVER};

/// An established pair whose hosts have reset keys.
fn keyed() -> Pair {
    let mut pair = Pair::new();
    for (host, byte) in [(CLIENT, 1), (SERVER, 2)] {
        pair.nodes[host].settings = Settings {
            reset_key: ResetKey::new([byte; 32]),
            ..settings()
        };
    }
    pair.connect();
    pair.settle();
    assert_eq!(pair.state(SERVER), FlowState::Established);
    pair
}

/// A packet of the client's.
fn from_client(pair: &Pair, bytes: Vec<u8>) -> Sent {
    Sent {
        path: pair.conn(CLIENT).data_path(FLOW).expect("a path"),
        bytes,
    }
}

fn data(pair: &Pair) -> Sent {
    let mut bytes = Header::data(pair.flow(CLIENT).remote_id(), INNER_TCP).to_vec();
    bytes.extend([0; 32]);
    from_client(pair, bytes)
}

/// The server restarts, and answers what the client sends.
fn answer_after_restart(pair: &mut Pair, sent: &Sent) -> Option<Sent> {
    *pair.nodes[SERVER].conn = Connection::EMPTY;
    let rx = pair.rx(SERVER, sent);
    let bytes = pair.nodes[SERVER].receive(&rx, &sent.bytes)?;
    Some(Sent {
        path: rx.reply_path(),
        bytes,
    })
}

fn closed(pair: &mut Pair, host: usize) -> Option<CloseReason> {
    pair.events(host).into_iter().find_map(|event| match event {
        Event::Closed { reason, .. } => Some(reason),
        _ => None,
    })
}

fn give(pair: &mut Pair, reset: &Sent) -> Result<(), Discard> {
    let rx = pair.rx(CLIENT, reset);
    let node = &mut pair.nodes[CLIENT];
    node.conn.handle_packet(&mut node.host, &rx, &reset.bytes)
}

#[test]
fn a_restarted_peer_that_kept_its_key_ends_the_flow_with_its_answer_to_data() {
    let mut pair = keyed();
    let sent = data(&pair);
    let reset = answer_after_restart(&mut pair, &sent).expect("a RESET");
    assert_eq!(reset.kind(), PacketType::Reset);
    assert!(reset.bytes.len() <= 3 * sent.bytes.len());
    assert_eq!(lost_flow(&reset.bytes), Some(pair.flow(CLIENT).remote_id()));
    give(&mut pair, &reset).unwrap();
    assert_eq!(closed(&mut pair, CLIENT), Some(CloseReason::Lost));
}

#[test]
fn it_ends_a_flow_that_moves_and_one_that_drains() {
    for drains in [false, true] {
        let mut pair = keyed();
        let sent = match drains {
            true => {
                pair.command(CLIENT, Command::Close { flow: FLOW }).unwrap();
                data(&pair)
            }
            false => pair.hard_move(CLIENT, 2),
        };
        let reset = answer_after_restart(&mut pair, &sent).expect("a RESET");
        give(&mut pair, &reset).unwrap();
        assert_eq!(closed(&mut pair, CLIENT), Some(CloseReason::Lost));
    }
}

#[test]
fn a_server_learns_it_of_its_client() {
    let mut pair = keyed();
    let path = pair.conn(SERVER).data_path(FLOW).unwrap();
    let mut bytes = Header::data(pair.flow(SERVER).remote_id(), INNER_TCP).to_vec();
    bytes.extend([0; 20]);
    let sent = Sent { path, bytes };
    *pair.nodes[CLIENT].conn = Connection::EMPTY;
    let rx = pair.rx(CLIENT, &sent);
    let bytes = pair.nodes[CLIENT].receive(&rx, &sent.bytes).unwrap();
    let node = &mut pair.nodes[SERVER];
    let rx = rx.reply_path();
    let rx = node.rx_info(rx.remote, rx.local, rx.encap, (0, 0));
    node.conn
        .handle_packet(&mut node.host, &rx, &bytes)
        .unwrap();
    assert_eq!(closed(&mut pair, SERVER), Some(CloseReason::Lost));
}

#[test]
fn another_key_proves_nothing() {
    let mut pair = keyed();
    pair.nodes[SERVER].settings.reset_key = ResetKey::new([3; 32]);
    let sent = data(&pair);
    let reset = answer_after_restart(&mut pair, &sent).unwrap();
    assert_eq!(give(&mut pair, &reset), Err(Discard::BadToken));
    assert_eq!(closed(&mut pair, CLIENT), None);
    pair.nodes[SERVER].settings.reset_key = ResetKey::NONE;
    assert!(answer_after_restart(&mut pair, &sent).is_none());
}

#[test]
fn no_changed_bit_of_a_reset_ends_anything() {
    let mut pair = keyed();
    let sent = data(&pair);
    let reset = answer_after_restart(&mut pair, &sent).unwrap();
    // What is left are bits that say nothing: the receiver, the inner protocol, the flags, and
    // the version.
    let silent = |at: usize| matches!(at, 0..8 | 10 | 11 | 20..28);
    for at in 0..reset.bytes.len() {
        for bit in 0..8 {
            let mut forged = reset.clone();
            forged.bytes[at] ^= 1 << bit;
            if !silent(at) {
                assert!(give(&mut pair, &forged).is_err(), "byte {at} bit {bit}");
                assert_eq!(closed(&mut pair, CLIENT), None, "byte {at} bit {bit}");
            }
        }
    }
    give(&mut pair, &reset).unwrap();
}

/// Who watches the set-up sees the promise, which is not the proof.
#[test]
fn the_promise_is_not_the_proof() {
    let mut pair = keyed();
    let sent = data(&pair);
    let mut reset = answer_after_restart(&mut pair, &sent).unwrap();
    let mut other = keyed();
    other.connect();
    let promise = {
        let mut fresh = Pair::new();
        fresh.nodes[SERVER].settings.reset_key = ResetKey::new([2; 32]);
        fresh.connect();
        let syn = fresh.only(CLIENT, PacketType::Syn);
        fresh.give(SERVER, &syn).unwrap();
        fresh.only(SERVER, PacketType::SynAck).message().reset_proof
    };
    let at = reset.bytes.len() - 18;
    reset.bytes[at..at + 16].copy_from_slice(&promise.expect("a promise"));
    assert_eq!(give(&mut pair, &reset), Err(Discard::BadToken));
}

#[test]
fn what_must_not_be_answered_is_not() {
    let host = SimHost::new(1, Instant(0));
    let key = ResetKey::new([1; 32]);
    let mut out = [0; 128];
    let mut answer = |bytes: &[u8]| key.answer(&host, bytes, bytes.len(), &mut out);
    let mut pair = keyed();
    let sent = data(&pair);
    let reset = answer_after_restart(&mut pair, &sent).unwrap();
    assert!(answer(&reset.bytes).is_none(), "a RESET");
    assert!(answer(&sent.bytes).is_some());
    assert!(answer(&sent.bytes[..12]).is_none(), "longer than thrice");
    assert!(answer(&sent.bytes[..11]).is_none(), "no header");
    let mut strange = sent.bytes.clone();
    strange[8] = 0x2 << 4;
    assert!(answer(&strange).is_none(), "another version");
    strange[8] = 0x1e;
    assert!(answer(&strange).is_none(), "an unknown type");
    let mut fresh = Pair::new();
    fresh.connect();
    let syn = fresh.only(CLIENT, PacketType::Syn);
    assert!(answer(&syn.bytes).is_none(), "a first SYN");
}

#[test]
fn without_keys_a_reset_has_no_effect() {
    let mut pair = Pair::established();
    let mut keyed = keyed();
    let sent = data(&keyed);
    let mut reset = answer_after_restart(&mut keyed, &sent).unwrap();
    let id = pair.flow(CLIENT).remote_id();
    reset.bytes[12..20].copy_from_slice(&id.to_be_bytes());
    assert_eq!(give(&mut pair, &reset), Err(Discard::WrongState));
    pair.advance(Duration::from_secs(1));
    assert_eq!(pair.state(CLIENT), FlowState::Established);
    assert_eq!(pair.data_to(CLIENT), Some(addr(SERVER, 1).addr));
}
