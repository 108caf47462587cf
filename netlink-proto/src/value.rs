// SPDX-License-Identifier: Apache-2.0 OR MIT
//! How single attribute values are written and read.

use std::net::{Ipv4Addr, Ipv6Addr};

use netlink_packet_core::DecodeError;

/// A type that can be the payload of an attribute.
pub trait Value: Sized {
    /// Whether the attribute carries other attributes.
    const NESTED: bool = false;

    /// Bytes that [`Value::emit`] writes.
    fn size(&self) -> usize;

    /// Writes the value to a buffer of exactly [`Value::size`] bytes.
    fn emit(&self, buffer: &mut [u8]);

    /// Reads a value; the error says which length was expected.
    fn parse(bytes: &[u8]) -> Result<Self, DecodeError>;
}

fn exactly<const N: usize>(bytes: &[u8]) -> Result<[u8; N], DecodeError> {
    bytes
        .try_into()
        .map_err(|_| format!("expected {N} bytes, got {}", bytes.len()).into())
}

/// The specification's `uint`: four bytes if the value fits in them, else eight.
impl Value for u64 {
    fn size(&self) -> usize {
        if u32::try_from(*self).is_ok() {
            4
        } else {
            8
        }
    }

    fn emit(&self, buffer: &mut [u8]) {
        match u32::try_from(*self) {
            Ok(small) => buffer.copy_from_slice(&small.to_ne_bytes()),
            Err(_) => buffer.copy_from_slice(&self.to_ne_bytes()),
        }
    }

    fn parse(bytes: &[u8]) -> Result<Self, DecodeError> {
        match bytes.len() {
            4 => Ok(u32::from_ne_bytes(exactly(bytes)?).into()),
            8 => Ok(u64::from_ne_bytes(exactly(bytes)?)),
            length => Err(format!("expected 4 or 8 bytes, got {length}").into()),
        }
    }
}

macro_rules! fixed {
    ($type:ty, $size:literal, $value:ident => $write:expr, $bytes:ident => $read:expr) => {
        impl Value for $type {
            fn size(&self) -> usize {
                $size
            }

            fn emit(&self, buffer: &mut [u8]) {
                let $value = self;
                buffer.copy_from_slice(&$write);
            }

            fn parse(bytes: &[u8]) -> Result<Self, DecodeError> {
                let $bytes: [u8; $size] = exactly(bytes)?;
                Ok($read)
            }
        }
    };
}

/// A UDP or service port; network byte order on the wire.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Port(pub u16);

/// An identifier of a service that is not named by a port.
pub type ServiceId = [u8; crate::constants::SERVICE_ID_LEN];

fixed!(u8, 1, value => [*value], bytes => bytes[0]);
fixed!(u16, 2, value => value.to_ne_bytes(), bytes => u16::from_ne_bytes(bytes));
fixed!(u32, 4, value => value.to_ne_bytes(), bytes => u32::from_ne_bytes(bytes));
fixed!(Port, 2, value => value.0.to_be_bytes(), bytes => Port(u16::from_be_bytes(bytes)));
fixed!(Ipv4Addr, 4, value => value.octets(), bytes => Ipv4Addr::from(bytes));
fixed!(Ipv6Addr, 16, value => value.octets(), bytes => Ipv6Addr::from(bytes));
fixed!(ServiceId, 32, value => *value, bytes => bytes);

/// An attribute that says something by being there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Flag;

impl Value for Flag {
    fn size(&self) -> usize {
        0
    }

    fn emit(&self, _buffer: &mut [u8]) {}

    fn parse(bytes: &[u8]) -> Result<Self, DecodeError> {
        exactly::<0>(bytes)?;
        Ok(Flag)
    }
}

/// Text, closed by a zero byte on the wire.
impl Value for String {
    fn size(&self) -> usize {
        str::len(self) + 1
    }

    fn emit(&self, buffer: &mut [u8]) {
        let (text, end) = buffer.split_at_mut(str::len(self));
        text.copy_from_slice(self.as_bytes());
        end.fill(0);
    }

    fn parse(bytes: &[u8]) -> Result<Self, DecodeError> {
        let text = bytes.split(|byte| *byte == 0).next().unwrap_or_default();
        Ok(String::from_utf8(text.to_vec())?)
    }
}

/// Makes an enumeration of the specification: its values by name, and a place
/// for values that a newer kernel may send.
macro_rules! values {
    (
        $(#[$meta:meta])*
        pub enum $name:ident($raw:ty), enum $set:literal {
            $( #[doc = $doc:literal] $value:literal $text:literal $variant:ident, )*
        }
    ) => {
        $(#[$meta])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        #[non_exhaustive]
        pub enum $name {
            $( #[doc = $doc] $variant, )*
            /// A value that this version of the crate has no name for.
            Other($raw),
        }

        impl $name {
            /// Name of the enumeration in the specification.
            pub const SET: &'static str = $set;
            /// Every value with its name and meaning.
            pub const TABLE: &'static [($raw, &'static str, &'static str)] =
                &[$( ($value, $text, $doc), )*];

            /// Name in the specification, if the value has one.
            pub fn name(self) -> Option<&'static str> {
                match self {
                    $( $name::$variant => Some($text), )*
                    $name::Other(_) => None,
                }
            }
        }

        impl From<$raw> for $name {
            fn from(raw: $raw) -> Self {
                match raw {
                    $( $value => $name::$variant, )*
                    other => $name::Other(other),
                }
            }
        }

        impl From<$name> for $raw {
            fn from(value: $name) -> $raw {
                match value {
                    $( $name::$variant => $value, )*
                    $name::Other(other) => other,
                }
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                match self.name() {
                    Some(name) => f.pad(name),
                    None => f.pad(&format!("unknown-{}", <$raw>::from(*self))),
                }
            }
        }

        impl std::str::FromStr for $name {
            type Err = String;

            fn from_str(text: &str) -> Result<Self, String> {
                match text {
                    $( $text => Ok($name::$variant), )*
                    _ => {
                        let known: &[&str] = &[$( $text, )*];
                        Err(format!("{text:?} is not one of {}", known.join(", ")))
                    }
                }
            }
        }
    };
}

/// Makes an enumeration an attribute value of four bytes.
macro_rules! value_as_u32 {
    ($($name:ident),*) => { $(
        impl crate::value::Value for $name {
            fn size(&self) -> usize {
                4
            }

            fn emit(&self, buffer: &mut [u8]) {
                u32::from(*self).emit(buffer);
            }

            fn parse(bytes: &[u8]) -> Result<Self, netlink_packet_core::DecodeError> {
                u32::parse(bytes).map($name::from)
            }
        }
    )* };
}

pub(crate) use value_as_u32;
pub(crate) use values;
