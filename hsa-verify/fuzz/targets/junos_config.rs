// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Junos configurations.
#![no_main]

use hsa_verify::read::snapshot::Options;
use hsa_verify_fuzz::feed;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let named: Vec<u8> = [b"set version 1\n", data].concat();
    feed(&[("pe1_config.txt", &named)], &Options::default());
});
