// SPDX-License-Identifier: GPL-2.0-only
//! The host's Python with the few modules that an example imports, for a machine.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{ensure, Context, Result};

/// Prints the interpreter and the files of all modules that the script at
/// `argv[1]` makes it load.
const PROBE: &str = "
import runpy, os, sys
import encodings.ascii, encodings.latin_1, encodings.idna
runpy.run_path(sys.argv[1])
print(os.path.realpath(sys.executable))
for module in list(sys.modules.values()):
    if getattr(module, '__file__', None):
        print(os.path.abspath(module.__file__))
";

/// The host's interpreter and everything that it needs for one script.
#[derive(Debug)]
pub struct Python {
    /// The interpreter.
    pub interpreter: PathBuf,
    /// It, its libraries and the modules; each has the same path in a machine.
    pub files: BTreeSet<PathBuf>,
}

impl Python {
    /// Looks for what `script` imports.
    ///
    /// # Errors
    /// When there is no `python3`, or it cannot import what the script wants.
    pub fn for_script(script: &Path) -> Result<Self> {
        let mut command = Command::new("python3");
        command.args(["-I", "-S", "-c", PROBE]).arg(script);
        let mut lines = lines(command).context("python3")?.into_iter();
        let interpreter = lines.next().context("python3 has no name")?;
        let mut files: BTreeSet<PathBuf> = lines.collect();
        files.remove(script);
        let binaries: Vec<PathBuf> = files
            .iter()
            .filter(|file| file.extension().is_some_and(|kind| kind == "so"))
            .chain([&interpreter])
            .cloned()
            .collect();
        for binary in binaries {
            let mut command = Command::new("ldd");
            command.arg(&binary);
            let text = lines_of(command).with_context(|| binary.display().to_string())?;
            files.extend(text.iter().filter_map(|line| library(line)));
        }
        files.insert(interpreter.clone());
        Ok(Python { interpreter, files })
    }
}

/// The path in a line of ldd: behind the arrow, or at the beginning for the loader.
fn library(line: &str) -> Option<PathBuf> {
    let path = line.split_once("=>").map_or(line, |(_, path)| path);
    let path = path.split_whitespace().next()?;
    path.starts_with('/').then(|| path.into())
}

fn lines(command: Command) -> Result<Vec<PathBuf>> {
    Ok(lines_of(command)?.into_iter().map(PathBuf::from).collect())
}

fn lines_of(mut command: Command) -> Result<Vec<String>> {
    let output = command.output()?;
    ensure!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let text = String::from_utf8(output.stdout)?;
    Ok(text.lines().map(str::to_owned).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ldd_names_libraries_in_two_ways() {
        let lines = [
            (
                "\tlibc.so.6 => /lib/libc.so.6 (0x1)",
                Some("/lib/libc.so.6"),
            ),
            ("\t/lib64/ld.so.2 (0x1)", Some("/lib64/ld.so.2")),
            ("\tlinux-vdso.so.1 (0x1)", None),
            ("\tlibx.so => not found", None),
        ];
        for (line, path) in lines {
            assert_eq!(library(line), path.map(PathBuf::from), "{line}");
        }
    }
}
