// SPDX-License-Identifier: GPL-2.0-only
//! Random lives in which flow IDs change, and a naive model of which IDs a host answers to. The
//! model reads the packets alone.

use std::collections::BTreeSet;

use eccp_core::address::{IpAddr128, LocalAddress};
use eccp_core::event::{Command, Discard, Event};
use eccp_core::flow::FlowState;
use eccp_core::naming::ID_DRAINING;
use eccp_core::settings::{Encapsulation, Settings};
use eccp_core::sim::{Faults, Node, Rng, Seen, World, FLOW};
use eccp_core::time::{Duration, Instant};
use eccp_core::wire::{Packet, PacketType};

/// The flow IDs of one host.
struct Names {
    used: u64,
    announced: Option<u64>,
    dying: Vec<(u64, Instant)>,
}

impl Names {
    /// Reads a packet that the host has sent or received.
    fn read(&mut self, seen: &Seen) {
        let Ok(packet) = Packet::parse(&seen.packet.bytes) else {
            return; // Data says nothing: its receiver need not tell the host.
        };
        let message = packet.message();
        let tells = matches!(message.kind, PacketType::Ping | PacketType::Pong);
        match (seen.sent, message.new_flow) {
            (true, Some(id)) if id != self.used => self.announced = Some(id),
            (false, _) if tells && self.announced == Some(message.receiver) => {
                let dies = seen.packet.at.after(ID_DRAINING);
                self.dying.push((self.used, dies));
                self.used = message.receiver;
                self.announced = None;
            }
            _ => {}
        }
    }

    fn answered(&mut self, now: Instant) -> BTreeSet<u64> {
        self.dying.retain(|(_, dies)| *dies > now);
        let dying = self.dying.iter().map(|(id, _)| *id);
        dying.chain([self.used]).chain(self.announced).collect()
    }
}

struct Life {
    world: World,
    rng: Rng,
    names: Vec<Names>,
    homes: [Vec<LocalAddress>; 2],
}

/// A random life: how often a host has changed its ID.
pub fn live(seed: u64) -> Result<usize, String> {
    let mut life = Life::new(seed)?;
    for _ in 0..4 + seed % 12 {
        let pause = match life.rng.chance(300) {
            true => 7_000_000 + life.rng.below(2_000_000),
            false => life.rng.below(1_500_000),
        };
        life.run(Duration(pause))?;
        life.change();
    }
    life.calm()
}

impl Life {
    fn new(seed: u64) -> Result<Self, String> {
        let mut rng = Rng::new(seed ^ 0x1d5);
        let encapsulation = match rng.below(3) {
            0 => Encapsulation::Native,
            1 => Encapsulation::Udp,
            _ => Encapsulation::Auto,
        };
        let homes = [1, 2].map(|host| [1, 2, 3].map(|n| home(host, n)).to_vec());
        let mut node = |host: usize| {
            let settings = Settings {
                encapsulation,
                // One end, the other, or mostly both.
                renew_flow_ids: seed % 4 != host as u64,
                ..Settings::DEFAULT
            };
            Node::new(rng.number(), settings, homes[host].clone())
        };
        let nodes = [node(0), node(1)];
        let blocks_native = encapsulation == Encapsulation::Auto && rng.chance(300);
        let calm = Faults {
            blocks_native,
            ..Faults::NONE
        };
        let mut world = World::new(rng.number(), nodes, calm);
        world.connect();
        world.run_for(Duration::from_secs(3))?;
        world.record = Some(Vec::new());
        world.data_every = Some(Duration::from_millis(20));
        world.faults = Faults {
            loss: rng.below(300),
            duplication: rng.below(300),
            delay: Duration(1_000 + rng.below(60_000)),
            jitter: Duration(rng.below(250_000)),
            blocks_native,
        };
        let first = |node: &Node| node.conn.flow(FLOW).map(|flow| flow.local_id());
        let names = world.nodes.iter().filter_map(first).map(|used| Names {
            used,
            announced: None,
            dying: Vec::new(),
        });
        Ok(Self {
            names: names.collect(),
            world,
            rng,
            homes,
        })
    }

    /// Either host moves as planned; the client loses addresses as well. The server always has
    /// one that the client knows, so they find each other again.
    fn change(&mut self) {
        let host = usize::from(self.rng.chance(500));
        let to = self.homes[host][self.rng.below(3) as usize];
        if host == 0 && self.rng.chance(500) {
            let mut held = vec![to];
            held.extend(self.homes[0].iter().filter(|_| self.rng.chance(300)));
            return self.world.set_addresses(0, held);
        }
        let now = self.world.now;
        let node = &mut self.world.nodes[host];
        node.host.now = now;
        // A refusal is right when the flow is there already.
        let _refused = node
            .conn
            .handle_command(&mut node.host, Command::Move { flow: FLOW, to });
        self.world.flush();
    }

    fn run(&mut self, span: Duration) -> Result<(), String> {
        let end = self.world.now.after(span);
        while self.world.now < end {
            self.world.run_for(Duration::from_millis(10))?;
            self.check()?;
        }
        Ok(())
    }

    /// What each host answers to is what the model says, and nothing was sent to another ID.
    fn check(&mut self) -> Result<(), String> {
        let now = self.world.now;
        for seen in self.world.record.replace(Vec::new()).unwrap_or_default() {
            self.names[seen.host].read(&seen);
        }
        for (host, node) in self.world.nodes.iter().enumerate() {
            let ids = node.conn.flow(FLOW).map(|flow| flow.own_ids());
            let [used, next, old] = ids.ok_or("no flow")?;
            let answered: BTreeSet<u64> = [used, next, old].into_iter().collect();
            let mut expected = self.names[host].answered(now);
            // An ID that is drawn may not have been said yet.
            expected.extend([0, next]);
            let core: BTreeSet<u64> = answered.union(&[0].into()).copied().collect();
            if core != expected || used != self.names[host].used {
                return Err(format!(
                    "at {now:?} host {host} answers to {core:x?}, not to {expected:x?}"
                ));
            }
            if node.discarded(Discard::UnknownFlow) > 0 {
                return Err(format!("at {now:?} host {host} was called by a wrong ID"));
            }
        }
        Ok(())
    }

    fn calm(&mut self) -> Result<usize, String> {
        (self.world.faults.loss, self.world.faults.duplication) = (0, 0);
        self.world.set_addresses(0, self.homes[0].clone());
        self.run(Duration::from_secs(40))?;
        self.world.data_every = None;
        self.run(Duration::from_secs(2))?;
        let sent = |world: &World| -> u64 {
            let sent = world.nodes.iter().map(|n| n.conn.counters().sent);
            sent.sum()
        };
        let before = sent(&self.world);
        self.run(Duration::from_secs(30))?;
        let [a, b] = [0, 1].map(|host| self.world.nodes[host].conn.flow(FLOW));
        let (Some(a), Some(b)) = (a, b) else {
            return Err("a flow is gone".into());
        };
        for flow in [a, b] {
            if flow.state() != FlowState::Established || flow.own_ids()[1..] != [0, 0] {
                return Err(format!("{:?} with {:x?}", flow.state(), flow.own_ids()));
            }
        }
        if (a.local_id(), b.local_id()) != (b.remote_id(), a.remote_id()) {
            return Err("the ends do not agree on the names".into());
        }
        if sent(&self.world) != before {
            return Err("the hosts are never quiet".into());
        }
        let events = self.world.nodes.iter().flat_map(|node| &node.events);
        Ok(events
            .filter(|(_, event)| matches!(event, Event::Renamed { .. }))
            .count())
    }
}

fn home(host: u8, n: u8) -> LocalAddress {
    LocalAddress {
        addr: IpAddr128::from_v4([10, host, n, 1]),
        ifindex: u32::from(n),
        flags: 0,
        priority: 0,
    }
}
