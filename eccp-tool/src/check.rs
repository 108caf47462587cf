// SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0
//! `check`: looks at everything that must be in order, and says what is not.

mod host;
mod module;

use std::path::PathBuf;

use clap::Args;
use eccp_netlink::{Client, Error};
use serde::Serialize;

use crate::exit::Exit;
use crate::failure::Failure;
use crate::output::{Output, Show};

/// Arguments of `check`.
#[derive(Debug, Args)]
pub struct CheckCommand {
    /// Look at this module file too: was it built for the running kernel?
    #[arg(long, value_name = "FILE")]
    module: Option<PathBuf>,
}

/// How a matter stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
enum Verdict {
    /// In order.
    Ok,
    /// It may get in the way.
    Warning,
    /// ECCP cannot work like this.
    Problem,
}

/// One matter that was looked at.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
struct Finding {
    check: &'static str,
    verdict: Verdict,
    detail: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<String>,
}

impl Finding {
    fn ok(check: &'static str, detail: impl Into<String>) -> Self {
        Finding {
            check,
            verdict: Verdict::Ok,
            detail: detail.into(),
            next: None,
        }
    }

    fn warning(check: &'static str, detail: impl Into<String>, next: impl Into<String>) -> Self {
        Finding {
            verdict: Verdict::Warning,
            next: Some(next.into()),
            ..Self::ok(check, detail)
        }
    }

    fn problem(check: &'static str, detail: impl Into<String>, next: impl Into<String>) -> Self {
        Finding {
            verdict: Verdict::Problem,
            ..Self::warning(check, detail, next)
        }
    }
}

impl Show for Finding {
    fn text(&self) -> String {
        let verdict = match self.verdict {
            Verdict::Ok => "ok",
            Verdict::Warning => "warning",
            Verdict::Problem => "PROBLEM",
        };
        let line = format!("{verdict:8} {:12} {}", self.check, self.detail);
        match &self.next {
            Some(next) => format!("{line}\n{:21} next: {next}", ""),
            None => line,
        }
    }
}

/// Runs the command.
pub fn run(command: &CheckCommand, output: &mut Output) -> Result<(), Failure> {
    let client = Client::open();
    let loaded = client.is_ok();
    let mut findings = module::files(command.module.as_deref())?;
    findings.push(module::loaded(&client));
    let info = match client {
        Ok(mut client) => Some(client.info()?),
        Err(Error::FamilyMissing) => None,
        Err(error) => return Err(error.into()),
    };
    findings.push(module::family(info.as_ref().map(|info| info.family)));
    findings.push(host::permission()?);
    findings.push(host::addresses()?);
    findings.extend(host::reverse_path_filter());
    output.list(&findings)?;
    verdict(&findings, loaded)
}

fn verdict(findings: &[Finding], loaded: bool) -> Result<(), Failure> {
    let problems = findings
        .iter()
        .filter(|finding| finding.verdict == Verdict::Problem);
    match problems.count() {
        0 => Ok(()),
        _ if !loaded => Err(Failure::new(
            Exit::ModuleMissing,
            "the module is not loaded",
        )),
        1 => Err(Failure::new(Exit::CheckFailed, "1 problem")),
        several => Err(Failure::new(
            Exit::CheckFailed,
            format!("{several} problems"),
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_finding_is_shown_with_its_next_step() {
        let finding = Finding::problem("module", "not loaded", "modprobe eccp");
        insta::assert_snapshot!(finding.text(), @r"
        PROBLEM  module       not loaded
                              next: modprobe eccp
        ");
        insta::assert_snapshot!(Finding::ok("addresses", "2 usable").text(), @"ok       addresses    2 usable");
    }

    #[test]
    fn problems_end_in_a_status_of_their_own_and_warnings_do_not() {
        let warning = Finding::warning("a", "b", "c");
        let problem = Finding::problem("a", "b", "c");
        let exit = |findings: &[Finding], loaded| {
            verdict(findings, loaded).err().map(|failure| failure.exit)
        };
        assert_eq!(exit(std::slice::from_ref(&warning), true), None);
        assert_eq!(
            exit(&[warning, problem.clone()], true),
            Some(Exit::CheckFailed)
        );
        assert_eq!(exit(&[problem], false), Some(Exit::ModuleMissing));
    }
}
