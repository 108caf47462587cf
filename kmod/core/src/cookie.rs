// SPDX-License-Identifier: GPL-2.0-only
//! Cookies: under load a listener keeps nothing of a client before the client has proven its
//! address (protocol.md §7.5).
//!
//! A first SYN is answered with a NACK that carries a cookie, and is forgotten. The client
//! repeats its SYN with the cookie, which verifies only from the address that the NACK went to,
//! for the same SYN, and for a short time. The NACK is never longer than the SYN.

use super::address::{Encap, IpAddr128, Path, RxInfo};
use super::auth::{check_mac, refusal_key, write_mac};
use super::bytes::copy_into;
use super::connection::Transmit;
use super::event::Discard;
use super::flow::Flow;
use super::host::Host;
use super::shared::{Aside, Reply, Shared};
use super::time::Duration;
use super::wire::{Message, Packet, PacketType, OPT_COOKIE, TOKEN_LEN};

/// How long one secret makes cookies; it verifies them for as long again.
pub const SLOT: Duration = Duration::from_secs(16);
/// Cookies that a client keeps, for as many paths to the server.
const MAX_COOKIES: usize = 4;
/// Cookies that a client returns at once; with later ones it waits for its timer.
const MAX_PROMPT: u8 = 8;
/// Length of a cookie as an option of a SYN, with its padding.
const OPTION_LEN: usize = 20;

const LABEL: &[u8] = b"ECCP v1 cookie";

/// SHA-256 of a SYN as its sender first wrote it: without a cookie.
#[must_use]
pub fn syn_hash(host: &dyn Host, packet: &Packet<'_>) -> [u8; 32] {
    let mut words = [0];
    host.sha256(&packet.essence(&mut words))
}

/// The secrets of a namespace, replaced one by one as time goes by.
#[derive(Clone)]
pub struct Cookies(Option<CookieKeys>);

/// The secrets at one moment, to be used without a lock.
#[derive(Clone, Copy)]
pub struct CookieKeys {
    slot: u64,
    current: [u8; 32],
    previous: Option<[u8; 32]>,
}

impl core::fmt::Debug for Cookies {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("Cookies")
    }
}

impl Cookies {
    /// No secrets yet: the first use draws one.
    pub const NEW: Self = Self(None);

    /// The secrets of now; draws a new one when the time of the last is over.
    pub fn keys(&mut self, host: &mut dyn Host) -> CookieKeys {
        let slot = host.now().0.checked_div(SLOT.0).unwrap_or(0);
        let previous = match &self.0 {
            Some(keys) if keys.slot == slot => return *keys,
            Some(keys) if keys.slot.checked_add(1) == Some(slot) => Some(keys.current),
            _ => None,
        };
        let mut current = [0; 32];
        host.random(&mut current);
        let keys = CookieKeys {
            slot,
            current,
            previous,
        };
        self.0 = Some(keys);
        keys
    }
}

impl CookieKeys {
    /// Writes the NACK with a cookie that answers the first SYN `packet` to the front of `out`
    /// and returns its length; `None` if `packet` is no first SYN or `out` is too short. It goes
    /// to the source of the SYN, and its MAC proves that its sender has seen that SYN.
    pub fn answer(
        &self,
        host: &dyn Host,
        packet: &Packet<'_>,
        rx: &RxInfo,
        out: &mut [u8],
    ) -> Option<usize> {
        if !packet.is_first_syn() {
            return None;
        }
        let hash = syn_hash(host, packet);
        let syn = packet.message();
        let mut nack = Message::new(PacketType::Nack, syn.sender, syn.sender, 0);
        nack.inner = syn.inner;
        nack.cookie = Some(cookie(host, &self.current, self.slot, &hash, rx));
        let emitted = nack.emit(out, true).ok()?;
        let key = refusal_key(host, &hash);
        write_mac(host, &key, out.get_mut(..emitted.len)?, emitted.mac_at?);
        Some(emitted.len)
    }

    /// Whether a first SYN carries a cookie that was made here for it and for its source, not
    /// long ago.
    #[must_use]
    pub fn proves(&self, host: &dyn Host, packet: &Packet<'_>, rx: &RxInfo) -> bool {
        let Some(received) = packet.message().cookie.filter(|_| packet.is_first_syn()) else {
            return false;
        };
        let [mark, ..] = received;
        let earlier = self.slot.checked_sub(1);
        let (secret, slot) = match (&self.previous, earlier) {
            _ if mark == mark_of(self.slot) => (&self.current, self.slot),
            (Some(previous), Some(slot)) if mark == mark_of(slot) => (previous, slot),
            _ => return false,
        };
        let expected = cookie(host, secret, slot, &syn_hash(host, packet), rx);
        host.mac_eq(&expected, &received)
    }
}

/// The low byte of a slot: says which secret to verify with.
fn mark_of(slot: u64) -> u8 {
    let [.., mark] = slot.to_be_bytes();
    mark
}

fn cookie(
    host: &dyn Host,
    secret: &[u8; 32],
    slot: u64,
    syn: &[u8; 32],
    rx: &RxInfo,
) -> [u8; TOKEN_LEN] {
    let mac = host.hmac_sha256(
        secret,
        &[
            LABEL,
            syn,
            &rx.remote.0,
            &rx.remote_port.to_be_bytes(),
            &[rx.encap as u8],
            &slot.to_be_bytes(),
        ],
    );
    let mut cookie = [0; TOKEN_LEN];
    let bytes = core::iter::once(mark_of(slot)).chain(mac);
    for (to, from) in cookie.iter_mut().zip(bytes) {
        *to = from;
    }
    cookie
}

/// A cookie at its client, with what it is good for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Kept {
    remote: IpAddr128,
    encap: Encap,
    cookie: [u8; TOKEN_LEN],
}

/// What a client has been given; the newest last.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct CookieStore {
    kept: [Option<Kept>; MAX_COOKIES],
    prompt: u8,
}

impl CookieStore {
    pub(super) const EMPTY: Self = Self {
        kept: [None; MAX_COOKIES],
        prompt: 0,
    };

    fn keep(&mut self, rx: &RxInfo, cookie: [u8; TOKEN_LEN]) {
        let replaced = |kept: &Kept| kept.remote == rx.remote && kept.encap == rx.encap;
        for slot in &mut self.kept {
            *slot = slot.filter(|kept| !replaced(kept));
        }
        if self.kept.iter().all(Option::is_some) {
            self.kept.rotate_left(1);
            if let Some(last) = self.kept.last_mut() {
                *last = None;
            }
        }
        if let Some(slot) = self.kept.iter_mut().find(|slot| slot.is_none()) {
            *slot = Some(Kept {
                remote: rx.remote,
                encap: rx.encap,
                cookie,
            });
        }
    }

    fn find(&self, path: &Path) -> Option<&[u8; TOKEN_LEN]> {
        let mut kept = self.kept.iter().flatten();
        kept.find(|kept| kept.remote == path.remote && kept.encap == path.encap)
            .map(|kept| &kept.cookie)
    }
}

impl Flow {
    /// A NACK in SYN_SENT: the server asks for the proof of our address. The SYN is repeated at
    /// once with the cookie, and with it on its timer.
    pub(super) fn handle_cookie(
        &self,
        shared: &mut Shared,
        host: &dyn Host,
        rx: &RxInfo,
        packet: &Packet<'_>,
    ) -> Result<(), Discard> {
        let cookie = packet.message().cookie.ok_or(Discard::WrongState)?;
        shared.check_syn_target(rx)?;
        check_mac(host, &refusal_key(host, &shared.syn_hash), packet)?;
        let Aside::Cookies(cookies) = &mut shared.aside else {
            return Err(Discard::WrongState);
        };
        cookies.keep(rx, cookie);
        if cookies.prompt >= MAX_PROMPT {
            return Err(Discard::RateLimited);
        }
        cookies.prompt = cookies.prompt.saturating_add(1);
        let reply = Reply {
            kind: PacketType::Syn,
            ..self.reply_syn_ack(rx.reply_path())
        };
        shared.answer(host.now(), reply)
    }
}

impl Shared {
    /// Writes the SYN with the cookie for its path, if there is one. The length in its header is
    /// that of the whole; everything else stays as it was hashed.
    pub(super) fn write_syn(&self, path: &Path, buf: &mut [u8]) -> Option<Transmit> {
        let syn = self.frozen.packet();
        copy_into(buf, syn)?;
        let mut len = syn.len();
        let cookies = match &self.aside {
            Aside::Cookies(cookies) => Some(cookies),
            Aside::Tickets(_) => None,
        };
        if let Some(cookie) = cookies.and_then(|cookies| cookies.find(path)) {
            let option = buf.get_mut(len..len.checked_add(OPTION_LEN)?)?;
            option.fill(0);
            copy_into(option, &[OPT_COOKIE, u8::try_from(TOKEN_LEN).ok()?])?;
            copy_into(option.get_mut(2..)?, cookie)?;
            len = len.checked_add(OPTION_LEN)?;
            *buf.get_mut(9)? = u8::try_from(len >> 2).ok()?;
        }
        Some(Transmit { len, path: *path })
    }
}
