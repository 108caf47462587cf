// SPDX-License-Identifier: GPL-2.0-only
//! Flow IDs change with moves: nobody reads the same one in the data of two networks.
//!
//! ```text
//!            ┌─wifi── ap ───┐        ┌──eth0─┐
//!     client ┤              ├─ core ─┤       ├ server
//!            └─lte─── cell ─┘        └──eth1─┘
//! ```

use std::net::{IpAddr, SocketAddr};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{ensure, Context, Result};
use eccp_core::wire::{Packet, PacketType};
use eccp_netlink::event::Event;
use eccp_netlink::settings::SettingsAttribute;
use eccp_netlink::socket::{Mode, SocketInfo};
use eccp_netlink::stats::Counter;
use eccp_netlink::{Command, Monitor, Notice};

use super::aggregation::{connect, wait_members};
use super::datagram_moves::Exchange;
use super::lifecycle::{insert, released};
use super::roaming::Roaming;
use crate::capture::{Frame, Tap};
use crate::control::{wait_local, Control};
use crate::conversation::{Conversation, Load};
use crate::module;
use crate::namespace::Namespace;
use crate::roster::{Needs, Scenario};
use crate::stage::Stage;
use crate::stream::{info, Pair};
use crate::supervisor::MODULE;
use crate::topology::{Access, Campus, Family};

/// How long a state is waited for on a quiet machine.
const LIMIT: Duration = Duration::from_secs(10);
/// How long an ID is answered to that was replaced.
const ID_DRAINING: Duration = Duration::from_secs(5);
/// Packets that are looked at in a network.
const FRAMES: usize = 100;
const DATA: u8 = PacketType::Data as u8;

pub(super) const TABLE: &[Scenario] = &[
    scenario("flow_ids_change_with_a_move", true, Needs::Module, renewed),
    scenario(
        "flow_ids_change_again_and_again",
        false,
        Needs::Module,
        again,
    ),
    scenario(
        "flow_ids_of_datagrams_change",
        false,
        Needs::Module,
        datagrams,
    ),
    scenario("flow_ids_of_a_bundle_change", false, Needs::Module, bundle),
    scenario(
        "flow_ids_stay_without_the_setting",
        false,
        Needs::Module,
        kept,
    ),
    scenario(
        "unload_after_flow_ids_changed",
        false,
        Needs::NoModule,
        unloaded,
    ),
];

const fn scenario(
    name: &'static str,
    smoke: bool,
    needs: Needs,
    run: fn(&Stage) -> Result<()>,
) -> Scenario {
    Scenario {
        name,
        about: "a changed flow ID loses data, is not found, or the old one stays in sight",
        seconds: 40,
        needs,
        smoke,
        run,
    }
}

/// Has the hosts change their IDs.
fn renew(hosts: [&Namespace; 2], draining_ms: Option<u32>) -> Result<()> {
    for host in hosts {
        let mut settings = vec![SettingsAttribute::RenewFlowIds(1)];
        settings.extend(draining_ms.map(SettingsAttribute::DrainingMs));
        Control::open(host)?.set(settings)?;
    }
    Ok(())
}

/// What the client and the server are called, if both agree on it.
fn agreed(client: &SocketInfo, server: &SocketInfo) -> Option<[u64; 2]> {
    let ours = [client.local_flow_id, server.local_flow_id];
    let theirs = [server.remote_flow_id, client.remote_flow_id];
    (ours == theirs).then_some(ours)
}

/// Waits until both ends are called otherwise than by `old`.
fn new_names(
    stage: &Stage,
    ends: impl Fn() -> Result<[SocketInfo; 2]>,
    old: [u64; 2],
) -> Result<[u64; 2]> {
    let (begin, limit) = (Instant::now(), stage.patience(LIMIT));
    loop {
        let [client, server] = ends()?;
        let names = agreed(&client, &server);
        match names.filter(|new| new[0] != old[0] && new[1] != old[1]) {
            Some(new) => return Ok(new),
            None => ensure!(
                begin.elapsed() < limit,
                "after {limit:?} the ends are not called anew: {client:?}, {server:?}"
            ),
        }
        thread::sleep(Duration::from_millis(5));
    }
}

fn ends(pair: &Pair) -> Result<[SocketInfo; 2]> {
    Ok([info(&pair.client)?, info(&pair.server)?])
}

fn names(ends: [SocketInfo; 2]) -> Result<[u64; 2]> {
    agreed(&ends[0], &ends[1]).with_context(|| format!("the ends disagree: {ends:?}"))
}

/// Watches data in the client's network at `local`: from the first packet on that carries a new
/// ID, all of its direction do.
fn expect_new_in(stage: &Stage, tap: &Tap, local: IpAddr, new: [u64; 2]) -> Result<()> {
    let data = |frame: &Frame| frame.kind() == DATA;
    let frames = tap.collect(FRAMES, stage.patience(LIMIT), data)?;
    for (from_client, id) in [(false, new[0]), (true, new[1])] {
        let of_direction = frames
            .iter()
            .filter(|frame| (frame.source() == local) == from_client);
        let ids: Vec<u64> = of_direction.filter_map(receiver).collect();
        let first = ids.iter().position(|seen| *seen == id);
        let first = first.with_context(|| format!("nobody calls {id:x}, but {ids:x?}"))?;
        let later = &ids[first..];
        ensure!(
            later.iter().all(|seen| *seen == id),
            "not all call {id:x}: {later:x?}"
        );
    }
    Ok(())
}

fn receiver(frame: &Frame) -> Option<u64> {
    let id = frame.eccp().first_chunk()?;
    Some(u64::from_be_bytes(*id))
}

/// Waits for the event that tells of a new local ID.
fn expect_event(monitor: &mut Monitor, old: u64, new: u64) -> Result<()> {
    loop {
        let Notice::Event(event) = monitor.next_notice()? else {
            anyhow::bail!("events were lost");
        };
        if let Event::Flow(Command::FlowRenamed, flow) = &*event {
            if flow.old_remote_id.is_none() {
                let told = (flow.local_id, flow.old_local_id);
                ensure!(told == (Some(new), Some(old)), "the event says {told:x?}");
                return Ok(());
            }
        }
    }
}

fn renewed(stage: &Stage) -> Result<()> {
    let load = Load::over(12, 6);
    let mut roaming = Roaming::recorded(stage, Some(load), Some(load))?;
    renew([&roaming.campus.client, &roaming.campus.server], None)?;
    let mut monitor = roaming.campus.client.run(|| Ok(Monitor::open()?))?;
    let before = roaming.counters()?;
    let first = names(ends(&roaming.talk.pair)?)?;
    let lte = Access::LTE.address(Family::V4);
    roaming.talk.wait_for_down(load.bytes / 8)?;
    let begin = Instant::now();
    roaming.client_moves(lte)?;
    let new = new_names(stage, || ends(&roaming.talk.pair), first)?;
    match roaming.client.client().flow(first[0]) {
        Ok(flow) => ensure!(
            flow.local_id == Some(new[0]) && flow.old_local_id == Some(first[0]),
            "{:x} leads to {flow:?}",
            first[0]
        ),
        Err(error) => ensure!(begin.elapsed() >= ID_DRAINING, "{:x}: {error}", first[0]),
    }
    let tap = Tap::open(&roaming.campus.client, "lte")?;
    expect_new_in(stage, &tap, lte, new)?;
    expect_event(&mut monitor, first[0], new[0])?;
    for control in [&mut roaming.client, &mut roaming.server] {
        let flows = control.flows()?;
        ensure!(flows.len() == 1, "there are {flows:?}");
        let connections = control.client().connections()?.items;
        ensure!(connections.len() == 1, "there are {connections:?}");
    }
    let (client, server) = roaming.growth(&before)?;
    for (end, counters, moves) in [("client", &client, 1), ("server", &server, 0)] {
        let renewed = [
            Counter::FlowIdsRenewed,
            Counter::PeerFlowIdsRenewed,
            Counter::FlowIdsRefused,
            Counter::MovesCompleted,
        ];
        let counted = renewed.map(|counter| counters.get(counter));
        ensure!(counted == [1, 1, 0, moves], "the {end} counts: {counters}");
    }
    forgotten(stage, &mut roaming.client, first[0])?;
    roaming.finish()?;
    Ok(())
}

/// Waits until nobody answers to an ID.
fn forgotten(stage: &Stage, control: &mut Control, id: u64) -> Result<()> {
    let (begin, limit) = (Instant::now(), ID_DRAINING + stage.patience(LIMIT));
    while control.client().flow(id).is_ok() {
        ensure!(begin.elapsed() < limit, "{id:x} leads to a flow for ever");
        thread::sleep(Duration::from_millis(20));
    }
    Ok(())
}

fn again(stage: &Stage) -> Result<()> {
    let load = Load::over(6, 4);
    let mut roaming = Roaming::recorded(stage, Some(load), Some(load))?;
    renew([&roaming.campus.client, &roaming.campus.server], Some(1000))?;
    let mut seen = vec![names(ends(&roaming.talk.pair)?)?];
    for access in [Access::LTE, Access::WIFI, Access::LTE, Access::WIFI] {
        let old = seen[seen.len() - 1];
        roaming.client_moves(access.address(Family::V4))?;
        seen.push(new_names(stage, || ends(&roaming.talk.pair), old)?);
        forgotten(stage, &mut roaming.client, old[0])?;
        forgotten(stage, &mut roaming.server, old[1])?;
    }
    for side in [0, 1] {
        let mut ids: Vec<u64> = seen.iter().map(|names| names[side]).collect();
        ids.sort_unstable();
        ids.dedup();
        ensure!(ids.len() == seen.len(), "IDs came back: {seen:x?}");
    }
    roaming.finish()?;
    Ok(())
}

fn datagrams(stage: &Stage) -> Result<()> {
    let exchange = Exchange::start(stage)?;
    let hosts = [&exchange.campus.client, &exchange.campus.server];
    renew(hosts, None)?;
    let mut server = Control::open(&exchange.campus.server)?;
    let both = || -> Result<[u64; 2]> {
        let info = exchange.client.info()?;
        Ok([info.local_flow_id, info.remote_flow_id])
    };
    let first = both()?;
    let lte = Access::LTE.address(Family::V4);
    exchange.client_moves(lte)?;
    let (begin, limit) = (Instant::now(), stage.patience(LIMIT));
    let new = loop {
        let new = both()?;
        if new[0] != first[0] && new[1] != first[1] {
            break new;
        }
        ensure!(begin.elapsed() < limit, "{first:x?} became {new:x?}");
        thread::sleep(Duration::from_millis(5));
    };
    let flow = server.client().flow(new[1])?;
    ensure!(flow.remote_id == Some(new[0]), "{new:x?} but {flow:?}");
    let tap = Tap::open(&exchange.campus.client, "lte")?;
    expect_new_in(stage, &tap, lte, new)?;
    let lost = exchange.finish()?;
    // Some are on their way along the old path when the address moves; that it takes a new ID
    // along costs no more.
    let most = stage.patience(Duration::from_millis(500)).as_millis() / 2;
    ensure!(
        lost.iter().all(|lost| u128::from(*lost) <= most),
        "{lost:?} datagrams were lost"
    );
    Ok(())
}

/// A member of a bundle moves, and the other one stays.
fn bundle(stage: &Stage) -> Result<()> {
    let campus = Campus::build()?;
    renew([&campus.client, &campus.server], None)?;
    let pair = connect(&campus, Mode::Aggregate, Mode::Aggregate)?;
    wait_members(stage, &pair, 2)?;
    let first = names(ends(&pair)?)?;
    let load = Load::over(6, 3);
    let (random, patience) = (stage.random(), stage.patience(LIMIT));
    let talk = Conversation::start(pair, &random, Some(load), Some(load), patience)?;
    talk.wait_for_down(load.bytes / 8)?;
    let second = Access::SECOND.address(Family::V4);
    Control::open(&campus.server)?.move_flow(first[1], second)?;
    new_names(stage, || ends(&talk.pair), first)?;
    talk.finish()?;
    Ok(())
}

fn kept(stage: &Stage) -> Result<()> {
    let load = Load::over(2, 2);
    let mut roaming = Roaming::recorded(stage, Some(load), Some(load))?;
    let first = names(ends(&roaming.talk.pair)?)?;
    let tap = Tap::open(&roaming.campus.client, "lte")?;
    roaming.client_moves(Access::LTE.address(Family::V4))?;
    let rsyn = |frame: &Frame| frame.kind() == PacketType::Rsyn as u8;
    let seen = tap.collect(1, stage.patience(LIMIT), rsyn)?;
    let bytes = seen.first().context("no RSYN was seen")?.eccp().to_vec();
    let packet = Packet::parse(&bytes).map_err(|error| anyhow::anyhow!("{error:?}"))?;
    let message = packet.message();
    ensure!(
        message.new_flow.is_none() && message.reset_proof.is_none(),
        "the RSYN says {message:?}"
    );
    let now = names(ends(&roaming.talk.pair)?)?;
    ensure!(now == first, "{first:x?} became {now:x?}");
    roaming.finish()?;
    Ok(())
}

fn unloaded(stage: &Stage) -> Result<()> {
    insert(stage, "")?;
    let campus = Campus::build()?;
    renew([&campus.client, &campus.server], None)?;
    let address = SocketAddr::new(Access::FIRST.address(Family::V4), 7000);
    let pair = Pair::connect(
        stage.plan.transport,
        &campus.client,
        &campus.server,
        address,
    )?;
    let first = names(ends(&pair)?)?;
    let lte = Access::LTE.address(Family::V4);
    Control::open(&campus.client)?.move_flow(first[0], lte)?;
    wait_local(&pair.client, lte, stage.patience(LIMIT))?;
    new_names(stage, || ends(&pair), first)?;
    // The flow drains, and answers to the old IDs still.
    drop(pair);
    released(stage)?;
    module::remove(MODULE).context("rmmod")?;
    Ok(())
}
