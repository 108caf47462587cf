// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Layer-2 membership: which VLANs a port carries, and the broadcast domains that follow.

use super::network::{Network, Origin, PortId};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// How a port carries VLANs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum L2Mode {
    /// Untagged member of one VLAN.
    Access(u16),
    /// Tagged member of many.
    Trunk {
        /// VLANs it carries.
        allowed: BTreeSet<u16>,
        /// The VLAN of untagged frames.
        native: Option<u16>,
    },
}

/// Layer-2 facts about a port.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct L2Port {
    /// The port.
    pub port: PortId,
    /// Access or trunk.
    pub mode: L2Mode,
    /// VLANs in which spanning tree keeps the port from forwarding.
    #[serde(default)]
    pub blocked: BTreeSet<u16>,
    /// Where it was read.
    pub origin: Option<Origin>,
}

/// A set of ports that hear each other's broadcasts in one VLAN.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct L2Domain {
    /// The VLAN.
    pub vlan: u16,
    /// The member ports, ascending.
    pub ports: Vec<PortId>,
}

impl L2Port {
    /// Whether frames of `vlan` pass the port.
    pub fn carries(&self, vlan: u16) -> bool {
        let member = match &self.mode {
            L2Mode::Access(v) => *v == vlan,
            L2Mode::Trunk { allowed, native } => allowed.contains(&vlan) || *native == Some(vlan),
        };
        member && !self.blocked.contains(&vlan)
    }

    /// The VLANs that pass the port.
    pub fn vlans(&self) -> Vec<u16> {
        let members: BTreeSet<u16> = match &self.mode {
            L2Mode::Access(v) => BTreeSet::from([*v]),
            L2Mode::Trunk { allowed, native } => allowed.iter().copied().chain(*native).collect(),
        };
        members.difference(&self.blocked).copied().collect()
    }
}

impl Network {
    /// The layer-2 domains of every VLAN: ports of one box that carry the VLAN, joined over links
    /// whose two ends both carry it. Sorted by VLAN, then by first port.
    pub fn l2_domains(&self) -> Vec<L2Domain> {
        let mut members: BTreeMap<u16, Vec<PortId>> = BTreeMap::new();
        for l2 in &self.l2 {
            for vlan in l2.vlans() {
                members.entry(vlan).or_default().push(l2.port);
            }
        }
        let mut domains = Vec::new();
        for (vlan, ports) in members {
            let mut groups = petgraph::unionfind::UnionFind::new(ports.len());
            let place: BTreeMap<PortId, usize> =
                ports.iter().enumerate().map(|(i, &p)| (p, i)).collect();
            let mut first_of_device = BTreeMap::new();
            for (i, &p) in ports.iter().enumerate() {
                let first = *first_of_device.entry(self.port(p).device).or_insert(i);
                groups.union(first, i);
            }
            for link in &self.links {
                if let (Some(&a), Some(&b)) = (place.get(&link.from), place.get(&link.to)) {
                    groups.union(a, b);
                }
            }
            let mut by_root: BTreeMap<usize, BTreeSet<PortId>> = BTreeMap::new();
            for (i, &p) in ports.iter().enumerate() {
                by_root.entry(groups.find(i)).or_default().insert(p);
            }
            let mut found: Vec<L2Domain> = by_root
                .into_values()
                .map(|ports| L2Domain {
                    vlan,
                    ports: ports.into_iter().collect(),
                })
                .collect();
            found.sort_by_key(|d| d.ports[0]);
            domains.extend(found);
        }
        domains
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::header::Layout;
    use crate::model::PortKind;

    /// ```text
    ///   a:1 ---- b:1      VLAN 10 passes, VLAN 20 is blocked at b:1
    ///   a:2      b:2      access ports of VLAN 10 and 20
    /// ```
    #[test]
    fn spanning_tree_splits_a_domain() {
        let mut net = Network::new(Layout::internet2());
        let (a, b) = (net.add_device("a"), net.add_device("b"));
        let port = |net: &mut Network, d, n: &str| net.add_port(d, n, PortKind::Physical, None);
        let (a1, a2) = (port(&mut net, a, "1"), port(&mut net, a, "2"));
        let (b1, b2) = (port(&mut net, b, "1"), port(&mut net, b, "2"));
        net.add_link(a1, b1, None);
        net.add_link(b1, a1, None);
        let trunk = L2Mode::Trunk {
            allowed: BTreeSet::from([10, 20]),
            native: None,
        };
        let mut add = |port, mode, blocked: &[u16]| {
            net.l2.push(L2Port {
                port,
                mode,
                blocked: blocked.iter().copied().collect(),
                origin: None,
            });
        };
        add(a1, trunk.clone(), &[]);
        add(b1, trunk, &[20]);
        add(a2, L2Mode::Access(10), &[]);
        add(b2, L2Mode::Access(20), &[]);
        let domains = net.l2_domains();
        let expect = |vlan, ports: &[PortId]| L2Domain {
            vlan,
            ports: ports.to_vec(),
        };
        assert_eq!(
            domains,
            [
                expect(10, &[a1, a2, b1]),
                expect(20, &[a1]),
                expect(20, &[b2])
            ]
        );
    }
}
