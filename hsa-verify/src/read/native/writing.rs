// SPDX-License-Identifier: Apache-2.0 OR MIT
//! From the model to the document.

use super::{
    Cable, Change, Condition, Copy, Device, DevicePort, Document, Header, HeaderField, Kind,
    Remark, RemarkKind, RuleTable, SpreadKind, TableRule, Verdict, VlanPort, FORMAT, VERSION,
};
use crate::header::{Field, FieldKind, Layout};
use crate::model::{
    Device as Box_, DeviceId, Edit, Effect, L2Mode, L2Port, Match, Network, Next, NoteKind, Origin,
    Output, PortId, PortKind, PortMatch, Rule, Spread, Test,
};
use std::collections::BTreeMap;

/// The document of a network.
pub fn write(network: &Network) -> Document {
    let mut ports: Vec<Vec<PortId>> = vec![Vec::new(); network.devices.len()];
    for id in network.port_ids() {
        ports[network.port(id).device.0 as usize].push(id);
    }
    let writer = Writer { network };
    Document {
        format: FORMAT.to_owned(),
        version: VERSION,
        header: header(&network.layout),
        boxes: network
            .devices
            .iter()
            .enumerate()
            .map(|(i, d)| writer.device(DeviceId(i as u32), d, &ports[i]))
            .collect(),
        links: network
            .links
            .iter()
            .map(|l| Cable {
                from: network.port_name(l.from),
                to: network.port_name(l.to),
                at: writer.origin(l.origin),
            })
            .collect(),
        vlans: network.l2.iter().map(|l| writer.vlans(l)).collect(),
        notes: network
            .notes
            .iter()
            .map(|n| Remark {
                kind: match n.kind {
                    NoteKind::Ignored => RemarkKind::Ignored,
                    NoteKind::Unknown => RemarkKind::Unknown,
                    NoteKind::Warning => RemarkKind::Warning,
                },
                text: n.text.clone(),
                at: writer.origin(n.origin),
            })
            .collect(),
    }
}

/// One rule of a box.
pub fn write_rule(network: &Network, device: u32, rule: &Rule) -> TableRule {
    Writer { network }.rule(rule, &network.devices[device as usize])
}

fn header(layout: &Layout) -> Header {
    let field = |f: &Field| HeaderField {
        name: f.name.clone(),
        offset: f.offset,
        width: f.width,
        kind: match f.kind {
            FieldKind::Number => Kind::Number,
            FieldKind::Hex => Kind::Hex,
            FieldKind::Ipv4 => Kind::Ipv4,
            FieldKind::Ipv6 => Kind::Ipv6,
            FieldKind::Mac => Kind::Mac,
        },
    };
    Header {
        length: layout.length,
        fields: layout.fields.iter().map(field).collect(),
    }
}

struct Writer<'a> {
    network: &'a Network,
}

impl Writer<'_> {
    fn origin(&self, origin: Option<Origin>) -> Option<String> {
        origin.map(|o| self.network.origin_name(o))
    }

    fn port(&self, id: PortId) -> String {
        self.network.port(id).name.clone()
    }

    fn device(&self, _id: DeviceId, device: &Box_, ports: &[PortId]) -> Device {
        let (physical, internal): (Vec<PortId>, Vec<PortId>) = ports
            .iter()
            .partition(|p| self.network.port(**p).kind == PortKind::Physical);
        let port = |p: &PortId| {
            let port = self.network.port(*p);
            DevicePort {
                name: port.name.clone(),
                number: port.number,
                members: port.members.clone(),
            }
        };
        let table = |t: &crate::model::Table| RuleTable {
            name: t.name.clone(),
            rules: t.rules.iter().map(|r| self.rule(r, device)).collect(),
        };
        Device {
            name: device.name.clone(),
            send_back: device.send_back,
            ports: physical.iter().map(port).collect(),
            places: internal.iter().map(|p| self.port(*p)).collect(),
            tables: device.tables.iter().map(table).collect(),
        }
    }

    fn rule(&self, rule: &Rule, device: &Box_) -> TableRule {
        let (verdict, spread) = match &rule.effect {
            Effect::Drop => (Verdict::Drop, None),
            Effect::Deliver => (Verdict::Deliver, None),
            Effect::Forward { outputs, spread } => {
                let spread = match spread {
                    Spread::All => SpreadKind::All,
                    Spread::OneOf => SpreadKind::OneOf,
                };
                (Verdict::Forward, Some(spread).filter(|_| outputs.len() > 1))
            }
        };
        TableRule {
            at: match &rule.ports {
                PortMatch::Any => None,
                PortMatch::In(ports) => Some(ports.iter().map(|p| self.port(*p)).collect()),
            },
            matching: self.conditions(&rule.matching),
            raw: rule.matching.raw.as_ref().map(ToString::to_string),
            verdict,
            outputs: rule
                .effect
                .outputs()
                .iter()
                .map(|o| self.copy(o, device))
                .collect(),
            spread,
            from: rule
                .origins
                .iter()
                .map(|o| self.network.origin_name(*o))
                .collect(),
            label: rule.label.clone(),
        }
    }

    fn conditions(&self, matching: &Match) -> BTreeMap<String, Condition> {
        let mut by_field: BTreeMap<String, Vec<Condition>> = BTreeMap::new();
        for m in &matching.fields {
            let field = self.network.layout.field(m.field);
            by_field
                .entry(field.name.clone())
                .or_default()
                .push(condition(field, &m.test));
        }
        let join = |mut list: Vec<Condition>| match list.len() {
            1 => list.remove(0),
            _ => Condition::All { all: list },
        };
        by_field
            .into_iter()
            .map(|(name, list)| (name, join(list)))
            .collect()
    }

    fn copy(&self, output: &Output, device: &Box_) -> Copy {
        let mut copy = Copy {
            edits: output.edits.iter().map(|e| self.change(e)).collect(),
            ..Copy::default()
        };
        match output.next {
            Next::Leave(port) => copy.leave = Some(self.port(port)),
            Next::LeaveIngress => copy.leave_ingress = true,
            Next::Table { table, port } => {
                copy.table = Some(device.tables[table as usize].name.clone());
                copy.at = port.map(|p| self.port(p));
            }
        }
        copy
    }

    fn change(&self, edit: &Edit) -> Change {
        let layout = &self.network.layout;
        match edit {
            Edit::Set { field, value } => {
                let field = layout.field(*field);
                Change::Set(BTreeMap::from([(field.name.clone(), field.format(*value))]))
            }
            Edit::Rewrite { keep, value } => Change::Rewrite {
                keep: keep.to_string(),
                value: value.to_string(),
            },
            Edit::Push { bits } => Change::Push(bits.to_string()),
            Edit::Pop { count } => Change::Pop(*count),
            Edit::DecTtl { field } => Change::DecTtl(layout.field(*field).name.clone()),
        }
    }

    fn vlans(&self, l2: &L2Port) -> VlanPort {
        let (access, trunk, native) = match &l2.mode {
            L2Mode::Access(vlan) => (Some(*vlan), None, None),
            L2Mode::Trunk { allowed, native } => {
                (None, Some(allowed.iter().copied().collect()), *native)
            }
        };
        VlanPort {
            port: self.network.port_name(l2.port),
            access,
            trunk,
            native,
            blocked: l2.blocked.iter().copied().collect(),
            at: self.origin(l2.origin),
        }
    }
}

fn condition(field: &Field, test: &Test) -> Condition {
    match test {
        Test::Exact(v) => Condition::Text(field.format(*v)),
        Test::Masked { value, mask } => {
            Condition::Text(format!("{}&{mask:#x}", field.format(*value)))
        }
        Test::Prefix { value, len } => Condition::Text(format!("{}/{len}", field.format(*value))),
        Test::Range { lo, hi } => {
            Condition::Text(format!("{}..{}", field.format(*lo), field.format(*hi)))
        }
        Test::OneOf(list) => Condition::OneOf(list.iter().map(|t| condition(field, t)).collect()),
        Test::Not(inner) => Condition::Not {
            not: Box::new(condition(field, inner)),
        },
    }
}
