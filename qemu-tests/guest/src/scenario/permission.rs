// SPDX-License-Identifier: GPL-2.0-only
//! Who may change what, and who hears of it.
//!
//! ```text
//!            ┌─wifi── ap ───┐        ┌──eth0─┐
//!     client ┤              ├─ core ─┤       ├ server
//!            └─lte─── cell ─┘        └──eth1─┘
//! ```

use std::os::fd::{AsFd, OwnedFd};
use std::time::{Duration, Instant};

use anyhow::{bail, ensure, Result};
use eccp_netlink::event::Event;
use eccp_netlink::flow::{Flow, Target};
use eccp_netlink::settings::SettingsAttribute;
use eccp_netlink::socket::Stream;
use eccp_netlink::{Client, Error, Monitor, Notice};
use rustix::event::{poll, PollFd, PollFlags, Timespec};
use rustix::thread::{set_capabilities, CapabilitySet, CapabilitySets};

use super::roaming::Roaming;
use crate::control::Control;
use crate::conversation::Load;
use crate::roster::{Needs, Scenario};
use crate::stage::Stage;
use crate::stream::info;
use crate::topology::{Access, Family};

/// What the client's monitor says when a connection is opened, moved and closed.
const GOLDEN: &str = include_str!("../../golden/client-events.txt");

pub(super) const TABLE: &[Scenario] = &[
    scenario("changes_need_cap_net_admin", permission),
    scenario("monitor_tells_the_story_of_a_connection", monitor),
];

const fn scenario(name: &'static str, run: fn(&Stage) -> Result<()>) -> Scenario {
    Scenario {
        name,
        about: "somebody may change what they should not, or events are missing",
        seconds: 40,
        needs: Needs::Module,
        smoke: true,
        run,
    }
}

fn permission(stage: &Stage) -> Result<()> {
    let mut roaming = Roaming::start(stage, Some(Load::over(2, 1)), None)?;
    let flow = info(&roaming.talk.pair.client)?.local_flow_id;
    let lte = Access::LTE.address(Family::V4);
    let socket = roaming.talk.pair.client.as_fd().try_clone_to_owned()?;
    roaming
        .campus
        .client
        .run(|| without_capabilities(flow, socket))?;
    // The owner's own move was allowed and is the only one.
    roaming.client_arrives(lte)?;
    roaming.expect_moves(1)?;
    let settings = roaming.client.client().settings()?;
    ensure!(
        !settings.contains(&SettingsAttribute::DrainingMs(7777)),
        "a refused request changed a setting"
    );
    roaming.talk.finish()?;
    Ok(())
}

/// Runs on a thread of its own, whose capabilities end with it.
fn without_capabilities(flow: u64, socket: OwnedFd) -> Result<()> {
    let none = CapabilitySet::empty();
    set_capabilities(
        None,
        CapabilitySets {
            effective: none,
            permitted: none,
            inheritable: none,
        },
    )?;
    let mut client = Client::open()?;
    let target = Target::Address(Access::LTE.address(Family::V4));
    expect_refusal("flow-move", client.move_flow(flow, target))?;
    let setting = SettingsAttribute::DrainingMs(7777);
    expect_refusal("settings-set", client.set_settings(vec![setting]))?;
    let flows = client.flows()?.items;
    ensure!(
        flows.iter().any(|found| found.local_id == Some(flow)),
        "a reader without capabilities does not see flow {flow:#x}"
    );
    client.stats()?;
    client.info()?;
    Stream::from(socket).move_to(target)?;
    Ok(())
}

fn expect_refusal<T>(command: &str, answer: Result<T, Error>) -> Result<()> {
    match answer {
        Err(Error::Refused(refusal)) if refusal.errno == libc::EPERM => Ok(()),
        Err(error) => bail!("{command} without CAP_NET_ADMIN: {error}, not EPERM"),
        Ok(_) => bail!("{command} was obeyed without CAP_NET_ADMIN"),
    }
}

fn monitor(stage: &Stage) -> Result<()> {
    let campus = crate::topology::Campus::build()?;
    let mut monitor = campus.client.run(|| Ok(Monitor::open()?))?;
    let address = std::net::SocketAddr::new(Access::FIRST.address(Family::V4), 7000);
    let transport = stage.plan.transport;
    let pair = crate::stream::Pair::connect(transport, &campus.client, &campus.server, address)?;
    let mut control = Control::open(&campus.client)?;
    let flow = info(&pair.client)?.local_flow_id;
    let lte = Access::LTE.address(Family::V4);
    control.move_flow(flow, lte)?;
    let limit = stage.patience(Duration::from_secs(10));
    crate::control::wait_local(&pair.client, lte, limit)?;
    drop(pair);
    let mut story = String::new();
    let deadline = Instant::now() + limit;
    while !story.contains("connection-closed") {
        let Some(notice) = next_notice(&mut monitor, deadline)? else {
            break;
        };
        match notice {
            Notice::Event(event) => story += &line(&event, flow),
            Notice::Lost => bail!("events were lost after {story}"),
        }
    }
    ensure!(
        story == GOLDEN,
        "the monitor says\n{story}instead of\n{GOLDEN}"
    );
    Ok(())
}

fn next_notice(monitor: &mut Monitor, deadline: Instant) -> Result<Option<Notice>> {
    let left = deadline.saturating_duration_since(Instant::now());
    let timeout = Timespec {
        tv_sec: left.as_secs() as i64,
        tv_nsec: left.subsec_nanos().into(),
    };
    if !monitor.has_ready() {
        let mut fds = [PollFd::new(&*monitor, PollFlags::IN)];
        if poll(&mut fds, Some(&timeout))? == 0 {
            return Ok(None);
        }
    }
    Ok(Some(monitor.next_notice()?))
}

/// An event without what differs from run to run.
fn line(event: &Event, flow: u64) -> String {
    match event {
        Event::Flow(command, object) => format!("{command} {}\n", path(object, flow)),
        Event::Connection(command, connection) => {
            let own = connection.primary_flow == Some(flow);
            let reason = connection.reason.map(|reason| format!(" reason={reason}"));
            format!("{command} own={own}{}\n", reason.unwrap_or_default())
        }
        other => format!("{}\n", other.command()),
    }
}

fn path(flow: &Flow, own: u64) -> String {
    let address = |end: &eccp_netlink::flow::End| {
        end.address
            .map_or_else(|| "none".to_owned(), |address| address.to_string())
    };
    let reason = flow.reason.map(|reason| format!(" reason={reason}"));
    format!(
        "own={} local={} remote={}{}",
        flow.local_id == Some(own),
        address(&flow.local),
        address(&flow.remote),
        reason.unwrap_or_default()
    )
}
