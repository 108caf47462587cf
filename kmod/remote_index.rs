// SPDX-License-Identifier: GPL-2.0
//! Which flow IDs live flows send to. ICMP errors quote them, and resets of peers that have lost
//! all else name them, and nothing of ours.

use crate::{
    flow::Flow,
    kernel_objects::{
        net::NetRef,
        rcu_table::{Entry, Link, RcuTable},
        work::{Task, Work},
    },
    proto::host::Host,
};
use kernel::{
    prelude::*,
    sync::{rcu, Arc},
};

/// A flow ID that a peer chose.
pub(crate) struct Remote {
    key: u64,
    net: NetRef,
    /// Local ID of the flow that sends to it.
    flow: u64,
    link: Link<Remote>,
    free: Work,
}

impl Entry for Remote {
    fn key(&self) -> u64 {
        self.key
    }

    fn link(&self) -> &Link<Self> {
        &self.link
    }
}

/// The flow IDs of peers. They choose them, so the table's keys are mixed with secrets.
#[pin_data]
pub(crate) struct RemoteIndex {
    #[pin]
    table: RcuTable<Remote>,
    mask: u64,
    factor: u64,
}

impl RemoteIndex {
    pub(crate) fn new(bits: u32) -> Result<impl PinInit<Self, Error>> {
        let table = RcuTable::new(bits)?;
        let mut secret = [0; 16];
        crate::kernel_objects::crypto::KernelHost::new().random(&mut secret);
        let [a, b] = [0, 8].map(|at| {
            secret
                .get(at..at + 8)
                .and_then(|s| s.try_into().ok())
                .map_or(1, u64::from_ne_bytes)
        });
        Ok(try_pin_init!(Self {
            table <- table,
            mask: a,
            factor: b | 1,
        }))
    }

    /// A bijection, so that different IDs keep different keys.
    fn key(&self, remote_id: u64) -> u64 {
        (remote_id ^ self.mask)
            .wrapping_mul(self.factor)
            .rotate_right(32)
    }

    /// Adds the peer's ID of a flow that answers to `local_id`. Without memory for it, path MTU
    /// errors are not believed.
    pub(crate) fn add_as(&self, net: NetRef, remote_id: u64, flow: &Flow, local_id: u64) {
        let entry = Work::new().and_then(|free| {
            let entry = Arc::new(
                Remote {
                    key: self.key(remote_id),
                    net,
                    flow: local_id,
                    link: Link::new(),
                    free,
                },
                GFP_KERNEL,
            )?;
            entry.free.own(&entry, Task::RemoteFree);
            Ok(entry)
        });
        if let Ok(entry) = entry {
            if self.table.insert(entry).is_ok() {
                flow.set_remote(remote_id);
            }
        }
    }

    /// As [`RemoteIndex::add_as`], for a flow with its first ID.
    pub(crate) fn add(&self, net: NetRef, remote_id: u64, flow: &Flow) {
        self.add_as(net, remote_id, flow, flow.id);
    }

    /// Takes the peer's ID of a flow out again.
    pub(crate) fn remove(&self, flow: &Flow) {
        let Some(remote_id) = flow.take_remote() else {
            return;
        };
        if let Some(entry) = self.table.find(self.key(remote_id)) {
            if let Some(removed) = self.table.remove(&entry) {
                removed.free_later(|entry| &entry.free);
            }
        }
    }

    /// The local ID of the flow of the namespace that sends to that ID.
    pub(crate) fn flow(&self, net: NetRef, remote_id: u64) -> Option<u64> {
        let guard = rcu::read_lock();
        let entry = self.table.get(&guard, self.key(remote_id));
        entry.filter(|entry| entry.net == net).map(|entry| entry.flow)
    }
}
