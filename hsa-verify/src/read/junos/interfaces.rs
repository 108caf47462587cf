// SPDX-License-Identifier: Apache-2.0 OR MIT
//! `show interfaces` of Junos: XML (one or several routers in a file) and JSON.

use super::{address, JunosBox};
use crate::read::{ReadError, SourceText};
use quick_xml::events::Event;
use quick_xml::Reader;
use serde_json::Value;
use std::collections::BTreeMap;

/// Where the XML reader stands.
#[derive(Default)]
struct Cursor {
    router: Option<String>,
    path: Vec<String>,
    port_up: bool,
    unit: Option<String>,
    family: String,
    local: Option<u32>,
    prefix_len: Option<u8>,
    text: String,
}

/// Reads XML into the boxes that it names (`<router name=..>`); `default_box` is used where it
/// names none.
///
/// # Errors
/// Malformed or truncated XML, an address that does not parse.
pub fn read_xml(
    source: &SourceText,
    default_box: &str,
    boxes: &mut BTreeMap<String, JunosBox>,
) -> Result<(), ReadError> {
    let mut reader = Reader::from_str(&source.text);
    reader.config_mut().trim_text(true);
    let mut cursor = Cursor::default();
    let (mut line, mut at) = (1, 0);
    loop {
        let event = reader.read_event();
        let position = (reader.buffer_position() as usize).min(source.text.len());
        line += source.text.as_bytes()[at..position]
            .iter()
            .filter(|b| **b == b'\n')
            .count();
        at = position;
        let error = |what: String| source.error(line, what);
        match event.map_err(|e| error(format!("not well-formed XML: {e}")))? {
            Event::Start(tag) => {
                let name = tag.local_name().as_ref().to_owned();
                if name == "router" {
                    let attribute = tag.try_get_attribute("name").ok().flatten();
                    let value = attribute.map(|a| a.value.into_owned());
                    cursor.router = value;
                }
                cursor.text.clear();
                cursor.path.push(name);
            }
            Event::Text(text) => {
                cursor.text = text.to_string();
            }
            Event::End(_) => {
                let name = cursor
                    .router
                    .clone()
                    .unwrap_or_else(|| default_box.to_owned());
                let target = boxes.entry(name.clone()).or_insert_with(|| JunosBox {
                    name,
                    ..JunosBox::default()
                });
                close(&mut cursor, target, source, line)?;
                cursor.path.pop();
                cursor.text.clear();
            }
            Event::Eof => break,
            _ => {}
        }
    }
    if let Some(open) = cursor.path.last() {
        return Err(source.error(
            line,
            format!("<{open}> is never closed: the file is cut short"),
        ));
    }
    Ok(())
}

/// An element ends: its text is complete.
fn close(
    cursor: &mut Cursor,
    target: &mut JunosBox,
    source: &SourceText,
    line: usize,
) -> Result<(), ReadError> {
    let [.., parent, element] = cursor.path.as_slice() else {
        return Ok(());
    };
    let text = cursor.text.trim();
    match (parent.as_str(), element.as_str()) {
        ("physical-interface", "oper-status") => cursor.port_up = text == "up",
        ("logical-interface", "name") => {
            cursor.unit = Some(text.to_owned());
            target.unit(text, &source.name, line).down = !cursor.port_up;
        }
        ("logical-interface", "link-address") => {
            let unit = cursor.unit.clone().unwrap_or_default();
            if let Some(vlan) = tag_of(text) {
                target.unit(&unit, &source.name, line).vlan = vlan;
            }
        }
        ("address-family", "address-family-name") => {
            text.clone_into(&mut cursor.family);
            let unit = cursor.unit.clone().unwrap_or_default();
            if text == "inet" {
                target.unit(&unit, &source.name, line).inet = true;
            }
        }
        ("address-family", "ae-bundle-name") => {
            let unit = cursor.unit.clone().unwrap_or_default();
            target.unit(&unit, &source.name, line).bundle = Some(text.to_owned());
        }
        ("interface-address", "ifa-local") if cursor.family == "inet" => {
            let found = address(text);
            let bad = || source.error(line, format!("{text:?} is no IPv4 address"));
            cursor.local = Some(found.ok_or_else(bad)?.0);
        }
        ("interface-address", "ifa-destination") if cursor.family == "inet" => {
            let found = address(text);
            let bad = || source.error(line, format!("{text:?} is no IPv4 prefix"));
            cursor.prefix_len = Some(found.ok_or_else(bad)?.1);
        }
        (_, "interface-address") => {
            let len = cursor.prefix_len.take().unwrap_or(32);
            if let (Some(local), Some(unit)) = (cursor.local.take(), cursor.unit.clone()) {
                let unit = target.unit(&unit, &source.name, line);
                unit.addresses.push((local, len));
            }
        }
        _ => {}
    }
    Ok(())
}

/// VLAN of `[ 0x8100.110 ]`.
fn tag_of(text: &str) -> Option<u16> {
    let (_, rest) = text.split_once("0x8100.")?;
    let digits: String = rest.chars().take_while(char::is_ascii_digit).collect();
    digits.parse().ok()
}

/// Reads JSON into a box.
///
/// # Errors
/// Malformed JSON, or JSON without `interface-information`.
pub fn read_json(source: &SourceText, target: &mut JunosBox) -> Result<(), ReadError> {
    let value: Value = serde_json::from_str(&source.text)
        .map_err(|e| source.error(e.line(), format!("not well-formed JSON: {e}")))?;
    let info = value
        .get("interface-information")
        .and_then(|v| v.get(0))
        .ok_or_else(|| {
            ReadError::file(&source.name, "no interface-information in this JSON file")
        })?;
    for port in list(info, "physical-interface") {
        let up = data(port, "oper-status") == Some("up");
        for logical in list(port, "logical-interface") {
            let Some(name) = data(logical, "name") else {
                continue;
            };
            let unit = target.unit(name, &source.name, 0);
            unit.down = !up;
            if let Some(vlan) = data(logical, "link-address").and_then(tag_of) {
                unit.vlan = vlan;
            }
            for family in list(logical, "address-family") {
                match data(family, "address-family-name") {
                    Some("inet") => unit.inet = true,
                    Some("aenet") => {
                        unit.bundle = data(family, "ae-bundle-name").map(str::to_owned);
                        continue;
                    }
                    _ => continue,
                }
                for a in list(family, "interface-address") {
                    let len = data(a, "ifa-destination")
                        .and_then(address)
                        .map_or(32, |d| d.1);
                    if let Some((local, _)) = data(a, "ifa-local").and_then(address) {
                        if !unit.addresses.contains(&(local, len)) {
                            unit.addresses.push((local, len));
                        }
                    }
                }
            }
        }
    }
    Ok(())
}

/// Elements of a list in Junos' JSON, where everything is a list.
pub(super) fn list<'v>(value: &'v Value, key: &str) -> impl Iterator<Item = &'v Value> {
    value
        .get(key)
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
}

/// Text of `"key" : [ { "data" : "text" } ]`.
pub(super) fn data<'v>(value: &'v Value, key: &str) -> Option<&'v str> {
    value.get(key)?.get(0)?.get("data")?.as_str()
}

#[cfg(test)]
mod tests {
    use super::*;

    const XML: &str = "<vn><router name=\"a\"><interface-information xmlns=\"x\"><physical-interface>\n\
        <name>xe-0/0/0</name><oper-status>up</oper-status><logical-interface>\n<name>xe-0/0/0.7</name>\n\
        <link-address junos:format=\"VLAN-Tag [ 0x8100.7 ]\">[ 0x8100.7 ] </link-address>\
        <address-family><address-family-name>inet</address-family-name><interface-address>\
        <ifa-destination>10.0.0.0/31</ifa-destination><ifa-local>10.0.0.1</ifa-local></interface-address>\
        </address-family></logical-interface></physical-interface></interface-information></router></vn>";

    #[test]
    fn units_with_tags_and_addresses() {
        let source = SourceText::from_bytes("i.xml", XML.as_bytes()).unwrap();
        let mut boxes = BTreeMap::new();
        read_xml(&source, "?", &mut boxes).unwrap();
        let unit = &boxes["a"].units["xe-0/0/0.7"];
        assert_eq!((unit.vlan, unit.inet, unit.down), (7, true, false));
        assert_eq!(unit.addresses, [(0x0a00_0001, 31)]);
        assert_eq!(unit.origin, ("i.xml".to_owned(), 3));
    }

    #[test]
    fn truncated_xml_is_refused() {
        for cut in [40, 120, 300, XML.len() - 3] {
            let source = SourceText::from_bytes("i.xml", &XML.as_bytes()[..cut]).unwrap();
            assert!(
                read_xml(&source, "?", &mut BTreeMap::new()).is_err(),
                "{cut}"
            );
        }
    }
}
