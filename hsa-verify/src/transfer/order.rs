// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The order in which diagrams test header bits.

use crate::header::Wildcard;
use crate::model::{Edit, Network, Rule};

/// A run of bits that stays together: a field, or bits between fields.
struct Group {
    from: u32,
    to: u32,
    matches: usize,
    rewrites: usize,
}

/// Fields that most rules match come first (the destination, in practice), so that tables
/// divide early; fields that rules mostly rewrite come last (the VLAN), so that a rewrite only
/// touches the bottom of a diagram. Also tells how many bits the first field has.
pub fn bit_order(network: &Network) -> (Vec<u32>, u32) {
    let mut groups = groups(network);
    for rule in network
        .devices
        .iter()
        .flat_map(|d| &d.tables)
        .flat_map(|t| &t.rules)
    {
        note_matches(&mut groups, network, rule);
        note_rewrites(&mut groups, network, rule);
    }
    groups.sort_by_key(|g| {
        let rewritten = g.rewrites > 0 && 2 * g.rewrites > g.matches;
        (rewritten, std::cmp::Reverse(g.matches), g.from)
    });
    let first = groups.first().map_or(0, |g| g.to - g.from);
    (groups.iter().flat_map(|g| g.from..g.to).collect(), first)
}

fn groups(network: &Network) -> Vec<Group> {
    let group = |from, to| Group {
        from,
        to,
        matches: 0,
        rewrites: 0,
    };
    let mut groups = Vec::new();
    let mut end = 0;
    for f in &network.layout.fields {
        if f.offset > end {
            groups.push(group(end, f.offset));
        }
        groups.push(group(f.offset, f.offset + f.width));
        end = f.offset + f.width;
    }
    if network.layout.length > end {
        groups.push(group(end, network.layout.length));
    }
    groups
}

fn at(groups: &mut [Group], bit: u32) -> &mut Group {
    let i = groups.partition_point(|g| g.to <= bit);
    &mut groups[i]
}

fn note_matches(groups: &mut [Group], network: &Network, rule: &Rule) {
    for m in &rule.matching.fields {
        at(groups, network.layout.field(m.field).offset).matches += 1;
    }
    if let Some(raw) = &rule.matching.raw {
        note_wildcard(groups, raw);
    }
}

fn note_wildcard(groups: &mut [Group], raw: &Wildcard) {
    let mut counted_to = 0;
    for (bit, _) in raw.fixed() {
        if bit as u32 >= counted_to {
            let group = at(groups, bit as u32);
            group.matches += 1;
            counted_to = group.to;
        }
    }
}

fn note_rewrites(groups: &mut [Group], network: &Network, rule: &Rule) {
    for output in rule.effect.outputs() {
        for edit in &output.edits {
            match edit {
                Edit::Set { field, .. } => {
                    at(groups, network.layout.field(*field).offset).rewrites += 1;
                }
                Edit::Rewrite { keep, .. } => {
                    let mut counted_to = 0;
                    for bit in 0..keep.len() as u32 {
                        if bit >= counted_to && !keep.get(bit as usize) {
                            let group = at(groups, bit);
                            group.rewrites += 1;
                            counted_to = group.to;
                        }
                    }
                }
                Edit::Push { .. } | Edit::Pop { .. } | Edit::DecTtl { .. } => {}
            }
        }
    }
}
