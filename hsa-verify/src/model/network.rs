// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Boxes, ports, links and where each fact was read.

use super::l2::L2Port;
use super::rule::Rule;
use crate::header::Layout;
use serde::{Deserialize, Serialize};

/// Index of a port in [`Network::ports`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct PortId(pub u32);

/// Index of a box in [`Network::devices`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct DeviceId(pub u32);

/// Index of a file name in [`Network::files`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct FileId(pub u32);

/// Where a fact comes from: a file and a line, counted from 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Origin {
    /// The file.
    pub file: FileId,
    /// The line, counted from 1.
    pub line: u32,
}

/// Whether packets enter and leave the network through a port.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum PortKind {
    /// A port of the box: packets enter here at table 0, and links attach here.
    Physical,
    /// A place between two tables of one box, never seen from outside.
    Internal,
}

/// A port of a box.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Port {
    /// The box it belongs to.
    pub device: DeviceId,
    /// The name, unique within the box.
    pub name: String,
    /// Seen from outside or not.
    pub kind: PortKind,
    /// The number the input gave this port, if it gave one (Hassel, OpenFlow).
    pub number: Option<u64>,
    /// Ports of the box that are bundled in this one (port channels). They are no ports of the
    /// model; their names stand for this port.
    pub members: Vec<String>,
}

/// An ordered list of rules; the first rule that matches a packet's place and header decides.
/// A packet that no rule matches is dropped.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Table {
    /// A name for people, for example `fib` or `in`.
    pub name: String,
    /// The rules, highest priority first.
    pub rules: Vec<Rule>,
}

/// A box: packets enter at a physical port and are looked up in table 0.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Device {
    /// The name, unique in the network.
    pub name: String,
    /// The tables in the order packets visit them: a rule may send a packet to later tables only.
    pub tables: Vec<Table>,
    /// Whether a packet may leave through the port it came in on. Routers and switches say no:
    /// such a copy is discarded after the last table.
    pub send_back: bool,
}

/// A one-way link: what leaves `from` arrives at `to`. Several links from one port copy.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Link {
    /// The sending port.
    pub from: PortId,
    /// The receiving port.
    pub to: PortId,
    /// Where the link was read, if a file states it.
    pub origin: Option<Origin>,
}

/// How much a remark of a reader matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum NoteKind {
    /// Understood and deliberately without effect on forwarding.
    Ignored,
    /// Not understood: the model may lack something.
    Unknown,
    /// Understood as something that is probably a mistake.
    Warning,
}

/// A remark of a reader: nothing it skips goes without one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Note {
    /// How much it matters.
    pub kind: NoteKind,
    /// What it is about.
    pub origin: Option<Origin>,
    /// The remark.
    pub text: String,
}

/// A whole network.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Network {
    /// The header every rule speaks about.
    pub layout: Layout,
    /// Files that origins point to.
    pub files: Vec<String>,
    /// The boxes.
    pub devices: Vec<Device>,
    /// The ports of all boxes.
    pub ports: Vec<Port>,
    /// The links between boxes.
    pub links: Vec<Link>,
    /// VLAN membership of ports, where the input tells it.
    pub l2: Vec<L2Port>,
    /// Remarks of the readers.
    pub notes: Vec<Note>,
}

impl Network {
    /// A network without boxes.
    pub fn new(layout: Layout) -> Self {
        Network {
            layout,
            files: Vec::new(),
            devices: Vec::new(),
            ports: Vec::new(),
            links: Vec::new(),
            l2: Vec::new(),
            notes: Vec::new(),
        }
    }

    /// Adds a file name and returns its index.
    pub fn add_file(&mut self, name: impl Into<String>) -> FileId {
        self.files.push(name.into());
        FileId(self.files.len() as u32 - 1)
    }

    /// Adds a box without tables that never sends back, and returns its index.
    pub fn add_device(&mut self, name: impl Into<String>) -> DeviceId {
        self.devices.push(Device {
            name: name.into(),
            tables: Vec::new(),
            send_back: false,
        });
        DeviceId(self.devices.len() as u32 - 1)
    }

    /// Adds a port and returns its index.
    pub fn add_port(
        &mut self,
        device: DeviceId,
        name: impl Into<String>,
        kind: PortKind,
        number: Option<u64>,
    ) -> PortId {
        self.ports.push(Port {
            device,
            name: name.into(),
            kind,
            number,
            members: Vec::new(),
        });
        PortId(self.ports.len() as u32 - 1)
    }

    /// Adds a one-way link.
    pub fn add_link(&mut self, from: PortId, to: PortId, origin: Option<Origin>) {
        self.links.push(Link { from, to, origin });
    }

    /// The box with this index.
    pub fn device(&self, id: DeviceId) -> &Device {
        &self.devices[id.0 as usize]
    }

    /// The port with this index.
    pub fn port(&self, id: PortId) -> &Port {
        &self.ports[id.0 as usize]
    }

    /// Indices of all ports.
    pub fn port_ids(&self) -> impl Iterator<Item = PortId> {
        (0..self.ports.len() as u32).map(PortId)
    }

    /// Indices of the ports packets can enter and leave by.
    pub fn physical_ports(&self) -> impl Iterator<Item = PortId> + '_ {
        self.port_ids()
            .filter(|&p| self.port(p).kind == PortKind::Physical)
    }

    /// `box:port`, the way a port is named everywhere.
    pub fn port_name(&self, id: PortId) -> String {
        let port = self.port(id);
        format!("{}:{}", self.device(port.device).name, port.name)
    }

    /// Finds a box by name.
    pub fn find_device(&self, name: &str) -> Option<DeviceId> {
        let at = self.devices.iter().position(|d| d.name == name)?;
        Some(DeviceId(at as u32))
    }

    /// Finds a physical port by `box:port`, by its own name or that of a port bundled in it.
    pub fn find_port(&self, name: &str) -> Option<PortId> {
        self.physical_ports().find(|&p| {
            let port = self.port(p);
            let device = &self.device(port.device).name;
            let rest = name.strip_prefix(device.as_str());
            let rest = rest.and_then(|rest| rest.strip_prefix(':'));
            rest.is_some_and(|rest| rest == port.name || port.members.iter().any(|m| m == rest))
        })
    }

    /// `file:line` of an origin.
    pub fn origin_name(&self, origin: Origin) -> String {
        format!("{}:{}", self.files[origin.file.0 as usize], origin.line)
    }

    /// Number of rules in all tables.
    pub fn rule_count(&self) -> usize {
        let tables = self.devices.iter().flat_map(|d| &d.tables);
        tables.map(|t| t.rules.len()).sum()
    }
}
