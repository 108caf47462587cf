// SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0
//! The documentation names everything that the kernel may say.

use std::fs;
use std::path::{Path, PathBuf};

use eccp_netlink::settings::SettingsAttribute;
use eccp_netlink::stats::Counter;
use eccp_netlink::{AttributeSet, Command};
use eccp_tool::Exit;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn read(path: &str) -> String {
    let path = root().join(path);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The texts between `start` and `end` in a source file.
fn texts<'a>(source: &'a str, start: &'a str, end: char) -> impl Iterator<Item = &'a str> {
    source
        .split(start)
        .skip(1)
        .filter_map(move |rest| rest.split(end).next())
}

#[test]
fn every_counter_is_explained() {
    let page = read("docs/errors.md");
    for (_, name, words) in Counter::TABLE {
        assert!(page.contains(&format!("| `{name}` | {words} |")), "{name}");
    }
}

#[test]
fn every_text_of_a_refusal_is_explained() {
    let page = read("docs/errors.md");
    let mut found = 0;
    let folder = root().join("kmod/control");
    for entry in fs::read_dir(folder).expect("kmod/control") {
        let source = fs::read_to_string(entry.expect("an entry").path()).expect("a source file");
        for text in texts(&source, "c\"", '"') {
            assert!(page.contains(text), "{text:?} is not in docs/errors.md");
            found += 1;
        }
    }
    assert!(found > 10, "only {found} texts were found");
}

#[test]
fn every_error_of_a_socket_is_explained() {
    let errors = read("docs/errors.md");
    let manual = read("eccp-tool/man/eccp.7");
    let mut found = 0;
    for file in ["mod", "options", "address"] {
        let source = read(&format!("kmod/socket/{file}.rs"));
        for rest in texts(&source, "Err(E", ')') {
            let name = format!("E{rest}");
            if !name.bytes().all(|byte| byte.is_ascii_uppercase()) {
                continue;
            }
            assert!(errors.contains(&name), "{name} is not in docs/errors.md");
            assert!(manual.contains(&name), "{name} is not in eccp(7)");
            found += 1;
        }
    }
    assert!(found > 10, "only {found} errors were found");
}

#[test]
fn every_setting_event_and_status_is_explained() {
    let page = read("docs/eccp-tool.md");
    for (_, name) in SettingsAttribute::NAMES {
        assert!(page.contains(&format!("| `{name}` |")), "{name}");
    }
    for (number, name, _) in Command::TABLE.iter().filter(|(number, _, _)| *number >= 8) {
        assert!(page.contains(name), "event {number} {name}");
    }
    for (exit, meaning) in Exit::TABLE {
        let line = format!("| {} | {meaning}", exit as u8);
        assert!(page.replace('`', "").contains(&line), "{line}");
    }
}
