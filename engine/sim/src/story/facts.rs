//! Which record of the world's says that a fact has happened, and when.

use rectifier_api::PROVISIONAL_TAINT;
use rectifier_core::clock::Timestamp;
use rectifier_core::policy::UnitVerb;
use rectifier_core::repair::Phase;
use rectifier_story::{Fact, Unmet};
use serde_json::Value;

use super::mark::{Mark, uid};
use super::{CONDITION, UNIT};
use crate::cluster::condition;
use crate::openstack::ServerRecord;
use crate::record::{Changed, Entry, Happened, OnMachine};
use crate::scene::CONTROLLER;

const REPAIRS: &str = "noderepairs.rectifier.dev";

/// What has happened since the story began.
pub(super) struct Seen<'a> {
    pub(super) entries: &'a [Entry],
    pub(super) mark: &'a Mark,
    /// All that the cloud has ever heard of.
    pub(super) servers: &'a [ServerRecord],
    pub(super) sick: &'a str,
}

/// How an object was before a change, and how it is then; `Null` where it is not there.
type Change<'a> = (&'a Value, &'a Value);

impl<'a> Seen<'a> {
    /// The changes of objects of a kind.
    pub(super) fn changes(
        &self,
        kind: &'a str,
    ) -> impl Iterator<Item = (Timestamp, &'a Changed)> + use<'a> {
        self.entries
            .iter()
            .filter_map(move |entry| match &entry.what {
                Happened::Object(changed) if changed.kind == kind => Some((entry.at, changed)),
                Happened::Object(_) | Happened::Machine { .. } => None,
            })
    }

    /// What happened on the sick node's first machine.
    pub(super) fn on_machine(&self) -> impl Iterator<Item = (Timestamp, &'a OnMachine)> + use<'a> {
        let own = &self.mark.server;
        self.entries
            .iter()
            .filter_map(move |entry| match &entry.what {
                Happened::Machine { server, what } if server == own => Some((entry.at, what)),
                Happened::Machine { .. } | Happened::Object(_) => None,
            })
    }

    /// The servers that the cloud was asked for.
    pub(super) fn new_servers(&self) -> impl Iterator<Item = &'a ServerRecord> + use<'a> {
        let known = &self.mark.known;
        self.servers
            .iter()
            .filter(|server| !known.contains(&server.id))
    }

    /// The server that the sick node was on.
    pub(super) fn old_server(&self) -> impl Iterator<Item = &'a ServerRecord> + use<'a> {
        let own = &self.mark.server;
        self.servers.iter().filter(move |server| server.id == *own)
    }

    fn agent(&self) -> String {
        format!("agent@{}", self.sick)
    }

    /// Its first change by this one that is as wanted.
    fn first(
        &self,
        who: &str,
        (kind, named): (&'a str, &str),
        is_it: impl Fn(Change<'_>) -> bool,
    ) -> Option<Timestamp> {
        self.changes(kind)
            .find(|(_, changed)| {
                changed.who == who && changed.name == named && is_it(sides(changed))
            })
            .map(|(at, _)| at)
    }

    /// The first change of the sick node, by its kubelet or Node Problem Detector.
    fn reports(&self, is_it: impl Fn(Change<'_>) -> bool) -> Option<(Timestamp, &'a Changed)> {
        self.changes("nodes").find(|(_, changed)| {
            changed.who.is_empty() && changed.name == self.sick && is_it(sides(changed))
        })
    }

    /// The first change of a node that is new.
    fn new_node(&self, who: &str, is_it: impl Fn(Change<'_>) -> bool) -> Option<Timestamp> {
        self.changes("nodes")
            .filter(|(_, changed)| !self.mark.nodes.contains(&changed.name))
            .find(|(_, changed)| changed.who == who && is_it(sides(changed)))
            .map(|(at, _)| at)
    }

    fn repair(&self, who: &str, is_it: impl Fn(Change<'_>) -> bool) -> Option<Timestamp> {
        self.first(who, (REPAIRS, &format!("{}.repair", self.sick)), is_it)
    }

    fn node(&self, is_it: impl Fn(Change<'_>) -> bool) -> Option<Timestamp> {
        self.first(CONTROLLER, ("nodes", self.sick), is_it)
    }

    fn machine(&self, is_it: impl Fn(&OnMachine) -> bool) -> Option<Timestamp> {
        self.on_machine()
            .find(|(_, what)| is_it(what))
            .map(|(at, _)| at)
    }

    /// Has its repair been in that phase?
    pub(super) fn was_in(&self, phase: Phase) -> bool {
        let (phase, named) = (format!("{phase:?}"), format!("{}.repair", self.sick));
        let is_in = |changed: &Changed| {
            let (_, after) = sides(changed);
            // who has just opened it has written no phase yet: it is the node engine's
            let is = after["status"]["phase"].as_str().unwrap_or("HealingInNode");
            !after.is_null() && is == phase
        };
        self.changes(REPAIRS)
            .any(|(_, changed)| changed.name == named && is_in(changed))
    }

    /// The phase in which its repair was archived, once its name is free.
    pub(super) fn ended(&self) -> Option<String> {
        let open = format!("{}.repair", self.sick);
        let last = self
            .changes(REPAIRS)
            .filter(|(_, changed)| changed.name == open)
            .last();
        let is_free = last.is_some_and(|(_, changed)| changed.after.is_none());
        let archived = self.changes(REPAIRS).filter_map(|(_, changed)| {
            let (_, after) = sides(changed);
            let is_own = after["spec"]["nodeName"] == self.sick
                && changed.name != open
                && !self.mark.repairs.contains(&changed.name);
            let phase = after["status"]["phase"].as_str().filter(|_| is_own)?;
            Some(phase.to_owned())
        });
        archived.last().filter(|_| is_free)
    }

    /// The first eviction, and the end of the last pod.
    fn drained(&self) -> (Option<Timestamp>, Option<Timestamp>) {
        let (mut first, mut last) = (None, None);
        for pod in self.mark.pods.values() {
            let own = || {
                self.changes("pods").filter(move |(_, changed)| {
                    changed
                        .before
                        .as_ref()
                        .is_some_and(|before| uid(before) == pod)
                })
            };
            let evicted = own().find(|(_, changed)| {
                let (before, after) = sides(changed);
                let goes = |pod: &Value| pod["metadata"]["deletionTimestamp"].is_string();
                changed.who == CONTROLLER && !goes(before) && (after.is_null() || goes(after))
            });
            let ended = own().find(|(_, changed)| changed.after.is_none());
            let (Some((evicted, _)), Some((ended, _))) = (evicted, ended) else {
                return (first.or(evicted.map(|(at, _)| at)), None);
            };
            first = first.min(Some(evicted)).or(Some(evicted));
            last = last.max(Some(ended));
        }
        (first, last)
    }

    /// When it happened first, or that no record has it.
    pub(super) fn when(&self, fact: Fact) -> Result<Timestamp, Unmet> {
        let (agent, nobody) = (self.agent(), "");
        let began = |servers: &mut dyn Iterator<Item = &'a ServerRecord>, wanted: &str| {
            let mut actions = servers.flat_map(|server| &server.actions);
            actions
                .find(|action| action.action == wanted)
                .map(|action| action.started)
        };
        let terminated = |servers: &mut dyn Iterator<Item = &'a ServerRecord>| {
            let ends = servers
                .flat_map(|server| &server.actions)
                .filter_map(|action| action.ended);
            let mut ends = ends.filter(|(event, _)| *event == "compute_terminate_instance");
            ends.next().map(|(_, at)| at)
        };
        let at = match fact {
            Fact::FoundIll => self.reports(falls_ill).and_then(|(_, changed)| found(changed)),
            Fact::ReportedIll => self.reports(falls_ill).map(|(at, _)| at),
            Fact::ReportedWell => self.reports(is_well_again).map(|(at, _)| at),
            Fact::RestartAsked => self.machine(|what| {
                matches!(what, OnMachine::UnitAsked(unit, UnitVerb::Restart) if unit == UNIT)
            }),
            Fact::UnitStarted => {
                self.machine(|what| matches!(what, OnMachine::UnitStarted(unit) if unit == UNIT))
            }
            Fact::EngineAsks => self.repair(&agent, |(before, _)| before.is_null()),
            Fact::ControllerOpens => self.repair(CONTROLLER, |(before, _)| before.is_null()),
            Fact::Escalates => self.repair(&agent, |(_, after)| after["spec"]["asks"] == "Escalate"),
            Fact::Cordoned => self.node(|(_, after)| after["spec"]["unschedulable"] == true),
            Fact::Uncordoned => self.node(|(before, after)| {
                before["spec"]["unschedulable"] == true && after["spec"]["unschedulable"] != true
            }),
            Fact::FirstEviction => self.drained().0,
            Fact::LastPodEnded => self.drained().1,
            Fact::GrantAccepted => {
                self.repair(&agent, |(_, after)| after["spec"]["acceptedGrant"].is_string())
            }
            Fact::RebootAsked => self.machine(|what| *what == OnMachine::RebootAsked),
            Fact::GoesDown => self.machine(|what| *what == OnMachine::GoesDown),
            Fact::Booted => self.machine(|what| *what == OnMachine::Booted),
            Fact::BootReported => self.reports(boots).map(|(at, _)| at),
            Fact::ServerAsked => began(&mut self.new_servers(), "create"),
            Fact::Registered => {
                self.new_node(nobody, |(before, after)| before.is_null() && is_provisional(after))
            }
            Fact::NewReady => {
                self.new_node(nobody, |(_, after)| condition(after, "Ready") == Some("True"))
            }
            Fact::Released => self.new_node(CONTROLLER, |(before, after)| {
                is_provisional(before) && !is_provisional(after)
            }),
            Fact::OldDeleteAsked => began(&mut self.old_server(), "delete"),
            Fact::OldTerminated => terminated(&mut self.old_server()),
            Fact::OldNodeDeleted => self.node(|(_, after)| after.is_null()),
            Fact::NewDeleteAsked => began(&mut self.new_servers(), "delete"),
            Fact::NewTerminated => terminated(&mut self.new_servers()),
        };
        at.ok_or_else(|| Unmet::new("the world has no record of it"))
    }
}

fn sides(changed: &Changed) -> Change<'_> {
    const NOT_THERE: &Value = &Value::Null;
    (
        changed.before.as_deref().unwrap_or(NOT_THERE),
        changed.after.as_deref().unwrap_or(NOT_THERE),
    )
}

fn falls_ill((before, after): Change<'_>) -> bool {
    condition(before, CONDITION) != Some("True") && condition(after, CONDITION) == Some("True")
}

fn is_well_again((before, after): Change<'_>) -> bool {
    condition(before, CONDITION) == Some("True") && condition(after, CONDITION) == Some("False")
}

fn boots((before, after): Change<'_>) -> bool {
    let boot = |node: &Value| node["status"]["nodeInfo"]["bootID"].clone();
    !before.is_null() && !after.is_null() && boot(before) != boot(after)
}

/// By Node Problem Detector's own word.
fn found(changed: &Changed) -> Option<Timestamp> {
    let (_, after) = sides(changed);
    let mut conditions = after["status"]["conditions"].as_array()?.iter();
    let own = conditions.find(|condition| condition["type"] == CONDITION)?;
    own["lastTransitionTime"].as_str()?.parse().ok()
}

fn is_provisional(node: &Value) -> bool {
    let mut taints = node["spec"]["taints"].as_array().into_iter().flatten();
    taints.any(|taint| taint["key"] == PROVISIONAL_TAINT && taint["effect"] == "NoSchedule")
}
