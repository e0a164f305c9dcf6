//! The SDKs and the policies that ship, each tested by its language's own test tool, on the machine itself.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};
use rectifier_provision::{Cache, Stderr, Tool, cargo, programs};

use crate::languages::Languages;
use crate::table::Verdict;

pub(crate) fn test(cache: &Cache, languages: &Languages) -> Result<Verdict> {
    let mut failed = Vec::new();
    let mut tests = crates(cache)?;
    tests.extend(others(cache, languages)?);
    let folders: BTreeSet<_> = tests.iter().map(|(folder, _)| folder.clone()).collect();
    for (folder, mut test) in tests {
        if failed.contains(&folder) {
            continue;
        }
        eprintln!("{folder}");
        match test.current_dir(cache.checkout().join(&folder)).status() {
            Ok(status) if status.success() => continue,
            Ok(_) => {}
            Err(error) => eprintln!("{}: {error}", test.get_program().display()),
        }
        failed.push(folder);
    }
    if !failed.is_empty() {
        bail!("it said why above: {}", failed.join(", "));
    }
    let (count, passed) = (folders.len(), languages.told());
    Ok(Verdict::Well(format!("{count} folders{passed}")))
}

/// They stand outside the workspace: they are made for another target. What is built of them goes where their components are built.
fn crates(cache: &Cache) -> Result<Vec<(String, Command)>> {
    let folders = cache.policy_crates()?.into_iter();
    let folders = folders.map(|name| format!("policies/{name}"));
    let target = cache.root().join("policy-build");
    Ok(std::iter::once("sdk/rust".to_owned())
        .chain(folders)
        .map(|folder| {
            let mut test = cargo(cache);
            test.args(["test", "--quiet", "--locked"])
                .env("CARGO_TARGET_DIR", &target)
                .env("CARGO_BUILD_BUILD_DIR", target.join("build"));
            (folder, test)
        })
        .collect())
}

/// Each language's own test tool; those that are passed over are not even fetched.
fn others(cache: &Cache, languages: &Languages) -> Result<Vec<(String, Command)>> {
    let builds = cache.root().join("sdk-build");
    let c = |folder: &'static str| {
        let build = builds.join(folder.replace('/', "-"));
        let build = format!("BUILD={}", build.display());
        (
            folder,
            vec![
                "make".to_owned(),
                "--silent".to_owned(),
                "test".to_owned(),
                build,
            ],
        )
    };
    let of = |folder: &'static str, words: &str| {
        (
            folder,
            words.split(' ').map(str::to_owned).collect::<Vec<_>>(),
        )
    };
    let mut tests = vec![
        of("sdk/go", "go test ./..."),
        of("policies/readonly-filesystem", "go test ./..."),
        of("sdk/python", "python3 -B -m unittest -q"),
        of("policies/flapping", "python3 -B -m unittest -q"),
        of("sdk/javascript", "node --test --test-reporter=dot"),
        of("policies/kubelet-and-runtime", "npm --silent ci"),
        of("policies/kubelet-and-runtime", "npm --silent test"),
        of("sdk/assemblyscript", "npm --silent ci"),
        of("sdk/assemblyscript", "npm --silent test"),
        c("sdk/c"),
        c("sdk/conformance/c"),
        c("policies/kernel-deadlock"),
    ];
    if !languages.pass_over("sdk/zig") {
        let zig = python_with_zig(cache)?;
        // the one that `rectifier policy build` uses, too
        let toolchains = Path::new(&zig).ancestors().nth(4);
        let kept = toolchains.context("it lies in a folder")?.join("zig");
        let mut words: Vec<String> = vec![zig];
        words.extend(["-m", "ziglang", "build", "test", "--cache-dir"].map(str::to_owned));
        words.push(kept.display().to_string());
        tests.push(("sdk/zig", words));
    }
    let due = tests
        .into_iter()
        .filter(|(folder, _)| !languages.pass_over(folder));
    Ok(due
        .map(|(folder, words)| {
            let mut test = Command::new(&words[0]);
            test.args(&words[1..]);
            (folder.to_owned(), test)
        })
        .collect())
}

/// The one with which policies in Zig are built.
fn python_with_zig(cache: &Cache) -> Result<String> {
    let mut asked = Command::new(programs(cache).join("rectifier"));
    asked.args(["policy", "toolchain", "ziglang"]);
    let output = asked
        .stderr(Stdio::inherit())
        .output()
        .context("the program rectifier is not there")?;
    if !output.status.success() {
        bail!("it said why above");
    }
    Ok(String::from_utf8(output.stdout)?.trim().to_owned())
}

/// Are the bindings for C those that the generator makes of the contract?
pub(crate) fn bindings(cache: &Cache) -> Result<Verdict> {
    let generator = cache.tool(Tool::WitBindgen, &mut Stderr::default())?;
    let made = cache.root().join("sdk-build/c-bindings");
    let generated = Command::new(generator)
        .args([
            "c",
            "sdk/wit",
            "--world=policy",
            "--no-object-file",
            "--out-dir",
        ])
        .arg(&made)
        .current_dir(cache.checkout())
        .status()?;
    if !generated.success() {
        bail!("the generator says above what is wrong");
    }
    let kept = cache.checkout().join("sdk/c/generated");
    for file in ["policy.c", "policy.h"] {
        if std::fs::read(kept.join(file))? != std::fs::read(made.join(file))? {
            bail!("sdk/c/generated/{file} is not what the contract gives: make -C sdk/c generate");
        }
    }
    Ok(Verdict::Well(String::new()))
}
