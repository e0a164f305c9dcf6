//! `rectifier policy schema`.

use std::io::Write;

use crate::output;
use crate::verdict::{Verdict, usage};

const EXAMPLES: &str = "\
The schemas also lie in sdk/schema. Examples:
  rectifier policy schema               their names
  rectifier policy schema answer        what a policy may write
  rectifier policy schema sidecar > sidecar.schema.json";

#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Arguments {
    /// Which one; without it, the names of all
    name: Option<String>,
}

pub(crate) fn run(arguments: &Arguments) -> anyhow::Result<Verdict> {
    let schemas = rectifier_policy_host::schemas().map_err(anyhow::Error::msg)?;
    let Some(name) = &arguments.name else {
        for (name, _) in schemas {
            writeln!(output::out(), "{name}")?;
        }
        return Ok(Verdict::Well);
    };
    let Some((_, schema)) = schemas.iter().find(|(known, _)| known == name) else {
        let names: Vec<_> = schemas.iter().map(|(name, _)| *name).collect();
        return Err(usage(format!(
            "there is no schema {name}: {}",
            names.join(", ")
        )));
    };
    output::json(schema)?;
    Ok(Verdict::Well)
}
