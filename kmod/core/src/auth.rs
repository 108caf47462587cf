// SPDX-License-Identifier: GPL-2.0-only
//! Keys, MACs and tokens (protocol.md §7.3, §7.4).

use super::address::Path;
use super::event::Discard;
use super::host::Host;
use super::wire::{Packet, MAC_LEN, TOKEN_LEN};

const LABEL_CLIENT: &[u8] = b"ECCP v1 control, client to server";
const LABEL_SERVER: &[u8] = b"ECCP v1 control, server to client";
const LABEL_REFUSAL: &[u8] = b"ECCP v1 refusal of a SYN";

/// Which end opened the connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Role {
    /// This end sent the SYN.
    Client,
    /// This end accepted it.
    Server,
}

/// The keys of a connection, one per direction, so that no packet can be reflected.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Keys {
    send: [u8; 32],
    receive: [u8; 32],
}

impl core::fmt::Debug for Keys {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("Keys")
    }
}

impl Keys {
    /// Derives the keys from the shared secret of the X25519 exchange and the pre-shared key, if
    /// there is one; they bind the whole SYN and the SYN-ACK up to its token, by their hashes.
    #[must_use]
    pub fn derive(
        host: &dyn Host,
        role: Role,
        shared: &[u8; 32],
        psk: Option<&[u8; 32]>,
        syn: &[u8; 32],
        syn_ack: &[u8; 32],
    ) -> Self {
        let mut secret = [0u8; 64];
        let used: &[u8] = match psk {
            Some(psk) => {
                for (to, from) in secret.iter_mut().zip(shared.iter().chain(psk)) {
                    *to = *from;
                }
                &secret
            }
            None => shared,
        };
        let client = host.hmac_sha256(used, &[LABEL_CLIENT, syn, syn_ack]);
        let server = host.hmac_sha256(used, &[LABEL_SERVER, syn, syn_ack]);
        match role {
            Role::Client => Self {
                send: client,
                receive: server,
            },
            Role::Server => Self {
                send: server,
                receive: client,
            },
        }
    }

    /// A key for another use, which follows from these and is the same at both ends.
    pub(super) fn export(&self, host: &dyn Host, role: Role, label: &[u8]) -> [u8; 32] {
        let (client, server) = match role {
            Role::Client => (&self.send, &self.receive),
            Role::Server => (&self.receive, &self.send),
        };
        host.hmac_sha256(client, &[label, server])
    }

    /// Writes the MAC of everything before `at` into `packet` at `at`.
    pub fn sign(&self, host: &dyn Host, packet: &mut [u8], at: usize) {
        write_mac(host, &self.send, packet, at);
    }

    /// Checks the MAC of a received packet.
    pub fn verify(&self, host: &dyn Host, packet: &Packet<'_>) -> Result<(), Discard> {
        check_mac(host, &self.receive, packet)
    }
}

/// The key of the RST that refuses a SYN: only who has seen the SYN can know it.
#[must_use]
pub fn refusal_key(host: &dyn Host, syn: &[u8; 32]) -> [u8; 32] {
    host.hmac_sha256(syn, &[LABEL_REFUSAL])
}

/// Writes the MAC under `key` of everything before `at` into `packet` at `at`.
pub(super) fn write_mac(host: &dyn Host, key: &[u8; 32], packet: &mut [u8], at: usize) {
    let Some((covered, rest)) = packet.split_at_mut_checked(at) else {
        return;
    };
    let mac = host.hmac_sha256(key, &[covered]);
    if let (Some(slot), Some(mac)) = (rest.first_chunk_mut::<MAC_LEN>(), mac.first_chunk()) {
        *slot = *mac;
    }
}

/// Checks the MAC of `packet` under `key`, in constant time.
pub(super) fn check_mac(
    host: &dyn Host,
    key: &[u8; 32],
    packet: &Packet<'_>,
) -> Result<(), Discard> {
    let (covered, mac) = packet.authenticated().ok_or(Discard::BadMac)?;
    let expected = host.hmac_sha256(key, &[covered]);
    let expected = expected.first_chunk::<MAC_LEN>().ok_or(Discard::BadMac)?;
    match host.mac_eq(expected, mac) {
        true => Ok(()),
        false => Err(Discard::BadMac),
    }
}

/// The token that proves an address (R10): bound to flow, version and source, and stateless.
#[must_use]
pub fn token(
    host: &dyn Host,
    secret: &[u8; 32],
    flow: u64,
    version: u64,
    path: &Path,
) -> [u8; TOKEN_LEN] {
    bound(host, secret, b"", flow, version, path)
}

/// The challenge in an RSYN to the far end of `path`. Who returns it has received the RSYN there:
/// it is bound as a [`token`] is, to our own flow and version.
#[must_use]
pub fn challenge(
    host: &dyn Host,
    secret: &[u8; 32],
    flow: u64,
    version: u64,
    path: &Path,
) -> [u8; TOKEN_LEN] {
    bound(host, secret, b"RSYN", flow, version, path)
}

/// The token in the SYN of an added flow to the far end of `path` (R18). Who returns it has
/// received the SYN there: it is bound as a [`token`] is, to our own flow.
#[must_use]
pub fn request_token(
    host: &dyn Host,
    secret: &[u8; 32],
    flow: u64,
    path: &Path,
) -> [u8; TOKEN_LEN] {
    bound(host, secret, b"SYN", flow, 0, path)
}

/// The token of a ping along `path`, number `serial` of the flow's own count. Who returns it by
/// the same way has received the ping there.
#[must_use]
pub(super) fn probe_token(
    host: &dyn Host,
    secret: &[u8; 32],
    flow: u64,
    serial: u32,
    path: &Path,
) -> [u8; TOKEN_LEN] {
    let label: [u8; 20] = from_here(path, b"PING");
    bound(host, secret, &label, flow, u64::from(serial), path)
}

/// The token of a REDIRECT along `path`. Who returns it has received it, on its way or at its end.
#[must_use]
pub(super) fn redirect_token(
    host: &dyn Host,
    secret: &[u8; 32],
    flow: u64,
    version: u64,
    path: &Path,
) -> [u8; TOKEN_LEN] {
    let label: [u8; 24] = from_here(path, b"REDIRECT");
    bound(host, secret, &label, flow, version, path)
}

/// A label for [`bound`] that the local address is part of.
fn from_here<const N: usize>(path: &Path, name: &[u8]) -> [u8; N] {
    let mut label = [0u8; N];
    for (to, from) in label.iter_mut().zip(path.local.0.iter().chain(name)) {
        *to = *from;
    }
    label
}

fn bound(
    host: &dyn Host,
    secret: &[u8; 32],
    label: &[u8],
    flow: u64,
    version: u64,
    path: &Path,
) -> [u8; TOKEN_LEN] {
    let mac = host.hmac_sha256(
        secret,
        &[
            label,
            &flow.to_be_bytes(),
            &version.to_be_bytes(),
            &path.remote.0,
            &path.remote_port.to_be_bytes(),
            &[path.encap as u8],
        ],
    );
    let mut token = [0u8; TOKEN_LEN];
    if let Some(head) = mac.first_chunk() {
        token = *head;
    }
    token
}
