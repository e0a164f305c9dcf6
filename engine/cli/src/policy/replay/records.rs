//! What was seen and decided: JSON lines, JSON files, and the ConfigMaps in which the control plane keeps evidence.

use std::collections::BTreeMap;
use std::io::Read;
use std::path::Path;

use anyhow::{Context, anyhow, bail};
use rectifier_core::policy::{FailureClass, Observation, PolicyRef};
use serde::Deserialize;
use serde_json::Value;

use super::super::tree::parse;

#[derive(Debug, Deserialize)]
pub(super) struct Record {
    pub(super) observation: Observation,
    pub(super) settings: Option<Value>,
    pub(super) decision: Option<Value>,
    pub(super) failure: Option<Failed>,
    /// Who decided then, if that is known.
    pub(super) policy: Option<PolicyRef>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Failed {
    pub(super) class: FailureClass,
    #[serde(default)]
    pub(super) message: String,
}

/// As `kubectl get configmap` prints it.
#[derive(Debug, Deserialize)]
struct ConfigMap {
    #[serde(default)]
    metadata: Metadata,
    #[serde(default)]
    data: BTreeMap<String, String>,
}

#[derive(Debug, Default, Deserialize)]
struct Metadata {
    #[serde(default)]
    name: String,
}

/// The part of it that is a record.
const DECISION: &str = "decision.json";

/// All records, each with its place.
///
/// # Errors
/// There is none, or something else is there.
pub(super) fn read(path: &Path) -> anyhow::Result<Vec<(String, Record)>> {
    let mut records = Vec::new();
    let unreadable = || format!("cannot read {}", path.display());
    if path.is_dir() {
        let entries = path.read_dir().with_context(unreadable)?;
        let files = entries.map(|entry| Ok(entry?.path()));
        let mut files = files
            .collect::<std::io::Result<Vec<_>>>()
            .with_context(unreadable)?;
        files.retain(|file| {
            file.extension()
                .is_some_and(|ending| ending == "json" || ending == "yaml" || ending == "yml")
        });
        files.sort();
        for file in files {
            let text = std::fs::read_to_string(&file)
                .with_context(|| format!("cannot read {}", file.display()))?;
            let name = file.file_stem().unwrap_or_default().to_string_lossy();
            one(&mut records, &file.display().to_string(), &name, &text)?;
        }
    } else {
        let mut text = String::new();
        let place = match path.to_str() {
            Some("-") => {
                std::io::stdin()
                    .read_to_string(&mut text)
                    .context("cannot read stdin")?;
                "stdin".to_owned()
            }
            Some(_) | None => {
                text = std::fs::read_to_string(path).with_context(unreadable)?;
                path.display().to_string()
            }
        };
        several(&mut records, &place, &text)?;
    }
    if records.is_empty() {
        bail!("there is no record in {}", path.display());
    }
    Ok(records)
}

/// A file of a folder: one record, or evidence.
fn one(
    records: &mut Vec<(String, Record)>,
    place: &str,
    name: &str,
    text: &str,
) -> anyhow::Result<()> {
    let json = text.trim_start().starts_with('{');
    let whole: Value = match json {
        true => serde_json::from_str(text).with_context(|| format!("{place} is no record"))?,
        false => yaml(place, text)?,
    };
    match whole.get("kind") {
        Some(_) => return evidence(records, place, whole),
        // the cases of a policy may lie there, too
        None if !json => return Ok(()),
        None => {}
    }
    let record = serde_json::from_value(whole).with_context(|| format!("{place} is no record"))?;
    records.push((name.to_owned(), record));
    Ok(())
}

/// A file by itself: records, one a line, or evidence.
fn several(records: &mut Vec<(String, Record)>, place: &str, text: &str) -> anyhow::Result<()> {
    let json = text.trim_start().starts_with('{');
    let whole: Option<Value> = match json {
        true => serde_json::from_str(text).ok(),
        false if text.trim().is_empty() => None,
        false => Some(yaml(place, text)?),
    };
    match whole {
        Some(whole) if whole.get("kind").is_some() => return evidence(records, place, whole),
        Some(_) if !json => bail!("{place} is no record: it is neither JSON nor a ConfigMap"),
        Some(_) | None => {}
    }
    let lines = text.lines().enumerate();
    for (at, line) in lines.filter(|(_, line)| !line.trim().is_empty()) {
        let place = format!("{place}:{}", at + 1);
        let record = serde_json::from_str(line).with_context(|| format!("{place} is no record"))?;
        records.push((place, record));
    }
    Ok(())
}

fn yaml(place: &str, text: &str) -> anyhow::Result<Value> {
    parse(text).map_err(|error| anyhow!("{place} is no record: {}", error.without_snippet()))
}

/// A ConfigMap, or a list of them.
fn evidence(records: &mut Vec<(String, Record)>, place: &str, whole: Value) -> anyhow::Result<()> {
    match whole["kind"].as_str() {
        Some("ConfigMap") => {}
        Some("List" | "ConfigMapList") => {
            let items = whole["items"].as_array().into_iter().flatten();
            for item in items {
                evidence(records, place, item.clone())?;
            }
            return Ok(());
        }
        Some(_) | None => bail!("{place} is no record: a {} is none", whole["kind"]),
    }
    let map: ConfigMap =
        serde_json::from_value(whole).with_context(|| format!("{place} is no ConfigMap"))?;
    let name = map.metadata.name;
    let Some(kept) = map.data.get(DECISION) else {
        bail!(
            "{place}: the ConfigMap {name} holds no {DECISION}: no policy's decision was kept in it"
        );
    };
    let record = serde_json::from_str(kept)
        .with_context(|| format!("{place}: {DECISION} of the ConfigMap {name} is no record"))?;
    records.push((name, record));
    Ok(())
}
