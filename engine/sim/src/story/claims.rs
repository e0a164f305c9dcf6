//! What must hold at the end of a story, looked up in the world as it is and in its records.

use std::collections::{BTreeMap, BTreeSet};

use rectifier_api::CORDONED_BY;
use rectifier_story::{Claim, Fact, Unmet};
use serde_json::Value;

use super::UNIT;
use super::facts::Seen;
use super::mark::{actions, name, pods_on};
use crate::openstack::ServerRecord;
use crate::record::{Happened, OnMachine};
use crate::scene::{CONTROLLER, Scene};

/// Kinds that are told and prove nothing.
const TOLD: [&str; 4] = [
    "events",
    "events.events.k8s.io",
    "leases.coordination.k8s.io",
    // its status alone: RBAC gives no more
    "repairpools.rectifier.dev",
];

/// `so`, or these words.
fn claim(so: bool, words: impl FnOnce() -> String) -> Result<(), Unmet> {
    match so {
        true => Ok(()),
        false => Err(Unmet::new(words())),
    }
}

pub(super) fn check(claim: Claim, scene: &Scene, seen: &Seen<'_>) -> Result<(), Unmet> {
    match claim {
        Claim::RestartedOnce => restarted_once(seen),
        Claim::NothingWritten => nothing_written(seen),
        Claim::NoServerTouched => no_server_touched(scene, seen),
        Claim::SameServers => same_servers(scene, seen),
        Claim::PortsMade => ports_made(scene, seen),
        Claim::OneServerAsked => one_server(seen).map(drop),
        Claim::Adopted => adopted(seen),
        Claim::OneReplacement => one_replacement(scene, seen),
        Claim::OldPortsGone => old_ports_gone(scene, seen),
        Claim::BudgetHeld => budget_held(seen),
        Claim::SamePods => same_pods(scene, seen),
        Claim::NothingEvicted => nothing_evicted(scene, seen),
        Claim::LeftAlone => left_alone(seen),
        Claim::NothingLeft => nothing_left(scene, seen),
    }
}

fn restarted_once(seen: &Seen<'_>) -> Result<(), Unmet> {
    let happened: Vec<&OnMachine> = seen.on_machine().map(|(_, what)| what).collect();
    let is_own = |what: &&OnMachine| matches!(what, OnMachine::UnitAsked(unit, _) | OnMachine::UnitStarted(unit) if unit == UNIT);
    claim(happened.len() == 2 && happened.iter().all(is_own), || {
        format!("on the machine happened {happened:?}")
    })
}

fn nothing_written(seen: &Seen<'_>) -> Result<(), Unmet> {
    let written = seen.entries.iter().find_map(|entry| match &entry.what {
        Happened::Object(changed)
            if (changed.who == CONTROLLER || changed.who.starts_with("agent@"))
                && !TOLD.contains(&changed.kind.as_str()) =>
        {
            Some(format!(
                "{} touched {} {}",
                changed.who, changed.kind, changed.name
            ))
        }
        Happened::Object(_) | Happened::Machine { .. } => None,
    });
    claim(written.is_none(), || written.unwrap_or_default())
}

fn there<'a>(seen: &Seen<'a>) -> impl Iterator<Item = &'a ServerRecord> + use<'a> {
    seen.servers.iter().filter(|server| !server.is_gone)
}

fn no_server_touched(scene: &Scene, seen: &Seen<'_>) -> Result<(), Unmet> {
    let now: BTreeMap<String, usize> = there(seen).map(actions).collect();
    claim(
        now == seen.mark.servers && seen.new_servers().next().is_none(),
        || {
            format!(
                "the servers and their actions are {now:?}, and were {:?}",
                seen.mark.servers
            )
        },
    )?;
    same_servers(scene, seen)
}

fn same_servers(scene: &Scene, seen: &Seen<'_>) -> Result<(), Unmet> {
    let now: BTreeSet<&String> = there(seen).map(|server| &server.id).collect();
    let before: BTreeSet<&String> = seen.mark.servers.keys().collect();
    claim(now == before, || {
        format!("the servers are {now:?}, and were {before:?}")
    })?;
    let ports = scene.cloud.port_records();
    claim(ports == seen.mark.ports, || {
        format!("the ports are {ports:?}, and were {:?}", seen.mark.ports)
    })
}

fn ports_made(scene: &Scene, seen: &Seen<'_>) -> Result<(), Unmet> {
    let ports = scene.cloud.port_records();
    let made = ports
        .keys()
        .filter(|id| !seen.mark.ports.contains_key(*id))
        .count();
    let old = &seen.mark.server;
    let wanted = seen
        .mark
        .ports
        .values()
        .filter(|server| *server == old)
        .count();
    claim(made == wanted, || {
        format!("{made} ports were made, not {wanted}")
    })?;
    claim(seen.new_servers().next().is_none(), || {
        "a server was made already".to_owned()
    })
}

fn one_server<'a>(seen: &Seen<'a>) -> Result<&'a ServerRecord, Unmet> {
    let new: Vec<_> = seen.new_servers().collect();
    match new.as_slice() {
        [one] => Ok(one),
        _ => Err(Unmet::new(format!(
            "the cloud was asked for {} servers, not one",
            new.len()
        ))),
    }
}

fn adopted(seen: &Seen<'_>) -> Result<(), Unmet> {
    let new: Vec<_> = seen
        .new_servers()
        .filter(|server| !server.is_gone)
        .collect();
    let [new] = new.as_slice() else {
        return Err(Unmet::new(format!(
            "{} new servers are there, not one",
            new.len()
        )));
    };
    let metadata =
        |server: &ServerRecord, key: &str| server.metadata.get(key).cloned().unwrap_or_default();
    let (state, repair) = (
        metadata(new, "rectifier.state"),
        metadata(new, "rectifier.repair"),
    );
    claim(state == "adopted", || {
        format!("the new server is marked as {state:?}")
    })?;
    let ours: Vec<_> = new
        .tags
        .iter()
        .filter(|tag| tag.starts_with("rectifier-"))
        .collect();
    claim(
        matches!(ours.as_slice(), [tag] if !repair.is_empty() && tag.contains(&repair)),
        || format!("the new server's tags {ours:?} do not name the repair {repair:?}, once"),
    )?;
    let provisional =
        there(seen).find(|server| metadata(server, "rectifier.state") == "provisional");
    claim(provisional.is_none(), || {
        format!(
            "the server {:?} is still provisional",
            provisional.map(|server| &server.name)
        )
    })
}

fn one_replacement(scene: &Scene, seen: &Seen<'_>) -> Result<(), Unmet> {
    adopted(seen)?;
    let new: Vec<_> = seen
        .new_servers()
        .filter(|server| !server.is_gone)
        .collect();
    let (Some(new), Some(old)) = (new.first(), seen.old_server().next()) else {
        return Err(Unmet::new(
            "the cloud has no record of the old server or the new one",
        ));
    };
    claim(old.is_gone, || "the old server is still there".to_owned())?;
    let count = there(seen).count();
    claim(count == seen.mark.servers.len(), || {
        format!(
            "{count} servers are there, {} were",
            seen.mark.servers.len()
        )
    })?;
    for (what, was, is) in [
        ("flavor", &old.flavor, &new.flavor),
        ("image", &old.image, &new.image),
        ("zone", &old.zone, &new.zone),
    ] {
        claim(was == is, || format!("the {what} was {was}, and is {is}"))?;
    }
    old_ports_gone(scene, seen)?;
    let ports = scene.cloud.port_records();
    claim(ports.len() == seen.mark.ports.len(), || {
        format!(
            "{} ports are there, {} were",
            ports.len(),
            seen.mark.ports.len()
        )
    })?;
    let of_the_new = ports.values().any(|server| *server == new.id);
    claim(of_the_new, || "the new server has no port".to_owned())?;
    let has_server = |device: &&String| there(seen).any(|server| server.id == **device);
    let left = ports.values().find(|device| !has_server(device));
    claim(left.is_none(), || {
        format!("a port belongs to no server, but to {left:?}")
    })
}

fn old_ports_gone(scene: &Scene, seen: &Seen<'_>) -> Result<(), Unmet> {
    let old = &seen.mark.server;
    let was_its = |port: &String| seen.mark.ports.get(port) == Some(old);
    let left: Vec<_> = scene
        .cloud
        .port_records()
        .into_keys()
        .filter(was_its)
        .collect();
    claim(left.is_empty(), || {
        format!("the old server's ports are left: {left:?}")
    })
}

fn budget_held(seen: &Seen<'_>) -> Result<(), Unmet> {
    let mut budgets = seen
        .changes("poddisruptionbudgets.policy")
        .filter_map(|(at, changed)| {
            let status = &changed.after.as_ref()?["status"];
            Some((
                at,
                status["currentHealthy"].as_i64()?,
                status["desiredHealthy"].as_i64()?,
            ))
        });
    let broken = budgets.find(|(_, healthy, wanted)| healthy < wanted);
    claim(broken.is_none(), || {
        format!("the workload had too few pods: {broken:?}")
    })
}

fn same_pods(scene: &Scene, seen: &Seen<'_>) -> Result<(), Unmet> {
    let pods = pods_on(scene, seen.sick);
    claim(pods == seen.mark.pods, || {
        format!(
            "the pods of {} were {:?}, and are {pods:?}",
            seen.sick, seen.mark.pods
        )
    })
}

fn nothing_evicted(scene: &Scene, seen: &Seen<'_>) -> Result<(), Unmet> {
    let requests = scene.api.requests();
    let since = scene.api.landed().saturating_sub(seen.mark.landed);
    let since = usize::try_from(since).unwrap_or(usize::MAX);
    let mut since = requests.iter().rev().take(since);
    let asked =
        since.find(|request| request.method == "POST" && request.path.contains("/eviction"));
    claim(asked.is_none(), || {
        format!("somebody asked for an eviction: {asked:?}")
    })?;
    same_pods(scene, seen)
}

fn left_alone(seen: &Seen<'_>) -> Result<(), Unmet> {
    let handed_over = seen.when(Fact::Escalates)?;
    let late: Vec<_> = seen
        .on_machine()
        .filter(|(at, what)| *at > handed_over && matches!(what, OnMachine::UnitAsked(..)))
        .collect();
    claim(late.is_empty(), || {
        format!("after it handed over: {late:?}")
    })
}

fn nothing_left(scene: &Scene, seen: &Seen<'_>) -> Result<(), Unmet> {
    let objects = scene.api.objects("nodes");
    let nodes: BTreeSet<String> = objects.iter().map(|node| name(node).to_owned()).collect();
    let mut expected = seen.mark.nodes.clone();
    if seen.old_server().any(|server| server.is_gone) {
        expected.remove(seen.sick);
    }
    let new = seen.new_servers().filter(|server| !server.is_gone);
    expected.extend(new.map(|server| server.name.clone()));
    claim(nodes == expected, || {
        format!("the Nodes are {nodes:?}, and should be {expected:?}")
    })?;
    let marked = |node: &&crate::kubernetes::Object| {
        let taints = node["spec"]["taints"]
            .as_array()
            .is_some_and(|taints| !taints.is_empty());
        let annotation = &node["metadata"]["annotations"][CORDONED_BY];
        taints || node["spec"]["unschedulable"] == true || *annotation != Value::Null
    };
    let marked = objects.iter().find(marked);
    claim(marked.is_none(), || format!("our mark is left: {marked:?}"))?;
    let tokens = scene.bootstrap_tokens();
    claim(tokens <= seen.mark.tokens, || {
        format!("{tokens} bootstrap tokens are left")
    })
}
