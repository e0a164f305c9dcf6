//! What is asked: what breaks, where, and what would cure it.

use std::time::Duration;

use kube::api::{Api, ListParams};
use kube::{Error, ResourceExt};
use rectifier_core::name::UnitName;
use rectifier_sim::dump::{Dump, name};
use rectifier_sim::machine::{Check, Problem};
use rectifier_sim::scene::Scene;

use super::{Arguments, CuredBy, Mode, condition};
use crate::verdict::usage;

/// What breaks at the beginning.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Breaks {
    /// Nothing that is not broken in the dump.
    Nothing,
    /// A condition becomes True.
    Condition {
        kind: String,
        unit: Option<String>,
        /// A node's name, or a label selector.
        on: String,
    },
    /// All hosts of a zone stop.
    Zone(String),
}

/// All of it.
#[derive(Debug, Clone)]
pub(super) struct Question {
    pub(super) breaks: Breaks,
    pub(super) cured_by: CuredBy,
    pub(super) mode: Option<Mode>,
    pub(super) lasting: Duration,
    pub(super) hourly: u32,
    pub(super) seed: u64,
}

impl Question {
    /// # Errors
    /// It makes no sense, or not with this dump.
    pub(super) fn new(arguments: &Arguments, dump: &Dump) -> anyhow::Result<Self> {
        let breaks = match (&arguments.condition, &arguments.on, &arguments.zone_dark) {
            (Some(kind), Some(on), _) => Breaks::Condition {
                kind: condition(kind)?.to_string(),
                unit: arguments.unit.as_deref().map(unit).transpose()?,
                on: on.clone(),
            },
            (_, _, Some(zone)) => Breaks::Zone(known_zone(zone, dump)?),
            _ => Breaks::Nothing,
        };
        Ok(Self {
            breaks,
            cured_by: arguments.cured_by,
            mode: arguments.mode,
            lasting: arguments.lasting,
            hourly: arguments.hourly_replacements,
            seed: arguments.seed,
        })
    }

    /// What must be reported for it, besides what the dump has.
    pub(super) fn checks(&self) -> Vec<Check> {
        match &self.breaks {
            Breaks::Condition { kind, unit, .. } => vec![Check {
                kind: kind.clone(),
                unit: unit.clone(),
            }],
            Breaks::Nothing | Breaks::Zone(_) => Vec::new(),
        }
    }

    /// The nodes that break.
    ///
    /// # Errors
    /// There are none.
    pub(super) async fn targets(&self, scene: &Scene, dump: &Dump) -> anyhow::Result<Vec<String>> {
        match &self.breaks {
            Breaks::Nothing => Ok(Vec::new()),
            Breaks::Zone(zone) => Ok(in_zone(dump, zone)),
            Breaks::Condition { on, .. } if dump.nodes.iter().any(|node| name(node) == on) => {
                Ok(vec![on.clone()])
            }
            Breaks::Condition { on, .. } => selected(scene, on).await,
        }
    }

    /// Breaks it.
    pub(super) fn act(&self, scene: &Scene, nodes: &[String]) {
        match &self.breaks {
            Breaks::Nothing => {}
            Breaks::Zone(zone) => scene.darken(zone),
            Breaks::Condition { kind, .. } => {
                let problem = Problem {
                    kind: kind.clone(),
                    reason: "WhatIf".to_owned(),
                    message: "it was asked what would be done then".to_owned(),
                    cure: self.cured_by.cure(),
                    since: None,
                };
                for node in nodes {
                    scene.machines.ail(node, &problem);
                }
            }
        }
    }
}

fn unit(text: &str) -> anyhow::Result<String> {
    match UnitName::parse(text) {
        Ok(unit) => Ok(unit.to_string()),
        Err(error) => Err(usage(format!("--unit {text}: {error}"))),
    }
}

fn known_zone(zone: &str, dump: &Dump) -> anyhow::Result<String> {
    let zones = dump.zones();
    if zones.iter().any(|known| known == zone) {
        return Ok(zone.to_owned());
    }
    let there = match zones.as_slice() {
        [] => "no node there has the label topology.kubernetes.io/zone".to_owned(),
        zones => format!("there are {}", zones.join(", ")),
    };
    Err(usage(format!(
        "there is no zone {zone} in the dump: {there}"
    )))
}

fn in_zone(dump: &Dump, zone: &str) -> Vec<String> {
    let nodes = dump.nodes.iter();
    let inside = nodes.filter(|node| rectifier_sim::dump::zone(node) == Some(zone));
    inside.map(|node| name(node).to_owned()).collect()
}

/// As the API server selects them.
async fn selected(scene: &Scene, selector: &str) -> anyhow::Result<Vec<String>> {
    let nodes: Api<k8s_openapi::api::core::v1::Node> = Api::all(scene.api.client("what-if"));
    let params = ListParams::default().labels(selector);
    let found = match nodes.list(&params).await {
        Ok(found) => found,
        Err(Error::Api(status)) if status.code == 400 => {
            return Err(usage(format!(
                "--on {selector}: no node has that name, and it is no label selector ({})",
                status.message
            )));
        }
        Err(error) => return Err(error.into()),
    };
    let names: Vec<String> = found.items.iter().map(ResourceExt::name_any).collect();
    match names.as_slice() {
        [] => Err(usage(format!(
            "--on {selector}: no node of the dump has that name or those labels"
        ))),
        _ => Ok(names),
    }
}
