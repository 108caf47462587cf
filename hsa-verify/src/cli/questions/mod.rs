// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The questions, one noun a file; each makes an [`Answer`].

mod changes;
mod loops;
mod reach;
mod show;
mod slices;

pub use loops::{blackholes, loops};
pub use reach::waypoint;
pub use slices::isolation;

use super::arguments::{Arguments, Generated, Question};
use super::exit::Exit;
use super::load;
use super::session::Session;
use anyhow::{bail, Context};
use hsa_verify::generate::campus;
use hsa_verify::read::native;
use hsa_verify::report::Answer;
use std::io::Write;
use std::path::Path;

/// Answers a question about one network or two.
pub fn ask(arguments: &Arguments, question: &Question) -> anyhow::Result<Exit> {
    let network = match question {
        Question::Reach { network, .. }
        | Question::Loops { network }
        | Question::Blackholes { network, .. }
        | Question::Isolation { network, .. }
        | Question::Inverse { network, .. }
        | Question::Whatif { network, .. }
        | Question::Waypoint { network, .. } => network,
        Question::Diff {
            before,
            after,
            from,
            headers,
        } => {
            return changes::diff(arguments, before, after, from, headers.as_deref());
        }
        Question::Show { network, what } => {
            return show::show(arguments, network, what.as_deref());
        }
        _ => bail!("this command asks nothing about a network"),
    };
    let mut session = Session::open(arguments, network)?;
    let answer = answer(&mut session, question)?;
    session.finish(&answer)
}

fn answer(session: &mut Session<'_>, question: &Question) -> anyhow::Result<Answer> {
    match question {
        Question::Reach {
            from,
            to,
            headers,
            paths,
            ..
        } => reach::reach(session, from, to, headers.as_deref(), *paths),
        Question::Loops { .. } => loops(session),
        Question::Blackholes {
            from, headers, all, ..
        } => blackholes(session, from, headers.as_deref(), *all),
        Question::Isolation { slice, .. } => isolation(session, slice),
        Question::Inverse {
            from, to, headers, ..
        } => reach::inverse(session, from, to, headers.as_deref()),
        Question::Waypoint { route, through, .. } => waypoint(
            session,
            &route.from,
            &route.to,
            route.headers.as_deref(),
            through,
        ),
        Question::Whatif {
            cut,
            connect,
            remove,
            add,
            replace,
            from,
            headers,
            ..
        } => {
            let wanted = changes::Wanted {
                cut,
                connect,
                remove,
                add,
                replace,
            };
            changes::whatif(session, &wanted, from, headers.as_deref())
        }
        _ => bail!("this command asks nothing about a network"),
    }
}

/// Writes the native format or its schema.
pub fn export(
    arguments: &Arguments,
    network: Option<&Path>,
    output: Option<&Path>,
    schema: bool,
) -> anyhow::Result<Exit> {
    let text = if schema {
        serde_json::to_string_pretty(&native::schema())?
    } else {
        let path = network.context("a network is needed")?;
        let network = load::network(arguments, path)?;
        serde_json::to_string_pretty(&native::write(&network))?
    };
    match output {
        Some(path) => load::write(path, &(text + "\n"))?,
        None => writeln!(std::io::stdout().lock(), "{text}")?,
    }
    Ok(Exit::Holds)
}

/// Makes an example network.
pub fn generate(what: &Generated) -> anyhow::Result<Exit> {
    let Generated::Campus {
        folder,
        buildings,
        sound,
    } = what;
    let campus = campus::Campus {
        buildings: *buildings,
        faults: !*sound,
    };
    let files = campus.files();
    for (name, text) in &files {
        let path = folder.join(name);
        if let Some(parent) = path.parent() {
            std::fs::create_dir_all(parent)
                .with_context(|| format!("making {}", parent.display()))?;
        }
        load::write(&path, text)?;
    }
    writeln!(
        std::io::stdout().lock(),
        "{} files in {}",
        files.len(),
        folder.display()
    )?;
    Ok(Exit::Holds)
}

/// `1 loop`, `2 loops`.
fn counted(number: usize, noun: &str) -> String {
    let ending = if number == 1 { "" } else { "s" };
    format!("{number} {noun}{ending}")
}
