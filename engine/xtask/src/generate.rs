//! `cargo xtask generate`: files in the repository that are made from code, and the check that they
//! are what the code would make.

use std::process::ExitCode;

use anyhow::{Context, Result, bail};
use rectifier_provision::{Cache, Features, Stderr, subcommand};

use crate::table::Verdict;

/// A file, and what the engine's program is to be told to print it.
struct Generated {
    file: &'static str,
    arguments: &'static [&'static str],
}

const FILES: &[Generated] = &[Generated {
    file: "deploy/crds/rectifier.yaml",
    arguments: &["crds"],
}];

pub(crate) fn command(cache: &Cache, check: bool) -> Result<ExitCode> {
    if check {
        self::check(cache)?;
        return Ok(ExitCode::SUCCESS);
    }
    for generated in FILES {
        let path = cache.checkout().join(generated.file);
        let content = generated.content(cache)?;
        if std::fs::read(&path).is_ok_and(|current| current == content) {
            println!("unchanged  {}", generated.file);
            continue;
        }
        let folder = path.parent().context("a generated file is in a folder")?;
        std::fs::create_dir_all(folder)?;
        std::fs::write(&path, content)?;
        println!("written    {}", generated.file);
    }
    Ok(ExitCode::SUCCESS)
}

/// # Errors
/// Names the files that are not what the code would make.
pub(crate) fn check(cache: &Cache) -> Result<Verdict> {
    let mut stale = Vec::new();
    for generated in FILES {
        let current = std::fs::read(cache.checkout().join(generated.file)).unwrap_or_default();
        if current != generated.content(cache)? {
            stale.push(generated.file);
        }
    }
    if !stale.is_empty() {
        bail!("run cargo xtask generate: it changes {}", stale.join(", "));
    }
    Ok(Verdict::Well(String::new()))
}

impl Generated {
    fn content(&self, cache: &Cache) -> Result<Vec<u8>> {
        let engine = cache.engine(Features::Shipped, &mut Stderr::default())?;
        let output = subcommand(cache, &engine).args(self.arguments).output()?;
        if !output.status.success() {
            let said = String::from_utf8_lossy(&output.stderr);
            bail!(
                "rectifier-engine {} failed: {}",
                self.arguments.join(" "),
                said.trim()
            );
        }
        Ok(output.stdout)
    }
}
