// SPDX-License-Identifier: GPL-2.0-only
//! What an administrator or a socket's owner can choose. Every limit of the core is here.

use super::address::Encap;
use super::reset::ResetKey;
use super::time::Duration;

/// Most flows of a connection.
pub const MAX_FLOWS: usize = 4;
/// Most addresses of the peer that the SYN of an added flow goes to.
pub const MAX_TARGETS: usize = super::ilist::MAX_ADDRESSES + MAX_FLOWS;
/// Most addresses of the peer that a connection attempt tries.
pub const MAX_REMOTES: usize = 8;
/// Most unproven source addresses remembered for one version of a peer's address.
pub const MAX_CANDIDATES: usize = 4;
/// Longest time between two tries of a handshake while someone waits (protocol.md §7.11).
pub const MAX_RETRY: Duration = Duration::from_secs(2);
/// Time to the first repetition when the round-trip time is not known (protocol.md §7.11).
pub const FIRST_RETRY: Duration = Duration::from_millis(250);
/// Shortest time to a repetition, whatever the measured round-trip time.
pub const MIN_RETRY: Duration = Duration::from_millis(50);
/// Bytes that may go to an unproven address for each byte that came from it (protocol.md §7.4).
pub const AMPLIFICATION: u32 = 3;

/// Which encapsulations a connection tries.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
#[repr(u8)]
pub enum Encapsulation {
    /// Native only.
    Native = 0,
    /// UDP only.
    Udp = 1,
    /// SYN and RSYN go out both ways; what answers is used.
    #[default]
    Auto = 2,
}

impl Encapsulation {
    /// True if a packet that asks for a new path may be sent this way.
    #[must_use]
    pub const fn tries(self, encap: Encap) -> bool {
        matches!(
            (self, encap),
            (Self::Auto, _) | (Self::Native, Encap::Native) | (Self::Udp, Encap::Udp)
        )
    }
}

/// What happens by itself when addresses change.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
#[repr(u8)]
pub enum Policy {
    /// Nothing, but that a flow resumes when the address that it lost comes back.
    Manual = 0,
    /// A flow that loses its address moves to the best one left.
    #[default]
    FailOver = 1,
    /// As fail-over; besides, a flow moves to a better address some time after it appears.
    Prefer = 2,
}

/// Settings of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Settings {
    /// Encapsulations to try.
    pub encapsulation: Encapsulation,
    /// UDP port of ECCP at both ends, unless an address names another.
    pub udp_port: u16,
    /// Automatic moves.
    pub policy: Policy,
    /// How long a set-up or a move is repeated before the flow is given up.
    pub give_up: Duration,
    /// How long a server waits for the ACK that completes a set-up.
    pub half_open: Duration,
    /// How long a planned move is tried before the flow stays where it was.
    pub planned_move: Duration,
    /// How long a flow without any address waits for one; `None` waits for ever.
    pub no_address: Option<Duration>,
    /// How long a closed flow answers late packets and still moves.
    pub draining: Duration,
    /// How long a better address must be there before [`Policy::Prefer`] moves to it.
    pub prefer_delay: Duration,
    /// Control packets per second that one connection answers; zero means no limit.
    pub control_rate: u32,
    /// Least time without an acknowledgement after which the path in use is in doubt; `None`
    /// never doubts it.
    pub path_timeout: Option<Duration>,
    /// How often an idle connection pings its peer; `None` never does.
    pub keepalive: Option<Duration>,
    /// Most flows of a connection, at most [`MAX_FLOWS`].
    pub max_flows: u8,
    /// What this host proves by that it has lost a flow (protocol.md §7.10).
    pub reset_key: ResetKey,
    /// How often a connection behind a NAT pings its peer, so that the NAT remembers it; `None`
    /// never does.
    pub nat_keepalive: Option<Duration>,
    /// Whether routers are asked for tickets, and told where a flow has gone (protocol.md §7.8).
    pub redirect: bool,
    /// Whether our flow IDs change with moves, our own and the peer's (protocol.md §7.14).
    pub renew_flow_ids: bool,
}

impl Settings {
    /// The defaults of protocol.md §7.
    pub const DEFAULT: Self = Self {
        encapsulation: Encapsulation::Auto,
        udp_port: 4433,
        policy: Policy::FailOver,
        give_up: Duration::from_secs(180),
        half_open: Duration::from_secs(30),
        planned_move: Duration::from_secs(10),
        no_address: None,
        draining: Duration::from_secs(60),
        prefer_delay: Duration::from_secs(5),
        control_rate: 200,
        path_timeout: Some(Duration::from_millis(250)),
        keepalive: None,
        max_flows: MAX_FLOWS as u8,
        reset_key: ResetKey::NONE,
        nat_keepalive: Some(Duration::from_secs(25)),
        redirect: false,
        renew_flow_ids: false,
    };
}

impl Default for Settings {
    fn default() -> Self {
        Self::DEFAULT
    }
}
