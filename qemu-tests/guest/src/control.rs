// SPDX-License-Identifier: GPL-2.0-only
//! Generic netlink of one host's namespace, and what a scenario waits for in it.

use std::collections::BTreeMap;
use std::fmt;
use std::net::{IpAddr, TcpStream};
use std::os::fd::BorrowedFd;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{bail, ensure, Context, Result};
use eccp_netlink::flow::{Flow, Target};
use eccp_netlink::settings::SettingsAttribute;
use eccp_netlink::socket::SocketInfo;
use eccp_netlink::stats::{Counter, StatsAttribute};
use eccp_netlink::{Client, FlowState};

use crate::namespace::{in_namespace, Namespace};
use crate::stream;

/// How often a state that is waited for is looked at.
const INTERVAL: Duration = Duration::from_millis(5);

/// The module's netlink in one namespace.
#[derive(Debug)]
pub struct Control {
    client: Client,
}

impl Control {
    /// Opens it for `namespace`.
    ///
    /// # Errors
    /// When the family is missing there.
    pub fn open(namespace: &Namespace) -> Result<Self> {
        Control::open_in(namespace.as_fd())
    }

    /// Opens it for the namespace behind `handle`.
    ///
    /// # Errors
    /// When the family is missing there.
    pub fn open_in(handle: BorrowedFd<'_>) -> Result<Self> {
        let client = in_namespace(handle, || Ok(Client::open()?))?;
        Ok(Control { client })
    }

    /// Changes settings of the namespace.
    ///
    /// # Errors
    /// The kernel's refusal.
    pub fn set(&mut self, settings: Vec<SettingsAttribute>) -> Result<()> {
        Ok(self.client.set_settings(settings)?)
    }

    /// Starts to move the flow with local ID `flow`.
    ///
    /// # Errors
    /// The kernel's refusal.
    pub fn move_flow(&mut self, flow: u64, to: IpAddr) -> Result<u64> {
        self.client
            .move_flow(flow, Target::Address(to))
            .with_context(|| format!("moving flow {flow:#x} to {to}"))
    }

    /// All flows of the namespace.
    ///
    /// # Errors
    /// The kernel's refusal.
    pub fn flows(&mut self) -> Result<Vec<Flow>> {
        let dump = self.client.flows()?;
        ensure!(
            dump.consistent,
            "the flows changed during every one of several dumps"
        );
        Ok(dump.items)
    }

    /// All counters of the namespace.
    ///
    /// # Errors
    /// The kernel's refusal.
    pub fn counters(&mut self) -> Result<Counters> {
        let mut values = BTreeMap::new();
        for attribute in self.client.stats()? {
            match attribute {
                StatsAttribute::Counter(counter, value) => {
                    values.insert(counter.to_string(), value);
                }
                other => bail!("a counter that the specification does not have: {other:?}"),
            }
        }
        Ok(Counters { values })
    }

    /// The plain client, for requests that are meant to fail.
    pub fn client(&mut self) -> &mut Client {
        &mut self.client
    }
}

/// Counters of a namespace at one moment.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Counters {
    values: BTreeMap<String, u64>,
}

impl Counters {
    /// One counter.
    pub fn get(&self, counter: Counter) -> u64 {
        self.values.get(&counter.to_string()).copied().unwrap_or(0)
    }

    /// How much each counter has grown since `earlier`.
    pub fn since(&self, earlier: &Counters) -> Counters {
        let values = self
            .values
            .iter()
            .map(|(name, value)| {
                let before = earlier.values.get(name).copied().unwrap_or(0);
                (name.clone(), value.saturating_sub(before))
            })
            .collect();
        Counters { values }
    }

    /// The sum of all counters that count a dropped packet.
    pub fn drops(&self) -> u64 {
        self.values
            .iter()
            .filter(|(name, _)| name.starts_with("drop-"))
            .map(|(_, value)| value)
            .sum()
    }
}

/// The counters that are not zero.
impl fmt::Display for Counters {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut separator = "";
        for (name, value) in self.values.iter().filter(|(_, value)| **value > 0) {
            write!(f, "{separator}{name} {value}")?;
            separator = ", ";
        }
        Ok(())
    }
}

/// Waits until the socket's information satisfies `done`.
///
/// # Errors
/// Says what the socket shows instead after `limit`.
pub fn wait_until(
    socket: &TcpStream,
    what: &str,
    limit: Duration,
    done: impl Fn(&SocketInfo) -> bool,
) -> Result<SocketInfo> {
    let begin = Instant::now();
    loop {
        let info = stream::info(socket)?;
        if done(&info) {
            return Ok(info);
        }
        ensure!(
            begin.elapsed() < limit,
            "not {what} after {limit:?}: the flow is {:?} from {} to {}, versions {}/{}",
            info.state,
            info.local,
            info.remote,
            info.local_flow_version,
            info.remote_flow_version
        );
        thread::sleep(INTERVAL);
    }
}

/// Waits until the socket's flow is established with `local` as its own address.
///
/// # Errors
/// As [`wait_until`].
pub fn wait_local(socket: &TcpStream, local: IpAddr, limit: Duration) -> Result<SocketInfo> {
    wait_until(socket, &format!("established at {local}"), limit, |info| {
        info.local == local && info.state == FlowState::Established
    })
}

/// Waits until the socket's flow is established with `remote` as the peer's address.
///
/// # Errors
/// As [`wait_until`].
pub fn wait_remote(socket: &TcpStream, remote: IpAddr, limit: Duration) -> Result<SocketInfo> {
    wait_until(socket, &format!("established to {remote}"), limit, |info| {
        info.remote == remote && info.state == FlowState::Established
    })
}
