//! The one reason that stands on a sick node at a moment: why it is being repaired, or why it is not. There is always one,
//! also for a problem that nobody has looked at yet.

use crate::policy::Status;
use crate::reason::Reason;
use crate::repair::{NoRules, Phase};

/// What the control plane calls it when a node's Ready is False or Unknown: a condition of its own making, so that True is
/// ill for each of them.
pub const NOT_READY: &str = "NotReady";

/// Is a condition with this status a problem? Problem detectors report one as True. Conditions of which True is the good
/// news are named so by convention: kubelet's `Ready`, and whatever ends in `Ready` or `Healthy`.
pub fn is_problem(kind: &str, status: Status) -> bool {
    let is_good_news = kind.ends_with("Ready") || kind.ends_with("Healthy");
    status == Status::Yes && (kind == NOT_READY || !is_good_news)
}

/// What is known of a node with a problem, or with an open repair.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Look {
    /// Its open repair: its phase, and the reason that is written in it.
    pub repair: Option<(Phase, Option<Reason>)>,
    /// It has a problem.
    pub sick: bool,
    /// A policy of the control plane answers for one of its problems.
    pub handled: bool,
    /// Whether one pool selects it.
    pub pool: Result<(), NoRules>,
    /// What the last look held against opening a repair, beyond these.
    pub held: Option<Reason>,
}

/// Where it stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Standing {
    /// Of its repair, if it has one.
    pub phase: Option<Phase>,
    /// Why.
    pub reason: Reason,
}

/// Its one reason; `None` if it is well.
pub fn standing(look: &Look) -> Option<Standing> {
    if let Some((phase, reason)) = look.repair {
        // one that was just opened says nothing yet
        let reason = reason.unwrap_or(Reason::HealingInNode);
        let phase = Some(phase);
        return Some(Standing { phase, reason });
    }
    if !look.sick {
        return None;
    }
    let reason = match (look.handled, look.pool, look.held) {
        (false, _, _) => Reason::NoPolicy,
        (true, Err(none), _) => none.into(),
        (true, Ok(()), Some(held)) => held,
        (true, Ok(()), None) => Reason::AwaitingAgent,
    };
    Some(Standing {
        phase: None,
        reason,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const SICK: Look = Look {
        repair: None,
        sick: true,
        handled: true,
        pool: Ok(()),
        held: None,
    };

    #[test]
    fn a_well_node_has_no_reason_and_a_sick_one_always_has() {
        let repairs = [
            None,
            Some((Phase::Judging, None)),
            Some((Phase::Joining, Some(Reason::Joining))),
        ];
        for repair in repairs {
            for sick in [false, true] {
                for handled in [false, true] {
                    for pool in [Ok(()), Err(NoRules::NoPool), Err(NoRules::TwoPools)] {
                        for held in [None, Some(Reason::Vetoed)] {
                            let look = Look {
                                repair,
                                sick,
                                handled,
                                pool,
                                held,
                            };
                            let found = standing(&look);
                            assert_eq!(found.is_some(), sick || repair.is_some(), "{look:?}");
                        }
                    }
                }
            }
        }
    }

    #[test]
    fn a_problem_that_no_policy_handles_is_not_passed_over_in_silence() {
        let reason = |look: Look| standing(&look).map(|standing| standing.reason);
        assert_eq!(
            reason(Look {
                handled: false,
                ..SICK
            }),
            Some(Reason::NoPolicy)
        );
        let nowhere = Look {
            pool: Err(NoRules::NoPool),
            ..SICK
        };
        assert_eq!(reason(nowhere), Some(Reason::NoPool));
        assert_eq!(
            reason(Look {
                held: Some(Reason::Vetoed),
                ..SICK
            }),
            Some(Reason::Vetoed)
        );
        assert_eq!(reason(SICK), Some(Reason::AwaitingAgent));
    }

    #[test]
    fn what_a_repair_says_goes_before_all_else() {
        let look = Look {
            repair: Some((Phase::Draining, Some(Reason::BlockedByBudget))),
            handled: false,
            ..SICK
        };
        let wanted = Standing {
            phase: Some(Phase::Draining),
            reason: Reason::BlockedByBudget,
        };
        assert_eq!(standing(&look), Some(wanted));
    }

    #[test]
    fn good_news_is_no_problem() {
        assert!(is_problem("KernelDeadlock", Status::Yes));
        assert!(is_problem("NetworkUnavailable", Status::Yes));
        assert!(is_problem("KubeletUnhealthy", Status::Yes));
        for good in ["Ready", "StorageReady", "EtcdHealthy"] {
            assert!(!is_problem(good, Status::Yes), "{good}");
        }
        assert!(!is_problem("KernelDeadlock", Status::Unknown));
    }
}
