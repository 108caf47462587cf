// SPDX-License-Identifier: GPL-2.0-only
//! Datagrams go on at another address: none twice, few lost.
//!
//! ```text
//!            ┌─wifi── ap ───┐        ┌──eth0─┐
//!     client ┤              ├─ core ─┤       ├ server
//!            └─lte─── cell ─┘        └──eth1─┘
//! ```
//! Both ends send numbered datagrams all the time. What a move costs is counted
//! by number at the receivers.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use anyhow::{anyhow, ensure, Context, Result};
use eccp_netlink::flow::{Addition, Flow, Service, Target};
use eccp_netlink::socket::{Address, Datagram, Peer};
use eccp_netlink::FlowState;
use rustix::net::RecvFlags;

use super::datagrams::{service, PORT};
use super::outages::{cut, Way};
use crate::control::Control;
use crate::link;
use crate::netem::Netem;
use crate::roster::{Needs, Scenario};
use crate::stage::Stage;
use crate::topology::{Access, Campus, Family};

/// Time between two datagrams of one end.
const GAP: Duration = Duration::from_millis(2);
/// How long datagrams may be lost, on a quiet machine, when an address or a
/// link vanishes: those to the client, until the server knows where it is.
const LOST: Duration = Duration::from_millis(500);

/// The same when packets vanish on the way: the path is asked first.
const SWALLOWED: Duration = Duration::from_millis(1500);

pub(super) const TABLE: &[Scenario] = &[
    scenario("datagrams_planned_move", true, planned),
    scenario("datagrams_server_moves", false, server_moves),
    scenario("datagrams_address_removed", true, address_removed),
    scenario("datagrams_link_down", false, link_down),
    scenario("datagrams_without_address", false, no_address),
    scenario("datagrams_black_hole", true, black_hole),
    scenario("datagrams_take_another_flow", false, another_flow),
];

const fn scenario(name: &'static str, smoke: bool, run: fn(&Stage) -> Result<()>) -> Scenario {
    Scenario {
        name,
        about: "a move doubles datagrams or loses more than are on their way",
        seconds: 40,
        needs: Needs::Module,
        smoke,
        run,
    }
}

/// What a receiver saw: how often each number came.
type Seen = BTreeMap<u32, u32>;

/// Two ends that send to each other.
pub(super) struct Exchange<'a> {
    stage: &'a Stage,
    pub(super) campus: Campus,
    pub(super) client: Arc<Datagram>,
    server: Arc<Datagram>,
    stop: Arc<AtomicBool>,
    senders: Vec<JoinHandle<Result<u32>>>,
    receivers: Vec<JoinHandle<Result<Seen>>>,
}

impl<'a> Exchange<'a> {
    pub(super) fn start(stage: &'a Stage) -> Result<Self> {
        let campus = Campus::build()?;
        campus.shape(Access::WIFI, Netem::delay(Duration::from_millis(5)))?;
        campus.shape(Access::LTE, Netem::delay(Duration::from_millis(10)))?;
        let any = Address::new(std::net::Ipv4Addr::UNSPECIFIED.into(), Service::Port(PORT));
        let server = campus.server.run(|| Ok(Datagram::bind(any)?))?;
        let to = service(Access::FIRST.address(Family::V4));
        let client = campus.client.run(|| Ok(Datagram::connected(to)?))?;
        client.send(b"")?;
        let (_, peer) = server.recv_from(&mut [], RecvFlags::empty())?;
        let (client, server) = (Arc::new(client), Arc::new(server));
        let stop = Arc::new(AtomicBool::new(false));
        let senders = vec![send(&client, None, &stop), send(&server, Some(peer), &stop)];
        let receivers = vec![receive(&server, &stop)?, receive(&client, &stop)?];
        Ok(Exchange {
            stage,
            campus,
            client,
            server,
            stop,
            senders,
            receivers,
        })
    }

    pub(super) fn client_moves(&self, to: IpAddr) -> Result<()> {
        self.client.move_to(Target::Address(to))?;
        self.client_arrives(to)
    }

    fn client_arrives(&self, to: IpAddr) -> Result<()> {
        let begin = Instant::now();
        let limit = self.stage.patience(Duration::from_secs(10));
        loop {
            let info = self.client.info()?;
            if info.local == to && info.state == FlowState::Established {
                return Ok(());
            }
            ensure!(
                begin.elapsed() < limit,
                "the client is at {} ({:?}) after {limit:?}",
                info.local,
                info.state
            );
            thread::sleep(GAP);
        }
    }

    /// Ends the exchange; the numbers that were lost on the way up and down.
    pub(super) fn finish(self) -> Result<[u32; 2]> {
        thread::sleep(Duration::from_millis(300));
        self.stop.store(true, Ordering::Release);
        let mut sent = Vec::new();
        for sender in self.senders {
            sent.push(sender.join().map_err(|_| anyhow!("a sender panicked"))??);
        }
        let mut lost = [0; 2];
        for (way, receiver) in self.receivers.into_iter().enumerate() {
            let seen = receiver
                .join()
                .map_err(|_| anyhow!("a receiver panicked"))??;
            let twice: Vec<_> = seen.iter().filter(|(_, times)| **times > 1).collect();
            ensure!(twice.is_empty(), "way {way}: came twice: {twice:?}");
            let sent = sent.get(way).copied().unwrap_or(0);
            ensure!(
                seen.keys().all(|number| *number < sent),
                "way {way}: more than {sent} came"
            );
            lost[way] = sent - seen.len() as u32;
        }
        self.stage.measure("sent", sent);
        self.stage.measure("lost", lost.to_vec());
        drop((self.client, self.server));
        Ok(lost)
    }

    /// Fails if more datagrams were lost than are sent in `time` on a quiet machine.
    fn expect_lost_within(self, time: Duration) -> Result<()> {
        let most = self.stage.patience(time).as_micros() / GAP.as_micros();
        let lost = self.finish()?;
        ensure!(
            lost.iter().all(|lost| u128::from(*lost) <= most),
            "{lost:?} datagrams were lost, more than {most}"
        );
        Ok(())
    }
}

fn send(
    socket: &Arc<Datagram>,
    to: Option<Peer>,
    stop: &Arc<AtomicBool>,
) -> JoinHandle<Result<u32>> {
    let (socket, stop) = (socket.clone(), stop.clone());
    thread::spawn(move || {
        let mut number: u32 = 0;
        while !stop.load(Ordering::Acquire) {
            let text = [number.to_be_bytes(), [0x5a; 4]].concat();
            let sent = match &to {
                None => socket.send(&text),
                Some(peer) => socket.send_to(&text, peer),
            };
            match sent {
                Ok(_) => number += 1,
                // As many as may wait for a path do.
                Err(error) if error.raw_os_error() == Some(libc::ENOBUFS) => {}
                Err(error) => return Err(error).with_context(|| format!("sending {number}")),
            }
            thread::sleep(GAP);
        }
        Ok(number)
    })
}

/// Receives until nothing has come for a while after the stop.
fn receive(socket: &Arc<Datagram>, stop: &Arc<AtomicBool>) -> Result<JoinHandle<Result<Seen>>> {
    let (socket, stop) = (socket.clone(), stop.clone());
    socket.set_read_timeout(Some(Duration::from_millis(300)))?;
    Ok(thread::spawn(move || {
        let mut seen = Seen::new();
        let mut buffer = [0; 16];
        loop {
            match socket.recv(&mut buffer) {
                Ok(length) => {
                    ensure!(
                        length == 8 && buffer[4..8] == [0x5a; 4],
                        "{:?} came",
                        &buffer[..length]
                    );
                    let [a, b, c, d, ..] = buffer;
                    *seen.entry(u32::from_be_bytes([a, b, c, d])).or_default() += 1;
                }
                Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => {
                    if stop.load(Ordering::Acquire) {
                        return Ok(seen);
                    }
                }
                Err(error) => return Err(error).context("receiving"),
            }
        }
    }))
}

fn planned(stage: &Stage) -> Result<()> {
    let exchange = Exchange::start(stage)?;
    for access in [Access::LTE, Access::WIFI, Access::LTE] {
        thread::sleep(Duration::from_millis(400));
        exchange.client_moves(access.address(Family::V4))?;
    }
    // The way back is held by the proof of the new address alone.
    exchange.expect_lost_within(Duration::ZERO)
}

fn server_moves(stage: &Stage) -> Result<()> {
    let exchange = Exchange::start(stage)?;
    for access in [Access::SECOND, Access::FIRST] {
        thread::sleep(Duration::from_millis(400));
        let flow = exchange.client.info()?.remote_flow_id;
        let to = access.address(Family::V4);
        Control::open(&exchange.campus.server)?.move_flow(flow, to)?;
        let begin = Instant::now();
        while exchange.client.info()?.remote != to {
            let limit = stage.patience(Duration::from_secs(10));
            ensure!(
                begin.elapsed() < limit,
                "the server is not at {to} after {limit:?}"
            );
            thread::sleep(GAP);
        }
    }
    exchange.expect_lost_within(Duration::ZERO)
}

fn address_removed(stage: &Stage) -> Result<()> {
    let exchange = Exchange::start(stage)?;
    thread::sleep(Duration::from_millis(500));
    exchange.campus.client.run(|| {
        Access::WIFI.leave(Family::V6)?;
        Access::WIFI.leave(Family::V4)
    })?;
    wait_for_lte(&exchange)?;
    thread::sleep(Duration::from_millis(500));
    exchange.expect_lost_within(LOST)
}

fn link_down(stage: &Stage) -> Result<()> {
    let exchange = Exchange::start(stage)?;
    thread::sleep(Duration::from_millis(500));
    exchange
        .campus
        .ap
        .run(|| link::set_down(Access::WIFI.interface))?;
    wait_for_lte(&exchange)?;
    thread::sleep(Duration::from_millis(500));
    exchange.expect_lost_within(LOST)
}

fn wait_for_lte(exchange: &Exchange<'_>) -> Result<()> {
    let begin = Instant::now();
    let limit = exchange.stage.patience(Duration::from_secs(10));
    loop {
        let info = exchange.client.info()?;
        let at_lte = Family::BOTH
            .map(|family| Access::LTE.address(family))
            .contains(&info.local);
        if at_lte && info.state == FlowState::Established {
            return Ok(());
        }
        ensure!(
            begin.elapsed() < limit,
            "the client is at {} ({:?}) after {limit:?}",
            info.local,
            info.state
        );
        thread::sleep(GAP);
    }
}

/// Every link stays up, and nothing arrives any more.
fn black_hole(stage: &Stage) -> Result<()> {
    let exchange = Exchange::start(stage)?;
    thread::sleep(Duration::from_millis(500));
    cut(&exchange.campus, Access::WIFI, Way::Both, true)?;
    wait_for_lte(&exchange)?;
    thread::sleep(Duration::from_millis(500));
    exchange.expect_lost_within(SWALLOWED)
}

/// Datagrams leave the flow that opened the connection, and it is removed.
fn another_flow(stage: &Stage) -> Result<()> {
    let exchange = Exchange::start(stage)?;
    let mut control = Control::open(&exchange.campus.client)?;
    let first = exchange.client.info()?.local_flow_id;
    let addition = Addition {
        from: Target::Address(Access::LTE.address(Family::V4)),
        remote: None,
        backup: false,
    };
    let second = control.client().add_flow(first, &addition)?;
    let limit = stage.patience(Duration::from_secs(10));
    let begin = Instant::now();
    let is_open =
        |flow: &Flow| flow.local_id == Some(second) && flow.state == Some(FlowState::Established);
    while !control.flows()?.iter().any(is_open) {
        ensure!(
            begin.elapsed() < limit,
            "there is no second flow after {limit:?}"
        );
        thread::sleep(GAP);
    }
    control.client().prefer_flow(second)?;
    while exchange.client.info()?.local_flow_id != second {
        ensure!(
            begin.elapsed() < limit,
            "the second flow is not taken after {limit:?}"
        );
        thread::sleep(GAP);
    }
    // What is under way along the first arrives.
    thread::sleep(Duration::from_millis(500));
    control.client().remove_flow(first)?;
    thread::sleep(Duration::from_millis(300));
    exchange.expect_lost_within(Duration::ZERO)
}

/// Without any address the datagrams of the client wait, and arrive later.
fn no_address(stage: &Stage) -> Result<()> {
    let exchange = Exchange::start(stage)?;
    thread::sleep(Duration::from_millis(300));
    exchange.campus.client.run(|| {
        for access in [Access::WIFI, Access::LTE] {
            for family in Family::BOTH {
                access.leave(family)?;
            }
        }
        Ok(())
    })?;
    let up: u32 = 50;
    thread::sleep(GAP * up);
    let state = exchange.client.info()?.state;
    ensure!(state == FlowState::NoAddress, "the flow is {state:?}");
    exchange
        .campus
        .client
        .run(|| Access::LTE.arrive(Family::V4))?;
    exchange.client_arrives(Access::LTE.address(Family::V4))?;
    thread::sleep(Duration::from_millis(300));
    let [lost, _] = exchange.finish()?;
    // Those that were under way, and the few before the module noticed.
    ensure!(lost <= up / 2, "{lost} datagrams of the client were lost");
    Ok(())
}
