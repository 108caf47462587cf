// SPDX-License-Identifier: GPL-2.0-only
//! What the core asks of the machine that it runs on: a clock, randomness and cryptography.

use super::time::Instant;

/// Services of the surrounding system. The kernel module implements it with `lib/crypto`, the
/// simulator with well-kept crates and virtual time.
pub trait Host {
    /// The current monotonic time. It must not change during one call into the core.
    fn now(&self) -> Instant;

    /// Fills `out` with cryptographically strong random bytes.
    fn random(&mut self, out: &mut [u8]);

    /// X25519 (RFC 7748) of a secret and a peer's public key; `None` if the result is all zero,
    /// which is the mark of a low-order public key.
    fn x25519(&self, secret: &[u8; 32], public: &[u8; 32]) -> Option<[u8; 32]>;

    /// The X25519 public key that belongs to `secret`.
    fn x25519_public(&self, secret: &[u8; 32]) -> [u8; 32];

    /// SHA-256 of the concatenation of `parts`.
    fn sha256(&self, parts: &[&[u8]]) -> [u8; 32];

    /// HMAC-SHA256 (RFC 2104) of the concatenation of `parts`.
    fn hmac_sha256(&self, key: &[u8], parts: &[&[u8]]) -> [u8; 32];

    /// Compares two byte strings in time that does not depend on their contents.
    fn mac_eq(&self, a: &[u8], b: &[u8]) -> bool;

    /// A flow ID that no live or draining flow of this host has; never zero. The default draws
    /// 64 random bits (protocol.md §7.1); a host with a flow table overrides it to check there.
    fn new_flow_id(&mut self) -> u64 {
        let mut raw = [0u8; 8];
        self.random(&mut raw);
        u64::from_be_bytes(raw).max(1)
    }
}
