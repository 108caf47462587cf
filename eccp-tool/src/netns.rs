// SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0
//! Network namespaces by name, as `ip netns` keeps them, or by path.

use std::fs::File;
use std::os::fd::AsFd;
use std::path::PathBuf;

use rustix::thread::{move_into_link_name_space, LinkNameSpaceType};

use crate::exit::Exit;
use crate::failure::Failure;

fn path(name: &str) -> PathBuf {
    if name.contains('/') {
        PathBuf::from(name)
    } else {
        PathBuf::from("/run/netns").join(name)
    }
}

/// Moves the calling thread into the namespace, before any socket is opened.
pub fn enter(name: &str) -> Result<(), Failure> {
    let path = path(name);
    let shown = path.display();
    let file = File::open(&path).map_err(|error| {
        Failure::new(
            Exit::System,
            format!("network namespace {name:?}: {shown}: {error}"),
        )
        .advise("\"ip netns\" lists the names; a path like /proc/PID/ns/net works too")
    })?;
    move_into_link_name_space(file.as_fd(), Some(LinkNameSpaceType::Network)).map_err(|error| {
        Failure::new(
            Exit::System,
            format!("network namespace {name:?}: cannot enter it: {error}"),
        )
        .advise(
            "entering a namespace needs CAP_SYS_ADMIN, and the file must be of a network namespace",
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_looked_up_where_ip_keeps_it_and_a_path_is_taken_as_it_is() {
        assert_eq!(path("blue"), PathBuf::from("/run/netns/blue"));
        assert_eq!(path("/proc/1/ns/net"), PathBuf::from("/proc/1/ns/net"));
    }

    #[test]
    fn a_namespace_that_does_not_exist_is_named() {
        let failure = enter("no-such-namespace").unwrap_err();
        assert_eq!(failure.exit, Exit::System);
        assert!(failure.message.contains("/run/netns/no-such-namespace"));
    }
}
