//! A crate: a component by `sdk/rust`.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, bail};
use serde_json::Value;

use super::toolchain::said;

const TARGET: &str = "wasm32-unknown-unknown";
const INSTALL: &str = "install Rust 1.95 or newer (https://rustup.rs), then: rustup target add wasm32-unknown-unknown";

pub(super) fn compile(folder: &Path) -> anyhow::Result<Vec<u8>> {
    // Which toolchain it is may depend on the folder.
    let mut asked = Command::new("rustc");
    asked
        .args(["--print", "target-libdir", "--target", TARGET])
        .current_dir(folder);
    let libraries = said(asked, "rustc", INSTALL)?;
    if !Path::new(libraries.trim()).is_dir() {
        bail!("Rust has no {TARGET} yet: rustup target add {TARGET}");
    }
    let mut build = Command::new("cargo");
    build
        .args(["build", "--release", "--target", TARGET, "--message-format"])
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
    let messages = said(build, "cargo", INSTALL)?;
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
