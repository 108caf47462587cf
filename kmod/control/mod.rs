// SPDX-License-Identifier: GPL-2.0
//! What administrators see and change.

pub(crate) mod counters;
pub(crate) mod notify;
pub(crate) mod snapshot;
