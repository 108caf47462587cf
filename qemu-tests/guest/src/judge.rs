// SPDX-License-Identifier: GPL-2.0-only
//! The acceptor and what it reads, from the tests of the core: one judge for the simulator and for
//! the kernel module.

#[path = "../../../kmod/core/tests/model/acceptor.rs"]
pub mod acceptor;
#[path = "../../../kmod/core/tests/model/forgery.rs"]
pub mod forgery;
#[path = "../../../kmod/core/tests/model/pcap.rs"]
pub mod pcap;
#[path = "../../../kmod/core/tests/model/trace.rs"]
pub mod trace;
