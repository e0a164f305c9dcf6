//! `rectifier policy annotate`.

use std::collections::BTreeSet;
use std::path::PathBuf;

use anyhow::Context;
use rectifier_core::name::{FixName, PolicyName, UnitName};
use rectifier_core::policy::SiteKind;
use rectifier_policy_host::{Handles, Metadata, Needed, Needs, Pattern, annotate, read_metadata};

use super::metadata;
use crate::verdict::{Verdict, usage};

const EXAMPLES: &str = "\
`policy build` does this with a project's policy.yaml, which is such a file:
  name: restart-once
  version: 0.1.0
  handles:
    - {conditions: [ContainerRuntimeUnhealthy], sites: [node]}
  needs: {units: [containerd.service]}
Examples:
  rectifier policy annotate restart-once.wasm --metadata policy.yaml
  rectifier policy annotate built.wasm -o restart-once.wasm --name restart-once \\
      --handles ContainerRuntimeUnhealthy@node --needs-unit containerd.service
  rectifier policy annotate all.wasm --name all --handles 'Kernel*,Disk*@node' --handles '*@control-plane'";

#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Arguments {
    /// The policy: a component or a WASI command
    file: PathBuf,
    /// A YAML or JSON file with all of it, instead of the options below
    #[arg(long, value_name = "FILE", conflicts_with_all = ["name", "handles"])]
    metadata: Option<PathBuf>,
    /// The policy's name: lower-case, as Kubernetes has them
    #[arg(long, value_parser = |text: &str| PolicyName::parse(text), required_unless_present = "metadata")]
    name: Option<PolicyName>,
    /// The policy's own version, for people
    #[arg(
        long = "policy-version",
        value_name = "VERSION",
        default_value = "0.1.0"
    )]
    version: String,
    /// What it answers for: kinds of conditions (`Frequent*`, `*`) and where, node or control-plane
    #[arg(long, value_name = "CONDITION[,…]@SITE[,…]", value_parser = handles, required_unless_present = "metadata")]
    handles: Vec<Handles>,
    /// A systemd unit that its observations must contain; `all` for every one that is allowed
    #[arg(long, value_name = "UNIT")]
    needs_unit: Vec<String>,
    /// Likewise a fix
    #[arg(long, value_name = "FIX")]
    needs_fix: Vec<String>,
    /// Likewise a fact
    #[arg(long, value_name = "FACT")]
    needs_fact: Vec<String>,
    /// Where to write it [default: the same file]
    #[arg(long, short, value_name = "FILE")]
    out: Option<PathBuf>,
}

pub(crate) fn run(arguments: Arguments) -> anyhow::Result<Verdict> {
    let Arguments {
        file,
        metadata: from_file,
        name,
        version,
        handles,
        needs_unit,
        needs_fix,
        needs_fact,
        out,
    } = arguments;
    let bytes = std::fs::read(&file).with_context(|| format!("cannot read {}", file.display()))?;
    let metadata = match (from_file, name) {
        (Some(from), _) => metadata::read(&from)?,
        (None, Some(name)) => Metadata {
            name,
            version,
            contract: metadata::newest(),
            handles,
            needs: Needs {
                units: needed(needs_unit, |name| UnitName::parse(name).map_err(Into::into))?,
                fixes: needed(needs_fix, |name| FixName::parse(name).map_err(Into::into))?,
                facts: needed(needs_fact, Ok)?,
            },
        },
        (None, None) => return Err(usage("give --metadata FILE, or --name and --handles")),
    };
    let annotated = annotate(&bytes, &metadata)
        .map_err(|failure| anyhow::anyhow!("{}: {}", file.display(), failure.message))?;
    // What stands there now is what an engine will read, or refuse.
    read_metadata(&annotated).map_err(|failure| usage(failure.message))?;
    let out = out.unwrap_or(file);
    metadata::write(&out, &annotated)?;
    println!("{}", out.display());
    Ok(Verdict::Well)
}

/// `all`, or names.
fn needed<T: Ord>(
    names: Vec<String>,
    parse: impl Fn(String) -> anyhow::Result<T>,
) -> anyhow::Result<Needed<T>> {
    if names.iter().any(|name| name == "all") {
        return Ok(Needed::All);
    }
    let names = names
        .into_iter()
        .map(parse)
        .collect::<Result<BTreeSet<T>, _>>();
    names
        .map(Needed::Only)
        .map_err(|error| usage(error.to_string()))
}

/// `CONDITION[,…]@SITE[,…]`
fn handles(text: &str) -> Result<Handles, String> {
    let (conditions, sites) = text
        .split_once('@')
        .ok_or("it is CONDITION[,…]@SITE, e.g. KernelDeadlock@node")?;
    let patterns = conditions
        .split(',')
        .map(|kind| Pattern::try_from(kind.to_owned()));
    let sites = sites.split(',').map(|site| {
        [SiteKind::Node, SiteKind::ControlPlane]
            .into_iter()
            .find(|kind| kind.label() == site)
            .ok_or_else(|| format!("{site:?} is no site: node, control-plane"))
    });
    Ok(Handles {
        conditions: patterns.collect::<Result<_, _>>()?,
        sites: sites.collect::<Result<_, _>>()?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_file_that_is_shown_is_one() {
        let shown = EXAMPLES.lines().skip(1);
        let shown: Vec<_> = shown.take_while(|line| line.starts_with("  ")).collect();
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join(metadata::FILE);
        std::fs::write(&file, shown.join("\n")).unwrap();
        let read = metadata::read(&file).unwrap();
        assert_eq!(read.name.as_str(), "restart-once");
        assert!(matches!(read.needs.units, Needed::Only(_)), "{read:?}");
    }

    #[test]
    fn what_is_handled_is_written_in_one_word() {
        let read = handles("Kernel*,DiskFull@node,control-plane").unwrap();
        let conditions: Vec<_> = read.conditions.iter().map(ToString::to_string).collect();
        assert_eq!(conditions, ["Kernel*", "DiskFull"]);
        assert_eq!(read.sites.len(), 2);
        for wrong in ["KernelDeadlock", "@node", "A@moon", "A@", "A b@node"] {
            assert!(handles(wrong).is_err(), "{wrong}");
        }
    }
}
