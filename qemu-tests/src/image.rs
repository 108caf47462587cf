// SPDX-License-Identifier: GPL-2.0-only
//! The root file system of a test machine, made in memory for every boot.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use qemu_guest::plan::{self, Plan, Task, Transport};
use qemu_guest::scenario::{PYTHON_NAME, PYTHON_SCENARIO, PYTHON_SCRIPT};

use crate::archive::Archive;
use crate::kernel::Kernel;
use crate::python::Python;

/// Modules of the kernel that the scenarios need for their networks.
const NETWORK_MODULES: [&str; 8] = [
    "veth",
    "sch_netem",
    "af_packet",
    "crc32c_generic",
    "nf_tables",
    "nft_chain_nat",
    "nft_masq",
    "nf_conntrack_netlink",
];
/// What the budgets need beyond them.
const BUDGET_MODULES: [&str; 1] = ["wireguard"];
/// The examples of docs/examples, which `make guest` builds beside the init.
const EXAMPLES: [&str; 2] = ["eccp-echo", "eccp-echo-c"];
const PYTHON_EXAMPLE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/examples/echo.py");
const ECCP_MODULE: &str = "/modules/eccp.ko";

/// The programs and the module that go into an image, as paths on the host.
#[derive(Debug, Clone)]
pub struct Ingredients {
    /// The static init.
    pub init: PathBuf,
    /// The module under test, built for the kernel; none for runs on TCP.
    pub eccp_module: Option<PathBuf>,
    /// The static eccp-tool; none for runs on TCP.
    pub eccp_tool: Option<PathBuf>,
    /// The static busybox; only `make shell` needs one.
    pub busybox: Option<PathBuf>,
}

/// Packs an image and returns its bytes.
///
/// # Errors
/// Names the file that is missing.
pub fn build(kernel: &Kernel, ingredients: &Ingredients, task: Task, seed: u64) -> Result<Vec<u8>> {
    let mut archive = Archive::new();
    for directory in ["/proc", "/sys", "/dev", "/run", "/tmp", "/etc", "/root"] {
        archive.add_directory(directory);
    }
    // The kernel opens the console before devtmpfs is mounted.
    archive.add_device("/dev/console", 5, 1);
    archive.add_device("/dev/null", 1, 3);
    archive.add_program("/init", &read(&ingredients.init)?);
    for (target, program) in [
        ("/bin/eccp-tool", &ingredients.eccp_tool),
        ("/bin/busybox", &ingredients.busybox),
    ] {
        if let Some(path) = program {
            archive.add_program(target, &read(path)?);
        }
    }
    for program in EXAMPLES {
        // A run without them fails in the scenario that wants them.
        let path = ingredients.init.with_file_name("examples").join(program);
        if path.exists() {
            archive.add_program(&format!("/bin/examples/{program}"), &read(&path)?);
        }
    }
    if matches!(&task, Task::Scenarios(names) if names.iter().any(|name| name == PYTHON_SCENARIO)) {
        add_python(&mut archive)?;
    }
    let mut names = NETWORK_MODULES.to_vec();
    if matches!(task, Task::Budgets { .. }) {
        names.extend(BUDGET_MODULES);
    }
    let mut modules = kernel.closure(&names)?;
    if let Some(path) = &ingredients.eccp_module {
        for module in kernel.dependencies_of(path)? {
            if !modules.contains(&module) {
                modules.push(module);
            }
        }
        archive.add_file(ECCP_MODULE, &read(path)?);
    }
    for module in &modules {
        archive.add_file(&module.target, &read(&module.path)?);
    }
    let plan = Plan {
        task,
        seed,
        modules: modules.into_iter().map(|module| module.target).collect(),
        eccp_module: ingredients
            .eccp_module
            .as_ref()
            .map(|_| ECCP_MODULE.to_owned()),
        transport: match ingredients.eccp_module {
            Some(_) => Transport::Eccp,
            None => Transport::Tcp,
        },
    };
    archive.add_file(plan::PATH, &serde_json::to_vec_pretty(&plan)?);
    Ok(archive.finish())
}

/// The example and the interpreter that runs it.
fn add_python(archive: &mut Archive) -> Result<()> {
    let script = Path::new(PYTHON_EXAMPLE);
    let python = Python::for_script(script)?;
    for file in &python.files {
        archive.add_program(&file.to_string_lossy(), &read(file)?);
    }
    let interpreter = python.interpreter.to_string_lossy().into_owned();
    archive.add_file(PYTHON_NAME, interpreter.as_bytes());
    archive.add_program(PYTHON_SCRIPT, &read(script)?);
    Ok(())
}

fn read(path: &Path) -> Result<Vec<u8>> {
    fs::read(path).with_context(|| format!("{} for the image", path.display()))
}
