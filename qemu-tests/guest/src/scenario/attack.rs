// SPDX-License-Identifier: GPL-2.0-only
//! Packets that nobody honest sent, injected below the client's network stack.
//!
//! ```text
//!   client ──eth0──────────eth0── server
//!     .2, .3      ↑               .1
//!            the attacker
//! ```
//! The attacker sees every packet, repeats, changes and invents them, but knows
//! no keys.

use std::fs;
use std::net::{IpAddr, SocketAddr};
use std::time::{Duration, Instant};

use anyhow::{ensure, Context, Result};
use eccp_core::wire::{Message, PacketType, MAC_LEN, MAX_CONTROL};
use eccp_netlink::settings::SettingsAttribute;
use eccp_netlink::socket::SocketInfo;
use eccp_netlink::stats::Counter;
use eccp_netlink::Encap;

use crate::capture::{Frame, Tap};
use crate::control::{wait_local, wait_remote, Control};
use crate::conversation::{Conversation, Load};
use crate::link::{self, Prefix};
use crate::random::Random;
use crate::roster::{Needs, Scenario};
use crate::stage::Stage;
use crate::stream::{info, Pair};
use crate::topology::{Family, Wire};

const PORT: u16 = 7000;
/// The address that the attacker wants the stream to go to.
const GREED: [u8; 4] = [10, 0, 0, 66];
const FLIPPED: usize = 2000;
const INVENTED: usize = 1000;
const GARBAGE: usize = 1_000_000;
/// Different garbage frames; each is sent many times.
const KINDS: usize = 8192;
/// Longest time for the garbage on a quiet machine.
const GARBAGE_TIME: Duration = Duration::from_secs(60);

pub(super) const TABLE: &[Scenario] = &[
    scenario("forged_and_replayed_packets", 60, forged),
    scenario("a_million_garbage_packets_native", 150, |stage| {
        garbage(stage, Encap::Native)
    }),
    scenario("a_million_garbage_packets_udp", 150, |stage| {
        garbage(stage, Encap::Udp)
    }),
];

const fn scenario(name: &'static str, seconds: u64, run: fn(&Stage) -> Result<()>) -> Scenario {
    Scenario {
        name,
        about: "a packet from a stranger moves, ends or breaks a connection",
        seconds,
        needs: Needs::Module,
        smoke: false,
        run,
    }
}

/// What an attacker must not change.
fn essence(info: &SocketInfo) -> (IpAddr, IpAddr, u64, u64, u64, u64, u32) {
    (
        info.local,
        info.remote,
        info.local_flow_version,
        info.remote_flow_version,
        info.local_flow_id,
        info.remote_flow_id,
        info.moves,
    )
}

fn forged(stage: &Stage) -> Result<()> {
    let wire = Wire::build()?;
    let second = Family::V4.host(0, 3);
    wire.client
        .run(|| link::add_address("eth0", Prefix::usual(second)))?;
    let sight = Tap::open(&wire.server, "eth0")?;
    let address = SocketAddr::new(wire.server_address(Family::V4), PORT);
    let pair = Pair::connect(stage.plan.transport, &wire.client, &wire.server, address)?;
    let flow = info(&pair.client)?.local_flow_id;
    Control::open(&wire.client)?.move_flow(flow, second)?;
    let limit = stage.patience(Duration::from_secs(10));
    wait_local(&pair.client, second, limit)?;
    wait_remote(&pair.server, second, limit)?;
    let ours = wire.client_addresses(&[second]);
    let seen = sight.collect(64, Duration::from_millis(300), |frame| {
        frame.kind() != PacketType::Data as u8 && ours.contains(&frame.source())
    })?;
    for kind in [PacketType::Syn, PacketType::Rsyn, PacketType::Ack] {
        ensure!(
            seen.iter().any(|frame| frame.kind() == kind as u8),
            "the attacker saw no {kind:?} among {} packets",
            seen.len()
        );
    }
    let attack = Attack {
        tap: Tap::open(&wire.client, "eth0")?,
        control: Control::open(&wire.server)?,
    };
    attack.run(stage, &pair, &seen)?;
    let load = Some(Load::over(2, 1));
    Conversation::start(pair, &stage.random(), load, load, limit)?.finish()?;
    Ok(())
}

struct Attack {
    tap: Tap,
    control: Control,
}

impl Attack {
    fn run(mut self, stage: &Stage, pair: &Pair, seen: &[Frame]) -> Result<()> {
        let before = (essence(&info(&pair.client)?), essence(&info(&pair.server)?));
        let mut random = stage.random();
        let receiver = info(&pair.server)?.local_flow_id;
        let sender = info(&pair.server)?.remote_flow_id;
        let replayed: Vec<_> = seen
            .iter()
            .flat_map(|frame| [frame.clone(), frame.from_source(GREED)])
            .collect();
        let flipped: Vec<_> = (0..FLIPPED).map(|_| flip(&mut random, seen)).collect();
        let invented: Vec<_> = (0..INVENTED)
            .map(|number| invent(&mut random, &seen[0], receiver, sender, number))
            .collect::<Result<_>>()?;
        for (name, frames, least_drops) in [
            // An honest repetition is answered, not dropped (R3, R13).
            ("replayed", replayed, 0),
            ("changed", flipped, FLIPPED as u64 / 2),
            ("invented", invented, INVENTED as u64),
        ] {
            let earlier = self.control.counters()?;
            let bytes: Vec<_> = frames.iter().map(|frame| frame.bytes().to_vec()).collect();
            self.tap.send_all(&bytes)?;
            let limit = stage.patience(Duration::from_secs(10));
            let growth = settled(&mut self.control, limit)?.since(&earlier);
            stage.note(format!("{} {name} packets: {growth}", bytes.len()));
            let after = (essence(&info(&pair.client)?), essence(&info(&pair.server)?));
            ensure!(
                before == after,
                "{name} packets changed {before:?} to {after:?}"
            );
            ensure!(
                growth.drops() >= least_drops,
                "{} {name} packets were sent, and {} counted: {growth}",
                bytes.len(),
                growth.drops()
            );
            ensure!(
                name == "replayed" || growth.get(Counter::DropBadMac) > 0,
                "no bad MAC among {name} packets: {growth}"
            );
        }
        Ok(())
    }
}

/// Counters that have stopped growing.
fn settled(control: &mut Control, limit: Duration) -> Result<crate::control::Counters> {
    let begin = Instant::now();
    let mut last = control.counters()?;
    loop {
        std::thread::sleep(Duration::from_millis(100));
        let now = control.counters()?;
        if now == last {
            return Ok(now);
        }
        ensure!(
            begin.elapsed() < limit,
            "the counters still grow after {limit:?}: {now}"
        );
        last = now;
    }
}

/// A packet that was seen, with one bit of its ECCP part changed, from the
/// attacker's address every other time.
fn flip(random: &mut Random, seen: &[Frame]) -> Frame {
    let frame = &seen[random.below(seen.len() as u64) as usize];
    let mut packet = frame.eccp().to_vec();
    let bit = random.below(8 * packet.len() as u64) as usize;
    packet[bit / 8] ^= 1 << (bit % 8);
    let changed = frame.with_eccp(&packet);
    if random.below(2) == 0 {
        changed.from_source(GREED)
    } else {
        changed
    }
}

/// A well-formed RSYN, ACK or RST with the right flow IDs, a tempting version
/// and a guessed MAC.
fn invent(
    random: &mut Random,
    model: &Frame,
    receiver: u64,
    sender: u64,
    number: usize,
) -> Result<Frame> {
    let kind = [PacketType::Rsyn, PacketType::Ack, PacketType::Rst][number % 3];
    let mut message = Message::new(kind, receiver, sender, 1 + random.below(8));
    if kind == PacketType::Ack {
        let mut token = [0; 16];
        random.fill(&mut token);
        message.token = Some(token);
    }
    let mut buffer = [0; MAX_CONTROL];
    let emitted = message
        .emit(&mut buffer, true)
        .map_err(|_| anyhow::anyhow!("a {kind:?} does not fit {MAX_CONTROL} bytes"))?;
    let mac = emitted.mac_at.context("a packet without a MAC")?;
    random.fill(&mut buffer[mac..mac + MAC_LEN]);
    Ok(model.with_eccp(&buffer[..emitted.len]).from_source(GREED))
}

fn garbage(stage: &Stage, encap: Encap) -> Result<()> {
    let wire = Wire::build()?;
    for host in [&wire.client, &wire.server] {
        Control::open(host)?.set(vec![SettingsAttribute::Encap(encap)])?;
    }
    let sight = Tap::open(&wire.server, "eth0")?;
    let address = SocketAddr::new(wire.server_address(Family::V4), PORT);
    let pair = Pair::connect(stage.plan.transport, &wire.client, &wire.server, address)?;
    let model = sight.first_from(&wire.client_addresses(&[]))?;
    drop(sight);
    let flow = info(&pair.server)?.local_flow_id;
    let mut random = stage.random();
    let frames: Vec<_> = (0..KINDS)
        .map(|number| rubbish(&mut random, &model, flow, number))
        .collect();
    let mut control = Control::open(&wire.server)?;
    let (before, data, overrun) = (control.counters()?, received(&mut control)?, overruns()?);
    let begin = Instant::now();
    let tap = Tap::open(&wire.client, "eth0")?;
    for _ in 0..GARBAGE.div_ceil(KINDS) {
        tap.send_all(&frames)?;
    }
    let growth = settled(&mut control, stage.patience(GARBAGE_TIME))?.since(&before);
    let lost = overruns()? - overrun;
    stage.note(format!("before the stack: {lost} lost; in it: {growth}"));
    stage.measure(
        "packets_per_second",
        (GARBAGE as f64 / begin.elapsed().as_secs_f64()).round(),
    );
    ensure!(
        begin.elapsed() < stage.patience(GARBAGE_TIME),
        "{GARBAGE} packets took {:?}",
        begin.elapsed()
    );
    let data = received(&mut control)? - data;
    let known = growth.drops() + data + lost;
    ensure!(
        known >= GARBAGE as u64,
        "{known} of {GARBAGE} packets are accounted for: {growth}, {data} data packets, {lost} lost before"
    );
    let limit = stage.patience(Duration::from_secs(10));
    let load = Some(Load::over(2, 1));
    Conversation::start(pair, &stage.random(), load, load, limit)?.finish()?;
    Ok(())
}

/// Random bytes in an otherwise proper frame: a third is nothing but random, a
/// third has a proper common header, a third also has a live flow ID.
fn rubbish(random: &mut Random, model: &Frame, flow: u64, number: usize) -> Vec<u8> {
    let mut packet = vec![0; 12 + random.below(200) as usize];
    random.fill(&mut packet);
    if number % 3 > 0 {
        packet[8] = 1 << 4 | random.below(16) as u8;
        packet[9] = (packet.len() / 4) as u8;
        packet.truncate(packet.len() / 4 * 4);
    }
    if number % 3 == 2 {
        packet[..8].copy_from_slice(&flow.to_be_bytes());
    }
    model.with_eccp(&packet).bytes().to_vec()
}

/// Data packets that the flows of a namespace took.
fn received(control: &mut Control) -> Result<u64> {
    let flows = control.flows()?;
    Ok(flows.iter().filter_map(|flow| flow.rx_packets).sum())
}

/// Packets that the CPUs' receive queues had no room for, which no protocol sees.
fn overruns() -> Result<u64> {
    let text = fs::read_to_string("/proc/net/softnet_stat")?;
    text.lines()
        .map(|line| {
            let dropped = line.split_whitespace().nth(1).unwrap_or_default();
            u64::from_str_radix(dropped, 16).context("softnet_stat")
        })
        .sum()
}
