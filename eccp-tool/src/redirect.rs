// SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0
//! `redirect show`, `redirect add` and `redirect delete`.

use std::net::IpAddr;

use clap::{Args, Subcommand};
use eccp_netlink::redirect::Redirect;
use eccp_netlink::Client;
use serde::Serialize;

use crate::amount;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::output::{Output, Show};

/// What to do with the redirection cache of this router.
#[derive(Debug, Subcommand)]
pub enum RedirectCommand {
    /// Show where RSYNs are sent on, and how often they were
    #[command(alias = "list")]
    Show,
    /// Send on the RSYNs of every flow that go to an address
    #[command(after_help = "\
Examples:
  eccp-tool settings set redirect-ms 30000            # be a router with such a cache
  eccp-tool redirect add 192.0.2.7 198.51.100.9       # for as long as redirect-ms says
  eccp-tool redirect delete 192.0.2.7

Movers that have \"redirect-ask 1\" make entries by themselves, for one flow each. Only
RSYNs are sent on, and nothing else that goes to the old address.")]
    Add(Add),
    /// Take the entries for an address away, those of movers as well
    Delete {
        /// The address that was left
        old: IpAddr,
        /// Only the entry of this flow: its whole ID
        #[arg(long, value_name = "ID", value_parser = flow_id)]
        flow: Option<u64>,
    },
}

/// Arguments of `redirect add`.
#[derive(Debug, Args)]
pub struct Add {
    /// The address that was left
    old: IpAddr,
    /// Where its RSYNs shall go
    new: IpAddr,
    /// How long, if not as long as the setting redirect-ms says
    #[arg(long, value_name = "SECONDS")]
    time: Option<f64>,
}

fn flow_id(text: &str) -> Result<u64, String> {
    u64::from_str_radix(text, 16)
        .ok()
        .filter(|id| *id != 0)
        .ok_or_else(|| format!("{text:?} is no flow ID"))
}

/// An entry as it is shown.
#[derive(Debug, Clone, Serialize)]
pub struct RedirectView {
    old: Option<String>,
    new: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    flow: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    left_ms: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    hits: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
}

impl RedirectView {
    /// The entry with its numbers as people read them.
    pub fn new(entry: &Redirect) -> Self {
        RedirectView {
            old: entry.old.map(|address| address.to_string()),
            new: entry.new.map(|address| address.to_string()),
            flow: entry.flow_id.map(amount::id),
            left_ms: entry.left_ms,
            hits: entry.hits,
            reason: entry.reason.map(|reason| reason.to_string()),
        }
    }
}

impl Show for RedirectView {
    fn text(&self) -> String {
        let address = |address: &Option<String>| address.clone().unwrap_or_else(|| "?".into());
        let mut text = format!("{} -> {}", address(&self.old), address(&self.new));
        match &self.flow {
            Some(flow) => text.push_str(&format!(" flow {flow}")),
            None => text.push_str(" every flow"),
        }
        if let Some(left) = self.left_ms {
            text.push_str(&format!(" for {}", amount::micros(u64::from(left) * 1000)));
        }
        if let Some(hits) = self.hits {
            text.push_str(&format!(" hits {hits}"));
        }
        if let Some(reason) = &self.reason {
            text.push_str(&format!(" ({reason})"));
        }
        text
    }
}

/// Runs the command.
pub fn run(command: &RedirectCommand, output: &mut Output) -> Result<(), Failure> {
    let mut client = Client::open()?;
    match command {
        RedirectCommand::Show => {
            let entries = client.redirects()?;
            let views: Vec<_> = entries.iter().map(RedirectView::new).collect();
            Ok(output.list(&views)?)
        }
        RedirectCommand::Add(add) => Ok(client.add_redirect(&Redirect {
            old: Some(add.old),
            new: Some(add.new),
            left_ms: add.time.map(milliseconds).transpose()?,
            ..Redirect::default()
        })?),
        RedirectCommand::Delete { old, flow } => Ok(client.delete_redirect(*old, *flow)?),
    }
}

fn milliseconds(seconds: f64) -> Result<u32, Failure> {
    let time = std::time::Duration::try_from_secs_f64(seconds).ok();
    time.and_then(|time| u32::try_from(time.as_millis()).ok())
        .ok_or_else(|| Failure::new(Exit::Usage, format!("--time {seconds} is no time to last")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_entry_is_one_line() {
        let entry = Redirect {
            old: Some("192.0.2.7".parse().unwrap()),
            new: Some("198.51.100.9".parse().unwrap()),
            flow_id: Some(0xa1),
            left_ms: Some(12_500),
            hits: Some(2),
            ..Redirect::default()
        };
        let text = RedirectView::new(&entry).text();
        insta::assert_snapshot!(text, @"192.0.2.7 -> 198.51.100.9 flow 00000000000000a1 for 12.5s hits 2");
        let of_operator = Redirect {
            flow_id: None,
            ..entry
        };
        let text = RedirectView::new(&of_operator).text();
        insta::assert_snapshot!(text, @"192.0.2.7 -> 198.51.100.9 every flow for 12.5s hits 2");
    }

    #[test]
    fn what_is_no_flow_or_no_time_is_refused() {
        assert_eq!(flow_id("00000000000000a1"), Ok(0xa1));
        for text in ["", "0", "xyz", "11112222333344445"] {
            assert!(flow_id(text).is_err(), "{text}");
        }
        for seconds in [-1.0, f64::NAN, 1e12] {
            assert!(milliseconds(seconds).is_err(), "{seconds}");
        }
        assert_eq!(milliseconds(1.5).ok(), Some(1500));
    }
}
