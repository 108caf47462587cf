// SPDX-License-Identifier: Apache-2.0 OR MIT
//! `show`: a network, a box, a table, a rule, VLANs, remarks, quirks.

use crate::cli::arguments::Arguments;
use crate::cli::exit::Exit;
use crate::cli::session::Session;
use crate::cli::{load, ports};
use hsa_verify::model::{Effect, Network, NoteKind, PortMatch, RuleRef};
use hsa_verify::read::ios::quirks;
use hsa_verify::read::native;
use hsa_verify::report::{self, Answer, Section};
use serde_json::json;
use std::path::Path;

/// Shows a part of a network.
pub fn show(arguments: &Arguments, path: &Path, what: Option<&str>) -> anyhow::Result<Exit> {
    if what == Some("quirks") {
        let rows = quirks::ALL
            .iter()
            .map(|(_, n, about)| vec![(*n).to_owned(), (*about).to_owned()]);
        let rows: Vec<Vec<String>> = rows.collect();
        let json = json!({ "quirks": rows });
        let sections = vec![Section::table("Quirks", &["name", "what it does"], rows)];
        let headline = "Deviations that --quirks turns on; `hassel` is all of them.".to_owned();
        let answer = Answer {
            question: "show",
            good: true,
            headline,
            sections,
            json,
            marks: Vec::new(),
        };
        let empty = Network::new(hsa_verify::header::Layout::stanford());
        return Session::new(arguments, empty, "quirks".to_owned())?.finish(&answer);
    }
    let network = load::network(arguments, path)?;
    let answer = match what {
        None => statistics(&network),
        Some("notes") => notes(&network),
        Some("vlans") => vlans(&network),
        Some(name) if network.find_device(name).is_some() => device(&network, name)?,
        Some(text) => match ports::table(&network, text) {
            Ok((device, table)) => rules(&network, device, table),
            Err(_) => rule(&network, ports::rule(&network, text)?)?,
        },
    };
    Session::new(arguments, network, path.display().to_string())?.finish(&answer)
}

fn answer(headline: String, sections: Vec<Section>, json: serde_json::Value) -> Answer {
    Answer {
        question: "show",
        good: true,
        headline,
        sections,
        json,
        marks: Vec::new(),
    }
}

fn statistics(network: &Network) -> Answer {
    let mut rows = Vec::new();
    let mut boxes = Vec::new();
    let mut ports = vec![0usize; network.devices.len()];
    let mut cables = vec![0usize; network.devices.len()];
    for p in network.physical_ports() {
        ports[network.port(p).device.0 as usize] += 1;
    }
    for l in &network.links {
        cables[network.port(l.from).device.0 as usize] += 1;
    }
    for (i, d) in network.devices.iter().enumerate() {
        let rules: usize = d.tables.iter().map(|t| t.rules.len()).sum();
        let tables: Vec<String> = d
            .tables
            .iter()
            .map(|t| format!("{} {}", t.name, t.rules.len()))
            .collect();
        rows.push(vec![
            d.name.clone(),
            ports[i].to_string(),
            cables[i].to_string(),
            rules.to_string(),
            tables.join(", "),
        ]);
        boxes.push(json!({ "box": d.name, "ports": ports[i], "links": cables[i], "rules": rules }));
    }
    let fields: Vec<String> = network
        .layout
        .fields
        .iter()
        .map(|f| format!("{} ({} bits)", f.name, f.width))
        .collect();
    let headline = format!(
        "{} boxes, {} ports, {} links, {} rules, headers of {} bits.",
        network.devices.len(),
        network.physical_ports().count(),
        network.links.len(),
        network.rule_count(),
        network.layout.length
    );
    let head = ["box", "ports", "links", "rules", "tables"];
    let sections = vec![
        Section::table("Boxes", &head, rows),
        Section::lines("Header", vec![fields.join(", ")]),
        Section::lines("Remarks", remark_counts(network)),
    ];
    let json = json!({ "boxes": boxes, "header_bits": network.layout.length, "links": network.links.len() });
    answer(headline, sections, json)
}

fn remark_counts(network: &Network) -> Vec<String> {
    let count = |kind| network.notes.iter().filter(|n| n.kind == kind).count();
    vec![format!(
        "{} kinds of lines not understood, {} not modelled or assumed, {} without effect",
        count(NoteKind::Unknown),
        count(NoteKind::Warning),
        count(NoteKind::Ignored)
    )]
}

fn notes(network: &Network) -> Answer {
    let label = |kind| match kind {
        NoteKind::Unknown => "not understood",
        NoteKind::Warning => "not modelled or assumed",
        NoteKind::Ignored => "without effect",
    };
    let text = |n: &hsa_verify::model::Note| match n.origin {
        Some(origin) => format!("{} ({})", n.text, network.origin_name(origin)),
        None => n.text.clone(),
    };
    let mut list: Vec<_> = network.notes.iter().collect();
    list.sort_by_key(|n| match n.kind {
        NoteKind::Unknown => 0,
        NoteKind::Warning => 1,
        NoteKind::Ignored => 2,
    });
    let rows: Vec<Vec<String>> = list
        .iter()
        .map(|n| vec![label(n.kind).to_owned(), text(n)])
        .collect();
    let json = json!({ "notes": rows });
    let headline = remark_counts(network).concat() + ".";
    answer(
        headline,
        vec![Section::table(
            "Remarks of the readers",
            &["kind", "what"],
            rows,
        )],
        json,
    )
}

fn vlans(network: &Network) -> Answer {
    let mut rows = Vec::new();
    let mut list = Vec::new();
    for domain in network.l2_domains() {
        let ports: Vec<String> = domain.ports.iter().map(|p| network.port_name(*p)).collect();
        rows.push(vec![
            domain.vlan.to_string(),
            ports.len().to_string(),
            ports.join(" "),
        ]);
        list.push(json!({ "vlan": domain.vlan, "ports": ports }));
    }
    let headline = format!("{} broadcast domains.", rows.len());
    let sections = vec![Section::table(
        "Broadcast domains",
        &["vlan", "ports", "which"],
        rows,
    )];
    answer(headline, sections, json!({ "domains": list }))
}

fn device(network: &Network, name: &str) -> anyhow::Result<Answer> {
    let id = network
        .find_device(name)
        .ok_or_else(|| anyhow::anyhow!("there is no box {name}"))?;
    let own = network
        .physical_ports()
        .filter(|p| network.port(*p).device == id);
    let rows: Vec<Vec<String>> = own
        .map(|p| {
            let far: Vec<String> = network
                .links
                .iter()
                .filter(|l| l.from == p)
                .map(|l| network.port_name(l.to))
                .collect();
            vec![network.port(p).name.clone(), far.join(" ")]
        })
        .collect();
    let tables: Vec<Vec<String>> = network
        .device(id)
        .tables
        .iter()
        .map(|t| vec![t.name.clone(), t.rules.len().to_string()])
        .collect();
    let headline = format!("Box {name}: {} ports, {} tables.", rows.len(), tables.len());
    let json = json!({ "box": name, "ports": rows, "tables": tables });
    let sections = vec![
        Section::table("Ports", &["port", "linked to"], rows),
        Section::table("Tables", &["table", "rules"], tables),
    ];
    Ok(answer(headline, sections, json))
}

fn rules(network: &Network, device: u32, table: u32) -> Answer {
    let count = network.devices[device as usize].tables[table as usize]
        .rules
        .len();
    let at = |rule| RuleRef {
        device,
        table,
        rule,
    };
    let lines: Vec<String> = (0..count as u32)
        .map(|r| report::rule_text(network, at(r)))
        .collect();
    let headline = format!("{count} rules, the first that matches decides.");
    let json = json!({ "rules": lines });
    answer(headline, vec![Section::lines("Rules", lines)], json)
}

fn rule(network: &Network, at: RuleRef) -> anyhow::Result<Answer> {
    let table = &network.devices[at.device as usize].tables[at.table as usize];
    let Some(rule) = table.rules.get(at.rule as usize) else {
        anyhow::bail!("table {} has {} rules", table.name, table.rules.len());
    };
    let written = native::write_rule(network, at.device, rule);
    let json = serde_json::to_value(&written)?;
    let text = serde_json::to_string_pretty(&written)?;
    let place = match &rule.ports {
        PortMatch::Any => "anywhere".to_owned(),
        PortMatch::In(ports) => format!("at {} ports", ports.len()),
    };
    let does = match &rule.effect {
        Effect::Drop => "drops".to_owned(),
        Effect::Deliver => "delivers to the box".to_owned(),
        Effect::Forward { outputs, .. } => format!("sends {} copies on", outputs.len()),
    };
    let headline = format!("{} {does}, {place}.", report::rule_text(network, at));
    let lines = text.lines().map(str::to_owned).collect();
    Ok(answer(headline, vec![Section::lines("Rule", lines)], json))
}
