// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Junos forwarding tables, interfaces and routes. The first byte picks the command.
#![no_main]

use hsa_verify_fuzz::feed_shown;
use libfuzzer_sys::fuzz_target;

const CONFIG: &[u8] =
    b"set interfaces xe-0/0/0 unit 5 vlan-id 5\nset interfaces xe-0/0/0 unit 5 family inet address 10.0.0.1/24\n";

const BEGINNINGS: [&str; 5] = [
    "Routing table: default.inet\nInternet:\nDestination Type RtRef Next hop Type Index NhRef Netif\n",
    "<vn><router name=\"pe1\"><interface-information>",
    "{\"interface-information\":",
    "{\"route-information\":",
    "",
];

fuzz_target!(|data: &[u8]| feed_shown("pe1", CONFIG, &BEGINNINGS, data));
