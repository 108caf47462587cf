// SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0
//! `flow move`: starts a move and, if asked, waits for its end.

use std::net::IpAddr;
use std::time::Instant;

use clap::Args;
use eccp_netlink::flow::{Flow, Target};
use eccp_netlink::{Client, Command, FlowState, Monitor};
use serde::Serialize;

use super::wait::{seconds, wait, why};
use super::{find, FlowView, Move};
use crate::amount;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::interface;
use crate::output::{Output, Show};

/// Where the flow is to go.
#[derive(Debug, Args)]
#[group(required = true, multiple = false)]
pub struct Goal {
    /// Move to this address of this host
    #[arg(long, value_name = "ADDRESS")]
    to: Option<IpAddr>,
    /// Move to this interface; the kernel selects the address
    #[arg(long, value_name = "INTERFACE")]
    dev: Option<String>,
}

impl Goal {
    fn target(&self) -> Result<Target, Failure> {
        match (self.to, &self.dev) {
            (Some(address), _) => Ok(Target::Address(address)),
            (None, Some(name)) => Ok(Target::Interface(interface::index(name)?)),
            (None, None) => Err(Failure::new(Exit::Usage, "no goal: give --to or --dev")),
        }
    }
}

/// What became of a move.
#[derive(Debug, Serialize)]
struct Moved {
    flow: String,
    version: u64,
    complete: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    took_ms: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    path: Option<String>,
}

impl Show for Moved {
    fn text(&self) -> String {
        let Moved { flow, version, .. } = self;
        match (&self.path, self.took_ms) {
            (Some(path), Some(took)) => {
                format!("{flow} moved to version {version} in {took:.1}ms: {path}")
            }
            _ => format!("{flow} is moving, version {version}"),
        }
    }
}

/// Runs `flow move`.
pub fn run(request: &Move, output: &mut Output) -> Result<(), Failure> {
    let target = request.goal.target()?;
    let patience = request.wait.map(seconds).transpose()?;
    let mut client = Client::open()?;
    let id = find(&mut client, &request.id)?;
    // Events must be heard from before the move starts.
    let monitor = patience.map(|_| Monitor::open()).transpose()?;
    let start = Instant::now();
    let version = client.move_flow(id, target)?;
    let mut moved = Moved {
        flow: amount::id(id),
        version,
        complete: false,
        took_ms: None,
        path: None,
    };
    if let (Some(mut monitor), Some(patience)) = (monitor, patience) {
        let flow = finish(&mut client, &mut monitor, id, version, start + patience)?;
        moved.complete = true;
        moved.took_ms = Some(start.elapsed().as_secs_f64() * 1000.0);
        moved.path = Some(FlowView::new(&flow).path());
    }
    Ok(output.one(&moved)?)
}

/// Waits for the end of the move that was given `version`.
fn finish(
    client: &mut Client,
    monitor: &mut Monitor,
    id: u64,
    version: u64,
    end: Instant,
) -> Result<Flow, Failure> {
    let message = format!("flow {} has not moved in the time allowed", amount::id(id));
    let late = Failure::new(Exit::MoveFailed, message)
        .advise("the move may still succeed: watch \"eccp-tool monitor\"");
    let ask = |client: &mut Client| Ok((Command::FlowMoved, settled(client, id)?));
    let verdict = |command, flow| verdict(command, flow, id, version);
    wait(client, monitor, end, ask, verdict, late)
}

fn settled(client: &mut Client, id: u64) -> Result<Flow, Failure> {
    let flow = client.flow(id)?;
    let under_way = flow.state.is_some_and(|state| {
        use FlowState as S;
        !matches!(state, S::Established | S::RsynRcvd)
    });
    // A move that is under way has not ended: its version tells nothing.
    let local_version = flow.local_version.filter(|_| !under_way);
    Ok(Flow {
        local_version,
        ..flow
    })
}

/// What an event about a flow says about the move.
fn verdict(command: Command, flow: Flow, id: u64, version: u64) -> Option<Result<Flow, Failure>> {
    if flow.local_id != Some(id) {
        return None;
    }
    match command {
        Command::FlowMoved if flow.local_version >= Some(version) => Some(Ok(flow)),
        Command::FlowMoveFailed | Command::FlowClosed => {
            let why = why(&flow);
            let what = match command {
                Command::FlowClosed => "was closed before it moved",
                _ => "did not move",
            };
            let message = format!("flow {} {what}: {why}", amount::id(id));
            Some(Err(Failure::new(Exit::MoveFailed, message)))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use eccp_netlink::Reason;

    fn flow(id: u64, version: u64) -> Flow {
        Flow {
            local_id: Some(id),
            local_version: Some(version),
            reason: Some(Reason::NoAnswer),
            ..Flow::default()
        }
    }

    #[test]
    fn only_the_end_of_this_move_of_this_flow_counts() {
        assert!(verdict(Command::FlowMoved, flow(1, 5), 2, 5).is_none());
        assert!(verdict(Command::FlowMoved, flow(2, 4), 2, 5).is_none());
        assert!(verdict(Command::FlowMoving, flow(2, 5), 2, 5).is_none());
        assert!(verdict(Command::FlowMoved, flow(2, 5), 2, 5)
            .unwrap()
            .is_ok());
        assert!(verdict(Command::FlowMoved, flow(2, 6), 2, 5)
            .unwrap()
            .is_ok());
    }

    #[test]
    fn a_move_that_failed_ends_with_its_reason() {
        let failure = verdict(Command::FlowMoveFailed, flow(2, 4), 2, 5)
            .unwrap()
            .unwrap_err();
        assert_eq!(failure.exit, Exit::MoveFailed);
        insta::assert_snapshot!(failure.message, @"flow 0000000000000002 did not move: no-answer");
    }

    #[test]
    fn a_wait_that_is_no_time_is_refused() {
        for value in [-1.0, f64::NAN, f64::INFINITY] {
            assert_eq!(seconds(value).unwrap_err().exit, Exit::Usage);
        }
    }
}
