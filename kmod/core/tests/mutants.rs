// SPDX-License-Identifier: GPL-2.0-only
//! Wrong cores: each breaks one rule of the shipping source, and the named test must notice.
//!
//! `make mutants` copies the core, breaks the copy, compiles it and runs that test.
//! `ECCP_MUTANTS=R1` takes only those whose rule is the text, or whose name contains it.

#[path = "model/mutant.rs"]
mod mutant;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use mutant::{Mutant, MUTANTS};

/// A copy of the core that may be broken, with a workspace of its own around it.
struct Copy {
    root: PathBuf,
}

impl Copy {
    fn make() -> Self {
        let core = Path::new(env!("CARGO_MANIFEST_DIR"));
        let origin = core.join("../..").canonicalize().expect("the workspace");
        let target = std::env::var_os("CARGO_TARGET_DIR").map(PathBuf::from);
        let root = target
            .unwrap_or_else(|| origin.join("target"))
            .join("mutants");
        for folder in [
            "kmod/core/src",
            "kmod/core/tests",
            "kmod/core/examples",
            "docs",
        ] {
            let to = root.join(folder);
            if to.exists() {
                fs::remove_dir_all(&to).expect("the old copy can be removed");
            }
            copy_folder(&origin.join(folder), &to);
        }
        fs::create_dir_all(root.join("spin-models")).expect("a folder");
        for file in [
            "Cargo.lock",
            "kmod/core/Cargo.toml",
            "spin-models/conformance.tsv",
        ] {
            copy_file(&origin.join(file), &root.join(file));
        }
        let manifest = fs::read_to_string(origin.join("Cargo.toml")).expect("the manifest");
        let (head, rest) = manifest.split_once("members = [").expect("members");
        let (_, rest) = rest.split_once(']').expect("the end of the members");
        let manifest = format!("{head}members = [\"kmod/core\"{}", format_args!("]{rest}"));
        fs::write(root.join("Cargo.toml"), manifest).expect("the manifest can be written");
        Self { root }
    }

    fn source(&self, file: &str) -> PathBuf {
        self.root.join("kmod/core/src").join(file)
    }

    /// Runs one test of the copy: what it printed, and whether it passed.
    fn test(&self, target: &str, name: &str) -> Outcome {
        let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
        let mut command = Command::new(cargo);
        command
            .current_dir(&self.root)
            .env("CARGO_TARGET_DIR", self.root.join("target"));
        command
            .env_remove("RUST_BACKTRACE")
            .env("RUSTFLAGS", "--cap-lints warn");
        command.args([
            "test",
            "--offline",
            "--quiet",
            "-p",
            "eccp-core",
            "--test",
            target,
        ]);
        let output = command
            .args(["--", "--exact", name])
            .output()
            .expect("cargo runs");
        let text = String::from_utf8_lossy(&output.stdout).into_owned()
            + &String::from_utf8_lossy(&output.stderr);
        let ran = text.contains("running 1 test");
        match (output.status.success(), ran) {
            (true, true) => Outcome::Passed,
            (false, true) => Outcome::Failed,
            _ => Outcome::NotRun(text),
        }
    }
}

#[derive(Debug)]
enum Outcome {
    Passed,
    Failed,
    NotRun(String),
}

fn copy_folder(from: &Path, to: &Path) {
    fs::create_dir_all(to).expect("a folder");
    for entry in fs::read_dir(from).unwrap_or_else(|why| panic!("{}: {why}", from.display())) {
        let entry = entry.expect("an entry");
        let target = to.join(entry.file_name());
        match entry.file_type().expect("a type").is_dir() {
            true => copy_folder(&entry.path(), &target),
            false => copy_file(&entry.path(), &target),
        }
    }
}

fn copy_file(from: &Path, to: &Path) {
    fs::copy(from, to).unwrap_or_else(|why| panic!("{}: {why}", from.display()));
}

/// The source with the mutant's change; an error if its text is not there exactly once.
fn broken(mutant: &Mutant, source: &str) -> Result<String, String> {
    match source.matches(mutant.from).count() {
        1 => Ok(source.replace(mutant.from, mutant.to)),
        count => Err(format!("{}: {count} times {:?}", mutant.file, mutant.from)),
    }
}

/// The wrong core must compile and fail the named test.
fn killed(copy: &Copy, mutant: &Mutant) -> Result<(), String> {
    let path = copy.source(mutant.file);
    let source = fs::read_to_string(&path).map_err(|why| format!("{}: {why}", mutant.file))?;
    fs::write(&path, broken(mutant, &source)?).expect("the copy can be written");
    let outcome = copy.test(mutant.target, mutant.test);
    fs::write(&path, source).expect("the copy can be written");
    match outcome {
        Outcome::Failed => Ok(()),
        Outcome::Passed => Err("survived".into()),
        Outcome::NotRun(text) => Err(format!("did not run:\n{text}")),
    }
}

#[test]
#[ignore = "compiles the core once for each mutant: make mutants"]
fn every_mutant_is_killed_by_the_test_that_is_named() {
    let copy = Copy::make();
    let (mut passed, mut failed) = (0, 0);
    let only = std::env::var("ECCP_MUTANTS").unwrap_or_default();
    let chosen = |m: &&Mutant| m.rule == only || m.name.contains(&only);
    let mutants: Vec<&Mutant> = MUTANTS.iter().filter(chosen).collect();
    assert!(!mutants.is_empty(), "ECCP_MUTANTS={only} chooses none");
    let mut sound: Vec<(&str, &str)> = mutants.iter().map(|m| (m.target, m.test)).collect();
    sound.sort_unstable();
    sound.dedup();
    for (target, test) in sound {
        if let outcome @ (Outcome::Failed | Outcome::NotRun(_)) = copy.test(target, test) {
            panic!("{target} {test} must pass on the core as it is: {outcome:?}");
        }
    }
    println!(
        "{:34} {:5} {:14} test that kills it",
        "mutant", "rule", "file"
    );
    for mutant in mutants {
        let place = format!("{} {}", mutant.target, mutant.test);
        println!(
            "{:34} {:5} {:14} {place}",
            mutant.name, mutant.rule, mutant.file
        );
        match killed(&copy, mutant) {
            Ok(()) => passed += 1,
            Err(why) => {
                failed += 1;
                println!("  FAILED {}: {why}", mutant.name);
            }
        }
    }
    println!("{passed} passed, {failed} failed");
    assert_eq!(failed, 0, "some mutants were not killed");
}

#[test]
fn mutants_have_names_of_their_own() {
    let mut names: Vec<&str> = MUTANTS.iter().map(|mutant| mutant.name).collect();
    names.sort_unstable();
    let before = names.len();
    names.dedup();
    assert_eq!(names.len(), before);
}
