// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Files of a Cisco network, put together box by box.

use super::ios::names::{is_virtual, split_unit};
use super::ios::pipeline::add_box;
use super::ios::quirks::Quirks;
use super::ios::{
    cef, config, neighbours, route, shown_lists, shown_vlans, states, tables, IosBox,
};
use super::kind::FileKind;
use super::links::{Attachment, Neighbour};
use super::notes::{NoteKind, Notes};
use super::snapshot::{Item, Wiring};
use super::ReadError;
use crate::model::Network;
use rayon::prelude::*;
use std::collections::BTreeMap;

/// Reads the files and adds the boxes to the network, in the order of their names. Returns what
/// tells of links: the addresses of routed ports, and neighbours.
///
/// # Errors
/// A file that its reader refuses, or two files of one kind for one box.
pub fn read(
    network: &mut Network,
    items: Vec<(FileKind, Item)>,
    quirks: &Quirks,
    notes: &mut Notes,
) -> Result<Wiring, ReadError> {
    let mut by_box: BTreeMap<String, Vec<(FileKind, Item)>> = BTreeMap::new();
    for (kind, item) in items {
        by_box
            .entry(item.box_name.clone())
            .or_default()
            .push((kind, item));
    }
    let boxes: Vec<(String, Vec<(FileKind, Item)>)> = by_box.into_iter().collect();
    let boxes: Vec<Result<(IosBox, Vec<Neighbour>), ReadError>> = boxes
        .into_par_iter()
        .map(|(name, files)| read_box(name, &files))
        .collect();
    let mut wiring = Wiring::default();
    for read in boxes {
        let (ios, neighbours) = read?;
        attach(&ios, &mut wiring.attachments);
        wiring.neighbours.extend(neighbours);
        notes.merge(add_box(network, ios, quirks)?);
    }
    Ok(wiring)
}

fn read_box(
    name: String,
    files: &[(FileKind, Item)],
) -> Result<(IosBox, Vec<Neighbour>), ReadError> {
    let mut ios = IosBox::new(name);
    let mut neighbours = Vec::new();
    let mut first: BTreeMap<(FileKind, Option<&str>), &str> = BTreeMap::new();
    let mut shown_lists = BTreeMap::new();
    let with_cef: Vec<Option<&str>> = files
        .iter()
        .filter(|(k, _)| *k == FileKind::IosCef)
        .map(|(_, item)| item.vrf.as_deref())
        .collect();
    for (kind, item) in files {
        let source = &item.source;
        let by_vrf = matches!(kind, FileKind::IosCef | FileKind::IosArp);
        let vrf = item.vrf.as_deref().filter(|_| by_vrf);
        if *kind != FileKind::IosRoute && *kind != FileKind::IosNeighbours {
            if let Some(other) = first.insert((*kind, vrf), &source.name) {
                return Err(ReadError::of_box(
                    &ios.name,
                    format!("two files of one kind: {other} and {}", source.name),
                ));
            }
        }
        let notes = &mut ios.notes;
        match kind {
            FileKind::IosConfig => ios.config = config::read_config(source, notes)?,
            FileKind::IosCef => {
                let mut routes = cef::read_cef(source, notes)?;
                for route in &mut routes {
                    route.vrf.clone_from(&item.vrf);
                }
                ios.routes.push((source.name.clone(), routes));
            }
            FileKind::IosRoute => add_routes(&mut ios, item, &with_cef)?,
            FileKind::IosArp => {
                let table = tables::read_arp(source, notes)?;
                ios.arp.insert(item.vrf.clone(), table);
            }
            FileKind::IosMac => ios.mac_table = tables::read_mac_table(source, notes)?,
            FileKind::IosSpanningTree => {
                let tree = tables::read_spanning_tree(source, notes)?;
                ios.spanning_tree = Some((source.name.clone(), tree));
            }
            FileKind::IosInterfaces => {
                ios.states = Some((source.name.clone(), states::read_interfaces(source)?));
            }
            FileKind::IosAccessLists => {
                shown_lists = shown_lists::read_access_lists(source, notes)?;
            }
            FileKind::IosVlans => {
                let vlans = shown_vlans::read_vlans(source, notes)?;
                ios.shown_vlans = Some((source.name.clone(), vlans));
            }
            _ => {
                let found = neighbours::read_neighbours(source)?;
                neighbours.extend(found.into_iter().map(|n| Neighbour {
                    from: (ios.name.clone(), n.port),
                    to: (n.name, n.far_port),
                    place: (source.name.clone(), n.line),
                }));
            }
        }
    }
    for (name, list) in shown_lists {
        ios.config.acls.entry(name).or_insert(list);
    }
    Ok((ios, neighbours))
}

/// `show ip route` files may each hold other VRFs; one table twice is a contradiction. Where
/// there is a CEF table of a VRF, that is what the box forwards by.
fn add_routes(ios: &mut IosBox, item: &Item, with_cef: &[Option<&str>]) -> Result<(), ReadError> {
    let mut routes = route::read_ip_route(&item.source, &mut ios.notes)?;
    let before = routes.len();
    routes.retain(|r| !with_cef.contains(&r.vrf.as_deref()));
    if routes.len() < before {
        let what = "`show ip route` beside `show ip cef`: the latter is used";
        ios.notes.of_box(NoteKind::Assumed, what, &item.source.name);
    }
    for (file, known) in &ios.routes {
        if let Some(r) = routes.iter().find(|r| known.iter().any(|k| k.vrf == r.vrf)) {
            let table = r.vrf.as_deref().unwrap_or("global");
            return Err(ReadError::of_box(
                &ios.name,
                format!(
                    "route table {table} is both in {file} and in {}",
                    item.source.name
                ),
            ));
        }
    }
    ios.routes.push((item.source.name.clone(), routes));
    Ok(())
}

fn attach(ios: &IosBox, attachments: &mut Vec<Attachment>) {
    let shown = ios.states.iter().flat_map(|(_, s)| s);
    let shown = shown.flat_map(|s| s.addresses.iter().map(|a| (s.name.as_str(), a)));
    let configured = ios.config.interfaces.iter();
    let configured = configured
        .filter(|i| i.shutdown.is_none())
        .flat_map(|i| i.addresses.iter().map(|a| (i.name.as_str(), a)));
    for (interface, a) in configured.chain(shown) {
        let port = split_unit(interface).0;
        let known = attachments
            .iter()
            .any(|k| k.end.0 == ios.name && k.end.1 == port && k.addr == a.addr);
        if !is_virtual(port) && !known {
            attachments.push(Attachment {
                end: (ios.name.clone(), port.to_owned()),
                subnet: (a.addr & config::len_mask(a.len), a.len),
                addr: a.addr,
            });
        }
    }
}
