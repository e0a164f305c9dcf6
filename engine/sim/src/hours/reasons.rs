//! Whether at every moment each sick node has one reason that people can see: in what the metric is made of, and on its
//! repair, or as an Event. The truth is the API server's; whoever tells may be late by as long as a cut watch takes.

use std::collections::BTreeMap;
use std::time::Duration;

use rectifier_controller::Telemetry;
use tokio::time::Instant;

use crate::cluster::condition;
use crate::machine::CHECKED;
use crate::scene::Scene;

/// So often it is looked.
pub(super) const EVERY: Duration = Duration::from_secs(1);
/// A cut watch is taken up again after a second, and lists anew; an Event is tried for as long.
const LATE: Duration = Duration::from_secs(5);

/// What was seen, since when without a break.
#[derive(Default)]
pub(super) struct Reasons {
    /// Nodes that are sick, and those that are well.
    is: BTreeMap<String, (bool, Instant)>,
    /// Nodes without a repair, and what is told of them.
    told: BTreeMap<String, (String, Instant)>,
    /// The engine that tells, complete since then.
    complete: Option<Instant>,
    /// So often a sick node was found with its reason.
    pub(super) met: usize,
}

impl Reasons {
    /// Another engine tells from now on, or none.
    pub(super) fn begin_anew(&mut self) {
        self.complete = None;
        self.told.clear();
    }

    pub(super) fn look(&mut self, scene: &Scene, telemetry: &Telemetry) -> Result<(), String> {
        let now = Instant::now();
        let repairs = scene.api.objects("noderepairs.rectifier.dev");
        let nodes = scene.api.objects("nodes");
        let name = |object: &serde_json::Value| {
            object["metadata"]["name"]
                .as_str()
                .unwrap_or_default()
                .to_owned()
        };
        let repair_of = |node: &str| {
            let open = format!("{node}.repair");
            repairs.iter().find(|repair| name(repair) == open)
        };
        let mut truth = BTreeMap::new();
        for node in &nodes {
            let has = |(_, kind): &(&str, &str)| condition(node, kind) == Some("True");
            let is_ill = CHECKED.iter().any(has) || condition(node, "Ready") != Some("True");
            let sick = is_ill || repair_of(&name(node)).is_some();
            let before = self.is.get(&name(node)).filter(|(was, _)| *was == sick);
            let since = before.map_or(now, |(_, since)| *since);
            truth.insert(name(node), (sick, since));
        }
        self.is = truth;
        if !telemetry.is_complete() {
            self.begin_anew();
            return Ok(());
        }
        let complete = *self.complete.get_or_insert(now);
        let long = |since: Instant| now - since.max(complete) > LATE;
        let told = telemetry.sick();
        for (node, (sick, since)) in self.is.iter().filter(|(_, (_, since))| long(*since)) {
            let of_it: Vec<_> = told
                .iter()
                .filter(|one| one.node.as_str() == node)
                .collect();
            if of_it.len() != usize::from(*sick) {
                return Err(format!(
                    "{node}, sick {sick} for {:?}: {of_it:?}",
                    now - *since
                ));
            }
            self.met += of_it.len();
        }
        let mut words = BTreeMap::new();
        for one in told.iter().filter(|one| one.phase.is_none()) {
            let (node, reason) = (one.node.to_string(), one.reason.label().to_owned());
            let before = self.told.get(&node).filter(|(was, _)| *was == reason);
            let since = before.map_or(now, |(_, since)| *since);
            if long(since) && repair_of(&node).is_none() && !is_told(scene, &node, &reason) {
                return Err(format!("{node}: no Event says {reason}"));
            }
            words.insert(node, (reason, since));
        }
        self.told = words;
        Ok(())
    }
}

fn is_told(scene: &Scene, node: &str, reason: &str) -> bool {
    let events = scene.api.objects("events");
    let mut events = events.iter();
    events.any(|event| event["involvedObject"]["name"] == node && event["reason"] == reason)
}
