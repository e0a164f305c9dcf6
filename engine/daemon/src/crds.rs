//! `rectifier-engine crds`.

use std::io::Write;

use anyhow::Context as _;

/// How it is called.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// Only this one, e.g. `noderepairs.rectifier.dev`
    name: Option<String>,
}

/// Prints them as one stream of YAML documents.
pub(crate) fn print(arguments: &Arguments) -> anyhow::Result<()> {
    let mut crds = rectifier_api::crds();
    if let Some(name) = &arguments.name {
        crds.retain(|crd| crd.metadata.name.as_ref() == Some(name));
        anyhow::ensure!(
            !crds.is_empty(),
            "there is no CustomResourceDefinition {name}"
        );
    }
    let mut out = std::io::stdout().lock();
    for crd in crds {
        let yaml = serde_saphyr::to_string(&crd).context("cannot write YAML")?;
        writeln!(out, "---\n{}", yaml.trim_end())?;
    }
    Ok(())
}
