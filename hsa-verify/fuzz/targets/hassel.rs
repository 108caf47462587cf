// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Hassel's transfer functions and, after a byte 0x1e, its topology.
#![no_main]

use hsa_verify::read::hassel::{read_dir, Options};
use hsa_verify_fuzz::{halves, judge};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let (rules, topology) = halves(data);
    let folder = tempfile::tempdir().expect("a temporary folder");
    let write = |name: &str, bytes: &[u8]| {
        std::fs::write(folder.path().join(name), bytes).expect("a file");
    };
    write("a.tf", &[b"12$a$1$0$0$\n#\n", rules].concat());
    write("stages", b"2\n");
    write("port_map.txt", b"$a\nge1:100001\nge2:100002\n");
    write("topology.tf", &[b"12$link$1$0$0$\n#\n", topology].concat());
    for honour_fwd_masks in [false, true] {
        let options = Options {
            honour_fwd_masks,
            ..Options::default()
        };
        judge(read_dir(folder.path(), &options));
    }
});
