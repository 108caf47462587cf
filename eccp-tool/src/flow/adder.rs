// SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0
//! `flow add`: starts to add a flow and, if asked, waits until it is established.

use std::net::IpAddr;
use std::time::Instant;

use clap::Args;
use eccp_netlink::flow::{Addition, Flow, Target};
use eccp_netlink::{Client, Command, FlowState, Monitor};
use serde::Serialize;

use super::wait::{seconds, wait, why};
use super::{find, FlowView};
use crate::amount;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::interface;
use crate::output::{Output, Show};

/// Arguments of `flow add`.
#[derive(Debug, Args)]
pub struct Add {
    /// Local ID of any flow of the connection, or enough of its first digits
    id: String,
    #[command(flatten)]
    start: Start,
    /// Ask the peer at this address first
    #[arg(long, value_name = "ADDRESS")]
    remote: Option<IpAddr>,
    /// UDP port of ECCP at that address, if it is not the usual one
    #[arg(long, value_name = "PORT", requires = "remote")]
    port: Option<u16>,
    /// Carry data only when no other flow can
    #[arg(long)]
    backup: bool,
    /// Wait up to this many seconds until the flow is established
    #[arg(long, value_name = "SECONDS")]
    wait: Option<f64>,
}

/// Where the flow starts.
#[derive(Debug, Args)]
#[group(required = true, multiple = false)]
struct Start {
    /// Start from this address of this host
    #[arg(long, value_name = "ADDRESS")]
    from: Option<IpAddr>,
    /// Start from this interface; the kernel selects the address
    #[arg(long, value_name = "INTERFACE")]
    dev: Option<String>,
}

impl Start {
    fn target(&self) -> Result<Target, Failure> {
        match (self.from, &self.dev) {
            (Some(address), _) => Ok(Target::Address(address)),
            (None, Some(name)) => Ok(Target::Interface(interface::index(name)?)),
            (None, None) => Err(Failure::new(Exit::Usage, "no start: give --from or --dev")),
        }
    }
}

/// What became of the request.
#[derive(Debug, Serialize)]
struct Added {
    flow: String,
    complete: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    took_ms: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    path: Option<String>,
}

impl Show for Added {
    fn text(&self) -> String {
        match (&self.path, self.took_ms) {
            (Some(path), Some(took)) => {
                format!("{} established in {took:.1}ms: {path}", self.flow)
            }
            _ => format!("{} is being set up", self.flow),
        }
    }
}

/// Runs `flow add`.
pub fn run(request: &Add, output: &mut Output) -> Result<(), Failure> {
    let addition = Addition {
        from: request.start.target()?,
        remote: request.remote.map(|address| (address, request.port)),
        backup: request.backup,
    };
    let patience = request.wait.map(seconds).transpose()?;
    let mut client = Client::open()?;
    let id = find(&mut client, &request.id)?;
    // Events must be heard from before the set-up starts.
    let monitor = patience.map(|_| Monitor::open()).transpose()?;
    let start = Instant::now();
    let new = client.add_flow(id, &addition)?;
    let mut added = Added {
        flow: amount::id(new),
        complete: false,
        took_ms: None,
        path: None,
    };
    if let (Some(mut monitor), Some(patience)) = (monitor, patience) {
        let flow = finish(&mut client, &mut monitor, new, start + patience)?;
        added.complete = true;
        added.took_ms = Some(start.elapsed().as_secs_f64() * 1000.0);
        added.path = Some(FlowView::new(&flow).path());
    }
    Ok(output.one(&added)?)
}

/// Waits until the flow is established or over.
fn finish(
    client: &mut Client,
    monitor: &mut Monitor,
    id: u64,
    end: Instant,
) -> Result<Flow, Failure> {
    let name = amount::id(id);
    let message = format!("flow {name} was not established in the time allowed");
    let late = Failure::new(Exit::MoveFailed, message)
        .advise("it may still be: watch \"eccp-tool monitor\"");
    let ask = |client: &mut Client| Ok((Command::FlowGet, client.flow(id)?));
    let verdict = |command, flow| verdict(command, flow, id);
    wait(client, monitor, end, ask, verdict, late)
}

/// What an event about a flow says about the new one.
fn verdict(command: Command, flow: Flow, id: u64) -> Option<Result<Flow, Failure>> {
    if flow.local_id != Some(id) {
        return None;
    }
    let is_up = flow.state == Some(FlowState::Established);
    match command {
        Command::FlowUp => Some(Ok(flow)),
        Command::FlowGet if is_up => Some(Ok(flow)),
        Command::FlowClosed => {
            let why = why(&flow);
            let message = format!("flow {} was not established: {why}", amount::id(id));
            Some(Err(Failure::new(Exit::MoveFailed, message)))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use eccp_netlink::Reason;

    fn flow(id: u64, state: FlowState) -> Flow {
        Flow {
            local_id: Some(id),
            state: Some(state),
            reason: Some(Reason::Refused),
            ..Flow::default()
        }
    }

    #[test]
    fn only_the_end_of_this_set_up_counts() {
        assert!(verdict(Command::FlowUp, flow(1, FlowState::Established), 2).is_none());
        assert!(verdict(Command::FlowGet, flow(2, FlowState::SynSent), 2).is_none());
        assert!(verdict(Command::FlowUp, flow(2, FlowState::Established), 2)
            .unwrap()
            .is_ok());
    }

    #[test]
    fn a_refusal_is_told_with_its_reason() {
        let failure = verdict(Command::FlowClosed, flow(2, FlowState::Closed), 2)
            .unwrap()
            .unwrap_err();
        insta::assert_snapshot!(failure.message, @"flow 0000000000000002 was not established: refused");
    }
}
