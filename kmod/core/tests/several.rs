// SPDX-License-Identifier: GPL-2.0-only
//! Random lives of connections with several flows: flows and addresses come and go on a network
//! that loses, repeats and reorders packets; then calm, and both ends must reach each other.

use eccp_core::address::LocalAddress;
use eccp_core::connection::AddFlow;
use eccp_core::event::{Command, FlowIndex};
use eccp_core::flow::{FlowState, Phase};
use eccp_core::settings::{Encapsulation, Policy, Settings};
use eccp_core::sim::{Faults, Node, Rng, World};
use eccp_core::time::Duration;

mod pair;

const LIVES: u64 = 300;
const CHANGES: u64 = 14;
/// Longest time from the calm until both ends reach each other.
const CALM: Duration = Duration::from_secs(120);

fn pool(host: usize) -> Vec<LocalAddress> {
    (1..=3).map(|n| pair::addr(host, n)).collect()
}

struct Life {
    world: World,
    rng: Rng,
}

impl Life {
    fn new(seed: u64) -> Self {
        let mut rng = Rng::new(seed);
        let policy = match rng.below(3) {
            0 => Policy::Prefer,
            _ => Policy::FailOver,
        };
        let settings = Settings {
            encapsulation: Encapsulation::Native,
            policy,
            path_timeout: None,
            ..Settings::DEFAULT
        };
        let faults = Faults {
            loss: rng.below(200),
            duplication: rng.below(100),
            delay: Duration(1_000 + rng.below(40_000)),
            jitter: Duration(rng.below(60_000)),
            blocks_native: false,
        };
        let nodes = [0, 1].map(|host| Node::new(rng.number(), settings, pool(host)));
        Self {
            world: World::new(rng.number(), nodes, faults),
            rng,
        }
    }

    fn live(mut self) -> Result<u64, String> {
        self.world.connect();
        self.world.run_for(Duration::from_secs(5))?;
        for _ in 0..CHANGES {
            let pause = Duration(self.rng.below(1_500_000));
            self.world.run_for(pause)?;
            self.change();
        }
        self.world.faults.loss = 0;
        self.world.faults.duplication = 0;
        for host in [0, 1] {
            self.world.set_addresses(host, pool(host));
        }
        let calm = self.world.now;
        while self.world.now < calm.after(CALM) {
            self.world.run_for(Duration::from_millis(200))?;
            if self.agrees() {
                return self.stays_quiet();
            }
        }
        Err(self.describe("the ends do not reach each other"))
    }

    fn change(&mut self) {
        let host = usize::from(self.rng.chance(500));
        let flow = FlowIndex(self.rng.below(4) as u8);
        match self.rng.below(10) {
            0..=2 => {
                let pick = self.rng.below(3) as usize;
                let request = AddFlow {
                    from: pool(host)[pick],
                    to: None,
                    backup: self.rng.chance(400),
                };
                let now = self.world.now;
                let node = &mut self.world.nodes[host];
                node.host.now = now;
                // A refusal is right where a flow cannot be.
                let _refused = node.conn.add_flow(&mut node.host, &request);
                self.world.flush();
            }
            3 if flow.0 > 0 => self.command(host, Command::Remove { flow }),
            4..=5 => self.command(host, Command::Prefer { flow }),
            _ => {
                // The client alone loses addresses: both ends must not vanish at once.
                let kept: Vec<_> = pool(0)
                    .into_iter()
                    .filter(|_| self.rng.chance(600))
                    .collect();
                self.world.set_addresses(0, kept);
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

    /// Each end sends data to a live flow of the other, along a path that both have.
    fn agrees(&self) -> bool {
        let [a, b] = &self.world.nodes;
        [(a, b), (b, a)].into_iter().all(|(mine, peer)| {
            mine.conn.carrier().is_some_and(|to| {
                let settled = mine
                    .conn
                    .flow(to.flow)
                    .is_some_and(|flow| flow.state() == FlowState::Established);
                settled
                    && peer.conn.find_flow(to.receiver).is_some()
                    && peer.holds(&to.path.remote)
                    && mine.holds(&to.path.local)
            })
        })
    }

    /// Nothing is repeated for ever, and every flow that is open at one end is so at the other.
    fn stays_quiet(mut self) -> Result<u64, String> {
        self.world.run_for(Duration::from_secs(240))?;
        let sent = |world: &World| -> u64 {
            let nodes = world.nodes.iter();
            nodes.map(|node| node.conn.counters().sent).sum()
        };
        let before = sent(&self.world);
        self.world.run_for(Duration::from_secs(60))?;
        if !self.agrees() || sent(&self.world) != before {
            return Err(self.describe("never quiet"));
        }
        let [a, b] = &self.world.nodes;
        for (mine, peer) in [(a, b), (b, a)] {
            let open = mine.conn.flows();
            for (_, flow) in open.filter(|(_, flow)| flow.phase() == Phase::Open) {
                let twin = peer.conn.find_flow(flow.remote_id());
                let twin = twin.and_then(|index| peer.conn.flow(index));
                if twin.is_none_or(|twin| twin.remote_id() != flow.local_id()) {
                    return Err(self.describe("a flow is open at one end only"));
                }
            }
        }
        let added = self.world.nodes.iter().flat_map(|node| &node.events);
        let added = added.filter(|(_, event)| {
            matches!(
                event,
                eccp_core::event::Event::FlowAdded { by_us: true, .. }
            )
        });
        Ok(added.count() as u64)
    }

    fn describe(&self, what: &str) -> String {
        let mut text = format!("{what}, {:?}", self.world.faults);
        for (host, node) in self.world.nodes.iter().enumerate() {
            text.push_str(&format!("\nhost {host} carrier {:?}", node.conn.carrier()));
            for (index, flow) in node.conn.flows() {
                text.push_str(&format!(
                    "\n  {index:?} {:?} {:?} ids {:x}/{:x} {:?} {:?}",
                    flow.phase(),
                    flow.state(),
                    flow.local_id(),
                    flow.remote_id(),
                    flow.path(),
                    flow.local_half(),
                ));
            }
            for (at, event) in node.events.iter().rev().take(8).rev() {
                text.push_str(&format!("\n   {:>9} us {event:?}", at.0));
            }
        }
        text
    }
}

#[test]
fn flows_and_addresses_come_and_go() {
    let seed = std::env::var("ECCP_SIM_SEED").map_or(1, |text| text.parse().expect("a number"));
    let mut added = 0;
    for seed in seed..seed + LIVES {
        match Life::new(seed).live() {
            Ok(flows) => added += flows,
            Err(error) => panic!("ECCP_SIM_SEED={seed}: {error}"),
        }
    }
    assert!(added > LIVES, "only {added} flows were added");
}
