// SPDX-License-Identifier: GPL-2.0-only
//! Links, addresses, routes and rules of the calling thread's namespace, in
//! the words of iproute2.

use std::fs;
use std::net::IpAddr;
use std::os::fd::AsRawFd;

use anyhow::{Context, Result};
use netlink_packet_core::DefaultNla;
use netlink_packet_route::address::{
    AddressAttribute, AddressHeaderFlags, AddressMessage, AddressScope,
};
use netlink_packet_route::link::{
    InfoData, InfoKind, InfoVeth, LinkAttribute, LinkFlags, LinkInfo, LinkMessage,
};
use netlink_packet_route::route::{
    RouteAddress, RouteAttribute, RouteHeader, RouteMessage, RouteProtocol, RouteScope, RouteType,
};
use netlink_packet_route::rule::{RuleAction, RuleAttribute, RuleMessage};
use netlink_packet_route::tc::{TcAttribute, TcHandle, TcMessage};
use netlink_packet_route::{AddressFamily, RouteNetlinkMessage};

use crate::namespace::Namespace;
use crate::netem::Netem;
use crate::rtnetlink::{request, Mode};

/// TCA_OPTIONS of include/uapi/linux/rtnetlink.h.
const TCA_OPTIONS: u16 = 2;
const MAIN_TABLE: u32 = 254;

/// An address with the length of its network's prefix.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Prefix {
    /// The address of the host.
    pub address: IpAddr,
    /// Bits of the network.
    pub length: u8,
}

impl Prefix {
    /// `address/24` for IPv4, `address/64` for IPv6.
    pub fn usual(address: IpAddr) -> Self {
        let length = if address.is_ipv4() { 24 } else { 64 };
        Prefix { address, length }
    }
}

/// Where packets for a destination go.
#[derive(Debug, Clone, Copy)]
pub struct Route {
    /// The destination, or `None` for the default route.
    pub destination: Option<Prefix>,
    /// The next hop.
    pub gateway: IpAddr,
    /// Preference among equals: the lowest wins.
    pub metric: u32,
    /// Routing table; `None` is the main one.
    pub table: Option<u32>,
}

/// The interface index of `name` in the namespace this thread was born in or
/// moved to.
///
/// # Errors
/// When there is no such interface.
pub fn index(name: &str) -> Result<u32> {
    rustix::net::netdevice::name_to_index(
        rustix::net::socket(
            rustix::net::AddressFamily::INET,
            rustix::net::SocketType::DGRAM,
            None,
        )?,
        name,
    )
    .with_context(|| format!("interface {name}"))
}

/// `ip link add NAME netns HERE type veth peer name NAME netns THERE`.
///
/// # Errors
/// The kernel's errno with the two names.
pub fn add_veth(here: (&Namespace, &str), there: (&Namespace, &str)) -> Result<()> {
    let mut peer = LinkMessage::default();
    peer.attributes = vec![
        LinkAttribute::IfName(there.1.to_owned()),
        LinkAttribute::NetNsFd(there.0.as_fd().as_raw_fd()),
    ];
    let mut link = LinkMessage::default();
    link.attributes = vec![
        LinkAttribute::IfName(here.1.to_owned()),
        LinkAttribute::LinkInfo(vec![
            LinkInfo::Kind(InfoKind::Veth),
            LinkInfo::Data(InfoData::Veth(InfoVeth::Peer(peer))),
        ]),
    ];
    let what = format!("veth {} to {}", here.1, there.1);
    here.0
        .run(|| request(&what, Mode::Create, RouteNetlinkMessage::NewLink(link)))
}

/// `ip link delete NAME`: both ends of a veth vanish.
///
/// # Errors
/// The kernel's errno with the name.
pub fn delete(name: &str) -> Result<()> {
    let mut message = LinkMessage::default();
    message.header.index = index(name)?;
    let what = format!("deletion of link {name}");
    request(&what, Mode::Change, RouteNetlinkMessage::DelLink(message))
}

/// `ip link set NAME up`.
///
/// # Errors
/// The kernel's errno with the name.
pub fn set_up(name: &str) -> Result<()> {
    set_flags(name, LinkFlags::Up)
}

/// `ip link set NAME down`: the peer of a veth loses its carrier.
///
/// # Errors
/// The kernel's errno with the name.
pub fn set_down(name: &str) -> Result<()> {
    set_flags(name, LinkFlags::empty())
}

fn set_flags(name: &str, flags: LinkFlags) -> Result<()> {
    let mut message = LinkMessage::default();
    message.header.index = index(name)?;
    message.header.flags = flags;
    message.header.change_mask = LinkFlags::Up;
    let what = format!("link {name} flags {flags:?}");
    request(&what, Mode::Change, RouteNetlinkMessage::SetLink(message))
}

/// `ip link set NAME mtu MTU`.
///
/// # Errors
/// The kernel's errno with the name.
pub fn set_mtu(name: &str, mtu: u32) -> Result<()> {
    let mut message = LinkMessage::default();
    message.header.index = index(name)?;
    message.attributes = vec![LinkAttribute::Mtu(mtu)];
    let what = format!("link {name} mtu {mtu}");
    request(&what, Mode::Change, RouteNetlinkMessage::SetLink(message))
}

/// `ip address add PREFIX dev NAME nodad`.
///
/// # Errors
/// The kernel's errno with the address.
pub fn add_address(name: &str, prefix: Prefix) -> Result<()> {
    let message = address_message(name, prefix)?;
    let what = format!("address {} on {name}", prefix.address);
    request(
        &what,
        Mode::Create,
        RouteNetlinkMessage::NewAddress(message),
    )
}

/// `ip address del PREFIX dev NAME`.
///
/// # Errors
/// The kernel's errno with the address.
pub fn delete_address(name: &str, prefix: Prefix) -> Result<()> {
    let message = address_message(name, prefix)?;
    let what = format!("removal of address {} from {name}", prefix.address);
    request(
        &what,
        Mode::Change,
        RouteNetlinkMessage::DelAddress(message),
    )
}

fn address_message(name: &str, prefix: Prefix) -> Result<AddressMessage> {
    let mut message = AddressMessage::default();
    message.header.family = family(prefix.address);
    message.header.prefix_len = prefix.length;
    message.header.scope = AddressScope::Universe;
    message.header.index = index(name)?;
    message.attributes = vec![
        AddressAttribute::Local(prefix.address),
        AddressAttribute::Address(prefix.address),
    ];
    if prefix.address.is_ipv6() {
        message.header.flags = AddressHeaderFlags::Nodad;
    }
    Ok(message)
}

/// `ip route replace DESTINATION via GATEWAY metric N table T`.
///
/// # Errors
/// The kernel's errno with the route.
pub fn add_route(route: Route) -> Result<()> {
    let what = format!("route via {}", route.gateway);
    let message = RouteNetlinkMessage::NewRoute(route_message(route));
    request(&what, Mode::Replace, message)
}

fn route_message(route: Route) -> RouteMessage {
    let table = route.table.unwrap_or(MAIN_TABLE);
    let mut message = RouteMessage::default();
    message.header = RouteHeader {
        address_family: family(route.gateway),
        destination_prefix_length: route.destination.map_or(0, |prefix| prefix.length),
        table: u8::try_from(table).unwrap_or(0),
        protocol: RouteProtocol::Static,
        scope: RouteScope::Universe,
        kind: RouteType::Unicast,
        ..RouteHeader::default()
    };
    message.attributes = vec![
        RouteAttribute::Gateway(route_address(route.gateway)),
        RouteAttribute::Priority(route.metric),
        RouteAttribute::Table(table),
    ];
    if let Some(prefix) = route.destination {
        let destination = RouteAttribute::Destination(route_address(prefix.address));
        message.attributes.push(destination);
    }
    message
}

/// `ip rule add from ADDRESS lookup TABLE`.
///
/// # Errors
/// The kernel's errno with the address.
pub fn add_source_rule(source: IpAddr, table: u32) -> Result<()> {
    let mut message = RuleMessage::default();
    message.header.family = family(source);
    message.header.src_len = if source.is_ipv4() { 32 } else { 128 };
    message.header.table = u8::try_from(table).unwrap_or(0);
    message.header.action = RuleAction::ToTable;
    message.attributes = vec![
        RuleAttribute::Source(source),
        RuleAttribute::Table(table),
        RuleAttribute::Priority(1000 + table),
    ];
    let what = format!("rule for packets from {source}");
    request(&what, Mode::Create, RouteNetlinkMessage::NewRule(message))
}

/// `tc qdisc replace dev NAME root netem …`.
///
/// # Errors
/// The kernel's errno with the name.
pub fn shape(name: &str, netem: &Netem) -> Result<()> {
    let mut message = TcMessage::with_index(index(name)? as i32);
    message.header.parent = TcHandle::ROOT;
    message.attributes = vec![
        TcAttribute::Kind("netem".to_owned()),
        TcAttribute::Other(DefaultNla::new(TCA_OPTIONS, netem.options())),
    ];
    let what = format!("netem on {name}");
    let message = RouteNetlinkMessage::NewQueueDiscipline(message);
    request(&what, Mode::Replace, message)
}

/// Makes the namespace a router for both families.
///
/// # Errors
/// When the setting cannot be written.
pub fn forward() -> Result<()> {
    for path in ["ipv4/ip_forward", "ipv6/conf/all/forwarding"] {
        sysctl(path, "1")?;
    }
    Ok(())
}

/// Writes `value` to `/proc/sys/net/PATH` of the calling thread's namespace.
///
/// # Errors
/// When the setting does not exist or refuses the value.
pub fn sysctl(path: &str, value: &str) -> Result<()> {
    let path = format!("/proc/sys/net/{path}");
    fs::write(&path, value).with_context(|| format!("{path} = {value}"))
}

fn family(address: IpAddr) -> AddressFamily {
    match address {
        IpAddr::V4(_) => AddressFamily::Inet,
        IpAddr::V6(_) => AddressFamily::Inet6,
    }
}

fn route_address(address: IpAddr) -> RouteAddress {
    match address {
        IpAddr::V4(address) => RouteAddress::Inet(address),
        IpAddr::V6(address) => RouteAddress::Inet6(address),
    }
}
