//! `RepairPool.status`: what a pool selects and how it stands, for people.
//!
//! It is written by server-side apply under our own field manager, and without the resourceVersion: nothing is decided by
//! it, all of it follows from what the watches show, and a late write of a former leader is corrected as soon as the watch
//! shows it. It is written only when it changes.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use kube::ResourceExt;
use kube::api::{Api, Patch, PatchParams};
use kube::core::{Selector, SelectorExt};
use rectifier_api::{BreakerStatus, CONTROLLER, RepairPool, RepairPoolStatus};
use rectifier_core::name::{ConditionKind, NodeName};
use rectifier_core::policy::{SiteKind, Status};
use rectifier_core::repair::{Condition, PAUSED};
use serde_json::json;

use crate::cluster::{Cluster, NodeFacts};
use crate::context::Context;
use crate::error::{Error, api, chain};
use crate::similar::template;
use crate::{fence, maintenance, turn};

/// Changes are gathered for so long. 5 s: a person who looks sees what is, and a storm of conditions is one write.
const GATHERED: Duration = Duration::from_secs(5);

/// And looked at again after so long, whether anything changed or not.
const LOOKED: Duration = Duration::from_secs(30);

/// Keeps the status of every pool. Ends only when somebody else leads.
pub(crate) async fn keep(ctx: Context, cluster: Arc<Cluster>, term: i64) -> Error {
    loop {
        // a breaker changes by the clock, too
        let _ = tokio::time::timeout(LOOKED, cluster.changed()).await;
        tokio::time::sleep(GATHERED).await;
        if !cluster.is_complete() {
            continue;
        }
        if let Err(error) = write(&ctx, &cluster, term).await {
            if error.is_end() {
                return error;
            }
            tracing::warn!("the pools' status is not written yet: {}", chain(&error));
            cluster.has_changed();
        }
    }
}

async fn write(ctx: &Context, cluster: &Cluster, term: i64) -> Result<(), Error> {
    let policies = ctx.policies.set();
    let handles = |kind: &ConditionKind| policies.handles(kind, SiteKind::ControlPlane);
    let pools = cluster.pools();
    let weather = |pool: &RepairPool| turn::weather(ctx, cluster, pool).status;
    let known = Known {
        breakers: pools.iter().map(weather).collect(),
        pools,
        nodes: cluster.nodes(),
        repairing: cluster.in_flight(ctx.now()),
    };
    let mut led = false;
    for (name, status) in known.statuses(&handles, ctx.now()) {
        if !std::mem::replace(&mut led, true) {
            fence::leading(ctx, term).await?;
        }
        let pools: Api<RepairPool> = Api::all(ctx.client.clone());
        let patch = json!({
            "apiVersion": "rectifier.dev/v1alpha1", "kind": "RepairPool",
            "metadata": {"name": name}, "status": status,
        });
        let params = PatchParams::apply(CONTROLLER).force();
        match pools
            .patch_status(&name, &params, &Patch::Apply(patch))
            .await
        {
            Ok(_) => {}
            // deleted in the meantime
            Err(kube::Error::Api(answer)) if answer.code == 404 => {}
            Err(error) => return Err(api("apply the pool's status")(error)),
        }
    }
    Ok(())
}

/// What the status rests on.
struct Known {
    pools: Vec<RepairPool>,
    /// Of each of them.
    breakers: Vec<BreakerStatus>,
    nodes: Vec<(NodeName, NodeFacts)>,
    repairing: Vec<NodeName>,
}

/// What a pool selects.
#[derive(Default)]
struct Selected {
    nodes: u32,
    sick: u32,
    repairing: u32,
    /// A node of it, and another pool that selects it, too.
    shared: Option<(NodeName, String)>,
}

impl Known {
    /// The status of each pool that has another one now.
    fn statuses(
        &self,
        handles: &dyn Fn(&ConditionKind) -> bool,
        now: Timestamp,
    ) -> Vec<(String, RepairPoolStatus)> {
        let selectors: Vec<Result<Selector, String>> = self
            .pools
            .iter()
            .map(|pool| {
                Selector::try_from(pool.spec.node_selector.clone()).map_err(|error| chain(&error))
            })
            .collect();
        let mut selected: BTreeMap<usize, Selected> = BTreeMap::new();
        for (name, facts) in &self.nodes {
            let is_sick = facts
                .conditions
                .iter()
                .any(|(kind, sight)| sight.status == Status::Yes && handles(kind));
            let of = |selector: &Result<Selector, String>| {
                selector
                    .as_ref()
                    .is_ok_and(|selector| selector.matches(&facts.labels))
            };
            let all: Vec<usize> = (0..selectors.len())
                .filter(|at| of(&selectors[*at]))
                .collect();
            for at in &all {
                let pool = selected.entry(*at).or_default();
                pool.nodes += 1;
                pool.sick += u32::from(is_sick);
                pool.repairing += u32::from(self.repairing.contains(name));
                if let Some(other) = all.iter().find(|other| *other != at) {
                    let other = self.pools[*other].name_any();
                    pool.shared.get_or_insert_with(|| (name.clone(), other));
                }
            }
        }
        let mut changed = Vec::new();
        for (at, pool) in self.pools.iter().enumerate() {
            let selected = selected.remove(&at).unwrap_or_default();
            let status = RepairPoolStatus {
                breaker: self.breakers.get(at).cloned(),
                ..status(pool, &selectors[at], &selected, now)
            };
            if pool.status.as_ref() != Some(&status) {
                changed.push((pool.name_any(), status));
            }
        }
        changed
    }
}

fn status(
    pool: &RepairPool,
    selector: &Result<Selector, String>,
    selected: &Selected,
    now: Timestamp,
) -> RepairPoolStatus {
    let before = pool
        .status
        .as_ref()
        .map_or(&[][..], |status| &status.conditions);
    let generation = pool.metadata.generation;
    let template = pool
        .spec
        .provisioning
        .as_ref()
        .map(template::check)
        .transpose();
    let windows = maintenance::check(pool);
    let (is_ready, reason, message) = match (selector, &selected.shared, template) {
        (Err(why), _, _) => (
            false,
            "SelectorInvalid",
            format!("nodeSelector: {why}: it selects nothing"),
        ),
        (Ok(_), Some((node, other)), _) => (
            false,
            "Overlaps",
            format!("{node} is selected by {other}, too: nodes of two pools are not repaired"),
        ),
        (Ok(_), None, Err((field, why))) => (
            false,
            "TemplateInvalid",
            format!("provisioning.{field}: {why}: no replacement can be made"),
        ),
        (Ok(_), None, Ok(_)) if windows.is_err() => (
            false,
            "MaintenanceInvalid",
            format!(
                "maintenance: {}: what can wait is not repaired",
                windows.err().unwrap_or_default()
            ),
        ),
        (Ok(_), None, Ok(_)) if selected.nodes == 0 => {
            (true, "NoNodes", "it selects no node".to_owned())
        }
        (Ok(_), None, Ok(_)) => (true, "Ready", "its nodes are looked after".to_owned()),
    };
    let pause = pool.annotations().get(PAUSED);
    let new =
        |kind, status, words| Condition::new(before, kind, Some(status), words, generation, now);
    let paused = pause.map_or("nobody paused it", String::as_str);
    RepairPoolStatus {
        observed_generation: generation,
        nodes: selected.nodes,
        sick: selected.sick,
        repairing: selected.repairing,
        breaker: None,
        conditions: vec![
            new("Ready", is_ready, (reason, message.as_str())),
            new(
                "Paused",
                pause.is_some(),
                (if pause.is_some() { "Paused" } else { "Runs" }, paused),
            ),
        ],
    }
}

#[cfg(test)]
mod tests {
    use k8s_openapi::apimachinery::pkg::apis::meta::v1::{LabelSelector, LabelSelectorRequirement};
    use rectifier_api::{Provisioning, RepairPoolSpec};

    use super::*;
    use crate::cluster::Sight;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    fn pool(name: &str, key: &str) -> RepairPool {
        let mut spec: RepairPoolSpec = serde_json::from_value(json!({"nodeSelector": {}})).unwrap();
        spec.node_selector.match_labels = Some([(key.to_owned(), "yes".to_owned())].into());
        let mut pool = RepairPool::new(name, spec);
        pool.metadata.generation = Some(1);
        pool
    }

    fn node(name: &str, labels: &[&str], sick: bool) -> (NodeName, NodeFacts) {
        let sight = Sight {
            status: if sick { Status::Yes } else { Status::No },
            reason: String::new(),
            message: String::new(),
            since: at(0),
            spell: Default::default(),
        };
        let facts = NodeFacts {
            uid: name.to_owned(),
            labels: labels
                .iter()
                .map(|key| ((*key).to_owned(), "yes".to_owned()))
                .collect(),
            conditions: [(ConditionKind::parse("Bad").unwrap(), sight)].into(),
        };
        (NodeName::parse(name).unwrap(), facts)
    }

    fn ready(
        pools: Vec<RepairPool>,
        nodes: Vec<(NodeName, NodeFacts)>,
    ) -> Vec<(String, String, String)> {
        let known = Known {
            breakers: vec![BreakerStatus::default(); pools.len()],
            pools,
            nodes,
            repairing: Vec::new(),
        };
        known
            .statuses(&|_| true, at(1))
            .into_iter()
            .map(|(name, status)| {
                let ready = status.conditions[0].clone();
                (name, ready.reason, ready.message)
            })
            .collect()
    }

    #[test]
    fn a_pool_counts_its_nodes_and_says_it_once() {
        let mut known = Known {
            pools: vec![pool("web", "web")],
            breakers: vec![BreakerStatus::default()],
            nodes: vec![
                node("a", &["web"], true),
                node("b", &["web"], false),
                node("c", &["db"], true),
            ],
            repairing: vec![NodeName::parse("a").unwrap()],
        };
        let mut told = known.statuses(&|_| true, at(1));
        let (_, status) = told.remove(0);
        assert_eq!((status.nodes, status.sick, status.repairing), (2, 1, 1));
        assert_eq!(status.observed_generation, Some(1));
        known.pools[0].status = Some(status);
        assert!(known.statuses(&|_| true, at(2)).is_empty());
        assert_eq!(
            known.statuses(&|_| false, at(2))[0].1.sick,
            0,
            "no policy handles it"
        );
    }

    #[test]
    fn two_pools_that_select_one_node_name_it_and_each_other() {
        let told = ready(
            vec![pool("web", "web"), pool("db", "db"), pool("else", "else")],
            vec![
                node("a", &["web", "db"], false),
                node("b", &["else"], false),
            ],
        );
        assert_eq!(
            (told[0].1.as_str(), told[1].1.as_str()),
            ("Overlaps", "Overlaps")
        );
        assert!(told[0].2.contains("a is selected by db"), "{}", told[0].2);
        assert_eq!(told[2].1, "Ready");
    }

    #[test]
    fn a_selector_that_cannot_be_parsed_is_said() {
        let mut wrong = pool("web", "web");
        wrong.spec.node_selector = LabelSelector {
            match_expressions: Some(vec![LabelSelectorRequirement {
                key: "a".to_owned(),
                operator: "Near".to_owned(),
                values: None,
            }]),
            ..LabelSelector::default()
        };
        assert_eq!(
            ready(vec![wrong], vec![node("a", &["web"], false)])[0].1,
            "SelectorInvalid"
        );
    }

    #[test]
    fn windows_in_a_time_zone_that_is_none_are_told_before_the_night() {
        let mut wrong = pool("web", "web");
        let how = json!({
            "problems": ["KernelOutdated"], "windows": [{"from": "01:00", "to": "04:00"}], "timeZone": "Mars",
        });
        wrong.spec.maintenance = serde_json::from_value(how).unwrap();
        let told = ready(vec![wrong], Vec::new());
        assert_eq!(told[0].1, "MaintenanceInvalid");
    }

    #[test]
    fn a_template_that_does_not_render_is_said_before_the_night() {
        let mut wrong = pool("web", "web");
        let how = json!({"userData": "{{ token }} {{ nodename }}", "apiServer": "https://x"});
        let mut how: Provisioning = serde_json::from_value(how).unwrap();
        wrong.spec.provisioning = Some(how.clone());
        let told = ready(vec![wrong.clone()], Vec::new());
        assert_eq!(told[0].1, "TemplateInvalid");
        how.user_data =
            "{{ token }} {{ node }} {{ server }} {{ ca }} {{ labels }} {{ taints }}".to_owned();
        wrong.spec.provisioning = Some(how);
        assert_eq!(ready(vec![wrong], Vec::new())[0].1, "NoNodes");
    }
}
