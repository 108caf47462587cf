// SPDX-License-Identifier: GPL-2.0-only
//! A client behind a NAT: nftables of the stock kernel, which forgets its bindings and lets
//! nothing but UDP pass.
//!
//! ```text
//!   client ──eth0─────────lan── home ──wan──────────eth0── server
//!     .2     10.20.0.0/24   .1  NAT  .1  10.30.0.0/24  .2
//! ```

use std::io::{ErrorKind, Read, Write};
use std::net::{Ipv4Addr, SocketAddr};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{ensure, Context, Result};
use eccp_netlink::flow::Service;
use eccp_netlink::settings::SettingsAttribute;
use eccp_netlink::socket::{Address, Datagram};
use eccp_netlink::stats::Counter;
use eccp_netlink::{Encap, FlowState};
use rustix::net::RecvFlags;

use crate::control::{wait_local, wait_until, Control};
use crate::conversation::{Conversation, Load};
use crate::link::{self, Prefix, Route};
use crate::namespace::Namespace;
use crate::nat;
use crate::netem::Netem;
use crate::roster::{Needs, Scenario};
use crate::stage::Stage;
use crate::stream::{info, Pair};
use crate::topology::Family;

const PORT: u16 = 7000;
/// The IP protocol of native encapsulation.
const ECCP_PROTOCOL: u8 = 253;
/// Longest pause in delivery when the NAT has forgotten the connection, on a quiet machine.
const GAP: Duration = Duration::from_millis(1500);

pub(super) const TABLE: &[Scenario] = &[
    scenario("nat_forgets_during_download", true, forgets_during_download),
    scenario("nat_forgets_during_upload", false, forgets_during_upload),
    scenario("nat_forgets_during_both", false, forgets_during_both),
    scenario("nat_forgets_while_idle", false, forgets_while_idle),
    scenario("nat_and_a_move", false, a_move),
    scenario("nat66_forgets_during_both", false, forgets_over_ipv6),
    scenario("nat_forgets_under_datagrams", true, forgets_under_datagrams),
];

const fn scenario(name: &'static str, smoke: bool, run: fn(&Stage) -> Result<()>) -> Scenario {
    Scenario {
        name,
        about: "a connection through a NAT breaks",
        seconds: 40,
        needs: Needs::Module,
        smoke,
        run,
    }
}

struct Home {
    family: Family,
    client: Namespace,
    router: Namespace,
    server: Namespace,
}

impl Home {
    fn build(family: Family) -> Result<Self> {
        let home = Home {
            family,
            client: Namespace::create("client")?,
            router: Namespace::create("home")?,
            server: Namespace::create("server")?,
        };
        link::add_veth((&home.client, "eth0"), (&home.router, "lan"))?;
        link::add_veth((&home.router, "wan"), (&home.server, "eth0"))?;
        for (host, name, network, number) in [
            (&home.client, "eth0", 20, 2),
            (&home.router, "lan", 20, 1),
            (&home.router, "wan", 30, 1),
            (&home.server, "eth0", 30, 2),
        ] {
            host.run(|| {
                link::add_address(name, Prefix::usual(family.host(network, number)))?;
                link::set_up(name)?;
                link::shape(name, &Netem::delay(Duration::from_millis(3)))
            })?;
        }
        home.client.run(|| {
            link::add_route(Route {
                destination: None,
                gateway: family.host(20, 1),
                metric: 0,
                table: None,
            })
        })?;
        home.router.run(|| {
            link::forward()?;
            nat::masquerade(ECCP_PROTOCOL)
        })?;
        Ok(home)
    }

    fn forget(&self) -> Result<()> {
        self.router.run(nat::flush)
    }

    /// Connects through the NAT; both ends must know what lies between them.
    fn connect(&self, stage: &Stage) -> Result<Pair> {
        let address = SocketAddr::new(self.family.host(30, 2), 7000);
        let pair = Pair::connect(stage.plan.transport, &self.client, &self.server, address)?;
        let outside = self.family.host(30, 1);
        let seen = info(&pair.server)?;
        ensure!(
            seen.remote == outside && seen.encap == Encap::Udp,
            "the server sees {} by {}",
            seen.remote,
            seen.encap
        );
        let flows = Control::open(&self.client)?.flows()?;
        let observed = flows.first().and_then(|flow| flow.nat.address);
        ensure!(
            observed == Some(outside),
            "the client believes that it is seen at {observed:?}"
        );
        let flows = Control::open(&self.server)?.flows()?;
        let observed = flows.first().and_then(|flow| flow.nat.address);
        ensure!(observed.is_none(), "the server sees a NAT: {observed:?}");
        Ok(pair)
    }
}

fn forgets_during_download(stage: &Stage) -> Result<()> {
    forgets(stage, Family::V4, true, false)
}

fn forgets_during_upload(stage: &Stage) -> Result<()> {
    forgets(stage, Family::V4, false, true)
}

fn forgets_during_both(stage: &Stage) -> Result<()> {
    forgets(stage, Family::V4, true, true)
}

/// A NAT that masquerades IPv6.
fn forgets_over_ipv6(stage: &Stage) -> Result<()> {
    forgets(stage, Family::V6, true, true)
}

fn forgets(stage: &Stage, family: Family, down: bool, up: bool) -> Result<()> {
    let home = Home::build(family)?;
    let pair = home.connect(stage)?;
    let load = Load::over(6, 3);
    let patience = stage.patience(Duration::from_secs(12));
    let mut server = Control::open(&home.server)?;
    let before = server.counters()?;
    let talk = Conversation::start(
        pair,
        &stage.random(),
        down.then_some(load),
        up.then_some(load),
        patience,
    )?;
    let come = |part: u64| match down {
        true => talk.wait_for_down(load.bytes * part / 3),
        false => talk.wait_for_up(load.bytes * part / 3),
    };
    let begin = come(1)?;
    home.forget()?;
    let end = come(2)?;
    let outcome = talk.finish()?;
    for (name, received) in [
        ("gap_to_client_ms", outcome.down),
        ("gap_to_server_ms", outcome.up),
    ] {
        let Some(received) = received else { continue };
        let gap = received.longest_gap(begin, end);
        stage.measure(name, gap.as_millis() as u64);
        let limit = stage.patience(GAP);
        ensure!(gap < limit, "nothing was delivered for {gap:?}");
    }
    let counted = server.counters()?.since(&before);
    ensure!(
        counted.get(Counter::Rebindings) == 1 && counted.get(Counter::PeerMoves) == 0,
        "the server counts {counted}"
    );
    Ok(())
}

/// The NAT forgets an idle connection, and then the server has something to say: a keepalive of
/// the client has shown it the new binding meanwhile.
fn forgets_while_idle(stage: &Stage) -> Result<()> {
    let home = Home::build(Family::V4)?;
    let mut pair = home.connect(stage)?;
    Control::open(&home.client)?.set(vec![SettingsAttribute::NatKeepaliveMs(1000)])?;
    thread::sleep(Duration::from_millis(500));
    let old = port_of(&home)?;
    home.forget()?;
    let begin = Instant::now();
    let limit = stage.patience(Duration::from_secs(4));
    while port_of(&home)? == old {
        ensure!(
            begin.elapsed() < limit,
            "the server still sends to port {old}"
        );
        thread::sleep(Duration::from_millis(10));
    }
    stage.measure("noticed_ms", begin.elapsed().as_millis() as u64);
    pair.client.set_read_timeout(Some(limit))?;
    let begin = Instant::now();
    pair.server.write_all(b"news")?;
    let mut news = [0; 4];
    pair.client
        .read_exact(&mut news)
        .context("the server's news")?;
    stage.measure("news_ms", begin.elapsed().as_millis() as u64);
    let limit = stage.patience(Duration::from_millis(1000));
    ensure!(
        &news == b"news" && begin.elapsed() < limit,
        "the news came after {:?}",
        begin.elapsed()
    );
    Ok(())
}

/// The port at which the server reaches its client.
fn port_of(home: &Home) -> Result<u16> {
    let flows = Control::open(&home.server)?.flows()?;
    let flow = flows.first().context("the server has no flow")?;
    flow.remote.port.context("a path without a port")
}

/// A client that changes its address behind the NAT, which then forgets that binding, too.
fn a_move(stage: &Stage) -> Result<()> {
    let home = Home::build(Family::V4)?;
    let pair = home.connect(stage)?;
    let load = Load::over(6, 3);
    let patience = stage.patience(Duration::from_secs(12));
    let talk = Conversation::start(pair, &stage.random(), Some(load), Some(load), patience)?;
    talk.wait_for_down(load.bytes / 4)?;
    let old = port_of(&home)?;
    let other = Family::V4.host(20, 3);
    home.client.run(|| {
        link::delete_address("eth0", Prefix::usual(Family::V4.host(20, 2)))?;
        link::add_address("eth0", Prefix::usual(other))?;
        link::add_route(Route {
            destination: None,
            gateway: Family::V4.host(20, 1),
            metric: 0,
            table: None,
        })
    })?;
    wait_local(&talk.pair.client, other, patience)?;
    wait_until(&talk.pair.server, "settled", patience, |info| {
        info.state == FlowState::Established
    })?;
    ensure!(port_of(&home)? != old, "the server has not followed");
    talk.wait_for_down(load.bytes / 2)?;
    home.forget()?;
    talk.finish()?;
    let counted = Control::open(&home.server)?.counters()?;
    ensure!(
        counted.get(Counter::Rebindings) >= 1 && counted.get(Counter::PeerMoves) >= 1,
        "the server counts {counted}"
    );
    Ok(())
}

/// Nobody acknowledges datagrams: those of the client show the server where it is now, so that
/// the server's go there.
fn forgets_under_datagrams(stage: &Stage) -> Result<()> {
    let home = Home::build(Family::V4)?;
    let any = Address::new(Ipv4Addr::UNSPECIFIED.into(), Service::Port(PORT));
    let server = home.server.run(|| Ok(Datagram::bind(any)?))?;
    let to = Address::new(Family::V4.host(30, 2), Service::Port(PORT));
    let client = home.client.run(|| Ok(Datagram::connected(to)?))?;
    client.send(b"hello")?;
    let (_, peer) = server.recv_from(&mut [0; 8], RecvFlags::empty())?;
    let old = port_of(&home)?;
    home.forget()?;
    client.set_read_timeout(Some(Duration::from_millis(20)))?;
    let begin = Instant::now();
    let limit = stage.patience(Duration::from_secs(4));
    // What the server sends to the old binding is lost, so only what comes by the new one counts.
    let mut answer = [0; 8];
    loop {
        client.send(b"where am I?")?;
        server.send_to(b"there", &peer)?;
        match client.recv(&mut answer) {
            Ok(length) => {
                ensure!(
                    &answer[..length] == b"there",
                    "{:?} came",
                    &answer[..length]
                );
                if port_of(&home)? != old {
                    break;
                }
            }
            Err(error) if error.kind() == ErrorKind::WouldBlock => {}
            Err(error) => return Err(error).context("receiving"),
        }
        ensure!(
            begin.elapsed() < limit,
            "nothing reaches the client: {}",
            Control::open(&home.server)?.counters()?
        );
    }
    stage.measure("followed_ms", begin.elapsed().as_millis() as u64);
    let counted = Control::open(&home.server)?.counters()?;
    ensure!(
        counted.get(Counter::Rebindings) == 1 && counted.get(Counter::PeerMoves) == 0,
        "the server counts {counted}"
    );
    Ok(())
}
