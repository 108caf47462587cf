// SPDX-License-Identifier: GPL-2.0-only
//! What all scenarios with moves start from: a campus, a connection over wifi
//! with traffic on it, and netlink of both hosts.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use anyhow::{ensure, Context, Result};

use crate::control::{wait_local, wait_remote, Control, Counters};
use crate::conversation::{Conversation, Load, Outcome};
use crate::netem::Netem;
use crate::plan::Transport;
use crate::recorder::Recorder;
use crate::stage::Stage;
use crate::stream::{info, Pair};
use crate::topology::{Access, Campus, Family};

/// How long a move may take on a quiet machine.
const MOVE: Duration = Duration::from_secs(10);
/// How long a stream may stand still on a quiet machine.
const STALL: Duration = Duration::from_secs(12);

/// A connection whose hosts may move.
pub(super) struct Roaming<'a> {
    /// The network.
    pub campus: Campus,
    /// The traffic.
    pub talk: Conversation,
    /// Netlink of the client.
    pub client: Control,
    /// Netlink of the server.
    pub server: Control,
    /// What both hosts send and receive, if the acceptor is to judge it.
    recorder: Option<Recorder>,
    stage: &'a Stage,
}

impl<'a> Roaming<'a> {
    /// Connects over wifi and starts the loads.
    pub fn start(stage: &'a Stage, down: Option<Load>, up: Option<Load>) -> Result<Self> {
        Self::set_out(stage, down, up, false)
    }

    /// The same; what the hosts send and receive is recorded, and [`Roaming::finish`] has it judged.
    pub fn recorded(stage: &'a Stage, down: Option<Load>, up: Option<Load>) -> Result<Self> {
        Self::set_out(stage, down, up, true)
    }

    fn set_out(
        stage: &'a Stage,
        down: Option<Load>,
        up: Option<Load>,
        recorded: bool,
    ) -> Result<Self> {
        let campus = Campus::build()?;
        campus.shape(Access::WIFI, Netem::delay(Duration::from_millis(5)))?;
        campus.shape(Access::LTE, Netem::delay(Duration::from_millis(10)))?;
        let address = SocketAddr::new(Access::FIRST.address(Family::V4), 7000);
        let transport = stage.plan.transport;
        let recorder = (recorded && transport == Transport::Eccp)
            .then(|| Recorder::start(&campus.client, &campus.server))
            .transpose()?;
        let pair = Pair::connect(transport, &campus.client, &campus.server, address)?;
        let path = info(&pair.client)?;
        ensure!(
            path.local == Access::WIFI.address(Family::V4),
            "the connection starts at {} instead of wifi",
            path.local
        );
        let patience = stage.patience(STALL);
        Ok(Roaming {
            client: Control::open(&campus.client)?,
            server: Control::open(&campus.server)?,
            talk: Conversation::start(pair, &stage.random(), down, up, patience)?,
            campus,
            recorder,
            stage,
        })
    }

    /// Starts a move of the client.
    pub fn order_client(&mut self, to: IpAddr) -> Result<()> {
        let flow = info(&self.talk.pair.client)?.local_flow_id;
        self.client.move_flow(flow, to)?;
        Ok(())
    }

    /// Starts a move of the server.
    pub fn order_server(&mut self, to: IpAddr) -> Result<()> {
        let flow = info(&self.talk.pair.server)?.local_flow_id;
        self.server.move_flow(flow, to)?;
        Ok(())
    }

    /// Moves the client and waits until both ends agree.
    pub fn client_moves(&mut self, to: IpAddr) -> Result<()> {
        self.order_client(to)?;
        self.client_arrives(to)
    }

    /// Waits until both ends agree that the client is at `to`.
    pub fn client_arrives(&self, to: IpAddr) -> Result<()> {
        let limit = self.stage.patience(MOVE);
        wait_local(&self.talk.pair.client, to, limit).context("the client's end")?;
        wait_remote(&self.talk.pair.server, to, limit).context("the server's end")?;
        Ok(())
    }

    /// Moves the server and waits until both ends agree.
    pub fn server_moves(&mut self, to: IpAddr) -> Result<()> {
        self.order_server(to)?;
        let limit = self.stage.patience(MOVE);
        wait_local(&self.talk.pair.server, to, limit).context("the server's end")?;
        wait_remote(&self.talk.pair.client, to, limit).context("the client's end")?;
        Ok(())
    }

    /// Waits until both ends agree on both addresses.
    pub fn expect_path(&self, client: IpAddr, server: IpAddr) -> Result<()> {
        let limit = self.stage.patience(MOVE);
        for (end, socket, local, remote) in [
            ("the client's end", &self.talk.pair.client, client, server),
            ("the server's end", &self.talk.pair.server, server, client),
        ] {
            wait_local(socket, local, limit).context(end)?;
            wait_remote(socket, remote, limit).context(end)?;
        }
        Ok(())
    }

    /// Fails unless both sockets have counted this many moves.
    pub fn expect_moves(&self, moves: u32) -> Result<()> {
        for (end, socket) in [
            ("client", &self.talk.pair.client),
            ("server", &self.talk.pair.server),
        ] {
            let counted = info(socket)?.moves;
            ensure!(
                counted == moves,
                "the {end} counts {counted} moves, not {moves}"
            );
        }
        Ok(())
    }

    /// Waits for the end of both directions, and lets the acceptor judge what was recorded.
    pub fn finish(self) -> Result<Outcome> {
        let outcome = self.talk.finish()?;
        if let Some(recorder) = self.recorder {
            recorder.judge(self.stage)?;
        }
        Ok(outcome)
    }

    /// The counters of client and server.
    pub fn counters(&mut self) -> Result<(Counters, Counters)> {
        Ok((self.client.counters()?, self.server.counters()?))
    }

    /// How much the counters have grown.
    pub fn growth(&mut self, before: &(Counters, Counters)) -> Result<(Counters, Counters)> {
        let (client, server) = self.counters()?;
        Ok((client.since(&before.0), server.since(&before.1)))
    }
}
