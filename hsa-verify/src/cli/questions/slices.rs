// SPDX-License-Identifier: Apache-2.0 OR MIT
//! `isolation`.

use crate::cli::ports;
use crate::cli::session::Session;
use anyhow::{anyhow, bail};
use hsa_verify::analysis::{self, Slice};
use hsa_verify::model::PortId;
use hsa_verify::report::{Answer, Mark, MarkKind, Section};
use hsa_verify::space::Set;
use serde_json::json;
use std::collections::{BTreeMap, BTreeSet};

/// `NAME=HEADERS` or `NAME@PORTS=HEADERS`.
fn parse(session: &mut Session<'_>, text: &str) -> anyhow::Result<Slice> {
    let (left, headers) = text
        .split_once('=')
        .ok_or_else(|| anyhow!("{text:?}: expected NAME=HEADERS, as in guests=vlan=30"))?;
    let (name, places) = left
        .split_once('@')
        .map_or((left, None), |(n, p)| (n, Some(p)));
    if name.is_empty() {
        bail!("{text:?}: the slice needs a name");
    }
    let ports: BTreeSet<PortId> = match places {
        None => BTreeSet::new(),
        Some(list) => {
            let names: Vec<String> = list.split(',').map(str::to_owned).collect();
            ports::find(&session.network, &names)?.into_iter().collect()
        }
    };
    let headers = session.headers(Some(headers))?;
    Ok(Slice {
        name: name.to_owned(),
        ports,
        headers,
    })
}

/// Overlaps of definitions, and packets that cross.
pub fn isolation(session: &mut Session<'_>, slices: &[String]) -> anyhow::Result<Answer> {
    let mut parsed: Vec<Slice> = Vec::new();
    for text in slices {
        let slice = parse(session, text)?;
        if parsed.iter().any(|s| s.name == slice.name) {
            bail!("slice {} is defined twice", slice.name);
        }
        parsed.push(slice);
    }
    if parsed.len() < 2 {
        bail!("isolation needs two slices or more");
    }
    let verdict = analysis::isolation(&mut session.plane, &parsed);
    let mut overlaps = Vec::new();
    let mut rows = Vec::new();
    for o in &verdict.overlaps {
        let (a, b) = (&parsed[o.first].name, &parsed[o.second].name);
        let packet = session.packet(o.headers);
        rows.push(vec![a.clone(), b.clone(), session.count(o.headers), packet]);
        overlaps.push(json!({ "first": a, "second": b, "headers": session.json(o.headers) }));
    }
    let mut sections = vec![Section::table(
        "Definitions that overlap",
        &["slice", "slice", "headers", "one of them"],
        rows,
    )];
    let mut leaks = Vec::new();
    let mut rows = Vec::new();
    for l in &verdict.leaks {
        let (from, into) = (&parsed[l.from].name, &parsed[l.into].name);
        let port = session.port(l.port);
        let packet = session.packet(l.headers);
        let count = session.count(l.headers);
        rows.push(vec![
            from.clone(),
            into.clone(),
            port.clone(),
            count,
            packet,
        ]);
        let headers = session.json(l.headers);
        leaks.push(json!({ "from": from, "into": into, "port": port, "headers": headers }));
    }
    let head = ["from", "into", "at port", "headers", "one of them"];
    sections.push(Section::table("Packets that leak", &head, rows));
    let mut marks = Vec::new();
    let mut shown: BTreeMap<(usize, usize), ()> = BTreeMap::new();
    for leak in &verdict.leaks {
        if shown.insert((leak.from, leak.into), ()).is_none() {
            marks.extend(way_of(
                session,
                &parsed[leak.from],
                leak.port,
                leak.headers,
                &mut sections,
            ));
        }
    }
    let good = overlaps.is_empty() && leaks.is_empty();
    let headline = if good {
        format!("The {} slices are isolated.", parsed.len())
    } else {
        format!(
            "Not isolated: {} overlaps, {} leaks.",
            overlaps.len(),
            leaks.len()
        )
    };
    let json = json!({ "overlaps": overlaps, "leaks": leaks });
    Ok(Answer {
        question: "isolation",
        good,
        headline,
        sections,
        json,
        marks,
    })
}

/// A path from the slice to the port where its packets show up in another slice.
fn way_of(
    session: &mut Session<'_>,
    slice: &Slice,
    target: PortId,
    arriving: Set,
    sections: &mut Vec<Section>,
) -> Option<Mark> {
    let entering = analysis::inverse(&mut session.plane, &[(target, arriving)]);
    let edge: BTreeSet<PortId> = ports::edge_ports(&session.network).into_iter().collect();
    let mut candidates: Vec<(PortId, Set)> = Vec::new();
    for (&port, &set) in &entering {
        if slice.ports.is_empty() || slice.ports.contains(&port) {
            let own = session.plane.space.and(set, slice.headers);
            if !own.is_empty() {
                candidates.push((port, own));
            }
        }
    }
    candidates.sort_by_key(|(p, _)| !edge.contains(p));
    for (source, own) in candidates {
        let found = analysis::paths(&mut session.plane, source, own, target, 1);
        let Some(path) = found.paths.first().cloned() else {
            continue;
        };
        let network = session.network.clone();
        let taking = session.plane.space.and(path.start, own);
        let packet = session.plane.space.sample(taking)?;
        let trace = analysis::trace(&network, source, &packet);
        let at = trace
            .visits
            .iter()
            .position(|v| v.exits.iter().any(|e| e.port == target))?;
        let mut lines = vec![hsa_verify::report::packet_text(&network.layout, &packet)];
        lines.extend(hsa_verify::report::trace_lines(
            &network,
            &trace,
            &trace.route_to(at),
        ));
        sections.push(Section::lines(
            &format!("How a packet of {} gets out", slice.name),
            lines,
        ));
        let label = format!(
            "leak of {}: {} to {}",
            slice.name,
            session.port(source),
            session.port(target)
        );
        let ports = path.hops.iter().map(|h| h.ingress).collect();
        return Some(Mark {
            kind: MarkKind::Leak,
            label,
            ports,
        });
    }
    None
}
