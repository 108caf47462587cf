// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Rules: what they match, what they do to the header, and where the packet goes next.

use super::network::{Origin, PortId};
use crate::header::{Bits, FieldId, Wildcard};
use serde::{Deserialize, Serialize};

/// The places a rule applies to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum PortMatch {
    /// Wherever the packet is.
    Any,
    /// Only at these ports; an empty list never matches.
    In(Vec<PortId>),
}

/// A condition on one field. Values are right-aligned in 128 bits.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Test {
    /// Equal to the value.
    Exact(u128),
    /// Equal to `value` in the bits where `mask` is 1 (any bits, as in an inverted IOS wildcard).
    Masked {
        /// The value; bits outside the mask are ignored.
        value: u128,
        /// 1 where the bit counts.
        mask: u128,
    },
    /// The `len` leftmost bits of the field equal those of `value`.
    Prefix {
        /// The value of the whole field; bits after the prefix are ignored.
        value: u128,
        /// Length of the prefix, 0 to the width of the field.
        len: u8,
    },
    /// Between `lo` and `hi`, both included.
    Range {
        /// The least value.
        lo: u128,
        /// The greatest value.
        hi: u128,
    },
    /// At least one of these.
    OneOf(Vec<Test>),
    /// Everything but this.
    Not(Box<Test>),
}

/// A condition on one field of the layout.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FieldMatch {
    /// The field.
    pub field: FieldId,
    /// The condition.
    pub test: Test,
}

/// What a header must satisfy: all field conditions, and the raw wildcard if there is one.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Match {
    /// Conditions on fields; none means every header.
    pub fields: Vec<FieldMatch>,
    /// A wildcard over the whole header, for inputs that speak in bits.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub raw: Option<Wildcard>,
}

/// A change of the header.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Edit {
    /// The field becomes the value.
    Set {
        /// The field.
        field: FieldId,
        /// Its new value, right-aligned.
        value: u128,
    },
    /// `new = (old AND keep) OR value` over the whole header.
    Rewrite {
        /// 1 where the old bit stays.
        keep: Bits,
        /// Bits or-ed in.
        value: Bits,
    },
    /// Encapsulation: the header moves right by `bits.len()` and `bits` are put in front. What
    /// moves past the end of the header is lost.
    Push {
        /// The new leftmost bits.
        bits: Bits,
    },
    /// Decapsulation: the header moves left by `count` bits; zeros enter at the right.
    Pop {
        /// How many leftmost bits are removed.
        count: u32,
    },
    /// The field becomes one less; packets with 0 or 1 in it are dropped (time to live expired).
    DecTtl {
        /// The field.
        field: FieldId,
    },
}

/// Where a copy of the packet goes after the edits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Next {
    /// Out of the box through a physical port (unless it came in there and the box does not send
    /// back).
    Leave(PortId),
    /// Out of the box through the port it came in on, even when the box otherwise does not send
    /// back (OpenFlow's IN_PORT).
    LeaveIngress,
    /// To a later table of the box. `port` is the packet's place there; `None` keeps the place.
    Table {
        /// Index of the table, greater than that of the current one.
        table: u32,
        /// The place in that table.
        port: Option<PortId>,
    },
}

/// One copy of the packet.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Output {
    /// Changes, in order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub edits: Vec<Edit>,
    /// Where it goes.
    pub next: Next,
}

/// What several outputs mean.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Spread {
    /// One copy for each output (multicast, flooding).
    All,
    /// One of the outputs, unknown which (ECMP, load balancing).
    OneOf,
}

/// What happens to a packet that matches.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Effect {
    /// It is discarded on purpose (a deny, a null route).
    Drop,
    /// It is for the box itself.
    Deliver,
    /// It moves on.
    Forward {
        /// Its copies; an empty list discards it.
        outputs: Vec<Output>,
        /// All of them or one of them.
        spread: Spread,
    },
}

/// One line of a table.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rule {
    /// The places it applies to.
    pub ports: PortMatch,
    /// The headers it applies to.
    pub matching: Match,
    /// What it does.
    pub effect: Effect,
    /// Where it was read: the first origin is shown first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub origins: Vec<Origin>,
    /// The rule's own name, or the text of the line.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub label: Option<String>,
}

impl Match {
    /// Matches every header.
    pub fn any() -> Self {
        Match::default()
    }

    /// Adds a condition.
    pub fn and(mut self, field: FieldId, test: Test) -> Self {
        self.fields.push(FieldMatch { field, test });
        self
    }
}

impl Effect {
    /// One copy that leaves through `port` unchanged.
    pub fn leave(port: PortId) -> Self {
        Effect::to(Output::new(Next::Leave(port)))
    }

    /// One copy.
    pub fn to(output: Output) -> Self {
        Effect::Forward {
            outputs: vec![output],
            spread: Spread::All,
        }
    }

    /// The copies; none for a drop or a delivery.
    pub fn outputs(&self) -> &[Output] {
        match self {
            Effect::Forward { outputs, .. } => outputs,
            Effect::Drop | Effect::Deliver => &[],
        }
    }
}

impl Output {
    /// A copy with an unchanged header.
    pub fn new(next: Next) -> Self {
        Output {
            edits: Vec::new(),
            next,
        }
    }

    /// Adds a change after the others.
    pub fn edit(mut self, edit: Edit) -> Self {
        self.edits.push(edit);
        self
    }
}
