// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Named fields of a header, so that nobody has to count bits.

use serde::{Deserialize, Serialize};
use std::net::{Ipv4Addr, Ipv6Addr};

/// How the value of a field is written and read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum FieldKind {
    /// A decimal number.
    Number,
    /// A hexadecimal number, for flags and opaque bits.
    Hex,
    /// An IPv4 address, 32 bits, with prefixes as `a.b.c.d/n`.
    Ipv4,
    /// An IPv6 address, 128 bits, with prefixes as `x::y/n`.
    Ipv6,
    /// An Ethernet address, 48 bits.
    Mac,
}

/// The index of a field in its [`Layout`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct FieldId(pub u16);

/// A run of header bits with a name.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Field {
    /// The name, for example `ip_dst`.
    pub name: String,
    /// First bit, counted from the left of the header.
    pub offset: u32,
    /// Number of bits, 1 to 128.
    pub width: u32,
    /// How values look.
    pub kind: FieldKind,
}

/// A layout that cannot be.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LayoutError {
    /// Two fields have one name.
    #[error("field {0:?} is declared twice")]
    DuplicateName(String),
    /// Two fields claim the same bit.
    #[error("fields {0:?} and {1:?} overlap")]
    Overlap(String, String),
    /// A field does not fit into the header, or has a width outside 1..=128.
    #[error("field {name:?} needs bits {from}..{to} of a {length}-bit header")]
    OutOfRange {
        /// The field.
        name: String,
        /// Its first bit.
        from: u32,
        /// One past its last bit.
        to: u32,
        /// Bits in the header.
        length: u32,
    },
    /// The kind of a field fixes its width, and the width is another one.
    #[error("field {name:?} is {width} bits wide, its kind needs {needed}")]
    Width {
        /// The field.
        name: String,
        /// The declared width.
        width: u32,
        /// The width of the kind.
        needed: u32,
    },
}

/// A value that does not fit its field.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{text:?} is not a value of field {field:?} ({expected})")]
pub struct ValueError {
    /// The field's name.
    pub field: String,
    /// What was read.
    pub text: String,
    /// What would have been right.
    pub expected: String,
}

/// The header: its length in bits and the named fields in it. Bits outside every field are
/// allowed; they are analysed like all others.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Layout {
    /// Length of every header in bits.
    pub length: u32,
    /// The fields, sorted by offset.
    pub fields: Vec<Field>,
}

impl Layout {
    /// A layout of fields laid side by side from the left, without gaps.
    pub fn packed(fields: &[(&str, u32, FieldKind)]) -> Result<Self, LayoutError> {
        let mut offset = 0;
        let fields = fields.iter().map(|&(name, width, kind)| {
            let field = Field {
                name: name.to_string(),
                offset,
                width,
                kind,
            };
            offset += width;
            field
        });
        let fields: Vec<Field> = fields.collect();
        Layout::new(offset, fields)
    }

    /// Checks that the fields have distinct names, do not overlap and fit into `length` bits.
    pub fn new(length: u32, mut fields: Vec<Field>) -> Result<Self, LayoutError> {
        fields.sort_by_key(|f| f.offset);
        for (i, f) in fields.iter().enumerate() {
            let to = f.offset.saturating_add(f.width);
            if f.width == 0 || f.width > 128 || to > length {
                return Err(LayoutError::OutOfRange {
                    name: f.name.clone(),
                    from: f.offset,
                    to,
                    length,
                });
            }
            if let Some(needed) = f.kind.width().filter(|&w| w != f.width) {
                return Err(LayoutError::Width {
                    name: f.name.clone(),
                    width: f.width,
                    needed,
                });
            }
            if fields[..i].iter().any(|g| g.name == f.name) {
                return Err(LayoutError::DuplicateName(f.name.clone()));
            }
            if let Some(previous) = i.checked_sub(1).map(|k| &fields[k]) {
                if previous.offset + previous.width > f.offset {
                    return Err(LayoutError::Overlap(previous.name.clone(), f.name.clone()));
                }
            }
        }
        Ok(Layout { length, fields })
    }

    /// The 128-bit header of Hassel's Stanford transfer functions, leftmost first: TCP flags,
    /// destination port, source port, IP protocol, destination, source, VLAN (0 is untagged).
    pub fn stanford() -> Self {
        Layout::packed(&[
            ("tcp_flags", 8, FieldKind::Hex),
            ("tp_dst", 16, FieldKind::Number),
            ("tp_src", 16, FieldKind::Number),
            ("ip_proto", 8, FieldKind::Number),
            ("ip_dst", 32, FieldKind::Ipv4),
            ("ip_src", 32, FieldKind::Ipv4),
            ("vlan", 16, FieldKind::Number),
        ])
        .expect("the fields are packed and distinct")
    }

    /// The 48-bit header of Hassel's Internet2 transfer functions: VLAN, then destination.
    pub fn internet2() -> Self {
        Layout::packed(&[
            ("vlan", 16, FieldKind::Number),
            ("ip_dst", 32, FieldKind::Ipv4),
        ])
        .expect("the fields are packed and distinct")
    }

    /// Finds a field by its name.
    pub fn find(&self, name: &str) -> Option<FieldId> {
        let at = self.fields.iter().position(|f| f.name == name)?;
        Some(FieldId(at as u16))
    }

    /// The field with this index. Panics when the index comes from another layout.
    pub fn field(&self, id: FieldId) -> &Field {
        &self.fields[usize::from(id.0)]
    }
}

impl FieldKind {
    /// The only width this kind allows, if there is just one.
    fn width(self) -> Option<u32> {
        match self {
            FieldKind::Ipv4 => Some(32),
            FieldKind::Ipv6 => Some(128),
            FieldKind::Mac => Some(48),
            FieldKind::Number | FieldKind::Hex => None,
        }
    }
}

impl Field {
    /// The largest value of the field.
    pub fn max(&self) -> u128 {
        u128::MAX >> (128 - self.width)
    }

    /// Writes `value` the way people write values of this kind.
    pub fn format(&self, value: u128) -> String {
        match self.kind {
            FieldKind::Number => value.to_string(),
            FieldKind::Hex => format!("{value:#x}"),
            FieldKind::Ipv4 => Ipv4Addr::from(value as u32).to_string(),
            FieldKind::Ipv6 => Ipv6Addr::from(value).to_string(),
            FieldKind::Mac => {
                let bytes: Vec<String> = (0..6)
                    .rev()
                    .map(|k| format!("{:02x}", value >> (8 * k) & 0xff))
                    .collect();
                bytes.join(":")
            }
        }
    }

    /// Reads one value; decimal and `0x` numbers are accepted for every kind.
    pub fn parse(&self, text: &str) -> Result<u128, ValueError> {
        let bad = |expected: &str| ValueError {
            field: self.name.clone(),
            text: text.to_string(),
            expected: expected.to_string(),
        };
        let value = if let Some(hex) = text.strip_prefix("0x") {
            u128::from_str_radix(hex, 16).map_err(|_| bad("a hexadecimal number"))?
        } else if !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit()) {
            text.parse().map_err(|_| bad("a number"))?
        } else {
            match self.kind {
                FieldKind::Number | FieldKind::Hex => return Err(bad("a number")),
                FieldKind::Ipv4 => {
                    let a: Ipv4Addr = text.parse().map_err(|_| bad("an IPv4 address"))?;
                    u128::from(u32::from(a))
                }
                FieldKind::Ipv6 => {
                    let a: Ipv6Addr = text.parse().map_err(|_| bad("an IPv6 address"))?;
                    u128::from(a)
                }
                FieldKind::Mac => parse_mac(text)
                    .ok_or_else(|| bad("an Ethernet address such as 02:00:5e:0:0:1"))?,
            }
        };
        if value > self.max() {
            return Err(bad(&format!("at most {}", self.format(self.max()))));
        }
        Ok(value)
    }
}

fn parse_mac(text: &str) -> Option<u128> {
    let mut value = 0;
    let mut bytes = 0;
    for part in text.split([':', '-']) {
        if part.is_empty() || part.len() > 2 {
            return None;
        }
        value = value << 8 | u128::from_str_radix(part, 16).ok()?;
        bytes += 1;
    }
    (bytes == 6).then_some(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_survive_a_round_trip_in_every_kind() {
        let layout = Layout::packed(&[
            ("mac", 48, FieldKind::Mac),
            ("v6", 128, FieldKind::Ipv6),
            ("v4", 32, FieldKind::Ipv4),
            ("port", 16, FieldKind::Number),
            ("flags", 8, FieldKind::Hex),
        ])
        .expect("a sound layout");
        let texts = [
            "02:00:5e:00:00:01",
            "2001:db8::1",
            "10.0.3.1",
            "443",
            "0x12",
        ];
        for (field, text) in layout.fields.iter().zip(texts) {
            let value = field.parse(text).expect(text);
            assert_eq!(field.format(value), text);
        }
        assert!(layout.fields[3].parse("65536").is_err());
        assert!(layout.fields[2].parse("10.0.3").is_err());
    }

    #[test]
    fn overlap_and_overflow_are_refused() {
        let field = |name: &str, offset, width| Field {
            name: name.into(),
            offset,
            width,
            kind: FieldKind::Number,
        };
        let overlap = Layout::new(16, vec![field("a", 0, 9), field("b", 8, 8)]);
        assert_eq!(overlap, Err(LayoutError::Overlap("a".into(), "b".into())));
        assert!(Layout::new(16, vec![field("a", 10, 8)]).is_err());
        let twice = Layout::new(16, vec![field("a", 0, 8), field("a", 8, 8)]);
        assert_eq!(twice, Err(LayoutError::DuplicateName("a".into())));
    }
}
