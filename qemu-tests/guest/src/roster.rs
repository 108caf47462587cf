// SPDX-License-Identifier: GPL-2.0-only
//! Every scenario by name. The host lists them as tests without a boot.

use anyhow::Result;

use crate::scenario;
use crate::stage::Stage;

/// The demonstration's name in plans and reports.
pub const DEMO: &str = "demo";
/// The benchmark's name in plans and reports.
pub const BENCH: &str = "bench";

/// The name in plans and reports of what [`crate::budget`] measures.
pub const BUDGETS: &str = "budgets";

/// What must be true of the module under test when a scenario starts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Needs {
    /// It is loaded with default parameters.
    Module,
    /// It is not loaded; the scenario loads and unloads it as it likes.
    NoModule,
    /// It does not matter.
    Nothing,
}

/// One thing that is proven inside a machine.
#[derive(Debug)]
pub struct Scenario {
    /// Unique, in the words of the issue it settles.
    pub name: &'static str,
    /// What a failure would mean, in one sentence.
    pub about: &'static str,
    /// Seconds it may take on a quiet machine.
    pub seconds: u64,
    /// State of the module at the start.
    pub needs: Needs,
    /// Part of the short list that every other kernel has to pass, too.
    pub smoke: bool,
    /// The scenario itself, in a process and namespaces of its own.
    pub run: fn(&Stage) -> Result<()>,
}

/// All scenarios in the order in which they are run.
pub fn all() -> impl Iterator<Item = &'static Scenario> {
    scenario::TABLES.iter().flat_map(|table| table.iter())
}

/// The scenario, demonstration or measurement called `name`.
pub fn find(name: &str) -> Option<&'static Scenario> {
    all()
        .chain([
            &crate::demo::SCENARIO,
            &crate::bench::SCENARIO,
            &crate::budget::SCENARIO,
        ])
        .find(|scenario| scenario.name == name)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn names_are_unique_and_fit_a_command_line() {
        let mut seen = BTreeSet::new();
        for scenario in all() {
            assert!(seen.insert(scenario.name), "{} twice", scenario.name);
            assert!(scenario
                .name
                .chars()
                .all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_'));
        }
    }
}
