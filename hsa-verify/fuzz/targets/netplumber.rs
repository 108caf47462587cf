// SPDX-License-Identifier: Apache-2.0 OR MIT
//! A table of NetPlumber and, after a byte 0x1e, a topology.
#![no_main]

use hsa_verify::read::snapshot::Options;
use hsa_verify_fuzz::{feed, halves};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let (table, topology) = halves(data);
    if topology.is_empty() {
        feed(&[("t.rules.json", table)], &Options::default());
    } else {
        let files = [("t.rules.json", table), ("topology.json", topology)];
        feed(&files, &Options::default());
    }
});
