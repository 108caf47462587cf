// SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0
//! `settings show` and `settings set`.

use clap::Subcommand;
use eccp_netlink::settings::SettingsAttribute;
use eccp_netlink::Client;
use serde_json::Value;

use crate::exit::Exit;
use crate::failure::Failure;
use crate::output::{Ordered, Output, Show};

/// What to do with the settings of the namespace.
#[derive(Debug, Subcommand)]
pub enum SettingsCommand {
    /// Show all settings, or those named
    #[command(alias = "list")]
    Show {
        /// Names of settings
        names: Vec<String>,
    },
    /// Change settings; either all of them change or none
    #[command(after_help = "\
Examples:
  eccp-tool settings set policy manual
  eccp-tool settings set encap udp draining-ms 30000

Settings apply to open connections too. \"eccp-tool settings show\" prints what this
command reads.")]
    Set {
        /// A name and its value, as often as wanted
        #[arg(required = true, num_args = 2.., value_names = ["NAME", "VALUE"])]
        pairs: Vec<String>,
    },
}

/// Settings as they are shown: a JSON object, or a line each.
#[derive(serde::Serialize)]
#[serde(transparent)]
struct SettingsView(Ordered);

impl SettingsView {
    fn new(settings: &[SettingsAttribute]) -> Self {
        let value = |setting: &SettingsAttribute| {
            let text = setting.text();
            text.parse::<u64>().map_or(Value::from(text), Value::from)
        };
        let pair = |setting| {
            let name = SettingsAttribute::name(setting).unwrap_or("unknown");
            (name.into(), value(setting))
        };
        SettingsView(Ordered(settings.iter().map(pair).collect()))
    }
}

impl Show for SettingsView {
    fn text(&self) -> String {
        let line = |(name, value): &(String, Value)| match value {
            Value::String(text) => format!("{name} {text}"),
            other => format!("{name} {other}"),
        };
        self.0 .0.iter().map(line).collect::<Vec<_>>().join("\n")
    }
}

/// Runs the command.
pub fn run(command: &SettingsCommand, output: &mut Output) -> Result<(), Failure> {
    match command {
        SettingsCommand::Show { names } => {
            let settings = select(Client::open()?.settings()?, names)?;
            Ok(output.one(&SettingsView::new(&settings))?)
        }
        SettingsCommand::Set { pairs } => {
            let settings = parse(pairs)?;
            Ok(Client::open()?.set_settings(settings)?)
        }
    }
}

fn select(
    settings: Vec<SettingsAttribute>,
    names: &[String],
) -> Result<Vec<SettingsAttribute>, Failure> {
    if names.is_empty() {
        return Ok(settings);
    }
    let find = |name: &String| {
        settings
            .iter()
            .find(|setting| setting.name() == Some(name))
            .cloned()
            .ok_or_else(|| unknown(&settings, name))
    };
    names.iter().map(find).collect()
}

fn unknown(settings: &[SettingsAttribute], name: &str) -> Failure {
    let known: Vec<_> = settings
        .iter()
        .filter_map(SettingsAttribute::name)
        .collect();
    let message = format!(
        "there is no setting {name:?}; there are {}",
        known.join(", ")
    );
    Failure::new(Exit::Usage, message)
}

fn parse(pairs: &[String]) -> Result<Vec<SettingsAttribute>, Failure> {
    let usage = |message: String| Failure::new(Exit::Usage, message);
    pairs
        .chunks(2)
        .map(|pair| match pair {
            [name, value] => SettingsAttribute::from_text(name, value).map_err(usage),
            _ => Err(usage(format!("setting {:?} has no value", pair.concat()))),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use eccp_netlink::{Encap, Policy};

    fn strings(words: &[&str]) -> Vec<String> {
        words.iter().map(|word| word.to_string()).collect()
    }

    fn sample() -> Vec<SettingsAttribute> {
        vec![
            SettingsAttribute::Encap(Encap::Auto),
            SettingsAttribute::UdpPort(4433),
            SettingsAttribute::Policy(Policy::Failover),
            SettingsAttribute::DrainingMs(60_000),
        ]
    }

    #[test]
    fn what_show_prints_set_reads() {
        let text = SettingsView::new(&sample()).text();
        let words: Vec<_> = text.split_whitespace().collect();
        assert_eq!(parse(&strings(&words)).unwrap(), sample());
    }

    #[test]
    fn the_keys_of_json_are_the_names() {
        let json = serde_json::to_value(SettingsView::new(&sample())).unwrap();
        assert_eq!(json["encap"], "auto");
        assert_eq!(json["draining-ms"], 60_000);
    }

    #[test]
    fn a_name_without_a_value_is_refused() {
        let failure = parse(&strings(&["encap", "udp", "policy"])).unwrap_err();
        assert_eq!(failure.exit, Exit::Usage);
        assert!(failure.message.contains("policy"));
    }

    #[test]
    fn an_unknown_name_is_refused_with_those_that_exist() {
        let failure = select(sample(), &strings(&["colour"])).unwrap_err();
        assert!(failure.message.contains("encap, udp-port, policy"));
    }
}
