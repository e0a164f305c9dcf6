//! What happened, told: from the audit log, Nova's actions, the hypervisor, systemd's journal. What our engines say of
//! themselves is there as what it is, a write at the API server.

mod words;

use std::fmt;

use anyhow::Result;
use jiff::{SignedDuration, Timestamp};
use rectifier_bed::hypervisor::{Kind, journal};
use serde::Serialize;

use crate::evidence::{AGENT, CONTROLLER, Mark, NPD};
use crate::world::World;
use words::Words;

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
        let mut words = Words::default();
        for record in world.writes(mark, user)? {
            let text = words.of(&record);
            let at = record.received;
            events.extend(text.map(|text| Event { at, actor, text }));
        }
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
    /// The time that our engines added, at most: the gaps that ended with an act of theirs, though
    /// some of it they may have awaited what leaves no record, as a pod's end.
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
            "{whole:7.1} s in all; at most {:.1} s of it our engines' own: gaps that ended with an act of theirs",
            seconds(self.added_by_us())
        )
    }
}
