//! Calling a language's own tools, and fetching those that a package client can fetch.

use std::fs::File;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, bail};

const INSTALL_PYTHON: &str =
    "install Python 3.10 or newer with its module venv (Debian: apt-get install python3-venv)";

/// What a program wrote on its standard output.
pub(super) fn said(mut command: Command, program: &str, install: &str) -> anyhow::Result<String> {
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

/// A tool that is a Python package. Its version is pinned with the SDKs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum PythonTool {
    /// Makes a component of Python
    ComponentizePy,
    /// Zig, and a C and C++ compiler with a C library for WebAssembly
    Ziglang,
}

const PINS: &str = include_str!("../../../../../sdk/requirements.txt");

impl PythonTool {
    fn package(self) -> &'static str {
        match self {
            PythonTool::ComponentizePy => "componentize-py",
            PythonTool::Ziglang => "ziglang",
        }
    }

    /// The Python of a virtual environment in which it is: one in the user's cache, made when it is first asked for.
    ///
    /// # Errors
    /// There is no Python, or the package cannot be fetched.
    pub(crate) fn python(self) -> anyhow::Result<PathBuf> {
        let package = self.package();
        let pinned = |line: &'static str| line.strip_prefix(package)?.strip_prefix("==");
        let version = PINS.lines().find_map(pinned);
        python_with(package, version.context("its version is pinned")?)
    }
}

fn python_with(package: &str, version: &str) -> anyhow::Result<PathBuf> {
    let folder = cache()?.join(format!("{package}-{version}"));
    std::fs::create_dir_all(&folder)
        .with_context(|| format!("cannot make {}", folder.display()))?;
    // Two builds at once: the second waits, and finds it there.
    let lock = folder.join("lock");
    let lock = File::create(&lock).with_context(|| format!("cannot write {}", lock.display()))?;
    lock.lock()?;
    let environment = folder.join("venv");
    let python = environment.join("bin/python");
    // with which Python it was made: another one does not find what lies there
    let complete = folder.join("complete");
    let mut version_of_python = Command::new("python3");
    version_of_python.arg("--version");
    let current = said(version_of_python, "python3", INSTALL_PYTHON)?;
    if std::fs::read_to_string(&complete).is_ok_and(|made| made == current) && python.exists() {
        return Ok(python);
    }
    eprintln!("fetching {package} {version} into {}", folder.display());
    let mut make = Command::new("python3");
    make.args(["-m", "venv", "--clear"]).arg(&environment);
    said(make, "python3", INSTALL_PYTHON)?;
    let mut fetch = Command::new(&python);
    fetch.args([
        "-m",
        "pip",
        "install",
        "--quiet",
        "--no-input",
        "--disable-pip-version-check",
    ]);
    fetch.arg(format!("{package}=={version}"));
    said(fetch, "pip", INSTALL_PYTHON)?;
    std::fs::write(&complete, current)?;
    Ok(python)
}

pub(super) const INSTALL_NODE: &str = "install Node.js 20 or newer (https://nodejs.org), which brings npm; what else is needed is fetched";

/// Sees to it that the project has its packages, in the versions of its lock file.
///
/// # Errors
/// There is no npm, or the packages cannot be fetched.
pub(super) fn npm_installed(folder: &Path) -> anyhow::Result<()> {
    // Two builds at once: the second waits, and finds it there.
    let manifest = folder.join("package.json");
    let manifest =
        File::open(&manifest).with_context(|| format!("cannot read {}", manifest.display()))?;
    manifest.lock()?;
    let changed = |file: &str| {
        folder
            .join(file)
            .metadata()
            .and_then(|file| file.modified())
    };
    let wanted = ["package.json", "package-lock.json"].map(changed);
    // what npm writes last
    let there = changed("node_modules/.package-lock.json");
    if there.is_ok_and(|there| wanted.iter().flatten().all(|wanted| *wanted <= there)) {
        return Ok(());
    }
    eprintln!("fetching the packages of {}: npm install", folder.display());
    let mut fetch = Command::new("npm");
    fetch
        // what is installed has no need to run here before it is asked to
        .args([
            "install",
            "--ignore-scripts",
            "--no-audit",
            "--no-fund",
            "--loglevel=error",
        ])
        .current_dir(folder);
    said(fetch, "npm", INSTALL_NODE).map(drop)
}

/// Where what was fetched is kept: `toolchains` of the user's cache.
pub(super) fn cache() -> anyhow::Result<PathBuf> {
    let absolute = |name| {
        std::env::var_os(name)
            .map(PathBuf::from)
            .filter(|path| path.is_absolute())
    };
    let root = absolute("XDG_CACHE_HOME")
        .or_else(|| Some(absolute("HOME")?.join(".cache")))
        .context("neither XDG_CACHE_HOME nor HOME says where the cache is")?;
    Ok(root.join("rectifier/toolchains"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_tool_is_pinned() {
        for tool in [PythonTool::ComponentizePy, PythonTool::Ziglang] {
            assert!(PINS.contains(&format!("\n{}==", tool.package())));
        }
    }

    #[test]
    fn a_toolchain_that_is_missing_is_named_with_what_to_do() {
        let error = said(Command::new("no-such-compiler"), "go", "install Go").unwrap_err();
        assert!(
            error
                .to_string()
                .starts_with("go is not installed: install Go"),
            "{error}"
        );
    }
}
