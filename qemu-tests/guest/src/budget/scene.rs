// SPDX-License-Identifier: GPL-2.0-only
//! The network that a change happens in, and the connections that live
//! through it.
//!
//! ```text
//!            ┌─wifi── ap ═══┐        ┌──eth0─┐      wifi: 20 ms round trip
//!     client ┤              ├─ core ─┤       ├ server
//!            └─lte─── cell ─┘        └──eth1─┘      lte: 50 ms round trip
//! ```
//! The access point has a second line to the core, longer by 15 ms each way,
//! that is used after a change of route.

use std::net::{IpAddr, SocketAddr};
use std::os::fd::OwnedFd;
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result};

use super::eccp;
use super::gauge::Gauge;
use super::mptcp::{self, Endpoint, BACKUP, FULLMESH, SIGNAL, SUBFLOW};
use super::wireguard::{self, Tunnel};
use super::{Row, Way};
use crate::link::{self, Prefix, Route};
use crate::namespace::Namespace;
use crate::nat;
use crate::netem::Netem;
use crate::plan::Transport;
use crate::random::Random;
use crate::stream::{Listener, Pair};
use crate::topology::{Access, Campus, Family};

/// One-way delays.
const WIFI_DELAY: Duration = Duration::from_millis(10);
const LTE_DELAY: Duration = Duration::from_millis(25);
const DETOUR_DELAY: Duration = Duration::from_millis(15);
/// Number of the network of the access point's second line.
const DETOUR: u8 = 7;
/// Time for subflows, lists of addresses and round-trip times to settle.
const WARM_UP: Duration = Duration::from_millis(1500);
/// Host number of the client's next lease on wifi.
const NEW_HOST: u8 = 20;

/// MPTCP endpoints of the client by their numbers.
pub(super) const WIFI_ENDPOINT: u8 = 1;
const LTE_ENDPOINT: u8 = 2;
const NEW_ENDPOINT: u8 = 3;
/// MPTCP endpoint of the server's second uplink.
const SECOND_ENDPOINT: u8 = 4;

/// Network and connections.
#[derive(Debug)]
pub(super) struct Scene {
    /// The network.
    pub campus: Campus,
    /// The connections under measurement.
    pub gauges: Vec<(Way, Gauge)>,
    tunnel: Option<Tunnel>,
    listeners: Vec<OwnedFd>,
    row: Row,
}

impl Scene {
    /// Builds the network for `row`, connects every way, lets them run for a while.
    ///
    /// # Errors
    /// Whatever the kernel refuses.
    pub fn build(row: Row, ways: &[Way], random: &mut Random) -> Result<Self> {
        let campus = Campus::build()?;
        for host in [&campus.client, &campus.server] {
            prepare(host)?;
        }
        campus.shape(Access::WIFI, Netem::delay(WIFI_DELAY))?;
        campus.shape(Access::LTE, Netem::delay(LTE_DELAY))?;
        lay_detour(&campus)?;
        if row == Row::NatRebinding {
            campus.ap.run(|| nat::masquerade_on("core"))?;
        }
        let mut scene = Scene {
            campus,
            gauges: Vec::new(),
            tunnel: None,
            listeners: Vec::new(),
            row,
        };
        for way in ways {
            let pair = scene
                .connect(*way, random)
                .with_context(|| format!("connecting over {way:?}"))?;
            scene.gauges.push((*way, Gauge::start(pair)?));
        }
        thread::sleep(WARM_UP);
        Ok(scene)
    }

    fn connect(&mut self, way: Way, random: &mut Random) -> Result<Pair> {
        let (client, server) = (&self.campus.client, &self.campus.server);
        match way {
            Way::Tcp => Pair::connect(Transport::Tcp, client, server, address(way)),
            Way::Eccp => {
                for host in [client, server] {
                    eccp::configure(host, self.row)?;
                }
                let pair = Pair::connect(Transport::Eccp, client, server, address(way))?;
                eccp::add_backup(client, &pair)?;
                Ok(pair)
            }
            Way::Mptcp => {
                client.run(configure_mptcp_client)?;
                server.run(configure_mptcp_server)?;
                let listener = server.run(|| mptcp::listen(address(way).port()))?;
                let pair = mptcp::connect(client, &listener, address(way));
                self.listeners.push(listener);
                pair
            }
            Way::WireGuard => {
                let at = Access::FIRST.address(Family::V4);
                self.tunnel = Some(Tunnel::build(client, server, at, random)?);
                Pair::connect(Transport::Tcp, client, server, address(way))
            }
        }
    }

    fn runs(&self, way: Way) -> bool {
        self.gauges.iter().any(|(other, _)| *other == way)
    }

    /// The client gets another address on wifi and loses the old one.
    ///
    /// # Errors
    /// Whatever the kernel refuses.
    pub fn renumber(&self) -> Result<()> {
        let wifi = Access::WIFI;
        let new = Family::V4.host(wifi.network, NEW_HOST);
        self.campus.client.run(|| {
            wifi.leave(Family::V4)?;
            link::add_address(wifi.interface, Prefix::usual(new))?;
            wifi.add_routes_for(Family::V4, new)
        })?;
        self.forget_endpoint(WIFI_ENDPOINT)?;
        self.offer_endpoint(NEW_ENDPOINT, new)
    }

    /// The client and the server lose the addresses that they talk with.
    ///
    /// # Errors
    /// Whatever the kernel refuses.
    pub fn both_leave(&self) -> Result<()> {
        self.campus.client.run(|| Access::WIFI.leave(Family::V4))?;
        self.campus.server.run(|| Access::FIRST.leave(Family::V4))?;
        self.forget_endpoint(WIFI_ENDPOINT)?;
        if self.runs(Way::Mptcp) {
            let first = Endpoint {
                id: 0,
                address: Access::FIRST.address(Family::V4),
                interface: 0,
                flags: 0,
            };
            self.campus.server.run(|| first.delete())?;
        }
        Ok(())
    }

    /// What a network manager does about MPTCP when an address goes.
    ///
    /// # Errors
    /// The kernel's errno.
    pub fn forget_endpoint(&self, id: u8) -> Result<()> {
        if !self.runs(Way::Mptcp) {
            return Ok(());
        }
        let endpoint = Endpoint {
            id,
            address: Access::WIFI.address(Family::V4),
            interface: 0,
            flags: 0,
        };
        self.campus.client.run(|| endpoint.delete())
    }

    /// What a network manager does about MPTCP when wifi has an address.
    ///
    /// # Errors
    /// The kernel's errno.
    pub fn offer_endpoint(&self, id: u8, address: IpAddr) -> Result<()> {
        if !self.runs(Way::Mptcp) {
            return Ok(());
        }
        self.campus
            .client
            .run(|| endpoint(id, address, Access::WIFI, SUBFLOW | FULLMESH)?.add())
    }

    /// Takes the carrier of an access network of the client away.
    ///
    /// # Errors
    /// Whatever the kernel refuses.
    pub fn cut(&self, access: Access) -> Result<()> {
        let (_, router) = self.campus.ends(access);
        router.run(|| link::set_down(access.interface))
    }

    /// Gives it back.
    ///
    /// # Errors
    /// Whatever the kernel refuses.
    pub fn mend(&self, access: Access) -> Result<()> {
        let (_, router) = self.campus.ends(access);
        router.run(|| link::set_up(access.interface))
    }

    /// Everything on an access network vanishes, in both directions and
    /// without a word.
    ///
    /// # Errors
    /// Whatever the kernel refuses.
    pub fn swallow(&self, access: Access) -> Result<()> {
        self.campus.shape(access, hole())
    }

    /// The routers on both sides of the access point's line take the other one,
    /// and the old one fails.
    ///
    /// # Errors
    /// Whatever the kernel refuses.
    pub fn reroute(&self) -> Result<()> {
        let (ap, core) = (&self.campus.ap, &self.campus.core);
        ap.run(|| link::add_route(route(None, Family::V4.host(DETOUR, 1))))?;
        let wifi = Family::V4.host(Access::WIFI.network, 0);
        core.run(|| link::add_route(route(Some(wifi), Family::V4.host(DETOUR, 2))))?;
        ap.run(|| link::shape("core", &hole()))?;
        core.run(|| link::shape("ap", &hole()))
    }

    /// The access point forgets every connection that it masquerades.
    ///
    /// # Errors
    /// Whatever the kernel refuses.
    pub fn rebind(&self) -> Result<()> {
        self.campus.ap.run(nat::flush)
    }

    /// The server loses power: nothing leaves it any more, and nothing of it
    /// is left.
    ///
    /// # Errors
    /// Whatever the kernel refuses.
    pub fn kill_server(&mut self) -> Result<()> {
        for access in [Access::FIRST, Access::SECOND] {
            self.campus
                .server
                .run(|| link::shape(access.interface, &hole()))?;
        }
        for (_, gauge) in &mut self.gauges {
            gauge.kill_server();
        }
        Ok(())
    }

    /// The server comes back with its configuration and its services, and
    /// without any memory of its connections.
    ///
    /// # Errors
    /// Whatever the kernel refuses.
    pub fn boot_server(&mut self) -> Result<()> {
        let (row, with_eccp) = (self.row, self.runs(Way::Eccp));
        self.campus.replace_server(|server| match with_eccp {
            true => eccp::configure(server, row),
            false => Ok(()),
        })?;
        let server = &self.campus.server;
        prepare(server)?;
        for (way, _) in &self.gauges {
            let listener: OwnedFd = match way {
                Way::Tcp => listen(server, Transport::Tcp, *way)?,
                Way::Eccp => listen(server, Transport::Eccp, *way)?,
                Way::Mptcp => {
                    server.run(configure_mptcp_server)?;
                    server.run(|| mptcp::listen(address(*way).port()))?
                }
                Way::WireGuard => {
                    if let Some(tunnel) = &self.tunnel {
                        tunnel.rebuild_server(server)?;
                    }
                    listen(server, Transport::Tcp, *way)?
                }
            };
            self.listeners.push(listener);
        }
        Ok(())
    }

    /// Ends all connections.
    pub fn end(self) {
        for (_, gauge) in self.gauges {
            gauge.abort();
        }
    }
}

/// Where the service of a way is.
fn address(way: Way) -> SocketAddr {
    let (host, port) = match way {
        Way::Eccp => (Access::FIRST.address(Family::V4), 7000),
        Way::Tcp => (Access::FIRST.address(Family::V4), 7001),
        Way::Mptcp => (Access::FIRST.address(Family::V4), 7002),
        Way::WireGuard => (wireguard::SERVER.into(), 7003),
    };
    SocketAddr::new(host, port)
}

fn listen(server: &Namespace, transport: Transport, way: Way) -> Result<OwnedFd> {
    use std::os::fd::AsFd;
    let listener = server.run(|| Listener::bind(transport, address(way)))?;
    Ok(listener.as_fd().try_clone_to_owned()?)
}

/// IPv4 only, and no route by a link without carrier: the same for every way.
fn prepare(host: &Namespace) -> Result<()> {
    host.run(|| {
        link::sysctl("ipv6/conf/all/disable_ipv6", "1")?;
        for scope in ["all", "default"] {
            let path = format!("ipv4/conf/{scope}/ignore_routes_with_linkdown");
            link::sysctl(&path, "1")?;
        }
        Ok(())
    })
}

fn hole() -> Netem {
    Netem {
        loss: 1.0,
        ..Netem::default()
    }
}

fn lay_detour(campus: &Campus) -> Result<()> {
    link::add_veth((&campus.ap, "core2"), (&campus.core, "ap2"))?;
    for (host, name, number) in [(&campus.ap, "core2", 2), (&campus.core, "ap2", 1)] {
        host.run(|| {
            link::add_address(name, Prefix::usual(Family::V4.host(DETOUR, number)))?;
            link::set_up(name)?;
            link::shape(name, &Netem::delay(DETOUR_DELAY))
        })?;
    }
    Ok(())
}

fn route(destination: Option<IpAddr>, gateway: IpAddr) -> Route {
    Route {
        destination: destination.map(Prefix::usual),
        gateway,
        metric: 0,
        table: None,
    }
}

fn endpoint(id: u8, address: IpAddr, access: Access, flags: u32) -> Result<Endpoint> {
    Ok(Endpoint {
        id,
        address,
        interface: link::index(access.interface)?,
        flags,
    })
}

fn configure_mptcp_client() -> Result<()> {
    mptcp::lift_limits()?;
    let (wifi, lte) = (Access::WIFI, Access::LTE);
    let v4 = Family::V4;
    endpoint(WIFI_ENDPOINT, wifi.address(v4), wifi, SUBFLOW | FULLMESH)?.add()?;
    endpoint(
        LTE_ENDPOINT,
        lte.address(v4),
        lte,
        SUBFLOW | FULLMESH | BACKUP,
    )?
    .add()
}

fn configure_mptcp_server() -> Result<()> {
    mptcp::lift_limits()?;
    let second = Access::SECOND;
    endpoint(SECOND_ENDPOINT, second.address(Family::V4), second, SIGNAL)?.add()
}
