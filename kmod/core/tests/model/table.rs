// SPDX-License-Identifier: GPL-2.0-only
//! The table of spin-models/conformance.tsv: every state of one end of a flow, with what each
//! event does to it and which packets it must ignore.

use std::collections::{BTreeMap, BTreeSet};

/// One state, as the columns of the table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Columns {
    /// Name of protocol.md section 5.
    pub name: String,
    /// Own address, `-` for none.
    pub own: String,
    /// Own version.
    pub version: u64,
    /// The peer has answered it.
    pub acked: bool,
    /// Newest version of the peer.
    pub newest: u64,
    /// That is not proven yet.
    pub pending: bool,
    /// Where it came from, while pending.
    pub sources: BTreeSet<String>,
    /// Proven version and address, if there is one.
    pub proven: Option<(u64, String)>,
    /// The transport has closed.
    pub draining: bool,
}

impl Columns {
    /// An end without a flow: nothing else about it counts.
    pub fn without_flow(name: &str, own: &str) -> Self {
        Self {
            name: name.into(),
            own: own.into(),
            version: 0,
            acked: false,
            newest: 0,
            pending: false,
            sources: BTreeSet::new(),
            proven: None,
            draining: false,
        }
    }
}

/// What an event leads to.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// The next state.
    pub next: String,
    /// What is sent, in order of the alphabet.
    pub outputs: BTreeSet<String>,
}

/// A state with everything that can happen in it.
#[derive(Clone, Debug)]
pub struct State {
    /// Its columns.
    pub columns: Columns,
    /// Where SYN goes, `-` for nowhere.
    pub asked: String,
    /// The flow was added to a connection.
    pub later: bool,
    /// Events with an effect.
    pub rows: BTreeMap<String, Outcome>,
    /// Packets without one.
    pub ignored: BTreeSet<String>,
}

/// Reads the table; an error names the line.
pub fn parse(text: &str) -> Result<BTreeMap<String, State>, String> {
    let mut states = BTreeMap::new();
    for (number, line) in text.lines().enumerate() {
        let fields: Vec<&str> = line.split('\t').collect();
        let wrong = || format!("line {}: {line:?}", number + 1);
        match fields[..] {
            ["state", id, ..] if fields.len() == 15 => {
                let state = State {
                    columns: columns(&fields).ok_or_else(wrong)?,
                    asked: fields[6].to_owned(),
                    later: fields[12] == "1",
                    rows: BTreeMap::new(),
                    ignored: BTreeSet::new(),
                };
                states.insert(id.to_owned(), state);
            }
            ["row", id, event, next, outputs] => {
                let state: &mut State = states.get_mut(id).ok_or_else(wrong)?;
                let outcome = Outcome {
                    next: next.to_owned(),
                    outputs: list(outputs, ", "),
                };
                let twice = state.rows.insert(event.to_owned(), outcome);
                twice.map_or(Ok(()), |_| Err(wrong()))?;
            }
            ["ignored", id, events] => {
                let state = states.get_mut(id).ok_or_else(wrong)?;
                state.ignored = list(events, ", ");
            }
            _ if line.starts_with('#') => {}
            _ => return Err(wrong()),
        }
    }
    Ok(states)
}

fn list(text: &str, between: &str) -> BTreeSet<String> {
    let items = text.split(between).filter(|item| *item != "-");
    items.map(str::to_owned).collect()
}

fn columns(fields: &[&str]) -> Option<Columns> {
    let flag = |at: usize| Some(*fields.get(at)? == "1");
    let number = |at: usize| fields.get(at)?.parse().ok();
    let valid = *fields.get(11)?;
    Some(Columns {
        name: (*fields.get(2)?).to_owned(),
        own: (*fields.get(3)?).to_owned(),
        version: number(4)?,
        // Without an address the next one gets a new version, so this does not count.
        acked: flag(5)? && fields.get(3) != Some(&"-"),
        newest: number(7)?,
        pending: flag(8)?,
        sources: list(fields.get(9)?, "+"),
        proven: match valid {
            "-" => None,
            valid => Some((number(10)?, valid.to_owned())),
        },
        draining: flag(13)?,
    })
}
