//! The real API server gives the answers that the world gives.

mod conformance;

use anyhow::Result;
use conformance::{Subject, cases};
use rectifier_bed::Bed;
use rectifier_bed::kubernetes::{Kubernetes, Options};

#[tokio::test]
async fn the_real_api_server_answers_as_the_world_does() -> Result<()> {
    let bed = Bed::new("conformance")?;
    let options = Options {
        kwok: false,
        ..Options::default()
    };
    let kubernetes = Kubernetes::start(&bed, options).await?;
    let crds = bed.cache().checkout().join("deploy/crds");
    kubernetes.apply_path(&crds).await?;
    let subject = Subject {
        client: kubernetes.admin_who_asks_once().await?,
    };
    for case in cases() {
        subject.answers(&case).await?;
    }
    Ok(())
}
