//! `rectifier policy check`: by the engines' own code, so that what is well here is loaded there.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rectifier_core::policy::FailureClass;
use rectifier_policy_host::{Failure, Handles, Host, Metering, Policy, Set, Status};
use serde_json::{Value, json};

use super::files::{Group, groups};
use super::host::{HostArguments, load};
use crate::output::{self, OutputArguments, Table, paint};
use crate::verdict::Verdict;

const EXAMPLES: &str = "\
Checked are the file, what it says of itself, its sidecar with pin and limits, its needs against what the operator
allows, that it compiles and links, that it accepts its settings; in a directory also that no two of its policies
enforce the same condition at the same site. Examples:
  rectifier policy check restart-once.wasm
  rectifier policy check /etc/rectifier/policies --node-config /etc/rectifier/node.yaml
  rectifier policy check . --output json";

#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Arguments {
    /// Policies, or directories of policies
    #[arg(required = true, value_name = "FILE|DIR")]
    paths: Vec<PathBuf>,
    #[command(flatten)]
    host: HostArguments,
    #[command(flatten)]
    output: OutputArguments,
}

/// One file, and what an engine makes of it.
struct Checked {
    file: PathBuf,
    policy: Option<Arc<Policy>>,
    problem: Option<Failure>,
}

pub(crate) async fn run(arguments: Arguments) -> anyhow::Result<Verdict> {
    let groups = groups(&arguments.paths)?;
    let host = arguments.host.open_strictly(Metering::Epoch)?;
    let mut checked = Vec::new();
    for group in &groups {
        checked.extend(check(&host, group).await);
    }
    match arguments.output.is_json() {
        true => {
            let policies: Vec<Value> = checked.iter().map(Checked::to_json).collect();
            output::json(&json!({ "policies": policies }))?;
        }
        false => print(&checked)?,
    }
    Ok(Verdict::of(
        checked.iter().all(|checked| checked.problem.is_none()),
    ))
}

async fn check(host: &Host, group: &Group) -> Vec<Checked> {
    let mut checked = Vec::new();
    for file in &group.files {
        let (policy, problem) = match load(host, file).await {
            Ok(policy) => (Some(Arc::new(policy)), None),
            Err(failure) => (None, Some(failure)),
        };
        checked.push(Checked {
            file: file.clone(),
            policy,
            problem,
        });
    }
    if group.is_directory {
        let loaded = checked.iter().filter_map(|checked| checked.policy.clone());
        let set = Set::of(loaded);
        for checked in &mut checked {
            let name = name(&checked.file);
            let in_set = set.policies().iter().find(|loaded| loaded.file() == name);
            let status = in_set.map(|loaded| loaded.status());
            if let Some(Status::Refused(failure) | Status::KeptLastGood(failure)) = status {
                checked.problem = Some(failure.clone());
            }
        }
    }
    checked
}

fn name(file: &Path) -> &str {
    file.file_name()
        .and_then(|name| name.to_str())
        .unwrap_or_default()
}

impl Checked {
    /// Without the advice to do what is being done.
    fn why(&self) -> Option<String> {
        let Failure { class, message } = self.problem.as_ref()?;
        let message = match class {
            FailureClass::Load | FailureClass::Link => {
                let hint = format!("; {}", class.hint());
                message.strip_suffix(hint.as_str()).unwrap_or(message)
            }
            _ => message,
        };
        Some(format!("{}: {message}", class.label()))
    }

    fn to_json(&self) -> Value {
        let mut said = json!({ "file": self.file, "well": self.problem.is_none() });
        if let Some(policy) = &self.policy {
            let about = policy.metadata();
            said["name"] = json!(policy.name());
            said["version"] = json!(about.version);
            said["digest"] = json!(policy.digest());
            said["form"] = json!(policy.form());
            said["contract"] = json!(about.contract);
            said["mode"] = json!(format!("{:?}", policy.mode()).to_lowercase());
            said["handles"] = json!(policy.handles());
            said["needs"] = json!(policy.needs());
        }
        if let Some(failure) = &self.problem {
            said["failure"] = json!({ "class": failure.class, "message": failure.message });
        }
        said
    }
}

fn print(checked: &[Checked]) -> anyhow::Result<()> {
    let mut table = Table::with_head(&["FILE", "POLICY", "VERSION", "MODE", "HANDLES", ""]);
    for checked in checked {
        let file = checked.file.display().to_string();
        match &checked.policy {
            Some(policy) => table.row([
                file,
                policy.name().to_string(),
                policy.metadata().version.clone(),
                format!("{:?}", policy.mode()).to_lowercase(),
                handles(policy.handles()),
                verdict(checked).to_owned(),
            ]),
            None => table.row([file.as_str(), "", "", "", "", verdict(checked)]),
        }
        let style = if checked.problem.is_none() {
            output::GOOD
        } else {
            output::BAD
        };
        table.style(5, style);
    }
    let mut out = output::out();
    table.print(&mut out)?;
    for why in checked.iter().filter_map(Checked::why) {
        writeln!(out, "\n{} {why}", paint(output::BAD, "×"))?;
    }
    Ok(())
}

fn verdict(checked: &Checked) -> &'static str {
    match checked.problem {
        None => "well",
        Some(_) => "refused",
    }
}

/// `KernelDeadlock,Disk*@node; *@control-plane`
pub(super) fn handles(handles: &[Handles]) -> String {
    let one = |handles: &Handles| {
        let conditions: Vec<_> = handles.conditions.iter().map(ToString::to_string).collect();
        let sites: Vec<_> = handles.sites.iter().map(|site| site.label()).collect();
        format!("{}@{}", conditions.join(","), sites.join(","))
    };
    handles.iter().map(one).collect::<Vec<_>>().join("; ")
}
