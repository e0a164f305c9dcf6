//! The world's API server gives the answers that the real one gave: `conformance/` holds the questions, and
//! `conformance/answers` what was answered.

mod conformance;

use std::sync::Arc;

use anyhow::Result;
use conformance::{Subject, cases};
use rectifier_core::clock::Timestamp;
use rectifier_sim::clock::WorldClock;
use rectifier_sim::kubernetes::{ApiServer, Options};

fn world(seed: u64) -> Result<ApiServer> {
    let clock = Arc::new(WorldClock::starting(
        "2026-01-01T00:00:00Z".parse::<Timestamp>()?,
    ));
    let options = Options {
        seed,
        ..Options::default()
    };
    let server = ApiServer::new(options, clock);
    for crd in rectifier_api::crds() {
        server.install(&crd)?;
    }
    Ok(server)
}

#[tokio::test(start_paused = true)]
async fn the_world_answers_as_the_real_api_server_does() -> Result<()> {
    for seed in 0..20 {
        let server = world(seed)?;
        let subject = Subject {
            client: server.client("suite"),
        };
        for case in cases() {
            subject.answers(&case).await?;
        }
    }
    Ok(())
}

/// What a request did and when it was answered, for a seed.
async fn trace(seed: u64) -> Result<(Vec<String>, std::time::Duration)> {
    let server = world(seed)?;
    let began = tokio::time::Instant::now();
    let subject = Subject {
        client: server.client("suite"),
    };
    for case in cases() {
        subject.answers(&case).await?;
    }
    let told = |request: rectifier_sim::kubernetes::Request| format!("{request:?}");
    Ok((
        server.requests().into_iter().map(told).collect(),
        began.elapsed(),
    ))
}

#[tokio::test(start_paused = true)]
async fn a_seed_gives_the_same_world_every_time() -> Result<()> {
    let (one, other, third) = (trace(7).await?, trace(7).await?, trace(8).await?);
    assert_eq!(one, other);
    assert_ne!(one.1, third.1);
    Ok(())
}
