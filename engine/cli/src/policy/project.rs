//! A policy's source: what language it is in, how it is compiled, and what must be installed for that.

use std::ffi::OsStr;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, bail};
use serde_json::Value;

/// How the source is compiled.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Project {
    /// A crate: a component by `sdk/rust`.
    Rust,
    /// A module: a WASI command by the standard toolchain.
    Go,
}

const RUST_TARGET: &str = "wasm32-unknown-unknown";
const INSTALL_RUST: &str = "install Rust 1.95 or newer (https://rustup.rs), then: rustup target add wasm32-unknown-unknown";
const INSTALL_GO: &str = "install Go 1.24 or newer (https://go.dev/dl); nothing else is needed";

impl Project {
    /// What lies in this folder.
    pub(crate) fn find(folder: &Path) -> Option<Self> {
        [("Cargo.toml", Project::Rust), ("go.mod", Project::Go)]
            .into_iter()
            .find_map(|(file, project)| folder.join(file).is_file().then_some(project))
    }

    /// The bytes of what was compiled. The compilers speak on standard error as they are used to.
    ///
    /// # Errors
    /// A toolchain is missing (it says which, and how to get it), or the source does not compile.
    pub(crate) fn compile(self, folder: &Path) -> anyhow::Result<Vec<u8>> {
        match self {
            Project::Rust => rust(folder),
            Project::Go => go(folder),
        }
    }
}

fn rust(folder: &Path) -> anyhow::Result<Vec<u8>> {
    // Which toolchain it is may depend on the folder.
    let mut asked = Command::new("rustc");
    asked
        .args(["--print", "target-libdir", "--target", RUST_TARGET])
        .current_dir(folder);
    let libraries = said(asked, "rustc", INSTALL_RUST)?;
    if !Path::new(libraries.trim()).is_dir() {
        bail!("Rust has no {RUST_TARGET} yet: rustup target add {RUST_TARGET}");
    }
    let mut build = Command::new("cargo");
    build
        .args([
            "build",
            "--release",
            "--target",
            RUST_TARGET,
            "--message-format",
        ])
        .arg("json-render-diagnostics")
        .current_dir(folder)
        // makes a component of the module; it comes with the toolchain
        .env(
            "CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_LINKER",
            "wasm-component-ld",
        );
    // What cargo tells a program that it runs is not for the next cargo.
    for (name, _) in std::env::vars_os() {
        let told = [
            "CARGO_PKG_",
            "CARGO_MANIFEST_",
            "CARGO_BIN_",
            "CARGO_CRATE_",
        ];
        if name
            .to_str()
            .is_some_and(|name| told.iter().any(|told| name.starts_with(told)))
        {
            build.env_remove(name);
        }
    }
    let messages = said(build, "cargo", INSTALL_RUST)?;
    let manifest = folder.join("Cargo.toml").canonicalize()?;
    let built = messages
        .lines()
        .filter_map(|line| serde_json::from_str::<Value>(line).ok())
        .filter(|message| {
            message["reason"] == "compiler-artifact"
                && message["manifest_path"].as_str().map(OsStr::new) == Some(manifest.as_os_str())
        })
        .filter_map(|message| {
            let mut files = message["filenames"]
                .as_array()?
                .iter()
                .filter_map(Value::as_str);
            files
                .rfind(|file| file.ends_with(".wasm"))
                .map(PathBuf::from)
        })
        .next_back();
    let built = built.context(
        "cargo made no .wasm: Cargo.toml must say [lib] crate-type = [\"cdylib\"] (rectifier policy new shows one)",
    )?;
    std::fs::read(&built).with_context(|| format!("cannot read {}", built.display()))
}

fn go(folder: &Path) -> anyhow::Result<Vec<u8>> {
    let out = tempfile::tempdir()?;
    let built = out.path().join("policy.wasm");
    let mut build = Command::new("go");
    build
        // the same bytes wherever it is built
        .args([
            "build",
            "-trimpath",
            "-buildvcs=false",
            "-ldflags=-s -w",
            "-o",
        ])
        .arg(&built)
        .arg(".")
        .env("GOOS", "wasip1")
        .env("GOARCH", "wasm")
        .current_dir(folder);
    said(build, "go", INSTALL_GO)?;
    std::fs::read(&built).context("go made no program: is it package main?")
}

/// What a program wrote on its standard output.
fn said(mut command: Command, program: &str, install: &str) -> anyhow::Result<String> {
    command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::inherit());
    let child = match command.spawn() {
        Ok(child) => child,
        // A search path with a folder of that name, or one that may not be read, says so.
        Err(error)
            if [ErrorKind::NotFound, ErrorKind::PermissionDenied].contains(&error.kind()) =>
        {
            bail!("{program} is not installed: {install}")
        }
        Err(error) => return Err(error).with_context(|| format!("cannot start {program}")),
    };
    let output = child
        .wait_with_output()
        .with_context(|| format!("{program} is lost"))?;
    if !output.status.success() {
        bail!("{program} says above what is wrong ({})", output.status);
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_toolchain_that_is_missing_is_named_with_what_to_do() {
        let error = said(Command::new("no-such-compiler"), "go", INSTALL_GO).unwrap_err();
        assert!(
            error
                .to_string()
                .starts_with("go is not installed: install Go"),
            "{error}"
        );
    }

    #[test]
    fn a_project_is_known_by_its_manifest() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(Project::find(folder.path()), None);
        std::fs::write(folder.path().join("go.mod"), "").unwrap();
        assert_eq!(Project::find(folder.path()), Some(Project::Go));
    }
}
