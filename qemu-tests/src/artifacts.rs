// SPDX-License-Identifier: GPL-2.0-only
//! Unpacks the files that a machine has sent.

use std::fs;
use std::path::{Component, Path, PathBuf};

use anyhow::{ensure, Context, Result};
use serde::Deserialize;

#[derive(Deserialize)]
struct Header {
    name: PathBuf,
    length: usize,
}

/// Splits `artifacts.bin` of a machine's directory into files below it and
/// returns their paths.
///
/// # Errors
/// When a file is cut off or its name points outside the directory.
pub fn unpack(directory: &Path) -> Result<Vec<PathBuf>> {
    let path = directory.join("artifacts.bin");
    let bytes = fs::read(&path).with_context(|| path.display().to_string())?;
    let mut rest = bytes.as_slice();
    let mut files = Vec::new();
    while !rest.is_empty() {
        let end = rest
            .iter()
            .position(|byte| *byte == b'\n')
            .with_context(|| format!("{}: a header without an end", path.display()))?;
        let header: Header = serde_json::from_slice(&rest[..end])
            .with_context(|| format!("{}: not a header", path.display()))?;
        rest = &rest[end + 1..];
        ensure!(
            header
                .name
                .components()
                .all(|part| matches!(part, Component::Normal(_))),
            "{}: {} is not a relative path",
            path.display(),
            header.name.display()
        );
        ensure!(
            header.length <= rest.len(),
            "{}: {} is cut off",
            path.display(),
            header.name.display()
        );
        let (content, tail) = rest.split_at(header.length);
        rest = tail;
        let target = directory.join(header.name);
        if let Some(parent) = target.parent() {
            fs::create_dir_all(parent)?;
        }
        fs::write(&target, content).with_context(|| target.display().to_string())?;
        files.push(target);
    }
    Ok(files)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn unpack_bytes(bytes: &[u8]) -> Result<Vec<Vec<u8>>> {
        let directory = tempfile::tempdir().unwrap();
        fs::write(directory.path().join("artifacts.bin"), bytes).unwrap();
        let files = unpack(directory.path())?;
        Ok(files.iter().map(|path| fs::read(path).unwrap()).collect())
    }

    #[test]
    fn files_come_out_as_they_went_in() {
        let bytes = b"{\"name\":\"a/b\",\"length\":3}\n\n\n\n{\"name\":\"c\",\"length\":0}\n";
        assert_eq!(unpack_bytes(bytes).unwrap(), [b"\n\n\n".to_vec(), vec![]]);
    }

    #[test]
    fn a_cut_file_and_a_climbing_name_are_errors() {
        assert!(unpack_bytes(b"{\"name\":\"a\",\"length\":3}\nxx").is_err());
        assert!(unpack_bytes(b"{\"name\":\"../a\",\"length\":0}\n").is_err());
    }
}
