//! Calls the program, in a folder of its own.

#[path = "../said/mod.rs"]
mod said;

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};
use rectifier_provision::{Cache, Silent};
pub(crate) use said::{Said, said};
use tempfile::TempDir;

/// A folder with policies, and the program to be called there.
pub(crate) struct Desk {
    folder: TempDir,
}

impl Desk {
    pub(crate) fn new() -> Result<Self> {
        Ok(Self {
            folder: tempfile::tempdir()?,
        })
    }

    /// With the policy that ships, and its sidecar.
    pub(crate) fn with_shipped() -> Result<Self> {
        let desk = Self::new()?;
        desk.put("restart-then-replace.wasm", shipped()?)?;
        let sidecar = checkout().join("policies/restart-then-replace/restart-then-replace.yaml");
        desk.put("restart-then-replace.yaml", std::fs::read(sidecar)?)?;
        Ok(desk)
    }

    /// With a policy that ships, and its sidecar.
    pub(crate) fn with_policy(name: &str) -> Result<Self> {
        let desk = Self::new()?;
        desk.put(&format!("{name}.wasm"), component(name)?)?;
        let sidecar = format!("policies/{name}/{name}.yaml");
        desk.put(
            &format!("{name}.yaml"),
            std::fs::read(checkout().join(sidecar))?,
        )?;
        Ok(desk)
    }

    pub(crate) fn path(&self) -> &Path {
        self.folder.path()
    }

    pub(crate) fn put(&self, name: &str, bytes: impl AsRef<[u8]>) -> Result<PathBuf> {
        let path = self.path().join(name);
        std::fs::create_dir_all(path.parent().context("it is in a folder")?)?;
        std::fs::write(&path, bytes)?;
        Ok(path)
    }

    pub(crate) fn command(&self) -> Command {
        let mut command = Command::new(program());
        command
            .current_dir(self.path())
            // What was compiled once is compiled for all tests.
            .env("RECTIFIER_POLICY_CACHE", kept("policy-cache"))
            .env("RECTIFIER_SDK", checkout().join("sdk"))
            .env("CARGO_TARGET_DIR", kept("policy-target"))
            .env("CARGO_BUILD_BUILD_DIR", kept("policy-build"));
        command
    }

    /// `rectifier` with these words.
    pub(crate) fn call(&self, words: &[&str]) -> Result<Said> {
        said(self.command().args(words))
    }
}

pub(crate) fn program() -> &'static str {
    env!("CARGO_BIN_EXE_rectifier")
}

/// A folder that outlives a test.
fn kept(name: &str) -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).join(name)
}

pub(crate) fn checkout() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

pub(crate) fn shipped() -> Result<Vec<u8>> {
    component("restart-then-replace")
}

fn component(name: &str) -> Result<Vec<u8>> {
    let path = Cache::from_env()?.policy_component(name, &mut Silent)?;
    Ok(std::fs::read(path)?)
}

/// The conformance policy in Go, which nobody has annotated yet.
pub(crate) fn command_in_go() -> Result<Vec<u8>> {
    let path = Cache::from_env()?.go_policy("sdk/conformance/go", "conformance-go", &mut Silent)?;
    Ok(std::fs::read(path)?)
}
