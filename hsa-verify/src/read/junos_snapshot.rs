// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Files of a Junos network, put together box by box.

use super::ios::config::len_mask;
use super::ios::quirks::Quirks;
use super::junos::pipeline::{add_box, is_internal};
use super::junos::{config, forwarding, interfaces, routes, JunosBox};
use super::kind::FileKind;
use super::links::Attachment;
use super::notes::Notes;
use super::snapshot::Item;
use super::ReadError;
use crate::model::Network;
use rayon::prelude::*;
use std::collections::BTreeMap;

/// Reads the files and adds the boxes to the network, in the order of their names. Returns the
/// addresses of interfaces, for links.
///
/// # Errors
/// A file that its reader refuses, two route tables for one box, or a box of which only the
/// interfaces are known.
pub fn read(
    network: &mut Network,
    items: &[(FileKind, Item)],
    quirks: &Quirks,
    notes: &mut Notes,
) -> Result<Vec<Attachment>, ReadError> {
    let mut boxes: BTreeMap<String, JunosBox> = BTreeMap::new();
    for (_, item) in items
        .iter()
        .filter(|(k, _)| *k == FileKind::JunosInterfaces)
    {
        interfaces::read_xml(&item.source, &item.box_name, &mut boxes)?;
    }
    let tables: Vec<_> = items
        .par_iter()
        .filter(|(k, _)| matches!(k, FileKind::JunosForwarding | FileKind::JunosRouteJson))
        .map(|(kind, item)| {
            let mut notes = Notes::default();
            let routes = match kind {
                FileKind::JunosForwarding => forwarding::read_forwarding(&item.source, &mut notes),
                _ => routes::read_routes(&item.source, &mut notes),
            };
            routes.map(|routes| (item, routes, notes))
        })
        .collect();
    for table in tables {
        let (item, routes, table_notes) = table?;
        // One protocol's routes may be shown again beside the whole table.
        let part = item.path.to_string_lossy().contains("protocol");
        notes.merge(table_notes);
        let target = entry(&mut boxes, &item.box_name);
        if part {
            continue;
        }
        if let Some((file, _)) = target.routes.first() {
            let what = format!("route tables in {file} and in {}", item.source.name);
            return Err(ReadError::of_box(&item.box_name, what));
        }
        target.routes.push((item.source.name.clone(), routes));
    }
    let mut configured: BTreeMap<&str, &str> = BTreeMap::new();
    for (kind, item) in items {
        if *kind == FileKind::JunosConfig {
            if let Some(first) = configured.insert(&item.box_name, &item.source.name) {
                let what = format!("two configurations: {first} and {}", item.source.name);
                return Err(ReadError::of_box(&item.box_name, what));
            }
        }
        let target = entry(&mut boxes, &item.box_name);
        match kind {
            FileKind::JunosConfig => config::read_config(&item.source, target)?,
            FileKind::JunosInterfacesJson => interfaces::read_json(&item.source, target)?,
            _ => {}
        }
    }
    boxes.retain(|_, b| !b.units.is_empty() || !b.routes.is_empty());
    let mut attachments = Vec::new();
    for junos in boxes.values_mut() {
        notes.merge(std::mem::take(&mut junos.notes));
        for unit in junos
            .units
            .values()
            .filter(|u| !u.down && u.instance.is_none())
        {
            for &(addr, len) in unit.addresses.iter().filter(|_| !is_internal(&unit.name)) {
                let end = (junos.name.clone(), unit.port().to_owned());
                let subnet = (addr & len_mask(len), len);
                attachments.push(Attachment { end, subnet, addr });
            }
        }
        notes.merge(add_box(network, junos, quirks)?);
    }
    Ok(attachments)
}

fn entry<'b>(boxes: &'b mut BTreeMap<String, JunosBox>, name: &str) -> &'b mut JunosBox {
    boxes.entry(name.to_owned()).or_insert_with(|| JunosBox {
        name: name.to_owned(),
        ..JunosBox::default()
    })
}
