// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The native format.
#![no_main]

use hsa_verify::read::{native, SourceText};
use hsa_verify_fuzz::judge;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    if let Ok(source) = SourceText::from_bytes("n.json", data) {
        judge(native::read(&source));
    }
});
