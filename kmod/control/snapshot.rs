// SPDX-License-Identifier: GPL-2.0
//! Connections and flows as plain data, for those who show them.

use crate::{
    connection::{Connection, State, Why},
    kernel_objects::{
        endpoint::FlowStats,
        sys::{self, eccp_flow_info, eccp_info},
    },
    proto::{
        address::{Encap, IpAddr128, Path, RemoteAddr},
        auth::Role,
        event::FlowIndex,
        flow::{FlowState, LocalHalf, Phase},
        ilist::IList,
        service::Service,
    },
};

/// A flow at one moment.
pub(crate) struct FlowSnapshot {
    pub(crate) connection_id: u64,
    pub(crate) local_id: u64,
    pub(crate) remote_id: u64,
    /// What was replaced by them a short time ago; zero if nothing was.
    pub(crate) old_local_id: u64,
    pub(crate) old_remote_id: u64,
    pub(crate) state: FlowState,
    pub(crate) draining: bool,
    pub(crate) local_version: u64,
    pub(crate) remote_version: u64,
    /// The path in use, or the last one that was.
    pub(crate) path: Path,
    /// Where this side is moving to, else where the peer is.
    pub(crate) candidate: Option<IpAddr128>,
    /// Our address as the peer sees it, if a NAT changes it.
    pub(crate) observed: Option<RemoteAddr>,
    pub(crate) rtt_us: u32,
    pub(crate) mtu: u32,
    pub(crate) stats: FlowStats,
    pub(crate) moves: u32,
    /// Number of `enum eccp_reason`; zero if there is none.
    pub(crate) reason: Why,
    pub(crate) service: Service,
    pub(crate) uid: u32,
    /// It carries the data that this host sends.
    pub(crate) active: bool,
    pub(crate) backup: bool,
    /// It has a path for data.
    pub(crate) usable: bool,
}

/// A connection at one moment.
pub(crate) struct ConnectionSnapshot {
    pub(crate) id: u64,
    pub(crate) role: Role,
    pub(crate) service: Service,
    pub(crate) local_ilist: IList,
    pub(crate) remote_ilist: IList,
    pub(crate) primary_flow: u64,
    pub(crate) flows: u32,
    pub(crate) psk: bool,
    /// The flows carry datagrams, and not a stream.
    pub(crate) datagrams: bool,
    /// The bundle that it is a member of, and how many that has.
    pub(crate) bundle: Option<(u64, u32)>,
    pub(crate) uid: u32,
    pub(crate) reason: Why,
}

impl FlowSnapshot {
    /// A flow of a connection; `None` before it is there and after it is gone.
    pub(crate) fn take(connection: &Connection, state: &State, index: FlowIndex) -> Option<Self> {
        let slot = state.slot(index)?;
        let core = state.core.flow(index)?;
        let [local_id, _, old_local_id] = core.own_ids();
        let active = state.core.carrying_flow() == index;
        // What TCP knows is of the path that it uses.
        let tcp = state.flow.as_ref().filter(|_| active);
        let mut stats = tcp.map_or_else(FlowStats::default, |flow| flow.stats());
        (stats.tx_packets, stats.tx_bytes) = state.sent(index);
        (stats.rx_packets, stats.rx_bytes) = state.received(index);
        let handshake_rtt = core.rtt().smoothed().map_or(0, |rtt| rtt.0);
        let measured = match stats.srtt_us {
            0 => u32::try_from(handshake_rtt).unwrap_or(u32::MAX),
            srtt => srtt,
        };
        Some(Self {
            connection_id: connection.id,
            local_id,
            remote_id: core.remote_id(),
            old_local_id,
            old_remote_id: 0,
            state: core.state(),
            draining: matches!(core.phase(), Phase::Draining | Phase::Aborted),
            local_version: core.version(),
            remote_version: core.validated().unwrap_or(0),
            path: *core.path(),
            candidate: match core.local_half() {
                LocalHalf::Moving(own) => Some(own.to.addr),
                _ => core.candidates().iter().last().map(|c| c.path.remote),
            },
            observed: core.observed().copied(),
            rtt_us: measured,
            mtu: stats.mtu,
            stats,
            moves: slot.moves,
            reason: slot.why,
            service: *state.core.service(),
            uid: connection.uid,
            active,
            backup: core.is_backup(),
            usable: state.core.data_path(index).is_some(),
        })
    }
}

impl FlowSnapshot {
    /// The same as SOL_ECCP's option ECCP_INFO gives it.
    pub(crate) fn info(&self, state: &State) -> eccp_info {
        eccp_info {
            connection_id: self.connection_id,
            local_connection_version: state.core.local_ilist().version,
            remote_connection_version: state.core.remote_ilist().version,
            local_flow_id: self.local_id,
            remote_flow_id: self.remote_id,
            local_flow_version: self.local_version,
            remote_flow_version: self.remote_version,
            state: number_of(self.state),
            encap: match self.path.encap {
                Encap::Native => sys::eccp_encap_ECCP_ENCAP_NATIVE,
                Encap::Udp => sys::eccp_encap_ECCP_ENCAP_UDP,
            },
            ifindex: self.path.ifindex,
            rtt_us: self.rtt_us,
            mtu: self.mtu,
            flows: state.flow_count(),
            moves: self.moves,
            reason: self.reason,
            local_addr: self.path.local.0,
            remote_addr: self.path.remote.0,
            candidate_addr: self.candidate.map_or([0; 16], |address| address.0),
            local_port: self.path.local_port.to_be(),
            remote_port: self.path.remote_port.to_be(),
            members: state.bundle.as_ref().map_or(0, |bundle| bundle.members()),
        }
    }

    /// One entry of what the option ECCP_FLOWS gives.
    pub(crate) fn flow_info(&self) -> eccp_flow_info {
        let flags = [
            (self.active, sys::ECCP_FLOW_ACTIVE),
            (self.backup, sys::ECCP_FLOW_BACKUP),
            (self.draining, sys::ECCP_FLOW_DRAINING),
            (self.usable, sys::ECCP_FLOW_USABLE),
        ];
        let set = flags.into_iter().filter(|(on, _)| *on);
        eccp_flow_info {
            local_id: self.local_id,
            remote_id: self.remote_id,
            local_version: self.local_version,
            remote_version: self.remote_version,
            rx_packets: self.stats.rx_packets,
            rx_bytes: self.stats.rx_bytes,
            tx_packets: self.stats.tx_packets,
            tx_bytes: self.stats.tx_bytes,
            state: number_of(self.state),
            flags: set.fold(0, |sum, (_, flag)| sum | flag),
            encap: match self.path.encap {
                Encap::Native => sys::eccp_encap_ECCP_ENCAP_NATIVE,
                Encap::Udp => sys::eccp_encap_ECCP_ENCAP_UDP,
            },
            ifindex: self.path.ifindex,
            rtt_us: self.rtt_us,
            moves: self.moves,
            reason: self.reason,
            reserved: 0,
            local_addr: self.path.local.0,
            remote_addr: self.path.remote.0,
            candidate_addr: self.candidate.map_or([0; 16], |address| address.0),
            local_port: self.path.local_port.to_be(),
            remote_port: self.path.remote_port.to_be(),
            reserved2: 0,
        }
    }
}

/// The number of a state in `enum eccp_flow_state`.
pub(crate) fn number_of(state: FlowState) -> u32 {
    match state {
        FlowState::Closed => sys::eccp_flow_state_ECCP_FLOW_STATE_CLOSED,
        FlowState::SynSent => sys::eccp_flow_state_ECCP_FLOW_STATE_SYN_SENT,
        FlowState::SynRcvd => sys::eccp_flow_state_ECCP_FLOW_STATE_SYN_RCVD,
        FlowState::Established => sys::eccp_flow_state_ECCP_FLOW_STATE_ESTABLISHED,
        FlowState::NoAddress => sys::eccp_flow_state_ECCP_FLOW_STATE_NOADDRESS,
        FlowState::RsynSent => sys::eccp_flow_state_ECCP_FLOW_STATE_RSYN_SENT,
        FlowState::RsynRcvd => sys::eccp_flow_state_ECCP_FLOW_STATE_RSYN_RCVD,
        FlowState::RsynSentRcvd => sys::eccp_flow_state_ECCP_FLOW_STATE_RSYN_SENT_RCVD,
        FlowState::NoAddressRsynRcvd => sys::eccp_flow_state_ECCP_FLOW_STATE_NOADDRESS_RSYN_RCVD,
    }
}

impl ConnectionSnapshot {
    pub(crate) fn take(connection: &Connection, state: &State) -> Self {
        Self {
            id: connection.id,
            role: state.core.role(),
            service: *state.core.service(),
            local_ilist: state.core.local_ilist(),
            remote_ilist: *state.core.remote_ilist(),
            primary_flow: state
                .core
                .flow(state.core.carrying_flow())
                .map_or(0, |flow| flow.local_id()),
            flows: state.flow_count(),
            psk: state.with_psk,
            datagrams: connection.carries_datagrams(),
            bundle: state.bundle.as_ref().map(|b| (b.id, b.members())),
            uid: connection.uid,
            reason: state.why,
        }
    }
}
