// SPDX-License-Identifier: GPL-2.0-only
//! Stateless resets: a host that has lost a flow proves it to the peer (protocol.md §7.10).
//!
//! Both ends tell each other at set-up, under the MAC, the hash of a proof that follows from
//! their reset key and their flow ID. A host that keeps nothing but the key can make the proof
//! for any flow ID that it was called by, and it does so only for those that it does not know.
//! Who has watched the set-up knows the hash alone, and cannot make the proof from it.

use super::event::{CloseReason, Discard};
use super::flow::Flow;
use super::host::Host;
use super::settings::AMPLIFICATION;
use super::shared::Shared;
use super::wire::{Message, PacketType, COMMON_LEN, TOKEN_LEN};

const LABEL_PROOF: &[u8] = b"ECCP v1 reset proof";
const LABEL_COMMITMENT: &[u8] = b"ECCP v1 reset commitment";

/// The secret that proofs are made of. It must belong to one namespace of one host alone: two that
/// share it can be made to reset each other's flows.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct ResetKey(Option<[u8; 32]>);

impl core::fmt::Debug for ResetKey {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str(match self.0 {
            Some(_) => "ResetKey",
            None => "ResetKey::NONE",
        })
    }
}

impl ResetKey {
    /// No key: nothing is promised and nothing proven.
    pub const NONE: Self = Self(None);

    /// A key of 32 random bytes.
    #[must_use]
    pub const fn new(key: [u8; 32]) -> Self {
        Self(Some(key))
    }

    fn proof(&self, host: &dyn Host, flow: u64) -> Option<[u8; TOKEN_LEN]> {
        let key = self.0.as_ref()?;
        let mac = host.hmac_sha256(key, &[LABEL_PROOF, &flow.to_be_bytes()]);
        mac.first_chunk().copied()
    }

    /// What the peer of our flow `flow` is told at set-up.
    pub(super) fn commitment(&self, host: &dyn Host, flow: u64) -> Option<[u8; TOKEN_LEN]> {
        commitment(host, &self.proof(host, flow)?)
    }

    /// Writes the RESET that answers a packet for a flow which nobody here has, to the front of
    /// `out`, and returns its length; `None` if the packet must not be answered: a first SYN,
    /// VERSION, RST, another RESET, REDIRECT, one too short to answer, or broken. `start` are the first bytes of
    /// the packet, [`CONTROL_LEN`](super::wire::CONTROL_LEN) of them if it has so many, and `len`
    /// is its whole length.
    pub fn answer(
        &self,
        host: &dyn Host,
        start: &[u8],
        len: usize,
        out: &mut [u8],
    ) -> Option<usize> {
        let [id @ .., version_type, _, inner, _] = *start.first_chunk::<COMMON_LEN>()?;
        let lost = u64::from_be_bytes(id);
        let kind = PacketType::from_number(version_type & 0x0f)?;
        let spoken = version_type >> 4 == super::wire::VERSION;
        let ends = matches!(
            kind,
            PacketType::Rst | PacketType::Reset | PacketType::Redirect
        );
        let answers = !ends && kind != PacketType::Version;
        if !spoken || !answers || lost == 0 {
            return None;
        }
        // Data does not say what the peer calls itself; the lost ID alone has to do.
        let receiver = match kind {
            PacketType::Data => 0,
            _ => u64::from_be_bytes(*start.get(COMMON_LEN..)?.first_chunk()?),
        };
        let mut reset = Message::new(PacketType::Reset, receiver, lost, 0);
        reset.inner = inner;
        reset.token = Some(self.proof(host, lost)?);
        let written = reset.emit(out, false).ok()?.len;
        let limit = len.saturating_mul(usize::try_from(AMPLIFICATION).ok()?);
        (written <= limit).then_some(written)
    }
}

/// The flow ID of its sender, which a RESET says is lost; `None` if `start`, the first bytes of a
/// packet, is not the start of a RESET.
#[must_use]
pub fn lost_flow(start: &[u8]) -> Option<u64> {
    let [_, _, _, _, _, _, _, _, version_type, ..] = *start.first_chunk::<COMMON_LEN>()?;
    let reset = (super::wire::VERSION << 4) | PacketType::Reset as u8;
    let id = start.get(COMMON_LEN..)?.first_chunk()?;
    (version_type == reset).then(|| u64::from_be_bytes(*id))
}

fn commitment(host: &dyn Host, proof: &[u8; TOKEN_LEN]) -> Option<[u8; TOKEN_LEN]> {
    let hash = host.sha256(&[LABEL_COMMITMENT, proof]);
    hash.first_chunk().copied()
}

impl Flow {
    /// RESET: the flow is over if the proof fits what the peer promised at set-up.
    pub(super) fn handle_reset(
        &mut self,
        shared: &mut Shared,
        host: &dyn Host,
        message: &Message,
    ) -> Result<(), Discard> {
        let (Some(promised), Some(proof)) = (&self.reset_proof, &message.token) else {
            return Err(Discard::WrongState);
        };
        let made = commitment(host, proof).ok_or(Discard::BadToken)?;
        if !host.mac_eq(&made, promised) {
            return Err(Discard::BadToken);
        }
        self.finish(shared, CloseReason::Lost);
        Ok(())
    }
}
