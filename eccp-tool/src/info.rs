// SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0
//! `info`: the module, its numbers and limits.

use eccp_netlink::info::Info;
use eccp_netlink::Client;
use serde::Serialize;

use crate::amount;
use crate::failure::Failure;
use crate::output::{Output, Show};

/// What is shown of the module; the keys of JSON are the names of the fields.
#[derive(Debug, Clone, Serialize)]
pub struct InfoView {
    module_version: Option<String>,
    kernel_release: Option<String>,
    wire_version: Option<u8>,
    family: Option<u32>,
    ip_protocol: Option<u8>,
    udp_port: Option<u16>,
    table_buckets: Option<u64>,
    max_flows: Option<u32>,
    max_addresses: Option<u32>,
    connections: Option<u64>,
    flows: Option<u64>,
    generation: Option<u64>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    unknown_attributes: Vec<u16>,
}

impl InfoView {
    /// The view of the answer to info-get.
    pub fn new(info: &Info) -> Self {
        InfoView {
            module_version: info.module_version.clone(),
            kernel_release: info.kernel_release.clone(),
            wire_version: info.wire_version,
            family: info.family,
            ip_protocol: info.ip_protocol,
            udp_port: info.udp_port,
            table_buckets: info.table_buckets,
            max_flows: info.max_flows,
            max_addresses: info.max_addresses,
            connections: info.connections,
            flows: info.flows,
            generation: info.generation,
            unknown_attributes: amount::kinds(&info.other),
        }
    }

    /// Version and population on one line.
    pub fn headline(&self) -> String {
        format!(
            "eccp {}: {}, {}, family {}, protocol {}, UDP port {}",
            word(&self.module_version),
            several(self.connections, "connection"),
            several(self.flows, "flow"),
            word(&self.family),
            word(&self.ip_protocol),
            word(&self.udp_port),
        )
    }
}

fn several(number: Option<u64>, noun: &str) -> String {
    let ending = if number == Some(1) { "" } else { "s" };
    format!("{} {noun}{ending}", word(&number))
}

fn word<T: ToString>(value: &Option<T>) -> String {
    value.as_ref().map_or("?".into(), T::to_string)
}

impl Show for InfoView {
    fn text(&self) -> String {
        let lines = [
            ("module version", word(&self.module_version)),
            ("built for kernel", word(&self.kernel_release)),
            ("packet format", word(&self.wire_version)),
            ("socket family", word(&self.family)),
            ("IP protocol", word(&self.ip_protocol)),
            ("UDP port", word(&self.udp_port)),
            ("flow table buckets", word(&self.table_buckets)),
            ("flows a connection", word(&self.max_flows)),
            ("addresses a side", word(&self.max_addresses)),
            ("connections now", word(&self.connections)),
            ("flows now", word(&self.flows)),
        ];
        let lines = lines.map(|(name, value)| format!("{name:20} {value}"));
        lines.join("\n")
    }
}

/// Runs the command.
pub fn run(output: &mut Output) -> Result<(), Failure> {
    let info = Client::open()?.info()?;
    Ok(output.one(&InfoView::new(&info))?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_module_is_shown_with_its_numbers() {
        let view = InfoView::new(&Info {
            module_version: Some("0.1.0".into()),
            kernel_release: Some("7.3.4".into()),
            wire_version: Some(1),
            family: Some(18),
            ip_protocol: Some(253),
            udp_port: Some(4433),
            connections: Some(1),
            flows: Some(3),
            ..Info::default()
        });
        insta::assert_snapshot!(view.text(), @r"
        module version       0.1.0
        built for kernel     7.3.4
        packet format        1
        socket family        18
        IP protocol          253
        UDP port             4433
        flow table buckets   ?
        flows a connection   ?
        addresses a side     ?
        connections now      1
        flows now            3
        ");
        insta::assert_snapshot!(view.headline(), @"eccp 0.1.0: 1 connection, 3 flows, family 18, protocol 253, UDP port 4433");
    }
}
