// SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0
//! `monitor`: what happens, as it happens.

use std::os::fd::AsFd;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use clap::Args;
use eccp_netlink::event::{AddressGone, Event};
use eccp_netlink::{Monitor, Notice};
use rustix::event::{poll, PollFd, PollFlags, Timespec};
use rustix::io::Errno;
use serde::Serialize;

use crate::amount;
use crate::connection::ConnectionView;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::flow::FlowView;
use crate::interface;
use crate::output::{Output, Show};
use crate::redirect::RedirectView;

/// Arguments of `monitor`.
#[derive(Debug, Args)]
pub struct MonitorCommand {
    /// End after this many events
    #[arg(long, short = 'c', value_name = "NUMBER")]
    count: Option<u64>,
    /// End after this many seconds
    #[arg(long, short = 't', value_name = "SECONDS")]
    timeout: Option<f64>,
}

/// An address that is gone, as it is shown.
#[derive(Debug, Clone, Serialize)]
struct AddressGoneView {
    address: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    dev: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    flow_id: Option<String>,
}

impl AddressGoneView {
    fn new(gone: &AddressGone) -> Self {
        AddressGoneView {
            address: gone.address.map(|address| address.to_string()),
            dev: gone
                .ifindex
                .filter(|index| *index != 0)
                .map(interface::name),
            reason: gone.reason.map(|reason| reason.to_string()),
            flow_id: gone.flow_id.map(amount::id),
        }
    }
}

/// One line of the monitor.
#[derive(Debug, Clone, Serialize)]
struct Line {
    /// Seconds since 1970.
    time: f64,
    /// Seconds of the clock that is never set.
    monotonic: f64,
    /// Counts the lines of this monitor.
    sequence: u64,
    event: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    flow: Option<FlowView>,
    #[serde(skip_serializing_if = "Option::is_none")]
    connection: Option<ConnectionView>,
    #[serde(skip_serializing_if = "Option::is_none")]
    address: Option<AddressGoneView>,
    #[serde(skip_serializing_if = "Option::is_none")]
    redirect: Option<RedirectView>,
}

impl Line {
    fn new(notice: Notice, sequence: u64) -> Self {
        let time = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default();
        let monotonic = rustix::time::clock_gettime(rustix::time::ClockId::Monotonic);
        let mut line = Line {
            time: time.as_secs_f64(),
            monotonic: monotonic.tv_sec as f64 + monotonic.tv_nsec as f64 / 1e9,
            sequence,
            event: "lost".into(),
            flow: None,
            connection: None,
            address: None,
            redirect: None,
        };
        if let Notice::Event(event) = notice {
            line.event = event.command().to_string();
            match &*event {
                Event::Flow(_, flow) => line.flow = Some(FlowView::new(flow)),
                Event::Connection(_, connection) => {
                    line.connection = Some(ConnectionView::new(connection));
                }
                Event::AddressGone(gone) => line.address = Some(AddressGoneView::new(gone)),
                Event::Redirect(_, entry) => line.redirect = Some(RedirectView::new(entry)),
                _ => {}
            }
        }
        line
    }

    fn subject(&self) -> String {
        let mut words = Vec::new();
        if let Some(flow) = &self.flow {
            words.push(format!("flow {} {}", flow.id(), flow.path()));
            words.extend(flow.candidate().map(|address| format!("to {address}")));
            words.extend(
                flow.moved_version()
                    .map(|version| format!("version {version}")),
            );
            if self.event == "flow-renamed" {
                words.push(flow.renamed());
            } else {
                words.extend(flow.reason().map(|reason| format!("({reason})")));
            }
        }
        if let Some(connection) = &self.connection {
            words.push(format!(
                "connection {} {}",
                connection.id(),
                connection.what()
            ));
            words.extend(connection.reason().map(|reason| format!("({reason})")));
        }
        if let Some(gone) = &self.address {
            words.push(gone.address.clone().unwrap_or_else(|| "?".into()));
            words.extend(gone.dev.as_ref().map(|dev| format!("dev {dev}")));
            words.extend(gone.flow_id.as_ref().map(|id| format!("of flow {id}")));
            words.extend(gone.reason.as_ref().map(|reason| format!("({reason})")));
        }
        words.extend(self.redirect.as_ref().map(Show::text));
        if self.event == "lost" {
            words.push("events were lost; \"eccp-tool flow show\" shows the state".into());
        }
        words.join(" ")
    }
}

/// The time of day in UTC with milliseconds.
fn clock(seconds: f64) -> String {
    let millis = (seconds * 1000.0) as u64;
    let second = millis / 1000 % 86_400;
    let (hours, minutes) = (second / 3600, second / 60 % 60);
    format!(
        "{hours:02}:{minutes:02}:{:02}.{:03}",
        second % 60,
        millis % 1000
    )
}

impl Show for Line {
    fn text(&self) -> String {
        format!("{} {:17} {}", clock(self.time), self.event, self.subject())
    }
}

/// Runs the command.
pub fn run(command: &MonitorCommand, output: &mut Output) -> Result<(), Failure> {
    let end = command.timeout.map(deadline).transpose()?;
    let mut monitor = Monitor::open()?;
    let mut sequence = 0;
    while command.count.is_none_or(|count| sequence < count) {
        let left = end.map(|end| end.saturating_duration_since(Instant::now()));
        if !monitor.has_ready() && !wait_readable(&monitor, left)? {
            break;
        }
        let notice = monitor.next_notice()?;
        sequence += 1;
        output.one(&Line::new(notice, sequence))?;
    }
    Ok(())
}

fn deadline(seconds: f64) -> Result<Instant, Failure> {
    let time = Duration::try_from_secs_f64(seconds).ok();
    time.and_then(|time| Instant::now().checked_add(time))
        .ok_or_else(|| {
            Failure::new(
                Exit::Usage,
                format!("--timeout {seconds} is no time to wait"),
            )
        })
}

/// Waits until the monitor can be read; false if the time is over.
pub fn wait_readable(monitor: &impl AsFd, time: Option<Duration>) -> Result<bool, Failure> {
    let end = time.and_then(|time| Instant::now().checked_add(time));
    loop {
        let left = end.map(|end| end.saturating_duration_since(Instant::now()));
        let left = left.and_then(|left| Timespec::try_from(left).ok());
        let mut fds = [PollFd::new(monitor, PollFlags::IN)];
        match poll(&mut fds, left.as_ref()) {
            Ok(ready) => return Ok(ready > 0),
            Err(Errno::INTR) => {}
            Err(error) => return Err(Failure::system("waiting for events", error)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use eccp_netlink::flow::Flow;
    use eccp_netlink::{Command, Reason};

    fn line(notice: Notice) -> Line {
        Line {
            time: 45_296.789,
            monotonic: 12.5,
            ..Line::new(notice, 1)
        }
    }

    fn event(event: Event) -> Notice {
        Notice::Event(Box::new(event))
    }

    #[test]
    fn an_event_of_a_flow_is_one_line() {
        let flow = Flow {
            ifindex: None,
            candidate: Some("203.0.113.9".parse().unwrap()),
            ..FlowView::sample()
        };
        let text = line(event(Event::Flow(Command::FlowMoving, flow))).text();
        insta::assert_snapshot!(text, @"12:34:56.789 flow-moving       flow a1b2c3d4e5f60718 192.0.2.7 -> 198.51.100.1 to 203.0.113.9 version 3 (address-lost)");
    }

    #[test]
    fn an_address_that_is_gone_is_one_line() {
        let gone = AddressGone {
            address: Some("192.0.2.7".parse().unwrap()),
            flow_id: Some(0xa1),
            reason: Some(Reason::AddressLost),
            ..AddressGone::default()
        };
        insta::assert_snapshot!(line(event(Event::AddressGone(gone))).text(), @"12:34:56.789 address-gone      192.0.2.7 of flow 00000000000000a1 (address-lost)");
    }

    #[test]
    fn losses_are_said_and_not_passed_over() {
        let line = line(Notice::Lost);
        assert!(line.text().contains("lost; \"eccp-tool flow show\""));
        let json = serde_json::to_string(&line).unwrap();
        insta::assert_snapshot!(json, @r#"{"time":45296.789,"monotonic":12.5,"sequence":1,"event":"lost"}"#);
    }
}
