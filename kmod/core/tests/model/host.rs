// SPDX-License-Identifier: GPL-2.0-only
//! A host whose clock stands still and whose cryptography is a plain hash without keys: fast, the
//! same in every run, and easy to imitate by a test that plays the peer.

use eccp_core::host::Host;
use eccp_core::time::Instant;

/// The services of host `id`.
#[derive(Clone, Copy, Debug)]
pub struct ModelHost {
    /// Tells the hosts apart: it is the source of their randomness.
    pub id: u8,
    /// The time.
    pub now: Instant,
}

/// FNV-1a, expanded. MACs and tokens are compared, never attacked, in these tests.
pub fn digest(parts: &[&[u8]]) -> [u8; 32] {
    let mut state = 0xcbf2_9ce4_8422_2325u64;
    for byte in parts.iter().copied().flatten() {
        state = (state ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
    }
    let mut out = [0; 32];
    for chunk in out.chunks_mut(8) {
        state = (state ^ state >> 29).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        chunk.copy_from_slice(&state.to_be_bytes());
    }
    out
}

impl Host for ModelHost {
    fn now(&self) -> Instant {
        self.now
    }

    fn random(&mut self, out: &mut [u8]) {
        out.fill(self.id.wrapping_add(1));
    }

    fn x25519(&self, secret: &[u8; 32], public: &[u8; 32]) -> Option<[u8; 32]> {
        let mut shared = *secret;
        shared.iter_mut().zip(public).for_each(|(a, b)| *a ^= b);
        Some(shared)
    }

    fn x25519_public(&self, secret: &[u8; 32]) -> [u8; 32] {
        *secret
    }

    fn sha256(&self, parts: &[&[u8]]) -> [u8; 32] {
        digest(parts)
    }

    fn hmac_sha256(&self, _key: &[u8], parts: &[&[u8]]) -> [u8; 32] {
        digest(parts)
    }

    fn mac_eq(&self, a: &[u8], b: &[u8]) -> bool {
        a == b
    }
}
