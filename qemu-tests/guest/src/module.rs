// SPDX-License-Identifier: GPL-2.0-only
//! Loading and unloading kernel modules without any tool in the image.

use std::ffi::CString;
use std::fs::{self, File};
use std::path::Path;

use anyhow::{Context, Result};
use rustix::io::Errno;
use rustix::system::{delete_module, finit_module};

/// MODULE_INIT_COMPRESSED_FILE of include/uapi/linux/module.h.
const COMPRESSED_FILE: i32 = 4;
/// O_NONBLOCK: fail with EWOULDBLOCK instead of waiting for the last user.
const DO_NOT_WAIT: i32 = libc::O_NONBLOCK;

/// Loads the module in `path`; one that is there already is fine.
///
/// # Errors
/// The kernel's errno with the path.
pub fn load(path: &str) -> Result<()> {
    match insert(path, "") {
        Err(Errno::EXIST) => Ok(()),
        other => other.with_context(|| format!("cannot load {path}")),
    }
}

/// Loads the module in `path` with `parameters`, as insmod does.
///
/// # Errors
/// The kernel's errno, EEXIST included.
pub fn insert(path: &str, parameters: &str) -> Result<(), Errno> {
    let file =
        File::open(path).map_err(|error| Errno::from_io_error(&error).unwrap_or(Errno::IO))?;
    let flags = if path.ends_with(".ko") {
        0
    } else {
        COMPRESSED_FILE
    };
    let parameters = CString::new(parameters).map_err(|_| Errno::INVAL)?;
    finit_module(&file, &parameters, flags)
}

/// Unloads the module `name`, or says why not; never waits.
///
/// # Errors
/// EAGAIN (= EWOULDBLOCK) while it is in use, ENOENT when it is not loaded.
pub fn remove(name: &str) -> Result<(), Errno> {
    let name = CString::new(name).map_err(|_| Errno::INVAL)?;
    delete_module(&name, DO_NOT_WAIT)
}

/// The module's reference count, or `None` when it is not loaded.
pub fn reference_count(name: &str) -> Option<u64> {
    let path = Path::new("/sys/module").join(name).join("refcnt");
    fs::read_to_string(path).ok()?.trim().parse().ok()
}
