// SPDX-License-Identifier: GPL-2.0-only
//! The two networks that scenarios run on.
//!
//! [`Wire`]: two hosts on one veth.
//!
//! ```text
//!   client ──eth0───────────────eth0── server
//!     .2         10.0.0.0/24            .1
//!               fd00:0:0:0::/64
//! ```
//!
//! [`Campus`]: a client with two access networks, a server with two uplinks.
//!
//! ```text
//!            wifi 10.1.0.0/24                          10.3.0.0/24
//!            .10 ┌────┐ .1   10.5.0.0/24         .1 ┌─────────────eth0 .10
//!           ┌────┤ ap ├──────────────┐             │                  │
//!   client ─┤    └────┘           ┌───┴──┐──────────┘                server
//!           └────┤cell├───────────┤ core │──────────┐                  │
//!            .10 └────┘ .1        └──────┘       .1 └─────────────eth1 .10
//!            lte  10.2.0.0/24  10.6.0.0/24              10.4.0.0/24
//! ```
//! IPv6 likewise: network 10.N.0.0/24 is fd00:0:0:N::/64 with the same host numbers.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use anyhow::Result;

use crate::link::{self, Prefix, Route};
use crate::namespace::Namespace;
use crate::netem::Netem;

/// Which Internet Protocol.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Family {
    /// IPv4.
    V4,
    /// IPv6.
    V6,
}

impl Family {
    /// Both, in the usual order.
    pub const BOTH: [Family; 2] = [Family::V4, Family::V6];

    /// Host `host` of network `network` in this family.
    pub fn host(self, network: u8, host: u8) -> IpAddr {
        match self {
            Family::V4 => Ipv4Addr::new(10, network, 0, host).into(),
            Family::V6 => Ipv6Addr::new(0xfd00, 0, 0, network.into(), 0, 0, 0, host.into()).into(),
        }
    }
}

/// Two hosts, one veth.
#[derive(Debug)]
pub struct Wire {
    /// Host 2 of network 0.
    pub client: Namespace,
    /// Host 1 of network 0.
    pub server: Namespace,
}

impl Wire {
    /// Builds the two hosts and waits until both can send.
    ///
    /// # Errors
    /// Whatever the kernel refuses.
    pub fn build() -> Result<Self> {
        let wire = Wire {
            client: Namespace::create("client")?,
            server: Namespace::create("server")?,
        };
        link::add_veth((&wire.client, "eth0"), (&wire.server, "eth0"))?;
        join(&wire.client, "eth0", 0, 2)?;
        join(&wire.server, "eth0", 0, 1)?;
        Ok(wire)
    }

    /// The server's address.
    pub fn server_address(&self, family: Family) -> IpAddr {
        family.host(0, 1)
    }

    /// The client's addresses of both families, and `more`.
    pub fn client_addresses(&self, more: &[IpAddr]) -> Vec<IpAddr> {
        let own = Family::BOTH.map(|family| self.client_address(family));
        own.iter().chain(more).copied().collect()
    }

    /// The client's address.
    pub fn client_address(&self, family: Family) -> IpAddr {
        family.host(0, 2)
    }
}

/// The client's access networks and the server's uplinks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Access {
    /// Name of the interface in the host.
    pub interface: &'static str,
    /// Number of the network between host and first router.
    pub network: u8,
    /// Preference of the default route through it, and number of the table
    /// for packets from its address.
    metric: u32,
}

impl Access {
    /// The client's first choice.
    pub const WIFI: Access = Access::new("wifi", 1, 100);
    /// The client's second choice.
    pub const LTE: Access = Access::new("lte", 2, 200);
    /// The server's first uplink.
    pub const FIRST: Access = Access::new("eth0", 3, 100);
    /// The server's second uplink.
    pub const SECOND: Access = Access::new("eth1", 4, 200);

    const fn new(interface: &'static str, network: u8, metric: u32) -> Self {
        Access {
            interface,
            network,
            metric,
        }
    }

    /// The host's address on it.
    pub fn address(self, family: Family) -> IpAddr {
        family.host(self.network, 10)
    }

    /// The host's address on it with the length of the prefix.
    pub fn prefix(self, family: Family) -> Prefix {
        Prefix::usual(self.address(family))
    }

    /// The first router's address.
    pub fn router(self, family: Family) -> IpAddr {
        family.host(self.network, 1)
    }

    /// Gives the host its address on it; to be called inside the host.
    ///
    /// # Errors
    /// Whatever the kernel refuses.
    pub fn arrive(self, family: Family) -> Result<()> {
        link::add_address(self.interface, self.prefix(family))?;
        self.add_default_routes(family)
    }

    /// Takes the host's address on it away; to be called inside the host.
    ///
    /// # Errors
    /// Whatever the kernel refuses.
    pub fn leave(self, family: Family) -> Result<()> {
        link::delete_address(self.interface, self.prefix(family))
    }

    /// Routes packets from another address of the host on it through it.
    ///
    /// # Errors
    /// Whatever the kernel refuses.
    pub fn add_routes_for(self, family: Family, address: IpAddr) -> Result<()> {
        self.add_default_routes(family)?;
        link::add_source_rule(address, self.metric)
    }

    fn add_default_routes(self, family: Family) -> Result<()> {
        for table in [None, Some(self.metric)] {
            link::add_route(Route {
                destination: None,
                gateway: self.router(family),
                metric: self.metric,
                table,
            })?;
        }
        Ok(())
    }
}

/// Five namespaces: two multi-homed hosts and three routers.
#[derive(Debug)]
pub struct Campus {
    /// The host with [`Access::WIFI`] and [`Access::LTE`].
    pub client: Namespace,
    /// The host with [`Access::FIRST`] and [`Access::SECOND`].
    pub server: Namespace,
    /// The router of the wireless LAN.
    pub ap: Namespace,
    /// The router of the cellular network.
    pub cell: Namespace,
    /// The router between all others.
    pub core: Namespace,
}

impl Campus {
    /// Builds the network with both families and without any delay.
    ///
    /// # Errors
    /// Whatever the kernel refuses.
    pub fn build() -> Result<Self> {
        let campus = Campus {
            client: Namespace::create("client")?,
            server: Namespace::create("server")?,
            ap: Namespace::create("ap")?,
            cell: Namespace::create("cell")?,
            core: Namespace::create("core")?,
        };
        campus.lay_cables()?;
        campus.set_routes()?;
        Ok(campus)
    }

    /// Gives an access network a one-way behaviour in both directions.
    ///
    /// # Errors
    /// Whatever the kernel refuses.
    pub fn shape(&self, access: Access, netem: Netem) -> Result<()> {
        let (host, router) = self.ends(access);
        host.run(|| link::shape(access.interface, &netem))?;
        router.run(|| link::shape(access.interface, &netem))
    }

    /// The host and the first router of an access network.
    pub fn ends(&self, access: Access) -> (&Namespace, &Namespace) {
        match access.network {
            1 => (&self.client, &self.ap),
            2 => (&self.client, &self.cell),
            _ => (&self.server, &self.core),
        }
    }

    /// Takes the server away, with everything that it knew, and puts another in its place with
    /// the same addresses, once `prepare` has been called with it.
    ///
    /// # Errors
    /// Whatever the kernel refuses.
    pub fn replace_server(&mut self, prepare: impl FnOnce(&Namespace) -> Result<()>) -> Result<()> {
        let new = Namespace::create("server2")?;
        // The cables go first: sockets that wait for answers can keep the namespace for minutes.
        for access in [Access::FIRST, Access::SECOND] {
            self.core.run(|| link::delete(access.interface))?;
        }
        std::mem::replace(&mut self.server, new).delete();
        prepare(&self.server)?;
        for access in [Access::FIRST, Access::SECOND] {
            self.lay_cable(access)?;
            for family in Family::BOTH {
                self.set_host_routes(access, family)?;
            }
        }
        Ok(())
    }

    fn lay_cable(&self, access: Access) -> Result<()> {
        let (host, router) = self.ends(access);
        let name = access.interface;
        link::add_veth((host, name), (router, name))?;
        join(host, name, access.network, 10)?;
        join(router, name, access.network, 1)
    }

    fn set_host_routes(&self, access: Access, family: Family) -> Result<()> {
        self.ends(access).0.run(|| {
            access.add_default_routes(family)?;
            link::add_source_rule(access.address(family), access.metric)
        })
    }

    fn lay_cables(&self) -> Result<()> {
        for access in [Access::WIFI, Access::LTE, Access::FIRST, Access::SECOND] {
            self.lay_cable(access)?;
        }
        for (router, name, network) in [(&self.ap, "ap", 5), (&self.cell, "cell", 6)] {
            link::add_veth((router, "core"), (&self.core, name))?;
            join(router, "core", network, 2)?;
            join(&self.core, name, network, 1)?;
        }
        Ok(())
    }

    fn set_routes(&self) -> Result<()> {
        for router in [&self.ap, &self.cell, &self.core] {
            router.run(link::forward)?;
        }
        for family in Family::BOTH {
            for access in [Access::WIFI, Access::LTE, Access::FIRST, Access::SECOND] {
                self.set_host_routes(access, family)?;
            }
            for (router, network, access) in [(&self.ap, 5, 1), (&self.cell, 6, 2)] {
                let up = route(family, None, family.host(network, 1));
                router.run(|| link::add_route(up))?;
                let down = route(family, Some(access), family.host(network, 2));
                self.core.run(|| link::add_route(down))?;
            }
        }
        Ok(())
    }
}

fn route(family: Family, destination: Option<u8>, gateway: IpAddr) -> Route {
    Route {
        destination: destination.map(|network| Prefix::usual(family.host(network, 0))),
        gateway,
        metric: 0,
        table: None,
    }
}

/// Puts a namespace's interface onto a network and brings it up.
fn join(host: &Namespace, interface: &str, network: u8, number: u8) -> Result<()> {
    host.run(|| {
        for family in Family::BOTH {
            link::add_address(interface, Prefix::usual(family.host(network, number)))?;
        }
        link::set_up(interface)
    })
}
