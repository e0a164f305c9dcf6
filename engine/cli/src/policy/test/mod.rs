//! `rectifier policy test`.

mod junit;
mod report;
mod watch;

use std::path::{Path, PathBuf};

use anyhow::Context;
use rectifier_policy_host::Metering;

use super::cases::{Suite, play};
use super::files::{beside, in_directory};
use super::host::HostArguments;
use super::language::Language;
use super::variants::Variants;
use super::{build, files};
use crate::diagnostic::Source;
use crate::output::OutputArguments;
use crate::verdict::{Verdict, usage};

const EXAMPLES: &str = "\
The cases of NAME.wasm are NAME.cases.yaml beside it, and cases/*.yaml if it is alone there; sdk/README.md says how
they are written. A project is built first. Examples:
  rectifier policy test
  rectifier policy test --watch
  rectifier policy test restart-once.wasm --cases more.yaml --junit report.xml";

#[derive(Debug, Clone, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Arguments {
    /// A policy, or a directory of policies, or a project
    #[arg(default_value = ".", value_name = "FILE|DIR")]
    path: PathBuf,
    /// These cases, instead of those beside the policy: a file, or a folder of files
    #[arg(long, value_name = "FILE|DIR")]
    cases: Vec<PathBuf>,
    /// Only the cases in whose name this stands
    #[arg(
        long,
        value_name = "TEXT",
        default_value = "",
        hide_default_value = true
    )]
    only: String,
    /// Take a project's policy as it was built last
    #[arg(long)]
    no_build: bool,
    /// Stay, and play them again whenever a file changes
    #[arg(long, conflicts_with = "output")]
    watch: bool,
    /// Also write a JUnit report
    #[arg(long, value_name = "FILE")]
    junit: Option<PathBuf>,
    #[command(flatten)]
    host: HostArguments,
    #[command(flatten)]
    output: OutputArguments,
}

pub(crate) async fn run(arguments: Arguments) -> anyhow::Result<Verdict> {
    match arguments.watch {
        true => watch::run(&arguments).await,
        false => once(&arguments).await,
    }
}

async fn once(arguments: &Arguments) -> anyhow::Result<Verdict> {
    let is_project = Language::of(&arguments.path).is_some();
    let policies = match is_project && !arguments.no_build {
        true => vec![build::build(&arguments.path, None)?],
        false if arguments.path.is_dir() => in_directory(&arguments.path)?,
        false => vec![files::the_policy(&arguments.path)?],
    };
    let alone = policies.len() == 1;
    // Work is counted, not time: a case passes on a slow machine, too.
    let host = arguments.host.open(Metering::Fuel)?;
    let mut report = report::Report::new(arguments.output);
    for policy in &policies {
        let suites = suites(policy, arguments, alone)?;
        let mut variants = Variants::new(host.clone(), policy);
        for suite in &suites {
            report.begin(policy, suite);
            for case in suite
                .cases
                .iter()
                .filter(|case| case.name.value.contains(&arguments.only))
            {
                report.add(suite, &play(suite, case, &mut variants).await?)?;
            }
        }
    }
    if let Some(file) = &arguments.junit {
        std::fs::write(file, junit::write(report.suites()))
            .with_context(|| format!("cannot write {}", file.display()))?;
    }
    report.end()
}

fn suites(policy: &Path, arguments: &Arguments, alone: bool) -> anyhow::Result<Vec<Suite>> {
    let mut found = Vec::new();
    let given = arguments.cases.iter().cloned();
    let usual = beside(policy, ".cases.yaml").into_iter();
    let folder = policy.with_file_name("cases");
    let usual = usual
        .filter(|file| file.exists())
        .chain((alone && folder.is_dir()).then_some(folder));
    let wanted: Vec<_> = match arguments.cases.is_empty() {
        true => usual.collect(),
        false => given.collect(),
    };
    for path in wanted {
        match path.is_dir() {
            true => found.extend(in_folder(&path)?),
            false => found.push(path),
        }
    }
    if found.is_empty() && alone {
        let wanted = beside(policy, ".cases.yaml").unwrap_or_default();
        return Err(usage(format!(
            "{} has no cases: write them into {} (rectifier policy new shows some)",
            policy.display(),
            wanted.display()
        )));
    }
    found.iter().map(|file| suite(file)).collect()
}

fn in_folder(folder: &Path) -> anyhow::Result<Vec<PathBuf>> {
    let unreadable = || format!("cannot read {}", folder.display());
    let entries = folder.read_dir().with_context(unreadable)?;
    let files = entries.map(|entry| Ok(entry.with_context(unreadable)?.path()));
    let mut files = files.collect::<anyhow::Result<Vec<_>>>()?;
    files.retain(|file| {
        file.extension()
            .is_some_and(|ending| ending == "yaml" || ending == "yml")
    });
    files.sort();
    Ok(files)
}

fn suite(file: &Path) -> anyhow::Result<Suite> {
    let name = file.display().to_string();
    let text = std::fs::read_to_string(file).with_context(|| format!("cannot read {name}"))?;
    Ok(Suite::parse(Source { name, text })?)
}
