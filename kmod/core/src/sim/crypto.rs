// SPDX-License-Identifier: GPL-2.0-only
//! A host with real cryptography, virtual time and seeded randomness.

use hmac::{Hmac, Mac};
use sha2::{Digest, Sha256};

use super::rng::Rng;
use crate::host::Host;
use crate::time::Instant;

/// The services that a simulated host gives to the core.
#[derive(Clone, Debug)]
pub struct SimHost {
    /// The virtual time.
    pub now: Instant,
    /// The next flow ID, if a test chooses it.
    pub next_flow_id: Option<u64>,
    rng: Rng,
}

impl SimHost {
    /// A host at time `now` whose randomness comes from `seed`.
    #[must_use]
    pub const fn new(seed: u64, now: Instant) -> Self {
        Self {
            now,
            next_flow_id: None,
            rng: Rng::new(seed),
        }
    }
}

impl Host for SimHost {
    fn now(&self) -> Instant {
        self.now
    }

    fn random(&mut self, out: &mut [u8]) {
        self.rng.fill(out);
    }

    fn new_flow_id(&mut self) -> u64 {
        let drawn = self.rng.number().max(1);
        self.next_flow_id.take().unwrap_or(drawn)
    }

    fn x25519(&self, secret: &[u8; 32], public: &[u8; 32]) -> Option<[u8; 32]> {
        Some(x25519_dalek::x25519(*secret, *public)).filter(|shared| *shared != [0; 32])
    }

    fn x25519_public(&self, secret: &[u8; 32]) -> [u8; 32] {
        x25519_dalek::x25519(*secret, x25519_dalek::X25519_BASEPOINT_BYTES)
    }

    fn sha256(&self, parts: &[&[u8]]) -> [u8; 32] {
        let mut hash = Sha256::new();
        for part in parts {
            hash.update(part);
        }
        hash.finalize().into()
    }

    fn hmac_sha256(&self, key: &[u8], parts: &[&[u8]]) -> [u8; 32] {
        // HMAC takes keys of any length, so this cannot fail.
        let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(key) else {
            return [0; 32];
        };
        for part in parts {
            mac.update(part);
        }
        mac.finalize().into_bytes().into()
    }

    fn mac_eq(&self, a: &[u8], b: &[u8]) -> bool {
        use subtle::ConstantTimeEq;
        a.ct_eq(b).into()
    }
}
