// SPDX-License-Identifier: GPL-2.0-only
//! Several flows in a connection: added, removed, and data that takes another one at once.
//!
//! ```text
//!            ┌─wifi── ap ───┐        ┌──eth0─┐
//!     client ┤              ├─ core ─┤       ├ server
//!            └─lte─── cell ─┘        └──eth1─┘
//! ```

use std::io::Write;
use std::net::{IpAddr, TcpStream};
use std::os::fd::AsFd;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{bail, ensure, Context, Result};
use eccp_netlink::flow::{Addition, Target};
use eccp_netlink::settings::SettingsAttribute;
use eccp_netlink::socket::{SocketFlow, Stream};
use eccp_netlink::stats::Counter;
use eccp_netlink::FlowState;

use super::roaming::Roaming;
use crate::conversation::Load;
use crate::netem::Netem;
use crate::roster::{Needs, Scenario};
use crate::stage::Stage;
use crate::stream::info;
use crate::topology::{Access, Family};
use crate::traffic::drain;
use crate::{link, tool};

/// How long a set-up or a change of flows may take on a quiet machine.
pub(super) const CHANGE: Duration = Duration::from_secs(10);
/// One-way delay of the access networks in the measurement.
const ONE_WAY: Duration = Duration::from_millis(60);
/// Time between two messages of the measurement: fewer than the initial window in a round trip.
const TICK: Duration = Duration::from_millis(20);
/// Messages of the measurement.
const MESSAGES: u32 = 100;
/// How often each way to fail over is measured.
const ROUNDS: usize = 3;

pub(super) const TABLE: &[Scenario] = &[
    scenario("flows_added_moved_removed", true, added_moved_removed),
    scenario("flow_commands_of_the_tool", false, tool_commands),
    scenario("backup_flow_takes_over_at_once", true, takes_over),
    scenario("data_returns_to_the_better_flow", false, returns),
    scenario("flows_of_a_socket", false, of_a_socket),
    scenario("rules_for_addresses", true, rules),
    scenario("address_changes_on_a_live_link", false, address_changes),
];

const fn scenario(name: &'static str, smoke: bool, run: fn(&Stage) -> Result<()>) -> Scenario {
    Scenario {
        name,
        about: "several flows of a connection do not work together",
        seconds: 60,
        needs: Needs::Module,
        smoke,
        run,
    }
}

fn flows(socket: &TcpStream) -> Result<Vec<SocketFlow>> {
    let fd = socket.as_fd().try_clone_to_owned()?;
    Stream::from(fd).flows().context("ECCP_FLOWS")
}

/// Waits until the flows of a socket satisfy `done`.
pub(super) fn wait_flows(
    socket: &TcpStream,
    what: &str,
    limit: Duration,
    done: impl Fn(&[SocketFlow]) -> bool,
) -> Result<Vec<SocketFlow>> {
    let begin = Instant::now();
    loop {
        let now = flows(socket)?;
        if done(&now) {
            return Ok(now);
        }
        ensure!(begin.elapsed() < limit, "not {what} in {limit:?}: {now:#?}");
        thread::sleep(Duration::from_millis(5));
    }
}

fn open(flows: &[SocketFlow]) -> usize {
    let open = flows
        .iter()
        .filter(|flow| flow.state == FlowState::Established && flow.usable && !flow.draining);
    open.count()
}

pub(super) fn active(flows: &[SocketFlow]) -> Option<IpAddr> {
    flows.iter().find(|flow| flow.active).map(|flow| flow.local)
}

pub(super) fn over_lte(backup: bool) -> Addition {
    Addition {
        from: Target::Address(Access::LTE.address(Family::V4)),
        remote: None,
        backup,
    }
}

/// Adds a flow over lte from the client and waits until both ends have it.
pub(super) fn add_lte(stage: &Stage, roaming: &mut Roaming, addition: &Addition) -> Result<u64> {
    let pair = &roaming.talk.pair;
    let first = info(&pair.client)?.local_flow_id;
    let id = roaming.client.client().add_flow(first, addition)?;
    let limit = stage.patience(CHANGE);
    for (end, socket) in [("client", &pair.client), ("server", &pair.server)] {
        wait_flows(socket, "two flows", limit, |flows| open(flows) == 2).context(end)?;
    }
    Ok(id)
}

fn added_moved_removed(stage: &Stage) -> Result<()> {
    let load = Load::over(8, 4);
    let mut roaming = Roaming::start(stage, Some(load), Some(load))?;
    let before = roaming.counters()?;
    roaming.talk.wait_for_down(load.bytes / 8)?;
    let second = add_lte(stage, &mut roaming, &over_lte(false))?;
    // The flows share as little as they can.
    let listed = flows(&roaming.talk.pair.client)?;
    let added = listed.iter().find(|flow| flow.local_id == second);
    let added = added.context("the new flow is not listed")?;
    ensure!(
        added.remote == Access::SECOND.address(Family::V4) && !added.active,
        "{added:?}"
    );
    // Either side may add, and a third one may start where the first does.
    let pair = &roaming.talk.pair;
    let from_server = info(&pair.server)?.local_flow_id;
    let v6 = Addition {
        from: Target::Address(Access::SECOND.address(Family::V6)),
        remote: Some((Access::LTE.address(Family::V6), None)),
        backup: false,
    };
    roaming.server.client().add_flow(from_server, &v6)?;
    let limit = stage.patience(CHANGE);
    for socket in [&pair.client, &pair.server] {
        wait_flows(socket, "three flows", limit, |flows| open(flows) == 3)?;
    }
    // The flow that does not carry data moves by itself.
    let to = Access::WIFI.address(Family::V6);
    roaming.client.move_flow(second, to)?;
    wait_flows(&pair.client, "moved", limit, |flows| {
        let moved = flows.iter().find(|flow| flow.local_id == second);
        moved.is_some_and(|flow| flow.local == to && flow.state == FlowState::Established)
    })?;
    ensure!(
        active(&flows(&pair.client)?) == Some(Access::WIFI.address(Family::V4)),
        "data left the first flow"
    );
    roaming.client.client().prefer_flow(second)?;
    for socket in [&pair.client, &pair.server] {
        wait_flows(socket, "on the preferred flow", limit, |flows| {
            let carrier = flows.iter().find(|flow| flow.active);
            carrier.is_some_and(|flow| flow.local == to || flow.remote == to)
        })?;
    }
    // The flow that opened the connection is not special.
    roaming
        .client
        .client()
        .remove_flow(from_client(&pair.client, Access::WIFI)?)?;
    for socket in [&pair.client, &pair.server] {
        wait_flows(socket, "two flows left", limit, |flows| flows.len() == 2)?;
    }
    roaming.talk.wait_for_down(load.bytes * 7 / 8)?;
    let (client, server) = roaming.growth(&before)?;
    for counters in [&client, &server] {
        ensure!(
            counters.get(Counter::FlowsAdded) == 2 && counters.get(Counter::CarrierChanges) == 1,
            "counts: {counters}"
        );
    }
    roaming.talk.finish()?;
    Ok(())
}

/// The flow of a socket that starts at the IPv4 address of an access network.
fn from_client(socket: &TcpStream, access: Access) -> Result<u64> {
    let all = flows(socket)?;
    let found = all
        .iter()
        .find(|flow| flow.local == access.address(Family::V4));
    Ok(found.context("no such flow")?.local_id)
}

fn tool_commands(stage: &Stage) -> Result<()> {
    let load = Load::over(4, 4);
    let mut roaming = Roaming::start(stage, Some(load), None)?;
    let first = format!("{:016x}", info(&roaming.talk.pair.client)?.local_flow_id);
    let run = |arguments: &[&str]| roaming.campus.client.run(|| tool::run(arguments));
    let said = run(&[
        "flow", "add", &first, "--dev", "lte", "--backup", "--wait", "8",
    ])?;
    ensure!(said.contains("established in"), "the tool said {said}");
    let shown = run(&["flow", "show"])?;
    ensure!(
        shown.contains(" active ") && shown.contains(" backup "),
        "the tool showed {shown}"
    );
    let connection = run(&["-j", "connection", "show"])?;
    ensure!(
        connection.matches("\"primary_flow\"").count() == 1 && connection.contains("\"flows\":2"),
        "the tool showed {connection}"
    );
    let second = said.split(' ').next().context("an ID")?.to_string();
    run(&["flow", "prefer", &second])?;
    run(&["flow", "remove", &first])?;
    let limit = stage.patience(CHANGE);
    wait_flows(&roaming.talk.pair.server, "one flow", limit, |flows| {
        flows.len() == 1 && flows[0].active
    })?;
    for (arguments, words) in [
        (["flow", "remove", &second], "no other open flow"),
        (["flow", "prefer", &first], "no flow"),
    ] {
        let refused = roaming.campus.client.run(|| tool::output(&arguments))?;
        let told = String::from_utf8_lossy(&refused.stderr).into_owned();
        ensure!(
            !refused.status.success() && told.contains(words),
            "{arguments:?}: {told}"
        );
    }
    // A namespace may have fewer.
    roaming.client.set(vec![SettingsAttribute::MaxFlows(1)])?;
    let more = ["flow", "add", &second, "--dev", "wifi"];
    let refused = roaming.campus.client.run(|| tool::output(&more))?;
    let told = String::from_utf8_lossy(&refused.stderr).into_owned();
    ensure!(told.contains("max-flows"), "{told}");
    roaming.talk.finish()?;
    Ok(())
}

/// The longest pause between two messages when the client loses its address, with or without an
/// established backup flow, on paths with a round-trip time of twice [`ONE_WAY`].
fn measure(stage: &Stage, backup: bool) -> Result<Duration> {
    let mut roaming = Roaming::start(stage, None, None)?;
    for access in [Access::WIFI, Access::LTE] {
        roaming.campus.shape(access, Netem::delay(ONE_WAY))?;
    }
    if backup {
        add_lte(stage, &mut roaming, &over_lte(true))?;
    }
    let pair = &roaming.talk.pair;
    let (from, to) = (pair.client.try_clone()?, pair.server.try_clone()?);
    rustix::net::sockopt::set_tcp_nodelay(&from, true)?;
    let sender = thread::spawn(move || -> std::io::Result<()> {
        for _ in 0..MESSAGES {
            (&from).write_all(&[0x5a; 200])?;
            thread::sleep(TICK);
        }
        from.shutdown(std::net::Shutdown::Write)
    });
    let receiver = thread::spawn(move || drain(&to, |_| Ok(())));
    thread::sleep(TICK * MESSAGES / 3);
    let begin = Instant::now();
    roaming.campus.client.run(|| {
        Access::WIFI.leave(Family::V6)?;
        Access::WIFI.leave(Family::V4)
    })?;
    let panicked = |_| anyhow::anyhow!("a thread of the measurement panicked");
    let (received, end) = receiver.join().map_err(panicked)?;
    end.context("receiving")?;
    sender.join().map_err(panicked)?.context("sending")?;
    ensure!(
        received.bytes == 200 * u64::from(MESSAGES),
        "{} bytes came",
        received.bytes
    );
    Ok(received.longest_gap(begin, begin + TICK * MESSAGES / 3))
}

fn takes_over(stage: &Stage) -> Result<()> {
    let mut gaps = [Vec::new(), Vec::new()];
    for _ in 0..ROUNDS {
        for (backup, gaps) in [false, true].into_iter().zip(&mut gaps) {
            gaps.push(measure(stage, backup)?);
        }
    }
    let [handshake, backup] = gaps.map(|mut gaps| {
        gaps.sort_unstable();
        gaps[ROUNDS / 2]
    });
    stage.measure("message_interval_ms", TICK.as_millis() as u64);
    stage.measure("handshake_gap_ms", handshake.as_millis() as u64);
    stage.measure("backup_gap_ms", backup.as_millis() as u64);
    stage.measure("rtt_ms", 2 * ONE_WAY.as_millis() as u64);
    ensure!(
        backup + ONE_WAY < handshake,
        "the backup flow took {backup:?} to take over, the handshake {handshake:?}"
    );
    Ok(())
}

fn returns(stage: &Stage) -> Result<()> {
    let load = Load::over(6, 6);
    let mut roaming = Roaming::start(stage, Some(load), Some(load))?;
    let prefer = vec![
        SettingsAttribute::Policy(eccp_netlink::Policy::Prefer),
        SettingsAttribute::PreferDelayMs(500),
    ];
    roaming.client.set(prefer)?;
    add_lte(stage, &mut roaming, &over_lte(true))?;
    let (wifi, lte) = (
        Access::WIFI.address(Family::V4),
        Access::LTE.address(Family::V4),
    );
    roaming.talk.wait_for_down(load.bytes / 8)?;
    let (_, router) = roaming.campus.ends(Access::WIFI);
    let limit = stage.patience(CHANGE);
    // The carrier goes; the address stays.
    router.run(|| link::set_down(Access::WIFI.interface))?;
    let client = &roaming.talk.pair.client;
    wait_flows(client, "on lte", limit, |flows| active(flows) == Some(lte))?;
    let back = Instant::now();
    router.run(|| {
        link::set_up(Access::WIFI.interface)?;
        for family in Family::BOTH {
            // The router lost what its own interface had of IPv6.
            let _ = link::add_address(
                Access::WIFI.interface,
                link::Prefix::usual(Access::WIFI.router(family)),
            );
        }
        Ok(())
    })?;
    wait_flows(client, "back on wifi", limit, |flows| {
        active(flows) == Some(wifi)
    })?;
    ensure!(
        back.elapsed() >= Duration::from_millis(500),
        "data went back {:?} after the link came back",
        back.elapsed()
    );
    wait_flows(&roaming.talk.pair.server, "told", limit, |flows| {
        flows.iter().any(|flow| flow.active && flow.remote == wifi)
    })?;
    roaming.talk.finish()?;
    Ok(())
}

/// The owner of a socket does without netlink, and others are refused what cannot be.
fn of_a_socket(stage: &Stage) -> Result<()> {
    let load = Load::over(4, 3);
    let roaming = Roaming::start(stage, Some(load), Some(load))?;
    roaming.talk.wait_for_down(load.bytes / 8)?;
    let client = &roaming.talk.pair.client;
    let stream = Stream::from(client.as_fd().try_clone_to_owned()?);
    stream.add_flow(&over_lte(true))?;
    let limit = stage.patience(CHANGE);
    let both = wait_flows(client, "two flows", limit, |flows| open(flows) == 2)?;
    ensure!(both[0].active && both[1].backup, "{both:#?}");
    let second = both[1].local_id;
    stream.prefer_flow(second)?;
    let lte = Access::LTE.address(Family::V4);
    wait_flows(client, "on lte", limit, |flows| active(flows) == Some(lte))?;
    roaming.talk.wait_for_up(load.bytes / 2)?;
    let now = flows(client)?;
    ensure!(
        now.iter()
            .all(|flow| flow.tx_packets > 0 && flow.rx_packets > 0),
        "each flow has carried data: {now:#?}"
    );
    let to = Access::LTE.address(Family::V6);
    stream.move_flow(second, Target::Address(to))?;
    wait_flows(client, "moved", limit, |flows| active(flows) == Some(to))?;
    stream.remove_flow(both[0].local_id)?;
    wait_flows(client, "one flow", limit, |flows| flows.len() == 1)?;
    for (what, refused, errno) in [
        ("remove", stream.remove_flow(second), libc::EBUSY),
        ("prefer", stream.prefer_flow(1), libc::ENOTCONN),
        ("add", stream.add_flow(&over_nowhere()), libc::EADDRNOTAVAIL),
    ] {
        match refused {
            Err(error) if error.raw_os_error() == Some(errno) => {}
            other => bail!("{what} gave {other:?} instead of errno {errno}"),
        }
    }
    roaming.talk.finish()?;
    Ok(())
}

fn over_nowhere() -> Addition {
    Addition {
        from: Target::Address(Family::V4.host(99, 99)),
        remote: None,
        backup: false,
    }
}

/// Rules make addresses better, worse or unusable, and flows and lists follow.
fn rules(stage: &Stage) -> Result<()> {
    let load = Load::over(4, 4);
    let mut roaming = Roaming::start(stage, Some(load), Some(load))?;
    roaming.client.set(vec![
        SettingsAttribute::Policy(eccp_netlink::Policy::Prefer),
        SettingsAttribute::PreferDelayMs(200),
    ])?;
    let run = |arguments: &[&str]| roaming.campus.client.run(|| tool::run(arguments));
    roaming.talk.wait_for_down(load.bytes / 8)?;
    // The address in use becomes worse than the other one.
    let said = run(&[
        "rule",
        "add",
        "--dev",
        "wifi",
        "--priority",
        "9",
        "--metered",
    ])?;
    ensure!(said.trim() == "1 dev wifi priority 9 metered", "{said}");
    let lte = Access::LTE.address(Family::V4);
    roaming
        .client_arrives(lte)
        .context("the preferred address")?;
    let limit = stage.patience(CHANGE);
    let told = |wanted: &dyn Fn(&eccp_netlink::connection::Address) -> bool| -> Result<()> {
        let begin = Instant::now();
        loop {
            let mut server = crate::control::Control::open(&roaming.campus.server)?;
            let all = server.client().connections()?.items;
            if all.iter().any(|c| c.remote_addresses.iter().any(wanted)) {
                return Ok(());
            }
            ensure!(begin.elapsed() < limit, "the server knows {all:#?}");
            thread::sleep(Duration::from_millis(20));
        }
    };
    told(&|address| address.priority == Some(9) && address.metered)?;
    // An address that may never be used is left at once.
    let said = run(&["rule", "add", "--prefix", "10.2.0.0/16", "--never"])?;
    ensure!(said.contains("prefix 10.2.0.0/16 never"), "{said}");
    wait_flows(&roaming.talk.pair.client, "elsewhere", limit, |flows| {
        active(flows).is_some_and(|local| local != lte)
    })?;
    let shown = run(&["rule", "show"])?;
    ensure!(shown.lines().count() == 2, "{shown}");
    for (arguments, words) in [
        (vec!["rule", "delete", "77"], "no rule of this namespace"),
        (
            vec!["rule", "add", "--prefix", "10.2.0.1/16"],
            "beyond its length",
        ),
        (
            vec!["flow", "move", "x", "--to", "10.2.0.10"],
            "not a flow ID",
        ),
    ] {
        let refused = roaming.campus.client.run(|| tool::output(&arguments))?;
        let told = String::from_utf8_lossy(&refused.stderr).into_owned();
        ensure!(!refused.status.success() && told.contains(words), "{told}");
    }
    run(&["rule", "delete", "1"])?;
    roaming
        .client_arrives(Access::WIFI.address(Family::V4))
        .context("without the rule")?;
    roaming.talk.finish()?;
    Ok(())
}

/// The interface keeps its link and gets another address.
fn address_changes(stage: &Stage) -> Result<()> {
    for family in Family::BOTH {
        let load = Load::over(4, 4);
        let mut roaming = Roaming::start(stage, Some(load), Some(load))?;
        let (old, new) = (Access::WIFI.address(family), family.host(1, 77));
        if family == Family::V6 {
            roaming.client_moves(old)?;
        }
        // Nothing else is left to go to.
        roaming.campus.client.run(|| {
            Access::LTE.leave(Family::V6)?;
            Access::LTE.leave(Family::V4)?;
            let other = match family {
                Family::V4 => Family::V6,
                Family::V6 => Family::V4,
            };
            Access::WIFI.leave(other)
        })?;
        roaming.talk.wait_for_down(load.bytes / 4)?;
        roaming.campus.client.run(|| {
            Access::WIFI.leave(family)?;
            link::add_address(Access::WIFI.interface, link::Prefix::usual(new))?;
            Access::WIFI.add_routes_for(family, new)
        })?;
        roaming
            .client_arrives(new)
            .with_context(|| format!("{old} became {new}"))?;
        roaming.talk.finish()?;
    }
    Ok(())
}
