// SPDX-License-Identifier: Apache-2.0 OR MIT
//! `ovs-ofctl dump-groups`: buckets of actions that flows refer to.

use super::flow::split_actions;
use crate::read::{ReadError, SourceText};
use std::collections::{BTreeMap, BTreeSet};

/// A group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Group {
    /// Number.
    pub id: u32,
    /// Whether one bucket is taken (`select`, fast failover) instead of all.
    pub one_of: bool,
    /// Actions of each bucket.
    pub buckets: Vec<Vec<String>>,
    /// Line in the file.
    pub line: usize,
}

/// Whether a line belongs to such a dump.
pub fn is_group_line(text: &str) -> bool {
    let text = text.trim_start();
    text.starts_with("group_id=") || text.contains("OFPST_GROUP") || text.contains("NXST_GROUP")
}

/// Reads the groups, by number.
///
/// # Errors
/// A line that does not parse, a type that is not known, a group that is there twice.
pub fn read_groups(source: &SourceText) -> Result<BTreeMap<u32, Group>, ReadError> {
    let mut groups = BTreeMap::new();
    for line in source.lines() {
        let text = line.text.trim();
        if text.is_empty() || text.contains("ST_GROUP") {
            continue;
        }
        let group = group(text, line.number).map_err(|e| source.error(line.number, e))?;
        let id = group.id;
        if groups.insert(id, group).is_some() {
            return Err(source.error(line.number, format!("group {id} is there twice")));
        }
    }
    Ok(groups)
}

fn group(text: &str, line: usize) -> Result<Group, String> {
    let mut parts = text.split(",bucket=");
    let (mut id, mut kind) = (None, None);
    for token in parts.next().unwrap_or_default().split(',') {
        match token.split_once('=') {
            Some(("group_id", number)) => id = number.parse().ok(),
            Some(("type", name)) => kind = Some(name),
            Some(("selection_method" | "selection_method_param" | "fields", _)) | None => {}
            Some((other, _)) => return Err(format!("{other:?} of a group is not supported")),
        }
    }
    let id = id.ok_or("no group_id: the line is cut short or is no group")?;
    let one_of = match kind.ok_or("the type of the group is missing")? {
        "all" | "indirect" => false,
        "select" | "fast_failover" | "ff" => true,
        other => return Err(format!("{other:?} is no type of group")),
    };
    let buckets = parts.map(|bucket| {
        let (_, actions) = bucket
            .split_once("actions=")
            .ok_or("a bucket without actions: the line is cut short")?;
        split_actions(actions.trim())
    });
    Ok(Group {
        id,
        one_of,
        buckets: buckets.collect::<Result<_, String>>()?,
        line,
    })
}

impl Group {
    /// Groups that a bucket hands on to.
    pub fn targets(&self) -> BTreeSet<u32> {
        let actions = self.buckets.iter().flatten();
        actions.filter_map(|a| group_of(a)).collect()
    }
}

/// Number in `group:N`.
pub fn group_of(action: &str) -> Option<u32> {
    action.strip_prefix("group:")?.parse().ok()
}

/// The groups in an order in which each comes before those that it hands on to.
///
/// # Errors
/// Groups that hand on to each other in a circle: the line of one of them.
pub fn in_order(groups: &BTreeMap<u32, Group>) -> Result<Vec<&Group>, (usize, String)> {
    let mut left: Vec<&Group> = groups.values().collect();
    let mut order = Vec::new();
    while let Some(first) = left.first() {
        let targets: BTreeSet<u32> = left.iter().flat_map(|g| g.targets()).collect();
        let (free, rest): (Vec<_>, Vec<_>) = left.iter().partition(|g| !targets.contains(&g.id));
        if free.is_empty() {
            let what = format!("group {} hands on to itself by other groups", first.id);
            return Err((first.line, what));
        }
        order.extend(free);
        left = rest;
    }
    Ok(order)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<BTreeMap<u32, Group>, ReadError> {
        read_groups(&SourceText::from_bytes("g", text.as_bytes()).unwrap())
    }

    #[test]
    fn types_buckets_and_order() {
        let groups = read(
            "OFPST_GROUP_DESC reply (OF1.3) (xid=0x2):\n \
             group_id=1,type=all,bucket=bucket_id:0,actions=output:1,bucket=actions=set_field:10->vlan_vid,group:7\n \
             group_id=7,type=select,bucket=bucket_id:0,weight:100,watch_port:1,actions=output:1,bucket=weight:1,actions=output:2\n",
        )
        .unwrap();
        assert!(!groups[&1].one_of && groups[&7].one_of);
        assert_eq!(groups[&1].buckets[1], ["set_field:10->vlan_vid", "group:7"]);
        let order: Vec<u32> = in_order(&groups).unwrap().iter().map(|g| g.id).collect();
        assert_eq!(order, [1, 7]);
    }

    #[test]
    fn circles_and_cut_lines_are_refused() {
        let circle = read("group_id=1,type=all,bucket=actions=group:2\ngroup_id=2,type=all,bucket=actions=group:1\n").unwrap();
        assert_eq!(in_order(&circle).unwrap_err().0, 1);
        for text in [
            "group_id=1",
            "type=all",
            "group_id=1,type=all,bucket=weight:1",
            "group_id=1,type=odd",
        ] {
            assert!(read(&format!("{text}\n"))
                .unwrap_err()
                .to_string()
                .starts_with("g:1: "));
        }
    }
}
