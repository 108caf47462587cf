// SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0
//! The program from outside: exit status and what it prints, without a module.

use std::process::{Command, Output, Stdio};

fn tool(arguments: &[&str]) -> Output {
    let program = env!("CARGO_BIN_EXE_eccp-tool");
    Command::new(program)
        .args(arguments)
        .output()
        .expect("the program runs")
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[test]
fn help_teaches_by_examples_and_succeeds() {
    let output = tool(&["--help"]);
    assert_eq!(output.status.code(), Some(0));
    let help = text(&output.stdout);
    for word in [
        "flow",
        "monitor",
        "check",
        "Examples:",
        "--netns",
        "Exit status",
    ] {
        assert!(help.contains(word), "{word} is missing in\n{help}");
    }
    assert!(!help.contains("completions"));
}

#[test]
fn every_command_has_help() {
    for words in [
        &["connection", "show"][..],
        &["flow", "show"],
        &["flow", "move"],
        &["monitor"],
        &["stats"],
        &["settings", "show"],
        &["settings", "set"],
        &["info"],
        &["check"],
    ] {
        let output = tool(&[words, &["--help"]].concat());
        assert_eq!(output.status.code(), Some(0), "{words:?}");
        assert!(output.stdout.len() > 100, "{words:?}");
    }
}

#[test]
fn a_mistake_on_the_command_line_ends_in_status_1() {
    for words in [
        &["fly"][..],
        &["flow", "move", "a1"],
        &["flow", "move", "a1", "--to", "nowhere"],
        &["settings", "set", "encap"],
        &["settings", "set", "colour", "blue"],
        &["stats", "--diff=-1"],
        &["connection", "show", "xyz", "more"],
    ] {
        let output = tool(words);
        assert_eq!(
            output.status.code(),
            Some(1),
            "{words:?}: {}",
            text(&output.stderr)
        );
        assert!(!output.stderr.is_empty(), "{words:?}");
    }
}

#[test]
fn a_namespace_that_does_not_exist_ends_in_status_4_and_is_named() {
    let output = tool(&["-n", "no-such-namespace", "info"]);
    assert_eq!(output.status.code(), Some(4));
    let error = text(&output.stderr);
    assert!(
        error.contains("no-such-namespace") && error.contains("next:"),
        "{error}"
    );
}

#[test]
fn a_reader_that_goes_away_is_no_failure() {
    let program = env!("CARGO_BIN_EXE_eccp-tool");
    let mut child = Command::new(program)
        .args(["completions", "bash"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the program runs");
    drop(child.stdout.take());
    let output = child.wait_with_output().expect("the program ends");
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    assert!(output.stderr.is_empty(), "{}", text(&output.stderr));
}

#[test]
fn completions_know_the_commands() {
    for shell in ["bash", "zsh", "fish"] {
        let output = tool(&["completions", shell]);
        assert_eq!(output.status.code(), Some(0));
        assert!(text(&output.stdout).contains("connection"), "{shell}");
    }
}

#[test]
fn check_reports_every_matter_as_json() {
    let output = tool(&["-j", "check"]);
    let findings: serde_json::Value = serde_json::from_slice(&output.stdout).expect("JSON");
    let names: Vec<_> = findings
        .as_array()
        .expect("an array")
        .iter()
        .map(|finding| finding["check"].as_str().expect("a name").to_string())
        .collect();
    for name in ["installed", "module", "family", "permission", "addresses"] {
        assert!(
            names.iter().any(|known| known == name),
            "{name} not in {names:?}"
        );
    }
    let loaded = findings
        .as_array()
        .unwrap()
        .iter()
        .any(|finding| finding["check"] == "module" && finding["verdict"] == "ok");
    if !loaded {
        assert_eq!(output.status.code(), Some(3));
    }
}
