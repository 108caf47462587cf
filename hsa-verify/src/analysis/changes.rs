// SPDX-License-Identifier: Apache-2.0 OR MIT
//! What-if and comparison: changes of a network, and what they do to reachability.

use super::reach::reach;
use crate::model::{Link, ModelError, Network, PortId, Rule, RuleRef};
use crate::space::Set;
use crate::transfer::Plane;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// One change of a network.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// The rule is taken out; later rules of the table move up.
    RemoveRule(RuleRef),
    /// The rule is put before the one at this place; the place after the last rule appends.
    AddRule {
        /// Where.
        at: RuleRef,
        /// What.
        rule: Rule,
    },
    /// The rule is exchanged for another.
    ReplaceRule {
        /// Where.
        at: RuleRef,
        /// What.
        rule: Rule,
    },
    /// A one-way link is added.
    AddLink {
        /// The sending port.
        from: PortId,
        /// The receiving port.
        to: PortId,
    },
    /// A one-way link is cut.
    RemoveLink {
        /// The sending port.
        from: PortId,
        /// The receiving port.
        to: PortId,
    },
}

/// A change that cannot be made.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ChangeError {
    /// There is no such rule.
    #[error("there is no rule {} in table {} of box {}", at.rule, at.table, at.device)]
    NoRule {
        /// The place.
        at: RuleRef,
    },
    /// There is no such link.
    #[error("there is no link {from} -> {to}")]
    NoLink {
        /// The sending port.
        from: String,
        /// The receiving port.
        to: String,
    },
    /// The changed network contradicts itself.
    #[error(transparent)]
    Model(#[from] ModelError),
}

/// Applies the changes in order and checks the result.
///
/// # Errors
/// A rule or link that is not there, or a result that fails [`Network::validate`].
pub fn apply(network: &Network, changes: &[Change]) -> Result<Network, ChangeError> {
    let mut changed = network.clone();
    for change in changes {
        match change {
            Change::RemoveRule(at) => {
                rules_with(&mut changed, *at, 0)?.remove(at.rule as usize);
            }
            Change::AddRule { at, rule } => {
                rules_with(&mut changed, *at, 1)?.insert(at.rule as usize, rule.clone());
            }
            Change::ReplaceRule { at, rule } => {
                rules_with(&mut changed, *at, 0)?[at.rule as usize] = rule.clone();
            }
            Change::AddLink { from, to } => changed.links.push(Link {
                from: *from,
                to: *to,
                origin: None,
            }),
            Change::RemoveLink { from, to } => {
                let before = changed.links.len();
                changed.links.retain(|l| l.from != *from || l.to != *to);
                if changed.links.len() == before {
                    return Err(ChangeError::NoLink {
                        from: network.port_name(*from),
                        to: network.port_name(*to),
                    });
                }
            }
        }
    }
    changed.validate()?;
    Ok(changed)
}

/// The rules of a table, if `at` is one of them (or up to `beyond` places after the last).
fn rules_with(
    network: &mut Network,
    at: RuleRef,
    beyond: usize,
) -> Result<&mut Vec<Rule>, ChangeError> {
    let device = network.devices.get_mut(at.device as usize);
    let table = device.and_then(|d| d.tables.get_mut(at.table as usize));
    let rules = table.map(|t| &mut t.rules);
    rules
        .filter(|rules| (at.rule as usize) < rules.len() + beyond)
        .ok_or(ChangeError::NoRule { at })
}

/// How what leaves `to` of what enters at `from` differs between two networks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    /// `box:port` where headers are injected.
    pub from: String,
    /// `box:port` where they leave.
    pub to: String,
    /// Headers that left there before and do not any more.
    pub lost: Set,
    /// Headers that leave there now and did not before.
    pub gained: Set,
}

/// Compares reachability from the named ports in two networks with one header layout, for the
/// headers given by `headers` (a set of `before`). Ports are matched by name; a port that exists
/// in one network only reaches nothing in the other. Returns the plane of the second network, in
/// whose space the differing sets live.
///
/// # Errors
/// The second network fails [`Network::validate`].
pub fn diff(
    mut before: Plane,
    after: Arc<Network>,
    sources: &[String],
    headers: Set,
) -> Result<(Plane, Vec<Difference>), ModelError> {
    let old: Vec<_> = sources
        .iter()
        .map(|s| leaving(&mut before, s, headers))
        .collect();
    let mut plane = before.recompile(after)?;
    let mut differences = Vec::new();
    for (from, old) in sources.iter().zip(old) {
        let new = leaving(&mut plane, from, headers);
        let names: BTreeSet<&String> = old.keys().chain(new.keys()).collect();
        for to in names {
            let was = old.get(to).copied().unwrap_or(Set::EMPTY);
            let is = new.get(to).copied().unwrap_or(Set::EMPTY);
            if was != is {
                differences.push(Difference {
                    from: from.clone(),
                    to: to.clone(),
                    lost: plane.space.diff(was, is),
                    gained: plane.space.diff(is, was),
                });
            }
        }
    }
    Ok((plane, differences))
}

fn leaving(plane: &mut Plane, from: &str, headers: Set) -> BTreeMap<String, Set> {
    let Some(port) = plane.network().find_port(from) else {
        return BTreeMap::new();
    };
    let reached = reach(plane, &[(port, headers)]).leaving;
    let names = reached.into_iter();
    names
        .map(|(p, set)| (plane.network().port_name(p), set))
        .collect()
}
