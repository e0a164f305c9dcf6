//! What happened, told: from the audit log, Nova's actions, the hypervisor, systemd's journal and the machine's bus. What
//! our engines say of themselves is there as what it is, a write at the API server.

mod collect;
pub mod ours;
mod words;

use std::fmt;

use anyhow::Result;
use jiff::{SignedDuration, Timestamp};
use rectifier_story::World as Where;
use serde::Serialize;

use crate::evidence::{Bus, Mark};
use crate::world::World;

/// Who did it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Actor {
    /// The scenario: what breaks, and who kills.
    Scenario,
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
            Actor::Scenario => "(scenario)",
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
    /// In which world: the real one.
    pub world: Where,
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
    ours: SignedDuration,
}

/// Collects what happened since the mark.
///
/// # Errors
/// If a record cannot be read.
pub async fn of(world: &World, mark: &Mark, bus: &Bus) -> Result<Timeline> {
    let collected = collect::all(world, mark, bus).await?;
    let events: Vec<Event> = collected.iter().filter_map(ours::Entry::told).collect();
    Ok(Timeline {
        // not the mark: between it and the first event the scenario only looks around
        began: events.first().map_or(mark.at(), |event| event.at),
        events: folded(events),
        ours: ours::added(&collected),
    })
}

/// What is done again at once, by the same actor, is one line that says how often.
fn folded(events: Vec<Event>) -> Vec<Event> {
    let mut folded: Vec<(Event, usize)> = Vec::new();
    for event in events {
        match folded.last_mut() {
            Some((last, times)) if last.actor == event.actor && last.text == event.text => {
                *times += 1;
            }
            Some(_) | None => folded.push((event, 1)),
        }
    }
    let said = folded.into_iter().map(|(mut event, times)| {
        if times > 1 {
            event.text = format!("{}, {times} times", event.text);
        }
        event
    });
    said.collect()
}

impl Timeline {
    /// The time that our engines added, at most: from what they awaited, as far as that left a record or is a time that
    /// their configuration sets, to their next request.
    #[must_use]
    pub fn added_by_us(&self) -> SignedDuration {
        self.ours
    }

    /// From the first event to the last.
    #[must_use]
    pub fn took(&self) -> SignedDuration {
        let end = self.events.last().map_or(self.began, |event| event.at);
        end.duration_since(self.began)
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
        let (mut before, mut speaker) = (self.began, None);
        for event in &self.events {
            let (at, step) = (
                seconds(event.at.duration_since(self.began)),
                seconds(event.at.duration_since(before)),
            );
            // a gap that nobody would feel is not worth a number, nor a name that stands above
            let step = if step < 0.05 {
                String::new()
            } else {
                format!("{step:+.1}")
            };
            let name = if speaker == Some(event.actor) {
                ""
            } else {
                event.actor.label()
            };
            let world = event.world;
            writeln!(
                f,
                "{at:6.1} s {step:>6}  {world}  {name:<12} {}",
                event.text
            )?;
            (before, speaker) = (event.at, Some(event.actor));
        }
        write!(
            f,
            "{:6.1} s in all; our engines' own at most {:.1} s: from what they awaited, or were told to wait for, to their next request",
            seconds(self.took()),
            seconds(self.ours)
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_repeated_at_once_is_one_line() {
        let event = |actor, text: &str| Event {
            at: Timestamp::UNIX_EPOCH,
            world: Where::Real,
            actor,
            text: text.to_owned(),
        };
        let events = vec![
            event(Actor::NodeEngine, "restarts"),
            event(Actor::NodeEngine, "restarts"),
            event(Actor::Controller, "restarts"),
        ];
        let told: Vec<String> = folded(events).into_iter().map(|event| event.text).collect();
        assert_eq!(told, ["restarts, 2 times", "restarts"]);
    }

    #[test]
    fn each_line_says_that_it_was_real() {
        let event = Event {
            at: Timestamp::UNIX_EPOCH,
            world: Where::Real,
            actor: Actor::Detector,
            text: "reports".to_owned(),
        };
        let told = Timeline {
            began: Timestamp::UNIX_EPOCH,
            events: vec![event],
            ours: SignedDuration::ZERO,
        };
        assert!(told.json().unwrap().contains(r#""world":"real""#));
        assert!(told.to_string().starts_with("   0.0 s         real  NPD "));
    }
}
