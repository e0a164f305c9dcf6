//! Gathers a story's events from everybody's records.

use anyhow::Result;
use jiff::{SignedDuration, Timestamp};
use rectifier_bed::hypervisor::{Kind, journal};
use rectifier_bed::kubernetes::Record;
use serde_json::Value;

use super::Actor;
use super::ours::{Entry, What};
use super::words::Words;
use crate::evidence::{AGENT, Bus, CONTROLLER, Mark, NPD, moment, utc};
use crate::wait::text;
use crate::world::{POOL, QUIET, SETTLE, World};

/// All of it, in the order of its times.
pub(super) async fn all(world: &World, mark: &Mark, bus: &Bus) -> Result<Vec<Entry>> {
    let mut entries = Vec::new();
    for (at, text) in world.done() {
        if at >= mark.at() {
            entries.push(told(at, Actor::Scenario, text));
        }
    }
    for (user, actor) in [
        (NPD, Actor::Detector),
        (AGENT, Actor::NodeEngine),
        (CONTROLLER, Actor::Controller),
    ] {
        let mut words = Words::default();
        for record in world.writes(mark, user)? {
            if let Some(text) = words.of(&record) {
                entries.push(told(record.received, actor, text));
                entries.push(entry(record.answered, What::Answered(actor)));
                entries.extend(waits(&record, actor));
            }
        }
    }
    for call in bus.of_the_engine() {
        entries.push(told(call.at, Actor::NodeEngine, call.to_string()));
        // a remedy's effect is watched for so long before another is thought of
        entries.push(entry(call.at + SETTLE, What::Waited(Actor::NodeEngine)));
    }
    hypervisor(world, mark, &mut entries)?;
    nova(world, mark, &mut entries).await?;
    kubelets(world, mark, &mut entries)?;
    machines(world, mark, &mut entries).await;
    entries.sort_by_key(|entry| entry.at);
    Ok(entries)
}

fn entry(at: Timestamp, what: What) -> Entry {
    Entry { at, what }
}

fn told(at: Timestamp, actor: Actor, text: String) -> Entry {
    entry(at, What::Told(actor, text))
}

fn seconds(count: u32) -> SignedDuration {
    SignedDuration::from_secs(count.into())
}

/// What the engines are told to wait for, after that report of NPD's: the pool's grace for a silent agent, and either's
/// time for a problem that is gone to stay away.
fn waits(record: &Record, actor: Actor) -> Vec<Entry> {
    if actor != Actor::Detector {
        return Vec::new();
    }
    [
        (seconds(POOL.agent_grace), Actor::Controller),
        (seconds(POOL.settle), Actor::Controller),
        (QUIET, Actor::NodeEngine),
    ]
    .map(|(wait, engine)| entry(record.received + wait, What::Waited(engine)))
    .to_vec()
}

fn hypervisor(world: &World, mark: &Mark, entries: &mut Vec<Entry>) -> Result<()> {
    for one in journal::read(world.bed.dir())? {
        let text = match one.event {
            Kind::Spawn => continue,
            Kind::Boot => format!("{} has booted", one.name),
            Kind::Reboot => format!("{} goes down for a reboot", one.name),
            Kind::PowerOff => format!("{} is switched off", one.name),
            Kind::PowerOn => format!("{} is switched on", one.name),
            Kind::Destroy => format!("{} is no more", one.name),
        };
        if one.time >= mark.at() {
            entries.push(told(one.time, Actor::Machine, text));
        }
    }
    Ok(())
}

async fn nova(world: &World, mark: &Mark, entries: &mut Vec<Entry>) -> Result<()> {
    for server in world.openstack.records.servers().await? {
        for action in world.openstack.records.instance_actions(&server.id).await? {
            let at = utc(&action.start_time)?;
            if at < mark.at() {
                continue;
            }
            let text = format!("takes up `{}` of the server {}", action.action, server.name);
            entries.push(told(at, Actor::Cloud, text));
            let ends = action
                .events
                .iter()
                .filter_map(|one| one.finish_time.as_ref());
            for end in ends {
                entries.push(entry(utc(end)?, What::Happened));
            }
        }
    }
    Ok(())
}

/// What kubelets say of themselves in the audit log: that they join, are Ready, have booted; and, untold, that a pod is
/// gone or has changed.
fn kubelets(world: &World, mark: &Mark, entries: &mut Vec<Entry>) -> Result<()> {
    let mut records = world.kubernetes.audit().records()?;
    records.retain(|record| record.received >= mark.at() && record.code < 300);
    records.sort_by_key(|record| record.received);
    let mut ready = Vec::new();
    for record in &records {
        let Some(node) = record.user.strip_prefix("system:node:") else {
            continue;
        };
        let (object, at) = (&record.object, record.received);
        let of = (record.verb.as_str(), object.resource.as_str());
        match of {
            ("create", "nodes") => {
                entries.push(told(at, Actor::Kubernetes, format!("{node} has joined")));
            }
            ("patch" | "update", "nodes") => {
                if !text(&record.body, "/status/nodeInfo/bootID").is_empty() {
                    let text = format!("{node} reports its new boot");
                    entries.push(told(at, Actor::Kubernetes, text));
                }
                let news = says_ready(&record.body);
                // of a node that was Ready all along nothing is told
                if news == Some(true) && !ready.contains(&node) && joined(entries, node) {
                    ready.push(node);
                    let text = format!("{node} is Ready");
                    entries.push(told(at, Actor::Kubernetes, text));
                    let until = at + seconds(POOL.ready);
                    entries.push(entry(until, What::Waited(Actor::Controller)));
                }
            }
            ("patch" | "delete", "pods") if object.namespace == "default" => {
                entries.push(entry(at, What::Happened));
            }
            _ => {}
        }
    }
    Ok(())
}

fn joined(entries: &[Entry], node: &str) -> bool {
    let joined = format!("{node} has joined");
    entries
        .iter()
        .any(|entry| matches!(&entry.what, What::Told(_, text) if *text == joined))
}

fn says_ready(body: &Value) -> Option<bool> {
    let conditions = body.pointer("/status/conditions")?.as_array()?;
    let ready = conditions
        .iter()
        .find(|one| text(one, "/type") == "Ready")?;
    Some(text(ready, "/status") == "True")
}

/// What systemd did on the machines that are still there.
async fn machines(world: &World, mark: &Mark, entries: &mut Vec<Entry>) {
    let Ok(folders) = std::fs::read_dir(world.bed.dir().join("machines")) else {
        return;
    };
    for folder in folders.flatten() {
        let name = folder.file_name().to_string_lossy().into_owned();
        let Ok(machine) = world.machine(&name) else {
            continue;
        };
        if let Ok(at) = world.logind_rebooted(mark, &name).await {
            let text = format!("{name}: logind takes it down, to boot again");
            entries.push(told(at, Actor::Machine, text));
        }
        let since = format!("--since=@{}", mark.at().as_second());
        let asked = [
            "journalctl",
            "--no-pager",
            "--output=json",
            "--output-fields=MESSAGE",
            "--unit=proxy.service",
            "--unit=cache.service",
            &since,
        ];
        let Ok(lines) = machine.exec(asked).await else {
            continue;
        };
        for line in lines.lines() {
            let Ok(line) = serde_json::from_str::<Value>(line) else {
                continue;
            };
            let said = text(&line, "/MESSAGE");
            let worth = said.starts_with("Started ")
                || said.starts_with("Failed to start")
                || said.contains("Failed with result");
            if let Some(at) = moment(&line).filter(|at| worth && *at >= mark.at()) {
                entries.push(told(at, Actor::Machine, format!("{name}: {said}")));
            }
        }
    }
}
