//! `rectifier policy build`.

use std::path::{Path, PathBuf};

use rectifier_policy_host::{Limits, annotate, read_metadata};

use super::language::{Form, Language};
use super::metadata;
use crate::output::{self, OutputArguments};
use crate::verdict::{Verdict, usage};

const EXAMPLES: &str = "\
The file is NAME.wasm in that folder, NAME being the policy's own name: beside it lie its sidecar NAME.yaml and its
cases NAME.cases.yaml. What it is stands in policy.yaml (name, version, handles, needs), in Rust in the macro policy!.
What can be fetched of a language's tools is: by npm into the project, by pip into the user's cache. Examples:
  rectifier policy build
  rectifier policy build restart-in-go --form component
  cp $(rectifier policy build restart-once) /etc/rectifier/policies/";

#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Arguments {
    /// The project's folder: one with a Cargo.toml, a go.mod or another language's manifest
    #[arg(default_value = ".")]
    directory: PathBuf,
    /// What it becomes: Go knows both, any other language one
    #[arg(long, value_name = "FORM")]
    form: Option<Form>,
    #[command(flatten)]
    output: OutputArguments,
}

pub(crate) fn run(arguments: &Arguments) -> anyhow::Result<Verdict> {
    let built = build(&arguments.directory, arguments.form)?;
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
pub(crate) fn build(folder: &Path, form: Option<Form>) -> anyhow::Result<PathBuf> {
    let language = Language::of(folder).ok_or_else(|| {
        usage(format!(
            "there is no source in {}, which would have one of {}: rectifier policy new NAME makes a project",
            folder.display(),
            Language::manifests()
        ))
    })?;
    let compiled = language.compile(folder, form)?;
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
    let usual = Limits::default().module_bytes;
    if bytes.len() > usual {
        eprintln!(
            "{} has {} MiB: engines take files of {} MiB, and larger ones if policies.moduleMebibytes says so",
            file.display(),
            bytes.len().div_ceil(1 << 20),
            usual >> 20
        );
    }
    Ok(file)
}
