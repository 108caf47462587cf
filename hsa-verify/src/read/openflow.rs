// SPDX-License-Identifier: Apache-2.0 OR MIT
//! `ovs-ofctl dump-flows`: one switch a file.
//!
//! Field and action names as in ovs-fields(7) and ovs-actions(7). What cannot be expressed
//! (connection tracking, learning, registers) is refused, because leaving it out would change
//! answers. A group is a table of its own behind those of the flows.

mod actions;
mod flow;
pub mod groups;

use super::{Notes, ReadError, ReadNoteKind as NoteKind, SourceText};
use crate::header::{FieldKind, Layout};
use crate::model::{
    DeviceId, FileId, Match, Network, Next, Origin, Output, PortId, PortKind, PortMatch, Rule,
    Spread, Table,
};
use actions::{is_edit, is_reserved, output_port, table_of, Place};
use flow::Flow;
use groups::Group;
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

/// Reads a dump, and that of the groups if there is one, and adds the switch to the network, whose
/// header is [`layout`].
///
/// # Errors
/// A line that does not parse, a match or action that the model cannot express, a flow that goes
/// back to an earlier table, a group that is not there.
pub fn add_switch(
    network: &mut Network,
    name: &str,
    source: &SourceText,
    groups: Option<&SourceText>,
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
    let device = network.add_device(name);
    let known = match groups {
        Some(source) => groups::read_groups(source)?,
        None => BTreeMap::new(),
    };
    let mut switch = Switch {
        ports: BTreeMap::new(),
        tables: flows.iter().map(|f| f.table).chain([0]).collect(),
        editing: editing_tables(&flows),
        groups: BTreeMap::new(),
        built: Vec::new(),
    };
    switch.add_ports(network, device, &flows, &known);
    switch.add_flows(network, source, flows, &known, notes)?;
    if let Some(source) = groups {
        switch.add_groups(network, source, &known, notes)?;
    }
    network.devices[device.0 as usize].tables = switch.built;
    Ok(())
}

/// Tables in which some flow changes packets, or leads to such a table.
fn editing_tables(flows: &[Flow]) -> BTreeSet<u32> {
    let mut editing = BTreeSet::new();
    loop {
        let before = editing.len();
        for flow in flows {
            let mut actions = flow.actions.iter().chain(&flow.written);
            let leads = |a: &String| table_of(a).is_some_and(|t| editing.contains(&t));
            if actions.any(|a| is_edit(a) || leads(a)) {
                editing.insert(flow.table);
            }
        }
        if editing.len() == before {
            return editing;
        }
    }
}

struct Switch {
    ports: BTreeMap<String, PortId>,
    tables: BTreeSet<u32>,
    editing: BTreeSet<u32>,
    groups: BTreeMap<u32, u32>,
    built: Vec<Table>,
}

impl Switch {
    fn add_ports(
        &mut self,
        network: &mut Network,
        device: DeviceId,
        flows: &[Flow],
        groups: &BTreeMap<u32, Group>,
    ) {
        let buckets = groups.values().flat_map(|g| g.buckets.iter().flatten());
        let outputs = buckets.filter_map(|a| output_port(a));
        let outputs = outputs.filter(|p| !is_reserved(p));
        let names: BTreeSet<String> = flows.iter().flat_map(Flow::ports).chain(outputs).collect();
        for port in names {
            let number = port.parse().ok();
            let id = network.add_port(device, &port, PortKind::Physical, number);
            self.ports.insert(port, id);
        }
    }

    fn add_flows(
        &mut self,
        network: &mut Network,
        source: &SourceText,
        mut flows: Vec<Flow>,
        groups: &BTreeMap<u32, Group>,
        notes: &mut Notes,
    ) -> Result<(), ReadError> {
        let file = network.add_file(&source.name);
        let index = self.index();
        let order = groups::in_order(groups).unwrap_or_default();
        let mut next = self.tables.len() as u32;
        for group in order {
            self.groups.insert(group.id, next);
            next += 1 + group.buckets.len() as u32;
        }
        self.built = self
            .tables
            .iter()
            .map(|t| Table {
                name: format!("table {t}"),
                rules: Vec::new(),
            })
            .collect();
        flows.sort_by_key(|f| (f.table, std::cmp::Reverse(f.priority)));
        for flow in &flows {
            let place = self.place(&index, &network.layout);
            let effect = place.effect(flow, notes, &source.name);
            let effect = effect.map_err(|e| source.error(flow.line, e))?;
            let rule = Rule {
                ports: place.port_match(flow),
                matching: flow.matching.clone(),
                effect,
                origins: vec![origin(file, flow.line)],
                label: Some(format!("priority {}", flow.priority)),
            };
            self.built[index[&flow.table] as usize].rules.push(rule);
        }
        Ok(())
    }

    /// A group is a table with one rule, and a table for each of its buckets.
    fn add_groups(
        &mut self,
        network: &mut Network,
        source: &SourceText,
        groups: &BTreeMap<u32, Group>,
        notes: &mut Notes,
    ) -> Result<(), ReadError> {
        let file = network.add_file(&source.name);
        let index = self.index();
        let order = groups::in_order(groups).map_err(|(line, e)| source.error(line, e))?;
        for group in order {
            let own = self.groups[&group.id];
            let to = (1..=group.buckets.len() as u32).map(|i| {
                Output::new(Next::Table {
                    table: own + i,
                    port: None,
                })
            });
            let spread = if group.one_of {
                Spread::OneOf
            } else {
                Spread::All
            };
            let mut effects = vec![(format!("group {}", group.id), to.collect(), spread, false)];
            for (i, bucket) in group.buckets.iter().enumerate() {
                let actions: Vec<&str> = bucket.iter().map(String::as_str).collect();
                let place = self.place(&index, &network.layout);
                let done = place.run(&actions, u32::MAX, &mut |what| {
                    notes.line(NoteKind::Assumed, what, &source.name, group.line);
                });
                let done = done.map_err(|e| source.error(group.line, e))?;
                let name = format!("group {} bucket {i}", group.id);
                effects.push((name, done.outputs, Spread::All, done.delivered));
            }
            for (name, outputs, spread, delivered) in effects {
                let done = actions::Done { outputs, delivered };
                let rule = Rule {
                    ports: PortMatch::Any,
                    matching: Match::any(),
                    effect: done.effect(spread),
                    origins: vec![origin(file, group.line)],
                    label: Some(name.clone()),
                };
                self.built.push(Table {
                    name,
                    rules: vec![rule],
                });
            }
        }
        Ok(())
    }

    fn index(&self) -> BTreeMap<u32, u32> {
        let tables = self.tables.iter().enumerate();
        tables.map(|(i, t)| (*t, i as u32)).collect()
    }

    fn place<'a>(&'a self, tables: &'a BTreeMap<u32, u32>, layout: &'a Layout) -> Place<'a> {
        Place {
            tables,
            groups: &self.groups,
            editing: &self.editing,
            ports: &self.ports,
            layout,
        }
    }
}

fn origin(file: FileId, line: usize) -> Origin {
    Origin {
        file,
        line: line as u32,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Effect, Next};

    fn read(text: &str) -> Result<Network, ReadError> {
        let mut network = Network::new(layout());
        let source = SourceText::from_bytes("s1.flows", text.as_bytes())?;
        add_switch(&mut network, "s1", &source, None, &mut Notes::default())?;
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
    fn groups_are_tables_behind_those_of_the_flows() {
        let flows =
            " table=0,priority=5,in_port=1 actions=group:1\n table=1,priority=1 actions=drop\n";
        let groups = " group_id=7,type=select,bucket=actions=output:2,bucket=actions=output:3\n group_id=1,type=all,bucket=actions=mod_vlan_vid:9,group:7,bucket=actions=output:4\n";
        let mut network = Network::new(layout());
        let source = |n: &str, t: &str| SourceText::from_bytes(n, t.as_bytes()).unwrap();
        let (flows, groups) = (source("f", flows), source("g", groups));
        let notes = &mut Notes::default();
        add_switch(&mut network, "s1", &flows, Some(&groups), notes).unwrap();
        network.validate().unwrap();
        let tables = &network.devices[0].tables;
        let names: Vec<&str> = tables.iter().map(|t| t.name.as_str()).collect();
        assert_eq!(
            names[2..5],
            ["group 1", "group 1 bucket 0", "group 1 bucket 1"]
        );
        assert_eq!(
            names[5..],
            ["group 7", "group 7 bucket 0", "group 7 bucket 1"]
        );
        let to = |t: usize| tables[t].rules[0].effect.outputs()[0].next;
        assert_eq!(
            to(0),
            Next::Table {
                table: 2,
                port: None
            }
        );
        assert_eq!(
            to(3),
            Next::Table {
                table: 5,
                port: None
            }
        );
        let spread = |t: usize| {
            matches!(
                tables[t].rules[0].effect,
                Effect::Forward {
                    spread: Spread::OneOf,
                    ..
                }
            )
        };
        assert!(spread(5) && !spread(2));
    }

    #[test]
    fn a_resubmit_that_changes_packets_comes_last() {
        let plain = " table=0 actions=resubmit(,1),output:2\n table=1 actions=output:3\n";
        assert!(read(plain).is_ok());
        let changed = " table=0 actions=resubmit(,1),output:2\n table=1 actions=resubmit(,2)\n table=2 actions=mod_vlan_vid:3,output:3\n";
        assert!(read(changed)
            .unwrap_err()
            .to_string()
            .starts_with("s1.flows:1: "));
        let written = " table=0 actions=write_actions(output:2,mod_vlan_vid:3)\n";
        let network = read(written).unwrap();
        let outputs = network.devices[0].tables[0].rules[0].effect.outputs();
        assert_eq!((outputs.len(), outputs[0].edits.len()), (1, 1));
    }

    #[test]
    fn what_cannot_be_expressed_is_refused_with_its_line() {
        for flow in [
            "priority=1,ct_state=+trk actions=drop",
            "priority=1 actions=ct(commit)",
            "priority=1 actions=group:7",
            "priority=1 actions=output:NXM_NX_REG0[]",
            "priority=1 actions=write_actions(output:2),goto_table:0",
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
