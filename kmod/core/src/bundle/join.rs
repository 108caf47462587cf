// SPDX-License-Identifier: GPL-2.0-only
//! Who may join a bundle: whoever has the secret of its first member (docs/wire.md, "Joining").

use super::super::auth::{Keys, Role};
use super::super::host::Host;
use super::super::wire::{Join, Packet, TOKEN_LEN};

const LABEL_KEY: &[u8] = b"ECCP v1 bundle key";
const LABEL_ID: &[u8] = b"ECCP v1 bundle ID";
const LABEL_PROOF: &[u8] = b"ECCP v1 bundle proof";
const LABEL_SECRET: &[u8] = b"ECCP v1 bundle member";

/// What both ends of a bundle know and nobody else does.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct JoinKey([u8; 32]);

impl core::fmt::Debug for JoinKey {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("JoinKey")
    }
}

impl JoinKey {
    /// The key that follows from those of the first member, the same at both ends.
    pub(in super::super) fn of(host: &dyn Host, role: Role, keys: &Keys) -> Self {
        Self(keys.export(host, role, LABEL_KEY))
    }

    /// The number that names the bundle; never zero. No flow has it, so it tells nobody one.
    #[must_use]
    pub fn id(&self, host: &dyn Host) -> u64 {
        let mac = host.hmac_sha256(&self.0, &[LABEL_ID]);
        let head = mac.first_chunk().copied();
        u64::from_be_bytes(head.unwrap_or_default()).max(1)
    }

    /// The secret that the keys of further members are made with, beside their own exchange. So
    /// each end knows the other for that of the first member, in both directions.
    #[must_use]
    pub fn member_secret(&self, host: &dyn Host) -> [u8; 32] {
        host.hmac_sha256(&self.0, &[LABEL_SECRET])
    }

    /// What a SYN carries that wants to join with this flow ID and public key.
    #[must_use]
    pub fn join(&self, host: &dyn Host, flow: u64, public: &[u8; 32]) -> Join {
        let bundle = self.id(host);
        let parts = [
            LABEL_PROOF,
            &bundle.to_be_bytes(),
            &flow.to_be_bytes(),
            public,
        ];
        let mac = host.hmac_sha256(&self.0, &parts);
        let mut proof = [0; TOKEN_LEN];
        if let Some(head) = mac.first_chunk() {
            proof = *head;
        }
        Join { bundle, proof }
    }

    /// Whether a SYN proves that its sender has the key.
    #[must_use]
    pub fn admits(&self, host: &dyn Host, syn: &Packet<'_>) -> bool {
        let message = syn.message();
        let (Some(join), Some(public)) = (&message.join, &message.key) else {
            return false;
        };
        let expected = self.join(host, message.sender, public);
        expected.bundle == join.bundle && host.mac_eq(&expected.proof, &join.proof)
    }
}
