// SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0
//! `rule show`, `rule add` and `rule delete`.

use std::net::IpAddr;
use std::str::FromStr;

use clap::{Args, Subcommand};
use eccp_netlink::rule::Rule;
use eccp_netlink::Client;
use serde::Serialize;

use crate::failure::Failure;
use crate::output::{Output, Show};

/// What to do with rules.
#[derive(Debug, Subcommand)]
pub enum RuleCommand {
    /// Show all rules, in the order in which they are applied
    #[command(alias = "list")]
    Show,
    /// Add a rule behind those that exist
    #[command(after_help = "\
Examples:
  eccp-tool rule add --dev wwan0 --backup --metered   # only when nothing else works
  eccp-tool rule add --prefix 10.8.0.0/16 --never     # addresses that no flow may use
  eccp-tool rule add --dev eth0 --priority 1          # worse than 0, which is usual

Of several rules that fit an address the first counts. Existing flows follow as the
policy says: \"eccp-tool settings set policy prefer\" makes them move to what is better.")]
    Add(Add),
    /// Take a rule away
    Delete {
        /// Number of the rule
        id: u32,
    },
}

/// Arguments of `rule add`.
#[derive(Debug, Args)]
pub struct Add {
    /// For the addresses of this interface
    #[arg(long, value_name = "INTERFACE", required_unless_present = "prefix")]
    dev: Option<String>,
    /// For the addresses that begin like this
    #[arg(long, value_name = "ADDRESS/LENGTH")]
    prefix: Option<Prefix>,
    /// Preference; the lower the better
    #[arg(long, default_value_t = 0)]
    priority: u8,
    /// Use them only when no other address works
    #[arg(long)]
    backup: bool,
    /// Traffic over them costs money
    #[arg(long)]
    metered: bool,
    /// Do not use them, and do not tell peers of them
    #[arg(long, conflicts_with_all = ["backup", "metered"])]
    never: bool,
}

/// The start of addresses on the command line.
#[derive(Debug, Clone, Copy)]
struct Prefix(IpAddr, Option<u8>);

impl FromStr for Prefix {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (start, length) = match text.split_once('/') {
            Some((start, length)) => (start, Some(length)),
            None => (text, None),
        };
        let start = start
            .parse()
            .map_err(|_| format!("{start:?} is no IP address"))?;
        let length = length
            .map(|length| {
                length
                    .parse()
                    .map_err(|_| format!("{length:?} is no length"))
            })
            .transpose()?;
        Ok(Prefix(start, length))
    }
}

/// A rule as it is shown.
#[derive(Debug, Serialize)]
struct RuleView {
    id: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    dev: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    prefix: Option<String>,
    priority: u8,
    backup: bool,
    metered: bool,
    never: bool,
}

impl RuleView {
    fn new(rule: &Rule) -> Self {
        RuleView {
            id: rule.id,
            dev: rule.dev.clone(),
            prefix: rule.prefix.map(|start| match rule.prefix_len {
                Some(length) => format!("{start}/{length}"),
                None => start.to_string(),
            }),
            priority: rule.priority,
            backup: rule.backup,
            metered: rule.metered,
            never: rule.never,
        }
    }
}

impl Show for RuleView {
    fn text(&self) -> String {
        let mut text = self.id.map_or_else(|| "?".into(), |id| id.to_string());
        for (word, value) in [("dev", &self.dev), ("prefix", &self.prefix)] {
            if let Some(value) = value {
                text.push_str(&format!(" {word} {value}"));
            }
        }
        if self.never {
            text.push_str(" never");
            return text;
        }
        text.push_str(&format!(" priority {}", self.priority));
        for (word, on) in [("backup", self.backup), ("metered", self.metered)] {
            if on {
                text.push_str(&format!(" {word}"));
            }
        }
        text
    }
}

/// Runs the command.
pub fn run(command: &RuleCommand, output: &mut Output) -> Result<(), Failure> {
    let mut client = Client::open()?;
    match command {
        RuleCommand::Show => {
            let views: Vec<_> = client.rules()?.iter().map(RuleView::new).collect();
            Ok(output.list(&views)?)
        }
        RuleCommand::Add(add) => {
            let mut rule = Rule {
                dev: add.dev.clone(),
                prefix: add.prefix.map(|Prefix(start, _)| start),
                prefix_len: add.prefix.and_then(|Prefix(_, length)| length),
                priority: add.priority,
                backup: add.backup,
                metered: add.metered,
                never: add.never,
                ..Rule::default()
            };
            rule.id = Some(client.add_rule(&rule)?);
            Ok(output.one(&RuleView::new(&rule))?)
        }
        RuleCommand::Delete { id } => Ok(client.delete_rule(*id)?),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rule_is_one_line() {
        let rule = Rule {
            id: Some(3),
            dev: Some("wwan0".into()),
            prefix: Some("10.8.0.0".parse().unwrap()),
            prefix_len: Some(16),
            priority: 5,
            backup: true,
            ..Rule::default()
        };
        let text = RuleView::new(&rule).text();
        insta::assert_snapshot!(text, @"3 dev wwan0 prefix 10.8.0.0/16 priority 5 backup");
        let never = Rule {
            never: true,
            ..rule
        };
        insta::assert_snapshot!(RuleView::new(&never).text(), @"3 dev wwan0 prefix 10.8.0.0/16 never");
    }

    #[test]
    fn a_prefix_is_an_address_and_perhaps_a_length() {
        assert_eq!("10.0.0.0/8".parse::<Prefix>().unwrap().1, Some(8));
        assert_eq!("2001:db8::1".parse::<Prefix>().unwrap().1, None);
        for text in ["10.0.0/8", "10.0.0.0/", "10.0.0.0/x", "wlan0"] {
            assert!(text.parse::<Prefix>().is_err(), "{text}");
        }
    }
}
