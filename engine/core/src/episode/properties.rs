//! No sequence of sights, answers, kills and reboots breaks an invariant.

use std::collections::BTreeSet;

use proptest::prelude::*;

use super::fixture::*;
use super::*;
use crate::policy::{Advice, FailureClass, Freshness, OnFailure, Remedy, Status};
use crate::repair::{Asks, Grant, Phase};

const OTHER: &str = "KernelDeadlock";

/// Something that happens between two passes.
#[derive(Debug, Clone)]
enum Event {
    Later(i64),
    ClockPutBack(i64),
    Paused(bool),
    GoesDown(bool),
    Condition(Option<Status>),
    OtherCondition(Option<Status>),
    NpdRestarted,
    Systemd(bool),
    Advice(Advice),
    PoliciesChanged,
    RemedyEnds(bool),
    EngineKilled,
    Rebooted,
    Api(bool),
    Repair(Option<(Asks, Phase)>),
    Grant {
        fresh: bool,
        boot: u8,
        node: bool,
        until: i64,
    },
}

fn events() -> impl Strategy<Value = Event> {
    let status = prop_oneof![
        4 => Just(Some(Status::Yes)),
        3 => Just(Some(Status::No)),
        1 => Just(Some(Status::Unknown)),
        1 => Just(None),
    ];
    let remedy = prop_oneof![
        4 => Just(restart("containerd.service")),
        1 => Just(restart("sshd.service")),
        1 => Just(fix("sda")),
        1 => Just(fix("sdb")),
        1 => Just(Remedy::Wait(20)),
        2 => Just(Remedy::Reboot),
        1 => Just(Remedy::Escalate),
        1 => Just(Remedy::Replace),
        1 => Just(Remedy::Decline),
    ];
    let failed = Advice::Unavailable {
        policy: policy(),
        class: FailureClass::Timeout,
        message: String::new(),
        on_failure: OnFailure::Wait,
    };
    let asks = prop_oneof![Just(Asks::InNode), Just(Asks::Reboot), Just(Asks::Escalate)];
    let phase = prop::sample::select(Phase::ALL.to_vec());
    prop_oneof![
        6 => (1_i64..120).prop_map(Event::Later),
        1 => (1_i64..100_000).prop_map(Event::ClockPutBack),
        1 => any::<bool>().prop_map(Event::Paused),
        1 => any::<bool>().prop_map(Event::GoesDown),
        4 => status.clone().prop_map(Event::Condition),
        2 => status.prop_map(Event::OtherCondition),
        1 => Just(Event::NpdRestarted),
        1 => any::<bool>().prop_map(Event::Systemd),
        4 => remedy.prop_map(|remedy| Event::Advice(advice(remedy))),
        1 => Just(Event::Advice(failed)),
        1 => Just(Event::PoliciesChanged),
        4 => any::<bool>().prop_map(Event::RemedyEnds),
        1 => Just(Event::EngineKilled),
        1 => Just(Event::Rebooted),
        1 => any::<bool>().prop_map(Event::Api),
        2 => prop::option::of((asks, phase)).prop_map(Event::Repair),
        4 => (any::<bool>(), 0..3_u8, any::<bool>(), 0_i64..2_000)
            .prop_map(|(fresh, boot, node, until)| Event::Grant { fresh, boot, node, until }),
    ]
}

/// The node, the engine's volatile part, and what was done so far.
struct World {
    memory: Memory,
    seen: Seen,
    advice: Advice,
    clock: i64,
    /// Seconds that really went by, whatever the clock says.
    real: i64,
    boots: u8,
    grants: u32,
    remedy_runs: bool,
    /// In seconds that really went by.
    begun: Vec<i64>,
    used: BTreeSet<String>,
    /// Since when the condition was seen False at every look, with the same transition.
    quiet_since: Option<(i64, Option<jiff::Timestamp>)>,
}

impl World {
    fn new() -> Self {
        Self {
            memory: Memory::default(),
            seen: Seen {
                handled: [kind(KIND), kind(OTHER)].into(),
                ..ill(0)
            },
            advice: advice(restart("containerd.service")),
            clock: 0,
            real: 0,
            boots: 1,
            grants: 0,
            remedy_runs: false,
            begun: Vec::new(),
            used: BTreeSet::new(),
            quiet_since: None,
        }
    }

    fn happen(&mut self, event: Event) {
        let seen = &mut self.seen;
        match event {
            Event::Later(seconds) => {
                self.clock += seconds;
                self.real += seconds;
            }
            Event::ClockPutBack(seconds) => self.clock -= seconds,
            Event::Paused(is) => {
                if let Some(node) = &mut seen.node.value {
                    node.paused = is.then(String::new);
                }
            }
            Event::GoesDown(is) => seen.goes_down = is,
            Event::Condition(status) => self.report(KIND, status),
            Event::OtherCondition(status) => self.report(OTHER, status),
            Event::NpdRestarted => {
                self.report(KIND, Some(Status::No));
                self.report(OTHER, Some(Status::No));
            }
            Event::Systemd(there) => {
                seen.systemd = if there {
                    Freshness::Fresh
                } else {
                    Freshness::Missing
                };
            }
            Event::Advice(advice) => self.advice = advice,
            Event::PoliciesChanged => seen.policies += 1,
            Event::RemedyEnds(well) if self.remedy_runs => {
                self.remedy_runs = false;
                let result = if well {
                    Ok(String::new())
                } else {
                    Err("failed".to_owned())
                };
                let running = self.memory.running().map(|(problem, _)| problem.clone());
                seen.ended = running.map(|problem| Ended { problem, result });
            }
            Event::RemedyEnds(_) => {}
            Event::EngineKilled => self.remedy_runs = false,
            Event::Rebooted => {
                self.boots += 1;
                self.remedy_runs = false;
                seen.boot = Some(boot(&format!("boot-{}", self.boots)));
            }
            Event::Api(there) => {
                seen.repair.freshness = if there {
                    Freshness::Fresh
                } else {
                    Freshness::Stale
                };
            }
            Event::Repair(state) => {
                seen.repair.value = state.and_then(|(asks, phase)| repair(asks, phase).value);
            }
            Event::Grant {
                fresh,
                boot,
                node,
                until,
            } => {
                self.grants += u32::from(fresh);
                let mut offered = repair(Asks::Reboot, Phase::GrantOffered);
                if let Some(repair) = &mut offered.value {
                    repair.grant = Some(Grant {
                        id: format!("grant-{}", self.grants),
                        boot_id: format!("boot-{}", self.boots.saturating_sub(boot)),
                        node_uid: if node { "node-uid" } else { "other" }.to_owned(),
                        until: at(until),
                    });
                }
                seen.repair.value = offered.value;
            }
        }
    }

    fn report(&mut self, name: &str, status: Option<Status>) {
        self.seen
            .conditions
            .retain(|condition| condition.kind != kind(name));
        let reported = status.map(|status| SeenCondition {
            kind: kind(name),
            ..condition(status, self.clock)
        });
        self.seen.conditions.extend(reported);
    }

    fn pass(&mut self) -> Result<(), TestCaseError> {
        // Two passes are never at the same moment.
        self.clock += 1;
        self.real += 1;
        self.seen.now = at(self.clock);
        self.seen.carrying_out = self.remedy_runs;
        let limits = Limits {
            daily: 4,
            ..limits()
        };
        let seen = Seen {
            ended: self.seen.ended.take(),
            ..self.seen.clone()
        };
        let plan = pass(&self.memory, &seen, &limits, &self.advice);
        self.look(&seen);
        self.check(&seen, &plan, &limits)?;
        match &plan.begin {
            Some(Begin::Unit { .. } | Begin::Fix { .. }) => {
                self.remedy_runs = true;
                self.begun.push(self.real);
            }
            Some(Begin::Reboot { grant, .. }) => {
                self.used.insert(grant.clone());
                self.begun.push(self.real);
            }
            None => {}
        }
        // What a restarted engine reads is what was written.
        let written = serde_json::to_string(&plan.memory).unwrap();
        self.memory = serde_json::from_str(&written).unwrap();
        prop_assert_eq!(&self.memory, &plan.memory);
        Ok(())
    }

    fn look(&mut self, seen: &Seen) {
        let condition = seen
            .condition(&kind(KIND))
            .filter(|condition| condition.status == Status::No);
        self.quiet_since = condition.map(|condition| match self.quiet_since {
            Some((since, transition)) if transition == condition.transition => (since, transition),
            _ => (self.real, condition.transition),
        });
    }

    fn check(&self, seen: &Seen, plan: &Plan, limits: &Limits) -> Result<(), TestCaseError> {
        let running: usize = plan
            .memory
            .episodes
            .values()
            .map(|episode| {
                episode
                    .attempts
                    .iter()
                    .filter(|attempt| attempt.is_running())
                    .count()
            })
            .sum();
        prop_assert!(running <= 1, "no_remedy_runs_while_another_one_does");
        if let Some(begin) = &plan.begin {
            prop_assert!(!self.remedy_runs, "no_remedy_runs_while_another_one_does");
            self.check_begin(begin, seen, plan, limits)?;
        }
        // a clock that is put back takes an episode's beginning along, once it is believed, or lets the next one begin in the
        // same second as the one before
        let believed = self.memory.behind.is_some() && plan.memory.behind.is_none();
        for (kind, before) in &self.memory.episodes {
            match plan.memory.episodes.get(kind) {
                Some(after)
                    if after.problem.since == seen.now
                        && (believed || before.problem.since == seen.now) => {}
                Some(after) if after.problem.since == before.problem.since => {
                    prop_assert!(
                        after.asks() >= before.asks(),
                        "what_is_asked_only_moves_upwards"
                    );
                    let tried = limits.max_attempts + u32::from(after.reboot().is_some());
                    prop_assert!(after.tried() <= tried, "attempts_are_limited");
                }
                // The quiet time of the other one is not followed here.
                _ if kind.as_str() == OTHER => {}
                _ => prop_assert!(
                    self.was_quiet(limits) || Self::finished(before, seen),
                    "absence_of_a_condition_keeps_the_episode_open"
                ),
            }
        }
        Ok(())
    }

    fn check_begin(
        &self,
        begin: &Begin,
        seen: &Seen,
        plan: &Plan,
        limits: &Limits,
    ) -> Result<(), TestCaseError> {
        let (Begin::Unit { problem, .. }
        | Begin::Fix { problem, .. }
        | Begin::Reboot { problem, .. }) = begin;
        let status = seen.condition(problem).map(|condition| condition.status);
        prop_assert_eq!(
            status,
            Some(Status::Yes),
            "nothing_is_done_for_a_problem_that_is_not_seen"
        );
        prop_assert_eq!(&plan.memory.paused, &None, "nothing_is_done_under_a_pause");
        match begin {
            Begin::Unit { problem, call } => {
                prop_assert!(
                    limits.units.contains(&call.name),
                    "a_unit_that_is_not_allowed_is_never_touched"
                );
                self.check_hands_off(plan.memory.episodes[problem].asks(), seen)?;
            }
            Begin::Fix { problem, call } => {
                prop_assert_eq!(
                    &call.args["disk"],
                    "sda",
                    "a_fix_runs_only_with_declared_values"
                );
                self.check_hands_off(plan.memory.episodes[problem].asks(), seen)?;
            }
            Begin::Reboot { grant, .. } => {
                let write = RepairWrite::Accept {
                    grant: grant.clone(),
                };
                prop_assert_eq!(plan.repair.as_ref(), Some(&write), "no_api_no_reboot");
                let offered = seen
                    .repair
                    .value
                    .as_ref()
                    .and_then(|repair| repair.grant.clone())
                    .unwrap();
                prop_assert!(
                    offered.id == *grant
                        && seen.repair.freshness == Freshness::Fresh
                        && offered.until > seen.now
                        && offered.node_uid == "node-uid"
                        && Some(offered.boot_id.as_str())
                            == seen.boot.as_ref().map(|boot| boot.as_str()),
                    "a_reboot_needs_a_grant_for_this_boot"
                );
                prop_assert!(!self.used.contains(grant), "a_grant_is_used_once");
                return Ok(());
            }
        }
        if let Some(last) = self.begun.last() {
            prop_assert!(
                self.real - last >= i64::from(limits.min_interval),
                "the_next_remedy_keeps_its_distance"
            );
        }
        let recent = |at: &&i64| self.real - **at < 24 * 3600;
        prop_assert!(
            self.begun.iter().filter(recent).count() < limits.daily as usize,
            "a_node_has_so_many_remedies_a_day"
        );
        prop_assert!(
            !seen.goes_down,
            "nothing_is_done_to_a_machine_that_goes_down"
        );
        Ok(())
    }

    fn check_hands_off(&self, asks: Option<Asks>, seen: &Seen) -> Result<(), TestCaseError> {
        prop_assert!(
            asks <= Some(Asks::InNode),
            "nothing_intrusive_is_done_after_the_escalation"
        );
        let repair = seen
            .repair
            .value
            .as_ref()
            .filter(|repair| !repair.phase.is_final());
        let theirs = repair.is_some_and(|repair| repair.phase != Phase::HealingInNode);
        prop_assert!(
            !theirs,
            "nothing_intrusive_is_done_while_the_control_plane_works_on_the_node"
        );
        prop_assert_eq!(
            seen.systemd,
            Freshness::Fresh,
            "without_systemd_nothing_is_begun"
        );
        Ok(())
    }

    fn was_quiet(&self, limits: &Limits) -> bool {
        self.quiet_since
            .is_some_and(|(since, _)| self.real - since >= i64::from(limits.quiet))
    }

    fn finished(before: &Episode, seen: &Seen) -> bool {
        let known = before
            .handover
            .as_ref()
            .and_then(|handover| handover.repair.as_ref());
        known.is_some()
            && seen.repair.freshness == Freshness::Fresh
            && seen.repair.value.as_ref().map(|repair| &repair.uid) != known
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn no_sequence_of_events_breaks_a_guard_rail(events in prop::collection::vec(events(), 1..120)) {
        let mut world = World::new();
        for event in events {
            world.happen(event);
            world.pass()?;
        }
    }
}
