//! `cargo xtask clean`: what the cache holds and what was built, and removing it.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, Result};
use rectifier_provision::{Cache, no_mounts, remove};

pub(crate) fn run(cache: &Cache, all: bool, builds: bool) -> Result<ExitCode> {
    let mut cached: Vec<_> = std::fs::read_dir(cache.root())?
        .map(|entry| Ok(entry?.path()))
        .collect::<Result<_>>()?;
    cached.sort();
    let built = cache.builds()?;
    show(&cached)?;
    show(&built)?;
    if !all && !builds {
        println!(
            "nothing is removed; `cargo xtask clean --cache` removes the cache, `--builds` what cargo built"
        );
        return Ok(ExitCode::SUCCESS);
    }
    if all {
        // before the first is removed: half a cache is of use to nobody
        cached.iter().try_for_each(|path| no_mounts(path))?;
        cached.iter().try_for_each(|path| remove(path))?;
    }
    if builds {
        built
            .iter()
            .try_for_each(|build| cache.remove_build(build))?;
    }
    println!("removed");
    Ok(ExitCode::SUCCESS)
}

fn show(paths: &[PathBuf]) -> Result<()> {
    let mut total = 0;
    for path in paths {
        let bytes = size(path)?;
        total += bytes;
        println!("{:9.1} MiB  {}", mib(bytes), path.display());
    }
    println!("{:9.1} MiB  in all", mib(total));
    Ok(())
}

/// Bytes of all files below it; links are not followed.
fn size(path: &Path) -> Result<u64> {
    let metadata = path
        .symlink_metadata()
        .with_context(|| format!("cannot read {}", path.display()))?;
    if !metadata.is_dir() {
        return Ok(metadata.len());
    }
    let entries = std::fs::read_dir(path)?;
    entries.map(|entry| size(&entry?.path())).sum()
}

#[expect(clippy::cast_precision_loss, reason = "shown with one decimal")]
fn mib(bytes: u64) -> f64 {
    bytes as f64 / f64::from(1 << 20)
}
