// SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0
//! Interfaces by name and by index, in the namespace of the calling thread.

use rustix::fd::OwnedFd;
use rustix::net::netdevice::{index_to_name, name_to_index};
use rustix::net::{socket, AddressFamily, SocketType};

use crate::exit::Exit;
use crate::failure::Failure;

fn any_socket() -> Result<OwnedFd, Failure> {
    socket(AddressFamily::NETLINK, SocketType::RAW, None)
        .map_err(|error| Failure::system("socket for interface names", error))
}

/// Index of the interface called `name`.
pub fn index(name: &str) -> Result<u32, Failure> {
    name_to_index(any_socket()?, name).map_err(|error| {
        Failure::new(Exit::Usage, format!("interface {name:?}: {error}"))
            .advise("\"ip link\" lists the interfaces of the namespace")
    })
}

/// Name of the interface; its number when it has gone.
pub fn name(index: u32) -> String {
    any_socket()
        .ok()
        .and_then(|socket| index_to_name(socket, index).ok())
        .unwrap_or_else(|| format!("if{index}"))
}
