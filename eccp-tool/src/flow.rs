// SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0
//! `flow show`, `flow move`, `flow add`, `flow remove` and `flow prefer`.

mod adder;
mod mover;
mod view;
mod wait;

use clap::{Args, Subcommand};
use eccp_netlink::{Client, Dump};

pub use view::FlowView;

use crate::amount;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::output::Output;

/// What to do with flows.
#[derive(Debug, Subcommand)]
pub enum FlowCommand {
    /// Show all flows, or the one with this local ID
    #[command(alias = "list")]
    Show {
        /// Local ID in hexadecimal, or enough of its first digits
        id: Option<String>,
    },
    /// Move the local end of a flow to another address of this host
    #[command(after_help = "\
Examples:
  eccp-tool flow move 7d1f --to 192.0.2.7          # while the old path still works
  eccp-tool flow move 7d1f --dev wlan0 --wait 5    # and wait until it is done

The old path carries data until the peer has accepted the new one, so a planned
move loses nothing. Without --wait the command returns when the move has started;
\"eccp-tool monitor\" tells how it ends.")]
    Move(Move),
    /// Add a flow to the connection of an existing one
    #[command(after_help = "\
Examples:
  eccp-tool flow add 7d1f --dev wwan0 --backup     # a second path that stands by
  eccp-tool flow add 7d1f --from 192.0.2.7 --remote 198.51.100.2 --wait 5

One flow of a connection carries data, the others stand by. When its path is lost,
data takes another one at once. The ID names any flow of the connection.")]
    Add(adder::Add),
    /// End one flow of several; the connection goes on with the others
    Remove {
        /// Local ID in hexadecimal, or enough of its first digits
        id: String,
    },
    /// Send the data of the connection along this flow, until it loses its path
    Prefer {
        /// Local ID in hexadecimal, or enough of its first digits
        id: String,
    },
}

/// Arguments of `flow move`.
#[derive(Debug, Args)]
pub struct Move {
    /// Local ID in hexadecimal, or enough of its first digits
    id: String,
    #[command(flatten)]
    goal: mover::Goal,
    /// Wait up to this many seconds until the move is complete
    #[arg(long, value_name = "SECONDS")]
    wait: Option<f64>,
}

/// Runs the command.
pub fn run(command: &FlowCommand, output: &mut Output) -> Result<(), Failure> {
    match command {
        FlowCommand::Show { id: None } => show_all(output),
        FlowCommand::Show { id: Some(text) } => {
            let mut client = Client::open()?;
            let id = find(&mut client, text)?;
            let flow = client.flow(id)?;
            Ok(output.list(&[FlowView::new(&flow)])?)
        }
        FlowCommand::Move(request) => mover::run(request, output),
        FlowCommand::Add(request) => adder::run(request, output),
        FlowCommand::Remove { id } => {
            let mut client = Client::open()?;
            let id = find(&mut client, id)?;
            Ok(client.remove_flow(id)?)
        }
        FlowCommand::Prefer { id } => {
            let mut client = Client::open()?;
            let id = find(&mut client, id)?;
            Ok(client.prefer_flow(id)?)
        }
    }
}

/// Shows every flow of the namespace.
pub fn show_all(output: &mut Output) -> Result<(), Failure> {
    let dump = Client::open()?.flows()?;
    warn_if_torn(&dump);
    let views: Vec<_> = dump.items.iter().map(FlowView::new).collect();
    Ok(output.list(&views)?)
}

/// Says so when objects came and went during every try to read them.
pub fn warn_if_torn<T>(dump: &Dump<T>) {
    if !dump.consistent {
        eprintln!("eccp-tool: the list changed while it was read; some objects may be missing");
    }
}

/// The flow whose local ID is `text`, or begins with it and is the only one.
fn find(client: &mut Client, text: &str) -> Result<u64, Failure> {
    let digits = digits(text)?;
    if digits.len() == 16 {
        return Ok(u64::from_str_radix(&digits, 16).unwrap_or_default());
    }
    let ids = client.flows()?.items.into_iter();
    let ids: Vec<u64> = ids.filter_map(|flow| flow.local_id).collect();
    select(&digits, &ids)
}

fn digits(text: &str) -> Result<String, Failure> {
    let digits = text.strip_prefix("0x").unwrap_or(text).to_lowercase();
    if (1..=16).contains(&digits.len()) && digits.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return Ok(digits);
    }
    let message = format!("{text:?} is not a flow ID: 1 to 16 hexadecimal digits are");
    Err(Failure::new(Exit::Usage, message).advise("\"eccp-tool flow show\" lists the flows"))
}

fn select(prefix: &str, ids: &[u64]) -> Result<u64, Failure> {
    let all = ids.iter().map(|id| (amount::id(*id), *id));
    let matching: Vec<_> = all.filter(|(text, _)| text.starts_with(prefix)).collect();
    match matching.as_slice() {
        [(_, id)] => Ok(*id),
        [] => Err(Failure::new(
            Exit::Refused,
            format!("no flow has an ID that begins with {prefix}"),
        )
        .advise("\"eccp-tool flow show\" lists the flows; is it another namespace (-n)?")),
        several => {
            let names: Vec<_> = several.iter().map(|(text, _)| text.as_str()).collect();
            let message = format!("{prefix} begins several flow IDs: {}", names.join(", "));
            Err(Failure::new(Exit::Usage, message).advise("give more digits"))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const IDS: [u64; 3] = [
        0xa1b2_c3d4_e5f6_0718,
        0xa1ff_0000_0000_0000,
        0x0000_0000_0000_00a1,
    ];

    #[test]
    fn the_first_digits_of_an_id_suffice_when_only_one_has_them() {
        assert_eq!(select("a1b", &IDS).unwrap(), IDS[0]);
        assert_eq!(select("0", &IDS).unwrap(), IDS[2]);
    }

    #[test]
    fn digits_that_several_ids_begin_with_are_refused_with_their_names() {
        let failure = select("a1", &IDS).unwrap_err();
        assert_eq!(failure.exit, Exit::Usage);
        assert!(failure
            .message
            .contains("a1b2c3d4e5f60718, a1ff000000000000"));
    }

    #[test]
    fn digits_that_no_id_begins_with_are_refused() {
        assert_eq!(select("b", &IDS).unwrap_err().exit, Exit::Refused);
    }

    #[test]
    fn what_is_not_hexadecimal_is_no_id() {
        assert_eq!(digits("0xA1b").unwrap(), "a1b");
        for text in ["", "0x", "xyz", "+1", "11112222333344445"] {
            assert_eq!(digits(text).unwrap_err().exit, Exit::Usage, "{text}");
        }
    }
}
