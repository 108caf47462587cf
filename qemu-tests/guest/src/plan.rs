// SPDX-License-Identifier: GPL-2.0-only
//! What the host asks of a machine: one JSON file in the root of its image.

use serde::{Deserialize, Serialize};

use crate::budget::Row;

/// Where the plan lies in the image.
pub const PATH: &str = "/plan.json";

/// Everything PID 1 needs to know that the kernel does not tell it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Plan {
    /// What to do once the machine is up.
    pub task: Task,
    /// Seed of every random choice in the machine.
    pub seed: u64,
    /// Kernel modules to load at start, dependencies first, as paths in the image.
    pub modules: Vec<String>,
    /// The module under test as a path in the image; none for runs on plain TCP.
    pub eccp_module: Option<String>,
    /// Socket family of the traffic that scenarios, demo and bench send.
    pub transport: Transport,
}

/// The uses of a machine.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Task {
    /// Run these scenarios in this order.
    Scenarios(Vec<String>),
    /// Carry a file of this many bytes across moves, with TCP beside it.
    Demo {
        /// Length of the file.
        bytes: u64,
    },
    /// Count instructions per byte; each sample sends this many bytes.
    Bench {
        /// Bytes in one sample.
        bytes: u64,
    },
    /// Measure how long delivery pauses when the network changes.
    Budgets {
        /// The changes, in this order.
        rows: Vec<Row>,
        /// How often each is made.
        repetitions: u32,
    },
    /// Give the console to a person.
    Shell,
}

/// Which socket family carries the payload.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Transport {
    /// AF_ECCP stream sockets.
    Eccp,
    /// AF_INET and AF_INET6 stream sockets: the yardstick and the control group.
    Tcp,
}
