// SPDX-License-Identifier: Apache-2.0 OR MIT
//! From the document to the model.

use super::{
    Change, Condition, Copy, Device, Document, Kind, RemarkKind, SpreadKind, TableRule, Verdict,
    FORMAT, VERSION,
};
use crate::header::{Bits, Field, FieldKind, Layout};
use crate::model::{
    DeviceId, Edit, Effect, FieldMatch, FileId, L2Mode, L2Port, Match, Network, Next, Note,
    NoteKind, Origin, Output, PortId, PortKind, PortMatch, Rule, Spread, Table, Test,
};
use crate::read::{ReadError, SourceText};
use std::collections::HashMap;

/// Reads a document.
///
/// # Errors
/// Malformed JSON or keys that the schema does not have (with the line), another version, a
/// reference to a port, table or field that does not exist (with box, table and rule).
pub fn read(source: &SourceText) -> Result<Network, ReadError> {
    let document: Document = serde_json::from_str(&source.text).map_err(|e| {
        source.error(
            e.line().max(1),
            format!("not in the format of hsa-verify: {e}"),
        )
    })?;
    if document.format != FORMAT || document.version != VERSION {
        let what = format!(
            "format {:?} version {}; this program reads {FORMAT:?} version {VERSION}",
            document.format, document.version
        );
        return Err(ReadError::file(&source.name, what));
    }
    build(&document).map_err(|what| ReadError::file(&source.name, what))
}

fn build(document: &Document) -> Result<Network, String> {
    let fields = document.header.fields.iter().map(|f| Field {
        name: f.name.clone(),
        offset: f.offset,
        width: f.width,
        kind: match f.kind {
            Kind::Number => FieldKind::Number,
            Kind::Hex => FieldKind::Hex,
            Kind::Ipv4 => FieldKind::Ipv4,
            Kind::Ipv6 => FieldKind::Ipv6,
            Kind::Mac => FieldKind::Mac,
        },
    });
    let layout =
        Layout::new(document.header.length, fields.collect()).map_err(|e| e.to_string())?;
    let mut reader = Reader {
        network: Network::new(layout),
        files: HashMap::new(),
    };
    let mut by_name: HashMap<String, PortId> = HashMap::new();
    for device in &document.boxes {
        reader
            .device(device, &mut by_name)
            .map_err(|e| format!("box {}: {e}", device.name))?;
    }
    let port = |name: &str| {
        by_name
            .get(name)
            .copied()
            .ok_or_else(|| format!("there is no port {name:?}"))
    };
    for link in &document.links {
        let at = reader.origin(link.at.as_deref())?;
        let place = |e: String| format!("link {} -> {}: {e}", link.from, link.to);
        let (from, to) = (
            port(&link.from).map_err(place)?,
            port(&link.to).map_err(place)?,
        );
        reader.network.add_link(from, to, at);
    }
    for vlans in &document.vlans {
        let mode = match (&vlans.access, &vlans.trunk) {
            (Some(vlan), None) => L2Mode::Access(*vlan),
            (None, Some(list)) => L2Mode::Trunk {
                allowed: list.iter().copied().collect(),
                native: vlans.native,
            },
            _ => return Err(format!("vlans of {}: either access or trunk", vlans.port)),
        };
        let origin = reader.origin(vlans.at.as_deref())?;
        let blocked = vlans.blocked.iter().copied().collect();
        let port = port(&vlans.port)?;
        reader.network.l2.push(L2Port {
            port,
            mode,
            blocked,
            origin,
        });
    }
    for note in &document.notes {
        let origin = reader.origin(note.at.as_deref())?;
        let kind = match note.kind {
            RemarkKind::Ignored => NoteKind::Ignored,
            RemarkKind::Unknown => NoteKind::Unknown,
            RemarkKind::Warning => NoteKind::Warning,
        };
        reader.network.notes.push(Note {
            kind,
            origin,
            text: note.text.clone(),
        });
    }
    Ok(reader.network)
}

/// One rule for a box of a network, as JSON. Its origins are left out: files belong to networks.
///
/// # Errors
/// Malformed JSON, or a port, table or field that the box does not have.
pub fn parse_rule(network: &Network, device: u32, text: &str) -> Result<Rule, String> {
    let mut rule: TableRule = serde_json::from_str(text).map_err(|e| e.to_string())?;
    rule.from.clear();
    let own = network
        .port_ids()
        .filter(|p| network.port(*p).device.0 == device);
    let tables = network.devices[device as usize].tables.iter().enumerate();
    let scope = Scope {
        ports: own.map(|p| (network.port(p).name.as_str(), p)).collect(),
        tables: tables.map(|(i, t)| (t.name.as_str(), i as u32)).collect(),
    };
    let mut reader = Reader {
        network: Network::new(network.layout.clone()),
        files: HashMap::new(),
    };
    reader.rule(&rule, &scope)
}

struct Reader {
    network: Network,
    files: HashMap<String, FileId>,
}

/// Names inside a box.
struct Scope<'a> {
    ports: HashMap<&'a str, PortId>,
    tables: HashMap<&'a str, u32>,
}

impl Scope<'_> {
    fn port(&self, name: &str) -> Result<PortId, String> {
        self.ports
            .get(name)
            .copied()
            .ok_or_else(|| format!("there is no port or place {name:?}"))
    }
}

impl Reader {
    fn origin(&mut self, text: Option<&str>) -> Result<Option<Origin>, String> {
        let Some(text) = text else { return Ok(None) };
        let bad = || format!("{text:?}: expected file:line");
        let (file, line) = text.rsplit_once(':').ok_or_else(bad)?;
        let line = line.parse().map_err(|_| bad())?;
        let file = match self.files.get(file) {
            Some(id) => *id,
            None => {
                let id = self.network.add_file(file);
                self.files.insert(file.to_owned(), id);
                id
            }
        };
        Ok(Some(Origin { file, line }))
    }

    fn device(
        &mut self,
        device: &Device,
        by_name: &mut HashMap<String, PortId>,
    ) -> Result<(), String> {
        let id: DeviceId = self.network.add_device(&device.name);
        self.network.devices[id.0 as usize].send_back = device.send_back;
        let mut scope = Scope {
            ports: HashMap::new(),
            tables: HashMap::new(),
        };
        for port in &device.ports {
            let new = self
                .network
                .add_port(id, &port.name, PortKind::Physical, port.number);
            self.network.ports[new.0 as usize]
                .members
                .clone_from(&port.members);
            by_name.insert(format!("{}:{}", device.name, port.name), new);
            scope.ports.insert(&port.name, new);
        }
        for place in &device.places {
            let new = self.network.add_port(id, place, PortKind::Internal, None);
            scope.ports.insert(place, new);
        }
        for (i, table) in device.tables.iter().enumerate() {
            if scope.tables.insert(&table.name, i as u32).is_some() {
                return Err(format!("table {:?} is there twice", table.name));
            }
        }
        for table in &device.tables {
            let mut rules = Vec::with_capacity(table.rules.len());
            for (i, rule) in table.rules.iter().enumerate() {
                let place = |e: String| format!("table {}, rule {i}: {e}", table.name);
                rules.push(self.rule(rule, &scope).map_err(place)?);
            }
            let name = table.name.clone();
            self.network.devices[id.0 as usize]
                .tables
                .push(Table { name, rules });
        }
        Ok(())
    }

    fn rule(&mut self, rule: &TableRule, scope: &Scope<'_>) -> Result<Rule, String> {
        let mut matching = Match::any();
        for (name, wanted) in &rule.matching {
            let field = self.network.layout.find(name);
            let field = field.ok_or_else(|| format!("the header has no field {name:?}"))?;
            let described = self.network.layout.field(field);
            match wanted {
                Condition::All { all } => {
                    for one in all {
                        matching.fields.push(FieldMatch {
                            field,
                            test: test(described, one)?,
                        });
                    }
                }
                one => matching.fields.push(FieldMatch {
                    field,
                    test: test(described, one)?,
                }),
            }
        }
        if let Some(raw) = &rule.raw {
            matching.raw = Some(raw.parse().map_err(|e| format!("raw: {e}"))?);
        }
        let mut outputs = Vec::with_capacity(rule.outputs.len());
        for copy in &rule.outputs {
            outputs.push(self.output(copy, scope)?);
        }
        let effect = match rule.verdict {
            Verdict::Forward => Effect::Forward {
                outputs,
                spread: match rule.spread {
                    Some(SpreadKind::OneOf) => Spread::OneOf,
                    _ => Spread::All,
                },
            },
            _ if !outputs.is_empty() => return Err("outputs need `do: forward`".to_owned()),
            Verdict::Drop => Effect::Drop,
            Verdict::Deliver => Effect::Deliver,
        };
        let ports = match &rule.at {
            None => PortMatch::Any,
            Some(names) => PortMatch::In(
                names
                    .iter()
                    .map(|n| scope.port(n))
                    .collect::<Result<_, _>>()?,
            ),
        };
        let mut origins = Vec::new();
        for text in &rule.from {
            origins.extend(self.origin(Some(text))?);
        }
        Ok(Rule {
            ports,
            matching,
            effect,
            origins,
            label: rule.label.clone(),
        })
    }

    fn output(&self, copy: &Copy, scope: &Scope<'_>) -> Result<Output, String> {
        let next = match (&copy.leave, copy.leave_ingress, &copy.table) {
            (Some(port), false, None) => Next::Leave(scope.port(port)?),
            (None, true, None) => Next::LeaveIngress,
            (None, false, Some(name)) => {
                let table = scope.tables.get(name.as_str()).copied();
                let table = table.ok_or_else(|| format!("there is no table {name:?}"))?;
                let port = copy.at.as_ref().map(|p| scope.port(p)).transpose()?;
                Next::Table { table, port }
            }
            _ => return Err("an output needs one of leave, leave_ingress and table".to_owned()),
        };
        let mut edits = Vec::new();
        for change in &copy.edits {
            self.change(change, &mut edits)?;
        }
        Ok(Output { edits, next })
    }

    fn change(&self, change: &Change, edits: &mut Vec<Edit>) -> Result<(), String> {
        let layout = &self.network.layout;
        let find = |name: &str| {
            layout
                .find(name)
                .ok_or_else(|| format!("the header has no field {name:?}"))
        };
        match change {
            Change::Set(values) => {
                for (name, text) in values {
                    let field = find(name)?;
                    let value = layout.field(field).parse(text).map_err(|e| e.to_string())?;
                    edits.push(Edit::Set { field, value });
                }
            }
            Change::Rewrite { keep, value } => {
                edits.push(Edit::Rewrite {
                    keep: bits(keep)?,
                    value: bits(value)?,
                });
            }
            Change::Push(text) => edits.push(Edit::Push { bits: bits(text)? }),
            Change::Pop(count) => edits.push(Edit::Pop { count: *count }),
            Change::DecTtl(name) => edits.push(Edit::DecTtl { field: find(name)? }),
        }
        Ok(())
    }
}

fn bits(text: &str) -> Result<Bits, String> {
    let mut bits = Bits::zeros(text.len());
    for (i, c) in text.chars().enumerate() {
        match c {
            '0' => {}
            '1' => bits.set(i, true),
            _ => return Err(format!("{c:?} is neither 0 nor 1")),
        }
    }
    Ok(bits)
}

/// A condition as a test of a field.
///
/// # Errors
/// A value that does not fit the field.
pub fn test(field: &Field, condition: &Condition) -> Result<Test, String> {
    match condition {
        Condition::Text(text) => text_test(field, text),
        Condition::OneOf(list) => Ok(Test::OneOf(
            list.iter()
                .map(|c| test(field, c))
                .collect::<Result<_, _>>()?,
        )),
        Condition::Not { not } => Ok(Test::Not(Box::new(test(field, not)?))),
        Condition::All { .. } => Err("`all` may not be nested".to_owned()),
    }
}

/// `V`, `V/LEN`, `LOW..HIGH`, `V&MASK`.
///
/// # Errors
/// A value that does not fit the field.
pub fn text_test(field: &Field, text: &str) -> Result<Test, String> {
    let value = |t: &str| field.parse(t).map_err(|e| e.to_string());
    if let Some((low, high)) = text.split_once("..") {
        let (lo, hi) = (value(low)?, value(high)?);
        return if lo <= hi {
            Ok(Test::Range { lo, hi })
        } else {
            Err(format!("{text:?}: the range is upside down"))
        };
    }
    if let Some((v, mask)) = text.split_once('&') {
        return Ok(Test::Masked {
            value: value(v)?,
            mask: value(mask)?,
        });
    }
    if let Some((v, len)) = text.split_once('/') {
        let len: u8 = len
            .parse()
            .map_err(|_| format!("{text:?}: bad prefix length"))?;
        return if u32::from(len) <= field.width {
            Ok(Test::Prefix {
                value: value(v)?,
                len,
            })
        } else {
            Err(format!("{text:?}: {} has {} bits", field.name, field.width))
        };
    }
    value(text).map(Test::Exact)
}
