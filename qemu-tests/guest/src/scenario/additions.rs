// SPDX-License-Identifier: GPL-2.0-only
//! A flow that is added by UDP to a connection that began natively: the token in its SYN is bound
//! to ports too (R18).

use anyhow::{ensure, Context, Result};
use eccp_netlink::settings::SettingsAttribute;
use eccp_netlink::stats::Counter;
use eccp_netlink::Encap;

use super::flows::{active, add_lte, over_lte, wait_flows, CHANGE};
use super::roaming::Roaming;
use crate::conversation::Load;
use crate::roster::{Needs, Scenario};
use crate::stage::Stage;
use crate::topology::{Access, Family};

pub(super) const TABLE: &[Scenario] = &[Scenario {
    name: "flow_added_by_udp",
    about: "a flow is not added where only UDP passes, or carries no data there",
    seconds: 60,
    needs: Needs::Module,
    smoke: false,
    run: by_udp,
}];

fn by_udp(stage: &Stage) -> Result<()> {
    let load = Load::over(4, 3);
    let mut roaming = Roaming::start(stage, Some(load), Some(load))?;
    let before = roaming.counters()?;
    roaming.talk.wait_for_down(load.bytes / 8)?;
    for control in [&mut roaming.client, &mut roaming.server] {
        control.set(vec![SettingsAttribute::Encap(Encap::Udp)])?;
    }
    let second = add_lte(stage, &mut roaming, &over_lte(false))?;
    let lte = Access::LTE.address(Family::V4);
    let pair = &roaming.talk.pair;
    let limit = stage.patience(CHANGE);
    roaming.client.client().prefer_flow(second)?;
    let there = wait_flows(&pair.client, "on lte", limit, |flows| {
        active(flows) == Some(lte)
    })?;
    let added = there.iter().find(|flow| flow.local_id == second);
    let added = added.context("the new flow is not listed")?;
    ensure!(added.encap == Encap::Udp, "{added:?}");
    wait_flows(&pair.server, "on the preferred flow", limit, |flows| {
        flows.iter().any(|flow| flow.active && flow.remote == lte)
    })?;
    roaming.talk.wait_for_up(load.bytes * 7 / 8)?;
    let (client, server) = roaming.growth(&before)?;
    for counters in [&client, &server] {
        ensure!(
            counters.get(Counter::FlowsAdded) == 1 && counters.get(Counter::DropBadToken) == 0,
            "counts: {counters}"
        );
    }
    roaming.talk.finish()?;
    Ok(())
}
