// SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0
//! `--wait`: the events of one flow until they tell how a request ended.

use std::time::{Duration, Instant};

use eccp_netlink::event::Event;
use eccp_netlink::flow::Flow;
use eccp_netlink::{Client, Command, Monitor, Notice};

use crate::exit::Exit;
use crate::failure::Failure;
use crate::monitor::wait_readable;

/// A waiting time from the command line.
pub(super) fn seconds(value: f64) -> Result<Duration, Failure> {
    Duration::try_from_secs_f64(value)
        .map_err(|error| Failure::new(Exit::Usage, format!("--wait {value}: {error}")))
}

/// Waits until `verdict` says of an event about a flow how a request ended; `late` is the failure
/// if it says nothing until `end`. When events were lost, `ask` gets one that stands for them.
pub(super) fn wait(
    client: &mut Client,
    monitor: &mut Monitor,
    end: Instant,
    ask: impl Fn(&mut Client) -> Result<(Command, Flow), Failure>,
    verdict: impl Fn(Command, Flow) -> Option<Result<Flow, Failure>>,
    late: Failure,
) -> Result<Flow, Failure> {
    loop {
        let left = end.saturating_duration_since(Instant::now());
        if !monitor.has_ready() && !wait_readable(monitor, Some(left))? {
            return Err(late);
        }
        let (command, flow) = match monitor.next_notice()? {
            Notice::Event(event) => match *event {
                Event::Flow(command, flow) => (command, flow),
                _ => continue,
            },
            // The news may be among what was lost.
            Notice::Lost => ask(client)?,
        };
        if let Some(result) = verdict(command, flow) {
            return result;
        }
    }
}

/// Why a request about the flow came to nothing, in words.
pub(super) fn why(flow: &Flow) -> String {
    flow.reason
        .map_or_else(|| "no reason given".to_owned(), |reason| reason.to_string())
}
