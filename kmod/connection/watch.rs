// SPDX-License-Identifier: GPL-2.0
//! Looks now and then, while packets flow, whether what TCP sends is acknowledged and whether a
//! stream to us goes on. The core decides what follows.

use super::{state::Endpoint, Connection};
use crate::{
    control::counters::Count,
    flow::{Flow, Stage},
    kernel_objects::crypto::{now, KernelHost},
    proto::time::Duration,
};
use kernel::sync::Arc;

/// Shortest time between two looks.
pub(super) const SHORTEST: Duration = Duration::from_millis(20);

impl Connection {
    /// Looks at what TCP sends, and plans the next look. `flow` owns the endpoint; what is seen is
    /// of the flow that carries data.
    pub(crate) fn watch(self: &Arc<Self>, flow: &Arc<Flow>) {
        let mut state = self.state.lock();
        if state.finished || state.endpoint != Endpoint::Adopted || flow.stage() != Stage::Open {
            return;
        }
        if self.carries_datagrams() {
            return self.watch_datagrams(&mut state, flow);
        }
        let carrier = state.core.carrying_flow();
        let seen = flow.endpoint().watch();
        let rtt = Duration(seen.srtt_us.into());
        if seen.lowered_ms > 0 {
            let after = self.net.config().mtu_raise;
            if after.is_some_and(|after| u64::from(seen.lowered_ms) >= after.as_millis()) {
                flow.endpoint().raise();
            }
        }
        let (stopped, received) = flow.note_received(seen.rx_packets);
        let Some(patience) = state.core.path_patience(rtt) else {
            return flow.endpoint().end_watch();
        };
        let age = Duration(seen.unacknowledged_us.into());
        let mut next = None;
        if seen.outstanding {
            let mut host = KernelHost::new();
            next = Some(patience);
            let suspicion = state.core.path_suspicion(rtt).unwrap_or(patience);
            let left = |until: Duration| Duration(until.0.saturating_sub(age.0));
            if age >= Duration(patience.0.saturating_mul(3))
                && state.core.path_answered(carrier, now(), age)
                && flow.endpoint().shrink().is_some()
            {
                // PINGs pass and data does not: perhaps it is too large for the path.
                self.net.counters.add(Count::MTU_BLACK_HOLES);
            }
            if age >= patience {
                state.core.handle_path_trouble(&host, carrier, rtt);
            } else if age >= suspicion {
                let left = left(patience);
                state.core.handle_path_suspicion(&host, carrier, rtt, left);
                next = Some(left);
            } else {
                state.core.handle_path_progress(carrier);
                next = Some(left(suspicion));
            }
            self.drive(&mut state, &mut host);
        } else if received {
            next = Some(Duration(patience.0.saturating_sub(seen.silent_us.into())));
        } else if stopped {
            let mut host = KernelHost::new();
            state.core.handle_path_silence(&host, carrier, rtt);
            self.drive(&mut state, &mut host);
        }
        match next {
            Some(span) => flow.look_after(span.max(SHORTEST)),
            None => flow.endpoint().end_watch(),
        }
    }
}
