//! Python: a component by `componentize-py`, of CPython, the package of `sdk/python` and the author's modules.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::Context;

use super::toolchain::{PythonTool, said};

/// What holds the source and the SDK together.
const MANIFEST: &str = "pyproject.toml";

pub(super) fn compile(folder: &Path) -> anyhow::Result<Vec<u8>> {
    let sdk = sdk(folder)?;
    let python = PythonTool::ComponentizePy.python()?;
    let out = tempfile::tempdir()?;
    let built = out.path().join("policy.wasm");
    // an environment without packages, so that those of the machine do not get into the component
    std::fs::create_dir_all(out.path().join("lib/site-packages"))?;
    let mut build = Command::new(python.with_file_name("componentize-py"));
    build
        .args(["--quiet", "--wit-path"])
        .arg(sdk.join("../wit"))
        .args(["--world", "policy", "componentize", "--stub-wasi"])
        // it imports `policy`, the author's
        .arg("rectifier_component")
        .args(["--python-path", ".", "--python-path"])
        .arg(sdk.join("src"))
        .arg("--output")
        .arg(&built)
        .env("VIRTUAL_ENV", out.path())
        // of an error in the source the last lines are Python's
        .env("RUST_BACKTRACE", "0")
        .current_dir(folder);
    said(build, "componentize-py", "")?;
    std::fs::read(&built).context("componentize-py made no component")
}

/// `tool.rectifier.sdk` of the manifest, as seen from here.
fn sdk(folder: &Path) -> anyhow::Result<PathBuf> {
    let path = folder.join(MANIFEST);
    let text = std::fs::read_to_string(&path)
        .with_context(|| format!("cannot read {}", path.display()))?;
    let manifest: toml::Table =
        toml::from_str(&text).with_context(|| format!("{} is no TOML", path.display()))?;
    let said = || {
        let rectifier = manifest.get("tool")?.get("rectifier")?;
        rectifier.get("sdk")?.as_str()
    };
    let sdk = folder.join(said().with_context(|| {
        format!(
            "{} does not say tool.rectifier.sdk: where sdk/python is",
            path.display()
        )
    })?);
    sdk.canonicalize()
        .with_context(|| format!("{}: there is no {}", path.display(), sdk.display()))
}
