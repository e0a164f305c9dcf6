//! JavaScript and TypeScript: a component by the package of `sdk/javascript`, whose tools npm fetches into the project.

use std::path::Path;
use std::process::Command;

use anyhow::Context;

use super::toolchain::{INSTALL_NODE, npm_installed, said};

pub(super) fn compile(folder: &Path) -> anyhow::Result<Vec<u8>> {
    npm_installed(folder)?;
    let out = tempfile::tempdir()?;
    let built = out.path().join("policy.wasm");
    let mut build = Command::new("node");
    build
        .args(["node_modules/rectifier-policy/build.js", "--out"])
        .arg(&built)
        .arg(".")
        .current_dir(folder);
    said(build, "node", INSTALL_NODE)?;
    std::fs::read(&built).context("node made no component")
}
