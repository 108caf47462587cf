// SPDX-License-Identifier: Apache-2.0 OR MIT
//! `show route | display json`: the active routes of every IPv4 table.

use super::interfaces::{data, list};
use super::{address, Hop, Route};
use crate::read::ios::config::len_mask;
use crate::read::{Notes, ReadError, ReadNoteKind as NoteKind, SourceText};
use serde_json::Value;

/// Reads the tables `inet.0` and `INSTANCE.inet.0`. Lines are not known in JSON: routes carry
/// line 0.
///
/// # Errors
/// Malformed JSON, no route table, a route without destination or with an unreadable one.
pub fn read_routes(source: &SourceText, notes: &mut Notes) -> Result<Vec<Route>, ReadError> {
    let value: Value = serde_json::from_str(&source.text)
        .map_err(|e| source.error(e.line(), format!("not well-formed JSON: {e}")))?;
    let info = value
        .get("route-information")
        .and_then(|v| v.get(0))
        .ok_or_else(|| ReadError::file(&source.name, "no route-information in this JSON file"))?;
    let mut routes = Vec::new();
    for table in list(info, "route-table") {
        let name = data(table, "table-name")
            .ok_or_else(|| ReadError::file(&source.name, "a route table without a name"))?;
        let instance = match name.strip_suffix("inet.0") {
            Some("") => None,
            Some(instance) => Some(instance.trim_end_matches('.').to_owned()),
            None => {
                let what = format!("route table {name}");
                notes.of_box(NoteKind::NotModelled, what, &source.name);
                continue;
            }
        };
        for rt in list(table, "rt") {
            let text = data(rt, "rt-destination").unwrap_or("");
            let (prefix, len) = address(text).ok_or_else(|| {
                ReadError::file(
                    &source.name,
                    format!("table {name}: {text:?} is no IPv4 prefix"),
                )
            })?;
            let active = list(rt, "rt-entry").find(|e| e.get("current-active").is_some());
            let Some(entry) = active else { continue };
            let instance = instance.clone();
            let prefix = prefix & len_mask(len);
            routes.push(Route {
                prefix,
                len,
                hops: hops(entry, notes, source),
                line: 0,
                instance,
            });
        }
    }
    Ok(routes)
}

fn hops(entry: &Value, notes: &mut Notes, source: &SourceText) -> Vec<Hop> {
    match data(entry, "nh-type") {
        Some("Discard" | "Reject" | "Receive" | "MultiRecv") => return vec![Hop::Drop],
        Some("Local") => return vec![Hop::Deliver],
        _ => {}
    }
    let mut hops = Vec::new();
    for nh in list(entry, "nh") {
        if nh.get("mpls-label").is_some() {
            let what = "MPLS label operation: the packet leaves without its label";
            notes.of_box(NoteKind::NotModelled, what, &source.name);
        }
        if data(nh, "nh-local-interface").is_some() {
            hops.push(Hop::Deliver);
        } else if let Some(via) = data(nh, "via") {
            hops.push(if via.starts_with("lo0.") {
                Hop::Deliver
            } else {
                Hop::Unit(via.to_owned())
            });
        } else if let Some((to, _)) = data(nh, "to").and_then(address) {
            hops.push(Hop::Via(to));
        }
    }
    if hops.is_empty() {
        notes.of_box(
            NoteKind::NotModelled,
            "route without a readable next hop: dropped",
            &source.name,
        );
        hops.push(Hop::Drop);
    }
    hops
}
