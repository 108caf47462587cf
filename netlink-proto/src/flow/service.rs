// SPDX-License-Identifier: Apache-2.0 OR MIT
//! What a connection is to: a port number or an identifier (protocol.md §2).

use std::fmt;
use std::str::FromStr;

use crate::value::ServiceId;

/// The name of a service.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Service {
    /// A port number, as of TCP.
    Port(u16),
    /// An identifier of 32 bytes; all zero is not one.
    Id(ServiceId),
}

/// A port is decimal, an identifier is 64 hexadecimal digits.
impl fmt::Display for Service {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Service::Port(port) => write!(f, "{port}"),
            Service::Id(id) => id.iter().try_for_each(|byte| write!(f, "{byte:02x}")),
        }
    }
}

impl FromStr for Service {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        // An identifier may consist of decimal digits too, so length decides.
        if text.len() <= 5 && text.bytes().all(|byte| byte.is_ascii_digit()) {
            if let Ok(port) = text.parse() {
                return Ok(Service::Port(port));
            }
        }
        let mut id = ServiceId::default();
        if text.len() != 2 * id.len() || !text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return Err(format!(
                "{text:?} is neither a port number nor {} hexadecimal digits",
                2 * id.len()
            ));
        }
        for (byte, digits) in id.iter_mut().zip(text.as_bytes().chunks(2)) {
            let digit = |at: usize| char::from(digits[at]).to_digit(16).unwrap_or(0) as u8;
            *byte = digit(0) << 4 | digit(1);
        }
        if id == ServiceId::default() {
            return Err("the identifier that is all zero names no service".into());
        }
        Ok(Service::Id(id))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_printed_is_read_back() {
        let mut id = [0xab; 32];
        id[0] = 1;
        let mut decimal = [0; 32];
        decimal[31] = 0x42;
        for service in [
            Service::Port(0),
            Service::Port(65535),
            Service::Id(id),
            Service::Id(decimal),
        ] {
            assert_eq!(service.to_string().parse(), Ok(service));
        }
    }

    #[test]
    fn what_is_neither_a_port_nor_an_identifier_is_refused() {
        let zero = "0".repeat(64);
        let sign = "+".repeat(64);
        for text in ["", "65536", "http", "ab", zero.as_str(), sign.as_str()] {
            let error = text.parse::<Service>().unwrap_err();
            assert!(!error.is_empty());
        }
    }
}
