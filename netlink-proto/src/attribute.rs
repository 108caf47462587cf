// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Attribute sets: lists of typed attributes that keep what they do not know.

use netlink_packet_core::{DecodeError, Emitable, Nla, NlaBuffer, NlasIterator, Parseable};

use crate::value::Value;

/// An attribute set of the specification.
pub trait AttributeSet: Sized + Nla {
    /// Name of the set in the specification.
    const SET: &'static str;
    /// Number and name of every attribute.
    const NAMES: &'static [(u16, &'static str)];

    /// Reads one attribute; what is unknown is kept as it is.
    fn parse_one(attribute: &NlaBuffer<&[u8]>) -> Result<Self, DecodeError>;
}

/// Name of attribute `kind` in the set `A`.
pub fn name_of<A: AttributeSet>(kind: u16) -> Option<&'static str> {
    A::NAMES
        .iter()
        .find(|(number, _)| *number == kind)
        .map(|(_, name)| *name)
}

/// Reads all attributes in `bytes`; the error names the attribute.
pub fn parse_all<A: AttributeSet>(bytes: &[u8]) -> Result<Vec<A>, DecodeError> {
    NlasIterator::new(bytes)
        .map(|attribute| {
            let attribute = attribute?;
            A::parse_one(&attribute).map_err(|error| {
                let kind = attribute.kind();
                let name = name_of::<A>(kind).unwrap_or("unknown");
                format!("attribute {kind} ({name}) of {}: {error}", A::SET).into()
            })
        })
        .collect()
}

/// A nest is a list of attributes in an attribute.
impl<A: AttributeSet> Value for Vec<A> {
    const NESTED: bool = true;

    fn size(&self) -> usize {
        self.as_slice().buffer_len()
    }

    fn emit(&self, buffer: &mut [u8]) {
        self.as_slice().emit(buffer);
    }

    fn parse(bytes: &[u8]) -> Result<Self, DecodeError> {
        parse_all(bytes)
    }
}

/// Reads an attribute without looking into it.
pub(crate) fn parse_other(
    attribute: &NlaBuffer<&[u8]>,
) -> Result<netlink_packet_core::DefaultNla, DecodeError> {
    netlink_packet_core::DefaultNla::parse(attribute)
}

/// Makes the type of an attribute set from its lines in the specification.
macro_rules! attributes {
    (
        $(#[$meta:meta])*
        pub enum $name:ident, set $set:literal {
            $( #[doc = $doc:literal] $kind:literal $text:literal $variant:ident($type:ty), )*
        }
    ) => {
        $(#[$meta])*
        #[derive(Debug, Clone, PartialEq, Eq)]
        #[non_exhaustive]
        pub enum $name {
            $( #[doc = $doc] $variant($type), )*
            /// An attribute that this version of the crate does not know.
            Other(netlink_packet_core::DefaultNla),
        }

        impl netlink_packet_core::Nla for $name {
            fn value_len(&self) -> usize {
                match self {
                    $( $name::$variant(value) => crate::value::Value::size(value), )*
                    $name::Other(other) => other.value_len(),
                }
            }

            fn kind(&self) -> u16 {
                match self {
                    $( $name::$variant(_) => {
                        if <$type as crate::value::Value>::NESTED {
                            $kind | netlink_packet_core::NLA_F_NESTED
                        } else {
                            $kind
                        }
                    } )*
                    $name::Other(other) => other.kind(),
                }
            }

            fn emit_value(&self, buffer: &mut [u8]) {
                match self {
                    $( $name::$variant(value) => crate::value::Value::emit(value, buffer), )*
                    $name::Other(other) => other.emit_value(buffer),
                }
            }
        }

        impl crate::attribute::AttributeSet for $name {
            const SET: &'static str = $set;
            const NAMES: &'static [(u16, &'static str)] = &[$( ($kind, $text), )*];

            fn parse_one(
                attribute: &netlink_packet_core::NlaBuffer<&[u8]>,
            ) -> Result<Self, netlink_packet_core::DecodeError> {
                Ok(match attribute.kind() {
                    $( $kind => $name::$variant(
                        <$type as crate::value::Value>::parse(attribute.value())?
                    ), )*
                    _ => $name::Other(crate::attribute::parse_other(attribute)?),
                })
            }
        }
    };
}

pub(crate) use attributes;
