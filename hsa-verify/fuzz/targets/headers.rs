// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Header expressions as people write them.
#![no_main]

use hsa_verify::header::Layout;
use hsa_verify::read::openflow;
use hsa_verify::report::parse_expression;
use hsa_verify::space::Space;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    if let Ok(text) = std::str::from_utf8(data) {
        for layout in [Layout::stanford(), openflow::layout()] {
            let mut space = Space::new(layout.length as usize);
            if let Ok(set) = parse_expression(text, &layout, &mut space) {
                assert_eq!(set.is_empty(), space.sample(set).is_none());
            }
        }
    }
});
