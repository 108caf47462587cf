// SPDX-License-Identifier: Apache-2.0 OR MIT
//! One network under question: compiled rules, progress, and the way out for answers.

use super::arguments::Arguments;
use super::exit::Exit;
use super::load;
use anyhow::Context;
use hsa_verify::model::{Network, PortId};
use hsa_verify::report::{self, Answer};
use hsa_verify::space::Set;
use hsa_verify::transfer::Plane;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use std::io::{IsTerminal, Write};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

/// A compiled network with the arguments of the question.
pub struct Session<'a> {
    /// Arguments.
    pub arguments: &'a Arguments,
    /// The network.
    pub network: Arc<Network>,
    /// Its transfer functions and header sets.
    pub plane: Plane,
    /// Name for titles.
    pub name: String,
}

impl<'a> Session<'a> {
    /// Reads and compiles.
    pub fn open(arguments: &'a Arguments, path: &Path) -> anyhow::Result<Self> {
        let progress = spinner(arguments, "reading");
        let network = load::network(arguments, path)?;
        progress.set_message("compiling");
        let session = Self::new(arguments, network, path.display().to_string())?;
        progress.finish_and_clear();
        Ok(session)
    }

    /// Compiles a network that was read already.
    pub fn new(arguments: &'a Arguments, network: Network, name: String) -> anyhow::Result<Self> {
        let network = Arc::new(network);
        let plane = Plane::compile(network.clone()).with_context(|| name.clone())?;
        Ok(Self {
            arguments,
            network,
            plane,
            name,
        })
    }

    /// Cubes to print of a set.
    pub fn cubes(&self) -> usize {
        self.arguments.common.cubes
    }

    /// A set from the text of an option; all headers if there is none.
    pub fn headers(&mut self, text: Option<&str>) -> anyhow::Result<Set> {
        match text {
            None => Ok(Set::ALL),
            Some(text) => {
                let layout = &self.network.layout;
                Ok(report::parse_expression(
                    text,
                    layout,
                    &mut self.plane.space,
                )?)
            }
        }
    }

    /// `box:port`.
    pub fn port(&self, port: PortId) -> String {
        self.network.port_name(port)
    }

    /// A set in lines.
    pub fn lines(&mut self, set: Set) -> Vec<String> {
        let limit = self.cubes();
        report::set_lines(&mut self.plane.space, &self.network.layout, set, limit)
    }

    /// A set in JSON.
    pub fn json(&mut self, set: Set) -> serde_json::Value {
        let limit = self.cubes();
        report::set_json(&mut self.plane.space, &self.network.layout, set, limit)
    }

    /// The number of headers in a set, short.
    pub fn count(&mut self, set: Set) -> String {
        report::count_text(&self.plane.space.count(set))
    }

    /// A packet of a set, as text.
    pub fn packet(&mut self, set: Set) -> String {
        let packet = self.plane.space.sample(set);
        packet.map_or_else(String::new, |p| {
            report::packet_text(&self.network.layout, &p)
        })
    }

    /// Prints the answer and writes picture and page.
    pub fn finish(&self, answer: &Answer) -> anyhow::Result<Exit> {
        let common = &self.arguments.common;
        if let Some(path) = &common.svg {
            load::write(path, &report::draw(&self.network, &answer.marks))?;
        }
        if let Some(path) = &common.html {
            load::write(path, &report::page(&self.network, &self.name, answer))?;
        }
        let mut out = std::io::stdout().lock();
        if common.json {
            let mut json = answer.json.clone();
            if let Some(map) = json.as_object_mut() {
                map.insert("question".to_owned(), answer.question.into());
                map.insert("good".to_owned(), answer.good.into());
                map.insert("network".to_owned(), self.name.clone().into());
                map.insert("not_in_model".to_owned(), grave_notes(&self.network).into());
            }
            serde_json::to_writer_pretty(&mut out, &json)?;
            writeln!(out)?;
        } else {
            out.write_all(answer.text().as_bytes())?;
        }
        out.flush()?;
        Ok(answer.good.into())
    }
}

/// How many kinds of lines are not in the model.
pub fn grave_notes(network: &Network) -> usize {
    use hsa_verify::model::NoteKind;
    network
        .notes
        .iter()
        .filter(|n| n.kind != NoteKind::Ignored)
        .count()
}

fn target(arguments: &Arguments) -> ProgressDrawTarget {
    if arguments.common.quiet || !std::io::stderr().is_terminal() {
        ProgressDrawTarget::hidden()
    } else {
        ProgressDrawTarget::stderr()
    }
}

/// A spinner for work of unknown length; shows on terminals only.
pub fn spinner(arguments: &Arguments, message: &'static str) -> ProgressBar {
    let bar = ProgressBar::with_draw_target(None, target(arguments));
    bar.set_message(message);
    bar.enable_steady_tick(Duration::from_millis(120));
    bar
}

/// A bar for work of known length; shows on terminals only.
pub fn bar(arguments: &Arguments, length: usize, message: &'static str) -> ProgressBar {
    let bar = ProgressBar::with_draw_target(Some(length as u64), target(arguments));
    let style = ProgressStyle::with_template("{msg} [{bar:40}] {pos}/{len} {eta}");
    if let Ok(style) = style {
        bar.set_style(style);
    }
    bar.set_message(message);
    bar
}
