// SPDX-License-Identifier: GPL-2.0-only
//! AF_ECCP as its documentation recommends it for a host with two networks.

use std::os::fd::AsFd;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{ensure, Context, Result};
use eccp_netlink::flow::{Addition, Target};
use eccp_netlink::settings::SettingsAttribute;
use eccp_netlink::socket::{SocketFlow, Stream};
use eccp_netlink::{Encap, FlowState};

use super::Row;
use crate::control::Control;
use crate::namespace::Namespace;
use crate::stream::{info, Pair};
use crate::topology::{Access, Family};

/// What a host keeps in a file, so that it proves after a restart that it has forgotten.
const RESET_KEY: [u8; 32] = [0x4b; 32];
/// How long the second flow may take to be established: many round trips.
const PATIENCE: Duration = Duration::from_secs(10);

/// A reset key that survives a restart (docs/defence.md), and UDP at both ends where a router
/// masquerades.
///
/// # Errors
/// The kernel's refusal.
pub(super) fn configure(host: &Namespace, row: Row) -> Result<()> {
    let mut settings = vec![SettingsAttribute::ResetKey(RESET_KEY)];
    if row == Row::NatRebinding {
        settings.push(SettingsAttribute::Encap(Encap::Udp));
    }
    Control::open(host)?.set(settings)
}

/// Has the client hold a backup flow by lte, and waits until both ends have it.
///
/// # Errors
/// The kernel's refusal, or that nothing answers.
pub(super) fn add_backup(client: &Namespace, pair: &Pair) -> Result<()> {
    let first = info(&pair.client)?.local_flow_id;
    let addition = Addition {
        from: Target::Address(Access::LTE.address(Family::V4)),
        remote: None,
        backup: true,
    };
    Control::open(client)?.client().add_flow(first, &addition)?;
    let begin = Instant::now();
    for end in [&pair.client, &pair.server] {
        let stream = Stream::from(end.as_fd().try_clone_to_owned()?);
        loop {
            let flows = stream.flows().context("ECCP_FLOWS")?;
            if flows.iter().filter(|flow| is_open(flow)).count() == 2 {
                break;
            }
            ensure!(begin.elapsed() < PATIENCE, "no backup flow: {flows:#?}");
            thread::sleep(Duration::from_millis(5));
        }
    }
    Ok(())
}

fn is_open(flow: &SocketFlow) -> bool {
    flow.state == FlowState::Established && flow.usable
}
