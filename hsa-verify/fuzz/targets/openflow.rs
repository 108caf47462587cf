// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Dumps of flows and, after a byte 0x1e, of groups.
#![no_main]

use hsa_verify::read::snapshot::Options;
use hsa_verify_fuzz::{feed, halves};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let (flows, groups) = halves(data);
    let flows = [b" cookie=0x0, actions=drop\n", flows].concat();
    if groups.is_empty() {
        feed(&[("s1.flows", &flows)], &Options::default());
    } else {
        let groups = [b"OFPST_GROUP_DESC reply\n", groups].concat();
        feed(
            &[("s1.flows", &flows), ("s1.groups", &groups)],
            &Options::default(),
        );
    }
});
