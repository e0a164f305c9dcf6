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
        let before = Resident::of_this_process(folder)?;
        println!("  {before}: before the first policy");
        let policies = Policies::open(options(folder)?).await?;
        let loaded = policies
            .set()
            .policies()
            .iter()
            .filter(|file| file.name().is_some())
            .count();
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
        println!("  {}", Resident::of_this_process(folder)?);
        Ok(())
    })
}

/// Mebibytes that a process has in memory.
struct Resident {
    anonymous: f64,
    /// The program itself and its libraries: as much of them as ran, shared by all its processes.
    program: f64,
    /// Compiled policies, mapped from their cache.
    policies: f64,
}

impl Resident {
    fn of_this_process(folder: &Path) -> Result<Self> {
        let maps = std::fs::read_to_string("/proc/self/smaps")?;
        let folder = folder.to_str().context("a folder in UTF-8")?;
        let (mut of, mut sums) = ("", [0.0; 3]);
        for line in maps.lines() {
            let (first, rest) = line.split_once(' ').unwrap_or((line, ""));
            let kibibytes = || rest.trim().trim_end_matches(" kB").parse::<f64>();
            match first {
                // A page of a file that was written to is the process's own.
                "Anonymous:" => sums[0] += kibibytes()?,
                "Rss:" => sums[if of.starts_with(folder) { 2 } else { 1 }] += kibibytes()?,
                _ if !first.ends_with(':') => of = line.split_whitespace().nth(5).unwrap_or(""),
                _ => {}
            }
        }
        let [anonymous, others, policies] = sums.map(|kibibytes| kibibytes / 1024.0);
        Ok(Self {
            anonymous,
            program: others - anonymous,
            policies,
        })
    }
}

impl std::fmt::Display for Resident {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self {
            anonymous,
            program,
            policies,
        } = self;
        let all = anonymous + program + policies;
        write!(
            f,
            "{all:.1} MiB in all: {anonymous:.1} anonymous, {program:.1} of the program, {policies:.1} of compiled policies"
        )
    }
}
