//! The memory of a process that does nothing but host five policies: started anew with everything compiled before, as an
//! engine is after a restart.

use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, ensure};
use rectifier_core::policy::Advice;
use rectifier_policy_host::Policies;

use crate::throughput::options;
use crate::{Built, observation};

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
        std::fs::write(directory.join(format!("policy-{n}.wasm")), bytes)?;
        let handles = match n {
            0 => "KubeletUnhealthy".to_owned(),
            n => format!("Other{n}"),
        };
        let sidecar = format!(
            "handles: [{{conditions: [{handles}], sites: [node]}}]\n\
             settings: {{rules: [{{condition: {handles}, unit: kubelet.service}}]}}\n"
        );
        std::fs::write(directory.join(format!("policy-{n}.yaml")), sidecar)?;
    }
    let program = std::env::current_exe()?;
    // The first one compiles; the second finds everything there.
    for told in [false, true] {
        let output = Command::new(&program)
            .arg("resident")
            .arg(folder.path())
            .output()?;
        let said = String::from_utf8(output.stdout)?;
        ensure!(
            output.status.success(),
            "{}",
            String::from_utf8_lossy(&output.stderr)
        );
        if told {
            println!(
                "\nresident: a process with {POLICIES} policies ({}), each asked; goal {MEBIBYTES} MiB",
                built.name
            );
            print!("{said}");
        }
    }
    Ok(())
}

/// The process that is measured.
pub(crate) fn child(folder: &Path) -> Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    runtime.block_on(async {
        let policies = Policies::open(options(folder)?).await?;
        let loaded = policies.set().policies().iter().filter(|file| file.name().is_some()).count();
        ensure!(loaded == POLICIES, "{loaded} policies are loaded");
        let mut seen = observation()?;
        for round in 0..500 {
            let kind = match round % POLICIES {
                0 => "KubeletUnhealthy".to_owned(),
                n => format!("Other{n}"),
            };
            seen.episode.problem.kind = kind.try_into()?;
            let advice = policies.advise(&seen).await;
            ensure!(matches!(advice, Advice::Decided { .. }), "{advice:?}");
        }
        let rollup = std::fs::read_to_string("/proc/self/smaps_rollup")?;
        let kibibytes = |name: &str| -> Result<f64> {
            let line = rollup.lines().find_map(|line| line.strip_prefix(name));
            let figure = line.context("no such line")?.trim_start_matches(':').trim().trim_end_matches(" kB");
            Ok(figure.parse()?)
        };
        let (all, anonymous) = (kibibytes("Rss")?, kibibytes("Anonymous")?);
        println!(
            "  {:.1} MiB in all: {:.1} anonymous, {:.1} pages of files (the program itself, compiled policies)",
            all / 1024.0,
            anonymous / 1024.0,
            (all - anonymous) / 1024.0
        );
        Ok(())
    })
}
