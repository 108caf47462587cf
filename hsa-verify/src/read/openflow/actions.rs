// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Actions of a flow as an effect of a rule.

use super::flow::{field, Flow};
use super::groups::group_of;
use crate::header::Layout;
use crate::model::{Edit, Effect, Next, Output, PortId, PortMatch, Spread};
use crate::read::{Notes, ReadNoteKind as NoteKind};
use std::collections::{BTreeMap, BTreeSet};

/// Ports that are no ports.
const RESERVED: &[&str] = &[
    "NORMAL",
    "FLOOD",
    "ALL",
    "IN_PORT",
    "CONTROLLER",
    "LOCAL",
    "ANY",
    "NONE",
    "TABLE",
    "drop",
];

/// Fields that no flow may match on, so that setting them changes nothing.
const UNUSED: &[&str] = &[
    "ip_dscp",
    "nw_tos",
    "nw_tos_shifted",
    "ip_ecn",
    "nw_ecn",
    "nw_ttl",
    "vlan_pcp",
];

/// Whether an action changes the packet.
pub fn is_edit(action: &str) -> bool {
    let word = action.split([':', '(']).next().unwrap_or("");
    word.starts_with("mod_")
        || matches!(word, "set_field" | "strip_vlan" | "pop_vlan" | "push_vlan")
}

/// Table that an action leads to.
pub fn table_of(action: &str) -> Option<u32> {
    let number = action.strip_prefix("goto_table:");
    let number = number.or_else(|| action.strip_prefix("resubmit(,")?.strip_suffix(')'));
    number?.parse().ok()
}

/// What a list of actions does.
#[derive(Debug, Default)]
pub struct Done {
    /// Copies.
    pub outputs: Vec<Output>,
    /// Whether the box keeps a copy.
    pub delivered: bool,
}

impl Done {
    /// As the effect of a rule.
    pub fn effect(self, spread: Spread) -> Effect {
        match (self.outputs.is_empty(), self.delivered) {
            (true, true) => Effect::Deliver,
            (true, false) => Effect::Drop,
            (false, _) => Effect::Forward {
                outputs: self.outputs,
                spread,
            },
        }
    }
}

/// Whether a word is a reserved port.
pub fn is_reserved(word: &str) -> bool {
    RESERVED.iter().any(|r| word.eq_ignore_ascii_case(r))
}

/// Port of `output:2`, `output:"eth1"`, `enqueue:2:1`, `2`. Not `output:NXM_NX_REG0[]`: a port out
/// of a register is not known.
pub fn output_port(action: &str) -> Option<String> {
    if let Some(port) = action.strip_prefix("output:") {
        let port = port.trim_matches('"');
        return (!port.contains(['[', '('])).then(|| port.to_owned());
    }
    if let Some(rest) = action.strip_prefix("enqueue:") {
        return rest.split(':').next().map(str::to_owned);
    }
    action.parse::<u32>().ok().map(|_| action.to_owned())
}

/// What actions refer to.
pub struct Place<'a> {
    /// Index by table number.
    pub tables: &'a BTreeMap<u32, u32>,
    /// Index of the table that stands for a group, by its number.
    pub groups: &'a BTreeMap<u32, u32>,
    /// Tables in which some packet is changed.
    pub editing: &'a BTreeSet<u32>,
    /// Ports by name.
    pub ports: &'a BTreeMap<String, PortId>,
    /// The header.
    pub layout: &'a Layout,
}

impl Place<'_> {
    /// Where the flow applies.
    pub fn port_match(&self, flow: &Flow) -> PortMatch {
        match &flow.in_port {
            None => PortMatch::Any,
            Some(port) => PortMatch::In(self.ports.get(port).copied().into_iter().collect()),
        }
    }

    /// The effect of a flow's actions, in order: an output sends what the edits so far have made
    /// of the packet.
    pub fn effect(&self, flow: &Flow, notes: &mut Notes, file: &str) -> Result<Effect, String> {
        let goes_on = flow.actions.iter().any(|a| a.starts_with("goto_table"));
        if goes_on && !flow.written.is_empty() {
            return Err("write_actions before goto_table is not supported".to_owned());
        }
        // Of an action set the outputs come last.
        let (outputs, edits): (Vec<&String>, Vec<&String>) = flow
            .written
            .iter()
            .partition(|a| output_port(a).is_some() || a.starts_with("group"));
        let all = flow.actions.iter().chain(edits).chain(outputs);
        let actions: Vec<&str> = all.map(String::as_str).collect();
        let done = self.run(&actions, flow.table, &mut |what| {
            notes.line(NoteKind::Assumed, what, file, flow.line);
        })?;
        Ok(done.effect(Spread::All))
    }

    /// What a list of actions in a table sends where. `assumed` is told of assumptions.
    pub fn run(
        &self,
        actions: &[&str],
        table: u32,
        assumed: &mut dyn FnMut(&str),
    ) -> Result<Done, String> {
        let mut edits: Vec<Edit> = Vec::new();
        let mut done = Done::default();
        let mut after: Option<&str> = None;
        for &action in actions {
            let emit = |next: Next, edits: &Vec<Edit>| Output {
                edits: edits.clone(),
                next,
            };
            let before = done.outputs.len();
            let word = action.split([':', '(']).next().unwrap_or("");
            let reserved = action.strip_prefix("output:").unwrap_or(word);
            if let Some(port) = output_port(action).filter(|p| !is_reserved(p)) {
                done.outputs
                    .push(emit(Next::Leave(self.ports[&port]), &edits));
            } else {
                match reserved {
                    "drop" => {}
                    "IN_PORT" => done.outputs.push(emit(Next::LeaveIngress, &edits)),
                    "NORMAL" | "FLOOD" | "ALL" => {
                        if reserved == "NORMAL" {
                            assumed("NORMAL: taken as flooding, learned addresses are not known");
                        }
                        let ports = self.ports.values();
                        done.outputs
                            .extend(ports.map(|p| emit(Next::Leave(*p), &edits)));
                    }
                    "CONTROLLER" | "LOCAL" => done.delivered = true,
                    "goto_table" | "resubmit" => {
                        let (number, index) = self.target(action, table)?;
                        let next = Next::Table {
                            table: index,
                            port: None,
                        };
                        done.outputs.push(emit(next, &edits));
                        if self.editing.contains(&number) {
                            after.get_or_insert(action);
                            continue;
                        }
                    }
                    "group" => {
                        let index = group_of(action).and_then(|id| self.groups.get(&id));
                        let what = || {
                            format!("{action:?}: there is no such group; give `dump-groups` too")
                        };
                        let next = Next::Table {
                            table: *index.ok_or_else(what)?,
                            port: None,
                        };
                        done.outputs.push(emit(next, &edits));
                    }
                    "push_vlan" => assumed("push_vlan: taken as the only tag of the packet"),
                    _ => edits.extend(self.edit(action)?),
                }
            }
            // Changes made below a resubmit would show in what is sent after it.
            if let Some(resubmit) = after.filter(|_| done.outputs.len() > before) {
                return Err(format!(
                    "{action:?} after {resubmit:?}, which leads to a table that changes packets, is not supported"
                ));
            }
        }
        Ok(done)
    }

    /// Number and index of the table in `goto_table:N` or `resubmit(,N)`.
    fn target(&self, action: &str, from: u32) -> Result<(u32, u32), String> {
        let digits: String = match action.split_once(':') {
            Some((_, n)) => n.to_owned(),
            None => action
                .strip_prefix("resubmit(,")
                .and_then(|r| r.strip_suffix(')'))
                .ok_or_else(|| format!("{action:?}: only resubmit(,TABLE) is supported"))?
                .to_owned(),
        };
        let table: u32 = digits
            .parse()
            .map_err(|_| format!("{action:?}: no table number"))?;
        if table <= from {
            return Err(format!(
                "{action:?} goes back from table {from}, which is not supported"
            ));
        }
        self.tables
            .get(&table)
            .map(|index| (table, *index))
            .ok_or_else(|| format!("{action:?}: there is no flow in table {table}"))
    }

    fn edit(&self, action: &str) -> Result<Option<Edit>, String> {
        let set = |name: &str, text: &str| {
            let id = field(self.layout, name)
                .ok_or_else(|| format!("setting {name:?} is not supported"))?;
            let value = self
                .layout
                .field(id)
                .parse(text)
                .map_err(|e| e.to_string())?;
            Ok(Some(Edit::Set { field: id, value }))
        };
        let (word, argument) = action.split_once(':').unwrap_or((action, ""));
        match word {
            "mod_vlan_vid" => set("dl_vlan", argument),
            "strip_vlan" | "pop_vlan" => set("dl_vlan", "0"),
            "mod_dl_src" => set("dl_src", argument),
            "mod_dl_dst" => set("dl_dst", argument),
            "mod_nw_src" => set("nw_src", argument),
            "mod_nw_dst" => set("nw_dst", argument),
            "mod_tp_src" => set("tp_src", argument),
            "mod_tp_dst" => set("tp_dst", argument),
            // The header has no time to live.
            "dec_ttl" | "mod_nw_ttl" => Ok(None),
            // Nor priorities, queues and meters.
            "set_queue" | "pop_queue" | "mod_nw_tos" | "mod_nw_ecn" | "mod_vlan_pcp" | "meter"
            | "note" | "clear_actions" => Ok(None),
            "set_field" => {
                let (value, name) = argument
                    .split_once("->")
                    .ok_or_else(|| format!("{action:?}: expected set_field:VALUE->FIELD"))?;
                if name == "vlan_vid" {
                    let digits = value.trim_start_matches("0x");
                    let radix = if value.starts_with("0x") { 16 } else { 10 };
                    let raw = u16::from_str_radix(digits, radix)
                        .map_err(|_| format!("{value:?} is no VLAN"))?;
                    return set("dl_vlan", &(raw & 0xfff).to_string());
                }
                if UNUSED.contains(&name) {
                    return Ok(None);
                }
                set(name, value)
            }
            other => Err(format!("action {other:?} is not supported")),
        }
    }
}
