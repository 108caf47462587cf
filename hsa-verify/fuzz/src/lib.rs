// SPDX-License-Identifier: Apache-2.0 OR MIT
//! What every target asks of a reader: whatever the bytes are, it refuses them with a message that
//! names the place, or gives a network that is sound, compiles, and survives its own format.

use hsa_verify::model::Network;
use hsa_verify::read::snapshot::{read_sources, Options};
use hsa_verify::read::{native, ReadError, SourceText};
use hsa_verify::transfer::Plane;
use std::path::PathBuf;
use std::sync::Arc;

/// Reads files given by name and content as one network, and checks what comes out.
pub fn feed(files: &[(&str, &[u8])], options: &Options) {
    let open = |(name, bytes): &(&str, &[u8])| {
        let source = SourceText::from_bytes(*name, bytes)?;
        Ok((source, PathBuf::from(name)))
    };
    let sources: Result<Vec<_>, ReadError> = files.iter().map(open).collect();
    match sources {
        Ok(sources) => judge(read_sources(sources, options, &[PathBuf::from("net")])),
        Err(e) => judge(Err(e)),
    }
}

/// Feeds a box: its configuration, and the output of a command that begins as the first byte of
/// `data` picks from `beginnings` and goes on as the rest says.
pub fn feed_shown(name: &str, config: &[u8], beginnings: &[&str], data: &[u8]) {
    let Some((pick, rest)) = data.split_first() else {
        return;
    };
    let beginning = beginnings[usize::from(*pick) % beginnings.len()];
    let shown = [beginning.as_bytes(), rest].concat();
    let (config_name, shown_name) = (format!("{name}_config.txt"), format!("{name}-show_x.txt"));
    let files = [
        (config_name.as_str(), config),
        (shown_name.as_str(), &shown),
    ];
    feed(&files, &Options::default());
}

/// Checks an answer of a reader.
pub fn judge(answer: Result<Network, ReadError>) {
    let network = match answer {
        Ok(network) => network,
        Err(e) => {
            assert!(!e.to_string().trim_start_matches(": ").is_empty());
            return;
        }
    };
    network
        .validate()
        .expect("a network that was read is sound");
    let text = serde_json::to_string(&native::write(&network)).expect("plain values");
    let source = SourceText::from_bytes("again", text.as_bytes()).expect("JSON is text");
    let again = native::read(&source).expect("what is exported is read");
    assert_eq!(again.rule_count(), network.rule_count());
    if network.rule_count() < 2_000 {
        Plane::compile(Arc::new(network)).expect("a sound network compiles");
    }
}

/// The two halves of an input, parted by the first byte 0x1e.
pub fn halves(data: &[u8]) -> (&[u8], &[u8]) {
    let at = data.iter().position(|b| *b == 0x1e).unwrap_or(data.len());
    (&data[..at], data.get(at + 1..).unwrap_or_default())
}
