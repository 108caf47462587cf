// SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0
//! Module files: where they are, and which kernel they were built for.

use std::fs;
use std::path::{Path, PathBuf};

/// The kernel release that a module file was built for: the first word of the
/// `vermagic=` entry of its `.modinfo` section. `None` if there is no such
/// entry, as in a compressed file.
pub fn built_for(file: &[u8]) -> Option<String> {
    const KEY: &[u8] = b"vermagic=";
    let at = file.windows(KEY.len()).position(|window| window == KEY)?;
    let value = file.get(at + KEY.len()..)?;
    let end = value.iter().position(|byte| [0, b' '].contains(byte))?;
    String::from_utf8(value[..end].to_vec()).ok()
}

/// Files called `eccp.ko`, compressed or not, under the module trees of all
/// kernels, each with the release of its tree.
pub fn installed(root: &Path) -> Vec<(String, PathBuf)> {
    let mut found = Vec::new();
    for release in names(root) {
        let mut folders = vec![root.join(&release)];
        while let Some(folder) = folders.pop() {
            for name in names(&folder) {
                let path = folder.join(&name);
                if path.is_symlink() {
                    continue;
                }
                if path.is_dir() {
                    folders.push(path);
                } else if name == "eccp.ko" || name.starts_with("eccp.ko.") {
                    found.push((release.clone(), path));
                }
            }
        }
    }
    found.sort();
    found
}

fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    entries
        .filter_map(|entry| entry.file_name().into_string().ok())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_release_is_read_from_a_module_file() {
        let file =
            b"\x7fELF..license=GPL\0vermagic=7.3.4+deb13-amd64 SMP preempt mod_unload \0rest";
        assert_eq!(built_for(file).as_deref(), Some("7.3.4+deb13-amd64"));
        assert_eq!(built_for(b"\xfd7zXZ compressed"), None);
        assert_eq!(built_for(b"vermagic=7.3"), None);
    }

    #[test]
    fn module_files_are_found_in_the_trees_of_all_kernels() {
        let root = tempfile::tempdir().unwrap();
        for file in [
            "7.2/extra/eccp.ko.xz",
            "7.3/updates/dkms/eccp.ko",
            "7.3/kernel/net/eccp.koala",
        ] {
            let path = root.path().join(file);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, "").unwrap();
        }
        let found = installed(root.path());
        let releases: Vec<_> = found.iter().map(|(release, _)| release.as_str()).collect();
        assert_eq!(releases, ["7.2", "7.3"]);
    }
}
