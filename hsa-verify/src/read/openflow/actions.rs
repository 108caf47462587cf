// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Actions of a flow as an effect of a rule.

use super::flow::{field, Flow};
use crate::header::Layout;
use crate::model::{Edit, Effect, Next, Output, PortId, PortMatch, Spread};
use crate::read::{Notes, ReadNoteKind as NoteKind};
use std::collections::BTreeMap;

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

/// Whether a word is a reserved port.
pub fn is_reserved(word: &str) -> bool {
    RESERVED.iter().any(|r| word.eq_ignore_ascii_case(r))
}

/// Port of `output:2`, `output:"eth1"`, `2`.
pub fn output_port(action: &str) -> Option<String> {
    if let Some(port) = action.strip_prefix("output:") {
        return Some(port.trim_matches('"').to_owned());
    }
    action.parse::<u32>().ok().map(|_| action.to_owned())
}

/// What actions refer to.
pub struct Place<'a> {
    /// Index by table number.
    pub tables: &'a BTreeMap<u32, u32>,
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
        let mut edits: Vec<Edit> = Vec::new();
        let mut outputs: Vec<Output> = Vec::new();
        let mut delivered = false;
        for action in &flow.actions {
            let emit = |next: Next, edits: &Vec<Edit>| Output {
                edits: edits.clone(),
                next,
            };
            if let Some(port) = output_port(action).filter(|p| !is_reserved(p)) {
                outputs.push(emit(Next::Leave(self.ports[&port]), &edits));
                continue;
            }
            let word = action.split([':', '(']).next().unwrap_or("");
            let reserved = action.strip_prefix("output:").unwrap_or(word);
            match reserved {
                "drop" => {}
                "IN_PORT" => outputs.push(emit(Next::LeaveIngress, &edits)),
                "NORMAL" | "FLOOD" | "ALL" => {
                    if reserved == "NORMAL" {
                        let what = "NORMAL: taken as flooding, learned addresses are not known";
                        notes.line(NoteKind::Assumed, what, file, flow.line);
                    }
                    outputs.extend(self.ports.values().map(|p| emit(Next::Leave(*p), &edits)));
                }
                "CONTROLLER" | "LOCAL" => delivered = true,
                "goto_table" | "resubmit" => {
                    let table = self.target(action, flow.table)?;
                    outputs.push(emit(Next::Table { table, port: None }, &edits));
                }
                _ => edits.extend(self.edit(action)?),
            }
        }
        Ok(match (outputs.is_empty(), delivered) {
            (true, true) => Effect::Deliver,
            (true, false) => Effect::Drop,
            (false, _) => Effect::Forward {
                outputs,
                spread: Spread::All,
            },
        })
    }

    /// Table index of `goto_table:N` or `resubmit(,N)`.
    fn target(&self, action: &str, from: u32) -> Result<u32, String> {
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
            .copied()
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
            // The tag is set by the action after it.
            "push_vlan" => Ok(None),
            "mod_dl_src" => set("dl_src", argument),
            "mod_dl_dst" => set("dl_dst", argument),
            "mod_nw_src" => set("nw_src", argument),
            "mod_nw_dst" => set("nw_dst", argument),
            "mod_tp_src" => set("tp_src", argument),
            "mod_tp_dst" => set("tp_dst", argument),
            // The header has no time to live.
            "dec_ttl" | "set_queue" | "pop_queue" | "mod_nw_tos" | "enqueue_none" => Ok(None),
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
                set(name, value)
            }
            other => Err(format!("action {other:?} is not supported")),
        }
    }
}
