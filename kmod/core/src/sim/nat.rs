// SPDX-License-Identifier: GPL-2.0-only
//! NATs: they translate what leaves, and let nothing in that was not asked for.

use std::vec::Vec;

use crate::address::{IpAddr128, Path};

/// Which outside port a NAT gives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mapping {
    /// One for each inside address, port and destination.
    PerDestination,
    /// One for each inside address and port, whatever the destination.
    PerSource,
    /// The inside port.
    Preserving,
}

/// A NAT that lets a packet in only from an address and port that one has gone out to. With the
/// outside address inside as well, it is a filter that translates nothing.
#[derive(Clone, Debug)]
pub struct Nat {
    /// The address that the outside sees.
    pub outside: IpAddr128,
    /// Addresses whose packets it translates.
    pub inside: Vec<IpAddr128>,
    /// Which ports it gives.
    pub mapping: Mapping,
    /// What has gone out, and the outside port that it got.
    bindings: Vec<(Path, u16)>,
    next_port: u16,
}

impl Nat {
    /// A NAT without bindings that gives each destination a port of its own.
    #[must_use]
    pub fn new(outside: IpAddr128, inside: Vec<IpAddr128>) -> Self {
        Self {
            outside,
            inside,
            mapping: Mapping::PerDestination,
            bindings: Vec::new(),
            next_port: 20_000,
        }
    }

    /// The same with another choice of ports.
    #[must_use]
    pub fn with(mut self, mapping: Mapping) -> Self {
        self.mapping = mapping;
        self
    }

    /// Forgets all bindings; the next packets get other ports, unless theirs are preserved.
    pub fn flush(&mut self) {
        self.bindings.clear();
    }

    /// How a packet that leaves looks outside.
    pub(super) fn leave(&mut self, path: Path) -> Path {
        if !self.inside.contains(&path.local) || self.inside.contains(&path.remote) {
            return path;
        }
        let key = Path { ifindex: 0, ..path };
        let same_source = |inside: &Path| {
            let source = (inside.local, inside.encap, inside.local_port);
            source == (path.local, path.encap, path.local_port)
        };
        let known = self.bindings.iter().find(|(inside, _)| *inside == key);
        let mut of_source = self
            .bindings
            .iter()
            .filter(|(inside, _)| same_source(inside));
        let port = match (known, self.mapping) {
            (Some((_, port)), _) => Some(*port),
            (None, Mapping::PerDestination) => None,
            (None, Mapping::PerSource) => of_source.next().map(|(_, port)| *port),
            (None, Mapping::Preserving) => Some(path.local_port),
        };
        let port = port.unwrap_or_else(|| {
            self.next_port = self.next_port.saturating_add(1);
            self.next_port
        });
        if known.is_none() {
            self.bindings.push((key, port));
        }
        Path {
            local: self.outside,
            local_port: port,
            ..path
        }
    }

    /// How a packet that enters looks inside; `None` if nobody there has asked for it.
    pub(super) fn enter(&self, path: Path) -> Option<Path> {
        if path.remote != self.outside {
            // No route leads to an inside address from outside.
            let crosses = self.inside.contains(&path.remote) && !self.inside.contains(&path.local);
            return Some(path).filter(|_| !crosses);
        }
        let fits = |inside: &Path, port: u16| {
            port == path.remote_port
                && inside.remote == path.local
                && inside.remote_port == path.local_port
        };
        let (inside, _) = self
            .bindings
            .iter()
            .find(|(inside, port)| fits(inside, *port))?;
        Some(Path {
            remote: inside.local,
            remote_port: inside.local_port,
            ..path
        })
    }
}
