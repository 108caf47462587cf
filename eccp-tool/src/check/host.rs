// SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0
//! The host: permission, addresses, filters.

use std::fs;
use std::net::IpAddr;

use netlink_packet_core::{NetlinkMessage, NetlinkPayload, NLM_F_DUMP, NLM_F_REQUEST};
use netlink_packet_route::address::{AddressAttribute, AddressMessage};
use netlink_packet_route::RouteNetlinkMessage;
use netlink_sys::{protocols::NETLINK_ROUTE, Socket, SocketAddr};

use super::Finding;
use crate::failure::Failure;

/// Bit of CAP_NET_ADMIN in `/proc/self/status`.
const NET_ADMIN: u32 = 12;

/// Whether this process may move flows and change settings.
pub fn permission() -> Result<Finding, Failure> {
    const STATUS: &str = "/proc/self/status";
    let status = fs::read_to_string(STATUS).map_err(|error| Failure::system(STATUS, error))?;
    Ok(judge_permission(&status))
}

fn judge_permission(status: &str) -> Finding {
    let line = status.lines().find_map(|line| line.strip_prefix("CapEff:"));
    let capabilities = line.and_then(|text| u64::from_str_radix(text.trim(), 16).ok());
    match capabilities {
        Some(set) if set & (1 << NET_ADMIN) != 0 => {
            Finding::ok("permission", "CAP_NET_ADMIN: flows can be moved, settings changed")
        }
        _ => Finding::warning(
            "permission",
            "no CAP_NET_ADMIN: objects can be read, not changed",
            "run eccp-tool as root to move flows or change settings; the owner of a socket may move its own flow",
        ),
    }
}

/// Whether there are addresses that a flow can use, and others to move to.
pub fn addresses() -> Result<Finding, Failure> {
    let addresses =
        read_addresses().map_err(|error| Failure::system("reading addresses", error))?;
    let usable = addresses.into_iter().filter(|address| is_usable(*address));
    let usable: Vec<_> = usable.map(|address| address.to_string()).collect();
    Ok(judge_addresses(&usable))
}

fn judge_addresses(usable: &[String]) -> Finding {
    match usable {
        [] => Finding::warning(
            "addresses",
            "none but loopback: only connections within this host work",
            "\"ip address add\" and \"ip link set up\"; is it the right namespace (-n)?",
        ),
        [one] => Finding::warning(
            "addresses",
            format!("only {one}: a flow has nowhere to move to"),
            "give the host a second address, best on another interface",
        ),
        several => Finding::ok("addresses", several.join(", ")),
    }
}

fn is_usable(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => !address.is_loopback() && !address.is_link_local(),
        IpAddr::V6(address) => !address.is_loopback() && !address.is_unicast_link_local(),
    }
}

fn read_addresses() -> std::io::Result<Vec<IpAddr>> {
    let mut socket = Socket::new(NETLINK_ROUTE)?;
    socket.bind_auto()?;
    socket.connect(&SocketAddr::new(0, 0))?;
    let request = RouteNetlinkMessage::GetAddress(AddressMessage::default());
    let mut request = NetlinkMessage::from(request);
    request.header.flags = NLM_F_REQUEST | NLM_F_DUMP;
    request.finalize();
    let mut bytes = vec![0; request.buffer_len()];
    request.serialize(&mut bytes);
    socket.send(&bytes, 0)?;
    let mut addresses = Vec::new();
    loop {
        let (datagram, _) = socket.recv_from_full()?;
        let mut rest = datagram.as_slice();
        while !rest.is_empty() {
            let message = NetlinkMessage::<RouteNetlinkMessage>::deserialize(rest)
                .map_err(|error| std::io::Error::new(std::io::ErrorKind::InvalidData, error))?;
            let length = (message.header.length as usize).next_multiple_of(4);
            rest = rest.get(length..).unwrap_or_default();
            match message.payload {
                NetlinkPayload::InnerMessage(RouteNetlinkMessage::NewAddress(message)) => {
                    addresses.extend(own_address(&message));
                }
                NetlinkPayload::Done(_) => return Ok(addresses),
                NetlinkPayload::Error(error) => return Err(error.to_io()),
                _ => {}
            }
        }
    }
}

/// The host's own address: on a point-to-point link the other one is the peer's.
fn own_address(message: &AddressMessage) -> Option<IpAddr> {
    let local = message
        .attributes
        .iter()
        .find_map(|attribute| match attribute {
            AddressAttribute::Local(address) => Some(*address),
            _ => None,
        });
    local.or_else(|| {
        message
            .attributes
            .iter()
            .find_map(|attribute| match attribute {
                AddressAttribute::Address(address) => Some(*address),
                _ => None,
            })
    })
}

/// Whether the kernel drops packets that come in by another interface than
/// answers would leave by, as they may during a move.
pub fn reverse_path_filter() -> Option<Finding> {
    let text = fs::read_to_string("/proc/sys/net/ipv4/conf/all/rp_filter").ok()?;
    Some(judge_filter(text.trim()))
}

fn judge_filter(value: &str) -> Finding {
    match value {
        "1" => Finding::warning(
            "rp_filter",
            "strict: packets that arrive by the interface of the old path may be dropped",
            "sysctl net.ipv4.conf.all.rp_filter=2, or source routing with \"ip rule\"",
        ),
        value => Finding::ok("rp_filter", format!("{value}, not strict")),
    }
}

#[cfg(test)]
mod tests {
    use super::super::Verdict;
    use super::*;

    #[test]
    fn the_capability_is_read_from_the_effective_set() {
        let status = |set: &str| format!("Name:\tx\nCapPrm:\tffff\nCapEff:\t{set}\n");
        assert_eq!(
            judge_permission(&status("0000000000001000")).verdict,
            Verdict::Ok
        );
        assert_eq!(
            judge_permission(&status("0000000000000fff")).verdict,
            Verdict::Warning
        );
        assert_eq!(judge_permission("").verdict, Verdict::Warning);
    }

    #[test]
    fn addresses_that_cannot_carry_a_flow_away_do_not_count() {
        for text in ["127.0.0.1", "169.254.1.1", "::1", "fe80::1"] {
            assert!(!is_usable(text.parse().unwrap()), "{text}");
        }
        assert!(is_usable("192.0.2.1".parse().unwrap()));
        assert!(is_usable("2001:db8::1".parse().unwrap()));
    }

    #[test]
    fn one_address_is_not_enough_to_move() {
        let names = |count: usize| vec!["192.0.2.1".to_string(); count];
        assert_eq!(judge_addresses(&names(0)).verdict, Verdict::Warning);
        assert_eq!(judge_addresses(&names(1)).verdict, Verdict::Warning);
        assert_eq!(judge_addresses(&names(2)).verdict, Verdict::Ok);
    }

    #[test]
    fn the_addresses_of_this_host_can_be_read() {
        assert!(read_addresses().is_ok());
    }

    #[test]
    fn only_the_strict_filter_is_warned_of() {
        assert_eq!(judge_filter("1").verdict, Verdict::Warning);
        assert_eq!(judge_filter("0").verdict, Verdict::Ok);
        assert_eq!(judge_filter("2").verdict, Verdict::Ok);
    }
}
