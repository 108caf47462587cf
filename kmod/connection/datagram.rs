// SPDX-License-Identifier: GPL-2.0
//! Connections whose flows carry datagrams.
//!
//! They begin, move and drain as others do. There is no transport that could end them: the end
//! is an RST of the core's, with the reason that the sender closed.

use super::{
    state::{Endpoint, State},
    watch::SHORTEST,
    Connection,
};
use crate::kernel_objects::errno::{ECONNABORTED, ECONNRESET};
use crate::{
    control::{
        counters::Count,
        notify::{self, Report},
    },
    datapath,
    flow::{Flow, Stage},
    kernel_objects::{
        crypto::{now, KernelHost},
        pin_module,
    },
    proto::{auth::Role, connection::DataPath, event::Command, time::Duration, wire::INNER_UDP},
    socket::datagram::Peers,
};
use kernel::{prelude::*, sync::Arc};

/// Where the datagrams of a connection go.
pub(crate) enum Seat {
    /// To a socket that is connected to this peer.
    Connected,
    /// To a socket with many peers, among which this one has a number.
    Among(Arc<Peers>, u32),
}

/// How often datagrams that wait for a route are tried.
const RESEND: Duration = Duration::from_millis(100);

/// What is remembered between two looks.
#[derive(Clone, Copy, Default)]
pub(super) struct Use {
    /// Packets that had passed at the last look for idleness.
    packets: u64,
    /// The peer was asked whether it is there, and has not answered.
    asked: bool,
    /// Packets sent and received at the last look at the path.
    sent: u64,
    received: u64,
}

impl Connection {
    /// Whether the flows carry datagrams, and not a stream.
    pub(crate) fn carries_datagrams(&self) -> bool {
        self.inner == INNER_UDP
    }

    /// Whether the connection is over for good.
    pub(crate) fn is_over(&self) -> bool {
        self.state.lock().finished
    }

    /// The flow that the data belongs to, whichever of the connection's flows it takes.
    pub(crate) fn data_flow(&self) -> Option<Arc<Flow>> {
        self.state.lock().flow.clone()
    }

    /// The handshake is done: datagrams pass. Errors: ECONNABORTED when nobody wants them any
    /// more, ENOBUFS when the socket has all the peers that it may have.
    pub(super) fn establish_datagrams(
        self: &Arc<Self>,
        state: &mut State,
        to: &DataPath,
    ) -> Result {
        let flow = state.flow.clone().ok_or(EINVAL)?;
        if let Some(listener) = state.listener.take() {
            let user = listener.user().ok_or(ECONNABORTED)?;
            let peers = listener.peers.clone().ok_or(EINVAL)?;
            let number = peers.admit(&self.net, &flow)?;
            state.seat = Some(Seat::Among(peers, number));
            state.user = Some(user);
            self.net.counters.add(Count::ACCEPTS);
        } else {
            self.net.counters.add(Count::CONNECTS);
        }
        let user = state.user.clone().ok_or(ECONNABORTED)?;
        let number = match &state.seat {
            Some(Seat::Among(_, number)) => *number,
            _ => 0,
        };
        flow.endpoint()
            .open_datagrams(self.net.raw, &user, to, number);
        pin_module();
        state.endpoint = Endpoint::Adopted;
        state.note_applied(Some(*to));
        crate::remotes().add(self.net.raw, to.receiver, &flow);
        self.net.counters.add(Count::FLOWS_OPENED);
        flow.set_stage(Stage::Open);
        flow.endpoint().deliver_held(self.net.raw);
        self.send_waiting(state);
        if let Some(Seat::Among(..)) = state.seat {
            state.look_at = Some(now().after(self.net.config().datagram_idle));
        } else {
            user.set_connecting(false);
            user.wake();
        }
        notify::report(self, state, Report::ConnectionUp, to.flow);
        notify::report(self, state, Report::FlowUp, to.flow);
        Ok(())
    }

    /// Sends the datagrams that waited for a path. Those that now wait for a route are tried
    /// again soon: nobody tells when one appears.
    pub(super) fn send_waiting(&self, state: &mut State) {
        let again = match (&state.flow, &state.user) {
            (Some(flow), Some(user)) => datapath::datagram::send_waiting(flow, user),
            _ => false,
        };
        state.resend_at = again.then(|| now().after(RESEND));
    }

    /// No more datagrams pass: whoever uses the socket is told `err`, and what waits is dropped.
    pub(super) fn end_datagrams(&self, state: &mut State, err: Error) {
        let Some(seat) = state.seat.take() else {
            return;
        };
        match seat {
            Seat::Among(peers, number) => {
                peers.ended(number);
                // The socket goes on without this connection, and will not take leave of it.
                if let Some(flow) = &state.flow {
                    flow.endpoint().detach();
                }
                state.user = None;
            }
            Seat::Connected => {
                if let Some(user) = &state.user {
                    user.set_ended(Some(err));
                }
            }
        }
        if let Some(flow) = &state.flow {
            for _ in 0..flow.endpoint().close_datagrams() {
                self.net.counters.add(Count::DROP_DATAGRAM_WAITING);
            }
        }
    }

    /// Looks whether anything passed since the last look. A connection that this side can make
    /// again at any time is closed when nothing did; a peer that came by itself is asked first
    /// whether it is still there.
    pub(super) fn look_for_idleness(
        self: &Arc<Self>,
        state: &mut State,
        host: &mut KernelHost,
        flow: &Arc<Flow>,
    ) {
        state.look_at = Some(now().after(self.net.config().datagram_idle));
        let stats = flow.stats();
        let packets = stats.rx_packets.wrapping_add(stats.tx_packets);
        if packets != state.used.packets {
            state.used.packets = packets;
            state.used.asked = false;
        } else if state.core.role() == Role::Server && !state.used.asked {
            state.used.asked = true;
            // A flow that cannot be asked now is asked no later: nothing came from it either.
            let flow = state.core.carrying_flow();
            let _ = state.core.handle_command(host, Command::Ping { flow });
        } else {
            self.net.counters.add(Count::DATAGRAM_IDLE);
            self.end_datagrams(state, ECONNRESET);
            self.endpoint_closed(state, host, flow);
        }
    }

    /// Nobody acknowledges datagrams. While this side sends and hears nothing, the path is asked
    /// whether it answers.
    pub(super) fn watch_datagrams(self: &Arc<Self>, state: &mut State, flow: &Arc<Flow>) {
        let carrier = state.core.carrying_flow();
        let known = state.core.flow(carrier);
        let rtt = known.and_then(|flow| flow.rtt().smoothed());
        let rtt = rtt.unwrap_or(Duration(0));
        let Some(patience) = state.core.path_patience(rtt) else {
            return flow.endpoint().end_watch();
        };
        let stats = flow.stats();
        let sent = stats.tx_packets != state.used.sent;
        let received = stats.rx_packets != state.used.received;
        state.used.sent = stats.tx_packets;
        state.used.received = stats.rx_packets;
        if sent && !received {
            let mut host = KernelHost::new();
            state.core.handle_path_silence(&host, carrier, rtt);
            self.drive(state, &mut host);
        }
        if sent || received {
            flow.look_after(patience.max(SHORTEST));
        } else {
            flow.endpoint().end_watch();
        }
    }

    /// The peer answered the question whether it is there.
    pub(super) fn peer_is_there(state: &mut State) {
        state.used.asked = false;
    }
}
