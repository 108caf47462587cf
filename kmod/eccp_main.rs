// SPDX-License-Identifier: GPL-2.0
//! ECCP: connections that survive when a host changes its addresses.
//!
//! `socket/` is what programs see, `control/` what administrators see, `datapath/` the way of
//! packets, `core/` the protocol, `kernel/` the kernel's objects as safe types.

mod bundle;
mod connection;
mod control;
mod datapath;
mod flow;
#[path = "kernel/mod.rs"]
mod kernel_objects;
mod netns;
#[path = "core/src/mod.rs"]
#[allow(
    dead_code,
    unreachable_pub,
    unused_imports,
    reason = "the core serves user space as well"
)]
mod proto;
mod remote_index;
mod socket;

use kernel::prelude::*;
use kernel_objects::registration::{self, Global, Registration};

module! {
    type: Eccp,
    name: "eccp",
    authors: ["The ECCP developers"],
    description: "End-to-end connection control protocol: connections that move",
    license: "GPL v2",
    alias: ["net-pf-16-proto-16-family-eccp"],
}

static FLOWS: Global<flow::FlowTable> = Global::new();
static REMOTES: Global<remote_index::RemoteIndex> = Global::new();

/// The flows of all namespaces.
pub(crate) fn flows() -> &'static flow::FlowTable {
    FLOWS.get()
}

/// The peers' flow IDs of all namespaces.
pub(crate) fn remotes() -> &'static remote_index::RemoteIndex {
    REMOTES.get()
}

/// What the module has registered. Fields are dropped in this order when it is unloaded: first
/// what lets new work in, last what the work needs.
struct Eccp {
    _netlink: Registration,
    _family: Registration,
    _offload: Registration,
    _protocol: Registration,
    _namespaces: Registration,
    _workqueue: Registration,
    _remotes: registration::Owned<remote_index::RemoteIndex>,
    _flows: registration::Owned<flow::FlowTable>,
}

impl kernel::Module for Eccp {
    fn init(_module: &'static ThisModule) -> Result<Self> {
        let bits = registration::table_bits()?;
        let flows = FLOWS.put(KBox::pin_init(flow::FlowTable::new(bits)?, GFP_KERNEL)?);
        let remotes = REMOTES.put(KBox::pin_init(
            remote_index::RemoteIndex::new(bits)?,
            GFP_KERNEL,
        )?);
        let workqueue = registration::workqueue()?;
        let namespaces = registration::namespaces()?;
        let protocol = registration::protocol()?;
        let offload = registration::offload()?;
        let family = registration::family()?;
        let netlink = kernel_objects::genl::register()?;
        Ok(Self {
            _netlink: netlink,
            _family: family,
            _offload: offload,
            _protocol: protocol,
            _namespaces: namespaces,
            _workqueue: workqueue,
            _remotes: remotes,
            _flows: flows,
        })
    }
}
