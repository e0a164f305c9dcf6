//! From the rename of a policy's file to the first decision of its new version, while another policy takes long to
//! compile; and how long the same version takes to load by itself, which is the most of it.

use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use rectifier_core::policy::Advice;
use rectifier_policy_host::Policies;

use crate::samples::Samples;
use crate::throughput::options;
use crate::{Built, observation, sidecar};

const ROUNDS: usize = 30;

/// A large policy that changed so long ago is being compiled, and will be for a second at least.
const UNDER_WAY: Duration = Duration::from_millis(300);

/// When the other policy changes.
#[derive(Clone, Copy)]
enum When {
    Before,
    AtOnce,
}
use When::{AtOnce, Before};

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
    runtime.block_on(alone(quick))?;
    for beside in [None, Some((slow, Before)), Some((slow, AtOnce))] {
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
            let hosted = Policies::open(options(folder.path())).await?;
            let seen = observation()?;
            let mut times = Samples::default();
            for round in 0..ROUNDS {
                let next = marked(&quick.bytes, round)?;
                if let Some((slow, when)) = beside {
                    std::fs::write(
                        directory.join("slow.yaml"),
                        format!("mode: monitor\n{}", sidecar(slow)),
                    )?;
                    put("slow.wasm", &marked(&slow.bytes, round)?)?;
                    if let Before = when {
                        tokio::time::sleep(UNDER_WAY).await;
                    }
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
        let circumstances = match beside {
            None => "while nothing else happens".to_owned(),
            Some((slow, Before)) => format!("while {} compiles", slow.name),
            Some((slow, AtOnce)) => format!("when {} changes at once with it", slow.name),
        };
        println!("  {:>12}  {circumstances}", times.shown_in_milliseconds());
    }
    Ok(())
}

/// Reading, compiling in a child, linking, checking the settings: of a version that is in no cache.
async fn alone(quick: &Built) -> Result<()> {
    let folder = tempfile::tempdir()?;
    let host = crate::host(&folder.path().join("cache"))?;
    let file = folder.path().join("quick.wasm");
    let mut times = Samples::default();
    for round in 0..ROUNDS {
        std::fs::write(&file, marked(&quick.bytes, round)?)?;
        let began = Instant::now();
        host.load(&file).await?;
        times.push(began.elapsed());
    }
    println!(
        "  {:>12}  to load it and nothing else",
        times.shown_in_milliseconds()
    );
    Ok(())
}

/// A custom section makes another file of it, which must be compiled.
fn marked(bytes: &[u8], n: usize) -> Result<Vec<u8>> {
    let mark = u8::try_from(n)?;
    Ok([bytes, &[0, 2, 1, mark]].concat())
}

fn digest(hosted: &Policies) -> Option<String> {
    let set = hosted.set();
    let file = set
        .policies()
        .iter()
        .find(|file| file.file() == "quick.wasm")?;
    file.digest().map(str::to_owned)
}
