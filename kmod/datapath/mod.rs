// SPDX-License-Identifier: GPL-2.0
//! The way of packets: from the network to their flow, from TCP to the network.

pub(crate) mod control;
pub(crate) mod datagram;
pub(crate) mod rx;
pub(crate) mod tx;
