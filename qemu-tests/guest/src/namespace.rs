// SPDX-License-Identifier: GPL-2.0-only
//! Network namespaces with names, as `ip netns` and `eccp-tool -n` know them.

use std::fs::{self, File};
use std::os::fd::{AsFd, BorrowedFd};
use std::path::PathBuf;
use std::thread;

use anyhow::{anyhow, Context, Result};
use rustix::mount::{mount_bind, unmount, UnmountFlags};
use rustix::thread::{move_into_link_name_space, unshare_unsafe, LinkNameSpaceType, UnshareFlags};

use crate::{last_words, link};

/// Where named namespaces are mounted.
pub const DIRECTORY: &str = "/run/netns";

/// A network namespace of this scenario; it is deleted on drop, and gone for
/// good when its last socket and task are.
#[derive(Debug)]
pub struct Namespace {
    name: String,
    handle: Option<File>,
}

impl Namespace {
    /// Makes a namespace called `name` with its loopback up.
    ///
    /// # Errors
    /// When the kernel refuses, or the name is taken.
    pub fn create(name: &str) -> Result<Self> {
        let target = PathBuf::from(DIRECTORY).join(name);
        fs::create_dir_all(DIRECTORY)?;
        File::create_new(&target).with_context(|| format!("namespace {name}"))?;
        let handle = thread::scope(|scope| {
            scope
                .spawn(|| -> Result<File> {
                    // SAFETY: only the network namespace changes; file descriptors stay shared.
                    unsafe { unshare_unsafe(UnshareFlags::NEWNET) }
                        .context("unshare(CLONE_NEWNET)")?;
                    let own = "/proc/thread-self/ns/net";
                    mount_bind(own, &target).with_context(|| target.display().to_string())?;
                    Ok(File::open(own)?)
                })
                .join()
                .map_err(|_| anyhow!("the thread that made namespace {name} panicked"))?
        })?;
        let namespace = Namespace {
            name: name.to_owned(),
            handle: Some(handle),
        };
        namespace.run(|| link::set_up("lo"))?;
        Ok(namespace)
    }

    /// The name under [`DIRECTORY`].
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The namespace as a file descriptor.
    ///
    /// # Panics
    /// Never: the handle is only taken by `drop` and [`Namespace::delete`],
    /// which both own the value.
    pub fn as_fd(&self) -> BorrowedFd<'_> {
        self.handle
            .as_ref()
            .expect("a live namespace has a handle")
            .as_fd()
    }

    /// Runs `work` on a thread of its own inside the namespace. Sockets made
    /// there belong to the namespace wherever they are used later.
    ///
    /// # Errors
    /// What `work` answers, or that it panicked.
    pub fn run<T: Send>(&self, work: impl FnOnce() -> Result<T> + Send) -> Result<T> {
        in_namespace(self.as_fd(), work).with_context(|| format!("in namespace {}", self.name))
    }

    /// Starts `work` on a thread inside the namespace and does not wait.
    pub fn spawn<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> Result<T> + Send + 'static,
    ) -> Result<Task<T>> {
        let handle = self.as_fd().try_clone_to_owned()?;
        let name = self.name.clone();
        let thread = thread::spawn(move || {
            move_into_link_name_space(handle.as_fd(), Some(LinkNameSpaceType::Network))
                .context("setns")?;
            drop(handle);
            work().with_context(|| format!("in namespace {name}"))
        });
        Ok(Task { thread })
    }

    /// Deletes the name and closes the handle, as `ip netns del` does.
    pub fn delete(mut self) {
        self.dismantle();
    }

    fn dismantle(&mut self) {
        if let Some(handle) = self.handle.take() {
            last_words::remember(&self.name, handle.as_fd());
            let path = PathBuf::from(DIRECTORY).join(&self.name);
            let _ = unmount(&path, UnmountFlags::DETACH);
            let _ = fs::remove_file(&path);
        }
    }
}

impl Drop for Namespace {
    fn drop(&mut self) {
        self.dismantle();
    }
}

/// Runs `work` on a thread of its own inside the namespace behind `handle`.
///
/// # Errors
/// What `work` answers, or that it panicked.
pub(crate) fn in_namespace<T: Send>(
    handle: BorrowedFd<'_>,
    work: impl FnOnce() -> Result<T> + Send,
) -> Result<T> {
    thread::scope(|scope| {
        scope
            .spawn(move || {
                move_into_link_name_space(handle, Some(LinkNameSpaceType::Network))
                    .context("setns")?;
                work()
            })
            .join()
            .map_err(|_| anyhow!("a thread in a namespace panicked"))?
    })
}

/// A thread started by [`Namespace::spawn`].
#[derive(Debug)]
pub struct Task<T> {
    thread: thread::JoinHandle<Result<T>>,
}

impl<T> Task<T> {
    /// Waits for the thread.
    ///
    /// # Errors
    /// What its work answered, or that it panicked.
    pub fn join(self) -> Result<T> {
        self.thread
            .join()
            .map_err(|_| anyhow!("a thread of the scenario panicked"))?
    }

    /// Whether the thread has ended.
    pub fn is_finished(&self) -> bool {
        self.thread.is_finished()
    }
}
