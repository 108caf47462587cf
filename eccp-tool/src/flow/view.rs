// SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0
//! A flow as it is shown.

use std::fmt::Write;

use eccp_netlink::flow::Flow;
use serde::Serialize;

use crate::amount;
use crate::interface;
use crate::output::Show;

/// What is shown of a flow; the keys of JSON are the names of the fields.
#[derive(Debug, Clone, Serialize)]
pub struct FlowView {
    local_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    remote_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    connection_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    service: Option<String>,
    state: Option<String>,
    draining: bool,
    active: bool,
    backup: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    local: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    local_port: Option<u16>,
    #[serde(skip_serializing_if = "Option::is_none")]
    remote: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    remote_port: Option<u16>,
    #[serde(skip_serializing_if = "Option::is_none")]
    candidate: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    encap: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    dev: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    rtt_us: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    mtu: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    local_version: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    remote_version: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    moves: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    uid: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    rx_packets: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    rx_bytes: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tx_packets: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tx_bytes: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    cwnd: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    ssthresh: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    nat: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    old_local_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    old_remote_id: Option<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    unknown_attributes: Vec<u16>,
}

impl FlowView {
    /// The view of a flow, with the names of its interfaces in this namespace.
    pub fn new(flow: &Flow) -> Self {
        Self::with_names(flow, interface::name)
    }

    /// The view of a flow, with interfaces named by `name`.
    pub fn with_names(flow: &Flow, name: impl Fn(u32) -> String) -> Self {
        FlowView {
            local_id: flow.local_id.map(amount::id),
            remote_id: flow.remote_id.map(amount::id),
            connection_id: flow.connection_id.map(amount::id),
            service: flow.service.map(|service| service.to_string()),
            state: flow.state.map(|state| state.to_string()),
            draining: flow.draining,
            active: flow.active,
            backup: flow.backup,
            local: flow.local.address.map(|address| address.to_string()),
            local_port: flow.local.port,
            remote: flow.remote.address.map(|address| address.to_string()),
            remote_port: flow.remote.port,
            candidate: flow.candidate.map(|address| address.to_string()),
            encap: flow.encap.map(|encap| encap.to_string()),
            dev: flow.ifindex.filter(|index| *index != 0).map(name),
            rtt_us: flow.rtt_us,
            mtu: flow.mtu,
            local_version: flow.local_version,
            remote_version: flow.remote_version,
            moves: flow.moves,
            reason: flow.reason.map(|reason| reason.to_string()),
            uid: flow.uid,
            rx_packets: flow.rx_packets,
            rx_bytes: flow.rx_bytes,
            tx_packets: flow.tx_packets,
            tx_bytes: flow.tx_bytes,
            cwnd: flow.cwnd,
            ssthresh: flow.ssthresh.filter(|packets| *packets < i32::MAX as u32),
            nat: flow.nat.address.map(|address| {
                let port = flow.nat.port.filter(|port| *port != 0);
                end(&Some(address.to_string()), port)
            }),
            old_local_id: flow.old_local_id.map(amount::id),
            old_remote_id: flow.old_remote_id.map(amount::id),
            unknown_attributes: crate::amount::kinds(&flow.other),
        }
    }

    /// The path on one line, as in `10.0.1.2 -> 10.0.9.1`.
    pub fn path(&self) -> String {
        let local = end(&self.local, self.local_port);
        let remote = end(&self.remote, self.remote_port);
        let mut path = format!("{local} -> {remote}");
        if let Some(dev) = &self.dev {
            let _ = write!(path, " dev {dev}");
        }
        path
    }

    /// The local ID.
    pub fn id(&self) -> &str {
        self.local_id.as_deref().unwrap_or("?")
    }

    /// Which ID was replaced, and by which.
    pub fn renamed(&self) -> String {
        let new = self.remote_id.as_deref().unwrap_or("?");
        match (&self.old_remote_id, &self.old_local_id) {
            (Some(old), _) => format!("peer {new} was {old}"),
            (None, old) => format!("was {}", old.as_deref().unwrap_or("?")),
        }
    }

    /// The reason of the last move or event.
    pub fn reason(&self) -> Option<&str> {
        self.reason.as_deref()
    }

    /// Where an unfinished move leads to.
    pub fn candidate(&self) -> Option<&str> {
        self.candidate.as_deref()
    }

    /// The version of the side that moved last.
    pub fn moved_version(&self) -> Option<u64> {
        match self.reason.as_deref() {
            Some("peer") => self.remote_version,
            _ => self.local_version,
        }
    }

    fn first_line(&self) -> String {
        let state = self.state.as_deref().unwrap_or("?");
        let mut line = format!("{} {state}", self.id());
        if self.draining {
            line.push_str(" draining");
        }
        if self.active {
            line.push_str(" active");
        }
        if self.backup {
            line.push_str(" backup");
        }
        let _ = write!(line, " {}", self.path());
        if let Some(encap) = &self.encap {
            let _ = write!(line, " {encap}");
        }
        if let Some(rtt) = self.rtt_us.filter(|rtt| *rtt != 0) {
            let _ = write!(line, " rtt {}", amount::micros(rtt.into()));
        }
        line
    }

    fn second_line(&self) -> String {
        let mut words = Vec::new();
        let mut add = |name: &str, value: Option<String>| {
            if let Some(value) = value {
                words.push(format!("{name} {value}"));
            }
        };
        add("peer", self.remote_id.clone());
        add("was", self.old_local_id.clone());
        add("connection", self.connection_id.clone());
        add("service", self.service.clone());
        add("mtu", self.mtu.map(|mtu| mtu.to_string()));
        add("cwnd", self.cwnd.map(|packets| packets.to_string()));
        add("nat", self.nat.clone());
        add("uid", self.uid.map(|uid| uid.to_string()));
        words.join(" ")
    }

    fn third_line(&self) -> String {
        let traffic = |name: &str, packets: Option<u64>, bytes: Option<u64>| {
            Some(format!(
                "{name} {} in {} packets",
                amount::bytes(bytes?),
                packets?
            ))
        };
        let moves = self.moves.map(|moves| match (moves, &self.reason) {
            (0, _) | (_, None) => format!("moves {moves}"),
            (_, Some(reason)) => format!("moves {moves} (last: {reason})"),
        });
        let versions = self.local_version.zip(self.remote_version);
        [
            moves,
            versions.map(|(local, remote)| format!("versions {local}/{remote}")),
            self.candidate
                .as_ref()
                .map(|address| format!("moving to {address}")),
            traffic("rx", self.rx_packets, self.rx_bytes),
            traffic("tx", self.tx_packets, self.tx_bytes),
        ]
        .into_iter()
        .flatten()
        .collect::<Vec<_>>()
        .join(" ")
    }
}

impl Show for FlowView {
    fn text(&self) -> String {
        let lines = [self.first_line(), self.second_line(), self.third_line()];
        let lines: Vec<_> = lines.into_iter().filter(|line| !line.is_empty()).collect();
        lines.join("\n    ")
    }
}

fn end(address: &Option<String>, port: Option<u16>) -> String {
    let address = address.as_deref().unwrap_or("(none)");
    match port {
        Some(port) if address.contains(':') => format!("[{address}]:{port}"),
        Some(port) => format!("{address}:{port}"),
        None => address.to_string(),
    }
}

impl FlowView {
    /// A flow with every field, for snapshots.
    #[cfg(test)]
    pub fn sample() -> Flow {
        use eccp_netlink::flow::{End, Service};
        use eccp_netlink::{Encap, FlowState, Reason};
        Flow {
            local_id: Some(0xa1b2_c3d4_e5f6_0718),
            remote_id: Some(0x0f),
            connection_id: Some(0x77),
            state: Some(FlowState::Established),
            local_version: Some(3),
            remote_version: Some(1),
            local: End {
                address: Some("192.0.2.7".parse().unwrap()),
                port: None,
            },
            remote: End {
                address: Some("198.51.100.1".parse().unwrap()),
                port: None,
            },
            encap: Some(Encap::Native),
            ifindex: Some(3),
            rtt_us: Some(12_340),
            mtu: Some(1500),
            service: Some(Service::Port(5000)),
            uid: Some(1000),
            rx_packets: Some(1234),
            rx_bytes: Some(1_500_000),
            tx_packets: Some(99),
            tx_bytes: Some(4096),
            moves: Some(4),
            reason: Some(Reason::AddressLost),
            active: true,
            ..Flow::default()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use eccp_netlink::flow::End;
    use eccp_netlink::{Encap, FlowState};

    fn view(flow: &Flow) -> FlowView {
        FlowView::with_names(flow, |index| format!("eth{index}"))
    }

    #[test]
    fn a_flow_is_shown_on_three_lines() {
        insta::assert_snapshot!(view(&FlowView::sample()).text(), @r"
        a1b2c3d4e5f60718 established active 192.0.2.7 -> 198.51.100.1 dev eth3 native rtt 12.3ms
            peer 000000000000000f connection 0000000000000077 service 5000 mtu 1500 uid 1000
            moves 4 (last: address-lost) versions 3/1 rx 1.4MiB in 1234 packets tx 4.0KiB in 99 packets
        ");
    }

    #[test]
    fn a_move_in_progress_and_udp_are_shown() {
        let flow = Flow {
            state: Some(FlowState::RsynSent),
            encap: Some(Encap::Udp),
            local: End {
                address: Some("2001:db8::7".parse().unwrap()),
                port: Some(4433),
            },
            candidate: Some("203.0.113.9".parse().unwrap()),
            ..FlowView::sample()
        };
        let text = view(&flow).text();
        assert!(
            text.contains("rsyn-sent active [2001:db8::7]:4433 -> "),
            "{text}"
        );
        assert!(text.contains("moving to 203.0.113.9"), "{text}");
    }

    #[test]
    fn what_the_kernel_did_not_send_is_left_out() {
        insta::assert_snapshot!(view(&Flow::default()).text(), @"? ? (none) -> (none)");
    }

    #[test]
    fn the_keys_of_json_are_stable() {
        let json = serde_json::to_string_pretty(&view(&FlowView::sample())).unwrap();
        insta::assert_snapshot!(json, @r#"
        {
          "local_id": "a1b2c3d4e5f60718",
          "remote_id": "000000000000000f",
          "connection_id": "0000000000000077",
          "service": "5000",
          "state": "established",
          "draining": false,
          "active": true,
          "backup": false,
          "local": "192.0.2.7",
          "remote": "198.51.100.1",
          "encap": "native",
          "dev": "eth3",
          "rtt_us": 12340,
          "mtu": 1500,
          "local_version": 3,
          "remote_version": 1,
          "moves": 4,
          "reason": "address-lost",
          "uid": 1000,
          "rx_packets": 1234,
          "rx_bytes": 1500000,
          "tx_packets": 99,
          "tx_bytes": 4096
        }
        "#);
    }
}
