// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The options at level SOL_ECCP.

use std::io;
use std::net::IpAddr;
use std::os::fd::{AsFd, AsRawFd};

use super::info::{self, SocketInfo};
use super::{
    ECCP_DATAGRAM_MAX, ECCP_INFO, ECCP_MOVE, ECCP_PATH_EVENTS, ECCP_PSK, ECCP_PSK_LEN, SOL_ECCP,
};
use crate::flow::Target;

pub(super) fn set(fd: impl AsFd, option: i32, value: &[u8]) -> io::Result<()> {
    // SAFETY: the pointer and the length are those of a live slice, which the
    // kernel only reads.
    let result = unsafe {
        libc::setsockopt(
            fd.as_fd().as_raw_fd(),
            SOL_ECCP,
            option,
            value.as_ptr().cast(),
            value.len() as libc::socklen_t,
        )
    };
    if result == 0 {
        Ok(())
    } else {
        Err(io::Error::last_os_error())
    }
}

/// Reads ECCP_INFO.
pub(super) fn info(fd: impl AsFd) -> io::Result<SocketInfo> {
    let mut bytes = [0u8; info::LEN];
    let mut length = bytes.len() as libc::socklen_t;
    // SAFETY: the kernel writes at most `length` bytes, which is the size of
    // the buffer, and then the length that it wrote.
    let result = unsafe {
        libc::getsockopt(
            fd.as_fd().as_raw_fd(),
            SOL_ECCP,
            ECCP_INFO,
            bytes.as_mut_ptr().cast(),
            &mut length,
        )
    };
    if result != 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(SocketInfo::from_bytes(&bytes))
}

/// Reads ECCP_DATAGRAM_MAX.
pub(super) fn datagram_max(fd: impl AsFd) -> io::Result<u32> {
    number(fd, ECCP_DATAGRAM_MAX)
}

/// Reads an option that is a `__u32`.
pub(super) fn number(fd: impl AsFd, option: i32) -> io::Result<u32> {
    let mut value = 0u32;
    let mut length = size_of_val(&value) as libc::socklen_t;
    // SAFETY: the kernel writes at most `length` bytes, which is the size of
    // the integer.
    let result = unsafe {
        libc::getsockopt(
            fd.as_fd().as_raw_fd(),
            SOL_ECCP,
            option,
            (&raw mut value).cast(),
            &mut length,
        )
    };
    if result != 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(value)
}

/// Bytes of `struct eccp_move`.
pub(super) fn move_bytes(target: Target) -> [u8; 24] {
    let mut bytes = [0; 24];
    match target {
        Target::Address(IpAddr::V4(address)) => {
            bytes[..16].copy_from_slice(&address.to_ipv6_mapped().octets());
        }
        Target::Address(IpAddr::V6(address)) => bytes[..16].copy_from_slice(&address.octets()),
        Target::Interface(index) => bytes[16..20].copy_from_slice(&index.to_ne_bytes()),
    }
    bytes
}

/// Sets ECCP_MOVE.
pub(super) fn move_to(fd: impl AsFd, target: Target) -> io::Result<()> {
    set(fd, ECCP_MOVE, &move_bytes(target))
}

/// Sets ECCP_PATH_EVENTS.
pub(super) fn watch_paths(fd: impl AsFd, kinds: u32) -> io::Result<()> {
    set(fd, ECCP_PATH_EVENTS, &kinds.to_ne_bytes())
}

/// Sets ECCP_PSK.
pub(super) fn set_psk(fd: impl AsFd, key: &[u8; ECCP_PSK_LEN]) -> io::Result<()> {
    set(fd, ECCP_PSK, key)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_move_carries_the_address_or_the_interface() {
        let bytes = move_bytes(Target::Address("10.0.0.1".parse().unwrap()));
        assert_eq!(bytes[10..16], [0xff, 0xff, 10, 0, 0, 1]);
        assert_eq!(bytes[16..], [0; 8]);
        let bytes = move_bytes(Target::Interface(7));
        assert_eq!(bytes[..16], [0; 16]);
        assert_eq!(bytes[16..20], 7u32.to_ne_bytes());
    }
}
