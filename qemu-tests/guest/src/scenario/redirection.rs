// SPDX-License-Identifier: GPL-2.0-only
//! Both ends lose every address that the other knows, and the router of a network that one of them
//! has left sends on what the other asks there.
//!
//! ```text
//!            ┌─wifi── ap ───┐        ┌──eth0─┐
//!     client ┤   ✗   cache  ├─ core ─┤  ✗    ├ server
//!            └─lte─── cell ─┘        └──eth1─┘
//! ```

use std::net::{IpAddr, SocketAddr};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{ensure, Context, Result};
use eccp_core::wire::{Message, Packet, PacketType, RedirectStep, MAC_LEN, MAX_CONTROL};
use eccp_netlink::event::Event;
use eccp_netlink::redirect::Redirect;
use eccp_netlink::settings::SettingsAttribute;
use eccp_netlink::stats::Counter;
use eccp_netlink::{Command, Encap, Monitor, Notice, Reason};
use rustix::net::{sendto, sockopt, AddressFamily, Protocol, SendFlags, SocketType};

use super::both::{leave, waits};
use crate::capture::{Frame, Tap, NATIVE_PROTOCOL};
use crate::control::{wait_remote, Control};
use crate::conversation::{Conversation, Load};
use crate::roster::{Needs, Scenario};
use crate::stage::Stage;
use crate::stream::{info, Pair};
use crate::tool;
use crate::topology::{Access, Campus, Family};

const PORT: u16 = 7000;
/// How long an entry lasts: longer than any machine takes.
const LASTS_MS: u32 = 600_000;
/// How long the users wait for an answer where there is no cache.
const USER_TIMEOUT: Duration = Duration::from_secs(3);
/// How long a state is waited for on a quiet machine.
const LIMIT: Duration = Duration::from_secs(15);

pub(super) const TABLE: &[Scenario] = &[
    scenario("redirection_finds_both", |stage| {
        finds(stage, Family::V4, Encap::Auto)
    }),
    scenario("redirection_in_udp", |stage| {
        finds(stage, Family::V4, Encap::Udp)
    }),
    scenario("redirection_over_ipv6", |stage| {
        finds(stage, Family::V6, Encap::Native)
    }),
    scenario("redirection_over_ipv6_in_udp", |stage| {
        finds(stage, Family::V6, Encap::Udp)
    }),
    scenario("redirection_without_a_cache", without),
    scenario("redirection_forged", forged),
    scenario("redirection_by_hand", by_hand),
];

const fn scenario(name: &'static str, run: fn(&Stage) -> Result<()>) -> Scenario {
    Scenario {
        name,
        about: "a redirection cache is of no use to those that it is for, or of use to others",
        seconds: 45,
        needs: Needs::Module,
        smoke: false,
        run,
    }
}

/// A connection between the first address of either.
pub(super) struct Meeting {
    pub(super) campus: Campus,
    family: Family,
    pair: Pair,
}

impl Meeting {
    /// Connects; `asks` says whether the hosts ask routers for tickets.
    pub(super) fn arrange(
        stage: &Stage,
        family: Family,
        encap: Encap,
        asks: bool,
        cache: bool,
    ) -> Result<Self> {
        let campus = Campus::build()?;
        campus.client.run(|| leave(Access::LTE))?;
        campus.server.run(|| leave(Access::SECOND))?;
        for host in [&campus.client, &campus.server] {
            Control::open(host)?.set(vec![
                SettingsAttribute::Encap(encap),
                SettingsAttribute::RedirectAsk(asks.into()),
            ])?;
        }
        if cache {
            let lasts = vec![SettingsAttribute::RedirectMs(LASTS_MS)];
            Control::open(&campus.ap)?.set(lasts)?;
        }
        let address = SocketAddr::new(Access::FIRST.address(family), PORT);
        let transport = stage.plan.transport;
        let pair = Pair::connect(transport, &campus.client, &campus.server, address)?;
        Ok(Meeting {
            campus,
            family,
            pair,
        })
    }

    /// No moment passes at which one could tell the other.
    pub(super) fn both_move(&self) -> Result<()> {
        let (client, server) = (&self.campus.client, &self.campus.server);
        client.run(|| leave(Access::WIFI))?;
        server.run(|| leave(Access::FIRST))?;
        client.run(|| Access::LTE.arrive(self.family))?;
        server.run(|| Access::SECOND.arrive(self.family))
    }

    /// Both have found each other, and data flows.
    pub(super) fn have_met(self, stage: &Stage) -> Result<Campus> {
        let begin = Instant::now();
        let limit = stage.patience(LIMIT);
        let server = Access::SECOND.address(self.family);
        let client = Access::LTE.address(self.family);
        wait_remote(&self.pair.client, server, limit).context("the client")?;
        wait_remote(&self.pair.server, client, limit).context("the server")?;
        stage.measure("found_ms", begin.elapsed().as_millis() as u64);
        let load = Some(Load::over(1, 1));
        Conversation::start(self.pair, &stage.random(), load, load, limit)?.finish()?;
        Ok(self.campus)
    }

    fn router(&self) -> Result<Control> {
        Control::open(&self.campus.ap)
    }

    /// Waits until the client has its ticket.
    pub(super) fn wait_for_ticket(&self, stage: &Stage) -> Result<()> {
        let mut client = Control::open(&self.campus.client)?;
        wait_for(&mut client, Counter::RedirectTickets, 1, stage)
    }

    fn old(&self) -> IpAddr {
        Access::WIFI.address(self.family)
    }
}

/// Waits until a counter has a value at least.
pub(super) fn wait_for(
    control: &mut Control,
    counter: Counter,
    least: u64,
    stage: &Stage,
) -> Result<()> {
    let (begin, limit) = (Instant::now(), stage.patience(LIMIT));
    loop {
        let counters = control.counters()?;
        if counters.get(counter) >= least {
            return Ok(());
        }
        ensure!(
            begin.elapsed() < limit,
            "{counter} is not {least}: {counters}"
        );
        thread::sleep(Duration::from_millis(5));
    }
}

/// The only entry of a router.
fn only_entry(router: &mut Control) -> Result<Redirect> {
    let mut entries = router.client().redirects()?;
    ensure!(entries.len() == 1, "the router has {entries:?}");
    entries.pop().context("no entry")
}

/// The mover's own entry, made and used.
fn finds(stage: &Stage, family: Family, encap: Encap) -> Result<()> {
    let meeting = Meeting::arrange(stage, family, encap, true, true)?;
    meeting.wait_for_ticket(stage)?;
    let flow = info(&meeting.pair.client)?.local_flow_id;
    let (old, mut router) = (meeting.old(), meeting.router()?);
    let mut monitor = meeting.campus.ap.run(|| Ok(Monitor::open()?))?;
    meeting.both_move()?;
    let campus = meeting.have_met(stage)?;
    let entry = only_entry(&mut router)?;
    let new = Access::LTE.address(family);
    ensure!(
        entry.old == Some(old) && entry.new == Some(new) && entry.flow_id == Some(flow),
        "the router has {entry:?} for flow {flow:x}"
    );
    ensure!(
        entry.hits.is_some_and(|hits| hits > 0) && entry.left_ms.is_some(),
        "the entry was not used: {entry:?}"
    );
    let counters = router.counters()?;
    for counter in [
        Counter::RedirectIssued,
        Counter::RedirectLearnt,
        Counter::RedirectHits,
    ] {
        ensure!(counters.get(counter) > 0, "the router counts {counters}");
    }
    let told = next_redirect(&mut monitor, Command::RedirectAdded)?;
    ensure!(
        told.old == Some(old) && told.flow_id == Some(flow),
        "the router says {told:?}"
    );
    comes_home(stage, &campus, family)?;
    let told = next_redirect(&mut monitor, Command::RedirectRemoved)?;
    ensure!(
        told.old == Some(old) && told.reason == Some(Reason::Returned) && told.hits >= entry.hits,
        "the router says {told:?}"
    );
    ensure!(
        router.counters()?.get(Counter::RedirectWithdrawn) == 1,
        "the router counts {}",
        router.counters()?
    );
    Ok(())
}

/// The client has the address again that it had left, and uses it.
fn comes_home(stage: &Stage, campus: &Campus, family: Family) -> Result<()> {
    campus.client.run(|| Access::LTE.leave(family))?;
    campus.client.run(|| Access::WIFI.arrive(family))?;
    let mut router = Control::open(&campus.ap)?;
    wait_for(&mut router, Counter::RedirectWithdrawn, 1, stage)
}

/// The next event of a router, which must be of one kind.
pub(super) fn next_redirect(monitor: &mut Monitor, wanted: Command) -> Result<Redirect> {
    let Notice::Event(event) = monitor.next_notice()? else {
        anyhow::bail!("the router's events were lost");
    };
    match *event {
        Event::Redirect(command, told) if command == wanted => Ok(told),
        other => anyhow::bail!("the router says {other:?} instead of {wanted}"),
    }
}

/// Hosts that ask, and no router that answers: the users' patience ends it.
fn without(stage: &Stage) -> Result<()> {
    let meeting = Meeting::arrange(stage, Family::V4, Encap::Auto, true, false)?;
    let patience = USER_TIMEOUT.as_millis() as u32;
    let ends = [
        ("client", &meeting.pair.client),
        ("server", &meeting.pair.server),
    ];
    for (_, end) in ends {
        sockopt::set_tcp_user_timeout(end, patience)?;
    }
    // The question passes the router, and the peer takes no notice of it.
    let mut server = Control::open(&meeting.campus.server)?;
    wait_for(&mut server, Counter::DropUnsupported, 1, stage)?;
    let begin = Instant::now();
    meeting.both_move()?;
    let limit = stage.patience(5 * USER_TIMEOUT);
    for (name, end) in ends {
        let error = waits(end, limit)?;
        let took = begin.elapsed();
        ensure!(
            error == libc::ETIMEDOUT && took > USER_TIMEOUT / 2,
            "the {name} sees errno {error} after {took:?}"
        );
        stage.measure(&format!("{name}_gave_up_ms"), took.as_millis() as u64);
    }
    Ok(())
}

/// Somebody on the way has seen what the client told its router, and says so himself.
fn forged(stage: &Stage) -> Result<()> {
    let meeting = Meeting::arrange(stage, Family::V4, Encap::Native, true, true)?;
    meeting.wait_for_ticket(stage)?;
    let (old, mut router) = (meeting.old(), meeting.router()?);
    let sight = Tap::open(&meeting.campus.ap, "core")?;
    meeting.both_move()?;
    let seen = sight.collect(1, stage.patience(LIMIT), is_tell)?;
    let tell = seen.first().context("the client told its router nothing")?;
    let campus = meeting.have_met(stage)?;
    let before = only_entry(&mut router)?;
    let thief = Access::SECOND.address(Family::V4);
    let claims = |change: &dyn Fn(&mut Message)| changed(tell.eccp(), change);
    let elsewhere = claims(&|message| {
        if let Some(record) = &mut message.record {
            record.addr = eccp_core::address::IpAddr128::from_v4([10, 4, 0, 10]);
        }
    })?;
    let newer = claims(&|message| message.version += 1)?;
    let other_flow = claims(&|message| message.receiver ^= 1)?;
    let attempts = [
        (tell.eccp(), Counter::RedirectMisplaced, 1),
        (&elsewhere, Counter::RedirectForged, 1),
        (&newer, Counter::RedirectForged, 2),
        (&other_flow, Counter::RedirectForged, 3),
    ];
    for (packet, counter, count) in attempts {
        campus.server.run(|| send_native(old, packet))?;
        wait_for(&mut router, counter, count, stage)
            .with_context(|| format!("a REDIRECT from {thief}"))?;
    }
    let after = only_entry(&mut router)?;
    ensure!(
        after.new == before.new && after.flow_id == before.flow_id,
        "a stranger has changed {before:?} to {after:?}"
    );
    Ok(())
}

fn is_tell(frame: &Frame) -> bool {
    let packet = Packet::parse(frame.eccp());
    let redirect = packet.ok().and_then(|packet| packet.message().redirect);
    redirect.is_some_and(|redirect| redirect.step == RedirectStep::Tell)
}

/// A control packet with another content and the MAC that it had.
fn changed(packet: &[u8], change: &dyn Fn(&mut Message)) -> Result<Vec<u8>> {
    let parsed = Packet::parse(packet).map_err(|error| anyhow::anyhow!("{error:?}"))?;
    let mut message = *parsed.message();
    ensure!(message.kind == PacketType::Redirect, "no REDIRECT");
    change(&mut message);
    let mut out = vec![0; MAX_CONTROL];
    let emitted = message
        .emit(&mut out, true)
        .map_err(|_| anyhow::anyhow!("too long"))?;
    out.truncate(emitted.len);
    let at = emitted.mac_at.context("no MAC")?;
    let (_, mac) = parsed.authenticated().context("no MAC")?;
    out[at..at + MAC_LEN].copy_from_slice(mac);
    Ok(out)
}

/// Sends a packet natively from the calling thread's namespace.
fn send_native(to: IpAddr, packet: &[u8]) -> Result<()> {
    let number = u32::from(NATIVE_PROTOCOL).try_into().ok();
    let protocol = number.map(Protocol::from_raw);
    let socket = rustix::net::socket(AddressFamily::INET, SocketType::RAW, protocol)?;
    let sent = sendto(&socket, packet, SendFlags::empty(), &SocketAddr::new(to, 0))?;
    ensure!(sent == packet.len(), "{sent} bytes were sent");
    Ok(())
}

/// The operator of the router makes the entry, for hosts that know nothing of routers.
fn by_hand(stage: &Stage) -> Result<()> {
    let meeting = Meeting::arrange(stage, Family::V4, Encap::Auto, false, false)?;
    let mut router = meeting.router()?;
    let mut words = vec!["redirect", "add", "10.1.0.10", "10.2.0.10"];
    let ap = |arguments: &[&str]| meeting.campus.ap.run(|| tool::run(arguments));
    let refused = |arguments: &[&str], text: &str| {
        let output = meeting.campus.ap.run(|| tool::output(arguments))?;
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        ensure!(
            output.status.code() == Some(2) && said.contains(text),
            "{arguments:?} is answered with {said:?}"
        );
        Ok(())
    };
    refused(&words, "redirect-ms is zero")?;
    ap(&["settings", "set", "redirect-ms", "600000"])?;
    refused(&["redirect", "add", "10.1.0.10", "fd00::1"], "one family")?;
    refused(
        &["redirect", "add", "10.1.0.10", "224.0.0.1"],
        "no RSYN can",
    )?;
    refused(&["redirect", "delete", "10.1.0.10"], "nothing is sent on")?;
    // One that is forgotten by itself.
    ap(&["redirect", "add", "10.1.0.77", "10.2.0.77", "--time", "1"])?;
    wait_for(&mut router, Counter::RedirectExpired, 1, stage)?;
    ap(&words)?;
    let shown = ap(&["redirect"])?;
    ensure!(
        shown.starts_with("10.1.0.10 -> 10.2.0.10 every flow for ") && shown.lines().count() == 1,
        "the tool shows {shown:?}"
    );
    meeting.both_move()?;
    let campus = meeting.have_met(stage)?;
    let hits = only_entry(&mut router)?.hits;
    ensure!(hits.is_some_and(|hits| hits > 0), "{hits:?} RSYNs went on");
    words.truncate(3);
    words[1] = "delete";
    campus.ap.run(|| tool::run(&words))?;
    let left = router.client().redirects()?;
    ensure!(left.is_empty(), "the router still has {left:?}");
    let said = router.counters()?;
    ensure!(
        said.get(Counter::RedirectIssued) == 0,
        "the router counts {said}"
    );
    Ok(())
}
