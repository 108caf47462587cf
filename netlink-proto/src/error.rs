// SPDX-License-Identifier: Apache-2.0 OR MIT
//! What can go wrong between this crate and the kernel.

use std::io;

use netlink_packet_core::DecodeError;

use crate::extack::Refusal;

/// Result of a request.
pub type Result<T> = std::result::Result<T, Error>;

/// Why a request has no answer.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The kernel knows no family of this name: the module is not loaded.
    #[error(
        "the kernel has no generic netlink family \"{}\": the module eccp is not loaded",
        crate::constants::FAMILY_NAME
    )]
    FamilyMissing,
    /// The family has no multicast group of this name.
    #[error("the family has no multicast group {0:?}")]
    GroupMissing(&'static str),
    /// The kernel refused the request.
    #[error("{0}")]
    Refused(Refusal),
    /// The socket failed.
    #[error("netlink socket: {0}")]
    Io(#[from] io::Error),
    /// A message from the kernel makes no sense.
    #[error("message from the kernel: {0}")]
    Decode(#[from] DecodeError),
    /// The kernel answered without the object that was asked for.
    #[error("the kernel answered {0} without an object")]
    NoObject(crate::constants::Command),
}
