//! An observation from the command line.

use std::io::Read;
use std::path::PathBuf;

use anyhow::Context;
use rectifier_core::name::{ConditionKind, FixName, UnitName};
use rectifier_core::policy::{FixCall, Observation, Outcome, Remedy, Status, UnitCall, UnitVerb};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::Draft;
use crate::diagnostic::Source;
use crate::policy::tree::{self, Node};
use crate::verdict::usage;

/// What is asked about: a file, options, or both (the options change what the file says).
#[derive(Debug, Clone, clap::Args)]
#[command(next_help_heading = "Observation")]
pub(crate) struct ObservationArguments {
    /// A file, JSON or YAML, or - for standard input: a whole observation, or how it differs from a healthy node's
    #[arg(long, value_name = "FILE")]
    observation: Option<PathBuf>,
    /// The problem: a type of node condition
    #[arg(long, value_name = "KIND", value_parser = |text: &str| ConditionKind::parse(text))]
    condition: Option<ConditionKind>,
    /// Its status: yes (the problem is there), no, unknown
    #[arg(long, value_name = "STATUS", value_parser = named::<Status>)]
    status: Option<Status>,
    /// Which engine asks: node, control-plane
    #[arg(long, value_name = "SITE", value_parser = ["node", "control-plane"])]
    site: Option<String>,
    /// A systemd unit and its state, e.g. kubelet.service=failed; without a state it is active
    #[arg(long, value_name = "UNIT[=STATE]", value_parser = unit)]
    unit: Vec<Value>,
    /// A fix that may be run, with its parameters, e.g. vacuum:size
    #[arg(long, value_name = "FIX[:PARAM,…]", value_parser = fix)]
    fix: Vec<Value>,
    /// What was tried: restart, start, stopStart or resetFailed:UNIT, fix:NAME, reboot, replace; what became of it, and
    /// how many seconds ago it began; e.g. restart:kubelet.service=noEffect@60
    #[arg(long, value_name = "REMEDY=OUTCOME@AGE", value_parser = attempt)]
    attempt: Vec<Value>,
    /// A guard rail that says no to a unit, a fix, reboot or replace, e.g. 'reboot=no grant'
    #[arg(long, value_name = "WHAT=RAIL", value_parser = pair)]
    closed: Vec<(String, String)>,
    /// A fact (sdk/facts.md), e.g. agent=silent
    #[arg(long, value_name = "NAME=VALUE", value_parser = pair)]
    fact: Vec<(String, String)>,
    /// Anything else by its name in the JSON form, e.g. episode.recurrences=2
    #[arg(long, value_name = "PATH=VALUE", value_parser = setting)]
    set: Vec<Value>,
}

impl ObservationArguments {
    /// The observation. Without a word about the problem's kind it is `usual`.
    ///
    /// # Errors
    /// The file cannot be read, or what is said is no observation.
    pub(crate) fn read(&self, usual: Option<&ConditionKind>) -> anyhow::Result<Observation> {
        let (mut draft, source) = match &self.observation {
            Some(file) => self.file(file)?,
            None => (Draft::healthy(), None),
        };
        let named = draft.0.pointer("/episode/problem/kind").is_some();
        if let Some(usual) = usual.filter(|_| !named && self.condition.is_none()) {
            draft.change(&json!({"episode": {"problem": {"kind": usual}}}));
        }
        for change in self.changes() {
            draft.change(&change);
        }
        for (what, rail) in &self.closed {
            if !draft.close(what, rail) {
                let why = format!(
                    "--closed {what}: it is no unit or fix of this observation, and neither reboot nor replace of its site"
                );
                return Err(usage(why));
            }
        }
        draft.finish().map_err(|unfit| match source {
            Some((source, node)) if node.place(&unfit.way).1 > 0 => source
                .wrong(
                    node.place(&unfit.way).0,
                    "this is no observation",
                    unfit.to_string(),
                )
                .into(),
            Some(_) | None => usage(unfit.to_string()),
        })
    }

    fn file(&self, file: &PathBuf) -> anyhow::Result<(Draft, Option<(Source, Node)>)> {
        let mut text = String::new();
        let is_input = file.as_os_str() == "-";
        let name = if is_input {
            "standard input".to_owned()
        } else {
            file.display().to_string()
        };
        if is_input {
            std::io::stdin()
                .read_to_string(&mut text)
                .context("cannot read standard input")?;
        } else {
            text = std::fs::read_to_string(file).with_context(|| format!("cannot read {name}"))?;
        }
        // JSON is almost YAML: its escapes are not.
        if let Ok(value) = serde_json::from_str::<Value>(&text) {
            return Ok((Draft::of(&value), None));
        }
        let source = Source { name, text };
        let node: Node = tree::parse(&source.text).map_err(|error| source.unreadable(&error))?;
        Ok((Draft::of(&node.value()), Some((source, node))))
    }

    fn changes(&self) -> Vec<Value> {
        let mut changes = Vec::new();
        if let Some(site) = &self.site {
            changes.push(json!({ "site": site }));
        }
        if let Some(kind) = &self.condition {
            changes.push(json!({"episode": {"problem": {"kind": kind}}}));
        }
        if let Some(status) = &self.status {
            changes.push(json!({"episode": {"problem": {"status": status}}}));
        }
        if !self.unit.is_empty() {
            changes.push(json!({"site": {"node": {"units": self.unit}}}));
        }
        if !self.fix.is_empty() {
            changes.push(json!({"site": {"node": {"fixes": self.fix}}}));
        }
        if !self.attempt.is_empty() {
            let mut attempts = self.attempt.clone();
            // The newest first.
            attempts.sort_by_key(|attempt| attempt["age"].as_u64());
            changes.push(json!({"episode": {"attempts": attempts}}));
        }
        for (name, value) in &self.fact {
            changes.push(json!({"facts": {name: value}}));
        }
        changes.extend(self.set.iter().cloned());
        changes
    }
}

/// A word of the contract's.
fn named<T: DeserializeOwned>(text: &str) -> Result<T, String> {
    serde_json::from_value(text.into()).map_err(|error| error.to_string())
}

fn pair(text: &str) -> Result<(String, String), String> {
    let (name, value) = text.split_once('=').ok_or("it is NAME=VALUE")?;
    Ok((name.to_owned(), value.to_owned()))
}

fn unit(text: &str) -> Result<Value, String> {
    let (name, state) = text.split_once('=').unwrap_or((text, "active"));
    let name = UnitName::parse(name).map_err(|error| error.to_string())?;
    let (state, below) = match state.split_once('/') {
        Some((state, below)) => (state, Some(below)),
        None => (state, None),
    };
    let mut unit = json!({"name": name, "activeState": state});
    if let Some(below) = below {
        unit["subState"] = below.into();
    }
    Ok(unit)
}

fn fix(text: &str) -> Result<Value, String> {
    let (name, params) = text.split_once(':').unwrap_or((text, ""));
    let name = FixName::parse(name).map_err(|error| error.to_string())?;
    let params: Vec<_> = params
        .split(',')
        .filter(|param| !param.is_empty())
        .collect();
    Ok(json!({"name": name, "params": params}))
}

fn attempt(text: &str) -> Result<Value, String> {
    let (remedy, rest) = text.rsplit_once('=').ok_or("it is REMEDY=OUTCOME@AGE")?;
    let (outcome, age) = rest.split_once('@').unwrap_or((rest, "60"));
    let outcome: Outcome = named(outcome)?;
    let age: u32 = age
        .trim_end_matches('s')
        .parse()
        .map_err(|_| format!("{age:?} is no number of seconds"))?;
    Ok(json!({"remedy": remedy_of(remedy)?, "outcome": outcome, "age": age}))
}

fn remedy_of(text: &str) -> Result<Remedy, String> {
    match text.split_once(':') {
        None => match text {
            "reboot" => Ok(Remedy::Reboot),
            "replace" => Ok(Remedy::Replace),
            other => Err(format!(
                "{other:?} is nothing that is tried: reboot, replace, fix:NAME, restart:UNIT"
            )),
        },
        Some(("fix", name)) => {
            let name = FixName::parse(name).map_err(|error| error.to_string())?;
            Ok(Remedy::Fix(FixCall {
                name,
                args: Default::default(),
            }))
        }
        Some((verb, name)) => {
            let verb: UnitVerb = named(verb)?;
            let name = UnitName::parse(name).map_err(|error| error.to_string())?;
            Ok(Remedy::Unit(UnitCall { name, verb }))
        }
    }
}

/// `a.b=VALUE` as an object in an object.
fn setting(text: &str) -> Result<Value, String> {
    let (path, value) = pair(text)?;
    let value: Value = tree::parse(&value).map_err(|error| error.without_snippet().to_string())?;
    if path.split('.').any(str::is_empty) {
        return Err(format!("{path:?} is no path, as node.ready"));
    }
    Ok(path
        .rsplit('.')
        .fold(value, |inner, key| json!({ key: inner })))
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        observation: ObservationArguments,
    }

    fn read(words: &[&str]) -> anyhow::Result<Observation> {
        let line = Line::try_parse_from(["line"].iter().chain(words))?;
        line.observation.read(None)
    }

    #[test]
    fn everything_can_be_said_in_words() {
        let seen = read(&[
            "--condition=KubeletUnhealthy",
            "--status=yes",
            "--unit=kubelet.service=failed",
            "--unit=other.service=activating/auto-restart",
            "--unit=well.service",
            "--fix=vacuum:size",
            "--attempt=restart:kubelet.service=noEffect@90",
            "--attempt=reboot=refused@30",
            "--closed=kubelet.service=jitter",
            "--set=episode.recurrences=2",
            "--set=node.ready=no",
        ])
        .unwrap();
        let seen = serde_json::to_value(seen).unwrap();
        assert_eq!(seen["episode"]["attempts"][0]["remedy"], "reboot");
        assert_eq!(seen["episode"]["attempts"][1]["age"], 90);
        assert_eq!(seen["episode"]["recurrences"], 2);
        let view = &seen["site"]["node"];
        assert_eq!(view["units"][0]["gate"], json!({"closed": "jitter"}));
        assert_eq!(view["units"][1]["subState"], "auto-restart");
        assert_eq!(view["units"][2]["activeState"], "active");
        assert_eq!(view["fixes"][0]["params"], json!(["size"]));
        assert_eq!(seen["node"]["ready"], "no");
        let seen = read(&[
            "--condition=A",
            "--site=control-plane",
            "--fact=agent=silent",
        ])
        .unwrap();
        assert_eq!(seen.facts["agent"], "silent");
    }

    #[test]
    fn what_makes_no_sense_is_refused_with_what_would() {
        let refused = |words: &[&str]| read(words).unwrap_err().to_string();
        assert!(refused(&["--condition=A", "--status=maybe"]).contains("expected one of"));
        assert!(refused(&["--condition=A", "--unit=kubelet=failed"]).contains("unit name"));
        assert!(
            refused(&["--condition=A", "--attempt=escalate=failed@1"])
                .contains("nothing that is tried")
        );
        assert!(refused(&["--condition=A", "--closed=x.service=y"]).contains("no unit"));
        assert!(refused(&["--condition=A", "--set=node.redy=no"]).contains("node.redy"));
        assert!(refused(&[]).contains("which problem"));
    }
}
