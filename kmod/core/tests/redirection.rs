// SPDX-License-Identifier: GPL-2.0-only
//! Both hosts move at once to addresses that the other does not know: routers with a redirection
//! cache bring them together (protocol.md §7.8), and nobody else can use those.

mod pair;

use eccp_core::address::{Encap, IpAddr128, Path, RxInfo};
use eccp_core::event::{CloseReason, Discard, Event};
use eccp_core::flow::FlowState;
use eccp_core::router::{
    Cache, PassingRsyn, Redirect, Refusal, Router, MAX_LEARNT, MAX_PER_ADDRESS, MAX_SET, PLACES,
    TICKET_SLOT,
};
use eccp_core::settings::{Encapsulation, Settings};
use eccp_core::sim::{Captured, Faults, Gateway, Node, Passage, Rng, SimHost, World, FLOW};
use eccp_core::time::{Duration, Instant};
use eccp_core::wire::{
    Message, Packet, PacketType, RedirectStep, Redirection, CONTROL_LEN, MAX_CONTROL,
};
use pair::{addr, CLIENT, SERVER};

const PATIENCE: Duration = Duration::from_secs(20);

fn settings(redirect: bool) -> Settings {
    Settings {
        encapsulation: Encapsulation::Native,
        redirect,
        ..Settings::DEFAULT
    }
}

/// An established connection; the networks of the first two addresses of the hosts in `caching`
/// have a router with a cache each.
fn world(seed: u64, redirect: bool, caching: &[usize], faults: Faults) -> World {
    let nodes = [CLIENT, SERVER].map(|host| {
        let seed = seed * 2 + host as u64;
        Node::new(seed, settings(redirect), vec![addr(host, 1)])
    });
    let mut world = World::new(seed, nodes, faults);
    for host in caching {
        for n in [1, 2] {
            let gateway = Gateway::new(100 + u64::from(n), vec![addr(*host, n).addr]);
            world.gateways.push(gateway);
        }
    }
    world.connect();
    run(&mut world, 20_000);
    assert_eq!(state(&world, CLIENT), FlowState::Established);
    for node in &mut world.nodes {
        node.conn.set_patience(Some(PATIENCE));
    }
    world
}

fn run(world: &mut World, millis: u64) {
    world
        .run_for(Duration::from_millis(millis))
        .expect("no broken invariant");
}

fn state(world: &World, host: usize) -> FlowState {
    let flow = world.nodes[host].conn.flow(FLOW);
    flow.map_or(FlowState::Closed, |flow| flow.state())
}

/// Each host has its `n`th address alone, from the same moment on.
fn both_move(world: &mut World, n: u8) {
    world.set_addresses(CLIENT, vec![addr(CLIENT, n)]);
    world.set_addresses(SERVER, vec![addr(SERVER, n)]);
}

/// Whether both hosts have each other's present address for data.
fn met(world: &World) -> bool {
    [CLIENT, SERVER].iter().all(|host| {
        let path = world.nodes[*host].conn.data_path(FLOW);
        let peer = &world.nodes[1 - host];
        state(world, *host) == FlowState::Established
            && path.is_some_and(|path| peer.holds(&path.remote))
    })
}

fn closed_by_time(world: &World, host: usize) -> bool {
    let timed_out = |event: &Event| {
        matches!(
            event,
            Event::Closed {
                reason: CloseReason::TimedOut,
                ..
            }
        )
    };
    world.event_at(host, timed_out).is_some()
}

fn told(world: &World, host: usize) -> usize {
    let told = |(_, event): &&(Instant, Event)| matches!(event, Event::Redirected { .. });
    world.nodes[host].events.iter().filter(told).count()
}

#[test]
fn a_double_move_recovers_through_the_caches() {
    for caching in [&[CLIENT][..], &[SERVER], &[CLIENT, SERVER]] {
        let mut world = world(1, true, caching, Faults::NONE);
        both_move(&mut world, 3);
        run(&mut world, 5_000);
        assert!(met(&world), "{caching:?}");
        let redirected: u64 = world.gateways.iter().map(|g| g.redirected).sum();
        assert!(redirected >= 1);
        // The answer to the other may come when it is not needed any more.
        assert!(caching.iter().any(|host| told(&world, *host) >= 1));
    }
}

#[test]
fn without_a_cache_both_give_up_when_their_owners_want() {
    for redirect in [false, true] {
        let mut world = world(2, redirect, &[], Faults::NONE);
        both_move(&mut world, 3);
        run(&mut world, PATIENCE.as_millis() - 1_000);
        for host in [CLIENT, SERVER] {
            assert_eq!(state(&world, host), FlowState::RsynSent);
        }
        run(&mut world, 2_000);
        for host in [CLIENT, SERVER] {
            assert!(closed_by_time(&world, host));
        }
    }
}

#[test]
fn a_host_that_does_not_want_it_says_nothing_to_routers() {
    let mut world = world(3, false, &[CLIENT, SERVER], Faults::NONE);
    both_move(&mut world, 3);
    run(&mut world, 10_000);
    assert!(!met(&world));
    let said: u64 = world.gateways.iter().map(|g| g.tickets + g.obeyed).sum();
    assert_eq!(said, 0);
}

#[test]
fn a_cache_that_forgets_before_the_peer_asks_is_told_again() {
    let mut world = world(4, true, &[CLIENT], Faults::NONE);
    for gateway in &mut world.gateways {
        gateway.lasts = Duration::from_secs(2);
    }
    world.set_addresses(CLIENT, vec![addr(CLIENT, 3)]);
    world.set_addresses(SERVER, vec![]);
    // Longer than an entry lasts.
    run(&mut world, 9_000);
    assert!(!met(&world));
    world.set_addresses(SERVER, vec![addr(SERVER, 3)]);
    run(&mut world, 5_000);
    assert!(met(&world));
    assert!(world.gateways[0].obeyed >= 4);
}

#[test]
fn who_is_at_home_again_is_not_sent_away() {
    let mut world = world(5, true, &[CLIENT], Faults::NONE);
    both_move(&mut world, 3);
    run(&mut world, 5_000);
    assert!(met(&world));
    assert_eq!(world.gateways[0].entries(), 1);
    // The client comes back, and the router sees its RSYN pass.
    world.set_addresses(CLIENT, vec![addr(CLIENT, 1)]);
    run(&mut world, 5_000);
    assert!(met(&world));
    assert_eq!(world.gateways[0].entries(), 0);
    let before = world.gateways[0].redirected;
    world.set_addresses(SERVER, vec![addr(SERVER, 2)]);
    run(&mut world, 5_000);
    assert!(met(&world));
    assert_eq!(world.gateways[0].redirected, before);
}

#[test]
fn idle_hosts_renew_their_tickets_and_no_more() {
    let mut world = world(6, true, &[CLIENT], Faults::NONE);
    run(&mut world, 3_600_000);
    let tickets = world.gateways[0].tickets;
    assert!((5..=13).contains(&tickets), "{tickets} tickets in an hour");
    let sent = world.nodes[SERVER].conn.counters().sent;
    assert!(
        sent < 40,
        "a host without such a router sent {sent} packets"
    );
    both_move(&mut world, 3);
    run(&mut world, 5_000);
    assert!(met(&world));
}

/// Seeds whose worlds lose, repeat, delay and reorder: the hosts move together over and over.
#[test]
fn bad_networks_and_many_moves() {
    let faults = Faults {
        loss: 150,
        duplication: 100,
        jitter: Duration::from_millis(30),
        ..Faults::NONE
    };
    for seed in 0..40 {
        let caching: &[usize] = match seed % 3 {
            0 => &[CLIENT],
            1 => &[SERVER],
            _ => &[CLIENT, SERVER],
        };
        let mut world = world(seed, true, caching, faults);
        let mut rng = Rng::new(seed);
        for round in 0..4 {
            // From a network with a cache, where the hosts have been long enough to have a ticket.
            both_move(&mut world, 3);
            run(&mut world, 15_000);
            assert!(met(&world), "seed {seed}, round {round}");
            let back = 1 + rng.below(2) as u8;
            world.set_addresses(CLIENT, vec![addr(CLIENT, back)]);
            run(&mut world, 15_000);
            world.set_addresses(SERVER, vec![addr(SERVER, back)]);
            run(&mut world, 20_000);
            assert!(met(&world), "seed {seed}, round {round}: back");
        }
    }
}

/// A gateway in front of [10, 1, 1, 1], a ticket from it, and what its owner then tells.
struct Bench {
    gateway: Gateway,
    home: IpAddr128,
    away: IpAddr128,
    ticket: Redirection,
    now: Instant,
}

const MOVER: u64 = 0x1234;

fn between(from: IpAddr128, to: IpAddr128) -> Path {
    Path {
        local: from,
        remote: to,
        ..Path::NONE
    }
}

fn ask(flow: u64) -> Vec<u8> {
    let mut ask = Message::new(PacketType::Redirect, 7, flow, 0);
    ask.token = Some([9; 16]);
    ask.redirect = Some(Redirection::new(RedirectStep::Ask));
    let mut buf = vec![0; MAX_CONTROL];
    let len = ask.emit(&mut buf, false).expect("room").len;
    buf.truncate(len);
    buf
}

fn rsyn(receiver: u64, sender: u64, version: u64) -> Vec<u8> {
    let rsyn = Message::new(PacketType::Rsyn, receiver, sender, version);
    let mut buf = vec![0; MAX_CONTROL];
    let len = rsyn.emit(&mut buf, true).expect("room").len;
    buf.truncate(len);
    buf
}

impl Bench {
    fn new() -> Self {
        let home = addr(CLIENT, 1).addr;
        let mut gateway = Gateway::new(7, vec![home]);
        let now = Instant(TICKET_SLOT.0 * 5);
        let peer = addr(SERVER, 1).addr;
        let request = ask(MOVER);
        let Passage::Taken(Some((path, answer))) =
            gateway.pass(now, &between(home, peer), &request)
        else {
            panic!("a ticket")
        };
        assert_eq!((path.local, path.remote), (peer, home));
        assert!(answer.len() <= request.len());
        let packet = Packet::parse(&answer).expect("valid");
        let ticket = packet.message().redirect.expect("a ticket");
        assert_eq!(ticket.step, RedirectStep::Ticket);
        assert_eq!(packet.message().token, Some([9; 16]));
        Self {
            gateway,
            home,
            away: addr(CLIENT, 3).addr,
            ticket,
            now,
        }
    }

    fn tell(&self, flow: u64, version: u64, new: IpAddr128) -> Vec<u8> {
        let mut tell = Message::new(PacketType::Redirect, flow, flow, version);
        tell.token = Some([8; 16]);
        tell.record = Some(eccp_core::address::RemoteAddr { addr: new, port: 0 });
        tell.redirect = Some(Redirection {
            slot: self.ticket.slot,
            router: self.ticket.router,
            ..Redirection::new(RedirectStep::Tell)
        });
        let mut buf = vec![0; MAX_CONTROL];
        let emitted = tell.emit(&mut buf, true).expect("room");
        buf.truncate(emitted.len);
        self.sign(&mut buf);
        buf
    }

    fn sign(&self, bytes: &mut [u8]) {
        use eccp_core::host::Host;
        let at = bytes.len() - 18;
        let host = SimHost::new(1, self.now);
        let mac = host.hmac_sha256(&self.ticket.ticket, &[&bytes[..at]]);
        bytes[at..at + 16].copy_from_slice(&mac[..16]);
    }

    /// Sends to the old address.
    fn pass(&mut self, from: IpAddr128, bytes: &[u8]) -> Passage {
        self.gateway
            .pass(self.now, &between(from, self.home), bytes)
    }

    fn is_sent_on(&mut self) -> bool {
        let from = addr(SERVER, 3).addr;
        match self.pass(from, &rsyn(MOVER, 7, 1)) {
            Passage::To(to) => to == self.away,
            _ => false,
        }
    }
}

#[test]
fn only_rsyns_of_the_flow_are_sent_on() {
    let mut bench = Bench::new();
    let away = bench.away;
    assert!(!bench.is_sent_on());
    let tell = bench.tell(MOVER, 1, away);
    let Passage::Taken(Some((path, answer))) = bench.pass(away, &tell) else {
        panic!("an answer");
    };
    assert_eq!((path.local, path.remote), (bench.home, away));
    let packet = Packet::parse(&answer).unwrap();
    assert_eq!(packet.message().redirect.unwrap().seconds, 30);
    assert!(bench.is_sent_on());
    let from = addr(SERVER, 3).addr;
    // Of another flow, of another type, and to another address.
    assert_eq!(bench.pass(from, &rsyn(MOVER + 1, 7, 1)), Passage::On);
    for kind in (0..=13).filter(|kind| *kind != 5) {
        let mut other = rsyn(MOVER, 7, 1);
        other[8] = 0x10 | kind;
        assert_eq!(bench.pass(from, &other), Passage::On);
    }
    let elsewhere = between(from, addr(SERVER, 1).addr);
    let on = bench
        .gateway
        .pass(bench.now, &elsewhere, &rsyn(MOVER, 7, 1));
    assert_eq!(on, Passage::On);
    // And not for ever.
    bench.now = bench.now.after(Duration::from_secs(31));
    assert!(!bench.is_sent_on());
}

#[test]
fn a_forged_redirect_is_refused() {
    let mut bench = Bench::new();
    let (away, thief) = (bench.away, addr(SERVER, 2).addr);
    let good = bench.tell(MOVER, 1, away);
    // Every bit of it counts, but for those by which it is no REDIRECT for this router any more.
    for at in 0..good.len() * 8 {
        let mut bad = good.clone();
        bad[at / 8] ^= 1 << (at % 8);
        bench.pass(away, &bad);
        assert!(!bench.is_sent_on(), "bit {at}");
    }
    // Another flow, and another address, with the same ticket.
    let other = bench.tell(MOVER + 1, 1, away);
    bench.pass(away, &other);
    // What the mover says, from somewhere else.
    bench.gateway.refused.clear();
    assert_eq!(bench.pass(thief, &good), Passage::Taken(None));
    assert_eq!(bench.gateway.refused, [Refusal::Misplaced]);
    // By who has no ticket.
    bench.ticket.ticket = [0; 16];
    let forged = bench.tell(MOVER, 1, thief);
    assert_eq!(bench.pass(thief, &forged), Passage::Taken(None));
    assert_eq!(bench.gateway.refused.last(), Some(&Refusal::Forged));
    assert_eq!(bench.gateway.entries(), 0);
    assert_eq!(bench.gateway.obeyed, 0);
}

#[test]
fn nowhere_is_no_place_to_go() {
    let mut bench = Bench::new();
    let home = bench.home;
    let bad = [
        IpAddr128::from_v4([224, 0, 0, 1]),
        IpAddr128::from_v4([127, 0, 0, 1]),
        IpAddr128::UNSPECIFIED,
        IpAddr128([0x20; 16]),
        home,
    ];
    for new in bad {
        let tell = bench.tell(MOVER, 1, new);
        assert_eq!(bench.pass(new, &tell), Passage::Taken(None));
        assert_eq!(bench.gateway.refused.last(), Some(&Refusal::Misplaced));
    }
}

#[test]
fn what_a_mover_said_before_is_not_believed_again() {
    let mut bench = Bench::new();
    let (first, second) = (bench.away, addr(CLIENT, 4).addr);
    let old = bench.tell(MOVER, 1, first);
    let new = bench.tell(MOVER, 2, second);
    bench.pass(first, &old);
    bench.pass(second, &new);
    assert_eq!(bench.pass(first, &old), Passage::Taken(None));
    assert_eq!(bench.gateway.refused, [Refusal::Stale]);
    let same_version = bench.tell(MOVER, 2, first);
    assert_eq!(bench.pass(first, &same_version), Passage::Taken(None));
    bench.away = second;
    assert!(bench.is_sent_on());
}

#[test]
fn a_ticket_is_good_for_a_while() {
    let mut bench = Bench::new();
    let away = bench.away;
    assert_eq!(bench.ticket.seconds, 1200);
    bench.now = bench.now.after(Duration(TICKET_SLOT.0 * 2 - 1));
    let tell = bench.tell(MOVER, 1, away);
    assert!(matches!(bench.pass(away, &tell), Passage::Taken(Some(_))));
    bench.now = bench.now.after(Duration(1));
    let tell = bench.tell(MOVER, 2, away);
    assert_eq!(bench.pass(away, &tell), Passage::Taken(None));
    assert_eq!(bench.gateway.refused, [Refusal::Forged]);
    // Another router's is not this one's business.
    bench.ticket.router ^= 1;
    let tell = bench.tell(MOVER, 3, away);
    assert_eq!(bench.pass(away, &tell), Passage::On);
}

#[test]
fn an_rsyn_from_the_old_address_withdraws_the_entry_if_it_is_newer() {
    let mut bench = Bench::new();
    let (home, away) = (bench.home, bench.away);
    let tell = bench.tell(MOVER, 5, away);
    bench.pass(away, &tell);
    let out = between(home, addr(SERVER, 1).addr);
    for (sender, version, goes) in [(MOVER, 5, true), (MOVER + 1, 6, true), (MOVER, 6, false)] {
        bench
            .gateway
            .pass(bench.now, &out, &rsyn(7, sender, version));
        assert_eq!(bench.is_sent_on(), goes);
    }
}

fn entry(flow: u64, old: u32, version: u64, until: u64) -> Redirect {
    Redirect {
        flow,
        old: IpAddr128::from_v4(old.to_be_bytes()),
        new: IpAddr128::from_v4([192, 0, 2, 1]),
        version,
        until: Instant(until),
        hits: 0,
    }
}

/// How many entries have lasted long enough; each is taken away once.
fn expire(cache: &mut Cache<'_>, now: Instant) -> usize {
    let (mut at, mut count) = (0, 0);
    while let Some((found, entry)) = cache.take_expired(at, now) {
        assert!(entry.until <= now && found >= at);
        (at, count) = (found + 1, count + 1);
    }
    assert!(cache.take_expired(0, now).is_none());
    count
}

#[test]
fn the_table_is_bounded_whoever_fills_it() {
    let router = Router::new(&mut SimHost::new(3, Instant(0)));
    let mut slots = vec![None; PLACES];
    let mut cache = Cache::new(&router, &mut slots);
    // One address.
    let taken = (1..=1000).filter(|flow| cache.learn(entry(*flow, 1, 1, 100), Instant(0)).is_ok());
    assert!((32..=MAX_PER_ADDRESS).contains(&taken.count()));
    // Many.
    let mut rng = Rng::new(5);
    let mut learnt = 0;
    for n in 0..20_000 {
        match cache.learn(entry(rng.below(u64::MAX), n, 1, 100), Instant(0)) {
            Ok(new) => learnt += usize::from(new),
            Err(refusal) => assert_eq!(refusal, Refusal::Full),
        }
    }
    assert!(learnt > MAX_LEARNT / 2 && learnt <= MAX_LEARNT);
    // What has expired makes room, and nothing else does.
    assert_eq!(expire(&mut cache, Instant(99)), 0);
    assert_eq!(cache.next_end(), Some(Instant(100)));
    assert!(cache.learn(entry(5, 77, 1, 200), Instant(100)).is_ok());
    assert!(expire(&mut cache, Instant(100)) > MAX_LEARNT / 2);
    assert_eq!(cache.next_end(), Some(Instant(200)));
    assert_eq!(expire(&mut cache, Instant(200)), 1);
    assert!(cache.next(0).is_none() && cache.next_end().is_none());
    // The operator's.
    for n in 0..MAX_SET as u32 {
        cache.set(entry(0, n, 0, 100)).expect("room");
        cache.set(entry(0, n, 0, 100)).expect("the same place");
    }
    assert_eq!(cache.set(entry(0, 999, 0, 100)), Err(Refusal::Full));
    let old = IpAddr128::from_v4([0, 0, 0, 5]);
    assert!(cache.find(42, &old, Instant(99)).is_some());
    assert!(cache.find(42, &old, Instant(100)).is_none());
    assert!(cache.take_for(0, &old, Some(42)).is_none());
    let taken = cache.take_for(0, &old, None);
    assert_eq!(taken.map(|(_, entry)| entry.old), Some(old));
    assert!(cache.take_for(0, &old, None).is_none());
    assert!(cache.find(42, &old, Instant(99)).is_none());
    assert!(cache.set(entry(0, 999, 0, 100)).is_ok());
}

#[test]
fn no_bytes_whatever_upset_a_router() {
    let mut bench = Bench::new();
    let away = bench.away;
    let good = [bench.tell(MOVER, 1, away), ask(3), rsyn(MOVER, 7, 1)];
    let mut rng = Rng::new(11);
    for _ in 0..20_000 {
        let mut bytes = good[rng.below(3) as usize].clone();
        for _ in 0..rng.below(4) {
            let at = rng.below(bytes.len() as u64) as usize;
            bytes[at] = rng.below(256) as u8;
        }
        bytes.truncate(rng.below(bytes.len() as u64 + 1) as usize);
        let from = [away, bench.home][rng.below(2) as usize];
        bench.pass(from, &bytes);
        let _rsyn = PassingRsyn::read(&bytes);
    }
    assert!(PassingRsyn::read(&rsyn(1, 2, 3)[..CONTROL_LEN - 1]).is_none());
}

/// A host asks nobody who has not answered it, and believes no ticket that it has not asked for.
#[test]
fn tickets_that_nobody_asked_for_are_not_taken() {
    let mut world = world(9, true, &[CLIENT], Faults::NONE);
    let flow = world.nodes[CLIENT].conn.flow(FLOW).unwrap();
    let (ours, peers, version) = (flow.local_id(), flow.remote_id(), flow.version());
    let mut ticket = Message::new(PacketType::Redirect, ours, peers, version);
    ticket.token = Some([1; 16]);
    ticket.redirect = Some(Redirection {
        seconds: 60,
        router: 5,
        ..Redirection::new(RedirectStep::Ticket)
    });
    let mut buf = [0; MAX_CONTROL];
    let len = ticket.emit(&mut buf, false).unwrap().len;
    let rx = RxInfo {
        local: addr(CLIENT, 1).addr,
        remote: addr(SERVER, 1).addr,
        encap: Encap::Native,
        ..RxInfo::default()
    };
    let node = &mut world.nodes[CLIENT];
    let result = node.conn.handle_packet(&mut node.host, &rx, &buf[..len]);
    assert_eq!(result, Err(Discard::BadToken));
    ticket.redirect = Some(Redirection::new(RedirectStep::Told));
    let len = ticket.emit(&mut buf, true).unwrap().len;
    let result = node.conn.handle_packet(&mut node.host, &rx, &buf[..len]);
    assert_eq!(result, Err(Discard::WrongState));
}

/// Packets of the whole exchange, as they go over the wire, are no longer than what they answer.
#[test]
fn a_router_amplifies_nothing() {
    let mut world = world(10, true, &[CLIENT, SERVER], Faults::NONE);
    world.captured = Some(Vec::new());
    both_move(&mut world, 2);
    run(&mut world, 5_000);
    let captured = world.captured.take().unwrap();
    let step = |packet: &Captured| {
        let parsed = Packet::parse(&packet.bytes).ok()?;
        Some(parsed.message().redirect?.step)
    };
    let longest = |wanted| {
        let of_step = captured.iter().filter(|p| step(p) == Some(wanted));
        of_step.map(|p| p.bytes.len()).max().expect("some")
    };
    assert!(longest(RedirectStep::Told) <= longest(RedirectStep::Tell));
    assert!(longest(RedirectStep::Ticket) <= longest(RedirectStep::Ask));
}
