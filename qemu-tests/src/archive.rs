// SPDX-License-Identifier: GPL-2.0-only
//! A cpio archive in the `newc` format, as the kernel unpacks it at boot
//! (Documentation/driver-api/early-userspace/buffer-format.rst).

use std::collections::BTreeSet;

const DIRECTORY: u32 = 0o040_755;
const FILE: u32 = 0o100_644;
const PROGRAM: u32 = 0o100_755;
const DEVICE: u32 = 0o020_600;

/// An archive under construction.
#[derive(Debug, Default)]
pub struct Archive {
    bytes: Vec<u8>,
    directories: BTreeSet<String>,
    entries: u32,
}

impl Archive {
    /// An archive with nothing in it.
    pub fn new() -> Self {
        Archive::default()
    }

    /// Adds a file at the absolute `path`, and the directories above it.
    pub fn add_file(&mut self, path: &str, content: &[u8]) {
        self.add_parents(path);
        self.entry(path, FILE, (0, 0), content);
    }

    /// Adds an executable file at the absolute `path`.
    pub fn add_program(&mut self, path: &str, content: &[u8]) {
        self.add_parents(path);
        self.entry(path, PROGRAM, (0, 0), content);
    }

    /// Adds an empty directory at the absolute `path`.
    pub fn add_directory(&mut self, path: &str) {
        self.add_parents(path);
        if self.directories.insert(path.to_owned()) {
            self.entry(path, DIRECTORY, (0, 0), &[]);
        }
    }

    /// Adds a character device at the absolute `path`.
    pub fn add_device(&mut self, path: &str, major: u32, minor: u32) {
        self.add_parents(path);
        self.entry(path, DEVICE, (major, minor), &[]);
    }

    /// Closes the archive.
    pub fn finish(mut self) -> Vec<u8> {
        self.entry("/TRAILER!!!", 0, (0, 0), &[]);
        self.bytes
    }

    fn add_parents(&mut self, path: &str) {
        for (end, _) in path.match_indices('/').skip(1) {
            let parent = &path[..end];
            if self.directories.insert(parent.to_owned()) {
                self.entry(parent, DIRECTORY, (0, 0), &[]);
            }
        }
    }

    fn entry(&mut self, path: &str, mode: u32, device: (u32, u32), content: &[u8]) {
        let name = path.trim_start_matches('/');
        self.entries += 1;
        let fields = [
            self.entries,
            mode,
            0,
            0,
            1,
            0,
            content.len() as u32,
            0,
            0,
            device.0,
            device.1,
            name.len() as u32 + 1,
            0,
        ];
        self.bytes.extend_from_slice(b"070701");
        for field in fields {
            self.bytes
                .extend_from_slice(format!("{field:08x}").as_bytes());
        }
        self.bytes.extend_from_slice(name.as_bytes());
        self.bytes.push(0);
        self.pad();
        self.bytes.extend_from_slice(content);
        self.pad();
    }

    fn pad(&mut self) {
        self.bytes.resize(self.bytes.len().next_multiple_of(4), 0);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Reads an archive as the kernel does: header fields, name, content.
    fn unpack(mut bytes: &[u8]) -> Vec<(String, u32, Vec<u8>)> {
        let mut entries = Vec::new();
        let mut offset = 0usize;
        let mut take = |length: usize, align: bool| {
            let (head, rest) = bytes.split_at(length);
            bytes = rest;
            offset += length;
            if align {
                let padding = offset.next_multiple_of(4) - offset;
                bytes = &bytes[padding..];
                offset += padding;
            }
            head.to_vec()
        };
        loop {
            let header = String::from_utf8(take(110, false)).unwrap();
            assert!(header.starts_with("070701"));
            let field = |n: usize| u32::from_str_radix(&header[6 + 8 * n..14 + 8 * n], 16).unwrap();
            let name = take(field(11) as usize, true);
            let content = take(field(6) as usize, true);
            let name = String::from_utf8(name[..name.len() - 1].to_vec()).unwrap();
            if name == "TRAILER!!!" {
                return entries;
            }
            entries.push((name, field(1), content));
        }
    }

    #[test]
    fn directories_come_once_and_before_what_is_in_them() {
        let mut archive = Archive::new();
        archive.add_program("/a/b/c", b"x");
        archive.add_file("/a/b/d", b"yz");
        let names: Vec<_> = unpack(&archive.finish())
            .into_iter()
            .map(|(name, mode, _)| (name, mode))
            .collect();
        let expected = [
            ("a", DIRECTORY),
            ("a/b", DIRECTORY),
            ("a/b/c", PROGRAM),
            ("a/b/d", FILE),
        ];
        assert_eq!(names, expected.map(|(name, mode)| (name.to_owned(), mode)));
    }

    proptest! {
        #[test]
        fn what_goes_in_comes_out(
            contents in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..50), 0..8)
        ) {
            let mut archive = Archive::new();
            for (number, content) in contents.iter().enumerate() {
                archive.add_file(&format!("/{}", "f".repeat(number + 1)), content);
            }
            let unpacked: Vec<_> = unpack(&archive.finish())
                .into_iter()
                .map(|(_, _, content)| content)
                .collect();
            prop_assert_eq!(unpacked, contents);
        }
    }
}
