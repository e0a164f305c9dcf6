//! A module: a WASI command by the standard toolchain.

use std::path::Path;
use std::process::Command;

use anyhow::Context;

use super::toolchain::said;

const INSTALL: &str = "install Go 1.24 or newer (https://go.dev/dl); nothing else is needed";

pub(super) fn compile(folder: &Path) -> anyhow::Result<Vec<u8>> {
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
    said(build, "go", INSTALL)?;
    std::fs::read(&built).context("go made no program: is it package main?")
}
