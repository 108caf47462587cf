// SPDX-License-Identifier: GPL-2.0-only
//! How the entries of a redirection cache end: by time, by an operator, with the cache, with its
//! namespace, with the module.

use std::thread;
use std::time::Duration;

use anyhow::{ensure, Context, Result};
use eccp_netlink::redirect::Redirect;
use eccp_netlink::settings::SettingsAttribute;
use eccp_netlink::stats::Counter;
use eccp_netlink::{Command, Encap, Monitor, Reason};

use super::lifecycle;
use super::redirection::{next_redirect, Meeting};
use crate::control::Control;
use crate::module;
use crate::namespace::Namespace;
use crate::roster::{Needs, Scenario};
use crate::stage::Stage;
use crate::supervisor::MODULE;
use crate::topology::Family;

/// The shortest life of an entry.
const SHORT_MS: u32 = 1000;
/// Longer than that: a timer that nobody stopped has fired by then.
const AFTER: Duration = Duration::from_millis(1300);
/// Entries of operators that a router may have.
const MOST: u8 = 64;
/// Routers that go one after another.
const ROUTERS: usize = 8;

pub(super) const TABLE: &[Scenario] = &[
    scenario("redirection_entries_end", Needs::Module, end),
    scenario(
        "redirection_and_namespaces_that_go",
        Needs::Module,
        namespaces,
    ),
    scenario("redirection_and_unloading", Needs::NoModule, unloading),
];

const fn scenario(name: &'static str, needs: Needs, run: fn(&Stage) -> Result<()>) -> Scenario {
    Scenario {
        name,
        about: "entries of a redirection cache do not end as they should, or are used after that",
        seconds: 60,
        needs,
        smoke: false,
        run,
    }
}

/// A router with a cache.
fn router(name: &str) -> Result<(Namespace, Control)> {
    let router = Namespace::create(name)?;
    let mut control = Control::open(&router)?;
    control.set(vec![SettingsAttribute::RedirectMs(SHORT_MS)])?;
    Ok((router, control))
}

fn entry(last: u8, left_ms: Option<u32>) -> Redirect {
    Redirect {
        old: Some(Family::V4.host(1, last)),
        new: Some(Family::V4.host(2, last)),
        left_ms,
        ..Redirect::default()
    }
}

fn fill(control: &mut Control) -> Result<()> {
    for last in 1..=MOST {
        control.client().add_redirect(&entry(last, None))?;
    }
    Ok(())
}

/// Whoever listens is told of every end, also if nobody asks the router for anything.
fn end(_stage: &Stage) -> Result<()> {
    let (namespace, mut control) = router("router")?;
    let mut monitor = namespace.run(|| Ok(Monitor::open()?))?;
    let long = Some(600_000);
    let mut told = |wanted, last, why| {
        let said = next_redirect(&mut monitor, wanted)?;
        ensure!(
            said.old == entry(last, None).old && said.reason == why,
            "of {last} the router says {said:?}"
        );
        anyhow::Ok(said)
    };
    control.client().add_redirect(&entry(1, long))?;
    control.client().add_redirect(&entry(2, None))?;
    told(Command::RedirectAdded, 1, None)?;
    told(Command::RedirectAdded, 2, None)?;
    told(Command::RedirectRemoved, 2, Some(Reason::Expired))?;
    // Another place takes the one that is there.
    let moved = Redirect {
        new: Some(Family::V4.host(3, 1)),
        ..entry(1, long)
    };
    control.client().add_redirect(&moved)?;
    let said = told(Command::RedirectAdded, 1, None)?;
    ensure!(said.new == moved.new, "the router says {said:?}");
    control.client().add_redirect(&entry(3, long))?;
    told(Command::RedirectAdded, 3, None)?;
    control
        .client()
        .delete_redirect(moved.old.context("an address")?, None)?;
    told(Command::RedirectRemoved, 1, Some(Reason::Command))?;
    control.set(vec![SettingsAttribute::RedirectMs(0)])?;
    told(Command::RedirectRemoved, 3, Some(Reason::Command))?;
    let counted = control.counters()?;
    ensure!(
        counted.get(Counter::RedirectExpired) == 1,
        "the router counts {counted}"
    );
    Ok(())
}

/// Routers, and hosts that have asked them, go while their entries wait to expire.
fn namespaces(stage: &Stage) -> Result<()> {
    for round in 0..ROUTERS {
        let (namespace, mut control) = router(&format!("router{round}"))?;
        fill(&mut control)?;
        drop(control);
        namespace.delete();
    }
    let meeting = meet(stage)?;
    drop(meeting);
    thread::sleep(AFTER);
    Ok(())
}

/// A connection between hosts that hold tickets, and a router with entries of a second.
fn meet(stage: &Stage) -> Result<Meeting> {
    let meeting = Meeting::arrange(stage, Family::V4, Encap::Native, true, true)?;
    meeting.wait_for_ticket(stage)?;
    let mut router = Control::open(&meeting.campus.ap)?;
    router.set(vec![SettingsAttribute::RedirectMs(SHORT_MS)])?;
    fill(&mut router)?;
    meeting.both_move()?;
    Ok(meeting)
}

/// The module goes while its namespaces have entries, and comes again.
fn unloading(stage: &Stage) -> Result<()> {
    for round in 0..3 {
        lifecycle::insert(stage, "")?;
        let (namespace, mut control) = router(&format!("router{round}"))?;
        fill(&mut control)?;
        drop(control);
        unload(stage)?;
        drop(namespace);
    }
    lifecycle::insert(stage, "")?;
    let campus = meet(stage)?.have_met(stage)?;
    fill(&mut Control::open(&campus.ap)?)?;
    unload(stage)
}

fn unload(stage: &Stage) -> Result<()> {
    lifecycle::released(stage)?;
    module::remove(MODULE).context("rmmod with live entries")?;
    thread::sleep(AFTER);
    Ok(())
}
