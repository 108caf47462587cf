// SPDX-License-Identifier: Apache-2.0 OR MIT
//! `reach`, `inverse` and `waypoint`.

use crate::cli::ports;
use crate::cli::session::Session;
use anyhow::bail;
use hsa_verify::analysis::{self, Path};
use hsa_verify::model::PortId;
use hsa_verify::report::{self, Answer, Mark, MarkKind, Section};
use hsa_verify::space::Set;
use serde_json::json;
use std::collections::BTreeMap;

/// Headers that leave by the target ports.
pub fn reach(
    session: &mut Session<'_>,
    from: &[String],
    to: &[String],
    headers: Option<&str>,
    limit: usize,
) -> anyhow::Result<Answer> {
    let sources = ports::find(&session.network, from)?;
    let set = session.headers(headers)?;
    let injected: Vec<(PortId, Set)> = sources.iter().map(|p| (*p, set)).collect();
    let reached = analysis::reach(&mut session.plane, &injected);
    let leaving = |p: PortId| reached.leaving.get(&p).copied().unwrap_or(Set::EMPTY);
    if to.is_empty() {
        return everywhere(session, from, &reached.leaving);
    }
    let targets = ports::find(&session.network, to)?;
    let mut sections = Vec::new();
    let mut rows = Vec::new();
    let mut arrivals = Vec::new();
    for &target in &targets {
        let arriving = leaving(target);
        if arriving.is_empty() {
            continue;
        }
        let name = session.port(target);
        rows.push(vec![
            name.clone(),
            session.count(arriving),
            session.packet(arriving),
        ]);
        arrivals.push(json!({ "port": name, "headers": session.json(arriving) }));
        if targets.len() == 1 {
            let lines = session.lines(arriving);
            sections.push(Section::lines(&format!("Headers leaving {name}"), lines));
        }
    }
    let good = !rows.is_empty();
    let headline = if good {
        format!(
            "Yes: packets get from {} to {}.",
            from.join(", "),
            to.join(", ")
        )
    } else {
        format!(
            "No: no packet gets from {} to {}.",
            from.join(", "),
            to.join(", ")
        )
    };
    if targets.len() > 1 {
        sections.push(Section::table(
            "Reached",
            &["port", "headers", "one of them"],
            rows,
        ));
    }
    let mut marks = Vec::new();
    let mut listed = Vec::new();
    for &source in &sources {
        for &target in targets.iter().filter(|t| !leaving(**t).is_empty()) {
            if listed.len() < limit {
                let found = analysis::paths(
                    &mut session.plane,
                    source,
                    set,
                    target,
                    limit - listed.len(),
                );
                for mut path in found.paths {
                    path.start = session.plane.space.and(path.start, set);
                    listed.push(path);
                }
            }
        }
    }
    let (mut example, paths) = describe_paths(session, &listed, &mut sections, &mut marks);
    if let Some(map) = example.as_object_mut() {
        map.retain(|_, v| !v.is_null());
    }
    let json = json!({ "reached": arrivals, "paths": paths, "example": example });
    Ok(Answer {
        question: "reach",
        good,
        headline,
        sections,
        json,
        marks,
    })
}

/// Every port that is reached.
fn everywhere(
    session: &mut Session<'_>,
    from: &[String],
    leaving: &BTreeMap<PortId, Set>,
) -> anyhow::Result<Answer> {
    let mut rows = Vec::new();
    let mut reached = Vec::new();
    for (&port, &set) in leaving.iter().filter(|(_, s)| !s.is_empty()) {
        let name = session.port(port);
        rows.push(vec![name.clone(), session.count(set), session.packet(set)]);
        reached.push(json!({ "port": name, "headers": session.json(set) }));
    }
    let good = !rows.is_empty();
    let headline = format!(
        "Packets from {} leave by {} ports.",
        from.join(", "),
        rows.len()
    );
    Ok(Answer {
        question: "reach",
        good,
        headline,
        sections: vec![Section::table(
            "Reached",
            &["port", "headers", "one of them"],
            rows,
        )],
        json: json!({ "reached": reached }),
        marks: Vec::new(),
    })
}

/// Paths as a table, and the way of one packet of the first path.
fn describe_paths(
    session: &mut Session<'_>,
    paths: &[Path],
    sections: &mut Vec<Section>,
    marks: &mut Vec<Mark>,
) -> (serde_json::Value, Vec<serde_json::Value>) {
    let mut rows = Vec::new();
    let mut list = Vec::new();
    for path in paths {
        let hops: Vec<(String, String)> = path
            .hops
            .iter()
            .map(|h| (session.port(h.ingress), session.port(h.egress)))
            .collect();
        let way = way_text(&hops);
        rows.push(vec![session.count(path.start), way.clone()]);
        let hops: Vec<_> = hops
            .iter()
            .map(|(i, o)| json!({ "in": i, "out": o }))
            .collect();
        list.push(json!({ "hops": hops, "headers": session.json(path.start) }));
        marks.push(Mark {
            kind: MarkKind::Path,
            label: way,
            ports: path.hops.iter().map(|h| h.ingress).collect(),
        });
    }
    sections.push(Section::table("Paths", &["headers", "way"], rows));
    let first = paths.iter().find_map(|p| {
        let packet = session.plane.space.sample(p.start)?;
        Some((p.hops.first()?.ingress, p.hops.last()?.egress, packet))
    });
    let Some((source, target, packet)) = first else {
        return (json!({}), list);
    };
    let network = session.network.clone();
    let trace = analysis::trace(&network, source, &packet);
    let at = trace
        .visits
        .iter()
        .position(|v| v.exits.iter().any(|e| e.port == target));
    let route = at.map(|visit| trace.route_to(visit)).unwrap_or_default();
    let text = report::packet_text(&network.layout, &packet);
    sections.push(Section::lines("A packet", vec![text]));
    let lines = report::trace_lines(&network, &trace, &route);
    let example = json!({
        "from": session.port(source),
        "to": session.port(target),
        "packet": report::packet_fields(&network.layout, &packet),
        "trace": lines.iter().map(|l| l.trim()).collect::<Vec<_>>(),
    });
    sections.push(Section::lines("Its way", lines));
    (example, list)
}

/// `a:1 > a:2, b:1 > b:2` as one line.
fn way_text(hops: &[(String, String)]) -> String {
    let hop = |(i, o): &(String, String)| {
        let out = o.split_once(':').map_or(o.as_str(), |(_, port)| port);
        format!("{i} > {out}")
    };
    hops.iter().map(hop).collect::<Vec<_>>().join(", ")
}

/// Which packets at the sources can reach the targets.
pub fn inverse(
    session: &mut Session<'_>,
    from: &[String],
    to: &[String],
    headers: Option<&str>,
) -> anyhow::Result<Answer> {
    let sources = ports::find_or_edge(&session.network, from)?;
    let targets = ports::find(&session.network, to)?;
    let set = session.headers(headers)?;
    let wanted: Vec<(PortId, Set)> = targets.iter().map(|p| (*p, set)).collect();
    let found = analysis::inverse(&mut session.plane, &wanted);
    let mut rows = Vec::new();
    let mut list = Vec::new();
    let mut single = Vec::new();
    for &source in &sources {
        let Some(&set) = found.get(&source).filter(|s| !s.is_empty()) else {
            continue;
        };
        let name = session.port(source);
        rows.push(vec![name.clone(), session.count(set), session.packet(set)]);
        list.push(json!({ "port": name, "headers": session.json(set) }));
        if sources.len() == 1 {
            single = session.lines(set);
        }
    }
    let good = !rows.is_empty();
    let headline = if good {
        format!(
            "Packets at {} ports can reach {}.",
            rows.len(),
            to.join(", ")
        )
    } else {
        format!("No packet can reach {}.", to.join(", "))
    };
    let sections = vec![
        Section::table("Entering", &["port", "headers", "one of them"], rows),
        Section::lines("Headers on entering", single),
    ];
    let json = json!({ "entering": list });
    Ok(Answer {
        question: "inverse",
        good,
        headline,
        sections,
        json,
        marks: Vec::new(),
    })
}

/// What gets to the targets without passing one of the boxes.
pub fn waypoint(
    session: &mut Session<'_>,
    from: &[String],
    to: &[String],
    headers: Option<&str>,
    through: &[String],
) -> anyhow::Result<Answer> {
    let sources = ports::find(&session.network, from)?;
    let targets = ports::find(&session.network, to)?;
    let set = session.headers(headers)?;
    let mut boxes = std::collections::BTreeSet::new();
    for name in through {
        match session.network.find_device(name) {
            Some(device) => boxes.insert(device),
            None => bail!("there is no box {name}"),
        };
    }
    let injected: Vec<(PortId, Set)> = sources.iter().map(|p| (*p, set)).collect();
    let reached = analysis::reach(&mut session.plane, &injected);
    let arrives = targets
        .iter()
        .any(|t| reached.leaving.get(t).is_some_and(|s| !s.is_empty()));
    let bypass = analysis::waypoint(&mut session.plane, &injected, &targets, &boxes);
    let good = bypass.is_empty();
    let mut rows = Vec::new();
    let mut list = Vec::new();
    for (&port, &set) in &bypass.start {
        let name = session.port(port);
        rows.push(vec![name.clone(), session.count(set), session.packet(set)]);
        list.push(json!({ "port": name, "headers": session.json(set) }));
    }
    let mut sections = vec![Section::table(
        "Packets that pass by",
        &["from", "headers", "one of them"],
        rows,
    )];
    let mut marks = Vec::new();
    let first = bypass.start.iter().next().map(|(p, s)| (*p, *s));
    if let Some((source, set)) = first {
        if let Some(&target) = bypass.end.keys().next() {
            witness(
                session,
                source,
                set,
                target,
                &boxes,
                &mut sections,
                &mut marks,
            );
        }
    }
    let headline = match (good, arrives) {
        (true, true) => format!("Yes: everything passes {}.", through.join(" or ")),
        (true, false) => "Nothing gets there at all, so nothing passes by.".to_owned(),
        (false, _) => format!("No: some packets do not pass {}.", through.join(" or ")),
    };
    let json = json!({ "bypass": list, "arrives": arrives });
    Ok(Answer {
        question: "waypoint",
        good,
        headline,
        sections,
        json,
        marks,
    })
}

/// The way of one packet that avoids the boxes.
fn witness(
    session: &mut Session<'_>,
    source: PortId,
    set: Set,
    target: PortId,
    boxes: &std::collections::BTreeSet<hsa_verify::model::DeviceId>,
    sections: &mut Vec<Section>,
    marks: &mut Vec<Mark>,
) {
    let found = analysis::paths(&mut session.plane, source, set, target, 64);
    let network = session.network.clone();
    let avoids = |p: &&Path| {
        p.hops
            .iter()
            .all(|h| !boxes.contains(&network.port(h.ingress).device))
    };
    if let Some(path) = found.paths.iter().find(avoids).cloned() {
        describe_paths(session, std::slice::from_ref(&path), sections, marks);
        marks.iter_mut().for_each(|m| m.kind = MarkKind::Leak);
    }
}
