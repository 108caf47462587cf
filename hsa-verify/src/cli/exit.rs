// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Exit codes, the same for every question.

use std::process::ExitCode;

/// How it went.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    /// 0: the question has the good answer: it gets there, there is no loop, nothing leaks,
    /// nothing changed, every assertion holds.
    Holds,
    /// 1: it has the other answer.
    Violated,
    /// 2: the input or the arguments are wrong; there is no answer.
    BadInput,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        match exit {
            Exit::Holds => Self::from(0),
            Exit::Violated => Self::from(1),
            Exit::BadInput => Self::from(2),
        }
    }
}

impl From<bool> for Exit {
    fn from(good: bool) -> Self {
        if good {
            Self::Holds
        } else {
            Self::Violated
        }
    }
}
