// SPDX-License-Identifier: GPL-2.0-only
//! Strangers: addresses that a peer lists and names but does not hold. Whatever sources the peer
//! forges, no flow may carry data there (R18).

mod pair;

use eccp_core::address::{LocalAddress, RemoteAddr, ADDRESS_BACKUP};
use eccp_core::connection::AddFlow;
use eccp_core::event::{Command, Discard, FlowIndex};
use eccp_core::flow::{FlowState, Phase};
use eccp_core::settings::{Encapsulation, Settings};
use eccp_core::sim::{Faults, Node, Rng, World};
use eccp_core::time::Duration;
use eccp_core::wire::PacketType::{Ack, Syn, SynAck};
use pair::{addr, from, settings, Pair, Sent, CLIENT, SECOND, SERVER};

/// Number of the address that nobody holds.
const STRANGER: u8 = 66;
const LIVES: u64 = 60;

fn at(address: LocalAddress) -> Option<RemoteAddr> {
    Some(RemoteAddr {
        addr: address.addr,
        port: 0,
    })
}

/// A connection whose server lists a stranger's address.
fn with_a_stranger() -> Pair {
    let both = |host| vec![addr(host, 1), addr(host, 2)];
    let mut pair = Pair::with(settings(), both(CLIENT), both(SERVER));
    pair.connect();
    pair.settle();
    let mut listed = both(SERVER);
    listed.push(addr(SERVER, STRANGER));
    pair.set_addresses(SERVER, &listed);
    pair.settle();
    pair.advance(Duration::from_secs(1));
    pair.settle();
    pair
}

/// The SYNs of a flow that the client adds, until they have gone to the stranger too.
fn syns_to_all(pair: &mut Pair) -> Vec<Sent> {
    pair.add(CLIENT, from(addr(CLIENT, 2))).unwrap();
    let mut syns = Vec::new();
    for _ in 0..6 {
        syns.extend(pair.sent(CLIENT));
        pair.advance(Duration::from_secs(2));
    }
    for to in [addr(SERVER, 2), addr(SERVER, STRANGER)] {
        let asked = syns.iter().any(|syn| syn.path.remote == to.addr);
        assert!(asked, "no SYN went to {}", to.addr);
    }
    syns
}

#[test]
fn r18_an_added_flow_opens_only_where_its_syn_was_heard() {
    let mut pair = with_a_stranger();
    let own = addr(SERVER, 2).addr;
    let syn = syns_to_all(&mut pair)
        .into_iter()
        .find(|syn| syn.kind() == Syn && syn.path.remote == own)
        .unwrap();
    pair.give(SERVER, &syn).unwrap();
    let answer = pair.only(SERVER, SynAck);
    assert_eq!(answer.message().echo, syn.message().token);
    // The SYN has gone to the stranger as well, so R12 alone would believe this source.
    let mut forged = pair.rx(CLIENT, &answer);
    forged.remote = addr(SERVER, STRANGER).addr;
    let result = pair.give_from(CLIENT, &answer, &forged);
    assert_eq!(result, Err(Discard::BadToken));
    assert_eq!(pair.state_of(CLIENT, SECOND), FlowState::SynSent);
    assert!(pair.sent(CLIENT).iter().all(|sent| sent.kind() == Syn));
    pair.give(CLIENT, &answer).unwrap();
    let ack = pair.only(CLIENT, Ack);
    pair.give(SERVER, &ack).unwrap();
    let path = pair.conn(CLIENT).data_path(SECOND).unwrap();
    assert_eq!(path.remote, own);
}

#[test]
fn r18_each_address_gets_a_token_of_its_own() {
    let mut pair = with_a_stranger();
    let syns = syns_to_all(&mut pair);
    for one in &syns {
        for two in &syns {
            let same = one.path.same_remote(&two.path);
            assert_eq!(one.message().token == two.message().token, same);
        }
    }
}

#[test]
fn r18_repetitions_of_the_answer_open_the_flow_too() {
    let mut pair = with_a_stranger();
    let syns = syns_to_all(&mut pair);
    // SYNs that reach two addresses of the server; what answers them is lost.
    for n in [2, 1] {
        let to = addr(SERVER, n).addr;
        let syn = syns.iter().find(|syn| syn.path.remote == to);
        pair.give(SERVER, syn.expect("a SYN to each address"))
            .unwrap();
    }
    pair.sent(SERVER);
    pair.advance(Duration::from_secs(1));
    let again = pair.sent(SERVER);
    let answer = again.iter().find(|sent| sent.kind() == SynAck).unwrap();
    pair.give(CLIENT, answer).unwrap();
    pair.settle();
    for host in [CLIENT, SERVER] {
        assert_eq!(pair.state_of(host, SECOND), FlowState::Established);
    }
}

/// A life in which one host lists and prefers a stranger's address and forges every other source.
struct Life {
    world: World,
    rng: Rng,
    liar: usize,
    stranger: LocalAddress,
}

impl Life {
    fn new(seed: u64) -> Self {
        let mut rng = Rng::new(seed);
        let liar = (seed & 1) as usize;
        let settings = Settings {
            encapsulation: [Encapsulation::Native, Encapsulation::Auto]
                [usize::from(rng.chance(500))],
            ..Settings::DEFAULT
        };
        let faults = Faults {
            loss: rng.below(150),
            duplication: rng.below(100),
            delay: Duration(1_000 + rng.below(40_000)),
            jitter: Duration(rng.below(60_000)),
            blocks_native: false,
        };
        let nodes = [0, 1].map(|host| Node::new(rng.number(), settings, held(host)));
        Self {
            world: World::new(rng.number(), nodes, faults),
            rng,
            liar,
            stranger: addr(liar, STRANGER),
        }
    }

    /// Adds, removes and moves flows; returns how many flows were opened at the honest host, and
    /// how many forged answers it has refused.
    fn live(mut self) -> Result<(u64, u64), String> {
        self.world.connect();
        self.world.run_for(Duration::from_secs(3))?;
        self.world.liar = Some((self.liar, self.stranger.addr));
        let mut listed = held(self.liar);
        listed.push(self.stranger);
        let node = &mut self.world.nodes[self.liar];
        node.conn.handle_addresses(&mut node.host, &listed);
        self.world.flush();
        let mut opened = 0;
        for _ in 0..40 {
            self.change();
            for _ in 0..20 {
                self.world
                    .run_for(Duration(20_000 + self.rng.below(40_000)))?;
                self.check()?;
            }
            opened += self.open_flows();
        }
        let honest = &self.world.nodes[1 - self.liar];
        Ok((opened, honest.discarded(Discard::BadToken)))
    }

    fn change(&mut self) {
        let honest = 1 - self.liar;
        let host = usize::from(self.rng.chance(500));
        let flow = FlowIndex(1 + self.rng.below(3) as u8);
        match self.rng.below(4) {
            0..=1 => {
                let choices = [None, at(self.stranger), at(addr(self.liar, 2))];
                let request = AddFlow {
                    to: choices[self.rng.below(3) as usize],
                    ..from(addr(honest, 2 + self.rng.below(2) as u8))
                };
                let now = self.world.now;
                let node = &mut self.world.nodes[honest];
                node.host.now = now;
                // A refusal is right where a flow cannot be.
                let _refused = node.conn.add_flow(&mut node.host, &request);
                self.world.flush();
            }
            2 => self.command(host, Command::Remove { flow }),
            _ => {
                let to = held(host)[self.rng.below(3) as usize];
                self.command(host, Command::Move { flow, to });
            }
        }
    }

    fn command(&mut self, host: usize, command: Command) {
        let now = self.world.now;
        let node = &mut self.world.nodes[host];
        node.host.now = now;
        let _refused = node.conn.handle_command(&mut node.host, command);
        self.world.flush();
    }

    fn check(&self) -> Result<(), String> {
        let honest = &self.world.nodes[1 - self.liar];
        for (index, flow) in honest.conn.flows() {
            let to = flow.data_path().map(|path| path.remote);
            if to == Some(self.stranger.addr) {
                return Err(format!("{index:?} carries data to a stranger: {flow:?}"));
            }
        }
        Ok(())
    }

    fn open_flows(&self) -> u64 {
        let honest = &self.world.nodes[1 - self.liar];
        let open = honest.conn.flows().skip(1);
        open.filter(|(_, flow)| flow.phase() == Phase::Open).count() as u64
    }
}

/// The second address is for backup flows, so that a SYN which goes there is answered with a NACK
/// that names another: the stranger's, where it is listed as the best.
fn held(host: usize) -> Vec<LocalAddress> {
    let later = |n, flags| LocalAddress {
        flags,
        priority: 9,
        ..addr(host, n)
    };
    vec![later(1, 0), later(2, ADDRESS_BACKUP), later(3, 0)]
}

#[test]
fn a_peer_that_forges_its_source_never_directs_an_added_flow_to_a_stranger() {
    let first = std::env::var("ECCP_SIM_SEED").map_or(1, |text| text.parse().expect("a number"));
    let (mut opened, mut refused) = (0, 0);
    for seed in first..first + LIVES {
        let counts = Life::new(seed).live();
        let counts = counts.unwrap_or_else(|why| panic!("ECCP_SIM_SEED={seed}: {why}"));
        opened += counts.0;
        refused += counts.1;
    }
    println!("{opened} times a flow was open, {refused} forged answers were refused");
    assert!(opened > LIVES && refused > LIVES, "{opened} {refused}");
}
