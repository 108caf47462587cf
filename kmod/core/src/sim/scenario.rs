// SPDX-License-Identifier: GPL-2.0-only
//! Random lives of a connection: addresses come and go at any moment, then calm, and then both
//! ends must reach each other.

use std::format;
use std::string::String;
use std::vec::Vec;

use super::node::Node;
use super::rng::Rng;
use super::world::{Faults, Seen, World, FLOW};
use crate::address::{IpAddr128, LocalAddress};
use crate::event::Command;
use crate::flow::FlowState;
use crate::settings::{Encapsulation, Settings};
use crate::time::{Duration, Instant};

/// Which hosts move, and what makes it recoverable (protocol.md §8).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mobility {
    /// The client loses and gains addresses at any moment.
    Client,
    /// The server does.
    Server,
    /// Both do, and the server keeps one address that the client knows.
    BothStableAlternative,
    /// Both move on command only, and no address goes away before its move is done.
    BothPlanned,
    /// Both do, and nothing helps: safety alone can be expected.
    BothHard,
}

/// One random life.
#[derive(Clone, Copy, Debug)]
pub struct Scenario {
    /// Determines everything else that is random.
    pub seed: u64,
    /// Who moves.
    pub mobility: Mobility,
    /// Changes of addresses before the calm.
    pub changes: u64,
    /// Both address families are used.
    pub dual_stack: bool,
    /// Flow IDs change with moves.
    pub renew_flow_ids: bool,
}

/// What a life came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Report {
    /// Packets delivered, data included.
    pub packets: u64,
    /// Moves that were answered.
    pub moves: u64,
    /// Virtual time that passed.
    pub virtual_time: Duration,
    /// Time from the calm until both ends reached each other.
    pub converged: Duration,
    /// States that a flow was in: bit n stands for the n-th of [`FlowState`].
    pub states: u16,
}

const CALM: Duration = Duration::from_secs(120);

/// Lives through a scenario. An error names what was violated; the same seed repeats it.
pub fn run(scenario: &Scenario) -> Result<Report, String> {
    Life::new(scenario).live(scenario)
}

/// As [`run`], with everything that the hosts sent and received.
pub fn run_recorded(scenario: &Scenario) -> (Result<Report, String>, Vec<Seen>) {
    let mut life = Life::new(scenario);
    life.world.record = Some(Vec::new());
    let report = life.live(scenario);
    (report, life.world.record.take().unwrap_or_default())
}
struct Life {
    world: World,
    rng: Rng,
    pools: [Vec<LocalAddress>; 2],
    dual_stack: bool,
}

impl Life {
    fn new(scenario: &Scenario) -> Self {
        let mut rng = Rng::new(scenario.seed ^ 0x5eed);
        let encapsulation = match rng.below(3) {
            0 => Encapsulation::Native,
            1 => Encapsulation::Udp,
            _ => Encapsulation::Auto,
        };
        let settings = Settings {
            encapsulation,
            renew_flow_ids: scenario.renew_flow_ids,
            ..Settings::DEFAULT
        };
        let faults = Faults {
            loss: rng.below(300),
            duplication: rng.below(200),
            delay: Duration(1_000 + rng.below(60_000)),
            jitter: Duration(rng.below(200_000)),
            blocks_native: encapsulation == Encapsulation::Auto && rng.chance(300),
        };
        let pools = [pool(1, scenario.dual_stack), pool(2, scenario.dual_stack)];
        let [mut client, mut server] = [pools[0].clone(), pools[1].clone()];
        client.truncate(2);
        server.truncate(2);
        let nodes = [
            Node::new(rng.number(), settings, client),
            Node::new(rng.number(), settings, server),
        ];
        let mut world = World::new(rng.number(), nodes, faults);
        world.data_every = Some(Duration::from_millis(200));
        Self {
            world,
            rng,
            pools,
            dual_stack: scenario.dual_stack,
        }
    }

    /// The whole life.
    fn live(&mut self, scenario: &Scenario) -> Result<Report, String> {
        self.world.connect();
        for _ in 0..scenario.changes {
            let pause = Duration(self.rng.below(1_500_000));
            self.world.run_for(pause)?;
            self.change(scenario.mobility);
        }
        let calm = self.world.now;
        self.settle();
        if scenario.mobility == Mobility::BothHard {
            self.world.run_for(CALM)?;
            return Ok(self.report(Duration(0)));
        }
        while self.world.now < calm.after(CALM) {
            self.world.run_for(Duration::from_millis(100))?;
            if self.has_converged() {
                let took = self.world.now.since(calm);
                return self.check_quiet(took);
            }
        }
        Err(self.describe())
    }

    /// One random change at a host that may change.
    fn change(&mut self, mobility: Mobility) {
        let host = match mobility {
            Mobility::Client => 0,
            Mobility::Server => 1,
            _ => usize::from(self.rng.chance(500)),
        };
        if host == 1 && !self.may_move_server() {
            return;
        }
        if mobility == Mobility::BothPlanned || self.rng.chance(250) {
            return self.plan(host);
        }
        let stable = match (mobility, host) {
            (Mobility::BothStableAlternative, 1) => 1,
            _ => 0,
        };
        let Some(pool) = self.pools.get(host) else {
            return;
        };
        // Any subset of the pool, also none at all; addresses come back, so they are reused.
        let mut set: Vec<LocalAddress> = pool.iter().take(stable).copied().collect();
        for address in pool.iter().skip(stable) {
            if self.rng.chance(350) {
                set.push(*address);
            }
        }
        self.world.set_addresses(host, set);
    }

    /// Nobody finds a server that goes away before it has answered; and a server that has lost
    /// the only family it was asked by knows no other before the client has proven itself.
    fn may_move_server(&self) -> bool {
        let waits = |host: usize, state| {
            let flow = self.world.nodes.get(host).and_then(|n| n.conn.flow(FLOW));
            flow.is_none_or(|flow| flow.state() == state)
        };
        let half_open = self.dual_stack && waits(1, FlowState::SynRcvd);
        !half_open && !waits(0, FlowState::SynSent)
    }

    /// A planned move to a random address that is held.
    fn plan(&mut self, host: usize) {
        let now = self.world.now;
        let Some(node) = self.world.nodes.get_mut(host) else {
            return;
        };
        let count = u64::try_from(node.addresses.len()).unwrap_or(0);
        let pick = usize::try_from(self.rng.below(count)).unwrap_or(0);
        if let Some(to) = node.addresses.get(pick).copied() {
            node.host.now = now;
            let command = Command::Move { flow: FLOW, to };
            // A refusal is right when the flow is there already or not established yet.
            let _refused = node.conn.handle_command(&mut node.host, command);
        }
        self.world.flush();
    }

    /// The calm: no more faults, and each host has an address.
    fn settle(&mut self) {
        self.world.faults.loss = 0;
        self.world.faults.duplication = 0;
        for host in 0..2 {
            let unreachable =
                self.world.nodes.get(host).is_some_and(|node| {
                    node.addresses.is_empty() || node.conn.flows().count() == 0
                });
            if let (true, Some(pool)) = (unreachable, self.pools.get(host)) {
                let set = pool.clone();
                self.world.set_addresses(host, set);
            }
        }
    }

    fn has_converged(&self) -> bool {
        let [a, b] = &self.world.nodes;
        [(a, b), (b, a)].into_iter().all(|(mine, peer)| {
            let settled = mine
                .conn
                .flow(FLOW)
                .is_some_and(|flow| flow.state() == FlowState::Established);
            let reaches = mine
                .conn
                .data_path(FLOW)
                .is_some_and(|path| peer.holds(&path.remote) && mine.holds(&path.local));
            settled && reaches
        })
    }

    /// After convergence data arrives at both ends, and no handshake is repeated for ever.
    fn check_quiet(&mut self, took: Duration) -> Result<Report, String> {
        self.world.run_for(Duration::from_secs(10))?;
        let fresh = self.world.now.since(Instant(0)).0.saturating_sub(2_000_000);
        for (host, node) in self.world.nodes.iter().enumerate() {
            if node.data_at.0 < fresh {
                return Err(format!("host {host} received no data: {}", self.describe()));
            }
        }
        self.world.data_every = None;
        self.world.run_for(Duration::from_secs(10))?;
        let sent = |world: &World| -> u64 {
            let sent = world.nodes.iter().map(|n| n.conn.counters().sent);
            sent.sum()
        };
        let before = sent(&self.world);
        self.world.run_for(Duration::from_secs(30))?;
        match self.has_converged() && sent(&self.world) == before {
            true => Ok(self.report(took)),
            false => Err(format!("never quiet: {}", self.describe())),
        }
    }

    fn report(&self, converged: Duration) -> Report {
        let moves = self
            .world
            .nodes
            .iter()
            .map(|n| n.conn.counters().moves_done);
        Report {
            packets: self.world.delivered,
            moves: moves.sum(),
            virtual_time: self.world.now.since(Instant(0)),
            converged,
            states: self.world.states,
        }
    }

    fn describe(&self) -> String {
        let mut text = format!("not converged, {:?}", self.world.faults);
        for (host, node) in self.world.nodes.iter().enumerate() {
            let flow = node.conn.flow(FLOW);
            let state = flow.map(|f| {
                (
                    f.state(),
                    f.phase(),
                    (f.version(), f.newest(), f.validated()),
                    *f.path(),
                    *f.local_half(),
                )
            });
            let held: Vec<IpAddr128> = node.addresses.iter().map(|a| a.addr).collect();
            text.push_str(&format!("\n host {host} holds {held:?}: {state:?}"));
            for (at, event) in node.events.iter().rev().take(6).rev() {
                text.push_str(&format!("\n   {:>9} us {event:?}", at.0));
            }
        }
        text
    }
}

/// The addresses that a host may get; its first is the stable one where there is one.
fn pool(host: u8, dual_stack: bool) -> Vec<LocalAddress> {
    (1..=4u8)
        .map(|n| {
            let addr = match (dual_stack, n & 1) {
                (true, 0) => {
                    let mut v6 = [0; 16];
                    (v6[0], v6[1], v6[2], v6[3]) = (0x20, 0x01, 0x0d, 0xb8);
                    (v6[7], v6[15]) = (host, n);
                    IpAddr128(v6)
                }
                _ => IpAddr128::from_v4([10, host, n, 1]),
            };
            LocalAddress {
                addr,
                ifindex: u32::from(n),
                flags: 0,
                priority: 0,
            }
        })
        .collect()
}
