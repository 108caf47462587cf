// SPDX-License-Identifier: GPL-2.0-only
//! Which flow carries data (mode P): one at a time, the others stand by. When its path is lost,
//! data goes along another established flow at once; no handshake is needed for that.
//!
//! The end that changes tells the other with a PING along the new flow, so that both directions
//! change. Data is received on every flow of the connection at any time.

use super::address::Path;
use super::connection::Connection;
use super::event::{CarrierChange, Event, FlowIndex, Refused};
use super::flow::{Flow, Phase};
use super::host::Host;
use super::settings::Policy;
use super::shared::{rank, Shared};
use super::time::Instant;
use super::wire::{FlowFlags, Message, FLOW_ACTIVE, FLOW_BACKUP, FLOW_LOST};

/// How good a flow is for data; the lower the better.
type Grade = (bool, (bool, bool, u8));

/// The choice of a flow for data.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Carrier {
    pub(super) flow: FlowIndex,
    /// Somebody asked for this flow: only the loss of its path ends that.
    pinned: bool,
    /// This end took it because it had lost the one before.
    lost: bool,
    /// When data goes back to a better flow.
    pub(super) prefer_at: Option<Instant>,
    /// Newest request of the peer that was obeyed.
    obeyed: u64,
}

impl Carrier {
    pub(super) const FIRST: Self = Self {
        flow: FlowIndex(0),
        pinned: false,
        lost: false,
        prefer_at: None,
        obeyed: 0,
    };
}

/// Where data goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct DataPath {
    /// The flow.
    pub flow: FlowIndex,
    /// The peer's flow ID, for the header of data packets.
    pub receiver: u64,
    /// Its path.
    pub path: Path,
}

impl Connection {
    /// Where data goes now; while it is `None`, data must be held back.
    #[must_use]
    pub fn carrier(&self) -> Option<DataPath> {
        let flow = self.flow(self.shared.carrier.flow)?;
        Some(DataPath {
            flow: flow.index,
            receiver: flow.remote_id,
            path: flow.data_path()?,
        })
    }

    /// The flow that carries data, or that did last.
    #[must_use]
    pub const fn carrying_flow(&self) -> FlowIndex {
        self.shared.carrier.flow
    }

    /// [`Command::Prefer`](super::event::Command::Prefer).
    pub(super) fn prefer_flow(
        &mut self,
        host: &mut dyn Host,
        flow: FlowIndex,
    ) -> Result<(), Refused> {
        let known = self.flow(flow).ok_or(Refused::NoSuchFlow)?;
        known.data_path().ok_or(Refused::NoPath)?;
        self.carry_along(host, flow, CarrierChange::Command);
        self.shared.carrier.pinned = true;
        Ok(())
    }

    /// Sees to it that the flow that carries data is one that can. Called whenever a flow may
    /// have changed.
    pub(super) fn choose_carrier(&mut self, host: &mut dyn Host) {
        self.draw_ids(host);
        let now = host.now();
        let Some(current) = self.flows.get(usize::from(self.shared.carrier.flow.0)) else {
            return;
        };
        let grade = current.carries().then(|| current.grade(&self.shared));
        let carrier = &mut self.shared.carrier;
        if grade.is_none() {
            carrier.pinned = false;
        }
        let may_change = match carrier.pinned {
            true => false,
            false => grade.is_none() || self.shared.settings.policy == Policy::Prefer,
        };
        let better = self
            .best_carrier()
            .filter(|(best, _)| may_change && grade.is_none_or(|grade| *best < grade));
        let carrier = &mut self.shared.carrier;
        match (grade, better) {
            (_, None) => carrier.prefer_at = None,
            (None, Some((_, flow))) => self.carry_along(host, flow, CarrierChange::PathLost),
            (Some(_), Some((_, flow))) => {
                let delay = self.shared.settings.prefer_delay;
                if *carrier.prefer_at.get_or_insert(now.after(delay)) <= now {
                    self.carry_along(host, flow, CarrierChange::Preferred);
                }
            }
        }
    }

    fn best_carrier(&self) -> Option<(Grade, FlowIndex)> {
        self.flows
            .iter()
            .filter(|flow| flow.carries())
            .map(|flow| (flow.grade(&self.shared), flow.index))
            .min()
    }

    fn carry_along(&mut self, host: &mut dyn Host, index: FlowIndex, why: CarrierChange) {
        let now = host.now();
        let shared = &mut self.shared;
        shared.take_carrier(index, why);
        shared.carrier.lost = why == CarrierChange::PathLost;
        let number = shared.joins.next_request();
        for flow in &mut self.flows {
            flow.ping.request = 0;
            if flow.index == index {
                flow.restart_ping(shared, host, now);
                flow.ping.request = number;
            }
        }
    }
}

impl Flow {
    /// True if data can go along the flow, and nothing says that it would be lost there.
    fn carries(&self) -> bool {
        let dead = self.probe.doubt.is_some_and(|doubt| doubt.judged);
        self.data_path().is_some() && !dead
    }

    fn grade(&self, shared: &Shared) -> Grade {
        let local = shared.addresses.find(&self.path.local, 0);
        (self.is_backup(), local.map_or((false, false, 0), rank))
    }

    /// What a PING of this flow says about it.
    pub(super) fn said(&self, shared: &Shared) -> Option<FlowFlags> {
        let backup = match self.backup {
            true => FLOW_BACKUP,
            false => 0,
        };
        let lost = match shared.carrier.lost {
            true => FLOW_LOST,
            false => 0,
        };
        Some(FlowFlags {
            flags: FLOW_ACTIVE | backup | lost,
            number: self.ping.request,
        })
        .filter(|said| said.number != 0)
    }

    /// The peer sends its data along this flow and asks for ours. Old requests are ignored. If it
    /// has only lost another flow, our policy may go back to that one when it recovers.
    pub(super) fn obey(&self, shared: &mut Shared, message: &Message) {
        let Some(said) = message.flow_flags else {
            return;
        };
        let asks = said.flags & FLOW_ACTIVE != 0 && said.number > shared.carrier.obeyed;
        let open = matches!(self.phase, Phase::Open | Phase::Draining);
        if asks && open && self.data_path().is_some() {
            shared.carrier.obeyed = said.number;
            shared.take_carrier(self.index, CarrierChange::Peer);
            shared.carrier.pinned = said.flags & FLOW_LOST == 0;
        }
    }
}

impl Shared {
    fn take_carrier(&mut self, flow: FlowIndex, why: CarrierChange) {
        self.carrier.prefer_at = None;
        self.carrier.pinned = false;
        if self.carrier.flow != flow {
            self.carrier.flow = flow;
            self.counters.carrier_changes = self.counters.carrier_changes.saturating_add(1);
            self.emit(Event::CarrierChanged { flow, why });
        }
    }
}
