// SPDX-License-Identifier: GPL-2.0
//! What administrators see and change.

pub(crate) mod counters;
mod describe;
mod flow_requests;
pub(crate) mod netlink;
pub(crate) mod notify;
mod redirects;
mod rules;
mod settings;
pub(crate) mod snapshot;
