// SPDX-License-Identifier: GPL-2.0-only
//! What a flow knows of the other flows of its connection.

use super::address::{Family, IpAddr128, LocalAddress, Path, RemoteAddr};
use super::connection::Connection;
use super::event::FlowIndex;
use super::flow::{Flow, LocalHalf, Phase};
use super::settings::MAX_FLOWS;
use super::shared::{rank, Shared};

/// A view of all flows, taken before one of them acts. It is empty while there is only one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Others {
    /// Where the peer was proven on each flow.
    proven: [Option<RemoteAddr>; MAX_FLOWS],
    /// The local address that each flow uses or moves to, and its interface.
    used: [(IpAddr128, u32); MAX_FLOWS],
    /// Our and the peer's ID of an open flow, to name the connection by.
    pub(super) name: Option<(u64, u64)>,
    /// A path that carries data, for what does not depend on the path.
    pub(super) path: Option<Path>,
}

impl Others {
    pub(super) const NONE: Self = Self {
        proven: [None; MAX_FLOWS],
        used: [(IpAddr128::UNSPECIFIED, 0); MAX_FLOWS],
        name: None,
        path: None,
    };

    /// True if a flow other than `flow` uses the local address, or its interface.
    pub(super) fn use_address(&self, flow: FlowIndex, address: &LocalAddress) -> bool {
        let others = (0..MAX_FLOWS).zip(&self.used);
        others
            .filter(|(index, _)| *index != usize::from(flow.0))
            .any(|(_, (addr, ifindex))| {
                *addr == address.addr || (*ifindex != 0 && *ifindex == address.ifindex)
            })
    }

    /// Where the peer was proven on other flows than `flow` (R7, R12).
    pub(super) fn proven(&self, flow: FlowIndex) -> impl Iterator<Item = &RemoteAddr> {
        let all = (0..MAX_FLOWS).zip(&self.proven);
        all.filter(move |(index, _)| *index != usize::from(flow.0))
            .filter_map(|(_, remote)| remote.as_ref())
    }
}

impl Connection {
    /// Number of flows that take part in the protocol.
    pub(super) fn live_flows(&self) -> usize {
        let live = self.flows.iter().filter(|flow| flow.is_live());
        live.fold(0, |count, _| count.saturating_add(1))
    }

    /// Takes a new view of all flows.
    pub(super) fn note_others(&mut self) {
        let mut view = Others::NONE;
        if self.live_flows() > 1 {
            let all = (0..MAX_FLOWS).zip(&self.flows);
            for (at, flow) in all.filter(|(_, flow)| flow.is_live()) {
                if let Some(slot) = view.used.get_mut(at) {
                    *slot = flow.wanted_address();
                }
                if let Some(slot) = view.proven.get_mut(at) {
                    *slot = flow.recorded();
                }
            }
            view.path = self.carrier().map(|carrier| carrier.path);
        }
        let carrier = self.shared.carrier.flow;
        let names = |flow: &&Flow| flow.phase == Phase::Open && flow.remote_id != 0;
        let open = self.flows.iter().filter(names);
        // The flow that carries data is the one whose peer hears us, as far as we know.
        let via = open
            .clone()
            .find(|f| f.index == carrier)
            .or_else(|| open.clone().next());
        if view != Others::NONE {
            view.name = via.map(|flow| (flow.local_id(), flow.remote_id));
        }
        self.shared.others = view;
    }
}

impl Flow {
    fn wanted_address(&self) -> (IpAddr128, u32) {
        match &self.local {
            LocalHalf::Settled => (self.path.local, self.path.ifindex),
            LocalHalf::Moving(moving) => (moving.to.addr, moving.to.ifindex),
            LocalHalf::Absent(_) => (IpAddr128::UNSPECIFIED, 0),
        }
    }
}

impl Shared {
    /// The best usable local address of a family other than `except` on an interface that no
    /// other flow uses: flows that meet on one link would be lost together.
    pub(super) fn best_free(
        &self,
        flow: FlowIndex,
        family: Family,
        except: Option<&IpAddr128>,
    ) -> Option<&LocalAddress> {
        self.usable(family, except.copied())
            .filter(|a| !self.others.use_address(flow, a))
            .min_by_key(|a| rank(a))
    }
}
