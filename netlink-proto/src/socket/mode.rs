// SPDX-License-Identifier: Apache-2.0 OR MIT
//! How a stream uses the paths that there are.

use std::io;
use std::os::fd::AsFd;

use super::options;

/// Option that selects the mode.
pub const ECCP_MODE: i32 = 17;
/// Flag of a mode: without the peer's consent there is no connection.
pub const ECCP_MODE_REQUIRED: u32 = 0x100;

/// How a stream uses the paths that there are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// One at a time.
    Single,
    /// All of them, for throughput.
    Aggregate,
    /// All of them, and what this host sends goes along each.
    Redundant,
}

impl Mode {
    /// The number of the mode.
    pub const fn number(self) -> u32 {
        match self {
            Mode::Single => 0,
            Mode::Aggregate => 1,
            Mode::Redundant => 2,
        }
    }

    /// The mode of a number, whose flags are ignored.
    pub const fn from_number(number: u32) -> Option<Self> {
        match number & !ECCP_MODE_REQUIRED {
            0 => Some(Mode::Single),
            1 => Some(Mode::Aggregate),
            2 => Some(Mode::Redundant),
            _ => None,
        }
    }
}

/// Sets ECCP_MODE.
pub(super) fn set(fd: impl AsFd, mode: Mode, required: bool) -> io::Result<()> {
    let flag = if required { ECCP_MODE_REQUIRED } else { 0 };
    options::set(fd, ECCP_MODE, &(mode.number() | flag).to_ne_bytes())
}

/// Reads ECCP_MODE.
pub(super) fn get(fd: impl AsFd) -> io::Result<Mode> {
    let number = options::number(fd, ECCP_MODE)?;
    Mode::from_number(number).ok_or_else(|| io::Error::from_raw_os_error(libc::EINVAL))
}
