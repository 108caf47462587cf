// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Where the real networks are, and a loud word when they are not there.

use std::io::Write;
use std::path::{Path, PathBuf};

/// The folder `part` of the test data: below `HSA_DATA`, or below `../shared/data` next to the
/// checkout. `None`, and a line on standard error that no test harness captures, when absent.
pub fn folder(part: &str) -> Option<PathBuf> {
    let checkout = Path::new(env!("CARGO_MANIFEST_DIR")).parent();
    let default = checkout
        .and_then(Path::parent)
        .map(|p| p.join("shared/data"));
    let root = std::env::var_os("HSA_DATA").map(PathBuf::from).or(default);
    let path = root.unwrap_or_default().join(part);
    if path.is_dir() {
        return Some(path);
    }
    let notice = format!(
        "\n*** NOT TESTED on real data: no folder {}; set HSA_DATA to the data folder ***\n",
        path.display()
    );
    std::io::stderr()
        .write_all(notice.as_bytes())
        .expect("standard error can be written");
    None
}
