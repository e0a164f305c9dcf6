//! What a dump does not say, and the world takes to be so. Whoever believes an answer should have read this.

use rectifier_sim::dump::{Dump, name};
use serde_json::Value;

use super::CuredBy;
use super::question::{Breaks, Question};
use crate::output::plural;

/// What the template of a pool must use, lest its servers cannot join as the engine waits for.
const NEEDED: [&str; 3] = ["token", "labels", "taints"];

/// One a line.
pub(super) fn all(dump: &Dump, question: &Question, has_config: bool) -> Vec<String> {
    let mut assumed = vec![cure(question)];
    assumed.push(match has_config {
        true => "a node engine with this configuration, and Node Problem Detector, run on every node".to_owned(),
        false => "a node engine runs on every node with the default configuration, which allows no unit and no fix: give \
                  --node-config FILE"
            .to_owned(),
    });
    assumed.push(
        "the cloud has room: similar servers can be made in every zone, boot within 40 s and join; pods that were evicted \
         fit on any Ready node whose taints they tolerate, and start within 5 s"
            .to_owned(),
    );
    let strangers = dump.nodes.iter().filter(|node| !has_server(node)).count();
    if strangers > 0 {
        assumed.push(format!(
            "{} of OpenStack in spec.providerID: as on your cluster, such a node cannot be replaced",
            plural(strangers, "node names no server", "nodes name no server")
        ));
    }
    assumed.extend(silent(dump));
    assumed.extend(pools(dump));
    let anew = dump.begun_anew();
    if !anew.is_empty() {
        assumed.push(format!(
            "the repair of {} is under way in the dump, which does not have what it has made: it begins anew",
            anew.join(", ")
        ));
    }
    assumed
}

fn cure(question: &Question) -> String {
    let what = match &question.breaks {
        Breaks::Condition {
            unit: Some(unit), ..
        } => format!("what is wrong with {unit}"),
        Breaks::Condition { unit: None, .. } | Breaks::Nothing | Breaks::Zone(_) => {
            "what is wrong on a sick node".to_owned()
        }
    };
    match question.cured_by {
        CuredBy::Restart => {
            format!("{what} goes away by the restart of a unit, or by a fix (--cured-by restart)")
        }
        CuredBy::Boot => {
            format!("{what} goes away by a reboot, and by nothing less (--cured-by boot)")
        }
        CuredBy::Never => {
            format!("{what} goes away by nothing that is done on the node (--cured-by never)")
        }
    }
}

fn has_server(node: &Value) -> bool {
    let provider = node["spec"]["providerID"].as_str();
    provider.is_some_and(|id| id.starts_with("openstack://"))
}

fn ready(node: &Value) -> Option<&str> {
    let conditions = node["status"]["conditions"].as_array()?;
    let mut conditions = conditions.iter();
    conditions.find(|condition| condition["type"] == "Ready")?["status"].as_str()
}

/// What explains how they look.
fn silent(dump: &Dump) -> Vec<String> {
    let named = |is: &dyn Fn(Option<&str>) -> bool| -> Vec<&str> {
        let nodes = dump.nodes.iter().filter(|node| is(ready(node)));
        nodes.map(name).collect()
    };
    let unheard = named(&|ready| ready != Some("True") && ready != Some("False"));
    let unready = named(&|ready| ready == Some("False"));
    let mut assumed = Vec::new();
    if !unheard.is_empty() {
        assumed.push(format!("the machine of {} hangs", unheard.join(", ")));
    }
    if !unready.is_empty() {
        assumed.push(format!(
            "the container runtime of {} is down",
            unready.join(", ")
        ));
    }
    assumed
}

fn pools(dump: &Dump) -> Vec<String> {
    if dump.repair_pools.is_empty() {
        return vec![
            "there is no RepairPool in the dump: the control plane touches no node".to_owned(),
        ];
    }
    let templates = dump.repair_pools.iter().filter_map(|pool| {
        let template = pool["spec"]["provisioning"]["userData"].as_str()?;
        let missing: Vec<&str> = NEEDED
            .into_iter()
            .filter(|variable| !template.contains(&format!("{{{{ {variable} }}}}")))
            .collect();
        Some((name(pool), missing))
    });
    let mut assumed = Vec::new();
    for (pool, missing) in templates {
        assumed.push(match missing.as_slice() {
            [] => format!("the user data of pool {pool} make a server join with its token, labels and taints"),
            missing => format!(
                "the user data of pool {pool} do not use {}: here its servers join all the same; on your cluster they may not",
                missing.join(", ")
            ),
        });
    }
    assumed
}
