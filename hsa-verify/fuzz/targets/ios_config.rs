// SPDX-License-Identifier: Apache-2.0 OR MIT
//! IOS configurations, read as a router has it and as Hassel's generator has it.
#![no_main]

use hsa_verify::read::ios::quirks::Quirks;
use hsa_verify::read::snapshot::Options;
use hsa_verify_fuzz::feed;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let named: Vec<u8> = [b"hostname r1\n", data].concat();
    for quirks in [Quirks::default(), Quirks::hassel()] {
        let options = Options {
            quirks,
            ..Options::default()
        };
        feed(&[("r1_config.txt", &named)], &options);
    }
});
