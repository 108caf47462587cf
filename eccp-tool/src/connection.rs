// SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0
//! `connection show`.

use clap::Subcommand;
use eccp_netlink::connection::{Address, Connection};
use eccp_netlink::Client;
use serde::Serialize;

use crate::amount;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::flow::warn_if_torn;
use crate::output::{Output, Show};

/// What to do with connections.
#[derive(Debug, Subcommand)]
pub enum ConnectionCommand {
    /// Show all connections, or the one with this ID
    #[command(alias = "list")]
    Show {
        /// ID in hexadecimal
        id: Option<String>,
    },
}

/// An address of one side's list, as it is shown.
#[derive(Debug, Clone, Serialize)]
struct AddressView {
    #[serde(skip_serializing_if = "Option::is_none")]
    address: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    port: Option<u16>,
    #[serde(skip_serializing_if = "Option::is_none")]
    priority: Option<u8>,
    backup: bool,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    metered: bool,
}

impl AddressView {
    fn new(address: &Address) -> Self {
        AddressView {
            address: address.address.map(|address| address.to_string()),
            port: address.port,
            priority: address.priority,
            backup: address.backup,
            metered: address.metered,
        }
    }

    fn text(&self) -> String {
        let mut text = self.address.clone().unwrap_or_else(|| "?".into());
        if let Some(port) = self.port {
            text.push_str(&format!(" port {port}"));
        }
        if self.backup {
            text.push_str(" backup");
        }
        if self.metered {
            text.push_str(" metered");
        }
        text
    }
}

/// What is shown of a connection; the keys of JSON are the names of the fields.
#[derive(Debug, Clone, Serialize)]
pub struct ConnectionView {
    id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    role: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    carries: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    bundle: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    members: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    service: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    primary_flow: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    flows: Option<u32>,
    local_addresses: Vec<AddressView>,
    remote_addresses: Vec<AddressView>,
    #[serde(skip_serializing_if = "Option::is_none")]
    local_version: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    remote_version: Option<u64>,
    psk: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    uid: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    unknown_attributes: Vec<u16>,
}

impl ConnectionView {
    /// The view of a connection.
    pub fn new(connection: &Connection) -> Self {
        let views = |list: &[Address]| list.iter().map(AddressView::new).collect();
        ConnectionView {
            id: connection.id.map(amount::id),
            role: connection.role.map(|role| role.to_string()),
            carries: connection.carries.map(|carries| carries.to_string()),
            bundle: connection.bundle.map(amount::id),
            members: connection.members,
            service: connection.service.map(|service| service.to_string()),
            primary_flow: connection.primary_flow.map(amount::id),
            flows: connection.flows,
            local_addresses: views(&connection.local_addresses),
            remote_addresses: views(&connection.remote_addresses),
            local_version: connection.local_version,
            remote_version: connection.remote_version,
            psk: connection.psk,
            uid: connection.uid,
            reason: connection.reason.map(|reason| reason.to_string()),
            unknown_attributes: amount::kinds(&connection.other),
        }
    }

    /// The ID.
    pub fn id(&self) -> &str {
        self.id.as_deref().unwrap_or("?")
    }

    /// Why the connection ended.
    pub fn reason(&self) -> Option<&str> {
        self.reason.as_deref()
    }

    /// Role and service, as in `client of service 5000`.
    pub fn what(&self) -> String {
        let role = self.role.as_deref().unwrap_or("?");
        let service = self.service.as_deref().unwrap_or("?");
        format!("{role} of service {service}")
    }
}

impl Show for ConnectionView {
    fn text(&self) -> String {
        let mut text = format!("{} {}", self.id(), self.what());
        if let Some(carries) = &self.carries {
            text.push_str(&format!(" {carries}"));
        }
        if let Some(bundle) = &self.bundle {
            text.push_str(&format!(" bundle {bundle}"));
        }
        if let Some(members) = self.members {
            text.push_str(&format!(" members {members}"));
        }
        if let Some(flows) = self.flows {
            text.push_str(&format!(" flows {flows}"));
        }
        if let Some(flow) = &self.primary_flow {
            text.push_str(&format!(" primary {flow}"));
        }
        if self.psk {
            text.push_str(" psk");
        }
        if let Some(uid) = self.uid {
            text.push_str(&format!(" uid {uid}"));
        }
        let sides = [
            ("local", self.local_version, &self.local_addresses),
            ("remote", self.remote_version, &self.remote_addresses),
        ];
        for (side, version, addresses) in sides {
            let list: Vec<_> = addresses.iter().map(AddressView::text).collect();
            let list = match list.is_empty() {
                true => "no addresses announced".to_string(),
                false => list.join(", "),
            };
            let version = version.map_or(String::new(), |version| format!(" (version {version})"));
            text.push_str(&format!("\n    {side}{version}: {list}"));
        }
        text
    }
}

/// Runs the command.
pub fn run(command: &ConnectionCommand, output: &mut Output) -> Result<(), Failure> {
    let ConnectionCommand::Show { id } = command;
    let mut client = Client::open()?;
    let connections = match id {
        Some(text) => {
            let digits = text.strip_prefix("0x").unwrap_or(text);
            let id = u64::from_str_radix(digits, 16).map_err(|_| {
                let message = format!("{text:?} is not a connection ID in hexadecimal");
                Failure::new(Exit::Usage, message)
                    .advise("\"eccp-tool connection show\" lists the connections")
            })?;
            vec![client.connection(id)?]
        }
        None => {
            let dump = client.connections()?;
            warn_if_torn(&dump);
            dump.items
        }
    };
    let views: Vec<_> = connections.iter().map(ConnectionView::new).collect();
    Ok(output.list(&views)?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use eccp_netlink::flow::Service;
    use eccp_netlink::{Carries, Role};

    fn sample() -> Connection {
        Connection {
            id: Some(0x77),
            role: Some(Role::Client),
            carries: Some(Carries::Datagrams),
            service: Some(Service::Port(5000)),
            primary_flow: Some(0xa1),
            flows: Some(1),
            local_version: Some(2),
            remote_version: Some(0),
            local_addresses: vec![
                Address {
                    address: Some("192.0.2.7".parse().unwrap()),
                    ..Address::default()
                },
                Address {
                    address: Some("2001:db8::7".parse().unwrap()),
                    port: Some(4433),
                    backup: true,
                    ..Address::default()
                },
            ],
            psk: true,
            uid: Some(0),
            ..Connection::default()
        }
    }

    #[test]
    fn a_connection_is_shown_with_the_addresses_of_both_sides() {
        insta::assert_snapshot!(ConnectionView::new(&sample()).text(), @r"
        0000000000000077 client of service 5000 datagrams flows 1 primary 00000000000000a1 psk uid 0
            local (version 2): 192.0.2.7, 2001:db8::7 port 4433 backup
            remote (version 0): no addresses announced
        ");
    }

    #[test]
    fn the_keys_of_json_are_stable() {
        let json = serde_json::to_string(&ConnectionView::new(&sample())).unwrap();
        insta::assert_snapshot!(json, @r#"{"id":"0000000000000077","role":"client","carries":"datagrams","service":"5000","primary_flow":"00000000000000a1","flows":1,"local_addresses":[{"address":"192.0.2.7","backup":false},{"address":"2001:db8::7","port":4433,"backup":true}],"remote_addresses":[],"local_version":2,"remote_version":0,"psk":true,"uid":0}"#);
    }
}
