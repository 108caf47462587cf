// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Reads the names in the specification. It is no YAML parser: it knows the
//! indentation of this one file.

use std::collections::BTreeMap;

/// The names of the specification, in its order.
#[derive(Debug, Default)]
pub struct Spec {
    /// Attributes by set.
    pub sets: BTreeMap<String, Vec<String>>,
    /// Entries by enumeration.
    pub enums: BTreeMap<String, Vec<String>>,
    /// Operations.
    pub operations: Vec<String>,
    /// One-line descriptions of attributes, by `set/attribute`.
    pub docs: BTreeMap<String, String>,
}

impl Spec {
    /// Reads `Documentation/netlink/specs/eccp.yaml`.
    pub fn read() -> Self {
        let path = concat!(
            env!("CARGO_MANIFEST_DIR"),
            "/../Documentation/netlink/specs/eccp.yaml"
        );
        let text = std::fs::read_to_string(path).unwrap_or_else(|error| panic!("{path}: {error}"));
        let mut spec = Spec::default();
        let (mut section, mut outer, mut inner) = ("", String::new(), String::new());
        let mut enumeration = false;
        for line in text.lines() {
            let indent = line.len() - line.trim_start().len();
            let (key, value) = line.trim().split_once(':').unwrap_or((line.trim(), ""));
            let value = value.trim();
            match (section, indent, key) {
                (_, 0, key) if !key.is_empty() && !key.starts_with('#') => section = key,
                ("definitions", 4, "type") => enumeration = value == "enum",
                ("definitions", 4, "name") if enumeration => {
                    spec.enums.insert(value.into(), Vec::new());
                    outer = value.into();
                }
                ("definitions", 8, "name") => {
                    spec.enums
                        .get_mut(&outer)
                        .expect("an enum before its entry")
                        .push(value.into());
                }
                ("attribute-sets", 4, "name") => {
                    spec.sets.insert(value.into(), Vec::new());
                    outer = value.into();
                }
                ("attribute-sets", 8, "name") => {
                    spec.sets
                        .get_mut(&outer)
                        .expect("a set before its attribute")
                        .push(value.into());
                    inner = value.into();
                }
                ("attribute-sets", 8, "doc") => {
                    spec.docs.insert(format!("{outer}/{inner}"), value.into());
                }
                ("operations", 6, "name") => spec.operations.push(value.into()),
                _ => {}
            }
        }
        spec
    }
}
