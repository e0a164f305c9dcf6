//! From the rename of a policy's file to the first decision of its new version, while another policy takes long to
//! compile.

use std::time::Instant;

use anyhow::{Context, Result};
use rectifier_core::policy::Advice;
use rectifier_policy_host::Policies;

use crate::samples::Samples;
use crate::throughput::options;
use crate::{Built, observation, sidecar};

const ROUNDS: usize = 30;

pub(crate) fn run(policies: &[Built]) -> Result<()> {
    let quick = &policies[0];
    let slow = policies
        .last()
        .context("a policy that takes long to compile")?;
    println!(
        "\nreload: from the rename to the new version's decision, ms p50/p99 of {ROUNDS}; the file is quiet for {} ms first",
        rectifier_policy_host::DEBOUNCE.as_millis()
    );
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    for beside in [None, Some(slow)] {
        let folder = tempfile::tempdir()?;
        let directory = folder.path().join("policies");
        std::fs::create_dir(&directory)?;
        let put = |name: &str, bytes: &[u8]| {
            let aside = folder.path().join("aside");
            std::fs::write(&aside, bytes)?;
            std::fs::rename(aside, directory.join(name))
        };
        put("quick.wasm", &quick.bytes)?;
        let times = runtime.block_on(async {
            let hosted = Policies::open(options(folder.path())?).await?;
            let seen = observation()?;
            let mut times = Samples::default();
            for round in 0..ROUNDS {
                // A custom section makes another file of it, which must be compiled.
                let named = |bytes: &[u8], n: usize| -> Result<Vec<u8>> {
                    let mark = u8::try_from(n)?;
                    Ok([bytes, &[0, 2, 1, mark]].concat())
                };
                let next = named(&quick.bytes, round)?;
                if let Some(slow) = beside {
                    std::fs::write(
                        directory.join("slow.yaml"),
                        format!("mode: monitor\n{}", sidecar(slow)),
                    )?;
                    put("slow.wasm", &named(&slow.bytes, round)?)?;
                }
                let before = digest(&hosted);
                let began = Instant::now();
                put("quick.wasm", &next)?;
                let mut changed = hosted.changed();
                while digest(&hosted) == before {
                    changed.changed().await?;
                }
                let advice = hosted.advise(&seen).await;
                anyhow::ensure!(matches!(advice, Advice::Decided { .. }), "{advice:?}");
                times.push(began.elapsed());
            }
            anyhow::Ok(times)
        })?;
        let with = beside.map_or("nothing".to_owned(), |slow| slow.name.to_owned());
        println!(
            "  {:>12}  while {with} compiles",
            times.shown_in_milliseconds()
        );
    }
    Ok(())
}

fn digest(hosted: &Policies) -> Option<String> {
    let set = hosted.set();
    let file = set
        .policies()
        .iter()
        .find(|file| file.file() == "quick.wasm")?;
    file.digest().map(str::to_owned)
}
