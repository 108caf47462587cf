// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Our own JSON: what `export` writes and every question reads. The schema is made from the
//! types below, so that the three cannot drift apart.

mod reading;
mod writing;

pub use reading::{parse_rule, read, text_test};
pub use writing::{write, write_rule};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Value of the key `format`.
pub const FORMAT: &str = "hsa-verify";

/// Version that this program writes, and the only one it reads.
pub const VERSION: u32 = 1;

/// A network.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Document {
    /// Always `hsa-verify`.
    pub format: String,
    /// Version of the format.
    pub version: u32,
    /// The header that every rule speaks about.
    pub header: Header,
    /// The boxes.
    pub boxes: Vec<Device>,
    /// One-way links between ports of boxes.
    #[serde(default)]
    pub links: Vec<Cable>,
    /// VLANs that ports carry, where known.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub vlans: Vec<VlanPort>,
    /// Remarks of the reader that made the file.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<Remark>,
}

/// A header layout.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Header {
    /// Bits of every header.
    pub length: u32,
    /// Named runs of bits. They may not overlap; bits without a name are allowed.
    pub fields: Vec<HeaderField>,
}

/// A named run of bits.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct HeaderField {
    /// Name, as in `ip_dst`.
    pub name: String,
    /// First bit, counted from the left of the header.
    pub offset: u32,
    /// Number of bits, 1 to 128.
    pub width: u32,
    /// How values are written.
    pub kind: Kind,
}

/// How values of a field are written.
#[derive(Debug, Clone, Copy, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// Decimal number.
    Number,
    /// Hexadecimal number.
    Hex,
    /// IPv4 address.
    Ipv4,
    /// IPv6 address.
    Ipv6,
    /// Ethernet address.
    Mac,
}

/// A box.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Device {
    /// Name, unique in the network.
    pub name: String,
    /// Whether packets may leave by the port they came in on.
    #[serde(default)]
    pub send_back: bool,
    /// Ports: packets enter at one, and are looked up in the first table.
    pub ports: Vec<DevicePort>,
    /// Places between tables; never seen from outside.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub places: Vec<String>,
    /// Tables in the order in which packets visit them.
    pub tables: Vec<RuleTable>,
}

/// A port.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct DevicePort {
    /// Name, unique in the box.
    pub name: String,
    /// Number that the original input gave it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub number: Option<u64>,
    /// Ports of the box that are bundled in this one; their names stand for it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub members: Vec<String>,
}

/// A table: the first rule that matches decides; a packet that none matches is dropped.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RuleTable {
    /// Name, unique in the box.
    pub name: String,
    /// Rules, highest priority first.
    pub rules: Vec<TableRule>,
}

/// A rule.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TableRule {
    /// Ports or places where it applies; everywhere if absent, nowhere if empty.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at: Option<Vec<String>>,
    /// Conditions by field name; all have to hold.
    #[serde(default, rename = "match", skip_serializing_if = "BTreeMap::is_empty")]
    pub matching: BTreeMap<String, Condition>,
    /// A wildcard over the whole header: `0`, `1` and `x`, leftmost bit first.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub raw: Option<String>,
    /// What happens.
    #[serde(rename = "do")]
    pub verdict: Verdict,
    /// Copies, for `forward`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub outputs: Vec<Copy>,
    /// Whether all copies are made or one of them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub spread: Option<SpreadKind>,
    /// Where the rule was read, as `file:line`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub from: Vec<String>,
    /// Text for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub label: Option<String>,
}

/// A condition on one field.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum Condition {
    /// `V`, prefix `V/LEN`, range `LOW..HIGH` (both included), or masked `V&MASK` with a
    /// hexadecimal mask.
    Text(String),
    /// One of these.
    OneOf(Vec<Condition>),
    /// Not this.
    Not {
        /// The condition that must not hold.
        not: Box<Condition>,
    },
    /// All of these.
    All {
        /// The conditions.
        all: Vec<Condition>,
    },
}

/// What a rule does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    /// Discards the packet.
    Drop,
    /// Keeps it for the box.
    Deliver,
    /// Sends copies on.
    Forward,
}

/// Several outputs: all or one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum SpreadKind {
    /// A copy for each.
    All,
    /// One of them, unknown which.
    OneOf,
}

/// A copy of the packet. Exactly one of `leave`, `leave_ingress` and `table` is there.
#[derive(Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Copy {
    /// Changes of the header, in order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub edits: Vec<Change>,
    /// Out of this port.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub leave: Option<String>,
    /// Out of the port it came in on.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub leave_ingress: bool,
    /// To a later table.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub table: Option<String>,
    /// Place in that table; where it is now if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at: Option<String>,
}

/// A change of the header.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Change {
    /// Fields become values.
    Set(BTreeMap<String, String>),
    /// `new = (old AND keep) OR value`, as bits.
    Rewrite {
        /// 1 where the old bit stays.
        keep: String,
        /// Bits or-ed in.
        value: String,
    },
    /// The header moves right and these bits are put in front.
    Push(String),
    /// So many bits are taken off the front.
    Pop(u32),
    /// The field becomes one less; 0 and 1 are dropped.
    DecTtl(String),
}

/// A one-way link.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Cable {
    /// Sending `box:port`.
    pub from: String,
    /// Receiving `box:port`.
    pub to: String,
    /// Where it was read, as `file:line`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at: Option<String>,
}

/// VLANs of a port: either `access` or `trunk`.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct VlanPort {
    /// `box:port`.
    pub port: String,
    /// The one VLAN it carries, untagged.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub access: Option<u16>,
    /// The VLANs it carries.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trunk: Option<Vec<u16>>,
    /// The VLAN of its untagged frames.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub native: Option<u16>,
    /// VLANs in which spanning tree blocks it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub blocked: Vec<u16>,
    /// Where it was read, as `file:line`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at: Option<String>,
}

/// A remark.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Remark {
    /// How much it matters.
    pub kind: RemarkKind,
    /// The remark.
    pub text: String,
    /// What it is about, as `file:line`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at: Option<String>,
}

/// How much a remark matters.
#[derive(Debug, Clone, Copy, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum RemarkKind {
    /// Without effect on forwarding.
    Ignored,
    /// Not understood.
    Unknown,
    /// Understood and left out, or probably a mistake.
    Warning,
}

/// The JSON schema of the format, as JSON.
pub fn schema() -> serde_json::Value {
    serde_json::to_value(schemars::schema_for!(Document)).unwrap_or_default()
}
