// SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0
//! The module: its files, whether it is loaded, its socket family.

use std::fs;
use std::path::Path;

use eccp_netlink::socket::{Builder, AF_ECCP};
use eccp_netlink::{Client, Error};
use rustix::io::Errno;

use super::Finding;
use crate::failure::Failure;
use crate::modinfo;

/// Whether there are module files for the running kernel.
pub fn files(given: Option<&Path>) -> Result<Vec<Finding>, Failure> {
    let uname = rustix::system::uname();
    let running = uname.release().to_string_lossy();
    let mut findings = Vec::new();
    if let Some(path) = given {
        let file = fs::read(path).map_err(|error| Failure::system(path.display(), error))?;
        findings.push(given_file(path, modinfo::built_for(&file), &running));
    }
    let installed = modinfo::installed(Path::new("/lib/modules"));
    let installed: Vec<_> = installed
        .iter()
        .map(|(release, _)| release.as_str())
        .collect();
    findings.push(installed_files(&installed, &running));
    Ok(findings)
}

fn given_file(path: &Path, built_for: Option<String>, running: &str) -> Finding {
    let path = path.display();
    match built_for {
        Some(release) if release == running => Finding::ok(
            "module file",
            format!("{path} is for this kernel, {running}"),
        ),
        Some(release) => Finding::problem(
            "module file",
            format!("{path} was built for kernel {release}, this is {running}"),
            "build it against the running kernel: make KDIR=/lib/modules/$(uname -r)/build",
        ),
        None => Finding::warning(
            "module file",
            format!("{path} does not say for which kernel it was built"),
            "give the file uncompressed, as eccp.ko",
        ),
    }
}

fn installed_files(releases: &[&str], running: &str) -> Finding {
    if releases.contains(&running) {
        Finding::ok("installed", format!("for this kernel, {running}"))
    } else if releases.is_empty() {
        Finding::ok(
            "installed",
            "nowhere; \"insmod\" with a path works all the same",
        )
    } else {
        Finding::warning(
            "installed",
            format!(
                "only for other kernels: {}; this is {running}",
                releases.join(", ")
            ),
            "build and install the module for the running kernel, or boot one of those",
        )
    }
}

/// Whether the module answers.
pub fn loaded(client: &Result<Client, Error>) -> Finding {
    match client {
        Ok(_) => Finding::ok("module", "loaded, and answers over netlink"),
        Err(Error::FamilyMissing) => Finding::problem(
            "module",
            "not loaded",
            "\"modprobe eccp\" or \"insmod eccp.ko\"; if that fails, \"dmesg | tail\" says why",
        ),
        Err(error) => Finding::problem("module", error.to_string(), "see \"dmesg | tail\""),
    }
}

/// Whether sockets of the family can be opened. `known` is what the module
/// says, if it is loaded.
pub fn family(known: Option<Option<u32>>) -> Finding {
    let number = match known {
        Some(Some(number)) => u16::try_from(number).unwrap_or(AF_ECCP),
        _ => AF_ECCP,
    };
    let opened = Builder::in_family(number).map(drop);
    let errno = opened
        .err()
        .map(|error| error.raw_os_error().unwrap_or_default());
    judge_family(number, known.is_some(), errno.map(Errno::from_raw_os_error))
}

fn judge_family(number: u16, loaded: bool, opening: Option<Errno>) -> Finding {
    match (loaded, opening) {
        (true, None) => Finding::ok(
            "family",
            format!("sockets of family {number} can be opened"),
        ),
        (false, Some(Errno::AFNOSUPPORT)) => {
            Finding::ok("family", format!("number {number} is free for the module"))
        }
        (false, _) => Finding::problem(
            "family",
            format!("number {number} belongs to another module"),
            "unload that one, or load eccp with another number: insmod eccp.ko family=19",
        ),
        (true, Some(Errno::AFNOSUPPORT)) => Finding::problem(
            "family",
            format!("the kernel refuses sockets of family {number} to this process"),
            "a sandbox may forbid it: RestrictAddressFamilies of systemd, seccomp, a container",
        ),
        (true, Some(error)) => Finding::problem(
            "family",
            format!("a socket of family {number} cannot be opened: {error}"),
            "SELinux or AppArmor may forbid it: see the audit log",
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::super::Verdict;
    use super::*;

    #[test]
    fn a_file_for_another_kernel_is_a_problem_and_names_both() {
        let path = Path::new("eccp.ko");
        let finding = given_file(path, Some("7.2.1".into()), "7.3.4");
        assert_eq!(finding.verdict, Verdict::Problem);
        assert!(finding.detail.contains("7.2.1") && finding.detail.contains("7.3.4"));
        assert_eq!(
            given_file(path, Some("7.3.4".into()), "7.3.4").verdict,
            Verdict::Ok
        );
        assert_eq!(given_file(path, None, "7.3.4").verdict, Verdict::Warning);
    }

    #[test]
    fn modules_for_other_kernels_only_are_a_warning() {
        assert_eq!(installed_files(&["7.2", "7.3"], "7.3").verdict, Verdict::Ok);
        assert_eq!(installed_files(&["7.2"], "7.3").verdict, Verdict::Warning);
        assert_eq!(installed_files(&[], "7.3").verdict, Verdict::Ok);
    }

    #[test]
    fn a_family_number_is_judged_by_who_answers_for_it() {
        let verdict = |loaded, errno| judge_family(18, loaded, errno).verdict;
        assert_eq!(verdict(true, None), Verdict::Ok);
        assert_eq!(verdict(false, Some(Errno::AFNOSUPPORT)), Verdict::Ok);
        assert_eq!(verdict(false, None), Verdict::Problem);
        assert_eq!(verdict(true, Some(Errno::AFNOSUPPORT)), Verdict::Problem);
        assert_eq!(verdict(true, Some(Errno::ACCESS)), Verdict::Problem);
    }
}
