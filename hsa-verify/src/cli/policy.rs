// SPDX-License-Identifier: Apache-2.0 OR MIT
//! `check`: a policy file with many assertions about one network.

use super::arguments::Arguments;
use super::exit::Exit;
use super::load;
use super::ports;
use super::questions;
use super::session::{bar, Session};
use anyhow::{anyhow, bail, Context};
use hsa_verify::analysis;
use hsa_verify::report::{Answer, Mark, Section};
use hsa_verify::space::Set;
use serde::Deserialize;
use serde_json::json;
use std::path::{Path, PathBuf};

/// A policy file.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Policy {
    /// Network, relative to the policy file.
    network: PathBuf,
    /// Files with links, relative to the policy file.
    #[serde(default)]
    links: Vec<PathBuf>,
    /// Assertions.
    #[serde(default, rename = "assert")]
    assertions: Vec<Assertion>,
}

/// One assertion.
#[derive(Debug, Deserialize)]
#[serde(tag = "question", rename_all = "lowercase", deny_unknown_fields)]
enum Assertion {
    Reach {
        name: String,
        from: Vec<String>,
        to: Vec<String>,
        #[serde(rename = "where")]
        headers: Option<String>,
        expect: Expected,
    },
    Loops {
        name: String,
        #[serde(default)]
        allow: AllowedLoops,
    },
    Blackholes {
        name: String,
        #[serde(default)]
        from: Vec<String>,
        #[serde(rename = "where")]
        headers: Option<String>,
    },
    Isolation {
        name: String,
        slices: Vec<String>,
    },
    Waypoint {
        name: String,
        from: Vec<String>,
        to: Vec<String>,
        #[serde(rename = "where")]
        headers: Option<String>,
        through: Vec<String>,
    },
}

/// How much has to get there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Expected {
    /// No packet.
    None,
    /// At least one packet.
    Some,
    /// Every packet of the headers that enters at each of the sources.
    All,
}

/// Which loops are no violation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
enum AllowedLoops {
    /// None is allowed.
    #[default]
    None,
    /// Those that end by themselves.
    Finite,
}

impl Assertion {
    fn name(&self) -> &str {
        match self {
            Self::Reach { name, .. }
            | Self::Loops { name, .. }
            | Self::Blackholes { name, .. }
            | Self::Isolation { name, .. }
            | Self::Waypoint { name, .. } => name,
        }
    }
}

/// What became of an assertion.
struct Verdict {
    holds: bool,
    what: String,
    marks: Vec<Mark>,
}

/// Checks every assertion; one that cannot be checked is an error, not a violation.
pub fn check(arguments: &Arguments, path: &Path) -> anyhow::Result<Exit> {
    let text = std::fs::read_to_string(path).with_context(|| path.display().to_string())?;
    let policy: Policy = toml::from_str(&text)
        .map_err(|e| anyhow!("{}: {}", path.display(), e.to_string().trim()))?;
    if policy.assertions.is_empty() {
        bail!(
            "{}: no [[assert]]: a policy that asserts nothing always holds",
            path.display()
        );
    }
    let folder = path.parent().unwrap_or(Path::new(""));
    let network = folder.join(&policy.network);
    let mut options = load::options(&arguments.common)?;
    options
        .links
        .extend(policy.links.iter().map(|l| folder.join(l)));
    let network = load::network_with(arguments, &network, options)?;
    let mut session = Session::new(arguments, network, path.display().to_string())?;
    let progress = bar(arguments, policy.assertions.len(), "checking");
    let mut rows = Vec::new();
    let mut list = Vec::new();
    let mut violated = 0;
    let mut marks = Vec::new();
    for assertion in &policy.assertions {
        let name = assertion.name().to_owned();
        let place = || format!("{}: assertion {name:?}", path.display());
        let verdict = verdict(&mut session, assertion).with_context(place)?;
        violated += usize::from(!verdict.holds);
        let word = if verdict.holds { "holds" } else { "VIOLATED" };
        rows.push(vec![word.to_owned(), name.clone(), verdict.what.clone()]);
        list.push(json!({ "name": name, "holds": verdict.holds, "what": verdict.what }));
        marks.extend(verdict.marks);
        progress.inc(1);
    }
    progress.finish_and_clear();
    let headline = match violated {
        0 => format!("All {} assertions hold.", rows.len()),
        n => format!("{n} of {} assertions are violated.", rows.len()),
    };
    let answer = Answer {
        question: "check",
        good: violated == 0,
        headline,
        sections: vec![Section::table(
            "Assertions",
            &["verdict", "assertion", "finding"],
            rows,
        )],
        json: json!({ "assertions": list, "violated": violated }),
        marks,
    };
    session.finish(&answer)
}

fn verdict(session: &mut Session<'_>, assertion: &Assertion) -> anyhow::Result<Verdict> {
    match assertion {
        Assertion::Reach {
            from,
            to,
            headers,
            expect,
            ..
        } => reach(session, from, to, headers.as_deref(), *expect),
        Assertion::Loops { allow, .. } => {
            let answer = questions::loops(session)?;
            let infinite = answer.json["cycles"]
                .as_array()
                .is_some_and(|c| c.iter().any(|c| c["infinite"] == true));
            let holds = answer.good || (*allow == AllowedLoops::Finite && !infinite);
            Ok(from_answer(answer, holds))
        }
        Assertion::Blackholes { from, headers, .. } => {
            let answer = questions::blackholes(session, from, headers.as_deref(), false)?;
            let good = answer.good;
            Ok(from_answer(answer, good))
        }
        Assertion::Isolation { slices, .. } => {
            let answer = questions::isolation(session, slices)?;
            let good = answer.good;
            Ok(from_answer(answer, good))
        }
        Assertion::Waypoint {
            from,
            to,
            headers,
            through,
            ..
        } => {
            let answer = questions::waypoint(session, from, to, headers.as_deref(), through)?;
            let good = answer.good;
            Ok(from_answer(answer, good))
        }
    }
}

fn from_answer(answer: Answer, holds: bool) -> Verdict {
    let marks = if holds { Vec::new() } else { answer.marks };
    Verdict {
        holds,
        what: answer.headline,
        marks,
    }
}

fn reach(
    session: &mut Session<'_>,
    from: &[String],
    to: &[String],
    headers: Option<&str>,
    expect: Expected,
) -> anyhow::Result<Verdict> {
    let sources = ports::find(&session.network, from)?;
    let targets = ports::find(&session.network, to)?;
    let set = session.headers(headers)?;
    let wanted: Vec<_> = targets.iter().map(|t| (*t, Set::ALL)).collect();
    let entering = analysis::inverse(&mut session.plane, &wanted);
    let mut some = None;
    let mut missing = None;
    for &source in &sources {
        let arrives = entering.get(&source).copied().unwrap_or(Set::EMPTY);
        let gets = session.plane.space.and(arrives, set);
        let lacks = session.plane.space.diff(set, arrives);
        if !gets.is_empty() {
            some.get_or_insert((source, gets));
        }
        if !lacks.is_empty() {
            missing.get_or_insert((source, lacks));
        }
    }
    let mut example = |found: Option<(_, Set)>, what: &str| match found {
        Some((port, set)) => {
            format!(
                "{what} from {}: {}",
                session.port(port),
                session.packet(set)
            )
        }
        None => String::new(),
    };
    let (holds, what) = match expect {
        Expected::None => (some.is_none(), example(some, "gets there")),
        Expected::Some => (some.is_some(), String::new()),
        Expected::All => (missing.is_none(), example(missing, "does not get there")),
    };
    let what = match (holds, what.is_empty()) {
        (true, _) => "as expected".to_owned(),
        (false, true) => "no packet gets there".to_owned(),
        (false, false) => what,
    };
    Ok(Verdict {
        holds,
        what,
        marks: Vec::new(),
    })
}
