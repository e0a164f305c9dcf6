//! `rectifier demo`, as people use it: its lines, its documents, its exit code, and its page in a real browser.

mod browser;

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use anyhow::{Context, Result, ensure};
use rectifier_provision::{Cache, Stderr};
use tempfile::TempDir;

/// A folder with the policy that ships, set up as the operator's guide has it.
fn policies() -> Result<TempDir> {
    let cache = Cache::from_env()?;
    let policy = cache.policy_component("restart-then-replace", &mut Stderr::default())?;
    let folder = tempfile::tempdir()?;
    let put = |from: &Path| -> Result<()> {
        let name = from.file_name().context("a file's name")?;
        std::fs::copy(from, folder.path().join(name))?;
        Ok(())
    };
    put(&policy)?;
    let example = "deploy/example/policies/restart-then-replace.yaml";
    put(&cache.checkout().join(example))?;
    Ok(folder)
}

fn demo(policies: &TempDir, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_rectifier"));
    command
        .arg("demo")
        .arg("--policies")
        .arg(policies.path())
        .args(arguments)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    command
}

/// Killed when the test is over.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

#[test]
fn all_stories_are_told_in_lines_and_proven() -> Result<()> {
    let policies = policies()?;
    let output = demo(&policies, &["--no-page", "--pace=300"]).output()?;
    let told = String::from_utf8(output.stdout)?;
    ensure!(output.status.success(), "{told}");
    for words in [
        "restart proxy.service: it helped",
        "GrantOffered",
        "Replaced: the node was replaced",
        "no node engine took the problem up in time",
        "replaces the policy by one that hands over",
        "kills the controller",
        "mends proxy.service by hand",
        " s  embedded  (somebody)",
    ] {
        ensure!(told.contains(words), "{words} is not in:\n{told}");
    }
    ensure!(told.matches("over, and all is well").count() == 7, "{told}");
    ensure!(told.matches("proven: ").count() == 7, "{told}");
    ensure!(!told.contains('\x1b'), "colours where there is no terminal");
    Ok(())
}

#[test]
fn a_program_gets_a_document_a_line() -> Result<()> {
    let policies = policies()?;
    let arguments = ["--no-page", "--pace=300", "--output=json", "healed"];
    let output = demo(&policies, &arguments).output()?;
    ensure!(output.status.success());
    let mut reasons = Vec::new();
    for line in String::from_utf8(output.stdout)?.lines() {
        let document: serde_json::Value = serde_json::from_str(line)?;
        ensure!(document["world"] == "embedded", "{line}");
        reasons.push(document["reason"].as_str().unwrap_or("-").to_owned());
    }
    for reason in ["Broken", "ProblemSeen", "RemedyBegun", "RemedyRecovered"] {
        ensure!(reasons.iter().any(|told| told == reason), "{reasons:?}");
    }
    let ended = reasons.iter().filter(|reason| *reason == "-").count();
    ensure!(ended == 1, "one story ended: {reasons:?}");
    Ok(())
}

#[test]
fn what_makes_no_sense_is_refused_with_what_would() -> Result<()> {
    let empty = tempfile::tempdir()?;
    let cases: [(&[&str], i32, &str); 3] = [
        (&["--listen=0.0.0.0:80"], 2, "127.0.0.0/8"),
        (&["--pace=0"], 2, "0.1 to 10000"),
        (&[], 3, "there is no policy (*.wasm) in it"),
    ];
    for (arguments, code, words) in cases {
        let output = demo(&empty, arguments).output()?;
        let said = String::from_utf8_lossy(&output.stderr);
        ensure!(said.contains(words), "{words} is not in {said}");
        ensure!(
            output.status.code() == Some(code),
            "{arguments:?}: {}",
            output.status
        );
    }
    Ok(())
}

/// Where a program is, or why not.
fn program(name: &str) -> Result<PathBuf> {
    let path = PathBuf::from("/usr/bin").join(name);
    ensure!(
        path.exists(),
        "there is no {}: cargo xtask setup",
        path.display()
    );
    Ok(path)
}
