// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Files of a Cisco network, put together box by box.

use super::ios::names::{is_virtual, split_unit};
use super::ios::pipeline::add_box;
use super::ios::quirks::Quirks;
use super::ios::{cef, config, route, states, tables, IosBox};
use super::kind::FileKind;
use super::links::Attachment;
use super::notes::{NoteKind, Notes};
use super::snapshot::Item;
use super::ReadError;
use crate::model::Network;
use rayon::prelude::*;
use std::collections::BTreeMap;

/// Reads the files and adds the boxes to the network, in the order of their names. Returns the
/// addresses of routed ports, for links.
///
/// # Errors
/// A file that its reader refuses, or two files of one kind for one box.
pub fn read(
    network: &mut Network,
    items: Vec<(FileKind, Item)>,
    quirks: &Quirks,
    notes: &mut Notes,
) -> Result<Vec<Attachment>, ReadError> {
    let mut by_box: BTreeMap<String, Vec<(FileKind, Item)>> = BTreeMap::new();
    for (kind, item) in items {
        by_box
            .entry(item.box_name.clone())
            .or_default()
            .push((kind, item));
    }
    let boxes: Vec<(String, Vec<(FileKind, Item)>)> = by_box.into_iter().collect();
    let boxes: Vec<Result<IosBox, ReadError>> = boxes
        .into_par_iter()
        .map(|(name, files)| read_box(name, &files))
        .collect();
    let mut attachments = Vec::new();
    for ios in boxes {
        let ios = ios?;
        attach(&ios, &mut attachments);
        notes.merge(add_box(network, ios, quirks)?);
    }
    Ok(attachments)
}

fn read_box(name: String, files: &[(FileKind, Item)]) -> Result<IosBox, ReadError> {
    let mut ios = IosBox::new(name);
    let mut first: BTreeMap<FileKind, &str> = BTreeMap::new();
    let has_cef = files.iter().any(|(k, _)| *k == FileKind::IosCef);
    for (kind, item) in files {
        let source = &item.source;
        if *kind != FileKind::IosRoute && *kind != FileKind::IosCdp {
            if let Some(other) = first.insert(*kind, &source.name) {
                return Err(ReadError::of_box(
                    &ios.name,
                    format!("two files of one kind: {other} and {}", source.name),
                ));
            }
        }
        match kind {
            FileKind::IosConfig => ios.config = config::read_config(source, &mut ios.notes)?,
            FileKind::IosCef => {
                let routes = cef::read_cef(source, &mut ios.notes)?;
                ios.routes.push((source.name.clone(), routes));
            }
            FileKind::IosRoute => add_routes(&mut ios, item, has_cef)?,
            FileKind::IosArp => ios.arp = tables::read_arp(source, &mut ios.notes)?,
            FileKind::IosMac => ios.mac_table = tables::read_mac_table(source, &mut ios.notes)?,
            FileKind::IosSpanningTree => {
                ios.spanning_tree = Some(tables::read_spanning_tree(source, &mut ios.notes)?);
            }
            FileKind::IosInterfaces => {
                ios.states = Some((source.name.clone(), states::read_interfaces(source)?));
            }
            _ => ios
                .notes
                .of_box(NoteKind::NotModelled, "neighbours (CDP)", &source.name),
        }
    }
    Ok(ios)
}

/// `show ip route` files may each hold other VRFs; one table twice is a contradiction. Where
/// there is a CEF table for the global table, that is what the box forwards by.
fn add_routes(ios: &mut IosBox, item: &Item, has_cef: bool) -> Result<(), ReadError> {
    let mut routes = route::read_ip_route(&item.source, &mut ios.notes)?;
    if has_cef {
        routes.retain(|r| r.vrf.is_some());
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
