// SPDX-License-Identifier: GPL-2.0-only
//! A WireGuard tunnel between two hosts, as `wg set` and `ip link` make it.

use std::net::{IpAddr, Ipv4Addr, SocketAddrV4};

use anyhow::{bail, Context, Result};
use netlink_packet_route::link::{InfoKind, LinkAttribute, LinkInfo, LinkMessage};
use netlink_packet_route::RouteNetlinkMessage;
use rustix::net::AddressFamily;

use crate::link::{self, Prefix};
use crate::namespace::Namespace;
use crate::netlink::{find, Attributes, Family, DUMP};
use crate::random::Random;
use crate::rtnetlink::{request, Mode};

/// The tunnel's interface in both hosts.
pub(super) const INTERFACE: &str = "wg0";
/// The port that the project's documentation uses.
const PORT: u16 = 51820;
/// The interval that it recommends for peers behind NAT, in seconds.
const KEEPALIVE: u16 = 25;

/// WG_CMD_*.
const GET_DEVICE: u8 = 0;
const SET_DEVICE: u8 = 1;
/// WGDEVICE_A_*.
const DEVICE_NAME: u16 = 2;
const DEVICE_PRIVATE_KEY: u16 = 3;
const DEVICE_PUBLIC_KEY: u16 = 4;
const DEVICE_PORT: u16 = 6;
const DEVICE_PEERS: u16 = 8;
/// WGPEER_A_*.
const PEER_PUBLIC_KEY: u16 = 1;
const PEER_ENDPOINT: u16 = 4;
const PEER_KEEPALIVE: u16 = 5;
const PEER_ALLOWED: u16 = 9;
/// WGALLOWEDIP_A_*.
const ALLOWED_FAMILY: u16 = 1;
const ALLOWED_ADDRESS: u16 = 2;
const ALLOWED_LENGTH: u16 = 3;

/// The two ends' keys, which outlive a reboot of either.
#[derive(Debug, Clone)]
pub(super) struct Tunnel {
    client: Keys,
    server: Keys,
    endpoint: SocketAddrV4,
}

#[derive(Debug, Clone)]
struct Keys {
    private: [u8; 32],
    public: [u8; 32],
}

/// Address of each end in the tunnel.
pub(super) const CLIENT: Ipv4Addr = Ipv4Addr::new(10, 9, 0, 2);
pub(super) const SERVER: Ipv4Addr = Ipv4Addr::new(10, 9, 0, 1);

impl Tunnel {
    /// Sets up both ends; the client knows where the server is, the server
    /// learns where the client is.
    ///
    /// # Errors
    /// Whatever the kernel refuses.
    pub fn build(
        client: &Namespace,
        server: &Namespace,
        at: IpAddr,
        random: &mut Random,
    ) -> Result<Self> {
        let IpAddr::V4(at) = at else {
            bail!("the tunnel's endpoint {at} is not IPv4");
        };
        let mut make = |host: &Namespace, address| {
            let mut private = [0; 32];
            random.fill(&mut private);
            host.run(|| create(address, &private))
        };
        let tunnel = Tunnel {
            client: make(client, CLIENT)?,
            server: make(server, SERVER)?,
            endpoint: SocketAddrV4::new(at, PORT),
        };
        client.run(|| introduce(&tunnel.server.public, SERVER, Some(tunnel.endpoint)))?;
        server.run(|| introduce(&tunnel.client.public, CLIENT, None))?;
        Ok(tunnel)
    }

    /// Sets up the server's end again, as its boot does.
    ///
    /// # Errors
    /// Whatever the kernel refuses.
    pub fn rebuild_server(&self, server: &Namespace) -> Result<()> {
        server.run(|| {
            create(SERVER, &self.server.private)?;
            introduce(&self.client.public, CLIENT, None)
        })
    }
}

/// `ip link add wg0 type wireguard`, `wg set wg0 private-key … listen-port …`,
/// `ip address add`, `ip link set wg0 up`.
fn create(address: Ipv4Addr, private: &[u8; 32]) -> Result<Keys> {
    let mut message = LinkMessage::default();
    message.attributes = vec![
        LinkAttribute::IfName(INTERFACE.to_owned()),
        LinkAttribute::LinkInfo(vec![LinkInfo::Kind(InfoKind::Wireguard)]),
    ];
    let message = RouteNetlinkMessage::NewLink(message);
    request("link wg0 type wireguard", Mode::Create, message)?;
    let attributes = Attributes::new()
        .text(DEVICE_NAME, INTERFACE)
        .put(DEVICE_PRIVATE_KEY, private)
        .put(DEVICE_PORT, &PORT.to_ne_bytes());
    let family = Family::find("wireguard")?;
    family
        .request(SET_DEVICE, 0, &attributes)
        .context("wg set wg0 private-key")?;
    link::add_address(INTERFACE, Prefix::usual(address.into()))?;
    link::set_up(INTERFACE)?;
    let name = Attributes::new().text(DEVICE_NAME, INTERFACE);
    let answers = family.request(GET_DEVICE, DUMP, &name).context("wg show")?;
    let public = answers
        .first()
        .and_then(|answer| find(answer, DEVICE_PUBLIC_KEY))
        .context("wg0 has no public key")?;
    Ok(Keys {
        private: *private,
        public: public.try_into()?,
    })
}

/// `wg set wg0 peer KEY allowed-ips ADDRESS/32 [endpoint …] persistent-keepalive 25`.
fn introduce(key: &[u8; 32], address: Ipv4Addr, endpoint: Option<SocketAddrV4>) -> Result<()> {
    let inet = AddressFamily::INET.as_raw();
    let allowed = Attributes::new()
        .put(ALLOWED_FAMILY, &inet.to_ne_bytes())
        .put(ALLOWED_ADDRESS, &address.octets())
        .put(ALLOWED_LENGTH, &[32]);
    let mut peer = Attributes::new()
        .put(PEER_PUBLIC_KEY, key)
        .nest(PEER_ALLOWED, &Attributes::new().nest(0, &allowed));
    if let Some(endpoint) = endpoint {
        peer = peer
            .put(PEER_ENDPOINT, &sockaddr(endpoint))
            .put(PEER_KEEPALIVE, &KEEPALIVE.to_ne_bytes());
    }
    let attributes = Attributes::new()
        .text(DEVICE_NAME, INTERFACE)
        .nest(DEVICE_PEERS, &Attributes::new().nest(0, &peer));
    Family::find("wireguard")?
        .request(SET_DEVICE, 0, &attributes)
        .context("wg set wg0 peer")?;
    Ok(())
}

/// `struct sockaddr_in`.
fn sockaddr(address: SocketAddrV4) -> [u8; 16] {
    let mut bytes = [0; 16];
    bytes[..2].copy_from_slice(&AddressFamily::INET.as_raw().to_ne_bytes());
    bytes[2..4].copy_from_slice(&address.port().to_be_bytes());
    bytes[4..8].copy_from_slice(&address.ip().octets());
    bytes
}
