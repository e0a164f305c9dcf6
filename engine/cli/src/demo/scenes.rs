//! The scenes: what breaks in each, and how one sees that it is over.

use std::sync::Arc;
use std::time::Duration;

use rectifier_sim::machine::{Break, Cure};
use rectifier_view::{Health, Model};
use serde::Serialize;
use tokio::sync::watch;
use tokio::time::{Instant, sleep};

use super::world::{Ended, LOOK, Now, Stage};

/// In the order in which they are played.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum SceneName {
    /// A service dies: a restart heals it
    Healed,
    /// Only a reboot helps: by a grant, after a drain
    Rebooted,
    /// Nothing on the node helps: it is replaced
    Replaced,
    /// The node's engine is silent: the control plane acts on Node Problem Detector's word
    Silent,
    /// The policy is edited while its node is being healed
    ChangedMind,
}

impl SceneName {
    pub(super) fn title(self) -> &'static str {
        match self {
            SceneName::Healed => "A service dies; a restart heals it",
            SceneName::Rebooted => "Only a reboot helps",
            SceneName::Replaced => "Nothing on the node helps: it is replaced",
            SceneName::Silent => "The node's engine is silent",
            SceneName::ChangedMind => "The policy is edited in mid-episode",
        }
    }
}

const UNIT: &str = "proxy.service";
/// In the world's time. A replacement takes five minutes; its longest deadlines are an hour.
const PATIENCE: Duration = Duration::from_secs(5400);
/// Between two scenes, so that one sees that all is well.
const PAUSE: Duration = Duration::from_secs(20);

/// Plays them, one after the other. Whether all ended as they should.
pub(super) async fn play(
    stage: Arc<Stage>,
    scenes: Vec<SceneName>,
    now: watch::Sender<Now>,
) -> bool {
    let mut all_well = until(|| stage.scene.is_well()).await;
    for (number, scene) in scenes.into_iter().enumerate() {
        now.send_modify(|now| now.scene = Some(scene));
        let began = Instant::now();
        let is_well = one(&stage, scene, number).await;
        all_well &= is_well;
        let ended = Ended {
            scene,
            is_well,
            seconds: began.elapsed().as_secs(),
        };
        now.send_modify(|now| {
            now.scene = None;
            now.ended.push(ended);
        });
        sleep(PAUSE).await;
    }
    all_well
}

async fn until(is_so: impl Fn() -> bool) -> bool {
    let end = Instant::now() + PATIENCE;
    while Instant::now() < end {
        if is_so() {
            return true;
        }
        sleep(LOOK).await;
    }
    false
}

async fn one(stage: &Stage, scene: SceneName, number: usize) -> bool {
    let Some(node) = a_well_node(&stage.model(), number) else {
        return false;
    };
    let break_unit = |cure, words: &str| {
        let broken = stage
            .scene
            .machines
            .break_it(&node, &Break::Unit(UNIT.to_owned(), cure));
        stage.say(&node, "Broken", words);
        broken
    };
    let is_gone = || {
        let model = stage.model();
        stage.scene.is_well() && model.nodes().all(|other| other.name != node)
    };
    let is_healed = || {
        let model = stage.model();
        let is_it = |other: &&rectifier_view::Node| other.name == node;
        let is_open = model
            .repairs
            .iter()
            .any(|repair| repair.is_open && repair.node == node);
        stage.scene.machines.is_well(&node)
            && !is_open
            && model
                .nodes()
                .find(is_it)
                .is_some_and(|node| node.health == Health::Well && !node.is_cordoned)
    };
    match scene {
        SceneName::Healed => {
            break_unit(Cure::Restart, "kills proxy.service")
                && until(|| tells(stage, &node, "RemedyRecovered")).await
                && until(is_healed).await
        }
        SceneName::Rebooted => {
            break_unit(
                Cure::Boot,
                "breaks proxy.service: it cannot start before the next boot",
            ) && until(is_healed).await
        }
        SceneName::Replaced => {
            break_unit(Cure::Never, "breaks proxy.service for good") && until(is_gone).await
        }
        SceneName::Silent => {
            let silenced = stage.scene.machines.break_it(&node, &Break::AgentSilent);
            stage.say(&node, "Broken", "silences the node's engine");
            silenced
                && break_unit(Cure::Never, "breaks proxy.service for good")
                && until(is_gone).await
        }
        SceneName::ChangedMind => changed_mind(stage, &node, is_gone).await,
    }
}

/// The policy would wait for a second restart; edited, it does not.
async fn changed_mind(stage: &Stage, node: &str, is_gone: impl Fn() -> bool) -> bool {
    let broken = stage
        .scene
        .machines
        .break_it(node, &Break::Unit(UNIT.to_owned(), Cure::Never));
    stage.say(node, "Broken", "breaks proxy.service for good");
    if !broken || !until(|| tells(stage, node, "RemedyBegun")).await {
        return false;
    }
    match edit(stage) {
        Ok(file) => stage.say(
            node,
            "Edited",
            format!("edits {file}: no second restart, no reboot"),
        ),
        Err(error) => {
            stage.say(
                node,
                "NotEdited",
                format!("cannot edit the policy: {error:#}"),
            );
            return false;
        }
    }
    let is_well = until(is_gone).await;
    if let Err(error) = mend(stage) {
        stage.say(
            node,
            "NotEdited",
            format!("cannot mend the policy: {error:#}"),
        );
    }
    is_well
}

/// The settings of the policy that answers for the scenes' condition, as the edit has them.
const EDITED: &str =
    "settings: {rules: [{condition: ProxyUnhealthy, unit: proxy.service, attempts: 1}]}";

fn edit(stage: &Stage) -> anyhow::Result<String> {
    let file = sidecar(stage)?;
    let before = std::fs::read_to_string(&file)?;
    std::fs::write(file.with_extension("yaml.before"), &before)?;
    // All but the settings stays: these are the last key of the sidecars that the demo is given.
    let head = before.split("settings:").next().unwrap_or_default();
    put(&file, &format!("{head}{EDITED}\n"))?;
    Ok(file
        .file_name()
        .map(|name| name.to_string_lossy().into_owned())
        .unwrap_or_default())
}

fn mend(stage: &Stage) -> anyhow::Result<()> {
    let file = sidecar(stage)?;
    let before = std::fs::read_to_string(file.with_extension("yaml.before"))?;
    put(&file, &before)
}

fn put(file: &std::path::Path, text: &str) -> anyhow::Result<()> {
    let aside = file.with_extension("yaml.aside");
    std::fs::write(&aside, text)?;
    Ok(std::fs::rename(aside, file)?)
}

/// The sidecar that names the scenes' condition.
fn sidecar(stage: &Stage) -> anyhow::Result<std::path::PathBuf> {
    for entry in std::fs::read_dir(&stage.policies)? {
        let path = entry?.path();
        if path.extension().is_some_and(|end| end == "yaml")
            && std::fs::read_to_string(&path)?.contains("ProxyUnhealthy")
        {
            return Ok(path);
        }
    }
    anyhow::bail!("no sidecar there names ProxyUnhealthy")
}

/// Was that said of the node?
fn tells(stage: &Stage, node: &str, reason: &str) -> bool {
    let model = stage.model();
    let is_it = |line: &rectifier_view::Line| line.node == node && line.reason == reason;
    model.story.iter().any(is_it)
}

/// Another one for each scene.
fn a_well_node(model: &Model, number: usize) -> Option<String> {
    let well: Vec<&str> = model
        .nodes()
        .filter(|node| node.health == Health::Well)
        .map(|node| node.name.as_str())
        .collect();
    let at = (number * 4 + 1) % well.len().max(1);
    well.get(at).map(|name| (*name).to_owned())
}
