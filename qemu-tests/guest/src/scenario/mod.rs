// SPDX-License-Identifier: GPL-2.0-only
//! The scenarios, one file per subject.

use crate::roster::Scenario;

mod transfer;

/// The tables of all files, in the order in which they are run.
pub(crate) const TABLES: &[&[Scenario]] = &[transfer::TABLE];
