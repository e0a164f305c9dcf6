//! The fuzz targets of `engine/policy-host/fuzz`, each for a short while.

use std::path::Path;

use anyhow::{Context, Result, bail};
use rectifier_provision::{Cache, Stderr, Tool, cargo, subcommand};

use crate::table::Verdict;

/// Where they lie in the checkout.
pub(crate) const FOLDER: &str = "engine/policy-host/fuzz";

/// Seconds for each target. Arbitrary: enough to tell that it runs and that nothing is found at once.
const SECONDS: u32 = 20;

/// Runs each target from its seeds and from what former runs found worth keeping.
///
/// # Errors
/// A target does not compile, or found something: its input lies in the cache's `fuzz/findings`.
pub(crate) fn run(cache: &Cache) -> Result<Verdict> {
    let program = cache.tool(Tool::Fuzz, &mut Stderr::default())?;
    let (source, work) = (cache.checkout().join(FOLDER), cache.root().join("fuzz"));
    let targets = targets(&source)?;
    for target in &targets {
        let (kept, findings) = (work.join("corpus").join(target), work.join("findings"));
        for folder in [&kept, &findings] {
            std::fs::create_dir_all(folder)
                .with_context(|| format!("cannot make {}", folder.display()))?;
        }
        let mut fuzz = subcommand(cache, &program);
        // No sanitizer: they need a nightly compiler, and what is tried here is safe code.
        fuzz.args(["fuzz", "run", "--dev", "--sanitizer=none", "--fuzz-dir"])
            .args([&source, Path::new(target)])
            .args([&kept, &source.join("corpus").join(target)]);
        fuzz.args(["--", "-timeout=10", "-print_final_stats=1"])
            .arg(format!("-max_total_time={SECONDS}"))
            .arg(format!("-artifact_prefix={}/{target}-", findings.display()));
        let built = work.join("target");
        fuzz.env("CARGO_BUILD_BUILD_DIR", built.join("build"))
            .env("CARGO_TARGET_DIR", built);
        let status = fuzz.status().context("cannot start cargo-fuzz")?;
        if !status.success() {
            bail!("{target}: it said why above ({status})");
        }
    }
    let (count, names) = (targets.len(), targets.join(", "));
    Ok(Verdict::Well(format!(
        "{count} targets for {SECONDS} s each: {names}"
    )))
}

/// The targets are a workspace of their own: does its lock file say what its manifests want?
///
/// # Errors
/// It does not: `cargo metadata` in that folder writes it anew.
pub(crate) fn is_locked(cache: &Cache) -> Result<Verdict> {
    let manifest = cache.checkout().join(FOLDER).join("Cargo.toml");
    let mut metadata = cargo(cache);
    metadata.args([
        "metadata",
        "--locked",
        "--format-version=1",
        "--manifest-path",
    ]);
    let status = metadata
        .arg(manifest)
        .stdout(std::process::Stdio::null())
        .status()
        .context("cannot start cargo")?;
    if !status.success() {
        bail!("{FOLDER}/Cargo.lock is not what its manifests want: run cargo metadata in {FOLDER}");
    }
    Ok(Verdict::Well(String::new()))
}

/// Each is a file of that folder.
fn targets(source: &Path) -> Result<Vec<String>> {
    let folder = source.join("fuzz_targets");
    let entries =
        std::fs::read_dir(&folder).with_context(|| format!("cannot read {}", folder.display()))?;
    let mut targets = Vec::new();
    for entry in entries {
        let path = entry?.path();
        if let Some(name) = path.file_stem() {
            targets.push(name.to_string_lossy().into_owned());
        }
    }
    targets.sort();
    if targets.is_empty() {
        bail!("there is no target in {}", folder.display());
    }
    Ok(targets)
}
