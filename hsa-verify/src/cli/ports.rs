// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Names of ports and rules on the command line.

use anyhow::{anyhow, bail};
use hsa_verify::model::{Network, PortId, RuleRef};
use hsa_verify::read::ios::names::canonical;
use std::collections::BTreeSet;

/// Ports by which packets enter and leave the network: those without a link. If every port has
/// one, all of them.
pub fn edge_ports(network: &Network) -> Vec<PortId> {
    let linked: BTreeSet<PortId> = network.links.iter().flat_map(|l| [l.from, l.to]).collect();
    let edge: Vec<PortId> = network
        .physical_ports()
        .filter(|p| !linked.contains(p))
        .collect();
    if edge.is_empty() {
        network.physical_ports().collect()
    } else {
        edge
    }
}

/// Ports by `box:port` or by box (its edge ports; all its ports if it has no edge).
pub fn find(network: &Network, names: &[String]) -> anyhow::Result<Vec<PortId>> {
    let mut found = Vec::new();
    for name in names {
        found.extend(find_one(network, name)?);
    }
    found.sort_unstable();
    found.dedup();
    Ok(found)
}

/// As [`find`]; all edge ports if there is no name.
pub fn find_or_edge(network: &Network, names: &[String]) -> anyhow::Result<Vec<PortId>> {
    if names.is_empty() {
        Ok(edge_ports(network))
    } else {
        find(network, names)
    }
}

fn find_one(network: &Network, name: &str) -> anyhow::Result<Vec<PortId>> {
    if let Some(port) = network.find_port(name) {
        return Ok(vec![port]);
    }
    if let Some(device) = network.find_device(name) {
        let own = |p: &PortId| network.port(*p).device == device;
        let edge: Vec<PortId> = edge_ports(network).into_iter().filter(own).collect();
        let ports = if edge.is_empty() {
            network.physical_ports().filter(own).collect()
        } else {
            edge
        };
        if ports.is_empty() {
            bail!("box {name} has no ports");
        }
        return Ok(ports);
    }
    let Some((device, port)) = name.split_once(':') else {
        bail!("there is no box {name}{}", suggestion(network, name));
    };
    if let Some(port) = network.find_port(&format!("{device}:{}", canonical(port))) {
        return Ok(vec![port]);
    }
    match network.find_device(device) {
        Some(_) => bail!("box {device} has no port {port}"),
        None => bail!("there is no box {device}{}", suggestion(network, device)),
    }
}

fn suggestion(network: &Network, name: &str) -> String {
    let near = network.devices.iter().map(|d| &d.name).find(|n| {
        n.to_lowercase().contains(&name.to_lowercase())
            || name.to_lowercase().contains(&n.to_lowercase())
    });
    near.map_or_else(String::new, |n| format!("; did you mean {n}?"))
}

/// A rule by `box/table/number`; the table is a name or a number.
pub fn rule(network: &Network, text: &str) -> anyhow::Result<RuleRef> {
    let bad = || anyhow!("{text:?}: expected box/table/number, as in core1/fib/12");
    let (rest, number) = text.rsplit_once('/').ok_or_else(bad)?;
    let rule: u32 = number.parse().map_err(|_| bad())?;
    let (device, table) = table(network, rest)?;
    let rules = network.devices[device as usize].tables[table as usize]
        .rules
        .len();
    if rule as usize > rules {
        bail!("{rest} has {rules} rules, there is no number {rule}");
    }
    Ok(RuleRef {
        device,
        table,
        rule,
    })
}

/// A table by `box/table`.
pub fn table(network: &Network, text: &str) -> anyhow::Result<(u32, u32)> {
    // Names of boxes may hold slashes, names of tables too: the longest box name that fits wins.
    let mut splits: Vec<(usize, &str)> = text.match_indices('/').collect();
    splits.reverse();
    for (at, _) in splits {
        let (name, rest) = (&text[..at], &text[at + 1..]);
        let Some(device) = network.find_device(name) else {
            continue;
        };
        let tables = &network.device(device).tables;
        let index = tables
            .iter()
            .position(|t| t.name == rest)
            .or_else(|| rest.parse::<usize>().ok().filter(|i| *i < tables.len()));
        let Some(index) = index else {
            let names: Vec<&str> = tables.iter().map(|t| t.name.as_str()).collect();
            bail!(
                "box {name} has no table {rest:?}; it has {}",
                names.join(", ")
            );
        };
        return Ok((device.0, index as u32));
    }
    bail!("{text:?}: there is no such box and table");
}

/// `A:p -- B:q` or `A:p -> B:q` as one-way links.
pub fn link(network: &Network, text: &str) -> anyhow::Result<Vec<(PortId, PortId)>> {
    let (from, to, both) = match (text.split_once("->"), text.split_once("--")) {
        (Some((a, b)), _) => (a, b, false),
        (None, Some((a, b))) => (a, b, true),
        _ => bail!("{text:?}: expected \"boxA:portA -- boxB:portB\""),
    };
    let end = |text: &str| -> anyhow::Result<PortId> {
        let name = text.trim();
        match find_one(network, name)?.as_slice() {
            [port] if name.contains(':') => Ok(*port),
            _ => bail!("{name:?}: a link needs box:port"),
        }
    };
    let (from, to) = (end(from)?, end(to)?);
    Ok(if both {
        vec![(from, to), (to, from)]
    } else {
        vec![(from, to)]
    })
}
