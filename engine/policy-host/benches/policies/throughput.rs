//! Decisions a second when two threads do nothing else.

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Result, bail};
use rectifier_core::policy::Advice;
use rectifier_policy_host::{Options, Policies};

use crate::{Built, compiler, observation};

/// What Kubewarden publishes for its policy server with two workers, on other hardware and with another question: a line
/// to look at, no comparison.
const KUBEWARDEN: u32 = 1600;

/// So long is counted.
const LASTING: Duration = Duration::from_secs(5);

pub(crate) fn run(built: &Built) -> Result<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()?;
    let folder = tempfile::tempdir()?;
    std::fs::create_dir(folder.path().join("policies"))?;
    std::fs::write(folder.path().join("policies/policy.wasm"), &built.bytes)?;
    let count = runtime.block_on(async {
        let policies = Policies::open(options(folder.path())).await?;
        let seen = Arc::new(observation()?);
        let began = Instant::now();
        let mut askers = tokio::task::JoinSet::new();
        for _ in 0..2 {
            let (policies, seen) = (policies.clone(), seen.clone());
            askers.spawn(async move {
                let mut count = 0_u32;
                while began.elapsed() < LASTING {
                    match policies.advise(&seen).await {
                        Advice::Decided { .. } => count += 1,
                        other => bail!("{other:?}"),
                    }
                }
                Ok(count)
            });
        }
        let mut sum = 0;
        while let Some(count) = askers.join_next().await {
            sum += count??;
        }
        anyhow::Ok(sum)
    })?;
    let a_second = f64::from(count) / LASTING.as_secs_f64();
    println!(
        "\nthroughput: {a_second:.0} decisions a second on two threads, {}",
        built.name
    );
    println!(
        "            (Kubewarden's policy server publishes {KUBEWARDEN} requests a second with two workers)"
    );
    Ok(())
}

/// For a directory `policies` and a cache in `folder`.
pub(crate) fn options(folder: &std::path::Path) -> Options {
    Options::usual(folder.join("policies"), folder.join("cache"), compiler())
}
