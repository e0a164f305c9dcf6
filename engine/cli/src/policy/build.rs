//! `rectifier policy build`.

use std::path::{Path, PathBuf};

use rectifier_policy_host::{annotate, read_metadata};

use super::metadata;
use super::project::Project;
use crate::output::{self, OutputArguments};
use crate::verdict::{Verdict, usage};

const EXAMPLES: &str = "\
The file is NAME.wasm in that folder, NAME being the policy's own name: beside it lie its sidecar NAME.yaml and its
cases NAME.cases.yaml. A WASI command says what it is in policy.yaml (name, version, handles, needs). Examples:
  rectifier policy build
  cp $(rectifier policy build restart-once) /etc/rectifier/policies/";

#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Arguments {
    /// The project's folder: one with a Cargo.toml or a go.mod
    #[arg(default_value = ".")]
    directory: PathBuf,
    #[command(flatten)]
    output: OutputArguments,
}

pub(crate) fn run(arguments: &Arguments) -> anyhow::Result<Verdict> {
    let built = build(&arguments.directory)?;
    match arguments.output.is_json() {
        true => output::json(&serde_json::json!({ "file": built }))?,
        false => println!("{}", built.display()),
    }
    Ok(Verdict::Well)
}

/// Builds what lies in `folder`; where the policy's file is then.
///
/// # Errors
/// There is nothing to build, it does not compile, or it does not say what it is.
pub(crate) fn build(folder: &Path) -> anyhow::Result<PathBuf> {
    let project = Project::find(folder).ok_or_else(|| {
        usage(format!(
            "there is no Cargo.toml and no go.mod in {}: rectifier policy new NAME makes a project",
            folder.display()
        ))
    })?;
    let compiled = project.compile(folder)?;
    let said = folder.join(metadata::FILE);
    let (bytes, metadata) = match (read_metadata(&compiled), said.is_file()) {
        (Ok(metadata), _) => (compiled, metadata),
        (Err(_), true) => {
            let metadata = metadata::read(&said)?;
            let annotated = annotate(&compiled, &metadata)
                .map_err(|failure| anyhow::anyhow!(failure.message))?;
            (annotated, metadata)
        }
        (Err(failure), false) => anyhow::bail!(
            "what was built is no policy: {}; say what it handles in {} (rectifier policy new --lang go shows one), \
             in Rust by the macro policy!",
            failure.message,
            said.display()
        ),
    };
    if format!("{}.yaml", metadata.name) == metadata::FILE {
        return Err(usage(format!(
            "a policy named {} would take {} for its sidecar: give it another name",
            metadata.name,
            metadata::FILE
        )));
    }
    let file = folder.join(format!("{}.wasm", metadata.name));
    metadata::write(&file, &bytes)?;
    Ok(file)
}
