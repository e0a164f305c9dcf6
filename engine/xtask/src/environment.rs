//! `cargo xtask env`: where things lie.

use std::process::ExitCode;

use anyhow::Result;
use rectifier_provision::{Cache, programs};

pub(crate) fn print(cache: &Cache) -> Result<ExitCode> {
    println!("checkout  {}", cache.checkout().display());
    println!("cache     {}   (RECTIFIER_CACHE)", cache.root().display());
    println!("beds      {}", cache.run()?.display());
    println!("logs      {}", cache.root().join("log").display());
    println!("programs  {}", programs(cache).display());
    for name in ["KUBEBUILDER_ASSETS", "PYTHON", "CI"] {
        if let Ok(value) = std::env::var(name) {
            println!("{name}={value}");
        }
    }
    Ok(ExitCode::SUCCESS)
}
