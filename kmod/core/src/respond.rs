// SPDX-License-Identifier: GPL-2.0-only
//! Answers that need no connection. The host limits their rate with a
//! [`TokenBucket`](super::limit::TokenBucket), because anyone can ask for them.

use super::auth::{refusal_key, write_mac};
use super::host::Host;
use super::settings::AMPLIFICATION;
use super::wire::{Message, Packet, PacketType, Reason, Versions, CONTROL_LEN, VERSION};

/// Writes the RST that refuses a first SYN to the front of `out` and returns its length; `None`
/// if `packet` is no first SYN or `out` is too short. It goes to the source of the SYN. Its MAC
/// proves that its sender has seen that SYN.
pub fn refuse(
    host: &dyn Host,
    packet: &Packet<'_>,
    reason: Reason,
    out: &mut [u8],
) -> Option<usize> {
    if !packet.is_first_syn() {
        return None;
    }
    let mut rst = Message::new(PacketType::Rst, packet.message().sender, 0, 0);
    rst.inner = packet.message().inner;
    rst.reason = Some(reason);
    let emitted = rst.emit(out, true).ok()?;
    let key = refusal_key(host, &super::cookie::syn_hash(host, packet));
    write_mac(host, &key, out.get_mut(..emitted.len)?, emitted.mac_at?);
    Some(emitted.len)
}

/// Writes the VERSION packet that answers a control packet of an unknown version to the front
/// of `out` and returns its length; `None` if the packet must not be answered: data, another
/// VERSION, one too short to answer, or one without a sender. All versions of ECCP agree on the
/// place of the type and of the sender's flow ID.
#[must_use]
pub fn version_answer(bytes: &[u8], out: &mut [u8]) -> Option<usize> {
    let head = bytes.first_chunk::<CONTROL_LEN>()?;
    let [_, _, _, _, _, _, _, _, version_type, _, _, _, sender @ .., _, _, _, _, _, _, _, _] =
        *head;
    let sender = u64::from_be_bytes(sender);
    let kind = version_type & 0x0f;
    let answers = version_type >> 4 != VERSION
        && kind != PacketType::Data as u8
        && kind != PacketType::Version as u8
        && sender != 0;
    if !answers {
        return None;
    }
    let mut answer = Message::new(PacketType::Version, sender, 0, 0);
    answer.versions = Versions::new(&[VERSION]);
    let len = answer.emit(out, false).ok()?.len;
    let limit = bytes
        .len()
        .saturating_mul(usize::try_from(AMPLIFICATION).ok()?);
    (len <= limit).then_some(len)
}
