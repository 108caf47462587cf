// SPDX-License-Identifier: GPL-2.0-only
//! Services: the names that a first SYN is demultiplexed by (protocol.md §2).

use super::bytes::copy_into;

/// What a listener offers and a first SYN asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Service {
    /// A port number, as TCP has it.
    Port(u16),
    /// A 32-byte service identifier.
    Id([u8; 32]),
}

impl Default for Service {
    fn default() -> Self {
        Self::Port(0)
    }
}

/// Most bytes of transport parameters in a SYN or SYN-ACK.
pub const MAX_TRANSPORT: usize = 16;

/// Parameters that the transports of both ends exchange in SYN and SYN-ACK. They are opaque to
/// ECCP; the module puts TCP's initial sequence number, window scale and MSS into them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct TransportParams {
    bytes: [u8; MAX_TRANSPORT],
    len: u8,
}

impl TransportParams {
    /// No parameters.
    pub const EMPTY: Self = Self {
        bytes: [0; MAX_TRANSPORT],
        len: 0,
    };

    /// A copy of `bytes`; `None` if there are more than [`MAX_TRANSPORT`].
    #[must_use]
    pub fn new(bytes: &[u8]) -> Option<Self> {
        let mut params = Self::EMPTY;
        copy_into(&mut params.bytes, bytes)?;
        params.len = u8::try_from(bytes.len()).ok()?;
        Some(params)
    }

    /// The parameters as they stand on the wire.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        self.bytes.get(..usize::from(self.len)).unwrap_or(&[])
    }
}
