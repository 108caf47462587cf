// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Lists of links.
#![no_main]

use hsa_verify::header::Layout;
use hsa_verify::model::{Network, PortKind};
use hsa_verify::read::links::add_links;
use hsa_verify::read::SourceText;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let mut network = Network::new(Layout::stanford());
    for name in ["a", "b", "c"] {
        let device = network.add_device(name);
        for port in ["gi1", "te2/1", "po1"] {
            network.add_port(device, port, PortKind::Physical, None);
        }
    }
    network.ports[2].members = vec!["gi2".into(), "gi3".into()];
    if let Ok(source) = SourceText::from_bytes("links.txt", data) {
        if add_links(&mut network, &source).is_ok() {
            network.validate().expect("links between ports that exist");
        }
    }
});
