// SPDX-License-Identifier: Apache-2.0 OR MIT
//! `whatif` and `diff`.

use crate::cli::arguments::Arguments;
use crate::cli::exit::Exit;
use crate::cli::session::Session;
use crate::cli::{load, ports};
use anyhow::{anyhow, bail};
use hsa_verify::analysis::{self, Change, Difference};
use hsa_verify::model::{Network, Rule, RuleRef};
use hsa_verify::read::native;
use hsa_verify::report::{Answer, Section};
use hsa_verify::space::Set;
use serde_json::json;
use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;

/// Changes as the options name them.
pub struct Wanted<'a> {
    /// Cables to cut.
    pub cut: &'a [String],
    /// Cables to add.
    pub connect: &'a [String],
    /// Rules to remove.
    pub remove: &'a [String],
    /// Rules to add.
    pub add: &'a [String],
    /// Rules to exchange.
    pub replace: &'a [String],
}

fn rule_with_text(network: &Network, text: &str) -> anyhow::Result<(RuleRef, Rule)> {
    let (place, rule) = text
        .split_once("={")
        .ok_or_else(|| anyhow!("{text:?}: expected box/table/number={{JSON of a rule}}"))?;
    let at = ports::rule(network, place)?;
    let rule = native::parse_rule(network, at.device, &format!("{{{rule}"))
        .map_err(|e| anyhow!("{place}: {e}"))?;
    Ok((at, rule))
}

/// The changes in an order in which numbers of rules stay those of the network as it is: from the
/// end of each table to its beginning.
fn changes(network: &Network, wanted: &Wanted<'_>) -> anyhow::Result<Vec<Change>> {
    let mut rules: Vec<(RuleRef, u8, Change)> = Vec::new();
    for text in wanted.remove {
        let at = ports::rule(network, text)?;
        rules.push((at, 1, Change::RemoveRule(at)));
    }
    for text in wanted.replace {
        let (at, rule) = rule_with_text(network, text)?;
        rules.push((at, 1, Change::ReplaceRule { at, rule }));
    }
    for text in wanted.add {
        let (at, rule) = rule_with_text(network, text)?;
        rules.push((at, 0, Change::AddRule { at, rule }));
    }
    let place = |r: &RuleRef| (r.device, r.table, r.rule);
    let mut touched = BTreeSet::new();
    if let Some((at, _, _)) = rules
        .iter()
        .find(|(at, k, _)| *k == 1 && !touched.insert(place(at)))
    {
        bail!("rule {} of a table is changed twice", at.rule);
    }
    rules.sort_by_key(|(at, kind, _)| std::cmp::Reverse((place(at), *kind)));
    let mut changes: Vec<Change> = rules.into_iter().map(|(_, _, c)| c).collect();
    for text in wanted.cut {
        for (from, to) in ports::link(network, text)? {
            changes.push(Change::RemoveLink { from, to });
        }
    }
    for text in wanted.connect {
        for (from, to) in ports::link(network, text)? {
            changes.push(Change::AddLink { from, to });
        }
    }
    if changes.is_empty() {
        bail!("nothing to change: use --cut, --connect, --remove, --add or --replace");
    }
    Ok(changes)
}

/// What the changes do to reachability and loops.
pub fn whatif(
    session: &mut Session<'_>,
    wanted: &Wanted<'_>,
    from: &[String],
    headers: Option<&str>,
) -> anyhow::Result<Answer> {
    let changes = changes(&session.network, wanted)?;
    // Ports at the edge before or after: a cut makes new ones.
    let mut sources: BTreeSet<String> = BTreeSet::new();
    for port in ports::find_or_edge(&session.network, from)? {
        sources.insert(session.port(port));
    }
    let after = Arc::new(analysis::apply(&session.network, &changes)?);
    let set = session.headers(headers)?;
    let sources: Vec<String> = sources.into_iter().collect();
    compare(session, "whatif", after, &sources, set)
}

/// What differs between two snapshots.
pub fn diff(
    arguments: &Arguments,
    before: &Path,
    after: &Path,
    from: &[String],
    headers: Option<&str>,
) -> anyhow::Result<Exit> {
    let mut session = Session::open(arguments, before)?;
    let after_network = load::network(arguments, after)?;
    if session.network.layout != after_network.layout {
        bail!(
            "{} has headers of {} bits and {} of {}, or other fields: they cannot be compared",
            before.display(),
            session.network.layout.length,
            after.display(),
            after_network.layout.length
        );
    }
    let mut sources = BTreeSet::new();
    if from.is_empty() {
        for network in [&*session.network, &after_network] {
            sources.extend(
                ports::edge_ports(network)
                    .into_iter()
                    .map(|p| network.port_name(p)),
            );
        }
    } else {
        sources.extend(
            ports::find(&session.network, from)?
                .into_iter()
                .map(|p| session.port(p)),
        );
    }
    let set = session.headers(headers)?;
    let sources: Vec<String> = sources.into_iter().collect();
    session.name = format!("{} and {}", before.display(), after.display());
    let answer = compare(&mut session, "diff", Arc::new(after_network), &sources, set)?;
    session.finish(&answer)
}

fn compare(
    session: &mut Session<'_>,
    question: &'static str,
    after: Arc<Network>,
    sources: &[String],
    set: Set,
) -> anyhow::Result<Answer> {
    let progress = crate::cli::session::spinner(session.arguments, "comparing");
    let loops_before = analysis::loops(&mut session.plane).cycles.len();
    let empty = hsa_verify::transfer::Plane::compile(Arc::new(Network::new(after.layout.clone())))?;
    let plane = std::mem::replace(&mut session.plane, empty);
    let (plane, differences) = analysis::diff(plane, after.clone(), sources, set)?;
    session.plane = plane;
    session.network = after;
    let loops_after = analysis::loops(&mut session.plane).cycles.len();
    progress.finish_and_clear();
    let mut rows = Vec::new();
    let mut list = Vec::new();
    for Difference {
        from,
        to,
        lost,
        gained,
    } in &differences
    {
        let example = if lost.is_empty() { *gained } else { *lost };
        let counts = [session.count(*lost), session.count(*gained)];
        let packet = session.packet(example);
        rows.push(vec![
            from.clone(),
            to.clone(),
            counts[0].clone(),
            counts[1].clone(),
            packet,
        ]);
        let (lost, gained) = (session.json(*lost), session.json(*gained));
        list.push(json!({ "from": from, "to": to, "lost": lost, "gained": gained }));
    }
    let good = differences.is_empty() && loops_before == loops_after;
    let mut headline = if differences.is_empty() {
        "Nothing changes for packets.".to_owned()
    } else {
        let pairs = super::counted(differences.len(), "pair");
        format!("{pairs} of ports with other answers.")
    };
    if loops_before != loops_after {
        headline.push_str(&format!(
            " Loops: {loops_before} before, {loops_after} after."
        ));
    }
    let head = ["from", "to", "lost", "gained", "one of them"];
    let sections = vec![Section::table("Differences", &head, rows)];
    let json = json!({
        "differences": list,
        "loops_before": loops_before,
        "loops_after": loops_after,
    });
    Ok(Answer {
        question,
        good,
        headline,
        sections,
        json,
        marks: Vec::new(),
    })
}
