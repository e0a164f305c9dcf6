//! The memory of a process that does nothing but host five policies (`examples/resident.rs`), started anew with everything
//! compiled before, as an engine is after a restart.

use std::path::PathBuf;
use std::process::Command;

use anyhow::{Result, ensure};
use rectifier_provision::{Cache, cargo};

use crate::Built;

const POLICIES: usize = 5;
/// The goal.
const MEBIBYTES: f64 = 8.0;

pub(crate) fn run(built: &Built) -> Result<()> {
    let folder = tempfile::tempdir()?;
    let directory = folder.path().join("policies");
    std::fs::create_dir(&directory)?;
    for n in 0..POLICIES {
        // Each file of its own, or the same compiled code would serve all of them.
        let mut bytes = built.bytes.clone();
        bytes.extend_from_slice(&[0, 2, 1, b'a' + u8::try_from(n)?]);
        std::fs::write(directory.join(format!("Problem{n}.wasm")), bytes)?;
        let sidecar = format!(
            "handles: [{{conditions: [Problem{n}], sites: [node]}}]\n\
             settings: {{rules: [{{condition: Problem{n}, unit: kubelet.service}}]}}\n"
        );
        std::fs::write(directory.join(format!("Problem{n}.yaml")), sidecar)?;
    }
    let program = program(&Cache::from_env()?)?;
    // The first one compiles; the second finds everything there.
    for told in [false, true] {
        let output = Command::new(&program)
            .arg(folder.path())
            .arg(crate::COMPILER)
            .output()?;
        let said = String::from_utf8(output.stdout)?;
        ensure!(
            output.status.success(),
            "{}",
            String::from_utf8_lossy(&output.stderr)
        );
        if told {
            println!("\nresident: {}; goal {MEBIBYTES} MiB", built.name);
            print!("{said}");
        }
    }
    Ok(())
}

/// The process whose memory is told, built as it is shipped.
pub(crate) fn program(cache: &Cache) -> Result<PathBuf> {
    let built_itself = cargo(cache)
        .args(["build", "--quiet", "--locked", "--release"])
        .args([
            "--package",
            "rectifier-policy-host",
            "--example",
            "resident",
        ])
        .status()?;
    ensure!(built_itself.success(), "the example does not compile");
    Ok(rectifier_provision::programs(cache).with_file_name("release/examples/resident"))
}
