// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Addresses of sockets: layout, round trip, refusals.

use std::net::{IpAddr, Ipv6Addr};

use eccp_netlink::flow::Service;
use eccp_netlink::socket::{Address, AddressError, SocketInfo};
use eccp_netlink::{Encap, FlowState};
use proptest::prelude::*;

fn service() -> impl Strategy<Value = Service> {
    prop_oneof![
        any::<u16>().prop_map(Service::Port),
        any::<[u8; 32]>()
            .prop_filter("all zero is no identifier", |id| id != &[0; 32])
            .prop_map(Service::Id),
    ]
}

fn address() -> impl Strategy<Value = Address> {
    (any::<IpAddr>(), any::<u32>(), service()).prop_map(|(host, scope_id, service)| Address {
        scope_id: if host.is_ipv4() { 0 } else { scope_id },
        ..Address::new(
            match host {
                IpAddr::V6(host) => host.to_canonical(),
                host => host,
            },
            service,
        )
    })
}

proptest! {
    #[test]
    fn an_address_is_read_back_as_it_was_written(address in address()) {
        prop_assume!(address.host != IpAddr::from([0, 0, 0, 0]));
        prop_assert_eq!(Address::from_bytes(&address.to_bytes()), Ok(address));
    }

    #[test]
    fn a_printed_address_is_read_back(address in address()) {
        let scope_id = if address.host.is_ipv4() { 0 } else { address.scope_id };
        let address = Address { scope_id, ..address };
        prop_assert_eq!(address.to_string().parse::<Address>(), Ok(address));
    }

    #[test]
    fn arbitrary_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..130)) {
        let _ = Address::from_bytes(&bytes);
    }
}

#[test]
fn the_layout_is_that_of_the_header() {
    let bytes = Address::new("10.1.2.3".parse().unwrap(), Service::Port(0x1234)).to_bytes();
    assert_eq!(bytes.len(), 64);
    assert_eq!(bytes[0..2], 18u16.to_ne_bytes());
    assert_eq!(bytes[2..4], [0x12, 0x34]);
    assert_eq!(bytes[26..32], [0xff, 0xff, 10, 1, 2, 3]);
    let any = Address::new("0.0.0.0".parse().unwrap(), Service::Port(1)).to_bytes();
    assert_eq!(any[16..32], [0; 16]);
}

#[test]
fn the_identifier_may_be_left_out_but_not_cut() {
    let address = Address::new("2001:db8::1".parse().unwrap(), Service::Port(80));
    let bytes = address.to_bytes();
    assert_eq!(Address::from_bytes(&bytes[..32]), Ok(address));
    assert_eq!(
        Address::from_bytes(&bytes[..31]),
        Err(AddressError::Short(31))
    );
    assert_eq!(
        Address::from_bytes(&bytes[..63]),
        Err(AddressError::Short(63))
    );
}

#[test]
fn unknown_flags_and_reserved_bytes_are_refused() {
    let mut bytes = Address::new(Ipv6Addr::LOCALHOST.into(), Service::Port(80)).to_bytes();
    bytes[4] = 1;
    assert!(matches!(
        Address::from_bytes(&bytes),
        Err(AddressError::Flags(_))
    ));
    bytes[4] = 0;
    bytes[15] = 1;
    assert!(matches!(
        Address::from_bytes(&bytes),
        Err(AddressError::Reserved(_))
    ));
}

#[test]
fn what_a_socket_tells_is_read_from_where_the_header_puts_it() {
    let mut bytes = [0u8; 144];
    bytes[24..32].copy_from_slice(&0x1122_3344_5566_7788u64.to_ne_bytes());
    bytes[56..60].copy_from_slice(&5u32.to_ne_bytes());
    bytes[60..64].copy_from_slice(&2u32.to_ne_bytes());
    bytes[68..72].copy_from_slice(&1500u32.to_ne_bytes());
    bytes[98..104].copy_from_slice(&[0xff, 0xff, 10, 0, 0, 1]);
    bytes[138..140].copy_from_slice(&4253u16.to_be_bytes());
    let info = SocketInfo::from_bytes(&bytes);
    assert_eq!(info.local_flow_id, 0x1122_3344_5566_7788);
    assert_eq!(info.state, FlowState::Established);
    assert_eq!(info.encap, Encap::Udp);
    assert_eq!(info.rtt_us, 1500);
    assert_eq!(info.local, IpAddr::from([10, 0, 0, 1]));
    assert_eq!(info.candidate, None);
    assert_eq!(info.reason, None);
    assert_eq!(info.remote_port, 4253);
}
