//! What happened, told: from the audit log, Nova's actions, the hypervisor, systemd's journal; and, marked as their own
//! word, what our engines wrote into the repair.

use std::fmt;

use anyhow::Result;
use jiff::{SignedDuration, Timestamp};
use rectifier_bed::hypervisor::{Kind, journal};
use rectifier_bed::kubernetes::Record;
use serde::Serialize;

use crate::evidence::{AGENT, CONTROLLER, Mark, NPD};
use crate::world::World;

/// Who did it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Actor {
    /// Node Problem Detector.
    Detector,
    /// The node engine.
    NodeEngine,
    /// The control-plane engine.
    Controller,
    /// The machine, its systemd and kubelet.
    Machine,
    /// Nova.
    Cloud,
    /// Kubernetes itself.
    Kubernetes,
}

impl Actor {
    fn label(self) -> &'static str {
        match self {
            Actor::Detector => "NPD",
            Actor::NodeEngine => "node engine",
            Actor::Controller => "controller",
            Actor::Machine => "machine",
            Actor::Cloud => "OpenStack",
            Actor::Kubernetes => "Kubernetes",
        }
    }

    fn is_ours(self) -> bool {
        matches!(self, Actor::NodeEngine | Actor::Controller)
    }
}

/// One line of the story.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Event {
    /// When.
    pub at: Timestamp,
    /// Who.
    pub actor: Actor,
    /// What.
    pub text: String,
}

/// The story of one scenario, in the order of its events.
#[derive(Debug, Clone)]
pub struct Timeline {
    began: Timestamp,
    events: Vec<Event>,
}

/// Collects what happened since the mark.
///
/// # Errors
/// If a record cannot be read.
pub async fn of(world: &World, mark: &Mark) -> Result<Timeline> {
    let mut events = Vec::new();
    for (user, actor) in [
        (NPD, Actor::Detector),
        (AGENT, Actor::NodeEngine),
        (CONTROLLER, Actor::Controller),
    ] {
        events.extend(
            world
                .writes(mark, user)?
                .iter()
                .filter_map(|record| told(record, actor)),
        );
    }
    for entry in journal::read(world.bed.dir())?
        .into_iter()
        .filter(|entry| entry.time >= mark.at())
    {
        let text = match entry.event {
            Kind::Spawn => continue,
            Kind::Boot => format!("{} has booted", entry.name),
            Kind::Reboot => format!("{} goes down for a reboot", entry.name),
            Kind::PowerOff => format!("{} is switched off", entry.name),
            Kind::PowerOn => format!("{} is switched on", entry.name),
            Kind::Destroy => format!("{} is no more", entry.name),
        };
        events.push(Event {
            at: entry.time,
            actor: Actor::Machine,
            text,
        });
    }
    nova(world, mark, &mut events).await?;
    ready(world, mark, &mut events)?;
    machines(world, mark, &mut events).await;
    events.sort_by_key(|event| event.at);
    events.dedup_by(|later, earlier| later.actor == earlier.actor && later.text == earlier.text);
    Ok(Timeline {
        began: mark.at(),
        events,
    })
}

/// A write at the API server, in words; `None` for what is no step of the story (leases, events, heartbeats).
fn told(record: &Record, actor: Actor) -> Option<Event> {
    let (object, name) = (&record.object, record.object.name.as_str());
    let text = match (
        record.verb.as_str(),
        object.resource.as_str(),
        object.subresource.as_str(),
    ) {
        ("patch", "nodes", "status") => format!("reports on {name}"),
        ("patch", "nodes", "") => format!("patches {name} (cordon, uncordon or taint)"),
        ("delete", "nodes", "") => format!("deletes the Node {name}"),
        ("create", "noderepairs", "") => format!("opens or archives {name}"),
        ("patch", "noderepairs", "") => format!("asks for more in {name}"),
        ("update", "noderepairs", "status") => format!("writes its intent into {name}"),
        ("delete", "noderepairs", "") => format!("sets the name {name} free"),
        ("create", "pods", "eviction") => format!("evicts {name}"),
        ("create", "secrets", "") => "makes a bootstrap token".to_owned(),
        ("delete", "secrets", "") => "deletes the bootstrap token".to_owned(),
        _ => return None,
    };
    Some(Event {
        at: record.received,
        actor,
        text,
    })
}

async fn nova(world: &World, mark: &Mark, events: &mut Vec<Event>) -> Result<()> {
    for server in world.openstack.records.servers().await? {
        for action in world.openstack.records.instance_actions(&server.id).await? {
            let at: Timestamp = format!("{}Z", action.start_time.trim_end_matches('Z')).parse()?;
            if at >= mark.at() {
                events.push(Event {
                    at,
                    actor: Actor::Cloud,
                    text: format!("takes up `{}` of the server {}", action.action, server.name),
                });
            }
        }
    }
    Ok(())
}

/// A node that joins is a CSR and a create by itself; kubelet says so in the audit log.
fn ready(world: &World, mark: &Mark, events: &mut Vec<Event>) -> Result<()> {
    for record in world
        .kubernetes
        .audit()
        .records()?
        .iter()
        .filter(|record| record.received >= mark.at() && record.code < 300)
    {
        let joins = record.verb == "create"
            && record.object.resource == "nodes"
            && record.user.starts_with("system:node:");
        if joins {
            let name = record.user.trim_start_matches("system:node:");
            events.push(Event {
                at: record.received,
                actor: Actor::Kubernetes,
                text: format!("{name} has joined"),
            });
        }
    }
    Ok(())
}

/// What systemd did on the machines that are still there.
async fn machines(world: &World, mark: &Mark, events: &mut Vec<Event>) {
    let Ok(folders) = std::fs::read_dir(world.bed.dir().join("machines")) else {
        return;
    };
    for folder in folders.flatten() {
        let name = folder.file_name().to_string_lossy().into_owned();
        let Ok(machine) = world.machine(&name) else {
            continue;
        };
        let since = format!("@{}", mark.at().as_second());
        let asked = [
            "journalctl",
            "--no-pager",
            "--output=json",
            "--output-fields=MESSAGE",
            "--unit=proxy.service",
            "--unit=cache.service",
        ];
        let Ok(lines) = machine
            .exec(
                asked
                    .into_iter()
                    .map(str::to_owned)
                    .chain([format!("--since={since}")]),
            )
            .await
        else {
            continue;
        };
        for line in lines
            .lines()
            .filter_map(|line| serde_json::from_str::<serde_json::Value>(line).ok())
        {
            let text = crate::wait::text(&line, "/MESSAGE");
            let micros = crate::wait::text(&line, "/__REALTIME_TIMESTAMP")
                .parse()
                .unwrap_or(0);
            let Ok(at) = Timestamp::from_microsecond(micros) else {
                continue;
            };
            if at >= mark.at()
                && (text.starts_with("Started ")
                    || text.starts_with("Failed to start")
                    || text.contains("Failed with result"))
            {
                events.push(Event {
                    at,
                    actor: Actor::Machine,
                    text: format!("{name}: {text}"),
                });
            }
        }
    }
}

impl Timeline {
    /// The time in which nothing was awaited from outside: the gaps that end with an act of ours.
    #[must_use]
    pub fn added_by_us(&self) -> SignedDuration {
        let pairs = self.events.windows(2).filter_map(|pair| match pair {
            [before, after] if after.actor.is_ours() => Some(after.at.duration_since(before.at)),
            [..] => None,
        });
        pairs.fold(SignedDuration::ZERO, |sum, gap| sum + gap)
    }

    /// A JSON document an event, one a line.
    ///
    /// # Errors
    /// None that can happen.
    pub fn json(&self) -> Result<String> {
        Ok(self
            .events
            .iter()
            .map(serde_json::to_string)
            .collect::<Result<Vec<_>, _>>()?
            .join("\n"))
    }
}

fn seconds(duration: SignedDuration) -> f64 {
    duration.as_secs_f64()
}

impl fmt::Display for Timeline {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut before = self.began;
        for event in &self.events {
            let (at, step) = (
                seconds(event.at.duration_since(self.began)),
                seconds(event.at.duration_since(before)),
            );
            writeln!(
                f,
                "{at:7.1} s  {step:+6.1}  {:<12} {}",
                event.actor.label(),
                event.text
            )?;
            before = event.at;
        }
        let whole = seconds(before.duration_since(self.began));
        write!(
            f,
            "{whole:7.1} s in all; {:.1} s of it passed before acts of our engines, the rest was awaited",
            seconds(self.added_by_us())
        )
    }
}
