// SPDX-License-Identifier: Apache-2.0 OR MIT
//! `loops` and `blackholes`.

use crate::cli::ports;
use crate::cli::session::Session;
use hsa_verify::analysis::{self, Reason};
use hsa_verify::model::PortId;
use hsa_verify::report::{self, Answer, Mark, MarkKind, Section};
use hsa_verify::space::Set;
use serde_json::json;

/// Cycles, finite and infinite, with a packet for each.
pub fn loops(session: &mut Session<'_>) -> anyhow::Result<Answer> {
    let progress = crate::cli::session::spinner(session.arguments, "looking for loops");
    let found = analysis::loops(&mut session.plane);
    progress.finish_and_clear();
    let mut rows = Vec::new();
    let mut cycles = Vec::new();
    let mut marks = Vec::new();
    let mut infinite = 0;
    let mut order: Vec<_> = found.cycles.iter().collect();
    order.sort_by_key(|c| !c.is_infinite());
    let mut witness = Vec::new();
    for cycle in order {
        let forever = cycle.is_infinite();
        infinite += usize::from(forever);
        let set_of = |s: &analysis::CycleStart| if forever { s.forever } else { s.once };
        let start = cycle
            .starts
            .iter()
            .find(|s| !set_of(s).is_empty())
            .unwrap_or(&cycle.starts[0]);
        let set = set_of(start);
        let verdict = if forever { "for ever" } else { "finite" };
        let names: Vec<String> = cycle.ports().iter().map(|p| session.port(*p)).collect();
        let way = names.join(" > ");
        rows.push(vec![
            verdict.to_owned(),
            session.count(set),
            way.clone(),
            session.packet(set),
        ]);
        let starts: Vec<_> = cycle
            .starts
            .iter()
            .map(|s| {
                let once = session.plane.space.count(s.once).to_string();
                let forever = session.plane.space.count(s.forever).to_string();
                json!({ "port": session.port(s.port), "once": once, "forever": forever })
            })
            .collect();
        cycles.push(json!({
            "infinite": forever,
            "ports": names,
            "starts": starts,
            "headers": session.json(set),
        }));
        let label = format!("loop, {verdict}: {way}");
        marks.push(Mark {
            kind: MarkKind::Loop,
            label,
            ports: cycle.ports(),
        });
        if witness.is_empty() {
            witness = packet_on_cycle(session, start.port, set);
        }
    }
    let mut places = Vec::new();
    for (&port, &set) in &found.forever {
        let count = session.plane.space.count(set).to_string();
        places.push(json!({ "port": session.port(port), "count": count }));
    }
    let good = found.cycles.is_empty() && found.forever.is_empty();
    let headline = if good {
        "No loops.".to_owned()
    } else {
        format!(
            "{}: {infinite} for ever, {} finite; packets entering at {} ports can travel for ever.",
            super::counted(found.cycles.len(), "loop"),
            found.cycles.len() - infinite,
            places.len()
        )
    };
    let head = ["verdict", "headers", "cycle of input ports", "one of them"];
    let sections = vec![
        Section::table("Loops", &head, rows),
        Section::lines("The way of a packet on the first", witness),
    ];
    let json = json!({ "cycles": cycles, "forever": places });
    Ok(Answer {
        question: "loops",
        good,
        headline,
        sections,
        json,
        marks,
    })
}

/// The way of a packet until it is back where it was.
fn packet_on_cycle(session: &mut Session<'_>, port: PortId, set: Set) -> Vec<String> {
    let Some(packet) = session.plane.space.sample(set) else {
        return Vec::new();
    };
    let network = session.network.clone();
    let trace = analysis::trace(&network, port, &packet);
    // The last visit whose exit leads back to a visit on its own route closes the cycle.
    let closing = trace.visits.iter().enumerate().find_map(|(i, visit)| {
        let route = trace.route_to(i);
        let back = visit
            .exits
            .iter()
            .flat_map(|e| &e.leads_to)
            .any(|to| route.contains(to));
        back.then_some(route)
    });
    let route = closing.unwrap_or_else(|| trace.route_to(trace.visits.len() - 1));
    let mut lines = vec![report::packet_text(&network.layout, &packet)];
    lines.extend(report::trace_lines(&network, &trace, &route));
    lines
}

/// Spaces that end inside boxes.
pub fn blackholes(
    session: &mut Session<'_>,
    from: &[String],
    headers: Option<&str>,
    all: bool,
) -> anyhow::Result<Answer> {
    let sources = ports::find_or_edge(&session.network, from)?;
    let set = session.headers(headers)?;
    let injected: Vec<(PortId, Set)> = sources.iter().map(|p| (*p, set)).collect();
    let progress = crate::cli::session::spinner(session.arguments, "following packets");
    let reached = analysis::reach(&mut session.plane, &injected);
    let holes = analysis::blackholes(&mut session.plane, &reached);
    progress.finish_and_clear();
    let network = session.network.clone();
    let mut rows = Vec::new();
    let mut list = Vec::new();
    let mut hidden = 0;
    let mut marks: Vec<Mark> = Vec::new();
    for hole in holes {
        let name = network.device(hole.device).name.clone();
        let table = |t: u32| network.device(hole.device).tables[t as usize].name.clone();
        let (kind, text) = match hole.reason {
            Reason::Dropped(rule) => ("dropped", report::rule_text(&network, rule)),
            Reason::Delivered(rule) => ("delivered", report::rule_text(&network, rule)),
            Reason::NoRule { table: t } => ("no rule", format!("{name}/{} has no rule", table(t))),
            Reason::SentBack => (
                "sent back",
                "would leave by the port it came in on".to_owned(),
            ),
            Reason::Expired { table: t } => ("expired", format!("{name}/{}", table(t))),
        };
        if !all && kind != "no rule" {
            hidden += 1;
            continue;
        }
        rows.push(vec![
            name.clone(),
            kind.to_owned(),
            session.count(hole.headers),
            text.clone(),
            session.packet(hole.headers),
        ]);
        let headers = session.json(hole.headers);
        list.push(json!({ "box": name, "reason": kind, "rule": text, "headers": headers }));
        let port = network
            .physical_ports()
            .find(|p| network.port(*p).device == hole.device);
        marks.extend(port.map(|p| Mark {
            kind: MarkKind::End,
            label: format!("{kind} in {name}: {text}"),
            ports: vec![p],
        }));
    }
    let missing = list.iter().filter(|h| h["reason"] == "no rule").count();
    let good = missing == 0;
    let mut headline = if good {
        "No packet ends for lack of a rule.".to_owned()
    } else {
        format!("Packets end for lack of a rule in {missing} tables.")
    };
    if hidden > 0 {
        headline.push_str(&format!(
            " {hidden} rules drop or keep packets on purpose; --all lists them."
        ));
    }
    let head = ["box", "why", "headers", "rule", "one of them"];
    let sections = vec![Section::table("Where packets end", &head, rows)];
    let json = json!({ "ends": list, "on_purpose": hidden });
    Ok(Answer {
        question: "blackholes",
        good,
        headline,
        sections,
        json,
        marks,
    })
}
