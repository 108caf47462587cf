// SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0
//! How the program ends; scripts may rely on the numbers.

use std::process::ExitCode;

/// Exit status.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Exit {
    /// All went well; also when the reader of the output went away.
    Success = 0,
    /// The command line makes no sense.
    Usage = 1,
    /// The kernel refused the request.
    Refused = 2,
    /// The module is not loaded.
    ModuleMissing = 3,
    /// A file, a namespace or the netlink socket failed.
    System = 4,
    /// The move was given up, or did not end in the time allowed.
    MoveFailed = 5,
    /// `check` found something that is in the way.
    CheckFailed = 6,
}

impl Exit {
    /// Every status with its meaning, for the manual.
    pub const TABLE: [(Exit, &'static str); 7] = [
        (
            Exit::Success,
            "success; also when the reader of the output went away",
        ),
        (Exit::Usage, "the command line makes no sense"),
        (Exit::Refused, "the kernel refused the request"),
        (Exit::ModuleMissing, "the module is not loaded"),
        (
            Exit::System,
            "a file, a namespace or the netlink socket failed",
        ),
        (
            Exit::MoveFailed,
            "the move was given up, or did not end in the time allowed",
        ),
        (
            Exit::CheckFailed,
            "check found something that is in the way",
        ),
    ];
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        ExitCode::from(exit as u8)
    }
}
