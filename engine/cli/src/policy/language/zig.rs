//! Zig: a WASI command, by the Python package `ziglang`.

use std::path::Path;
use std::process::Command;

use anyhow::Context;

use super::toolchain::{self, PythonTool, said};

pub(super) fn compile(folder: &Path) -> anyhow::Result<Vec<u8>> {
    let python = PythonTool::Ziglang.python()?;
    let out = tempfile::tempdir()?;
    let mut build = Command::new(python);
    build
        // Zig compiles its build program once for each cache, for minutes: one for all projects
        .args(["-m", "ziglang", "build", "--cache-dir"])
        .arg(toolchain::cache()?.join("zig"))
        .arg("--prefix")
        .arg(out.path())
        .current_dir(folder);
    said(build, "zig", "")?;
    std::fs::read(out.path().join("bin/policy.wasm"))
        .context("build.zig installs no bin/policy.wasm (rectifier policy new shows one)")
}
