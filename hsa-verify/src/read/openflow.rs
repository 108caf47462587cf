// SPDX-License-Identifier: Apache-2.0 OR MIT
//! `ovs-ofctl dump-flows`: one switch a file.
//!
//! Field and action names as in ovs-fields(7) and ovs-actions(7). What cannot be expressed (groups,
//! connection tracking, learning) is refused, because leaving it out would change answers.

mod actions;
mod flow;

use super::{Notes, ReadError, ReadNoteKind as NoteKind, SourceText};
use crate::header::{FieldKind, Layout};
use crate::model::{Network, PortId, PortKind, Rule, Table};
use actions::Place;
use flow::Flow;
use std::collections::{BTreeMap, BTreeSet};

/// The header of OpenFlow networks, 496 bits: Ethernet, VLAN (0 is untagged), IPv4, IPv6,
/// transport. ICMP type and code are in `tp_src` and `tp_dst`, as in OpenFlow 1.0.
pub fn layout() -> Layout {
    Layout::packed(&[
        ("eth_dst", 48, FieldKind::Mac),
        ("eth_src", 48, FieldKind::Mac),
        ("eth_type", 16, FieldKind::Hex),
        ("vlan", 16, FieldKind::Number),
        ("ip_proto", 8, FieldKind::Number),
        ("ip_dst", 32, FieldKind::Ipv4),
        ("ip_src", 32, FieldKind::Ipv4),
        ("tp_dst", 16, FieldKind::Number),
        ("tp_src", 16, FieldKind::Number),
        ("tcp_flags", 8, FieldKind::Hex),
        ("ipv6_dst", 128, FieldKind::Ipv6),
        ("ipv6_src", 128, FieldKind::Ipv6),
    ])
    .expect("the fields are packed and distinct")
}

/// Reads a dump and adds the switch to the network, whose header is [`layout`].
///
/// # Errors
/// A line that does not parse, a match or action that the model cannot express, a flow that goes
/// back to an earlier table.
pub fn add_switch(
    network: &mut Network,
    name: &str,
    source: &SourceText,
    notes: &mut Notes,
) -> Result<(), ReadError> {
    let mut flows = Vec::new();
    for line in source.lines() {
        let text = line.text.trim();
        if text.is_empty() || text.starts_with("NXST_FLOW") || text.starts_with("OFPST_FLOW") {
            continue;
        }
        let flow = flow::parse(text, line.number, &network.layout)
            .map_err(|e| source.error(line.number, e))?;
        flows.push(flow);
    }
    if flows.is_empty() {
        notes.of_box(
            NoteKind::Assumed,
            "no flows: the switch drops everything",
            name,
        );
    }
    add(network, name, source, flows, notes)
}

fn add(
    network: &mut Network,
    name: &str,
    source: &SourceText,
    mut flows: Vec<Flow>,
    notes: &mut Notes,
) -> Result<(), ReadError> {
    let device = network.add_device(name);
    let file = network.add_file(&source.name);
    let names: BTreeSet<String> = flows.iter().flat_map(Flow::ports).collect();
    let mut ports: BTreeMap<String, PortId> = BTreeMap::new();
    for port in names {
        let number = port.parse().ok();
        let id = network.add_port(device, &port, PortKind::Physical, number);
        ports.insert(port, id);
    }
    let tables: BTreeSet<u32> = flows.iter().map(|f| f.table).chain([0]).collect();
    let index: BTreeMap<u32, u32> = tables
        .iter()
        .enumerate()
        .map(|(i, t)| (*t, i as u32))
        .collect();
    let mut built: Vec<Table> = tables
        .iter()
        .map(|t| Table {
            name: format!("table {t}"),
            rules: Vec::new(),
        })
        .collect();
    flows.sort_by_key(|f| (f.table, std::cmp::Reverse(f.priority)));
    for flow in &flows {
        let place = Place {
            tables: &index,
            ports: &ports,
            layout: &network.layout,
        };
        let effect = place.effect(flow, notes, &source.name);
        let effect = effect.map_err(|e| source.error(flow.line, e))?;
        let rule = Rule {
            ports: place.port_match(flow),
            matching: flow.matching.clone(),
            effect,
            origins: vec![crate::model::Origin {
                file,
                line: flow.line as u32,
            }],
            label: Some(format!("priority {}", flow.priority)),
        };
        built[index[&flow.table] as usize].rules.push(rule);
    }
    network.devices[device.0 as usize].tables = built;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Effect, Next};

    fn read(text: &str) -> Result<Network, ReadError> {
        let mut network = Network::new(layout());
        let source = SourceText::from_bytes("s1.flows", text.as_bytes())?;
        add_switch(&mut network, "s1", &source, &mut Notes::default())?;
        network
            .validate()
            .map_err(|e| ReadError::file("s1", e.to_string()))?;
        Ok(network)
    }

    #[test]
    fn priorities_tables_and_rewrites() {
        let network = read(
            "NXST_FLOW reply (xid=0x4):\n \
             cookie=0x0, duration=3.1s, table=0, n_packets=0, n_bytes=0, priority=10 actions=drop\n \
             cookie=0x0, duration=3.1s, table=0, n_packets=0, n_bytes=0, idle_age=3, priority=100,tcp,in_port=1,nw_dst=10.0.0.0/8,tp_dst=80 actions=mod_vlan_vid:5,output:2,goto_table:1\n \
             cookie=0x0, table=1, priority=5,ip,nw_src=10.0.0.0/255.0.255.0 actions=set_field:10.1.1.1->ip_dst,output:3\n",
        )
        .unwrap();
        let tables = &network.devices[0].tables;
        assert_eq!((tables[0].rules.len(), tables[1].rules.len()), (2, 1));
        assert_eq!(tables[0].rules[1].effect, Effect::Drop);
        let outputs = tables[0].rules[0].effect.outputs();
        assert_eq!(outputs.len(), 2);
        assert!(matches!(
            outputs[1].next,
            Next::Table {
                table: 1,
                port: None
            }
        ));
        assert_eq!(network.physical_ports().count(), 3);
    }

    #[test]
    fn what_cannot_be_expressed_is_refused_with_its_line() {
        for flow in [
            "priority=1,ct_state=+trk actions=drop",
            "priority=1 actions=ct(commit)",
            "priority=1 actions=group:7",
            "priority=1,ip,nw_dst=10.0.0.0/33 actions=drop",
            "priority=1,ip",
            "table=2,priority=1 actions=resubmit(,1)",
            "garbage",
        ] {
            let e = read(&format!(" cookie=0x0, {flow}\n"))
                .expect_err(flow)
                .to_string();
            assert!(e.starts_with("s1.flows:1: "), "{e}");
        }
    }
}
