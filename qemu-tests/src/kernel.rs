// SPDX-License-Identifier: GPL-2.0-only
//! A prepared stock kernel: its image, its modules, and their dependencies.

use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{bail, ensure, Context, Result};

/// A kernel that the toolchain has prepared, as its `env` file describes it.
#[derive(Debug)]
pub struct Kernel {
    /// Name of the suite: `trixie` or `sid`.
    pub name: String,
    /// What `uname -r` says on it.
    pub release: String,
    /// The bootable image.
    pub image: PathBuf,
    /// The QEMU command that boots it.
    pub emulator: PathBuf,
    modules: HashMap<String, PathBuf>,
}

/// A module file and the name it has in a machine's image.
#[derive(Debug, PartialEq, Eq)]
pub struct ModuleFile {
    /// Where it is on the host.
    pub path: PathBuf,
    /// Path in the image.
    pub target: String,
}

impl Kernel {
    /// Finds the kernel called `name` under the cache directory.
    ///
    /// # Errors
    /// When it has not been prepared, or the description is incomplete.
    pub fn find(cache: &Path, name: &str) -> Result<Self> {
        let path = cache.join(name).join("env");
        let text = fs::read_to_string(&path).with_context(|| {
            format!(
                "{} is missing: prepare the kernel with `make toolchain`",
                path.display()
            )
        })?;
        let fields = parse_environment(&text);
        let field = |key: &str| {
            fields
                .get(key)
                .cloned()
                .with_context(|| format!("{} does not set {key}", path.display()))
        };
        let mut modules = HashMap::new();
        index_modules(Path::new(&field("MODULES")?), &mut modules)?;
        Ok(Kernel {
            name: name.to_owned(),
            release: field("RELEASE")?,
            image: field("VMLINUZ")?.into(),
            emulator: field("QEMU")?.into(),
            modules,
        })
    }

    /// A kernel without image and modules, whose emulator is `emulator`.
    #[cfg(test)]
    pub(crate) fn unprepared(emulator: PathBuf) -> Self {
        Kernel {
            name: String::new(),
            release: String::new(),
            image: PathBuf::new(),
            emulator,
            modules: HashMap::new(),
        }
    }

    /// The named modules and everything they depend on, in loading order.
    /// Names that are not modules of this kernel are built in and left out.
    ///
    /// # Errors
    /// When a module cannot be read, or the dependencies form a circle.
    pub fn closure(&self, names: &[&str]) -> Result<Vec<ModuleFile>> {
        let mut order = Vec::new();
        for name in names {
            self.visit(name, 0, &mut order)?;
        }
        Ok(order)
    }

    /// The modules that the module in `path` depends on, in loading order.
    ///
    /// # Errors
    /// As [`Kernel::closure`].
    pub fn dependencies_of(&self, path: &Path) -> Result<Vec<ModuleFile>> {
        let names = depends(path)?;
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        self.closure(&names)
    }

    fn visit(&self, name: &str, depth: usize, order: &mut Vec<ModuleFile>) -> Result<()> {
        ensure!(
            depth < 32,
            "the dependencies of module {name} form a circle"
        );
        let Some(path) = self.modules.get(&canonical(name)) else {
            return Ok(());
        };
        for dependency in depends(path)? {
            self.visit(&dependency, depth + 1, order)?;
        }
        let file = path.file_name().unwrap_or_default().to_string_lossy();
        let module = ModuleFile {
            target: format!("/modules/{file}"),
            path: path.clone(),
        };
        if !order.contains(&module) {
            order.push(module);
        }
        Ok(())
    }
}

/// `KEY=value` lines; quotes around a value are not part of it.
fn parse_environment(text: &str) -> HashMap<String, String> {
    text.lines()
        .filter_map(|line| line.trim().split_once('='))
        .map(|(key, value)| {
            let value = value.trim_matches(|c| c == '"' || c == '\'');
            (key.to_owned(), value.to_owned())
        })
        .collect()
}

/// Underscores and dashes are the same in module names.
fn canonical(name: &str) -> String {
    name.replace('-', "_")
}

fn index_modules(directory: &Path, modules: &mut HashMap<String, PathBuf>) -> Result<()> {
    let entries = fs::read_dir(directory).with_context(|| directory.display().to_string())?;
    for entry in entries {
        let entry = entry?;
        let path = entry.path();
        if entry.file_type()?.is_dir() {
            index_modules(&path, modules)?;
        } else if let Some((name, "ko" | "ko.xz")) = entry
            .file_name()
            .to_str()
            .and_then(|file| file.split_once('.'))
        {
            modules.insert(canonical(name), path);
        }
    }
    Ok(())
}

/// The `depends=` field of a module's own information.
fn depends(path: &Path) -> Result<Vec<String>> {
    let bytes = if path.extension().is_some_and(|extension| extension == "xz") {
        let output = Command::new("xz")
            .arg("-dc")
            .arg(path)
            .output()
            .context("xz")?;
        if !output.status.success() {
            bail!("xz cannot read {}", path.display());
        }
        output.stdout
    } else {
        fs::read(path).with_context(|| path.display().to_string())?
    };
    field_of(&bytes, "depends=")
        .map(|value| {
            value
                .split(',')
                .filter(|name| !name.is_empty())
                .map(str::to_owned)
                .collect()
        })
        .with_context(|| format!("{} has no module information", path.display()))
}

fn field_of<'a>(bytes: &'a [u8], key: &str) -> Option<&'a str> {
    bytes
        .split(|byte| *byte == 0)
        .filter_map(|field| std::str::from_utf8(field).ok())
        .find_map(|field| field.strip_prefix(key))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_environment_file_is_shell_assignments() {
        let fields = parse_environment("RELEASE=7.3.4\nVMLINUZ=\"/a b/vmlinuz\"\n# note\n");
        assert_eq!(fields["RELEASE"], "7.3.4");
        assert_eq!(fields["VMLINUZ"], "/a b/vmlinuz");
    }

    fn write_module(directory: &Path, name: &str, depends: &str) {
        let content = format!("\x7fELF\0license=GPL\0depends={depends}\0name={name}\0");
        fs::write(directory.join(format!("{name}.ko")), content).unwrap();
    }

    #[test]
    fn dependencies_come_first_and_once() {
        let directory = tempfile::tempdir().unwrap();
        write_module(directory.path(), "top", "left,right");
        write_module(directory.path(), "left", "base-one");
        write_module(directory.path(), "right", "base_one");
        write_module(directory.path(), "base-one", "");
        let mut modules = HashMap::new();
        index_modules(directory.path(), &mut modules).unwrap();
        let kernel = Kernel {
            modules,
            ..Kernel::unprepared(PathBuf::new())
        };
        let order: Vec<String> = kernel
            .closure(&["top", "built-in"])
            .unwrap()
            .into_iter()
            .map(|module| module.target)
            .collect();
        let expected = ["base-one", "left", "right", "top"];
        assert_eq!(order, expected.map(|name| format!("/modules/{name}.ko")));
    }

    #[test]
    fn a_circle_is_an_error() {
        let directory = tempfile::tempdir().unwrap();
        write_module(directory.path(), "a", "b");
        write_module(directory.path(), "b", "a");
        let mut modules = HashMap::new();
        index_modules(directory.path(), &mut modules).unwrap();
        let kernel = Kernel {
            modules,
            ..Kernel::unprepared(PathBuf::new())
        };
        assert!(kernel.closure(&["a"]).is_err());
    }
}
