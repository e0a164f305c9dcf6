//! C: a component by the sources of `sdk/c`. The compiler is the clang of the Python package `ziglang`, which brings a C library
//! for WebAssembly with it.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::Context;

use super::component;
use super::toolchain::{PythonTool, said};

pub(super) fn compile(folder: &Path) -> anyhow::Result<Vec<u8>> {
    let sources = sources(folder)?;
    let python = PythonTool::Ziglang.python()?;
    let out = tempfile::tempdir()?;
    let built = out.path().join("policy.wasm");
    let mut build = Command::new(python);
    build
        .args(["-m", "ziglang", "cc", "--target=wasm32-wasi"])
        // a library: it has no start, and nothing of WASI is called
        .args([
            "-mexec-model=reactor",
            "-Os",
            "-s",
            "-Wl,-z,stack-size=262144",
        ]);
    // what an editor reads, too
    if folder.join("compile_flags.txt").is_file() {
        build.arg("@compile_flags.txt");
    }
    build
        .args(sources)
        .arg("-o")
        .arg(&built)
        .current_dir(folder);
    said(build, "ziglang", "")?;
    let module = std::fs::read(&built).context("the compiler made no module")?;
    component::of_module(module)
}

/// All of the folder but its tests, by name.
fn sources(folder: &Path) -> anyhow::Result<Vec<PathBuf>> {
    let mut sources = Vec::new();
    for entry in std::fs::read_dir(folder)? {
        let name = PathBuf::from(entry?.file_name());
        let is_test = name
            .file_stem()
            .is_some_and(|stem| stem.to_string_lossy().ends_with("_test"));
        if name.extension().is_some_and(|ending| ending == "c") && !is_test {
            sources.push(name);
        }
    }
    sources.sort();
    Ok(sources)
}
