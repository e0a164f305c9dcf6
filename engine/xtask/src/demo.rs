//! `cargo xtask demo`: the whole loop, told.

use std::process::ExitCode;

use anyhow::{Context, Result, bail};
use rectifier_provision::{Cache, build_programs, programs, subcommand};

use crate::setup;

pub(crate) fn run(cache: &Cache, arguments: &[String]) -> Result<ExitCode> {
    setup::all(cache)?;
    let build = build_programs(cache).arg("--quiet").status();
    if !build.context("cannot start cargo")?.success() {
        bail!("the story does not compile");
    }
    let story = programs(cache).join("story");
    let told = subcommand(cache, &story)
        .args(arguments)
        .status()
        .context("cannot start it")?;
    Ok(if told.success() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}
