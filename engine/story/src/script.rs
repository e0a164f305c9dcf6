//! What each story consists of.

use rectifier_core::repair::Phase;

use crate::act::{Awaited, Cure, Deed};
use crate::fact::{Claim, Fact};
use crate::story::Story;

/// What the policy is to do about the broken service.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rule {
    /// So many restarts, before it hands over.
    pub attempts: u32,
    /// It tries a reboot before a replacement.
    pub reboot: bool,
}

/// A step of the teller's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// Something is done.
    Do(Deed),
    /// Something is waited for.
    Await(Awaited),
    /// This has happened by now.
    Has(Fact),
    /// This has not.
    HasNot(Fact),
    /// This holds now.
    Holds(Claim),
}

/// A story, as data.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Script {
    /// Which.
    pub story: Story,
    /// By what policy.
    pub rule: Rule,
    /// What the teller does, in this order.
    pub steps: Vec<Step>,
    /// How the repair ends; `None`: there is none.
    pub ends: Option<Phase>,
    /// All of these have happened, those of a list in its order.
    pub orders: Vec<&'static [Fact]>,
    /// None of these has.
    pub never: &'static [Fact],
    /// All of these hold at the end.
    pub claims: &'static [Claim],
}

/// The steps of a replacement, after each of which the controller is killed.
pub const KILLED_AFTER: [Phase; 10] = [
    Phase::Judging,
    Phase::Cordoning,
    Phase::CreatingPorts,
    Phase::CreatingServer,
    Phase::Joining,
    Phase::Committed,
    Phase::Draining,
    Phase::AwaitingOwners,
    Phase::DeletingServer,
    Phase::DeletingNode,
];

/// Every replacement, however it came about.
const TAKEN_OVER: &[Fact] = &[
    Fact::Cordoned,
    Fact::ServerAsked,
    Fact::Registered,
    Fact::NewReady,
    Fact::Released,
    Fact::FirstEviction,
    Fact::LastPodEnded,
    Fact::OldDeleteAsked,
    Fact::OldTerminated,
    Fact::OldNodeDeleted,
];
const REPLACED: &[Claim] = &[Claim::OneReplacement, Claim::BudgetHeld, Claim::NothingLeft];
/// The policy that ships, as the stories have it: two restarts, then the node is replaced.
const USUAL: Rule = Rule {
    attempts: 2,
    reboot: false,
};
const NO_REPAIR: &[Fact] = &[
    Fact::EngineAsks,
    Fact::ControllerOpens,
    Fact::Cordoned,
    Fact::FirstEviction,
    Fact::RebootAsked,
    Fact::ServerAsked,
];

impl Story {
    /// What it consists of.
    pub fn script(self) -> Script {
        let replaced = Script {
            story: self,
            rule: USUAL,
            steps: vec![Step::Do(Deed::Break(Cure::Never))],
            ends: Some(Phase::Replaced),
            orders: vec![TAKEN_OVER],
            never: &[],
            claims: REPLACED,
        };
        match self {
            Story::Healed => Script {
                steps: vec![
                    Step::Do(Deed::Break(Cure::Restart)),
                    Step::Await(Awaited::Well),
                    Step::Await(Awaited::Quiet),
                ],
                ends: None,
                orders: vec![
                    &[
                        Fact::FoundIll,
                        Fact::RestartAsked,
                        Fact::UnitStarted,
                        Fact::ReportedWell,
                    ],
                    &[Fact::ReportedIll, Fact::ReportedWell],
                ],
                never: NO_REPAIR,
                claims: &[
                    Claim::RestartedOnce,
                    Claim::NothingWritten,
                    Claim::NoServerTouched,
                ],
                ..replaced
            },
            Story::Rebooted => Script {
                rule: Rule {
                    attempts: 1,
                    reboot: true,
                },
                steps: vec![Step::Do(Deed::Break(Cure::Boot))],
                ends: Some(Phase::Recovered),
                orders: vec![
                    &[
                        Fact::FoundIll,
                        Fact::EngineAsks,
                        Fact::Cordoned,
                        Fact::FirstEviction,
                        Fact::LastPodEnded,
                        Fact::GrantAccepted,
                        Fact::GoesDown,
                        Fact::Booted,
                        Fact::BootReported,
                        Fact::Uncordoned,
                    ],
                    // What is asked on the bus is heard by a listener, some milliseconds later on a machine that is busy.
                    &[Fact::GrantAccepted, Fact::RebootAsked, Fact::Booted],
                    // the problem was seen gone in the new boot before the node was let go
                    &[Fact::Booted, Fact::ReportedWell, Fact::Uncordoned],
                ],
                never: &[Fact::ServerAsked, Fact::OldDeleteAsked],
                claims: &[Claim::NoServerTouched, Claim::NothingLeft],
                ..replaced
            },
            Story::Replaced => Script {
                orders: vec![
                    &[Fact::FoundIll, Fact::EngineAsks, Fact::Cordoned],
                    TAKEN_OVER,
                ],
                never: &[Fact::RebootAsked],
                ..replaced
            },
            Story::Silent => Script {
                steps: vec![
                    Step::Do(Deed::SilenceEngine),
                    Step::Do(Deed::Break(Cure::Never)),
                ],
                orders: vec![&[Fact::ReportedIll, Fact::ControllerOpens], TAKEN_OVER],
                never: &[Fact::EngineAsks, Fact::Escalates, Fact::RestartAsked],
                ..replaced
            },
            Story::ChangedMind => Script {
                // without end, as far as the policy goes
                rule: Rule {
                    attempts: 90,
                    reboot: false,
                },
                steps: vec![
                    Step::Do(Deed::Break(Cure::Never)),
                    // one more than the settings that ship allow: that the old mind's own are in force shows by it
                    Step::Await(Awaited::Restarts(3)),
                    Step::Await(Awaited::Phase(Phase::HealingInNode)),
                    Step::HasNot(Fact::Escalates),
                    Step::Do(Deed::HandOver),
                    Step::Await(Awaited::Escalated),
                ],
                orders: vec![
                    &[Fact::RestartAsked, Fact::Escalates, Fact::Cordoned],
                    TAKEN_OVER,
                ],
                claims: &[
                    Claim::LeftAlone,
                    Claim::OneReplacement,
                    Claim::BudgetHeld,
                    Claim::NothingLeft,
                ],
                ..replaced
            },
            Story::Killed => Script {
                steps: killed(),
                claims: &[
                    Claim::OneServerAsked,
                    Claim::OneReplacement,
                    Claim::BudgetHeld,
                    Claim::NothingLeft,
                ],
                ..replaced
            },
            Story::Cleared => Script {
                steps: vec![
                    Step::Do(Deed::SlowBoots),
                    Step::Do(Deed::Break(Cure::Never)),
                    Step::Await(Awaited::Phase(Phase::Joining)),
                    Step::Do(Deed::Mend),
                ],
                ends: Some(Phase::Cancelled),
                orders: vec![
                    &[
                        Fact::Cordoned,
                        Fact::ServerAsked,
                        Fact::NewDeleteAsked,
                        Fact::NewTerminated,
                    ],
                    &[Fact::NewDeleteAsked, Fact::Uncordoned],
                ],
                never: &[Fact::Released, Fact::OldDeleteAsked, Fact::OldNodeDeleted],
                claims: &[
                    Claim::OneServerAsked,
                    Claim::NothingEvicted,
                    Claim::SameServers,
                    Claim::NothingLeft,
                ],
                ..replaced
            },
        }
    }
}

fn killed() -> Vec<Step> {
    let mut steps = vec![
        Step::Do(Deed::HoldSteps),
        Step::Do(Deed::Break(Cure::Never)),
    ];
    for phase in KILLED_AFTER {
        steps.push(Step::Await(Awaited::Done(phase)));
        steps.extend(effect(phase));
        steps.push(Step::Do(Deed::KillController));
        steps.push(Step::Do(Deed::StartController));
    }
    steps
}

/// The step's effect is there, and nothing of the next step.
fn effect(phase: Phase) -> &'static [Step] {
    use Step::{Has, HasNot, Holds};
    match phase {
        Phase::Judging => &[HasNot(Fact::Cordoned), Holds(Claim::SameServers)],
        Phase::Cordoning => &[Has(Fact::Cordoned), Holds(Claim::SameServers)],
        Phase::CreatingPorts => &[Holds(Claim::PortsMade), HasNot(Fact::ServerAsked)],
        Phase::CreatingServer => &[Has(Fact::ServerAsked), HasNot(Fact::Released)],
        Phase::Joining => &[Has(Fact::NewReady), HasNot(Fact::Released)],
        Phase::Committed => &[
            Holds(Claim::Adopted),
            Has(Fact::Released),
            Holds(Claim::SamePods),
        ],
        Phase::Draining | Phase::AwaitingOwners => {
            &[Has(Fact::LastPodEnded), HasNot(Fact::OldDeleteAsked)]
        }
        Phase::DeletingServer => &[
            Has(Fact::OldTerminated),
            Holds(Claim::OldPortsGone),
            HasNot(Fact::OldNodeDeleted),
        ],
        Phase::DeletingNode => &[Has(Fact::OldNodeDeleted)],
        Phase::HealingInNode
        | Phase::RebootDraining
        | Phase::GrantOffered
        | Phase::Rebooting
        | Phase::HardRebooting
        | Phase::Settling
        | Phase::Uncordoning
        | Phase::Stopping
        | Phase::Detaching
        | Phase::Discarding
        | Phase::RollingBack
        | Phase::NeedsHuman
        | Phase::Recovered
        | Phase::Replaced
        | Phase::Cancelled => &[],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_story_is_in_the_list_with_a_script_of_its_own() {
        for story in Story::ALL {
            assert_eq!(story.script().story, story);
        }
        assert_eq!(
            Story::ALL.len(),
            <Story as clap::ValueEnum>::value_variants().len()
        );
    }

    #[test]
    fn a_script_ends_where_a_repair_can_end() {
        for story in Story::ALL {
            let ends = story.script().ends;
            assert!(ends.is_none_or(Phase::is_final), "{story:?}");
        }
    }

    #[test]
    fn a_fact_is_not_both_wanted_and_refused() {
        for story in Story::ALL {
            let script = story.script();
            let wanted = script.orders.iter().copied().flatten();
            for fact in wanted {
                assert!(!script.never.contains(fact), "{story:?}: {fact}");
            }
        }
    }

    #[test]
    fn each_step_after_which_it_is_killed_has_an_effect_and_follows_the_last() {
        assert!(KILLED_AFTER.iter().all(|phase| !effect(*phase).is_empty()));
        for pair in KILLED_AFTER.windows(2) {
            assert!(pair[0].followers().contains(&pair[1]), "{pair:?}");
        }
    }
}
