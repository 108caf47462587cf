// SPDX-License-Identifier: Apache-2.0 OR MIT
//! What every network must satisfy before it is analysed, whichever reader it came from.

use super::network::{Network, PortId, PortKind};
use super::rule::{Edit, Match, Next, Output, PortMatch, Rule, Test};
use crate::header::{Field, FieldId};
use std::collections::HashMap;

/// A network that contradicts itself. `place` names box, table and rule, with file and line when
/// they are known.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ModelError {
    /// Two boxes share a name.
    #[error("box {0:?} is defined twice")]
    DuplicateDevice(String),
    /// Two ports of a box share a name.
    #[error("port {0:?} is defined twice")]
    DuplicatePort(String),
    /// A port number that no port has.
    #[error("{place} refers to port #{port}, there are {count} ports")]
    UnknownPort {
        /// Who refers to it.
        place: String,
        /// The index.
        port: u32,
        /// Number of ports in the network.
        count: usize,
    },
    /// A rule uses a port of another box, or sends out of or links an internal port.
    #[error("{place}: port {port:?} {problem}")]
    Port {
        /// Who uses it.
        place: String,
        /// The port.
        port: String,
        /// What is wrong with it.
        problem: &'static str,
    },
    /// A link joins a port to itself, or is stated twice.
    #[error("link {from} -> {to} {problem}")]
    Link {
        /// The sending port.
        from: String,
        /// The receiving port.
        to: String,
        /// What is wrong with it.
        problem: &'static str,
    },
    /// A field index outside the layout.
    #[error("{place} uses field #{field}, the header has {count}")]
    UnknownField {
        /// The rule.
        place: String,
        /// The index.
        field: u16,
        /// Number of fields.
        count: usize,
    },
    /// A value or mask that does not fit its field.
    #[error("{place}: {value:#x} does not fit field {field:?} of {width} bits")]
    Value {
        /// The rule.
        place: String,
        /// The field.
        field: String,
        /// Its width.
        width: u32,
        /// The value.
        value: u128,
    },
    /// A wildcard, rewrite or shift whose length is not that of the header.
    #[error("{place}: {found} bits where the header has {expected}")]
    Length {
        /// The rule.
        place: String,
        /// Bits of the header.
        expected: u32,
        /// Bits found.
        found: usize,
    },
    /// A rule sends a packet to its own table, an earlier one, or one that is not there.
    #[error("{place} goes to table {table}; it must be a later table of the {count}")]
    Table {
        /// The rule.
        place: String,
        /// The target.
        table: u32,
        /// Tables of the box.
        count: usize,
    },
}

impl Network {
    /// Checks names, indices, lengths, values, links and table order. Every analysis expects a
    /// network that passes.
    pub fn validate(&self) -> Result<(), ModelError> {
        self.validate_names()?;
        self.validate_links()?;
        for (d, device) in self.devices.iter().enumerate() {
            for (t, table) in device.tables.iter().enumerate() {
                for (r, rule) in table.rules.iter().enumerate() {
                    let check = RuleCheck {
                        network: self,
                        device: d,
                        table: t,
                        index: r,
                    };
                    check.rule(rule)?;
                }
            }
        }
        Ok(())
    }

    fn validate_names(&self) -> Result<(), ModelError> {
        let mut seen = HashMap::new();
        for device in &self.devices {
            if seen.insert(device.name.as_str(), ()).is_some() {
                return Err(ModelError::DuplicateDevice(device.name.clone()));
            }
        }
        let mut seen = HashMap::new();
        for (i, port) in self.ports.iter().enumerate() {
            if port.device.0 as usize >= self.devices.len() {
                return Err(ModelError::Port {
                    place: format!("port #{i}"),
                    port: port.name.clone(),
                    problem: "belongs to a box that does not exist",
                });
            }
            if seen.insert((port.device, port.name.as_str()), ()).is_some() {
                return Err(ModelError::DuplicatePort(self.port_name(PortId(i as u32))));
            }
        }
        Ok(())
    }

    fn validate_links(&self) -> Result<(), ModelError> {
        let mut seen = HashMap::new();
        for link in &self.links {
            let place = match link.origin {
                Some(o) => format!("link at {}", self.origin_name(o)),
                None => "link".to_string(),
            };
            for port in [link.from, link.to] {
                self.known(port, &place)?;
                if self.port(port).kind == PortKind::Internal {
                    return Err(ModelError::Port {
                        place,
                        port: self.port_name(port),
                        problem: "is internal, links join physical ports",
                    });
                }
            }
            let wrong = |problem| ModelError::Link {
                from: self.port_name(link.from),
                to: self.port_name(link.to),
                problem,
            };
            if link.from == link.to {
                return Err(wrong("joins a port to itself"));
            }
            if seen.insert((link.from, link.to), ()).is_some() {
                return Err(wrong("is stated twice"));
            }
        }
        Ok(())
    }

    fn known(&self, port: PortId, place: &str) -> Result<(), ModelError> {
        if (port.0 as usize) < self.ports.len() {
            return Ok(());
        }
        Err(ModelError::UnknownPort {
            place: place.to_string(),
            port: port.0,
            count: self.ports.len(),
        })
    }

    /// `box, table NAME, rule N (file:line)`, the way a rule is named in errors.
    pub fn rule_name(&self, device: usize, table: usize, index: usize) -> String {
        let d = &self.devices[device];
        let t = &d.tables[table];
        let at = match t.rules[index].origins.first() {
            Some(&o) => format!(" ({})", self.origin_name(o)),
            None => String::new(),
        };
        format!("{}, table {}, rule {}{at}", d.name, t.name, index + 1)
    }
}

struct RuleCheck<'a> {
    network: &'a Network,
    device: usize,
    table: usize,
    index: usize,
}

impl RuleCheck<'_> {
    fn place(&self) -> String {
        self.network.rule_name(self.device, self.table, self.index)
    }

    fn rule(&self, rule: &Rule) -> Result<(), ModelError> {
        if let PortMatch::In(ports) = &rule.ports {
            ports.iter().try_for_each(|&p| self.own_port(p))?;
        }
        self.matching(&rule.matching)?;
        rule.effect
            .outputs()
            .iter()
            .try_for_each(|output| self.output(output))
    }

    fn own_port(&self, port: PortId) -> Result<(), ModelError> {
        if port.0 as usize >= self.network.ports.len() {
            return self.network.known(port, &self.place());
        }
        if self.network.port(port).device.0 as usize == self.device {
            return Ok(());
        }
        Err(self.bad_port(port, "belongs to another box"))
    }

    fn bad_port(&self, port: PortId, problem: &'static str) -> ModelError {
        ModelError::Port {
            place: self.place(),
            port: self.network.port_name(port),
            problem,
        }
    }

    fn output(&self, output: &Output) -> Result<(), ModelError> {
        for edit in &output.edits {
            match edit {
                Edit::Set { field, value } => self.fits(self.field(*field)?, *value)?,
                Edit::DecTtl { field } => {
                    self.field(*field)?;
                }
                Edit::Rewrite { keep, value } => {
                    self.length(keep.len())?;
                    self.length(value.len())?;
                }
                Edit::Push { bits } => self.shift(bits.len())?,
                Edit::Pop { count } => self.shift(*count as usize)?,
            }
        }
        match output.next {
            Next::Leave(port) => {
                self.own_port(port)?;
                match self.network.port(port).kind {
                    PortKind::Physical => Ok(()),
                    PortKind::Internal => {
                        Err(self.bad_port(port, "is internal, nothing leaves there"))
                    }
                }
            }
            Next::LeaveIngress => Ok(()),
            Next::Table { table, port } => {
                let count = self.network.devices[self.device].tables.len();
                if table as usize <= self.table || table as usize >= count {
                    return Err(ModelError::Table {
                        place: self.place(),
                        table,
                        count,
                    });
                }
                port.map_or(Ok(()), |p| self.own_port(p))
            }
        }
    }

    fn matching(&self, matching: &Match) -> Result<(), ModelError> {
        if let Some(raw) = &matching.raw {
            self.length(raw.len())?;
        }
        matching.fields.iter().try_for_each(|m| {
            let field = self.field(m.field)?;
            self.test(field, &m.test)
        })
    }

    fn test(&self, field: &Field, test: &Test) -> Result<(), ModelError> {
        match test {
            Test::Exact(value) => self.fits(field, *value),
            Test::Masked { value, mask } => {
                self.fits(field, *value)?;
                self.fits(field, *mask)
            }
            Test::Prefix { value, len } => {
                if u32::from(*len) > field.width {
                    return self.fits(field, u128::MAX);
                }
                self.fits(field, *value)
            }
            Test::Range { lo, hi } => {
                self.fits(field, *lo)?;
                self.fits(field, *hi)
            }
            Test::OneOf(tests) => tests.iter().try_for_each(|t| self.test(field, t)),
            Test::Not(test) => self.test(field, test),
        }
    }

    fn field(&self, id: FieldId) -> Result<&Field, ModelError> {
        let fields = &self.network.layout.fields;
        fields
            .get(usize::from(id.0))
            .ok_or_else(|| ModelError::UnknownField {
                place: self.place(),
                field: id.0,
                count: fields.len(),
            })
    }

    fn fits(&self, field: &Field, value: u128) -> Result<(), ModelError> {
        if value <= field.max() {
            return Ok(());
        }
        Err(ModelError::Value {
            place: self.place(),
            field: field.name.clone(),
            width: field.width,
            value,
        })
    }

    fn length(&self, found: usize) -> Result<(), ModelError> {
        let expected = self.network.layout.length;
        if found == expected as usize {
            return Ok(());
        }
        Err(ModelError::Length {
            place: self.place(),
            expected,
            found,
        })
    }

    fn shift(&self, count: usize) -> Result<(), ModelError> {
        if count <= self.network.layout.length as usize {
            return Ok(());
        }
        self.length(count)
    }
}
