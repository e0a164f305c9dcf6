//! `cargo xtask demo`: the whole loop, shown: in the embedded world, or on real parts.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, Result, bail};
use rectifier_provision::{Cache, Stderr, build_programs, programs, subcommand};

use crate::setup;

pub(crate) fn run(cache: &Cache, is_real: bool, arguments: &[String]) -> Result<ExitCode> {
    let (program, first) = match is_real {
        true => {
            setup::all(cache)?;
            ("story", Vec::new())
        }
        false => {
            let policies = policies(cache)?;
            let policies = policies.to_str().context("the cache's path is not UTF-8")?;
            (
                "rectifier",
                vec!["demo".to_owned(), format!("--policies={policies}")],
            )
        }
    };
    let build = build_programs(cache).arg("--quiet").status();
    if !build.context("cannot start cargo")?.success() {
        bail!("{program} does not compile");
    }
    let shown = subcommand(cache, &programs(cache).join(program))
        .args(first)
        .args(arguments)
        .status()
        .context("cannot start it")?;
    Ok(match shown.code() {
        Some(0) => ExitCode::SUCCESS,
        Some(code) => u8::try_from(code).map_or(ExitCode::FAILURE, ExitCode::from),
        None => ExitCode::FAILURE,
    })
}

/// The policy that ships, set up as the operator's guide has it, in a folder.
fn policies(cache: &Cache) -> Result<PathBuf> {
    let mut report = Stderr::default();
    cache.wasm_target(&mut report)?;
    let policy = cache.policy_component("restart-then-replace", &mut report)?;
    let folder = cache.folder("demo-policies")?;
    let put = |from: &Path| -> Result<()> {
        let name = from.file_name().context("a file's name")?;
        std::fs::copy(from, folder.join(name)).with_context(|| from.display().to_string())?;
        Ok(())
    };
    put(&policy)?;
    let example = "deploy/example/policies/restart-then-replace.yaml";
    put(&cache.checkout().join(example))?;
    Ok(folder)
}
