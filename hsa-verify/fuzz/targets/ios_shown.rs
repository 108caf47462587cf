// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Output of IOS show commands beside a configuration. The first byte picks the command.
#![no_main]

use hsa_verify_fuzz::feed_shown;
use libfuzzer_sys::fuzz_target;

const CONFIG: &[u8] = b"hostname r1\nvlan 10\ninterface GigabitEthernet1/0/1\n switchport access vlan 10\n\
interface GigabitEthernet1/0/2\n switchport mode trunk\n ip access-group 101 in\n\
interface Vlan10\n ip address 10.0.10.1 255.255.255.0\n ip access-group guests in\n\
interface TenGigabitEthernet1/1\n ip address 10.0.0.1 255.255.255.252\n\
interface TenGigabitEthernet1/2.5\n encapsulation dot1Q 5\n vrf forwarding RED\n ip address 10.0.5.1 255.255.255.0\n";

const BEGINNINGS: [&str; 10] = [
    "Prefix Next Hop Interface\n",
    "Codes: L - local, C - connected\n\n",
    "Protocol  Address  Age (min)  Hardware Addr   Type   Interface\n",
    "  vlan   mac address     type    learn     age    ports\n",
    "VLAN0010\n",
    "GigabitEthernet1/0/1 is up, line protocol is up\n",
    "VLAN Name Status Ports\n",
    "Extended IP access list guests\n",
    "Device ID: r1\nInterface: GigabitEthernet1/0/1,  Port ID (outgoing port): GigabitEthernet1/0/2\n",
    "",
];

fuzz_target!(|data: &[u8]| feed_shown("r1", CONFIG, &BEGINNINGS, data));
